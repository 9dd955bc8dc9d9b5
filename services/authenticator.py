"""The authenticator app (TOTP, RFC 6238) and the recovery codes beside it (security.md A-20)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import pyotp
import segno
from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor
from db import audit, profile, sign_in
from db.pool import Connection, system
from domain.rights import UserKind
from domain.sign_in import RECOVERY_ALPHABET, recovery_code
from messages.notices import NoticeKind
from services.callers import Caller, Pending
from services.devices import DeviceToken
from services.fields import Form
from services.notices import Transaction
from services.own_account import close_others, lock_account, need_step_up, read_account, signed_out
from services.problems import NotAllowed, RefusedByRules, WrongCode
from services.second_factor import completed, totp_step
from services.sign_in import SignInResult, actor_of
from services.tools import Tools
from services.visitors import Visitor

ISSUER: Final = "HCR Bien-Être"
RECOVERY_CODES: Final = 10
_SECRET_CHARACTERS: Final = 16  # 80 bits


class TotpOffer(BaseModel):
    """What an app needs: to scan (`qr`, an SVG image), to open on the same device (`uri`), to type (`secret`)."""

    secret: str
    uri: str
    qr: str


class TotpConfirmation(Form):
    """The code that the app shows."""

    code: Annotated[str, Field(max_length=20, examples=["123456"])]


class RecoveryCodes(BaseModel):
    """Each signs in once without the app. They are shown now and never again."""

    codes: list[str]


@dataclass(frozen=True)
class _Proved:
    """An app that has shown a right code, and of which time step."""

    secret: str = field(repr=False)
    step: int


class AuthenticatorService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    # --- from the profile

    async def begin(self, caller: Caller) -> TotpOffer:
        """A new app; the former one, if any, holds until the new one has shown a code.

        Raises NotAllowed, NotAuthenticated, StepUpNeeded.
        """
        person = caller.person()
        account = await read_account(self._tools, person.user_id)
        need_step_up(caller, account)
        return await self._offer(account)

    async def confirm(self, caller: Caller, confirmation: TotpConfirmation) -> RecoveryCodes:
        """The app has shown its code: it is asked for from now on. Other sessions end (security.md S-04).

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, WrongCode, RefusedByRules (nothing was begun), Overloaded.
        """
        person = caller.person()
        account = await read_account(self._tools, person.user_id)
        need_step_up(caller, account)
        proved = self._proved(account, confirmation.code)
        codes, hashes = await self._new_codes()
        async with self._tools.outbox.transaction() as transaction:
            await self._set(transaction, account, proved, hashes, caller.actor)
            await close_others(transaction.connection, caller)
        return RecoveryCodes(codes=codes)

    async def renew_codes(self, caller: Caller) -> RecoveryCodes:
        """Ten new ones; the former ones end.

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, RefusedByRules (there is no app), Overloaded.
        """
        person = caller.person()
        need_step_up(caller, await read_account(self._tools, person.user_id))
        codes, hashes = await self._new_codes()
        async with system(self._tools.system) as connection:
            account = await lock_account(connection, person.user_id)
            if not account["has_totp"]:
                raise _no_app()
            await _replace_codes(connection, person.user_id, hashes)
            await audit.add(connection, "auth.totp.codes", caller.actor)
        return RecoveryCodes(codes=codes)

    async def remove(self, caller: Caller) -> None:
        """Codes come by SMS again. Not for staff, and not without a number.

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, RefusedByRules.
        """
        person = caller.person()
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            account = await lock_account(connection, person.user_id)
            if account["kind"] == UserKind.staff:
                raise NotAllowed("Une application d’authentification est obligatoire pour votre accès.")
            need_step_up(caller, account)
            if not account["has_totp"]:
                raise _no_app()
            if not account["has_phone"]:
                raise RefusedByRules(
                    "no_other_factor",
                    "Enregistrez d’abord un numéro de téléphone\u00a0: sans lui ni application, votre compte ne serait "
                    "plus protégé.",
                )
            await connection.execute(profile.CLEAR_TOTP, person.user_id)
            await connection.execute(profile.CLEAR_RECOVERY_CODES, person.user_id)
            await close_others(connection, caller)
            await audit.add(connection, "auth.totp.off", caller.actor)
            await transaction.notify(
                f"totp_changed/{await connection.fetchval(profile.NEW_ID)}",
                NoticeKind.totp_changed,
                user_id=person.user_id,
                details={"on": False},
            )

    # --- at the first sign-in of staff

    async def begin_pending(self, pending: Pending) -> TotpOffer:
        """Staff without an app, whose password was right. Raises NotAllowed, NotAuthenticated."""
        return await self._offer(await self._newcomer(pending))

    async def confirm_pending(
        self, pending: Pending, confirmation: TotpConfirmation, visitor: Visitor, shown: Sequence[DeviceToken]
    ) -> tuple[SignInResult, RecoveryCodes]:
        """As `confirm`, and the sign-in is complete. `shown`: the browser's devices.

        Raises NotAllowed, NotAuthenticated, WrongCode, RefusedByRules, Overloaded.
        """
        account = await self._newcomer(pending)
        proved = self._proved(account, confirmation.code)
        codes, hashes = await self._new_codes()
        async with self._tools.outbox.transaction() as transaction:
            user = await transaction.connection.fetchrow(sign_in.LOCK, pending.user_id)
            if user is None:
                raise signed_out()
            await self._set(transaction, account, proved, hashes, actor_of(user))
            result = await completed(transaction, user, pending.session, visitor, shown)
        return result, RecoveryCodes(codes=codes)

    async def _newcomer(self, pending: Pending) -> asyncpg.Record:
        account = await read_account(self._tools, pending.user_id)
        if account["kind"] != UserKind.staff or account["has_totp"]:
            raise NotAllowed("Confirmez votre identité avec un code de sécurité.")
        return account

    # --- both

    async def _offer(self, account: asyncpg.Record) -> TotpOffer:
        secret = pyotp.random_base32()
        sealed = self._tools.cipher.encrypt(secret, "portal_user", "totp_next", str(account["id"]))
        async with system(self._tools.system) as connection:
            await connection.execute(profile.SET_NEXT_TOTP, account["id"], sealed)
        uri = pyotp.TOTP(secret).provisioning_uri(name=account["email"], issuer_name=ISSUER)
        return TotpOffer(
            secret=in_groups(secret), uri=uri, qr=segno.make_qr(uri, error="m").svg_inline(border=4, omitsize=True)
        )

    def _proved(self, account: asyncpg.Record, code: str) -> _Proved:
        """Raises WrongCode, RefusedByRules."""
        sealed = account["totp_next_sealed"]
        if sealed is None:
            raise RefusedByRules("totp_not_begun", "Commencez par scanner le code avec votre application.")
        secret = self._tools.cipher.decrypt(sealed, "portal_user", "totp_next", str(account["id"]))
        step = totp_step(secret, code, account["now"])
        if step is None:
            raise WrongCode()
        return _Proved(secret, step)

    async def _set(
        self, transaction: Transaction, account: asyncpg.Record, proved: _Proved, hashes: list[str], actor: Actor
    ) -> None:
        """Raises WrongCode: begun anew meanwhile, by somebody else perhaps."""
        connection, user_id = transaction.connection, account["id"]
        locked = await lock_account(connection, user_id)
        if any(locked[what] != account[what] for what in ("totp_next_sealed", "password_version")):
            raise WrongCode()
        sealed = self._tools.cipher.encrypt(proved.secret, "portal_user", "totp", str(user_id))
        await connection.execute(profile.SET_TOTP, user_id, sealed, proved.step)
        await _replace_codes(connection, user_id, hashes)
        await audit.add(connection, "auth.totp.on", actor)
        entry = await connection.fetchval(profile.NEW_ID)
        await transaction.notify(
            f"totp_changed/{entry}", NoticeKind.totp_changed, user_id=user_id, details={"on": True}
        )

    async def _new_codes(self) -> tuple[list[str], list[str]]:
        """As they are shown, and what is stored of them."""
        shown, hashes = [], []
        for number in range(1, RECOVERY_CODES + 1):
            secret = "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(_SECRET_CHARACTERS))
            shown.append(recovery_code(number, secret))
            hashes.append(await self._tools.passwords.hash(secret))  # one after the other: sign-ins need the threads
        return shown, hashes


def in_groups(secret: str) -> str:
    """« JBSW Y3DP EHPK »: what is typed from one screen into another."""
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))


async def _replace_codes(connection: Connection, user_id: UUID, hashes: list[str]) -> None:
    await connection.execute(profile.CLEAR_RECOVERY_CODES, user_id)
    await connection.execute(profile.ADD_RECOVERY_CODES, user_id, list(range(1, len(hashes) + 1)), hashes)


def _no_app() -> RefusedByRules:
    return RefusedByRules("no_totp", "Aucune application d’authentification n’est associée à votre compte.")
