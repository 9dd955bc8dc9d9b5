"""Wakes an endpoint's workflow the moment its event is committed: the database says so (migration 0021).

What is said while nobody listens is lost; the sweep finds it within half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from uuid import UUID

import asyncpg

from workflows.engine import EngineAway
from workflows.webhooks_client import Webhooks

log = logging.getLogger(__name__)

CHANNEL = "webhooks"
_TOGETHER_SECONDS = 0.2  # what is said of one endpoint meanwhile wakes it once
_AGAIN_SECONDS = 5.0


class WebhookListener:
    """`database_url`: straight to the database; a pooler that changes sessions hears nothing."""

    def __init__(self, database_url: str, engine: Webhooks) -> None:
        self._url = database_url
        self._engine = engine
        self._heard: asyncio.Queue[UUID] = asyncio.Queue()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as why:
                log.info("webhooks are left to the sweep: %s", type(why).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=_AGAIN_SECONDS)
        try:
            connection.add_termination_listener(self._cut)
            await connection.add_listener(CHANNEL, self._hear)
            while not connection.is_closed():
                await self._wake(await self._heard.get())
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=_AGAIN_SECONDS)

    async def _wake(self, first: UUID) -> None:
        await asyncio.sleep(_TOGETHER_SECONDS)
        endpoints = {first}
        while not self._heard.empty():
            endpoints.add(self._heard.get_nowait())
        for endpoint_id in endpoints - {_NOBODY}:
            try:
                await self._engine.look(endpoint_id)
            except EngineAway:
                return

    def _hear(self, _connection: Any, _process: int, _channel: str, payload: object) -> None:
        with contextlib.suppress(ValueError):
            self._heard.put_nowait(UUID(str(payload)))

    def _cut(self, _connection: Any) -> None:
        self._heard.put_nowait(_NOBODY)


_NOBODY = UUID(int=0)  # ends the waiting on a connection that is gone
