"""/health and /metrics: for operations, answered on this machine only."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import asyncpg
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from temporalio.service import RPCError

from api.problems import describes
from api.security import not_public
from db.pool import system
from services.problems import NotFound
from web.parts import Parts, parts

TIMEOUT_SECONDS = 1.0


async def operators_only(request: Request) -> None:
    """Raises NotFound for whoever comes through the public proxy."""
    if not not_public(request):
        raise NotFound()


router = APIRouter(tags=["operations"], dependencies=[Depends(operators_only)], responses=describes(NotFound))


class Health(BaseModel):
    status: Literal["ok", "away"]
    database: Literal["ok", "away"]
    temporal: Literal["ok", "away"]


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready", responses={503: {"model": Health, "description": "The database is away"}})
async def ready(use: Annotated[Parts, Depends(parts)], response: Response) -> Health:
    """Requests can be served. Temporal may be away: declarations wait for it."""
    database, temporal = await asyncio.gather(_database(use), _temporal(use))
    if not database:
        response.status_code = 503
    return Health(
        status="ok" if database else "away",
        database="ok" if database else "away",
        temporal="ok" if temporal else "away",
    )


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _database(use: Parts) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), system(use.system) as connection:
            await connection.execute("SELECT 1")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


async def _temporal(use: Parts) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await use.temporal.service_client.check_health()
    except (RPCError, RuntimeError, TimeoutError):
        return False
