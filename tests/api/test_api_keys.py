"""/api-keys: who makes one, what it opens, and how it ends."""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from db.pool import system
from domain.rights import Role, StaffRole
from domain.working_time import months_after
from services.api_keys import key_hash
from services.callers import Scope
from services.fields import today
from tests.api.conftest import BASE, client, key_for
from tests.users import add_user, administrator_of, signed_in
from tests.world import Employer, World

KEYS = f"{BASE}/api-keys"
LISTED = f"{BASE}/affiliations"
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


def asked(*employers: Employer, **changes: Any) -> dict[str, Any]:
    """A request for a key of these companies that reads."""
    return {
        "name": "Logiciel de paie",
        "sirens": [employer.siren for employer in employers],
        "scopes": ["affiliations:read"],
        **changes,
    }


async def made(http: httpx2.AsyncClient, *employers: Employer, **changes: Any) -> dict[str, Any]:
    answer = await http.post(KEYS, json=asked(*employers, **changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def opens(app: FastAPI, secret: str) -> int:
    """What a request with this key is answered."""
    async with client(app, secret) as http:
        return (await http.get(LISTED)).status_code


# --- making


async def test_a_key_opens_its_company_at_once_and_its_secret_is_shown_once(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    life = await world.declare(employer)
    async with administrator_of(app, world, employer) as http:
        key = await made(http, employer)
        listed = (await http.get(KEYS)).json()["items"]
    assert re.fullmatch(r"hcr_[\w-]{43}", key["secret"])
    assert key["shown"] == f"{key['secret'][:8]}…"
    assert (key["sirens"], key["scopes"], key["last_used_at"]) == ([employer.siren], ["affiliations:read"], None)
    assert key["created_by"].endswith("Essai")
    assert listed == [{name: value for name, value in key.items() if name != "secret"}]
    async with client(app, key["secret"]) as machine:
        items = (await machine.get(LISTED)).json()["items"]
    assert [item["id"] for item in items] == [str(life.id)]
    stored = await world.run("SELECT to_jsonb(k)::text AS row FROM api_key k")
    assert not [row for row in stored if key["secret"] in row["row"]]


async def test_a_key_does_what_its_scopes_say(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        reader = await made(http, employer)
        writer = await made(http, employer, scopes=["affiliations:write", "affiliations:write"])
    assert writer["scopes"] == ["affiliations:write"]
    declaration = world.declaration(employer)
    async with client(app, reader["secret"]) as machine:
        assert (await machine.post(LISTED, json=declaration)).status_code == 403
    async with client(app, writer["secret"]) as machine:
        assert (await machine.get(LISTED)).status_code == 403
        assert (await machine.post(LISTED, json=declaration)).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": ["staff"]},
        {"scopes": ["affiliations:read", "staff:export"]},
        {"scopes": []},
        {"sirens": []},
        {"name": ""},
        {"company_ids": [str(UUID(int=1))]},
        {"created_by": str(UUID(int=1))},
        {"expires_on": 0},
    ],
    ids=str,
)
async def test_nothing_else_can_be_asked_for(app: FastAPI, world: World, changes: dict[str, Any]) -> None:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        answer = await http.post(KEYS, json=asked(employer, **changes))
        assert answer.status_code == 422, answer.text
        assert (await http.get(KEYS)).json()["items"] == []


async def test_a_key_ends_after_its_last_day_in_a_year_unless_said_otherwise_in_two_at_most(
    app: FastAPI, world: World
) -> None:
    employer = await world.employer()

    async def last_day(key: dict[str, Any]) -> date:
        last_second = "(expires_at - interval '1 second') AT TIME ZONE 'Europe/Paris'"
        rows = await world.run(f"SELECT ({last_second})::date AS day FROM api_key WHERE id = $1", UUID(key["id"]))
        day: date = rows[0]["day"]
        return day

    async with administrator_of(app, world, employer) as http:
        assert await last_day(await made(http, employer)) == months_after(today(), 12)
        for day in (today(), months_after(today(), 24)):
            assert await last_day(await made(http, employer, expires_on=day.isoformat())) == day
        for day in (today() - timedelta(days=1), months_after(today(), 24) + timedelta(days=1)):
            answer = await http.post(KEYS, json=asked(employer, expires_on=day.isoformat()))
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == ["expires_on"]


async def test_all_of_its_companies_must_be_administered_and_a_foreign_one_looks_like_an_unknown_one(
    app: FastAPI, world: World
) -> None:
    own, other, foreign = [await world.employer() for _ in range(3)]
    user = await add_user(world, {own.company_id: Role.administrator, other.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        answers = [
            await http.post(KEYS, json=asked(own, sirens=[own.siren, siren]))
            for siren in (other.siren, foreign.siren, "999000003")
        ]
        assert (await http.get(KEYS)).json()["items"] == []
    assert {answer.status_code for answer in answers} == {422}
    assert len({answer.content for answer in answers}) == 1


async def test_a_right_that_is_taken_back_meanwhile_gives_no_key(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.administrator})
    async with signed_in(app, world, user) as http:
        async with system(world.system) as connection:
            await connection.execute("UPDATE membership SET role = 'member' WHERE user_id = $1", user.id)
            asking = asyncio.create_task(http.post(KEYS, json=asked(employer)))
            async with asyncio.timeout(5):
                while not await world.run(WAITING):  # noqa: ASYNC110 (the database knows)
                    await asyncio.sleep(0.02)
        assert (await asking).status_code == 422


async def test_every_administrator_of_its_companies_is_told_once_and_each_company_has_it_in_its_log(
    app: FastAPI, world: World
) -> None:
    first, second = [await world.employer() for _ in range(2)]
    maker = await add_user(world, {first.company_id: Role.administrator, second.company_id: Role.administrator})
    colleague = await add_user(world, {second.company_id: Role.administrator})
    await add_user(world, {second.company_id: Role.member})
    async with signed_in(app, world, maker) as http:
        key = await made(http, first, second)
        assert (await http.delete(f"{KEYS}/{key['id']}")).status_code == 204
    told = await world.run(
        "SELECT user_id, company_id, details FROM notice WHERE kind = 'api_key_created' AND subject_id = $1",
        UUID(key["id"]),
    )
    assert sorted((row["user_id"], row["details"]["companies"]) for row in told) == sorted(
        [(maker.id, 2), (colleague.id, 1)]
    )
    assert {row["company_id"] for row in told if row["user_id"] == colleague.id} == {second.company_id}
    logged = await world.run(
        "SELECT event, company_id, actor_id, details FROM audit_log WHERE object_type = 'api_key' AND object_id = $1",
        key["id"],
    )
    assert {(row["event"], row["company_id"]) for row in logged} == {
        (event, employer.company_id) for event in ("key.created", "key.revoked") for employer in (first, second)
    }
    assert {row["actor_id"] for row in logged} == {str(maker.id)}
    assert not [row for row in logged if key["secret"] in str(row["details"])]


# --- who may


async def test_making_and_revoking_need_a_code_of_less_than_ten_minutes(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        key = await made(http, employer)
    user = await add_user(world, {employer.company_id: Role.administrator})
    async with signed_in(app, world, user, stepped_up=False) as http:
        for answer in (await http.post(KEYS, json=asked(employer)), await http.delete(f"{KEYS}/{key['id']}")):
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:hcr:problem:step_up_needed"
        assert len((await http.get(KEYS)).json()["items"]) == 1
    assert await opens(app, key["secret"]) == 200


async def test_only_administrators_look_after_keys(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    member = await add_user(world, {employer.company_id: Role.member})
    staff = await add_user(world, staff=[StaffRole.super])
    for user in (member, staff):
        async with signed_in(app, world, user) as http:
            answers = [
                await http.get(KEYS),
                await http.post(KEYS, json=asked(employer)),
                await http.delete(f"{KEYS}/{uuid4()}"),
            ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]


async def test_a_machine_never_reaches_users_rights_or_keys(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    key = await key_for(world, employer, *Scope)
    closed = re.compile(rf"{BASE}/(users|api-keys|me|mandates|staff/accounts|staff/users)(/|$)")
    found = [(str(one.path), method) for one in iter_route_contexts(app.routes) for method in one.methods or ()]
    routes = sorted({(path, method) for path, method in found if closed.match(path) and method != "HEAD"})
    groups = {path.removeprefix(f"{BASE}/").split("/")[0] for path, _ in routes}
    assert groups == {"users", "api-keys", "me", "mandates", "staff"}
    async with client(app, key) as machine:
        for path, method in routes:
            answer = await machine.request(method, re.sub(r"\{\w+\}", str(uuid4()), path))
            assert answer.status_code in (401, 403), (method, path, answer.text)


# --- ending


async def test_a_revoked_key_opens_nothing_at_once(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        key = await made(http, employer)
        assert await opens(app, key["secret"]) == 200
        assert (await http.delete(f"{KEYS}/{key['id']}")).status_code == 204
        assert await opens(app, key["secret"]) == 401
        assert (await http.get(KEYS)).json()["items"] == []
        assert (await http.delete(f"{KEYS}/{key['id']}")).status_code == 404


async def test_unknown_revoked_and_expired_keys_get_the_same_answer(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    dead = [await key_for(world, employer, Scope.read) for _ in range(2)]
    for secret, column in zip(dead, ("revoked_at", "expires_at"), strict=True):
        await world.run(f"UPDATE api_key SET {column} = now() WHERE secret_hash = $1", key_hash(secret))
    answers = []
    for secret in (*dead, f"hcr_{secrets.token_urlsafe(32)}", "anything"):
        async with client(app, secret) as http:
            answers.append(await http.get(LISTED))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({str(answer.headers.raw) for answer in answers}) == 1


async def test_a_foreign_key_and_an_unknown_one_are_the_same_answer(app: FastAPI, world: World) -> None:
    own, foreign = [await world.employer() for _ in range(2)]
    async with administrator_of(app, world, foreign) as http:
        key = await made(http, foreign)
    async with administrator_of(app, world, own) as http:
        answers = [await http.delete(f"{KEYS}/{key_id}") for key_id in (key["id"], uuid4())]
        assert (await http.get(KEYS)).json()["items"] == []
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].content == answers[1].content
    assert await opens(app, key["secret"]) == 200


async def test_an_administrator_takes_a_key_from_their_company_and_the_other_one_keeps_it(
    app: FastAPI, world: World
) -> None:
    first, second = [await world.employer() for _ in range(2)]
    lives = [await world.declare(employer) for employer in (first, second)]
    both = await add_user(world, {first.company_id: Role.administrator, second.company_id: Role.administrator})
    async with signed_in(app, world, both) as http:
        key = await made(http, first, second)

    async def seen() -> set[str]:
        async with client(app, key["secret"]) as machine:
            return {item["id"] for item in (await machine.get(LISTED)).json()["items"]}

    assert await seen() == {str(life.id) for life in lives}
    async with administrator_of(app, world, first) as http:
        assert [item["sirens"] for item in (await http.get(KEYS)).json()["items"]] == [[first.siren]]
        assert (await http.delete(f"{KEYS}/{key['id']}")).status_code == 204
        assert (await http.get(KEYS)).json()["items"] == []
    assert await seen() == {str(lives[1].id)}
    async with administrator_of(app, world, second) as http:
        assert (await http.delete(f"{KEYS}/{key['id']}")).status_code == 204
    assert await opens(app, key["secret"]) == 401


async def test_a_key_stays_when_its_maker_leaves_and_is_still_listed(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    maker = await add_user(world, {employer.company_id: Role.administrator})
    async with signed_in(app, world, maker) as http:
        key = await made(http, employer)
    await world.run("UPDATE membership SET revoked_at = now() WHERE user_id = $1", maker.id)
    assert await opens(app, key["secret"]) == 200
    async with administrator_of(app, world, employer) as http:
        assert [item["id"] for item in (await http.get(KEYS)).json()["items"]] == [key["id"]]


# --- its use


async def test_the_last_use_is_kept_to_the_minute(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        key = await made(http, employer)

        async def last_used() -> Any:
            return (await http.get(KEYS)).json()["items"][0]["last_used_at"]

        assert await last_used() is None
        await opens(app, key["secret"])
        first = await last_used()
        assert first is not None
        await opens(app, key["secret"])
        assert await last_used() == first
        await world.run(
            "UPDATE api_key SET last_used_at = last_used_at - interval '61 seconds' WHERE id = $1", UUID(key["id"])
        )
        await opens(app, key["secret"])
        assert await last_used() > first
