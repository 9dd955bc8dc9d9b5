"""« Mes salariés › Radiation contexte sans DSN »: an employer without DSN says that a work contract ends, having read
beforehand what follows from it; and takes back what was declared wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response

from domain.identifiers import InvalidValue, parse_nir
from domain.insured import ContractState
from domain.working_time import french_date, paris_date
from messages.typography import french
from portal import coverage_wording
from portal.forms import Fields, as_typed
from portal.insured import LIST, NOBODY, STATE_ICONS, name_part, people_of
from portal.pages import see_other
from portal.radiation_form import TYPED, as_declared, as_typed_days, read, reason_groups
from portal.space import SpaceRoute, signed_in_page
from services.callers import Caller
from services.coverage_rights import CancelledEnd, NewEnd
from services.coverage_rights_views import EndDates, InsuredRights
from services.fields import today, validated
from services.idempotency import Once, once
from services.insured import InsuredFilters, looks_like_nir
from services.problems import FieldError, InvalidFields
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

PAGE: Final = "/salaries/radiation"
ONE: Final = f"{PAGE}/{{insured_id:uuid}}"
SEND: Final = f"{ONE}/confirmation"
CANCEL: Final = f"{ONE}/annulation"
SHOWN: Final = 25
_MOST: Final = 900


# --- who


@router.get(PAGE)
async def choose(
    request: Request,
    caller: UserCaller,
    use: Use,
    assure: Annotated[str, Query(max_length=_MOST)] = "",
    personne: Annotated[str, Query(max_length=_MOST)] = "",
    suite: Annotated[str, Query(max_length=_MOST)] = "",
) -> Response:
    """The employees of companies without DSN: those under contract, or those that a name finds."""
    try:
        name, people = name_part(assure) if assure.strip() else "", people_of(personne) if personne else None
    except (ValueError, InvalidValue, InvalidFields):  # an address that was changed by hand
        return see_other(PAGE)
    return await _choice_page(request, caller, use, name, people, suite)


@router.post(PAGE)
async def search(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """By name or number; of a number the address holds who was found by it (security.md R-06)."""
    typed = fields.get("assure", "")[:_MOST].strip()
    try:
        if looks_like_nir(typed):
            found = await use.insured.recognise(caller, parse_nir(typed))
            return see_other(f"{PAGE}?personne={','.join(map(str, found[:SHOWN])) or NOBODY}")
        name = name_part(typed) if typed else ""
    except InvalidValue as error:
        words = french(f"{error.message} Exemple : {error.example}")
        return await _choice_page(request, caller, use, typed, (), "", _wrong("assure", words))
    except InvalidFields:
        words = french("Le nom n’a pas été compris. Exemple : Martin")
        return await _choice_page(request, caller, use, typed, (), "", _wrong("assure", words))
    return see_other(f"{PAGE}?{urlencode({'assure': name})}" if name else PAGE)


async def _choice_page(
    request: Request,
    caller: Caller,
    use: Parts,
    typed: str,
    people: tuple[UUID, ...] | None,
    after: str,
    wrong: InvalidFields | None = None,
) -> Response:
    companies = await use.coverage_rights.radiation_companies(caller)
    without = tuple(one.id for one in companies if not one.emits_dsn)
    page = None
    if without:
        # a search also finds those whose contract has ended or is to begin
        searched = bool(typed) or people is not None
        state = None if searched else ContractState.current
        filters = InsuredFilters(q=(typed or None) if people is None else None, people=people, state=state)
        try:
            listed = await use.insured.listed(replace(caller, companies=without), filters, SHOWN, after or None)
        except InvalidFields:  # a mark of a page that is none
            return see_other(PAGE)
        page = listed.page
    query = {name: value for name, value in (("assure", typed), ("suite", page.next_cursor if page else "")) if value}
    return await signed_in_page(
        request,
        caller,
        use,
        "radiation/choice",
        wrong,
        typed=typed,
        searched=bool(typed) or people is not None,
        companies=companies,
        by_dsn=[one for one in companies if one.emits_dsn],
        page=page,
        next=f"{PAGE}?{urlencode(query)}" if page and page.next_cursor else "",
        first=f"{PAGE}?{urlencode({'assure': typed})}" if typed and after else PAGE if after else "",
        state_icons=STATE_ICONS,
    )


def _wrong(field: str, words: str) -> InvalidFields:
    return InvalidFields([FieldError(field, f"{field}.format", words)])


# --- when, and why


@router.get(ONE)
async def form(insured_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await _form(request, caller, use, insured_id)


@router.post(ONE)
async def review(insured_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """What follows, in dates, before anything is declared; or the form again (« Modifier »)."""
    typed = as_typed(fields, *TYPED)
    if fields.get("etape") == "modifier":
        return await _form(request, caller, use, insured_id, typed)
    try:
        return await _review(request, caller, use, insured_id, read(typed), typed)
    except InvalidFields as wrong:
        return await _form(request, caller, use, insured_id, typed, as_typed_days(wrong))


async def _form(
    request: Request,
    caller: Caller,
    use: Parts,
    insured_id: UUID,
    typed: Mapping[str, str] | None = None,
    wrong: InvalidFields | None = None,
) -> Response:
    one = await use.insured.detail(caller, insured_id)
    rights = await use.coverage_rights.history(caller, insured_id)
    return await signed_in_page(
        request,
        caller,
        use,
        "radiation/form",
        wrong,
        one=one,
        rights=rights,
        stop=_stop(rights),
        typed=typed if typed is not None else as_declared(rights.end),
        groups=reason_groups(),
        today=today(),
    )


def _stop(rights: InsuredRights) -> str:
    """Why nothing can be declared here; empty: it can."""
    if rights.emits_dsn:
        return "dsn"
    if rights.may_declare:
        return ""
    return "elsewhere" if rights.end is not None and rights.end.origin != "employer" else "reading"


async def _review(
    request: Request, caller: Caller, use: Parts, insured_id: UUID, asked: NewEnd, typed: Mapping[str, str]
) -> Response:
    follows = await use.coverage_rights.preview(caller, insured_id, asked)
    one = await use.insured.detail(caller, insured_id)
    return await signed_in_page(
        request,
        caller,
        use,
        "radiation/review",
        one=one,
        asked=asked,
        typed=typed,
        follows=follows,
        plan=plan_of(follows, coverage_wording.announced(follows.messages, follows)),
        nobody_told=not follows.messages,
        key=uuid4(),
    )


def plan_of(end: EndDates, messages: list[tuple[Any, str, str]] | None = None) -> list[dict[str, Any]]:
    """What follows from an end, by its days: rights, and what the person is told."""
    steps: list[dict[str, Any]] = [
        {"on": end.contract_ends_on, "title": "le contrat de travail se termine", "said": end.reason_label},
        {
            "on": end.covered_until,
            "title": "dernier jour de la couverture d’entreprise",
            "said": "La couverture continue jusqu’à la fin du mois, famille comprise.",
        },
    ]
    if end.portability_from is not None and end.portability_until is not None:
        steps += [
            {
                "on": end.portability_from,
                "title": "début de la portabilité, si France Travail l’ouvre",
                "said": "Les mêmes garanties continuent, sans cotisation pour vous ni pour la personne.",
            },
            {"on": end.portability_until, "title": "dernier jour possible de la portabilité", "said": ""},
        ]
    steps += [
        {"on": paris_date(at), "title": title, "said": said, "message": True} for at, title, said in messages or ()
    ]
    return [
        {"message": False, **one, "title": french(one["title"]), "said": french(one["said"]), "day": _day(one["on"])}
        for one in sorted(steps, key=lambda one: one["on"])
    ]


def _day(day: Any) -> str:
    words = french_date(day)
    return f"{words[:1].upper()}{words[1:]}"


@router.get(SEND)
async def back_to_form(insured_id: UUID) -> Response:
    """Where the declaration is sent to is looked at again after signing in."""
    return see_other(f"{PAGE}/{insured_id}")


@router.post(SEND)
async def declare(insured_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Sent twice, it is declared once."""
    typed = as_typed(fields, *TYPED)
    try:
        asked = read(typed)
        key = _key(fields)
        if key is None:  # not from a review
            return await _review(request, caller, use, insured_id, asked, typed)
        repeated = once(use.cipher, key, "declare_end", insured_id, asked)
        await use.coverage_rights.declare_end(caller, insured_id, asked, repeated)
    except InvalidFields as wrong:
        return await _form(request, caller, use, insured_id, typed, as_typed_days(wrong))
    return see_other(f"{PAGE}/{insured_id}/faite")


def _key(fields: Mapping[str, str]) -> str | None:
    try:
        return str(UUID(fields.get("cle", "")))
    except ValueError:
        return None


@router.get(f"{ONE}/faite")
async def done(insured_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """The receipt of a declaration."""
    rights = await use.coverage_rights.history(caller, insured_id)
    if rights.end is None:
        return see_other(f"{PAGE}/{insured_id}")
    one = await use.insured.detail(caller, insured_id)
    return await signed_in_page(
        request, caller, use, "radiation/done", one=one, rights=rights, plan=plan_of(rights.end)
    )


@router.get(f"{LIST}/{{insured_id:uuid}}/radiation.pdf")
async def certificate(insured_id: UUID, caller: UserCaller, use: Use) -> Response:
    """« Attestation de radiation »."""
    pdf = await use.coverage_rights.radiation_certificate_pdf(caller, insured_id)
    return radiation_pdf(pdf)


def radiation_pdf(pdf: bytes) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="attestation-radiation.pdf"'}
    return Response(pdf, media_type="application/pdf", headers=headers)


# --- declared wrongly


@router.get(CANCEL)
async def ask_cancel(insured_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    rights = await use.coverage_rights.history(caller, insured_id)
    if rights.end is None:
        return see_other(f"{LIST}/{insured_id}")
    one = await use.insured.detail(caller, insured_id)
    return await signed_in_page(request, caller, use, "radiation/cancel", one=one, rights=rights, key=uuid4())


@router.post(CANCEL)
async def cancel(insured_id: UUID, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """The end of this day, and no other that was declared meanwhile."""
    asked = validated(CancelledEnd, {"contract_ends_on": fields.get("contract_ends_on", "")[:40]})
    repeated: Once | None = once(use.cipher, _key(fields), "cancel_end", insured_id, asked)
    await use.coverage_rights.cancel_end(caller, insured_id, asked, repeated)
    return see_other(f"{LIST}/{insured_id}?fait=annulee")
