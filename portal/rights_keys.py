"""« Mes habilitations › Clés d’accès »: the API keys of one's companies, made for a payroll software, shown once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.rights import RightsState, Role
from messages.typography import french
from portal.forms import Fields
from portal.pages import see_other
from portal.rights import RIGHTS, Company, day_example, last_day, rights_page
from portal.space import SpaceRoute
from services.api_keys import DEFAULT_MONTHS, LONGEST_MONTHS, ApiKey, NewApiKey
from services.callers import Caller, Scope
from services.fields import validated
from services.problems import FieldError, InvalidFields, NotFound
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

KEYS: Final = f"{RIGHTS}/cles"
NEW: Final = f"{KEYS}/creer"
ENDING_DAYS: Final = 30  # a key that ends so soon stands out
Done = Annotated[str, Query(alias="fait", max_length=40)]
_DONE: Final = {"retiree": french("La clé est retirée : elle n’ouvre plus rien, tout de suite.")}
_MISSING: Final = {
    "name": "Donnez un nom à la clé. Exemple : Logiciel de paie",
    "sirens": "Choisissez au moins une entreprise.",
    "expires_on": f"Indiquez une date entre aujourd’hui et dans {LONGEST_MONTHS} mois, au format jj/mm/aaaa.",
}


@router.get(KEYS)
async def keys(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    listed = await use.api_keys.list(caller)
    now = datetime.now(UTC)
    return await rights_page(
        request,
        caller,
        use,
        "keys",
        keys=listed.items,
        names=await _names(caller, use),
        note=_DONE.get(fait, ""),
        soon=now + timedelta(days=ENDING_DAYS),
    )


@router.get(NEW)
async def new_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_administrator()
    caller.need_step_up()
    return await _form(request, caller, use, {"scope_write": ""})


@router.post(NEW)
async def make(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Shown in the answer itself: nothing keeps the key but its hash."""
    caller.need_administrator()
    caller.need_step_up()
    try:
        made = await use.api_keys.make(caller, _asked(fields))
    except InvalidFields as wrong:
        return await _form(request, caller, use, fields, _in_words(wrong))
    answer = await rights_page(request, caller, use, "key_made", key=made, names=await _names(caller, use))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _asked(fields: Mapping[str, str]) -> NewApiKey:
    """Raises InvalidFields, with all there is to correct."""
    scopes = [Scope.read.value, *([Scope.write.value] if fields.get("scope_write") == "yes" else [])]
    given: dict[str, Any] = {
        "name": fields.get("name", "")[:200],
        "sirens": [
            name.removeprefix("siren_") for name, value in fields.items() if name.startswith("siren_") and value
        ],
        "scopes": scopes,
    }
    errors: list[FieldError] = []
    try:
        given["expires_on"] = last_day(fields.get("expires_on", "")[:40], "expires_on")
    except InvalidFields as wrong:
        errors += wrong.errors
    try:
        asked = validated(NewApiKey, given)
    except InvalidFields as wrong:
        raise InvalidFields([*wrong.errors, *errors]) from None
    if errors:
        raise InvalidFields(errors)
    return asked


def _in_words(wrong: InvalidFields) -> InvalidFields:
    errors: dict[str, FieldError] = {}
    for one in wrong.errors:
        field = one.field.partition(".")[0]
        words = french(f"{_MISSING[field]} Exemple : {day_example()}") if field == "expires_on" else one.message
        if field in ("name", "sirens") and one.code in ("missing", "string_too_short", "too_short"):
            words = french(_MISSING[field])
        errors.setdefault(field, FieldError(field, one.code, words))
    return InvalidFields(list(errors.values()))


async def _form(
    request: Request, caller: Caller, use: Parts, fields: Mapping[str, str], wrong: InvalidFields | None = None
) -> Response:
    companies = await _companies(caller, use)
    return await rights_page(
        request,
        caller,
        use,
        "key_new",
        wrong,
        companies=companies,
        chosen=[one.siren for one in companies if len(companies) == 1 or fields.get(f"siren_{one.siren}")],
        typed={name: fields.get(name, "")[:200] for name in ("name", "expires_on", "scope_write")},
        example=day_example(),
        months=DEFAULT_MONTHS,
    )


@router.get(f"{KEYS}/{{key_id:uuid}}/revocation")
async def revocation_page(key_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What it does is said before it is done."""
    caller.need_administrator()
    caller.need_step_up()
    key = await _key(caller, use, key_id)
    return await rights_page(request, caller, use, "key_revoke", key=key, names=await _names(caller, use))


@router.post(f"{KEYS}/{{key_id:uuid}}/revocation")
async def revoke(key_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.api_keys.revoke(caller, key_id)
    return see_other(f"{KEYS}?fait=retiree")


async def _key(caller: Caller, use: Parts, key_id: UUID) -> ApiKey:
    """Raises NotAllowed, NotFound."""
    for one in (await use.api_keys.list(caller)).items:
        if one.id == key_id:
            return one
    raise NotFound()


async def _companies(caller: Caller, use: Parts) -> list[Company]:
    """Those that the caller administers, of the perimeter."""
    listed = await use.users.overview(caller)
    return [
        Company(one.siren, one.company)
        for user in listed.items
        for one in user.rights
        if user.is_me and one.role is Role.administrator and one.state is RightsState.active
    ]


async def _names(caller: Caller, use: Parts) -> dict[str, str]:
    return {one.siren: one.name for one in await _companies(caller, use)}
