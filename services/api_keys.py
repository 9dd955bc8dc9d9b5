"""API keys: shown once, stored as a hash, found by it."""

from __future__ import annotations

import hashlib

from db import register
from db.pool import Pool, single
from services.callers import Caller, Scope


async def find_key(pool: Pool, secret: str) -> Caller | None:
    """The caller of an API key that is neither revoked nor expired."""
    async with single(pool) as connection:
        row = await connection.fetchrow(register.API_KEY, key_hash(secret))
    if row is None:
        return None
    known = frozenset(scope for scope in Scope if scope.value in row["scopes"])
    return Caller(str(row["id"]), tuple(row["company_ids"]), known)


def key_hash(secret: str) -> bytes:
    """What is stored of an API key: it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()
