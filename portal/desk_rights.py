"""The rights of an insured person as staff work on them: proofs, portability, suspensions, ends of contract; and what
waits for a decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from domain.coverage_rights import Opening
from domain.departures import covered_until, reasons
from domain.suspensions import suspension_labels
from domain.working_time import months_after
from messages.typography import french, month_in_words
from portal import coverage_wording as wording
from portal.desk import FILES, desk_page
from portal.forms import Fields
from portal.insured import RIGHT_ICONS
from portal.menu import DESK
from portal.pages import see_other
from portal.radiation import radiation_pdf
from portal.radiation_form import OneDay, as_declared, as_typed_days, read
from portal.space import SpaceRoute, one_problem
from services.callers import Caller
from services.coverage_rights import (
    CancelledEnd,
    CancelledSuspension,
    EarlyPortabilityEnd,
    NewSuspension,
    PortabilityDecision,
    PortabilityProof,
    SuspensionDecision,
)
from services.coverage_rights_views import EndView, InsuredRights
from services.fields import today, validated
from services.idempotency import Once, once
from services.problems import FieldError, InvalidFields, NotFound, Problem, RefusedByRules
from web.callers import StaffClerk, StaffUser, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

TO_DECIDE: Final = f"{DESK}/droits"
RIGHTS: Final = f"{FILES}/{{affiliation_id:uuid}}/droits"
_MOST: Final = 100
# What the page says of what was just done, by the action that did it.
DONE: Final = {
    code: french(words)
    for code, words in {
        "fin": "La fin du contrat est enregistrée : les droits ci-dessous en tiennent compte.",
        "annulation": "La fin du contrat est annulée : la couverture continue comme avant.",
        "justificatif": "Le justificatif est noté : les droits sont prouvés jusqu’à la fin de ce mois.",
        "portabilite": "La portabilité est décidée.",
        "fin-portabilite": "La fin anticipée de la portabilité est notée : la personne reçoit un message.",
        "reprise": "La portabilité reprend : la personne reçoit un message.",
        "suspension": "La suspension est enregistrée.",
        "suspension-decision": "La couverture pendant la suspension est décidée.",
        "suspension-annulation": "La suspension est annulée.",
        "traite": "C’est noté : le point signalé est traité.",
    }.items()
}
_EARLY: Final = {code: label for code, label in wording.EARLY_ENDS.items() if code != "no_proof"}


# --- what waits


@router.get(TO_DECIDE)
async def to_decide(request: Request, caller: StaffUser, use: Use) -> Response:
    """Decisions on portability and suspensions, deaths, messages that reach nobody: the oldest first."""
    desk = await use.coverage_rights.desk(caller)
    return await desk_page(
        request,
        caller,
        use,
        "rights_to_decide",
        items=[(one, *wording.ATTENTIONS[one.attention]) for one in desk.items],
    )


# --- one person's


@router.get(RIGHTS)
async def rights_page(
    affiliation_id: UUID,
    request: Request,
    caller: StaffUser,
    use: Use,
    done: Annotated[str, Query(alias="fait", max_length=40)] = "",
) -> Response:
    return await _page(request, caller, use, affiliation_id, note=DONE.get(done, ""))


@router.get(f"{RIGHTS}/radiation.pdf")
async def certificate(affiliation_id: UUID, caller: StaffUser, use: Use) -> Response:
    person = await use.coverage_rights.covered(caller, affiliation_id)
    return radiation_pdf(await use.coverage_rights.radiation_certificate_pdf(caller, person.id))


async def _page(
    request: Request,
    caller: Caller,
    use: Parts,
    affiliation_id: UUID,
    *,
    note: str = "",
    typed: Mapping[str, str] | None = None,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    person = await use.coverage_rights.covered(caller, affiliation_id)
    rights = await use.coverage_rights.history(caller, person.id)
    end = rights.end
    return await desk_page(
        request,
        caller,
        use,
        "rights",
        wrong=wrong,
        status=status,
        note=note,
        typed=defaultdict(str, as_declared(end) | dict(typed or {})),
        person=person,
        rights=rights,
        right_icon=RIGHT_ICONS[rights.today.right],
        waits=wording.ATTENTIONS[rights.attention] if rights.attention else None,
        after=wording.portability_sentence(end) if end else "",
        months=_months(end),
        early=_EARLY,
        reasons=[(one.code, french(one.label)) for one in reasons().values() if one.portability != "none"],
        suspensions=[(one, wording.suspension_sentence(one)) for one in rights.suspensions],
        suspension_reasons={code: french(label) for code, label in suspension_labels().items()},
        happened=wording.history_lines(rights.history, staff=True),
        early_label=wording.EARLY_ENDS.get(end.portability_end_reason or "", "") if end else "",
        may_resume=_may_resume(end),
        next_step=wording.step_label(rights.next_step.kind) if rights.next_step else "",
        messages=[(one, wording.message_title(one.kind)) for one in rights.messages],
        key=uuid4().hex,
        today=today(),
    )


def _months(end: EndView | None) -> list[tuple[str, str]]:
    """The months until the end of which a proof of today may count: (last day, its words), the next one first."""
    if end is None or end.portability is not Opening.open or end.provable_until is None or end.portability_from is None:
        return []
    first = end.unproven_from or end.portability_from
    months, last = [], covered_until(first)
    while first <= end.provable_until:
        months.append((min(last, end.provable_until).isoformat(), month_in_words(first)))
        first = months_after(first.replace(day=1), 1)
        last = covered_until(first)
    return months


def _may_resume(end: EndView | None) -> bool:
    return end is not None and end.portability_ended_on is not None


# --- what staff do


@dataclass(frozen=True)
class _Asked:
    """A change that was asked for on the page. `field`: where its refusal is shown."""

    request: BaseModel | None
    make: Callable[[UUID, Once | None], Awaitable[InsuredRights]]
    field: str = ""


@router.post(f"{RIGHTS}/{{action}}")
async def change(
    affiliation_id: UUID,
    action: Annotated[str, Path(max_length=40)],
    request: Request,
    caller: StaffClerk,
    fields: Fields,
    use: Use,
) -> Response:
    """One change of the rights; sent twice, it happens once."""
    if action not in DONE:
        raise NotFound()
    typed = {name: text[:_MOST].strip() for name, text in fields.items()}
    field = ""
    try:
        asked = _asked(action, caller, use, typed)
        field = asked.field
        person = await use.coverage_rights.covered(caller, affiliation_id)
        key = once(use.cipher, typed.get("key", "")[:64] or None, f"rights_{action}", affiliation_id, asked.request)
        await asked.make(person.id, key)
    except InvalidFields as wrong:
        return await _page(request, caller, use, affiliation_id, typed=typed, wrong=as_typed_days(wrong))
    except RefusedByRules as problem:
        return await _refused(request, caller, use, affiliation_id, typed, problem, field)
    return see_other(f"{FILES}/{affiliation_id}/droits?fait={action}")


async def _refused(
    request: Request,
    caller: Caller,
    use: Parts,
    affiliation_id: UUID,
    typed: Mapping[str, str],
    problem: Problem,
    field: str,
) -> Response:
    wrong = one_problem(problem, field)
    return await _page(request, caller, use, affiliation_id, typed=typed, wrong=wrong, status=problem.status)


def _asked(action: str, caller: Caller, use: Parts, typed: Mapping[str, str]) -> _Asked:
    """Raises InvalidFields, by the names of the page's fields."""
    rights, given = use.coverage_rights, defaultdict(str, typed)
    match action:
        case "fin":
            end = read({name: given[name] for name in ("contract_ends_on", "reason", "contract_began_on")})
            return _Asked(end, lambda one, key: rights.declare_end(caller, one, end, key), "contract_ends_on")
        case "annulation":
            _need_tick(given, "sure", "la fin du contrat est annulée")
            taken = validated(CancelledEnd, {"contract_ends_on": given["of"]})
            return _Asked(taken, lambda one, key: rights.cancel_end(caller, one, taken, key), "sure")
        case "justificatif":
            proof = PortabilityProof(until=_month(given["until"]))
            return _Asked(proof, lambda one, key: rights.give_proof(caller, one, proof, key), "until")
        case "portabilite":
            opened = PortabilityDecision(open=_yes_no(given["open"], "open"))
            return _Asked(opened, lambda one, key: rights.decide_portability(caller, one, opened, key))
        case "fin-portabilite":
            early = _early(given)
            return _Asked(early, lambda one, key: rights.end_portability(caller, one, early, key), "on")
        case "reprise":
            return _Asked(None, lambda one, key: rights.resume_portability(caller, one, key))
        case "suspension":
            new = _suspension(given)
            return _Asked(new, lambda one, key: rights.suspend(caller, one, new, key), "first_day")
        case "suspension-decision":
            decided = validated(SuspensionDecision, {"first_day": given["of"], "kept": _yes_no(given["kept"], "kept")})
            return _Asked(decided, lambda one, key: rights.decide_suspension(caller, one, decided, key))
        case "suspension-annulation":
            gone = validated(CancelledSuspension, {"first_day": given["of"]})
            return _Asked(gone, lambda one, key: rights.cancel_suspension(caller, one, gone, key))
    return _Asked(None, lambda one, key: rights.settle_attention(caller, one, key))


def _wrong(field: str, words: str) -> InvalidFields:
    return InvalidFields([FieldError(field, "missing", french(words))])


def _need_tick(given: Mapping[str, str], field: str, says: str) -> None:
    if given[field] != "yes":
        raise _wrong(field, f"Cochez la case pour confirmer : {says}.")


def _yes_no(text: str, field: str) -> bool:
    if text not in ("yes", "no"):
        raise _wrong(field, "Choisissez l’une des deux décisions, par exemple « Oui ».")
    return text == "yes"


def _month(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        example = month_in_words(today())
        raise _wrong(
            "until", f"Choisissez le dernier mois que le justificatif prouve, par exemple {example}."
        ) from None


def _day(text: str, field: str, words: str) -> date:
    try:
        return validated(OneDay, {"day": text}).day
    except InvalidFields:
        raise _wrong(field, f"{words}. Exemple : {today():%d/%m/%Y}") from None


def _early(given: Mapping[str, str]) -> EarlyPortabilityEnd:
    if given["early_reason"] not in _EARLY:
        raise _wrong("early_reason", "Choisissez la raison, par exemple « Nouvel emploi ».")
    last = _day(given["on"], "on", "Indiquez le dernier jour de la portabilité")
    return validated(EarlyPortabilityEnd, {"reason": given["early_reason"], "on": last})


def _suspension(given: Mapping[str, str]) -> NewSuspension:
    if given["suspension_reason"] not in suspension_labels():
        raise _wrong("suspension_reason", "Choisissez le motif, par exemple « Congé sabbatique ».")
    first = _day(given["first_day"], "first_day", "Indiquez le premier jour de la suspension")
    last = None
    if given["last_day"]:
        last = _day(given["last_day"], "last_day", "Indiquez le dernier jour de la suspension, ou laissez vide")
    kept = {"yes": True, "no": False}.get(given["kept"])
    return NewSuspension(reason=given["suspension_reason"], first_day=first, last_day=last, kept=kept)
