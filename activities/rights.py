"""What the night does with rights: reviews are asked for and lapse, mandates near their end are told of and end.

Each company and each mandate in a transaction of its own, decided by what is written there at that moment: killed
anywhere, or done twice in a night, it goes on where it was, and every notice has a key that is used once. The notices
leave with the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from temporalio import activity

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.nightly import LAPSE_RIGHTS, Lapse, Lapsed
from db import audit, mandates, notices, reviews, users
from db.pool import Connection, Pool, single, system
from domain import review
from domain.review import Reviewed
from domain.rights import MandateState, Role
from domain.working_time import paris_date
from messages.notices import NoticeKind

log = logging.getLogger(__name__)

BATCH = 200
MANDATE_NOTICE_DAYS = 30  # before its end
_FIRST = UUID(int=0)


class Rights:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @activity.defn(name=LAPSE_RIGHTS)
    async def lapse(self, order: Lapse) -> Lapsed:
        """Everything that is due at this moment; it is the night's, so that a repetition does the same."""
        done, at = Lapsed(), order.at
        await self._end_mandates(done, at)
        await self._tell_of_ends(done, at)
        await self._review(done, at)
        return done

    async def _review(self, done: Lapsed, at: datetime) -> None:
        after = _FIRST
        while True:
            async with single(self._pool) as connection:
                rows = await connection.fetch(reviews.COMPANIES, at, after, BATCH)
            for row in rows:
                await self._each(done, row, lambda connection, row: _review_company(connection, done, row["id"], at))
            if len(rows) < BATCH:
                return
            after = rows[-1]["id"]

    async def _end_mandates(self, done: Lapsed, at: datetime) -> None:
        after = _FIRST
        while True:
            async with single(self._pool) as connection:
                rows = await connection.fetch(mandates.OVER, paris_date(at), after, BATCH)
            for row in rows:
                await self._each(done, row, lambda connection, row: _end_mandate(connection, done, row))
            if len(rows) < BATCH:
                return
            after = rows[-1]["id"]

    async def _tell_of_ends(self, done: Lapsed, at: datetime) -> None:
        after = _FIRST
        while True:
            async with single(self._pool) as connection:
                rows = await connection.fetch(mandates.ENDING, paris_date(at), after, BATCH, MANDATE_NOTICE_DAYS)
            for row in rows:
                await self._each(done, row, lambda connection, row: _tell_of_end(connection, done, row))
            if len(rows) < BATCH:
                return
            after = rows[-1]["id"]

    async def _each(
        self, done: Lapsed, row: asyncpg.Record, do: Callable[[Connection, asyncpg.Record], Awaitable[None]]
    ) -> None:
        """In a transaction of its own: one that fails keeps no other."""
        if activity.in_activity():
            activity.heartbeat()
        try:
            async with system(self._pool) as connection:
                await do(connection, row)
        except asyncpg.PostgresError as why:
            done.failed += 1
            log.error("the night could not do what is due: %s", type(why).__name__, extra={"id": str(row["id"])})


async def _review_company(connection: Connection, done: Lapsed, company_id: UUID, at: datetime) -> None:
    await connection.execute(users.LOCK_COMPANY, company_id)
    rights = await _rights(connection, company_id)
    decided = review.night(rights, at)
    noticed = {one.user_id: one.noticed_at for one in rights}
    if decided.keep:
        await connection.execute(reviews.CONFIRM, company_id, list(decided.keep), at)
    if decided.ask:
        await connection.execute(reviews.ASK, company_id, list(decided.ask), at)
    for user_id in sorted(decided.lapse):
        await users.suspend(connection, company_id, user_id, "review")
        key = f"review_lapsed/{company_id}/{user_id}/{_day(noticed[user_id])}"
        await _notify(connection, key, NoticeKind.review_lapsed, user_id, company_id)
    for event, concerned in (("user.suspended", decided.lapse), ("user.kept", decided.keep)):
        for user_id in sorted(concerned):
            await audit.add(
                connection,
                event,
                SYSTEM_ACTOR,
                company_id=company_id,
                object_type="user",
                object_id=user_id,
                details={"why": "review"},
            )
    done.asked += len(decided.ask)
    done.suspended += len(decided.lapse)
    done.kept += len(decided.keep)
    await _tell_administrators(connection, company_id, at)


async def _tell_administrators(connection: Connection, company_id: UUID, at: datetime) -> None:
    """What waits for an answer, once for each of the review's three moments."""
    rights = await _rights(connection, company_id)
    asked = [one for one in rights if one.noticed_at is not None]
    for begun in sorted({one.noticed_at for one in asked if one.noticed_at is not None}):
        concerned = [one.user_id for one in asked if one.noticed_at == begun]
        day = review.lapse_on(begun).isoformat()
        moment = review.reminder(begun, at)
        for administrator in (one.user_id for one in rights if one.role is Role.administrator):
            count = review.to_confirm_by(administrator, concerned)
            if count:
                key = f"review_due/{company_id}/{day}/{moment}/{administrator}"
                details = {"lapse_on": day, "count": count}
                await _notify(connection, key, NoticeKind.review_due, administrator, company_id, None, details)


async def _rights(connection: Connection, company_id: UUID) -> list[Reviewed]:
    return [
        Reviewed(row["user_id"], Role(row["role"]), row["confirmed_at"], row["noticed_at"], row["signed_in_at"])
        for row in await connection.fetch(reviews.OF_COMPANY, company_id)
    ]


async def _end_mandate(connection: Connection, done: Lapsed, mandate: asyncpg.Record) -> None:
    """Unless somebody did it in the meantime."""
    mandate_id, company_id, user_id = mandate["id"], mandate["company_id"], mandate["user_id"]
    await connection.execute(users.LOCK_COMPANY, company_id)
    if await connection.fetchval(mandates.STATE, mandate_id) != MandateState.accepted:
        return
    accepted = await connection.fetchval(users.END_RIGHTS_OF_MANDATE, mandate_id)
    await connection.execute(users.END_MANDATE, mandate_id, MandateState.ended.value, None)
    await connection.execute(users.CLOSE_ACCESS, user_id)
    await audit.add(
        connection, "mandate.ended", SYSTEM_ACTOR, company_id=company_id, object_type="mandate", object_id=mandate_id
    )
    if accepted:
        kind, details = NoticeKind.mandate_ended, {"why": "ended"}
        await _notify(connection, f"mandate_ended/{mandate_id}", kind, user_id, company_id, mandate_id, details)
    done.mandates_ended += 1


async def _tell_of_end(connection: Connection, done: Lapsed, mandate: asyncpg.Record) -> None:
    """The declarant and the company's administrators."""
    mandate_id, company_id, day = mandate["id"], mandate["company_id"], mandate["ends_on"].isoformat()
    for user_id in sorted({mandate["user_id"], *await users.administrators(connection, company_id)}):
        key, kind = f"mandate_ending/{mandate_id}/{day}/{user_id}", NoticeKind.mandate_ending
        added = await _notify(connection, key, kind, user_id, company_id, mandate_id, {"ends_on": day})
        done.mandates_ending += added


async def _notify(
    connection: Connection,
    key: str,
    kind: NoticeKind,
    user_id: UUID,
    company_id: UUID,
    subject_id: UUID | None = None,
    details: dict[str, Any] | None = None,
) -> int:
    """Once for its key: 1 where it is new, else 0."""
    added = await connection.fetchval(
        notices.ADD, key, kind.value, "email", user_id, None, company_id, subject_id, details or {}, None, None
    )
    return 0 if added is None else 1


def _day(moment: datetime | None) -> str:
    return paris_date(moment).isoformat() if moment is not None else ""
