"""A waiver, and the affiliation that follows it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy

from activities.contracts.affiliation import Actor

RENEW = "renew_affiliation"
RENEW_TIMEOUT = timedelta(seconds=30)
RENEW_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=15)
)

WAIVER = "Waiver"  # the workflow's name


def waiver_workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of the waiver that an affiliation ended in."""
    return f"waiver-{affiliation_id}"


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
