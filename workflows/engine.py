"""How the rest of the system calls the engine: every call has a time limit and one of two faults.

« No answer in time » is not « did not happen »: a request repeated under the same id gives the first one's answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

_T = TypeVar("_T")


class EngineAway(Exception):
    """Temporal or its workers did not answer in time: what was asked may still happen."""


class NotRunning(Exception):
    """There is no such running workflow: not started yet, or ended."""


class Engine:
    """The workflows of one kind; each kind's own class says what they can be told and asked."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

    async def _start_once(
        self,
        run: Callable[..., Awaitable[Any]],
        start: Any,
        workflow_id: str,
        summary: str,
        search_attributes: TypedSearchAttributes = TypedSearchAttributes.empty,
    ) -> None:
        """Start it, once in a life. Started before, running or ended: nothing happens. Raises EngineAway."""
        try:
            async with self._in_time():
                await self._client.start_workflow(
                    run,
                    start,
                    id=workflow_id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary=summary,
                    search_attributes=search_attributes,
                    rpc_timeout=self._timeout,
                )
        except WorkflowAlreadyStartedError:
            return
        except NotRunning:  # the engine knows no such namespace
            raise EngineAway("NOT_FOUND") from None

    async def _ask(self, handle: WorkflowHandle[Any, Any], query: Any, timeout: timedelta | None = None) -> Any:
        """A query's answer. Raises NotRunning, EngineAway."""
        async with self._in_time(timeout):
            try:
                return await handle.query(query, rpc_timeout=timeout or self._timeout)
            except WorkflowQueryFailedError:
                raise EngineAway("query failed") from None

    @asynccontextmanager
    async def _in_time(self, timeout: timedelta | None = None) -> AsyncIterator[None]:
        # The client's own limit is per attempt and connecting has none: this is the whole of it.
        try:
            async with asyncio.timeout((timeout or self._timeout).total_seconds()):
                yield
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            raise EngineAway("no answer in time") from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotRunning from None
            raise EngineAway(error.status.name) from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None
