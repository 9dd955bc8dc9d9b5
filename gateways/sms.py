"""The door to the SMS provider, as the rest of the system sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from gateways.outcomes import Accepted

MAX_CHARACTERS = 160
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True)
class Sms:
    """One short message: `to` in E.164 (`+33612345678`), `text` of at most 160 characters.

    Raises ValueError, without the values, when one of them has another shape.
    """

    dispatch_id: str
    to: str = field(repr=False)
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.to):
            raise ValueError("a text message's number is in E.164 form")
        if not 0 < len(self.text) <= MAX_CHARACTERS:
            raise ValueError(f"a text message has 1 to {MAX_CHARACTERS} characters")


class SmsGateway(Protocol):
    """Sends short messages; what it does is told by `gateways.outcomes`."""

    async def send(self, sms: Sms) -> Accepted:
        """Hand the message over. Raises Refused, Unavailable (nothing left), Ambiguous (it may have left)."""
        ...

    async def find(self, dispatch_id: str) -> Accepted | None:
        """What became of an ambiguous send: taken, or None when the provider has not seen it (yet).

        Raises Unavailable, CannotTell.
        """
        ...
