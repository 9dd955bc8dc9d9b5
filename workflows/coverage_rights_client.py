"""Tells the workflows of coverages' rights, which begin with the first thing they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import RightsDeliveryFailed, RightsProgress, StartRights, rights_workflow_id
from domain.coverage_rights import CoverageFacts, Told
from workflows.client import EngineAway, NotRunning
from workflows.coverage_rights import RightsWorkflow

_T = TypeVar("_T")


class CoverageRights:
    """One workflow for each coverage, `rights-<affiliation>`; one that had ended begins again."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

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
            return await self._in_time(
                self._client.execute_update_with_start_workflow(
                    RightsWorkflow.facts_changed,
                    replace(facts, former=Told()),  # a run under way knows better
                    id=f"rights/{facts.version}",
                    start_workflow_operation=start,
                    rpc_timeout=self._timeout,
                )
            )
        except (WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError):
            raise EngineAway("no answer in time") from None
        except RPCError as error:
            raise EngineAway(error.status.name) from None

    async def delivery_failed(self, affiliation_id: UUID, failed: RightsDeliveryFailed) -> None:
        """A message that was taken did not arrive. Raises NotRunning, EngineAway."""
        handle = self._client.get_workflow_handle_for(RightsWorkflow.run, rights_workflow_id(str(affiliation_id)))
        try:
            await self._in_time(handle.signal(RightsWorkflow.delivery_failed, failed, rpc_timeout=self._timeout))
        except RPCError as error:
            raise _absent(error) from None

    async def progress(self, affiliation_id: UUID, timeout: timedelta = timedelta(seconds=1)) -> RightsProgress:
        """Everything still to come. Raises NotRunning, EngineAway."""
        handle = self._client.get_workflow_handle_for(RightsWorkflow.run, rights_workflow_id(str(affiliation_id)))
        try:
            return await self._in_time(handle.query(RightsWorkflow.progress, rpc_timeout=timeout), timeout)
        except WorkflowQueryFailedError:
            raise EngineAway("query failed") from None
        except RPCError as error:
            raise _absent(error) from None

    async def _in_time(self, call: Awaitable[_T], timeout: timedelta | None = None) -> _T:
        # The client's own limit is per attempt and connecting has none: this is the whole of it.
        try:
            async with asyncio.timeout((timeout or self._timeout).total_seconds()):
                return await call
        except TimeoutError:
            raise EngineAway("no answer in time") from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None


def _absent(error: RPCError) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NotRunning()
    return EngineAway(error.status.name)
