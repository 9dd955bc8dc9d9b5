"""From where each request comes, for whoever answers it (security.md A-12)."""

from __future__ import annotations

import uuid
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.pool import Origin, origin
from services.visitors import Visitor, browser_of, network_of
from settings import Settings

_HERE = "127.0.0.1"  # a peer without an address: a socket file, the tests


class Visitors:
    """Middleware: makes the visitor of each request, names it for the audit log, and answers with `X-Request-Id`.

    The address is the socket's, or with `trusted_proxies` the one that the outermost of our own proxies saw. What a
    client writes itself is never believed: `Forwarded`, `X-Real-IP`, and in `X-Forwarded-For` whatever stands further
    to the left.
    """

    def __init__(self, app: ASGIApp, config: Settings) -> None:
        self._app = app
        self._proxies = config.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visitor = self._visitor(scope)
        scope.setdefault("state", {})["visitor"] = visitor

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = visitor.request_id
            await send(message)

        token = origin.set(Origin(visitor.network, visitor.browser, visitor.request_id))
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            origin.reset(token)

    def _visitor(self, scope: Scope) -> Visitor:
        peer = (scope.get("client") or (_HERE,))[0]
        address = _forwarded(scope, self._proxies) if self._proxies else None
        network = _network(address) or _network(peer) or network_of(_HERE)
        agents = [value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"]
        return Visitor(network, browser_of(agents[0] if agents else ""), uuid.uuid4().hex)


def _forwarded(scope: Scope, proxies: int) -> str | None:
    """What so many proxies from here wrote. Fewer entries than proxies: whoever came in behind the outer ones."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = ",".join(lines).split(",") if lines else []
    return entries[max(len(entries) - proxies, 0)].strip() if entries else None


def _network(address: str | None) -> str | None:
    try:
        return network_of(address) if address else None
    except ValueError:
        return None


async def visitor(request: Request) -> Visitor:
    """The dependency; async, as another kind runs in a thread."""
    return cast(Visitor, request.state.visitor)


Visit = Annotated[Visitor, Depends(visitor)]
