"""A request to HCR Bien-Être: acknowledged at once, escalated when its answer is overdue, closed when nobody replies.

What people do is written in the database first and told here under its version. Every step of this workflow holds for
the version that it knows: where the database has a newer one, nothing happens and the newer one is heard of.
"""

import contextlib
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.contact import (
        ACKNOWLEDGE_CONTACT,
        CLOSE_CONTACT,
        CONTACT,
        CONTACT_RETRY,
        CONTACT_TIMEOUT,
        ESCALATE_CONTACT,
        ContactFacts,
        ContactStep,
        StartContact,
    )
    from domain.contact import ContactState, closes_at


@workflow.defn(name=CONTACT)
class ContactRequestWorkflow:
    @workflow.init
    def __init__(self, start: StartContact) -> None:
        self.id = start.request_id
        self.facts = start.facts

    @workflow.run
    async def run(self, start: StartContact) -> ContactFacts:
        if not self.facts.acknowledged:
            await self._do(ACKNOWLEDGE_CONTACT, "that it was received, and until when an answer is due")
        while self.facts.state is not ContactState.closed:
            if self.facts.state is ContactState.answered:
                await self._wait_for_a_reply()
            else:
                await self._wait_for_an_answer()
        self._show("closed")
        return self.facts

    @workflow.signal
    async def changed(self, facts: ContactFacts) -> None:
        """Somebody did something; told twice or late, it changes nothing."""
        self._hear(facts)

    async def _wait_for_an_answer(self) -> None:
        if self.facts.escalated:
            self._show("overdue: the heads were told; waits for staff's answer")
            await self._wait(None, "")
            return
        due = self.facts.due_at
        self._show(f"{self.facts.state}; an answer is due {due:%Y-%m-%d %H:%M} UTC")
        if not await self._wait(due, "until an answer is due"):
            await self._do_what_is_due(ESCALATE_CONTACT, "the heads are told")

    async def _wait_for_a_reply(self) -> None:
        assert self.facts.answered_at is not None, "when it was answered"
        until = closes_at(self.facts.answered_at)
        self._show(f"answered; closed {until:%Y-%m-%d %H:%M} UTC unless somebody replies")
        if not await self._wait(until, "until it is closed without a reply"):
            await self._do_what_is_due(CLOSE_CONTACT, "nobody replied; how was it?")

    async def _wait(self, until: datetime | None, summary: str) -> bool:
        """Whether something was heard by then."""
        known = self.facts.version
        timeout = None if until is None else until - workflow.now()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self.facts.version > known, timeout=timeout, timeout_summary=summary or None
            )
        return self.facts.version > known

    async def _do_what_is_due(self, name: str, summary: str) -> None:
        """A database that knows less than this workflow, as after a restoration, is waited for."""
        known = self.facts.version
        await self._do(name, summary)
        if self.facts.version == known:
            await self._wait(None, "")

    async def _do(self, name: str, summary: str) -> None:
        """A step, after which it is known what the database has."""
        self._hear(
            await workflow.execute_activity(
                name,
                ContactStep(self.id, self.facts.version, workflow.now()),
                result_type=ContactFacts,
                start_to_close_timeout=CONTACT_TIMEOUT,
                retry_policy=CONTACT_RETRY,
                summary=summary,
            )
        )

    def _hear(self, facts: ContactFacts) -> None:
        if facts.version > self.facts.version:
            self.facts = facts

    def _show(self, line: str) -> None:
        workflow.set_current_details(f"**contact request**\n\n{line}")
