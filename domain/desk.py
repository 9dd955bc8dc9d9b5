"""What waits for staff, and until when: the one place where these times are set.

Working days are counted from the one on which something began to wait; what comes after closing time, or on a day that
is no working day, begins to wait on the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.working_time import is_working_day, next_working_moment, paris_date


class Work(StrEnum):
    """Why a file waits for staff. All but `check` are `domain.affiliation.Attention`'s own codes."""

    doubt = "uncertain"  # nobody can tell whether a message left
    refused = "refused"  # the provider refuses us, not the address
    check = "check"  # documents came, and nobody has looked at them
    pieces_overdue = "pieces_overdue"  # the pieces asked for did not come within their time
    unreachable = "unreachable_for_pieces"  # pieces are missing and no address reaches the employee


# Working days after the one on which it began to wait; 0: by the end of the same day.
DAYS: Final[Mapping[Work, int]] = MappingProxyType(
    {
        Work.doubt: 0,  # the person has no message, or is about to get two
        Work.refused: 0,  # nothing of ours leaves any more
        Work.unreachable: 1,
        Work.check: 2,  # what the employee was told when they sent it
        Work.pieces_overdue: 2,
    }
)


class Lateness(StrEnum):
    """Where a due date stands, today."""

    late = "late"
    today = "today"
    later = "later"


def due_on(work: Work, since: datetime) -> date:
    """The last day to deal with what has been waiting since that moment (aware). It never comes earlier for what has
    been waiting less long."""
    day = paris_date(next_working_moment(since))
    for _ in range(DAYS[work]):
        day += timedelta(days=1)
        while not is_working_day(day):
            day += timedelta(days=1)
    return day


def lateness(due: date, today: date) -> Lateness:
    if due < today:
        return Lateness.late
    return Lateness.today if due == today else Lateness.later
