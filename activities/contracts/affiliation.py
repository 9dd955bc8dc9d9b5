"""An affiliation: what its workflow and its activities say to each other, and what everybody may ask of it."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy, SearchAttributeKey

from domain.affiliation import (
    AffiliationState,
    Attention,
    Channel,
    Closure,
    DeclineReason,
    Message,
    PauseReason,
    Result,
    Status,
    Verdict,
)
from domain.media import Medium, MessageKind
from domain.plan import Step
from domain.policy import Policy

# --- activities: names and time limits

HAND_OVER = "hand_over_message"
RECORD = "record_change"

# A provider may be away for days: retried without end, at most every quarter of an hour.
HAND_OVER_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=15)
)
HAND_OVER_TIMEOUT = timedelta(seconds=90)  # one attempt: several provider calls of ten seconds each
RECORD_TIMEOUT = timedelta(seconds=10)

# --- search attributes, for operators only

SIRET = SearchAttributeKey.for_keyword("Siret")
SIREN = SearchAttributeKey.for_keyword("Siren")
STATUS = SearchAttributeKey.for_keyword("AffiliationStatus")
MEDIUM = SearchAttributeKey.for_keyword("AffiliationMedium")
SEARCH_ATTRIBUTES = (SIRET, SIREN, STATUS, MEDIUM)


def workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of one affiliation."""
    return f"affiliation-{affiliation_id}"


# --- who and what


class ActorKind(StrEnum):
    employer = "employer"
    employee = "employee"
    staff = "staff"
    provider = "provider"
    system = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, by id: an API key, a user; None for the employee and the system."""

    kind: ActorKind
    id: str | None = None


SYSTEM_ACTOR = Actor(ActorKind.system)
PROVIDER_ACTOR = Actor(ActorKind.provider)
EMPLOYEE_ACTOR = Actor(ActorKind.employee)


class EventKind(StrEnum):
    """The lines of an affiliation's timeline; their French words are in `messages/words.py`."""

    declared = "declared"
    message_handed_over = "message_handed_over"
    message_refused = "message_refused"
    message_uncertain = "message_uncertain"
    delivery_failed = "delivery_failed"
    reminder_asked = "reminder_asked"
    link_asked = "link_asked"
    contact_corrected = "contact_corrected"
    started = "started"
    finalised = "finalised"
    declined = "declined"
    abandoned = "abandoned"
    paused = "paused"
    resumed = "resumed"
    doubt_resolved = "doubt_resolved"
    pieces_asked = "pieces_asked"
    pieces_received = "pieces_received"
    pieces_accepted = "pieces_accepted"
    pieces_overdue = "pieces_overdue"
    message_skipped = "message_skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline; numbered by the state's version it came with. `details`: codes only."""

    kind: EventKind
    at: datetime
    actor: Actor
    details: dict[str, str] = field(default_factory=dict)


# --- activity inputs and outcomes


@dataclass(frozen=True, slots=True)
class Completion:
    """A submission that is already in the database.

    `contact_version`, `reachable`: the contact that the employee gave with it, where they gave one.
    """

    channel: Channel
    missing: tuple[str, ...] = ()
    checking: bool = False  # documents wait for staff's check
    waiver_ends_on: date | None = None
    contact_version: int | None = None
    reachable: tuple[Medium, ...] | None = None
    pieces_version: int = 0


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hand one message over, exactly once for its business key, and record what became of it.

    `state` is the workflow's, already numbered for the event that this will write.
    """

    affiliation_id: str
    message: Message
    state: AffiliationState


class Handling(StrEnum):
    """What the activity did about it."""

    done = "done"  # `result` says how
    postponed = "postponed"  # an automatic message outside working hours: ask again then
    completed_meanwhile = "completed_meanwhile"  # the form is in: nothing was sent


@dataclass(frozen=True, slots=True)
class HandedOver:
    """`at`: when the provider answered, by the workflow's clock. `reason`: a code where it was refused."""

    handling: Handling
    result: Result
    at: datetime
    reason: str | None = None
    completion: Completion | None = None


@dataclass(frozen=True, slots=True)
class RecordChange:
    """Write a change of state: read model, and a line of the timeline where there is one."""

    affiliation_id: str
    state: AffiliationState
    next_step: Step | None
    event: Event | None
    # media whose links and codes stop working with this change
    revoked: tuple[Medium, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """`completion` is set, and nothing was written, when an abandonment came after a submission."""

    completion: Completion | None = None


# --- workflow inputs and outcomes


@dataclass(frozen=True, slots=True)
class StartAffiliation:
    """Frozen into the affiliation: its policy and how its employee can be reached."""

    affiliation_id: str
    policy: Policy
    reachable: tuple[Medium, ...]
    medium: Medium | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    status: Status
    closure: Closure | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without other content than who asks: a reminder, a resumption."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class ContactCorrected:
    actor: Actor
    contact_version: int
    changed: tuple[Medium, ...]
    reachable: tuple[Medium, ...]


@dataclass(frozen=True, slots=True)
class DraftSaved:
    by: Medium


@dataclass(frozen=True, slots=True)
class Completed:
    actor: Actor
    completion: Completion


@dataclass(frozen=True, slots=True)
class PiecesChanged:
    """What is missing or waits for staff's check, as the database has it at `version`; `event` says how it came so."""

    actor: Actor
    version: int
    missing: tuple[str, ...]
    checking: bool
    event: EventKind


@dataclass(frozen=True, slots=True)
class Declined:
    by: Medium
    reason: DeclineReason


@dataclass(frozen=True, slots=True)
class Withdrawn:
    actor: Actor
    closure: Closure


@dataclass(frozen=True, slots=True)
class Paused:
    actor: Actor
    reason: PauseReason


@dataclass(frozen=True, slots=True)
class Skipped:
    """The automatic message that need not leave, as the calendar names it."""

    actor: Actor
    kind: MessageKind
    number: int


@dataclass(frozen=True, slots=True)
class DoubtResolved:
    actor: Actor
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A provider says, after having taken a message, that it did not arrive."""

    medium: Medium
    contact_version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an affiliation stands and everything still to come, dated."""

    status: Status
    medium: Medium
    next_step: Step | None
    calendar: tuple[Step, ...]
    attention: Attention | None
    pause: PauseReason | None
    reminder_allowed_from: datetime | None
    version: int
    # after the form: pieces still to come, and whether documents wait for staff's check
    missing: tuple[str, ...] = ()
    checking: bool = False
    skippable: tuple[Step, ...] = ()  # of the calendar, what the employer may say need not leave
