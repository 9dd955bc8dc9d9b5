"""What providers say afterwards: kept once, written in the ledger, and told to the workflow where it matters."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from activities.contracts import DeliveryFailed
from db import dispatches
from db.pool import Pool, system
from domain.media import Medium
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.post import PostGateway
from workflows.client import Affiliations, EngineAway, NotRunning

log = logging.getLogger(__name__)

# The address does not work, or must not be used again: the workflow has to go another way.
FAILED = frozenset(
    {
        DeliveryKind.bounced,
        DeliveryKind.dropped,
        DeliveryKind.complained,
        DeliveryKind.rejected,
        DeliveryKind.returned,
    }
)


class DeliveryService:
    def __init__(self, system_pool: Pool, engine: Affiliations, post: PostGateway) -> None:
        self._pool = system_pool
        self._engine = engine
        self._post = post

    async def receive(self, events: Iterable[DeliveryEvent]) -> int:
        """Keep what is new and act upon it; returns how many were. Any order, any number of times."""
        new = 0
        for event in events:
            new += await self._receive(event)
        return new

    async def confirm(self, event: DeliveryEvent) -> DeliveryEvent | None:
        """A postal callback carries no signature: the provider is asked what is true. Raises the gateway's errors."""
        if event.dispatch_id is None:
            return None
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dispatches.GET, UUID(event.dispatch_id))
        if row is None or row["provider_ref"] is None:
            return None
        kind = await self._post.status(row["provider_ref"])
        return (
            None
            if kind is None
            else DeliveryEvent(
                event.provider, event.provider_event_id, event.dispatch_id, kind, event.reason, event.occurred_at
            )
        )

    async def _receive(self, event: DeliveryEvent) -> int:
        dispatch_id = _uuid(event.dispatch_id)
        failed = event.kind in FAILED
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dispatches.GET, dispatch_id) if dispatch_id else None
            new = await connection.fetchval(
                dispatches.ADD_EVENT,
                event.provider,
                event.provider_event_id,
                dispatch_id if row else None,
                event.kind,
                event.reason or event.kind,
                event.occurred_at,
                failed and row is not None,
            )
            if new is None or row is None:
                return 1 if new else 0
            if failed or event.kind is DeliveryKind.delivered:
                state = "rejected" if failed else "delivered"
                reason = (event.reason or event.kind.value) if failed else None
                await connection.execute(dispatches.TELL, dispatch_id, state, reason, event.occurred_at)
        if failed:
            await self._tell(event, row["affiliation_id"], Medium(row["medium"]), row["contact_version"])
        return 1

    async def _tell(self, event: DeliveryEvent, affiliation_id: UUID, medium: Medium, contact_version: int) -> None:
        failed = DeliveryFailed(medium, contact_version, event.kind.value)
        try:
            await self._engine.delivery_failed(str(affiliation_id), failed)
        except NotRunning:
            pass  # it has ended: nobody is waiting for this any more
        except EngineAway:
            log.warning("a delivery failure waits for the sweep", extra={"id": str(affiliation_id)})
            return
        async with system(self._pool) as connection:
            await connection.execute(dispatches.TOLD, event.provider, event.provider_event_id)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
