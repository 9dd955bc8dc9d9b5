"""Accounts of staff, invited by staff only, and what staff do with the accounts of employers' users (security.md A-25,
A-28, S-04, Z-08). Nobody sees or chooses a password here: it is created by the link of an invitation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts.affiliation import SYSTEM_ACTOR, Actor
from db import audit, sessions, staff_accounts, users
from db.pool import Connection, single, system
from domain.rights import RightsState, Role, StaffRole, staff_rights_raised
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import FieldCipher
from messages.notices import NoticeKind
from messages.typography import french
from services.callers import Caller, Scope, SignedIn
from services.fields import Email, Form, Name
from services.limits import Limit
from services.notices import Outbox, Transaction
from services.problems import FieldError, InvalidFields, NotAllowed, NotFound, RefusedByRules
from services.tools import Tools

MOST_FOUND = 50

Roles = Annotated[tuple[StaffRole, ...], Field(min_length=1, max_length=len(StaffRole))]
State = Literal["invited", "active", "suspended"]


class NewStaffAccount(Form):
    """Whom to invite, with which roles; `super` has all of them."""

    email: Email
    first_name: Name
    last_name: Name
    roles: Roles


class StaffAccountChange(Form):
    """What the account is to be."""

    roles: Roles
    suspended: bool


class StaffAccount(BaseModel):
    """A member of staff. `invitation_expires_at`: of the link, while the password is not created."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    roles: list[StaffRole]
    state: State
    created_at: datetime
    last_signed_in_at: datetime | None
    invitation_expires_at: datetime | None


class StaffAccountList(BaseModel):
    """By name."""

    items: list[StaffAccount]


class SuspensionReason(StrEnum):
    """Why staff close or open a user's account, for the log."""

    compromised = "compromised"  # somebody else may be using it
    misuse = "misuse"
    asked_by_company = "asked_by_company"
    asked_by_user = "asked_by_user"
    settled = "settled"  # what it was closed for is over


class UserSuspension(Form):
    suspended: bool
    reason: SuspensionReason


class UserRights(BaseModel):
    """On one company. `ends_on`: a mandate's last day."""

    siren: str
    company: str
    role: Role
    state: RightsState
    ends_on: date | None


class EmployerUser(BaseModel):
    """A user as staff see them. `state`: of the account; each company has its own."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    state: State
    created_at: datetime
    last_signed_in_at: datetime | None
    rights: list[UserRights]


class EmployerUserList(BaseModel):
    """By name, at most fifty: whoever looks for somebody says more of them."""

    items: list[EmployerUser]


class StaffAccountService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    # --- accounts of staff

    async def list(self, caller: Caller) -> StaffAccountList:
        """Raises NotAllowed."""
        caller.need(Scope.staff_super)
        caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(staff_accounts.ACCOUNTS, None)
        return StaffAccountList(items=[StaffAccount(**dict(row)) for row in rows])

    async def invite(self, caller: Caller, request: NewStaffAccount) -> StaffAccount:
        """A new account; its link goes to the address. Raises NotAllowed, StepUpNeeded, InvalidFields."""
        person = _may_change(caller)
        async with self._tools.outbox.transaction() as tx:
            await _lock_supers(tx.connection, person)
            account_id = await _add(tx, self._tools.cipher, request, caller.actor, person.user_id)
            account = await _account(tx.connection, account_id)
        await self._tools.limiter.take(Limit.invitation_pause, str(account_id))
        return account

    async def send_again(self, caller: Caller, account_id: UUID) -> StaffAccount:
        """The link of the invitation: the same while it is valid, else a new one (security.md A-24).

        Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules, TooManyRequests.
        """
        person = _may_change(caller)
        await self._tools.limiter.take(Limit.invitation_pause, str(account_id))
        await self._tools.limiter.take(Limit.invitation, str(account_id))
        async with self._tools.outbox.transaction() as tx:
            await _lock_supers(tx.connection, person)
            row = await _lock_account(tx.connection, account_id)
            if row["accepted"]:
                raise RefusedByRules("already_accepted", "Cette personne a déjà créé son mot de passe.")
            if row["suspended"]:
                raise RefusedByRules("already_suspended", "Ce compte est suspendu. Réactivez-le d’abord.")
            waiting = await tx.connection.fetchrow(staff_accounts.WAITING_INVITATION, account_id)
            if waiting is None:
                await _offer(tx, self._tools.cipher, account_id, dict(row), person.user_id)
            else:
                await self._send(tx, account_id, waiting, person.user_id)
            await _log(tx.connection, "user.resent", caller.actor, account_id)
            return await _account(tx.connection, account_id)

    async def _send(self, tx: Transaction, account_id: UUID, waiting: asyncpg.Record, by: UUID) -> None:
        invitation_id = waiting["id"]
        if not waiting["alive"]:
            generation = waiting["generation"] + 1
            hashed = link_hash(self._tools.cipher, LinkKind.invitation, invitation_id, generation)
            renewed = (invitation_id, generation, hashed, users.INVITATION_HOURS)
            await tx.connection.execute(users.RENEW_INVITATION, *renewed)
        await tx.connection.execute(staff_accounts.TAKE_OVER, invitation_id, by)
        await _mail(tx, account_id, invitation_id)

    async def change(self, caller: Caller, account_id: UUID, request: StaffAccountChange) -> StaffAccount:
        """Its roles, suspended or not. Nobody changes their own, so whoever changes one stays: there is always one who
        can. Raises NotAllowed, StepUpNeeded, NotFound."""
        person = _may_change(caller, account_id)
        async with system(self._tools.system) as connection:
            await _lock_supers(connection, person)
            row = await _lock_account(connection, account_id)
            former = {StaffRole(role) for role in row["roles"]}
            new = _roles(request.roles)
            reactivated = row["suspended"] and not request.suspended
            raised = staff_rights_raised(former, new)
            code_due = "reactivated" if reactivated else "role_raised" if raised else None
            await connection.execute(staff_accounts.CHANGE, account_id, new, request.suspended, code_due)
            if former != set(new):
                roles = {"from": [role for role in StaffRole if role in former], "to": new}
                await _log(connection, "user.role", caller.actor, account_id, roles)
            if reactivated:
                await _log(connection, "user.reactivated", caller.actor, account_id)
            if request.suspended and not row["suspended"]:
                await connection.execute(staff_accounts.CLOSE, account_id)
                await connection.execute(staff_accounts.CLOSE_INVITATIONS, account_id)
                await _log(connection, "user.suspended", caller.actor, account_id)
            return await _account(connection, account_id)

    async def revoke(self, caller: Caller, account_id: UUID) -> None:
        """For good: sessions, browsers and links end at once, and its secrets are forgotten.

        Raises NotAllowed, StepUpNeeded, NotFound.
        """
        person = _may_change(caller, account_id)
        async with system(self._tools.system) as connection:
            await _lock_supers(connection, person)
            await _lock_account(connection, account_id)
            await _revoke(connection, account_id, caller.actor)

    # --- employers' users

    async def find_users(self, caller: Caller, words: str) -> EmployerUserList:
        """By a part of the address or of the name. Raises NotAllowed."""
        caller.need(Scope.staff)
        caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(staff_accounts.FIND_USERS, words.lower(), MOST_FOUND)
            return EmployerUserList(items=await _users(connection, rows))

    async def user(self, caller: Caller, user_id: UUID) -> EmployerUser:
        """Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(staff_accounts.USER, user_id)
            if not rows:
                raise NotFound()
            return (await _users(connection, rows))[0]

    async def suspend_user(self, caller: Caller, user_id: UUID, request: UserSuspension) -> EmployerUser:
        """Close an account everywhere, at once, or open it again: a company's last administrator's, too.

        Raises NotAllowed, StepUpNeeded, NotFound.
        """
        caller.need(Scope.staff_write)
        caller.need_step_up()
        async with self._tools.outbox.transaction() as tx:
            row = await _lock_user(tx.connection, user_id)
            if row["suspended"] != request.suspended:
                await tx.connection.execute(staff_accounts.SUSPEND_USER, user_id, request.suspended)
                if request.suspended:
                    await tx.connection.execute(staff_accounts.CLOSE, user_id)
                event = "user.suspended" if request.suspended else "user.reactivated"
                await _log(tx.connection, event, caller.actor, user_id, {"reason": request.reason.value})
                kind = NoticeKind.account_suspended if request.suspended else NoticeKind.account_reactivated
                await tx.notify(f"{kind}/{user_id}/{uuid4()}", kind, user_id=user_id)
            shown = await tx.connection.fetch(staff_accounts.USER, user_id)
            return (await _users(tx.connection, shown))[0]

    async def end_sessions(self, caller: Caller, user_id: UUID) -> None:
        """All browsers where a user is signed in. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff_write)
        caller.person()
        async with system(self._tools.system) as connection:
            await _lock_user(connection, user_id)
            await connection.execute(sessions.CLOSE_ALL, user_id)
            await _log(connection, "auth.session.closed", caller.actor, user_id)


async def invite_first(outbox: Outbox, cipher: FieldCipher, request: NewStaffAccount) -> UUID:
    """The account that invites all others; repeated while it is not used, it begins anew, at whatever address.

    Raises RefusedByRules: there is one.
    """
    async with outbox.transaction() as tx:
        await tx.connection.execute(staff_accounts.LOCK_FIRST)
        if await tx.connection.fetchval(staff_accounts.FIRST_IS_THERE):
            raise RefusedByRules("first_is_there", french("Le premier compte existe déjà : il invite les autres."))
        for unused in await tx.connection.fetch(staff_accounts.UNUSED):
            await _revoke(tx.connection, unused["id"], SYSTEM_ACTOR)
        return await _add(tx, cipher, request, SYSTEM_ACTOR, None)


def _may_change(caller: Caller, account_id: UUID | None = None) -> SignedIn:
    """Raises NotAllowed, StepUpNeeded."""
    caller.need(Scope.staff_super)
    person = caller.need_step_up()
    if account_id == person.user_id:
        raise NotAllowed("Vous ne pouvez pas modifier votre propre compte. Demandez à un autre responsable.")
    return person


async def _lock_supers(connection: Connection, person: SignedIn) -> None:
    """From here on, nobody else changes accounts of staff. Raises NotAllowed: the caller has lost the role since."""
    supers = await connection.fetch(staff_accounts.LOCK_SUPERS)
    if person.user_id not in {row["id"] for row in supers}:
        raise NotAllowed("Votre accès ne permet pas cette action.")


async def _lock_account(connection: Connection, account_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(staff_accounts.LOCK_ACCOUNT, account_id)
    if row is None:
        raise NotFound()
    return row


async def _lock_user(connection: Connection, user_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(staff_accounts.LOCK_USER, user_id)
    if row is None:
        raise NotFound()
    return row


async def _account(connection: Connection, account_id: UUID) -> StaffAccount:
    row = await connection.fetchrow(staff_accounts.ACCOUNTS, account_id)
    assert row is not None, "locked before"
    return StaffAccount(**dict(row))


async def _add(tx: Transaction, cipher: FieldCipher, request: NewStaffAccount, by: Actor, inviter: UUID | None) -> UUID:
    """Raises InvalidFields: the address has an account."""
    about = {"email": request.email, "first_name": request.first_name, "last_name": request.last_name}
    roles = _roles(request.roles)
    account_id: UUID | None = await tx.connection.fetchval(staff_accounts.ADD, *about.values(), roles, by.id)
    if account_id is None:
        message = "Cette adresse a déjà un compte de l’équipe."
        raise InvalidFields([FieldError("email", "email.known", message)])
    await _offer(tx, cipher, account_id, about, inviter)
    await _log(tx.connection, "user.invited", by, account_id, {"roles": roles})
    return account_id


async def _offer(
    tx: Transaction, cipher: FieldCipher, account_id: UUID, about: Mapping[str, Any], inviter: UUID | None
) -> None:
    """An invitation, and its link to the address."""
    invitation_id = uuid4()
    await tx.connection.execute(
        users.ADD_INVITATION,
        invitation_id,
        account_id,
        inviter,
        about["first_name"],
        about["last_name"],
        about["email"],
        link_hash(cipher, LinkKind.invitation, invitation_id),
        users.INVITATION_HOURS,
    )
    await _mail(tx, account_id, invitation_id)


async def _mail(tx: Transaction, account_id: UUID, invitation_id: UUID) -> None:
    kind = NoticeKind.staff_invitation
    await tx.notify(f"{kind}/{invitation_id}/{uuid4()}", kind, user_id=account_id, subject_id=invitation_id)


async def _revoke(connection: Connection, account_id: UUID, by: Actor) -> None:
    for statement in (
        staff_accounts.REVOKE,
        staff_accounts.CLOSE,
        staff_accounts.CLOSE_INVITATIONS,
        staff_accounts.FORGET_RECOVERY_CODES,
        staff_accounts.FORGET_ADDRESSES,
    ):
        await connection.execute(statement, account_id)
    await _log(connection, "user.revoked", by, account_id)


async def _users(connection: Connection, rows: Sequence[asyncpg.Record]) -> list[EmployerUser]:
    rights: defaultdict[UUID, list[UserRights]] = defaultdict(list)
    for row in await connection.fetch(staff_accounts.RIGHTS_OF, [row["id"] for row in rows]):
        rights[row["user_id"]].append(UserRights(**{name: row[name] for name in UserRights.model_fields}))
    return [EmployerUser(**dict(row), rights=rights[row["id"]]) for row in rows]


async def _log(
    connection: Connection, event: str, by: Actor, user_id: UUID, details: dict[str, Any] | None = None
) -> None:
    await audit.add(connection, event, by, object_type="user", object_id=user_id, details=details)


def _roles(given: Sequence[StaffRole]) -> list[StaffRole]:
    """Each once, in their order."""
    return [role for role in StaffRole if role in given]
