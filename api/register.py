"""/companies, /establishments, /forms: the caller's perimeter and the blank forms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.problems import describes
from services.activations import Reference
from services.blank_forms import blank_affiliation, blank_pre_affiliation
from services.company_views import Companies, Establishments
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


@router.get("/companies", responses=describes(NotAuthenticated, NotAllowed))
async def companies(caller: AnyCaller, use: Use) -> Companies:
    """The caller's companies."""
    return await use.company_views.companies(caller)


@router.get("/establishments", responses=describes(NotAuthenticated, NotAllowed))
async def establishments(caller: AnyCaller, use: Use) -> Establishments:
    """The caller's establishments."""
    return await use.company_views.establishments(caller)


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
    return Response(await blank_pre_affiliation(), media_type="application/pdf")


@router.get("/forms/affiliation.pdf", response_class=Response, responses=_PDF)
async def affiliation_form() -> Response:
    """The blank BIA."""
    return Response(await blank_affiliation(), media_type="application/pdf")
