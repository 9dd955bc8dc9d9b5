"""The night's work."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from temporalio.common import RetryPolicy

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
