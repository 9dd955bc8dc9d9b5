"""/webhooks: what providers tell, answered 2xx only once it is kept."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import Counter

from api.problems import describes
from gateways import maileva_events, sendgrid_events
from gateways.outcomes import ProviderError
from services.problems import EngineUnavailable, NotAllowed
from web.parts import Parts, parts

log = logging.getLogger(__name__)

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

Use = Annotated[Parts, Depends(parts)]

EVENTS = Counter("hcr_webhook_events_total", "Provider events kept", ["provider"])
REFUSED = Counter("hcr_webhook_refused_total", "Provider calls that could not prove where they come from", ["provider"])


@router.post("/sendgrid", status_code=204, responses=describes(NotAllowed))
async def sendgrid(request: Request, use: Use) -> None:
    """SendGrid's signed event webhook."""
    raw = await request.body()
    keys = [key for key in use.config.sendgrid_webhook_public_keys.split(",") if key]
    try:
        sendgrid_events.verify(
            raw,
            request.headers.get("X-Twilio-Email-Event-Webhook-Signature"),
            request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp"),
            datetime.now(UTC),
            keys,
        )
    except sendgrid_events.WebhookRefused as refused:
        REFUSED.labels("sendgrid").inc()
        log.warning("a webhook call was refused", extra={"provider": "sendgrid", "why": str(refused)})
        raise NotAllowed("Signature refusée.") from None
    new = await use.deliveries.receive(sendgrid_events.parse(raw))
    EVENTS.labels("sendgrid").inc(new)


@router.post("/maileva", status_code=201, response_class=Response, responses=describes(NotAllowed, EngineUnavailable))
async def maileva(request: Request, use: Use) -> Response:
    """Maileva's callback: only a hint to look again. Any answer but 201 makes Maileva repeat it."""
    config = use.config
    allowed = maileva_events.authorised(
        request.headers.get("Authorization"),
        config.maileva_callback_username,
        config.maileva_callback_password.get_secret_value(),
    )
    if not allowed:
        REFUSED.labels("maileva").inc()
        raise NotAllowed("Identifiants refusés.")
    try:
        event = maileva_events.parse(await request.body())
    except maileva_events.CallbackUnreadable:
        log.warning("an unreadable callback was ignored", extra={"provider": "maileva"})
        return Response(status_code=201)
    try:
        confirmed = await use.deliveries.confirm(event)
    except ProviderError:
        raise EngineUnavailable() from None
    if confirmed is not None:
        EVENTS.labels("maileva").inc(await use.deliveries.receive([confirmed]))
    return Response(status_code=201)
