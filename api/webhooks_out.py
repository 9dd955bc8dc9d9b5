"""/webhook-endpoints: where a company's software is told of the events of its affiliations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.problems import describes
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound, StepUpNeeded, TooManyRequests
from services.webhooks import (
    DeliveryState,
    MadeWebhookEndpoint,
    NewWebhookEndpoint,
    Replayed,
    WebhookDelivery,
    WebhookDeliveryPage,
    WebhookEndpoint,
    WebhookEndpointList,
    WebhookSecret,
)
from web.callers import AnyCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/webhook-endpoints", tags=["webhooks"])

Use = Annotated[Parts, Depends(parts)]
_ONE = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)


@router.get("", responses=describes(NotAuthenticated, NotAllowed))
async def endpoints(caller: AnyCaller, use: Use) -> WebhookEndpointList:
    """Those of the companies that the caller administers, or that the key opens."""
    return await use.webhooks.list(caller)


@router.post(
    "",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, InvalidFields, TooManyRequests),
)
async def make(request: NewWebhookEndpoint, caller: AnyCaller, use: Use) -> MadeWebhookEndpoint:
    """A new one, whose secret is shown this once. Each event from now on is POSTed as JSON (`type`, `timestamp`,
    `data`: ids, codes, dates), signed as Standard Webhooks says: `webhook-id` (the same at every try),
    `webhook-timestamp`, `webhook-signature`. At least once, in the order of each affiliation; any 2xx within ten
    seconds takes it, else it is tried twelve times in five to six days. 410 stops the endpoint."""
    return await use.webhooks.make(caller, request)


@router.get("/{endpoint_id}", responses=_ONE)
async def endpoint(endpoint_id: UUID, caller: AnyCaller, use: Use) -> WebhookEndpoint:
    """How it is doing."""
    return await use.webhooks.one(caller, endpoint_id)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def delete(endpoint_id: UUID, caller: AnyCaller, use: Use) -> None:
    """With what waits for it, and its log."""
    await use.webhooks.delete(caller, endpoint_id)


@router.post(
    "/{endpoint_id}/secret",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def rotate(endpoint_id: UUID, caller: AnyCaller, use: Use) -> WebhookSecret:
    """A new secret, shown this once; for 24 hours the former one signs beside it."""
    return await use.webhooks.rotate(caller, endpoint_id)


@router.post("/{endpoint_id}/pause", responses=_ONE)
async def pause(endpoint_id: UUID, caller: AnyCaller, use: Use) -> WebhookEndpoint:
    """Nothing leaves; what happens waits, thirty days at most."""
    return await use.webhooks.pause(caller, endpoint_id)


@router.post("/{endpoint_id}/resumption", responses=_ONE)
async def resume(endpoint_id: UUID, caller: AnyCaller, use: Use) -> WebhookEndpoint:
    """What waits leaves now, in its order: also of an endpoint that was stopped."""
    return await use.webhooks.resume(caller, endpoint_id)


@router.post(
    "/{endpoint_id}/test",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields, TooManyRequests),
)
async def test(endpoint_id: UUID, caller: AnyCaller, use: Use) -> WebhookDelivery:
    """One call now, of the type `webhook.test`: what the receiver answered."""
    return await use.webhooks.test(caller, endpoint_id)


@router.get("/{endpoint_id}/deliveries", responses=_ONE)
async def deliveries(
    endpoint_id: UUID,
    caller: AnyCaller,
    use: Use,
    state: DeliveryState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> WebhookDeliveryPage:
    """The log of thirty days, the newest first."""
    return await use.webhooks.deliveries(caller, endpoint_id, limit, cursor, state)


@router.post("/{endpoint_id}/deliveries/{delivery_id}/replay", responses=_ONE)
async def replay(endpoint_id: UUID, delivery_id: UUID, caller: AnyCaller, use: Use) -> Replayed:
    """Sent again, under the same `webhook-id`."""
    return await use.webhooks.replay(caller, endpoint_id, delivery_id)


@router.post("/{endpoint_id}/replay", responses=_ONE)
async def replay_failed(endpoint_id: UUID, caller: AnyCaller, use: Use) -> Replayed:
    """All those that were given up."""
    return await use.webhooks.replay(caller, endpoint_id, None)
