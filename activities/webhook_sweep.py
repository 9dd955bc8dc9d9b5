"""Endpoints that something is due at, and whose workflow nobody has woken: a crash, or Temporal away."""

from __future__ import annotations

from db import webhooks
from db.pool import Pool, system
from workflows.engine import EngineAway
from workflows.webhooks_client import Webhooks


class WebhookSweep:
    def __init__(self, pool: Pool, engine: Webhooks) -> None:
        self._pool = pool
        self._engine = engine

    async def look(self, grace: float, batch: int) -> int:
        """Those whose next one has been due for `grace` seconds."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(webhooks.NOT_LOOKED, grace, batch)
        looked = 0
        for row in rows:
            try:
                await self._engine.look(row["id"])
            except EngineAway:
                break
            looked += 1
        return looked
