"""Passwords as services know them: when too many wait to be hashed, the person is told to come back."""

from __future__ import annotations

from gateways.passwords import Busy, Passwords
from services.problems import Overloaded


class Hashing(Passwords):
    async def hash(self, password: str) -> str:
        """See Passwords.hash. Raises Overloaded."""
        try:
            return await super().hash(password)
        except Busy:
            raise Overloaded() from None

    async def matches(self, stored: str | None, password: str) -> bool:
        """See Passwords.matches. Raises Overloaded, for nobody's as for somebody's."""
        try:
            return await super().matches(stored, password)
        except Busy:
            raise Overloaded() from None
