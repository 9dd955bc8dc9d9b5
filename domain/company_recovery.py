"""The rules of a company's recovery: how long a letter's code is waited for, how long somebody may still object."""

from datetime import datetime, time, timedelta
from enum import StrEnum

from domain.working_time import PARIS, add_days, paris_date

CODE_DAYS = 30  # whole days in Paris, as the letter says
OBJECTION_DAYS = 7


class RecoveryState(StrEnum):
    """Where a recovery stands; the last four are its end."""

    requested = "requested"
    letter_sent = "letter_sent"
    code_entered = "code_entered"
    granted = "granted"
    stopped = "stopped"
    expired = "expired"
    undeliverable = "undeliverable"


def code_waited_until(sent_at: datetime) -> datetime:
    """The end of the code's last day."""
    return datetime.combine(paris_date(sent_at) + timedelta(days=CODE_DAYS + 1), time(0), PARIS)


def granted_at(code_entered_at: datetime) -> datetime:
    """When nobody may object any more, in UTC."""
    return add_days(code_entered_at, OBJECTION_DAYS)
