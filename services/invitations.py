"""The link of an invitation: it creates the password of whoever has none, and proves their address; whoever has one
accepts in their own session (security.md A-24). Looking changes nothing."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor, ActorKind
from db import audit, password_resets, users
from db.pool import Connection, single, system
from domain.rights import Role, UserKind, raises_rights
from gateways.encryption import token_hash
from messages.terms import current_terms
from services.callers import Caller, Scope
from services.fields import Form
from services.new_passwords import new_password_hash
from services.own_account import TypedPassword
from services.problems import FieldError, InvalidFields, LinkRefused
from services.tools import Tools

_TERMS = "Lisez les conditions générales en vigueur, puis acceptez-les."

Token = Annotated[str, Field(max_length=200, repr=False, examples=["x" * 43])]


class InvitationLink(Form):
    """`token`: the link's."""

    token: Token


class InvitationPreview(BaseModel):
    """Nothing of the person but the masked address. `terms_version`: to be accepted with the password; null: none, or
    nothing to create."""

    email: str
    creates_password: bool
    terms_version: str | None


class InvitationCompletion(Form):
    """`terms_version`: the one that was read and accepted; members of staff have none."""

    token: Token
    password: TypedPassword
    terms_version: Annotated[str | None, Field(max_length=40, examples=["2026-11-01"])] = None


class Invitations:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def preview(self, link: InvitationLink) -> InvitationPreview:
        """Raises LinkRefused: unknown, used, too old, withdrawn, or not its inviter's to give any more."""
        invitation = await self._open(link.token)
        creates = not invitation["has_password"]
        return InvitationPreview(
            email=masked_email(invitation["email"]),
            creates_password=creates,
            terms_version=current_terms().version if creates and invitation["kind"] == UserKind.employer else None,
        )

    async def complete(self, asked: InvitationCompletion) -> None:
        """The first password. Opens no session: the second factor follows at sign-in.

        Raises LinkRefused, also where there is a password already; InvalidFields (the link stays good); Overloaded.
        """
        invitation = await self._open(asked.token)
        if invitation["has_password"]:
            raise LinkRefused()
        terms = None
        if invitation["kind"] == UserKind.employer:
            terms = current_terms().version
            if asked.terms_version != terms:
                raise InvalidFields([FieldError("terms_version", "terms.version", _TERMS)])
        about = (invitation["first_name"], invitation["last_name"], invitation["email"], *invitation["companies"])
        hashed = await new_password_hash(self._tools, asked.password, about)
        user_id = invitation["user_id"]
        actor = Actor(ActorKind.staff if terms is None else ActorKind.employer, str(user_id))
        async with system(self._tools.system) as connection:
            await _accept(connection, invitation, actor)
            names = (invitation["first_name"], invitation["last_name"])
            if not await connection.fetchval(users.CREATE_PASSWORD, user_id, hashed, *names, terms):
                raise LinkRefused()
            await connection.execute(password_resets.KILL, user_id)
            await audit.add(connection, "auth.password.created", actor)
            if terms is not None:
                await connection.execute(users.ACCEPT_TERMS, user_id, terms)
                await audit.add(connection, "terms.accepted", actor, details={"version": terms})

    async def accept(self, caller: Caller, link: InvitationLink) -> None:
        """What is offered to the user who is signed in. Raises NotAllowed, LinkRefused: somebody else's too."""
        person = caller.person()
        caller.need(Scope.write)
        invitation = await self._open(link.token)
        if invitation["user_id"] != person.user_id:
            raise LinkRefused()
        async with system(self._tools.system) as connection:
            roles = await _accept(connection, invitation, caller.actor)
            if any(raises_rights(None, role) for role in roles):
                await connection.execute(users.CODE_DUE, person.user_id, "role_raised")

    async def _open(self, token: str) -> asyncpg.Record:
        async with single(self._tools.system) as connection:
            invitation = await connection.fetchrow(users.OPEN_INVITATION, token_hash(token))
        if invitation is None:
            raise LinkRefused()
        return invitation


async def _accept(connection: Connection, invitation: asyncpg.Record, actor: Actor) -> list[Role]:
    """Once; the roles that begin. Where its inviter may not give rights any more, none do. Raises LinkRefused."""
    await connection.fetch(users.LOCK_COMPANIES_OF_INVITATION, invitation["id"])
    await connection.execute(users.LOCK_USER, invitation["user_id"])
    if await connection.fetchval(users.ACCEPT_INVITATION, invitation["id"]) is None:
        raise LinkRefused()
    begun = []
    user_id: UUID = invitation["user_id"]
    for membership in await connection.fetch(users.ACCEPT_MEMBERSHIPS, invitation["id"]):
        if membership["accepted"]:
            begun.append(Role(membership["role"]))
            event, details = "user.accepted", {"role": membership["role"]}
        else:
            event, details = "user.revoked", {"why": "inviter"}
        await audit.add(
            connection,
            event,
            actor,
            company_id=membership["company_id"],
            object_type="user",
            object_id=user_id,
            details=details,
        )
    return begun


def masked_email(email: str) -> str:
    """« p•••@e•••.fr »: for its owner to recognise (security.md A-24)."""
    name, _, host = email.rpartition("@")
    site, _, end = host.rpartition(".")
    return f"{name[:1]}•••@{site[:1]}•••.{end}"
