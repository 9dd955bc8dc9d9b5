"""What an insured person is entitled to on any day, and what comes next after the end of the contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.coverage_changes import EndFault, EndOfContract, EndRefused, computed
from domain.coverage_rights import (
    DEATH,
    CoverageFacts,
    EarlyEnd,
    End,
    Opening,
    Right,
    RightsMessage,
    StepKind,
    Suspension,
    Told,
    calendar,
    ended_without_proof,
    next_step,
    proof_due,
    rights_on,
    rights_until,
    told_after,
    undelivered,
)
from domain.departures import NEVER_PORTABLE, Portability, reasons
from domain.portability_rules import edition_on, editions
from domain.suspensions import suspension_labels
from domain.working_time import PARIS, is_working_day, paris_date

STARTS = date(2025, 10, 15)
RULES = edition_on(date(2026, 4, 20)).proof
BEFORE = datetime(2026, 4, 2, 8, 30, tzinfo=UTC)


def facts_of(end: End | None, *suspensions: Suspension, starts_on: date = STARTS) -> CoverageFacts:
    last_day = end.covered_until if end else None
    return CoverageFacts(1, "an-affiliation", starts_on, last_day, end, suspensions, RULES)


def ended(began: date = STARTS, ends: date = date(2026, 4, 20), reason: str = "043") -> CoverageFacts:
    return facts_of(computed(EndOfContract(began, ends, reason)), starts_on=began)


def changed(facts: CoverageFacts, **of_the_end: object) -> CoverageFacts:
    assert facts.end is not None
    return replace(facts, version=facts.version + 1, end=replace(facts.end, **of_the_end))  # type: ignore[arg-type]


def steps(facts: CoverageFacts, told: Told | None = None, now: datetime = BEFORE) -> list[tuple[str, date]]:
    """(kind, day) of everything to come."""
    return [(step.kind.value, paris_date(step.at)) for step in calendar(facts, told or Told(), now)]


def told(facts: CoverageFacts, *messages: RightsMessage, at: datetime = datetime(2026, 4, 20, 8, tzinfo=UTC)) -> Told:
    known = Told()
    for message in messages:
        known = told_after(known, message, facts, at)
    return known


# --- the dates of the agreement (dsn.md § 3.2)


@pytest.mark.parametrize(
    ("began", "ends", "covered", "first", "last"),
    [
        (date(2025, 10, 15), date(2026, 4, 20), date(2026, 4, 30), date(2026, 5, 1), date(2027, 4, 30)),
        (date(2026, 2, 2), date(2026, 4, 15), date(2026, 4, 30), date(2026, 5, 1), date(2026, 10, 31)),
        (date(2026, 4, 1), date(2026, 4, 30), date(2026, 4, 30), date(2026, 5, 1), date(2026, 6, 30)),
        (date(2026, 4, 13), date(2026, 4, 15), date(2026, 4, 30), date(2026, 5, 1), date(2026, 6, 30)),
        (date(2012, 9, 1), date(2026, 4, 30), date(2026, 4, 30), date(2026, 5, 1), date(2027, 4, 30)),
    ],
)
def test_cover_to_the_months_end_then_portability(
    began: date, ends: date, covered: date, first: date, last: date
) -> None:
    facts = ended(began, ends)
    day = timedelta(days=1)
    rights = {
        on: (rights_on(facts, on).right, rights_on(facts, on).open)
        for on in (began - day, began, ends, covered, first, last, last + day)
    }
    assert rights == {
        began - day: (Right.none, False),
        began: (Right.active, True),
        ends: (Right.active, True),
        covered: (Right.active, True),
        first: (Right.portability, True),
        last: (Right.portability, True),
        last + day: (Right.none, False),
    }
    assert rights_on(facts, ends).until == last


def test_a_resignation_ends_with_the_month() -> None:
    facts = ended(reason="059")
    assert rights_until(facts) == date(2026, 4, 30)
    assert rights_on(facts, date(2026, 4, 30)).right is Right.active
    assert rights_on(facts, date(2026, 5, 1)).right is Right.none
    assert not rights_on(facts, date(2026, 5, 1)).to_review


def test_a_reason_for_review_opens_nothing_until_somebody_decides() -> None:
    facts = ended(reason="084")
    waits = rights_on(facts, date(2026, 5, 1))
    assert (waits.right, waits.to_review, waits.until) == (Right.none, True, date(2026, 4, 30))
    opened = changed(facts, portability=Opening.open)
    assert rights_on(opened, date(2026, 5, 1)).right is Right.portability


@pytest.mark.parametrize("code", sorted(reasons()))
def test_every_reason_opens_what_the_table_says(code: str) -> None:
    opens = reasons()[code].portability
    if opens is Portability.none:
        with pytest.raises(EndRefused) as refused:
            ended(reason=code)
        assert refused.value.code is EndFault.not_an_end
        return
    assert ended(reason=code).end.portability == opens.value  # type: ignore[union-attr]
    if code in NEVER_PORTABLE:
        assert opens is Portability.closed


def test_an_unknown_reason_is_for_review() -> None:
    assert computed(EndOfContract(STARTS, date(2026, 4, 20), "777")).portability is Opening.review


def test_a_contract_cannot_end_before_it_begins() -> None:
    with pytest.raises(EndRefused) as refused:
        computed(EndOfContract(date(2026, 4, 21), date(2026, 4, 20), "043"))
    assert refused.value.code is EndFault.ends_before_it_begins


def test_a_proof_covers_the_days_to_its_end() -> None:
    facts = changed(ended(), proof_until=date(2026, 7, 31))
    assert rights_on(facts, date(2026, 7, 31)).proven
    awaits = rights_on(facts, date(2026, 8, 1))
    assert (awaits.right, awaits.proven) == (Right.portability, False)


def test_an_early_end_ends_the_rights() -> None:
    facts = changed(ended(), ended_on=date(2026, 9, 14), end_reason=EarlyEnd.new_job)
    assert rights_on(facts, date(2026, 9, 14)).right is Right.portability
    assert rights_on(facts, date(2026, 9, 15)).right is Right.none
    assert rights_until(facts) == date(2026, 9, 14)


def test_without_an_end_there_is_no_last_day() -> None:
    facts = facts_of(None)
    assert rights_on(facts, date(2040, 1, 1)).right is Right.active
    assert rights_until(facts) is None
    assert next_step(facts, Told(), BEFORE) is None


@pytest.mark.parametrize(
    ("kept", "right", "to_review"),
    [(None, Right.suspended, True), (False, Right.suspended, False), (True, Right.active, False)],
)
def test_a_time_without_pay(kept: bool | None, right: Right, to_review: bool) -> None:
    facts = facts_of(None, Suspension(date(2026, 1, 10), date(2026, 2, 10), "632", kept))
    assert rights_on(facts, date(2026, 1, 9)).right is Right.active
    during = rights_on(facts, date(2026, 1, 10))
    assert (during.right, during.to_review) == (right, to_review)
    assert rights_on(facts, date(2026, 2, 11)).right is Right.active


def test_a_suspension_whose_end_is_not_known_lasts() -> None:
    facts = facts_of(None, Suspension(date(2026, 1, 10), None, "639"))
    assert rights_on(facts, date(2031, 1, 10)).right is Right.suspended
    assert set(suspension_labels()) == {"501", "632", "635", "639"}


# --- what comes next


def test_a_year_of_portability_that_nobody_proves() -> None:
    assert steps(ended()) == [
        ("cover_end", date(2026, 4, 20)),
        ("proof_reminder", date(2026, 5, 21)),
        ("proof_reminder", date(2026, 6, 10)),
        ("no_proof", date(2026, 6, 30)),
        ("portability_end", date(2026, 6, 30)),
        ("over", date(2026, 10, 30)),
    ]


def test_a_year_of_portability_that_is_proven_to_its_end() -> None:
    facts = changed(ended(), proof_until=date(2027, 4, 30))
    assert steps(facts) == [
        ("cover_end", date(2026, 4, 20)),
        ("portability_end", date(2027, 3, 31)),
        ("over", date(2027, 10, 30)),
    ]


def test_the_next_proof_is_asked_for_before_the_last_one_runs_out() -> None:
    facts = ended()
    known = told(facts, RightsMessage.cover_end)
    proven = changed(facts, proof_until=date(2026, 7, 31))
    assert steps(proven, known, datetime(2026, 5, 5, 8, tzinfo=UTC))[:4] == [
        ("proof_reminder", date(2026, 7, 17)),
        ("proof_reminder", date(2026, 8, 17)),
        ("proof_reminder", date(2026, 9, 7)),
        ("no_proof", date(2026, 9, 30)),
    ]


def test_what_had_been_proven_stays_when_the_next_proof_does_not_come() -> None:
    facts = ended_without_proof(changed(ended(), proof_until=date(2026, 7, 31)))
    assert facts.end is not None
    assert (facts.end.ended_on, facts.end.end_reason) == (date(2026, 7, 31), EarlyEnd.no_proof)
    assert rights_until(facts) == date(2026, 7, 31)
    assert ended_without_proof(facts) == facts


def test_a_person_told_late_has_the_whole_time_of_grace() -> None:
    facts = ended()
    late = datetime(2026, 9, 1, 8, tzinfo=UTC)
    known = told(facts, RightsMessage.cover_end, at=late)
    assert proof_due(facts, known, paris_date(late)) == date(2026, 10, 31)
    assert steps(facts, known, late)[0] == ("proof_reminder", date(2026, 9, 21))
    assert ("no_proof", date(2026, 10, 31)) in steps(facts, known, late)


def test_an_end_is_told_on_its_last_day_not_before() -> None:
    facts = ended(ends=date(2026, 8, 14))
    step = next_step(facts, Told(), BEFORE)
    assert step is not None
    assert step.at.astimezone(PARIS) == datetime(2026, 8, 14, 9, tzinfo=PARIS)
    assert step.message is RightsMessage.cover_end


def test_a_changed_end_is_told_again_and_the_same_one_is_not() -> None:
    facts = ended()
    known = told(facts, RightsMessage.cover_end)
    now = datetime(2026, 4, 21, 8, tzinfo=UTC)
    assert steps(facts, known, now)[0][0] == "proof_reminder"
    other = replace(ended(ends=date(2026, 4, 24)), version=2)
    assert steps(other, known, now)[0] == ("cover_end", date(2026, 4, 24))


def test_a_cancelled_end_is_told_only_to_whoever_knew_of_it() -> None:
    known = told(ended(), RightsMessage.cover_end)
    now = datetime(2026, 4, 21, 8, tzinfo=UTC)
    assert steps(facts_of(None), known, now) == [("rights_restored", date(2026, 4, 21))]
    assert steps(facts_of(None), Told(), now) == []


def test_a_late_proof_takes_the_end_back() -> None:
    stopped = ended_without_proof(ended())
    known = told(stopped, RightsMessage.cover_end, RightsMessage.portability_end)
    proven = changed(ended(), proof_until=date(2026, 7, 31))
    now = datetime(2026, 7, 8, 8, tzinfo=UTC)
    assert [kind for kind, _ in steps(proven, known, now)] == [
        "rights_restored",
        "proof_reminder",
        "proof_reminder",
        "proof_reminder",
        "no_proof",
        "portability_end",
        "over",
    ]


def test_nobody_writes_to_somebody_who_has_died() -> None:
    assert steps(ended(reason=DEATH)) == [("over", date(2026, 10, 30))]
    dies = changed(ended(), ended_on=date(2026, 7, 3), end_reason=EarlyEnd.death)
    assert [kind for kind, _ in steps(dies, told(dies, RightsMessage.cover_end))] == ["over"]


def test_a_message_that_came_back_is_due_again_under_another_number() -> None:
    facts = ended()
    known = told(facts, RightsMessage.cover_end)
    assert undelivered(known, RightsMessage.cover_end, 7) == known
    back = undelivered(known, RightsMessage.cover_end, 1)
    assert back.end is None
    assert back.next_number(RightsMessage.cover_end) == 2
    reminded = told(facts, RightsMessage.cover_end, RightsMessage.proof_reminder)
    assert undelivered(reminded, RightsMessage.proof_reminder, 1).reminders == 0
    over = told(ended_without_proof(facts), RightsMessage.cover_end, RightsMessage.portability_end)
    assert undelivered(over, RightsMessage.portability_end, 1).last_day is None
    restored = told(facts, RightsMessage.rights_restored)
    assert undelivered(restored, RightsMessage.rights_restored, 1) == restored


def test_the_rules_have_an_edition_for_every_day() -> None:
    assert edition_on(date(1999, 1, 1)) == editions()[0]
    assert edition_on(date.max) == editions()[-1]
    for edition in editions():
        rules = edition.proof
        assert max(rules.first_reminders, default=0) < rules.grace_days
        assert max(rules.again_reminders, default=0) < rules.grace_days
        assert min(rules.again_reminders, default=0) > -28 * rules.every_months


# --- what always holds

days = st.dates(date(2020, 1, 1), date(2032, 12, 31))
openings = sorted(code for code in reasons() if reasons()[code].portability is not Portability.none)


@st.composite
def lives(draw: st.DrawFn) -> CoverageFacts:
    """A coverage whose contract ended, with proofs and an early end or none."""
    began = draw(days)
    facts = ended(began, began + timedelta(days=draw(st.integers(0, 2000))), draw(st.sampled_from(openings)))
    end = facts.end
    assert end is not None
    if end.portability is not Opening.open:
        return facts
    length = (end.portability_until - end.portability_from).days
    if draw(st.booleans()):
        proven = end.portability_from + timedelta(days=draw(st.integers(0, length)))
        end = replace(end, proof_until=proven)
    if draw(st.booleans()):
        on = end.covered_until + timedelta(days=draw(st.integers(0, length + 1)))
        end = replace(end, ended_on=on, end_reason=draw(st.sampled_from(list(EarlyEnd))))
    return replace(facts, end=end)


@given(lives(), days)
def test_rights_are_open_up_to_their_last_day_and_never_after(facts: CoverageFacts, day: date) -> None:
    until = rights_until(facts)
    assert until is not None
    assert rights_on(facts, day).open is (facts.starts_on <= day <= until)
    assert rights_on(facts, day).until == until


@given(lives())
def test_cover_and_portability_leave_no_gap(facts: CoverageFacts) -> None:
    end = facts.end
    assert end is not None
    assert end.portability_from == end.covered_until + timedelta(days=1)
    assert end.contract_ends_on <= end.covered_until
    assert rights_on(facts, end.covered_until).right is Right.active
    if end.last_portable_day is not None:
        assert rights_on(facts, end.portability_from).right is Right.portability


@given(lives(), days, st.times())
def test_what_is_announced_comes_in_order_ends_and_leaves_on_working_days(
    facts: CoverageFacts, day: date, at: time
) -> None:
    now = datetime.combine(day, at, UTC)
    planned = calendar(facts, Told(), now)
    moments = [step.at for step in planned]
    assert moments == sorted(moments)
    assert all(moment >= now for moment in moments)
    assert planned[-1].kind is StepKind.over
    assert len(planned) <= 12
    for step in planned:
        if step.message is not None:
            assert is_working_day(paris_date(step.at))
            assert facts.end is not None
            assert paris_date(step.at) >= facts.end.contract_ends_on


@given(lives())
def test_to_end_for_want_of_proof_takes_no_proven_day_away(facts: CoverageFacts) -> None:
    after = ended_without_proof(facts)
    for day in (facts.starts_on, facts.last_day, facts.end.proof_until if facts.end else None):
        if day is not None:
            before, now = rights_on(facts, day), rights_on(after, day)
            assert (before.right, before.proven) == (now.right, now.proven) or not before.proven
