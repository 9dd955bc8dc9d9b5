"""« Déclaré en DSN, pas encore pré-affilié »: people whom a company's payroll declares on our contract and whom nobody
there has pre-affiliated. The company sees its own, follows them with a pre-affiliation, or says why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel

from db import audit, dsn_desk
from db.pool import Pool, system, tenant
from gateways.encryption import FieldCipher
from services.callers import Caller, Scope
from services.fields import Form
from services.problems import NotFound

MOST_SHOWN: Final = 100
_SENT: Final = ("civility", "last_name", "birth_name", "first_names", "nir")
_EMPLOYMENT: Final = ("professional_status", "scheme", "contract_kind")


class HireProposal(BaseModel):
    """`began_on`: the day from which the DSN has them on our contract."""

    id: UUID
    first_names: str
    last_name: str
    began_on: date
    establishment: str
    city: str
    siret: str


class HireProposals(BaseModel):
    """`count`: of all of them, at most one more than are shown."""

    items: list[HireProposal]
    count: int


class Dismissal(Form):
    """Why somebody is not pre-affiliated."""

    reason: Literal["already_declared", "waived", "left", "not_ours", "other"]


class HireProposalService:
    def __init__(self, web: Pool, system_pool: Pool, cipher: FieldCipher) -> None:
        self._web = web
        self._system = system_pool
        self._cipher = cipher

    async def count(self, caller: Caller) -> int:
        """Of those that wait, at most one more than a list shows. Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            many: int = await connection.fetchval(dsn_desk.OPEN_HIRE_COUNT, list(caller.companies), MOST_SHOWN + 1)
        return many

    async def list(self, caller: Caller) -> HireProposals:
        """The first hired come first. Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(dsn_desk.OPEN_HIRES, list(caller.companies), MOST_SHOWN + 1)
        items = []
        for row in rows[:MOST_SHOWN]:
            person = self._opened(row["id"], row["person_sealed"])
            items.append(
                HireProposal(
                    id=row["id"],
                    first_names=person["first_names"],
                    last_name=person["last_name"],
                    **{name: row[name] for name in ("began_on", "establishment", "city", "siret")},
                )
            )
        return HireProposals(items=items, count=len(rows))

    async def typed(self, caller: Caller, proposal_id: UUID) -> dict[str, str]:
        """What the form of a pre-affiliation begins with, by its fields. Raises NotAllowed, NotFound."""
        caller.need(Scope.write)
        async with tenant(self._web, caller.companies) as connection:
            row = await connection.fetchrow(dsn_desk.HIRE, proposal_id)
        if row is None or row["state"] != "open":
            raise NotFound()
        person = self._opened(row["id"], row["person_sealed"])
        if person["last_name"] == person["birth_name"]:
            person["last_name"] = ""
        typed = {name: person.get(name, "") for name in (*_SENT, *_EMPLOYMENT)}
        return {
            **typed,
            "siret": row["siret"],
            "birth_date": _typed_day(person.get("birth_date", "")),
            "hired_on": _typed_day(person.get("hired_on", "")),
        }

    async def dismiss(self, caller: Caller, proposal_id: UUID, request: Dismissal) -> None:
        """Raises NotAllowed, NotFound: unknown, another company's, or settled already."""
        caller.need(Scope.write)
        async with tenant(self._web, caller.companies) as connection:
            if await connection.fetchrow(dsn_desk.HIRE, proposal_id) is None:
                raise NotFound()
        async with system(self._system) as connection:
            company_id = await connection.fetchval(
                dsn_desk.SETTLE_HIRE, proposal_id, "dismissed", request.reason, caller.id, None
            )
            if company_id is None:
                raise NotFound()
            await audit.add(
                connection,
                "dsn.hire_dismissed",
                caller.actor,
                company_id=company_id,
                object_type="hire_proposal",
                object_id=proposal_id,
                details={"reason": request.reason},
            )

    async def followed(self, caller: Caller, affiliation_id: UUID) -> None:
        """Somebody was pre-affiliated: what was proposed of them is settled. The sweep does it for other doors."""
        async with tenant(self._web, caller.companies) as connection:
            company_id = await connection.fetchval(dsn_desk.COMPANY_OF_AFFILIATION, affiliation_id)
        if company_id is not None:
            async with system(self._system) as connection:
                await connection.execute(dsn_desk.HIRES_OF_PERSON, company_id, affiliation_id, caller.id)

    def _opened(self, proposal_id: UUID, sealed: bytes) -> dict[str, str]:
        text = self._cipher.decrypt(sealed, "hire_proposal", "person", str(proposal_id))
        person: Mapping[str, str] = json.loads(text)
        return dict(person)


def _typed_day(iso: str) -> str:
    """As one types it."""
    return f"{date.fromisoformat(iso):%d/%m/%Y}" if iso else ""
