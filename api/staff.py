"""/staff: paper returns and messages in doubt."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.affiliations import Key
from api.problems import describes
from services.declarations import DoubtResolution
from services.enrolment_form import PaperReturn
from services.enrolments import EnrolmentView
from services.idempotency import once
from services.problems import (
    AlreadySubmitted,
    EngineUnavailable,
    InvalidFields,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
)
from services.staff import Desk
from services.views import AffiliationSummary
from web.callers import KeyCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/staff", tags=["staff"])

Use = Annotated[Parts, Depends(parts)]


@router.get("/desk", responses=describes(NotAuthenticated, NotAllowed))
async def desk(caller: KeyCaller, use: Use) -> Desk:
    """The affiliations that wait for staff."""
    return await use.staff.desk(caller)


@router.post(
    "/affiliations/{affiliation_id}/paper-return",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, AlreadySubmitted, RefusedByRules, InvalidFields),
)
async def paper_return(affiliation_id: UUID, request: PaperReturn, caller: KeyCaller, use: Use) -> EnrolmentView:
    """Record a BIA that came back on paper; the employee is asked for what is missing."""
    return await use.enrolments.record_paper(caller, affiliation_id, request)


@router.post(
    "/affiliations/{affiliation_id}/doubt-resolution",
    responses=describes(
        NotAuthenticated, NotAllowed, NotFound, RefusedByRules, KeyReused, InvalidFields, EngineUnavailable
    ),
)
async def resolve_doubt(
    affiliation_id: UUID, request: DoubtResolution, caller: KeyCaller, use: Use, key: Key = None
) -> AffiliationSummary:
    """Say what became of the message in doubt: it left, or it is sent again."""
    return await use.staff.resolve_doubt(
        caller, affiliation_id, request, once(use.cipher, key, "resolve_doubt", affiliation_id, request)
    )
