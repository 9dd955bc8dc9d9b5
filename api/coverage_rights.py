"""/insured/…/rights and …/ends: for employers, what insured persons are entitled to, and ends of contract where no DSN
brings them; /staff/insured/…: the decisions of staff."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.affiliations import Key
from api.problems import describes
from services.callers import Scope
from services.coverage_rights import (
    CancelledEnd,
    CancelledSuspension,
    EarlyPortabilityEnd,
    NewEnd,
    NewSuspension,
    PortabilityDecision,
    PortabilityProof,
    SuspensionDecision,
)
from services.coverage_rights_views import EndDates, InsuredRights, RightsDesk, RightsOfDay
from services.fields import Day
from services.idempotency import once
from services.problems import InvalidFields, KeyReused, NotAllowed, NotAuthenticated, NotFound, RefusedByRules
from web.callers import AnyCaller, StaffCaller, StaffWriter
from web.parts import Parts, parts

router = APIRouter(tags=["rights"])

Use = Annotated[Parts, Depends(parts)]
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)
_ASKING = describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields)
_CHANGING = describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, KeyReused, InvalidFields)
_PDF: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/pdf": {}}, "description": "« Attestation de radiation »"}
}
_OWN = "/insured/{insured_id}"
_STAFF = "/staff/insured/{insured_id}"


# --- employers: staff have doors of their own below


@router.get(f"{_OWN}/rights", responses=_READING)
async def rights(insured_id: UUID, caller: AnyCaller, use: Use) -> InsuredRights:
    """The rights of one insured person today, and how they came so."""
    caller.need(Scope.read)
    return await use.coverage_rights.history(caller, insured_id)


@router.get(f"{_OWN}/rights/on", responses=_READING)
async def rights_on(insured_id: UUID, caller: AnyCaller, use: Use, day: Annotated[Day, Query()]) -> RightsOfDay:
    """The rights of another day, as they are known today."""
    caller.need(Scope.read)
    return await use.coverage_rights.on_day(caller, insured_id, day)


@router.post(f"{_OWN}/ends/preview", responses=_ASKING)
async def preview(insured_id: UUID, request: NewEnd, caller: AnyCaller, use: Use) -> EndDates:
    """What would follow from an end of contract; nothing is declared."""
    caller.need(Scope.write)
    return await use.coverage_rights.preview(caller, insured_id, request)


@router.post(f"{_OWN}/ends", status_code=201, responses=_CHANGING)
async def declare_end(insured_id: UUID, request: NewEnd, caller: AnyCaller, use: Use, key: Key = None) -> InsuredRights:
    """« Radiation contexte sans DSN »: an end of contract, or its correction."""
    caller.need(Scope.write)
    repeated = once(use.cipher, key, "declare_end", insured_id, request)
    return await use.coverage_rights.declare_end(caller, insured_id, request, repeated)


@router.post(f"{_OWN}/ends/cancellation", responses=_CHANGING)
async def cancel_end(
    insured_id: UUID, request: CancelledEnd, caller: AnyCaller, use: Use, key: Key = None
) -> InsuredRights:
    """The end was declared wrongly: the cover goes on as before."""
    caller.need(Scope.write)
    repeated = once(use.cipher, key, "cancel_end", insured_id, request)
    return await use.coverage_rights.cancel_end(caller, insured_id, request, repeated)


@router.get(f"{_OWN}/radiation.pdf", response_class=Response, responses={**_ASKING, **_PDF})
async def radiation_certificate(insured_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """« Attestation de radiation », once an end of contract is known."""
    caller.need(Scope.read)
    return _certificate(await use.coverage_rights.radiation_certificate_pdf(caller, insured_id))


# --- staff


@router.get("/staff/rights", responses=describes(NotAuthenticated, NotAllowed))
async def desk(caller: StaffCaller, use: Use) -> RightsDesk:
    """What waits for staff: decisions, deaths, messages that reach nobody; the oldest first."""
    return await use.coverage_rights.desk(caller)


@router.get(f"{_STAFF}/rights", responses=_READING)
async def staff_rights(insured_id: UUID, caller: StaffCaller, use: Use) -> InsuredRights:
    """The same as an employer's, with proofs, messages and what comes next."""
    return await use.coverage_rights.history(caller, insured_id)


@router.get(f"{_STAFF}/radiation.pdf", response_class=Response, responses={**_ASKING, **_PDF})
async def staff_radiation_certificate(insured_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """« Attestation de radiation »."""
    return _certificate(await use.coverage_rights.radiation_certificate_pdf(caller, insured_id))


@router.post(f"{_STAFF}/ends", status_code=201, responses=_CHANGING)
async def staff_declare_end(
    insured_id: UUID, request: NewEnd, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """An end of contract that somebody told staff, or its correction, whatever brought it."""
    repeated = once(use.cipher, key, "declare_end", insured_id, request)
    return await use.coverage_rights.declare_end(caller, insured_id, request, repeated)


@router.post(f"{_STAFF}/ends/cancellation", responses=_CHANGING)
async def staff_cancel_end(
    insured_id: UUID, request: CancelledEnd, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """The end was declared wrongly, whatever brought it."""
    repeated = once(use.cipher, key, "cancel_end", insured_id, request)
    return await use.coverage_rights.cancel_end(caller, insured_id, request, repeated)


@router.post(f"{_STAFF}/proofs", responses=_CHANGING)
async def give_proof(
    insured_id: UUID, request: PortabilityProof, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """A proof of unemployment benefit has come; late, it opens again what had ended for want of it."""
    repeated = once(use.cipher, key, "give_proof", insured_id, request)
    return await use.coverage_rights.give_proof(caller, insured_id, request, repeated)


@router.put(f"{_STAFF}/portability", responses=_CHANGING)
async def decide_portability(
    insured_id: UUID, request: PortabilityDecision, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """Whether portability is open, for a reason that a person has to look at."""
    repeated = once(use.cipher, key, "decide_portability", insured_id, request)
    return await use.coverage_rights.decide_portability(caller, insured_id, request, repeated)


@router.put(f"{_STAFF}/portability/end", responses=_CHANGING)
async def end_portability(
    insured_id: UUID, request: EarlyPortabilityEnd, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """Portability ends before its day: a new job, retirement, death."""
    repeated = once(use.cipher, key, "end_portability", insured_id, request)
    return await use.coverage_rights.end_portability(caller, insured_id, request, repeated)


@router.delete(f"{_STAFF}/portability/end", responses=_CHANGING)
async def resume_portability(insured_id: UUID, caller: StaffWriter, use: Use, key: Key = None) -> InsuredRights:
    """Its early end was recorded wrongly."""
    repeated = once(use.cipher, key, "resume_portability", insured_id)
    return await use.coverage_rights.resume_portability(caller, insured_id, repeated)


@router.post(f"{_STAFF}/suspensions", status_code=201, responses=_CHANGING)
async def suspend(
    insured_id: UUID, request: NewSuspension, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """A time without pay, or its correction."""
    repeated = once(use.cipher, key, "suspend", insured_id, request)
    return await use.coverage_rights.suspend(caller, insured_id, request, repeated)


@router.post(f"{_STAFF}/suspensions/decision", responses=_CHANGING)
async def decide_suspension(
    insured_id: UUID, request: SuspensionDecision, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """Whether the cover is kept meanwhile, as the person pays."""
    repeated = once(use.cipher, key, "decide_suspension", insured_id, request)
    return await use.coverage_rights.decide_suspension(caller, insured_id, request, repeated)


@router.post(f"{_STAFF}/suspensions/cancellation", responses=_CHANGING)
async def cancel_suspension(
    insured_id: UUID, request: CancelledSuspension, caller: StaffWriter, use: Use, key: Key = None
) -> InsuredRights:
    """It was declared wrongly."""
    repeated = once(use.cipher, key, "cancel_suspension", insured_id, request)
    return await use.coverage_rights.cancel_suspension(caller, insured_id, request, repeated)


@router.delete(f"{_STAFF}/attention", responses=_CHANGING)
async def settle_attention(insured_id: UUID, caller: StaffWriter, use: Use, key: Key = None) -> InsuredRights:
    """What could only be done by hand is done."""
    repeated = once(use.cipher, key, "settle_attention", insured_id)
    return await use.coverage_rights.settle_attention(caller, insured_id, repeated)


def _certificate(pdf: bytes) -> Response:
    return Response(
        pdf,
        media_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="attestation-radiation.pdf"'},
    )
