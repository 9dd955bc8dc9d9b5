"""Users for tests: made in the database as activation, invitation and sign-in leave them, and their browsers."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

import httpx2
from fastapi import FastAPI

from composition import passwords
from db.pool import system
from domain.rights import Role, StaffRole, UserKind
from messages.terms import current_terms
from services.sessions import csrf_token, open_session
from services.visitors import Visitor
from tests.world import Employer, World
from web.cookies import SESSION_OF
from web.csrf import HEADER

PASSWORD = "trois cafés sous la véranda bleue"
HERE = Visitor(network="127.0.0.1/32", browser="un logiciel", request_id="test")
_numbers = itertools.count(secrets.randbelow(10**6))


@dataclass(frozen=True)
class TestUser:
    """`phone`: E.164, proved; None: never given."""

    __test__ = False

    id: UUID
    kind: UserKind
    email: str
    phone: str | None = None


async def add_user(
    world: World,
    rights: Mapping[UUID, Role] | None = None,
    *,
    staff: Sequence[StaffRole] = (),
    password: str | None = None,
    phone: str | None = None,
    terms: bool = True,
) -> TestUser:
    """An active user: of companies with a role on each, or of the staff. Without `password` nobody signs in."""
    number = next(_numbers)
    kind = UserKind.staff if staff else UserKind.employer
    email = f"personne{number}@exemple.fr"
    hashed = await _hash(world, password) if password else None
    async with system(world.system) as connection:
        user_id: UUID = await connection.fetchval(
            "INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_hash,"
            " password_version, terms_version, staff_roles) VALUES ($1, $2, $3, $4, now(), $5, 1, $6, $7) RETURNING id",
            kind.value,
            email,
            f"Prénom{number}",
            "Essai",
            hashed,
            current_terms().version if terms else None,
            [role.value for role in staff],
        )
        for company_id, role in (rights or {}).items():
            await connection.execute(
                "INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at)"
                " VALUES ($1, $2, $3, now(), now())",
                user_id,
                company_id,
                role.value,
            )
            await connection.execute(
                "UPDATE company SET activated_at = coalesce(activated_at, now()) WHERE id = $1", company_id
            )
        if phone is not None:
            await connection.execute(
                "UPDATE portal_user SET phone_sealed = $2, phone_index = $3, phone_proved_at = now() WHERE id = $1",
                user_id,
                world.cipher.encrypt(phone, "portal_user", "phone", str(user_id)),
                world.cipher.blind_index(phone, "portal_user.phone"),
            )
    return replace(TestUser(user_id, kind, email), phone=phone)


_hashes: dict[str, str] = {}  # a twelfth of a second each: one for all who have the same password


async def _hash(world: World, password: str) -> str:
    if password not in _hashes:
        _hashes[password] = await passwords(world.config).hash(password)
    return _hashes[password]


@asynccontextmanager
async def signed_in(
    app: FastAPI,
    world: World,
    user: TestUser,
    *,
    stepped_up: bool = True,
    stage: Literal["password", "open"] = "open",
) -> AsyncIterator[httpx2.AsyncClient]:
    """The user's browser, signed in; `stepped_up`: a code was given just now."""
    from tests.api.conftest import client

    async with system(world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage=stage, stepped_up=stepped_up)
    async with client(app) as http:
        http.cookies.set(SESSION_OF[user.kind].value, opened.token)
        http.headers[HEADER] = csrf_token(opened.token)
        yield http


@asynccontextmanager
async def administrator_of(app: FastAPI, world: World, employer: Employer) -> AsyncIterator[httpx2.AsyncClient]:
    """The browser of a new administrator of this company."""
    user = await add_user(world, {employer.company_id: Role.administrator})
    async with signed_in(app, world, user) as http:
        yield http
