from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.affiliation import (
    AffiliationState,
    Attention,
    Closure,
    DeclineReason,
    Message,
    PauseReason,
    Refusal,
    Refused,
    Result,
    Status,
    Verdict,
    declared,
)
from domain.media import Medium, MessageKind
from domain.plan import Step, after, calendar, next_step, skipped, waits_for_a_person, waiver_renewal
from domain.policy import DEFAULT_POLICY, Policy, Reminder
from domain.working_time import PARIS, add_days, is_working_day, paris_date
from tests.domain.strategies import (
    EMAIL,
    POST,
    SMS,
    Carried,
    Life,
    lives,
    new_life,
    paris,
    policies,
    sent,
    starts,
    steps_of,
)

K = MessageKind
WED = paris(2026, 6, 3, 10)  # no public holiday falls on what follows from it by default
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])


def coming(state: AffiliationState, now: datetime = WED, policy: Policy = DEFAULT_POLICY) -> list[tuple[object, ...]]:
    return [(step.kind, step.medium, step.at) for step in calendar(state, policy, now)]


def upcoming(state: AffiliationState, now: datetime = WED, policy: Policy = DEFAULT_POLICY) -> tuple[object, ...]:
    step = next_step(state, policy, now)
    assert step is not None
    return step.kind, step.medium, step.at


def automatic(kind: MessageKind, number: int, medium: Medium) -> Message:
    return Message(kind, number, medium, automatic=True)


# --- the invitation


def test_with_an_address_the_invitation_is_an_email_and_leaves_at_once_even_at_night_on_a_holiday() -> None:
    night = paris(2026, 7, 14, 3)
    assert next_step(declared(night, (EMAIL, POST)), DEFAULT_POLICY, night) == Step(
        night, Message(K.invitation, 1, EMAIL, automatic=False)
    )


def test_without_an_address_the_invitation_is_a_letter() -> None:
    assert upcoming(declared(WED, (POST,))) == (K.invitation, POST, WED)
    assert upcoming(declared(WED, (POST, SMS))) == (K.invitation, POST, WED)


def test_the_employer_may_ask_for_post_although_there_is_an_address() -> None:
    assert upcoming(declared(WED, (EMAIL, POST), POST)) == (K.invitation, POST, WED)


def test_nothing_but_the_end_is_planned_while_an_invitation_waits_for_staff() -> None:
    state = declared(WED, (EMAIL, POST)).handed_over(
        Message(K.invitation, 1, EMAIL, automatic=False), Result.refused, WED
    )
    assert state.status is Status.preparing
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]


# --- the calendar by default


def test_an_email_is_reminded_after_5_and_12_days_then_a_letter_after_20_and_the_end_75_days_later() -> None:
    assert coming(sent(WED)) == [
        (K.reminder, EMAIL, paris(2026, 6, 8, 10)),
        (K.reminder, EMAIL, paris(2026, 6, 15, 10)),
        (K.postal_fallback, POST, paris(2026, 6, 23, 10)),
        (K.reminder, POST, paris(2026, 7, 23, 10)),
        ("abandonment", None, paris(2026, 9, 6, 10)),
    ]


def test_the_whole_calendar_is_announced_from_the_declaration() -> None:
    announced = coming(declared(WED, (EMAIL, POST)))
    assert announced == [(K.invitation, EMAIL, WED), *coming(sent(WED))]


def test_an_email_with_no_other_medium_ends_after_60_days() -> None:
    assert coming(sent(WED, reachable=(EMAIL,))) == [
        (K.reminder, EMAIL, paris(2026, 6, 8, 10)),
        (K.reminder, EMAIL, paris(2026, 6, 15, 10)),
        ("abandonment", None, paris(2026, 8, 2, 10)),
    ]


def test_a_letter_is_reminded_half_way_and_ends_after_75_days() -> None:
    assert coming(sent(WED, POST, (POST,))) == [
        (K.reminder, POST, paris(2026, 7, 3, 10)),
        ("abandonment", None, paris(2026, 8, 17, 10)),
    ]


def test_after_a_draft_reminders_come_7_and_14_days_after_the_last_draft_and_no_letter() -> None:
    drafted = paris(2026, 6, 10, 14)
    state = sent(WED).draft_saved(paris(2026, 6, 9, 22), EMAIL).draft_saved(drafted, EMAIL)
    assert coming(state, drafted) == [
        (K.draft_reminder, EMAIL, paris(2026, 6, 17, 14)),
        (K.draft_reminder, EMAIL, paris(2026, 6, 24, 14)),
        ("abandonment", None, paris(2026, 8, 9, 14)),
    ]


def test_who_came_in_by_the_letter_is_reminded_by_post() -> None:
    state = sent(WED).draft_saved(WED, POST)
    assert coming(state) == [
        (K.draft_reminder, POST, paris(2026, 6, 10, 10)),
        (K.draft_reminder, POST, paris(2026, 6, 17, 10)),
        ("abandonment", None, paris(2026, 8, 17, 10)),
    ]


def test_numbers_go_on_counting_for_each_kind() -> None:
    steps = calendar(sent(WED), DEFAULT_POLICY, WED)
    numbers = [(step.message.kind, step.message.number) for step in steps if step.message]
    assert numbers == [(K.reminder, 1), (K.reminder, 2), (K.postal_fallback, 1), (K.reminder, 3)]


def test_a_reminder_due_at_night_a_week_end_or_a_holiday_leaves_at_the_next_opening() -> None:
    assert upcoming(sent(paris(2026, 6, 3, 22))) == (K.reminder, EMAIL, paris(2026, 6, 9, 9))
    assert upcoming(sent(paris(2026, 6, 3, 3))) == (K.reminder, EMAIL, paris(2026, 6, 8, 9))
    assert upcoming(sent(paris(2026, 6, 2, 10))) == (K.reminder, EMAIL, paris(2026, 6, 8, 9))
    assert upcoming(sent(paris(2026, 7, 9, 10)), paris(2026, 7, 9, 10)) == (K.reminder, EMAIL, paris(2026, 7, 15, 9))
    assert upcoming(sent(paris(2026, 6, 3, 18))) == (K.reminder, EMAIL, paris(2026, 6, 9, 9))
    assert upcoming(sent(paris(2026, 6, 3, 17, 59, 59))) == (K.reminder, EMAIL, paris(2026, 6, 8, 17, 59, 59))


def test_overdue_messages_leave_one_a_day_the_reminder_before_the_letter() -> None:
    back = paris(2026, 6, 25, 11)  # everything was due while the providers were away
    assert coming(sent(WED), back)[:4] == [
        (K.reminder, EMAIL, back),
        (K.reminder, EMAIL, paris(2026, 6, 26, 9)),
        (K.postal_fallback, POST, paris(2026, 6, 29, 9)),
        (K.reminder, POST, paris(2026, 7, 29, 9)),
    ]


def test_nobody_is_reminded_and_closed_at_once_after_an_outage() -> None:
    back = paris(2026, 8, 3, 11)
    assert coming(sent(WED, reachable=(EMAIL,)), back) == [
        (K.reminder, EMAIL, back),
        (K.reminder, EMAIL, paris(2026, 8, 4, 9)),
        ("abandonment", None, paris(2026, 8, 11, 9)),
    ]


def test_an_overdue_end_comes_now() -> None:
    night = paris(2026, 8, 3, 1)
    assert coming(sent(WED, reachable=(EMAIL,)), night) == [("abandonment", None, night)]


def test_a_policy_s_figures_are_followed() -> None:
    policy = Policy(
        sent_by_email=(Reminder(2),),
        sent_by_post=(),
        postal_fallback_days=6,
        abandonment_days_post=40,
        opens=time(14),
        closes=time(15),
    )
    assert coming(sent(WED), policy=policy) == [
        (K.reminder, EMAIL, paris(2026, 6, 5, 14)),
        (K.postal_fallback, POST, paris(2026, 6, 9, 14)),
        ("abandonment", None, paris(2026, 7, 19, 14)),
    ]


def test_overdue_messages_leave_at_the_policy_s_opening() -> None:
    policy = replace(DEFAULT_POLICY, opens=time(14), closes=time(15))
    back = paris(2026, 6, 16, 14, 30)
    assert coming(sent(WED), back, policy)[:2] == [
        (K.reminder, EMAIL, back),
        (K.reminder, EMAIL, paris(2026, 6, 17, 14)),
    ]


def test_nobody_is_reminded_of_what_was_never_sent() -> None:
    invitation = Message(K.invitation, 1, EMAIL, automatic=False)
    state = declared(WED, (EMAIL,)).handed_over(invitation, Result.superseded, WED)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]


def test_no_reminder_goes_to_an_address_known_to_fail_even_after_a_draft() -> None:
    state = sent(WED, reachable=(EMAIL,)).delivery_failed(EMAIL, 1).draft_saved(WED, EMAIL)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]


# --- SMS rungs

SMS_POLICY = replace(DEFAULT_POLICY, sent_by_email=(Reminder(5), Reminder(8, by=SMS), Reminder(12)))


def test_an_sms_rung_needs_a_policy_that_has_it_and_a_known_phone() -> None:
    plain, with_phone = sent(WED), sent(WED, reachable=(EMAIL, POST, SMS))
    expected = [
        (K.reminder, EMAIL, paris(2026, 6, 8, 10)),
        (K.reminder, SMS, paris(2026, 6, 11, 10)),
        (K.reminder, EMAIL, paris(2026, 6, 15, 10)),
    ]
    assert coming(with_phone, policy=SMS_POLICY)[:3] == expected
    assert coming(plain, policy=SMS_POLICY) == coming(plain)
    assert coming(with_phone) == coming(plain)


def test_an_sms_leaves_the_medium_as_it_is() -> None:
    state = sent(WED, reachable=(EMAIL, POST, SMS))
    assert state.handed_over(automatic(K.reminder, 1, SMS), Result.accepted, WED).medium is EMAIL


def test_a_phone_that_fails_when_its_rung_is_tried_leaves_the_later_rungs() -> None:
    state = sent(WED, reachable=(EMAIL, POST, SMS))
    state = state.handed_over(automatic(K.reminder, 1, EMAIL), Result.accepted, paris(2026, 6, 8, 10))
    tried = paris(2026, 6, 11, 10)
    state = state.handed_over(automatic(K.reminder, 2, SMS), Result.bad_address, tried)
    assert state.attention is None
    assert upcoming(state, tried, SMS_POLICY) == (K.reminder, EMAIL, paris(2026, 6, 15, 10))


def test_a_phone_that_fails_after_its_rung_left_does_not_cost_the_next_reminder() -> None:
    state = sent(WED, reachable=(EMAIL, POST, SMS))
    state = state.handed_over(automatic(K.reminder, 1, EMAIL), Result.accepted, paris(2026, 6, 8, 10))
    state = state.handed_over(automatic(K.reminder, 2, SMS), Result.accepted, paris(2026, 6, 11, 10))
    state = state.delivery_failed(SMS, 1)
    assert upcoming(state, paris(2026, 6, 11, 10), SMS_POLICY) == (K.reminder, EMAIL, paris(2026, 6, 15, 10))


# --- the letter that takes over


def test_a_bounce_sends_the_letter_at_once_even_on_a_sunday_and_the_clock_starts_from_it() -> None:
    sunday = paris(2026, 6, 7, 21)
    assert coming(sent(WED).delivery_failed(EMAIL, 1), sunday) == [
        (K.postal_fallback, POST, sunday),
        (K.reminder, POST, paris(2026, 7, 7, 21) + timedelta(hours=12)),
        ("abandonment", None, paris(2026, 8, 21, 21)),
    ]


def test_a_rejected_address_and_not_me_send_the_letter_at_once() -> None:
    invitation = Message(K.invitation, 1, EMAIL, automatic=False)
    rejected = declared(WED, (EMAIL, POST)).handed_over(invitation, Result.bad_address, WED)
    assert upcoming(rejected) == (K.postal_fallback, POST, WED)
    assert upcoming(sent(WED).declined(EMAIL, DeclineReason.not_me)) == (K.postal_fallback, POST, WED)


def test_without_a_postal_address_a_bounce_waits_for_the_employer() -> None:
    state = sent(WED, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    assert waits_for_a_person(state)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]


def test_no_letter_is_planned_to_an_address_known_to_fail() -> None:
    state = sent(WED).delivery_failed(POST, 1)
    assert K.postal_fallback not in [kind for kind, _, _ in coming(state)]


# --- what people ask for


def test_the_employer_s_reminder_leaves_at_once_and_restarts_the_clock() -> None:
    saturday = paris(2026, 6, 6, 20)
    state = sent(WED).employer_reminder_asked(saturday, DEFAULT_POLICY)
    assert coming(state, saturday)[:4] == [
        (K.employer_reminder, EMAIL, saturday),
        (K.reminder, EMAIL, paris(2026, 6, 12, 9)),
        (K.reminder, EMAIL, paris(2026, 6, 19, 9)),
        (K.postal_fallback, POST, paris(2026, 6, 29, 9)),
    ]


def test_after_an_employer_s_reminder_both_automatic_reminders_come_again() -> None:
    state = sent(WED)
    state = state.handed_over(automatic(K.reminder, 1, EMAIL), Result.accepted, paris(2026, 6, 8, 10))
    at = paris(2026, 6, 10, 10)
    state = state.employer_reminder_asked(at, DEFAULT_POLICY)
    assert [step[0] for step in coming(state, at)].count(K.reminder) == 3  # twice by e-mail, once by post


def test_a_correction_sends_the_invitation_anew_and_restarts_the_clock() -> None:
    at = paris(2026, 6, 9, 20)
    state = sent(WED).contact_corrected(at, 2, (EMAIL,), (EMAIL, POST))
    step = next_step(state, DEFAULT_POLICY, at)
    assert step == Step(at, Message(K.invitation, 2, EMAIL, automatic=False))
    assert coming(state, at)[1] == (K.reminder, EMAIL, paris(2026, 6, 15, 9))


def test_a_pause_holds_automatic_messages_but_neither_the_end_nor_what_a_person_asks_for() -> None:
    state = sent(WED).paused(PauseReason.on_leave)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]
    asked = state.employer_reminder_asked(WED, DEFAULT_POLICY)
    assert coming(asked) == [(K.employer_reminder, EMAIL, WED), ("abandonment", None, paris(2026, 8, 2, 10))]
    invited = declared(WED, (EMAIL, POST)).paused(PauseReason.other)
    assert coming(invited) == [(K.invitation, EMAIL, WED), ("abandonment", None, paris(2026, 8, 2, 10))]


def test_a_pause_holds_the_letter_after_a_bounce_until_it_ends() -> None:
    state = sent(WED).paused(PauseReason.on_leave).delivery_failed(EMAIL, 1)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]
    back = paris(2026, 6, 20, 10)
    assert upcoming(state.resumed(back), back) == (K.postal_fallback, POST, back)


def test_a_resumption_starts_the_clock_so_that_nothing_overdue_leaves_in_a_burst() -> None:
    back = paris(2026, 7, 1, 10)
    state = sent(WED).paused(PauseReason.on_leave).resumed(back)
    assert coming(state, back)[:2] == [
        (K.reminder, EMAIL, paris(2026, 7, 6, 10)),
        (K.reminder, EMAIL, paris(2026, 7, 13, 10)),
    ]


def test_a_message_that_need_not_leave_is_skipped_and_what_comes_after_it_keeps_its_moment() -> None:
    state = skipped(sent(WED), DEFAULT_POLICY, WED, K.reminder, 1)
    assert coming(state) == coming(sent(WED))[1:]
    without_letter = skipped(state, DEFAULT_POLICY, WED, K.postal_fallback, 1)
    assert coming(without_letter) == [
        (K.reminder, EMAIL, paris(2026, 6, 15, 10)),
        ("abandonment", None, paris(2026, 8, 2, 10)),
    ]
    both = skipped(without_letter, DEFAULT_POLICY, WED, K.reminder, 2)
    assert coming(both) == [("abandonment", None, paris(2026, 8, 2, 10))]


def test_skipped_twice_it_does_not_cost_the_message_after_it() -> None:
    state = skipped(sent(WED), DEFAULT_POLICY, WED, K.reminder, 1)
    with pytest.raises(Refusal) as refused:
        skipped(state, DEFAULT_POLICY, WED, K.reminder, 1)
    assert refused.value.code is Refused.nothing_to_skip


def test_only_what_is_automatic_and_still_to_come_can_be_skipped() -> None:
    reminded = sent(WED).handed_over(automatic(K.reminder, 1, EMAIL), Result.accepted, paris(2026, 6, 8, 10))
    for state, kind in (
        (reminded, K.reminder),
        (declared(WED, (EMAIL, POST)), K.invitation),
        (sent(WED).paused(PauseReason.on_leave), K.reminder),
        (sent(WED, POST, (POST,)), K.postal_fallback),
        (pieces_asked(WED, "rib"), K.missing_pieces),
    ):
        with pytest.raises(Refusal):
            skipped(state, DEFAULT_POLICY, WED, kind, 1)


def test_a_new_clock_brings_back_what_was_skipped() -> None:
    state = skipped(sent(WED), DEFAULT_POLICY, WED, K.postal_fallback, 1)
    back = paris(2026, 6, 20, 10)
    again = state.paused(PauseReason.on_leave).resumed(back)
    assert (K.postal_fallback, POST, paris(2026, 7, 10, 10)) in coming(again, back)


@pytest.mark.parametrize("result", [Result.uncertain, Result.refused])
def test_a_message_in_doubt_holds_automatic_messages_but_not_the_end(result: Result) -> None:
    state = sent(WED).handed_over(automatic(K.reminder, 1, EMAIL), result, paris(2026, 6, 8, 10))
    assert waits_for_a_person(state)
    assert coming(state) == [("abandonment", None, paris(2026, 8, 2, 10))]


def test_a_reminder_that_did_not_leave_is_sent_again_once_under_a_new_number() -> None:
    doubtful = paris(2026, 6, 8, 10)
    state = sent(WED).handed_over(automatic(K.reminder, 1, EMAIL), Result.uncertain, doubtful)
    resolved = paris(2026, 6, 9, 11)
    state = state.doubt_resolved(Verdict.did_not_leave, resolved)
    steps = calendar(state, DEFAULT_POLICY, resolved)
    assert steps[0].message is not None
    assert (steps[0].message.kind, steps[0].message.number, steps[0].at) == (K.reminder, 2, resolved)
    assert [(step.kind, step.at) for step in steps[1:3]] == [
        (K.reminder, paris(2026, 6, 15, 10)),
        (K.postal_fallback, paris(2026, 6, 23, 10)),
    ]


def test_an_automatic_message_that_did_not_leave_keeps_to_working_hours_and_to_a_pause() -> None:
    state = sent(WED).handed_over(automatic(K.reminder, 1, EMAIL), Result.refused, paris(2026, 6, 8, 10))
    sunday = paris(2026, 6, 14, 20)
    state = state.doubt_resolved(Verdict.did_not_leave, sunday)
    assert upcoming(state, sunday) == (K.reminder, EMAIL, paris(2026, 6, 15, 9))
    assert upcoming(state.paused(PauseReason.other), sunday)[0] == "abandonment"


def test_a_reminder_that_did_leave_counts() -> None:
    state = sent(WED).handed_over(automatic(K.reminder, 1, EMAIL), Result.uncertain, paris(2026, 6, 8, 10))
    resolved = paris(2026, 6, 9, 11)
    state = state.doubt_resolved(Verdict.left, resolved)
    assert upcoming(state, resolved) == (K.reminder, EMAIL, paris(2026, 6, 15, 10))


def test_a_closed_affiliation_only_owes_its_last_message() -> None:
    finalised = sent(WED).completed(WED)
    assert coming(finalised) == [(K.confirmation, EMAIL, WED)]
    assert coming(sent(WED, POST, (POST,)).completed(WED)) == []
    assert next_step(sent(WED).abandoned(Closure.withdrawn_left), DEFAULT_POLICY, WED) is None


def test_the_end_by_silence_says_so() -> None:
    ended = after(sent(WED), Step(WED, None), Result.accepted, WED)
    assert (ended.status, ended.closure) == (Status.abandoned, Closure.no_response)


def test_abandonment_has_neither_a_message_nor_a_medium() -> None:
    step = Step(WED, None)
    assert (step.kind, step.medium) == ("abandonment", None)


# --- pieces that are missing after the form

WITH_STAFF = (Attention.pieces_overdue, Attention.unreachable_for_pieces)
ASKED_FOR = Message(K.missing_pieces, 1, EMAIL, automatic=False)


def pieces_asked(at: datetime, *missing: str, medium: Medium = EMAIL) -> AffiliationState:
    """Finalised with pieces missing, asked for at `at` by a message that was accepted then."""
    state = sent(at, medium).completed(at, missing or ("rib",))
    return state.handed_over(replace(ASKED_FOR, medium=medium), Result.accepted, at)


def test_pieces_are_asked_for_at_once_reminded_after_7_and_21_days_and_staff_take_over_after_30() -> None:
    night = paris(2026, 6, 3, 23)
    assert coming(sent(WED).completed(night, ("rib",)), night) == [
        (K.missing_pieces, EMAIL, night),
        (K.missing_pieces, EMAIL, paris(2026, 6, 11, 9)),
        (K.missing_pieces, EMAIL, paris(2026, 6, 25, 9)),
        ("pieces_deadline", None, paris(2026, 7, 3, 23)),
    ]


def test_reminders_of_pieces_are_automatic_and_numbered_on() -> None:
    steps = calendar(pieces_asked(WED), DEFAULT_POLICY, WED)
    assert [(s.message.number, s.message.automatic, s.message.rung) for s in steps if s.message] == [
        (2, True, 0),
        (3, True, 1),
    ]


def test_a_letter_that_asks_for_pieces_is_reminded_by_post() -> None:
    assert [medium for _, medium, _ in coming(pieces_asked(WED, medium=POST))] == [POST, POST, None]


def test_an_sms_may_remind_of_pieces_and_leaves_the_medium_as_it_is() -> None:
    policy = replace(DEFAULT_POLICY, pieces=(Reminder(3, by=SMS), Reminder(9)))
    state = (
        sent(WED, reachable=(EMAIL, POST, SMS)).completed(WED, ("rib",)).handed_over(ASKED_FOR, Result.accepted, WED)
    )
    assert [medium for _, medium, _ in coming(state, policy=policy)] == [SMS, EMAIL, None]


def test_a_policy_s_figures_for_pieces_are_followed() -> None:
    policy = replace(DEFAULT_POLICY, pieces=(Reminder(2),), pieces_days=12)
    assert coming(pieces_asked(WED), policy=policy) == [
        (K.missing_pieces, EMAIL, paris(2026, 6, 5, 10)),
        ("pieces_deadline", None, paris(2026, 6, 15, 10)),
    ]


def test_after_the_deadline_nothing_automatic_is_left_to_do() -> None:
    deadline = Step(paris(2026, 7, 3, 10), None, end="pieces_deadline")
    state = after(pieces_asked(WED), deadline, Result.accepted, deadline.at)
    assert (state.status, state.attention, state.awaited) == (Status.finalised, Attention.pieces_overdue, True)
    assert coming(state, deadline.at) == []


def test_after_an_outage_nobody_is_reminded_of_pieces_and_given_up_at_once() -> None:
    back = paris(2026, 7, 6, 11)
    assert coming(pieces_asked(WED), back) == [
        (K.missing_pieces, EMAIL, back),
        (K.missing_pieces, EMAIL, paris(2026, 7, 7, 9)),
        ("pieces_deadline", None, paris(2026, 7, 14, 9)),
    ]


def test_pieces_that_came_in_part_are_reminded_of_on_the_same_clock_and_none_when_all_are_there() -> None:
    state = pieces_asked(WED, "rib", "signature")
    later = paris(2026, 6, 5, 10)
    assert coming(state.pieces_changed(later, 1, ("rib",), True), later) == coming(state)
    assert coming(state.pieces_changed(later, 1, (), True), later) == []


def test_a_piece_asked_for_anew_leaves_at_once_and_starts_the_clock_again() -> None:
    later = paris(2026, 6, 13, 20)  # a Saturday
    state = pieces_asked(WED).pieces_changed(later, 1, ("rib", "signature"), False)
    assert coming(state, later) == [
        (K.missing_pieces, EMAIL, later),
        (K.missing_pieces, EMAIL, paris(2026, 6, 22, 9)),
        (K.missing_pieces, EMAIL, paris(2026, 7, 6, 9)),
        ("pieces_deadline", None, paris(2026, 7, 13, 20)),
    ]


def test_documents_that_are_only_checked_have_no_deadline() -> None:
    state = sent(WED).completed(WED, checking=True)
    assert coming(state) == [(K.confirmation, EMAIL, WED)]


def test_a_request_that_bounced_leaves_by_post_at_once_and_its_clock_starts_there() -> None:
    sunday = paris(2026, 6, 7, 21)
    assert coming(pieces_asked(WED).delivery_failed(EMAIL, 1), sunday) == [
        (K.missing_pieces, POST, sunday),
        (K.missing_pieces, POST, paris(2026, 6, 15, 9)),
        (K.missing_pieces, POST, paris(2026, 6, 29, 9)),
        ("pieces_deadline", None, paris(2026, 7, 7, 21)),
    ]


def test_a_deadline_that_nobody_could_be_told_of_is_none() -> None:
    state = sent(WED, POST, (POST,)).completed(WED, ("rib",)).delivery_failed(POST, 1)
    assert state.attention is Attention.unreachable_for_pieces
    assert coming(state) == []


@pytest.mark.parametrize("result", [Result.uncertain, Result.refused])
def test_a_request_in_doubt_holds_the_reminders_but_not_the_deadline(result: Result) -> None:
    state = sent(WED).completed(WED, ("rib",)).handed_over(ASKED_FOR, result, WED)
    assert coming(state) == [("pieces_deadline", None, paris(2026, 7, 3, 10))]


def test_what_no_version_waits_for_has_no_calendar() -> None:
    """Finalised by a version that did not follow pieces."""
    assert coming(replace(pieces_asked(WED), awaited=False)) == []


@pytest.mark.parametrize(
    ("ends_on", "now", "asked_again"),
    [
        (date(2027, 7, 3), WED, paris(2027, 6, 3, 9)),
        (date(2027, 8, 13), WED, paris(2027, 7, 15, 9)),  # after the 14 July
        (date(2026, 6, 20), WED, WED),  # less than the notice is left
        (date(2026, 6, 20), paris(2026, 6, 6, 22), paris(2026, 6, 8, 9)),
        (date(2025, 1, 1), paris(2026, 6, 3, 20), paris(2026, 6, 4, 9)),
    ],
)
def test_a_waived_person_is_asked_again_in_working_hours_before_the_end(
    ends_on: date, now: datetime, asked_again: datetime
) -> None:
    assert waiver_renewal(ends_on, 30, time(9), time(18), now) == asked_again


# --- daylight saving time

DST_SUNDAYS = [date(2026, 3, 29), date(2026, 10, 25), date(2027, 3, 28), date(2027, 10, 31)]


@pytest.mark.parametrize("sunday", DST_SUNDAYS)
@given(minute=st.integers(9 * 60, 18 * 60 - 1))
@example(minute=11 * 60 + 30)
@settings(max_examples=15)
def test_reminders_keep_their_wall_clock_hour_when_the_clocks_change(sunday: date, minute: int) -> None:
    thursday = sunday - timedelta(days=3)
    at = paris(thursday.year, thursday.month, thursday.day, *divmod(minute, 60))
    first, second, *_, end = calendar(sent(at, reachable=(EMAIL,)), DEFAULT_POLICY, at)
    assert [paris_date(step.at) - thursday for step in (first, second, end)] == [
        timedelta(days=5),
        timedelta(days=12),
        timedelta(days=60),
    ]
    for step in (first, second, end):
        assert step.at.astimezone(PARIS).time() == at.astimezone(PARIS).time()
    assert abs(first.at - at - timedelta(days=5)) == timedelta(hours=1)  # and so not the same hour in UTC


@pytest.mark.parametrize("sunday", DST_SUNDAYS)
def test_an_opening_is_at_nine_on_both_sides_of_the_change(sunday: date) -> None:
    monday = sunday - timedelta(days=6)
    at = paris(monday.year, monday.month, monday.day, 21)
    policy = replace(DEFAULT_POLICY, sent_by_email=(Reminder(2), Reminder(8)))
    first, second = calendar(sent(at), policy, at)[:2]
    assert first.at.astimezone(PARIS).hour == second.at.astimezone(PARIS).hour == 9
    assert first.at.hour != second.at.hour


# --- any life


def check_what_left(life: Life) -> None:
    """The promises about messages that hold whatever happens."""
    policy = life.policy
    days = Counter(paris_date(left.at) for left in life.left if left.message.automatic)
    assert all(count == 1 for count in days.values()), "two automatic messages on one day"
    for left in life.left:
        if left.message.automatic:
            local = left.at.astimezone(PARIS)
            assert is_working_day(local.date())
            assert policy.opens <= local.time() < policy.closes
    keys = [(left.message.kind, left.message.number) for left in life.left]
    assert len(set(keys)) == len(keys)
    for end in filter(None, (life.ended_by_silence, *life.overdue_at)):
        for left in life.left:
            assert left.at > end or end >= add_days(left.at, policy.abandonment_notice_days)


@given(lives)
@settings(UNHURRIED, max_examples=400)
def test_any_life_keeps_its_promises_and_ends(life: Life) -> None:
    outages = sum((carried.delay for carried in life.carried), timedelta(0))
    life.run()
    check_what_left(life)
    policy = life.policy
    bound = policy.postal_fallback_days + policy.abandonment_days_email + policy.abandonment_days_post
    bound = max(bound, policy.pieces_days)
    slack = policy.abandonment_notice_days + 14  # week-ends and holidays before the letter
    assert life.state.closed
    if life.state.awaited and life.state.missing:
        assert life.state.attention is not None, "nothing more comes, and nobody knows"
    assert life.now <= life.last_told + outages + timedelta(days=bound + slack)


@given(lives)
@settings(UNHURRIED, max_examples=250)
def test_what_is_announced_is_what_is_sent_when_nothing_happens(life: Life) -> None:
    life.run(until_told=True)
    announced = calendar(life.state, life.policy, life.now)
    assert list(announced) == list(steps_of(life))
    if life.state.missing and life.state.attention not in WITH_STAFF:
        assert announced[-1].kind == "pieces_deadline"
    if life.state.status in (Status.preparing, Status.sent, Status.started):
        assert announced[-1].message is None
        assert len([step for step in announced if step.message is None]) == 1
    assert [step.at for step in announced] == sorted(step.at for step in announced)
    assert announced == calendar(life.state, life.policy, life.now)


@given(lives, st.floats(0, 1, exclude_max=True))
@settings(UNHURRIED, max_examples=150)
def test_asked_again_before_the_next_step_the_calendar_is_the_same(life: Life, part: float) -> None:
    life.run(until_told=True)
    announced = calendar(life.state, life.policy, life.now)
    if announced:
        later = life.now + (announced[0].at - life.now) * part
        moved = calendar(life.state, life.policy, later)
        assert moved == announced or announced[0].at == life.now


@given(lives)
@settings(UNHURRIED, max_examples=150)
def test_an_unanswered_email_always_has_a_letter_to_come_or_waits_for_a_person_or_ends_before(life: Life) -> None:
    life.run(until_told=True)
    state = life.state
    if state.status is not Status.sent or state.medium is not EMAIL or POST not in state.reachable:
        return
    announced = calendar(state, life.policy, life.now)
    due = max(life.now, add_days(state.clock_since, life.policy.postal_fallback_days))
    assert (
        waits_for_a_person(state)
        or K.postal_fallback in [step.kind for step in announced]
        or announced[-1].at <= due + timedelta(days=15)  # overdue reminders, one a day, and week-ends come first
    )


@given(policies, starts, st.integers(0, 100 * 24 * 60))
@settings(UNHURRIED, max_examples=200)
def test_the_next_step_never_lies_before_now_however_late_it_is_asked(
    policy: Policy, start: datetime, minutes: int
) -> None:
    now = start + timedelta(minutes=minutes)
    for state in (
        declared(start, (EMAIL, POST, SMS)),
        sent(start, reachable=(EMAIL, POST, SMS)),
        sent(start, POST, (POST,)),
        sent(start).draft_saved(start, EMAIL),
        sent(start).completed(start),
        sent(start).completed(start, ("rib",)),
        pieces_asked(start),
    ):
        step = next_step(state, policy, now)
        assert step is not None
        assert step.at >= now


def test_a_letter_taken_after_a_long_outage_is_followed_by_the_whole_time_of_a_letter() -> None:
    outage = Carried(timedelta(days=40), Result.accepted)
    life = new_life(DEFAULT_POLICY, WED, (POST,), None, [], [outage]).run()
    letter = life.left[0].at
    assert letter == paris(2026, 7, 13, 10)
    assert life.ended_by_silence == paris(2026, 9, 26, 10)


def test_a_reminder_caught_by_closing_time_leaves_the_next_morning_under_the_same_number() -> None:
    outage = Carried(timedelta(hours=9), Result.accepted)
    life = new_life(DEFAULT_POLICY, WED, (EMAIL, POST), None, [], [Carried(timedelta(0), Result.accepted), outage])
    life.run()
    assert [(left.message.kind, left.message.number, left.at) for left in life.left[1:3]] == [
        (K.reminder, 1, paris(2026, 6, 9, 9)),
        (K.reminder, 2, paris(2026, 6, 15, 10)),
    ]


def test_attention_lasts_until_somebody_acts() -> None:
    state = sent(WED, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    assert state.attention is Attention.unreachable
    assert waits_for_a_person(state)
    assert not waits_for_a_person(state.contact_corrected(WED, 2, (EMAIL,), (EMAIL,)))
