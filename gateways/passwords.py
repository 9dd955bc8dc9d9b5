"""Passwords at rest: argon2id of the password keyed with a pepper that the database never sees (security.md A-06).

What is stored is `<which pepper, 8 hexadecimal digits><argon2's own encoding, with its parameters and salt>`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.password_rules import normalised
from gateways.encryption import KEY_BYTES, BadKeys

# One hash takes 77 ms on the reference machine (2 cores), so that signing in stays below 150 ms. Of the parameters
# that do (19 MiB and 8 passes, 32 and 3, 46 and 2) those with most memory: it is what an attacker pays for. OWASP's
# least, 19 MiB and 2 passes, takes 20 ms.
MEMORY_KIB = 46 * 1024
PASSES = 2
LANES = 1
_SALT_BYTES = 16
_HASH_BYTES = 32

WAITING = 16  # of two cores, one of which hashes: 1.3 s of work
_NICENESS = 19  # requests of people who are signed in come first

_Result = TypeVar("_Result")


class Busy(Exception):
    """So many hashes are wanted already that one more would wait too long: nothing was computed."""


class Passwords:
    """Make one per process: it bounds how many hashes are computed at once, and their memory.

    `former`: peppers that were used before, whose passwords still open and are `outdated`. `waiting`: how many hashes
    may wait for a thread. One core is left to everything else.
    """

    def __init__(
        self, pepper: bytes, *former: bytes, threads: int = max(1, (os.cpu_count() or 1) - 1), waiting: int = WAITING
    ) -> None:
        self._peppers = {_name(key): key for key in (*former, pepper)}
        self._current = _name(pepper)
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES, _HASH_BYTES, _SALT_BYTES)
        self._nobodys = self._current + _encoded(os.urandom(_SALT_BYTES), os.urandom(_HASH_BYTES))
        self._threads = ThreadPoolExecutor(threads, "argon2", _step_back)
        self._places = threading.BoundedSemaphore(threads + waiting)

    async def hash(self, password: str) -> str:
        """What to store. Raises Busy."""
        return await self._run(self._hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the one. For nobody's (None) as long as for somebody's, and never true. Raises Busy."""
        matches = await self._run(self._verify, self._nobodys if stored is None else stored, password)
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether it is to be hashed anew, with today's parameters and pepper."""
        name, encoded = _parts(stored)
        return name != self._current or self._hasher.check_needs_rehash(encoded)

    def _hash(self, password: str) -> str:
        return self._current + self._hasher.hash(_keyed(self._peppers[self._current], password))

    def _verify(self, stored: str, password: str) -> bool:
        name, encoded = _parts(stored)
        known = name in self._peppers
        try:
            return (
                self._hasher.verify(encoded, _keyed(self._peppers[name if known else self._current], password))
                and known
            )
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., _Result], *arguments: str) -> _Result:
        if not self._places.acquire(blocking=False):
            raise Busy()
        future = self._threads.submit(function, *arguments)
        # when it is computed, or given up before: a caller who goes away does not stop a hash that has begun
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def peppers(setting: str) -> list[bytes]:
    """The keys of PASSWORD_PEPPER: base64 of 32 bytes each, today's first, separated by commas. Raises BadKeys."""
    keys = []
    for text in setting.split(","):
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise BadKeys("PASSWORD_PEPPER is not base64") from None
        if len(key) != KEY_BYTES or len(set(key)) == 1:
            raise BadKeys(f"PASSWORD_PEPPER: {KEY_BYTES} random bytes are needed")
        keys.append(key)
    return keys


def _name(pepper: bytes) -> str:
    """Tells peppers apart, and nothing about them."""
    return hmac.digest(pepper, b"which pepper", "sha256").hex()[:8]


def _parts(stored: str) -> tuple[str, str]:
    return stored[:8], stored[8:]


def _keyed(pepper: bytes, password: str) -> bytes:
    return hmac.digest(pepper, normalised(password).encode(errors="surrogatepass"), "sha256")


def _encoded(salt: bytes, digest: bytes) -> str:
    """As argon2 writes it: of random bytes, the hash of no password at all, checked like any other."""
    salt64, digest64 = (base64.b64encode(part).rstrip(b"=").decode() for part in (salt, digest))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt64}${digest64}"


def _step_back() -> None:
    """Lowers the priority of the calling thread alone (Linux counts it per thread)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
