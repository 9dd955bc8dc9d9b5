"""Deletes what Temporal remembers of an affiliation: its history, those of the waiver that it may have ended in
and of the rights that came of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.affiliation import workflow_id
from activities.contracts.rights import rights_workflow_id
from activities.contracts.waivers import waiver_workflow_id
from workflows.engine import EngineAway

MOST_RUNS = 20  # of one life: an operator's reset makes another


class Histories:
    def __init__(self, client: Client, timeout: timedelta) -> None:
        """`timeout`: of each call."""
        self._client = client
        self._timeout = timeout

    async def forget(self, affiliation_id: str) -> int:
        """How many runs there were; none is no error. One that still runs is ended. Raises EngineAway."""
        try:
            names = [name(affiliation_id) for name in (workflow_id, waiver_workflow_id, rights_workflow_id)]
            return sum([await self._forget(name) for name in names])
        except RPCError as error:
            raise EngineAway(error.status.name) from None
        except TimeoutError:
            raise EngineAway("no answer in time") from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None

    async def _forget(self, name: str) -> int:
        if not await self._delete(name, ""):
            return 0
        # what Visibility does not know yet or any more ends with the namespace's retention
        deleted = [await self._delete(name, run) for run in await self._runs(name)]
        return 1 + sum(deleted)

    async def _runs(self, name: str) -> list[str]:
        found: list[str] = []
        async with asyncio.timeout(self._timeout.total_seconds()):
            async for run in self._client.list_workflows(
                f'WorkflowId = "{name}"', limit=MOST_RUNS, rpc_timeout=self._timeout
            ):
                found.append(run.run_id)
        return found

    async def _delete(self, name: str, run_id: str) -> bool:
        """Whether there was one; an empty `run_id` is the last run."""
        execution = WorkflowExecution(workflow_id=name, run_id=run_id)
        request = DeleteWorkflowExecutionRequest(namespace=self._client.namespace, workflow_execution=execution)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._client.workflow_service.delete_workflow_execution(request, timeout=self._timeout)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True
