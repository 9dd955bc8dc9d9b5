"""The recovery of a company whose administrator has gone: a letter, its code, a delay in which anybody may object.

It waits for weeks: one timer at a time. An objection is written in the database first and only shortens the waiting
here: what grants looks there, in the transaction that grants.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation import HAND_OVER_TIMEOUT
    from activities.contracts.company_recovery import (
        COMPANY_RECOVERY,
        END_RECOVERY,
        ENTER_RECOVERY_CODE,
        GRANT_RECOVERY,
        OPEN_RECOVERY,
        RECOVERY_RETRY,
        RECOVERY_TIMEOUT,
        EndRecovery,
        EnterRecoveryCode,
        RecoveryCodeEntered,
        RecoveryCodeTaken,
        RecoveryEnded,
        RecoveryOpened,
        StartCompanyRecovery,
    )
    from activities.contracts.notices import NOTICE_RETRY, SEND_NOTICE, NoticeOutcome, NoticeSent
    from domain.company_recovery import RecoveryState, code_waited_until, granted_at


@workflow.defn(name=COMPANY_RECOVERY)
class CompanyRecoveryWorkflow:
    @workflow.init
    def __init__(self, start: StartCompanyRecovery) -> None:
        self.id = start.recovery_id
        self.waits_for_code = False
        self.taking_code = False
        self.grant_at: datetime | None = None
        self.stopped = False

    @workflow.run
    async def run(self, start: StartCompanyRecovery) -> RecoveryEnded:
        self._show("whoever may object is being told")
        opened: RecoveryOpened = await self._do(
            OPEN_RECOVERY, self.id, RecoveryOpened, "notices, and the letter to the registered office"
        )
        if opened.letter_id is None:
            ended = await self._end(RecoveryState.expired)
        elif await self._post(opened.letter_id) is NoticeOutcome.refused:
            ended = await self._end(RecoveryState.undeliverable)
        else:
            ended = await self._go_on()
        self._show(f"ended: {ended.state}")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    async def _go_on(self) -> RecoveryEnded:
        """The letter is on its way."""
        await self._wait_for_code()
        if self.grant_at is None:
            return await self._end(RecoveryState.expired)
        self._show(f"the code was right; granted {self.grant_at:%Y-%m-%d %H:%M} UTC unless somebody objects")
        await self._wait(lambda: self.stopped, self.grant_at, "until nobody may object any more")
        ended: RecoveryEnded = await self._do(
            GRANT_RECOVERY, self.id, RecoveryEnded, "an invitation, where nobody objected"
        )
        return ended

    async def _post(self, letter_id: str) -> NoticeOutcome:
        self._show("the letter is being posted")
        sent: NoticeSent = await workflow.execute_activity(
            SEND_NOTICE,
            letter_id,
            result_type=NoticeSent,
            start_to_close_timeout=HAND_OVER_TIMEOUT,
            retry_policy=NOTICE_RETRY,
            summary="the letter",
        )
        return sent.outcome

    async def _wait_for_code(self) -> None:
        until = code_waited_until(workflow.now())
        self.waits_for_code = True
        self._show(f"waits for the code of the letter until {until:%Y-%m-%d %H:%M}, Paris")
        await self._wait(lambda: self.stopped or self.grant_at is not None, until, "until the code's last day is over")
        self.waits_for_code = False
        await workflow.wait_condition(lambda: not self.taking_code)  # one that came with the last second counts

    async def _end(self, why: RecoveryState) -> RecoveryEnded:
        ended: RecoveryEnded = await self._do(END_RECOVERY, EndRecovery(self.id, why), RecoveryEnded, "its end")
        return ended

    @workflow.update
    async def enter_code(self, entered: RecoveryCodeEntered) -> RecoveryCodeTaken:
        """The letter's code: used once. Told twice, the first one counts."""
        self.taking_code = True
        now = workflow.now()
        taken: RecoveryCodeTaken = await workflow.execute_local_activity(
            ENTER_RECOVERY_CODE,
            EnterRecoveryCode(self.id, entered.notice_id, now, granted_at(now)),
            result_type=RecoveryCodeTaken,
            start_to_close_timeout=RECOVERY_TIMEOUT,
        )
        self.grant_at = taken.grant_at
        self.taking_code = False
        return taken

    @enter_code.validator
    def _waits_for_a_code(self, entered: RecoveryCodeEntered) -> None:
        if not self.waits_for_code or self.taking_code or self.grant_at is not None or self.stopped:
            raise ApplicationError("no code is awaited", type="NoCodeAwaited", non_retryable=True)

    @workflow.signal
    async def stop(self) -> None:
        """Somebody objected; the database has it already."""
        self.stopped = True

    async def _wait(self, over: Callable[[], bool], until: datetime, summary: str) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(over, timeout=until - workflow.now(), timeout_summary=summary)

    async def _do(self, name: str, order: Any, result: type[Any], summary: str) -> Any:
        return await workflow.execute_activity(
            name,
            order,
            result_type=result,
            start_to_close_timeout=RECOVERY_TIMEOUT,
            retry_policy=RECOVERY_RETRY,
            summary=summary,
        )

    def _show(self, line: str) -> None:
        workflow.set_current_details(f"**recovery of a company**\n\n{line}")
