"""Starts, tells and asks the workflows of affiliations, and of the waivers they led to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from activities.contracts.affiliation import (
    MEDIUM,
    SIREN,
    SIRET,
    STATUS,
    DeliveryFailed,
    Progress,
    StartAffiliation,
    workflow_id,
)
from activities.contracts.waivers import WaiverEnded, WaiverProgress, waiver_workflow_id
from domain.affiliation import Refusal, Refused, Status, first_medium
from workflows.affiliation import AffiliationWorkflow
from workflows.engine import Engine, EngineAway, NotRunning
from workflows.waiver import WaiverWorkflow


class Affiliations(Engine):
    """The affiliations' workflows, by affiliation id."""

    async def start(self, start: StartAffiliation, siret: str, siren: str) -> None:
        """Start it, once in a life. Started before, running or ended: nothing happens. Raises EngineAway."""
        medium = first_medium(start.reachable, start.medium)
        await self._start_once(
            AffiliationWorkflow.run,
            start,
            workflow_id(start.affiliation_id),
            "Affiliation of an employee, from declaration to insured",
            TypedSearchAttributes(
                [
                    SearchAttributePair(SIRET, siret),
                    SearchAttributePair(SIREN, siren),
                    SearchAttributePair(STATUS, Status.preparing.value),
                    SearchAttributePair(MEDIUM, medium.value),
                ]
            ),
        )

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
        progress: WaiverProgress = await self._ask(self._waiver(affiliation_id), WaiverWorkflow.progress, timeout)
        return progress

    async def delivery_failed(self, affiliation_id: str, failed: DeliveryFailed) -> None:
        """Signal a bounce or a return. Raises NotRunning, EngineAway."""
        async with self._in_time():
            await self._handle(affiliation_id).signal(
                AffiliationWorkflow.delivery_failed, failed, rpc_timeout=self._timeout
            )

    async def progress(self, affiliation_id: str, timeout: timedelta = timedelta(seconds=1)) -> Progress:
        """Where it stands and everything still to come. Raises NotRunning, EngineAway."""
        progress: Progress = await self._ask(self._handle(affiliation_id), AffiliationWorkflow.progress, timeout)
        return progress

    async def is_running(self, affiliation_id: str) -> bool:
        """Raises EngineAway."""
        try:
            async with self._in_time():
                described = await self._handle(affiliation_id).describe(rpc_timeout=self._timeout)
        except NotRunning:
            return False
        return described.close_time is None

    async def _update(self, handle: WorkflowHandle[Any, Any], update: Any, request: Any, request_id: str) -> Any:
        async with self._in_time():
            try:
                return await handle.execute_update(update, request, id=request_id, rpc_timeout=self._timeout)
            except WorkflowUpdateFailedError as failed:
                raise _refusal(failed) from None

    def _waiver(self, affiliation_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(WaiverWorkflow.run, waiver_workflow_id(affiliation_id))

    def _handle(self, affiliation_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(AffiliationWorkflow.run, workflow_id(affiliation_id))


def _refusal(failed: WorkflowUpdateFailedError) -> Exception:
    cause = failed.cause
    if isinstance(cause, ApplicationError) and cause.type in set(Refused):
        retry_at = datetime.fromisoformat(cause.details[0]) if cause.details else None
        return Refusal(Refused(cause.type), retry_at)
    return EngineAway("the workflow could not answer")
