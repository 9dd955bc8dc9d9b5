"""The rights of one insured person from the first end or suspension on: what is told when, the proofs that portability
waits for, and its end.

The facts are the database's, told by whoever changed them; the rules are `domain.coverage_rights`. It ends when nothing
is to come any more; a later change starts it again where it stood.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation import HAND_OVER_RETRY, HAND_OVER_TIMEOUT, RECORD_TIMEOUT
    from activities.contracts.rights import (
        END_UNPROVEN,
        HAND_OVER_RIGHTS,
        RECORD_RIGHTS,
        RIGHTS,
        EndUnproven,
        HandOverRights,
        RecordRights,
        RightsDeliveryFailed,
        RightsHandedOver,
        RightsProgress,
        StartRights,
    )
    from domain.affiliation import Result
    from domain.coverage_rights import (
        CoverageFacts,
        RightsMessage,
        RightsStep,
        StepKind,
        Told,
        calendar,
        next_step,
        told_after,
        undelivered,
    )
    from domain.media import Medium


@workflow.defn(name=RIGHTS)
class RightsWorkflow:
    """The only writer of what a person was told of their rights."""

    @workflow.init
    def __init__(self, start: StartRights) -> None:
        self.coverage_id = start.coverage_id
        self.facts = start.facts
        self.told = start.facts.former
        self.recorded = 0  # the version of the facts that was last recorded as heard

    @workflow.run
    async def run(self, start: StartRights) -> int:
        while True:
            if self.recorded < self.facts.version:
                await self._record()
            step = self._next()
            if step is None or (step.kind is StepKind.over and step.at <= workflow.now()):
                await workflow.wait_condition(workflow.all_handlers_finished)
                if self._next() == step and self.recorded == self.facts.version:
                    break
            elif step.at > workflow.now():
                await self._wait_for(step)
            elif step.message is not None:
                await self._hand_over(step.message)
            else:
                await self._end_unproven()
        await self._record(over=True)
        return self.facts.version

    # --- waiting and acting

    def _next(self) -> RightsStep | None:
        return next_step(self.facts, self.told, workflow.now())

    async def _wait_for(self, step: RightsStep) -> None:
        """Until the step's moment, or until the facts change."""
        version = self.facts.version
        self._show(step)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self.facts.version != version or self._next() != step,
                timeout=step.at - workflow.now(),
                timeout_summary=f"until the next step ({step.kind})",
            )

    async def _hand_over(self, message: RightsMessage) -> None:
        """One message by one activity. One that reaches nobody by e-mail is sent by post, under its own number."""
        number, facts = self.told.next_number(message), self.facts
        sent: RightsHandedOver = await workflow.execute_activity(
            HAND_OVER_RIGHTS,
            HandOverRights(self.coverage_id, message, number, replace(facts, former=Told()), self.told),
            result_type=RightsHandedOver,
            start_to_close_timeout=HAND_OVER_TIMEOUT,
            retry_policy=HAND_OVER_RETRY,
            summary=f"{message} {number}",
        )
        if sent.facts is not None:
            self._take(sent.facts)
            return
        numbers = {**self.told.numbers, message.value: number}
        if sent.result is Result.bad_address and sent.medium is Medium.email:
            self.told = replace(self.told, numbers=numbers)
        else:
            self.told = told_after(self.told, message, facts, sent.at)
        await self._record(attention=_attention(sent))

    async def _end_unproven(self) -> None:
        facts: CoverageFacts = await workflow.execute_local_activity(
            END_UNPROVEN,
            EndUnproven(self.coverage_id, self.facts.version),
            result_type=CoverageFacts,
            start_to_close_timeout=RECORD_TIMEOUT,
        )
        self._take(facts)

    # --- what is told

    @workflow.update
    async def facts_changed(self, facts: CoverageFacts) -> RightsProgress:
        """What the database has now; told again or too late, it changes nothing."""
        self._take(facts)
        if self.recorded < self.facts.version:
            await self._record()
        return self.progress()

    @workflow.signal
    async def delivery_failed(self, failed: RightsDeliveryFailed) -> None:
        """An e-mail of ours came back: what it said last is said again, by post."""
        if failed.medium is not Medium.email:
            await self._record(attention="unreachable")
        elif (told := undelivered(self.told, failed.message, failed.number)) != self.told:
            self.told = told
            await self._record()

    @workflow.query
    def progress(self) -> RightsProgress:
        now = workflow.now()
        steps = calendar(self.facts, self.told, now)
        return RightsProgress(self.facts.version, steps[0] if steps else None, steps)

    def _take(self, facts: CoverageFacts) -> None:
        if facts.version > self.facts.version:
            self.facts = facts

    async def _record(self, attention: str | None = None, over: bool = False) -> None:
        """Numbered before anything is awaited, so that what comes late finds a newer one."""
        self.told = replace(self.told, version=self.told.version + 1)
        self.recorded = max(self.recorded, self.facts.version)
        step = None if over else self._next()
        await workflow.execute_local_activity(
            RECORD_RIGHTS,
            RecordRights(self.coverage_id, self.facts.version, self.told, step, attention),
            start_to_close_timeout=RECORD_TIMEOUT,
        )
        self._show(step)

    def _show(self, step: RightsStep | None) -> None:
        end = self.facts.end
        stands = f"contract ends on {end.contract_ends_on}, portability {end.portability}" if end else "no end"
        coming = f"next: {step.kind}, {step.at:%Y-%m-%d %H:%M} UTC" if step else "nothing is to come"
        workflow.set_current_details(f"**rights**: {stands}\n\n{coming}")


def _attention(sent: RightsHandedOver) -> str | None:
    if sent.result is Result.accepted or (sent.medium is Medium.email and sent.result is Result.bad_address):
        return None
    return "uncertain" if sent.result is Result.uncertain else "unreachable"
