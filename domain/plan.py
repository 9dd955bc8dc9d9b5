"""What comes next in an affiliation, and when: a pure function of its state, its policy and the moment.

The workflow acts on `next_step`; the calendar shown to people is the same function applied to itself, so that what is
announced is what is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.affiliation import AffiliationState, Closure, Message, Result, Status
from domain.media import Medium, MessageKind
from domain.policy import Policy
from domain.working_time import add_days, next_working_day_opening, next_working_moment, paris_date

MAX_STEPS = 60  # more than any policy can plan: a bound, not a rule


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do at a moment (UTC): hand a message over, or abandon (`message` is None)."""

    at: datetime
    message: Message | None

    @property
    def kind(self) -> MessageKind | Literal["abandonment"]:
        return self.message.kind if self.message else "abandonment"

    @property
    def medium(self) -> Medium | None:
        return self.message.medium if self.message else None


def next_step(state: AffiliationState, policy: Policy, now: datetime) -> Step | None:
    """The next step, never before `now`; None: nothing is left to do, or only a person can go on.

    What a person asked for leaves at once; automatic messages leave on French working days between the policy's
    hours, never two on one day; the end comes after the last of them (product.md, rules 1 to 6).
    """
    owed = _owed(state)
    if owed is not None:
        return Step(now, owed)
    if state.closed:
        return None
    steps = [step for step in (_automatic(state, policy, now), _fallback(state, policy, now)) if step]
    return min([*steps, _abandonment(state, policy, now)], key=lambda step: step.at)


def calendar(state: AffiliationState, policy: Policy, now: datetime) -> tuple[Step, ...]:
    """Everything still to come if nobody does anything, in order, ending with the abandonment."""
    return tuple(_unfolded(state, policy, now))


def after(state: AffiliationState, step: Step, result: Result, at: datetime) -> AffiliationState:
    """The state once `step` was carried out at `at`."""
    if step.message is None:
        return state.abandoned(Closure.no_response)
    return state.handed_over(step.message, result, at)


def waits_for_a_person(state: AffiliationState) -> bool:
    """True when automatic messages stand still until somebody named by `attention` or `pause` acts."""
    return state.attention is not None or state.pause is not None


def _unfolded(state: AffiliationState, policy: Policy, now: datetime) -> Iterator[Step]:
    for _ in range(MAX_STEPS):
        step = next_step(state, policy, now)
        if step is None:
            return
        yield step
        state, now = after(state, step, Result.accepted, step.at), step.at


def _owed(state: AffiliationState) -> Message | None:
    """The first message that waits to leave at once."""
    for kind in state.waiting:
        if state.pause and kind is MessageKind.postal_fallback:
            continue  # nobody asked for it by name: it leaves when automatic messages do
        medium = state.way_of(kind)
        if medium is not None:
            return Message(kind, state.next_number(kind), medium, automatic=False)
    return None


def _automatic(state: AffiliationState, policy: Policy, now: datetime) -> Step | None:
    """The next automatic reminder, by the medium that reaches the employee (rule 2)."""
    if state.status is Status.preparing or waits_for_a_person(state):
        return None
    if state.status is Status.started:
        kind, ladder = MessageKind.draft_reminder, policy.started
    elif state.medium is Medium.post:
        kind, ladder = MessageKind.reminder, policy.sent_by_post
    else:
        kind, ladder = MessageKind.reminder, policy.sent_by_email
    if state.medium not in state.reachable:
        return None
    for place, rung in enumerate(ladder[state.next_rung :], state.next_rung):
        if rung.by is None or rung.by in state.reachable:
            message = Message(kind, state.next_number(kind), rung.by or state.medium, automatic=True, rung=place)
            return Step(_leaves(state, policy, rung.after_days, now), message)
    return None


def _fallback(state: AffiliationState, policy: Policy, now: datetime) -> Step | None:
    """The letter after an e-mail that was never acted upon (rule 3)."""
    if state.status is not Status.sent or state.medium is not Medium.email or waits_for_a_person(state):
        return None
    if Medium.post not in state.reachable:
        return None
    kind = MessageKind.postal_fallback
    message = Message(kind, state.next_number(kind), Medium.post, automatic=True)
    return Step(_leaves(state, policy, policy.postal_fallback_days, now), message)


def _abandonment(state: AffiliationState, policy: Policy, now: datetime) -> Step:
    """The end when no sign of life comes (rule 6)."""
    due = add_days(state.clock_since, policy.abandonment_days(state.medium))
    if state.last_message_at is not None:
        due = max(due, add_days(state.last_message_at, policy.abandonment_notice_days))
    return Step(max(due, now), None)


def _leaves(state: AffiliationState, policy: Policy, after_days: int, now: datetime) -> datetime:
    """When an automatic message due `after_days` after the clock's start leaves: working hours, one a day."""
    due = max(add_days(state.clock_since, after_days), now)
    leaves = next_working_moment(due, policy.opens, policy.closes)
    last = state.last_automatic_at
    if last is not None and paris_date(leaves) <= paris_date(last):
        return next_working_day_opening(paris_date(last), policy.opens)
    return leaves
