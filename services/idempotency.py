"""`Idempotency-Key`: the same key with the same request has one effect and one answer; with another request it is
refused."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from db import idempotency
from db.pool import Connection
from gateways.encryption import FieldCipher
from services.callers import Caller
from services.problems import KeyReused


@dataclass(frozen=True)
class Once:
    """The caller's key, with a hash of what was asked under it."""

    key: str
    request_hash: bytes


def once(
    cipher: FieldCipher,
    key: str | None,
    action: str,
    affiliation_id: UUID | None = None,
    request: BaseModel | None = None,
) -> Once | None:
    """None without a key. The hash is keyed: a plain one could be tried until it fits, which would tell the NIR."""
    if key is None:
        return None
    return Once(key, cipher.blind_index(spelled_out(action, affiliation_id, request), "request"))


def spelled_out(action: str, affiliation_id: UUID | None = None, request: BaseModel | None = None) -> str:
    """The same text for the same request, in every process. Left out differs from given as null."""
    content = request.model_dump_json(exclude_unset=True) if request is not None else ""
    return f"{action}\n{affiliation_id or ''}\n{content}"


async def known(connection: Connection, caller: Caller, once: Once) -> asyncpg.Record | None:
    """What the key was used for before, None when it is new. Raises KeyReused: for another request."""
    row = await connection.fetchrow(idempotency.GET, caller.id, once.key)
    if row is not None and row["request_hash"] != once.request_hash:
        raise KeyReused()
    return row


async def claim(connection: Connection, caller: Caller, once: Once, company_id: UUID, affiliation_id: UUID) -> bool:
    """Take the key in this transaction; waits for another that is taking it. False: it was taken before."""
    claimed: int | None = await connection.fetchval(
        idempotency.CLAIM, caller.id, once.key, company_id, affiliation_id, once.request_hash
    )
    return claimed is not None
