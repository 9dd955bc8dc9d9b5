"""What an employer's user is told of without asking, and how: at once, in the day's message, in the week's, or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.working_time import is_working_day

SOON_DAYS: Final = 7  # before an affiliation is abandoned


class NotificationKind(StrEnum):
    to_correct = "to_correct"  # nothing reaches the employee any more
    abandoned_soon = "abandoned_soon"
    finalised = "finalised"
    ended = "ended"  # declined or abandoned


class How(StrEnum):
    """When a user is written to."""

    immediate = "immediate"
    daily = "daily"  # working days at 8:00
    weekly = "weekly"  # the week's first working day at 8:00
    none = "none"


USUAL: Final[Mapping[NotificationKind, How]] = MappingProxyType(
    {
        NotificationKind.to_correct: How.immediate,
        NotificationKind.abandoned_soon: How.daily,
        NotificationKind.finalised: How.daily,
        NotificationKind.ended: How.daily,
    }
)


def due_on(day: date) -> tuple[How, ...]:
    """Which messages leave on a day in Paris: none on a holiday, the week's on its first working day."""
    if not is_working_day(day):
        return ()
    monday = day - timedelta(days=day.weekday())
    first = next(one for one in (monday + timedelta(days=count) for count in range(7)) if is_working_day(one))
    return (How.daily, How.weekly) if day == first else (How.daily,)
