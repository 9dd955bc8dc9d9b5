"""« Mon profil »: one's own name, password and terms; number, address, app and lost telephones are parts of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from activities.contracts.affiliation import ActorKind
from db import audit, profile, sessions
from db.pool import single, system
from domain.rights import Role, StaffRole, UserKind
from domain.sign_in import masked_phone
from messages.notices import NoticeKind
from messages.terms import current_terms
from services.authenticator import AuthenticatorService
from services.callers import Caller
from services.fields import Form, Name
from services.new_passwords import new_password_hash
from services.own_account import (
    TypedPassword,
    check_password,
    kill_everything_old,
    lock_account,
    need_step_up,
    read_account,
    signed_out,
)
from services.own_email import OwnEmailService
from services.own_phone import OwnPhoneService
from services.phone_losses import PhoneLossService
from services.problems import NotAllowed, RefusedByRules
from services.sessions import IDLE_MINUTES, csrf_token_of
from services.sign_in import number_of
from services.tools import Tools


class OwnRight(BaseModel):
    """One's role on a company, and the names of its administrators, oneself included."""

    siren: str
    name: str
    role: Role
    administrators: list[str]


class Perimeter(BaseModel):
    """The company that the session works on."""

    siren: str
    name: str


class OwnTerms(BaseModel):
    """`accepted`: the last version accepted; `current`: the one that is asked."""

    accepted: str | None
    current: str


class Me(BaseModel):
    """`phone`: masked; None: no proved number. `terms`: None for staff. `perimeter`: None for all one's companies.

    `idle_until`: when the session ends unless something is done in it; `expires_at`: whatever is done.
    `csrf_token`: every change made in the session carries it as X-CSRF-Token.
    """

    id: str
    kind: UserKind
    first_name: str
    last_name: str
    email: str
    phone: str | None
    has_totp: bool
    recovery_codes_left: int
    terms: OwnTerms | None
    staff_roles: list[StaffRole]
    companies: list[OwnRight]
    perimeter: Perimeter | None
    idle_until: datetime
    expires_at: datetime
    csrf_token: str


class Names(Form):
    """None: stays as it is."""

    first_name: Name | None = None
    last_name: Name | None = None


class PasswordChange(Form):
    current: TypedPassword
    new: TypedPassword


class TermsSection(BaseModel):
    title: str
    paragraphs: list[str]


class TermsView(BaseModel):
    """The conditions générales, in French."""

    version: str
    title: str
    sections: list[TermsSection]


class AcceptTerms(Form):
    """`version`: the one that was read."""

    version: Annotated[str, Field(max_length=40, examples=["2026-11"])]


class ProfileService:
    """`phone`, `email`, `authenticator`: the parts of the profile that prove who one is; `phone_losses`: staff's."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.phone = OwnPhoneService(tools)
        self.email = OwnEmailService(tools)
        self.authenticator = AuthenticatorService(tools)
        self.phone_losses = PhoneLossService(tools)

    async def me(self, caller: Caller) -> Me:
        """Raises NotAllowed (an API key), NotAuthenticated."""
        person = caller.person()
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(
                profile.ME, person.session, IDLE_MINUTES[UserKind.employer], IDLE_MINUTES[UserKind.staff]
            )
            if row is None:
                raise signed_out()
            companies = await connection.fetch(profile.COMPANIES, person.user_id)
        kind = UserKind(row["kind"])
        number = number_of(self._tools, row)
        return Me(
            id=str(row["id"]),
            kind=kind,
            first_name=row["first_name"],
            last_name=row["last_name"],
            email=row["email"],
            phone=masked_phone(number) if number else None,
            has_totp=row["has_totp"],
            recovery_codes_left=row["recovery_codes_left"],
            terms=OwnTerms(accepted=row["terms_version"], current=current_terms().version)
            if kind is UserKind.employer
            else None,
            staff_roles=[StaffRole(role) for role in row["staff_roles"]],
            companies=[OwnRight(**company) for company in companies],
            perimeter=Perimeter(siren=row["siren"], name=row["company"]) if row["siren"] else None,
            idle_until=row["idle_until"],
            expires_at=row["expires_at"],
            csrf_token=csrf_token_of(person.session),
        )

    async def rename(self, caller: Caller, names: Names) -> Me:
        """Raises NotAllowed, NotAuthenticated."""
        person = caller.person()
        async with system(self._tools.system) as connection:
            await connection.execute(profile.RENAME, person.user_id, names.first_name, names.last_name)
            await audit.add(connection, "user.renamed", caller.actor)
        return await self.me(caller)

    def terms(self) -> TermsView:
        """Public."""
        current = current_terms()
        sections = [TermsSection(title=title, paragraphs=list(text)) for title, text in current.sections]
        return TermsView(version=current.version, title=current.title, sections=sections)

    async def accept_terms(self, caller: Caller, accepted: AcceptTerms) -> None:
        """Recorded with the version, the moment and where from (security.md A-04); a second time nothing happens.

        Raises NotAllowed (staff have none, an API key), RefusedByRules (another version is asked by now).
        """
        person = caller.person()
        if caller.actor.kind is not ActorKind.employer:
            raise NotAllowed("Les conditions générales concernent les utilisateurs des entreprises.")
        if accepted.version != current_terms().version:
            raise RefusedByRules(
                "terms_outdated", "Ces conditions générales ont été remplacées. Relisez la version actuelle."
            )
        async with system(self._tools.system) as connection:
            added = await connection.fetchval(profile.ADD_ACCEPTANCE, person.user_id, accepted.version)
            await connection.execute(profile.SET_TERMS, person.user_id, accepted.version)
            if added is not None:
                await audit.add(connection, "terms.accepted", caller.actor, details={"version": accepted.version})

    async def change_password(self, caller: Caller, change: PasswordChange) -> None:
        """The session goes on; every other one, known browsers and links on their way end (security.md A-13, S-04).

        Raises NotAllowed, NotAuthenticated, StepUpNeeded, InvalidFields, TooManyRequests, Overloaded.
        """
        person = caller.person()
        account = await read_account(self._tools, person.user_id)
        need_step_up(caller, account)
        await check_password(self._tools, caller, account, change.current, "current")
        async with single(self._tools.system) as connection:
            about = await connection.fetchval(profile.ABOUT, person.user_id)
        hashed = await new_password_hash(self._tools, change.new, about, "new")
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            locked = await lock_account(connection, person.user_id)
            if locked["password_version"] != account["password_version"]:
                raise signed_out()  # changed elsewhere meanwhile: every session ended then
            await connection.execute(profile.SET_PASSWORD, person.user_id, hashed)
            await connection.execute(sessions.CLOSE_OTHERS, person.user_id, person.session)
            if not await connection.fetchval(profile.KEEP_SESSION, person.session):
                raise signed_out()
            await kill_everything_old(connection, person.user_id)
            await audit.add(connection, "auth.password.changed", caller.actor)
            version = account["password_version"] + 1
            await transaction.notify(
                f"password_changed/{person.user_id}/{version}", NoticeKind.password_changed, user_id=person.user_id
            )
