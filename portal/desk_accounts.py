"""« Comptes »: staff accounts, for whoever looks after them, and employers' users, for whoever helps them. Pages of
changes ask for a code before they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.rights import StaffRole
from messages.typography import french
from portal.desk_pages import Done, Searched, desk_page, in_words, writes
from portal.forms import Fields, as_typed
from portal.pages import see_other, with_retry
from portal.space import SpaceRoute, one_problem
from services.callers import Caller, Scope
from services.fields import validated
from services.phone_losses import LossReason, PhoneLoss
from services.problems import InvalidFields, NotFound, RefusedByRules, TooManyRequests
from services.staff_accounts import (
    MOST_FOUND,
    EmployerUser,
    NewStaffAccount,
    StaffAccount,
    StaffAccountChange,
    SuspensionReason,
    UserSuspension,
)
from web.callers import StaffClerk, StaffHead, StaffUser, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

ACCOUNTS: Final = "/gestion/comptes"
ADD: Final = f"{ACCOUNTS}/ajouter"
ACCOUNT: Final = f"{ACCOUNTS}/{{account_id:uuid}}"
USERS: Final = "/gestion/utilisateurs"
USER: Final = f"{USERS}/{{user_id:uuid}}"
LEAST_SEARCHED: Final = 3
_DONE: Final = {
    code: french(words)
    for code, words in {
        "invite": "L’invitation est partie : cette personne reçoit un e-mail avec un lien, valable 72 heures.",
        "lien": "Le lien est reparti à son adresse e-mail.",
        "roles": "Les rôles sont enregistrés.",
        "suspendu": "Le compte est suspendu : ses sessions ont pris fin.",
        "reactive": "Le compte est réactivé. Un code sera demandé à la prochaine connexion.",
        "revoque": "Le compte est supprimé définitivement.",
        "ferme": "Le compte est suspendu partout. La personne en est prévenue par e-mail.",
        "ouvert": "Le compte est réactivé. La personne en est prévenue par e-mail.",
        "sessions": "Cette personne est déconnectée de tous ses navigateurs.",
        "telephone": "La demande est enregistrée. Dans 24 heures, le numéro et l’application seront retirés. "
        "La personne en est prévenue et peut l’arrêter.",
    }.items()
}
_MISSING: Final = {
    "first_name": "Indiquez le prénom.",
    "last_name": "Indiquez le nom.",
    "email": "Indiquez l’adresse e-mail.",
    "roles": "Choisissez au moins un rôle.",
    "reason": "Choisissez un motif.",
}
_PERSON: Final = ("first_name", "last_name", "email")
_CLOSING: Final = (SuspensionReason.compromised, SuspensionReason.misuse, SuspensionReason.asked_by_company,
                   SuspensionReason.asked_by_user)  # fmt: skip
_OPENING: Final = (SuspensionReason.settled, SuspensionReason.asked_by_company, SuspensionReason.asked_by_user)


# --- staff


@router.get(ACCOUNTS)
async def accounts(request: Request, caller: StaffHead, use: Use, fait: Done = "") -> Response:
    listed = await use.staff_accounts.list(caller)
    return await desk_page(
        request,
        caller,
        use,
        "accounts/list",
        accounts=listed.items,
        me=caller.person().user_id,
        note=_DONE.get(fait, ""),
        now=datetime.now(UTC),
    )


@router.get(ADD)
async def invitation_page(request: Request, caller: StaffHead, use: Use) -> Response:
    _looks_after(caller)
    return await _invitation(request, caller, use, {}, [])


@router.post(ADD)
async def invite(request: Request, caller: StaffHead, fields: Fields, use: Use) -> Response:
    _looks_after(caller)
    roles = _roles(fields)
    try:
        asked = validated(NewStaffAccount, {**as_typed(fields, *_PERSON), "roles": roles})
        await use.staff_accounts.invite(caller, asked)
    except InvalidFields as wrong:
        return await _invitation(request, caller, use, fields, roles, in_words(wrong, _MISSING))
    return see_other(f"{ACCOUNTS}?fait=invite")


async def _invitation(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    roles: list[str],
    wrong: InvalidFields | None = None,
) -> Response:
    return await desk_page(
        request,
        caller,
        use,
        "accounts/invite",
        wrong,
        typed=as_typed(fields, *_PERSON),
        roles=roles,
        every=[role.value for role in StaffRole],
    )


@router.get(ACCOUNT)
async def account_page(account_id: UUID, request: Request, caller: StaffHead, use: Use, fait: Done = "") -> Response:
    _looks_after(caller)
    return await _account_page(request, caller, use, account_id, note=_DONE.get(fait, ""))


@router.post(ACCOUNT)
async def set_roles(account_id: UUID, request: Request, caller: StaffHead, fields: Fields, use: Use) -> Response:
    _looks_after(caller)
    roles = _roles(fields)
    account = await _account(caller, use, account_id)
    try:
        asked = validated(StaffAccountChange, {"roles": roles, "suspended": account.state == "suspended"})
    except InvalidFields as wrong:
        return await _account_page(request, caller, use, account_id, in_words(wrong, _MISSING), roles=roles)
    await use.staff_accounts.change(caller, account_id, asked)
    return see_other(f"{ACCOUNTS}/{account_id}?fait=roles")


@router.post(f"{ACCOUNT}/suspension")
async def suspend(account_id: UUID, caller: StaffHead, use: Use) -> Response:
    return await _suspend(caller, use, account_id, True)


@router.post(f"{ACCOUNT}/reactivation")
async def reactivate(account_id: UUID, caller: StaffHead, use: Use) -> Response:
    return await _suspend(caller, use, account_id, False)


async def _suspend(caller: Caller, use: Parts, account_id: UUID, suspended: bool) -> Response:
    account = await _account(caller, use, account_id)
    await use.staff_accounts.change(
        caller, account_id, StaffAccountChange(roles=tuple(account.roles), suspended=suspended)
    )
    return see_other(f"{ACCOUNTS}/{account_id}?fait={'suspendu' if suspended else 'reactive'}")


@router.post(f"{ACCOUNT}/invitation")
async def send_again(account_id: UUID, request: Request, caller: StaffHead, use: Use) -> Response:
    try:
        await use.staff_accounts.send_again(caller, account_id)
    except (RefusedByRules, TooManyRequests) as problem:
        shown = one_problem(problem)
        return with_retry(await _account_page(request, caller, use, account_id, shown, status=problem.status), problem)
    return see_other(f"{ACCOUNTS}/{account_id}?fait=lien")


@router.get(f"{ACCOUNT}/revocation")
async def revocation_page(account_id: UUID, request: Request, caller: StaffHead, use: Use) -> Response:
    """What it does is said before it is done."""
    person = _looks_after(caller)
    account = await _account(caller, use, account_id)
    if account.id == person:
        raise NotFound()
    return await desk_page(request, caller, use, "accounts/revoke", account=account)


@router.post(f"{ACCOUNT}/revocation")
async def revoke(account_id: UUID, caller: StaffHead, use: Use) -> Response:
    await use.staff_accounts.revoke(caller, account_id)
    return see_other(f"{ACCOUNTS}?fait=revoque")


def _looks_after(caller: Caller) -> UUID:
    """Raises NotAllowed, StepUpNeeded."""
    caller.need(Scope.staff_super)
    return caller.need_step_up().user_id


def _roles(fields: Mapping[str, str]) -> list[str]:
    """Each is a box of its own."""
    return [role.value for role in StaffRole if fields.get(f"role_{role.value}") == "yes"]


async def _account(caller: Caller, use: Parts, account_id: UUID) -> StaffAccount:
    """Raises NotAllowed, NotFound."""
    for one in (await use.staff_accounts.list(caller)).items:
        if one.id == account_id:
            return one
    raise NotFound()


async def _account_page(
    request: Request,
    caller: Caller,
    use: Parts,
    account_id: UUID,
    wrong: InvalidFields | None = None,
    *,
    roles: list[str] | None = None,
    status: int = 0,
    note: str = "",
) -> Response:
    account = await _account(caller, use, account_id)
    return await desk_page(
        request,
        caller,
        use,
        "accounts/account",
        wrong,
        status,
        account=account,
        is_me=account.id == caller.person().user_id,
        roles=[role.value for role in account.roles] if roles is None else roles,
        every=[role.value for role in StaffRole],
        note=note,
        now=datetime.now(UTC),
    )


# --- employers' users


@router.get(USERS)
async def users(request: Request, caller: StaffUser, use: Use, q: Searched = "") -> Response:
    """Nobody is listed before somebody is looked for."""
    words = q.strip()
    wrong = None
    found: list[EmployerUser] = []
    if words and len(words) < LEAST_SEARCHED:
        wrong = "Indiquez au moins trois lettres du nom ou de l’adresse e-mail."
    elif words:
        found = (await use.staff_accounts.find_users(caller, words)).items
    return await desk_page(request, caller, use, "accounts/users", users=found, q=words, told=wrong, most=MOST_FOUND)


@router.get(USER)
async def user_page(user_id: UUID, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    return await _user_page(request, caller, use, user_id, note=_DONE.get(fait, ""))


@router.get(f"{USER}/suspension")
async def suspension_page(user_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _suspension_page(request, caller, use, user_id)


@router.post(f"{USER}/suspension")
async def suspend_user(user_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    """Closed where it was open, and the other way round: as the page said (`to`)."""
    writes(caller)
    suspended = fields.get("to") == "suspended"
    try:
        asked = validated(UserSuspension, {"suspended": suspended, "reason": fields.get("reason", "")})
    except InvalidFields as wrong:
        return await _suspension_page(request, caller, use, user_id, in_words(wrong, _MISSING))
    await use.staff_accounts.suspend_user(caller, user_id, asked)
    return see_other(f"{USERS}/{user_id}?fait={'ferme' if suspended else 'ouvert'}")


async def _suspension_page(
    request: Request, caller: Caller, use: Parts, user_id: UUID, wrong: InvalidFields | None = None
) -> Response:
    user = await use.staff_accounts.user(caller, user_id)
    reasons = _OPENING if user.state == "suspended" else _CLOSING
    return await desk_page(
        request, caller, use, "accounts/suspend_user", wrong, user=user, reasons=[one.value for one in reasons]
    )


@router.post(f"{USER}/sessions")
async def end_sessions(user_id: UUID, caller: StaffClerk, use: Use) -> Response:
    await use.staff_accounts.end_sessions(caller, user_id)
    return see_other(f"{USERS}/{user_id}?fait=sessions")


@router.get(f"{USER}/telephone")
async def loss_page(user_id: UUID, request: Request, caller: StaffClerk, use: Use) -> Response:
    writes(caller)
    return await _loss_page(request, caller, use, user_id)


@router.post(f"{USER}/telephone")
async def lose_phone(user_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    """Number and app are taken away tomorrow, unless the person stops it."""
    writes(caller)
    await use.staff_accounts.user(caller, user_id)  # an employer's: staff's own have their own way
    try:
        await use.profile.phone_losses.ask(caller, user_id, validated(PhoneLoss, {"reason": fields.get("reason", "")}))
    except InvalidFields as wrong:
        return await _loss_page(request, caller, use, user_id, in_words(wrong, _MISSING))
    except RefusedByRules as problem:
        return await _loss_page(request, caller, use, user_id, one_problem(problem, "reason"), problem.status)
    return see_other(f"{USERS}/{user_id}?fait=telephone")


async def _loss_page(
    request: Request,
    caller: Caller,
    use: Parts,
    user_id: UUID,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    user = await use.staff_accounts.user(caller, user_id)
    reasons = [one.value for one in LossReason]
    return await desk_page(request, caller, use, "accounts/phone", wrong, status, user=user, reasons=reasons)


async def _user_page(request: Request, caller: Caller, use: Parts, user_id: UUID, note: str = "") -> Response:
    user = await use.staff_accounts.user(caller, user_id)
    return await desk_page(request, caller, use, "accounts/user", user=user, note=note)
