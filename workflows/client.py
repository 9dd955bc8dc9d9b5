"""The one door through which the rest of the system starts, tells and asks the workflows.

Every call has a time limit. « No answer in time » is not « did not happen »: a request repeated under the same id
gives the first one's answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import (
    MEDIUM,
    SIREN,
    SIRET,
    STATUS,
    DeliveryFailed,
    Progress,
    StartAffiliation,
    WaiverEnded,
    WaiverProgress,
    waiver_workflow_id,
    workflow_id,
)
from domain.affiliation import Refusal, Refused, Status, first_medium
from workflows.affiliation import AffiliationWorkflow
from workflows.waiver import WaiverWorkflow

_T = TypeVar("_T")


class EngineAway(Exception):
    """Temporal or its workers did not answer in time: what was asked may still happen."""


class NotRunning(Exception):
    """There is no such running workflow: not started yet, or ended."""


class Affiliations:
    """The affiliations' workflows, by affiliation id."""

    def __init__(self, client: Client, task_queue: str, timeout: timedelta) -> None:
        self._client = client
        self._task_queue = task_queue
        self._timeout = timeout

    async def start(self, start: StartAffiliation, siret: str, siren: str) -> None:
        """Start it, once in a life. Started before, running or ended: nothing happens. Raises EngineAway."""
        medium = first_medium(start.reachable, start.medium)
        try:
            await self._in_time(
                self._client.start_workflow(
                    AffiliationWorkflow.run,
                    start,
                    id=workflow_id(start.affiliation_id),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary="Affiliation of an employee, from declaration to insured",
                    search_attributes=TypedSearchAttributes(
                        [
                            SearchAttributePair(SIRET, siret),
                            SearchAttributePair(SIREN, siren),
                            SearchAttributePair(STATUS, Status.preparing.value),
                            SearchAttributePair(MEDIUM, medium.value),
                        ]
                    ),
                    rpc_timeout=self._timeout,
                )
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise EngineAway(error.status.name) from None

    async def tell(self, affiliation_id: str, update: Any, request: Any, request_id: str) -> Progress:
        """Send an update under a business id. Raises Refusal (the rules refuse it), NotRunning, EngineAway."""
        progress: Progress = await self._update(self._handle(affiliation_id), update, request, request_id)
        return progress

    async def end_waiver(self, affiliation_id: str, ended: WaiverEnded, request_id: str) -> WaiverProgress:
        """End the waiver that this affiliation led to before its time. Raises as `tell`."""
        progress: WaiverProgress = await self._update(
            self._waiver(affiliation_id), WaiverWorkflow.end_waiver, ended, request_id
        )
        return progress

    async def waiver_progress(self, affiliation_id: str, timeout: timedelta = timedelta(seconds=1)) -> WaiverProgress:
        """When the person whom this affiliation waived is asked again. Raises NotRunning, EngineAway."""
        try:
            return await self._in_time(
                self._waiver(affiliation_id).query(WaiverWorkflow.progress, rpc_timeout=timeout), timeout
            )
        except WorkflowQueryFailedError:
            raise EngineAway("query failed") from None
        except RPCError as error:
            raise _absent(error) from None

    async def delivery_failed(self, affiliation_id: str, failed: DeliveryFailed) -> None:
        """Signal a bounce or a return. Raises NotRunning, EngineAway."""
        try:
            await self._in_time(
                self._handle(affiliation_id).signal(
                    AffiliationWorkflow.delivery_failed, failed, rpc_timeout=self._timeout
                )
            )
        except RPCError as error:
            raise _absent(error) from None

    async def progress(self, affiliation_id: str, timeout: timedelta = timedelta(seconds=1)) -> Progress:
        """Where it stands and everything still to come. Raises NotRunning, EngineAway."""
        try:
            return await self._in_time(
                self._handle(affiliation_id).query(AffiliationWorkflow.progress, rpc_timeout=timeout), timeout
            )
        except WorkflowQueryFailedError:
            raise EngineAway("query failed") from None
        except RPCError as error:
            raise _absent(error) from None

    async def is_running(self, affiliation_id: str) -> bool:
        """Raises EngineAway."""
        try:
            described = await self._in_time(self._handle(affiliation_id).describe(rpc_timeout=self._timeout))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise EngineAway(error.status.name) from None
        return described.close_time is None

    async def _update(self, handle: WorkflowHandle[Any, Any], update: Any, request: Any, request_id: str) -> Any:
        try:
            return await self._in_time(handle.execute_update(update, request, id=request_id, rpc_timeout=self._timeout))
        except WorkflowUpdateFailedError as failed:
            raise _refusal(failed) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise EngineAway("no answer in time") from None
        except RPCError as error:
            raise _absent(error) from None

    def _waiver(self, affiliation_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(WaiverWorkflow.run, waiver_workflow_id(affiliation_id))

    def _handle(self, affiliation_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(AffiliationWorkflow.run, workflow_id(affiliation_id))

    async def _in_time(self, call: Awaitable[_T], timeout: timedelta | None = None) -> _T:
        # The client's own limit is per attempt and connecting has none: this is the whole of it.
        try:
            async with asyncio.timeout((timeout or self._timeout).total_seconds()):
                return await call
        except TimeoutError:
            raise EngineAway("no answer in time") from None
        except RuntimeError:  # how a lazy client says that its first connection failed
            raise EngineAway("no connection") from None


def _refusal(failed: WorkflowUpdateFailedError) -> Exception:
    cause = failed.cause
    if isinstance(cause, ApplicationError) and cause.type in set(Refused):
        retry_at = datetime.fromisoformat(cause.details[0]) if cause.details else None
        return Refusal(Refused(cause.type), retry_at)
    return EngineAway("the workflow could not answer")


def _absent(error: RPCError) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NotRunning()
    return EngineAway(error.status.name)
