"""Tells the workflow what is awaited of an employee: what is missing, what waits for staff's check."""

from __future__ import annotations

import logging
from uuid import UUID

from activities.contracts.affiliation import Actor, EventKind, PiecesChanged
from db import enrolments
from db.pool import Pool, system
from domain.affiliation import Refusal
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning

log = logging.getLogger(__name__)


class PiecesTeller:
    def __init__(self, system_pool: Pool, engine: Affiliations) -> None:
        self._system = system_pool
        self._engine = engine

    async def tell(self, affiliation_id: UUID, actor: Actor, event: EventKind) -> None:
        """What the database says now, under its version: told twice it happens once; the sweep tells what was not."""
        async with system(self._system) as connection:
            row = await connection.fetchrow(enrolments.GET, affiliation_id)
        assert row is not None, "just written"
        version = row["pieces_version"]
        changed = PiecesChanged(actor, version, tuple(row["missing"]), row["checking"], event)
        try:
            await self._engine.tell(
                str(affiliation_id), AffiliationWorkflow.pieces_changed, changed, f"pieces/{version}"
            )
        except (EngineAway, NotRunning, Refusal) as why:
            log.warning(
                "a change of documents waits for the sweep: %s", type(why).__name__, extra={"id": str(affiliation_id)}
            )
            return
        async with system(self._system) as connection:
            await connection.execute(enrolments.PIECES_TOLD, affiliation_id, version)
