"""« Gestion des habilitations »: users as the administrators of their companies see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from domain.rights import RightsState, Role


class MandateTerm(BaseModel):
    """Of a third-party declarant. `ends_on`: the last day."""

    id: UUID
    ends_on: date | None


class RightsView(BaseModel):
    """On one company. `invited_at`, `invitation_expires_at`: of the link that waits for an answer.

    `suspended_why`: `administrator`, or `review` where nobody confirmed them in time.
    """

    siren: str
    company: str
    role: Role
    state: RightsState
    suspended_why: str | None
    granted_at: datetime
    accepted_at: datetime | None
    confirmed_at: datetime | None
    invited_at: datetime | None
    invitation_expires_at: datetime | None
    mandate: MandateTerm | None


class UserView(BaseModel):
    """A user on the companies that the caller looks after. Of whoever has accepted none of them, it says what the
    inviter wrote, whether there was an account or not."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    last_signed_in_at: datetime | None
    is_me: bool
    rights: list[RightsView]


class UserList(BaseModel):
    items: list[UserView]


def users_of(rows: Iterable[asyncpg.Record], me: UUID) -> list[UserView]:
    """Each user once, in the rows' order (`db.users.RIGHTS`)."""
    found: dict[UUID, UserView] = {}
    for row in rows:
        user = found.setdefault(
            row["user_id"],
            UserView(
                id=row["user_id"],
                first_name=row["first_name"],
                last_name=row["last_name"],
                email=row["email"],
                last_signed_in_at=row["last_signed_in_at"],
                is_me=row["user_id"] == me,
                rights=[],
            ),
        )
        user.rights.append(_rights(row))
    return list(found.values())


def _rights(row: asyncpg.Record) -> RightsView:
    waits = row["state"] == RightsState.invited
    return RightsView(
        siren=row["siren"],
        company=row["company"],
        role=row["role"],
        state=row["state"],
        suspended_why=row["suspended_why"],
        granted_at=row["granted_at"],
        accepted_at=row["accepted_at"],
        confirmed_at=row["confirmed_at"],
        invited_at=row["invited_at"] if waits else None,
        invitation_expires_at=row["invitation_expires_at"] if waits else None,
        mandate=MandateTerm(id=row["mandate_id"], ends_on=row["ends_on"]) if row["mandate_id"] else None,
    )
