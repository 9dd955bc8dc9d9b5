"""« Déclarés en DSN, pas encore pré-affiliés »: each leads to the pre-affiliation form, or is put aside."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from messages.dsn_words import DISMISSALS
from messages.typography import french
from portal.desk_pages import Done
from portal.forms import Fields
from portal.pages import see_other
from portal.space import SpaceRoute, signed_in_page
from services.callers import Caller
from services.fields import validated
from services.hire_proposals import Dismissal
from services.problems import FieldError, InvalidFields
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

HIRES: Final = "/salaries/pre-affiliation/dsn"
_NOTES: Final = {"ecartee": french("C’est noté : cette personne ne vous sera plus proposée.")}


@router.get(HIRES)
async def hires(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    return await _page(request, caller, use, note=_NOTES.get(fait, ""))


@router.post(f"{HIRES}/{{proposal_id:uuid}}/ecart")
async def dismiss(proposal_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    try:
        asked = validated(Dismissal, {"reason": fields.get("reason", "")})
    except InvalidFields:
        words = "Choisissez pourquoi, par exemple « Elle est déjà partie »."
        wrong = InvalidFields([FieldError(f"reason-{proposal_id}", "missing", french(words))])
        return await _page(request, caller, use, wrong=wrong)
    await use.hire_proposals.dismiss(caller, proposal_id, asked)
    return see_other(f"{HIRES}?fait=ecartee")


async def _page(
    request: Request, caller: Caller, use: Parts, note: str = "", wrong: InvalidFields | None = None
) -> Response:
    listed = await use.hire_proposals.list(caller)
    return await signed_in_page(
        request,
        caller,
        use,
        "pre_affiliation/dsn",
        wrong,
        note=note,
        items=listed.items,
        more=listed.count > len(listed.items),
        reasons=DISMISSALS,
        several=len({one.siret for one in listed.items}) > 1,
    )
