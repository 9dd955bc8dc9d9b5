"""Another telephone number for one's own account: proved by a code before it counts (security.md A-19)."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated
from uuid import uuid4

from pydantic import AfterValidator, Field

from db import audit, profile, sign_in
from domain.identifiers import PHONE_EXAMPLE
from domain.sign_in import MOST_USERS_OF_A_NUMBER, parse_code_phone
from gateways.outcomes import ProviderError
from gateways.sms import Sms
from messages.notices import NoticeKind
from messages.phone_sms import PHONE_CHANGED_SMS
from services.callers import Caller, SignedIn
from services.fields import Form
from services.notices import Transaction
from services.own_account import (
    TypedPassword,
    check_password,
    close_others,
    need_step_up,
    read_account,
)
from services.problems import FieldError, InvalidFields, RefusedByRules, WrongCode
from services.second_factor import CodeSent, SecondFactorService
from services.sign_in import number_of
from services.tools import Tools
from services.visitors import Visitor

log = logging.getLogger(__name__)

_SHARED = "Ce numéro sert déjà à plusieurs personnes. Indiquez-en un autre."

CodePhone = Annotated[str, Field(max_length=40, examples=[PHONE_EXAMPLE]), AfterValidator(parse_code_phone)]


class PhoneChange(Form):
    phone: CodePhone
    password: TypedPassword


class PhoneConfirmation(Form):
    """`code`: of the SMS to the new number."""

    code: Annotated[str, Field(max_length=20, examples=["123456"])]


class OwnPhoneService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._factors = SecondFactorService(tools)
        self._telling: set[asyncio.Task[None]] = set()

    async def change(self, caller: Caller, change: PhoneChange, visitor: Visitor) -> CodeSent:
        """A code to the new number; the old one counts until it is given back.

        The step-up proves the old number, or the app. Raises NotAllowed, NotAuthenticated, StepUpNeeded, InvalidFields,
        TooManyRequests, CodeNotSent, Overloaded.
        """
        person = caller.person()
        account = await read_account(self._tools, person.user_id)
        need_step_up(caller, account)
        await check_password(self._tools, caller, account, change.password, "password")
        if account["has_phone"] and account["phone_index"] == self._index(change.phone):
            raise InvalidFields([FieldError("phone", "phone.same", "C’est déjà votre numéro.")])
        return await self._factors.send(person.user_id, person.session, "phone", visitor, phone=change.phone)

    async def confirm(self, caller: Caller, confirmation: PhoneConfirmation) -> None:
        """The new number counts; a code is asked at the next sign-in. Told to the address and to the old number.

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, WrongCode, RefusedByRules (the number serves five people).
        """
        person = caller.person()
        need_step_up(caller, await read_account(self._tools, person.user_id))
        async with self._tools.outbox.transaction() as transaction:
            former = await self._factors.take_sms(
                transaction, person.user_id, person.session, "phone", confirmation.code
            )
            if former is not None:
                await self._settle(transaction, caller, person)
        if former is None:
            raise WrongCode()
        number = number_of(self._tools, former) if former["phone_proved"] else None
        if number is not None:
            task = asyncio.create_task(self._tell(number))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _settle(self, transaction: Transaction, caller: Caller, person: SignedIn) -> None:
        """The number whose code was just taken is the user's. Raises RefusedByRules."""
        connection, cipher, user_id = transaction.connection, self._tools.cipher, person.user_id
        proved = await connection.fetchrow(profile.PROVED_NUMBER, person.session, user_id)
        assert proved is not None, "taken in this transaction"
        index = proved["phone_index"]
        await connection.execute(profile.LOCK_NUMBER, index)
        if await connection.fetchval(sign_in.USERS_OF_NUMBER, index, user_id) >= MOST_USERS_OF_A_NUMBER:
            raise RefusedByRules("phone_of_too_many", _SHARED)
        number = cipher.decrypt(proved["phone_sealed"], "challenge", "phone", str(proved["id"]))
        sealed = cipher.encrypt(number, "portal_user", "phone", str(user_id))
        await connection.execute(profile.SET_PHONE, user_id, sealed, index)
        await close_others(connection, caller)
        await audit.add(connection, "auth.phone.changed", caller.actor)
        await transaction.notify(f"phone_changed/{proved['id']}", NoticeKind.phone_changed, user_id=user_id)

    async def _tell(self, former: str) -> None:
        """Once, and not again: the address is told for certain."""
        try:
            await self._tools.sms.send(Sms(str(uuid4()), former, PHONE_CHANGED_SMS))
        except ProviderError:
            log.info("a former number could not be told")

    def _index(self, phone: str) -> bytes:
        return self._tools.cipher.blind_index(phone, "portal_user.phone")
