"""Mandates of third-party declarants (accountants, payroll offices): limited in time, accepted and revocable by the
company, which sees what was done in its name (guide, page 7; product.md)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from db import audit, mandates, users
from db.pool import Connection, single, tenant
from domain.rights import MandateState
from messages.notices import NoticeKind
from services.activations import Reference, by_reference
from services.audit_trail import DoneInName, done_in_name
from services.callers import Caller, Scope
from services.company_rights import lock_company, may_change_rights
from services.fields import Form
from services.limits import Limit
from services.notices import Transaction
from services.problems import NotFound, RefusedByRules
from services.tools import Tools
from services.users import MandateEnd

REFUSED_DAYS = 7  # before the same company is asked again
MOST_ACTIONS = 200


class MandateRequest(Reference):
    """The company, by what its insurer's letters say of it. `ends_on`: the last day that is asked for."""

    ends_on: MandateEnd | None = None


class MandateAcceptance(Form):
    """`ends_on`: the last day, within twenty-four months."""

    ends_on: MandateEnd


class Asked(BaseModel):
    """The same for everybody: it tells nobody which companies and identifiers there are."""

    detail: str


ASKED = Asked(
    detail="Si ces informations correspondent à une entreprise, ses administrateurs ont reçu votre demande. "
    "Leur réponse vous arrivera par e-mail."
)


class MandateView(BaseModel):
    """`declarant_id` and the names say who declares; `mine`: the caller does. `ends_on`: the last day; as it was asked
    for, until it is accepted."""

    id: UUID
    siren: str
    company: str
    declarant_id: UUID
    first_name: str
    last_name: str
    email: str
    mine: bool
    state: MandateState
    asked_at: datetime
    decided_at: datetime | None
    ends_on: date | None
    ended_at: datetime | None


class MandateList(BaseModel):
    items: list[MandateView]


class ActionList(BaseModel):
    """What was done in the company's name, the newest first. `next_before`: where the next page begins."""

    items: list[DoneInName]
    next_before: int | None


class MandateService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def ask(self, caller: Caller, asked: MandateRequest) -> Asked:
        """The company's administrators are told, if there is such a company. Raises NotAllowed, TooManyRequests."""
        person = caller.person()
        caller.need(Scope.write)
        await self._tools.limiter.take(Limit.mandate_user, caller.id)
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            company = await by_reference(connection, asked)
            if company is not None and company["activated"] and not company["closed"]:
                await self._ask(transaction, caller, person.user_id, company["company_id"], asked.ends_on)
        return ASKED

    async def _ask(
        self, transaction: Transaction, caller: Caller, user_id: UUID, company_id: UUID, ends_on: date | None
    ) -> None:
        connection = transaction.connection
        await connection.execute(users.LOCK_COMPANY, company_id)
        await connection.execute(mandates.END_OVER, company_id, user_id)
        mandate_id = await connection.fetchval(mandates.ASK, company_id, user_id, ends_on, REFUSED_DAYS)
        if mandate_id is None:
            return
        await _tell(connection, "mandate.asked", caller, mandate_id, company_id)
        for administrator in await users.administrators(connection, company_id):
            await transaction.notify(
                f"mandate_asked/{mandate_id}/{administrator}",
                NoticeKind.mandate_asked,
                user_id=administrator,
                company_id=company_id,
                subject_id=mandate_id,
            )

    async def list(self, caller: Caller) -> MandateList:
        """The caller's own, and those of the companies that they look after. Raises NotAllowed."""
        person = caller.person()
        caller.need(Scope.read)
        async with single(self._tools.system) as connection:
            own = _views(await connection.fetch(mandates.OF_USER, person.user_id), person.user_id)
        async with tenant(self._tools.web, caller.administers) as connection:
            theirs = _views(await connection.fetch(mandates.OF_COMPANIES, None), person.user_id)
        known = {view.id for view in own}
        return MandateList(items=own + [view for view in theirs if view.id not in known])

    async def accept(self, caller: Caller, mandate_id: UUID, asked: MandateAcceptance) -> MandateView:
        """The declarant is a member from then on, until that day.

        Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules.
        """
        mandate = await self._of_company(caller, mandate_id)
        person = may_change_rights(caller, mandate["user_id"])
        user_id, company_id = mandate["user_id"], mandate["company_id"]
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            await _lock_asked(connection, caller, mandate)
            await connection.execute(users.LOCK_USER, user_id)
            await connection.execute(mandates.DECIDE, mandate_id, "accepted", person.user_id, asked.ends_on)
            if not await connection.fetchval(
                mandates.GRANT_RIGHTS, user_id, company_id, person.user_id, mandate_id, asked.ends_on
            ):
                raise RefusedByRules(
                    "already_active", "Cette personne a déjà un accès à l’entreprise, ou y est invitée."
                )
            details = {"ends_on": asked.ends_on.isoformat()}
            await _tell(connection, "mandate.accepted", caller, mandate_id, company_id, details)
            await transaction.notify(
                f"mandate_accepted/{mandate_id}",
                NoticeKind.mandate_accepted,
                user_id=user_id,
                company_id=company_id,
                subject_id=mandate_id,
                details=details,
            )
        return await self._view(caller, mandate_id)

    async def refuse(self, caller: Caller, mandate_id: UUID) -> MandateView:
        """Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules."""
        mandate = await self._of_company(caller, mandate_id)
        person = may_change_rights(caller, mandate["user_id"])
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            await _lock_asked(connection, caller, mandate)
            await connection.execute(mandates.REFUSE, mandate_id, person.user_id)
            await _tell(connection, "mandate.refused", caller, mandate_id, mandate["company_id"])
            await transaction.notify(
                f"mandate_refused/{mandate_id}",
                NoticeKind.mandate_refused,
                user_id=mandate["user_id"],
                company_id=mandate["company_id"],
                subject_id=mandate_id,
            )
        return await self._view(caller, mandate_id)

    async def end(self, caller: Caller, mandate_id: UUID) -> None:
        """Revoked by the company, or given up (a request: withdrawn) by the declarant.

        Raises NotAllowed, StepUpNeeded (the company), NotFound, RefusedByRules.
        """
        person = caller.person()
        async with single(self._tools.system) as connection:
            mandate = await connection.fetchrow(mandates.FIND, mandate_id)
        own = mandate is not None and mandate["user_id"] == person.user_id
        if mandate is None or not own:
            mandate = await self._of_company(caller, mandate_id)
            may_change_rights(caller)
        user_id, company_id = mandate["user_id"], mandate["company_id"]
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            if own:
                await connection.execute(users.LOCK_COMPANY, company_id)
            else:
                await lock_company(connection, caller, mandate["siren"])
            state = MandateState(await connection.fetchval(mandates.STATE, mandate_id))
            if state not in (MandateState.asked, MandateState.accepted):
                raise RefusedByRules("mandate_over", "Ce mandat a déjà pris fin.")
            if state is MandateState.asked and not own:
                raise RefusedByRules("mandate_asked", "Cette demande attend votre réponse : acceptez-la ou refusez-la.")
            if await connection.fetchval(users.UNDER_MANDATE, user_id, company_id, mandate_id):
                await users.revoke(connection, company_id, user_id, person.user_id)
            await connection.execute(users.END_MANDATE, mandate_id, "revoked", person.user_id)
            await _tell(connection, "mandate.revoked", caller, mandate_id, company_id)
            if not own:
                await transaction.notify(
                    f"mandate_ended/{mandate_id}",
                    NoticeKind.mandate_ended,
                    user_id=user_id,
                    company_id=company_id,
                    subject_id=mandate_id,
                    details={"why": "revoked"},
                )

    async def actions(self, caller: Caller, mandate_id: UUID, before: int | None = None) -> ActionList:
        """What the declarant did in the company's name since the mandate began. Raises NotAllowed, NotFound."""
        mandate = await self._of_company(caller, mandate_id)
        began: datetime | None = mandate["decided_at"]
        async with single(self._tools.system) as connection:
            found = await done_in_name(
                connection, mandate["company_id"], str(mandate["user_id"]), MOST_ACTIONS + 1, before
            )
        items = [one for one in found if began is not None and one.at >= began]
        more = len(items) > MOST_ACTIONS
        return ActionList(items=items[:MOST_ACTIONS], next_before=items[MOST_ACTIONS - 1].number if more else None)

    async def _of_company(self, caller: Caller, mandate_id: UUID) -> asyncpg.Record:
        """One of a company that the caller looks after. Raises NotAllowed, NotFound."""
        caller.need_administrator()
        async with tenant(self._tools.web, caller.administers) as connection:
            mandate = await connection.fetchrow(mandates.FIND, mandate_id)
        if mandate is None:
            raise NotFound()
        return mandate

    async def _view(self, caller: Caller, mandate_id: UUID) -> MandateView:
        async with tenant(self._tools.web, caller.administers) as connection:
            rows = await connection.fetch(mandates.OF_COMPANIES, mandate_id)
        return _views(rows, caller.person().user_id)[0]


async def _lock_asked(connection: Connection, caller: Caller, mandate: asyncpg.Record) -> None:
    """Raises NotFound: not the caller's to decide any more; RefusedByRules: it was decided."""
    await lock_company(connection, caller, mandate["siren"])
    if await connection.fetchval(mandates.STATE, mandate["id"]) != MandateState.asked:
        raise RefusedByRules("mandate_decided", "Cette demande a déjà reçu une réponse, ou a été retirée.")


async def _tell(
    connection: Connection,
    event: str,
    caller: Caller,
    mandate_id: UUID,
    company_id: UUID,
    details: dict[str, str] | None = None,
) -> None:
    await audit.add(
        connection,
        event,
        caller.actor,
        company_id=company_id,
        object_type="mandate",
        object_id=mandate_id,
        details=details,
    )


def _views(rows: Iterable[asyncpg.Record], me: UUID) -> list[MandateView]:
    return [
        MandateView(
            id=row["id"],
            siren=row["siren"],
            company=row["company"],
            declarant_id=row["user_id"],
            first_name=row["first_name"],
            last_name=row["last_name"],
            email=row["email"],
            mine=row["user_id"] == me,
            state=row["state"],
            asked_at=row["asked_at"],
            decided_at=row["decided_at"],
            ends_on=row["ends_on"],
            ended_at=row["ended_at"],
        )
        for row in rows
    ]
