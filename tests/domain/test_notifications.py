"""On which days the messages about what happened leave."""

from __future__ import annotations

from datetime import date

import pytest

from domain.notifications import How, due_on

BOTH, DAILY = (How.daily, How.weekly), (How.daily,)


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2026, 5, 4), BOTH),  # a Monday
        (date(2026, 5, 5), DAILY),
        (date(2026, 5, 8), ()),  # a holiday
        (date(2026, 5, 9), ()),
        (date(2026, 5, 10), ()),
        (date(2026, 4, 6), ()),  # Easter Monday
        (date(2026, 4, 7), BOTH),  # the week's first working day
        (date(2026, 4, 8), DAILY),
    ],
    ids=str,
)
def test_the_days_message_leaves_on_working_days_the_weeks_on_the_first_of_them(
    day: date, due: tuple[How, ...]
) -> None:
    assert due_on(day) == due
