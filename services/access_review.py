"""The review of rights every three months: an administrator confirms who still needs their access (`domain.review`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from db import audit, reviews, users
from db.pool import tenant
from domain.review import lapse_on
from domain.rights import Role
from services.callers import Caller
from services.company_rights import lock_company, may_change_rights
from services.fields import Form, Siren
from services.problems import FieldError, InvalidFields, NotAllowed, NotFound
from services.tools import Tools
from services.users import revoke_rights

MOST_USERS = 500  # of one answer


class UserToConfirm(BaseModel):
    """`confirmed_at`: last. `mandate_ends_on`: of a third-party declarant."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    role: Role
    last_signed_in_at: datetime | None
    confirmed_at: datetime
    mandate_ends_on: date | None


class CompanyReview(BaseModel):
    """`lapse_on`: what is not confirmed before that day is suspended then."""

    siren: str
    company: str
    lapse_on: date
    users: list[UserToConfirm]


class AccessReview(BaseModel):
    """What waits for the caller; empty: nothing does."""

    items: list[CompanyReview]


class ReviewAnswer(Form):
    """Who keeps their access to a company, and who does not any more; the others can still be answered for."""

    siren: Siren
    confirm: Annotated[tuple[UUID, ...], Field(max_length=MOST_USERS)] = ()
    revoke: Annotated[tuple[UUID, ...], Field(max_length=MOST_USERS)] = ()


class AccessReviewService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def waiting(self, caller: Caller) -> AccessReview:
        """Raises NotAllowed."""
        person = caller.need_administrator()
        async with tenant(self._tools.web, caller.administers) as connection:
            rows = await connection.fetch(reviews.OPEN, person.user_id)
        found: dict[str, CompanyReview] = {}
        for row in rows:
            day = lapse_on(row["noticed_at"])
            company = found.setdefault(
                row["siren"], CompanyReview(siren=row["siren"], company=row["company"], lapse_on=day, users=[])
            )
            company.lapse_on = min(company.lapse_on, day)
            company.users.append(
                UserToConfirm(
                    id=row["user_id"],
                    first_name=row["first_name"],
                    last_name=row["last_name"],
                    email=row["email"],
                    role=row["role"],
                    last_signed_in_at=row["last_signed_in_at"],
                    confirmed_at=row["confirmed_at"],
                    mandate_ends_on=row["ends_on"],
                )
            )
        return AccessReview(items=list(found.values()))

    async def answer(self, caller: Caller, answer: ReviewAnswer) -> AccessReview:
        """All of it, or nothing. An only administrator's own rights are confirmed with the others'.

        Raises NotAllowed, StepUpNeeded, NotFound (a company or user that is not the caller's), InvalidFields.
        """
        person = may_change_rights(caller)
        confirmed, revoked = set(answer.confirm), set(answer.revoke)
        if person.user_id in confirmed | revoked:
            raise NotAllowed("Vos propres droits sont confirmés par un autre administrateur de l’entreprise.")
        if both := confirmed & revoked:
            words = "Une même personne ne peut pas être confirmée et retirée."
            places = [place for place, user_id in enumerate(answer.revoke) if user_id in both]
            raise InvalidFields([FieldError(f"revoke.{place}", "both", words) for place in places])
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            company = await lock_company(connection, caller, answer.siren)
            for user_id in sorted(revoked):
                if not await revoke_rights(transaction, caller, user_id, company.id):
                    raise NotFound()
            if confirmed and await users.administrators(connection, company.id) == [person.user_id]:
                confirmed.add(person.user_id)
            done = await connection.fetch(reviews.CONFIRM, company.id, list(confirmed), None)
            if len(done) < len(confirmed):
                raise NotFound()
            for user_id in sorted(confirmed):
                await audit.add(
                    connection,
                    "user.confirmed",
                    caller.actor,
                    company_id=company.id,
                    object_type="user",
                    object_id=user_id,
                )
        return await self.waiting(caller)
