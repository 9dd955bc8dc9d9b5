"""An export that takes longer than an answer may: its file is written, and deleted once its day is over."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.exports import (
        EXPIRE_EXPORT,
        EXPORT,
        EXPORT_HEARTBEAT,
        EXPORT_RETRY,
        EXPORT_STEP_RETRY,
        EXPORT_STEP_TIMEOUT,
        EXPORT_TIMEOUT,
        FAIL_EXPORT,
        WRITE_EXPORT,
        ExportWritten,
        StartExport,
    )

MARGIN = timedelta(minutes=1)  # the database's clock says when the file's day is over


@workflow.defn(name=EXPORT)
class ExportWorkflow:
    @workflow.run
    async def run(self, start: StartExport) -> ExportWritten:
        self._show("the file is being written")
        try:
            written: ExportWritten = await workflow.execute_activity(
                WRITE_EXPORT,
                start.job_id,
                result_type=ExportWritten,
                start_to_close_timeout=EXPORT_TIMEOUT,
                heartbeat_timeout=EXPORT_HEARTBEAT,
                retry_policy=EXPORT_RETRY,
                summary="the file",
            )
        except ActivityError:
            written = await self._step(FAIL_EXPORT, start, "whoever asked is told that it came to nothing")
        if written.expires_at is not None:
            self._show(f"{written.rows} rows; the file is there until {written.expires_at:%Y-%m-%d %H:%M} UTC")
            wait = written.expires_at + MARGIN - workflow.now()
            if wait > timedelta(0):
                await workflow.sleep(wait, summary="until the file's day is over")
            await self._step(EXPIRE_EXPORT, start, "the file is deleted")
        self._show(f"ended: {written.state}, {written.rows} rows")
        return written

    async def _step(self, name: str, start: StartExport, summary: str) -> Any:
        return await workflow.execute_activity(
            name,
            start.job_id,
            result_type=ExportWritten,
            start_to_close_timeout=EXPORT_STEP_TIMEOUT,
            retry_policy=EXPORT_STEP_RETRY,
            summary=summary,
        )

    def _show(self, line: str) -> None:
        workflow.set_current_details(f"**export**\n\n{line}")
