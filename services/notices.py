"""The outbox: what is written to users and companies leaves once the transaction that caused it is committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from db import notices
from db.pool import Connection, Pool, system
from messages.notices import NoticeKind
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)


class Transaction:
    """A transaction of the system role, and what it writes to people."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.added: list[tuple[UUID, datetime | None]] = []

    async def notify(
        self,
        key: str,
        kind: NoticeKind,
        *,
        user_id: UUID | None = None,
        recipient: str | None = None,
        company_id: UUID | None = None,
        subject_id: UUID | None = None,
        details: dict[str, Any] | None = None,
        medium: str = "email",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> UUID | None:
        """Write it once for its key, to the user's address or to `recipient`; None: that key was used before.

        `details`: codes, dates and ids only. `subject_id`: what its link or code is made of.
        """
        added: UUID | None = await self.connection.fetchval(
            notices.ADD,
            key,
            kind.value,
            medium,
            user_id,
            recipient,
            company_id,
            subject_id,
            details or {},
            not_before,
            not_after,
        )
        if added is not None:
            self.added.append((added, not_before))
        return added


class Outbox:
    def __init__(self, pool: Pool, engine: Notices) -> None:
        self._pool = pool
        self._engine = engine
        self._starting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """What it notifies leaves after its commit; the sweep starts what a crash kept from leaving."""
        async with system(self._pool) as connection:
            transaction = Transaction(connection)
            yield transaction
        for notice_id, not_before in transaction.added:
            # not awaited: how long it takes tells nothing to whoever asked
            task = asyncio.create_task(self._start(notice_id, not_before))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def started(self) -> None:
        """Until what is committed has been started, or left to the sweep: for a process that ends."""
        await asyncio.gather(*self._starting)

    async def _start(self, notice_id: UUID, not_before: datetime | None) -> None:
        try:
            await self._engine.start(notice_id, not_before)
        except EngineAway:
            log.info("a notice waits for the sweep", extra={"notice": str(notice_id)})
