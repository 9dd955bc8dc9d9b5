"""How many sign-ins are looked into at once: whoever comes beyond them is told to come back, and the database is asked
nothing. A flood of wrong passwords then costs next to nothing of what people who are signed in wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.problems import Overloaded

MOST: Final = 6  # of two cores, one of which hashes: half a second of work


class SignInPlaces:
    """One per process. A place is held from the first look at the account to the answer: were it only the password's
    check that is bounded, whoever arrives before a place is taken again would have asked the database in vain."""

    def __init__(self, most: int = MOST) -> None:
        self._free = most

    @property
    def full(self) -> bool:
        return self._free <= 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises Overloaded."""
        if self.full:
            raise Overloaded()
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
