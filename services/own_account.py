"""What a change of one's own account asks for first: the password again, and a code where there is one to give."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import asyncpg
from pydantic import Field, StringConstraints

from db import audit, password_resets, profile, sessions, sign_in
from db.pool import Connection, single, system
from domain.password_rules import PASSWORD_EXAMPLE
from domain.sign_in import BLOCK_MINUTES, LONGEST_BLOCK_MINUTES, MOST_FAILURES
from services.callers import Caller
from services.limits import Limit
from services.problems import FieldError, InvalidFields, NotAuthenticated
from services.tools import Tools

MAX_TYPED_CHARACTERS = 512  # before it is normalised

# A secret is taken as it is typed, spaces included.
TypedPassword = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=1, max_length=MAX_TYPED_CHARACTERS),
    Field(repr=False, examples=[PASSWORD_EXAMPLE]),
]


async def read_account(tools: Tools, user_id: UUID) -> asyncpg.Record:
    """The account before a change (`db.profile.GET`). Raises NotAuthenticated."""
    async with single(tools.system) as connection:
        return _there(await connection.fetchrow(profile.GET, user_id))


async def lock_account(connection: Connection, user_id: UUID) -> asyncpg.Record:
    """The same, kept from every other change until the transaction ends. Raises NotAuthenticated."""
    return _there(await connection.fetchrow(profile.FOR_UPDATE, user_id))


def need_step_up(caller: Caller, account: asyncpg.Record) -> None:
    """A code of less than ten minutes (security.md A-27), from everybody who has what codes come to.

    Raises NotAllowed, StepUpNeeded.
    """
    if account["has_phone"] or account["has_totp"]:
        caller.need_step_up()


async def check_password(tools: Tools, caller: Caller, account: asyncpg.Record, password: str, field: str) -> None:
    """The password again. A wrong one counts as at sign-in; the limit is this session's own, so that somebody who
    fails at the door on purpose keeps nobody from changing their password.

    Raises InvalidFields, TooManyRequests, Overloaded.
    """
    await tools.limiter.take(Limit.own_password, str(account["id"]))
    if await tools.passwords.matches(account["password_hash"], password):
        return
    async with system(tools.system) as connection:
        await connection.execute(
            sign_in.COUNT_FAILURE, account["id"], MOST_FAILURES, BLOCK_MINUTES, LONGEST_BLOCK_MINUTES
        )
        await audit.add(connection, "auth.password.wrong", caller.actor, outcome="refused")
    raise InvalidFields([FieldError(field, "password.wrong", "Ce n’est pas votre mot de passe actuel.")])


async def close_others(connection: Connection, caller: Caller) -> None:
    """The user's other sessions, and codes on their way (security.md S-04)."""
    person = caller.person()
    await connection.execute(sessions.CLOSE_OTHERS, person.user_id, person.session)
    await connection.execute(profile.KILL_CHALLENGES, person.user_id)


async def kill_everything_old(connection: Connection, user_id: UUID) -> None:
    """What a new password ends besides sessions: browsers that are known, codes and links on their way (security.md
    A-13, A-22)."""
    await connection.execute(profile.KILL_DEVICES, user_id)
    await connection.execute(profile.KILL_CHALLENGES, user_id)
    await connection.execute(profile.KILL_EMAIL_CHANGES, user_id)
    await connection.execute(password_resets.KILL, user_id)


def signed_out() -> NotAuthenticated:
    return NotAuthenticated("Votre session a pris fin. Connectez-vous de nouveau.")


def _there(account: asyncpg.Record | None) -> asyncpg.Record:
    if account is None:
        raise signed_out()
    return account
