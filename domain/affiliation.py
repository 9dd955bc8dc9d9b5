"""The affiliation as a state and its transitions (product.md, « The affiliation »). Pure: no clock, no I/O.

`AffiliationState` is what the workflow holds, what every activity is handed and what the read model keeps as it was
last told. Each transition returns a new state; a transition that the rules refuse raises `Refusal`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from domain.media import Medium, MessageKind
from domain.policy import Policy


class Status(StrEnum):
    """product.md, table of statuses; the guide's words are in `messages/words.py`."""

    preparing = "preparing"
    sent = "sent"
    started = "started"
    finalised = "finalised"
    abandoned = "abandoned"


OPEN = (Status.preparing, Status.sent, Status.started)


class Closure(StrEnum):
    """Why an affiliation was abandoned."""

    no_response = "no_response"
    withdrawn_not_hired = "withdrawn_not_hired"
    withdrawn_left = "withdrawn_left"
    withdrawn_duplicate = "withdrawn_duplicate"
    withdrawn_mistake = "withdrawn_mistake"
    withdrawn_other = "withdrawn_other"
    declined_left = "declined_left"


class DeclineReason(StrEnum):
    """What the person who got the message says: « Ce n'est pas moi », « J'ai quitté l'entreprise »."""

    not_me = "not_me"
    left_company = "left_company"


class PauseReason(StrEnum):
    settled_by_phone = "settled_by_phone"
    on_leave = "on_leave"
    paper_expected = "paper_expected"
    other = "other"


class Attention(StrEnum):
    """Why an affiliation waits for a person, and whom."""

    unreachable = "unreachable"  # the employer: no address on file reaches the employee
    uncertain = "uncertain"  # staff: nobody can tell whether a message left
    refused = "refused"  # staff: the provider refuses us, not the address
    pieces_overdue = "pieces_overdue"  # staff: the pieces asked for did not come within their time
    unreachable_for_pieces = "unreachable_for_pieces"  # staff: pieces are missing and no address reaches the employee


class Channel(StrEnum):
    """How the completed form came back."""

    online = "online"
    paper = "paper"


class Verdict(StrEnum):
    """What staff found out about a message in doubt."""

    left = "left"
    did_not_leave = "did_not_leave"


class Refused(StrEnum):
    """The stable codes of refused requests; the API's problem types."""

    closed = "affiliation_closed"
    not_sent_yet = "nothing_sent_yet"
    under_way = "message_under_way"
    too_soon = "reminder_too_soon"
    unreachable = "unreachable"
    already_paused = "already_paused"
    not_paused = "not_paused"
    no_doubt = "nothing_in_doubt"
    stale_contact = "stale_contact"
    not_finalised = "affiliation_not_finalised"
    stale_pieces = "stale_pieces"
    waiver_ended = "waiver_already_ended"
    nothing_to_skip = "nothing_to_skip"


class Refusal(Exception):
    """A request that the rules refuse; `retry_at` says from when it would be accepted, where there is such a moment."""

    def __init__(self, code: Refused, retry_at: datetime | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_at = retry_at


class Result(StrEnum):
    """What became of handing a message over."""

    accepted = "accepted"
    bad_address = "bad_address"  # the provider refuses this address for good
    refused = "refused"  # the provider refuses us or the content: a person must look
    uncertain = "uncertain"  # nobody can tell: a person must look
    superseded = "superseded"  # no longer wanted: nothing was handed over


@dataclass(frozen=True, slots=True)
class Message:
    """A message to hand over now: `(kind, number)` with the affiliation is its business key."""

    kind: MessageKind
    number: int
    medium: Medium
    automatic: bool
    rung: int = 0  # an automatic reminder's place in the policy's ladder


@dataclass(frozen=True, slots=True)
class AffiliationState:
    """Everything the rules need to know of one affiliation. Holds no personal data: dates, codes and counts only.

    `clock_since` is where the automatic clock (reminders, fallback, abandonment) counts from: the acceptance of the
    first message, then the last draft, the employer's last reminder, a correction, a resumption.

    The completed form closes it; `awaited` says that pieces or staff's check of them keep it going all the same, until
    nothing is missing and nothing waits for a check.
    """

    status: Status
    medium: Medium
    clock_since: datetime
    reachable: tuple[Medium, ...]  # media with an address that is not known to fail
    waiting: tuple[MessageKind, ...] = ()  # asked for and not yet left, in order; they leave at once
    contact_version: int = 1
    address_versions: dict[Medium, int] = field(default_factory=dict)  # contact version that last changed the address
    numbers: dict[MessageKind, int] = field(default_factory=dict)  # the last number used of each kind
    next_rung: int = 0  # the first rung of the ladder of automatic reminders not climbed since clock_since
    last_message_at: datetime | None = None
    last_automatic_at: datetime | None = None
    employer_reminded_at: dict[Medium, datetime] = field(default_factory=dict)
    link_asked_at: datetime | None = None  # the employee's last « Retrouver mon lien »
    pause: PauseReason | None = None
    attention: Attention | None = None
    doubt: Message | None = None  # the message that `attention` is about, where staff must say
    closure: Closure | None = None
    missing: tuple[str, ...] = ()  # pieces still to come (domain/pieces.py)
    version: int = 0  # counts the changes; numbers the timeline
    checking: bool = False  # documents wait for staff's check
    # False also where everything is awaited but nobody waits: an affiliation finalised by a version that did not
    awaited: bool = False
    pieces_version: int = 0  # of what is missing and being checked, as the database counts it
    pieces_since: datetime | None = (
        None  # when pieces were last asked for: where their reminders and deadline count from
    )
    fallback_skipped: bool = False  # the employer said that the letter need not follow this clock's e-mails

    # --- reading

    @property
    def closed(self) -> bool:
        """No longer on its way: finalised or abandoned. What is `awaited` may still lead to messages."""
        return self.status not in OPEN

    @property
    def over(self) -> bool:
        """Closed, and nothing is awaited: nothing more happens but what `waiting` owes."""
        return self.closed and not self.awaited

    def next_number(self, kind: MessageKind) -> int:
        return self.numbers.get(kind, 0) + 1

    def reminder_allowed_from(self, policy: Policy) -> datetime | None:
        """When « Relancer » is accepted again for the current address; None: at any time."""
        last = self.employer_reminded_at.get(self.medium)
        return last + policy.employer_reminder_cooldown if last else None

    # --- what people do

    def employer_reminder_asked(self, at: datetime, policy: Policy) -> Self:
        """« Relancer ».

        Raises Refusal: closed, nothing sent yet, a message is under way already, unreachable, too soon (24 h per
        address).
        """
        self._refuse_if_closed()
        if self.status is Status.preparing:
            raise Refusal(Refused.not_sent_yet)
        allowed_from = self.reminder_allowed_from(policy)
        if allowed_from and at < allowed_from:
            raise Refusal(Refused.too_soon, retry_at=allowed_from)
        if self.waiting:
            raise Refusal(Refused.under_way)
        if self.medium not in self.reachable:
            raise Refusal(Refused.unreachable)
        return replace(
            self,
            waiting=(MessageKind.employer_reminder,),
            employer_reminded_at={**self.employer_reminded_at, self.medium: at},
        )

    def link_asked(self, at: datetime, policy: Policy) -> Self:
        """« Retrouver mon lien »: the invitation again, to the contact on file and nowhere else.

        While pieces are missing it is the request for them that leaves again. Raises Refusal: closed, a message is
        under way already, unreachable, or too soon.
        """
        if self._pieces_missing:
            kind, reached = MessageKind.missing_pieces, self.way_of(MessageKind.missing_pieces) is not None
        else:
            self._refuse_if_closed()
            kind, reached = MessageKind.invitation, self.medium in self.reachable
        allowed_from = self.link_asked_at and self.link_asked_at + policy.link_recovery_cooldown
        if allowed_from and at < allowed_from:
            raise Refusal(Refused.too_soon, retry_at=allowed_from)
        if self.waiting:
            raise Refusal(Refused.under_way)
        if not reached:
            raise Refusal(Refused.unreachable)
        return replace(self, waiting=(kind,), link_asked_at=at)

    def contact_corrected(
        self, at: datetime, version: int, changed: Iterable[Medium], reachable: Iterable[Medium]
    ) -> Self:
        """A corrected address: its links die, its 24 h are forgotten, the invitation leaves anew, the clock restarts.

        `changed`: media whose address differs from the former version; `reachable`: media with an address in the new
        version. Media known to fail stay so unless their address changed. While pieces are missing it is the request
        for them that leaves anew; while documents are only checked, nothing does. Raises Refusal: closed, or overtaken
        by a newer version.
        """
        self._refuse_if_over()
        if version <= self.contact_version:
            raise Refusal(Refused.stale_contact)
        changed = tuple(changed)
        failing = set(self.address_versions) - set(self.reachable) - set(changed)
        now_reachable = tuple(m for m in reachable if m not in failing)
        state = replace(
            self,
            contact_version=version,
            address_versions={**self.address_versions, **dict.fromkeys(changed, version)},
            employer_reminded_at={m: t for m, t in self.employer_reminded_at.items() if m not in changed},
            reachable=now_reachable,
        )
        if state.closed:
            state = replace(state, waiting=state._carried())
        if set(changed) == {Medium.sms}:
            return state  # no message of an affiliation goes there by itself
        medium = self.medium
        if Medium.email in changed and Medium.email in now_reachable:
            medium = Medium.email
        elif medium not in now_reachable and Medium.post in now_reachable:
            medium = Medium.post
        if medium is self.medium and medium not in changed:
            return state  # another address than the one in use: nothing to send anew
        if state.closed:
            state = replace(state, medium=medium)
            return state._pieces_asked(at) if state.missing else state
        if medium not in now_reachable:
            return state._unreachable()
        # sent anew: what became of a message to the former address no longer matters
        return replace(
            state._clock_restarted(at), medium=medium, waiting=(MessageKind.invitation,), attention=None, doubt=None
        )

    def draft_saved(self, at: datetime, by: Medium) -> Self:
        """The employee saved a draft, having come in by `by`: a sign of life. Raises Refusal: closed."""
        self._refuse_if_closed()
        medium = by if by in self.reachable and by is not Medium.sms else self.medium
        if medium not in self.reachable and Medium.post in self.reachable:
            medium = Medium.post
        return replace(
            self._clock_restarted(at),
            status=Status.started,
            medium=medium,
            # what was still waiting to leave, or in doubt, would tell them to do what they are doing
            waiting=(),
            attention=None if medium in self.reachable else Attention.unreachable,
            doubt=None,
        )

    def completed(
        self,
        at: datetime,
        missing: tuple[str, ...] = (),
        *,
        checking: bool = False,
        pieces_version: int = 0,
        contact_version: int | None = None,
        reachable: Iterable[Medium] | None = None,
    ) -> Self:
        """The completed form came back, online or on paper. Raises Refusal: closed.

        `contact_version`, `reachable`: the contact that the employee gave with it, and the media it has an address
        for; later messages go there, by e-mail where there is one. One older than the present contact is ignored.
        """
        self._refuse_if_closed()
        state = replace(
            self,
            status=Status.finalised,
            waiting=(),
            missing=missing,
            checking=checking,
            awaited=bool(missing) or checking,
            pieces_version=pieces_version,
            attention=None,
            doubt=None,
            pause=None,
        )
        if contact_version is not None and contact_version > self.contact_version and reachable is not None:
            state = state._reached_by(contact_version, tuple(reachable))
        if missing:
            return state._pieces_asked(at)
        return state._confirmed()

    def pieces_changed(self, at: datetime, version: int, missing: tuple[str, ...], checking: bool) -> Self:
        """What is missing or waits for staff's check changed after the form: asked for, received, or checked.

        A piece that was not missing before is asked for at once, and the clock of the reminders restarts. When nothing
        is awaited any more, whoever was asked for pieces hears that the file is complete. Raises Refusal: not
        finalised, or overtaken by a newer version.
        """
        if self.status is not Status.finalised:
            raise Refusal(Refused.not_finalised)
        if version <= self.pieces_version:
            raise Refusal(Refused.stale_pieces)
        state = replace(
            self,
            missing=missing,
            checking=checking,
            awaited=bool(missing) or checking,
            pieces_version=version,
        )
        if set(missing) - set(self.missing):
            return state._pieces_asked(at)
        if missing:
            return state
        state = state._pieces_all_in()
        if checking:
            return state
        state = replace(state, attention=None, doubt=None, pieces_since=None)
        return state._confirmed() if self.pieces_since else state

    def pieces_overdue(self) -> Self:
        """The pieces did not come within their time: staff take over, nothing automatic leaves any more."""
        return replace(self, attention=Attention.pieces_overdue, doubt=None)

    def declined(self, by: Medium, reason: DeclineReason) -> Self:
        """« J'ai quitté l'entreprise » ends it; « Ce n'est pas moi » means that this address is not the employee's."""
        self._refuse_if_closed()
        if reason is DeclineReason.left_company:
            return self.abandoned(Closure.declined_left)
        return self._lost(by)

    def abandoned(self, closure: Closure) -> Self:
        """Interrupted: by silence, by the employer or by the employee. Raises Refusal: closed."""
        self._refuse_if_closed()
        return replace(
            self, status=Status.abandoned, closure=closure, waiting=(), attention=None, doubt=None, pause=None
        )

    def paused(self, reason: PauseReason) -> Self:
        """No automatic message until `resumed`; abandonment still comes, and says when."""
        self._refuse_if_closed()
        if self.pause:
            raise Refusal(Refused.already_paused)
        return replace(self, pause=reason)

    def resumed(self, at: datetime) -> Self:
        """Automatic messages again; their clock starts from here, so that nothing overdue leaves in a burst."""
        self._refuse_if_closed()
        if not self.pause:
            raise Refusal(Refused.not_paused)
        return replace(self._clock_restarted(at), pause=None)

    def skipped(self, message: Message) -> Self:
        """This automatic message, the next of its kind, is not to leave; what comes after it does, at its time.

        Its number is used up: asked twice, it does not skip the one after it.
        """
        state = replace(self, numbers={**self.numbers, message.kind: message.number})
        if message.kind is MessageKind.postal_fallback:
            return replace(state, fallback_skipped=True)
        return replace(state, next_rung=message.rung + 1)

    def doubt_resolved(self, verdict: Verdict, at: datetime) -> Self:
        """Staff found out what became of the message in doubt: it left, or it is sent again under a new number."""
        self._refuse_if_over()
        if self.doubt is None:
            raise Refusal(Refused.no_doubt)
        doubt = self.doubt
        state = replace(self, attention=None, doubt=None)
        if verdict is Verdict.left:
            return state.handed_over(doubt, Result.accepted, at)
        if doubt.automatic:
            return state  # the plan still has it: it leaves when automatic messages do
        state = replace(state, waiting=(doubt.kind, *state.waiting))
        # a receipt whose address has failed meanwhile goes nowhere; the form itself is here
        return replace(state, waiting=state._carried()) if state.closed else state

    # --- what becomes of messages

    def handed_over(self, message: Message, result: Result, at: datetime) -> Self:
        """The outcome of handing `message` over, at the moment the provider answered."""
        state = replace(
            self,
            numbers={**self.numbers, message.kind: max(message.number, self.numbers.get(message.kind, 0))},
            waiting=_without_first(self.waiting, message.kind),
        )
        match result:
            case Result.accepted:
                return state._left(message, at)
            case Result.bad_address:
                return state._lost(message.medium) if not state.over else state
            case Result.uncertain | Result.refused if (
                state._of_concern(message.kind) and state.attention not in _HIDDEN_BY_NO_DOUBT
            ):
                attention = Attention.uncertain if result is Result.uncertain else Attention.refused
                return replace(state, attention=attention, doubt=message)
            case _:
                return state

    def delivery_failed(self, medium: Medium, contact_version: int) -> Self:
        """A bounce, a complaint or a returned letter, told after the message was taken.

        What concerns an address since corrected, or one already known to fail, changes nothing.
        """
        outdated = contact_version < self.address_versions.get(medium, 1)
        if self.over or outdated:
            return self
        return self._lost(medium)

    # --- pieces

    def _left(self, message: Message, at: datetime) -> Self:
        state = replace(self, last_message_at=at)
        if message.automatic:
            state = replace(state, last_automatic_at=at, next_rung=message.rung + 1)
        if state.closed:
            return state._pieces_request_left(message, at) if state._pieces_missing else state
        if message.kind is MessageKind.employer_reminder:  # the 24 hours count from when it left
            state = replace(state, employer_reminded_at={**state.employer_reminded_at, message.medium: at})
        if message.kind in (MessageKind.invitation, MessageKind.employer_reminder, MessageKind.postal_fallback):
            # a letter or an e-mail found out later may have gone to an address that is known to fail by now
            medium = message.medium if message.medium in state.reachable else state.medium
            state = replace(state._clock_restarted(at), medium=medium)
        if state.status is Status.preparing:
            state = replace(state, status=Status.sent)
        return state

    def _lost(self, medium: Medium) -> Self:
        """This medium does not reach the employee: go by post if that is still possible, else a person must correct."""
        if medium not in self.reachable:
            return self  # known already
        state = replace(self, reachable=tuple(m for m in self.reachable if m is not medium))
        if state.closed:
            state = replace(state, waiting=state._carried())
        if medium is Medium.sms or self.medium in state.reachable:
            return state
        if state.closed:
            return state._pieces_asked_otherwise() if state.missing else state
        if Medium.post in state.reachable:
            return replace(state, waiting=(MessageKind.postal_fallback,))
        return state._unreachable()

    def _unreachable(self) -> Self:
        """No medium in use is left: until a correction, which sends anew, a message in doubt matters no longer."""
        return replace(self, waiting=(), attention=Attention.unreachable, doubt=None)

    # --- pieces that are missing after the form

    @property
    def _pieces_missing(self) -> bool:
        return self.awaited and bool(self.missing)

    def _of_concern(self, kind: MessageKind) -> bool:
        """Whether it matters to anybody if a message of this kind left."""
        if not self.closed:
            return True
        return self.awaited and kind is (MessageKind.missing_pieces if self.missing else MessageKind.confirmation)

    def _pieces_asked(self, at: datetime) -> Self:
        """Ask for what is missing, now; what waited, or was in doubt, spoke of something else."""
        since = max(at, self.pieces_since or at)
        return replace(self, pieces_since=since, next_rung=0, attention=None)._pieces_asked_otherwise()

    def _pieces_asked_otherwise(self) -> Self:
        """By the medium that reaches the employee; where there is none, staff must find another way."""
        if self.way_of(MessageKind.missing_pieces) is None:
            return replace(self, waiting=(), attention=Attention.unreachable_for_pieces, doubt=None)
        attention = Attention.pieces_overdue if self.attention is Attention.pieces_overdue else None
        return replace(self, waiting=(MessageKind.missing_pieces,), attention=attention, doubt=None)

    def _pieces_request_left(self, message: Message, at: datetime) -> Self:
        if message.kind is not MessageKind.missing_pieces:
            return self
        medium = (
            message.medium if message.medium in self.reachable and message.medium is not Medium.sms else self.medium
        )
        state = replace(self, medium=medium)
        if message.automatic or self.attention is Attention.pieces_overdue:
            return state
        return replace(state, pieces_since=max(at, self.pieces_since or at), next_rung=0)

    def _pieces_all_in(self) -> Self:
        """Nothing is missing any more: the request, what stands in its way and what is in doubt of it are pointless."""
        waiting = tuple(kind for kind in self.waiting if kind is not MessageKind.missing_pieces)
        about_the_request = self.doubt is None or self.doubt.kind is MessageKind.missing_pieces
        if about_the_request:
            return replace(self, waiting=waiting, attention=None, doubt=None)
        return replace(self, waiting=waiting)

    def _confirmed(self) -> Self:
        by_email = Medium.email in self.reachable
        return replace(self, waiting=(MessageKind.confirmation,) if by_email else ())

    def _reached_by(self, version: int, reachable: tuple[Medium, ...]) -> Self:
        """The contact that the employee gave themself: what was known of former addresses no longer matters."""
        return replace(
            self,
            contact_version=version,
            reachable=reachable,
            address_versions={**self.address_versions, **dict.fromkeys(reachable, version)},
            employer_reminded_at={},
            medium=first_medium(reachable),
        )

    def _carried(self) -> tuple[MessageKind, ...]:
        """Of what waits, what some medium still carries."""
        return tuple(kind for kind in self.waiting if self.way_of(kind) is not None)

    # --- ways

    def _way(self, medium: Medium) -> Medium | None:
        """The medium that reaches the employee: the one asked for, else the other one."""
        for candidate in (medium, Medium.email, Medium.post):
            if candidate in self.reachable:
                return candidate
        return None

    def way_of(self, kind: MessageKind) -> Medium | None:
        """By which medium a message of this kind leaves now; None: nothing reaches the employee."""
        if kind is MessageKind.postal_fallback:
            return Medium.post if Medium.post in self.reachable else None
        if kind is MessageKind.confirmation:
            return Medium.email if Medium.email in self.reachable else None
        return self._way(self.medium)

    def _clock_restarted(self, at: datetime) -> Self:
        return replace(self, clock_since=max(at, self.clock_since), next_rung=0, fallback_skipped=False)

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise Refusal(Refused.closed)

    def _refuse_if_over(self) -> None:
        if self.over:
            raise Refusal(Refused.closed)


def declared(at: datetime, reachable: Iterable[Medium], medium: Medium | None = None) -> AffiliationState:
    """A new affiliation, whose invitation waits to leave."""
    media = tuple(reachable)
    return AffiliationState(
        status=Status.preparing,
        medium=first_medium(media, medium),
        clock_since=at,
        reachable=media,
        address_versions=dict.fromkeys(media, 1),
        waiting=(MessageKind.invitation,),
    )


def first_medium(reachable: Iterable[Medium], asked: Medium | None = None) -> Medium:
    """By e-mail where there is an address, else by post, unless the employer asked for post (rule 1, « Invite »)."""
    media = tuple(reachable)
    if asked is not None and asked in media:
        return asked
    return Medium.email if Medium.email in media else Medium.post


# What somebody must do anyway, doubt or not.
_HIDDEN_BY_NO_DOUBT = (Attention.unreachable, Attention.unreachable_for_pieces, Attention.pieces_overdue)


def _without_first(waiting: tuple[MessageKind, ...], kind: MessageKind) -> tuple[MessageKind, ...]:
    if kind not in waiting:
        return waiting
    index = waiting.index(kind)
    return waiting[:index] + waiting[index + 1 :]
