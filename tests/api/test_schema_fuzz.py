"""Requests made from the OpenAPI document, good and bad, by every kind of caller: no crash, no undocumented answer.

Schemathesis makes requests from the document; others are the matrix's good body, whole or with something wrong in it,
and contents that no client of ours sends. `STATEFUL=<examples>` (make stateful) asks for so many of each operation
and caller; the ordinary run for one. Abuse limits are emptied before each request: they have tests of their own.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from typing import Any, Literal
from uuid import uuid4

import httpx2
import pytest
import schemathesis
from argon2 import PasswordHasher
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter
from jsonschema_rs import Validator, validator_for
from requests import Request
from schemathesis import APIOperation, BaseSchema, GenerationMode
from schemathesis.generation.feedback import NO_FEEDBACK

from api.app import create_app
from domain.affiliation import Status
from domain.rights import Role, StaffRole
from services.callers import Scope
from tests.api.conftest import BASE, client, employee_of, key_for, link_token
from tests.api.matrix import ACCOUNT, COMPANY, DECLARATION, HOOK, INVITED, KEY, MATRIX, SIREN, Caller, Route
from tests.api.test_matrix import new_company
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, Life, World

EXAMPLES = int(os.environ.get("STATEFUL", "0"))
SEED = int.from_bytes(os.urandom(4)) if EXAMPLES else 0  # the ordinary run asks the same each time
ROUTES = [route for route in MATRIX if not route.path.endswith("openapi.json")]
CALLERS = [
    *(Caller.anonymous, Caller.read_only, Caller.company_a, Caller.staff_key, Caller.employee),
    *(Caller.before_code, Caller.before_terms, Caller.member_a, Caller.administrator_b),
    *(Caller.reads, Caller.writes, Caller.exports, Caller.super, Caller.administrator_a),
]
A_TURN = 1
PROBLEM = "application/problem+json"
# words of our insides
INSIDES = re.compile(
    r"Traceback|\.py\b|asyncpg|pydantic|temporalio|SELECT |INSERT INTO|RETURNING |portal_user|0x[0-9a-f]{8}"
)
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


# --- requests


@dataclass(frozen=True)
class Asked:
    """A request as it is sent, but for who sends it."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.method} {self.target[:300]} {self.headers} {(self.content or b'')[:600]!r}"


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *("", " ", "\u0000", "a\u0000b", "\ud800", "\u202e", "’", "٣٤", "𝟙", "İ", "ß", "e\u0301", "\u200b", "\r\n"),
            *("x" * 5_000, "9" * 5_000, "-1", "1e400", "NaN", "'; --", "../..", "{{7*7}}", "%s", "0001-01-01"),
            *("9999-12-31", "2026-02-30", "10000-01-01", "+33639980001", "@", "a@b", "«\u00a0»@exemple.fr"),
        ]
    ),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.sampled_from(
        [-1, 0, 1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**30, 1.5, -0.0, 1e308, float("nan"), float("inf")]
    ),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"", b"{", b"null", b"[]", b'"x"', b"0", b"9" * 5_000, b"[" * 500, b'{"a":' * 40, b"NaN"),
            *(b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'{"email":"a","email":"b"}', b'{"token":"\xed\xa0\x80"}'),
            *(b"token=x&token=y", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n', b"--x--\r\n", b"<a/>"),
        ]
    ),
)
JSON, FORM = "application/json", "multipart/form-data"
MEDIA_TYPES = st.sampled_from(
    [
        *(JSON, "", ";", "é", "text/plain", "application/xml", "application/x-www-form-urlencoded", PROBLEM),
        *(FORM, f"{FORM}; boundary=x", f"{JSON}; charset=utf-16"),
    ]
)
SEGMENTS = st.sampled_from(
    [
        *("x", "%00", "%FF", "%ED%A0%80", "..", "%2e%2e", "%20", "’", "0" * 3_000, "-1", "9" * 30, "{}", "null"),
        *("0" * 32, "urn:uuid:00000000-0000-0000-0000-000000000000"),
    ]
)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be put in a body, the body itself excepted."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from _paths(inner, (*above, key))


@st.composite
def bent(draw: st.DrawFn, good: Any) -> Any:
    """A good body with one thing wrong, or odd, in it."""
    paths = list(_paths(good))
    if not paths or draw(st.integers(0, 9)) == 9:
        return {**good, draw(TEXTS): draw(VALUES)} if isinstance(good, dict) else draw(VALUES)
    changed = copy.deepcopy(good)
    *above, last = draw(st.sampled_from(paths))
    inside = changed
    for key in above:
        inside = inside[key]
    if draw(st.integers(0, 4)) == 4:
        del inside[last]
    else:
        inside[last] = draw(VALUES)
    return changed


@st.composite
def requests(draw: st.DrawFn, place: Place) -> Asked:
    """Of the place's operation: as the document says, or against it, or as no client of ours would."""
    operation, route, known, good = place.operation, place.route, place.known, place.good
    body = draw(st.sampled_from(["good", "bent", "generated", "content"]))
    mode = draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = draw(operation.as_strategy(mode, feedback=NO_FEEDBACK))
    kwargs = case.as_transport_kwargs(base_url="http://testserver")
    if known and draw(st.integers(0, 3)) < 3:  # else one that was generated
        values = dict(known)
        if draw(st.integers(0, 5)) == 5:
            values[draw(st.sampled_from(sorted(known)))] = draw(SEGMENTS)
        kwargs["url"] = "http://testserver" + operation.path.format(**values)
    prepared = Request(**kwargs).prepare()
    headers = {str(name): str(value) for name, value in prepared.headers.items() if name.lower() != "content-length"}
    content = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    target = prepared.path_url
    if body == "good" and "?" in route.path:
        target = target.partition("?")[0] + "?" + route.path.partition("?")[2]
    if body == "content":
        content = draw(CONTENTS)
        headers["Content-Type"] = draw(MEDIA_TYPES)
    elif operation.path.endswith("/documents") and body == "good":
        files = httpx2.Request("POST", "http://testserver", files={"file": ("rib.png", PNG)}, data={"piece": "rib"})
        content, headers["Content-Type"] = files.read(), files.headers["content-type"]
    elif good is not None and body in ("good", "bent"):
        content = json.dumps(good if body == "good" else draw(bent(good))).encode()
        headers["Content-Type"] = "application/json"
    return Asked(route.method, target, headers, content)


# --- who sends them


@dataclass(frozen=True)
class Scene:
    app: FastAPI
    world: World
    loop: asyncio.AbstractEventLoop
    schema: BaseSchema
    document: dict[str, Any]
    shared: list[Life] = field(default_factory=list)


@dataclass
class Place:
    """What one operation is tried on: a company with users and keys that no other test knows.

    `known`: path parameters that name something. `good`: a body that somebody is allowed to send. `schemas`: of the
    documented answers, by status and media type.
    """

    scene: Scene
    route: Route
    company: Employer
    life: Life
    link: str
    keys: dict[Caller, str]
    users: dict[Caller, TestUser]
    operation: APIOperation[Any, Any, Any, Any]
    schemas: dict[int, dict[str, Validator | None]]
    known: dict[str, str] = field(default_factory=dict)
    good: Any = None

    def _repr_pretty_(self, printer: RepresentationPrinter, _: bool) -> None:  # Hypothesis writes it again and again
        printer.text(str(self.route))

    @classmethod
    async def prepare(cls, scene: Scene, route: Route) -> Place:
        world = scene.world
        if not scene.shared:
            scene.shared.append(await cls.new_life(world, await world.employer()))
        life = scene.shared[0]
        if route.method != "GET" and ("{affiliation_id}" in route.path or "/enrolments/current" in route.path):
            life = await cls.new_life(world, await world.employer())
        a, b = life.employer, await world.employer()
        keys = {
            Caller.read_only: await key_for(world, a, Scope.read),
            Caller.company_a: await key_for(world, a, Scope.read, Scope.write),
            Caller.staff_key: await key_for(world, b, Scope.staff, Scope.staff_write, Scope.staff_export),
        }
        users = {
            Caller.member_a: await add_user(world, {a.company_id: Role.member}),
            Caller.administrator_a: await add_user(world, {a.company_id: Role.administrator}),
            Caller.administrator_b: await add_user(world, {b.company_id: Role.administrator}),
            Caller.before_code: await add_user(world, {a.company_id: Role.administrator}),
            Caller.before_terms: await add_user(world, {a.company_id: Role.administrator}, terms=False),
            Caller.reads: await add_user(world, staff=[StaffRole.read]),
            Caller.writes: await add_user(world, staff=[StaffRole.write]),
            Caller.exports: await add_user(world, staff=[StaffRole.export]),
            Caller.super: await add_user(world, staff=[StaffRole.super]),
        }
        path = route.path.partition("?")[0]
        operation = scene.schema[path][route.method]
        schemas = _schemas(scene.document, scene.document["paths"][path][route.method.lower()])
        place = cls(scene, route, a, life, await link_token(life), keys, users, operation, schemas)
        place.known, place.good = await place._known(), place._good()
        return place

    @staticmethod
    async def new_life(world: World, employer: Employer) -> Life:
        life = await world.declare(employer)
        await life.until(Status.sent)
        return life

    async def _known(self) -> dict[str, str]:
        rows = await self.scene.world.run("SELECT employee_id FROM affiliation WHERE id = $1", self.life.id)
        names = {
            "affiliation_id": str(self.life.id),
            "employee_id": str(rows[0]["employee_id"]),
            "user_id": str(self.users[Caller.member_a].id),
            "account_id": str(self.users[Caller.reads].id),
            "actor_id": str(self.users[Caller.reads].id),
            "siren": self.company.siren,
            "piece": "rib",
        }
        return {name: names.get(name) or str(uuid4()) for name in re.findall(r"\{(\w+)\}", self.route.path)}

    def _good(self) -> Any:
        siren = self.company.siren
        person = {"first_name": "Lucie", "last_name": "Essai", "email": f"lucie.{uuid4().hex[:8]}@exemple.fr"}
        bodies: dict[str, Any] = {
            DECLARATION: self.scene.world.declaration(self.company),
            SIREN: {"siren": siren},
            INVITED: {**person, "memberships": [{"siren": siren, "role": "member"}]},
            KEY: {"name": "Paie", "sirens": [siren], "scopes": ["affiliations:read"]},
            HOOK: {"name": "Paie", "siren": siren, "url": "http://127.0.0.1:9/hcr"},
            ACCOUNT: {**person, "roles": ["read"]},
            COMPANY: new_company(),
        }
        body = self.route.body
        return bodies[body["a"]] if body is not None and "a" in body else body

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", "[^/]+", self.operation.path))

    @asynccontextmanager
    async def caller(self, caller: Caller) -> AsyncIterator[httpx2.AsyncClient]:
        """In a session of their own: what an earlier request ended is not this one's."""
        async with AsyncExitStack() as stack:
            if caller is Caller.employee:
                session = employee_of(self.scene.app, self.life, await self.living_link())
            elif caller in self.users:
                user = self.users[caller]
                if caller is Caller.before_terms:  # accepted by a request before this one
                    await self.scene.world.run("UPDATE portal_user SET terms_version = NULL WHERE id = $1", user.id)
                stage: Literal["password", "open"] = "password" if caller is Caller.before_code else "open"
                session = signed_in(self.scene.app, self.scene.world, user, stage=stage)
            else:
                session = client(self.scene.app, self.keys.get(caller))  # type: ignore[assignment]
            yield await stack.enter_async_context(session)

    async def living_link(self) -> str:
        """The employee's; of another affiliation where a request before this one ended or changed the last."""
        async with client(self.scene.app) as http:
            if (await http.post(f"{BASE}/enrolments/access", json={"token": self.link})).status_code != 200:
                self.life = await self.new_life(self.scene.world, self.company)
                self.link = await link_token(self.life)
        return self.link

    async def send(self, caller: Caller, asked: Asked) -> str | None:
        """What is wrong with the answer."""
        async with self.caller(caller) as http:
            await self.scene.world.run("DELETE FROM rate_limit")
            own = ("authorization", "cookie", "x-csrf-token", "host")
            strange = {k: v for k, v in asked.headers.items() if caller is Caller.anonymous or k.lower() not in own}
            headers = [(name.encode(), value.encode("utf-8", "replace")) for name, value in strange.items()]
            try:
                answer = await http.request(asked.method, asked.target, content=asked.content, headers=headers)
            except (AssertionError, KeyError) as wrong:  # the client's own checks
                return f"{wrong}"
        return self.wrong_with(answer, asked)

    def wrong_with(self, answer: httpx2.Response, asked: Asked) -> str | None:
        if answer.status_code == 500:
            return f"500 {answer.text}"
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code >= 400:
            if media_type != PROBLEM:
                return f"{answer.status_code} in {media_type or 'no type'}"
            if INSIDES.search(answer.text):
                return f"{answer.status_code} tells of our insides: {answer.text[:300]}"
            if answer.json()["status"] != answer.status_code:
                return f"{answer.status_code} says another status"
        if not self.pattern.fullmatch(answer.request.url.path):
            return None  # what was asked for is no address of this operation
        documented = self.schemas[answer.status_code]
        if documented and media_type not in documented:
            return f"{answer.status_code} in {media_type or 'no type'}, documented {sorted(documented)}"
        schema = documented.get(media_type)
        for error in schema.iter_errors(answer.json()) if schema is not None else ():
            return f"{answer.status_code} is not of its schema: {error.message[:300]} at {error.instance_path}"
        return None


def _schemas(document: dict[str, Any], operation: dict[str, Any]) -> dict[int, dict[str, Validator | None]]:
    def of(content: dict[str, Any]) -> Validator | None:
        return (
            validator_for({**content["schema"], "components": document["components"]}) if "schema" in content else None
        )

    return {
        int(status): {media_type: of(content) for media_type, content in response.get("content", {}).items()}
        for status, response in operation["responses"].items()
    }


@pytest.fixture(scope="module")
async def scene(world: World) -> AsyncIterator[Scene]:
    """With hashes that cost little: what they cost is measured elsewhere."""
    app = create_app(world.config, world.client)
    async with app.router.lifespan_context(app):
        app.state.parts.tools.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        document = app.openapi()
        yield Scene(app, world, asyncio.get_running_loop(), schemathesis.openapi.from_dict(document), document)


def _callers_of(route: Route) -> list[Caller]:
    """All of them; in the ordinary run one, in turn, so that each kind meets some operations."""
    if EXAMPLES:
        return CALLERS
    first = ROUTES.index(route) * A_TURN
    return [CALLERS[(first + n) % len(CALLERS)] for n in range(A_TURN)]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nothing_crashes_and_every_answer_is_documented(scene: Scene, route: Route) -> None:
    place = scene.loop.run_until_complete(Place.prepare(scene, route))
    wrong: dict[str, str] = {}
    callers = _callers_of(route)
    turns = cycle(callers)
    met = set()

    @settings(
        max_examples=(EXAMPLES or 1) * len(callers),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # what was done cannot be done again, which shrinking needs
    )
    @seed(SEED or zlib.crc32(str(route).encode()))
    @given(requests(place))
    def send(asked: Asked) -> None:
        caller = next(turns)
        met.add(caller)
        told = scene.loop.run_until_complete(place.send(caller, asked))
        if told is not None:
            wrong.setdefault(told[:500], f"{caller}: {asked}")

    send()
    assert not wrong, "\n".join(f"{told}\n    {asked}" for told, asked in wrong.items())
    assert met == set(callers)
