"""The review of rights every three months: what is to be confirmed, by when, and what lapses (security.md Z-08).

Three months after rights on a company were last confirmed, its administrators are told, and they have thirty days. A
review takes along what would fall due within these thirty days, so that a company is asked once and not one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from domain.rights import Role
from domain.working_time import add_months, paris_date

MONTHS = 3
DAYS_TO_ANSWER = 30
REMINDERS = (14, 3)  # days before the lapse


@dataclass(frozen=True)
class Reviewed:
    """Somebody's active rights on a company.

    `noticed_at`: the administrators were asked about them then; `signed_in_at`: last, None: never.
    """

    user_id: UUID
    role: Role
    confirmed_at: datetime
    noticed_at: datetime | None
    signed_in_at: datetime | None


@dataclass(frozen=True)
class Night:
    """What is to be done with the rights on one company.

    `ask`: they are asked about from now on. `lapse`: suspended. `keep`: they would lapse, but count as confirmed.
    """

    ask: frozenset[UUID] = frozenset()
    lapse: frozenset[UUID] = frozenset()
    keep: frozenset[UUID] = frozenset()


def due_at(confirmed_at: datetime) -> datetime:
    """From when they are to be confirmed again."""
    return add_months(confirmed_at, MONTHS)


def lapse_on(noticed_at: datetime) -> date:
    """The day on which what was not confirmed before is suspended."""
    return paris_date(noticed_at) + timedelta(days=DAYS_TO_ANSWER)


def reminder(noticed_at: datetime, at: datetime) -> int:
    """Which of the messages about a review is due: how many days before the lapse it belongs, the first one thirty.

    A night that was missed is made up for: the reminder is then later.
    """
    left = (lapse_on(noticed_at) - paris_date(at)).days
    return min((days for days in REMINDERS if left <= days), default=DAYS_TO_ANSWER)


def night(rights: Sequence[Reviewed], at: datetime) -> Night:
    """`rights`: everybody's active ones on one company.

    Nobody confirms themself: an only administrator's rights are not asked about, and go on. Those of several lapse like
    all others, but only where another administrator goes on who has signed in since they were asked: a company is never
    left without one, nor to one who is away.
    """
    today = paris_date(at)
    lapsing = {one.user_id for one in rights if one.noticed_at is not None and today >= lapse_on(one.noticed_at)}
    administrators = [one for one in rights if one.role is Role.administrator]
    keep = {
        one.user_id for one in administrators if one.user_id in lapsing and not _replaced(one, administrators, lapsing)
    }
    ask: set[UUID] = set()
    if any(due_at(one.confirmed_at) <= at for one in rights if one.noticed_at is None):
        horizon = at + timedelta(days=DAYS_TO_ANSWER)
        ask = {one.user_id for one in rights if one.noticed_at is None and due_at(one.confirmed_at) <= horizon}
    if len(administrators) == 1:
        only = administrators[0].user_id
        keep |= ask & {only}
        ask -= {only}
    return Night(frozenset(ask), frozenset(lapsing - keep), frozenset(keep))


def to_confirm_by(administrator: UUID, asked: Collection[UUID]) -> int:
    """How many of those who are asked about this administrator can confirm."""
    return len(set(asked) - {administrator})


def _replaced(one: Reviewed, administrators: Sequence[Reviewed], lapsing: Collection[UUID]) -> bool:
    assert one.noticed_at is not None, "it lapses"
    return any(
        other.user_id not in lapsing and other.signed_in_at is not None and other.signed_in_at >= one.noticed_at
        for other in administrators
    )
