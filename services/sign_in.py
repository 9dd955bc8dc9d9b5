"""Signing in: e-mail and password, and whether a code is asked (guide, page 6)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from activities.contracts.affiliation import SYSTEM_ACTOR, Actor, ActorKind
from db import audit, sessions, sign_in
from db.pool import Connection, single, system
from domain.rights import UserKind
from domain.sign_in import (
    BLOCK_MINUTES,
    LONGEST_BLOCK_MINUTES,
    MOST_FAILURES,
    CodeDue,
    Reason,
    SignInFacts,
    code_reasons,
    masked_phone,
)
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from services.devices import DeviceToken, Known, Trusted, counted_by, recognise, trust
from services.fields import Email, Form
from services.limits import Limit
from services.notices import Transaction
from services.problems import Overloaded, TooManyRequests, WrongCredentials
from services.sessions import Opened, csrf_token, open_session
from services.tools import Tools
from services.visitors import Visitor

Method = Literal["sms", "totp", "recovery", "totp_enrolment"]

CODE_NOT_COMPLETED_AFTER = timedelta(minutes=3)
_NOBODY = UUID(int=0)
_REMEMBERED_CHECKS = 32


class Credentials(Form):
    model_config = ConfigDict(str_strip_whitespace=False)  # a password may begin and end with a space

    email: Email
    password: str = Field(min_length=1, max_length=1000, examples=["trois cafés sous la véranda bleue"], repr=False)


class SecondFactor(BaseModel):
    """What may be answered. `phone`: the number on file, masked; null: it is to be given."""

    methods: list[Method]
    phone: str | None = None


class SignedInView(BaseModel):
    """`stage`: `open`, or `code` while the second factor is asked. `csrf_token`: for X-CSRF-Token of every change."""

    stage: Literal["open", "code"]
    csrf_token: str
    reasons: list[Reason] = []
    second_factor: SecondFactor | None = None


@dataclass(frozen=True)
class SignInResult:
    """`devices`: what the browser's cookie holds from now on; None: what it holds already."""

    opened: Opened
    view: SignedInView
    devices: tuple[DeviceToken, ...] | None


class SignInService:
    """Make one per process: it knows how long its checks of passwords take."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._check_seconds: deque[float] = deque(maxlen=_REMEMBERED_CHECKS)

    async def start(
        self,
        credentials: Credentials,
        kind: UserKind,
        visitor: Visitor,
        shown: Sequence[DeviceToken] = (),
        replaced: Sequence[str] = (),
    ) -> SignInResult:
        """`shown`: the browser's devices; `replaced`: the tokens of its sessions, which end (security.md A-21).

        Raises WrongCredentials, whatever was wrong; TooManyRequests, Overloaded.
        """
        with self._tools.sign_in_places.taken():
            return await self._start(credentials, kind, visitor, shown, replaced)

    async def _start(
        self,
        credentials: Credentials,
        kind: UserKind,
        visitor: Visitor,
        shown: Sequence[DeviceToken],
        replaced: Sequence[str],
    ) -> SignInResult:
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(sign_in.BY_EMAIL, kind.value, credentials.email)
            device = await counted_by(connection, row["id"] if row else _NOBODY, shown) if shown else None
        if device is None:
            await self._within_limits(visitor)
        if await self._right(row, device, credentials.password):
            if device is None:
                await self._within_limits(visitor)  # of many tried at once, no more than the limit are answered
            assert row is not None
            result = await self._signed_in(row, kind, visitor, shown, replaced)
            if result is not None:
                await self._rehash(row, credentials.password)
                return result
        await self._failed(row, device, kind, visitor, credentials.email)
        raise WrongCredentials()

    async def _right(self, row: asyncpg.Record | None, device: asyncpg.Record | None, password: str) -> bool:
        """Whether it is this user's password, in the same time for everybody."""
        blocked = device["blocked"] if device is not None else row is not None and row["blocked"]
        if blocked and self._check_seconds:
            # Not hashed (security.md A-08): it waits as long as one of the last checks took, their queue included.
            await asyncio.sleep(secrets.choice(self._check_seconds))
            return False
        stored = row["password_hash"] if row is not None and row["usable"] and not blocked else None
        began = time.perf_counter()
        right = await self._tools.passwords.matches(stored, password)
        self._check_seconds.append(time.perf_counter() - began)
        return right

    async def _signed_in(
        self,
        row: asyncpg.Record,
        kind: UserKind,
        visitor: Visitor,
        shown: Sequence[DeviceToken],
        replaced: Sequence[str],
    ) -> SignInResult | None:
        """None: suspended, blocked or another password since it was looked at."""
        async with self._tools.outbox.transaction() as tx:
            user = await tx.connection.fetchrow(sign_in.LOCK, row["id"])
            if user is None or not user["usable"] or user["password_version"] != row["password_version"]:
                return None
            actor = actor_of(user)
            known = await recognise(tx, user["id"], actor, shown)
            if known.blocked if known is not None else user["blocked"]:
                return None
            reasons = code_reasons(await _facts(tx.connection, user, known, visitor), user["now"])
            await tx.connection.execute(sessions.REPLACE, [token_hash(token) for token in replaced])
            if not reasons:
                trusted = await finish(tx, user, visitor, shown, known)
                opened = await open_session(
                    tx.connection, user["id"], kind, visitor, stage="open", device_id=trusted.id
                )
                return SignInResult(opened, open_view(opened), trusted.tokens)
            opened = await open_session(tx.connection, user["id"], kind, visitor, stage="password")
            await tx.notify(
                f"code_not_completed:{opened.session_id}",
                NoticeKind.code_not_completed,
                user_id=user["id"],
                subject_id=opened.session_id,
                not_before=user["now"] + CODE_NOT_COMPLETED_AFTER,
            )
            listed = sorted(reasons)
            await audit.add(tx.connection, "auth.login.code_asked", actor, details={"reasons": listed})
            asked = await second_factor_of(tx.connection, self._tools, user)
        view = SignedInView(stage="code", csrf_token=csrf_token(opened.token), reasons=listed, second_factor=asked)
        return SignInResult(opened, view, None)

    async def _rehash(self, row: asyncpg.Record, password: str) -> None:
        """Keep the password by today's parameters (security.md A-06); another time when there is no room for it."""
        stored = row["password_hash"]
        if not self._tools.passwords.outdated(stored):
            return
        with contextlib.suppress(Overloaded):
            hashed = await self._tools.passwords.hash(password)
            async with single(self._tools.system) as connection:
                await connection.execute(sign_in.REHASH, row["id"], stored, hashed)

    # --- what did not succeed

    async def _failed(
        self,
        row: asyncpg.Record | None,
        device: asyncpg.Record | None,
        kind: UserKind,
        visitor: Visitor,
        email: str,
    ) -> None:
        """Count it: the same statements whatever was wrong. Raises TooManyRequests."""
        bounds = (MOST_FAILURES, BLOCK_MINUTES, LONGEST_BLOCK_MINUTES)
        actor = Actor(ActorKind(kind.value), str(row["id"]) if row is not None else None)
        async with system(self._tools.system) as connection:
            if device is not None:
                blocks = await connection.fetchval(sign_in.COUNT_DEVICE_FAILURE, device["id"], *bounds)
            else:
                blocks = await connection.fetchval(sign_in.COUNT_FAILURE, row["id"] if row else _NOBODY, *bounds)
            await audit.add(connection, "auth.login.blocked" if blocks else "auth.login.fail", actor, outcome="refused")
        if device is None:
            await self._tools.limiter.take(Limit.login_address, visitor.network)
            await self._tools.limiter.take(Limit.login_global, "")
            await self._watch(visitor, f"{kind} {email}")

    async def _within_limits(self, visitor: Visitor) -> None:
        """Only failures count. A browser known to its user is not kept out by others'. Raises TooManyRequests."""
        await self._tools.limiter.check(
            (Limit.login_address, visitor.network),
            (Limit.login_global, ""),
            (Limit.login_neighbourhood, visitor.neighbourhood),
        )

    async def _watch(self, visitor: Visitor, account: str) -> None:
        """Many accounts tried from one neighbourhood: told once, and only one more in each half minute
        (security.md A-10)."""
        here, limiter = visitor.neighbourhood, self._tools.limiter
        try:
            await limiter.take(Limit.login_account_seen, f"{here} {account}")
            await limiter.take(Limit.login_neighbourhood, here)
        except TooManyRequests:
            return  # counted before, or told
        if not await limiter.allows(Limit.login_neighbourhood, here):
            with contextlib.suppress(TooManyRequests):
                await limiter.take(Limit.stuffing_told, here)
                async with system(self._tools.system) as connection:
                    await audit.add(connection, "auth.stuffing", SYSTEM_ACTOR, outcome="refused")


# --- for the services that complete a sign-in


def actor_of(user: asyncpg.Record) -> Actor:
    """The user as the audit log names them."""
    return Actor(ActorKind(user["kind"]), str(user["id"]))


def open_view(opened: Opened) -> SignedInView:
    return SignedInView(stage="open", csrf_token=csrf_token(opened.token))


async def finish(
    tx: Transaction, user: asyncpg.Record, visitor: Visitor, shown: Sequence[DeviceToken], known: Known | None
) -> Trusted:
    """Everything that was asked was given: the browser and the address are known from now on (security.md A-12), and
    links to choose another password are dead. `user`: locked by `db.sign_in.LOCK`; `known`: from
    `services.devices.recognise`."""
    connection, user_id, actor = tx.connection, user["id"], actor_of(user)
    trusted = await trust(tx, user_id, actor, visitor, shown, known)
    await connection.execute(sign_in.KNOWN_ADDRESS, user_id, visitor.network)
    await connection.execute(sign_in.SIGNED_IN, user_id)
    await connection.execute(sign_in.END_RESETS, user_id)
    await audit.add(connection, "auth.login.ok", actor, object_type="device", object_id=trusted.id)
    return trusted


async def second_factor_of(connection: Connection, tools: Tools, user: asyncpg.Record) -> SecondFactor:
    """What this user may answer with. Staff never by SMS (security.md A-20); a number is only asked of who has no other
    factor, so that a stolen password adds none."""
    app = user["totp_sealed"] is not None
    left = await connection.fetchval(sign_in.RECOVERY_CODES_LEFT, user["id"])
    stronger: list[Method] = ["totp"] if app else []
    if left and app:
        stronger.append("recovery")
    if user["kind"] == UserKind.staff:
        return SecondFactor(methods=stronger or ["totp_enrolment"])
    number = number_of(tools, user) if user["phone_proved"] else None
    if number is None and app:
        return SecondFactor(methods=stronger)
    return SecondFactor(methods=["sms", *stronger], phone=masked_phone(number) if number else None)


def number_of(tools: Tools, user: asyncpg.Record) -> str | None:
    """The number on file, proved or not."""
    sealed = user["phone_sealed"]
    return None if sealed is None else tools.cipher.decrypt(sealed, "portal_user", "phone", str(user["id"]))


async def _facts(connection: Connection, user: asyncpg.Record, known: Known | None, visitor: Visitor) -> SignInFacts:
    return SignInFacts(
        kind=UserKind(user["kind"]),
        known_browser=known is not None,
        known_address=await connection.fetchval(sign_in.KNOWS_ADDRESS, user["id"], visitor.network),
        last_signed_in_at=user["last_signed_in_at"],
        code_due=CodeDue(user["code_due"]) if user["code_due"] else None,
        failed_passwords=user["failures"] + MOST_FAILURES * user["blocks"] + (known.failures if known else 0),
    )
