"""Refuses to look at a sign-in at all while more of them wait for their password's check than can be served: a flood
then costs next to nothing of what people who are signed in wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.problems import Overloaded
from web.parts import Parts

_DOOR: Final = frozenset({"/api/v1/sessions", "/api/v1/staff/sessions"})
_PAGES: Final = frozenset({"/connexion", "/gestion/connexion"})


class SignInGate:
    """`door`, `page`: what either way in answers then; the same to everybody, whatever was sent."""

    def __init__(self, app: ASGIApp, door: Callable[[Overloaded], Response], page: Callable[[], Response]) -> None:
        self._app = app
        self._door = door
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refusal(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] not in _DOOR and scope["path"] not in _PAGES:
            return None
        parts: Parts = scope["app"].state.parts
        try:
            parts.tools.passwords.check_room()
        except Overloaded as overloaded:
            return self._door(overloaded) if scope["path"] in _DOOR else self._page()
        return None
