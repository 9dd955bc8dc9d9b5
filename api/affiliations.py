"""/affiliations: pre-affiliation and follow-up, for employers."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BeforeValidator, Field

from api.problems import describes
from domain.affiliation import Status
from domain.media import Medium
from services.declarations import CorrectedContact, Pause, PreAffiliation, Skip, Withdrawal
from services.fields import Day, Form, NamePart, Siren, Siret, empty_is_none
from services.follow_up import Filters, Order
from services.idempotency import once
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
from web.callers import AnyCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/affiliations", tags=["affiliations"])

Use = Annotated[Parts, Depends(parts)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=100,
        pattern="^[!-~]+$",
        description="Repeat with it: no second effect",
    ),
]
_ASKING = describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, KeyReused, InvalidFields, EngineUnavailable)
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)


class FollowUp(Form):
    """What « Suivi des affiliations » can be asked for; only `status` may be there several times."""

    siren: Siren | None = None
    siret: Siret | None = None
    status: tuple[Status, ...] = ()
    medium: Literal[Medium.email, Medium.post] | None = None
    q: Annotated[NamePart | None, BeforeValidator(empty_is_none), Field(description="Part of a name")] = None
    sent_from: Day | None = None
    sent_to: Day | None = None
    needs_action: bool | None = None
    sort: Annotated[Order, Field(description="`todo`: what waits for the employer first")] = Order.newest
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=200)] = None


@router.post(
    "",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, AlreadyOpen, KeyReused, InvalidFields),
)
async def declare(request: PreAffiliation, caller: AnyCaller, use: Use, key: Key = None) -> AffiliationSummary:
    """Pre-affiliate one person. « En préparation » until something has really left."""
    return await use.affiliations.declare(caller, request, once(use.cipher, key, "declare", request=request))


@router.get("", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def follow_up(caller: AnyCaller, use: Use, asked: Annotated[FollowUp, Query()]) -> AffiliationPage:
    """« Suivi des affiliations »."""
    filters = Filters(
        siren=asked.siren,
        siret=asked.siret,
        statuses=asked.status,
        medium=asked.medium,
        q=asked.q,
        sent_from=asked.sent_from,
        sent_to=asked.sent_to,
        needs_action=asked.needs_action,
        order=asked.sort,
    )
    return await use.affiliations.follow_up.page(caller, filters, asked.limit, asked.cursor)


@router.get("/{affiliation_id}", responses=_READING)
async def detail(affiliation_id: UUID, caller: AnyCaller, use: Use) -> AffiliationDetail:
    """One affiliation: what happened, what comes next and when."""
    return await use.affiliations.follow_up.detail(caller, affiliation_id)


@router.get("/{affiliation_id}/events", responses=_READING)
async def events(affiliation_id: UUID, caller: AnyCaller, use: Use) -> list[EventView]:
    """The timeline, oldest first."""
    return await use.affiliations.follow_up.events(caller, affiliation_id)


@router.get(
    "/{affiliation_id}/form.pdf",
    response_class=Response,
    responses={**_READING, 200: {"content": {"application/pdf": {}}, "description": "The pre-filled paper form"}},
)
async def form(affiliation_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """The pre-filled paper form (BIA)."""
    pdf = await use.affiliations.follow_up.form_pdf(caller, affiliation_id)
    return Response(
        pdf,
        media_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="formulaire-affiliation.pdf"'},
    )


@router.post("/{affiliation_id}/reminders", responses=_ASKING)
async def remind(affiliation_id: UUID, caller: AnyCaller, use: Use, key: Key = None) -> AffiliationDetail:
    """« Relancer »: at most once in 24 hours per address; the refusal says from when."""
    return await use.affiliations.remind(caller, affiliation_id, once(use.cipher, key, "remind", affiliation_id))


@router.patch("/{affiliation_id}/contact", responses=_ASKING)
async def correct_contact(
    affiliation_id: UUID, request: CorrectedContact, caller: AnyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """Correct e-mail, phone or address; the invitation leaves anew, links sent to the old address die."""
    asked = once(use.cipher, key, "correct_contact", affiliation_id, request)
    return await use.affiliations.correct_contact(caller, affiliation_id, request, asked)


@router.post("/{affiliation_id}/withdrawal", responses=_ASKING)
async def withdraw(
    affiliation_id: UUID, request: Withdrawal, caller: AnyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """The employer withdraws the declaration."""
    asked = once(use.cipher, key, "withdraw", affiliation_id, request)
    return await use.affiliations.withdraw(caller, affiliation_id, request, asked)


@router.post("/{affiliation_id}/pause", responses=_ASKING)
async def pause(
    affiliation_id: UUID, request: Pause, caller: AnyCaller, use: Use, key: Key = None
) -> AffiliationDetail:
    """No automatic message until resumed; the abandonment still comes, and says when."""
    asked = once(use.cipher, key, "pause", affiliation_id, request)
    return await use.affiliations.pause(caller, affiliation_id, request, asked)


@router.post("/{affiliation_id}/resumption", responses=_ASKING)
async def resume(affiliation_id: UUID, caller: AnyCaller, use: Use, key: Key = None) -> AffiliationDetail:
    """Automatic messages again, their clock starting now."""
    return await use.affiliations.resume(caller, affiliation_id, once(use.cipher, key, "resume", affiliation_id))


@router.post("/{affiliation_id}/skips", responses=_ASKING)
async def skip(affiliation_id: UUID, request: Skip, caller: AnyCaller, use: Use, key: Key = None) -> AffiliationDetail:
    """One automatic message of the calendar does not leave; what comes after it does, at its time."""
    return await use.affiliations.skip(
        caller, affiliation_id, request, once(use.cipher, key, "skip", affiliation_id, request)
    )


@router.post(
    "/{affiliation_id}/restart",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, AlreadyOpen, KeyReused, InvalidFields),
)
async def restart(affiliation_id: UUID, caller: AnyCaller, use: Use, key: Key = None) -> AffiliationSummary:
    """« Reprendre »: a new initial run, pre-filled from the abandoned one and linked to it."""
    return await use.affiliations.restart(caller, affiliation_id, once(use.cipher, key, "restart", affiliation_id))
