"""One bulk import: its rows looked at where that takes longer than an answer may, or those that were confirmed started.

They are started batch by batch: a batch is one activity that may be repeated, and after each the import rests. Imports
of several companies, whose batches wait for each other, go on in turn.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation_imports import (
        AFFILIATION_IMPORT,
        CHECK_IMPORT,
        FINISH_IMPORT,
        IMPORT_BATCH_TIMEOUT,
        IMPORT_CHECK_TIMEOUT,
        IMPORT_HEARTBEAT,
        IMPORT_RETRY,
        IMPORT_STEP_TIMEOUT,
        START_IMPORT_ROWS,
        BatchStarted,
        ImportBatch,
        ImportFinished,
        ImportProgress,
        ImportState,
        ImportStep,
        ImportTask,
        StartImport,
    )

ROWS_IN_A_BATCH = 25
PAUSE = timedelta(seconds=1)
BATCHES_IN_A_RUN = 200  # then the workflow goes on as a new run, with an empty history


@workflow.defn(name=AFFILIATION_IMPORT)
class AffiliationImportWorkflow:
    """Goes to the end of one round, once. What it does it does by the database, which says also that it is over."""

    @workflow.init
    def __init__(self, start: StartImport) -> None:
        self.at = start
        self.cancelled = False

    @workflow.run
    async def run(self, start: StartImport) -> ImportFinished:
        if start.task is ImportTask.check:
            self._show("its rows are looked at")
            checked: ImportFinished = await self._do(
                CHECK_IMPORT, self._step(), ImportFinished, "every row, looked at", IMPORT_CHECK_TIMEOUT
            )
            return self._ended(checked.state)
        for _ in range(BATCHES_IN_A_RUN):
            batch = await self._batch()
            if batch.over:
                finished: ImportFinished = await self._do(
                    FINISH_IMPORT, self._step(), ImportFinished, "whoever asked is told", IMPORT_STEP_TIMEOUT
                )
                return self._ended(finished.state)
            await self._rest()
        workflow.continue_as_new(self.at)

    @workflow.signal
    def cancel(self) -> None:
        """The database says already that nothing more is started: there is nothing to wait for."""
        self.cancelled = True

    @workflow.query
    def progress(self) -> ImportProgress:
        """How far it is."""
        return ImportProgress(self.at.done, self.at.started)

    async def _batch(self) -> BatchStarted:
        order = ImportBatch(self.at.import_id, self.at.round, self.at.after, ROWS_IN_A_BATCH)
        batch: BatchStarted = await self._do(
            START_IMPORT_ROWS, order, BatchStarted, f"rows after {order.after}", IMPORT_BATCH_TIMEOUT
        )
        self.at = replace(
            self.at,
            after=max(self.at.after, batch.last),
            done=self.at.done + batch.rows,
            started=self.at.started + batch.started,
        )
        self._show(f"{self.at.done} rows done, {self.at.started} affiliations started")
        return batch

    async def _rest(self) -> None:
        try:
            await workflow.wait_condition(lambda: self.cancelled, timeout=PAUSE, timeout_summary="for the others")
        except TimeoutError:
            return

    def _step(self) -> ImportStep:
        return ImportStep(self.at.import_id, self.at.round)

    async def _do(self, activity: str, order: Any, result: Any, summary: str, timeout: timedelta) -> Any:
        return await workflow.execute_activity(
            activity,
            order,
            result_type=result,
            start_to_close_timeout=timeout,
            heartbeat_timeout=IMPORT_HEARTBEAT if timeout > IMPORT_HEARTBEAT else None,
            retry_policy=IMPORT_RETRY,
            summary=summary,
        )

    def _ended(self, state: ImportState) -> ImportFinished:
        self._show(f"ended: {state}, {self.at.started} affiliations started")
        return ImportFinished(state)

    def _show(self, line: str) -> None:
        workflow.set_current_details(f"**import**\n\n{line}")
