"""The frame of the employers' and staff's pages: who is signed in, where to go on, what goes wrong as pages."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from domain.rights import UserKind
from portal.kept_forms import HOURS, SEALED, Kept, Sealed, sealed_form
from portal.menu import DESK, HOME, menu_of, of_staff
from portal.pages import PAGE_POLICY, PageRoute, page, see_other, with_retry
from services.callers import Caller
from services.greetings import Greeting, greeting
from services.problems import (
    CompanySwitched,
    CsrfRefused,
    FieldError,
    InvalidFields,
    NotAuthenticated,
    Overloaded,
    Problem,
    StepUpNeeded,
    TermsNotAccepted,
)
from services.sessions import csrf_token
from web.cookies import SESSION_OF, Cookie, cookie_of, set_cookie
from web.csrf import SAFE, visit_of
from web.denials import tell_denial
from web.parts import Parts

SIGN_IN = "/connexion"
STAFF_SIGN_IN = f"{DESK}{SIGN_IN}"
RESUME = "/reprendre"
_MOST_PATH = 200
# By which what is sent could be lost; the last two say that the page is another session's or company's.
_LOSING: Final = (NotAuthenticated, TermsNotAccepted, CsrfRefused, CompanySwitched)
SPACE_POLICY = f"{PAGE_POLICY}; script-src 'self'; connect-src 'self'"


def own_path(address: str | None, otherwise: str = HOME) -> str:
    """An address of ours to go on to; anything that could lead elsewhere is not taken (security.md H-05)."""
    if not address or len(address) > _MOST_PATH or not address.startswith("/") or address.startswith("//"):
        return otherwise
    if not address.isprintable() or any(mark in address for mark in '\\%"<> ') or urlsplit(address).netloc:
        return otherwise
    return address


def space_page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    who: Greeting | None = None,
    in_session: bool = False,
    wrong: InvalidFields | None = None,
    **values: object,
) -> HTMLResponse:
    """A page of the space. `who`: the signed-in user. `in_session`: its forms change something in a session, also one
    that is not greeted yet; else they carry the visit's token. `wrong`: what is to be corrected in its form."""
    use: Parts = request.app.state.parts
    session = session_of(request, use)
    visit = visit_of(request, use)
    answer = page(
        f"space/{template}.html",
        status,
        SPACE_POLICY,
        who=who,
        menu=menu_of(who) if who is not None else None,
        look_as=who.look_as if who is not None else None,
        csrf=csrf_token(session if session is not None and (who is not None or in_session) else visit),
        wrong=wrong.errors if wrong else [],
        errors={error.field: error.message for error in wrong.errors} if wrong else {},
        here=request.url.path,
        **values,
    )
    if cookie_of(request, Cookie.visit, use.config) is None:
        set_cookie(answer, Cookie.visit, visit, use.config)
    return answer


async def signed_in_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    wrong: InvalidFields | None = None,
    status: int = 0,
    **values: Any,
) -> HTMLResponse:
    """A page that greets whoever is signed in: 422 where something is `wrong`, unless another status is given."""
    who = await greeting(use.system, caller)
    return space_page(request, template, status or (422 if wrong else 200), who=who, wrong=wrong, **values)


def session_of(request: Request, use: Parts) -> str | None:
    """The session's secret, whichever door's."""
    return next((session for kind in UserKind if (session := cookie_of(request, SESSION_OF[kind], use.config))), None)


def drawing(svg: str) -> Markup:
    """An SVG that we drew, as part of a page."""
    return Markup(svg)  # noqa: S704 - a QR code of ours: no text of anybody's stands in it


def one_problem(problem: Problem, field: str = "") -> InvalidFields:
    """A problem shown on the form that it came from."""
    return InvalidFields([FieldError(field, problem.code, problem.detail)])


def overloaded_page() -> HTMLResponse:
    """Told to whoever signs in while too many do: rendered once, as it says the same to everybody."""
    return HTMLResponse(
        _overloaded(),
        Overloaded.status,
        {"Content-Security-Policy": SPACE_POLICY, "Retry-After": str(Overloaded.retry_after)},
    )


@cache
def _overloaded() -> bytes:
    problem = Overloaded()
    values: dict[str, Any] = {
        "who": None,
        "menu": None,
        "look_as": None,
        "csrf": "",
        "wrong": [],
        "errors": {},
        "here": SIGN_IN,
        "again": True,
    }
    shown = page("space/problem.html", title=problem.title, detail=problem.detail, **values)
    return bytes(shown.body)


class SpaceRoute(PageRoute):
    """A route whose problems are pages; what is missing first (a session, a code, the terms) is asked for, then the
    person comes back."""

    kept: ClassVar[Kept | None] = None  # of the routes of a form that is shown again itself

    async def answer(self, request: Request, problem: Problem) -> Response:
        await tell_denial(request, problem)
        if self.kept is not None and "hx-request" in request.headers:
            # a piece of a page that holds more than is sent: what went wrong must not take its place
            return Response(status_code=max(400, problem.status))
        losing = _LOSING if self.kept is not None else _LOSING[:2]
        if request.method == "POST" and "hx-request" not in request.headers and isinstance(problem, losing):
            sealed = await sealed_form(request, request.app.state.parts, self.kept)
            if sealed is not None:
                return _kept_page(request, problem, self.kept, sealed)
        staff = of_staff(request.url.path)
        after = urlencode({"suite": _seen(request, staff)})
        if isinstance(problem, NotAuthenticated):
            return _go(request, f"{STAFF_SIGN_IN if staff else SIGN_IN}?{after}")
        if isinstance(problem, TermsNotAccepted):
            return _go(request, f"/conditions/nouvelles?{after}")
        if isinstance(problem, StepUpNeeded):
            return _go(request, f"/connexion/confirmer?{after}")
        use: Parts = request.app.state.parts
        caller: Caller | None = getattr(request.state, "caller", None)
        who = await greeting(use.system, caller) if caller is not None and caller.signed_in is not None else None
        page = space_page(
            request,
            "problem",
            problem.status,
            who=who,
            title=problem.title,
            detail=problem.detail,
            again=problem.status >= 429,
        )
        return with_retry(page, problem)


def _kept_page(request: Request, problem: Problem, kept: Kept | None, sealed: Sealed) -> Response:
    staff = of_staff(sealed.path)
    shown = kept.shown if kept is not None else _seen(request, staff)
    return space_page(
        request,
        "kept",
        problem.status,
        reason=problem.code,
        sign_in=f"{STAFF_SIGN_IN if staff else SIGN_IN}?{urlencode({'suite': shown})}",
        again=kept.again if kept is not None else RESUME,
        name=SEALED,
        sealed=sealed.text,
        hours=HOURS,
    )


def _seen(request: Request, staff: bool) -> str:
    """What was looked at; what was sent comes from a page that was."""
    seen = request.url.path if request.method in SAFE else urlsplit(request.headers.get("referer", "")).path
    return own_path(seen, DESK if staff else HOME)


def _go(request: Request, address: str) -> Response:
    """To another page. A part of a page that htmx asked for leads the whole page there: it would be put into it."""
    if "HX-Request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return see_other(address)
