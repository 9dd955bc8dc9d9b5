"""Starts and tells the workflows of companies' recoveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.contracts.company_recovery import (
    RecoveryCodeEntered,
    StartCompanyRecovery,
    company_recovery_workflow_id,
)
from workflows.company_recovery import CompanyRecoveryWorkflow
from workflows.engine import Engine, NotRunning


class CompanyRecoveries(Engine):
    """One workflow for each recovery, `company-recovery-<id>`."""

    async def start(self, recovery_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        await self._start_once(
            CompanyRecoveryWorkflow.run,
            StartCompanyRecovery(str(recovery_id)),
            company_recovery_workflow_id(str(recovery_id)),
            "Recovery of a company whose administrator has gone",
        )

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
        return taken.grant_at

    async def stop(self, recovery_id: UUID) -> None:
        """Somebody objected. Raises NotRunning, EngineAway."""
        async with self._in_time():
            await self._handle(recovery_id).signal(CompanyRecoveryWorkflow.stop, rpc_timeout=self._timeout)

    def _handle(self, recovery_id: UUID) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(
            CompanyRecoveryWorkflow.run, company_recovery_workflow_id(str(recovery_id))
        )
