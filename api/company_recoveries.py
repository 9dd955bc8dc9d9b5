"""/company-recoveries: a company whose administrator has gone."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from api.problems import describes
from services.activations import MailedLink, Told
from services.company_recoveries import Recoveries, RecoveryRequest
from services.office_codes import OfficeCode
from services.problems import (
    CompanySwitched,
    CsrfRefused,
    EngineUnavailable,
    InvalidFields,
    LinkRefused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    OfficeCodeRefused,
    TermsNotAccepted,
    TooManyRequests,
)
from web.callers import Use, UserCaller
from web.csrf import NotFromElsewhere
from web.visitors import Visit

router = APIRouter(prefix="/company-recoveries", tags=["access"])


@router.post(
    "",
    status_code=202,
    responses=describes(CsrfRefused, InvalidFields, TooManyRequests),
    dependencies=[NotFromElsewhere],
)
async def ask(request: RecoveryRequest, visitor: Visit, use: Use) -> Told:
    """Ask for it. The same answer whether a letter leaves or not."""
    return await use.company_recoveries.ask(request, visitor)


@router.post(
    "/code",
    responses=describes(CsrfRefused, OfficeCodeRefused, InvalidFields, TooManyRequests, EngineUnavailable),
    dependencies=[NotFromElsewhere],
)
async def enter_code(request: OfficeCode, visitor: Visit, use: Use) -> Told:
    """The code of the letter to the registered office; /activations/code takes the same."""
    return await use.company_recoveries.enter_code(request, visitor)


@router.post(
    "/stop",
    status_code=204,
    responses=describes(CsrfRefused, LinkRefused, InvalidFields),
    dependencies=[NotFromElsewhere],
)
async def stop(request: MailedLink, use: Use) -> Response:
    """An administrator, or the known contact, objects by the link of their message."""
    await use.company_recoveries.stop(request)
    return Response(status_code=204)


@router.get("", responses=describes(NotAuthenticated, NotAllowed, TermsNotAccepted))
async def listed(caller: UserCaller, use: Use) -> Recoveries:
    """The open requests for the companies that the caller administers."""
    return await use.company_recoveries.list(caller)


@router.delete(
    "/{recovery_id}",
    status_code=204,
    responses=describes(
        NotAuthenticated, NotAllowed, TermsNotAccepted, CsrfRefused, NotFound, CompanySwitched, InvalidFields
    ),
)
async def stop_one(recovery_id: UUID, caller: UserCaller, use: Use) -> Response:
    """An administrator of the company objects."""
    await use.company_recoveries.stop_one(caller, recovery_id)
    return Response(status_code=204)
