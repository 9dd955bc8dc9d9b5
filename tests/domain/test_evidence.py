from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.affiliation import Closure, Status
from domain.evidence import Asked, Gap, Period, ProofState, proof

ON = date(2026, 11, 23)
SENT = datetime(2026, 2, 3, 9, 5, tzinfo=UTC)
ASKED = Asked(SENT, Status.sent, None, SENT)
DONE = replace(ASKED, status=Status.finalised)


def ending(days: int | None) -> Period:
    return Period(date(2025, 1, 1), None if days is None else ON + timedelta(days=days))


@pytest.mark.parametrize(
    ("asked", "state", "gap"),
    [
        pytest.param([], ProofState.missing, Gap.payroll_only, id="payroll alone knows them"),
        pytest.param([replace(ASKED, invited_at=None)], ProofState.missing, Gap.not_sent, id="nothing has left"),
        pytest.param([ASKED], ProofState.invited, None, id="invited"),
        pytest.param([replace(ASKED, status=Status.started)], ProofState.invited, None, id="a draft is no answer"),
        pytest.param([replace(DONE, cover=ending(None))], ProofState.covered, None, id="covered"),
        pytest.param([replace(DONE, cover=ending(0))], ProofState.covered, None, id="the last day of cover"),
        pytest.param([replace(DONE, cover=ending(-1))], ProofState.left, None, id="the cover has ended"),
        pytest.param(
            [replace(DONE, cover=Period(ON + timedelta(days=9), None))], ProofState.covered, None, id="cover to come"
        ),
        pytest.param([replace(DONE, waiver=ending(0))], ProofState.dispensed, None, id="the last day of a dispense"),
        pytest.param(
            [replace(DONE, waiver=ending(-1))], ProofState.missing, Gap.waiver_ended, id="a dispense that ended"
        ),
        pytest.param([DONE], ProofState.missing, Gap.no_record, id="nothing is kept of the answer"),
        *(
            pytest.param(
                [replace(ASKED, status=Status.abandoned, closure=closure)],
                ProofState.abandoned if closure in (Closure.no_response, Closure.withdrawn_other) else ProofState.left,
                None,
                id=closure.value,
            )
            for closure in Closure
        ),
    ],
)
def test_what_one_affiliation_proves(asked: list[Asked], state: ProofState, gap: Gap | None) -> None:
    found = proof(asked, ON)
    assert (found.state, found.gap) == (state, gap)


def test_who_was_asked_again_after_a_dispense_is_invited() -> None:
    again = replace(ASKED, declared_at=SENT + timedelta(days=1))
    assert proof([replace(DONE, waiver=ending(-1)), again], ON).state is ProofState.invited


def test_what_stands_counts_before_what_came_later() -> None:
    later = replace(ASKED, declared_at=SENT + timedelta(days=1), status=Status.abandoned, closure=Closure.no_response)
    covered = replace(DONE, cover=ending(None))
    assert proof([later, covered], ON).by is covered
    assert proof([replace(covered, cover=ending(-1)), later], ON).state is ProofState.abandoned
