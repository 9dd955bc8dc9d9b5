"""Who is calling, for both doors: API keys and employees' session cookies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from services.access import WRITING_DAYS
from services.api_keys import find_key
from services.callers import Caller, EmployeeCaller, Scope
from services.problems import NotAuthenticated
from settings import Environment, Settings
from web.parts import Parts, parts

EMPLOYEE_COOKIE = "employee"

_bearer = HTTPBearer(auto_error=False, description="API key, `hcr_…`")
_cookie = APIKeyCookie(name=EMPLOYEE_COOKIE, auto_error=False, description="Employee's session")


async def key_caller(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    parts: Annotated[Parts, Depends(parts)],
) -> Caller:
    """The employer or member of staff behind the API key. Raises NotAuthenticated."""
    caller = await find_key(parts.system, credentials.credentials) if credentials else None
    if caller is None:
        raise NotAuthenticated("Indiquez une clé d’accès valable dans l’en-tête Authorization.")
    return caller


async def staff_caller(caller: Annotated[Caller, Depends(key_caller)]) -> Caller:
    """A member of staff, known as one before a body is read. Raises NotAuthenticated, NotAllowed."""
    caller.need(Scope.staff)
    return caller


async def employee_caller(
    session: Annotated[str | None, Depends(_cookie)], parts: Annotated[Parts, Depends(parts)]
) -> EmployeeCaller:
    """The employee behind the session cookie, ended or not: services know what that still does.

    Raises NotAuthenticated.
    """
    return await parts.access.caller(session)


def open_session(answer: Response, session: str, config: Settings) -> None:
    """Give a browser its session. The server ends it after some hours; what was being typed then is still taken in."""
    answer.set_cookie(
        EMPLOYEE_COOKIE,
        session,
        max_age=WRITING_DAYS * 24 * 3600,
        httponly=True,
        samesite="lax",
        secure=config.environment is Environment.production,
    )


KeyCaller = Annotated[Caller, Depends(key_caller)]
StaffCaller = Annotated[Caller, Depends(staff_caller)]
Employee = Annotated[EmployeeCaller, Depends(employee_caller)]
