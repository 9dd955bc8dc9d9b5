"""What every change of rights begins with: who may make it, on companies that are locked until it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from db import users
from db.pool import Connection
from services.callers import Caller, SignedIn
from services.problems import NotAllowed, NotFound


@dataclass(frozen=True)
class Company:
    id: UUID
    siren: str
    name: str


def may_change_rights(caller: Caller, user_id: UUID | None = None) -> SignedIn:
    """An administrator, with a code of less than ten minutes, and not on themself (security.md A-27, Z-08).

    Raises NotAllowed, StepUpNeeded.
    """
    caller.need_administrator()
    person = caller.need_step_up()
    if user_id == person.user_id:
        raise NotAllowed(
            "Vous ne pouvez pas modifier vos propres droits. Demandez à un autre administrateur de l’entreprise."
        )
    return person


async def lock_companies(connection: Connection, caller: Caller, sirens: Collection[str]) -> dict[str, Company]:
    """By SIREN, those of the caller's perimeter that they administer at this moment; locked for the transaction.

    As whoever acts is an administrator then, and nobody acts on themself, no change leaves a company without one.
    """
    rows = await connection.fetch(users.LOCK_COMPANIES, list(sirens), list(caller.administers))
    still = await users.administered(connection, caller.person().user_id, [row["id"] for row in rows])
    return {row["siren"]: Company(row["id"], row["siren"], row["name"]) for row in rows if row["id"] in still}


async def lock_company(connection: Connection, caller: Caller, siren: str) -> Company:
    """One of them. Raises NotFound: unknown, foreign, or not administered any more."""
    company = (await lock_companies(connection, caller, [siren])).get(siren)
    if company is None:
        raise NotFound()
    return company
