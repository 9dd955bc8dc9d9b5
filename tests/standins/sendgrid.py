"""SendGrid as it answers: mail send, email activity, signed event webhook."""

from __future__ import annotations

import base64
import json
import random
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tests.standins.server import Standin

API_KEY = "SG.synthetic-key"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_QUERY = re.compile(r'unique_args\["dispatch_id"\]="([^"]*)"')


class SendGridStandin(Standin):
    """`taken` holds every message accepted, in order. `activity_search=False`: the account has no such add-on.

    `listing_delay`: seconds before a message taken shows in the activity search.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []
        self.activity_search = True
        self.listing_delay = 0.0
        self._refs: list[str] = []
        self._taken_at: list[float] = []
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def settings(self) -> dict[str, Any]:
        """What `Settings(...)` needs to send here."""
        return {
            "mail_provider": "sendgrid",
            "sendgrid_base_url": self.url,
            "sendgrid_api_key": API_KEY,
            "sendgrid_webhook_public_keys": self.public_key,
            "sendgrid_activity_search": self.activity_search,
        }

    def routes(self) -> Iterable[BaseRoute]:
        return [
            Route("/v3/mail/send", self._send, methods=["POST"]),
            Route("/v3/messages", self._messages, methods=["GET"]),
        ]

    def taken_for(self, dispatch_id: str) -> list[dict[str, Any]]:
        return [message for message in self.taken if _dispatch_id(message) == dispatch_id]

    async def _send(self, request: Request) -> Response:
        if (refused := _check_key(request)) is not None:
            return refused
        message = json.loads(await request.body())
        for number, recipient in enumerate(message["personalizations"][0]["to"]):
            if not _ADDRESS.fullmatch(recipient["email"]):
                return _error(400, "Does not contain a valid address.", f"personalizations.0.to.{number}.email")
        if not message.get("subject"):
            return _error(400, "The subject is required.", "subject")
        types = [part["type"] for part in message["content"]]
        if types != sorted(types, reverse=True):
            return _error(400, "The content must be ordered: text/plain, then text/html.", "content")
        self.taken.append(message)
        self._taken_at.append(time.monotonic())
        self._refs.append(uuid.uuid4().hex[:22])
        return Response(status_code=202, headers={"X-Message-Id": self._refs[-1]})

    async def _messages(self, request: Request) -> Response:
        if (refused := _check_key(request)) is not None:
            return refused
        if not self.activity_search:
            return _error(403, "access forbidden", None)
        asked = _QUERY.fullmatch(request.query_params.get("query", ""))
        if not asked:
            return _error(400, "invalid query", "query")
        found = [
            {"msg_id": f"{ref}.recvd-0-1", "status": "processed"}
            for message, ref, at in zip(self.taken, self._refs, self._taken_at, strict=True)
            if _dispatch_id(message) == asked[1] and time.monotonic() - at >= self.listing_delay
        ]
        return JSONResponse({"messages": found[: int(request.query_params["limit"])]})

    # --- event webhook

    @property
    def public_key(self) -> str:
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def rotate_key(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def event(self, dispatch_id: str, event: str, **fields: Any) -> dict[str, Any]:
        """One event about a message taken (or not), as SendGrid writes it."""
        taken = self.taken_for(dispatch_id)
        return {
            "email": taken[-1]["personalizations"][0]["to"][0]["email"] if taken else "personne@exemple.fr",
            "timestamp": int(time.time()),
            "event": event,
            "sg_event_id": uuid.uuid4().hex,
            "sg_message_id": "synthetic.recvd-0-1",
            "category": taken[-1]["categories"] if taken else [],
            "dispatch_id": dispatch_id,
            **fields,
        }

    def signed(self, raw: bytes, at: datetime | None = None) -> dict[str, str]:
        """The two headers that prove `raw`, timestamped `at` (now)."""
        timestamp = str(int((at or datetime.now(UTC)).timestamp()))
        signature = self._key.sign(timestamp.encode() + raw, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }

    async def post_events(
        self, url: str, events: Sequence[dict[str, Any]], *, duplicated: bool = False, shuffled: bool = False
    ) -> list[int]:
        """Post the events signed, in one batch; the statuses answered.

        `duplicated`: the batch twice, and each event twice in it. `shuffled`: out of order.
        """
        batch = [*events, *events] if duplicated else list(events)
        if shuffled:
            random.Random(0).shuffle(batch)
        raw = json.dumps(batch).encode()
        headers = {"Content-Type": "application/json", **self.signed(raw)}
        async with httpx2.AsyncClient() as client:
            posts = 2 if duplicated else 1
            return [(await client.post(url, content=raw, headers=headers)).status_code for _ in range(posts)]


def _dispatch_id(message: dict[str, Any]) -> Any:
    return message.get("custom_args", {}).get("dispatch_id")


def _check_key(request: Request) -> Response | None:
    if request.headers.get("Authorization") == f"Bearer {API_KEY}":
        return None
    return _error(401, "The provided authorization grant is invalid, expired, or revoked", None)


def _error(status: int, message: str, field: str | None) -> Response:
    return JSONResponse({"errors": [{"message": message, "field": field, "help": None}]}, status)
