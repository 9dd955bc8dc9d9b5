"""« Mes habilitations › Gestion des habilitations » (guide, page 7): the users of one's companies, adding one, changing
their rights. Pages of changes ask for a code before they are shown, so that nothing typed is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BeforeValidator

from domain.rights import RightsState, Role
from domain.working_time import months_after
from messages.typography import french
from portal.forms import Fields, as_typed
from portal.pages import see_other, with_retry
from portal.space import SpaceRoute, one_problem, signed_in_page
from services.callers import Caller
from services.enrolment_form import TypedDay
from services.fields import Form, empty_is_none, today, validated
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules, TooManyRequests
from services.user_views import UserView
from services.users import Invite, InvitedNames, RightsChange
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

RIGHTS: Final = "/habilitations"
ADD: Final = f"{RIGHTS}/ajouter"
ONE: Final = f"{RIGHTS}/{{user_id:uuid}}"
MOST_SHOWN: Final = 50  # users, or companies, on one page

Done = Annotated[str, Query(alias="fait", max_length=40)]
Page = Annotated[int, Query(ge=1, le=10_000)]
SirenInPath = Annotated[str, Path(pattern=r"^\d{9}$")]
# What a page says of what was just done, by the code in its address.
DONE: Final = {
    code: french(words)
    for code, words in {
        "invite": "L’invitation est partie : cette personne reçoit un e-mail avec un lien, valable 72 heures.",
        "lien": "Le lien est reparti à son adresse e-mail.",
        "nom": "Le nom est corrigé.",
        "role": "Le rôle est enregistré.",
        "propose": "L’accès est proposé : cette personne reçoit un e-mail pour l’accepter.",
        "suspendu": "L’accès est désactivé provisoirement. Vous pouvez le réactiver à tout moment.",
        "reactive": "L’accès est réactivé.",
        "revoque": "L’accès est désactivé définitivement.",
        "sessions": "Cette personne est déconnectée de tous ses navigateurs.",
        "revue": "Vos réponses sont enregistrées.",
        "reprise": "La demande est refusée : rien n’a changé dans votre espace.",
        "mandat-demande": "Si ces informations correspondent à une entreprise, ses administrateurs ont reçu votre "
        "demande. Leur réponse vous arrivera par e-mail.",
        "mandat-accepte": "Le mandat est accepté. Le tiers déclarant peut se connecter à partir de maintenant.",
        "mandat-refuse": "La demande est refusée. Le tiers déclarant en est prévenu par e-mail.",
        "mandat-fin": "Le mandat a pris fin.",
        "mandat-retire": "Votre demande est retirée.",
    }.items()
}


_MISSING: Final = {
    "first_name": "Indiquez le prénom.",
    "last_name": "Indiquez le nom.",
    "memberships": "Choisissez au moins une entreprise et un rôle.",
    "insurer_reference": "Indiquez l’identifiant entreprise.",
}
_FIELDS: Final = {"memberships": "companies"}  # where the form has them


@dataclass(frozen=True)
class Company:
    """One that the caller administers."""

    siren: str
    name: str


class LastDay(Form):
    """Of a mandate, as it is typed."""

    ends_on: Annotated[TypedDay | None, BeforeValidator(empty_is_none)] = None


async def rights_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    wrong: InvalidFields | None = None,
    status: int = 0,
    **values: Any,
) -> Response:
    return await signed_in_page(
        request, caller, use, f"rights/{template}", wrong, status, now=datetime.now(UTC), **values
    )


def last_day(text: str, field: str) -> date | None:
    """None: nothing was typed. Raises InvalidFields."""
    try:
        return validated(LastDay, {"ends_on": text}).ends_on
    except InvalidFields:
        raise InvalidFields([_wrong_day(field, "Indiquez une date au format jj/mm/aaaa.")]) from None


def in_words(wrong: InvalidFields, day: str) -> InvalidFields:
    """The same, with what is missing by its name, and a last day out of its bounds as one types it."""
    errors = []
    for one in wrong.errors:
        if one.code == "date.bounds":
            errors.append(
                _wrong_day(day, "Un mandat se termine au plus tôt aujourd’hui, et au plus tard dans 24 mois.")
            )
        elif one.code in ("missing", "string_too_short", "too_short") and one.field in _MISSING:
            errors.append(FieldError(_FIELDS.get(one.field, one.field), one.code, _MISSING[one.field]))
        else:
            errors.append(one)
    return InvalidFields(errors)


def day_example() -> str:
    """A last day that can be given now."""
    return months_after(today(), 12).strftime("%d/%m/%Y")


def _wrong_day(field: str, words: str) -> FieldError:
    return FieldError(field, "date", french(f"{words} Exemple : {day_example()}"))


# --- the list


@router.get(RIGHTS)
async def overview(
    request: Request, caller: UserCaller, use: Use, entreprise: str = "", page: Page = 1, fait: Done = ""
) -> Response:
    """Everybody, or those of one company; above them what waits for an answer."""
    if caller.look_as is not None:
        caller.need_administrator()
    if not caller.administers:
        me = await use.profile.me(caller)
        return await rights_page(request, caller, use, "refused", status=403, me=me)
    listed, review, mandates, recoveries = await asyncio.gather(
        use.users.overview(caller), use.access_review.waiting(caller), use.mandates.list(caller),
        use.company_recoveries.list(caller),
    )  # fmt: skip
    companies = _administered(listed.items)
    chosen = next((one for one in companies if one.siren == entreprise), None)
    if entreprise and chosen is None:
        raise NotFound()
    users = [_only(user, chosen) for user in listed.items if chosen is None or _has(user, chosen)]
    first = (page - 1) * MOST_SHOWN
    if first and first >= len(users):
        raise NotFound()
    return await rights_page(
        request,
        caller,
        use,
        "list",
        note=DONE.get(fait, ""),
        users=users[first : first + MOST_SHOWN],
        count=len(users),
        alone=len(listed.items) == 1,
        companies=companies,
        chosen=chosen,
        page=page,
        pages=-(-len(users) // MOST_SHOWN),
        review=review.items,
        asked=[one for one in mandates.items if one.state == "asked" and not one.mine],
        recoveries=recoveries.items,
    )


def _administered(users: list[UserView]) -> list[Company]:
    """The caller is a user of each of them."""
    return [
        Company(one.siren, one.company)
        for user in users
        for one in user.rights
        if user.is_me and one.role is Role.administrator and one.state is RightsState.active
    ]


def _has(user: UserView, company: Company) -> bool:
    return any(one.siren == company.siren for one in user.rights)


def _only(user: UserView, company: Company | None) -> UserView:
    if company is None:
        return user
    return user.model_copy(update={"rights": [one for one in user.rights if one.siren == company.siren]})


# --- « Ajouter un utilisateur à mon espace entreprise »

_PERSON: Final = ("first_name", "last_name", "email")


@router.get(ADD)
async def add_page(request: Request, caller: UserCaller, use: Use, page: Page = 1) -> Response:
    caller.need_administrator()
    caller.need_step_up()
    return await _add_page(request, caller, use, {}, page)


@router.post(ADD)
async def add(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    offered = {name.removeprefix("role_"): role for name, role in fields.items() if name.startswith("role_") and role}
    try:
        await use.users.invite(caller, _invitation(fields, offered))
    except InvalidFields as wrong:
        shown = _on_form(wrong, list(offered))
        return await _add_page(request, caller, use, fields, _page_of(fields), shown, 422)
    except (RefusedByRules, TooManyRequests) as problem:
        shown = one_problem(problem, "email")
        answer = await _add_page(request, caller, use, fields, _page_of(fields), shown, problem.status)
        return with_retry(answer, problem)
    return see_other(f"{RIGHTS}?fait=invite")


def _page_of(fields: Mapping[str, str]) -> int:
    number = fields.get("page", "")
    return int(number) if number.isdecimal() and len(number) < 5 and int(number) else 1


def _invitation(fields: Mapping[str, str], offered: Mapping[str, str]) -> Invite:
    """`offered`: roles by SIREN. Raises InvalidFields, with all there is to correct."""
    errors: list[FieldError] = []
    until = None
    try:
        until = last_day(fields.get("until", "")[:40], "until")
    except InvalidFields as wrong:
        errors += wrong.errors
    rights = [{"siren": siren, "role": role, "mandate_until": until} for siren, role in offered.items()]
    try:
        asked = validated(Invite, {**as_typed(fields, *_PERSON), "memberships": rights})
    except InvalidFields as wrong:
        raise InvalidFields([*wrong.errors, *errors]) from None
    if errors:
        raise InvalidFields(errors)
    return asked


def _on_form(wrong: InvalidFields, sirens: list[str]) -> InvalidFields:
    """Each field's first error; of the rights that are offered, beside the company that they were chosen for."""
    errors: dict[str, FieldError] = {}
    for one in in_words(wrong, "until").errors:
        field = one.field
        if found := re.match(r"memberships\.(\d+)\.", field):
            field = f"role_{sirens[int(found[1])]}"
        errors.setdefault(field, FieldError(field, one.code, one.message))
    return InvalidFields(list(errors.values()))


async def _add_page(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    page: int,
    wrong: InvalidFields | None = None,
    status: int = 200,
) -> Response:
    companies = _administered((await use.users.overview(caller)).items)
    first = (page - 1) * MOST_SHOWN
    shown = companies[first : first + MOST_SHOWN]
    if not shown:
        raise NotFound()
    return await rights_page(
        request,
        caller,
        use,
        "add",
        wrong,
        status,
        typed=as_typed(fields, *_PERSON, "until"),
        roles={one.siren: fields.get(f"role_{one.siren}", "") for one in shown},
        companies=shown,
        only=len(companies) == 1,
        count=len(companies),
        page=page,
        pages=-(-len(companies) // MOST_SHOWN),
        example=day_example(),
    )


# --- one user


@router.get(ONE)
async def user_page(user_id: UUID, request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    caller.need_administrator()
    caller.need_step_up()
    return await _user_page(request, caller, use, user_id, note=DONE.get(fait, ""))


@router.post(f"{ONE}/lien")
async def send_again(user_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    try:
        await use.users.send_again(caller, user_id)
    except (RefusedByRules, TooManyRequests) as problem:
        return await _user_refused(request, caller, use, user_id, problem)
    return see_other(f"{RIGHTS}/{user_id}?fait=lien")


@router.post(f"{ONE}/nom")
async def rename(user_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    names = as_typed(fields, "first_name", "last_name")
    try:
        await use.users.rename(caller, user_id, validated(InvitedNames, names))
    except InvalidFields as wrong:
        return await _user_page(request, caller, use, user_id, in_words(wrong, ""), 422, names)
    except RefusedByRules as problem:
        return await _user_refused(request, caller, use, user_id, problem)
    return see_other(f"{RIGHTS}/{user_id}?fait=nom")


@router.post(f"{ONE}/sessions")
async def end_sessions(user_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    try:
        await use.users.end_sessions(caller, user_id)
    except RefusedByRules as problem:
        return await _user_refused(request, caller, use, user_id, problem)
    return see_other(f"{RIGHTS}/{user_id}?fait=sessions")


@router.post(f"{ONE}/{{siren}}/role")
async def set_role(
    user_id: UUID, siren: SirenInPath, request: Request, caller: UserCaller, fields: Fields, use: Use
) -> Response:
    """A change where there are rights, an offer where there are none yet."""
    field = f"role_{siren}"
    try:
        asked = validated(RightsChange, {"role": fields.get("role") or None})
        before = await _shown(caller, use, user_id)
        await use.users.change(caller, user_id, siren, asked)
    except InvalidFields:
        wrong = InvalidFields([FieldError(field, "missing", "Choisissez un rôle.")])
        return await _user_page(request, caller, use, user_id, wrong, 422)
    except (RefusedByRules, TooManyRequests) as problem:
        return await _user_refused(request, caller, use, user_id, problem, field)
    changed = any(one.siren == siren for one in before.rights)
    return see_other(f"{RIGHTS}/{user_id}?fait={'role' if changed else 'propose'}")


@router.post(f"{ONE}/{{siren}}/suspension")
async def suspend(user_id: UUID, siren: SirenInPath, request: Request, caller: UserCaller, use: Use) -> Response:
    """« Désactiver provisoirement »."""
    return await _suspend(user_id, siren, request, caller, use, True)


@router.post(f"{ONE}/{{siren}}/reactivation")
async def reactivate(user_id: UUID, siren: SirenInPath, request: Request, caller: UserCaller, use: Use) -> Response:
    return await _suspend(user_id, siren, request, caller, use, False)


async def _suspend(
    user_id: UUID, siren: str, request: Request, caller: Caller, use: Parts, suspended: bool
) -> Response:
    try:
        await use.users.change(caller, user_id, siren, RightsChange(suspended=suspended))
    except InvalidFields:  # no rights any more: somebody else was faster
        raise NotFound() from None
    except RefusedByRules as problem:
        return await _user_refused(request, caller, use, user_id, problem)
    return see_other(f"{RIGHTS}/{user_id}?fait={'suspendu' if suspended else 'reactive'}")


@router.get(f"{ONE}/{{siren}}/revocation")
async def revocation_page(
    user_id: UUID, siren: SirenInPath, request: Request, caller: UserCaller, use: Use
) -> Response:
    """What « Désactiver définitivement » does is said before it is done."""
    caller.need_administrator()
    caller.need_step_up()
    user = await _shown(caller, use, user_id)
    right = next((one for one in user.rights if one.siren == siren), None)
    if right is None or user.is_me:
        raise NotFound()
    return await rights_page(request, caller, use, "revoke", user=user, right=right)


@router.post(f"{ONE}/{{siren}}/revocation")
async def revoke(user_id: UUID, siren: SirenInPath, caller: UserCaller, use: Use) -> Response:
    await use.users.revoke(caller, user_id, siren)
    return see_other(f"{RIGHTS}?fait=revoque")


@router.get(f"{ONE}/lien")
@router.get(f"{ONE}/nom")
@router.get(f"{ONE}/sessions")
@router.get(f"{ONE}/{{siren}}/role")
@router.get(f"{ONE}/{{siren}}/suspension")
@router.get(f"{ONE}/{{siren}}/reactivation")
async def back_to_user(user_id: UUID) -> Response:
    """Where a change was sent to is looked at again after a code, or « Réessayer »."""
    return see_other(f"{RIGHTS}/{user_id}")


async def _shown(caller: Caller, use: Parts, user_id: UUID) -> UserView:
    """Raises NotAllowed, NotFound: nobody whom the caller looks after."""
    listed = await use.users.overview(caller)
    for user in listed.items:
        if user.id == user_id:
            return user
    raise NotFound()


async def _user_refused(
    request: Request,
    caller: Caller,
    use: Parts,
    user_id: UUID,
    problem: RefusedByRules | TooManyRequests,
    field: str = "",
) -> Response:
    answer = await _user_page(request, caller, use, user_id, one_problem(problem, field), problem.status)
    return with_retry(answer, problem)


async def _user_page(
    request: Request,
    caller: Caller,
    use: Parts,
    user_id: UUID,
    wrong: InvalidFields | None = None,
    status: int = 200,
    names: Mapping[str, str] | None = None,
    note: str = "",
) -> Response:
    listed = await use.users.overview(caller)
    user = next((one for one in listed.items if one.id == user_id), None)
    if user is None:
        raise NotFound()
    companies = _administered(listed.items)
    return await rights_page(
        request,
        caller,
        use,
        "user",
        wrong,
        status,
        note=note,
        user=user,
        typed=names or {"first_name": user.first_name, "last_name": user.last_name},
        accepted=any(one.accepted_at is not None for one in user.rights),
        waits=any(one.state is RightsState.invited for one in user.rights),
        several=len(companies) > 1,
        elsewhere=[one for one in companies if not _has(user, one)][:MOST_SHOWN],
    )
