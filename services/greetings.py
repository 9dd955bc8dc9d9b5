"""Who a page greets: « Vous êtes actuellement connecté en tant que Lucie », and for which of their companies."""

from __future__ import annotations

from dataclasses import dataclass

from db import users
from db.pool import Pool, single
from domain.rights import UserKind
from messages import words
from services.callers import Caller, LookAs, Scope
from services.sessions import IDLE_MINUTES

SEEN_EVERY_MINUTES = 1  # a session's last sign of life is no older than that when a page is shown (db.sessions.FIND)


@dataclass(frozen=True)
class Greeting:
    """`user_id`: whose session it is. `administers`: « Mes habilitations » is shown. `idle_seconds`: it lasts so
    long without a request. `companies`: how many the user may work for; `company`: the one they chose to work for, None
    for all of them. `look_as`: the company that a member of staff looks at in its place, also while they are on their
    own pages. `news`, `letters`: how many notifications and messages are new, none to whoever looks at a company."""

    user_id: str
    first_name: str
    administers: bool
    staff: bool
    looks_after_accounts: bool
    idle_seconds: int
    companies: int = 0
    company: str | None = None
    look_as: LookAs | None = None
    news: int = 0
    letters: int = 0


async def greeting(pool: Pool, caller: Caller) -> Greeting:
    """Raises NotAllowed for an API key."""
    person = caller.person()
    async with single(pool) as connection:
        row = await connection.fetchrow(users.GREETED, person.user_id, person.session_id, list(caller.companies))
    assert row is not None, "signed in"
    staff = Scope.staff in caller.scopes
    minutes = IDLE_MINUTES[UserKind.staff if staff or caller.look_as else UserKind.employer]
    look_as = caller.look_as
    if look_as is None and row["look_as_id"] is not None:
        reason = words.look_as_reason_label(row["look_as_reason"])
        look_as = LookAs(row["look_as_id"], row["look_as_company"], row["look_as_until"], reason)
    return Greeting(
        caller.id,
        row["first_name"],
        bool(caller.administers),
        staff,
        Scope.staff_super in caller.scopes,
        60 * (minutes - SEEN_EVERY_MINUTES),
        row["companies"],
        row["company"],
        look_as,
        0 if staff or look_as else row["news"],
        0 if staff or look_as else row["letters"],
    )
