"""The activities by which the workflow of a coverage's rights writes: what was told and what comes next, and the end of
a portability that nobody proved."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter
from temporalio import activity

from activities import coverage_changes
from activities.contracts.rights import END_UNPROVEN, RECORD_RIGHTS, EndUnproven, RecordRights
from db import coverage_rights
from db.pool import Pool, system
from domain.coverage_rights import CoverageFacts, Told

_TOLD = TypeAdapter(Told)


class RightsRecorder:
    """Run as local activities inside the update that they record, so that whoever asked reads their own write."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @activity.defn(name=RECORD_RIGHTS)
    async def record(self, change: RecordRights) -> None:
        """Idempotent: numbered by what was told."""
        step = change.next_step
        async with system(self._pool) as connection:
            await connection.execute(
                coverage_rights.PROJECT,
                UUID(change.coverage_id),
                _TOLD.dump_python(change.told, mode="json"),
                change.told.version,
                step.kind if step else None,
                step.at if step else None,
                change.facts_version,
                change.attention,
            )

    @activity.defn(name=END_UNPROVEN)
    async def end_unproven(self, order: EndUnproven) -> CoverageFacts:
        """The facts as they are now, ended unless they changed meanwhile."""
        async with system(self._pool) as connection:
            return await coverage_changes.end_for_want_of_proof(connection, UUID(order.coverage_id), order.version)
