"""Another e-mail address for one's own account: proved by a link before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor, ActorKind
from db import audit, password_resets, profile
from db.pool import Connection
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from services.callers import Caller
from services.fields import Email, Form
from services.limits import Limit
from services.own_account import TypedPassword, check_password, lock_account, need_step_up, read_account
from services.problems import FieldError, InvalidFields, LinkRefused
from services.tools import Tools


class EmailChange(Form):
    email: Email
    password: TypedPassword


class EmailChangeAnswer(BaseModel):
    """The same whether or not somebody else has this address."""

    detail: str


EMAIL_CHANGE_ANSWER = EmailChangeAnswer(
    detail="Si cette adresse peut être utilisée, un message y arrive dans quelques minutes. Ouvrez son lien pour la "
    "confirmer\u00a0: d’ici là, rien ne change."
)


class EmailChangeCompletion(Form):
    """`token`: the link's."""

    token: Annotated[str, Field(max_length=200, repr=False, examples=["x" * 43])]


class OwnEmailService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def change(self, caller: Caller, change: EmailChange) -> EmailChangeAnswer:
        """A link goes to the new address, unless another account of the kind has it; the links before it end.

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, InvalidFields, TooManyRequests, Overloaded.
        """
        person = caller.person()
        account = await read_account(self._tools, person.user_id)
        need_step_up(caller, account)
        await check_password(self._tools, caller, account, change.password, "password")
        if change.email == account["email"]:
            raise InvalidFields([FieldError("email", "email.same", "C’est déjà votre adresse.")])
        await self._tools.limiter.take(Limit.email_change_user, str(person.user_id))
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            await lock_account(connection, person.user_id)
            await connection.execute(profile.KILL_EMAIL_CHANGES, person.user_id)
            await audit.add(connection, "auth.email.asked", caller.actor)
            if await connection.fetchval(profile.EMAIL_TAKEN, account["kind"], change.email):
                return EMAIL_CHANGE_ANSWER
            change_id = await connection.fetchval(profile.NEW_ID)
            hashed = link_hash(self._tools.cipher, LinkKind.email_change, change_id)
            expires_at = await connection.fetchval(
                profile.ADD_EMAIL_CHANGE, change_id, person.user_id, change.email, hashed
            )
            await transaction.notify(
                f"email_change/{change_id}",
                NoticeKind.email_change,
                user_id=person.user_id,
                recipient=change.email,
                subject_id=change_id,
                not_after=expires_at,
            )
        return EMAIL_CHANGE_ANSWER

    async def complete(self, request: EmailChangeCompletion, here: Sequence[bytes]) -> None:
        """The address is the account's, once; its sessions end but for those of the browser, `here` (their hashes).

        Raises LinkRefused.
        """
        try:
            async with self._tools.outbox.transaction() as transaction:
                connection = transaction.connection
                used = await self._use(connection, token_hash(request.token))
                await connection.execute(profile.SET_EMAIL, used["user_id"], used["new_email"])
                await connection.execute(profile.CLOSE_ELSEWHERE, used["user_id"], list(here))
                await connection.execute(profile.KILL_CHALLENGES, used["user_id"])
                await connection.execute(password_resets.KILL, used["user_id"])
                actor = Actor(ActorKind(used["kind"]), str(used["user_id"]))
                await audit.add(connection, "auth.email.changed", actor)
                await transaction.notify(
                    f"email_changed/{used['id']}",
                    NoticeKind.email_changed,
                    user_id=used["user_id"],
                    recipient=used["former_email"],
                    subject_id=used["id"],
                )
        except asyncpg.UniqueViolationError:  # somebody else has taken the address meanwhile
            raise LinkRefused() from None

    async def _use(self, connection: Connection, token: bytes) -> asyncpg.Record:
        await connection.execute(profile.LOCK_USER_OF_EMAIL_CHANGE, token)
        used = await connection.fetchrow(profile.USE_EMAIL_CHANGE, token)
        if used is None:
            raise LinkRefused()
        return used
