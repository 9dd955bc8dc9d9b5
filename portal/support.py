"""Help, messages, notifications, site map, accessibility: where to turn to."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from domain.policy import DEFAULT_POLICY
from portal.menu import Page
from portal.space import SpaceRoute, signed_in_page, space_page
from services.greetings import greeting
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

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
