"""Refuses a sign-in before anything of it is read while all places of `services.sign_in_places` are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import uuid4

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web.parts import Parts

_DOOR: Final = frozenset({"/api/v1/sessions", "/api/v1/staff/sessions"})
_WAYS_IN: Final = _DOOR | {"/connexion", "/gestion/connexion"}


class SignInGate:
    """`door`, `page`: what either way in answers then, the same to everybody, whatever was sent; made once."""

    def __init__(self, app: ASGIApp, door: Callable[[], Response], page: Callable[[], Response]) -> None:
        self._app = app
        self._door = door
        self._page = page
        self._made: dict[bool, Response] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in _WAYS_IN and _is_full(scope):
            await self._refuse(scope["path"] in _DOOR, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, door: bool, send: Send) -> None:
        if door not in self._made:
            self._made[door] = self._door() if door else self._page()
        answer = self._made[door]
        headers = [*answer.raw_headers, (b"x-request-id", uuid4().hex.encode())]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _is_full(scope: Scope) -> bool:
    parts: Parts = scope["app"].state.parts
    return parts.tools.sign_in_places.full
