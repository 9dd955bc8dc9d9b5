"""What comes next in an affiliation, and when: a pure function of its state, its policy and the moment.

The workflow acts on `next_step`; the calendar shown to people is the same function applied to itself, so that what is
announced is what is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from domain.affiliation import (
    AffiliationState,
    Attention,
    Closure,
    Message,
    Refusal,
    Refused,
    Result,
    Status,
)
from domain.media import Medium, MessageKind
from domain.policy import Policy, Reminder
from domain.working_time import PARIS, add_days, next_working_day_opening, next_working_moment, paris_date

End = Literal["abandonment", "pieces_deadline"]

MAX_STEPS = 60  # more than any policy can plan: a bound, not a rule


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do at a moment (UTC): hand a message over, or the end of waiting (`message` is None)."""

    at: datetime
    message: Message | None
    end: End = "abandonment"  # which end, where there is no message

    @property
    def kind(self) -> MessageKind | End:
        return self.message.kind if self.message else self.end

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
        return _for_pieces(state, policy, now)
    steps = [step for step in (_automatic(state, policy, now), _fallback(state, policy, now)) if step]
    return min([*steps, _abandonment(state, policy, now)], key=lambda step: step.at)


def calendar(state: AffiliationState, policy: Policy, now: datetime) -> tuple[Step, ...]:
    """Everything still to come if nobody does anything, in order, to the abandonment or the pieces' deadline."""
    return tuple(_unfolded(state, policy, now))


def skipped(state: AffiliationState, policy: Policy, now: datetime, kind: MessageKind, number: int) -> AffiliationState:
    """The state in which the automatic message of this kind and number does not leave: one of `skippable`.

    Raises Refusal: closed; nothing to skip, where it left meanwhile or nothing automatic leaves at all.
    """
    if state.closed:
        raise Refusal(Refused.closed)
    for step in skippable(state, policy, now):
        if step.message is not None and (step.message.kind, step.message.number) == (kind, number):
            return state.skipped(step.message)
    raise Refusal(Refused.nothing_to_skip)


def skippable(state: AffiliationState, policy: Policy, now: datetime) -> tuple[Step, ...]:
    """The next automatic message of each kind before the form: what an employer may say need not leave."""
    if state.closed or _owed(state) is not None:
        return ()
    return tuple(step for step in (_automatic(state, policy, now), _fallback(state, policy, now)) if step)


def after(state: AffiliationState, step: Step, result: Result, at: datetime) -> AffiliationState:
    """The state once `step` was carried out at `at`."""
    if step.message is not None:
        return state.handed_over(step.message, result, at)
    return state.pieces_overdue() if step.end == "pieces_deadline" else state.abandoned(Closure.no_response)


def waiver_renewal(ends_on: date, notice_days: int, opens: time, closes: time, now: datetime) -> datetime:
    """When the person is asked again before their waiver ends (UTC): in working hours, never before `now`."""
    opening = datetime.combine(ends_on - timedelta(days=notice_days), opens, PARIS)
    return next_working_moment(max(opening, now), opens, closes)


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
    return _next_of(ladder, kind, state.medium, state.clock_since, state, policy, now)


def _next_of(
    ladder: tuple[Reminder, ...],
    kind: MessageKind,
    medium: Medium,
    since: datetime,
    state: AffiliationState,
    policy: Policy,
    now: datetime,
) -> Step | None:
    """The first rung not climbed that has an address, counted from `since`."""
    for place, rung in enumerate(ladder[state.next_rung :], state.next_rung):
        if rung.by is None or rung.by in state.reachable:
            message = Message(kind, state.next_number(kind), rung.by or medium, automatic=True, rung=place)
            return Step(_leaves(since, state, policy, rung.after_days, now), message)
    return None


def _fallback(state: AffiliationState, policy: Policy, now: datetime) -> Step | None:
    """The letter after an e-mail that was never acted upon (rule 3)."""
    if state.status is not Status.sent or state.medium is not Medium.email or waits_for_a_person(state):
        return None
    if Medium.post not in state.reachable or state.fallback_skipped:
        return None
    kind = MessageKind.postal_fallback
    message = Message(kind, state.next_number(kind), Medium.post, automatic=True)
    return Step(_leaves(state.clock_since, state, policy, policy.postal_fallback_days, now), message)


def _abandonment(state: AffiliationState, policy: Policy, now: datetime) -> Step:
    """The end when no sign of life comes (rule 6)."""
    return Step(_ends(state.clock_since, state, policy, policy.abandonment_days(state.medium), now), None)


def _for_pieces(state: AffiliationState, policy: Policy, now: datetime) -> Step | None:
    """What comes while pieces are missing after the form: reminders, then staff take over.

    Nothing while documents are only checked, once the deadline has passed, or while nothing reaches the employee: a
    deadline that nobody could be told of is none.
    """
    since, medium = state.pieces_since, state.way_of(MessageKind.missing_pieces)
    if not (state.awaited and state.missing) or since is None or medium is None or state.attention in _WITH_STAFF:
        return None
    deadline = Step(_ends(since, state, policy, policy.pieces_days, now), None, end="pieces_deadline")
    if waits_for_a_person(state):
        return deadline
    reminder = _next_of(policy.pieces, MessageKind.missing_pieces, medium, since, state, policy, now)
    return min([reminder, deadline] if reminder else [deadline], key=lambda step: step.at)


def _ends(since: datetime, state: AffiliationState, policy: Policy, after_days: int, now: datetime) -> datetime:
    """When waiting ends: `after_days` after `since`, and never at once after a message."""
    due = add_days(since, after_days)
    if state.last_message_at is not None:
        due = max(due, add_days(state.last_message_at, policy.abandonment_notice_days))
    return max(due, now)


def _leaves(since: datetime, state: AffiliationState, policy: Policy, after_days: int, now: datetime) -> datetime:
    """When an automatic message due `after_days` after `since` leaves: working hours, one a day."""
    due = max(add_days(since, after_days), now)
    leaves = next_working_moment(due, policy.opens, policy.closes)
    last = state.last_automatic_at
    if last is not None and paris_date(leaves) <= paris_date(last):
        return next_working_day_opening(paris_date(last), policy.opens)
    return leaves


_WITH_STAFF = (Attention.pieces_overdue, Attention.unreachable_for_pieces)
