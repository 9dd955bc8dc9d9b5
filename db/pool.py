"""Connections: one pool per role, and the context that row-level security reads.

`web` serves requests and sees only what `tenant(...)` names for one transaction; `system` serves the worker, the
webhooks and the look-ups that find out who is calling.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

QUERY_SECONDS = 5
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Origin:
    """Where the request that is being answered comes from; the audit log writes it beside its entries."""

    network: str
    browser: str
    request_id: str


origin: ContextVar[Origin | None] = ContextVar("origin", default=None)
_NOWHERE = Origin("", "", "")

_SET_ORIGIN = """
SELECT set_config('app.network', $1, true), set_config('app.browser', $2, true), set_config('app.request', $3, true)
"""
# Whichever role the pool has: a worker that does what an employer asked for sees no more than the employer.
_SET_COMPANIES = f"{_SET_ORIGIN.rstrip()}, set_config('app.companies', $4, true), set_config('role', 'hcr_web', true)"
_SET_AFFILIATION = f"{_SET_ORIGIN.rstrip()}, set_config('app.affiliation', $4, true)"

_SET_READING = """
SELECT set_config('app.companies', $1, true), set_config('statement_timeout', $2, true)
"""


async def create_pool(url: str, role: Literal["hcr_web", "hcr_system"], size: int = 10) -> Pool:
    """A pool whose connections act as `role`; its queries end after five seconds."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=QUERY_SECONDS * 2,
        server_settings={"role": role, "statement_timeout": f"{QUERY_SECONDS}s", "application_name": role},
        init=_init,
        reset=_keep,
    )


async def _init(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_dump, decoder=json.loads, schema="pg_catalog")


async def _keep(connection: asyncpg.Connection) -> None:
    """Nothing to undo when a connection comes back: whatever is set is set for one transaction.

    asyncpg itself ends a transaction left open; its own reset would cost a round trip at each release.
    """


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@asynccontextmanager
async def tenant(pool: Pool, companies: Iterable[UUID], timeout: float = 5.0) -> AsyncIterator[Connection]:
    """A transaction that sees these companies and nothing else, whichever role the pool has."""
    async with pool.acquire(timeout=timeout) as connection, connection.transaction():
        listed = ",".join(str(company) for company in companies)
        await connection.execute(_SET_COMPANIES, *_here(), listed)
        yield connection


@asynccontextmanager
async def tenant_reading(
    pool: Pool, companies: Iterable[UUID], seconds: int, timeout: float = 5.0
) -> AsyncIterator[Connection]:
    """What `tenant` sees, whichever role the pool has, to be read for longer than a request may: as it is at one
    moment, and nothing can be written. `seconds`: of each statement, and of each part fetched from a cursor."""
    async with (
        pool.acquire(timeout=timeout) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL ROLE hcr_web")
        await connection.execute(_SET_READING, ",".join(str(company) for company in companies), f"{seconds}s")
        yield connection


@asynccontextmanager
async def employee_side(pool: Pool, affiliation_id: UUID, timeout: float = 5.0) -> AsyncIterator[Connection]:
    """A transaction that sees one affiliation and nothing else."""
    async with pool.acquire(timeout=timeout) as connection, connection.transaction():
        await connection.execute(_SET_AFFILIATION, *_here(), str(affiliation_id))
        yield connection


@asynccontextmanager
async def system(pool: Pool, timeout: float = 5.0) -> AsyncIterator[Connection]:
    """A transaction of the system role."""
    async with pool.acquire(timeout=timeout) as connection, connection.transaction():
        if origin.get() is not None:
            await connection.execute(_SET_ORIGIN, *_here())
        yield connection


def _here() -> tuple[str, str, str]:
    here = origin.get() or _NOWHERE
    return here.network, here.browser, here.request_id


@asynccontextmanager
async def single(pool: Pool, timeout: float = 5.0) -> AsyncIterator[Connection]:
    """A connection for one statement, which is its own transaction: two round trips fewer."""
    async with pool.acquire(timeout=timeout) as connection:
        yield connection
