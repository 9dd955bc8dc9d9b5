"""« Envois »: the messages that are waiting, refused or in doubt; what is in doubt is settled on its file's page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from domain.media import Medium
from portal.desk_pages import desk_page
from portal.space import SpaceRoute
from services.dispatch_queue import QueueState
from services.problems import InvalidFields, NotFound
from web.callers import StaffUser, Use
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

QUEUE: Final = "/gestion/envois"
LONG_HOURS: Final = {"unknown": 4, "prepared": 4, "rejected": 72, "handed_over": 240}  # older than that stands out


@router.get(QUEUE)
async def queue(
    request: Request,
    caller: StaffUser,
    use: Use,
    etat: QueueState = QueueState.unknown,
    media: Annotated[Medium | None, Query()] = None,
    apres: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    try:
        listed = await use.dispatch_queue.list(caller, etat, media, apres)
    except InvalidFields:
        raise NotFound() from None

    def address(**chosen: str | None) -> str:
        asked = {"etat": etat.value, "media": media, **chosen}
        return f"{QUEUE}?{urlencode({name: value for name, value in asked.items() if value})}"

    return await desk_page(
        request,
        caller,
        use,
        "register/dispatches",
        queue=listed,
        state=etat.value,
        medium=media,
        states=[one.value for one in QueueState],
        media=[one.value for one in Medium],
        address=address,
        further=apres is not None,
        now=datetime.now(UTC),
        long_hours=LONG_HOURS,
    )
