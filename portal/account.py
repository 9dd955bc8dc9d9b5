"""« Mon profil »: what one changes of oneself, where one is signed in, and « Ajouter un établissement au périmètre
suivi » (guide, page 8). Pages of sensitive changes ask for a code before they are shown, so that nothing typed is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from portal.forms import Fields, as_typed
from portal.pages import see_other
from portal.space import SpaceRoute, drawing, one_problem, signed_in_page
from services.activations import Reference
from services.authenticator import TotpConfirmation
from services.callers import Caller
from services.fields import validated
from services.own_email import EmailChange
from services.own_phone import PhoneChange, PhoneConfirmation
from services.problems import InvalidFields, NotFound, Problem
from services.profile import Names, PasswordChange
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.devices import devices_of
from web.parts import Parts
from web.visitors import Visit

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

PROFILE = "/profil"
Done = Annotated[str, Query(alias="fait", max_length=40)]
# What a page says of what was just done, by the code in its address.
_DONE: Final = {
    "nom": "Votre nom est enregistré.",
    "mot-de-passe": "Votre mot de passe est changé. Vos autres sessions ont pris fin.",
    "telephone": "Votre nouveau numéro est enregistré.",
    "application": "Votre application d’authentification est retirée : les codes arrivent de nouveau par SMS.",
    "session": "Cette session a pris fin.",
    "appareil": "Un code sera demandé à la prochaine connexion sur cet appareil.",
}


def _shown(problem: Problem, field: str) -> tuple[InvalidFields, int]:
    """A problem of a form, beside the field it belongs to."""
    wrong = problem if isinstance(problem, InvalidFields) else one_problem(problem, field)
    return wrong, problem.status


@router.get(PROFILE)
async def profile(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    me = await use.profile.me(caller)
    return await signed_in_page(request, caller, use, "account/profile", me=me, note=_DONE.get(fait, ""))


# --- name


@router.get(f"{PROFILE}/nom")
async def name_page(request: Request, caller: UserCaller, use: Use) -> Response:
    me = await use.profile.me(caller)
    return await signed_in_page(
        request, caller, use, "account/name", typed={"first_name": me.first_name, "last_name": me.last_name}
    )


@router.post(f"{PROFILE}/nom")
async def rename(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    typed = as_typed(fields, "first_name", "last_name")
    try:
        await use.profile.rename(caller, validated(Names, typed))
    except InvalidFields as wrong:
        return await signed_in_page(request, caller, use, "account/name", wrong, typed=typed)
    return see_other(f"{PROFILE}?fait=nom")


# --- password


@router.get(f"{PROFILE}/mot-de-passe")
async def password_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    return await signed_in_page(request, caller, use, "account/password")


@router.post(f"{PROFILE}/mot-de-passe")
async def change_password(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    try:
        await use.profile.change_password(caller, validated(PasswordChange, _secrets(fields, "current", "new")))
    except Problem as problem:
        wrong, status = _shown(problem, "current")
        return await signed_in_page(request, caller, use, "account/password", wrong, status)
    return see_other(f"{PROFILE}?fait=mot-de-passe")


# --- e-mail address


@router.get(f"{PROFILE}/adresse")
async def address_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    return await signed_in_page(request, caller, use, "account/address", typed={"email": ""}, told="")


@router.post(f"{PROFILE}/adresse")
async def change_address(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    typed = as_typed(fields, "email")
    try:
        asked = validated(EmailChange, {**typed, **_secrets(fields, "password")})
        told = await use.profile.email.change(caller, asked)
    except Problem as problem:
        wrong, status = _shown(problem, "password")
        return await signed_in_page(request, caller, use, "account/address", wrong, status, typed=typed, told="")
    return await signed_in_page(request, caller, use, "account/address", typed=typed, told=told.detail)


# --- telephone


@router.get(f"{PROFILE}/telephone")
async def phone_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    return await signed_in_page(request, caller, use, "account/phone", typed={"phone": ""}, sent="")


@router.post(f"{PROFILE}/telephone")
async def change_phone(request: Request, caller: UserCaller, fields: Fields, visit: Visit, use: Use) -> Response:
    caller.need_step_up()
    typed = as_typed(fields, "phone")
    try:
        asked = validated(PhoneChange, {**typed, **_secrets(fields, "password")})
        sent = await use.profile.phone.change(caller, asked, visit)
    except Problem as problem:
        wrong, status = _shown(problem, "phone")
        return await signed_in_page(request, caller, use, "account/phone", wrong, status, typed=typed, sent="")
    return await signed_in_page(request, caller, use, "account/phone", typed=typed, sent=sent.phone)


@router.post(f"{PROFILE}/telephone/code")
async def confirm_phone(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    try:
        await use.profile.phone.confirm(caller, validated(PhoneConfirmation, _secrets(fields, "code")))
    except Problem as problem:
        wrong, status = _shown(problem, "code")
        sent = fields.get("sent", "")[:40]
        return await signed_in_page(
            request, caller, use, "account/phone", wrong, status, typed={"phone": ""}, sent=sent or "•"
        )
    return see_other(f"{PROFILE}?fait=telephone")


# --- authenticator app


@router.get(f"{PROFILE}/application")
async def app_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    me = await use.profile.me(caller)
    return await signed_in_page(request, caller, use, "account/app", me=me)


@router.post(f"{PROFILE}/application")
async def begin_app(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    return await _offer(request, caller, use, None)


@router.post(f"{PROFILE}/application/code")
async def confirm_app(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    try:
        confirmed = validated(TotpConfirmation, _secrets(fields, "code"))
        recovery = await use.profile.authenticator.confirm(caller, confirmed)
    except Problem as problem:
        return await _offer(request, caller, use, _shown(problem, "code")[0])
    return await _codes(request, caller, use, recovery.codes)


@router.post(f"{PROFILE}/application/secours")
async def renew_codes(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    return await _codes(request, caller, use, (await use.profile.authenticator.renew_codes(caller)).codes)


@router.post(f"{PROFILE}/application/retrait")
async def remove_app(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    await use.profile.authenticator.remove(caller)
    return see_other(f"{PROFILE}?fait=application")


async def _offer(request: Request, caller: Caller, use: Parts, wrong: InvalidFields | None) -> Response:
    """A new key each time it is shown: what a wrong code was of is not shown again."""
    offer = await use.profile.authenticator.begin(caller)
    return await signed_in_page(
        request,
        caller,
        use,
        "app",
        wrong,
        action=f"{PROFILE}/application/code",
        offer=offer,
        qr=drawing(offer.qr),
        suite=PROFILE,
    )


async def _codes(request: Request, caller: Caller, use: Parts, codes: list[str]) -> Response:
    return await signed_in_page(request, caller, use, "recovery_codes", codes=codes, onward=PROFILE)


# --- where one is signed in


@router.get(f"{PROFILE}/connexions")
async def places(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    sessions = (await use.sessions.list(caller)).items
    devices = (await use.devices.list(caller, devices_of(request, use.config))).items
    return await signed_in_page(
        request, caller, use, "account/places", sessions=sessions, devices=devices, note=_DONE.get(fait, "")
    )


@router.post(f"{PROFILE}/connexions/sessions/{{session_id}}")
async def close_session(session_id: UUID, caller: UserCaller, use: Use) -> Response:
    """Twice is once."""
    with contextlib.suppress(NotFound):
        await use.sessions.close_one(caller, session_id)
    return see_other(f"{PROFILE}/connexions?fait=session")


@router.post(f"{PROFILE}/connexions/appareils/{{device_id}}")
async def revoke_device(device_id: UUID, caller: UserCaller, use: Use) -> Response:
    with contextlib.suppress(NotFound):
        await use.devices.revoke(caller, device_id)
    return see_other(f"{PROFILE}/connexions?fait=appareil")


# --- « Ajouter un établissement au périmètre suivi »


@router.get(f"{PROFILE}/etablissement")
async def establishment_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_step_up()
    return await signed_in_page(
        request, caller, use, "account/establishment", typed={"siret": "", "insurer_reference": ""}, added=None
    )


@router.post(f"{PROFILE}/etablissement")
async def add_establishment(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    caller.need_step_up()
    typed = as_typed(fields, "siret", "insurer_reference")
    try:
        added = await use.perimeter.add(caller, validated(Reference, typed))
    except Problem as problem:
        wrong, status = _shown(problem, "siret")
        return await signed_in_page(
            request, caller, use, "account/establishment", wrong, status, typed=typed, added=None
        )
    return await signed_in_page(request, caller, use, "account/establishment", typed=typed, added=added)


def _secrets(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    """Passwords and codes: as typed, and never shown again."""
    return {name: fields.get(name, "") for name in names}
