"""/sessions and /devices: signing in and out, the second factor, where one is signed in."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.problems import describes
from domain.rights import UserKind
from services.callers import Pending
from services.devices import DeviceList
from services.fields import Form, Siren
from services.problems import (
    CodeNotSent,
    CompanySwitched,
    CsrfRefused,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Overloaded,
    RefusedByRules,
    TermsNotAccepted,
    TooManyRequests,
    WrongCode,
    WrongCredentials,
)
from services.second_factor import Answer, AskCode, CodeSent, Purpose
from services.sessions import Extended, Opened, SessionList
from services.sign_in import Credentials, SignedInView, SignInResult, open_view
from web.callers import BeforeTerms, ChallengedUser, UserCaller
from web.cookies import SESSION_OF, cookie_of, expire_cookie, set_cookie
from web.csrf import NotFromElsewhere, from_elsewhere, given_token
from web.devices import devices_of, remember_devices
from web.parts import Parts, parts
from web.visitors import Visit

router = APIRouter(tags=["access"])

Use = Annotated[Parts, Depends(parts)]
# as S-03 says: "cookies" would also forget the browser, and ask for a code at every sign-in
CLEAR = '"cache", "storage"'


class ChosenCompany(Form):
    """`siren`: the company to work on; null: all of them."""

    siren: Siren | None


# --- signing in

_SIGN_IN = describes(WrongCredentials, CsrfRefused, InvalidFields, TooManyRequests, Overloaded)


@router.post("/sessions", dependencies=[NotFromElsewhere], responses=_SIGN_IN)
async def sign_in(
    credentials: Credentials, request: Request, response: Response, visit: Visit, use: Use
) -> SignedInView:
    """E-mail and password open a session (cookie), or the way to it where a code is asked. One answer for unknown,
    wrong, suspended, not yet activated and blocked."""
    return await _sign_in(credentials, UserKind.employer, request, response, visit, use)


@router.post("/staff/sessions", dependencies=[NotFromElsewhere], responses=_SIGN_IN)
async def staff_sign_in(
    credentials: Credentials, request: Request, response: Response, visit: Visit, use: Use
) -> SignedInView:
    """The same for staff, whose second factor is always asked."""
    return await _sign_in(credentials, UserKind.staff, request, response, visit, use)


async def _sign_in(
    credentials: Credentials, kind: UserKind, request: Request, response: Response, visit: Visit, use: Parts
) -> SignedInView:
    held = {of: cookie_of(request, SESSION_OF[of], use.config) for of in UserKind}
    result = await use.sign_in.start(
        credentials, kind, visit, devices_of(request, use.config), [token for token in held.values() if token]
    )
    for of, token in held.items():
        if token and of is not kind:
            expire_cookie(response, SESSION_OF[of], use.config)
    return _give(response, result, use)


@router.post(
    "/sessions/challenge/code",
    status_code=202,
    responses=describes(
        NotAuthenticated, NotAllowed, TermsNotAccepted, CsrfRefused, CompanySwitched, InvalidFields, CodeNotSent
    ),
)
async def send_code(asked: AskCode, user: ChallengedUser, visit: Visit, use: Use) -> CodeSent:
    """« Envoyer le code », to sign in or, signed in, to step up. The same code again while it is valid."""
    purpose: Purpose = "sign_in" if isinstance(user, Pending) else "step_up"
    return await use.second_factor.send(user.user_id, user.session, purpose, visit, asked.phone)


@router.post(
    "/sessions/challenge/answer",
    responses=describes(
        *(NotAuthenticated, NotAllowed, TermsNotAccepted, CsrfRefused, CompanySwitched),
        *(WrongCode, InvalidFields, RefusedByRules, Overloaded),
    ),
)
async def answer_challenge(
    answer: Answer, user: ChallengedUser, request: Request, response: Response, visit: Visit, use: Use
) -> SignedInView:
    """« Continuer »: the code of the SMS, of the app, or a recovery code. The session has another cookie and token
    from then on."""
    if isinstance(user, Pending):
        result = await use.second_factor.complete(user, answer, visit, devices_of(request, use.config))
    else:
        result = await use.second_factor.step_up(user, answer)
    return _give(response, result, use)


# --- sessions

_SIGNED_IN = (NotAuthenticated, NotAllowed, TermsNotAccepted)
_CHANGE = (*_SIGNED_IN, CsrfRefused, CompanySwitched, InvalidFields)


@router.delete("/sessions/current", status_code=204, responses=describes(CsrfRefused, CompanySwitched))
async def sign_out(request: Request, response: Response, use: Use) -> None:
    """Also without a session, or with one that has ended."""
    if from_elsewhere(request, use.config.public_base_url):
        raise CsrfRefused()
    for kind in UserKind:
        token = cookie_of(request, SESSION_OF[kind], use.config)
        if token:
            await use.sessions.check_csrf(token, await given_token(request))
            await use.sessions.close(token)
            expire_cookie(response, SESSION_OF[kind], use.config)
    response.headers["Clear-Site-Data"] = CLEAR


@router.get("/sessions", responses=describes(*_SIGNED_IN))
async def sessions(caller: UserCaller, use: Use) -> SessionList:
    """Where the user is signed in."""
    return await use.sessions.list(caller)


@router.delete("/sessions/{session_id}", status_code=204, responses=describes(*_CHANGE, NotFound))
async def close_session(session_id: UUID, caller: UserCaller, use: Use) -> None:
    """End one of the user's own, at once."""
    await use.sessions.close_one(caller, session_id)


@router.post(
    "/sessions/current/extension", responses=describes(NotAuthenticated, NotAllowed, CsrfRefused, CompanySwitched)
)
async def extend(caller: BeforeTerms, use: Use) -> Extended:
    """« Rester connecté »."""
    return await use.sessions.extend(caller)


@router.put("/sessions/current/company", responses=describes(*_CHANGE, NotFound))
async def choose_company(chosen: ChosenCompany, caller: UserCaller, response: Response, use: Use) -> SignedInView:
    """Work on one company, or on all. A page that was left on another one is told so when it changes something."""
    opened = await use.sessions.switch(caller, chosen.siren)
    _give_session(response, opened, use)
    return open_view(opened)


# --- browsers


@router.get("/devices", responses=describes(*_SIGNED_IN))
async def devices(caller: UserCaller, request: Request, use: Use) -> DeviceList:
    """The browsers in which no code is asked."""
    return await use.devices.list(caller, devices_of(request, use.config))


@router.delete("/devices/{device_id}", status_code=204, responses=describes(*_CHANGE, NotFound))
async def revoke_device(device_id: UUID, caller: UserCaller, use: Use) -> None:
    """A code is asked there again."""
    await use.devices.revoke(caller, device_id)


def _give(response: Response, result: SignInResult, use: Parts) -> SignedInView:
    _give_session(response, result.opened, use)
    remember_devices(response, result.devices, use.config)
    return result.view


def _give_session(response: Response, opened: Opened, use: Parts) -> None:
    set_cookie(response, SESSION_OF[opened.kind], opened.token, use.config)
