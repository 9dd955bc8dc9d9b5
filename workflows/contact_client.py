"""Tells the workflows of contact requests, which begin with the first thing they are told."""

from __future__ import annotations

from uuid import UUID

from temporalio.common import WorkflowIDReusePolicy

from activities.contracts.contact import ContactFacts, StartContact, contact_workflow_id
from workflows.contact_request import ContactRequestWorkflow
from workflows.engine import Engine, EngineAway, NotRunning


class ContactRequests(Engine):
    """One workflow for each request, `contact/<id>`; one that was closed and is reopened begins again."""

    async def tell(self, request_id: UUID, facts: ContactFacts) -> None:
        """What the database has, under its version: told twice, it happens once. Raises EngineAway."""
        try:
            async with self._in_time():
                await self._client.start_workflow(
                    ContactRequestWorkflow.run,
                    StartContact(str(request_id), facts),
                    id=contact_workflow_id(str(request_id)),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    start_signal=ContactRequestWorkflow.changed.__name__,
                    start_signal_args=[facts],
                    static_summary="A request to HCR Bien-Être",
                    rpc_timeout=self._timeout,
                )
        except NotRunning:  # the engine knows no such namespace
            raise EngineAway("NOT_FOUND") from None
