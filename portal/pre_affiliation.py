"""« Mes salariés › Pré-affiliation » (guide, page 10): one person by form, in one page.

Three steps at the same address: the form, what will be sent and when, and what became of it. Between them the form's
fields travel as hidden ones: nothing is written before « Confirmer et envoyer », and the key that the review carries
makes sending twice one declaration. A session that ends in between keeps what was typed (`portal.kept_forms`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from domain.affiliation import Status
from domain.identifiers import masked_nir
from domain.working_time import french_date, paris_date
from messages.typography import french
from portal.forms import Fields
from portal.kept_forms import Kept, opened, signed_in_again
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, space_page
from services.callers import Caller, Scope
from services.declarations import PreAffiliation
from services.enrolment_form import TypedDay
from services.fields import today, validated
from services.greetings import greeting
from services.idempotency import once
from services.pre_affiliation_checks import Place, nir_as_meant
from services.problems import AlreadyOpen, FieldError, InvalidFields
from services.views import NextStep
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

FORM: Final = "/salaries/pre-affiliation"
CHECK: Final = f"{FORM}/controle"
SEND: Final = f"{FORM}/envoi"
AGAIN: Final = f"{FORM}/reprise"

_EMPLOYMENT: Final = ("siret", "hired_on", "professional_status", "scheme", "contract_kind", "medium")
_PERSON: Final = (
    *("civility", "last_name", "birth_name", "first_names", "birth_date", "nir", "email", "phone", "language"),
)
_ADDRESS: Final = ("line1", "line2", "postcode", "city")
TYPED: Final = (*_EMPLOYMENT, *_PERSON, *_ADDRESS)
_MOST_TYPED: Final = 300
_MOST_LOOKS: Final = 6  # at the page of the result, while the invitation is being handed over
# Which regions of the form a check answers for, by the name it is asked with.
CHECKS: Final = ("personne", "regime", "email", "telephone", "adresse")


class Route(SpaceRoute):
    kept = Kept(FORM, AGAIN, TYPED)


router = APIRouter(route_class=Route, dependencies=[OwnSite], include_in_schema=False)


# --- the form


@router.get(FORM)
async def form(
    request: Request, caller: UserCaller, use: Use, siret: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """`siret`: an establishment to begin with."""
    places = await use.pre_affiliation_checks.places(caller)
    first = next((one for one in places if one.siret == siret), places[0] if len(places) == 1 else None)
    typed = {"siret": first.siret, "scheme": first.usual_scheme.value} if first else {}
    return await _form(request, caller, use, typed, places=places)


@router.post(FORM)
async def go_on(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """To the review; or the form again, checked (« Vérifier ») or to be changed (« Modifier »)."""
    if fields.get("etape") in ("verifier", "modifier"):
        return await _form(request, caller, use, fields, checked=True, told=fields["etape"] == "verifier")
    try:
        return await _review(request, caller, use, fields, read(fields))
    except InvalidFields as wrong:
        return await _form(request, caller, use, fields, in_words(wrong), checked=True)
    except AlreadyOpen as problem:
        return await _form(request, caller, use, fields, checked=True, already=str(problem.extensions["id"]))


@router.post(f"{FORM}/dsn/{{proposal_id:uuid}}")
async def from_dsn(proposal_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """The form begun with what the company's own DSN says of somebody; nothing of them stands in the address."""
    typed = await use.hire_proposals.typed(caller, proposal_id)
    return await _form(request, caller, use, typed, checked=True, from_dsn=True)


@router.post(CHECK)
async def check(caller: UserCaller, fields: Fields, use: Use) -> Response:
    """One region of the form, looked at while it is typed."""
    asked = fields.get("controle", "")
    advice = await use.pre_affiliation_checks.advise(caller, _typed(fields))
    return fragment(
        "space/pre_affiliation/check.html", "check", kind=asked if asked in CHECKS else CHECKS[0], advice=advice
    )


async def again_caller(request: Request, use: Use) -> Caller:
    return await signed_in_again(request, use)


@router.post(AGAIN)
async def again(
    request: Request, caller: Annotated[Caller, Depends(again_caller)], fields: Fields, use: Use
) -> Response:
    """What was kept when the session ended, in the form again."""
    kept = opened(request, use, caller, fields)
    if kept is None:
        return see_other(f"{FORM}?perdu=oui")
    return await _form(request, caller, use, kept.typed, checked=True, kept=True)


@router.get(CHECK)
@router.get(SEND)
@router.get(AGAIN)
async def back_to_form() -> Response:
    """Where something was sent to is looked at again after signing in, or « Réessayer »."""
    return see_other(FORM)


async def _form(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    wrong: InvalidFields | None = None,
    *,
    places: list[Place] | None = None,
    checked: bool = False,
    told: bool = False,
    kept: bool = False,
    already: str = "",
    from_dsn: bool = False,
) -> Response:
    """`checked`: with all advice, as scripts would have shown it; `told`: the page says so."""
    who, found = await asyncio.gather(greeting(use.system, caller), _places(caller, use, places))
    typed = _typed(fields)
    advice = await use.pre_affiliation_checks.advise(caller, typed if checked else {"siret": typed["siret"]}, found)
    return space_page(
        request,
        "pre_affiliation/form",
        409 if already else 422 if wrong else 200,
        who=who,
        wrong=wrong,
        typed=typed,
        places=_by_company(found),
        alone=len(found) == 1,
        advice=advice,
        told=told,
        lost="perdu" in request.query_params,
        kept=kept,
        already=already,
        from_dsn=from_dsn,
        hires=await use.hire_proposals.count(caller),
    )


async def _places(caller: Caller, use: Parts, known: list[Place] | None) -> list[Place]:
    return await use.pre_affiliation_checks.places(caller) if known is None else known


def _by_company(places: list[Place]) -> list[tuple[str, list[Place]]]:
    companies: dict[str, list[Place]] = {}
    for place in places:
        companies.setdefault(place.siren, []).append(place)
    return [(found[0].company, found) for found in companies.values()]


def _typed(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields.get(name, "")[:_MOST_TYPED] for name in TYPED}


# --- the review


async def _review(
    request: Request, caller: Caller, use: Parts, fields: Mapping[str, str], asked: PreAffiliation
) -> Response:
    typed = _typed(fields)
    preview = await use.pre_affiliation_checks.preview(caller, asked)
    who, advice = await asyncio.gather(
        greeting(use.system, caller), use.pre_affiliation_checks.advise(caller, typed, [preview.place])
    )
    return space_page(
        request,
        "pre_affiliation/review",
        who=who,
        typed=typed,
        asked=asked,
        nir=masked_nir(asked.employee.nir),
        preview=preview,
        steps=planned(preview.steps),
        advice=advice,
        key=uuid4(),
    )


@router.post(SEND)
async def send(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    try:
        asked = read(fields)
        key = _key(fields)
        if key is None:  # not from a review
            return await _review(request, caller, use, fields, asked)
        declared = await use.affiliations.declare(caller, asked, once(use.cipher, key, "declare", request=asked))
    except InvalidFields as wrong:
        return await _form(request, caller, use, fields, in_words(wrong), checked=True)
    except AlreadyOpen as problem:
        return await _form(request, caller, use, fields, checked=True, already=str(problem.extensions["id"]))
    await use.hire_proposals.followed(caller, declared.id)
    return see_other(f"{FORM}/{declared.id}/faite")


def _key(fields: Mapping[str, str]) -> str | None:
    try:
        return str(UUID(fields.get("cle", "")))
    except ValueError:
        return None


# --- what became of it


@router.get(f"{FORM}/{{affiliation_id:uuid}}/faite")
async def done(
    affiliation_id: UUID,
    request: Request,
    caller: UserCaller,
    use: Use,
    vue: Annotated[int, Query(ge=0, le=_MOST_LOOKS)] = 0,
) -> Response:
    """`vue`: how often this page looked at it again by itself."""
    caller.need(Scope.write)
    who, found = await asyncio.gather(
        greeting(use.system, caller), use.affiliations.follow_up.detail(caller, affiliation_id)
    )
    waits = found.status is Status.preparing and found.attention is None and vue < _MOST_LOOKS
    values: dict[str, Any] = {
        "one": found,
        "steps": planned(found.calendar),
        "next_look": vue + 1 if waits else 0,
    }
    if "hx-request" in request.headers:
        return fragment("space/pre_affiliation/done.html", "state", **values)
    return space_page(request, "pre_affiliation/done", who=who, **values)


# --- reading and wording


def read(fields: Mapping[str, str]) -> PreAffiliation:
    """The declaration that was typed, as French people type. Raises InvalidFields, by the model's paths."""
    given = {name: text.strip() for name, text in _typed(fields).items() if text.strip()}
    for name in ("hired_on", "birth_date"):
        if name in given:
            given[name] = iso_day(given[name])
    if "nir" in given:
        given["nir"] = nir_as_meant(given["nir"])
    usage = given.get("last_name")
    if "birth_name" in given:
        given.setdefault("last_name", given["birth_name"])
    employee: dict[str, Any] = {name: given[name] for name in _PERSON if name in given}
    employee["address"] = {name: given[name] for name in _ADDRESS if name in given}
    employment: dict[str, Any] = {name: given[name] for name in _EMPLOYMENT if name in given}
    try:
        return validated(PreAffiliation, {**employment, "employee": employee})
    except InvalidFields as wrong:
        if usage is not None:
            raise
        # the birth name stands for it: what is wrong is said there
        raise InvalidFields([one for one in wrong.errors if one.field != "employee.last_name"]) from None


_DAY: TypeAdapter[Any] = TypeAdapter(TypedDay)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_MISSING: Final = {
    "siret": "Choisissez l’établissement.",
    "hired_on": "Indiquez la date d’embauche.",
    "professional_status": "Choisissez le statut professionnel.",
    "scheme": "Choisissez le régime.",
    "contract_kind": "Choisissez la nature du contrat.",
    "civility": "Choisissez la civilité.",
    "last_name": "Indiquez le nom d’usage.",
    "birth_name": "Indiquez le nom de naissance.",
    "first_names": "Indiquez le ou les prénoms.",
    "birth_date": "Indiquez la date de naissance.",
    "nir": "Indiquez le numéro de sécurité sociale.",
    "line1": "Indiquez le numéro et la rue.",
    "postcode": "Indiquez le code postal.",
    "city": "Indiquez la ville.",
}
_EXAMPLES: Final = {"first_names": "Camille, Dominique"}
_CHOSEN: Final = ("siret", "professional_status", "scheme", "contract_kind", "civility", "language", "medium")
_ABSENT: Final = ("missing", "string_too_short")
_NOT_OFFERED: Final = ("enum", "literal_error")


def in_words(wrong: InvalidFields) -> InvalidFields:
    """The same on the form: each field once, by its own name, and dates as one types them."""
    errors: dict[str, FieldError] = {}
    for one in sorted(wrong.errors, key=_place_on_form):
        field = one.field.rpartition(".")[2]
        message = one.message
        if field in _CHOSEN and one.code in (*_ABSENT, *_NOT_OFFERED):
            message = _MISSING.get(field, french("Cette valeur n’est pas proposée : choisissez-en une autre."))
        elif one.code in _ABSENT and field in _MISSING:
            example = _EXAMPLES.get(field, one.example)
            message = french(f"{_MISSING[field]} Exemple : {example}")
        message = _ISO.sub(r"\3/\2/\1", message).replace("AAAA-MM-JJ", "jj/mm/aaaa")
        errors.setdefault(field, FieldError(field, f"form.{one.code}", message))
    return InvalidFields(list(errors.values()))


_ORDER: Final = (
    *("siret", "nir", "civility", "birth_name", "last_name", "first_names", "birth_date", "hired_on"),
    *("contract_kind", "professional_status", "scheme", "email", "phone", "line1", "line2", "postcode", "city"),
    *("language", "medium"),
)


def _place_on_form(error: FieldError) -> int:
    field = error.field.rpartition(".")[2]
    return _ORDER.index(field) if field in _ORDER else len(_ORDER)


def iso_day(typed: str) -> str:
    """A date as the model reads it; as typed where it is none, so that the model says so."""
    try:
        return str(_DAY.validate_python(typed))
    except ValidationError:
        return typed


def planned(steps: tuple[NextStep, ...] | list[NextStep]) -> list[dict[str, Any]]:
    """What comes, with the day it comes on: the hour is only known once the invitation has left."""
    now = datetime.now(UTC)
    return [
        {
            "kind": one.kind,
            "medium": one.medium,
            "now": one.at <= now,
            "day": french_date(paris_date(one.at), today(), weekday=True),
            "iso": paris_date(one.at).isoformat(),
        }
        for one in steps
    ]
