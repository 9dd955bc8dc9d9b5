"""« Entreprises »: the company register. Pages of changes ask for a code before they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from messages.typography import french
from portal.desk_pages import Done, Searched, desk_page, in_words, writes
from portal.forms import Fields, as_typed
from portal.pages import see_other
from portal.space import SpaceRoute
from services.callers import Caller
from services.company_register import (
    CompanyChange,
    CompanyRecord,
    EstablishmentClosure,
    Insurer,
    KnownContact,
    NewCompany,
    NewEstablishment,
    RegisteredEstablishment,
)
from services.enrolment_form import TypedDay
from services.fields import Form, today, validated
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules
from web.callers import StaffClerk, StaffUser, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

REGISTER: Final = "/gestion/entreprises"
NEW: Final = f"{REGISTER}/creation"
ONE: Final = f"{REGISTER}/{{company_id:uuid}}"
PLACE: Final = f"{ONE}/etablissements/{{establishment_id:uuid}}"
_DONE: Final = {
    code: french(words)
    for code, words in {
        "creee": "L’entreprise est dans le registre, avec son premier établissement.",
        "fiche": "La fiche de l’entreprise est corrigée.",
        "contact": "Le contact connu est remplacé.",
        "ajoute": "L’établissement est ajouté.",
        "ferme": "La fermeture de l’établissement est enregistrée.",
        "rouvert": "L’établissement est de nouveau ouvert.",
        "fin": "La consultation est terminée.",
    }.items()
}
_MISSING: Final = {
    "siren": "Indiquez le numéro SIREN.",
    "name": "Indiquez le nom.",
    "insurer": "Choisissez l’assureur.",
    "insurer_reference": "Indiquez l’identifiant entreprise.",
    "siret": "Indiquez le numéro SIRET.",
    "postcode": "Indiquez le code postal.",
    "city": "Indiquez la ville.",
    "email": "Indiquez l’adresse e-mail.",
    "establishment_name": "Indiquez le nom de l’établissement.",
}
_COMPANY: Final = ("name", "insurer", "insurer_reference", "emits_dsn")
_ESTABLISHMENT: Final = ("siret", "establishment_name", "postcode", "city")


class ClosedOn(Form):
    """As it is typed."""

    on: TypedDay


# --- search


@router.get(REGISTER)
async def search(
    request: Request,
    caller: StaffUser,
    use: Use,
    q: Searched = "",
    apres: Annotated[UUID | None, Query()] = None,
) -> Response:
    try:
        listed = await use.company_register.list(caller, q, apres)
    except InvalidFields:
        raise NotFound() from None
    return await desk_page(request, caller, use, "register/list", listed=listed, q=q.strip(), further=apres is not None)


# --- a new one


@router.get(NEW)
async def new_page(request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _form(request, caller, use, {"emits_dsn": "yes"})


@router.post(NEW)
async def create(request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    writes(caller)
    try:
        asked = {"siren": fields.get("siren", ""), **_about(fields), "establishment": _establishment(fields)}
        record = await use.company_register.create(caller, validated(NewCompany, asked))
    except InvalidFields as wrong:
        return await _form(request, caller, use, fields, wrong=_on_form(wrong))
    return see_other(f"{REGISTER}/{record.id}?fait=creee")


async def _form(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    company: CompanyRecord | None = None,
    wrong: InvalidFields | None = None,
) -> Response:
    """Of a new company, or of what is corrected of one."""
    names = ("siren", *_COMPANY, *_ESTABLISHMENT)
    return await desk_page(
        request,
        caller,
        use,
        "register/company_form",
        wrong,
        company=company,
        typed=as_typed(fields, *names),
        insurers=[one.value for one in Insurer],
    )


def _about(fields: Mapping[str, str]) -> dict[str, object]:
    return {**as_typed(fields, *_COMPANY[:3]), "emits_dsn": fields.get("emits_dsn") == "yes"}


def _establishment(fields: Mapping[str, str]) -> dict[str, str]:
    given = as_typed(fields, *_ESTABLISHMENT)
    given["name"] = given.pop("establishment_name")
    return given


def _on_form(wrong: InvalidFields) -> InvalidFields:
    """An establishment's name stands beside its company's."""
    renamed = [
        FieldError("establishment_name" if one.field == "establishment.name" else one.field, one.code, one.message)
        for one in wrong.errors
    ]
    return in_words(InvalidFields(renamed), _MISSING)


# --- one company


@router.get(ONE)
async def company_page(company_id: UUID, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    company = await use.company_register.company(caller, company_id)
    return await desk_page(
        request, caller, use, "register/company", company=company, note=_DONE.get(fait, ""), today=today()
    )


@router.get(f"{ONE}/fiche")
async def correction_page(company_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    company = await use.company_register.company(caller, company_id)
    known = {
        "name": company.name,
        "insurer": company.insurer,
        "insurer_reference": company.insurer_reference,
        "emits_dsn": "yes" if company.emits_dsn else "",
    }
    return await _form(request, caller, use, known, company)


@router.post(f"{ONE}/fiche")
async def correct(company_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    writes(caller)
    try:
        await use.company_register.correct(caller, company_id, validated(CompanyChange, _about(fields)))
    except InvalidFields as wrong:
        company = await use.company_register.company(caller, company_id)
        return await _form(request, caller, use, fields, company, _on_form(wrong))
    return see_other(f"{REGISTER}/{company_id}?fait=fiche")


@router.get(f"{ONE}/contact")
async def contact_page(company_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _contact(request, caller, use, company_id, "")


@router.post(f"{ONE}/contact")
async def replace_contact(company_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    writes(caller)
    email = fields.get("email", "")[:300]
    try:
        contact = validated(KnownContact, {"email": email})
        if fields.get("sure") != "yes":
            raise _unsure("Cochez la case : l’entreprise a bien donné cette adresse.")
        await use.company_register.replace_contact(caller, company_id, contact)
    except InvalidFields as wrong:
        return await _contact(request, caller, use, company_id, email, in_words(wrong, _MISSING))
    return see_other(f"{REGISTER}/{company_id}?fait=contact")


async def _contact(
    request: Request, caller: Caller, use: Parts, company_id: UUID, email: str, wrong: InvalidFields | None = None
) -> Response:
    company = await use.company_register.company(caller, company_id)
    return await desk_page(request, caller, use, "register/contact", wrong, company=company, email=email)


# --- its establishments


@router.get(f"{ONE}/etablissements")
async def establishment_page(company_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _establishment_page(request, caller, use, company_id, {})


@router.post(f"{ONE}/etablissements")
async def add_establishment(
    company_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use
) -> Response:
    writes(caller)
    try:
        asked = validated(NewEstablishment, _establishment(fields))
        await use.company_register.add_establishment(caller, company_id, asked)
    except InvalidFields as wrong:
        renamed = [
            FieldError("establishment.name" if one.field == "name" else one.field, one.code, one.message)
            for one in wrong.errors
        ]
        shown = _on_form(InvalidFields(renamed))
        return await _establishment_page(request, caller, use, company_id, fields, shown)
    return see_other(f"{REGISTER}/{company_id}?fait=ajoute")


async def _establishment_page(
    request: Request,
    caller: Caller,
    use: Parts,
    company_id: UUID,
    fields: Mapping[str, str],
    wrong: InvalidFields | None = None,
) -> Response:
    company = await use.company_register.company(caller, company_id)
    return await desk_page(
        request, caller, use, "register/establishment", wrong, company=company, typed=as_typed(fields, *_ESTABLISHMENT)
    )


@router.get(f"{PLACE}/fermeture")
async def closure_page(
    company_id: UUID, establishment_id: UUID, request: Request, caller: StaffClerk, use: Use
) -> Response:
    """What a closure does is said before it is done."""
    writes(caller)
    return await _closure(request, caller, use, company_id, establishment_id, "")


@router.post(f"{PLACE}/fermeture")
async def close(
    company_id: UUID, establishment_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use
) -> Response:
    writes(caller)
    on = fields.get("on", "")[:40]
    try:
        day = validated(ClosedOn, {"on": on}).on
        asked = validated(EstablishmentClosure, {"on": day})
        await use.company_register.close(caller, company_id, establishment_id, asked)
    except InvalidFields as wrong:
        code = wrong.errors[0].code
        words = (
            "Indiquez une date depuis 1900, au plus tard dans deux ans."
            if code == "date.bounds"
            else ("Indiquez une date au format jj/mm/aaaa.")
        )
        shown = InvalidFields([FieldError("on", "date", french(f"{words} Exemple : {today():%d/%m/%Y}"))])
        return await _closure(request, caller, use, company_id, establishment_id, on, shown)
    return see_other(f"{REGISTER}/{company_id}?fait=ferme")


@router.get(f"{PLACE}/reouverture")
async def reopening_page(
    company_id: UUID, establishment_id: UUID, request: Request, caller: StaffClerk, use: Use
) -> Response:
    writes(caller)
    company = await use.company_register.company(caller, company_id)
    place = _place(company, establishment_id)
    if place.closed_on is None:
        return see_other(f"{REGISTER}/{company_id}")
    return await desk_page(request, caller, use, "register/reopening", company=company, place=place)


@router.post(f"{PLACE}/reouverture")
async def reopen(company_id: UUID, establishment_id: UUID, caller: StaffClerk, use: Use) -> Response:
    try:
        await use.company_register.reopen(caller, company_id, establishment_id)
    except RefusedByRules:  # it is open: somebody else was faster
        return see_other(f"{REGISTER}/{company_id}")
    return see_other(f"{REGISTER}/{company_id}?fait=rouvert")


async def _closure(
    request: Request,
    caller: Caller,
    use: Parts,
    company_id: UUID,
    establishment_id: UUID,
    on: str,
    wrong: InvalidFields | None = None,
) -> Response:
    company = await use.company_register.company(caller, company_id)
    place = _place(company, establishment_id)
    return await desk_page(
        request,
        caller,
        use,
        "register/closure",
        wrong,
        company=company,
        place=place,
        on=on,
        example=today().strftime("%d/%m/%Y"),
    )


def _place(company: CompanyRecord, establishment_id: UUID) -> RegisteredEstablishment:
    """Raises NotFound."""
    for one in company.establishments:
        if one.id == establishment_id:
            return one
    raise NotFound()


def _unsure(words: str) -> InvalidFields:
    return InvalidFields([FieldError("sure", "unticked", french(words))])
