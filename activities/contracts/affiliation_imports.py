"""What the workflows of bulk imports and their activities say to each other; see `contracts` for the rules of it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy

AFFILIATION_IMPORT = "AffiliationImport"  # the workflow's name
CHECK_IMPORT = "check_affiliation_import"
START_IMPORT_ROWS = "start_import_rows"
FINISH_IMPORT = "finish_affiliation_import"

IMPORT_CHECK_TIMEOUT = timedelta(minutes=10)
IMPORT_HEARTBEAT = timedelta(seconds=60)
IMPORT_BATCH_TIMEOUT = timedelta(minutes=30)  # of one batch, with its waiting for those of other imports
IMPORT_STEP_TIMEOUT = timedelta(seconds=30)
IMPORT_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


class ImportState(StrEnum):
    """`read`: its columns are to be told first. `checking`: its rows are being looked at. `confirmed`: about to be
    started. `refused`: whoever confirmed it may not declare any more."""

    read = "read"
    checking = "checking"
    checked = "checked"
    confirmed = "confirmed"
    running = "running"
    done = "done"
    cancelled = "cancelled"
    refused = "refused"


class RowState(StrEnum):
    """`changed`: an affiliation runs already, with other contact details than the row's. `running`: it runs already.
    `insured`: the person is insured already. `conflict`: it contradicts another row, or what is known of the person.
    `skipped`: the same as another row. `started`, `failed`: what became of a confirmed one."""

    new = "new"
    changed = "changed"
    running = "running"
    insured = "insured"
    conflict = "conflict"
    invalid = "invalid"
    skipped = "skipped"
    started = "started"
    failed = "failed"


class ImportTask(StrEnum):
    """What a run of the workflow is for."""

    check = "check"
    start = "start"


@dataclass(frozen=True, slots=True)
class StartImport:
    """`round`: an import is confirmed, or checked, more than once. `after`, `started`: where a run goes on."""

    import_id: str
    task: ImportTask
    round: int
    after: int = 0
    done: int = 0
    started: int = 0


@dataclass(frozen=True, slots=True)
class ImportStep:
    import_id: str
    round: int


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """The confirmed rows after this number, so many of them."""

    import_id: str
    round: int
    after: int
    rows: int


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """`last`: the number of the last row that was looked at; `over`: there is no other one, or it was cancelled."""

    last: int
    rows: int
    started: int
    over: bool


@dataclass(frozen=True, slots=True)
class ImportFinished:
    state: ImportState


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """`done`: confirmed rows that are done with, of which `started` were."""

    done: int
    started: int


def import_workflow_id(import_id: str, task: ImportTask, round: int) -> str:
    """The id of the workflow that starts what was confirmed, or looks at what is too long for a request."""
    name = "import" if task is ImportTask.start else "import-check"
    return f"{name}/{import_id}" if round <= 1 else f"{name}/{import_id}/{round}"
