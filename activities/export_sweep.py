"""What of exports a crash, or Temporal away, left undone: jobs that were not started, files whose day is over."""

from __future__ import annotations

from datetime import timedelta

from activities.export import ExportDesk
from db import exports
from db.pool import Pool, system
from workflows.engine import EngineAway
from workflows.exports_client import Exports

OVERDUE = timedelta(minutes=10)  # a file's workflow deletes it at once


class ExportSweep:
    def __init__(self, pool: Pool, engine: Exports, desk: ExportDesk) -> None:
        self._pool = pool
        self._engine = engine
        self._desk = desk

    async def start(self, grace: float, batch: int) -> int:
        """Jobs older than `grace` seconds; one whose workflow is there already is left to it."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(exports.NOT_STARTED, grace, batch)
        started = 0
        for row in rows:
            try:
                await self._engine.start(row["id"])
            except EngineAway:
                break
            started += 1
        return started

    async def expire(self, batch: int) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(exports.OVERDUE, OVERDUE.total_seconds(), batch)
        for row in rows:
            await self._desk.delete_file(row["id"])
        return len(rows)
