"""Exports that take longer than an answer may."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy

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
