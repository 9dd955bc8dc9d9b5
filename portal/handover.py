"""From the computer to the phone: the page that shows the code, and the one that it leads to."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from portal.employee import LINK_METHODS
from portal.forms import Fields
from portal.frame import EmployeeRoute, employee_page, remember_language, texts
from portal.pages import see_other
from portal.space import drawing
from services.problems import BirthDateNeeded, NotAuthenticated, WrongAccess
from web.callers import Employee, open_session
from web.cookies import Cookie, cookie_of
from web.csrf import OwnPages
from web.parts import Parts, parts

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]
From = Annotated[Literal["", "documents"], Query()]
_BACK = {"": "/dossier", "documents": "/dossier/etapes/documents"}

# --- on the computer


@router.get("/dossier/telephone")
async def show(request: Request, employee: Employee, use: Use, depuis: From = "") -> Response:
    """The code, until a phone has opened it or its time is over."""
    view = await use.enrolments.current(employee)
    if view.locked:
        raise BirthDateNeeded()
    handover = await use.handovers.shown(employee, _secret(request, use))
    t = texts(view.language)
    return employee_page(
        request,
        "phone",
        t=t,
        handover=handover,
        qr=drawing(handover.qr) if handover is not None and handover.qr is not None else None,
        until=t.time(handover.until) if handover is not None else "",
        opened=t.time(handover.opened_at) if handover is not None and handover.opened_at is not None else "",
        back="/dossier" if view.submitted_at is not None else _BACK[depuis],
        depuis=depuis,
    )


@router.post("/dossier/telephone")
async def start(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """A new code; the one before is dead."""
    await use.handovers.start(employee, _secret(request, use))
    return see_other("/dossier/telephone" + ("?depuis=documents" if fields.get("depuis") == "documents" else ""))


def _secret(request: Request, use: Parts) -> str:
    """The session's own, which the link is made from. Raises NotAuthenticated."""
    secret = cookie_of(request, Cookie.employee, use.config)
    if secret is None:
        raise NotAuthenticated()
    return secret


# --- on the phone


@router.api_route("/t/{token}", methods=LINK_METHODS)
async def arrive(token: str, request: Request, use: Use) -> Response:
    """Asks first: apps that read codes look at addresses before a person does (security.md L-04)."""
    try:
        language = await use.handovers.language(token)
    except WrongAccess:
        return _dead(request)
    return employee_page(request, "phone_link", t=texts(language), dead=False)


@router.post("/t/{token}")
async def take(token: str, request: Request, use: Use) -> Response:
    """A session on this device."""
    try:
        session, language = await use.handovers.take(token)
    except WrongAccess:
        return _dead(request)
    answer = see_other("/dossier")
    open_session(answer, session, use.config)
    remember_language(answer, language, use)
    return answer


def _dead(request: Request) -> Response:
    return employee_page(request, "phone_link", 404, dead=True)
