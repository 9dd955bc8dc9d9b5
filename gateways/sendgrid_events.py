"""SendGrid's event webhook: is it SendGrid who calls, and what does it tell."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sendgrid.helpers.eventwebhook import EventWebhook

from gateways.delivery import DeliveryEvent, DeliveryKind

PROVIDER = "sendgrid"
# SendGrid repeats a batch for 24 hours with its first timestamp.
OLDEST = timedelta(hours=26)
_MAX_SIGNATURE_CHARACTERS = 256
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,200}")
_SMTP_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
_log = logging.getLogger(__name__)

_KINDS = {
    "processed": DeliveryKind.accepted,
    "delivered": DeliveryKind.delivered,
    "deferred": DeliveryKind.deferred,
    "bounce": DeliveryKind.bounced,
    "blocked": DeliveryKind.soft_bounced,
    "dropped": DeliveryKind.dropped,
    "spamreport": DeliveryKind.complained,
    "open": DeliveryKind.other,
    "click": DeliveryKind.other,
    "unsubscribe": DeliveryKind.other,
    "group_unsubscribe": DeliveryKind.other,
    "group_resubscribe": DeliveryKind.other,
}
# The free texts of `reason` and `bounce_classification` that are codes in disguise; others may hold an address.
_CODES = {
    "bounced address": "bounced_address",
    "invalid": "invalid_address",
    "invalid smtpapi header": "bad_content",
    "spam content (if spam checker app enabled)": "spam_content",
    "spam reporting address": "spam_reporting_address",
    "unsubscribed address": "unsubscribed_address",
    "recipient list over package quota": "over_quota",
    "invalid address": "invalid_address",
    "mailbox unavailable": "mailbox_unavailable",
    "technical": "technical",
    "content": "content",
    "reputation": "reputation",
    "frequency or volume too high": "frequency",
    "unclassified": "unclassified",
}
_DEAD_ADDRESS = {"bounced_address", "invalid_address"}


class WebhookRefused(Exception):
    """Not proven to come from SendGrid: answer 403 and store nothing."""


def verify(raw: bytes, signature: str | None, timestamp: str | None, now: datetime, public_keys: Sequence[str]) -> None:
    """Check the body as received against the two headers; raises WebhookRefused.

    `signature`: X-Twilio-Email-Event-Webhook-Signature. `timestamp`: X-Twilio-Email-Event-Webhook-Timestamp,
    Unix seconds. `public_keys`: base64 DER, one, or two while they are rotated. Raises ValueError when one of
    these is no key: a fault of our settings, better seen than taken for a forgery.
    """
    if not signature or not timestamp:
        raise WebhookRefused("unsigned")
    if len(signature) > _MAX_SIGNATURE_CHARACTERS or not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookRefused("malformed headers")
    if now.timestamp() - int(timestamp) > OLDEST.total_seconds():
        raise WebhookRefused("too old")
    checkers = [_checker(key) for key in public_keys]
    try:
        payload = raw.decode()
        genuine = any(checker.verify_signature(payload, signature, timestamp) for checker in checkers)
    except (ValueError, TypeError):  # not UTF-8; a signature that is not base64 or not ASCII
        raise WebhookRefused("malformed") from None
    if not genuine:
        raise WebhookRefused("signed by somebody else, or changed")


def parse(raw: bytes) -> tuple[DeliveryEvent, ...]:
    """The events of a verified body, in its order. What cannot be read is counted in the log and left out."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = [None]
    entries = body if isinstance(body, list) else [body]
    events = tuple(event for entry in entries if (event := _event(entry)) is not None)
    if len(events) < len(entries):
        _log.warning("sendgrid: %d of %d events could not be read", len(entries) - len(events), len(entries))
    return events


@lru_cache(maxsize=4)
def _checker(public_key: str) -> EventWebhook:
    return EventWebhook(public_key.strip())


def _event(entry: Any) -> DeliveryEvent | None:
    if not isinstance(entry, dict):
        return None
    identifier = _identifier(entry.get("sg_event_id"))
    occurred_at = _moment(entry.get("timestamp"))
    if identifier is None or occurred_at is None:
        return None
    kind, reason = _meaning(entry)
    return DeliveryEvent(PROVIDER, identifier, _identifier(entry.get("dispatch_id")), kind, reason, occurred_at)


def _meaning(entry: dict[str, Any]) -> tuple[DeliveryKind, str]:
    name = str(entry.get("event"))
    if name == "bounce" and entry.get("type") == "blocked":
        name = "blocked"
    kind = _KINDS.get(name)
    if kind is None:
        return DeliveryKind.other, "unknown_event"
    if kind is DeliveryKind.other:
        return kind, name
    reason = _reason(entry)
    if kind is DeliveryKind.dropped and reason in _DEAD_ADDRESS:
        return DeliveryKind.bounced, reason  # it was not even tried: the address is known to be dead
    return kind, reason


def _reason(entry: dict[str, Any]) -> str:
    for field in ("bounce_classification", "reason"):
        code = _CODES.get(str(entry.get(field)).strip().lower())
        if code:
            return code
    status = str(entry.get("status"))
    return status if _SMTP_STATUS.fullmatch(status) else ""


def _identifier(value: Any) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
