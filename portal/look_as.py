"""Consulting an employer's space in their place: read-only, with a reason, for a while; and what its administrators are
told of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from portal.desk_pages import desk_page, in_words, writes
from portal.forms import Fields, as_typed
from portal.menu import DESK, HOME
from portal.pages import see_other
from portal.space import SpaceRoute, signed_in_page
from services.callers import Caller
from services.fields import validated
from services.look_as import MINUTES, LookReason, NewLookAs
from services.problems import InvalidFields
from web.callers import StaffClerk, StaffUser, Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

ONE: Final = "/gestion/entreprises/{company_id:uuid}/consultation"
_MISSING: Final = {"reason": "Choisissez un motif."}


@router.get(ONE)
async def reason_page(company_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _reason_page(request, caller, use, company_id, {})


@router.post(ONE)
async def begin(company_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    writes(caller)
    try:
        asked = validated(NewLookAs, as_typed(fields, "reason", "ticket"))
        await use.look_as.begin(caller, company_id, asked)
    except InvalidFields as wrong:
        return await _reason_page(request, caller, use, company_id, fields, in_words(wrong, _MISSING))
    return see_other(HOME)


async def _reason_page(
    request: Request,
    caller: Caller,
    use: Parts,
    company_id: UUID,
    fields: Mapping[str, str],
    wrong: InvalidFields | None = None,
) -> Response:
    company = await use.company_register.company(caller, company_id)
    return await desk_page(
        request,
        caller,
        use,
        "register/look_as",
        wrong,
        company=company,
        typed=as_typed(fields, "reason", "ticket"),
        reasons=[one.value for one in LookReason],
        minutes=MINUTES,
    )


@router.post("/gestion/consultation/fin")
async def end(caller: StaffUser, use: Use) -> Response:
    """Also when its time is over already."""
    company_id = await use.look_as.end(caller)
    return see_other(f"{DESK}/entreprises/{company_id}?fait=fin" if company_id else DESK)


@router.get("/habilitations/consultations")
async def looked_at(
    request: Request, caller: UserCaller, use: Use, avant: Annotated[UUID | None, Query()] = None
) -> Response:
    """For the administrators of the companies that were looked at."""
    listed = await use.look_as.list(caller, avant)
    return await signed_in_page(
        request, caller, use, "register/looked_at", listed=listed, further=avant is not None, now=datetime.now(UTC)
    )
