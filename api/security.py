"""Who is calling: API keys and employees' session cookies; and the headers of every answer (security.md H-03)."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.parts import Parts, parts
from db import register
from db.pool import Pool, system
from services.callers import Caller, EmployeeCaller
from services.callers import Scope as KeyScope
from services.problems import NotAuthenticated

EMPLOYEE_COOKIE = "employee"

_bearer = HTTPBearer(auto_error=False, description="API key, `hcr_…`")
_cookie = APIKeyCookie(name=EMPLOYEE_COOKIE, auto_error=False, description="Employee's session")


async def key_caller(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    parts: Annotated[Parts, Depends(parts)],
) -> Caller:
    """The employer or member of staff behind the API key. Raises NotAuthenticated."""
    caller = await find_key(parts.system, credentials.credentials) if credentials else None
    if caller is None:
        raise NotAuthenticated("Indiquez une clé d’accès valable dans l’en-tête Authorization.")
    return caller


async def employee_caller(
    session: Annotated[str | None, Depends(_cookie)], parts: Annotated[Parts, Depends(parts)]
) -> EmployeeCaller:
    """The employee behind the session cookie. Raises NotAuthenticated."""
    return await parts.enrolments.caller(session)


async def find_key(pool: Pool, secret: str) -> Caller | None:
    """The caller of an API key that is neither revoked nor expired."""
    async with system(pool) as connection:
        row = await connection.fetchrow(register.API_KEY, key_hash(secret))
    if row is None:
        return None
    return Caller(str(row["id"]), tuple(row["company_ids"]), frozenset(KeyScope(scope) for scope in row["scopes"]))


def key_hash(secret: str) -> bytes:
    """What is stored of an API key: it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()


KeyCaller = Annotated[Caller, Depends(key_caller)]
Employee = Annotated[EmployeeCaller, Depends(employee_caller)]


def not_public(request: Request) -> bool:
    """Whether an operations page may answer: called directly from this machine, not through the public proxy."""
    host = request.client.host if request.client else ""
    return host in ("127.0.0.1", "::1", "testclient") and "x-forwarded-for" not in request.headers


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
