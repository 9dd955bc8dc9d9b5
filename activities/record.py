"""The activity that records a change of an affiliation."""

from __future__ import annotations

from uuid import UUID

from temporalio import activity

from activities import projection
from activities.contracts.affiliation import RECORD, RecordChange, Recorded
from db import access, affiliations, dispatches
from db.pool import Pool, system
from domain.affiliation import Status


class Recorder:
    """Run as a local activity inside the update that it records, so that whoever asked reads their own write."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @activity.defn(name=RECORD)
    async def record(self, change: RecordChange) -> Recorded:
        """Idempotent: numbered by the state's version. An abandonment yields to a submission that came first."""
        affiliation_id = UUID(change.affiliation_id)
        at = change.event.at if change.event else activity.info().scheduled_time
        async with system(self._pool) as connection:
            if change.state.status is Status.abandoned:
                await connection.fetchrow(affiliations.LOCK, affiliation_id)
                completion = await projection.completion_of(connection, affiliation_id)
                if completion is not None:
                    return Recorded(completion)
            await projection.write(connection, affiliation_id, change.state, change.next_step, change.event, at)
            if change.state.over and not change.state.waiting:
                await connection.execute(dispatches.SUPERSEDE_ALL, affiliation_id)
            if change.revoked:
                await connection.execute(access.REVOKE, affiliation_id, [medium.value for medium in change.revoked])
        return Recorded()
