"""Who a page greets: « Vous êtes actuellement connecté en tant que Lucie »."""

from __future__ import annotations

from dataclasses import dataclass

from db import users
from db.pool import Pool, single
from domain.rights import UserKind
from services.callers import Caller, Scope
from services.sessions import IDLE_MINUTES

SEEN_EVERY_MINUTES = 1  # a session's last sign of life is no older than that when a page is shown (db.sessions.FIND)


@dataclass(frozen=True)
class Greeting:
    """`administers`: « Mes habilitations » is shown. `idle_seconds`: the session lasts so long without a request."""

    first_name: str
    administers: bool
    staff: bool
    idle_seconds: int


async def greeting(pool: Pool, caller: Caller) -> Greeting:
    """Raises NotAllowed for an API key."""
    person = caller.person()
    async with single(pool) as connection:
        first_name: str = await connection.fetchval(users.FIRST_NAME, person.user_id)
    staff = Scope.staff in caller.scopes
    minutes = IDLE_MINUTES[UserKind.staff if staff else UserKind.employer]
    return Greeting(first_name, bool(caller.administers), staff, 60 * (minutes - SEEN_EVERY_MINUTES))
