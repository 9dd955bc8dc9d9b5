"""One look into the watched directory of DSN files, run by a Temporal schedule.

A look that fails is repeated by the next one; each has nothing to remember.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.dsn import (
        DSN_DIRECTORY,
        DSN_DIRECTORY_HEARTBEAT,
        DSN_DIRECTORY_TIMEOUT,
        LOOK_INTO_DIRECTORY,
    )
    from activities.contracts.sweep import SWEEP_RETRY


@workflow.defn(name=DSN_DIRECTORY)
class DsnDirectoryWorkflow:
    @workflow.run
    async def run(self) -> int:
        """How many files were taken in."""
        taken: int = await workflow.execute_activity(
            LOOK_INTO_DIRECTORY,
            result_type=int,
            start_to_close_timeout=DSN_DIRECTORY_TIMEOUT,
            heartbeat_timeout=DSN_DIRECTORY_HEARTBEAT,
            retry_policy=SWEEP_RETRY,
        )
        return taken
