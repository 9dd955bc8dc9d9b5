"""What workflows and activities of contact requests exchange: ids, codes and dates only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.common import RetryPolicy

from domain.contact import ContactState

CONTACT = "ContactRequest"  # the workflow's name
ACKNOWLEDGE_CONTACT = "acknowledge_contact"
ESCALATE_CONTACT = "escalate_contact"
CLOSE_CONTACT = "close_contact"
CONTACT_TIMEOUT: Final = timedelta(seconds=20)
CONTACT_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


def contact_workflow_id(request_id: str) -> str:
    return f"contact/{request_id}"


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """A request as the database has it, under its version. `escalated`: the heads know that no answer came in time."""

    version: int
    state: ContactState
    due_at: datetime
    acknowledged: bool = False
    escalated: bool = False
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StartContact:
    request_id: str
    facts: ContactFacts


@dataclass(frozen=True, slots=True)
class ContactStep:
    """Something to do to a request that is still of this version. `at`: by the workflow's clock."""

    request_id: str
    version: int
    at: datetime
