"""Recoveries of companies that nobody administers any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.common import RetryPolicy

from domain.company_recovery import RecoveryState

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
