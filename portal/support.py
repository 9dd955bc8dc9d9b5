"""« Mes démarches », help, messages, notifications, site map, accessibility: where to turn to."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.policy import DEFAULT_POLICY
from portal.menu import Page
from portal.space import SpaceRoute, signed_in_page, space_page
from services.greetings import greeting
from services.latest_events import NOTABLE
from services.problems import NotFound
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

NOTIFICATIONS: Final = "/notifications"
MESSAGES: Final = "/messages"
MOST_SHOWN: Final = 25  # lines of a page
# The pages that no menu leads to.
_EMPLOYERS: Final = (
    Page("Ajouter un établissement", "/profil/etablissement"),
    Page("Demander un mandat", "/habilitations/mandats/demande"),
)
_EVERYBODYS: Final = (
    Page("Où suis-je connecté ?", "/profil/connexions"),
    Page("Conditions générales", "/conditions"),
    Page("Accessibilité", "/accessibilite"),
)

Cursor = Annotated[str, Query(alias="apres", max_length=200)]
Siren = Annotated[str, Query(alias="entreprise", pattern=r"^(\d{9})?$")]


@router.get("/demarches")
async def procedures(request: Request, caller: UserCaller, use: Use) -> Response:
    """The guide's reasons in two levels, each with the page that does it, or the telephone."""
    return await signed_in_page(request, caller, use, "support/procedures")


@router.get("/aide")
async def help_page(request: Request, caller: UserCaller, use: Use) -> Response:
    return await signed_in_page(request, caller, use, "support/help", rules=DEFAULT_POLICY)


@router.get("/plan")
async def site_map(request: Request, caller: UserCaller, use: Use) -> Response:
    who = await greeting(use.system, caller)
    others = _EVERYBODYS if who.staff else (*_EMPLOYERS, *_EVERYBODYS)
    return space_page(request, "support/site_map", who=who, others=others)


@router.get("/accessibilite")
async def accessibility(request: Request) -> Response:
    return space_page(request, "support/accessibility")


# --- what we wrote to the user


@router.get(MESSAGES)
async def messages(request: Request, caller: UserCaller, use: Use, apres: Cursor = "") -> Response:
    listed = await use.own_notices.page(caller, MOST_SHOWN, apres)
    return await signed_in_page(
        request,
        caller,
        use,
        "support/messages",
        items=listed.items,
        first_page=MESSAGES if apres else "",
        next_page=_next(MESSAGES, listed.next_cursor),
    )


@router.get(f"{MESSAGES}/{{notice_id:uuid}}")
async def message(notice_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    one = await use.own_notices.one(caller, notice_id)
    return await signed_in_page(request, caller, use, "support/message", one=one)


# --- what happened to the companies' affiliations


@router.get(NOTIFICATIONS)
async def notifications(
    request: Request, caller: UserCaller, use: Use, entreprise: Siren = "", apres: Cursor = ""
) -> Response:
    companies = (await use.company_views.companies(caller)).items
    chosen = next((one for one in companies if one.siren == entreprise), None)
    if entreprise and chosen is None:
        raise NotFound()
    listed = await use.latest_events.page(caller, NOTABLE, MOST_SHOWN, apres, chosen.id if chosen else None)
    own = f"{NOTIFICATIONS}?{urlencode({'entreprise': entreprise})}" if chosen else NOTIFICATIONS
    return await signed_in_page(
        request,
        caller,
        use,
        "support/notifications",
        items=listed.items,
        companies=companies,
        chosen=chosen,
        first_page=own if apres else "",
        next_page=_next(NOTIFICATIONS, listed.next_cursor, entreprise=entreprise),
    )


def _next(path: str, cursor: str | None, **asked: str) -> str:
    """The address of the next page, or ""."""
    if cursor is None:
        return ""
    return f"{path}?{urlencode({**{name: value for name, value in asked.items() if value}, 'apres': cursor})}"
