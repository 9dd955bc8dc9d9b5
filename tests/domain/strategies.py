"""Lives of affiliations: random policies, starts, events and outages, and the workflow's loop without Temporal.

At the end: numbers and names as documents write them.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from domain.affiliation import (
    AffiliationState,
    Attention,
    Closure,
    DeclineReason,
    Message,
    PauseReason,
    Refusal,
    Result,
    Status,
    Verdict,
    declared,
)
from domain.identifiers import Civility
from domain.media import Medium, MessageKind
from domain.plan import Step, after, next_step
from domain.policy import DEFAULT_POLICY, Policy, Reminder
from domain.synthetic import synthetic_iban, synthetic_nir
from domain.working_time import PARIS, next_working_moment

EMAIL, POST, SMS = Medium.email, Medium.post, Medium.sms
ALL_MEDIA = (EMAIL, POST, SMS)


def paris(*parts: int) -> datetime:
    """A wall-clock moment in Paris, in UTC as the domain gives them."""
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return datetime(year, month, day, hour, minute, second, tzinfo=PARIS).astimezone(UTC)


def sent(
    at: datetime, medium: Medium = EMAIL, reachable: tuple[Medium, ...] = (EMAIL, POST), number: int = 1
) -> AffiliationState:
    """An affiliation whose invitation was declared and accepted at `at`."""
    invitation = Message(MessageKind.invitation, number, medium, automatic=False)
    return declared(at, reachable, medium).handed_over(invitation, Result.accepted, at)


# --- what may happen


@dataclass(frozen=True)
class Told:
    """Something told to the affiliation, `after` the former thing told; a request may be refused."""

    after: timedelta
    what: str
    act: Callable[[AffiliationState, datetime, Policy], AffiliationState] = field(repr=False)


@dataclass(frozen=True)
class Carried:
    """How handing one message over goes: how long it takes (an outage, a queue), and what comes of it."""

    delay: timedelta
    result: Result


PROMPT = Carried(timedelta(0), Result.accepted)


Act = Callable[[AffiliationState, datetime, Policy], AffiliationState]


def _told(after: timedelta, what: str, act: Act) -> Told:
    return Told(after, what, act)


def _correction(changed: tuple[Medium, ...], removed: bool) -> Act:
    def act(state: AffiliationState, at: datetime, policy: Policy) -> AffiliationState:
        known = set(state.address_versions) | set(changed)
        if removed:
            known -= set(changed) - {POST}  # the postal address is always given
        reachable = [medium for medium in ALL_MEDIA if medium in known]
        return state.contact_corrected(at, state.contact_version + 1, changed, reachable)

    return act


def _bounce(medium: Medium, age: int) -> Act:
    return lambda state, at, policy: state.delivery_failed(medium, max(1, state.contact_version - age))


_media = st.sampled_from(ALL_MEDIA)
_gaps = st.one_of(
    st.timedeltas(timedelta(0), timedelta(hours=2)),
    st.timedeltas(timedelta(0), timedelta(days=30)),
    st.just(timedelta(0)),
)
_acts = st.one_of(
    st.just(("« Relancer »", lambda state, at, policy: state.employer_reminder_asked(at, policy))),
    st.just(("« Retrouver mon lien »", lambda state, at, policy: state.link_asked(at, policy))),
    st.builds(
        lambda changed, removed: (f"correct {changed} {removed=}", _correction(changed, removed)),
        st.lists(_media, unique=True, min_size=1).map(tuple),
        st.sampled_from((False, False, True)),
    ),
    st.builds(lambda by: (f"draft by {by}", lambda state, at, policy: state.draft_saved(at, by)), _media),
    st.builds(lambda by: (f"not me, {by}", lambda state, at, policy: state.declined(by, DeclineReason.not_me)), _media),
    st.builds(lambda medium, age: (f"bounce {medium} {age}", _bounce(medium, age)), _media, st.integers(0, 2)),
    st.builds(
        lambda reason: (f"pause {reason}", lambda state, at, policy: state.paused(reason)),
        st.sampled_from(PauseReason),
    ),
    st.just(("resume", lambda state, at, policy: state.resumed(at))),
    st.builds(
        lambda verdict: (f"verdict {verdict}", lambda state, at, policy: state.doubt_resolved(verdict, at)),
        st.sampled_from(Verdict),
    ),
)
_pieces = st.sampled_from(((), ("rib",), ("rib", "signature"), ("school_certificate:k1",)))


def _completion(missing: tuple[str, ...], checking: bool, reachable: tuple[Medium, ...] | None) -> Act:
    def act(state: AffiliationState, at: datetime, policy: Policy) -> AffiliationState:
        version = state.contact_version + 1 if reachable else None
        return state.completed(at, missing, checking=checking, contact_version=version, reachable=reachable)

    return act


def _change_of_pieces(missing: tuple[str, ...], checking: bool, newer: int) -> Act:
    return lambda state, at, policy: state.pieces_changed(at, state.pieces_version + newer, missing, checking)


_completions = st.builds(
    lambda missing, checking, reachable: (
        f"complete {missing} {checking=} {reachable}",
        _completion(missing, checking, reachable),
    ),
    _pieces,
    st.booleans(),
    st.sampled_from((None, None, (POST,), (EMAIL, POST), (EMAIL, POST, SMS))),
)
_changes_of_pieces = st.builds(
    lambda missing, checking, newer: (f"{missing} {checking=} {newer}", _change_of_pieces(missing, checking, newer)),
    _pieces,
    st.booleans(),
    st.sampled_from((0, 1, 1, 3)),
)
_ends = st.one_of(
    _completions,
    st.just(("left", lambda state, at, policy: state.declined(EMAIL, DeclineReason.left_company))),
    st.just(("withdraw", lambda state, at, policy: state.abandoned(Closure.withdrawn_mistake))),
)
_one_told = st.builds(lambda gap, act: _told(gap, *act), _gaps, _acts)
_one_end = st.builds(lambda gap, act: _told(gap, *act), _gaps, _ends)
_one_completion = st.builds(lambda gap, act: _told(gap, *act), _gaps, _completions)
_after_the_form = st.builds(lambda gap, act: _told(gap, *act), _gaps, st.one_of(_changes_of_pieces, _acts))
tellings = st.builds(
    lambda told, end: [*told, *end],
    st.lists(_one_told, max_size=8),
    st.one_of(
        st.just([]),
        st.just([]),
        st.lists(st.one_of(_one_told, _one_end), max_size=3),
        st.builds(lambda form, more: [form, *more], _one_completion, st.lists(_after_the_form, max_size=6)),
    ),
)
deliveries = st.lists(
    st.builds(
        Carried,
        st.one_of(
            st.just(timedelta(0)),
            st.timedeltas(timedelta(0), timedelta(minutes=30)),
            st.timedeltas(timedelta(0), timedelta(days=6)),
        ),
        st.sampled_from(
            (Result.accepted, Result.accepted, Result.accepted, Result.bad_address, Result.refused, Result.uncertain)
        ),
    ),
    max_size=8,
)


def _ladders(media: tuple[Medium | None, ...]) -> st.SearchStrategy[tuple[Reminder, ...]]:
    return st.builds(
        lambda days, by: tuple(Reminder(d, m) for d, m in zip(sorted(days), by, strict=False)),
        st.lists(st.integers(1, 28), unique=True, max_size=4),
        st.lists(st.sampled_from(media), min_size=4, max_size=4),
    )


_hours = st.sampled_from(((time(9), time(18)), (time(8, 30), time(12)), (time(14), time(14, 30))))
policies = st.one_of(
    st.just(DEFAULT_POLICY),
    st.builds(
        lambda email, post, started, pieces, fallback, ends, notice, cooldown, hours: Policy(
            sent_by_email=email,
            sent_by_post=post,
            started=started,
            pieces=pieces,
            pieces_days=ends[2],
            postal_fallback_days=fallback,
            abandonment_days_email=ends[0],
            abandonment_days_post=ends[1],
            abandonment_notice_days=notice,
            employer_reminder_hours=cooldown,
            opens=hours[0],
            closes=hours[1],
        ),
        _ladders((None, None, SMS)),
        _ladders((None, SMS)),
        _ladders((None, None, SMS)),
        _ladders((None, None, SMS)),
        st.integers(2, 30),
        st.tuples(st.integers(30, 70), st.integers(30, 90), st.integers(2, 40)),
        st.integers(0, 14),
        st.integers(0, 72),
        _hours,
    ),
)

_DST_DAYS = (paris(2026, 3, 29), paris(2026, 10, 25), paris(2027, 3, 28), paris(2027, 10, 31))
starts = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.builds(
        lambda day, back: day - back,
        st.sampled_from(_DST_DAYS),
        st.timedeltas(timedelta(days=-1), timedelta(days=90)),
    ),
    # nights, week-ends and the year's thickest holidays
    st.sampled_from((paris(2026, 5, 1, 23, 59, 59), paris(2026, 12, 24, 17, 59, 59), paris(2027, 5, 8, 3))),
)
reached_by = st.sampled_from(((EMAIL, POST, SMS), (EMAIL, POST), (POST,), (POST, SMS), (EMAIL,)))
asked_media = st.sampled_from((None, None, EMAIL, POST))


# --- the loop of `workflows/affiliation.py`


@dataclass(frozen=True)
class Left:
    """A message that a provider accepted."""

    message: Message
    at: datetime


@dataclass
class Life:
    """One affiliation lived through, with what left and when it ended."""

    policy: Policy
    state: AffiliationState
    now: datetime
    told: deque[Told] = field(default_factory=deque)
    carried: deque[Carried] = field(default_factory=deque)
    left: list[Left] = field(default_factory=list)
    keys: list[tuple[MessageKind, int]] = field(default_factory=list)  # of all that may have left
    ended_by_silence: datetime | None = None
    overdue_at: list[datetime] = field(default_factory=list)  # the pieces' deadlines that passed
    last_told: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.last_told = self.now

    def run(self, until_told: bool = False) -> Life:
        """To the end, or to where only a person can go on; `until_told`: only until the last thing was told."""
        for _ in range(500):
            check(self.state)
            step = next_step(self.state, self.policy, self.now)
            assert step == next_step(self.state, self.policy, self.now), "the same question, another answer"
            if step is None:
                assert self.state.closed, "an open affiliation without a next step"
                if self.state.over or not self.told:
                    return self
                self._advance(max(self.now, self.last_told + self.told[0].after))  # no timer: it waits to be told
                continue
            if until_told and not self.told:
                return self
            assert step.at >= self.now, "a step in the past"
            assert step.at.utcoffset() == timedelta(0)
            if step.at > self.now:
                self._advance(step.at)
            elif step.message is not None:
                self._hand_over(step.message)
            else:
                self.state = after(self.state, step, Result.accepted, self.now)
                if step.kind == "pieces_deadline":
                    self.overdue_at.append(self.now)
                else:
                    self.ended_by_silence = self.now
        raise AssertionError("no end")

    def _advance(self, until: datetime) -> bool:
        """To `until`, or to the next thing told before; whether something was told."""
        if self.told and self.last_told + self.told[0].after <= until:
            told = self.told.popleft()
            self.last_told += told.after
            self.now = max(self.now, self.last_told)
            status, refused = self.state.status, None
            try:
                self.state = told.act(self.state, self.now, self.policy)
            except Refusal as refusal:
                refused = refusal
            assert refused is None or refused.retry_at is None or refused.retry_at > self.now
            assert status in OPEN_STATUSES or self.state.status is status, "a closed affiliation came back"
            check(self.state)
            return True
        self.now = until
        return False

    def _hand_over(self, message: Message) -> None:
        carried = self.carried.popleft() if self.carried else PROMPT
        key = (message.kind, message.number)
        assert key not in self.keys, "a business key used again"
        former = self.state.numbers
        self.state = replace(self.state, numbers={**former, message.kind: message.number})
        wanted_by, end = self._circumstances(message), self.now + carried.delay
        while self.now < end:
            told = self._advance(end)
            if told and self._circumstances(message) != wanted_by:
                self.keys.append(key)  # given up, and yet it may have left
                return
        opens, closes = self.policy.opens, self.policy.closes
        if message.automatic and next_working_moment(self.now, opens, closes) > self.now:
            self.state = replace(self.state, numbers={**self.state.numbers, message.kind: message.number - 1})
            return
        self.keys.append(key)
        self.state = self.state.handed_over(message, carried.result, self.now)
        if carried.result is Result.accepted:
            self.left.append(Left(message, self.now))

    def _circumstances(self, message: Message) -> tuple[object, ...]:
        state = self.state
        pieces = (state.pieces_since, bool(state.missing), message.medium in state.reachable) if state.awaited else None
        return state.status, state.contact_version, state.pause, pieces


OPEN_STATUSES = (Status.preparing, Status.sent, Status.started)


def check(state: AffiliationState) -> None:
    """What holds of every state that the workflow can come to."""
    in_doubt = state.attention in (Attention.uncertain, Attention.refused)
    assert (state.doubt is not None) == in_doubt
    assert (state.closure is not None) == (state.status is Status.abandoned)
    assert len(set(state.reachable)) == len(state.reachable)
    assert state.medium in (EMAIL, POST)
    assert state.awaited == (state.status is Status.finalised and (bool(state.missing) or state.checking))
    if state.over:
        assert state.attention is None
    if state.closed:
        assert state.pause is None
        _check_pieces(state)
        return
    for kind in state.waiting:
        assert state.way_of(kind) is not None, "waits for ever: nothing carries it"
    if state.medium not in state.reachable and state.status is not Status.started:
        assert state.attention or MessageKind.postal_fallback in state.waiting, "lost, and nobody knows"


def _check_pieces(state: AffiliationState) -> None:
    for kind in state.waiting:
        assert state.way_of(kind) is not None, "waits for ever: nothing carries it"
    if state.missing:
        assert state.pieces_since is not None
        assert MessageKind.confirmation not in state.waiting
        if state.way_of(MessageKind.missing_pieces) is None:
            assert state.attention is Attention.unreachable_for_pieces, "nothing reaches them, and nobody knows"
    else:
        assert MessageKind.missing_pieces not in state.waiting
        assert state.attention in (None, Attention.uncertain, Attention.refused)
    if state.attention is Attention.unreachable_for_pieces:
        assert state.way_of(MessageKind.missing_pieces) is None, "somebody is asked to correct what reaches"


def new_life(
    policy: Policy,
    start: datetime,
    reachable: tuple[Medium, ...],
    asked: Medium | None,
    told: list[Told],
    carried: list[Carried],
) -> Life:
    return Life(policy, declared(start, reachable, asked), start, deque(told), deque(carried))


lives = st.builds(new_life, policies, starts, reached_by, asked_media, tellings, deliveries)


def steps_of(life: Life) -> Iterator[Step]:
    """What is sent when nothing happens and every message is taken at once, ending with the end of waiting."""
    undisturbed = Life(life.policy, life.state, life.now).run()
    yield from (Step(left.at, left.message) for left in undisturbed.left)
    if undisturbed.ended_by_silence:
        yield Step(undisturbed.ended_by_silence, None)
    yield from (Step(at, None, end="pieces_deadline") for at in undisturbed.overdue_at)


# --- numbers and names, as documents write them

_CORSICA_AND_OTHERS = ("01", "13", "75", "95", "99", "2A", "2B", "971", "976")
nirs = st.builds(
    synthetic_nir,
    st.sampled_from(Civility),
    st.dates(date(1940, 1, 1), date(2010, 12, 31)),
    st.sampled_from(_CORSICA_AND_OTHERS),
    st.integers(1, 999),
)
ibans = st.builds(synthetic_iban, st.integers(0, 99_999_999_999))

# Words only: a figure beside a number would be part of it.
_WORDS = ("Banque", "de", "l’Océan", "N°", "ﬁnancière", "agence\u00a0du", "Port", "é", "œuvre", "…", "(s)", "REF", "–")
noise = st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join)
_gap_between_groups = st.sampled_from((" ", "\u00a0", "\u202f", "\n", " \r\n", "-", ".", "\u2011", "\u00ad"))


@st.composite
def written_in_groups(draw: st.DrawFn, number: str, sizes: tuple[int, ...]) -> str:
    """A number solid, or in groups of these sizes (the last one goes on), with one kind of gap or several."""
    if draw(st.booleans()):
        return number if draw(st.booleans()) else number.lower()
    groups, rest = [], number
    for size in sizes:
        groups.append(rest[:size])
        rest = rest[size:]
    groups = [group for group in (*groups, rest) if group]
    return groups[0] + "".join(draw(_gap_between_groups) + group for group in groups[1:])


def written_ibans(iban: str) -> st.SearchStrategy[str]:
    """A French IBAN solid, in groups of four, cut by lines, or as the cells of a RIB, titles above or between."""
    bank, branch, account, key = iban[4:9], iban[9:14], iban[14:25], iban[25:]
    rows = st.sampled_from(
        (
            f"Banque Guichet N° compte Clé\n{bank} {branch} {account} {key}",
            f"Code banque : {bank}\nCode guichet : {branch}\nN° de compte : {account}\nClé RIB : {key}",
            f"| {bank} | {branch} | {account} | {key} |",
        )
    )
    return st.one_of(
        written_in_groups(iban, (4,) * 6), written_in_groups(iban, (4,) * 6).map(lambda w: f"IBAN{w}"), rows
    )


def written_nirs(nir: str) -> st.SearchStrategy[str]:
    """A NIR with its key, solid or in the groups of the card, the key apart; or in groups without its key."""
    place = (3, 2) if nir[5:7] in ("97", "98") else (2, 3)
    groups = (1, 2, 2, *place, 3)
    split = 5 + place[0]
    return st.one_of(
        written_in_groups(nir, groups),
        st.just(f"{nir[:13]} clé : {nir[13:]}"),
        st.just(" ".join((nir[0], nir[1:3], nir[3:5], nir[5:split], nir[split:10], nir[10:13]))),
    )


last_names = st.sampled_from(("Lefèvre", "Dupont-Moreau", "D’Angelo", "de la Tour", "Œuvrard", "Nguyễn", "Ba"))
first_names = st.sampled_from(("Chloé", "Jean-Pierre", "Zoé Anaïs", "Françoise", "Aïcha", "Loïc"))


def _without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))


@st.composite
def written_persons(draw: st.DrawFn, last: str, first: str) -> str:
    """A name in either order, as it comes, in capitals, without accents, its hyphens or its apostrophe lost."""
    name = f"{last} {first}" if draw(st.booleans()) else f"{first} {last}"
    changes = (str.upper, _without_accents, _without_hyphens, _without_apostrophe)
    for change in draw(st.lists(st.sampled_from(changes), unique=True)):
        name = change(name)
    return name.replace(" ", draw(st.sampled_from((" ", "\u00a0", "\n"))))


def _without_hyphens(name: str) -> str:
    return name.replace("-", " ")


def _without_apostrophe(name: str) -> str:
    return name.replace("’", "")
