"""The webhooks of one endpoint: rounds of what is due, until nothing waits. Database and activity know the order."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.webhooks import (
        SEND_RETRY,
        SEND_TIMEOUT,
        SEND_WEBHOOKS,
        WEBHOOK,
        SendWebhooks,
        StartWebhook,
        WebhookRound,
    )


@workflow.defn(name=WEBHOOK)
class WebhookWorkflow:
    """Ends when nothing waits; the next event starts it again."""

    def __init__(self) -> None:
        self._told = False

    @workflow.signal
    async def look(self) -> None:
        """Something has happened, or is to be tried now."""
        self._told = True

    @workflow.run
    async def run(self, start: StartWebhook) -> int:
        sent = start.sent
        while True:
            self._told = False
            done: WebhookRound = await workflow.execute_activity(
                SEND_WEBHOOKS,
                SendWebhooks(start.endpoint_id, workflow.now()),
                result_type=WebhookRound,
                start_to_close_timeout=SEND_TIMEOUT,
                retry_policy=SEND_RETRY,
                summary="what is due",
            )
            sent += done.sent
            if done.wait_seconds is None and not self._told:
                return sent
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(StartWebhook(start.endpoint_id, sent))
            if done.wait_seconds is not None:
                await self._wait(sent, done.wait_seconds)

    async def _wait(self, sent: int, seconds: float) -> None:
        until = workflow.now() + timedelta(seconds=seconds)
        workflow.set_current_details(f"**webhooks**\n\n{sent} sent; next try {until:%Y-%m-%d %H:%M:%S} UTC")
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._told, timeout=seconds, timeout_summary="until the next try")
