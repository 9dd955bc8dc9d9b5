"""« Notifications » and « Messages »: what is new, shown, marked and told to open pages; when one is written to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.sse import EventSourceResponse, format_sse_event

from domain.notifications import USUAL, How, NotificationKind
from messages.typography import french
from portal.forms import Fields
from portal.pages import see_other
from portal.space import SpaceRoute, signed_in_page
from services.callers import Caller
from services.fields import validated
from services.notifications import ChosenPreferences, CompanyPreferences, ReadUntil
from services.problems import FieldError, InvalidFields, NotAllowed, NotFound, TooManyRequests
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

NOTIFICATIONS: Final = "/notifications"
MESSAGES: Final = "/messages"
PREFERENCES: Final = "/profil/notifications"
MOST_SHOWN: Final = 25  # lines of a page
KIND_LABELS: Final = {
    NotificationKind.to_correct: french("Coordonnées à corriger : plus rien ne parvient au salarié"),
    NotificationKind.abandoned_soon: french("Affiliation bientôt abandonnée (7 jours avant)"),
    NotificationKind.finalised: french("Affiliation finalisée par le salarié"),
    NotificationKind.ended: french("Affiliation déclinée ou abandonnée"),
}
HOW_LABELS: Final = {
    How.immediate: french("Tout de suite"),
    How.daily: french("Chaque jour ouvré, à 8 h"),
    How.weekly: french("Chaque semaine, lundi à 8 h"),
    How.none: french("Pas d’e-mail"),
}
_DONE: Final = {
    "lu": "Tout est marqué comme lu.",
    "enregistre": "Vos choix sont enregistrés.",
}
_UNKNOWN: Final = french(f"Choisissez une réponse de la liste, par exemple « {HOW_LABELS[How.daily]} ».")
_AS_EACH: Final = ""  # of all companies: what differs from one to another stays so

Cursor = Annotated[str, Query(alias="apres", max_length=200)]
Siren = Annotated[str, Query(alias="entreprise", pattern=r"^(\d{9})?$")]
Done = Annotated[str, Query(alias="fait", max_length=40)]


# --- what happened


@router.get(NOTIFICATIONS)
async def notifications(
    request: Request, caller: UserCaller, use: Use, entreprise: Siren = "", apres: Cursor = "", fait: Done = ""
) -> Response:
    companies = (await use.company_views.companies(caller)).items
    chosen = next((one for one in companies if one.siren == entreprise), None)
    if entreprise and chosen is None:
        raise NotFound()
    listed = await use.notifications.page(caller, MOST_SHOWN, apres, chosen.id if chosen else None)
    own = f"{NOTIFICATIONS}?{urlencode({'entreprise': entreprise})}" if chosen else NOTIFICATIONS
    return await signed_in_page(
        request,
        caller,
        use,
        "support/notifications",
        items=listed.items,
        as_of=listed.as_of,
        companies=companies,
        chosen=chosen,
        first_page=own if apres else "",
        next_page=_next(NOTIFICATIONS, listed.next_cursor, entreprise=entreprise),
        note=_DONE.get(fait, ""),
    )


@router.post(f"{NOTIFICATIONS}/lues")
async def read(caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Up to when the page was shown: what came after it is still new."""
    asked = _read_until(fields)
    await use.notifications.read(caller, asked)
    return see_other(f"{NOTIFICATIONS}?fait=lu")


# --- what we wrote to the user


@router.get(MESSAGES)
async def messages(request: Request, caller: UserCaller, use: Use, apres: Cursor = "", fait: Done = "") -> Response:
    listed = await use.own_notices.page(caller, MOST_SHOWN, apres)
    return await signed_in_page(
        request,
        caller,
        use,
        "support/messages",
        items=listed.items,
        as_of=datetime.now(UTC),
        first_page=MESSAGES if apres else "",
        next_page=_next(MESSAGES, listed.next_cursor),
        note=_DONE.get(fait, ""),
    )


@router.get(f"{MESSAGES}/{{notice_id:uuid}}")
async def message(notice_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    one = await use.own_notices.one(caller, notice_id)
    await use.notifications.message_read(caller, notice_id)
    return await signed_in_page(request, caller, use, "support/message", one=one)


@router.post(f"{MESSAGES}/lus")
async def messages_read(caller: UserCaller, fields: Fields, use: Use) -> Response:
    await use.notifications.messages_read(caller, _read_until(fields))
    return see_other(f"{MESSAGES}?fait=lu")


def _read_until(fields: dict[str, str]) -> ReadUntil:
    """Raises InvalidFields: not what our page sends."""
    return validated(ReadUntil, {"until": fields.get("jusqua", "")})


# --- live


@router.get(f"{NOTIFICATIONS}/flux")
async def flow(caller: UserCaller, use: Use) -> Response:
    """Server-sent events: how many are new, whenever it changes. 204 tells a browser not to ask again."""
    try:
        use.notification_feed.check(caller)
    except (NotAllowed, TooManyRequests):
        return Response(status_code=204)
    return EventSourceResponse(_events(caller, use), headers={"X-Accel-Buffering": "no"})


async def _events(caller: Caller, use: Parts) -> AsyncIterator[bytes]:
    with contextlib.suppress(NotAllowed, TooManyRequests):
        async with contextlib.aclosing(use.notification_feed.stream(caller)) as stream:
            async for unread in stream:
                if unread is None:
                    yield format_sse_event(comment="")
                else:
                    yield format_sse_event(event="unread", data_str=unread.model_dump_json())


# --- when one is written to


@router.get(PREFERENCES)
async def preferences(
    request: Request, caller: UserCaller, use: Use, entreprise: Siren = "", fait: Done = ""
) -> Response:
    return await _preferences(request, caller, use, entreprise, note=_DONE.get(fait, ""))


@router.post(PREFERENCES)
async def prefer(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    siren = fields.get("entreprise", "")
    typed = {kind: fields.get(kind.value, _AS_EACH) for kind in NotificationKind}
    wrong = [
        FieldError(
            kind.value, "unknown", f"Choisissez une réponse de la liste, par exemple « {HOW_LABELS[How.daily]} »."
        )
        for kind, how in typed.items()
        if how not in (*How, _AS_EACH)
    ]
    if wrong:
        return await _preferences(request, caller, use, siren, InvalidFields(wrong))
    kinds = {kind.value: how for kind, how in typed.items() if how != _AS_EACH}
    await use.notifications.prefer(caller, validated(ChosenPreferences, {"siren": siren or None, "kinds": kinds}))
    asked = {"entreprise": siren, "fait": "enregistre"}
    return see_other(f"{PREFERENCES}?{urlencode({name: value for name, value in asked.items() if value})}")


async def _preferences(
    request: Request, caller: Caller, use: Parts, siren: str, wrong: InvalidFields | None = None, note: str = ""
) -> Response:
    """Raises NotFound: a company of others."""
    known = (await use.notifications.preferences(caller)).items
    chosen = next((one for one in known if one.siren == siren), None)
    if siren and chosen is None:
        raise NotFound()
    return await signed_in_page(
        request,
        caller,
        use,
        "account/notifications",
        wrong,
        companies=known,
        chosen=chosen,
        kinds=KIND_LABELS,
        hows=HOW_LABELS,
        set_to=_set_to([chosen] if chosen else known),
        note=note,
    )


def _set_to(companies: list[CompanyPreferences]) -> dict[NotificationKind, str]:
    """What is chosen for all of them; "" where it differs."""
    if not companies:
        return {kind: how.value for kind, how in USUAL.items()}
    found = {kind: {one.kinds[kind] for one in companies} for kind in NotificationKind}
    return {kind: hows.pop().value if len(hows) == 1 else _AS_EACH for kind, hows in found.items()}


def _next(path: str, cursor: str | None, **asked: str) -> str:
    """The address of the next page, or ""."""
    if cursor is None:
        return ""
    return f"{path}?{urlencode({**{name: value for name, value in asked.items() if value}, 'apres': cursor})}"
