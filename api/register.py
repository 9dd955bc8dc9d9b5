"""/companies, /establishments, /forms: the caller's perimeter and the blank forms."""

from __future__ import annotations

import asyncio
from datetime import date
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from api.problems import describes
from db import register
from db.pool import tenant
from messages.forms import render_affiliation_form, render_pre_affiliation_form
from services.activations import Reference
from services.callers import Scope
from services.perimeter import Added
from services.problems import (
    ActivationRefused,
    CompanySwitched,
    CsrfRefused,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    StepUpNeeded,
    TermsNotAccepted,
    TooManyRequests,
)
from web.callers import AnyCaller, UserCaller
from web.parts import Parts, parts

router = APIRouter(tags=["register"])

Use = Annotated[Parts, Depends(parts)]


class CompanyView(BaseModel):
    """« Mes contrats »: one company with its insurer."""

    id: UUID
    siren: str
    name: str
    insurer: str
    insurer_reference: str
    emits_dsn: bool
    establishments: int


class EstablishmentView(BaseModel):
    id: UUID
    siren: str
    siret: str
    name: str
    postcode: str
    city: str
    closed_on: date | None


class Companies(BaseModel):
    items: list[CompanyView]


class Establishments(BaseModel):
    items: list[EstablishmentView]


@router.get("/companies", responses=describes(NotAuthenticated, NotAllowed))
async def companies(caller: AnyCaller, use: Use) -> Companies:
    """The caller's companies."""
    caller.need(Scope.read)
    async with tenant(use.web, caller.companies) as connection:
        rows = await connection.fetch(register.COMPANIES)
    return Companies(items=[CompanyView(**dict(row)) for row in rows])


@router.get("/establishments", responses=describes(NotAuthenticated, NotAllowed))
async def establishments(caller: AnyCaller, use: Use) -> Establishments:
    """The caller's establishments."""
    caller.need(Scope.read)
    async with tenant(use.web, caller.companies) as connection:
        rows = await connection.fetch(register.ESTABLISHMENTS)
    return Establishments(items=[EstablishmentView(**dict(row)) for row in rows])


@router.post(
    "/establishments",
    responses=describes(
        NotAuthenticated,
        NotAllowed,
        TermsNotAccepted,
        CsrfRefused,
        StepUpNeeded,
        CompanySwitched,
        ActivationRefused,
        InvalidFields,
        TooManyRequests,
    ),
)
async def add_establishment(request: Reference, caller: UserCaller, use: Use) -> Added:
    """« Ajouter un établissement au périmètre suivi ». A company that has an administrator is joined by invitation."""
    return await use.perimeter.add(caller, request)


_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "PDF"}}


@router.get("/forms/pre-affiliation.pdf", response_class=Response, responses=_PDF)
async def pre_affiliation_form() -> Response:
    """The employer's blank declaration."""
    return Response(await asyncio.to_thread(_blank_pre_affiliation), media_type="application/pdf")


@router.get("/forms/affiliation.pdf", response_class=Response, responses=_PDF)
async def affiliation_form() -> Response:
    """The blank BIA."""
    return Response(await asyncio.to_thread(_blank_affiliation), media_type="application/pdf")


@cache
def _blank_pre_affiliation() -> bytes:
    return render_pre_affiliation_form()


@cache
def _blank_affiliation() -> bytes:
    return render_affiliation_form(None)
