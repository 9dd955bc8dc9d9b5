"""Outgoing webhooks: what is told, how it is signed, how long it is tried (Standard Webhooks, standardwebhooks.com).

At least once, in the order of each affiliation: the receiver recognises a repetition by its `webhook-id`. A message
holds ids, codes and dates; who has the right reads the rest through the API.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID


class WebhookKind(StrEnum):
    """The lines of an affiliation's timeline: a test holds them equal to `EventKind` of `activities.contracts`."""

    declared = "declared"
    message_handed_over = "message_handed_over"
    message_refused = "message_refused"
    message_uncertain = "message_uncertain"
    message_skipped = "message_skipped"
    delivery_failed = "delivery_failed"
    reminder_asked = "reminder_asked"
    link_asked = "link_asked"
    contact_corrected = "contact_corrected"
    started = "started"
    finalised = "finalised"
    declined = "declined"
    abandoned = "abandoned"
    paused = "paused"
    resumed = "resumed"
    doubt_resolved = "doubt_resolved"
    pieces_asked = "pieces_asked"
    pieces_received = "pieces_received"
    pieces_accepted = "pieces_accepted"
    pieces_overdue = "pieces_overdue"


TEST: Final = "test"  # sent by an administrator, about no affiliation

# After the first try, the second…: twelve tries within 5.7 days, as « démarches-simplifiées » does (peers.md, P7).
_WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24, 28, 33)),
)
MOST_TRIES: Final = len(_WAITS) + 1
GIVES_UP_AFTER: Final = sum(_WAITS, timedelta())
GONE: Final = 410  # the receiver wants no more
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (how a secret begins)
_SECRET_BYTES: Final = 32
_LONGEST_REST: Final = timedelta(minutes=5)
FORMER_SECRET: Final = timedelta(hours=24)  # how long the one before a rotation signs too


def wait_after(tries: int, asked: float | None = None) -> timedelta | None:
    """Until the next try, at least the seconds that the receiver asked for; None: there is none."""
    if tries >= MOST_TRIES:
        return None
    return max(_WAITS[tries - 1], timedelta(seconds=asked or 0))


def rest_after(failures: int) -> timedelta:
    """Until anything is tried again at an address that failed so often in a row."""
    return min(timedelta(seconds=5 << min(failures - 1, 10)), _LONGEST_REST)


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(webhook_id: UUID | str, body: bytes, keys: Sequence[str], at: datetime) -> dict[str, str]:
    """With a signature for each of the secrets: during a rotation there are two."""
    moment = str(int(at.timestamp()))
    content = f"{webhook_id}.{moment}.".encode() + body
    return {
        "webhook-id": str(webhook_id),
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def event_message(
    kind: str, happened_at: datetime, affiliation_id: UUID, number: int, status: str, siren: str, siret: str
) -> bytes:
    """What is sent of an event. `status`: the affiliation's, once it had happened."""
    return _message(
        f"affiliation.{kind}",
        happened_at,
        {"affiliation_id": str(affiliation_id), "number": number, "status": status, "siren": siren, "siret": siret},
    )


def trial_message(at: datetime, siren: str) -> bytes:
    return _message("webhook.test", at, {"siren": siren})


def _message(kind: str, at: datetime, data: dict[str, str | int]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}, separators=(",", ":")).encode()


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
