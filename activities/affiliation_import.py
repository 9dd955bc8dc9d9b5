"""The activities of a bulk import: its rows looked at, the confirmed ones started batch by batch, its end told.

An attempt that was cut off leaves rows that are settled and rows that are not; the next one goes on with these. A row
whose affiliation was written and that could not be settled gets the same affiliation again (its key was used before).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity

from activities.contracts.affiliation_imports import (
    CHECK_IMPORT,
    FINISH_IMPORT,
    START_IMPORT_ROWS,
    BatchStarted,
    ImportBatch,
    ImportFinished,
    ImportState,
    ImportStep,
    RowState,
)
from db import affiliation_imports, notices
from db.pool import Connection, Pool, system
from messages.notices import NoticeKind
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

AT_ONCE = 1  # batches that one worker starts at the same time: imports go on in turn, and leave room for everybody
BEAT_SECONDS = 5.0
RESTS = 2  # times as long as the row took
REST_SECONDS = 0.05  # after a row, at least: an affiliation is work for others, too

ROWS = Counter("hcr_import_rows_total", "Confirmed rows of bulk imports by what became of them", ["state"])


@dataclass(frozen=True)
class Settled:
    """What became of a row. `problems`: as the row keeps them."""

    state: RowState
    problems: Sequence[dict[str, Any]] = field(default_factory=list)
    affiliation_id: UUID | None = None


class Checking(Protocol):
    async def check(self, import_id: UUID, round: int, beat: Callable[[], None]) -> None:
        """Read the rows and write them with their states; nothing happens where another reading has taken over."""


class Starting(Protocol):
    async def start(self, user_id: UUID, companies: Sequence[UUID], round: int, row: asyncpg.Record) -> Settled:
        """Do what a confirmed row asks for, once. What it raises is tried again."""


class ImportDesk:
    def __init__(self, pool: Pool, checking: Checking, starting: Starting, engine: Notices) -> None:
        self._pool = pool
        self._checking = checking
        self._starting = starting
        self._engine = engine
        self._room = asyncio.Semaphore(AT_ONCE)

    @activity.defn(name=CHECK_IMPORT)
    async def check(self, step: ImportStep) -> ImportFinished:
        """Every row, looked at."""
        await self._checking.check(UUID(step.import_id), step.round, _beat)
        return ImportFinished(await self._state(UUID(step.import_id)))

    @activity.defn(name=START_IMPORT_ROWS)
    async def start(self, batch: ImportBatch) -> BatchStarted:
        """The confirmed rows of a batch that are not settled yet, one after the other; after each it rests twice
        as long as the row took, so that an import never takes more than a third of what there is."""
        await self._turn()
        try:
            return await self._start(batch)
        finally:
            self._room.release()

    @activity.defn(name=FINISH_IMPORT)
    async def finish(self, step: ImportStep) -> ImportFinished:
        """Nothing is left to be started: whoever confirmed it is told, once."""
        notice_id = None
        async with system(self._pool) as connection:
            user_id = await connection.fetchval(
                affiliation_imports.FINISH, UUID(step.import_id), step.round, ImportState.done.value
            )
            if user_id is not None:
                key = f"{NoticeKind.import_done}/{step.import_id}/{step.round}"
                notice_id = await connection.fetchval(
                    *(notices.ADD, key, NoticeKind.import_done.value, "email", user_id, None, None, None),
                    *({}, None, None),
                )
        if notice_id is not None:
            try:
                await self._engine.start(notice_id, None)
            except EngineAway:
                log.info("a notice waits for the sweep")
        return ImportFinished(await self._state(UUID(step.import_id)))

    async def _turn(self) -> None:
        """Wait for it: first come, first served."""
        while True:
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._room.acquire()
                return
            except TimeoutError:
                _beat()

    async def _start(self, batch: ImportBatch) -> BatchStarted:
        import_id = UUID(batch.import_id)
        over = BatchStarted(batch.after, 0, 0, True)
        async with system(self._pool) as connection:
            row = await connection.fetchrow(affiliation_imports.BEGIN_BATCH, import_id)
            if row is None or row["start_round"] != batch.round or row["state"] != ImportState.running:
                return over
            if not row["allowed"]:
                await self._refuse(connection, import_id, batch.round)
                return over
            rows = await connection.fetch(affiliation_imports.BATCH, import_id, batch.after, batch.rows)
        started = 0
        for one in rows:
            if not await self._still_running(import_id):
                return over
            began = time.monotonic()
            settled = await self._starting.start(row["user_id"], row["company_ids"], batch.round, one)
            started += await self._settle(one, settled)
            _beat()
            await asyncio.sleep(max(REST_SECONDS, RESTS * (time.monotonic() - began)))
        last = rows[-1]["number"] if rows else batch.after
        return BatchStarted(last, len(rows), started, len(rows) < batch.rows)

    async def _settle(self, row: asyncpg.Record, settled: Settled) -> bool:
        """Whether an affiliation was started."""
        async with system(self._pool) as connection:
            await connection.execute(
                affiliation_imports.SETTLE_ROW,
                row["id"],
                settled.state.value,
                list(settled.problems),
                settled.affiliation_id,
            )
        ROWS.labels(settled.state.value).inc()
        return settled.state is RowState.started

    async def _refuse(self, connection: Connection, import_id: UUID, round: int) -> None:
        """Whoever confirmed it does not follow these companies any more: nothing more is declared in their name."""
        await connection.fetchval(affiliation_imports.FINISH, import_id, round, ImportState.refused.value)
        await connection.execute(affiliation_imports.FREE_ROWS, import_id)

    async def _still_running(self, import_id: UUID) -> bool:
        async with system(self._pool) as connection:
            return bool(await connection.fetchval(affiliation_imports.STILL_RUNNING, import_id))

    async def _state(self, import_id: UUID) -> ImportState:
        """An import that is gone was its user's, who is gone."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(affiliation_imports.STATE, import_id)
        return ImportState(row["state"]) if row is not None else ImportState.cancelled


def _beat() -> None:
    if activity.in_activity():
        activity.heartbeat()
