"""Starts and tells the workflows of companies' recoveries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import RecoveryCodeEntered, StartCompanyRecovery, company_recovery_workflow_id
from workflows.client import EngineAway, NotRunning
from workflows.company_recovery import CompanyRecoveryWorkflow


class CompanyRecoveries:
    """One workflow for each recovery, `company-recovery-<id>`."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

    async def start(self, recovery_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        async with self._in_time():
            try:
                await self._client.start_workflow(
                    CompanyRecoveryWorkflow.run,
                    StartCompanyRecovery(str(recovery_id)),
                    id=company_recovery_workflow_id(str(recovery_id)),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary="Recovery of a company whose administrator has gone",
                    rpc_timeout=self._timeout,
                )
            except WorkflowAlreadyStartedError:
                return

    async def enter_code(self, recovery_id: UUID, notice_id: UUID) -> datetime | None:
        """When it will be granted; None: the code was used before. Raises NotRunning (no code is awaited),
        EngineAway."""
        async with self._in_time():
            try:
                taken = await self._handle(recovery_id).execute_update(
                    CompanyRecoveryWorkflow.enter_code,
                    RecoveryCodeEntered(str(notice_id)),
                    id=f"enter_code/{notice_id}",
                    rpc_timeout=self._timeout,
                )
            except WorkflowUpdateFailedError:
                raise NotRunning() from None
            except WorkflowUpdateRPCTimeoutOrCancelledError:
                raise EngineAway("no answer in time") from None
        return taken.grant_at

    async def stop(self, recovery_id: UUID) -> None:
        """Somebody objected. Raises NotRunning, EngineAway."""
        async with self._in_time():
            await self._handle(recovery_id).signal(CompanyRecoveryWorkflow.stop, rpc_timeout=self._timeout)

    def _handle(self, recovery_id: UUID) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(
            CompanyRecoveryWorkflow.run, company_recovery_workflow_id(str(recovery_id))
        )

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
