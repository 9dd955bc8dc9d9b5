"""What the workflow of outgoing webhooks and its activity say to each other: ids and moments."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.common import RetryPolicy

WEBHOOK = "Webhook"  # the workflow's name
SEND_WEBHOOKS = "send_webhooks"
SEND_TIMEOUT = timedelta(seconds=90)  # a round ends itself after less than a minute
SEND_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
)


@dataclass(frozen=True, slots=True)
class StartWebhook:
    """`sent`: by the runs before."""

    endpoint_id: str
    sent: int = 0


@dataclass(frozen=True, slots=True)
class SendWebhooks:
    """`at`: the workflow's time."""

    endpoint_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WebhookRound:
    """`wait_seconds`: until there is something to try again; None: nothing waits, or the endpoint does not go on."""

    sent: int
    failed: int
    wait_seconds: float | None = None


def webhook_workflow_id(endpoint_id: str) -> str:
    """The id of the workflow of one endpoint."""
    return f"webhook/{endpoint_id}"
