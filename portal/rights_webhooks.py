"""« Mes habilitations › Webhooks »: a company's software is told of each event; its secret is shown once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.rights import RightsState, Role
from domain.webhooks import MOST_TRIES, WebhookKind
from messages import webhook_words
from messages.typography import french
from portal.forms import Fields
from portal.pages import see_other
from portal.rights import RIGHTS, Company, rights_page
from portal.space import SpaceRoute
from services.callers import Caller
from services.fields import validated
from services.problems import FieldError, InvalidFields, TooManyRequests
from services.webhooks import URL_EXAMPLE, DeliveryState, NewWebhookEndpoint, WebhookEndpoint
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

HOOKS: Final = f"{RIGHTS}/webhooks"
NEW: Final = f"{HOOKS}/creer"
ONE: Final = f"{HOOKS}/{{endpoint_id:uuid}}"
SHOWN: Final = 25
Done = Annotated[str, Query(alias="fait", max_length=40)]
After = Annotated[UUID | None, Query(alias="apres")]
State = Annotated[DeliveryState | None, Query(alias="etat")]
_DONE: Final = {
    code: french(words)
    for code, words in {
        "supprime": "Le webhook est supprimé : plus rien ne part vers ce logiciel.",
        "pause": "Les envois sont en pause. Ce qui se passe d’ici là est gardé 30 jours.",
        "reprise": "Les envois reprennent : ce qui attendait part dans l’ordre.",
        "recu": "Le test est arrivé : le logiciel l’a accepté.",
        "renvoi": "Le message repart dans un instant.",
        "renvois": "Les messages abandonnés repartent dans un instant.",
    }.items()
}
_BAD: Final = {
    "echec": french("Le test n’a pas été accepté. La raison est dans le journal, plus bas."),
    "trop": french("Trop de tests en peu de temps. Attendez quelques minutes, puis réessayez."),
}
_MISSING: Final = {
    "name": "Donnez un nom au webhook. Exemple : Logiciel de paie",
    "siren": "Choisissez une entreprise.",
    "url": french(f"Indiquez l’adresse que le logiciel vous donne. Exemple : {URL_EXAMPLE}"),
    "kinds": "Cochez au moins un événement, ou choisissez « Tous les événements ».",
}
STATE_ICONS: Final = {"active": "good", "paused": "pause", "failing": "warning", "stopped": "warning"}
DELIVERY_ICONS: Final = {"waiting": "clock", "delivered": "good", "failed": "rejected"}


@router.get(HOOKS)
async def hooks(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    listed = await use.webhooks.list(caller)
    return await _page(
        request, caller, use, "webhooks", hooks=listed.items, names=await _names(caller, use), note=_DONE.get(fait, "")
    )


@router.get(NEW)
async def new_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need_administrator()
    caller.need_step_up()
    return await _form(request, caller, use, {})


@router.post(NEW)
async def make(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """The secret is shown in the answer itself."""
    caller.need_administrator()
    caller.need_step_up()
    try:
        made = await use.webhooks.make(caller, _asked(fields))
    except InvalidFields as wrong:
        return await _form(request, caller, use, fields, _in_words(wrong))
    return await _secret_page(request, caller, use, made, made.secret)


@router.get(ONE)
async def one(
    endpoint_id: UUID,
    request: Request,
    caller: UserCaller,
    use: Use,
    fait: Done = "",
    apres: After = None,
    etat: State = None,
) -> Response:
    hook = await use.webhooks.one(caller, endpoint_id)
    log = await use.webhooks.deliveries(caller, endpoint_id, SHOWN, apres, etat)
    return await _page(
        request,
        caller,
        use,
        "webhook",
        hook=hook,
        log=log,
        chosen=etat,
        delivery_states=[state.value for state in DeliveryState],
        further=apres is not None,
        names=await _names(caller, use),
        note=_DONE.get(fait, ""),
        bad=_BAD.get(fait, ""),
        at=_at(endpoint_id),
        most_tries=MOST_TRIES,
    )


@router.post(f"{ONE}/essai")
async def try_it(endpoint_id: UUID, caller: UserCaller, use: Use) -> Response:
    try:
        tried = await use.webhooks.test(caller, endpoint_id)
    except TooManyRequests:
        return _back(endpoint_id, "trop")
    return _back(endpoint_id, "recu" if tried.state is DeliveryState.delivered else "echec")


@router.post(f"{ONE}/pause")
async def pause(endpoint_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.webhooks.pause(caller, endpoint_id)
    return _back(endpoint_id, "pause")


@router.post(f"{ONE}/reprise")
async def resume(endpoint_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.webhooks.resume(caller, endpoint_id)
    return _back(endpoint_id, "reprise")


@router.post(f"{ONE}/renvoi")
async def replay_failed(endpoint_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.webhooks.replay(caller, endpoint_id, None)
    return _back(endpoint_id, "renvois")


@router.post(f"{ONE}/messages/{{delivery_id:uuid}}/renvoi")
async def replay(endpoint_id: UUID, delivery_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.webhooks.replay(caller, endpoint_id, delivery_id)
    return _back(endpoint_id, "renvoi")


@router.get(f"{ONE}/secret")
async def rotation_page(endpoint_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What it does is said before it is done."""
    return await _sure_page(endpoint_id, request, caller, use, "webhook_secret")


@router.post(f"{ONE}/secret")
async def rotate(endpoint_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    made = await use.webhooks.rotate(caller, endpoint_id)
    hook = await use.webhooks.one(caller, endpoint_id)
    return await _secret_page(request, caller, use, hook, made.secret, made.former_until)


@router.get(f"{ONE}/suppression")
async def deletion_page(endpoint_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await _sure_page(endpoint_id, request, caller, use, "webhook_delete")


@router.post(f"{ONE}/suppression")
async def delete(endpoint_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.webhooks.delete(caller, endpoint_id)
    return see_other(f"{HOOKS}?fait=supprime")


# --- the parts of it


def _at(endpoint_id: UUID) -> str:
    return f"{HOOKS}/{endpoint_id}"


def _back(endpoint_id: UUID, done: str) -> Response:
    return see_other(f"{_at(endpoint_id)}?fait={done}")


async def _page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    wrong: InvalidFields | None = None,
    **values: Any,
) -> Response:
    return await rights_page(
        request,
        caller,
        use,
        template,
        wrong,
        told=webhook_words,
        state_icons=STATE_ICONS,
        delivery_icons=DELIVERY_ICONS,
        **values,
    )


async def _sure_page(endpoint_id: UUID, request: Request, caller: Caller, use: Parts, template: str) -> Response:
    caller.need_administrator()
    caller.need_step_up()
    hook = await use.webhooks.one(caller, endpoint_id)
    return await _page(request, caller, use, template, hook=hook, at=_at(endpoint_id))


async def _secret_page(
    request: Request,
    caller: Caller,
    use: Parts,
    hook: WebhookEndpoint,
    secret: str,
    former_until: datetime | None = None,
) -> Response:
    answer = await _page(
        request, caller, use, "webhook_made", name=hook.name, secret=secret, at=_at(hook.id), former_until=former_until
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _asked(fields: Mapping[str, str]) -> NewWebhookEndpoint:
    """Raises InvalidFields, with all there is to correct."""
    kinds = [kind.value for kind in WebhookKind if fields.get(f"kind_{kind}")]
    some = fields.get("which") == "some"
    given = {
        "siren": fields.get("siren", "")[:40],
        "name": fields.get("name", "")[:200],
        "url": fields.get("url", "")[:1000],
        "kinds": kinds if some else [],
    }
    errors = [FieldError("kinds", "missing", _MISSING["kinds"])] if some and not kinds else []
    try:
        asked = validated(NewWebhookEndpoint, given)
    except InvalidFields as wrong:
        raise InvalidFields([*wrong.errors, *errors]) from None
    if errors:
        raise InvalidFields(errors)
    return asked


def _in_words(wrong: InvalidFields) -> InvalidFields:
    errors: dict[str, FieldError] = {}
    for one in wrong.errors:
        missing = one.code in ("missing", "string_too_short") or (one.field == "siren" and one.code == "siren.length")
        words = french(_MISSING[one.field]) if missing and one.field in _MISSING else one.message
        errors.setdefault(one.field, FieldError(one.field, one.code, words))
    return InvalidFields(list(errors.values()))


async def _form(
    request: Request, caller: Caller, use: Parts, fields: Mapping[str, str], wrong: InvalidFields | None = None
) -> Response:
    companies = await _companies(caller, use)
    return await _page(
        request,
        caller,
        use,
        "webhook_new",
        wrong,
        companies=companies,
        siren=companies[0].siren if len(companies) == 1 else fields.get("siren", ""),
        kinds=[kind.value for kind in WebhookKind],
        ticked=[kind.value for kind in WebhookKind if fields.get(f"kind_{kind}")],
        some=fields.get("which") == "some",
        typed={name: fields.get(name, "")[:1000] for name in ("name", "url")},
        example=URL_EXAMPLE,
    )


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
