"""The messages of one affiliation, as its employer may read them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from portal.follow_up_one import ONE
from portal.space import SPACE_POLICY, SpaceRoute, space_page
from services.greetings import greeting
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

MESSAGE: Final = f"{ONE}/messages/{{dispatch_id:uuid}}"
# Nothing in a framed e-mail can run, load or lead anywhere.
_MAIL_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_PDF_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"


@router.get(MESSAGE)
async def message(affiliation_id: UUID, dispatch_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """One message: its state, and what it says where the employer may read that."""
    who, shown = await asyncio.gather(
        greeting(use.system, caller), use.affiliations.follow_up.messages.one(caller, affiliation_id, dispatch_id)
    )
    answer = space_page(
        request,
        "follow_up/message",
        who=who,
        message=shown,
        dispatch=shown.dispatch,
        file=f"/salaries/suivi/{affiliation_id}",
        now=datetime.now(UTC),
    )
    answer.headers["Content-Security-Policy"] = f"{SPACE_POLICY}; frame-src 'self'; object-src 'self'"
    return answer


@router.get(f"{MESSAGE}/contenu")
async def content(affiliation_id: UUID, dispatch_id: UUID, caller: UserCaller, use: Use) -> Response:
    """An e-mail's HTML, for the frame."""
    html = await use.affiliations.follow_up.messages.html(caller, affiliation_id, dispatch_id)
    return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})


@router.get(f"{MESSAGE}/lettre.pdf")
async def letter(affiliation_id: UUID, dispatch_id: UUID, caller: UserCaller, use: Use) -> Response:
    pdf = await use.affiliations.follow_up.messages.letter(caller, affiliation_id, dispatch_id)
    headers = {
        "Content-Security-Policy": _PDF_POLICY,
        "Content-Disposition": f'inline; filename="lettre-{dispatch_id}.pdf"',
    }
    return Response(pdf, media_type="application/pdf", headers=headers)
