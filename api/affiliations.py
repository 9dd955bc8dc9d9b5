"""/affiliations: pre-affiliation and follow-up, for employers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from api.parts import Parts, parts
from api.problems import describes
from api.security import KeyCaller
from domain.affiliation import Status
from domain.media import Medium
from services.affiliations import Filters, once
from services.declarations import CorrectedContact, Pause, PreAffiliation, Withdrawal
from services.problems import (
    AlreadyOpen,
    EngineUnavailable,
    InvalidFields,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
)
from services.views import AffiliationDetail, AffiliationPage, AffiliationSummary, EventView

router = APIRouter(prefix="/affiliations", tags=["affiliations"])

Use = Annotated[Parts, Depends(parts)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=8, max_length=100, description="Repeat with it: no second effect"),
]
_ASKING = describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, KeyReused, InvalidFields, EngineUnavailable)
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)


@router.post(
    "",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, AlreadyOpen, KeyReused, InvalidFields),
)
async def declare(request: PreAffiliation, caller: KeyCaller, use: Use, key: Key = None) -> AffiliationSummary:
    """Pre-affiliate one person. « En préparation » until something has really left."""
    return await use.affiliations.declare(caller, request, once(key, request))


@router.get("", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def follow_up(
    caller: KeyCaller,
    use: Use,
    siren: Annotated[str | None, Query(max_length=20)] = None,
    siret: Annotated[str | None, Query(max_length=20)] = None,
    status: Annotated[list[Status] | None, Query()] = None,
    medium: Literal[Medium.email, Medium.post] | None = None,
    q: Annotated[str | None, Query(max_length=100, description="Part of a name, without accents")] = None,
    sent_from: date | None = None,
    sent_to: date | None = None,
    needs_action: bool | None = None,
    sort: Literal["-date", "date"] = "-date",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> AffiliationPage:
    """« Suivi des affiliations »."""
    filters = Filters(
        siren=siren,
        siret=siret,
        statuses=tuple(status or ()),
        medium=medium,
        q=q,
        sent_from=sent_from,
        sent_to=sent_to,
        needs_action=needs_action,
        newest_first=sort == "-date",
    )
    return await use.affiliations.page(caller, filters, limit, cursor)


@router.get("/{affiliation_id}", responses=_READING)
async def detail(affiliation_id: UUID, caller: KeyCaller, use: Use) -> AffiliationDetail:
    """One affiliation: what happened, what comes next and when."""
    return await use.affiliations.detail(caller, affiliation_id)


@router.get("/{affiliation_id}/events", responses=_READING)
async def events(affiliation_id: UUID, caller: KeyCaller, use: Use) -> list[EventView]:
    """The timeline, oldest first."""
    return await use.affiliations.events(caller, affiliation_id)


@router.get(
    "/{affiliation_id}/form.pdf",
    response_class=Response,
    responses={**_READING, 200: {"content": {"application/pdf": {}}, "description": "The pre-filled paper form"}},
)
async def form(affiliation_id: UUID, caller: KeyCaller, use: Use) -> Response:
    """The pre-filled paper form (BIA)."""
    pdf = await use.affiliations.form_pdf(caller, affiliation_id)
    return Response(
        pdf,
        media_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="formulaire-affiliation.pdf"'},
    )


@router.post("/{affiliation_id}/reminders", responses=_ASKING)
async def remind(affiliation_id: UUID, caller: KeyCaller, use: Use, key: Key = None) -> AffiliationDetail:
    """« Relancer »: at most once in 24 hours per address; the refusal says from when."""
    return await use.affiliations.remind(caller, affiliation_id, once(key, ("remind", affiliation_id)))


@router.patch("/{affiliation_id}/contact", responses=_ASKING)
async def correct_contact(
    affiliation_id: UUID, request: CorrectedContact, caller: KeyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """Correct e-mail, phone or address; the invitation leaves anew, links sent to the old address die."""
    return await use.affiliations.correct_contact(caller, affiliation_id, request, once(key, (affiliation_id, request)))


@router.post("/{affiliation_id}/withdrawal", responses=_ASKING)
async def withdraw(
    affiliation_id: UUID, request: Withdrawal, caller: KeyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """The employer withdraws the declaration."""
    return await use.affiliations.withdraw(caller, affiliation_id, request, once(key, (affiliation_id, request)))


@router.post("/{affiliation_id}/pause", responses=_ASKING)
async def pause(
    affiliation_id: UUID, request: Pause, caller: KeyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """No automatic message until resumed; the abandonment still comes, and says when."""
    return await use.affiliations.pause(caller, affiliation_id, request, once(key, (affiliation_id, request)))


@router.post("/{affiliation_id}/resumption", responses=_ASKING)
async def resume(affiliation_id: UUID, caller: KeyCaller, use: Use, key: Key = None) -> AffiliationDetail:
    """Automatic messages again, their clock starting now."""
    return await use.affiliations.resume(caller, affiliation_id, once(key, ("resume", affiliation_id)))


@router.post(
    "/{affiliation_id}/restart",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, AlreadyOpen, InvalidFields),
)
async def restart(affiliation_id: UUID, caller: KeyCaller, use: Use) -> AffiliationSummary:
    """« Reprendre »: a new initial run, pre-filled from the abandoned one and linked to it."""
    return await use.affiliations.restart(caller, affiliation_id)
