"""Figures of an employer's companies: the month that runs, the last twelve, and how long people take to answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from activities.contracts.affiliation import EventKind
from db import figures
from db.pool import Pool, tenant
from domain.affiliation import Attention, Status
from domain.media import Medium
from domain.working_time import PARIS, months_after, paris_date
from services.callers import Caller, Scope

MONTHS: Final = 12
MOST_TO_CORRECT: Final = 5
# What makes an affiliation count in a status's figure.
_MOVES: Final = {
    Status.sent: EventKind.message_handed_over,
    Status.started: EventKind.started,
    Status.finalised: EventKind.finalised,
    Status.abandoned: EventKind.abandoned,
}


class MonthFigure(BaseModel):
    """How many affiliations came to this status this month; `before`: last month, up to the same day."""

    status: Status
    count: int
    before: int


class DeclaredInMonth(BaseModel):
    """What was declared in a month (its first day), by present status."""

    month: date
    statuses: dict[Status, int]


class ToCorrect(BaseModel):
    """An affiliation that waits for the employer, since `status_at` at the latest."""

    id: UUID
    first_names: str
    last_name: str
    establishment: str
    medium: Medium
    attention: Attention
    status_at: datetime


class Figures(BaseModel):
    """`same_day`: the day of last month up to which `month` compares. `months`: the last twelve, oldest first.
    `delays`: affiliations by days from the first message to the completed form."""

    today: date
    same_day: date
    month: list[MonthFigure]
    months: list[DeclaredInMonth]
    delays: dict[int, int]
    to_correct: list[ToCorrect]
    more_to_correct: bool


class FiguresService:
    def __init__(self, web: Pool) -> None:
        self._web = web

    async def overview(self, caller: Caller, now: datetime | None = None) -> Figures:
        """Of all the companies of the perimeter. Raises NotAllowed."""
        caller.need(Scope.read)
        today = paris_date(now or datetime.now(UTC))
        this_month = today.replace(day=1)
        last_month, next_month = months_after(this_month, -1), months_after(this_month, 1)
        same_day = months_after(today, -1)
        since = months_after(this_month, 1 - MONTHS)
        companies = list(caller.companies)
        async with tenant(self._web, caller.companies) as connection:
            moves = await connection.fetch(
                figures.MOVES,
                companies,
                *(_midnight(day) for day in (last_month, same_day + timedelta(days=1), this_month, next_month)),
            )
            by_month = await connection.fetch(figures.BY_MONTH, companies, _midnight(since))
            delays = await connection.fetch(figures.DELAYS, companies, _midnight(since))
            waiting = await connection.fetch(figures.TO_CORRECT, companies, MOST_TO_CORRECT + 1)
        moved = {row["kind"]: row for row in moves}
        counted = {(row["month"], row["status"]): row["count"] for row in by_month}
        return Figures(
            today=today,
            same_day=same_day,
            month=[
                MonthFigure(
                    status=status,
                    count=moved[kind]["count"] if kind in moved else 0,
                    before=moved[kind]["before"] if kind in moved else 0,
                )
                for status, kind in _MOVES.items()
            ],
            months=[
                DeclaredInMonth(month=month, statuses={status: counted.get((month, status), 0) for status in Status})
                for month in (months_after(since, ahead) for ahead in range(MONTHS))
            ],
            delays={row["days"]: row["count"] for row in delays},
            to_correct=[ToCorrect(**row) for row in waiting[:MOST_TO_CORRECT]],
            more_to_correct=len(waiting) > MOST_TO_CORRECT,
        )


def _midnight(day: date) -> datetime:
    """Its beginning in Paris."""
    return datetime.combine(day, time(), PARIS)
