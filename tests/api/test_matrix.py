"""Every route with every kind of caller, as `matrix.py` declares them (security.md Z-01 to Z-03)."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from stdnum import luhn

from api.app import create_app
from domain.affiliation import Status
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from gateways.encryption import token_hash
from services.api_keys import key_hash
from services.callers import Scope
from settings import Environment
from tests.api.conftest import BASE, client, employee_of, key_for
from tests.api.matrix import (
    ACCOUNT,
    COMPANY,
    DECLARATION,
    ESTABLISHMENT,
    HOOK,
    INVITED,
    KEY,
    MATRIX,
    NOBODY,
    REGISTERED,
    SIREN,
    STAFF,
    Caller,
    Route,
)
from tests.enrolling import save
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, Life, World
from web.callers import EMPLOYEE_COOKIE
from web.csrf import HEADER

OF_ONE = [route for route in MATRIX if "{affiliation_id}" in route.path]


_companies = itertools.count(secrets.randbelow(10**5))


def new_company() -> dict[str, Any]:
    """One that no register knows."""
    body = f"998{next(_companies) % 10**5:05}"  # no other test's
    siren = body + luhn.calc_check_digit(body)
    return {**REGISTERED, "siren": siren, "establishment": {**ESTABLISHMENT, "siret": synthetic_siret(siren)}}


@dataclass(frozen=True)
class Stage:
    world: World
    app: FastAPI
    company_a: Employer
    keys: dict[Caller, str]
    users: dict[Caller, TestUser]
    shared: list[Life] = field(default_factory=list)

    async def life_for(self, route: Route) -> Life:
        """One for all who only read, another for each who changes it."""
        if route.method == "GET" or not ("{affiliation_id}" in route.path or "/current" in route.path):
            self.shared[:] = self.shared or [await self.life()]
            return self.shared[0]
        return await self.life()

    async def life(self) -> Life:
        """A new affiliation of company A, invited."""
        life = await self.world.declare(self.company_a)
        await life.until(Status.sent)
        return life

    @asynccontextmanager
    async def caller(self, caller: Caller, life: Life) -> AsyncIterator[httpx2.AsyncClient]:
        """Whoever it is, in a session of their own: what they do ends no other's."""
        if caller is Caller.employee:
            async with employee_of(self.app, life) as session:
                yield session
        elif caller in self.users:
            if caller is Caller.before_terms:  # accepted by a request before this one
                await self.world.run("UPDATE portal_user SET terms_version = NULL WHERE id = $1", self.users[caller].id)
            stage: Literal["password", "open"] = "password" if caller is Caller.before_code else "open"
            async with signed_in(self.app, self.world, self.users[caller], stage=stage) as session:
                if caller is Caller.of_both:
                    await self._work_on_a(session)
                yield session
        else:
            async with client(self.app, self.keys.get(caller)) as http:
                yield http

    async def _work_on_a(self, session: httpx2.AsyncClient) -> None:
        chosen = await session.put(f"{BASE}/sessions/current/company", json={"siren": self.company_a.siren})
        assert chosen.status_code == 200, chosen.text
        session.headers[HEADER] = chosen.json()["csrf_token"]

    def body_of(self, route: Route) -> Any:
        siren, number = self.company_a.siren, secrets.token_hex(4)
        person = {"first_name": "Lucie", "last_name": "Essai", "email": f"lucie.{number}@exemple.fr"}
        bodies: dict[str, Any] = {
            DECLARATION: self.world.declaration(self.company_a),
            SIREN: {"siren": siren},
            INVITED: {**person, "memberships": [{"siren": siren, "role": "member"}]},
            KEY: {"name": "Paie", "sirens": [siren], "scopes": ["affiliations:read"]},
            HOOK: {"name": "Paie", "siren": siren, "url": "http://127.0.0.1:9/hcr"},
            ACCOUNT: {**person, "roles": ["read"]},
            COMPANY: new_company(),
        }
        return bodies[(route.body or {})["a"]]

    async def ask(self, http: httpx2.AsyncClient, route: Route, affiliation_id: UUID) -> httpx2.Response:
        await self.world.run("DELETE FROM rate_limit")  # limits are tested where they belong
        body = self.body_of(route) if route.body is not None and "a" in route.body else route.body
        path = route.path.replace("{affiliation_id}", str(affiliation_id)).replace("{piece}", "rib")
        path = path.replace("{siren}", self.company_a.siren).replace("{number}", "2").replace("{slug}", "guide-assures")
        path = re.sub(r"\{\w+_id\}", str(uuid4()), path)  # of something else that nobody has
        if body is None:
            return await http.request(route.method, path)
        return await http.request(route.method, path, json=body)


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> Stage:
    a, b, house = [await world.employer() for _ in range(3)]
    both = (Scope.read, Scope.write)
    keys = {
        Caller.garbage: f"hcr_{secrets.token_urlsafe(32)}",
        Caller.revoked: await key_for(world, a, *both),
        Caller.expired: await key_for(world, a, *both),
        Caller.read_only: await key_for(world, a, Scope.read),
        Caller.company_a: await key_for(world, a, *both),
        Caller.company_b: await key_for(world, b, *both),
        Caller.staff_key: await key_for(world, house, Scope.staff, Scope.staff_write, Scope.staff_export),
    }
    for caller, column in ((Caller.revoked, "revoked_at"), (Caller.expired, "expires_at")):
        await world.run(f"UPDATE api_key SET {column} = now() WHERE secret_hash = $1", key_hash(keys[caller]))
    member, administrator = {a.company_id: Role.member}, {a.company_id: Role.administrator}
    users = {
        Caller.member_a: await add_user(world, member),
        Caller.administrator_a: await add_user(world, administrator),
        Caller.administrator_b: await add_user(world, {b.company_id: Role.administrator}),
        Caller.of_both: await add_user(world, {**member, b.company_id: Role.member}),
        Caller.suspended: await add_user(world, administrator),
        Caller.closed: await add_user(world, administrator),
        Caller.before_code: await add_user(world, administrator),
        Caller.before_terms: await add_user(world, administrator, terms=False),
        Caller.reads: await add_user(world, staff=[StaffRole.read]),
        Caller.writes: await add_user(world, staff=[StaffRole.write]),
        Caller.exports: await add_user(world, staff=[StaffRole.export]),
        Caller.super: await add_user(world, staff=[StaffRole.super]),
    }
    for caller, column in ((Caller.suspended, "suspended_at"), (Caller.closed, "revoked_at")):
        await world.run(f"UPDATE portal_user SET {column} = now() WHERE id = $1", users[caller].id)
    return Stage(world, app, a, keys, users)


def test_every_route_is_declared_and_every_declared_route_exists(app: FastAPI) -> None:
    # the portal's pages are declared where they are tested
    contexts = [one for one in iter_route_contexts(app.routes) if not one.endpoint.__module__.startswith("portal.")]
    found = {(method, str(one.path)) for one in contexts for method in one.methods or ()}
    assert found == {(route.method, route.path.partition("?")[0]) for route in MATRIX}


def _asked(route: Route) -> dict[Caller, int]:
    """Everybody; but of those who stand for one thing and get one answer, a different one or two at each route."""
    turn = MATRIX.index(route)
    left_out: set[Caller] = set()
    for alike, kept in ((NOBODY, 3), (STAFF, 1)):
        own = "/me" in route.path  # what one asks of oneself depends on what one asked before
        if len({route.answers[caller] for caller in alike}) == 1 and not own:
            chosen = {alike[(turn + n) % len(alike)] for n in range(kept)}
            left_out |= set(alike) - chosen
    return {caller: status for caller, status in route.answers.items() if caller not in left_out}


@pytest.mark.parametrize("route", MATRIX, ids=str)
async def test_each_caller_gets_the_declared_answer(stage: Stage, route: Route) -> None:
    life = await stage.life_for(route)
    assert set(route.answers) == set(Caller)
    wrong = {}
    # whoever is allowed comes last: what they do must not change the others' answers
    for caller, status in sorted(_asked(route).items(), key=lambda item: item[1] < 300):
        if (
            status < 300
            and route.method != "GET"
            and "/current/" not in route.path
            and "{affiliation_id}" in route.path
        ):
            life = await stage.life_for(route)  # another allowed one has changed it
        async with stage.caller(caller, life) as http:
            answer = await stage.ask(http, route, life.id)
        if answer.status_code != status:
            wrong[caller.value] = (answer.status_code, answer.text[:200])
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Essai" not in answer.text
    assert not wrong


@pytest.mark.parametrize("route", OF_ONE, ids=str)
async def test_a_foreign_affiliation_and_an_unknown_one_are_the_same_answer(stage: Stage, route: Route) -> None:
    life = await stage.life_for(MATRIX[1])  # refused requests change nothing
    before = dict(await life.row())
    for caller in (Caller.company_b, Caller.administrator_b, Caller.company_a, Caller.staff_key, Caller.super):
        async with stage.caller(caller, life) as http:
            unknown = await stage.ask(http, route, uuid4())
            if caller in (Caller.company_b, Caller.administrator_b):
                foreign = await stage.ask(http, route, life.id)
                assert foreign.content == unknown.content
                assert foreign.headers.raw == unknown.headers.raw
                assert foreign.status_code == unknown.status_code
        assert unknown.status_code in (403, 404, 422)
    assert dict(await life.row()) == before


async def test_a_foreign_siret_and_an_unknown_one_are_the_same_answer(stage: Stage) -> None:
    declaration = stage.world.declaration(stage.company_a)
    async with client(stage.app, stage.keys[Caller.company_b]) as http:
        await _same_siret_answer(http, declaration)


async def _same_siret_answer(http: httpx2.AsyncClient, declaration: dict[str, Any]) -> None:
    foreign = await http.post(f"{BASE}/affiliations", json=declaration)
    unknown = await http.post(f"{BASE}/affiliations", json={**declaration, "siret": "99900000300015"})
    assert foreign.status_code == unknown.status_code == 422
    assert foreign.content == unknown.content
    assert foreign.headers.raw == unknown.headers.raw


async def test_company_b_sees_nothing_of_company_a_in_lists(stage: Stage) -> None:
    life = await stage.life()
    for caller in (Caller.company_b, Caller.administrator_b):
        async with stage.caller(caller, life) as http:
            await _sees_nothing(stage, http)


async def _sees_nothing(stage: Stage, http: httpx2.AsyncClient) -> None:
    for query in ("", f"?siret={stage.company_a.siret}", f"?siren={stage.company_a.siren}", "?q=camille"):
        page = (await http.get(f"{BASE}/affiliations{query}")).json()
        assert page == {"items": [], "next_cursor": None, "total": 0}
    for path in ("companies", "establishments"):
        items = (await http.get(f"{BASE}/{path}")).json()["items"]
        assert len(items) == 1
        assert items[0]["siren"] != stage.company_a.siren


async def test_a_session_gives_no_right_on_the_employers_door_and_a_key_none_on_the_employees(stage: Stage) -> None:
    life = await stage.life()
    key = stage.keys[Caller.company_a]
    async with employee_of(stage.app, life) as employee:
        session = employee.cookies[EMPLOYEE_COOKIE]
        as_key = await employee.get(f"{BASE}/affiliations", headers={"Authorization": f"Bearer {session}"})
        assert as_key.status_code == 401
    async with client(stage.app) as http:
        http.cookies.set(EMPLOYEE_COOKIE, key)
        assert (await http.get(f"{BASE}/enrolments/current")).status_code == 401


async def test_an_employee_sees_only_their_own_form(stage: Stage) -> None:
    one, other = await stage.life(), await stage.life()
    async with employee_of(stage.app, one) as first, employee_of(stage.app, other) as second:
        await save(first, {"account_holder": "La première"})
        assert (await second.get(f"{BASE}/enrolments/current")).json()["answers"] == {}


async def test_a_session_ends_with_its_hours_and_with_the_affiliation(stage: Stage) -> None:
    life = await stage.life()
    async with employee_of(stage.app, life) as employee:
        session = token_hash(employee.cookies[EMPLOYEE_COOKIE])
        await stage.world.run("UPDATE employee_session SET expires_at = now() WHERE token_hash = $1", session)
        assert (await employee.get(f"{BASE}/enrolments/current")).status_code == 401
    async with employee_of(stage.app, life) as employee, client(stage.app, stage.keys[Caller.company_a]) as http:
        await http.post(f"{BASE}/affiliations/{life.id}/withdrawal", json={"reason": "mistake"})
        assert (await employee.get(f"{BASE}/enrolments/current")).status_code == 401


async def test_authorization_headers_of_any_shape_are_no_key(stage: Stage) -> None:
    headers: Iterable[bytes] = (b"Bearer", b"Bearer ", b"Basic aGNyOng=", b"Bearer \xff\xfe", b"hcr_x", b"Bearer a b")
    async with client(stage.app) as http:
        for header in headers:
            answer = await http.get(f"{BASE}/companies", headers=[(b"Authorization", header)])
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_operations_pages_do_not_answer_through_the_public_proxy(stage: Stage) -> None:
    async with client(stage.app) as http:
        unknown = await http.get("/health/live", headers={"X-Forwarded-For": "203.0.113.7"})
        for path in ("/health/live", "/health/ready", "/metrics"):
            answer = await http.get(path, headers={"X-Forwarded-For": "203.0.113.7"})
            assert answer.status_code == 404
            assert answer.content == unknown.content
    elsewhere = httpx2.ASGITransport(app=stage.app, client=("203.0.113.7", 1234))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://testserver") as http:
        assert (await http.get("/metrics")).status_code == 404


async def test_production_publishes_no_openapi_document(stage: Stage) -> None:
    config = stage.world.config.model_copy(update={"environment": Environment.production})
    async with client(create_app(config)) as http:
        http.base_url = config.public_base_url
        for path in ("/api/v1/openapi.json", "/openapi.json", "/docs", "/redoc"):
            answer = await http.get(path)
            assert answer.status_code == 404
            assert json.loads(answer.content)["type"] == "urn:hcr:problem:not_found"
            assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
