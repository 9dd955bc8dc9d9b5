"""One DSN file, from its first reading to the changes of rights that nobody needs to look at.

The file is looked through, then recorded and carried out batch by batch: each batch is one activity that may be
repeated, so that a worker that dies costs no more than the batch it was at. Changes that somebody has to confirm wait
in the database, not here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.dsn import (
        APPLY_DSN,
        DSN_BATCH_TIMEOUT,
        DSN_HEARTBEAT,
        DSN_IMPORT,
        DSN_RETRY,
        DSN_STEP_TIMEOUT,
        DSN_SURVEY_TIMEOUT,
        FINISH_DSN,
        RECORD_DSN,
        SURVEY_DSN,
        DsnApplied,
        DsnBatch,
        DsnFinished,
        DsnImported,
        DsnPhase,
        DsnProgress,
        DsnRecorded,
        DsnStep,
        DsnSurveyed,
        StartDsnImport,
    )

BATCHES_IN_A_RUN = 500  # then the workflow goes on as a new run, with an empty history


@workflow.defn(name=DSN_IMPORT)
class DsnImportWorkflow:
    """Reads it to the end, once."""

    @workflow.init
    def __init__(self, start: StartDsnImport) -> None:
        self.at = start
        self.phase = DsnPhase.surveying
        self.batches = 0

    @workflow.run
    async def run(self, start: StartDsnImport) -> DsnImported:
        surveyed = start.surveyed or await self._survey()
        if not surveyed.refused:
            self._enter(DsnPhase.recording)
            while not self.at.all_recorded:
                await self._record()
            self._enter(DsnPhase.applying)
            while not await self._apply():
                pass
        finished: DsnFinished = await self._do(
            FINISH_DSN, DsnStep(start.import_id), DsnFinished, "counts, and the end", DSN_STEP_TIMEOUT
        )
        self._enter(DsnPhase.finished)
        return DsnImported(finished.state, self.at.counts)

    async def _survey(self) -> DsnSurveyed:
        self._show()
        surveyed: DsnSurveyed = await self._do(
            SURVEY_DSN, DsnStep(self.at.import_id), DsnSurveyed, "the whole file, looked through", DSN_SURVEY_TIMEOUT
        )
        self.at = replace(self.at, surveyed=surveyed)
        return surveyed

    async def _record(self) -> None:
        self._rest_if_long()
        after = self.at.recorded_to
        done: DsnRecorded = await self._do(
            RECORD_DSN, self._batch(after), DsnRecorded, f"declarations after {after}", DSN_BATCH_TIMEOUT
        )
        assert done.done or done.last > after, "a batch has at least one declaration"
        counts = self.at.counts
        self.at = replace(
            self.at,
            recorded_to=done.last,
            all_recorded=done.done,
            counts=replace(
                counts,
                recorded=counts.recorded + done.recorded,
                duplicate=counts.duplicate + done.duplicate,
                set_aside=counts.set_aside + done.set_aside,
                foreign=counts.foreign + done.foreign,
                changes=counts.changes + done.changes,
            ),
        )
        self._show()

    async def _apply(self) -> bool:
        """Whether that was all of it."""
        self._rest_if_long()
        after = self.at.applied_to
        done: DsnApplied = await self._do(
            APPLY_DSN, self._batch(after), DsnApplied, f"changes of declarations after {after}", DSN_BATCH_TIMEOUT
        )
        counts = self.at.counts
        self.at = replace(
            self.at,
            applied_to=max(after, done.last),  # the same again: changes of one declaration are left
            counts=replace(counts, applied=counts.applied + done.applied, left=counts.left + done.left),
        )
        self._show()
        return done.done

    def _batch(self, after: int) -> DsnBatch:
        return DsnBatch(self.at.import_id, after)

    async def _do(self, activity: str, order: Any, result: Any, summary: str, timeout: timedelta) -> Any:
        return await workflow.execute_activity(
            activity,
            order,
            result_type=result,
            start_to_close_timeout=timeout,
            heartbeat_timeout=DSN_HEARTBEAT if timeout > DSN_HEARTBEAT else None,
            retry_policy=DSN_RETRY,
            summary=summary,
        )

    def _rest_if_long(self) -> None:
        if self.batches >= BATCHES_IN_A_RUN or workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self.at)
        self.batches += 1

    @workflow.query
    def progress(self) -> DsnProgress:
        """How far it is."""
        at = self.at
        declarations = at.surveyed.declarations if at.surveyed else 0
        done = at.applied_to if self.phase is DsnPhase.applying else at.recorded_to
        return DsnProgress(
            self.phase, declarations, declarations if self.phase is DsnPhase.finished else done, at.counts
        )

    def _enter(self, phase: DsnPhase) -> None:
        self.phase = phase
        self._show()

    def _show(self) -> None:
        now, counts = self.progress(), self.at.counts
        workflow.set_current_details(
            f"**{now.phase}** {now.done} of {now.declarations} declarations\n\n"
            f"- {counts.recorded} recorded, {counts.duplicate} known already, {counts.set_aside} set aside,"
            f" {counts.foreign} not ours\n"
            f"- {counts.changes} changes, {counts.applied} applied, {counts.left} to be decided"
        )
