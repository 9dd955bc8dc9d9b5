"""/activations: « Activer mon espace »."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.problems import describes
from services.activations import Activatable, Activation, Completion, MailedLink, Reference, Told
from services.office_codes import OfficeCode
from services.problems import (
    ActivationRefused,
    CsrfRefused,
    EngineUnavailable,
    InvalidFields,
    LinkRefused,
    OfficeCodeRefused,
    Overloaded,
    TooManyRequests,
)
from services.sign_in import SignedInView
from web.callers import Use
from web.cookies import SESSION_OF, Cookie, cookie_of, set_cookie
from web.csrf import NotFromElsewhere
from web.visitors import Visit

router = APIRouter(prefix="/activations", tags=["access"], dependencies=[NotFromElsewhere])


@router.post("/check", responses=describes(CsrfRefused, ActivationRefused, InvalidFields, TooManyRequests))
async def check(request: Reference, visitor: Visit, use: Use) -> Activatable:
    """Whether these open the form. Wrong, unknown, active already and closed are one answer."""
    return await use.activations.check(request, visitor)


@router.post("", status_code=202, responses=describes(CsrfRefused, InvalidFields, TooManyRequests, Overloaded))
async def begin(request: Activation, visitor: Visit, use: Use) -> Told:
    """The form. The same answer whether a message leaves or not."""
    return await use.activations.begin(request, visitor)


@router.post("/agreement", status_code=204, responses=describes(CsrfRefused, LinkRefused, InvalidFields))
async def agree(request: MailedLink, use: Use) -> Response:
    """The contact of the insurer's register agrees, where that is asked (`activation_proof`)."""
    await use.activations.agree(request)
    return Response(status_code=204)


@router.post(
    "/code",
    responses=describes(CsrfRefused, OfficeCodeRefused, InvalidFields, TooManyRequests, EngineUnavailable),
)
async def enter_code(request: OfficeCode, visitor: Visit, use: Use) -> Told:
    """The code of a letter to the registered office, whichever letter it is: see also /company-recoveries/code."""
    return await use.company_recoveries.enter_code(request, visitor)


@router.post("/stop", status_code=204, responses=describes(CsrfRefused, LinkRefused, InvalidFields))
async def stop(request: MailedLink, use: Use) -> Response:
    """The known contact of the company says that nobody asked for it."""
    await use.activations.stop(request)
    return Response(status_code=204)


@router.post("/completion", responses=describes(CsrfRefused, LinkRefused, InvalidFields, TooManyRequests, Overloaded))
async def complete(
    completion: Completion, visitor: Visit, use: Use, request: Request, answer: Response
) -> SignedInView:
    """The link of the message, with the password chosen before; then as POST /sessions where a code is asked."""
    here = [cookie_of(request, cookie, use.config) for cookie in SESSION_OF.values()]
    result = await use.activations.complete(completion, visitor, [token for token in here if token])
    set_cookie(answer, Cookie.employer, result.opened.token, use.config)
    return result.view
