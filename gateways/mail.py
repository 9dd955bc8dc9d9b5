"""The door to the e-mail provider, as the rest of the system sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gateways.outcomes import Accepted


@dataclass(frozen=True)
class Attachment:
    """A PDF that goes with an e-mail; `name`: of its file, nothing personal."""

    name: str
    pdf: bytes = field(repr=False)


@dataclass(frozen=True)
class Email:
    """One e-mail to one person, already rendered.

    `dispatch_id` is our business key: it travels with the message and is all we correlate by.
    `kind` (a `MessageKind`) becomes the provider's category; `language` is a BCP 47 tag.
    """

    dispatch_id: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)
    kind: str
    language: str
    attachment: Attachment | None = None

    def __post_init__(self) -> None:
        # A line break here would let whoever chose a name add headers to our message.
        if any(mark in field for field in (self.to, self.subject) for mark in "\r\n\0"):
            raise ValueError("an e-mail's recipient and subject are single lines")


class MailGateway(Protocol):
    """Sends e-mails; what it does is told by `gateways.outcomes`."""

    async def send(self, email: Email) -> Accepted:
        """Hand the e-mail over. Raises Refused, Unavailable (nothing left), Ambiguous (it may have left)."""
        ...

    async def find(self, dispatch_id: str) -> Accepted | None:
        """What became of an ambiguous send: taken, or None when the provider has not seen it.

        A provider's search may lag behind by minutes: None soon after the send proves nothing.
        Raises Unavailable, CannotTell (the provider has no such search).
        """
        ...
