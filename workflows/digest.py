"""The day's messages about what happened in users' companies, run by a Temporal schedule at eight in the morning.

What is told depends on what has been told, not on when this runs: a missed day is told by the next one.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.digests import (
        DIGEST_HEARTBEAT,
        DIGEST_RETRY,
        DIGEST_TIMEOUT,
        SEND_DIGESTS,
        DigestsSent,
        SendDigests,
    )


@workflow.defn(name="Digest")
class DigestWorkflow:
    @workflow.run
    async def run(self) -> DigestsSent:
        sent: DigestsSent = await workflow.execute_activity(
            SEND_DIGESTS,
            SendDigests(workflow.now()),
            result_type=DigestsSent,
            start_to_close_timeout=DIGEST_TIMEOUT,
            heartbeat_timeout=DIGEST_HEARTBEAT,
            retry_policy=DIGEST_RETRY,
        )
        return sent
