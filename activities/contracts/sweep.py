"""One round of the sweep."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.common import RetryPolicy

SWEEP = "sweep"
SWEEP_TIMEOUT = timedelta(seconds=60)
SWEEP_RETRY = RetryPolicy(maximum_attempts=2)
SWEEP_EVERY = timedelta(seconds=30)


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
    imports_started: int = 0
    dsn_started: int = 0
    contacts_told: int = 0
    contact_files_rescanned: int = 0
    webhooks_looked: int = 0
    digests_written: int = 0
