"""A customer's software that takes webhooks, and checks them as Standard Webhooks says: written from its text, apart
from our own signing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import BaseRoute, Route

from tests.standins.server import Call, Standin


class ReceiverStandin(Standin):
    """`status`: what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 204

    @property
    def address(self) -> str:
        return f"{self.url}/hcr"

    def routes(self) -> Iterable[BaseRoute]:
        yield Route("/hcr", self._take, methods=["POST"])
        yield Route("/elsewhere", self._redirect, methods=["POST"])
        yield Route("/long", self._long, methods=["POST"])

    def told(self, affiliation_id: object = None) -> list[dict[str, Any]]:
        """The messages in the order in which they came, of one affiliation or of all."""
        messages = [json.loads(call.body) for call in self.calls]
        if affiliation_id is None:
            return messages
        return [one for one in messages if one["data"].get("affiliation_id") == str(affiliation_id)]

    async def _take(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("", self.status)

    async def _redirect(self, _: Request) -> RedirectResponse:
        return RedirectResponse("/hcr", 307)

    async def _long(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 5_000_000)


def is_signed(call: Call, secret: str) -> bool:
    key = base64.b64decode(secret.split("_", 1)[1])
    content = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    versions = [one.split(",", 1) for one in call.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and given == expected for version, given in versions)
