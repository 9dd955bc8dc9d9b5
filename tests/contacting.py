"""Requests under test: sent and answered through the services, with the clock of each one's workflow."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from temporalio.client import WorkflowHandle

from activities.contact import ContactTeller
from activities.contracts.contact import contact_workflow_id
from domain.rights import Role, StaffRole
from services.callers import EMPLOYER_SCOPES, STAFF_SCOPES, Caller, SignedIn
from services.contact import ContactService
from services.contact_desk import ContactDesk
from services.contact_views import NewContact, Reply, UploadedFile
from tests.users import add_user
from tests.world import Employer, Life, World
from web.parts import Parts
from workflows.contact_request import ContactRequestWorkflow

NETWORK = "192.0.2.7/32"
BODY = "Bonjour, que paie l’entreprise pour Camille Essai, arrivée en octobre ?"


@dataclass(frozen=True)
class Correspondents:
    """An employer's user, and a member of staff who answers them."""

    world: World
    service: ContactService
    desk: ContactDesk
    teller: ContactTeller
    employer: Employer
    user: Caller
    staff: Caller

    async def send(self, reason: str = "affiliation", files: Sequence[UploadedFile] = (), key: str = "") -> Request:
        request = NewContact(company_id=self.employer.company_id, reason=reason, subject="Cotisations", message=BODY)
        receipt = await self.service.send(self.user, request, list(files), key or str(uuid.uuid4()), NETWORK)
        return Request(self.world, self.employer, receipt.id)

    async def answer(self, request: Request, *, close: bool = False, key: str = "") -> None:
        await self.desk.answer(
            self.staff, request.id, Reply(message="Voici le montant."), [], key or str(uuid.uuid4()), close
        )
        await request.until_quiet()


class Request(Life):
    """One request; its clock is its own."""

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(ContactRequestWorkflow.run, contact_workflow_id(str(self.id)))

    async def fields(self) -> dict[str, Any]:
        return dict((await self.world.run("SELECT * FROM contact_request WHERE id = $1", self.id))[0])

    async def notices(self) -> list[str]:
        """The kinds of what was written to people about it."""
        rows = await self.world.run("SELECT kind FROM notice WHERE subject_id = $1 ORDER BY created_at, id", self.id)
        return [row["kind"] for row in rows]


async def correspondents(world: World, parts: Parts) -> Correspondents:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member})
    staff = await add_user(world, staff=(StaffRole.read, StaffRole.write))
    return Correspondents(
        world,
        parts.contact,
        parts.contact_desk,
        parts.contact._teller,
        employer,
        employers_user(user.id, employer),
        _caller(staff.id, STAFF_SCOPES[StaffRole.write]),
    )


def employers_user(user_id: UUID, employer: Employer, *, administrator: bool = False) -> Caller:
    companies = (employer.company_id,)
    return _caller(user_id, EMPLOYER_SCOPES, companies, companies if administrator else ())


def _caller(user_id: UUID, scopes: Any, companies: tuple[UUID, ...] = (), administers: tuple[UUID, ...] = ()) -> Caller:
    return Caller(
        id=str(user_id),
        companies=companies,
        scopes=scopes,
        administers=administers,
        signed_in=SignedIn(user_id, uuid.uuid4(), b"", stepped_up=True),
    )
