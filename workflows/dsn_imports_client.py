"""Starts the workflows that read DSN files, and asks them how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import DsnProgress, StartDsnImport, dsn_workflow_id
from workflows.client import EngineAway, NotRunning
from workflows.dsn_import import DsnImportWorkflow


class DsnImports:
    """One workflow for each file, `dsn/<id>`."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

    async def start(self, import_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        async with self._in_time():
            try:
                await self._client.start_workflow(
                    DsnImportWorkflow.run,
                    StartDsnImport(str(import_id)),
                    id=dsn_workflow_id(str(import_id)),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary="A DSN file, declaration by declaration",
                    rpc_timeout=self._timeout,
                )
            except WorkflowAlreadyStartedError:
                return

    async def progress(self, import_id: UUID) -> DsnProgress:
        """Raises NotRunning (not started, or its history is gone), EngineAway."""
        async with self._in_time():
            handle = self._client.get_workflow_handle_for(DsnImportWorkflow.run, dsn_workflow_id(str(import_id)))
            try:
                return await handle.query(DsnImportWorkflow.progress, rpc_timeout=self._timeout)
            except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
                raise NotRunning() from None

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield
        except TimeoutError:
            raise EngineAway("no answer in time") from None
        except RPCError as error:
            raise (NotRunning() if error.status is RPCStatusCode.NOT_FOUND else EngineAway(error.status.name)) from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None
