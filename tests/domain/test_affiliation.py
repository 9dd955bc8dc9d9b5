from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.affiliation import (
    OPEN,
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
    first_medium,
)
from domain.media import Medium, MessageKind
from domain.policy import DEFAULT_POLICY
from tests.domain.strategies import EMAIL, POST, SMS, check, paris, sent

K = MessageKind
BEGUN = paris(2026, 6, 3, 10)
DRAFTED = paris(2026, 6, 5, 20)
AT = paris(2026, 6, 9, 15)
DAY = timedelta(hours=24)

PREPARING = declared(BEGUN, (EMAIL, POST))
SENT = sent(BEGUN)
STARTED = SENT.draft_saved(DRAFTED, EMAIL)
FINALISED = STARTED.completed(AT)
ABANDONED = STARTED.abandoned(Closure.no_response)
# finalised, and yet not over: a piece asked for, two of them, documents that staff check
ASKED_ON = paris(2026, 6, 6, 8)
REQUEST = Message(MessageKind.missing_pieces, 1, Medium.email, automatic=False)
AWAITING = STARTED.completed(ASKED_ON, ("rib", "signature")).handed_over(REQUEST, Result.accepted, ASKED_ON)
CHECKING = STARTED.completed(ASKED_ON, checking=True)
BY_STATUS = {state.status: state for state in (PREPARING, SENT, STARTED, FINALISED, ABANDONED)}

INVITATION = Message(K.invitation, 1, EMAIL, automatic=False)
INVITED_AGAIN = Message(K.invitation, 2, EMAIL, automatic=False)
REMINDER = Message(K.reminder, 1, EMAIL, automatic=True)
ASKED_REMINDER = Message(K.employer_reminder, 1, EMAIL, automatic=False)
LETTER = Message(K.postal_fallback, 1, POST, automatic=True)
REQUEST_AGAIN = Message(K.missing_pieces, 2, EMAIL, automatic=False)
PIECES_REMINDER = Message(K.missing_pieces, 2, EMAIL, automatic=True)

Transition = Callable[[AffiliationState], AffiliationState]
Changes = dict[str, object]


def handing(message: Message, result: Result) -> Transition:
    return lambda state: state.handed_over(message, result, AT)


TRANSITIONS: dict[str, Transition] = {
    "employer reminder": lambda state: state.employer_reminder_asked(AT, DEFAULT_POLICY),
    "correction": lambda state: state.contact_corrected(AT, state.contact_version + 1, (EMAIL,), (EMAIL, POST)),
    "stale correction": lambda state: state.contact_corrected(AT, state.contact_version, (EMAIL,), (EMAIL, POST)),
    "draft": lambda state: state.draft_saved(AT, EMAIL),
    "completed": lambda state: state.completed(AT),
    "completed in part": lambda state: state.completed(AT, ("rib",)),
    "not me": lambda state: state.declined(EMAIL, DeclineReason.not_me),
    "left the company": lambda state: state.declined(EMAIL, DeclineReason.left_company),
    "abandoned": lambda state: state.abandoned(Closure.withdrawn_mistake),
    "pieces asked": lambda state: state.pieces_changed(AT, 1, ("rib", "school_certificate:k1"), False),
    "pieces received": lambda state: state.pieces_changed(AT, 1, ("rib",), True),
    "all pieces received": lambda state: state.pieces_changed(AT, 1, (), True),
    "all pieces accepted": lambda state: state.pieces_changed(AT, 1, (), False),
    "stale pieces": lambda state: state.pieces_changed(AT, state.pieces_version, ("rib",), False),
    "link asked": lambda state: state.link_asked(AT, DEFAULT_POLICY),
    "paused": lambda state: state.paused(PauseReason.on_leave),
    "resumed": lambda state: state.resumed(AT),
    "it left": lambda state: state.doubt_resolved(Verdict.left, AT),
    "it did not leave": lambda state: state.doubt_resolved(Verdict.did_not_leave, AT),
    "bounce": lambda state: state.delivery_failed(EMAIL, 1),
    "returned letter": lambda state: state.delivery_failed(POST, 1),
    **{
        f"{message.kind} {result}": handing(message, result)
        for message in (INVITATION, REMINDER, ASKED_REMINDER, LETTER, REQUEST_AGAIN)
        for result in Result
    },
}


def outcome(state: AffiliationState, transition: str) -> AffiliationState | Refused:
    try:
        return TRANSITIONS[transition](state)
    except Refusal as refusal:
        return refusal.code


def expected(state: AffiliationState, changes: Changes | Refused) -> AffiliationState | Refused:
    return changes if isinstance(changes, Refused) else replace(state, **changes)  # type: ignore[arg-type]


# --- in order, out of order, after the end: every transition in every status

ENDED: Changes = {"status": Status.abandoned, "waiting": ()}
GONE_TO_POST: Changes = {"reachable": (POST,), "waiting": (K.postal_fallback,)}
CORRECTED: Changes = {
    "contact_version": 2,
    "address_versions": {EMAIL: 2, POST: 1},
    "clock_since": AT,
    "waiting": (K.invitation,),
}
DONE: Changes = {"status": Status.finalised}
RESTARTED: Changes = {"clock_since": AT, "last_message_at": AT}
INVITED = {K.invitation: 1}
REMINDED = {**INVITED, K.reminder: 1}
ASKED = {**INVITED, K.employer_reminder: 1}
LETTERED = {**INVITED, K.postal_fallback: 1}
REQUESTED = {**INVITED, K.missing_pieces: 2}

FROM_SENT: dict[str, Changes | Refused] = {
    "employer reminder": {"waiting": (K.employer_reminder,), "employer_reminded_at": {EMAIL: AT}},
    "correction": CORRECTED,
    "stale correction": Refused.stale_contact,
    "draft": {"status": Status.started, "clock_since": AT, "waiting": ()},
    "completed": {**DONE, "waiting": (K.confirmation,)},
    "completed in part": {
        **DONE,
        "waiting": (K.missing_pieces,),
        "missing": ("rib",),
        "awaited": True,
        "pieces_since": AT,
    },
    "pieces asked": Refused.not_finalised,
    "pieces received": Refused.not_finalised,
    "all pieces received": Refused.not_finalised,
    "all pieces accepted": Refused.not_finalised,
    "stale pieces": Refused.not_finalised,
    "link asked": {"waiting": (K.invitation,), "link_asked_at": AT},
    "not me": GONE_TO_POST,
    "left the company": {**ENDED, "closure": Closure.declined_left},
    "abandoned": {**ENDED, "closure": Closure.withdrawn_mistake},
    "paused": {"pause": PauseReason.on_leave},
    "resumed": Refused.not_paused,
    "it left": Refused.no_doubt,
    "it did not leave": Refused.no_doubt,
    "bounce": GONE_TO_POST,
    "returned letter": {"reachable": (EMAIL,)},
    "invitation accepted": RESTARTED,
    "invitation bad_address": GONE_TO_POST,
    "invitation refused": {"attention": Attention.refused, "doubt": INVITATION},
    "invitation uncertain": {"attention": Attention.uncertain, "doubt": INVITATION},
    "invitation superseded": {},
    "reminder accepted": {
        "numbers": REMINDED,
        "last_message_at": AT,
        "last_automatic_at": AT,
        "next_rung": 1,
    },
    "reminder bad_address": {"numbers": REMINDED, **GONE_TO_POST},
    "reminder refused": {"numbers": REMINDED, "attention": Attention.refused, "doubt": REMINDER},
    "reminder uncertain": {"numbers": REMINDED, "attention": Attention.uncertain, "doubt": REMINDER},
    "reminder superseded": {"numbers": REMINDED},
    "employer_reminder accepted": {"numbers": ASKED, **RESTARTED, "employer_reminded_at": {EMAIL: AT}},
    "employer_reminder bad_address": {"numbers": ASKED, **GONE_TO_POST},
    "employer_reminder refused": {"numbers": ASKED, "attention": Attention.refused, "doubt": ASKED_REMINDER},
    "employer_reminder uncertain": {"numbers": ASKED, "attention": Attention.uncertain, "doubt": ASKED_REMINDER},
    "employer_reminder superseded": {"numbers": ASKED},
    "postal_fallback accepted": {"numbers": LETTERED, **RESTARTED, "last_automatic_at": AT, "medium": POST},
    "postal_fallback bad_address": {"numbers": LETTERED, "reachable": (EMAIL,)},
    "postal_fallback refused": {"numbers": LETTERED, "attention": Attention.refused, "doubt": LETTER},
    "postal_fallback uncertain": {"numbers": LETTERED, "attention": Attention.uncertain, "doubt": LETTER},
    "postal_fallback superseded": {"numbers": LETTERED},
    "missing_pieces accepted": {"numbers": REQUESTED, "last_message_at": AT},
    "missing_pieces bad_address": {"numbers": REQUESTED, **GONE_TO_POST},
    "missing_pieces refused": {"numbers": REQUESTED, "attention": Attention.refused, "doubt": REQUEST_AGAIN},
    "missing_pieces uncertain": {"numbers": REQUESTED, "attention": Attention.uncertain, "doubt": REQUEST_AGAIN},
    "missing_pieces superseded": {"numbers": REQUESTED},
}

# Before anything left the invitation still waits, and what is accepted first makes it `sent`.
_STILL_WAITING: dict[str, Changes] = {
    name: {**changes, "numbers": {k: n for k, n in changes.get("numbers", {}).items() if k is not K.invitation}}  # type: ignore[attr-defined]
    for name, changes in FROM_SENT.items()
    if not isinstance(changes, Refused)
    and name.split()[0] in (K.reminder, K.employer_reminder, K.postal_fallback, K.missing_pieces)
}
FROM_PREPARING: dict[str, Changes | Refused] = {
    **FROM_SENT,
    "employer reminder": Refused.not_sent_yet,
    "link asked": Refused.under_way,
    "invitation accepted": {"status": Status.sent, "numbers": INVITED, "waiting": (), **RESTARTED},
    "invitation bad_address": {"numbers": INVITED, **GONE_TO_POST},
    "invitation refused": {"numbers": INVITED, "waiting": (), "attention": Attention.refused, "doubt": INVITATION},
    "invitation uncertain": {"numbers": INVITED, "waiting": (), "attention": Attention.uncertain, "doubt": INVITATION},
    "invitation superseded": {"numbers": INVITED, "waiting": ()},
    **_STILL_WAITING,
    **{
        f"{kind} accepted": {**_STILL_WAITING[f"{kind} accepted"], "status": Status.sent}
        for kind in (K.reminder, K.employer_reminder, K.postal_fallback, K.missing_pieces)
    },
}


def _after_the_end(name: str) -> Changes | Refused:
    """Callbacks come after the end too: they are taken note of; requests are refused."""
    if name in PIECES_TOLD:
        return Refused.not_finalised
    if name in ("bounce", "returned letter"):
        return {}
    first, _, last = name.partition(" ")
    if last not in list(Result):
        return Refused.closed
    kind = MessageKind(first)
    noted: Changes = {"numbers": {**INVITED, kind: 2 if kind is K.missing_pieces else 1}}
    if name.endswith(" accepted"):
        noted["last_message_at"] = AT
        if kind in (K.reminder, K.postal_fallback):
            noted |= {"last_automatic_at": AT, "next_rung": 1}
    return noted


PIECES_TOLD = ("pieces asked", "pieces received", "all pieces received", "all pieces accepted", "stale pieces")

# Nothing is awaited any more: what staff find out later is followed all the same.
FROM_FINALISED: dict[str, Changes | Refused] = {
    **{name: _after_the_end(name) for name in TRANSITIONS},
    "pieces asked": {
        "waiting": (K.missing_pieces,),
        "missing": ("rib", "school_certificate:k1"),
        "awaited": True,
        "pieces_version": 1,
        "pieces_since": AT,
    },
    "pieces received": {
        "waiting": (K.missing_pieces,),
        "missing": ("rib",),
        "checking": True,
        "awaited": True,
        "pieces_version": 1,
        "pieces_since": AT,
    },
    "all pieces received": {"checking": True, "awaited": True, "pieces_version": 1},
    "all pieces accepted": {"pieces_version": 1},
    "stale pieces": Refused.stale_pieces,
}

TABLE: list[tuple[Status, str, Changes | Refused]] = [
    *((Status.preparing, name, changes) for name, changes in FROM_PREPARING.items()),
    *((Status.sent, name, changes) for name, changes in FROM_SENT.items()),
    *((Status.started, name, changes) for name, changes in FROM_SENT.items()),
    *((Status.finalised, name, changes) for name, changes in FROM_FINALISED.items()),
    *((Status.abandoned, name, _after_the_end(name)) for name in TRANSITIONS),
]


@pytest.mark.parametrize(("status", "name", "changes"), TABLE, ids=lambda value: str(value)[:40])
def test_each_transition_in_each_status_changes_this_and_nothing_else(
    status: Status, name: str, changes: Changes | Refused
) -> None:
    state = BY_STATUS[status]
    assert outcome(state, name) == expected(state, changes)


def test_the_table_is_complete() -> None:
    assert {(status, name) for status, name, _ in TABLE} == set(itertools.product(Status, TRANSITIONS))


# --- told twice

UNCHANGED: Changes = {}
TWICE: dict[str, Changes | Refused] = {
    "employer reminder": Refused.too_soon,
    "correction": {"contact_version": 3, "address_versions": {EMAIL: 3, POST: 1}},
    "draft": UNCHANGED,
    "completed": Refused.closed,
    "completed in part": Refused.closed,
    "not me": UNCHANGED,
    "left the company": Refused.closed,
    "abandoned": Refused.closed,
    "paused": Refused.already_paused,
    "bounce": UNCHANGED,
    "returned letter": UNCHANGED,
    "invitation accepted": UNCHANGED,
    "invitation bad_address": UNCHANGED,
    "invitation refused": UNCHANGED,
    "invitation uncertain": UNCHANGED,
    "reminder bad_address": UNCHANGED,
    "reminder uncertain": UNCHANGED,
    "employer_reminder accepted": UNCHANGED,
    "postal_fallback accepted": UNCHANGED,
    "postal_fallback bad_address": UNCHANGED,
}


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize(("name", "changes"), TWICE.items(), ids=lambda value: str(value)[:40])
def test_told_twice_it_is_refused_or_changes_nothing_more(
    status: Status, name: str, changes: Changes | Refused
) -> None:
    once = outcome(BY_STATUS[status], name)
    if isinstance(once, Refused):
        assert (status, name) == (Status.preparing, "employer reminder")
        return
    assert outcome(once, name) == expected(once, changes)


def test_resumed_twice_is_refused() -> None:
    resumed = SENT.paused(PauseReason.other).resumed(AT)
    assert resumed == replace(SENT, clock_since=AT)
    assert outcome(resumed, "resumed") is Refused.not_paused


@pytest.mark.parametrize("verdict", Verdict)
def test_a_doubt_is_resolved_once(verdict: Verdict) -> None:
    state = SENT.handed_over(ASKED_REMINDER, Result.uncertain, AT).doubt_resolved(verdict, AT)
    assert (state.attention, state.doubt) == (None, None)
    with pytest.raises(Refusal) as refused:
        state.doubt_resolved(verdict, AT)
    assert refused.value.code is Refused.no_doubt


# --- in any order


def _in_any_order(state: AffiliationState, depth: int) -> None:
    for name in TRANSITIONS:
        new = outcome(state, name)
        if isinstance(new, Refused):
            continue
        if state.closed:
            assert (new.status, new.closure) == (state.status, state.closure)
            assert new.missing == state.missing or name in PIECES_TOLD
        elif new.status is not state.status:
            assert new.status is not Status.preparing
            assert (state.status, new.status) != (Status.started, Status.sent)
        if new.closed:
            check(new)
        if depth > 1:
            _in_any_order(new, depth - 1)


@pytest.mark.parametrize("state", [*BY_STATUS.values(), AWAITING, CHECKING], ids=lambda state: state.status)
def test_in_any_order_there_is_a_new_state_or_a_refusal_and_the_closed_stay_closed(state: AffiliationState) -> None:
    """Every sequence of three transitions; any exception but a refusal fails the test."""
    _in_any_order(state, depth=3)


@pytest.mark.parametrize(
    "name", ["employer reminder", "correction", "link asked", "draft", "completed", "paused", "it left"]
)
def test_a_closed_affiliation_refuses_every_request_as_closed_and_names_no_later_moment(name: str) -> None:
    for state in (FINALISED, ABANDONED):
        with pytest.raises(Refusal) as refused:
            TRANSITIONS[name](state)
        assert (refused.value.code, refused.value.retry_at) == (Refused.closed, None)


def test_a_refusal_reads_as_its_code() -> None:
    assert str(Refusal(Refused.closed)) == "affiliation_closed"


# --- the first medium


@pytest.mark.parametrize(
    ("reachable", "asked", "medium"),
    [
        ((EMAIL, POST), None, EMAIL),
        ((POST, EMAIL), None, EMAIL),
        ((POST, SMS), None, POST),
        ((EMAIL, POST), POST, POST),
        ((EMAIL, POST), EMAIL, EMAIL),
        ((POST,), EMAIL, POST),
    ],
)
def test_the_first_medium_is_email_where_there_is_an_address_unless_post_is_asked(
    reachable: tuple[Medium, ...], asked: Medium | None, medium: Medium
) -> None:
    assert first_medium(reachable, asked) is medium
    assert declared(BEGUN, reachable, asked).medium is medium


def test_a_new_affiliation_is_preparing_and_its_invitation_waits() -> None:
    state = declared(BEGUN, iter((EMAIL, POST)))
    assert (state.status, state.waiting, state.clock_since) == (Status.preparing, (K.invitation,), BEGUN)
    assert state.reachable == (EMAIL, POST)
    assert state.address_versions == {EMAIL: 1, POST: 1}


@pytest.mark.parametrize("result", [result for result in Result if result is not Result.accepted])
def test_sent_is_never_said_before_a_provider_accepted(result: Result) -> None:
    assert PREPARING.handed_over(INVITATION, result, AT).status is Status.preparing


def test_the_clock_counts_from_the_acceptance_not_from_the_declaration() -> None:
    assert PREPARING.handed_over(INVITATION, Result.accepted, AT).clock_since == AT


def test_the_clock_never_goes_back() -> None:
    assert STARTED.handed_over(ASKED_REMINDER, Result.accepted, BEGUN).clock_since == DRAFTED


# --- « Relancer »


def test_a_second_reminder_within_24_hours_is_refused_and_says_when() -> None:
    state = SENT.employer_reminder_asked(AT, DEFAULT_POLICY)
    with pytest.raises(Refusal) as refused:
        state.employer_reminder_asked(AT + DAY - timedelta(microseconds=1), DEFAULT_POLICY)
    assert (refused.value.code, refused.value.retry_at) == (Refused.too_soon, AT + DAY)
    assert state.reminder_allowed_from(DEFAULT_POLICY) == AT + DAY
    left = state.handed_over(ASKED_REMINDER, Result.accepted, AT)
    assert left.employer_reminder_asked(AT + DAY, DEFAULT_POLICY).employer_reminded_at == {EMAIL: AT + DAY}


def test_the_24_hours_are_those_of_the_policy() -> None:
    policy = replace(DEFAULT_POLICY, employer_reminder_hours=2)
    state = SENT.employer_reminder_asked(AT, policy)
    assert state.reminder_allowed_from(policy) == AT + timedelta(hours=2)


def test_a_first_reminder_is_allowed_at_any_time() -> None:
    assert SENT.reminder_allowed_from(DEFAULT_POLICY) is None


def test_a_corrected_address_forgets_its_24_hours() -> None:
    state = SENT.employer_reminder_asked(AT, DEFAULT_POLICY).contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert state.reminder_allowed_from(DEFAULT_POLICY) is None
    anew = state.handed_over(Message(K.invitation, 2, EMAIL, automatic=False), Result.accepted, AT)
    assert K.employer_reminder in anew.employer_reminder_asked(AT, DEFAULT_POLICY).waiting


def test_another_corrected_address_keeps_the_24_hours_of_the_one_in_use() -> None:
    state = SENT.employer_reminder_asked(AT, DEFAULT_POLICY).contact_corrected(AT, 2, (POST, SMS), (EMAIL, POST, SMS))
    assert state.reminder_allowed_from(DEFAULT_POLICY) == AT + DAY


def test_the_24_hours_are_counted_for_each_address() -> None:
    asked = SENT.employer_reminder_asked(AT, DEFAULT_POLICY).handed_over(ASKED_REMINDER, Result.accepted, AT)
    by_letter = asked.handed_over(LETTER, Result.accepted, AT)
    assert by_letter.medium is POST
    assert by_letter.employer_reminder_asked(AT, DEFAULT_POLICY).employer_reminded_at == {EMAIL: AT, POST: AT}


def test_a_second_reminder_is_refused_while_an_outage_holds_the_first_and_its_24_hours_count_from_its_departure() -> (
    None
):
    held = SENT.employer_reminder_asked(AT, DEFAULT_POLICY)
    assert outcome_at(held, AT + 3 * DAY) is Refused.under_way
    left = held.handed_over(ASKED_REMINDER, Result.accepted, AT + 3 * DAY)
    assert left.reminder_allowed_from(DEFAULT_POLICY) == AT + 4 * DAY


def test_no_reminder_while_a_corrected_address_still_waits_for_its_invitation() -> None:
    corrected = SENT.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert outcome_at(corrected, AT) is Refused.under_way


def outcome_at(state: AffiliationState, at: datetime) -> Refused | None:
    try:
        state.employer_reminder_asked(at, DEFAULT_POLICY)
    except Refusal as refusal:
        return refusal.code
    return None


def test_no_reminder_where_nothing_reaches_the_employee() -> None:
    state = sent(BEGUN, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    assert outcome(state, "employer reminder") is Refused.unreachable


def test_a_reminder_restarts_the_clock_when_it_leaves_and_its_rungs_begin_anew() -> None:
    state = SENT.handed_over(REMINDER, Result.accepted, DRAFTED)
    asked = state.employer_reminder_asked(AT, DEFAULT_POLICY)
    assert (asked.clock_since, asked.next_rung) == (BEGUN, 1)
    left = asked.handed_over(ASKED_REMINDER, Result.accepted, AT + DAY)
    assert (left.clock_since, left.next_rung, left.waiting) == (AT + DAY, 0, ())


# --- corrections


def test_a_correction_sends_the_invitation_anew_and_drops_what_waited() -> None:
    state = SENT.handed_over(REMINDER, Result.accepted, DRAFTED).employer_reminder_asked(DRAFTED, DEFAULT_POLICY)
    corrected = state.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert (corrected.waiting, corrected.clock_since, corrected.next_rung) == ((K.invitation,), AT, 0)


def test_a_corrected_phone_or_unused_address_sends_nothing() -> None:
    state = SENT.contact_corrected(AT, 2, (POST, SMS), (EMAIL, POST, SMS))
    assert state == replace(
        SENT, contact_version=2, address_versions={EMAIL: 1, POST: 2, SMS: 2}, reachable=(EMAIL, POST, SMS)
    )


def test_a_new_email_address_is_used_from_now_on() -> None:
    state = sent(BEGUN, POST, (POST,)).contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert (state.medium, state.waiting) == (EMAIL, (K.invitation,))


def test_an_email_address_taken_away_sends_the_invitation_by_post() -> None:
    state = SENT.contact_corrected(AT, 2, (EMAIL,), (POST,))
    assert (state.medium, state.waiting, state.reachable) == (POST, (K.invitation,), (POST,))


def test_an_address_known_to_fail_stays_so_until_it_is_corrected_itself() -> None:
    failed = SENT.delivery_failed(EMAIL, 1).handed_over(LETTER, Result.accepted, AT)
    phone = failed.contact_corrected(AT, 2, (SMS,), (EMAIL, POST, SMS))
    assert phone.reachable == (POST, SMS)
    assert phone.medium is POST
    assert phone.contact_corrected(AT, 3, (EMAIL,), (EMAIL, POST, SMS)).reachable == (EMAIL, POST, SMS)


def test_a_correction_answers_the_attention_it_was_asked_for() -> None:
    lost = sent(BEGUN, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    assert lost.contact_corrected(AT, 2, (SMS,), (EMAIL, SMS)).attention is Attention.unreachable
    assert lost.contact_corrected(AT, 2, (EMAIL,), (EMAIL,)).attention is None
    by_post = lost.contact_corrected(AT, 2, (POST,), (EMAIL, POST))
    assert (by_post.attention, by_post.medium, by_post.waiting) == (None, POST, (K.invitation,))


def test_a_correction_that_leaves_no_address_in_use_needs_a_person() -> None:
    state = sent(BEGUN, reachable=(EMAIL, SMS)).employer_reminder_asked(AT, DEFAULT_POLICY)
    state = state.contact_corrected(AT, 2, (EMAIL,), (SMS,))
    assert (state.attention, state.waiting) == (Attention.unreachable, ())


@pytest.mark.parametrize("version", [1, 0])
def test_a_correction_overtaken_by_another_is_refused_as_stale(version: int) -> None:
    with pytest.raises(Refusal) as refused:
        SENT.contact_corrected(AT, version, (EMAIL,), (EMAIL, POST))
    assert refused.value.code is Refused.stale_contact


def test_a_correction_makes_the_doubt_about_the_former_message_pointless() -> None:
    doubtful = SENT.handed_over(ASKED_REMINDER, Result.uncertain, AT)
    state = doubtful.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert (state.attention, state.doubt, state.waiting) == (None, None, (K.invitation,))
    elsewhere = doubtful.contact_corrected(AT, 2, (SMS,), (EMAIL, POST, SMS))
    assert (elsewhere.attention, elsewhere.doubt) == (Attention.uncertain, ASKED_REMINDER)


def test_the_media_of_a_correction_may_be_read_once_only() -> None:
    state = SENT.contact_corrected(AT, 2, iter((EMAIL,)), iter((EMAIL, POST)))
    assert state == SENT.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))


# --- bounces, returned letters, « Ce n'est pas moi »


def test_a_bounce_of_an_address_since_corrected_changes_nothing() -> None:
    corrected = SENT.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST)).contact_corrected(AT, 3, (POST,), (EMAIL, POST))
    assert corrected.delivery_failed(EMAIL, 1) == corrected
    assert corrected.delivery_failed(POST, 2) == corrected
    assert corrected.delivery_failed(EMAIL, 2).reachable == (POST,)
    assert corrected.delivery_failed(EMAIL, 3).reachable == (POST,)


def test_a_bounce_after_a_correction_of_something_else_still_counts() -> None:
    state = SENT.contact_corrected(AT, 2, (SMS,), (EMAIL, POST, SMS)).delivery_failed(EMAIL, 1)
    assert (state.reachable, state.waiting) == ((POST, SMS), (K.postal_fallback,))


def test_the_medium_becomes_post_when_the_letter_is_accepted_not_before() -> None:
    bounced = SENT.delivery_failed(EMAIL, 1)
    assert bounced.medium is EMAIL
    letter = replace(LETTER, automatic=False)
    assert bounced.handed_over(letter, Result.uncertain, AT).medium is EMAIL
    accepted = bounced.handed_over(letter, Result.accepted, AT)
    assert (accepted.medium, accepted.waiting, accepted.clock_since) == (POST, (), AT)
    assert accepted.last_automatic_at is None


def test_a_bounce_replaces_what_waited_for_that_address() -> None:
    state = SENT.employer_reminder_asked(AT, DEFAULT_POLICY).delivery_failed(EMAIL, 1)
    assert state.waiting == (K.postal_fallback,)


def test_a_letter_returned_on_the_last_medium_needs_a_person() -> None:
    state = sent(BEGUN, POST, (POST, SMS)).delivery_failed(POST, 1)
    assert (state.attention, state.waiting, state.reachable) == (Attention.unreachable, (), (SMS,))


@pytest.mark.parametrize("result", [Result.bad_address])
def test_a_letter_refused_for_its_address_after_the_email_bounced_needs_a_person(result: Result) -> None:
    bounced = SENT.delivery_failed(EMAIL, 1)
    state = bounced.handed_over(replace(LETTER, automatic=False), result, AT)
    assert (state.attention, state.waiting, state.reachable) == (Attention.unreachable, (), ())


def test_a_postal_address_lost_while_the_letter_waits_needs_a_person() -> None:
    state = SENT.paused(PauseReason.on_leave).delivery_failed(EMAIL, 1).delivery_failed(POST, 1)
    assert (state.attention, state.waiting) == (Attention.unreachable, ())


def test_a_lost_phone_changes_nothing_else() -> None:
    state = sent(BEGUN, reachable=(EMAIL, POST, SMS))
    assert state.delivery_failed(SMS, 1) == replace(state, reachable=(EMAIL, POST))
    bounced = state.delivery_failed(EMAIL, 1).handed_over(LETTER, Result.uncertain, AT)
    assert bounced.delivery_failed(SMS, 1) == replace(bounced, reachable=(POST,))


def test_an_address_lost_twice_does_not_send_a_second_letter() -> None:
    in_doubt = SENT.delivery_failed(EMAIL, 1).handed_over(LETTER, Result.uncertain, AT)
    assert in_doubt.declined(EMAIL, DeclineReason.not_me) == in_doubt
    assert in_doubt.handed_over(ASKED_REMINDER, Result.bad_address, AT).waiting == ()


def test_losing_the_last_medium_overtakes_a_message_in_doubt() -> None:
    state = sent(BEGUN, reachable=(EMAIL,)).handed_over(ASKED_REMINDER, Result.uncertain, AT).delivery_failed(EMAIL, 1)
    assert (state.attention, state.doubt) == (Attention.unreachable, None)
    assert outcome(state, "it left") is Refused.no_doubt


@pytest.mark.parametrize("result", [Result.uncertain, Result.refused])
def test_a_doubt_told_late_does_not_hide_that_nothing_reaches_the_employee(result: Result) -> None:
    lost = sent(BEGUN, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    state = lost.handed_over(ASKED_REMINDER, result, AT)
    assert (state.attention, state.doubt) == (Attention.unreachable, None)


# --- the employee


def test_a_draft_drops_what_would_tell_them_to_do_what_they_are_doing() -> None:
    state = SENT.employer_reminder_asked(AT, DEFAULT_POLICY).draft_saved(AT, EMAIL)
    assert state.waiting == ()


def test_a_draft_before_the_provider_answered_is_a_start_and_not_undone_by_the_answer() -> None:
    state = PREPARING.draft_saved(AT, EMAIL)
    assert state.status is Status.started
    assert state.handed_over(INVITATION, Result.accepted, AT).status is Status.started


@pytest.mark.parametrize(("by", "medium"), [(POST, POST), (EMAIL, EMAIL), (SMS, EMAIL)])
def test_the_medium_follows_how_the_employee_came_in_except_by_sms(by: Medium, medium: Medium) -> None:
    assert sent(BEGUN, reachable=(EMAIL, POST, SMS)).draft_saved(AT, by).medium is medium


def test_a_draft_by_a_link_whose_address_failed_goes_on_by_post() -> None:
    state = SENT.delivery_failed(EMAIL, 1).draft_saved(AT, EMAIL)
    assert (state.medium, state.waiting) == (POST, ())


def test_a_draft_by_the_link_of_an_address_that_failed_keeps_the_letter_s_medium() -> None:
    state = SENT.delivery_failed(EMAIL, 1).handed_over(LETTER, Result.accepted, AT).draft_saved(AT, EMAIL)
    assert state.medium is POST


def test_a_draft_by_the_code_of_a_letter_that_came_back_goes_on_by_email() -> None:
    assert SENT.delivery_failed(POST, 1).draft_saved(AT, POST).medium is EMAIL


def test_a_draft_makes_a_message_in_doubt_pointless_but_gives_nobody_an_address() -> None:
    lost = sent(BEGUN, reachable=(EMAIL,)).delivery_failed(EMAIL, 1)
    assert lost.draft_saved(AT, EMAIL).attention is Attention.unreachable
    doubtful = SENT.handed_over(ASKED_REMINDER, Result.refused, AT).draft_saved(AT, EMAIL)
    assert (doubtful.attention, doubtful.doubt) == (None, None)


def test_another_phone_sends_nothing_even_while_the_fallback_letter_waits() -> None:
    held = SENT.delivery_failed(EMAIL, 1)
    assert held.contact_corrected(AT, 2, (SMS,), (EMAIL, POST, SMS)).waiting == (K.postal_fallback,)


def test_a_draft_restarts_the_clock_and_its_rungs() -> None:
    state = SENT.handed_over(REMINDER, Result.accepted, DRAFTED).draft_saved(AT, EMAIL)
    assert (state.clock_since, state.next_rung) == (AT, 0)


@pytest.mark.parametrize(
    ("reachable", "medium", "missing", "waiting"),
    [
        ((EMAIL, POST), EMAIL, (), (K.confirmation,)),
        ((EMAIL, POST), POST, (), (K.confirmation,)),
        ((POST,), POST, (), ()),
        ((POST,), POST, ("rib",), (K.missing_pieces,)),
        ((EMAIL, POST), EMAIL, ("rib",), (K.missing_pieces,)),
    ],
)
def test_what_is_said_to_who_completed(
    reachable: tuple[Medium, ...], medium: Medium, missing: tuple[str, ...], waiting: tuple[MessageKind, ...]
) -> None:
    state = sent(BEGUN, medium, reachable).completed(AT, missing)
    assert (state.status, state.waiting, state.missing) == (Status.finalised, waiting, missing)


def test_nothing_is_said_where_nothing_reaches_who_completed() -> None:
    lost = sent(BEGUN, POST, (POST,)).delivery_failed(POST, 1)
    asked = lost.completed(AT, ("rib",))
    assert (asked.waiting, asked.attention) == ((), Attention.unreachable_for_pieces)
    assert (lost.completed(AT).waiting, lost.completed(AT).attention) == ((), None)


def test_missing_pieces_are_asked_for_by_the_medium_that_reaches() -> None:
    assert SENT.delivery_failed(EMAIL, 1).completed(AT, ("rib",)).way_of(K.missing_pieces) is POST
    returned = sent(BEGUN, POST, (EMAIL, POST)).delivery_failed(POST, 1)
    assert returned.completed(AT, ("rib",)).way_of(K.missing_pieces) is EMAIL
    assert returned.way_of(K.postal_fallback) is None


def test_the_end_settles_pauses_attention_and_doubts() -> None:
    state = SENT.paused(PauseReason.on_leave).handed_over(ASKED_REMINDER, Result.uncertain, AT)
    for ended in (state.completed(AT), state.completed(AT, ("rib",)), state.abandoned(Closure.no_response)):
        assert (ended.pause, ended.attention, ended.doubt) == (None, None, None)


@pytest.mark.parametrize(
    ("medium", "reachable", "given", "goes_by"),
    [
        (POST, (POST,), (EMAIL, POST), EMAIL),
        (EMAIL, (EMAIL, POST), (POST, SMS), POST),
        (EMAIL, (EMAIL, POST), (EMAIL, POST, SMS), EMAIL),
    ],
)
def test_messages_go_to_the_contact_that_came_with_the_form(
    medium: Medium, reachable: tuple[Medium, ...], given: tuple[Medium, ...], goes_by: Medium
) -> None:
    state = sent(BEGUN, medium, reachable).completed(AT, ("rib",), contact_version=2, reachable=iter(given))
    assert (state.contact_version, state.reachable, state.medium) == (2, given, goes_by)
    assert state.way_of(K.missing_pieces) is goes_by
    assert state.delivery_failed(medium, 1) == state, "a bounce of the former address"


def test_a_contact_older_than_the_present_one_is_ignored() -> None:
    corrected = SENT.contact_corrected(AT, 3, (POST,), (EMAIL, POST))
    state = corrected.completed(AT, contact_version=2, reachable=(POST,))
    assert (state.contact_version, state.reachable) == (3, (EMAIL, POST))


# --- pieces after the form

WAITING_FOR_PIECES: dict[str, Changes | Refused] = {
    "employer reminder": Refused.closed,
    "draft": Refused.closed,
    "completed": Refused.closed,
    "not me": Refused.closed,
    "abandoned": Refused.closed,
    "paused": Refused.closed,
    "resumed": Refused.closed,
    "it left": Refused.no_doubt,
    "stale pieces": Refused.stale_pieces,
    "stale correction": Refused.stale_contact,
    "link asked": {"waiting": (K.missing_pieces,), "link_asked_at": AT},
    "correction": {
        "contact_version": 2,
        "address_versions": {EMAIL: 2, POST: 1},
        "pieces_since": AT,
        "waiting": (K.missing_pieces,),
    },
    "pieces asked": {
        "missing": ("rib", "school_certificate:k1"),
        "pieces_version": 1,
        "pieces_since": AT,
        "waiting": (K.missing_pieces,),
    },
    "pieces received": {"missing": ("rib",), "checking": True, "pieces_version": 1},
    "all pieces received": {"missing": (), "checking": True, "pieces_version": 1},
    "all pieces accepted": {
        "missing": (),
        "awaited": False,
        "pieces_version": 1,
        "pieces_since": None,
        "waiting": (K.confirmation,),
    },
    "bounce": {"reachable": (POST,), "waiting": (K.missing_pieces,)},
    "returned letter": {"reachable": (EMAIL,)},
    "missing_pieces accepted": {
        "numbers": {**INVITED, K.missing_pieces: 2},
        "last_message_at": AT,
        "pieces_since": AT,
    },
    "missing_pieces bad_address": {
        "numbers": {**INVITED, K.missing_pieces: 2},
        "reachable": (POST,),
        "waiting": (K.missing_pieces,),
    },
    "missing_pieces uncertain": {
        "numbers": {**INVITED, K.missing_pieces: 2},
        "attention": Attention.uncertain,
        "doubt": REQUEST_AGAIN,
    },
    "missing_pieces refused": {
        "numbers": {**INVITED, K.missing_pieces: 2},
        "attention": Attention.refused,
        "doubt": REQUEST_AGAIN,
    },
}


@pytest.mark.parametrize(("name", "changes"), WAITING_FOR_PIECES.items(), ids=lambda value: str(value)[:40])
def test_what_happens_while_pieces_are_missing(name: str, changes: Changes | Refused) -> None:
    assert outcome(AWAITING, name) == expected(AWAITING, changes)


def test_documents_that_are_checked_keep_it_going_and_are_confirmed_already() -> None:
    assert (CHECKING.awaited, CHECKING.waiting, CHECKING.missing) == (True, (K.confirmation,), ())
    assert outcome(CHECKING, "link asked") is Refused.closed
    corrected = CHECKING.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST))
    assert (corrected.waiting, corrected.contact_version) == ((K.confirmation,), 2)


def test_a_confirmation_that_no_address_carries_any_more_is_dropped() -> None:
    assert CHECKING.contact_corrected(AT, 2, (EMAIL,), (POST,)).waiting == ()
    assert CHECKING.delivery_failed(EMAIL, 1).waiting == ()


def test_nothing_leaves_when_documents_that_were_never_asked_for_are_accepted() -> None:
    told = CHECKING.handed_over(Message(K.confirmation, 1, EMAIL, automatic=False), Result.accepted, AT)
    state = told.pieces_changed(AT, 1, (), False)
    assert (state.over, state.waiting) == (True, ())


def test_a_document_that_staff_refuse_is_asked_for_and_its_replacement_accepted_is_confirmed() -> None:
    refused = CHECKING.pieces_changed(AT, 1, ("rib",), False)
    assert (refused.waiting, refused.pieces_since) == ((K.missing_pieces,), AT)
    accepted = refused.pieces_changed(AT, 2, (), True).pieces_changed(AT, 3, (), False)
    assert (accepted.over, accepted.waiting) == (True, (K.confirmation,))


def test_who_has_no_email_is_not_told_that_the_file_is_complete() -> None:
    state = sent(BEGUN, POST, (POST,)).completed(AT, ("rib",)).pieces_changed(AT, 1, (), False)
    assert (state.over, state.waiting) == (True, ())


def test_a_request_not_left_yet_is_dropped_when_everything_is_there() -> None:
    asked = STARTED.completed(AT, ("rib",))
    assert asked.pieces_changed(AT, 1, (), True).waiting == ()
    doubtful = asked.handed_over(REQUEST, Result.uncertain, AT)
    everything = doubtful.pieces_changed(AT, 1, (), True)
    assert (everything.attention, everything.doubt) == (None, None)


def test_a_doubt_about_the_confirmation_outlives_what_is_checked_and_not_the_end() -> None:
    doubtful = CHECKING.handed_over(Message(K.confirmation, 1, EMAIL, automatic=False), Result.uncertain, AT)
    assert doubtful.pieces_changed(AT, 1, (), True).attention is Attention.uncertain
    accepted = doubtful.pieces_changed(AT, 1, (), False)
    assert (accepted.attention, accepted.doubt, accepted.waiting) == (None, None, ())


@pytest.mark.parametrize("version", [0, 1])
def test_pieces_overtaken_by_a_newer_version_are_refused_as_stale(version: int) -> None:
    state = AWAITING.pieces_changed(AT, 1, ("rib",), False)
    with pytest.raises(Refusal) as refused:
        state.pieces_changed(AT, version, (), False)
    assert refused.value.code is Refused.stale_pieces


def test_the_clock_of_pieces_counts_from_the_request_s_departure_and_a_reminder_moves_nothing() -> None:
    held = STARTED.completed(ASKED_ON, ("rib",))
    left = held.handed_over(REQUEST, Result.accepted, AT)
    assert left.pieces_since == AT
    reminded = left.handed_over(PIECES_REMINDER, Result.accepted, AT + 7 * DAY)
    assert (reminded.pieces_since, reminded.next_rung) == (AT, 1)


@pytest.mark.parametrize("name", ["pieces asked", "missing_pieces accepted", "correction"])
def test_asked_for_again_both_reminders_of_pieces_come_again(name: str) -> None:
    reminded = AWAITING.handed_over(PIECES_REMINDER, Result.accepted, ASKED_ON + 2 * DAY)
    again = outcome(reminded, name)
    assert isinstance(again, AffiliationState)
    assert (again.next_rung, again.pieces_since) == (0, AT)


def test_after_the_deadline_a_request_that_bounces_leaves_by_post_and_staff_keep_it() -> None:
    bounced = AWAITING.pieces_overdue().delivery_failed(EMAIL, 1)
    assert (bounced.attention, bounced.waiting) == (Attention.pieces_overdue, (K.missing_pieces,))
    lost = bounced.delivery_failed(POST, 1)
    assert (lost.attention, lost.waiting) == (Attention.unreachable_for_pieces, ())


def test_after_the_deadline_a_link_is_still_sent_and_staff_keep_it() -> None:
    overdue = AWAITING.pieces_overdue()
    assert overdue == replace(AWAITING, attention=Attention.pieces_overdue)
    asked = overdue.link_asked(AT, DEFAULT_POLICY).handed_over(REQUEST_AGAIN, Result.accepted, AT)
    assert (asked.attention, asked.pieces_since, asked.waiting) == (Attention.pieces_overdue, ASKED_ON, ())
    doubtful = overdue.handed_over(REQUEST_AGAIN, Result.uncertain, AT)
    assert (doubtful.attention, doubtful.doubt) == (Attention.pieces_overdue, None)


def test_after_the_deadline_pieces_asked_for_a_corrected_address_or_all_of_them_there_start_anew() -> None:
    overdue = AWAITING.pieces_overdue()
    assert overdue.pieces_changed(AT, 1, ("rib",), True).attention is Attention.pieces_overdue
    assert overdue.pieces_changed(AT, 1, (), True).attention is None
    for again in (
        overdue.pieces_changed(AT, 1, ("rib", "signature", "waiver_proof"), False),
        overdue.contact_corrected(AT, 2, (EMAIL,), (EMAIL, POST)),
    ):
        assert (again.attention, again.pieces_since, again.waiting) == (None, AT, (K.missing_pieces,))


def test_the_deadline_makes_a_request_in_doubt_pointless() -> None:
    state = AWAITING.handed_over(PIECES_REMINDER, Result.uncertain, AT).pieces_overdue()
    assert (state.attention, state.doubt) == (Attention.pieces_overdue, None)
    assert outcome(state, "it left") is Refused.no_doubt


def test_a_request_that_bounces_on_the_last_medium_needs_staff_until_the_address_is_corrected() -> None:
    asked = sent(BEGUN, POST, (POST,)).completed(AT, ("rib",))
    lost = asked.delivery_failed(POST, 1)
    assert (lost.attention, lost.waiting) == (Attention.unreachable_for_pieces, ())
    with pytest.raises(Refusal) as refused:
        lost.link_asked(AT, DEFAULT_POLICY)
    assert refused.value.code is Refused.unreachable
    corrected = lost.contact_corrected(AT, 2, (POST,), (POST,))
    assert (corrected.attention, corrected.waiting) == (None, (K.missing_pieces,))


def test_a_correction_that_leaves_no_address_for_the_request_needs_staff() -> None:
    state = sent(BEGUN, reachable=(EMAIL, SMS)).completed(AT, ("rib",)).contact_corrected(AT, 2, (EMAIL,), (SMS,))
    assert (state.attention, state.waiting) == (Attention.unreachable_for_pieces, ())


def test_an_address_that_fails_while_documents_are_only_checked_is_noted_and_needs_nobody() -> None:
    state = CHECKING.delivery_failed(EMAIL, 1)
    assert (state.reachable, state.waiting, state.attention) == ((POST,), (), None)
    assert state.pieces_changed(AT, 1, ("rib",), False).way_of(K.missing_pieces) is POST


def test_a_request_in_doubt_whose_address_fails_leaves_by_the_other_medium_and_is_in_doubt_no_more() -> None:
    state = STARTED.completed(AT, ("rib",)).handed_over(REQUEST, Result.uncertain, AT).delivery_failed(EMAIL, 1)
    assert (state.attention, state.doubt, state.waiting) == (None, None, (K.missing_pieces,))
    by_post = state.handed_over(replace(REQUEST_AGAIN, medium=POST), Result.accepted, AT)
    assert (by_post.medium, by_post.waiting) == (POST, ())


@pytest.mark.parametrize(
    ("request_", "waiting"), [(REQUEST, (K.missing_pieces,)), (replace(PIECES_REMINDER, number=1), ())]
)
def test_staff_find_out_what_became_of_a_request_in_doubt(request_: Message, waiting: tuple[MessageKind, ...]) -> None:
    doubtful = STARTED.completed(ASKED_ON, ("rib",)).handed_over(request_, Result.uncertain, ASKED_ON)
    doubtful = replace(doubtful, waiting=())
    sent_again = doubtful.doubt_resolved(Verdict.did_not_leave, AT)
    assert (sent_again.waiting, sent_again.attention, sent_again.doubt) == (waiting, None, None)
    found = doubtful.doubt_resolved(Verdict.left, AT)
    assert (found.waiting, found.last_message_at, found.doubt) == ((), AT, None)


# --- pauses


@pytest.mark.parametrize("reason", PauseReason)
def test_a_pause_says_why_and_moves_no_clock(reason: PauseReason) -> None:
    assert SENT.paused(reason) == replace(SENT, pause=reason)


def test_a_resumption_restarts_the_clock_and_its_rungs_and_keeps_what_waits() -> None:
    paused = SENT.handed_over(REMINDER, Result.accepted, DRAFTED).paused(PauseReason.on_leave).delivery_failed(EMAIL, 1)
    state = paused.resumed(AT)
    assert (state.pause, state.clock_since, state.next_rung) == (None, AT, 0)
    assert state.waiting == (K.postal_fallback,)


# --- doubts


def test_a_doubt_is_about_the_last_message_and_names_staff_s_question() -> None:
    assert SENT.handed_over(ASKED_REMINDER, Result.uncertain, AT).attention is Attention.uncertain
    assert SENT.handed_over(ASKED_REMINDER, Result.refused, AT).attention is Attention.refused


def test_an_invitation_that_did_leave_makes_it_sent() -> None:
    state = PREPARING.handed_over(INVITATION, Result.uncertain, BEGUN).doubt_resolved(Verdict.left, AT)
    assert (state.status, state.clock_since, state.waiting) == (Status.sent, AT, ())


def test_what_a_person_asked_for_and_did_not_leave_is_sent_again_first_under_a_new_number() -> None:
    state = PREPARING.handed_over(INVITATION, Result.refused, BEGUN)
    state = state.doubt_resolved(Verdict.did_not_leave, AT)
    assert (state.waiting, state.next_number(K.invitation)) == ((K.invitation,), 2)
    queued = SENT.handed_over(INVITED_AGAIN, Result.uncertain, AT).employer_reminder_asked(AT, DEFAULT_POLICY)
    resolved = queued.doubt_resolved(Verdict.did_not_leave, AT)
    assert resolved.waiting == (K.invitation, K.employer_reminder)


def test_a_receipt_that_did_not_leave_is_dropped_where_its_address_has_failed_meanwhile() -> None:
    receipt = Message(K.confirmation, 1, EMAIL, automatic=False)
    doubtful = CHECKING.handed_over(receipt, Result.refused, AT)
    assert doubtful.doubt_resolved(Verdict.did_not_leave, AT).waiting == (K.confirmation,)
    bounced = doubtful.delivery_failed(EMAIL, 1)
    assert bounced.doubt_resolved(Verdict.did_not_leave, AT).waiting == ()


def test_an_automatic_message_that_did_not_leave_is_left_to_the_plan() -> None:
    for message in (REMINDER, LETTER):
        state = SENT.handed_over(message, Result.uncertain, AT).doubt_resolved(Verdict.did_not_leave, AT)
        assert (state.waiting, state.next_rung, state.next_number(message.kind)) == ((), 0, 2)


def test_a_message_found_to_have_left_for_a_lost_address_does_not_bring_its_medium_back() -> None:
    state = SENT.handed_over(ASKED_REMINDER, Result.uncertain, AT).delivery_failed(EMAIL, 1)
    state = state.handed_over(replace(LETTER, automatic=False), Result.accepted, AT)
    assert state.doubt_resolved(Verdict.left, AT).medium is POST


# --- numbers and what waits


def test_numbers_never_go_back() -> None:
    state = SENT.handed_over(INVITED_AGAIN, Result.accepted, AT).handed_over(INVITATION, Result.uncertain, AT)
    assert state.next_number(K.invitation) == 3


def test_one_message_handed_over_takes_one_of_what_waits() -> None:
    waiting = replace(SENT, waiting=(K.employer_reminder, K.invitation, K.employer_reminder))
    state = waiting.handed_over(ASKED_REMINDER, Result.accepted, AT)
    assert state.waiting == (K.invitation, K.employer_reminder)
    assert state.handed_over(INVITED_AGAIN, Result.accepted, AT).waiting == (K.employer_reminder,)


def test_a_message_accepted_after_the_end_is_noted_and_reopens_nothing() -> None:
    state: AffiliationState = ABANDONED.handed_over(ASKED_REMINDER, Result.accepted, AT)
    assert (state.status, state.last_message_at, state.waiting) == (Status.abandoned, AT, ())
    answered: datetime | None = FINALISED.handed_over(
        Message(K.confirmation, 1, EMAIL, automatic=False), Result.accepted, AT
    ).last_message_at
    assert answered == AT


# --- « Retrouver mon lien »


def test_a_link_asked_for_sends_the_invitation_again_to_the_address_on_file() -> None:
    state = SENT.link_asked(AT, DEFAULT_POLICY)
    assert (state.waiting, state.medium, state.link_asked_at) == ((K.invitation,), EMAIL, AT)


def test_a_link_is_sent_once_a_day_and_says_when() -> None:
    anew = Message(K.invitation, 2, EMAIL, automatic=False)
    state = SENT.link_asked(AT, DEFAULT_POLICY).handed_over(anew, Result.accepted, AT)
    with pytest.raises(Refusal) as refused:
        state.link_asked(AT + DAY - timedelta(seconds=1), DEFAULT_POLICY)
    assert (refused.value.code, refused.value.retry_at) == (Refused.too_soon, AT + DAY)
    assert state.link_asked(AT + DAY, DEFAULT_POLICY).waiting == (K.invitation,)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (SENT.delivery_failed(EMAIL, 1), Refused.under_way),
        (sent(BEGUN, reachable=(EMAIL,)).delivery_failed(EMAIL, 1), Refused.unreachable),
        (SENT.abandoned(Closure.no_response), Refused.closed),
    ],
)
def test_a_link_is_refused_where_it_could_not_arrive(state: AffiliationState, code: Refused) -> None:
    with pytest.raises(Refusal) as refused:
        state.link_asked(AT, DEFAULT_POLICY)
    assert refused.value.code is code
