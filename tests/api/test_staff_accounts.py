"""/staff/accounts and /staff/users: who is let in by whom, and how they are shut out; what each role of staff opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

import upkeep
from db.migrate import migrate
from db.pool import system
from domain.rights import Role, StaffRole, UserKind
from gateways.access_links import LinkKind, link_hash, link_token
from local.database import APPLICATION, OWNER
from local.postgres import PostgresServer
from services.callers import Scope
from services.sessions import csrf_token, open_session
from settings import Settings
from tests.api.conftest import BASE, client, key_for
from tests.users import HERE, PASSWORD, TestUser, add_user, signed_in
from tests.world import World, new_mobile
from web.cookies import SESSION_OF
from web.csrf import HEADER

ACCOUNTS = f"{BASE}/staff/accounts"
USERS = f"{BASE}/staff/users"
DESK = f"{BASE}/staff/desk"
STEP_UP = "urn:hcr:problem:step_up_needed"


@pytest.fixture
async def boss(world: World) -> TestUser:
    return await add_user(world, staff=[StaffRole.super])


@pytest.fixture
async def http(app: FastAPI, world: World, boss: TestUser) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of a `super`, who has just given a code."""
    async with signed_in(app, world, boss) as browser:
        yield browser


def invited(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Somebody new."""
    email = f"{uuid4().hex[:12]}{number}@exemple.fr"
    return {"email": email, "first_name": "Dominique", "last_name": "Essai", "roles": ["read"], **changes}


async def row(world: World, user_id: UUID | str) -> asyncpg.Record:
    return (await world.run("SELECT * FROM portal_user WHERE id = $1", UUID(str(user_id))))[0]


async def notices(world: World, user_id: UUID | str) -> list[asyncpg.Record]:
    return await world.run("SELECT * FROM notice WHERE user_id = $1 ORDER BY created_at, id", UUID(str(user_id)))


async def events(world: World, user_id: UUID | str) -> list[str]:
    query = "SELECT event FROM audit_log WHERE object_type = 'user' AND object_id = $1 ORDER BY id"
    return [row["event"] for row in await world.run(query, str(user_id))]


async def change(http: httpx2.AsyncClient, user: TestUser, *roles: str, suspended: bool = False) -> httpx2.Response:
    return await http.put(f"{ACCOUNTS}/{user.id}", json={"roles": roles, "suspended": suspended})


# --- inviting


async def test_staff_are_invited_by_a_link_and_nobody_chooses_a_password_for_them(
    world: World, http: httpx2.AsyncClient, boss: TestUser
) -> None:
    about = invited(roles=["write", "read", "write"])
    answer = await http.post(ACCOUNTS, json=about)
    assert answer.status_code == 201, answer.text
    account = answer.json()
    assert account | about | {"roles": ["read", "write"]} == account
    assert account["state"] == "invited"
    (invitation,) = await world.run("SELECT * FROM invitation WHERE user_id = $1", UUID(account["id"]))
    assert invitation["invited_by"] == boss.id
    assert invitation["token_hash"] == link_hash(world.cipher, LinkKind.invitation, invitation["id"])
    (notice,) = await notices(world, account["id"])
    assert (notice["kind"], notice["subject_id"]) == ("staff_invitation", invitation["id"])
    assert (await row(world, account["id"]))["password_hash"] is None
    assert await events(world, account["id"]) == ["user.invited"]
    assert account in (await http.get(ACCOUNTS)).json()["items"]
    chosen = await http.post(ACCOUNTS, json=invited(password="trois cafés sous la véranda"))
    assert chosen.status_code == 422


async def test_the_link_creates_the_password_and_is_dead_once_its_inviter_may_not_invite(
    app: FastAPI, world: World, http: httpx2.AsyncClient, boss: TestUser
) -> None:
    first, second = [(await http.post(ACCOUNTS, json=invited(number))).json()["id"] for number in range(2)]

    async def complete(account_id: str) -> int:
        (found,) = await world.run("SELECT id FROM invitation WHERE user_id = $1", UUID(account_id))
        body = {"token": link_token(world.cipher, LinkKind.invitation, found["id"]), "password": PASSWORD}
        async with client(app) as browser:
            return (await browser.post(f"{BASE}/invitations/completion", json=body)).status_code

    assert await complete(first) == 204
    states = {one["id"]: one["state"] for one in (await http.get(ACCOUNTS)).json()["items"]}
    assert (states[first], states[second]) == ("active", "invited")
    await world.run("UPDATE portal_user SET staff_roles = '{read}' WHERE id = $1", boss.id)
    assert await complete(second) == await complete(first)
    assert (await row(world, second))["password_hash"] is None


async def test_an_address_has_one_account(http: httpx2.AsyncClient, world: World, boss: TestUser) -> None:
    answer = await http.post(ACCOUNTS, json=invited(email=boss.email.upper()))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]
    assert await notices(world, boss.id) == []


async def test_an_employers_user_may_be_a_member_of_staff_with_another_account(
    http: httpx2.AsyncClient, world: World
) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member})
    answer = await http.post(ACCOUNTS, json=invited(email=user.email))
    assert answer.status_code == 201
    assert answer.json()["id"] != str(user.id)


async def test_the_link_is_sent_again_once_a_minute_the_same_while_it_is_valid(
    http: httpx2.AsyncClient, world: World
) -> None:
    account = (await http.post(ACCOUNTS, json=invited())).json()
    again = f"{ACCOUNTS}/{account['id']}/invitation"

    async def hashed() -> bytes:
        (found,) = await world.run("SELECT token_hash FROM invitation WHERE user_id = $1", UUID(account["id"]))
        value: bytes = found["token_hash"]
        return value

    first = await hashed()
    assert (await http.post(again)).status_code == 429
    await _a_minute_later(world)
    assert (await http.post(again)).status_code == 200
    assert await hashed() == first
    assert len(await notices(world, account["id"])) == 2
    await _a_minute_later(world)
    await world.run("UPDATE invitation SET expires_at = now() WHERE user_id = $1", UUID(account["id"]))
    assert (await http.post(again)).status_code == 200
    assert await hashed() != first
    assert await events(world, account["id"]) == ["user.invited", "user.resent", "user.resent"]


async def test_who_has_a_password_or_is_suspended_gets_no_link_again(http: httpx2.AsyncClient, world: World) -> None:
    active, suspended = [(await http.post(ACCOUNTS, json=invited(number))).json()["id"] for number in range(2)]
    await world.run("UPDATE portal_user SET password_hash = 'x' WHERE id = $1", UUID(active))
    await world.run("UPDATE portal_user SET suspended_at = now() WHERE id = $1", UUID(suspended))
    await _a_minute_later(world)
    answers = [await http.post(f"{ACCOUNTS}/{one}/invitation") for one in (active, suspended, uuid4())]
    assert [answer.status_code for answer in answers] == [409, 409, 404]


async def _a_minute_later(world: World) -> None:
    await world.run("UPDATE rate_limit SET tat = tat - interval '61 seconds'")


# --- who may


async def test_accounts_of_staff_are_for_super_with_a_code(app: FastAPI, world: World) -> None:
    somebody = await add_user(world, staff=[StaffRole.read])

    async def answers(browser: httpx2.AsyncClient) -> list[httpx2.Response]:
        return [
            await browser.post(ACCOUNTS, json=invited()),
            await change(browser, somebody, "super"),
            await browser.post(f"{ACCOUNTS}/{somebody.id}/invitation"),
            await browser.delete(f"{ACCOUNTS}/{somebody.id}"),
        ]

    others = await add_user(world, staff=[StaffRole.read, StaffRole.write, StaffRole.export])
    async with signed_in(app, world, others) as browser:
        assert {answer.status_code for answer in await answers(browser)} == {403}
        assert (await browser.get(ACCOUNTS)).status_code == 403
    async with signed_in(app, world, await add_user(world, staff=[StaffRole.super]), stepped_up=False) as browser:
        assert {answer.json()["type"] for answer in await answers(browser)} == {STEP_UP}
        assert (await browser.get(ACCOUNTS)).status_code == 200
    async with client(app, await key_for(world, await world.employer(), *Scope)) as machine:
        assert {answer.status_code for answer in await answers(machine)} == {403}
        assert (await machine.get(ACCOUNTS)).status_code == 403
    assert (await row(world, somebody.id))["staff_roles"] == ["read"]


async def test_nobody_changes_their_own_account(http: httpx2.AsyncClient, world: World, boss: TestUser) -> None:
    for answer in (await change(http, boss, "super", "read"), await http.delete(f"{ACCOUNTS}/{boss.id}")):
        assert answer.status_code == 403
    assert (await row(world, boss.id))["staff_roles"] == ["super"]


async def test_two_supers_who_demote_each_other_at_once_leave_one(app: FastAPI, world: World) -> None:
    first, second = [await add_user(world, staff=[StaffRole.super]) for _ in range(2)]
    async with signed_in(app, world, first) as one, signed_in(app, world, second) as other:
        answers = await asyncio.gather(change(one, second, "read"), change(other, first, "read"))
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    assert sorted([(await row(world, user.id))["staff_roles"] for user in (first, second)]) == [["read"], ["super"]]


async def test_two_supers_who_revoke_each_other_at_once_leave_one(app: FastAPI, world: World) -> None:
    first, second = [await add_user(world, staff=[StaffRole.super]) for _ in range(2)]
    async with signed_in(app, world, first) as one, signed_in(app, world, second) as other:
        answers = await asyncio.gather(one.delete(f"{ACCOUNTS}/{second.id}"), other.delete(f"{ACCOUNTS}/{first.id}"))
    left = [user for user in (first, second) if (await row(world, user.id))["revoked_at"] is None]
    assert len(left) == 1
    assert [answer.status_code for answer in answers].count(204) == 1


# --- changing


async def test_a_role_less_acts_on_the_next_request_and_a_role_more_asks_for_a_code(
    app: FastAPI, world: World, http: httpx2.AsyncClient
) -> None:
    user = await add_user(world, staff=[StaffRole.super])
    async with signed_in(app, world, user) as browser:
        assert (await browser.get(ACCOUNTS)).status_code == 200
        assert (await change(http, user, "read")).status_code == 200
        assert (await browser.get(ACCOUNTS)).status_code == 403
        assert (await browser.get(DESK)).status_code == 200
    assert (await row(world, user.id))["code_due"] is None
    assert (await change(http, user, "read", "write")).json()["roles"] == ["read", "write"]
    assert (await row(world, user.id))["code_due"] == "role_raised"
    assert await events(world, user.id) == ["user.role", "user.role"]


async def test_a_suspended_member_of_staff_is_out_at_the_next_request_and_comes_back_with_a_code(
    app: FastAPI, world: World, http: httpx2.AsyncClient
) -> None:
    user = await add_user(world, staff=[StaffRole.read])
    await _with_device_and_reset(world, user)
    async with signed_in(app, world, user) as browser:
        assert (await browser.get(DESK)).status_code == 200
        answer = await change(http, user, "read", suspended=True)
        assert answer.json()["state"] == "suspended"
        assert (await browser.get(DESK)).status_code == 401
        assert (await change(http, user, "read")).status_code == 200
        assert (await browser.get(DESK)).status_code == 401  # the session has ended for good
    assert await _devices_and_resets(world, user) == (0, 0)
    assert (await row(world, user.id))["code_due"] == "reactivated"
    assert await events(world, user.id) == ["user.suspended", "user.reactivated"]


async def test_a_revoked_member_of_staff_is_out_at_once_and_begins_anew_when_invited_again(
    app: FastAPI, world: World, http: httpx2.AsyncClient
) -> None:
    user = await add_user(world, staff=[StaffRole.write], password="trois cafés sous la véranda", phone=new_mobile())
    await _with_device_and_reset(world, user)
    async with signed_in(app, world, user) as browser:
        assert (await http.delete(f"{ACCOUNTS}/{user.id}")).status_code == 204
        assert (await browser.get(DESK)).status_code == 401
    assert await _devices_and_resets(world, user) == (0, 0)
    assert str(user.id) not in (await http.get(ACCOUNTS)).text
    for answer in (await change(http, user, "read"), await http.delete(f"{ACCOUNTS}/{user.id}")):
        assert answer.status_code == 404
    again = (await http.post(ACCOUNTS, json=invited(email=user.email))).json()
    assert (again["id"], again["state"], again["roles"]) == (str(user.id), "invited", ["read"])
    fresh = await row(world, user.id)
    assert [fresh[name] for name in ("password_hash", "phone_sealed", "totp_sealed", "email_proved_at")] == [None] * 4


async def test_a_suspended_account_that_was_only_invited_loses_its_link(http: httpx2.AsyncClient, world: World) -> None:
    account = (await http.post(ACCOUNTS, json=invited())).json()
    path = f"{ACCOUNTS}/{account['id']}"
    for suspended in (True, False):
        assert (await http.put(path, json={"roles": ["read"], "suspended": suspended})).status_code == 200
    invitations = "SELECT revoked_at IS NULL AS open FROM invitation WHERE user_id = $1 ORDER BY created_at"
    assert [one["open"] for one in await world.run(invitations, UUID(account["id"]))] == [False]
    await _a_minute_later(world)
    assert (await http.post(f"{path}/invitation")).status_code == 200
    assert [one["open"] for one in await world.run(invitations, UUID(account["id"]))] == [False, True]


async def test_an_employers_user_is_no_account_of_staff(http: httpx2.AsyncClient, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.administrator})
    assert (await change(http, user, "super")).status_code == 404
    assert (await http.delete(f"{ACCOUNTS}/{user.id}")).status_code == 404
    assert (await row(world, user.id))["staff_roles"] == []


async def _with_device_and_reset(world: World, user: TestUser) -> None:
    await world.run("INSERT INTO trusted_device (user_id, token_hash, browser) VALUES ($1, 'x', 'Firefox')", user.id)
    await world.run(
        "INSERT INTO password_reset (user_id, token_hash, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
        user.id,
        user.id.bytes,
    )


async def _devices_and_resets(world: World, user: TestUser) -> tuple[int, int]:
    """What still works of both."""
    devices = await world.run("SELECT 1 FROM trusted_device WHERE user_id = $1 AND revoked_at IS NULL", user.id)
    resets = await world.run("SELECT 1 FROM password_reset WHERE user_id = $1 AND dead_at IS NULL", user.id)
    return len(devices), len(resets)


# --- employers' users


async def test_staff_find_users_by_address_or_name_with_their_companies(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.administrator})
    first_name = (await row(world, user.id))["first_name"]
    member = await add_user(world, staff=[StaffRole.read])
    async with signed_in(app, world, member, stepped_up=False) as http:
        for words in (user.email, user.email.upper()[:-4], f"{first_name} ess", f"ESSAI {first_name}"):
            found = (await http.get(USERS, params={"q": words})).json()["items"]
            assert str(user.id) in {one["id"] for one in found}, words
        (found,) = (await http.get(USERS, params={"q": user.email})).json()["items"]
        assert found["state"] == "invited"  # no password yet
        (right,) = found["rights"]
        assert (right["siren"], right["role"], right["state"]) == (employer.siren, "administrator", "active")
        assert (await http.get(USERS, params={"q": member.email})).json() == {"items": []}
        assert (await http.get(USERS, params={"q": "%%%"})).json() == {"items": []}
        assert (await http.get(USERS, params={"q": "ab"})).status_code == 422


async def test_a_user_whom_staff_suspend_is_out_everywhere_at_once_and_is_told(app: FastAPI, world: World) -> None:
    employers = [await world.employer() for _ in range(2)]
    user = await add_user(world, {employer.company_id: Role.administrator for employer in employers})
    await _with_device_and_reset(world, user)
    path = f"{USERS}/{user.id}"
    staff = await add_user(world, staff=[StaffRole.write])
    async with signed_in(app, world, user) as browser, signed_in(app, world, staff) as http:
        assert (await browser.get(f"{BASE}/companies")).status_code == 200
        for _ in range(2):  # repeated, it says nothing more
            answer = await http.put(path, json={"suspended": True, "reason": "compromised"})
            assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "suspended"
        assert (await browser.get(f"{BASE}/companies")).status_code == 401
        assert (await http.put(path, json={"suspended": False, "reason": "settled"})).status_code == 200
        assert (await browser.get(f"{BASE}/companies")).status_code == 401
    assert await _devices_and_resets(world, user) == (0, 0)
    assert (await row(world, user.id))["code_due"] == "reactivated"
    assert [notice["kind"] for notice in await notices(world, user.id)] == ["account_suspended", "account_reactivated"]
    logged = "SELECT event, details ->> 'reason' AS why FROM audit_log WHERE object_id = $1 ORDER BY id"
    assert [tuple(one) for one in await world.run(logged, str(user.id))] == [
        ("user.suspended", "compromised"),
        ("user.reactivated", "settled"),
    ]


async def test_suspending_a_user_needs_the_right_to_write_a_code_and_a_reason(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member})
    path, body = f"{USERS}/{user.id}", {"suspended": True, "reason": "misuse"}
    async with signed_in(app, world, await add_user(world, staff=[StaffRole.read])) as http:
        assert (await http.put(path, json=body)).status_code == 403
        assert (await http.delete(f"{path}/sessions")).status_code == 403
    writer = await add_user(world, staff=[StaffRole.write])
    async with signed_in(app, world, writer, stepped_up=False) as http:
        assert (await http.put(path, json=body)).json()["type"] == STEP_UP
    async with signed_in(app, world, writer) as http:
        assert (await http.put(path, json={"suspended": True})).status_code == 422
        assert (await http.put(path, json={**body, "reason": "Camille Essai"})).status_code == 422
        for other in (writer.id, uuid4()):  # staff's own accounts are not reached here
            assert (await http.put(f"{USERS}/{other}", json=body)).status_code == 404
            assert (await http.delete(f"{USERS}/{other}/sessions")).status_code == 404
    assert (await row(world, user.id))["suspended_at"] is None


async def test_staff_end_all_sessions_of_a_user(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member})
    staff = await add_user(world, staff=[StaffRole.write])
    async with (
        signed_in(app, world, user) as here,
        signed_in(app, world, user) as there,
        signed_in(app, world, staff, stepped_up=False) as http,
    ):
        assert (await http.delete(f"{USERS}/{user.id}/sessions")).status_code == 204
        assert [(await one.get(f"{BASE}/companies")).status_code for one in (here, there)] == [401, 401]
        assert (await http.get(DESK)).status_code == 200


# --- the doors (security.md S-06)


@pytest.mark.parametrize("kind", list(UserKind))
async def test_a_session_is_not_taken_at_the_other_door(app: FastAPI, world: World, kind: UserKind) -> None:
    employer = await world.employer()
    users = {
        UserKind.employer: await add_user(world, {employer.company_id: Role.administrator}),
        UserKind.staff: await add_user(world, staff=[StaffRole.super]),
    }
    own = {UserKind.employer: f"{BASE}/affiliations", UserKind.staff: DESK}
    other = next(one for one in UserKind if one is not kind)
    async with system(world.system) as connection:
        opened = await open_session(connection, users[kind].id, kind, HERE, stage="open")
    async with client(app) as http:
        http.headers[HEADER] = csrf_token(opened.token)
        http.cookies.set(SESSION_OF[kind].value, opened.token)
        assert (await http.get(own[kind])).status_code == 200
        assert (await http.get(own[other])).status_code == 403
    async with client(app) as http:  # the same session under the other door's cookie
        http.headers[HEADER] = csrf_token(opened.token)
        http.cookies.set(SESSION_OF[other].value, opened.token)
        for path in own.values():
            assert (await http.get(path)).status_code == 401


# --- what the roles of staff open


async def test_reading_staff_change_nothing_writing_staff_export_nothing_and_only_super_erase(
    app: FastAPI, world: World
) -> None:
    life = await world.declare(await world.employer())
    person = f"{BASE}/staff/people/{(await life.row())['employee_id']}"
    one = f"{BASE}/staff/affiliations/{life.id}"
    changes: list[tuple[str, Any]] = [
        (f"{one}/paper-return", {"answers": {}, "missing": []}),
        (f"{one}/doubt-resolution", {"verdict": "left"}),
        (f"{one}/pieces/rib/acceptance", {}),
        (f"{one}/pieces/rib/request", {"reason": "missing"}),
        (f"{one}/waiver-end", {"on": "2027-01-31"}),
    ]
    exports = [f"{person}/personal-data.{ending}" for ending in ("json", "pdf", "zip")]

    async def refused(role: StaffRole) -> tuple[set[bool], set[bool], bool]:
        """Whether changing, exporting and erasing are."""
        user = await add_user(world, staff=[role])
        async with signed_in(app, world, user) as http:
            assert (await http.get(DESK)).status_code == 200
            file = {"file": ("rib.pdf", b"no document", "application/pdf")}
            changed = [await http.post(path, json=body) for path, body in changes]
            changed.append(await http.post(f"{one}/documents", data={"piece": "rib"}, files=file))
            exported = [await http.get(path) for path in exports]
            erased = await http.post(f"{person}/erasure", json={"reason": "objection"})
        return (
            {answer.status_code == 403 for answer in changed},
            {answer.status_code == 403 for answer in exported},
            erased.status_code == 403,
        )

    assert await refused(StaffRole.read) == ({True}, {True}, True)
    assert await refused(StaffRole.write) == ({False}, {True}, True)
    assert await refused(StaffRole.export) == ({True}, {False}, True)
    assert await refused(StaffRole.super) == ({False}, {False}, False)


async def test_a_signed_in_member_of_staff_exports_and_erases_with_a_code_only(app: FastAPI, world: World) -> None:
    life = await world.declare(await world.employer())
    person = f"{BASE}/staff/people/{(await life.row())['employee_id']}"
    user = await add_user(world, staff=[StaffRole.super])
    async with signed_in(app, world, user, stepped_up=False) as http:
        answers = [await http.get(f"{person}/personal-data.{ending}") for ending in ("json", "pdf", "zip")]
        answers.append(await http.post(f"{person}/erasure", json={"reason": "objection"}))
    assert {answer.json()["type"] for answer in answers} == {STEP_UP}
    async with client(app, await key_for(world, life.employer, Scope.staff, Scope.staff_export)) as machine:
        assert (await machine.get(f"{person}/personal-data.json")).status_code == 200


# --- the first account


@pytest.fixture
async def empty(postgres: PostgresServer, config: Settings) -> AsyncIterator[Settings]:
    """A system with nobody in it, while Temporal is away."""
    name = f"first_{uuid4().hex[:8]}"
    await postgres.create_database(name, owner=OWNER)
    await migrate(postgres.url(OWNER, name))
    changed = {"database_url": postgres.url(APPLICATION, name), "temporal_address": "127.0.0.1:9"}
    yield config.model_copy(update={**changed, "temporal_rpc_timeout_seconds": 0.2})
    await postgres.drop_database(name)


async def test_the_first_account_is_made_by_the_command_while_there_is_none_in_use(
    empty: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(empty.database_url, server_settings={"role": "hcr_system"})
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    accounts = (
        "SELECT u.email, u.staff_roles, n.state FROM portal_user u JOIN notice n ON n.user_id = u.id"
        " JOIN invitation i ON i.id = n.subject_id WHERE u.revoked_at IS NULL AND i.revoked_at IS NULL"
    )
    assert await upkeep.invite_staff(empty, "mistyped@exemple.fr", "Dominique", "Essai") == 0
    assert await upkeep.invite_staff(empty, "premier@exemple.fr", "Dominique", "Essai") == 0
    assert [tuple(one) for one in await run(accounts)] == [("premier@exemple.fr", ["super"], "prepared")]
    assert await upkeep.invite_staff(empty, "premier@exemple.fr", "Dominique", "Essai") == 0
    assert len(await run(accounts)) == 1
    assert await upkeep.invite_staff(empty, "no address", "Dominique", "Essai") == 1
    await run("UPDATE portal_user SET password_hash = 'x' WHERE revoked_at IS NULL")
    assert await upkeep.invite_staff(empty, "second@exemple.fr", "Dominique", "Essai") == 1
    assert len(await run(accounts)) == 1
    said = capsys.readouterr()
    assert "hcr_" not in said.out
    assert "/acces/" not in said.out + said.err
    assert "exemple.fr" not in said.out
