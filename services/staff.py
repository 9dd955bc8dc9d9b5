"""What staff ask for about affiliations: what waits for them, and what became of a message in doubt."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import DoubtResolved
from activities.contracts.waivers import WaiverEnded
from db import affiliations, audit, enrolments
from db.pool import Connection, Pool, system
from domain.affiliation import Refusal, Refused
from services import idempotency
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.declarations import DoubtResolution, WaiverEnd
from services.idempotency import Once
from services.problems import EngineUnavailable, NotFound
from services.telling import refused, tell
from services.views import AffiliationSummary, summary
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning

DESK_LIMIT = 200


class Desk(BaseModel):
    """The affiliations that wait for staff, oldest first."""

    items: list[AffiliationSummary]


class StaffService:
    def __init__(self, system_pool: Pool, engine: Affiliations) -> None:
        self._pool = system_pool
        self._engine = engine

    async def desk(self, caller: Caller) -> Desk:
        """Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliations.STAFF_DESK, DESK_LIMIT)
        return Desk(items=[AffiliationSummary(**summary(row)) for row in rows])

    async def by_reference(self, caller: Caller, reference: str) -> Desk:
        """Whose paper this is: the reference of its QR code, spaces and capitals as they come. Raises NotAllowed,
        MassReading."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._pool, caller)
        typed = "".join(reference.split()).lower()
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliations.BY_REFERENCE, typed)
            await audit.viewed(connection, caller.actor, [row["id"] for row in rows], "reference")
        return Desk(items=[AffiliationSummary(**summary(row)) for row in rows])

    async def end_waiver(self, caller: Caller, affiliation_id: UUID, request: WaiverEnd) -> None:
        """A waiver ends before its time: the person is asked again at once. Raises NotAllowed, NotFound,
        RefusedByRules, EngineUnavailable."""
        caller.need(Scope.staff_write)
        async with system(self._pool) as connection:
            await _row(connection, affiliation_id)
            waived = await connection.fetchrow(enrolments.WAIVER, affiliation_id)
            if waived is None:
                raise NotFound()
            await audit.add(
                connection,
                "waiver.ended",
                caller.actor,
                affiliation_id=affiliation_id,
                details={"on": str(request.on)},
            )
        ended = WaiverEnded(caller.actor, request.on)
        try:
            await self._engine.end_waiver(str(affiliation_id), ended, f"end_waiver/{caller.id}/{request.on}")
        except Refusal as refusal:
            raise refused(refusal) from None
        except NotRunning:
            raise refused(Refusal(Refused.waiver_ended)) from None
        except EngineAway:
            raise EngineUnavailable() from None

    async def resolve_doubt(
        self, caller: Caller, affiliation_id: UUID, request: DoubtResolution, once: Once | None
    ) -> AffiliationSummary:
        """Raises NotAllowed, NotFound, RefusedByRules, KeyReused, EngineUnavailable."""
        caller.need(Scope.staff_write)
        await self._claim(caller, affiliation_id, once)
        resolved = DoubtResolved(caller.actor, request.verdict)
        request_id = f"resolve_doubt/{caller.id}/{once.key if once else uuid4()}"
        await tell(self._engine, affiliation_id, AffiliationWorkflow.resolve_doubt, resolved, request_id)
        async with system(self._pool) as connection:
            return AffiliationSummary(**summary(await _row(connection, affiliation_id)))

    async def _claim(self, caller: Caller, affiliation_id: UUID, once: Once | None) -> None:
        async with system(self._pool) as connection:
            row = await _row(connection, affiliation_id)
            if once is not None and not await idempotency.claim(
                connection, caller, once, row["company_id"], affiliation_id
            ):
                await idempotency.known(connection, caller, once)


async def _row(connection: Connection, affiliation_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(affiliations.GET, affiliation_id)
    if row is None:
        raise NotFound()
    return row
