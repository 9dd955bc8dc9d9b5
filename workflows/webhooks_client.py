"""Starts and wakes the workflows that send webhooks."""

from __future__ import annotations

from uuid import UUID

from temporalio.common import WorkflowIDReusePolicy

from activities.contracts.webhooks import StartWebhook, webhook_workflow_id
from workflows.engine import Engine, EngineAway, NotRunning
from workflows.webhook import WebhookWorkflow


class Webhooks(Engine):
    """One workflow for each endpoint that something waits for, `webhook/<id>`."""

    async def look(self, endpoint_id: UUID) -> None:
        """Started where it does not run; one that is about to end looks once more. Raises EngineAway."""
        try:
            async with self._in_time():
                await self._client.start_workflow(
                    WebhookWorkflow.run,
                    StartWebhook(str(endpoint_id)),
                    id=webhook_workflow_id(str(endpoint_id)),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    start_signal=WebhookWorkflow.look.__name__,
                    static_summary="The webhooks of one endpoint",
                    rpc_timeout=self._timeout,
                )
        except NotRunning:  # the engine knows no such namespace
            raise EngineAway("NOT_FOUND") from None
