"""What a provider answered, as types: every gateway speaks these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the message. `provider_ref` is its own identifier for it."""

    provider_ref: str


class RefusalReason(StrEnum):
    """Why a provider will never take this message, in codes; the French words are in `messages/`."""

    bad_address = "bad_address"
    bad_content = "bad_content"
    suppressed = "suppressed"
    not_authorised = "not_authorised"  # our key or account: staff must act


class ProviderError(Exception):
    """Base; its text never contains an address, a name or a message."""


class Refused(ProviderError):
    """Final: the provider answered that it will not take it (4xx other than 429)."""

    def __init__(self, reason: RefusalReason, status: int) -> None:
        super().__init__(f"refused: {reason} ({status})")
        self.reason = reason
        self.status = status


class Unavailable(ProviderError):
    """Nothing was taken (connection refused, 429, 500, 502, 503): try again, after `retry_after` seconds if told."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(f"unavailable: {why}")
        self.retry_after = retry_after


class Ambiguous(ProviderError):
    """The request may have been taken (time-out or cut after sending): look it up before anything else."""


class CannotTell(ProviderError):
    """The provider has no way to say whether it took the message, or contradicts itself: for a person."""
