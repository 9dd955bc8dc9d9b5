"""What the workflow of the day's messages and its activity say to each other: a moment, and counts."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from temporalio.common import RetryPolicy

SEND_DIGESTS = "send_digests"
DIGEST_AT = time(8)  # Europe/Paris
DIGEST_TIMEOUT = timedelta(hours=1)
DIGEST_HEARTBEAT = timedelta(seconds=60)
DIGEST_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=30), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=15)
)


@dataclass(frozen=True, slots=True)
class SendDigests:
    """Write to everybody about what was recorded up to this moment and they have not been written to about."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DigestsSent:
    """`failed`: users whom the log names; their next message tells them all."""

    sent: int
    failed: int = 0
