"""/staff/companies: the company register, for staff."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.problems import describes
from services.company_register import (
    CompanyChange,
    CompanyRecord,
    EstablishmentClosure,
    KnownContact,
    ListedCompanies,
    NewCompany,
    NewEstablishment,
)
from services.fields import NamePart
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound, RefusedByRules, StepUpNeeded
from web.callers import StaffCaller, StaffWriter
from web.parts import Parts, parts

router = APIRouter(prefix="/staff/companies", tags=["register"])

Use = Annotated[Parts, Depends(parts)]
Words = Annotated[NamePart | None, Query(examples=["lilas"])]
_READS = describes(NotAuthenticated, NotAllowed, InvalidFields)
_ADDS = describes(NotAuthenticated, NotAllowed, StepUpNeeded, InvalidFields)
_CHANGES = describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields)


@router.get("", responses=_READS)
async def companies(caller: StaffCaller, use: Use, q: Words = None, after: UUID | None = None) -> ListedCompanies:
    """By a part of the name, a SIREN, a SIRET or the insurer's reference; fifty at a time."""
    return await use.company_register.list(caller, q or "", after)


@router.post("", status_code=201, responses=_ADDS)
async def create(request: NewCompany, caller: StaffWriter, use: Use) -> CompanyRecord:
    """A company with its first establishment."""
    return await use.company_register.create(caller, request)


@router.get("/{company_id}", responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields))
async def company(company_id: UUID, caller: StaffCaller, use: Use) -> CompanyRecord:
    """Identifiers, establishments, known contact, users, recoveries."""
    return await use.company_register.company(caller, company_id)


@router.put("/{company_id}", responses=_CHANGES)
async def correct(company_id: UUID, request: CompanyChange, caller: StaffWriter, use: Use) -> CompanyRecord:
    """Name, insurer, its reference there, and whether it emits the DSN."""
    return await use.company_register.correct(caller, company_id, request)


@router.put("/{company_id}/contact", responses=_CHANGES)
async def replace_contact(company_id: UUID, request: KnownContact, caller: StaffWriter, use: Use) -> CompanyRecord:
    """Whom the insurer's register knows there."""
    return await use.company_register.replace_contact(caller, company_id, request)


@router.post("/{company_id}/establishments", status_code=201, responses=_CHANGES)
async def add_establishment(
    company_id: UUID, request: NewEstablishment, caller: StaffWriter, use: Use
) -> CompanyRecord:
    return await use.company_register.add_establishment(caller, company_id, request)


@router.put("/{company_id}/establishments/{establishment_id}/closure", responses=_CHANGES)
async def close(
    company_id: UUID, establishment_id: UUID, request: EstablishmentClosure, caller: StaffWriter, use: Use
) -> CompanyRecord:
    """From a day on nobody is declared there any more."""
    return await use.company_register.close(caller, company_id, establishment_id, request)


@router.delete(
    "/{company_id}/establishments/{establishment_id}/closure",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, RefusedByRules, InvalidFields),
)
async def reopen(company_id: UUID, establishment_id: UUID, caller: StaffWriter, use: Use) -> CompanyRecord:
    """It is open again."""
    return await use.company_register.reopen(caller, company_id, establishment_id)
