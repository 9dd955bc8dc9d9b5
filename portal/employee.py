"""The employee's pages: where the links of e-mails and the codes of letters lead."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import ValidationError

from db import affiliations
from db.pool import employee_side
from domain.affiliation import DeclineReason, Status
from portal.csrf import SameSite
from portal.forms import Fields
from portal.pages import PageRoute, page, see_other
from services.callers import EmployeeCaller
from services.enrolments import SESSION_HOURS, Access, Decline
from services.problems import NotAuthenticated, WrongAccess
from settings import Environment
from web.callers import EMPLOYEE_COOKIE, Employee
from web.parts import Parts, parts

router = APIRouter(route_class=PageRoute, dependencies=[SameSite], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]
LINK_METHODS = ["GET", "HEAD"]  # scanners of mailed links ask with either, any number of times


@router.api_route("/e/{token}", methods=LINK_METHODS)
async def link(token: str, use: Use) -> Response:
    """The link of a message: a session, and on to an address without the secret."""
    return await _through_link(use, token, "/dossier")


@router.api_route("/e/{token}/non", methods=LINK_METHODS)
async def decline_link(token: str, use: Use) -> Response:
    """« Ce n'est pas moi », « J'ai quitté l'entreprise »: asked on the next page, not done here."""
    return await _through_link(use, token, "/dossier/non")


@router.get("/courrier")
async def letter_code() -> Response:
    return page("employee/letter_code.html", wrong=False, code="")


@router.post("/courrier")
async def open_letter_code(fields: Fields, use: Use) -> Response:
    """The code of a letter, typed. Unknown, wrong and dead codes get one answer."""
    code = fields.get("code", "")
    session = await _open(use, code=code)
    if session is None:
        return page("employee/letter_code.html", 422, wrong=True, code=code[:64])
    return _with_session(see_other("/dossier"), session, use)


@router.get("/dossier")
async def record(employee: Employee, use: Use) -> Response:
    """Where the person stands."""
    view = await use.enrolments.current(employee)
    return page("employee/record.html", view=view, employer=await _employer(employee, use))


@router.get("/dossier/non")
async def ask_to_decline(employee: Employee, use: Use) -> Response:
    return await _decline_page(employee, use)


@router.post("/dossier/non")
async def decline(employee: Employee, fields: Fields, use: Use) -> Response:
    """What was answered ends the session: nothing is left to open with it."""
    if fields.get("reason") not in set(DeclineReason):
        return await _decline_page(employee, use, wrong=True)
    reason = DeclineReason(fields["reason"])
    await use.enrolments.decline(employee, Decline(reason=reason))
    answer = see_other(f"/dossier/non/merci?reponse={reason}")
    answer.delete_cookie(EMPLOYEE_COOKIE)
    return answer


@router.get("/dossier/non/merci")
async def declined(reponse: Annotated[DeclineReason, Query()]) -> Response:
    return page("employee/declined.html", reason=reponse)


async def _through_link(use: Parts, token: str, address: str) -> Response:
    session = await _open(use, token=token)
    if session is None:
        return page("employee/link_unknown.html", 404)
    answer = see_other(address)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return _with_session(answer, session, use)


async def _open(use: Parts, token: str | None = None, code: str | None = None) -> str | None:
    """A new session's secret; None for whatever opens nothing."""
    try:
        session, _ = await use.enrolments.open(Access(token=token, code=code))
    except (WrongAccess, ValidationError):  # the second: nothing that we ever wrote looks like that
        return None
    return session


def _with_session(answer: Response, session: str, use: Parts) -> Response:
    answer.set_cookie(
        EMPLOYEE_COOKIE,
        session,
        max_age=SESSION_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=use.config.environment is Environment.production,
    )
    return answer


async def _decline_page(employee: EmployeeCaller, use: Parts, wrong: bool = False) -> Response:
    employer = await _employer(employee, use)
    closed = employee.status == Status.finalised
    return page("employee/decline.html", 422 if wrong else 200, employer=employer, closed=closed, wrong=wrong)


async def _employer(employee: EmployeeCaller, use: Parts) -> str:
    """Who declared them: all that these pages say before the person has proved who they are."""
    async with employee_side(use.web, employee.affiliation_id) as connection:
        person = await affiliations.person(connection, employee.affiliation_id)
    if person is None:
        raise NotAuthenticated()
    city = person["establishment_city"]
    return f"{person['establishment']}, à {city}" if city else str(person["establishment"])
