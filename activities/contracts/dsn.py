"""DSN files: their imports, and the directory that is watched for them."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy

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
