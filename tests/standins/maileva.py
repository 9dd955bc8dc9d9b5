"""Maileva as it answers: token, mail API v2, callbacks."""

from __future__ import annotations

import email.policy
import json
import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tests.standins.server import Standin

CLIENT_ID, CLIENT_SECRET = "synthetic-client", "synthetic-client-secret"
USERNAME, PASSWORD = "synthetic-account", "synthetic-password"
CALLBACK_USERNAME, CALLBACK_PASSWORD = "maileva", "synthetic-callback-password"
_TOKEN_PATH = "/auth/realms/services/protocol/openid-connect/token"
_LAST_LINE = re.compile(r"[0-9]{5} \S.*")


@dataclass
class Sending:
    """A sending; `documents` and `recipients` by their id."""

    id: str
    options: dict[str, Any]
    status: str = "DRAFT"
    documents: dict[str, bytes] = field(default_factory=dict)
    recipients: dict[str, dict[str, Any]] = field(default_factory=dict)
    undeliverable: bool = False
    created_at: float = field(default_factory=time.monotonic)

    @property
    def custom_id(self) -> str:
        return str(self.options.get("custom_id", ""))


class MailevaStandin(Standin):
    """`sendings` holds all of them by id; `submitted(dispatch_id)` those that will be posted.

    `filters`: what a list does with our `custom_id`: "applied", "ignored" or "refused". `listing_delay`: seconds before
    a new sending shows in a list. `token_seconds`: how long a token is said to be good.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sendings: dict[str, Sending] = {}
        self.filters = "applied"
        self.listing_delay = 0.0
        self.token_seconds = 300
        self._tokens: set[str] = set()

    @property
    def settings(self) -> dict[str, Any]:
        """What `Settings(...)` needs to post here."""
        return {
            "post_provider": "maileva",
            "maileva_base_url": self.url,
            "maileva_token_url": self.url + _TOKEN_PATH,
            "maileva_client_id": CLIENT_ID,
            "maileva_client_secret": CLIENT_SECRET,
            "maileva_username": USERNAME,
            "maileva_password": PASSWORD,
            "maileva_callback_username": CALLBACK_USERNAME,
            "maileva_callback_password": CALLBACK_PASSWORD,
        }

    def routes(self) -> Iterable[BaseRoute]:
        sending = "/mail/v2/sendings/{id}"
        return [
            Route(_TOKEN_PATH, self._token, methods=["POST"]),
            Route("/mail/v2/sendings", self._authorised(self._list), methods=["GET"]),
            Route("/mail/v2/sendings", self._authorised(self._create), methods=["POST"]),
            Route(sending, self._authorised(self._get), methods=["GET"]),
            Route(sending, self._authorised(self._delete), methods=["DELETE"]),
            Route(sending + "/submit", self._authorised(self._submit), methods=["POST"]),
            Route(sending + "/documents", self._authorised(self._documents), methods=["GET"]),
            Route(sending + "/documents", self._authorised(self._add_document), methods=["POST"]),
            Route(sending + "/documents/{part}", self._authorised(self._delete_part), methods=["DELETE"]),
            Route(sending + "/recipients", self._authorised(self._recipients), methods=["GET"]),
            Route(sending + "/recipients", self._authorised(self._add_recipient), methods=["POST"]),
            Route(sending + "/recipients/{part}", self._authorised(self._delete_part), methods=["DELETE"]),
            Route(sending + "/recipients/{part}/delivery_statuses", self._authorised(self._deliveries)),
        ]

    # --- for tests

    def submitted(self, dispatch_id: str | None = None) -> list[Sending]:
        """The sendings that left draft, of one dispatch or of all."""
        return [
            sending
            for sending in self.sendings.values()
            if sending.status != "DRAFT" and dispatch_id in (None, sending.custom_id)
        ]

    def revoke_tokens(self) -> None:
        self._tokens.clear()

    async def call_back(self, url: str, sending_id: str, event_type: str, *, password: str = CALLBACK_PASSWORD) -> int:
        """Call back about a sending; the status answered."""
        async with httpx2.AsyncClient(auth=(CALLBACK_USERNAME, password)) as client:
            return (await client.post(url, json=self.callback(sending_id, event_type))).status_code

    def callback(self, sending_id: str, event_type: str) -> dict[str, Any]:
        return {
            "source": "mail_api",
            "user_id": str(uuid.uuid4()),
            "client_id": CLIENT_ID,
            "event_type": event_type,
            "resource_type": "mail/v2/sendings",
            "event_date": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event_location": "FR",
            "resource_id": sending_id,
            "resource_location": f"{self.url}/mail/v2/sendings/{sending_id}",
            "resource_custom_id": self.sendings[sending_id].custom_id if sending_id in self.sendings else "",
            "resource_custom_data": "",
        }

    # --- API

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "unauthorized_client"}, 401)
        if form.get("grant_type") != "password":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if (form.get("username"), form.get("password")) != (USERNAME, PASSWORD):
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid user credentials"}, 401)
        token = uuid.uuid4().hex
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": self.token_seconds, "token_type": "bearer"})

    def _authorised(self, endpoint: Any) -> Any:
        async def checked(request: Request) -> Response:
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
                return JSONResponse({"code": "UNAUTHORIZED", "message": "Unauthorized"}, 401)
            identifier = request.path_params.get("id")
            if identifier is not None:
                if identifier not in self.sendings:
                    return JSONResponse({"code": "SENDING_NOT_FOUND", "message": "Not found"}, 404)
                if request.method != "GET" and self.sendings[identifier].status != "DRAFT":
                    return _errors("STATUS_NOT_DRAFT")
            response: Response = await endpoint(request)
            return response

        return checked

    def _sending(self, request: Request) -> Sending:
        return self.sendings[request.path_params["id"]]

    async def _list(self, request: Request) -> Response:
        custom_id = request.query_params.get("custom_id")
        if custom_id is not None and self.filters == "refused":
            return _errors("PARAM_FILTER_NOT_ALLOWED")
        shown = [
            {"id": sending.id, "status": sending.status, **sending.options}
            for sending in self.sendings.values()
            if time.monotonic() - sending.created_at >= self.listing_delay
            and (custom_id is None or self.filters == "ignored" or sending.custom_id == custom_id)
        ]
        return _page(request, "sendings", shown)

    async def _create(self, request: Request) -> Response:
        options = json.loads(await request.body())
        if not options.get("name") or len(options["name"]) > 256:
            return _errors("NAME_TOO_LONG" if options.get("name") else "EMPTY_NAME")
        if len(options.get("custom_id", "")) > 36:
            return _errors("CUSTOM_ID_WRONG_FORMAT")
        if options.get("postage_type") not in ("URGENT", "FAST", "ECONOMIC"):
            return _errors("ATTRIBUTE_WRONG_PARAMETER")
        sending = Sending(str(uuid.uuid4()), options)
        self.sendings[sending.id] = sending
        return JSONResponse({"id": sending.id, "status": sending.status, **options}, 201)

    async def _get(self, request: Request) -> Response:
        sending = self._sending(request)
        return JSONResponse({"id": sending.id, "status": sending.status, **sending.options})

    async def _delete(self, request: Request) -> Response:
        del self.sendings[request.path_params["id"]]
        return Response(status_code=204)

    async def _submit(self, request: Request) -> Response:
        sending = self._sending(request)
        if not sending.documents:
            return _errors("NO_DOCUMENT_ON_SENDING")
        if not sending.recipients:
            return _errors("NO_RECIPIENT_ON_SENDING")
        sending.status = "PENDING"
        return Response(status_code=200)

    async def _documents(self, request: Request) -> Response:
        return _page(request, "documents", [{"id": identifier} for identifier in self._sending(request).documents])

    async def _add_document(self, request: Request) -> Response:
        parts = _parts(request.headers["Content-Type"], await request.body())
        if "document" not in parts or "metadata" not in parts:
            return _errors("MISSING_FILE" if "metadata" in parts else "EMPTY_METADATA")
        if "priority" not in json.loads(parts["metadata"]):
            return _errors("EMPTY_PRIORITY")
        if not parts["document"].startswith(b"%PDF-"):
            return _errors("DOC_TYPE_NOT_ACCEPTED")
        if len(parts["document"]) > 20 * 1024 * 1024:
            return _errors("INVALID_DOCUMENT_SIZE")
        identifier = str(uuid.uuid4())
        self._sending(request).documents[identifier] = parts["document"]
        return JSONResponse({"id": identifier}, 201)

    async def _recipients(self, request: Request) -> Response:
        sending = self._sending(request)
        status = {"DRAFT": "DRAFT", "PENDING": "PENDING", "ACCEPTED": "PENDING", "PROCESSED": "PROCESSED"}
        shown = [
            {"id": identifier, "status": status.get(sending.status, "REJECTED"), **recipient}
            for identifier, recipient in sending.recipients.items()
        ]
        return _page(request, "recipients", shown)

    async def _add_recipient(self, request: Request) -> Response:
        recipient = json.loads(await request.body())
        lines = {number: recipient.get(f"address_line_{number}", "") for number in range(1, 7)}
        for number, line in lines.items():
            if len(line) > 38:
                return _errors(f"ADDRESS_LINE_{number}_TOO_LONG")
        if not lines[1] and not lines[2]:
            return _errors("EMPTY_ADDRESS_LINE_1_OR_ADDRESS_LINE_2")
        if recipient.get("country_code") == "FR" and not _LAST_LINE.fullmatch(lines[6]):
            return _errors("ADDRESS_LINE_6_WRONG_FORMAT")
        identifier = str(uuid.uuid4())
        self._sending(request).recipients[identifier] = recipient
        return JSONResponse({"id": identifier, "status": "DRAFT", **recipient}, 201)

    async def _delete_part(self, request: Request) -> Response:
        sending, part = self._sending(request), request.path_params["part"]
        parts: dict[str, Any] = sending.documents if "/documents/" in request.url.path else sending.recipients
        if part not in parts:
            return JSONResponse({"code": "NOT_FOUND", "message": "Not found"}, 404)
        del parts[part]
        return Response(status_code=204)

    async def _deliveries(self, request: Request) -> Response:
        told = (
            [{"status": "N10", "label": "Pli Non Distribuable (PND)"}] if self._sending(request).undeliverable else []
        )
        return _page(request, "delivery_statuses", told)


def _page(request: Request, name: str, elements: list[dict[str, Any]]) -> Response:
    start, count = int(request.query_params.get("start_index", 1)), int(request.query_params.get("count", 50))
    paging = {"total_results": len(elements), "start_index": start, "count": count}
    return JSONResponse({name: elements[start - 1 : start - 1 + count], "paging": paging})


def _errors(code: str) -> Response:
    return JSONResponse({"errors": [{"code": code, "message": code}]}, 400)


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    message = BytesParser(EmailMessage, policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        parts[str(part.get_param("name", header="content-disposition"))] = (
            content if isinstance(content, bytes) else b""
        )
    return parts
