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
    missing: tuple[str, ...] = ()
    version: int = 0  # counts the changes; numbers the timeline

    # --- reading

    @property
    def closed(self) -> bool:
        return self.status not in OPEN

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

        Raises Refusal: closed, a message is under way already, unreachable, or too soon.
        """
        self._refuse_if_closed()
        allowed_from = self.link_asked_at and self.link_asked_at + policy.link_recovery_cooldown
        if allowed_from and at < allowed_from:
            raise Refusal(Refused.too_soon, retry_at=allowed_from)
        if self.waiting:
            raise Refusal(Refused.under_way)
        if self.medium not in self.reachable:
            raise Refusal(Refused.unreachable)
        return replace(self, waiting=(MessageKind.invitation,), link_asked_at=at)

    def contact_corrected(
        self, at: datetime, version: int, changed: Iterable[Medium], reachable: Iterable[Medium]
    ) -> Self:
        """A corrected address: its links die, its 24 h are forgotten, the invitation leaves anew, the clock restarts.

        `changed`: media whose address differs from the former version; `reachable`: media with an address in the new
        version. Media known to fail stay so unless their address changed. Raises Refusal: closed, stale version.
        """
        self._refuse_if_closed()
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
        if set(changed) == {Medium.sms}:
            return state  # no message of an affiliation goes there by itself
        medium = self.medium
        if Medium.email in changed and Medium.email in now_reachable:
            medium = Medium.email
        elif medium not in now_reachable and Medium.post in now_reachable:
            medium = Medium.post
        if medium is self.medium and medium not in changed:
            return state  # another address than the one in use: nothing to send anew
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

    def completed(self, missing: tuple[str, ...] = ()) -> Self:
        """The completed form came back, online or on paper. Raises Refusal: closed."""
        self._refuse_if_closed()
        if missing and self._way(self.medium) is not None:
            waiting: tuple[MessageKind, ...] = (MessageKind.missing_pieces,)
        elif not missing and Medium.email in self.reachable:
            waiting = (MessageKind.confirmation,)
        else:
            waiting = ()
        return replace(
            self, status=Status.finalised, waiting=waiting, missing=missing, attention=None, doubt=None, pause=None
        )

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

    def doubt_resolved(self, verdict: Verdict, at: datetime) -> Self:
        """Staff found out what became of the message in doubt: it left, or it is sent again under a new number."""
        self._refuse_if_closed()
        if self.doubt is None:
            raise Refusal(Refused.no_doubt)
        doubt = self.doubt
        state = replace(self, attention=None, doubt=None)
        if verdict is Verdict.left:
            return state.handed_over(doubt, Result.accepted, at)
        if doubt.automatic:
            return state  # the plan still has it: it leaves when automatic messages do
        return replace(state, waiting=(doubt.kind, *state.waiting))

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
                return state._lost(message.medium) if not state.closed else state
            case Result.uncertain | Result.refused if not (state.closed or state.attention is Attention.unreachable):
                attention = Attention.uncertain if result is Result.uncertain else Attention.refused
                return replace(state, attention=attention, doubt=message)
            case _:
                return state

    def delivery_failed(self, medium: Medium, contact_version: int) -> Self:
        """A bounce, a complaint or a returned letter, told after the message was taken.

        What concerns an address since corrected, or one already known to fail, changes nothing.
        """
        outdated = contact_version < self.address_versions.get(medium, 1)
        if self.closed or outdated:
            return self
        return self._lost(medium)

    # --- pieces

    def _left(self, message: Message, at: datetime) -> Self:
        state = replace(self, last_message_at=at)
        if message.automatic:
            state = replace(state, last_automatic_at=at, next_rung=message.rung + 1)
        if state.closed:
            return state
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
        if medium is Medium.sms or self.medium in state.reachable:
            return state
        if Medium.post in state.reachable:
            return replace(state, waiting=(MessageKind.postal_fallback,))
        return state._unreachable()

    def _unreachable(self) -> Self:
        """No medium in use is left: until a correction, which sends anew, a message in doubt matters no longer."""
        return replace(self, waiting=(), attention=Attention.unreachable, doubt=None)

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
        return replace(self, clock_since=max(at, self.clock_since), next_rung=0)

    def _refuse_if_closed(self) -> None:
        if self.closed:
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


def _without_first(waiting: tuple[MessageKind, ...], kind: MessageKind) -> tuple[MessageKind, ...]:
    if kind not in waiting:
        return waiting
    index = waiting.index(kind)
    return waiting[:index] + waiting[index + 1 :]
