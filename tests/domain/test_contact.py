"""Until when an answer is due: working hours from 9:00 to 17:00 in Paris, week-ends and public holidays apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contact import CLOSES, GROUPS, OPENS, REASONS, add_working_time, closes_at, due_at, group_of
from domain.working_time import PARIS, is_working_day


def paris(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PARIS)  # type: ignore[arg-type, misc]


def test_the_reasons_are_those_of_the_guide_in_its_two_levels() -> None:
    assert [(group.label, [reason.label for reason in group.reasons]) for group in GROUPS] == [
        (
            "Gérer mon contrat",
            [
                "Information sur les cotisations",
                "Intégration d’une nouvelle entreprise à mon périmètre de gestion",
                "Autre demande",
            ],
        ),
        (
            "Gérer mes salariés",
            [
                "Affiliation d’un salarié",
                "Radiation d’un salarié",
                "Transmettre des documents pour mon salarié",
            ],
        ),
    ]
    assert len(REASONS) == 6
    assert group_of("radiation").label == "Gérer mes salariés"
    assert {code for code, one in REASONS.items() if one.page} == {"company_added", "affiliation", "radiation"}


@pytest.mark.parametrize(
    ("received", "hours", "due"),
    [
        pytest.param(paris(2026, 11, 24, 10, 30), 4, paris(2026, 11, 24, 14, 30), id="within a day"),
        pytest.param(paris(2026, 11, 24, 9), 8, paris(2026, 11, 24, 17), id="a whole day ends at closing time"),
        pytest.param(paris(2026, 11, 24, 10), 8, paris(2026, 11, 25, 10), id="over a night"),
        pytest.param(paris(2026, 11, 27, 16), 8, paris(2026, 11, 30, 16), id="over a week-end"),
        pytest.param(paris(2026, 11, 28, 12), 8, paris(2026, 11, 30, 17), id="received on a Saturday"),
        pytest.param(paris(2026, 11, 24, 22), 8, paris(2026, 11, 25, 17), id="received at night"),
        pytest.param(paris(2026, 11, 24, 7), 1, paris(2026, 11, 24, 10), id="received before the opening"),
        pytest.param(paris(2026, 11, 24, 17), 1, paris(2026, 11, 25, 10), id="received at closing time"),
        pytest.param(paris(2026, 12, 24, 16), 8, paris(2026, 12, 28, 16), id="Christmas and a week-end"),
        pytest.param(paris(2026, 5, 13, 16), 16, paris(2026, 5, 18, 16), id="Ascension, a Friday, a week-end"),
        pytest.param(paris(2026, 4, 3, 16), 8, paris(2026, 4, 7, 16), id="Easter Monday"),
        pytest.param(paris(2026, 10, 23, 16), 8, paris(2026, 10, 26, 16), id="the clocks go back"),
        pytest.param(paris(2027, 3, 26, 16), 8, paris(2027, 3, 30, 16), id="the clocks go forward, Easter Monday"),
    ],
)
def test_working_hours_pass_only_while_somebody_works(received: datetime, hours: int, due: datetime) -> None:
    assert add_working_time(received, timedelta(hours=hours)) == due


def test_each_reason_has_its_own_time() -> None:
    received = paris(2026, 11, 27, 16)  # a Friday
    assert due_at(received, "affiliation") == paris(2026, 11, 30, 16)
    assert due_at(received, "contributions") == paris(2026, 12, 1, 16)
    assert due_at(received, "other") == paris(2026, 12, 2, 16)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.lists(st.integers(1, 40), min_size=2, max_size=5),
)
def test_an_answer_is_always_due_while_somebody_works_and_more_time_is_never_sooner(
    received: datetime, hours: list[int]
) -> None:
    due = [add_working_time(received, timedelta(hours=count)) for count in sorted(hours)]
    for moment in due:
        local = moment.astimezone(PARIS)
        assert is_working_day(local.date())
        assert OPENS < local.time() <= CLOSES
    assert all(earlier <= later for earlier, later in pairwise(due))
    assert due[0] > received


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_at(datetime(2026, 11, 24, 10), "other")  # noqa: DTZ001


def test_a_request_is_closed_two_weeks_after_its_answer_by_the_clock_on_the_wall() -> None:
    assert closes_at(paris(2026, 10, 20, 10)) == paris(2026, 11, 3, 10)
