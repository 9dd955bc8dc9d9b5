"""The developer's pages, `/dev`: every affiliation with its clock, and the boxes that its messages arrive in.

They exist only where `settings.environment` is local; `routes.include` decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from activities.contracts.affiliation import workflow_id
from db import affiliations, enrolments, local_messages
from db.pool import system
from domain.affiliation import OPEN
from gateways.delivery import DeliveryEvent, DeliveryKind
from messages.typography import french
from portal import component_sheet, dev_clock, wording
from portal.forms import Fields
from portal.pages import PAGE_POLICY, PageRoute, page, see_other
from services.callers import Caller, Scope
from services.problems import NotFound
from services.views import AffiliationDetail, AffiliationSummary, summary
from web.csrf import OwnSite
from web.parts import Parts, parts

router = APIRouter(prefix="/dev", route_class=PageRoute, dependencies=[OwnSite], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]

LISTED = 50
PROVIDER = "local"

_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_PDF_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
_WITH_PREVIEW = f"{PAGE_POLICY}; frame-src 'self'; object-src 'self'"


class Move(StrEnum):
    """How far a clock is moved."""

    step = "etape"
    day = "jour"
    week = "semaine"


class Note(StrEnum):
    """What the page says after something was done; its address carries the code."""

    moved = "avance"
    ended = "terminee"
    told = "rejete"
    noted = "signale"


_NOTES = {
    Note.moved: "L’horloge a avancé. Ce qui était prévu entre-temps est arrivé.",
    Note.ended: "L’affiliation s’est terminée en chemin.",
    Note.told: "Le prestataire l’a signalé : l’affiliation prend un autre chemin, ou attend une correction.",
    Note.noted: "Le prestataire l’a signalé : le message est noté comme rejeté.",
}
_REFUSED = (
    "Le serveur Temporal n’a pas avancé l’horloge. Il doit être lancé avec "
    "frontend.WorkflowTimeSkippingEnabled=true (« make run » le fait). Sa réponse : "
)
_SLOW = (
    "L’horloge n’est pas arrivée en 20 secondes : une étape est encore en cours, ou aucun worker ne répond. "
    "Elle arrivera dès que l’étape sera finie."
)

# --- affiliations


@router.get("")
async def index(use: Use) -> Response:
    """The latest affiliations."""
    async with system(use.system) as connection:
        rows = await connection.fetch(affiliations.LIST_NEWEST, *[None] * 11, LISTED)
    items = [AffiliationSummary(**summary(row)) for row in rows]
    return _page(use, "dev/affiliations.html", "affiliations", items=items)


@router.get("/affiliations/{affiliation_id}")
async def affiliation(affiliation_id: UUID, use: Use, note: Note | None = None) -> Response:
    """One affiliation: what happened, what comes, its clock, its messages."""
    return await _affiliation_page(affiliation_id, use, note=note)


@router.post("/affiliations/{affiliation_id}/horloge")
async def move_clock(affiliation_id: UUID, fields: Fields, use: Use) -> Response:
    """Move the clock of its workflow; drafts are told to it again from then on."""
    if fields.get("pas") not in set(Move):
        raise NotFound()
    detail = await _detail(affiliation_id, use)
    workflow = workflow_id(str(affiliation_id))
    try:
        by = await _distance(Move(fields["pas"]), detail, use)
        arrived = await dev_clock.advance(use.temporal, workflow, by)
    except dev_clock.ClockRefused as refused:
        return await _affiliation_page(affiliation_id, use, 409, refusal=f"{_REFUSED}{refused}")
    except dev_clock.ClockSlow:
        return await _affiliation_page(affiliation_id, use, 503, refusal=_SLOW)
    async with system(use.system) as connection:
        await connection.execute(enrolments.TELL_NEXT, affiliation_id)
    return see_other(f"/dev/affiliations/{affiliation_id}?note={Note.moved if arrived else Note.ended}")


async def _distance(move: Move, detail: AffiliationDetail, use: Parts) -> timedelta:
    if move is not Move.step:
        return timedelta(days=1 if move is Move.day else 7)
    if detail.next_step is None:
        return timedelta(0)
    now = await dev_clock.current_time(use.temporal, workflow_id(str(detail.id)))
    return max(detail.next_step.at - now, timedelta(0))


async def _affiliation_page(
    affiliation_id: UUID, use: Parts, status: int = 200, note: Note | None = None, refusal: str = ""
) -> Response:
    detail = await _detail(affiliation_id, use)
    events = await use.affiliations.follow_up.events(await _caller(affiliation_id, use), affiliation_id)
    async with system(use.system) as connection:
        rows = await connection.fetch(local_messages.LATEST, affiliation_id, LISTED)
    workflow = workflow_id(str(affiliation_id))
    running = detail.status in OPEN
    return _page(
        use,
        "dev/affiliation.html",
        "affiliations",
        status,
        item=detail,
        events=events,
        kept={row["dispatch_id"] for row in rows},
        workflow_url=f"{use.config.temporal_ui_url}/namespaces/{use.config.temporal_namespace}/workflows/{workflow}",
        now=await _clock(workflow, use) if running else None,
        wall=datetime.now(UTC),
        running=running,
        note=_note(note),
        refusal=french(refusal),
    )


async def _clock(workflow: str, use: Parts) -> datetime | None:
    try:
        return await dev_clock.current_time(use.temporal, workflow)
    except dev_clock.ClockRefused:
        return None


async def _detail(affiliation_id: UUID, use: Parts) -> AffiliationDetail:
    return await use.affiliations.follow_up.detail(await _caller(affiliation_id, use), affiliation_id)


async def _caller(affiliation_id: UUID, use: Parts) -> Caller:
    """A caller who reads what the affiliation's own employer reads. Raises NotFound."""
    async with system(use.system) as connection:
        row = await connection.fetchrow(affiliations.GET, affiliation_id)
    if row is None:
        raise NotFound()
    return Caller("dev", (row["company_id"],), frozenset({Scope.read}))


# --- messages


@router.get("/courriels")
async def messages(use: Use) -> Response:
    """Every e-mail, letter and SMS in the local boxes."""
    async with system(use.system) as connection:
        rows = await connection.fetch(local_messages.LATEST, None, LISTED)
    return _page(use, "dev/messages.html", "messages", messages=rows)


@router.get("/messages/{dispatch_id}")
async def message(dispatch_id: UUID, use: Use, note: Note | None = None) -> Response:
    """One message as it arrived."""
    row = await _message(dispatch_id, use)
    return _page(
        use,
        "dev/message.html",
        "messages",
        policy=_WITH_PREVIEW,
        message=row,
        title=wording.received_title(row),
        link=use.writer.link(dispatch_id),
        links=_links(row, use.config.public_base_url.rstrip("/")),
        failure={"email": "rebond", "post": "retour"}.get(row["medium"]) if row["state"] else None,
        note=_note(note),
    )


@router.get("/messages/{dispatch_id}/html")
async def message_html(dispatch_id: UUID, use: Use) -> Response:
    """The e-mail's HTML, for the frame: nothing in it can run, load, or lead anywhere."""
    row = await _message(dispatch_id, use)
    if row["html"] is None:
        raise NotFound()
    return HTMLResponse(row["html"], headers={"Content-Security-Policy": _MAIL_POLICY})


@router.get("/messages/{dispatch_id}/lettre.pdf")
async def message_pdf(dispatch_id: UUID, use: Use) -> Response:
    row = await _message(dispatch_id, use)
    if row["pdf"] is None:
        raise NotFound()
    headers = {
        "Content-Security-Policy": _PDF_POLICY,
        "Content-Disposition": f'inline; filename="lettre-{dispatch_id}.pdf"',
    }
    return Response(row["pdf"], headers=headers, media_type="application/pdf")


@router.post("/messages/{dispatch_id}/{failure}")
async def fail(dispatch_id: UUID, failure: Literal["rebond", "retour"], use: Use) -> Response:
    """The provider says that it did not arrive; said twice, it counts once."""
    row = await _message(dispatch_id, use)
    kind = {("email", "rebond"): DeliveryKind.bounced, ("post", "retour"): DeliveryKind.returned}.get(
        (row["medium"], failure)
    )
    if kind is None:
        raise NotFound()
    occurred_at = row["handed_over_at"] or datetime.now(UTC)
    event = DeliveryEvent(PROVIDER, f"{kind}/{dispatch_id}", str(dispatch_id), kind, "", occurred_at)
    await use.deliveries.receive([event])
    note = Note.told if row["affiliation_id"] else Note.noted
    return see_other(f"/dev/messages/{dispatch_id}?note={note}")


def _links(row: asyncpg.Record, base_url: str) -> list[str]:
    """Where a message that no affiliation sent leads: the addresses of its text, or the page of a letter's code."""
    if row["medium"] == "post":
        return [f"{base_url}/acces/code"]
    found = re.findall(re.escape(base_url) + r"/\S+", row["text"] or "")
    return list(dict.fromkeys(found))


async def _message(dispatch_id: UUID, use: Parts) -> asyncpg.Record:
    async with system(use.system) as connection:
        row = await connection.fetchrow(local_messages.GET, dispatch_id)
    if row is None:
        raise NotFound()
    return row


# --- components


@router.get("/composants")
async def components(use: Use) -> Response:
    """Every component in every state, for whoever makes a page."""
    return _page(use, "dev/components.html", "components", **component_sheet.values())


# --- every page


def _page(
    use: Parts, template: str, here: str, status: int = 200, policy: str = PAGE_POLICY, **values: object
) -> Response:
    return page(template, status, policy, here=here, temporal_ui=use.config.temporal_ui_url, **values)


def _note(note: Note | None) -> str:
    return french(_NOTES[note]) if note else ""
