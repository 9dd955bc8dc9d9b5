"""/mandates: third-party declarants ask, companies decide and see what was done in their name."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.problems import describes
from services.mandates import ActionList, Asked, MandateAcceptance, MandateList, MandateRequest, MandateView
from services.problems import (
    CompanySwitched,
    CsrfRefused,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
    StepUpNeeded,
    TermsNotAccepted,
    TooManyRequests,
)
from web.callers import UserCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/mandates", tags=["mandates"])

Use = Annotated[Parts, Depends(parts)]
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
_READING = (NotAuthenticated, NotAllowed, TermsNotAccepted, InvalidFields)
_CHANGING = (*_READING, CsrfRefused, CompanySwitched)
_DECIDING = describes(*_CHANGING, StepUpNeeded, NotFound, RefusedByRules)


@router.post("", status_code=202, responses=describes(*_CHANGING, TooManyRequests))
async def ask(request: MandateRequest, caller: UserCaller, use: Use) -> Asked:
    """Ask a company for a mandate. The answer does not tell whether there is such a company."""
    return await use.mandates.ask(caller, request)


@router.get("", responses=describes(NotAuthenticated, NotAllowed, TermsNotAccepted))
async def list_mandates(caller: UserCaller, use: Use) -> MandateList:
    """The caller's own, and those of the companies that they look after."""
    return await use.mandates.list(caller)


@router.post("/{mandate_id}/acceptance", responses=_DECIDING)
async def accept(mandate_id: UUID, request: MandateAcceptance, caller: UserCaller, use: Use) -> MandateView:
    """The declarant is a member from now on, until that day."""
    return await use.mandates.accept(caller, mandate_id, request)


@router.post("/{mandate_id}/refusal", responses=_DECIDING)
async def refuse(mandate_id: UUID, caller: UserCaller, use: Use) -> MandateView:
    """The company does not give it."""
    return await use.mandates.refuse(caller, mandate_id)


@router.delete("/{mandate_id}", status_code=204, responses=_DECIDING)
async def end(mandate_id: UUID, caller: UserCaller, use: Use) -> None:
    """The company takes it back, or the declarant gives it up."""
    await use.mandates.end(caller, mandate_id)


@router.get("/{mandate_id}/actions", responses=describes(*_READING, NotFound))
async def actions(mandate_id: UUID, caller: UserCaller, use: Use, before: Before = None) -> ActionList:
    """What the declarant did in the company's name."""
    return await use.mandates.actions(caller, mandate_id, before)
