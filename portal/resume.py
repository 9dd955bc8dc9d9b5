"""« Reprendre ma saisie »: what was typed when a session ended, shown again before it is sent (`portal.kept_forms`)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from portal.forms import Fields
from portal.kept_forms import opened, signed_in_again
from portal.menu import HOME
from portal.pages import see_other
from portal.space import RESUME, SpaceRoute, signed_in_page
from services.callers import Caller
from web.callers import Use
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

# What a person recognises of what they typed; the rest (choices by their codes, ids) is sent again as it was.
_SHOWN: Final = {
    "first_name": "Prénom",
    "first_names": "Prénoms",
    "last_name": "Nom",
    "birth_name": "Nom de naissance",
    "name": "Nom",
    "email": "Adresse e-mail",
    "phone": "Téléphone",
    "line1": "Adresse",
    "line2": "Complément d’adresse",
    "postcode": "Code postal",
    "city": "Ville",
    "siren": "SIREN",
    "siret": "SIRET",
    "ends_on": "Date de fin",
    "contract_ends_on": "Dernier jour du contrat",
    "ticket": "Référence",
    "note": "Note",
    "message": "Message",
}


async def again_caller(request: Request, use: Use) -> Caller:
    return await signed_in_again(request, use)


@router.post(RESUME)
async def resume(
    request: Request, caller: Annotated[Caller, Depends(again_caller)], fields: Fields, use: Use
) -> Response:
    kept = opened(request, use, caller, fields)
    return await signed_in_page(
        request,
        caller,
        use,
        "resume",
        status=0 if kept else 410,
        kept=kept,
        shown=[(label, kept.typed[name]) for name, label in _SHOWN.items() if name in kept.typed] if kept else [],
    )


@router.get(RESUME)
async def home() -> Response:
    """Where something was sent to is looked at again after signing in."""
    return see_other(HOME)
