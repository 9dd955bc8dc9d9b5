"""The cookies of the doors (security.md S-01, S-06): each door its own, none is taken by another."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from fastapi import Request, Response

from domain.rights import UserKind
from settings import Environment, Settings

_A_YEAR: Final = 365 * 24 * 3600


class Cookie(StrEnum):
    employer = "sid"
    staff = "staff"
    employee = "employee"
    visit = "visit"  # a browser that looks at our pages
    device = "dev"  # the browser, known to users who gave a code in it


SESSION_OF = {UserKind.employer: Cookie.employer, UserKind.staff: Cookie.staff}


def name_of(cookie: Cookie, config: Settings) -> str:
    """As browsers know it. Over https `__Host-`: no other host can set it. Plain-http localhost cannot have that."""
    return f"__Host-{cookie}" if _https(config) else cookie.value


def cookie_of(request: Request, cookie: Cookie, config: Settings) -> str | None:
    return request.cookies.get(name_of(cookie, config))


def set_cookie(answer: Response, cookie: Cookie, value: str, config: Settings, max_age: int | None = None) -> None:
    """`max_age` in seconds; None: until the browser is closed."""
    answer.set_cookie(
        name_of(cookie, config), value, max_age=max_age, httponly=True, samesite="lax", secure=_https(config)
    )


def set_device(answer: Response, value: str, config: Settings) -> None:
    set_cookie(answer, Cookie.device, value, config, _A_YEAR)


def expire_cookie(answer: Response, cookie: Cookie, config: Settings) -> None:
    answer.delete_cookie(name_of(cookie, config), httponly=True, samesite="lax", secure=_https(config))


def _https(config: Settings) -> bool:
    return config.environment is Environment.production
