"""What providers say afterwards: kept once, written in the ledger, and told to the workflow where it matters."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from activities.contracts.affiliation import DeliveryFailed
from activities.contracts.rights import RightsDeliveryFailed
from db import dispatches, notices
from db.pool import Pool, system
from domain.coverage_rights import RightsMessage
from domain.media import Medium
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.post import PostGateway
from workflows.client import Affiliations
from workflows.coverage_rights_client import CoverageRights
from workflows.engine import EngineAway, NotRunning

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
    def __init__(self, system_pool: Pool, engine: Affiliations, post: PostGateway, rights: CoverageRights) -> None:
        self._pool = system_pool
        self._engine = engine
        self._post = post
        self._rights = rights

    async def receive(self, events: Iterable[DeliveryEvent]) -> int:
        """Keep what is new and act upon it; returns how many were. Any order, any number of times.

        While Temporal is away one event waits for it: the provider would not wait for a whole batch of time limits.
        """
        new, away = 0, False
        for event in events:
            kept, concerned = await self._keep(event)
            new += kept
            if concerned is not None and not away:
                away = not await self._tell(event, concerned)
        return new

    async def confirm(self, event: DeliveryEvent) -> DeliveryEvent | None:
        """A postal callback carries no signature: the provider is asked what is true. Raises the gateway's errors."""
        dispatch_id = _uuid(event.dispatch_id)
        if dispatch_id is None:
            return None
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dispatches.GET, dispatch_id)
            ref = row["provider_ref"] if row else await connection.fetchval(notices.PROVIDER_REF, dispatch_id)
        if ref is None:
            return None
        kind = await self._post.status(ref)
        return (
            None
            if kind is None
            else DeliveryEvent(
                event.provider, event.provider_event_id, event.dispatch_id, kind, event.reason, event.occurred_at
            )
        )

    async def _keep(self, event: DeliveryEvent) -> tuple[int, asyncpg.Record | None]:
        """How many events were new, and the message whose workflow has to be told."""
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
            if new is None:
                return 0, None
            if row is None:
                if dispatch_id and event.kind is not DeliveryKind.other:
                    # a notice: nobody waits for it, its row is told that it was taken, or why it did not arrive
                    reason = event.kind.value if failed else None
                    await connection.execute(notices.TELL, dispatch_id, reason, event.occurred_at)
                return 1, None
            if failed or event.kind is DeliveryKind.delivered:
                state = "rejected" if failed else "delivered"
                # in the ledger the kind, which has words; the provider's own code stays with its event
                reason = event.kind.value if failed else None
                await connection.execute(dispatches.TELL, dispatch_id, state, reason, event.occurred_at)
        return 1, row if failed else None

    async def _tell(self, event: DeliveryEvent, sent: asyncpg.Record) -> bool:
        """False: the engine is away, and the sweep will tell. `sent`: the row of the ledger."""
        affiliation_id, medium = sent["affiliation_id"], Medium(sent["medium"])
        try:
            if sent["kind"] not in list(RightsMessage):
                failed = DeliveryFailed(medium, sent["contact_version"], event.kind.value)
                await self._engine.delivery_failed(str(affiliation_id), failed)
            else:
                lost = RightsDeliveryFailed(RightsMessage(sent["kind"]), sent["number"], medium)
                await self._rights.delivery_failed(affiliation_id, lost)
        except NotRunning:
            pass  # it has ended: nobody is waiting for this any more
        except EngineAway:
            log.warning("a delivery failure waits for the sweep", extra={"id": str(affiliation_id)})
            return False
        async with system(self._pool) as connection:
            await connection.execute(dispatches.TOLD, event.provider, event.provider_event_id)
        return True


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
