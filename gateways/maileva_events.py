"""Maileva's callbacks. They carry no signature: a password protects the door, and what they tell is only a hint to
read the sending again (`PostGateway.status`, with the id that we kept). Maileva wants 201 as an answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from gateways.delivery import DeliveryEvent, DeliveryKind

PROVIDER = "maileva"
_MAX_HEADER_CHARACTERS = 1024
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,200}")
_KINDS = {
    "ON_STATUS_ACCEPTED": DeliveryKind.accepted,
    "ON_STATUS_REJECTED": DeliveryKind.rejected,
    "ON_STATUS_PROCESSED": DeliveryKind.delivered,
    "ON_STATUS_PROCESSED_WITH_ERRORS": DeliveryKind.rejected,
}


class CallbackUnreadable(ValueError):
    """The body is not a callback of Maileva: answer 400."""


def authorised(header: str | None, username: str, password: str) -> bool:
    """Whether the Authorization header holds these Basic credentials; as slow for every wrong answer.

    Always False while no password is set.
    """
    scheme, _, encoded = (header or "")[:_MAX_HEADER_CHARACTERS].partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    same = hmac.compare_digest(given, f"{username}:{password}".encode())
    return same and scheme.lower() == "basic" and bool(username) and bool(password)


def parse(raw: bytes) -> DeliveryEvent:
    """The event of a callback's body. Raises CallbackUnreadable."""
    try:
        body = json.loads(raw)
        resource, event_type, date = (_identifier(body[name]) for name in ("resource_id", "event_type", "event_date"))
        occurred_at = datetime.fromisoformat(date)
    except (ValueError, TypeError, LookupError):
        raise CallbackUnreadable("not a callback") from None
    if occurred_at.tzinfo is None:
        occurred_at = occurred_at.replace(tzinfo=UTC)
    kind = _KINDS.get(event_type, DeliveryKind.other)
    return DeliveryEvent(
        provider=PROVIDER,
        provider_event_id=f"{resource}:{event_type}:{date}",
        dispatch_id=_dispatch_id(body.get("resource_custom_id")),
        kind=kind,
        reason="" if kind is not DeliveryKind.other else "unknown_event",
        occurred_at=occurred_at.astimezone(UTC),
    )


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError
    return value


def _dispatch_id(value: Any) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None
