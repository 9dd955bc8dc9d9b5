"""What of bulk imports a crash, or Temporal away, kept from being started."""

from __future__ import annotations

from activities.contracts.affiliation_imports import ImportState, ImportTask
from db import affiliation_imports
from db.pool import Pool, system
from workflows.affiliation_imports_client import AffiliationImportRuns
from workflows.engine import EngineAway


class ImportSweep:
    def __init__(self, pool: Pool, engine: AffiliationImportRuns) -> None:
        self._pool = pool
        self._engine = engine

    async def start(self, grace: float, batch: int) -> int:
        """Those asked for longer ago than `grace` seconds; one whose workflow is there already is left to it."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliation_imports.NOT_STARTED, grace, batch)
        started = 0
        for row in rows:
            checking = row["state"] == ImportState.checking
            task = ImportTask.check if checking else ImportTask.start
            try:
                await self._engine.start(row["id"], task, row["check_round"] if checking else row["start_round"])
            except EngineAway:
                break
            started += 1
        return started
