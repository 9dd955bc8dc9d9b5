"""Tells the workflows of coverages' rights, which begin with the first thing they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.contracts.rights import RightsDeliveryFailed, RightsProgress, StartRights, rights_workflow_id
from domain.coverage_rights import CoverageFacts, Told
from workflows.coverage_rights import RightsWorkflow
from workflows.engine import Engine, EngineAway, NotRunning


class CoverageRights(Engine):
    """One workflow for each coverage, `rights-<affiliation>`; one that had ended begins again."""

    async def tell(self, coverage_id: UUID, facts: CoverageFacts) -> RightsProgress:
        """What the database has, under its version: told twice, it happens once. Raises EngineAway."""
        start = WithStartWorkflowOperation(
            RightsWorkflow.run,
            StartRights(str(coverage_id), facts),
            id=rights_workflow_id(facts.affiliation_id),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary="Rights of an insured person: end of contract, portability",
        )
        try:
            async with self._in_time():
                return await self._client.execute_update_with_start_workflow(
                    RightsWorkflow.facts_changed,
                    replace(facts, former=Told()),  # a run under way knows better
                    id=f"rights/{facts.version}",
                    start_workflow_operation=start,
                    rpc_timeout=self._timeout,
                )
        except (WorkflowUpdateFailedError, NotRunning):
            raise EngineAway("no answer in time") from None

    async def delivery_failed(self, affiliation_id: UUID, failed: RightsDeliveryFailed) -> None:
        """A message that was taken did not arrive. Raises NotRunning, EngineAway."""
        async with self._in_time():
            await self._handle(affiliation_id).signal(RightsWorkflow.delivery_failed, failed, rpc_timeout=self._timeout)

    async def progress(self, affiliation_id: UUID, timeout: timedelta = timedelta(seconds=1)) -> RightsProgress:
        """Everything still to come. Raises NotRunning, EngineAway."""
        progress: RightsProgress = await self._ask(self._handle(affiliation_id), RightsWorkflow.progress, timeout)
        return progress

    def _handle(self, affiliation_id: UUID) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(RightsWorkflow.run, rights_workflow_id(str(affiliation_id)))
