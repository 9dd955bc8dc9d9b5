"""Who is calling, for both doors: users' sessions, API keys and employees' sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from domain.rights import UserKind
from services.access import WRITING_DAYS
from services.callers import READ_ONLY, Caller, EmployeeCaller, Pending, Scope, SignedIn
from services.problems import CsrfRefused, NotAllowed, NotAuthenticated
from services.sessions import csrf_token
from settings import Settings
from web.cookies import SESSION_OF, Cookie, cookie_of, set_cookie
from web.csrf import SAFE, from_elsewhere, given_token
from web.parts import Parts, parts

EMPLOYEE_COOKIE = Cookie.employee.value

_bearer = HTTPBearer(auto_error=False, description="API key, `hcr_…`")
# for the OpenAPI document: the cookies' names depend on https, so they are read by `cookie_of`
_session = APIKeyCookie(name=Cookie.employer, auto_error=False, description="User's session, with X-CSRF-Token")
_staff_session = APIKeyCookie(name=Cookie.staff, auto_error=False, description="Staff's session, with X-CSRF-Token")
_employee_session = APIKeyCookie(name=Cookie.employee, auto_error=False, description="Employee's session")

# Where staff are themselves, whatever they look at.
_NEVER_LOOKED_AT = frozenset({"api", "gestion", "session", "connexion", "conditions"})

Use = Annotated[Parts, Depends(parts)]
_Key = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


# --- users, and machines with an API key


async def any_caller(request: Request, key: _Key, use: Use, _: Annotated[str | None, Depends(_session)]) -> Caller:
    """The employer's user, member of staff or machine behind a request. Raises NotAuthenticated, TermsNotAccepted,
    CsrfRefused, CompanySwitched."""
    if key is not None:
        return await _key_caller(request, key.credentials, use)
    if cookie_of(request, Cookie.employer, use.config) is None and cookie_of(request, Cookie.staff, use.config):
        return await _looking(request, use, await _user(request, use, UserKind.staff))
    return await _user(request, use, UserKind.employer)


async def staff_caller(
    request: Request, key: _Key, use: Use, _: Annotated[str | None, Depends(_staff_session)]
) -> Caller:
    """A member of staff, known as one before a body is read. Raises as `any_caller`, NotAllowed."""
    if key is not None:
        caller = await _key_caller(request, key.credentials, use)
    elif cookie_of(request, Cookie.staff, use.config) is None and cookie_of(request, Cookie.employer, use.config):
        caller = await _user(request, use, UserKind.employer)  # and refused below, as one who is known
    else:
        caller = await _user(request, use, UserKind.staff)
    caller.need(Scope.staff)
    return caller


async def staff_writer(caller: Annotated[Caller, Depends(staff_caller)]) -> Caller:
    """Staff who may change something, known as such before a file is read. Raises as `staff_caller`."""
    caller.need(Scope.staff_write)
    return caller


async def staff_user(caller: Annotated[Caller, Depends(staff_caller)]) -> Caller:
    """A signed-in member of staff, no machine. Raises as `staff_caller`."""
    caller.person()
    return caller


async def staff_uploader(request: Request, use: Use) -> Caller:
    """Staff who send a file from a page, known as such before the file is read; the page's token stands beside it,
    where `web.uploads.uploaded_file` looks: every route with this caller takes a file. Raises as `staff_writer`."""
    kind = UserKind.staff
    if cookie_of(request, Cookie.staff, use.config) is None and cookie_of(request, Cookie.employer, use.config):
        kind = UserKind.employer  # and refused below, as one who is known
    token = cookie_of(request, SESSION_OF[kind], use.config)
    caller = await use.sessions.caller(token, kind)
    request.state.caller = caller
    request.state.csrf_expected = csrf_token(token or "")
    caller.need(Scope.staff_write)
    return caller


async def user_uploader(request: Request, use: Use) -> Caller:
    """An employer's user who sends a file from a page, as `staff_uploader`. Raises as `any_caller`."""
    kind = _kind(request, use.config)
    token = cookie_of(request, SESSION_OF[kind], use.config)
    caller = await use.sessions.caller(token, kind)
    request.state.caller = caller
    request.state.csrf_expected = csrf_token(token or "")
    caller = await _looking(request, use, caller)
    caller.need(Scope.write)
    return caller


async def staff_clerk(caller: Annotated[Caller, Depends(staff_user)]) -> Caller:
    """A signed-in member of staff who may change something, known as such before a form is read. Raises as
    `staff_caller`."""
    caller.need(Scope.staff_write)
    return caller


async def staff_head(caller: Annotated[Caller, Depends(staff_user)]) -> Caller:
    """Who looks after the accounts of staff. Raises as `staff_caller`."""
    caller.need(Scope.staff_super)
    return caller


async def user_caller(caller: Annotated[Caller, Depends(any_caller)]) -> Caller:
    """A signed-in user, no machine. Raises as `any_caller`, NotAllowed."""
    caller.person()
    return caller


async def user_before_terms(request: Request, use: Use) -> Caller:
    """A signed-in user who may still have terms to accept. Raises NotAuthenticated, CsrfRefused."""
    kind = _kind(request, use.config)
    return await _looking(request, use, await _user(request, use, kind, terms=False))


async def pending_user(request: Request, use: Use) -> Pending:
    """Whose second factor is asked. Raises NotAuthenticated, CsrfRefused."""
    kind = _kind(request, use.config)
    token = cookie_of(request, SESSION_OF[kind], use.config)
    pending = await use.sessions.pending(token, kind)
    await _check_csrf(request, use, token or "")
    return pending


async def challenged_user(request: Request, use: Use) -> Pending | SignedIn:
    """Of whom a code may be asked: whoever is signing in, or is signed in. Raises as `user_before_terms`,
    TermsNotAccepted."""
    kind = _kind(request, use.config)
    token = cookie_of(request, SESSION_OF[kind], use.config)
    user = await use.sessions.challenged(token, kind)
    await _check_csrf(request, use, token or "")
    return user


def _kind(request: Request, config: Settings) -> UserKind:
    staff = cookie_of(request, Cookie.staff, config) and not cookie_of(request, Cookie.employer, config)
    return UserKind.staff if staff else UserKind.employer


async def _user(request: Request, use: Parts, kind: UserKind, *, terms: bool = True) -> Caller:
    token = cookie_of(request, SESSION_OF[kind], use.config)
    caller = await use.sessions.caller(token, kind, terms=terms)
    await _check_csrf(request, use, token or "")
    request.state.caller = caller
    return caller


async def _looking(request: Request, use: Parts, caller: Caller) -> Caller:
    """Staff on an employer's page, as the company that they look at in its place, if any: to read, nothing else.

    Raises NotAllowed, MassReading.
    """
    first = request.url.path.split("/")[1]
    if Scope.staff not in caller.scopes or first in _NEVER_LOOKED_AT:
        return caller
    looking = await use.look_as.of(caller)
    if looking is None:
        return caller
    request.state.caller = looking
    if request.method not in SAFE or first == "profil":
        raise NotAllowed(READ_ONLY)
    return looking


async def _check_csrf(request: Request, use: Parts, token: str) -> None:
    if request.method in SAFE:
        return
    if from_elsewhere(request, use.config.public_base_url):
        raise CsrfRefused()
    await use.sessions.check_csrf(token, await given_token(request))


async def _key_caller(request: Request, secret: str, use: Parts) -> Caller:
    caller = await use.api_keys.caller(secret)
    if caller is None:
        raise NotAuthenticated("Indiquez une clé d’accès valable dans l’en-tête Authorization.")
    request.state.caller = caller
    return caller


# --- employees


async def employee_caller(
    request: Request, use: Use, _: Annotated[str | None, Depends(_employee_session)]
) -> EmployeeCaller:
    """The employee behind the session cookie, ended or not: services know what that still does.

    Raises NotAuthenticated.
    """
    return await use.access.caller(cookie_of(request, Cookie.employee, use.config))


def open_session(answer: Response, session: str, config: Settings) -> None:
    """Give a browser its session. The server ends it after some hours; what was being typed then is still taken in."""
    set_cookie(answer, Cookie.employee, session, config, WRITING_DAYS * 24 * 3600)


AnyCaller = Annotated[Caller, Depends(any_caller)]
StaffCaller = Annotated[Caller, Depends(staff_caller)]
StaffWriter = Annotated[Caller, Depends(staff_writer)]
StaffUser = Annotated[Caller, Depends(staff_user)]
StaffClerk = Annotated[Caller, Depends(staff_clerk)]
StaffHead = Annotated[Caller, Depends(staff_head)]
StaffUploader = Annotated[Caller, Depends(staff_uploader)]
UserUploader = Annotated[Caller, Depends(user_uploader)]
UserCaller = Annotated[Caller, Depends(user_caller)]
BeforeTerms = Annotated[Caller, Depends(user_before_terms)]
ChallengedUser = Annotated[Pending | SignedIn, Depends(challenged_user)]
PendingUser = Annotated[Pending, Depends(pending_user)]
Employee = Annotated[EmployeeCaller, Depends(employee_caller)]
