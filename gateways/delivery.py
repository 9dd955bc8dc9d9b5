"""What providers tell afterwards about a message, in one shape for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeliveryKind(StrEnum):
    """What happened to the message. Order of arrival means nothing: later events may come first."""

    accepted = "accepted"  # the provider has it and works on it
    delivered = "delivered"  # the recipient's server took it; the letter is with the post
    deferred = "deferred"  # the provider tries again by itself
    soft_bounced = "soft_bounced"  # blocked for now: the address may be good
    bounced = "bounced"  # the address does not work
    dropped = "dropped"  # the provider would not send it (suppression other than a dead address, bad content)
    complained = "complained"  # the recipient called it spam: nothing more may go there
    rejected = "rejected"  # the provider refused the letter after having taken it
    returned = "returned"  # the letter came back (NPAI, PND)
    other = "other"  # opens, clicks, archiving and whatever providers add: never proves anything


@dataclass(frozen=True)
class DeliveryEvent:
    """One event of one provider.

    `provider` + `provider_event_id` identify it, so that a repeated delivery of the same event is seen.
    `dispatch_id` is our own key as the provider gave it back, None when it did not: then the event
    concerns nobody we can name, for an address in an event is never trusted to find a person.
    `reason` is a short code (`invalid_address`, `5.1.1`), "" when unknown; never free text.
    `occurred_at` is aware, UTC.
    """

    provider: str
    provider_event_id: str
    dispatch_id: str | None
    kind: DeliveryKind
    reason: str
    occurred_at: datetime
