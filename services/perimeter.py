"""« Ajouter un établissement au périmètre suivi » (guide, page 8)."""

from __future__ import annotations

from enum import StrEnum

import asyncpg
from pydantic import BaseModel

from db import activations, audit, users
from db.pool import Connection
from messages.notices import NoticeKind
from services.activations import (
    Applicant,
    Reference,
    activate_at_once,
    ask_for_proof,
    by_reference,
    may_be_activated,
)
from services.callers import Caller, Scope
from services.limits import Limit
from services.problems import ActivationRefused
from services.tools import Tools
from settings import ActivationProof


class AddedAs(StrEnum):
    followed = "followed"  # it was already: nothing was to be done
    added = "added"
    proof_asked = "proof_asked"  # somebody is to prove it first


class Added(BaseModel):
    """What became of it; `detail` says so in words."""

    outcome: AddedAs
    company: str
    establishment: str
    detail: str


_WORDS = {
    AddedAs.followed: "Cet établissement fait déjà partie de votre périmètre.",
    AddedAs.added: "L’établissement a été ajouté à votre périmètre. Vous administrez l’espace de cette entreprise.",
    AddedAs.proof_asked: "Un message part pour confirmer l’ajout. L’établissement sera ajouté ensuite.",
}


class PerimeterService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def add(self, caller: Caller, request: Reference) -> Added:
        """An establishment of a company that the user follows; or their company from now on, if it has no
        administrator. A company that has one is joined by invitation only, and told apart from nothing.

        Raises NotAllowed, StepUpNeeded, TooManyRequests, ActivationRefused.
        """
        caller.need(Scope.write)
        person = caller.need_step_up()
        await self._tools.limiter.take(Limit.perimeter_user, str(person.user_id))
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            found = await by_reference(connection, request)
            if found is not None and await connection.fetchval(
                activations.FOLLOWED, person.user_id, found["company_id"]
            ):
                return _added(AddedAs.followed, found)
            company = found if may_be_activated(found) else None
            if company is not None:
                await connection.execute(users.LOCK_COMPANY, company["company_id"])
                if not await connection.fetchval(activations.MAY_ACTIVATE, company["company_id"]):
                    company = None  # somebody else was faster
            user = await connection.fetchrow(activations.USER, person.user_id)
            await _tell_tried(connection, caller, refused=company is None)
            if company is not None and user is not None:
                applicant = Applicant(**dict(user))
                if self._tools.config.activation_proof is not ActivationProof.email:
                    if await ask_for_proof(self._tools, transaction, company, applicant) is not None:
                        return _added(AddedAs.proof_asked, company)
                else:
                    await activate_at_once(self._tools, transaction, company, applicant, person.user_id)
                    await transaction.notify(
                        f"establishment_added/{company['new_id']}",
                        NoticeKind.establishment_added,
                        user_id=person.user_id,
                        company_id=company["company_id"],
                    )
                    return _added(AddedAs.added, company)
        raise ActivationRefused()


async def _tell_tried(connection: Connection, caller: Caller, *, refused: bool) -> None:
    await audit.add(
        connection,
        "auth.activation.tried",
        caller.actor,
        outcome="refused" if refused else "done",
        details={"step": "perimeter"},
    )


def _added(outcome: AddedAs, company: asyncpg.Record) -> Added:
    return Added(
        outcome=outcome, company=company["company"], establishment=company["establishment"], detail=_WORDS[outcome]
    )
