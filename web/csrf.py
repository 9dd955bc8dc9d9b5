"""Refuses changes that another site makes a browser send (security.md H-01): by what the browser says of their origin,
and by a token that only our own pages know."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, Request

from services.problems import CsrfRefused
from services.sessions import csrf_token, same_token
from web.cookies import Cookie, cookie_of
from web.parts import Parts, parts

HEADER = "X-CSRF-Token"
FIELD = "csrf"
SAFE = ("GET", "HEAD", "OPTIONS")
_OWN = ("same-origin", "none")  # none: the person's own doing, no site's
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"

_Use = Annotated[Parts, Depends(parts)]


async def given_token(request: Request) -> str | None:
    """The token of a request: in its header, or in the form of a page."""
    header = request.headers.get(HEADER)
    if header is not None or content_type(request) != _FORM:
        return header
    try:
        fields = parse_qs((await request.body()).decode("ascii"), max_num_fields=200)
    except ValueError:
        return None
    return next(iter(fields.get(FIELD, ())), None)


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


# --- the JSON door


def from_elsewhere(request: Request, public_base_url: str) -> bool:
    """Whether a browser says that another site made the request. What is no browser says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    origin = request.headers.get("origin")
    return origin is not None and origin != _origin(public_base_url)


async def not_from_elsewhere(request: Request, use: _Use) -> None:
    """A dependency of changes that need no session (signing in…). Raises CsrfRefused."""
    if request.method not in SAFE and from_elsewhere(request, use.config.public_base_url):
        raise CsrfRefused()


async def employees_own(request: Request, use: _Use) -> None:
    """A dependency of changes in an employee's session: with that session's token. Raises CsrfRefused."""
    await not_from_elsewhere(request, use)
    session = cookie_of(request, Cookie.employee, use.config)
    if request.method not in SAFE and session is not None:
        _expect(request, csrf_token(session), await given_token(request))


# --- pages


def visit_of(request: Request, use: Parts) -> str:
    """The secret of this browser's visit, which the forms of pages carry a token of; a new one where there is none."""
    if not hasattr(request.state, "visit"):
        request.state.visit = cookie_of(request, Cookie.visit, use.config) or secrets.token_urlsafe(32)
    return str(request.state.visit)


async def own_site_only(request: Request, use: _Use) -> None:
    """Raises CsrfRefused for what does not come from our own pages.

    `Sec-Fetch-Site` decides where the browser sends it; otherwise `Origin` must be ours. Neither: refused.
    """
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    own = site in _OWN if site is not None else request.headers.get("origin") == _origin(use.config.public_base_url)
    if not own:
        raise CsrfRefused()


async def own_pages_only(request: Request, use: _Use) -> None:
    """The same, and with the token of the visit that the page was shown in. Raises CsrfRefused."""
    await own_site_only(request, use)
    if request.method not in SAFE:
        visit = cookie_of(request, Cookie.visit, use.config)
        if visit is None:
            raise CsrfRefused()
        _expect(request, csrf_token(visit), await given_token(request))


def _expect(request: Request, expected: str, given: str | None) -> None:
    """In a form with a file the token stands beside the file: `check_beside_file` looks, once it is read."""
    if given is None and content_type(request) == _MULTIPART:
        request.state.csrf_expected = expected
    elif not same_token(given, expected):
        raise CsrfRefused()


def check_beside_file(request: Request, given: str | None) -> None:
    """Raises CsrfRefused."""
    expected = getattr(request.state, "csrf_expected", None)
    if expected is not None and not same_token(given, expected):
        raise CsrfRefused()


def _origin(url: str) -> str:
    scheme, host = urlsplit(url)[:2]
    return f"{scheme}://{host}"


NotFromElsewhere = Depends(not_from_elsewhere)
EmployeesOwn = Depends(employees_own)
OwnSite = Depends(own_site_only)
OwnPages = Depends(own_pages_only)
