"""Starts the workflows that write exports."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.contracts import StartExport, export_workflow_id
from workflows.client import EngineAway
from workflows.export import ExportWorkflow


class Exports:
    """One workflow for each export, `export/<id>`."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

    async def start(self, job_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._client.start_workflow(
                    ExportWorkflow.run,
                    StartExport(str(job_id)),
                    id=export_workflow_id(str(job_id)),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary="An export, written and deleted after a day",
                    rpc_timeout=self._timeout,
                )
        except WorkflowAlreadyStartedError:
            return
        except TimeoutError:
            raise EngineAway("no answer in time") from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None
        except RPCError as error:
            raise EngineAway(error.status.name) from None
