"""« Mes habilitations »: users of a company and their rights (guide, page 7; security.md A-24, A-25, Z-08)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID, uuid4

import asyncpg
from pydantic import Field

from db import audit, mandates, sessions, users
from db.pool import Connection, single, system, tenant
from domain.rights import RightsState, Role, last_mandate_day, raises_rights
from gateways.access_links import LinkKind, link_hash
from messages.notices import NoticeKind
from messages.typography import french
from services.callers import Caller
from services.company_rights import Company, lock_companies, lock_company, may_change_rights
from services.fields import Day, Email, Form, Name, Siren, between, today
from services.invitations import Invitations
from services.limits import Limit
from services.notices import Transaction
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules
from services.tools import Tools
from services.user_views import UserList, UserView, users_of

MOST_COMPANIES = 50  # of one invitation
_OPEN = (RightsState.invited, RightsState.active, RightsState.suspended)

MandateEnd = Annotated[
    Day,
    between(
        today,
        lambda: last_mandate_day(today()),
        "Un mandat se termine au plus tôt aujourd’hui, et au plus tard dans 24 mois.",
        "2027-06-30",
    ),
]


class OfferedRights(Form):
    """On one company. `mandate_until`: for a third-party declarant, the last day."""

    siren: Siren
    role: Role
    mandate_until: MandateEnd | None = None


class Invite(Form):
    """« Ajouter un utilisateur à mon espace entreprise »."""

    first_name: Name
    last_name: Name
    email: Email
    memberships: Annotated[list[OfferedRights], Field(min_length=1, max_length=MOST_COMPANIES)]


class InvitedNames(Form):
    first_name: Name
    last_name: Name


class RightsChange(Form):
    """What is to be changed; on a company where the user has no rights yet, `role` is what they are offered."""

    role: Role | None = None
    suspended: bool | None = None


@dataclass(frozen=True)
class _Person:
    """Whom rights are offered to, as the inviter knows them."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    has_password: bool


class UserService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.invitations = Invitations(tools)

    async def overview(self, caller: Caller, siren: str | None = None, state: RightsState | None = None) -> UserList:
        """Users of the companies that the caller looks after; without a state, whoever has rights or was offered some.

        Raises NotAllowed, NotFound: no such company.
        """
        person = caller.need_administrator()
        async with tenant(self._tools.web, caller.administers) as connection:
            if siren is not None and await connection.fetchval(users.COMPANY_BY_SIREN, siren) is None:
                raise NotFound()
            rows = await connection.fetch(users.RIGHTS, None, siren, _OPEN if state is None else (state,))
        return UserList(items=users_of(rows, person.user_id))

    # --- inviting

    async def invite(self, caller: Caller, asked: Invite) -> UserView:
        """Offer somebody rights; the link goes to their address. The answer is the same with and without an account.

        Raises NotAllowed, StepUpNeeded, InvalidFields, RefusedByRules (they have some there), TooManyRequests.
        """
        may_change_rights(caller)
        _check_offers(asked.memberships)
        await self._tools.limiter.take(Limit.invitation, f"{caller.id} {asked.email}")
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            companies = await lock_companies(connection, caller, [one.siren for one in asked.memberships])
            _check_companies(asked.memberships, companies)
            account = await connection.fetchrow(
                users.ADD_OR_FIND, asked.email, asked.first_name, asked.last_name, caller.id
            )
            assert account is not None, "added or found"
            person = _Person(account["id"], asked.first_name, asked.last_name, asked.email, account["has_password"])
            offers = [(companies[one.siren], one) for one in asked.memberships]
            invitation_id = await self._offer(transaction, caller, person, offers)
        await self._tools.limiter.take(Limit.invitation_pause, str(invitation_id))
        return await self._view(caller, person.id)

    async def send_again(self, caller: Caller, user_id: UUID) -> UserView:
        """« Renvoyer le lien »: the same one while it is valid, else a new one. Whoever sends it answers for it.

        Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules (nothing waits for an answer), TooManyRequests.
        """
        person = may_change_rights(caller, user_id)
        await self._view(caller, user_id)
        async with single(self._tools.system) as connection:
            pending = await connection.fetch(users.PENDING_INVITATIONS, user_id, list(caller.administers))
        if not pending:
            raise _nothing_waits()
        await self._tools.limiter.take(Limit.invitation_pause, str(pending[0]["id"]))
        await self._tools.limiter.take(Limit.invitation, str(pending[0]["id"]))
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            companies, pending = await _lock_pending(connection, caller, user_id)
            if not pending:
                raise _nothing_waits()
            has_password = await connection.fetchval(users.HAS_PASSWORD, user_id)
            for invitation in pending:
                await self._send(transaction, caller, user_id, invitation, has_password)
                await connection.execute(users.TAKE_OVER, invitation["id"], person.user_id, companies)
        return await self._view(caller, user_id)

    async def rename(self, caller: Caller, user_id: UUID, names: InvitedNames) -> UserView:
        """The names of an invitation that waits for its answer; afterwards they are the person's own.

        Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules.
        """
        may_change_rights(caller, user_id)
        known = await self._view(caller, user_id)
        if any(one.accepted_at is not None for one in known.rights):
            words = "Cette personne a accepté son invitation : elle seule modifie son nom, dans son profil."
            raise RefusedByRules("names_are_theirs", french(words))
        async with system(self._tools.system) as connection:
            companies, pending = await _lock_pending(connection, caller, user_id)
            if not pending:
                raise _nothing_waits()
            ids = [invitation["id"] for invitation in pending]
            await connection.execute(users.RENAME, user_id, names.first_name, names.last_name, ids)
            for company_id in companies:
                await _tell(connection, "user.renamed", caller, user_id, company_id)
        return await self._view(caller, user_id)

    async def _offer(
        self, transaction: Transaction, caller: Caller, person: _Person, offers: list[tuple[Company, OfferedRights]]
    ) -> UUID:
        """The invitation, on locked companies. Raises RefusedByRules: they have rights there already."""
        connection, invitation_id = transaction.connection, uuid4()
        granted_by = caller.person().user_id
        await connection.execute(
            users.ADD_INVITATION,
            invitation_id,
            person.id,
            granted_by,
            person.first_name,
            person.last_name,
            person.email,
            link_hash(self._tools.cipher, LinkKind.invitation, invitation_id),
            users.INVITATION_HOURS,
        )
        for company, offered in offers:
            until, mandate_id = offered.mandate_until, None
            membership = await connection.fetchrow(users.MEMBERSHIP, person.id, company.id)
            if membership is not None and membership["state"] != RightsState.revoked:
                raise _has_rights(company, RightsState(membership["state"]))
            await connection.execute(mandates.END_OVER, company.id, person.id)
            if until is not None:
                mandate_id = await connection.fetchval(mandates.GIVE, company.id, person.id, granted_by, until)
            await connection.execute(
                users.OFFER, person.id, company.id, offered.role.value, invitation_id, granted_by, mandate_id, until
            )
            details = {"role": offered.role.value, **({"until": until.isoformat()} if until else {})}
            await _tell(connection, "user.invited", caller, person.id, company.id, details)
        kind = NoticeKind.access_offered if person.has_password else NoticeKind.invitation
        await transaction.notify(
            f"invitation/{invitation_id}",
            kind,
            user_id=person.id,
            company_id=offers[0][0].id,
            subject_id=invitation_id,
        )
        return invitation_id

    async def _send(
        self, transaction: Transaction, caller: Caller, user_id: UUID, invitation: asyncpg.Record, has_password: bool
    ) -> None:
        connection, invitation_id = transaction.connection, invitation["id"]
        if not invitation["alive"]:
            generation = invitation["generation"] + 1
            hashed = link_hash(self._tools.cipher, LinkKind.invitation, invitation_id, generation)
            await connection.execute(users.RENEW_INVITATION, invitation_id, generation, hashed, users.INVITATION_HOURS)
        await transaction.notify(
            f"invitation/{invitation_id}/{uuid4()}",
            NoticeKind.access_offered if has_password else NoticeKind.invitation,
            user_id=user_id,
            company_id=invitation["company_ids"][0],
            subject_id=invitation_id,
        )
        for company_id in invitation["company_ids"]:
            await _tell(connection, "user.resent", caller, user_id, company_id)

    # --- changing

    async def change(self, caller: Caller, user_id: UUID, siren: str, asked: RightsChange) -> UserView:
        """The role on one company, suspended or not; where there are no rights yet, an offer of the role.

        Raises NotAllowed, StepUpNeeded, NotFound, InvalidFields, RefusedByRules.
        """
        may_change_rights(caller, user_id)
        shown = await self._view(caller, user_id)
        invitation_id = None
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            company = await lock_company(connection, caller, siren)
            await connection.execute(users.LOCK_USER, user_id)
            membership = await connection.fetchrow(users.MEMBERSHIP, user_id, company.id)
            if membership is None or membership["state"] == RightsState.revoked:
                offered = OfferedRights(siren=siren, role=_offered_role(asked))
                has_password = await connection.fetchval(users.HAS_PASSWORD, user_id)
                person = _Person(user_id, shown.first_name, shown.last_name, shown.email, has_password)
                invitation_id = await self._offer(transaction, caller, person, [(company, offered)])
            else:
                await self._change(transaction, caller, user_id, company, membership, asked)
        if invitation_id is not None:
            await self._tools.limiter.take(Limit.invitation_pause, str(invitation_id))
        return await self._view(caller, user_id)

    async def _change(
        self,
        transaction: Transaction,
        caller: Caller,
        user_id: UUID,
        company: Company,
        membership: asyncpg.Record,
        asked: RightsChange,
    ) -> None:
        if asked.role is None and asked.suspended is None:
            raise InvalidFields([FieldError("body", "nothing_to_change", "Indiquez un rôle, ou une suspension.")])
        state = RightsState(membership["state"])
        if asked.suspended is not None and state is RightsState.invited:
            words = "L’invitation n’a pas encore été acceptée : retirez-la plutôt."
            raise RefusedByRules("not_accepted_yet", french(words))
        role = Role(membership["role"])
        if asked.role is not None and asked.role is not role:
            if membership["mandate_id"] is not None:
                raise RefusedByRules("mandate_is_member", "Un tiers déclarant ne peut être qu’utilisateur.")
            await self._set_role(transaction, caller, user_id, company, role, asked.role, membership["accepted"])
        if asked.suspended is True and state is RightsState.active:
            await users.suspend(transaction.connection, company.id, user_id, "administrator")
            await _tell(transaction.connection, "user.suspended", caller, user_id, company.id)
            await _notify(transaction, NoticeKind.access_suspended, user_id, company)
        elif asked.suspended is False and state is RightsState.suspended:
            await transaction.connection.execute(users.REACTIVATE, user_id, company.id)
            await transaction.connection.execute(users.CODE_DUE, user_id, "reactivated")
            await _tell(transaction.connection, "user.reactivated", caller, user_id, company.id)
            await _notify(transaction, NoticeKind.access_reactivated, user_id, company)

    async def _set_role(
        self,
        transaction: Transaction,
        caller: Caller,
        user_id: UUID,
        company: Company,
        former: Role,
        new: Role,
        accepted: bool,
    ) -> None:
        connection = transaction.connection
        await connection.execute(users.SET_ROLE, user_id, company.id, new.value)
        await _tell(connection, "user.role", caller, user_id, company.id, {"from": former.value, "to": new.value})
        if not accepted:  # an offer: nothing has been given, and the account is told of nothing
            return
        if raises_rights(former, new):
            await connection.execute(users.CODE_DUE, user_id, "role_raised")
        await _notify(transaction, NoticeKind.rights_changed, user_id, company, {"role": new.value})

    async def revoke(self, caller: Caller, user_id: UUID, siren: str) -> None:
        """All rights on one company, for good; an invitation and a mandate end with them.

        Raises NotAllowed, StepUpNeeded, NotFound.
        """
        may_change_rights(caller, user_id)
        async with self._tools.outbox.transaction() as transaction:
            company = await lock_company(transaction.connection, caller, siren)
            if not await revoke_rights(transaction, caller, user_id, company.id):
                raise NotFound()

    async def end_sessions(self, caller: Caller, user_id: UUID) -> None:
        """All browsers where the user is signed in. Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules: an
        invitation was not accepted yet."""
        may_change_rights(caller, user_id)
        shown = await self._view(caller, user_id)
        accepted = [one.siren for one in shown.rights if one.accepted_at is not None]
        if not accepted:
            raise RefusedByRules("not_accepted_yet", "Cette personne n’a pas encore accepté son invitation.")
        async with system(self._tools.system) as connection:
            companies = await lock_companies(connection, caller, accepted)
            if not companies:
                raise NotFound()
            await connection.execute(sessions.CLOSE_ALL, user_id)
            for company in companies.values():
                await _tell(connection, "auth.session.closed", caller, user_id, company.id)

    async def _view(self, caller: Caller, user_id: UUID) -> UserView:
        """Raises NotFound: nobody whom the caller looks after."""
        async with tenant(self._tools.web, caller.administers) as connection:
            rows = await connection.fetch(users.RIGHTS, user_id, None, _OPEN)
        shown = users_of(rows, caller.person().user_id)
        if not shown:
            raise NotFound()
        return shown[0]


# --- shared with the review of rights


async def revoke_rights(transaction: Transaction, caller: Caller, user_id: UUID, company_id: UUID) -> bool:
    """End them, with what hangs on them, and tell the person. False: there were none. The company is locked."""
    connection = transaction.connection
    revoked = await users.revoke(connection, company_id, user_id, caller.person().user_id)
    if revoked is None:
        return False
    await _tell(connection, "user.revoked", caller, user_id, company_id)
    if revoked["accepted"]:
        kind, details = NoticeKind.access_revoked, {}
        if revoked["mandate_id"] is not None:
            kind, details = NoticeKind.mandate_ended, {"why": "revoked"}
        key = f"{kind.value}/{company_id}/{user_id}/{uuid4()}"
        await transaction.notify(key, kind, user_id=user_id, company_id=company_id, details=details)
    return True


async def _lock_pending(
    connection: Connection, caller: Caller, user_id: UUID
) -> tuple[list[UUID], list[asyncpg.Record]]:
    """The companies that the caller administers at this moment, locked where an answer of the user is waited for, and
    the invitations there."""
    rows = await connection.fetch(users.PENDING_SIRENS, user_id, list(caller.administers))
    companies = await lock_companies(connection, caller, [row["siren"] for row in rows])
    ids = [company.id for company in companies.values()]
    return ids, await connection.fetch(users.PENDING_INVITATIONS, user_id, ids)


async def _tell(
    connection: Connection,
    event: str,
    caller: Caller,
    user_id: UUID,
    company_id: UUID,
    details: dict[str, str] | None = None,
) -> None:
    await audit.add(
        connection, event, caller.actor, company_id=company_id, object_type="user", object_id=user_id, details=details
    )


async def _notify(
    transaction: Transaction, kind: NoticeKind, user_id: UUID, company: Company, details: dict[str, str] | None = None
) -> None:
    key = f"{kind.value}/{company.id}/{user_id}/{uuid4()}"
    await transaction.notify(key, kind, user_id=user_id, company_id=company.id, details=details)


# --- refusing


def _check_offers(offers: list[OfferedRights]) -> None:
    """Raises InvalidFields."""
    errors = []
    seen: set[str] = set()
    for place, offered in enumerate(offers):
        if offered.siren in seen:
            errors.append(
                FieldError(f"memberships.{place}.siren", "siren.double", "Cette entreprise figure deux fois.")
            )
        seen.add(offered.siren)
        if offered.mandate_until is not None and offered.role is not Role.member:
            words = "Un tiers déclarant ne peut être qu’utilisateur."
            errors.append(FieldError(f"memberships.{place}.role", "role.mandate", words))
    if errors:
        raise InvalidFields(errors)


def _check_companies(offers: list[OfferedRights], companies: dict[str, Company]) -> None:
    """Raises InvalidFields, with the same words for an unknown company and for somebody else's."""
    words = "Ce SIREN n’est pas celui d’une entreprise que vous administrez."
    unknown = [place for place, offered in enumerate(offers) if offered.siren not in companies]
    if unknown:
        raise InvalidFields([FieldError(f"memberships.{place}.siren", "siren.unknown", words) for place in unknown])


def _offered_role(asked: RightsChange) -> Role:
    if asked.role is None:
        raise InvalidFields([FieldError("role", "missing", "Indiquez le rôle proposé sur cette entreprise.")])
    if asked.suspended:
        raise InvalidFields([FieldError("suspended", "not_accepted_yet", "Un accès proposé ne se suspend pas.")])
    return asked.role


def _has_rights(company: Company, state: RightsState) -> RefusedByRules:
    words = {
        RightsState.invited: "Cette personne est déjà invitée pour {company}. Renvoyez-lui le lien.",
        RightsState.active: "Cette personne a déjà accès à {company}. Vous pouvez modifier ses droits.",
        RightsState.suspended: "L’accès de cette personne à {company} est suspendu. Vous pouvez le réactiver.",
    }
    code = {
        RightsState.invited: "already_invited",
        RightsState.active: "already_active",
        RightsState.suspended: "already_suspended",
    }
    return RefusedByRules(code[state], words[state].format(company=company.name))


def _nothing_waits() -> RefusedByRules:
    return RefusedByRules("nothing_waits", "Aucune invitation de cette personne n’attend de réponse.")
