"""The browsers that a user gave a code in: known by a secret in a cookie, another one at every sign-in
(security.md A-13)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import Actor
from db import audit, sessions, sign_in
from db.pool import Connection, single, system
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from services.callers import Caller
from services.notices import Transaction
from services.problems import NotFound
from services.tools import Tools
from services.visitors import Visitor

MOST_OF_A_BROWSER = 5  # users who share it


@dataclass(frozen=True)
class DeviceToken:
    """One user's part of a browser's cookie."""

    id: UUID
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Known:
    """A valid token of the user's. `current`: the newest secret; the one before it is taken until that was seen."""

    id: UUID
    failures: int
    blocked: bool
    current: bool
    recent: bool
    shown: bytes = field(repr=False)


@dataclass(frozen=True)
class Trusted:
    """The browser is the user's. `tokens`: its whole cookie from now on; None: the one it has."""

    id: UUID
    tokens: tuple[DeviceToken, ...] | None


class DeviceView(BaseModel):
    """« Mes appareils »: a browser in which no code is asked for."""

    id: UUID
    browser: str
    since: datetime
    last_seen_at: datetime
    current: bool


class DeviceList(BaseModel):
    items: list[DeviceView]


class DeviceService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def list(self, caller: Caller, shown: Sequence[DeviceToken]) -> DeviceList:
        """The user's. Raises NotAllowed."""
        person = caller.person()
        here = {token.id for token in shown}
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(sign_in.DEVICE_LIST, person.user_id)
        return DeviceList(
            items=[
                DeviceView(
                    id=row["id"],
                    browser=row["browser"],
                    since=row["created_at"],
                    last_seen_at=row["seen_at"],
                    current=row["id"] in here,
                )
                for row in rows
            ]
        )

    async def revoke(self, caller: Caller, device_id: UUID) -> None:
        """A code is asked there from now on, and its sessions end, but for the present one. Raises NotAllowed,
        NotFound."""
        person = caller.person()
        async with system(self._tools.system) as connection:
            if not await connection.fetchval(sign_in.REVOKE_DEVICE, person.user_id, device_id):
                raise NotFound()
            await connection.execute(sessions.CLOSE_OF_DEVICE, person.user_id, device_id, person.session)
            await audit.add(connection, "auth.device.revoked", caller.actor, object_type="device", object_id=device_id)


async def counted_by(connection: Connection, user_id: UUID, shown: Sequence[DeviceToken]) -> asyncpg.Record | None:
    """The valid device that counts its own wrong passwords (security.md A-09): its id, and whether it is blocked."""
    secrets_of = {token.id: token_hash(token.secret) for token in shown}
    for row in await connection.fetch(sign_in.DEVICES_OF_USER, list(secrets_of), user_id):
        if secrets_of[row["id"]] in (row["token_hash"], row["former_hash"]):
            return row
    return None


async def recognise(tx: Transaction, user_id: UUID, actor: Actor, shown: Sequence[DeviceToken]) -> Known | None:
    """The valid token of this user among those that the browser shows.

    A secret older than the former one was copied, or is the copy: all of the user's browsers are forgotten, and the
    user is told (security.md A-13).
    """
    secrets_of = {token.id: token_hash(token.secret) for token in shown}
    for row in await tx.connection.fetch(sign_in.DEVICES, list(secrets_of)):
        if row["user_id"] != user_id or row["revoked"]:
            continue
        given = secrets_of[row["id"]]
        if given in (row["token_hash"], row["former_hash"]):
            current = given == row["token_hash"]
            return Known(row["id"], row["failures"], row["blocked"], current, row["recent"], given)
        await tx.connection.execute(sign_in.REVOKE_DEVICES, user_id)
        await tx.notify(f"device_reused:{row['id']}", NoticeKind.device_reused, user_id=user_id)
        await audit.add(
            tx.connection, "auth.device.reuse", actor, outcome="refused", object_type="device", object_id=row["id"]
        )
        return None
    return None


async def trust(
    tx: Transaction, user_id: UUID, actor: Actor, visitor: Visitor, shown: Sequence[DeviceToken], known: Known | None
) -> Trusted:
    """After a sign-in with all that was asked: the browser gets a new secret of this user."""
    secret = secrets.token_urlsafe(32)
    if known is None:
        device_id: UUID = await tx.connection.fetchval(sign_in.ADD_DEVICE, user_id, token_hash(secret), visitor.browser)
        await audit.add(tx.connection, "auth.device.trusted", actor, object_type="device", object_id=device_id)
    elif not known.current and known.recent:
        # Two sign-ins at once in one browser: the other one's answer brings the new secret.
        await tx.connection.execute(sign_in.DEVICE_SEEN, known.id)
        return Trusted(known.id, None)
    else:
        device_id = known.id
        await tx.connection.execute(sign_in.ROTATE_DEVICE, device_id, token_hash(secret), known.shown, visitor.browser)
    rows = await tx.connection.fetch(sign_in.DEVICES, [token.id for token in shown])
    others = {row["id"] for row in rows if row["user_id"] != user_id and not row["revoked"]}
    kept = [token for token in shown if token.id in others][: MOST_OF_A_BROWSER - 1]
    return Trusted(device_id, (DeviceToken(device_id, secret), *kept))
