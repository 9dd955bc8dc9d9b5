"""« Connexion » and « Double authentification » (guide, page 6), the step-up, and the way out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.rights import UserKind
from portal.forms import Fields
from portal.menu import DESK, HOME
from portal.pages import see_other
from portal.space import SIGN_IN, STAFF_SIGN_IN, SpaceRoute, drawing, one_problem, own_path, session_of, space_page
from services.authenticator import TotpConfirmation
from services.callers import Pending, SignedIn
from services.fields import validated
from services.problems import (
    CodeNotSent,
    InvalidFields,
    Overloaded,
    Problem,
    TooManyRequests,
    WrongCode,
    WrongCredentials,
)
from services.profile import AcceptTerms
from services.second_factor import Answer, AskCode, Purpose
from services.sign_in import Credentials, SignInResult
from web.callers import BeforeTerms, ChallengedUser, PendingUser, Use
from web.cookies import SESSION_OF, cookie_of, expire_cookie, set_cookie
from web.csrf import OwnPages, OwnSite, given_token
from web.devices import devices_of, remember_devices
from web.parts import Parts
from web.visitors import Visit

# Before a session the forms carry the visit's token; in one, `web.callers` looks at the session's.
public = APIRouter(route_class=SpaceRoute, dependencies=[OwnPages], include_in_schema=False)
signed_in = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

Next = Annotated[str, Query(alias="suite", max_length=200)]
CODE = "/connexion/code"
STEP_UP = "/connexion/confirmer"
APP = "/connexion/application"
CLEAR = '"cache", "storage"'
_METHODS = ("sms", "totp", "recovery")


# --- password


@public.get("/connexion")
async def sign_in_page(request: Request, suite: Next = "") -> Response:
    return space_page(request, "sign_in", action=SIGN_IN, suite=own_path(suite), email="", staff=False)


@public.get("/gestion/connexion")
async def staff_sign_in_page(request: Request, suite: Next = "") -> Response:
    return space_page(request, "sign_in", action=STAFF_SIGN_IN, suite=own_path(suite, DESK), email="", staff=True)


@public.post("/connexion")
async def sign_in(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    return await _sign_in(request, fields, visit, use, UserKind.employer)


@public.post("/gestion/connexion")
async def staff_sign_in(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    return await _sign_in(request, fields, visit, use, UserKind.staff)


async def _sign_in(request: Request, fields: dict[str, str], visit: Visit, use: Parts, kind: UserKind) -> Response:
    suite = own_path(fields.get("suite"), DESK if kind is UserKind.staff else HOME)
    email = fields.get("email", "")[:200]
    held = {of: cookie_of(request, SESSION_OF[of], use.config) for of in UserKind}
    try:
        credentials = validated(Credentials, {"email": email, "password": fields.get("password", "")})
        result = await use.sign_in.start(
            credentials, kind, visit, devices_of(request, use.config), [token for token in held.values() if token]
        )
    except InvalidFields as wrong:
        return _sign_in_again(request, kind, suite, email, wrong, 422)
    except (WrongCredentials, TooManyRequests, Overloaded) as problem:
        return _sign_in_again(request, kind, suite, email, one_problem(problem, "email"), problem.status)
    answer = see_other(suite if result.view.stage == "open" else f"{CODE}?suite={suite}")
    for of, token in held.items():
        if token and of is not kind:
            expire_cookie(answer, SESSION_OF[of], use.config)
    return _given(answer, result, use)


def _sign_in_again(
    request: Request, kind: UserKind, suite: str, email: str, wrong: InvalidFields, status: int
) -> Response:
    staff = kind is UserKind.staff
    action = STAFF_SIGN_IN if staff else SIGN_IN
    return space_page(request, "sign_in", status, wrong=wrong, action=action, suite=suite, email=email, staff=staff)


# --- « Double authentification », and the same before what asks for a code


@signed_in.get(CODE)
@signed_in.get(STEP_UP)
async def security_screen(
    request: Request, user: ChallengedUser, use: Use, suite: Next = "", etape: str = "", methode: str = ""
) -> Response:
    """The number to give or to confirm, then the code."""
    return await _screen(request, user, use, own_path(suite), sent=etape == "code", chosen=methode)


@signed_in.post(f"{CODE}/envoi")
@signed_in.post(f"{STEP_UP}/envoi")
async def send_code(request: Request, user: ChallengedUser, fields: Fields, visit: Visit, use: Use) -> Response:
    """« Envoyer le code »."""
    suite = own_path(fields.get("suite"))
    purpose: Purpose = "sign_in" if isinstance(user, Pending) else "step_up"
    typed = fields.get("phone", "")[:40]
    try:
        asked = validated(AskCode, {"phone": typed} if typed else {})
        await use.second_factor.send(user.user_id, user.session, purpose, visit, asked.phone)
    except InvalidFields as wrong:
        return await _screen(request, user, use, suite, wrong=wrong, typed=typed, status=422)
    except CodeNotSent as away:
        return await _screen(request, user, use, suite, wrong=one_problem(away, "phone"), typed=typed, status=503)
    return see_other(f"{_screen_of(user)}?etape=code&suite={suite}")


@signed_in.post(CODE)
@signed_in.post(STEP_UP)
async def answer_code(request: Request, user: ChallengedUser, fields: Fields, visit: Visit, use: Use) -> Response:
    """« Continuer »."""
    suite, method = own_path(fields.get("suite")), fields.get("method", "sms")
    try:
        answer = validated(Answer, {"method": method, "code": fields.get("code", "")})
        if isinstance(user, Pending):
            result = await use.second_factor.complete(user, answer, visit, devices_of(request, use.config))
        else:
            result = await use.second_factor.step_up(user, answer)
    except InvalidFields as wrong:
        return await _screen(request, user, use, suite, wrong=wrong, sent=True, chosen=method, status=422)
    except (WrongCode, Overloaded) as problem:
        shown = one_problem(problem, "code")
        return await _screen(request, user, use, suite, wrong=shown, sent=True, chosen=method, status=problem.status)
    return _given(see_other(suite), result, use)


def _screen_of(user: Pending | SignedIn) -> str:
    return CODE if isinstance(user, Pending) else STEP_UP


async def _screen(
    request: Request,
    user: Pending | SignedIn,
    use: Parts,
    suite: str,
    *,
    wrong: InvalidFields | None = None,
    sent: bool = False,
    chosen: str = "",
    typed: str = "",
    status: int = 200,
) -> Response:
    factor = await use.second_factor.asked(user.user_id)
    if "totp_enrolment" in factor.methods:
        return see_other(f"{APP}?suite={suite}")
    usual = "totp" if "totp" in factor.methods else factor.methods[0]
    method = chosen if chosen in factor.methods else usual
    return space_page(
        request,
        "code",
        status,
        wrong=wrong,
        in_session=True,
        action=_screen_of(user),
        suite=suite,
        phone=factor.phone,
        typed=typed,
        method=method,
        others=[one for one in _METHODS if one in factor.methods and one != method],
        asks_code=sent or method != "sms",
        stepping_up=isinstance(user, SignedIn),
    )


# --- staff, the first time: their authenticator app


@signed_in.get(APP)
async def first_app(request: Request, user: PendingUser, use: Use, suite: Next = "") -> Response:
    return await _app(request, user, use, own_path(suite))


@signed_in.post(APP)
async def confirm_first_app(request: Request, user: PendingUser, fields: Fields, visit: Visit, use: Use) -> Response:
    suite = own_path(fields.get("suite"))
    try:
        confirmation = validated(TotpConfirmation, {"code": fields.get("code", "")})
        result, recovery = await use.profile.authenticator.confirm_pending(
            user, confirmation, visit, devices_of(request, use.config)
        )
    except InvalidFields as wrong:
        return await _app(request, user, use, suite, wrong)
    except WrongCode as problem:
        return await _app(request, user, use, suite, one_problem(problem, "code"))
    answer = space_page(request, "recovery_codes", codes=recovery.codes, onward=suite)
    return _given(answer, result, use)


async def _app(request: Request, user: Pending, use: Parts, suite: str, wrong: InvalidFields | None = None) -> Response:
    offer = await use.profile.authenticator.begin_pending(user)
    return space_page(
        request,
        "app",
        422 if wrong else 200,
        wrong=wrong,
        in_session=True,
        action=APP,
        offer=offer,
        qr=drawing(offer.qr),
        suite=suite,
    )


# --- conditions générales


@public.get("/conditions")
async def terms(request: Request, use: Use) -> Response:
    return space_page(request, "terms", terms=use.profile.terms(), accepting=False, suite="")


@signed_in.get("/conditions/nouvelles")
async def new_terms(request: Request, caller: BeforeTerms, use: Use, suite: Next = "") -> Response:
    """Asked before anything else once they have changed (security.md A-04)."""
    return space_page(
        request, "terms", in_session=True, terms=use.profile.terms(), accepting=True, suite=own_path(suite)
    )


@signed_in.post("/conditions/nouvelles")
async def accept_terms(request: Request, caller: BeforeTerms, fields: Fields, use: Use) -> Response:
    suite = own_path(fields.get("suite"))
    if fields.get("accepted") != "yes":
        wrong = one_problem(Unticked(), "accepted")
        terms = use.profile.terms()
        return space_page(request, "terms", 422, wrong=wrong, in_session=True, terms=terms, accepting=True, suite=suite)
    await use.profile.accept_terms(caller, validated(AcceptTerms, {"version": fields.get("version", "")}))
    return see_other(suite)


class Unticked(Problem):
    status = 422
    code = "terms.unticked"

    def __init__(self) -> None:
        super().__init__("Cochez la case pour accepter les conditions générales.")


# --- the way out


@signed_in.post("/session/prolongation", status_code=204)
async def extend(caller: BeforeTerms, use: Use) -> Response:
    """« Rester connecté »: asked by the script of the pages."""
    await use.sessions.extend(caller)
    return Response(status_code=204)


@signed_in.post("/deconnexion")
async def sign_out(request: Request, use: Use) -> Response:
    """Also when the session has ended already."""
    staff = cookie_of(request, SESSION_OF[UserKind.staff], use.config)
    answer = see_other(STAFF_SIGN_IN if staff else SIGN_IN)
    token = session_of(request, use)
    if token is not None:
        await use.sessions.check_csrf(token, await given_token(request))
        await use.sessions.close(token)
    for kind in UserKind:
        expire_cookie(answer, SESSION_OF[kind], use.config)
    answer.headers["Clear-Site-Data"] = CLEAR
    return answer


def _given(answer: Response, result: SignInResult, use: Parts) -> Response:
    set_cookie(answer, SESSION_OF[result.opened.kind], result.opened.token, use.config)
    remember_devices(answer, result.devices, use.config)
    return answer
