"""Notices to users and companies."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy

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
