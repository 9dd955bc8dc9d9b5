"""The application over HTTP, on the world's database and Temporal server."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import create_app
from db import api_keys
from db.pool import system
from domain.affiliation import Status
from domain.rights import StaffRole
from services.api_keys import key_hash
from services.callers import STAFF_SCOPES, Scope
from services.sessions import csrf_token
from tests.world import Employer, Life, World
from web.cookies import Cookie
from web.csrf import HEADER, SAFE

BASE = "/api/v1"


@dataclass(frozen=True)
class Door:
    """HTTP calls of one caller."""

    world: World
    http: httpx2.AsyncClient
    employer: Employer

    async def declare(self, **changes: Any) -> Life:
        answer = await self.http.post("/api/v1/affiliations", json=self.world.declaration(self.employer, **changes))
        assert answer.status_code == 201, answer.text
        return Life(self.world, self.employer, answer.json()["id"])


@pytest.fixture(scope="session")
async def app(world: World) -> AsyncIterator[FastAPI]:
    application = create_app(world.config, world.client)
    async with application.router.lifespan_context(application):
        yield application


async def key_for(world: World, employer: Employer, *scopes: Scope) -> str:
    secret = f"hcr_{secrets.token_urlsafe(32)}"
    async with system(world.system) as connection:
        await connection.fetchval(api_keys.ADD_KNOWN, "test", key_hash(secret), list(scopes), [employer.company_id])
    return secret


async def link_token(life: Life, message: int = -1) -> str:
    """The secret of a link that the employee received, the last one unless said otherwise."""
    await life.until(Status.sent)
    found = re.search(r"/e/([\w-]{43})", (await life.received())[message]["text"])
    assert found
    return found.group(1)


@asynccontextmanager
async def employee_of(app: FastAPI, life: Life, token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """The employee's browser, having opened the link."""
    async with client(app) as http:
        opened = await http.post("/api/v1/enrolments/access", json={"token": token or await link_token(life)})
        assert opened.status_code == 200, opened.text
        yield http


@cache
def documented(app: FastAPI) -> list[tuple[str, re.Pattern[str], frozenset[int]]]:
    """(method, path, statuses) of every operation in the OpenAPI document."""
    found = []
    for path, operations in app.openapi()["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method, operation in operations.items():
            found.append((method.upper(), pattern, frozenset(map(int, operation["responses"]))))
    return found


async def with_own_token(request: httpx2.Request) -> None:
    """What our own pages send with every change: the token that belongs to the cookie."""
    if request.method in SAFE or HEADER in request.headers:
        return
    cookies = SimpleCookie(request.headers.get("cookie", ""))
    door = Cookie.employee if request.url.path.startswith(f"{BASE}/enrolments") else Cookie.visit
    if door in cookies:
        request.headers[HEADER] = csrf_token(cookies[door].value)


def client(
    app: FastAPI, key: str | None = None, *, own_pages: bool = True, address: str = "127.0.0.1"
) -> httpx2.AsyncClient:
    """A caller of the application. Every answer it gets, in any test, must be one that the OpenAPI document has.

    `own_pages`: its changes carry the token that employees' pages would give it. `address`: where it calls from.
    """

    async def is_documented(answer: httpx2.Response) -> None:
        assert re.fullmatch("[0-9a-f]{32}", answer.headers.pop("x-request-id"))  # never the same: not to be compared
        path = answer.request.url.path
        for method, pattern, statuses in documented(app):
            if method == answer.request.method and pattern.fullmatch(path) and answer.status_code != 500:
                assert answer.status_code in statuses, f"{method} {path} answers {answer.status_code}: undocumented"
                return

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1234)),
        base_url="http://testserver",
        headers=headers,
        event_hooks={"request": [with_own_token] if own_pages else [], "response": [is_documented]},
    )


@pytest.fixture(autouse=True)
async def _nothing_counts_for_limits(request: pytest.FixtureRequest) -> None:
    """Tests share one address: those before this one are forgotten."""
    if "world" in request.fixturenames:
        world: World = request.getfixturevalue("world")
        await world.run("DELETE FROM rate_limit")


@pytest.fixture
async def door(app: FastAPI, world: World) -> AsyncIterator[Door]:
    """An employer with a key that reads and writes."""
    employer = await world.employer()
    key = await key_for(world, employer, Scope.read, Scope.write)
    async with client(app, key) as http:
        yield Door(world, http, employer)


@pytest.fixture
async def staff(app: FastAPI, world: World) -> AsyncIterator[httpx2.AsyncClient]:
    employer = await world.employer()
    async with client(app, await key_for(world, employer, *STAFF_SCOPES[StaffRole.super])) as http:
        yield http


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(app) as http:
        yield http
