"""The second factor: codes by SMS, authenticator apps, recovery codes; at sign-in and as a step-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4, uuid5

import asyncpg
import pyotp
from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor
from db import audit, profile, sign_in
from db.pool import Connection, single, system
from domain.identifiers import InvalidValue
from domain.rights import UserKind
from domain.sign_in import (
    CODE_BLOCK_SECONDS,
    CODE_SECONDS,
    MOST_TRIES,
    MOST_USERS_OF_A_NUMBER,
    MOST_WRONG_CODES,
    RESEND_SECONDS,
    masked_phone,
    parse_code_phone,
    parse_recovery_code,
)
from gateways.outcomes import ProviderError
from messages.notices import NoticeKind
from services.callers import Pending, SignedIn
from services.codes import code_of, new_secret, same_code, send_code_sms
from services.devices import DeviceToken, recognise
from services.fields import Form, OptionalPhone
from services.limits import Limit
from services.notices import Transaction
from services.problems import (
    CodeNotSent,
    FieldError,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    RefusedByRules,
    TooManyRequests,
    WrongCode,
)
from services.sessions import complete_session, step_up_session
from services.sign_in import SecondFactor, SignInResult, actor_of, finish, number_of, open_view, second_factor_of
from services.tools import Tools
from services.visitors import Visitor

Purpose = Literal["sign_in", "step_up", "phone"]
Method = Literal["sms", "totp", "recovery"]

TOTP_SECONDS = 30
_STAGE = {"sign_in": "password", "step_up": "open", "phone": "open"}
_SHARED = "Ce numéro sert déjà à plusieurs personnes. Indiquez-en un autre."
_KNOWN = "Un numéro est déjà enregistré pour votre compte\u00a0: le code y est envoyé."
_MISSING = "Indiquez le numéro de mobile qui recevra le code."


class AskCode(Form):
    """« Envoyer le code ». `phone`: the first time only, when there is no number on file."""

    phone: OptionalPhone = None


class Answer(Form):
    """« Continuer »."""

    method: Method
    code: str = Field(min_length=1, max_length=60, examples=["042137"], repr=False)


class CodeSent(BaseModel):
    """Also where a limit kept it from leaving: a code was sent if it was to be. `phone` is masked."""

    phone: str
    resend_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class _Claimed:
    """A challenge, and which of its messages is to leave now; None: it is too early for another, or the user's second
    factor is refused for a while."""

    id: UUID
    actor: Actor
    number: str = field(repr=False)
    code: str = field(repr=False)
    send: int | None
    app: bool


class SecondFactorService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def asked(self, user_id: UUID) -> SecondFactor:
        """What the user may answer with."""
        async with system(self._tools.system) as connection:
            user = await connection.fetchrow(sign_in.LOCK, user_id)
            assert user is not None, "whose session it is"
            return await second_factor_of(connection, self._tools, user)

    # --- « Envoyer le code »

    async def send(
        self, user_id: UUID, session: bytes, purpose: Purpose, visitor: Visitor, phone: str | None = None
    ) -> CodeSent:
        """Send the code of this session's challenge, the same one while it is valid (security.md A-16, peers.md P2).

        `phone`: as typed; the first number of a user, or with the purpose `phone` a new one. Raises InvalidFields:
        not a number for codes; NotAllowed: this user has another factor; NotAuthenticated; CodeNotSent.
        """
        claimed = await self._claim(user_id, session, purpose, phone)
        if claimed.send is not None and await self._within_limits(user_id, visitor, claimed):
            await self._hand_over(claimed)
            async with system(self._tools.system) as connection:
                details = {"purpose": purpose, "send": claimed.send}
                await audit.add(connection, "auth.otp.sent", claimed.actor, details=details)
        async with single(self._tools.system) as connection:
            times = await connection.fetchrow(sign_in.SEND_TIMES, claimed.id, RESEND_SECONDS, CODE_SECONDS)
        if times is None:  # another sign-in in this browser has replaced the one that asked
            raise _no_session()
        return CodeSent(
            phone=masked_phone(claimed.number), resend_at=times["resend_at"], expires_at=times["expires_at"]
        )

    async def _claim(self, user_id: UUID, session: bytes, purpose: Purpose, phone: str | None) -> _Claimed:
        cipher = self._tools.cipher
        async with system(self._tools.system) as connection:
            user = await self._user_in(connection, user_id, session, purpose)
            number = await self._number(connection, user, purpose, phone)
            index = cipher.blind_index(number, "portal_user.phone")
            challenge = await connection.fetchrow(sign_in.CHALLENGE, session, purpose, CODE_SECONDS, MOST_TRIES)
            if challenge is not None and challenge["alive"] and challenge["phone_index"] == index:
                challenge_id = challenge["id"]
                secret = cipher.decrypt(challenge["secret_sealed"], "challenge", "secret", str(challenge_id))
            else:
                challenge_id, secret = uuid4(), new_secret()
                sealed = {
                    field: cipher.encrypt(value, "challenge", field, str(challenge_id))
                    for field, value in (("secret", secret), ("phone", number))
                }
                await connection.execute(
                    sign_in.ADD_CHALLENGE,
                    challenge_id,
                    user_id,
                    session,
                    purpose,
                    sealed["secret"],
                    sealed["phone"],
                    index,
                )
            send = await connection.fetchval(sign_in.CLAIM_SEND, challenge_id, RESEND_SECONDS)
        return _Claimed(
            id=challenge_id,
            actor=actor_of(user),
            number=number,
            code=code_of(secret),
            send=None if user["code_blocked"] else send,
            app=user["totp_sealed"] is not None,
        )

    async def _number(self, connection: Connection, user: asyncpg.Record, purpose: Purpose, typed: str | None) -> str:
        """Where this code goes. A number that is proved is never replaced by a typed one, but for its change."""
        if user["kind"] == UserKind.staff:
            raise NotAllowed("Confirmez votre identité avec votre application d’authentification.")
        if purpose != "phone" and user["phone_proved"]:
            if typed is not None:
                raise InvalidFields([FieldError("phone", "phone.known", _KNOWN)])
            number = number_of(self._tools, user)
            assert number is not None, "proved"
            return number
        if purpose != "phone" and user["totp_sealed"] is not None:
            raise NotAllowed("Confirmez votre identité avec votre application d’authentification.")
        number = typed if typed is not None or purpose == "phone" else number_of(self._tools, user)
        if number is None:
            raise InvalidFields([FieldError("phone", "phone.missing", _MISSING)])
        try:
            number = parse_code_phone(number)
        except InvalidValue as wrong:
            raise InvalidFields([FieldError("phone", wrong.code, wrong.message, wrong.example)]) from None
        index = self._tools.cipher.blind_index(number, "portal_user.phone")
        if await connection.fetchval(sign_in.USERS_OF_NUMBER, index, user["id"]) >= MOST_USERS_OF_A_NUMBER:
            raise InvalidFields([FieldError("phone", "phone.shared", _SHARED)])
        return number

    async def _within_limits(self, user_id: UUID, visitor: Visitor, claimed: _Claimed) -> bool:
        """Counts one; False: one of the limits is reached, which only the audit log tells (security.md A-16)."""
        whom = {
            Limit.code_address: visitor.network,
            Limit.code_account: str(user_id),
            Limit.code_number: claimed.number,
            Limit.code_number_day: claimed.number,
            Limit.code_global: "",
        }
        for limit, one in whom.items():
            try:
                await self._tools.limiter.take(limit, one)
            except TooManyRequests:
                async with system(self._tools.system) as connection:
                    details = {"limit": limit.name}
                    await audit.add(connection, "auth.otp.limit", claimed.actor, outcome="refused", details=details)
                return False
        return True

    async def _hand_over(self, claimed: _Claimed) -> None:
        """Now or never: a code that comes late would be of no use (security.md A-18). Raises CodeNotSent."""
        message_id = str(uuid5(claimed.id, str(claimed.send)))
        try:
            await send_code_sms(self._tools, message_id, claimed.number, claimed.code)
        except (ProviderError, TimeoutError):
            async with single(self._tools.system) as connection:
                await connection.execute(sign_in.NOT_SENT, claimed.id, claimed.send)
            raise CodeNotSent(app=claimed.app) from None

    # --- « Continuer »

    async def verify(self, user_id: UUID, session: bytes, purpose: Purpose, method: Method, code: str) -> None:
        """Take this code, once. What it proves with the purpose `phone` is for `services.own_phone` to do.

        Raises WrongCode, whatever is wrong; NotAuthenticated.
        """
        recovery = await self._recovery(user_id, method, code)
        async with self._tools.outbox.transaction() as tx:
            user = await self._user_in(tx.connection, user_id, session, purpose)
            right = await self._take(tx, user, session, purpose, method, code, recovery)
        if not right:
            raise WrongCode()

    async def take_sms(
        self, tx: Transaction, user_id: UUID, session: bytes, purpose: Purpose, code: str
    ) -> asyncpg.Record | None:
        """As `verify`, in the transaction of what the code is asked for. The user, locked, as they were before; None:
        the code is wrong, which is to be kept: the caller commits, then raises WrongCode. Raises NotAuthenticated."""
        user = await self._user_in(tx.connection, user_id, session, purpose)
        return user if await self._take(tx, user, session, purpose, "sms", code, None) else None

    async def complete(
        self, pending: Pending, answer: Answer, visitor: Visitor, shown: Sequence[DeviceToken]
    ) -> SignInResult:
        """The sign-in is complete. `shown`: the browser's devices. Raises as `verify`."""
        recovery = await self._recovery(pending.user_id, answer.method, answer.code)
        result = None
        async with self._tools.outbox.transaction() as tx:
            user = await self._user_in(tx.connection, pending.user_id, pending.session, "sign_in")
            if await self._take(tx, user, pending.session, "sign_in", answer.method, answer.code, recovery):
                result = await completed(tx, user, pending.session, visitor, shown)
        if result is None:
            raise WrongCode()
        return result

    async def step_up(self, person: SignedIn, answer: Answer) -> SignInResult:
        """Ten minutes for what asks for a code, under a new session secret. Raises as `verify`."""
        recovery = await self._recovery(person.user_id, answer.method, answer.code)
        result = None
        async with self._tools.outbox.transaction() as tx:
            user = await self._user_in(tx.connection, person.user_id, person.session, "step_up")
            if await self._take(tx, user, person.session, "step_up", answer.method, answer.code, recovery):
                opened = await step_up_session(tx.connection, person.session, UserKind(user["kind"]))
                result = SignInResult(opened, open_view(opened), None)
        if result is None:
            raise WrongCode()
        return result

    async def _user_in(self, connection: Connection, user_id: UUID, session: bytes, purpose: Purpose) -> asyncpg.Record:
        """The user, locked, whose session it is and in which this is asked. Raises NotAuthenticated."""
        user = await connection.fetchrow(sign_in.LOCK, user_id)
        stage = await connection.fetchrow(sign_in.STAGE, session, user_id)
        if user is None or not user["usable"] or stage is None or stage["stage"] != _STAGE[purpose]:
            raise _no_session()
        return user

    async def _take(
        self,
        tx: Transaction,
        user: asyncpg.Record,
        session: bytes,
        purpose: Purpose,
        method: Method,
        code: str,
        recovery: tuple[int, str] | None,
    ) -> bool:
        """Whether it is right and was not used before; counted when it is not (security.md A-14, A-15)."""
        actor, details = actor_of(user), {"purpose": purpose, "method": method}
        if user["code_blocked"] or await self._too_many(tx, user):
            await audit.add(tx.connection, "auth.otp.limit", actor, outcome="refused", details=details)
            return False
        if method == "sms":
            right = await self._take_sms(tx, user, session, purpose, code)
        elif purpose == "phone":
            right = False  # it is the number that is to be proved
        elif method == "totp":
            right = await self._take_totp(tx, user, code)
        else:
            right = await self._take_recovery(tx, user, recovery)
        if not right:
            await tx.connection.execute(sign_in.WRONG_CODE, user["id"])
        await audit.add(
            tx.connection,
            "auth.otp.ok" if right else "auth.otp.fail",
            actor,
            outcome="done" if right else "refused",
            details=details,
        )
        return right

    async def _too_many(self, tx: Transaction, user: asyncpg.Record) -> bool:
        """A window of wrong codes is full: the second factor is refused for an hour, and the user is told."""
        most, seconds = zip(*MOST_WRONG_CODES, strict=True)
        if not await tx.connection.fetchval(sign_in.TOO_MANY_WRONG_CODES, user["id"], most, seconds):
            return False
        await tx.connection.execute(sign_in.BLOCK_CODES, user["id"], CODE_BLOCK_SECONDS)
        key = f"code_limit:{user['id']}:{user['now'].isoformat()}"
        await tx.notify(key, NoticeKind.code_limit, user_id=user["id"])
        return True

    async def _take_sms(
        self, tx: Transaction, user: asyncpg.Record, session: bytes, purpose: Purpose, code: str
    ) -> bool:
        connection, cipher = tx.connection, self._tools.cipher
        challenge = await connection.fetchrow(sign_in.CHALLENGE, session, purpose, CODE_SECONDS, MOST_TRIES)
        if challenge is None:
            return False
        secret = cipher.decrypt(challenge["secret_sealed"], "challenge", "secret", str(challenge["id"]))
        if not same_code(code, code_of(secret)):
            if await connection.fetchval(sign_in.COUNT_TRY, challenge["id"]) == MOST_TRIES:
                await audit.add(connection, "auth.otp.dead", actor_of(user), outcome="refused")
            return False
        if not await connection.fetchval(sign_in.CONSUME, challenge["id"], CODE_SECONDS, MOST_TRIES):
            return False
        if purpose != "phone" and not user["phone_proved"]:
            number = cipher.decrypt(challenge["phone_sealed"], "challenge", "phone", str(challenge["id"]))
            sealed = cipher.encrypt(number, "portal_user", "phone", str(user["id"]))
            await self._may_have(connection, user, challenge["phone_index"])
            await connection.execute(sign_in.PROVE_PHONE, user["id"], sealed, challenge["phone_index"])
            await audit.add(connection, "auth.phone.proved", actor_of(user))
        return True

    async def _may_have(self, connection: Connection, user: asyncpg.Record, index: bytes) -> None:
        """Looked at again under a lock: two who prove one number at once are not both the fifth. Raises
        RefusedByRules."""
        await connection.execute(profile.LOCK_NUMBER, index)
        if await connection.fetchval(sign_in.USERS_OF_NUMBER, index, user["id"]) >= MOST_USERS_OF_A_NUMBER:
            raise RefusedByRules("phone_of_too_many", _SHARED)

    async def _take_totp(self, tx: Transaction, user: asyncpg.Record, code: str) -> bool:
        if user["totp_sealed"] is None:
            return False
        secret = self._tools.cipher.decrypt(user["totp_sealed"], "portal_user", "totp", str(user["id"]))
        step = totp_step(secret, code, user["now"])
        return step is not None and bool(await tx.connection.fetchval(sign_in.USE_TOTP_STEP, user["id"], step))

    async def _recovery(self, user_id: UUID, method: Method, code: str) -> tuple[int, str] | None:
        """(number, what is stored) of the recovery code when it is right. Before the transaction: it takes a hash."""
        typed = parse_recovery_code(code) if method == "recovery" else None
        if typed is None:
            return None
        number, secret = typed
        async with single(self._tools.system) as connection:
            stored = await connection.fetchval(sign_in.RECOVERY_CODE, user_id, number)
        return (number, stored) if await self._tools.passwords.matches(stored, secret) else None

    async def _take_recovery(self, tx: Transaction, user: asyncpg.Record, recovery: tuple[int, str] | None) -> bool:
        if recovery is None:
            return False
        left = await tx.connection.fetchval(sign_in.USE_RECOVERY_CODE, user["id"], *recovery)
        if left is None:
            return False
        key = f"recovery_code_used:{user['id']}:{user['now'].isoformat()}"
        await tx.notify(key, NoticeKind.recovery_code_used, user_id=user["id"], details={"left": left})
        return True


async def completed(
    tx: Transaction, user: asyncpg.Record, session: bytes, visitor: Visitor, shown: Sequence[DeviceToken]
) -> SignInResult:
    """The second factor was given (or has just been set up, by staff): the session is open, under a new secret.

    `user`: locked by `db.sign_in.LOCK`. Raises NotAuthenticated: no such session, or it is open already.
    """
    connection, user_id = tx.connection, user["id"]
    known = await recognise(tx, user_id, actor_of(user), shown)
    known_address = await connection.fetchval(sign_in.KNOWS_ADDRESS, user_id, visitor.network)
    trusted = await finish(tx, user, visitor, shown, known)
    opened = await complete_session(connection, session, user_id, UserKind(user["kind"]), trusted.id)
    if user["last_signed_in_at"] is not None and not (known is not None and known_address):
        await tx.notify(
            f"new_device:{opened.session_id}",
            NoticeKind.new_device,
            user_id=user_id,
            details={"browser": visitor.browser},
        )
    return SignInResult(opened, open_view(opened), trusted.tokens)


def totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step (30 s) of a right code: the present one, or the one before or after it (RFC 6238, 5.2)."""
    app, step = pyotp.TOTP(secret, interval=TOTP_SECONDS), int(now.timestamp()) // TOTP_SECONDS
    right = [near for near in (step - 1, step, step + 1) if same_code(code, app.generate_otp(near))]
    return right[-1] if right else None


def _no_session() -> NotAuthenticated:
    return NotAuthenticated("Votre connexion a expiré. Connectez-vous de nouveau.")
