"""Messages about what happened in a user's companies: the day's and the week's in one, and those that leave at once.

Each user in a transaction of its own: what they have not been told is counted, the message is written with a key that
is used once, and the mark moves to the moment told. Killed anywhere, or done twice, nobody is told the same again. The
messages leave with the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from temporalio import activity

from activities.contracts.digests import SEND_DIGESTS, DigestsSent, SendDigests
from db import notices, notifications, users
from db.pool import Pool, single, system
from domain.notifications import How, due_on
from domain.working_time import paris_date
from messages.notices import NoticeKind

log = logging.getLogger(__name__)

BATCH: Final = 200
LAG: Final = timedelta(seconds=15)  # what is being recorded counts from the beginning of its transaction
OLDEST: Final = timedelta(days=14)  # of a week's message that a holiday, or Temporal away, put off
OLDEST_NOW: Final = timedelta(days=1)
_FIRST: Final = UUID(int=0)


class Digests:
    def __init__(self, pool: Pool, lag: timedelta = LAG) -> None:
        self._pool = pool
        self._lag = lag
        self._looked_until: datetime | None = None

    @activity.defn(name=SEND_DIGESTS)
    async def send(self, order: SendDigests) -> DigestsSent:
        """What is due on that day, in one message to each user."""
        day = paris_date(order.at)
        hows = due_on(day)
        if not hows:
            return DigestsSent(0)
        return await self._send(hows, order.at - self._lag, order.at - OLDEST, day.isoformat())

    async def send_now(self) -> int:
        """What is to be told at once; a part of the sweep."""
        until = datetime.now(UTC) - self._lag
        since = until - OLDEST_NOW if self._looked_until is None else self._looked_until - 2 * self._lag
        done = await self._send((How.immediate,), until, since, "")
        if not done.failed:
            self._looked_until = until
        return done.sent

    async def _send(self, hows: Sequence[How], until: datetime, since: datetime, day: str) -> DigestsSent:
        sent, failed, after = 0, 0, _FIRST
        ways = [how.value for how in hows]
        while True:
            async with single(self._pool) as connection:
                rows = await connection.fetch(notifications.DUE_USERS, until, ways, since, after, BATCH)
            for row in rows:
                if activity.in_activity():
                    activity.heartbeat()
                try:
                    sent += await self._write(row["user_id"], ways, until, since, day)
                except asyncpg.PostgresError as why:
                    failed += 1
                    log.error("a digest was not written: %s", type(why).__name__, extra={"id": str(row["user_id"])})
            if len(rows) < BATCH:
                return DigestsSent(sent, failed)
            after = rows[-1]["user_id"]

    async def _write(self, user_id: UUID, ways: list[str], until: datetime, since: datetime, day: str) -> int:
        """1 where there was something to tell that nobody else has told meanwhile, else 0."""
        async with system(self._pool) as connection:
            await connection.execute(users.LOCK_USER, user_id)
            rows = await connection.fetch(notifications.DUE, until, ways, since, user_id)
            if not rows:
                return 0
            counts: dict[str, dict[str, int]] = {}
            for row in rows:
                counts.setdefault(str(row["company_id"]), {})[row["kind"]] = row["count"]
            details = {"when": "day" if day else "now", "counts": counts}
            key = f"{NoticeKind.digest}/{user_id}/{day or until.isoformat()}"
            company = UUID(next(iter(counts))) if len(counts) == 1 else None
            added = await connection.fetchval(
                notices.ADD, key, NoticeKind.digest.value, "email", user_id, None, company, None, details, None, None
            )
            if added is None:  # this day's has left: what came after it is the next one's
                return 0
            await connection.execute(notifications.TOLD, user_id, ways, until)
            return 1
