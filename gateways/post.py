"""The door to the postal provider, as the rest of the system sees it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateways.delivery import DeliveryKind
from gateways.outcomes import Accepted

MAX_LINES = 6
MAX_LINE_CHARACTERS = 38
MAX_DISPATCH_ID_CHARACTERS = 36
_POSTCODE_AND_TOWN = re.compile(r"[0-9]{5} \S.*")


@dataclass(frozen=True)
class Letter:
    """One letter to one person.

    `dispatch_id`: our business key, at most 36 characters (what the provider keeps).
    `pdf`: the whole letter, A4. `address_lines`: 2 to 6 lines of 1 to 38 characters, the first one the
    person's name, the last one `NNNNN VILLE` (NF Z 10-011). `country`: ISO 3166 alpha-2.
    Raises ValueError, without the values, when one of them has another shape.
    """

    dispatch_id: str
    pdf: bytes = field(repr=False)
    address_lines: tuple[str, ...] = field(repr=False)
    country: str = "FR"

    def __post_init__(self) -> None:
        if not 0 < len(self.dispatch_id) <= MAX_DISPATCH_ID_CHARACTERS:
            raise ValueError(f"a letter's dispatch id has 1 to {MAX_DISPATCH_ID_CHARACTERS} characters")
        if not self.pdf.startswith(b"%PDF-"):
            raise ValueError("a letter is a PDF")
        if not 2 <= len(self.address_lines) <= MAX_LINES:
            raise ValueError(f"an address has 2 to {MAX_LINES} lines")
        if any(not 0 < len(line.strip()) <= len(line) <= MAX_LINE_CHARACTERS for line in self.address_lines):
            raise ValueError(f"an address line has 1 to {MAX_LINE_CHARACTERS} characters")
        if self.country == "FR" and not _POSTCODE_AND_TOWN.fullmatch(self.address_lines[-1]):
            raise ValueError("the last line of a French address is its postcode and town")


class PostGateway(Protocol):
    """Sends letters, each at most once; what it does is told by `gateways.outcomes`."""

    async def hand_over(
        self, letter: Letter, known_ref: str | None, remember: Callable[[str], Awaitable[None]]
    ) -> Accepted:
        """Have the letter printed and posted; may be called again after any failure or crash.

        `known_ref` is what a former attempt gave to `remember`, None when there was none.
        `remember(ref)` is awaited before the irrevocable step: once it has returned, the caller
        must pass that `ref` in every later attempt for the same letter.

        Raises Refused (final), Unavailable (nothing was posted: call again), Ambiguous (it may have been
        posted: call again, the provider is asked first), CannotTell (the provider contradicts itself: a
        person looks; never call again blindly).
        """
        ...

    async def status(self, ref: str) -> DeliveryKind | None:
        """Where the sending `ref` is, read from the provider (its callbacks carry no signature, so they only
        say « look »). None: nothing to tell yet. Raises Unavailable, Refused(not_authorised), CannotTell."""
        ...
