"""A waiver (« dispense »), from the form that claimed it to the day the person is asked again.

It waits for months: one timer, one activity. Its end before time comes as an update.
"""

from __future__ import annotations

import contextlib
from datetime import date, datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.waivers import (
        RENEW,
        RENEW_RETRY,
        RENEW_TIMEOUT,
        WAIVER,
        Renew,
        Renewed,
        StartWaiver,
        WaiverEnded,
        WaiverProgress,
    )
    from domain.affiliation import Refused
    from domain.plan import waiver_renewal


@workflow.defn(name=WAIVER)
class WaiverWorkflow:
    """Brings the person back, once."""

    @workflow.init
    def __init__(self, start: StartWaiver) -> None:
        self.start = start
        self.renews_at: datetime | None = self._moment()
        self.ended_on: date | None = None

    @workflow.run
    async def run(self, start: StartWaiver) -> Renewed:
        await self._wait()
        self.renews_at = None
        self._show("the person is being asked again")
        renewed: Renewed = await workflow.execute_activity(
            RENEW,
            Renew(start.affiliation_id, start.ends_on, self.ended_on),
            result_type=Renewed,
            start_to_close_timeout=RENEW_TIMEOUT,
            retry_policy=RENEW_RETRY,
            summary="a new affiliation, where nothing stands in its place",
        )
        self._show(f"ended: {renewed.outcome}")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return renewed

    async def _wait(self) -> None:
        """Until the moment, or the waiver's early end; a timer that fires late, at night, waits for the morning."""
        while self.ended_on is None and (moment := self._moment()) > workflow.now():
            self.renews_at = moment
            self._show(f"next: the person is asked again, {moment:%Y-%m-%d %H:%M} UTC")
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self.ended_on is not None,
                    timeout=moment - workflow.now(),
                    timeout_summary="until the person is asked again",
                )

    def _moment(self) -> datetime:
        start = self.start
        return waiver_renewal(start.ends_on, start.notice_days, start.opens, start.closes, workflow.now())

    @workflow.update
    async def end_waiver(self, ended: WaiverEnded) -> WaiverProgress:
        """Its reason has gone: the person is asked again at once. Told twice, the first one counts."""
        self.ended_on = self.ended_on or ended.on
        return self.progress()

    @end_waiver.validator
    def _can_end(self, ended: WaiverEnded) -> None:
        if self.ended_on is None and (self.renews_at is None or ended.on > self.start.ends_on):
            raise ApplicationError(Refused.waiver_ended, type=Refused.waiver_ended, non_retryable=True)

    @workflow.query
    def progress(self) -> WaiverProgress:
        """Until when it lasts, and when the person is asked again."""
        return WaiverProgress(self.ended_on or self.start.ends_on, None if self.ended_on else self.renews_at)

    def _show(self, line: str) -> None:
        workflow.set_current_details(f"**waiver** until {self.ended_on or self.start.ends_on}\n\n{line}")
