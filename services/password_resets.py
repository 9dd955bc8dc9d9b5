"""« Mot de passe oublié »: a link to the address of the account, one answer whoever asks (security.md A-22)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from activities.contracts.affiliation import SYSTEM_ACTOR, Actor, ActorKind
from db import audit, password_resets, profile, sessions
from db.pool import single, system
from domain.rights import UserKind
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from services.fields import Email, Form
from services.limits import Limit
from services.new_passwords import new_password_hash
from services.own_account import TypedPassword, kill_everything_old
from services.problems import LinkRefused, TooManyRequests
from services.tools import Tools
from services.visitors import Visitor


class ResetRequest(Form):
    """`kind`: an employer's user and a member of staff may have the same address, and two accounts."""

    email: Email
    kind: UserKind = UserKind.employer


class ResetAnswer(BaseModel):
    """The same for everybody: it tells nobody who is known."""

    detail: str


RESET_ANSWER = ResetAnswer(
    detail="Si un compte existe pour cette adresse, un message y arrive dans quelques minutes. "
    "Son lien fonctionne pendant une heure."
)


class ResetCompletion(Form):
    """`token`: the link's."""

    token: Annotated[str, Field(max_length=200, repr=False, examples=["x" * 43])]
    password: TypedPassword


class PasswordResetService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def admit(self, visitor: Visitor) -> None:
        """Before `send`, which nobody waits for. Raises TooManyRequests."""
        await self._tools.limiter.take(Limit.reset_address, visitor.network)

    async def send(self, request: ResetRequest) -> None:
        """A link, if there is such an account; it ends the ones before. Nothing beyond five a day."""
        async with single(self._tools.system) as connection:
            user_id = await connection.fetchval(password_resets.FIND, request.kind.value, request.email)
        if user_id is None or not await self._is_within_limits(user_id):
            return
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            reset_id = await connection.fetchval(password_resets.FOR_UPDATE, user_id)
            if reset_id is None:
                return
            await connection.execute(password_resets.KILL, user_id)
            hashed = link_hash(self._tools.cipher, LinkKind.password_reset, reset_id)
            expires_at = await connection.fetchval(password_resets.ADD, reset_id, user_id, hashed)
            await audit.add(connection, "auth.reset.asked", SYSTEM_ACTOR, object_type="user", object_id=user_id)
            await transaction.notify(
                f"password_reset/{reset_id}",
                NoticeKind.password_reset,
                user_id=user_id,
                subject_id=reset_id,
                not_after=expires_at,
            )

    async def complete(self, request: ResetCompletion) -> None:
        """The new password, once; nobody is signed in by it, and a code is asked at the next sign-in.

        Raises LinkRefused, InvalidFields (the link stays good), Overloaded.
        """
        token = token_hash(request.token)
        async with single(self._tools.system) as connection:
            user_id = await connection.fetchval(password_resets.USER_OF_TOKEN, token)
            if user_id is None:
                raise LinkRefused()
            about = await connection.fetchval(profile.ABOUT, user_id)
        hashed = await new_password_hash(self._tools, request.password, about)
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(password_resets.LOCK_USER_OF_TOKEN, token)
            used = await connection.fetchrow(password_resets.USE, token)
            if used is None:
                raise LinkRefused()
            await connection.execute(password_resets.SET_PASSWORD, user_id, hashed)
            await connection.execute(sessions.CLOSE_ALL, user_id)
            await kill_everything_old(connection, user_id)
            actor = Actor(ActorKind(used["kind"]), str(user_id))
            await audit.add(connection, "auth.reset.done", actor)
            await transaction.notify(
                f"password_changed/{used['id']}", NoticeKind.password_changed, user_id=user_id, subject_id=used["id"]
            )

    async def _is_within_limits(self, user_id: UUID) -> bool:
        try:
            await self._tools.limiter.take(Limit.reset_account, str(user_id))
        except TooManyRequests:
            async with system(self._tools.system) as connection:
                await audit.add(
                    connection,
                    "auth.reset.limit",
                    SYSTEM_ACTOR,
                    object_type="user",
                    object_id=user_id,
                    outcome="refused",
                )
            return False
        return True
