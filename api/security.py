"""What every answer carries (security.md H-03), what no route is to see (A-23, H-07, H-08), and who sees operations."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import MAX_HEAD_BYTES
from api.problems import problem_answer
from settings import Environment, Settings

_LOOPBACK = frozenset(["127.0.0.1", "::1"])
_OF_PROXIES = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


def not_public(request: Request) -> bool:
    """Whether an operations page may answer: called directly from this machine, not through the public proxy."""
    return _from_this_machine(request.scope, request.headers)


def _from_this_machine(scope: Scope, headers: Headers) -> bool:
    host = (scope.get("client") or ("",))[0]
    return host in (*_LOOPBACK, "testclient") and not any(name in headers for name in _OF_PROXIES)


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
HSTS = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Every answer, errors and files included; a page that needs more sets its own policy first."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._https:
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


class FrontDoor:
    """Refuses, before any route: a Host that is not ours, a method that nobody serves, a head too large.

    Ours is the host of `public_base_url`; in development also the names of this machine, and in production those only
    for whoever calls from the machine itself (health checks). `X-Forwarded-Host` is never read.
    """

    def __init__(self, app: ASGIApp, config: Settings) -> None:
        self._app = app
        self._production = config.environment is Environment.production
        self._ours = {(urlsplit(config.public_base_url).hostname or "").lower()}
        if not self._production:
            self._ours |= {"localhost", *_LOOPBACK, "testserver"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _head_bytes(scope) > MAX_HEAD_BYTES:
            words = "L’adresse et les en-têtes de la demande dépassent 16\u00a0Ko. Videz les cookies de ce site."
            await problem_answer(431, "head_too_large", "En-têtes trop volumineux", words)(scope, receive, send)
        elif not self._is_ours(scope):
            words = "Ce service ne répond pas à ce nom."
            await problem_answer(400, "unknown_host", "Nom de site inconnu", words)(scope, receive, send)
        elif scope["method"] not in METHODS:
            allow = {"Allow": ", ".join(sorted(METHODS))}
            words = "Cette adresse ne s’utilise pas ainsi."
            answer = problem_answer(405, "method_not_allowed", "Méthode non autorisée", words, headers=allow)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        name = _name_of(hosts[0]) if len(hosts) == 1 else ""
        if name in self._ours:
            return name != ""
        return self._production and name in _LOOPBACK and _from_this_machine(scope, headers)


def _name_of(host: str) -> str:
    """Without its port; the brackets of an IPv6 address are none of it."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _head_bytes(scope: Scope) -> int:
    target = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    return target + sum(len(name) + len(value) + 4 for name, value in scope["headers"])
