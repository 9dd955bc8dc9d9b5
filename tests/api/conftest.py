"""The application over HTTP, on the world's database and Temporal server."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.security import key_hash
from db import register
from db.pool import system
from services.callers import Scope
from tests.world import Employer, Life, World


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
        await connection.fetchval(register.ADD_API_KEY, "test", key_hash(secret), list(scopes), [employer.company_id])
    return secret


def client(app: FastAPI, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)


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
    async with client(app, await key_for(world, employer, Scope.staff)) as http:
        yield http


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(app) as http:
        yield http
