"""What is new, told to the pages that are open: one question to the database every few seconds for all of them.

A stream that waits holds neither a connection of the pool nor a thread. It ends when the session would have ended if
nothing else had been asked in it, and with the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from db import notifications
from db.pool import Pool, single
from domain.rights import UserKind
from services.callers import READ_ONLY, Caller, Scope
from services.notifications import NotificationService, Unread
from services.problems import NotAllowed, TooManyRequests
from services.sessions import IDLE_MINUTES

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 5.0
OVERLAP_SECONDS: Final = 5.0  # of two rounds: what is recorded has its transaction's time, and is seen with its end
STILL_THERE_SECONDS: Final = 20.0  # proxies cut what is silent for longer
MOST_OF_SESSION: Final = 6  # browsers give a site as many connections
MOST: Final = 2000


class _Listener:
    def __init__(self, user_id: UUID, companies: frozenset[UUID]) -> None:
        self.user_id = user_id
        self.companies = companies
        self.news = asyncio.Event()


class NotificationFeed:
    def __init__(
        self,
        system: Pool,
        service: NotificationService,
        every: float = EVERY_SECONDS,
        still_there: float = STILL_THERE_SECONDS,
    ) -> None:
        self._system = system
        self._service = service
        self._every = every
        self._still_there = still_there
        self._listeners: set[_Listener] = set()
        self._of_session: Counter[UUID] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def check(self, caller: Caller) -> None:
        """Raises NotAllowed (an API key, staff, whoever looks in a company's place), TooManyRequests."""
        caller.need(Scope.read)
        person = caller.person()
        if caller.look_as is not None:
            raise NotAllowed(READ_ONLY)
        if self._of_session[person.session_id] >= MOST_OF_SESSION or len(self._listeners) >= MOST:
            raise TooManyRequests(60)

    async def stream(self, caller: Caller) -> AsyncGenerator[Unread | None]:
        """What is unread, now and whenever it changes; None: nothing new, still there. Raises as `check`."""
        self.check(caller)
        person = caller.person()
        listener = _Listener(person.user_id, frozenset(caller.companies))
        ends_at = asyncio.get_running_loop().time() + 60 * IDLE_MINUTES[UserKind.employer]
        self._listeners.add(listener)
        self._of_session[person.session_id] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            told: Unread | None = None
            while not self._closed:
                unread = await self._service.unread(caller)
                if unread is None:
                    return
                if unread != told:
                    told = unread
                    yield unread
                while not await self._something(listener):
                    if self._closed or asyncio.get_running_loop().time() >= ends_at:
                        return
                    yield None
        finally:
            self._listeners.discard(listener)
            self._of_session[person.session_id] -= 1
            self._of_session += Counter()  # forgets the sessions that have none left

    async def close(self) -> None:
        """Ends every stream."""
        self._closed = True
        for listener in self._listeners:
            listener.news.set()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _something(self, listener: _Listener) -> bool:
        """Whether there may be something new, before it is time to say that one is still there."""
        try:
            await asyncio.wait_for(listener.news.wait(), self._still_there)
        except TimeoutError:
            return False
        listener.news.clear()
        return True

    async def _look(self) -> None:
        """As long as somebody listens."""
        since: datetime | None = None
        while self._listeners:
            try:
                since = await self._round(since)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as why:
                log.warning("what is new could not be read: %s", type(why).__name__)
            await asyncio.sleep(self._every)

    async def _round(self, since: datetime | None) -> datetime:
        """Since when the next round has to look."""
        async with single(self._system) as connection:
            if since is None:
                now: datetime = await connection.fetchval(notifications.NOW)
                return now
            rows = await connection.fetch(notifications.CHANGED, since, OVERLAP_SECONDS)
        now = since
        companies, users = set(), set()
        for row in rows:
            companies.add(row["company_id"])
            users.add(row["user_id"])
            now = row["now"]
        for listener in self._listeners:
            if listener.user_id in users or listener.companies & companies:
                listener.news.set()
        return now
