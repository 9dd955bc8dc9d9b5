"""What workflows and activities say to each other: names, frozen inputs and outcomes, time limits.

Ids, dates and codes only: whatever is here ends up in Temporal's histories, where nothing personal may go.

Histories outlive versions: a field added later has a default.

This module and those of `domain/` that it names do without `from __future__ import annotations`: inside the workflow
sandbox pydantic could not resolve annotations that are text.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
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
from domain.company_recovery import RecoveryState
from domain.coverage_rights import CoverageFacts, RightsMessage, RightsStep, Told
from domain.media import Medium, MessageKind
from domain.plan import Step
from domain.policy import Policy

# --- activities: names and time limits

HAND_OVER = "hand_over_message"
RECORD = "record_change"
RENEW = "renew_affiliation"
SWEEP = "sweep"

# A provider may be away for days: retried without end, at most every quarter of an hour.
HAND_OVER_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=15)
)
HAND_OVER_TIMEOUT = timedelta(seconds=90)  # one attempt: several provider calls of ten seconds each
RECORD_TIMEOUT = timedelta(seconds=10)
RENEW_TIMEOUT = timedelta(seconds=30)
RENEW_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=15)
)
SWEEP_TIMEOUT = timedelta(seconds=60)
SWEEP_RETRY = RetryPolicy(maximum_attempts=2)
SWEEP_EVERY = timedelta(seconds=30)

# --- search attributes, for operators only

SIRET = SearchAttributeKey.for_keyword("Siret")
SIREN = SearchAttributeKey.for_keyword("Siren")
STATUS = SearchAttributeKey.for_keyword("AffiliationStatus")
MEDIUM = SearchAttributeKey.for_keyword("AffiliationMedium")
SEARCH_ATTRIBUTES = (SIRET, SIREN, STATUS, MEDIUM)


def workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of one affiliation."""
    return f"affiliation-{affiliation_id}"


WAIVER = "Waiver"  # the workflow's name


def waiver_workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of the waiver that an affiliation ended in."""
    return f"waiver-{affiliation_id}"


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


# --- waivers


@dataclass(frozen=True, slots=True)
class StartWaiver:
    """A waiver that an affiliation ended in: when the person is to be asked again."""

    affiliation_id: str
    ends_on: date
    notice_days: int
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class WaiverEnded:
    """The waiver's reason has gone before its time; `on`: its last day."""

    actor: Actor
    on: date


@dataclass(frozen=True, slots=True)
class WaiverProgress:
    """When the person is asked again (UTC); None: it is being done."""

    ends_on: date
    renews_at: datetime | None


@dataclass(frozen=True, slots=True)
class Renew:
    """Ask the person of a waived affiliation again; `ended_on`: where the waiver ended before its time."""

    affiliation_id: str
    ends_on: date
    ended_on: date | None = None


class Renewal(StrEnum):
    """What came of it."""

    renewed = "renewed"
    already_open = "already_open"  # an affiliation of this person at this establishment is on its way
    covered = "covered"  # they are insured there
    establishment_closed = "establishment_closed"


@dataclass(frozen=True, slots=True)
class Renewed:
    """`affiliation_id`: the new one, or the one that is open already."""

    outcome: Renewal
    affiliation_id: str | None = None


# --- rights of insured persons: the end of a contract, portability, suspensions

RIGHTS = "Rights"  # the workflow's name
RECORD_RIGHTS = "record_rights"
HAND_OVER_RIGHTS = "hand_over_rights_message"
END_UNPROVEN = "end_unproven_portability"


def rights_workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of the rights of one coverage, named by its affiliation: they are one to one, and an
    erasure names affiliations."""
    return f"rights-{affiliation_id}"


@dataclass(frozen=True, slots=True)
class StartRights:
    """The first end or suspension of a coverage, or one that comes when all was over."""

    coverage_id: str
    facts: CoverageFacts


@dataclass(frozen=True, slots=True)
class RightsProgress:
    """What the workflow knows, and everything still to come."""

    version: int
    next_step: RightsStep | None
    calendar: tuple[RightsStep, ...]


@dataclass(frozen=True, slots=True)
class RecordRights:
    """Write what was told and what comes next. `attention`: what staff must look at; None: nothing new."""

    coverage_id: str
    facts_version: int
    told: Told
    next_step: RightsStep | None
    attention: str | None = None


@dataclass(frozen=True, slots=True)
class HandOverRights:
    """Hand one message over, exactly once for its business key. `facts`: what it says; `told`: what was said before."""

    coverage_id: str
    message: RightsMessage
    number: int
    facts: CoverageFacts
    told: Told


@dataclass(frozen=True, slots=True)
class RightsHandedOver:
    """`facts`: they changed before anything could leave: nothing was sent. `medium`: by which it went, or could not."""

    result: Result
    at: datetime
    medium: Medium | None = None
    reason: str | None = None
    facts: CoverageFacts | None = None


@dataclass(frozen=True, slots=True)
class RightsDeliveryFailed:
    """A provider says, after having taken a message about rights, that it did not arrive."""

    message: RightsMessage
    number: int
    medium: Medium


@dataclass(frozen=True, slots=True)
class EndUnproven:
    """The time of grace is over, by the facts of this version."""

    coverage_id: str
    version: int


# --- the sweep


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round of the sweep found and did, in counts."""

    started: int
    submissions_told: int
    deliveries_told: int
    stuck: int
    drafts_told: int = 0
    pieces_told: int = 0
    erasures_finished: int = 0
    rescanned: int = 0
    notices_started: int = 0
    recoveries_started: int = 0
    phones_taken: int = 0
    sealed: int = 0
    rights_told: int = 0
    exports_started: int = 0
    exports_expired: int = 0
    dsn_started: int = 0


# --- every night

PURGE = "purge"
RECONCILE_FILES = "reconcile_files"
LAPSE_RIGHTS = "lapse_rights"
NIGHTLY_AT = time(4, 30)  # Europe/Paris: no clock is changed then
NIGHTLY_TIMEOUT = timedelta(hours=1)  # one attempt of one activity; what is left then is the next attempt's
NIGHTLY_HEARTBEAT = timedelta(seconds=90)  # the longest step: a listing of the store, a person with their files
NIGHTLY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=30),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=15),
    maximum_attempts=12,
)


@dataclass(frozen=True, slots=True)
class Purge:
    """Delete what the retention table says is over at this moment."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Purged:
    """By rule: what was deleted. `failed`: affiliations that could not be erased, their ids are in the log."""

    by_rule: dict[str, int]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Rows and objects held against each other. `missing`: rows whose object is not there."""

    objects: int
    object_bytes: int
    rows: int
    orphans_deleted: int
    missing: int


@dataclass(frozen=True, slots=True)
class Lapse:
    """Carry out the reviews of rights and the mandates that are due at this moment."""

    at: datetime


@dataclass(slots=True)
class Lapsed:
    """What one night did with rights: asked about, suspended, kept; notices of mandates' ends, mandates ended.

    `failed`: companies and mandates that the log names; the next night tries them again.
    """

    asked: int = 0
    suspended: int = 0
    kept: int = 0
    mandates_ending: int = 0
    mandates_ended: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Night:
    """What one night did; None: that part failed, whatever was done of it stays done."""

    purged: Purged | None
    reconciled: Reconciled | None
    lapsed: Lapsed | None = None


# --- notices to users and companies

NOTICE = "Notice"  # the workflow's name
SEND_NOTICE = "send_notice"
# Each attempt looks whether it is too late: the database says when that is.
NOTICE_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


def notice_workflow_id(notice_id: str) -> str:
    """The id of the workflow that sends one notice."""
    return f"notice-{notice_id}"


@dataclass(frozen=True, slots=True)
class StartNotice:
    """Send one notice, not before a moment (UTC)."""

    notice_id: str
    not_before: datetime | None = None


class NoticeOutcome(StrEnum):
    """What became of it, as its row says."""

    handed_over = "handed_over"
    refused = "refused"
    unknown = "unknown"  # nobody can say whether it left, or nothing took it in time
    superseded = "superseded"  # there was nothing to say any more: nothing was sent


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """`reason`: a code where it was not handed over."""

    outcome: NoticeOutcome
    reason: str | None = None


# --- recoveries of companies

COMPANY_RECOVERY = "CompanyRecovery"  # the workflow's name
OPEN_RECOVERY = "open_company_recovery"
ENTER_RECOVERY_CODE = "enter_company_recovery_code"
GRANT_RECOVERY = "grant_company_recovery"
END_RECOVERY = "end_company_recovery"
RECOVERY_TIMEOUT = timedelta(seconds=20)
RECOVERY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


def company_recovery_workflow_id(recovery_id: str) -> str:
    """The id of the workflow of one recovery."""
    return f"company-recovery-{recovery_id}"


@dataclass(frozen=True, slots=True)
class StartCompanyRecovery:
    recovery_id: str


@dataclass(frozen=True, slots=True)
class RecoveryOpened:
    """Everybody who may object is being told. `letter_id`: the letter's notice; None: it was stopped before."""

    letter_id: str | None


@dataclass(frozen=True, slots=True)
class RecoveryCodeEntered:
    """The code of this letter is right; the activity uses it."""

    notice_id: str


@dataclass(frozen=True, slots=True)
class EnterRecoveryCode:
    """`grant_at`: when it is granted unless somebody objects (UTC)."""

    recovery_id: str
    notice_id: str
    at: datetime
    grant_at: datetime


@dataclass(frozen=True, slots=True)
class RecoveryCodeTaken:
    """`grant_at`: as stored; None: the code was used before, or the recovery is over."""

    grant_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndRecovery:
    """`why`: expired or undeliverable."""

    recovery_id: str
    why: RecoveryState


@dataclass(frozen=True, slots=True)
class RecoveryEnded:
    """As the database has it: whoever objects writes it there first."""

    state: RecoveryState


# --- exports

EXPORT = "Export"  # the workflow's name
WRITE_EXPORT = "write_export"
FAIL_EXPORT = "fail_export"
EXPIRE_EXPORT = "expire_export"
EXPORT_TIMEOUT = timedelta(hours=2)  # one attempt, with its waiting for the exports before it
EXPORT_HEARTBEAT = timedelta(seconds=60)  # the longest silence: a perimeter's rows being sorted, a file being stored
EXPORT_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=5),
    maximum_attempts=12,  # half an hour; then whoever asked is told that it came to nothing
)
EXPORT_STEP_TIMEOUT = timedelta(seconds=20)
EXPORT_STEP_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


def export_workflow_id(job_id: str) -> str:
    """The id of the workflow of one export."""
    return f"export/{job_id}"


class ExportState(StrEnum):
    """`asked`: a code is to be given first. `cancelled`: whoever asked may not have it any more."""

    asked = "asked"
    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True)
class StartExport:
    job_id: str


@dataclass(frozen=True, slots=True)
class ExportWritten:
    """`expires_at`: until then the file is there (UTC); None: there is none."""

    state: ExportState
    rows: int = 0
    expires_at: datetime | None = None


# --- DSN imports

DSN_IMPORT = "DsnImport"  # the workflow's name
SURVEY_DSN = "survey_dsn"
RECORD_DSN = "record_dsn"
APPLY_DSN = "apply_dsn"
FINISH_DSN = "finish_dsn"
DSN_SURVEY_TIMEOUT = timedelta(minutes=15)  # of one attempt; the largest file is looked through in seconds
DSN_BATCH_TIMEOUT = timedelta(minutes=10)
DSN_HEARTBEAT = timedelta(seconds=30)
DSN_STEP_TIMEOUT = timedelta(seconds=30)
DSN_DIRECTORY = "DsnDirectory"  # the workflow's name
LOOK_INTO_DIRECTORY = "look_into_dsn_directory"
DSN_DIRECTORY_EVERY = timedelta(seconds=30)
DSN_DIRECTORY_TIMEOUT = timedelta(minutes=30)
DSN_DIRECTORY_HEARTBEAT = timedelta(minutes=5)  # the longest silence: a large file read back from the store
# Database or file store may be away for hours: retried without end, the file waits.
DSN_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


def dsn_workflow_id(import_id: str) -> str:
    """The id of the workflow of one DSN file."""
    return f"dsn/{import_id}"


@dataclass(frozen=True, slots=True)
class DsnStep:
    import_id: str


@dataclass(frozen=True, slots=True)
class DsnSurveyed:
    """`refused`: the whole file, its row says why."""

    refused: bool
    declarations: int = 0


@dataclass(frozen=True, slots=True)
class DsnBatch:
    """The declarations of a file numbered above `after`, as many as make one batch."""

    import_id: str
    after: int


@dataclass(frozen=True, slots=True)
class DsnRecorded:
    """`last`: the number of the batch's last declaration; `done`: of the file's. `changes`: proposed by them."""

    last: int
    done: bool
    recorded: int = 0
    duplicate: int = 0
    set_aside: int = 0
    foreign: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class DsnApplied:
    """`left`: changes that wait for somebody's decision."""

    last: int
    done: bool
    applied: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class DsnFinished:
    """As the row has it: applied or refused."""

    state: str


@dataclass(frozen=True, slots=True)
class DsnCounts:
    """Of declarations, then of changes."""

    recorded: int = 0
    duplicate: int = 0
    set_aside: int = 0
    foreign: int = 0
    changes: int = 0
    applied: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class StartDsnImport:
    """`surveyed` and what follows: how far a former run of the same workflow came, where its history grew long."""

    import_id: str
    surveyed: DsnSurveyed | None = None
    recorded_to: int = 0
    all_recorded: bool = False
    applied_to: int = 0
    counts: DsnCounts = DsnCounts()


class DsnPhase(StrEnum):
    surveying = "surveying"
    recording = "recording"
    applying = "applying"
    finished = "finished"


@dataclass(frozen=True, slots=True)
class DsnProgress:
    """`declarations`: in the file, 0 until it is looked through; `done`: of them, in this phase."""

    phase: DsnPhase
    declarations: int
    done: int
    counts: DsnCounts


@dataclass(frozen=True, slots=True)
class DsnImported:
    state: str
    counts: DsnCounts
