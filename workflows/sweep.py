"""One round of the sweep, run by a Temporal schedule: what was committed and not told is told, what stands still shows.

A round that fails is repeated by the next one; each has nothing to remember.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.sweep import SWEEP, SWEEP_RETRY, SWEEP_TIMEOUT, Swept


@workflow.defn(name="Sweep")
class SweepWorkflow:
    @workflow.run
    async def run(self) -> Swept:
        swept: Swept = await workflow.execute_activity(
            SWEEP, result_type=Swept, start_to_close_timeout=SWEEP_TIMEOUT, retry_policy=SWEEP_RETRY
        )
        return swept
