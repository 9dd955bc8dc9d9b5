"""One affiliation, from declaration to insured or abandoned, as one durable workflow.

The rules are in `domain/`: this file waits, acts and listens. Requests of people come as updates, whose validators
refuse without a trace in history; provider callbacks come as signals. Every change is numbered and recorded once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation import (
        EMPLOYEE_ACTOR,
        HAND_OVER,
        HAND_OVER_RETRY,
        HAND_OVER_TIMEOUT,
        MEDIUM,
        PROVIDER_ACTOR,
        RECORD,
        RECORD_TIMEOUT,
        SIREN,
        SIRET,
        STATUS,
        SYSTEM_ACTOR,
        Actor,
        Asked,
        Completed,
        Completion,
        ContactCorrected,
        Declined,
        DeliveryFailed,
        DoubtResolved,
        DraftSaved,
        Ended,
        Event,
        EventKind,
        HandedOver,
        Handling,
        HandOver,
        Paused,
        PiecesChanged,
        Progress,
        RecordChange,
        Recorded,
        Skipped,
        StartAffiliation,
        Withdrawn,
    )
    from activities.contracts.waivers import WAIVER, StartWaiver, waiver_workflow_id
    from domain.affiliation import (
        AffiliationState,
        Channel,
        Closure,
        DeclineReason,
        Message,
        Refusal,
        Refused,
        Status,
        declared,
    )
    from domain.media import Medium
    from domain.plan import Step, calendar, next_step, skippable, skipped
    from domain.policy import shared


@workflow.defn(name="Affiliation", failure_exception_types=[Refusal])
class AffiliationWorkflow:
    """The only writer of an affiliation's status."""

    @workflow.init
    def __init__(self, start: StartAffiliation) -> None:
        self.id = start.affiliation_id
        self.policy = shared(start.policy)
        self.state = declared(workflow.now(), start.reachable, start.medium)
        self.shown = (self.state.status, self.state.medium)  # as the search attributes say it

    @workflow.run
    async def run(self, start: StartAffiliation) -> Ended:
        while True:
            while (step := self._next()) is not None:
                if step.at > workflow.now():
                    await self._wait_for(step)
                elif step.message is not None:
                    await self._hand_over(step.message)
                elif step.kind == "pieces_deadline":
                    await self._give_pieces_up_to_staff()
                else:
                    await self._abandon()
            if self.state.awaited:  # no timer: pieces or staff come when they come
                await workflow.wait_condition(lambda: self._next() is not None or not self.state.awaited)
                continue
            await workflow.wait_condition(workflow.all_handlers_finished)
            # else a withdrawal has just yielded to a submission, which is to be confirmed, or staff asked for a piece
            if self._next() is None and not self.state.awaited:
                break
        return Ended(self.state.status, self.state.closure)

    # --- waiting and acting

    def _next(self) -> Step | None:
        return next_step(self.state, self.policy, workflow.now())

    async def _wait_for(self, step: Step) -> None:
        """Until the step's moment, or until something earlier is to be done.

        What moves the plan later leaves the timer as it is: it costs nothing, and the plan is asked again then.
        """

        def overtaken() -> bool:
            upcoming = self._next()
            return upcoming is None or upcoming.at < step.at

        self._show(step)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                overtaken, timeout=step.at - workflow.now(), timeout_summary=f"until the next step ({step.kind})"
            )

    async def _hand_over(self, message: Message) -> None:
        """One message, by one activity that sends and records; given up when it is no longer wanted."""
        numbered = {**self.state.numbers, message.kind: message.number}
        self.state = replace(self.state, numbers=numbered, version=self.state.version + 1)
        version, wanted_by = self.state.version, self._circumstances(message)

        sending = workflow.start_activity(
            HAND_OVER,
            HandOver(self.id, message, self.state),
            result_type=HandedOver,
            start_to_close_timeout=HAND_OVER_TIMEOUT,
            retry_policy=HAND_OVER_RETRY,
            summary=f"{message.kind} {message.number} by {message.medium}",
        )
        await workflow.wait_condition(lambda: sending.done() or self._circumstances(message) != wanted_by)
        if not sending.done():
            sending.cancel()  # an attempt under way ends by itself; its number is never used again
            sending.add_done_callback(_heard)
            return
        outcome = await sending
        if outcome.completion is not None:
            await self._complete(outcome.completion, SYSTEM_ACTOR)
        elif outcome.handling is Handling.postponed:
            self.state = replace(self.state, numbers={**self.state.numbers, message.kind: message.number - 1})
        else:
            self.state = self.state.handed_over(message, outcome.result, outcome.at)
            if self.state.version != version:  # something was told meanwhile: the activity's record is behind
                self.state = replace(self.state, version=self.state.version + 1)
                await self._record(self.state, None)
        self._show()

    def _circumstances(self, message: Message) -> tuple[object, ...]:
        """What a message under way depends on: when one changes, the plan is asked again, under another number.

        Nothing else may change the number: what is in doubt is only ever looked up under its own. A pause is the
        activity's matter, which knows whether anything can have left. While pieces are awaited, a message that asks for
        others, or for none any more, or goes where nothing arrives, is given up too.
        """
        state = self.state
        pieces = (state.pieces_since, bool(state.missing), message.medium in state.reachable) if state.awaited else None
        return state.status, state.medium, state.address_versions.get(message.medium), pieces

    async def _abandon(self) -> None:
        """The end by silence, unless a submission reached the database first."""
        await self._close(self.state.abandoned(Closure.no_response), EventKind.abandoned, SYSTEM_ACTOR, {})

    async def _give_pieces_up_to_staff(self) -> None:
        """The pieces' deadline: whoever was asked hears no more by itself."""
        details = {"pieces": " ".join(self.state.missing)}
        await self._change(self.state.pieces_overdue(), EventKind.pieces_overdue, SYSTEM_ACTOR, details)

    # --- what people and providers say

    @workflow.update
    async def remind(self, asked: Asked) -> Progress:
        """« Relancer »."""
        state = self.state.employer_reminder_asked(workflow.now(), self.policy)
        return await self._change(state, EventKind.reminder_asked, asked.actor)

    @remind.validator
    def _can_remind(self, asked: Asked) -> None:
        self._allow(lambda now: self.state.employer_reminder_asked(now, self.policy))

    @workflow.update
    async def send_link(self, asked: Asked) -> Progress:
        """« Retrouver mon lien », asked by the employee."""
        state = self.state.link_asked(workflow.now(), self.policy)
        return await self._change(state, EventKind.link_asked, asked.actor)

    @send_link.validator
    def _can_send_link(self, asked: Asked) -> None:
        self._allow(lambda now: self.state.link_asked(now, self.policy))

    @workflow.update
    async def correct_contact(self, corrected: ContactCorrected) -> Progress:
        """A new version of the contact, already in the database; links sent to changed addresses die."""
        return await self._change(
            self._corrected(corrected, workflow.now()),
            EventKind.contact_corrected,
            corrected.actor,
            {"changed": " ".join(corrected.changed)},
            revoked=corrected.changed,
        )

    @correct_contact.validator
    def _can_correct_contact(self, corrected: ContactCorrected) -> None:
        self._allow(lambda now: self._corrected(corrected, now))

    def _corrected(self, corrected: ContactCorrected, now: datetime) -> AffiliationState:
        return self.state.contact_corrected(now, corrected.contact_version, corrected.changed, corrected.reachable)

    @workflow.update
    async def save_draft(self, saved: DraftSaved) -> Progress:
        """The employee saved a draft; the first one is « Démarré par le salarié »."""
        first = self.state.status is not Status.started
        state = self.state.draft_saved(workflow.now(), saved.by)
        return await self._change(state, EventKind.started if first else None, EMPLOYEE_ACTOR, {"medium": saved.by})

    @save_draft.validator
    def _can_save_draft(self, saved: DraftSaved) -> None:
        self._allow(lambda now: self.state.draft_saved(now, saved.by))

    @workflow.update
    async def complete(self, completed: Completed) -> Progress:
        """The completed form is in the database; told again, it changes nothing."""
        if self.state.status is not Status.finalised:
            await self._complete(completed.completion, completed.actor)
        return self.progress()

    @complete.validator
    def _can_complete(self, completed: Completed) -> None:
        if self.state.status is not Status.finalised:
            self._allow(lambda now: _completed(self.state, completed.completion, now))

    @workflow.update
    async def pieces_changed(self, changed: PiecesChanged) -> Progress:
        """What is missing or being checked, already in the database; told again, it changes nothing."""
        if changed.version <= self.state.pieces_version:
            return self.progress()
        details = {"pieces": " ".join(_pieces_concerned(self.state.missing, changed))}
        return await self._change(self._with_pieces(changed, workflow.now()), changed.event, changed.actor, details)

    @pieces_changed.validator
    def _can_change_pieces(self, changed: PiecesChanged) -> None:
        if self.state.status is not Status.finalised or changed.version > self.state.pieces_version:
            self._allow(lambda now: self._with_pieces(changed, now))

    def _with_pieces(self, changed: PiecesChanged, now: datetime) -> AffiliationState:
        return self.state.pieces_changed(now, changed.version, changed.missing, changed.checking)

    @workflow.update
    async def decline(self, declined_: Declined) -> Progress:
        """« Ce n'est pas moi », « J'ai quitté l'entreprise »."""
        details = {"reason": declined_.reason.value, "medium": declined_.by.value}
        state = self.state.declined(declined_.by, declined_.reason)
        if declined_.reason is DeclineReason.left_company:
            return await self._close(state, EventKind.declined, EMPLOYEE_ACTOR, details)
        return await self._change(state, EventKind.declined, EMPLOYEE_ACTOR, details, revoked=(declined_.by,))

    @decline.validator
    def _can_decline(self, declined_: Declined) -> None:
        self._allow(lambda now: self.state.declined(declined_.by, declined_.reason))

    @workflow.update
    async def withdraw(self, withdrawn: Withdrawn) -> Progress:
        """The employer takes the declaration back. Fails as closed when the form came in first."""
        state = self.state.abandoned(withdrawn.closure)
        progress = await self._close(state, EventKind.abandoned, withdrawn.actor, {"reason": withdrawn.closure.value})
        if self.state.status is not Status.abandoned:
            raise _refused(Refusal(Refused.closed))
        return progress

    @withdraw.validator
    def _can_withdraw(self, withdrawn: Withdrawn) -> None:
        self._allow(lambda now: self.state.abandoned(withdrawn.closure))

    @workflow.update
    async def pause(self, paused: Paused) -> Progress:
        """No automatic message until resumed."""
        state = self.state.paused(paused.reason)
        return await self._change(state, EventKind.paused, paused.actor, {"reason": paused.reason.value})

    @pause.validator
    def _can_pause(self, paused: Paused) -> None:
        self._allow(lambda now: self.state.paused(paused.reason))

    @workflow.update
    async def resume(self, asked: Asked) -> Progress:
        """Automatic messages again, their clock starting now."""
        return await self._change(self.state.resumed(workflow.now()), EventKind.resumed, asked.actor)

    @resume.validator
    def _can_resume(self, asked: Asked) -> None:
        self._allow(lambda now: self.state.resumed(now))

    @workflow.update
    async def skip(self, asked: Skipped) -> Progress:
        """One automatic message does not leave; what comes after it does."""
        state = self._skipped(asked, workflow.now())
        details = {"message": asked.kind.value, "number": str(asked.number)}
        return await self._change(state, EventKind.message_skipped, asked.actor, details)

    @skip.validator
    def _can_skip(self, asked: Skipped) -> None:
        self._allow(lambda now: self._skipped(asked, now))

    def _skipped(self, asked: Skipped, now: datetime) -> AffiliationState:
        return skipped(self.state, self.policy, now, asked.kind, asked.number)

    @workflow.update
    async def resolve_doubt(self, resolved: DoubtResolved) -> Progress:
        """Staff found out whether the message in doubt left."""
        state = self.state.doubt_resolved(resolved.verdict, workflow.now())
        details = {"verdict": resolved.verdict.value}
        return await self._change(state, EventKind.doubt_resolved, resolved.actor, details)

    @resolve_doubt.validator
    def _can_resolve_doubt(self, resolved: DoubtResolved) -> None:
        self._allow(lambda now: self.state.doubt_resolved(resolved.verdict, now))

    @workflow.signal
    async def delivery_failed(self, failed: DeliveryFailed) -> None:
        """A bounce, a complaint, a returned letter: told twice or too late, it changes nothing."""
        state = self.state.delivery_failed(failed.medium, failed.contact_version)
        if state != self.state:
            details = {"medium": failed.medium.value, "reason": failed.reason}
            await self._change(state, EventKind.delivery_failed, PROVIDER_ACTOR, details)

    @workflow.query
    def progress(self) -> Progress:
        """Where it stands, and the dated list of everything still to come."""
        now = workflow.now()
        return Progress(
            status=self.state.status,
            medium=self.state.medium,
            next_step=next_step(self.state, self.policy, now),
            calendar=calendar(self.state, self.policy, now),
            skippable=skippable(self.state, self.policy, now),
            attention=self.state.attention,
            pause=self.state.pause,
            reminder_allowed_from=self.state.reminder_allowed_from(self.policy),
            version=self.state.version,
            missing=self.state.missing,
            checking=self.state.checking,
        )

    # --- changes

    async def _change(
        self,
        state: AffiliationState,
        kind: EventKind | None,
        actor: Actor,
        details: dict[str, str] | None = None,
        revoked: tuple[Medium, ...] = (),
    ) -> Progress:
        """Take a new state before anything is awaited, then record it, so that two requests never act on one state."""
        self.state = replace(state, version=self.state.version + 1)
        event = Event(kind, workflow.now(), actor, details or {}) if kind else None
        await self._record(self.state, event, revoked)
        self._show()
        return self.progress()

    async def _close(self, state: AffiliationState, kind: EventKind, actor: Actor, details: dict[str, str]) -> Progress:
        """Abandon; a submission that reached the database first wins and finalises instead."""
        before = self.state
        self.state = replace(state, version=before.version + 1)
        recorded = await self._record(self.state, Event(kind, workflow.now(), actor, details))
        if recorded.completion is not None:
            self.state = before
            await self._complete(recorded.completion, SYSTEM_ACTOR)
        self._show()
        return self.progress()

    async def _complete(self, completion: Completion, actor: Actor) -> None:
        """Finalised; it goes on while pieces are missing or being checked."""
        details = {"channel": completion.channel.value, "missing": " ".join(completion.missing)}
        actor = EMPLOYEE_ACTOR if completion.channel is Channel.online else actor
        state = _completed(self.state, completion, workflow.now())
        if state.awaited and not self._follows_pieces():
            state = replace(state, awaited=False, attention=None, pieces_since=None)
        await self._change(state, EventKind.finalised, actor, details)
        if completion.waiver_ends_on is not None:
            await self._start_waiver(completion.waiver_ends_on)

    def _follows_pieces(self) -> bool:
        """Not in the lives that a former version finalised: those ended when the pieces had been asked for."""
        return workflow.patched("awaits-pieces")

    async def _start_waiver(self, ends_on: date) -> None:
        """Its end brings the person back; it lives on when this affiliation ends."""
        own = workflow.info().typed_search_attributes
        pairs = [SearchAttributePair(key, value) for key in (SIRET, SIREN) if (value := own.get(key)) is not None]
        policy = self.policy
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                WAIVER,
                StartWaiver(self.id, ends_on, policy.waiver_notice_days, policy.opens, policy.closes),
                id=waiver_workflow_id(self.id),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes(pairs),
                static_summary="Waiver of an employee, until they are asked again",
            )

    async def _record(self, state: AffiliationState, event: Event | None, revoked: tuple[Medium, ...] = ()) -> Recorded:
        change = RecordChange(
            self.id, state, next_step(state, self.policy, workflow.now()), event=event, revoked=revoked
        )
        recorded: Recorded = await workflow.execute_local_activity(
            RECORD,
            change,
            result_type=Recorded,
            start_to_close_timeout=RECORD_TIMEOUT,
        )
        return recorded

    def _allow(self, transition: Callable[[datetime], AffiliationState]) -> None:
        """Refuse in the validator, typed, when the rules refuse the transition."""
        try:
            transition(workflow.now())
        except Refusal as refusal:
            raise _refused(refusal) from None

    # --- what operators see

    def _show(self, step: Step | None = None) -> None:
        """Search attributes where they changed, and the current details of the Temporal UI (free)."""
        status, medium = self.state.status, self.state.medium
        changes = []
        if status is not self.shown[0]:
            changes.append(STATUS.value_set(status.value))
        if medium is not self.shown[1]:
            changes.append(MEDIUM.value_set(medium.value))
        if changes:
            workflow.upsert_search_attributes(changes)
            self.shown = (status, medium)
        step = step or self._next()
        lines = [f"**{status}** by {medium}"]
        if self.state.attention:
            lines.append(f"needs a person: **{self.state.attention}**")
        if self.state.pause:
            lines.append(f"automatic messages paused: {self.state.pause}")
        if self.state.awaited and self.state.missing:
            lines.append(f"missing: {', '.join(self.state.missing)}")
        if self.state.awaited and self.state.checking:
            lines.append("documents wait for staff's check")
        if step is not None:
            by = f" by {step.medium}" if step.medium else ""
            lines.append(f"next: {step.kind}{by}, {step.at:%Y-%m-%d %H:%M} UTC")
        workflow.set_current_details("\n\n".join(lines))


def _completed(state: AffiliationState, completion: Completion, now: datetime) -> AffiliationState:
    return state.completed(
        now,
        completion.missing,
        checking=completion.checking,
        pieces_version=completion.pieces_version,
        contact_version=completion.contact_version,
        reachable=completion.reachable,
    )


def _pieces_concerned(before: tuple[str, ...], changed: PiecesChanged) -> list[str]:
    """Those newly missing; else those missing no longer."""
    asked = [piece for piece in changed.missing if piece not in before]
    return asked or [piece for piece in before if piece not in changed.missing]


def _heard(sending: asyncio.Task[HandedOver]) -> None:
    """Nobody waits for a message given up: take its end note, so that it is not reported as an error."""
    if not sending.cancelled():
        sending.exception()


def _refused(refusal: Refusal) -> ApplicationError:
    details = [refusal.retry_at.isoformat()] if refusal.retry_at else []
    return ApplicationError(refusal.code.value, *details, type=refusal.code.value, non_retryable=True)
