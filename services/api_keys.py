"""API keys: made by an administrator for its companies, shown once, stored as a hash, found by it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from db import api_keys, audit
from db.pool import single
from domain.identifiers import SIREN_EXAMPLE
from domain.working_time import months_after
from messages.notices import NoticeKind
from services.callers import Caller, Scope
from services.fields import Day, Form, Name, Siren, between, today
from services.notices import Transaction
from services.problems import FieldError, InvalidFields, NotFound
from services.tools import Tools

PREFIX = "hcr_"
SHOWN_CHARACTERS = 8  # of 47: enough to recognise a key, nothing to guess it by
DEFAULT_MONTHS = 12
LONGEST_MONTHS = 24


LastDay = Annotated[
    Day,
    between(
        today,
        lambda: months_after(today(), LONGEST_MONTHS),
        "Une clé d’API prend fin entre aujourd’hui et dans deux ans.",
        "2027-06-30",
    ),
    Field(examples=["2027-06-30"]),
]


class NewApiKey(Form):
    """`expires_on`: its last day; in a year where none is given."""

    name: Name
    sirens: Annotated[tuple[Siren, ...], Field(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Literal[Scope.read, Scope.write], ...], Field(min_length=1, max_length=2)]
    expires_on: LastDay | None = None


class ApiKey(BaseModel):
    """A key. `shown`: how it begins; `sirens`: those of its companies that the caller administers."""

    id: UUID
    name: str
    shown: str
    scopes: list[str]
    sirens: list[str]
    created_at: datetime
    created_by: str | None
    last_used_at: datetime | None
    expires_at: datetime | None


class MadeApiKey(ApiKey):
    """`secret`: the key itself, shown this once."""

    secret: str


class ApiKeyList(BaseModel):
    """The newest first."""

    items: list[ApiKey]


class ApiKeyService:
    """A key belongs to its companies, not to whoever made it: it stays when that user leaves.

    Every administrator of one of its companies sees it, and can take it from the companies that they administer.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def caller(self, secret: str) -> Caller | None:
        """The caller of a key that is neither revoked nor expired."""
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(api_keys.FIND, key_hash(secret))
            if row is None:
                return None
            if row["to_be_seen"]:
                await connection.execute(api_keys.SEEN, row["id"])
        known = frozenset(scope for scope in Scope if scope.value in row["scopes"])
        return Caller(str(row["id"]), tuple(row["company_ids"]), known)

    async def list(self, caller: Caller) -> ApiKeyList:
        """The keys that open a company of the perimeter which the user administers. Raises NotAllowed."""
        caller.need_administrator()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(api_keys.LIST, list(caller.administers), None)
        return ApiKeyList(items=[ApiKey(**_fields(row)) for row in rows])

    async def make(self, caller: Caller, request: NewApiKey) -> MadeApiKey:
        """A key for companies all of which the user administers; their administrators are told.

        Raises NotAllowed, StepUpNeeded, InvalidFields.
        """
        caller.need_administrator()
        person = caller.need_step_up()
        secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
        sirens = list(dict.fromkeys(request.sirens))
        scopes = [scope.value for scope in Scope if scope in request.scopes]
        last_day = request.expires_on or months_after(today(), DEFAULT_MONTHS)
        async with self._tools.outbox.transaction() as tx:
            rows = await tx.connection.fetch(api_keys.ADMINISTERED, person.user_id, sirens)
            companies = [row["id"] for row in rows if row["id"] in caller.administers]
            if len(companies) < len(sirens):
                raise InvalidFields([_not_administered()])
            key_id = await tx.connection.fetchval(
                api_keys.ADD,
                request.name,
                key_hash(secret),
                secret[:SHOWN_CHARACTERS],
                scopes,
                companies,
                last_day,
                person.user_id,
            )
            details = {"scopes": scopes, "expires_on": last_day.isoformat()}
            await _log(tx, caller, "key.created", companies, key_id, details)
            for row in await tx.connection.fetch(api_keys.ADMINISTRATORS, companies):
                await tx.notify(
                    f"api_key_created/{key_id}/{row['user_id']}",
                    NoticeKind.api_key_created,
                    user_id=row["user_id"],
                    company_id=row["company_id"],
                    subject_id=key_id,
                    details={"companies": row["companies"]},
                )
            made = await tx.connection.fetchrow(api_keys.LIST, companies, key_id)
            assert made is not None, "just made"
        return MadeApiKey(**_fields(made), secret=secret)

    async def revoke(self, caller: Caller, key_id: UUID) -> None:
        """It opens none of the companies that the user administers any more, at once; where it opens no other, it is
        dead. Raises NotAllowed, StepUpNeeded, NotFound."""
        caller.need_administrator()
        person = caller.need_step_up()
        async with self._tools.outbox.transaction() as tx:
            row = await tx.connection.fetchrow(api_keys.LOCK, key_id, person.user_id)
            if row is None or not set(row["administered"]) & set(caller.administers):
                raise NotFound()
            taken = [company for company in row["company_ids"] if company in row["administered"]]
            left = [company for company in row["company_ids"] if company not in row["administered"]]
            if left:
                await tx.connection.execute(api_keys.KEEP, key_id, left)
            else:
                await tx.connection.execute(api_keys.REVOKE, key_id, person.user_id)
            await _log(tx, caller, "key.revoked", taken, key_id)


async def _log(
    tx: Transaction,
    caller: Caller,
    event: str,
    companies: Sequence[UUID],
    key_id: UUID,
    details: dict[str, Any] | None = None,
) -> None:
    """In the log of each company."""
    for company_id in companies:
        await audit.add(
            tx.connection,
            event,
            caller.actor,
            company_id=company_id,
            object_type="api_key",
            object_id=key_id,
            details=details,
        )


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    return {**row, "shown": f"{row['shown'] or PREFIX}…"}  # of one that was made elsewhere nothing more is known


def _not_administered() -> FieldError:
    """The same for a company that nobody knows and for one of others."""
    message = "Choisissez des entreprises dont vous êtes administrateur. Exemple\u00a0: "
    return FieldError("sirens", "sirens.not_administered", message + SIREN_EXAMPLE)


def key_hash(secret: str) -> bytes:
    """What is stored of an API key: it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()
