"""The code printed on a letter, which replaces the link of an e-mail: `A7K3-9QXT-M2PD-H4RZ8`.

Six characters select the dispatch (no secret, found by an index), ten are the secret (only its argon2id hash
is stored), one checks the others, so that a slip of the finger is told at once and costs no attempt.
The letters I, L, O and U are not used; read back, O is 0 and I and L are 1.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SELECTOR_CHARACTERS = 6
SECRET_CHARACTERS = 10
_MAX_TYPED_CHARACTERS = 64
_MISREAD = str.maketrans("OIL", "011")

# OWASP's profile, 24 ms. Hashing in more threads than cores makes every one slower (8 at once: 485 ms, in turn:
# 139 ms), hence a pool of its own; it also bounds the memory to 19 MiB per core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_THREADS = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="argon2")


def format_code(selector: str, secret: str) -> str:
    """The code as printed: 17 characters as 4-4-4-5. Raises ValueError when a part is not in the alphabet."""
    if len(selector) != SELECTOR_CHARACTERS or len(secret) != SECRET_CHARACTERS:
        raise ValueError(f"a letter code has a selector of {SELECTOR_CHARACTERS} and a secret of {SECRET_CHARACTERS}")
    body = selector + secret
    if any(character not in ALPHABET for character in body):
        raise ValueError("a letter code only uses its own alphabet")
    code = body + _check_character(body)
    return "-".join((code[:4], code[4:8], code[8:12], code[12:]))


def parse_code(text: str) -> tuple[str, str] | None:
    """(selector, secret) of a code as a person types it, None when it cannot be one.

    Case, spaces and dashes of every sort do not matter.
    """
    if len(text) > _MAX_TYPED_CHARACTERS:
        return None
    upper = unicodedata.normalize("NFKC", text).upper()
    kept = (mark for mark in upper if not mark.isspace() and unicodedata.category(mark) != "Pd")
    code = "".join(kept).translate(_MISREAD)
    body, check = code[:-1], code[-1:]
    if len(body) != SELECTOR_CHARACTERS + SECRET_CHARACTERS or any(mark not in ALPHABET for mark in code):
        return None
    if _check_character(body) != check:
        return None
    return body[:SELECTOR_CHARACTERS], body[SELECTOR_CHARACTERS:]


def new_selector() -> str:
    """A random selector (30 bits); the caller draws again when the database already has it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SELECTOR_CHARACTERS))


async def hash_secret(secret: str) -> str:
    """The argon2id hash to store, about 100 characters."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, secret)


async def verify_secret(stored_hash: str | None, secret: str) -> bool:
    """Whether `secret` is the one hashed. None (unknown selector) takes as long and is False."""
    matches = await asyncio.get_running_loop().run_in_executor(_THREADS, _matches, stored_hash, secret)
    return matches and stored_hash is not None


def _matches(stored_hash: str | None, secret: str) -> bool:
    try:
        return _HASHER.verify(stored_hash or _nobodys_hash(), secret)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_hex(16))


def _check_character(body: str) -> str:
    """The body as a polynomial over GF(32) at x: any one wrong character and any two exchanged ones show."""
    remainder = 0
    for character in body:
        remainder = _times_x(remainder ^ ALPHABET.index(character))
    return ALPHABET[remainder]


def _times_x(element: int) -> int:
    return (element << 1) ^ (0b100101 if element & 0b10000 else 0)  # x⁵ + x² + 1 is primitive
