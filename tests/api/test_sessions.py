"""Sessions and known browsers: ended, listed, extended, switched; a copied cookie is noticed (security.md S, A-13)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from domain.rights import Role
from services.devices import DeviceToken
from tests.api.conftest import BASE
from tests.signing_in import Browser, browser, new_address
from tests.users import PASSWORD, TestUser, add_user
from tests.world import World, new_mobile


@pytest.fixture
async def user(world: World) -> TestUser:
    return await add_user(world, password=PASSWORD, phone=new_mobile())


async def listed(here: Browser, what: str = "sessions") -> list[dict[str, Any]]:
    answer = await here.http.get(f"{BASE}/{what}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def events(world: World, user: TestUser, event: str) -> int:
    rows = await world.run("SELECT id FROM audit_log WHERE actor_id = $1 AND event = $2", str(user.id), event)
    return len(rows)


# --- signing out


async def test_signing_out_ends_the_session_clears_what_is_kept_and_leaves_the_browser_known(
    app: FastAPI, world: World, user: TestUser
) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        session, device = here.http.cookies["sid"], here.http.cookies["dev"]
        out = await here.http.delete(f"{BASE}/sessions/current")
        assert out.status_code == 204
        assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert out.headers["Cache-Control"] == "no-store"
        assert "sid" not in here.http.cookies
        assert here.http.cookies["dev"] == device
        assert await events(world, user, "auth.logout") == 1
        here.hold(session)
        assert not await here.is_inside()
        # again, and without a session at all
        assert (await here.http.delete(f"{BASE}/sessions/current")).status_code == 204
        here.http.cookies.clear()
        assert (await here.http.delete(f"{BASE}/sessions/current")).status_code == 204


async def test_another_page_cannot_sign_anybody_out(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        token = here.http.headers.pop("X-CSRF-Token")
        for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"}):
            assert (await here.http.delete(f"{BASE}/sessions/current", headers=headers)).status_code == 403
        assert await here.is_inside()


async def test_a_sign_in_that_waits_for_its_code_can_be_given_up(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.sign_in(user)
        assert (await here.http.delete(f"{BASE}/sessions/current")).status_code == 204
    assert await world.run("SELECT id FROM portal_session WHERE user_id = $1", user.id) == []


# --- one's own sessions


async def test_a_user_sees_where_they_are_signed_in_and_ends_one_of_these(
    app: FastAPI, world: World, user: TestUser
) -> None:
    address = new_address()
    async with browser(app, world, address) as here, browser(app, world) as elsewhere:
        await here.enter(user)
        await elsewhere.enter(user)
        mine, other = sorted(await listed(here), key=lambda one: not one["current"])
        assert (mine["current"], other["current"]) == (True, False)
        assert (mine["address"], mine["browser"]) == (address, "Firefox sur Linux")
        assert (await here.http.delete(f"{BASE}/sessions/{other['id']}")).status_code == 204
        assert not await elsewhere.is_inside()
        assert [one["id"] for one in await listed(here)] == [mine["id"]]
        assert (await here.http.delete(f"{BASE}/sessions/{other['id']}")).status_code == 404
        assert await events(world, user, "auth.session.closed") == 1


async def test_nobody_ends_somebody_elses_session_or_browser(app: FastAPI, world: World, user: TestUser) -> None:
    other = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here, browser(app, world) as theirs:
        await here.enter(user)
        await theirs.enter(other)
        for what in ("sessions", "devices"):
            name = (await listed(theirs, what))[0]["id"]
            foreign = await here.http.delete(f"{BASE}/{what}/{name}")
            unknown = await here.http.delete(f"{BASE}/{what}/{user.id}")
            assert foreign.status_code == unknown.status_code == 404
            assert foreign.content == unknown.content
        assert await theirs.is_inside()
        assert len(await listed(theirs, "devices")) == 1


async def test_the_oldest_of_six_sessions_ends(app: FastAPI, world: World, user: TestUser) -> None:
    address = new_address()
    async with browser(app, world, address) as first:
        await first.enter(user)
        kept = first.http.cookies["dev"]
        opened = []
        for _ in range(5):
            async with browser(app, world, address) as here:
                here.show(kept)
                await here.sign_in(user)
                kept = here.http.cookies["dev"]
                opened.append(here.http.cookies["sid"])
        assert not await first.is_inside()
        for session in opened:
            first.hold(session)
            assert await first.is_inside()


@pytest.mark.parametrize(
    ("change", "inside"),
    [
        ("seen_at = now() - interval '29 minutes 55 seconds'", True),
        ("seen_at = now() - interval '30 minutes'", False),
        ("expires_at = now() + interval '10 seconds'", True),
        ("expires_at = now()", False),
        ("password_version = password_version - 1", False),
    ],
)
async def test_a_session_ends_by_itself(app: FastAPI, world: World, user: TestUser, change: str, inside: bool) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        lasts = "SELECT expires_at - created_at AS lasts FROM portal_session WHERE user_id = $1"
        assert (await world.run(lasts, user.id))[0]["lasts"].total_seconds() == pytest.approx(12 * 3600, abs=30)
        await world.run(f"UPDATE portal_session SET {change} WHERE user_id = $1", user.id)
        assert await here.is_inside() is inside


async def test_a_session_that_is_used_goes_on_and_can_be_extended(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        for _ in range(3):
            await world.run(
                "UPDATE portal_session SET seen_at = seen_at - interval '20 minutes' WHERE user_id = $1", user.id
            )
            assert await here.is_inside()
        extended = await here.http.post(f"{BASE}/sessions/current/extension")
        assert extended.status_code == 200
        row = (
            await world.run(
                "SELECT seen_at + interval '30 minutes' AS idle, expires_at FROM portal_session WHERE user_id = $1",
                user.id,
            )
        )[0]
        assert extended.json()["idle_until"] == row["idle"].isoformat().replace("+00:00", "Z")
        await world.run("UPDATE portal_session SET expires_at = now() + interval '5 minutes'")
        extended = await here.http.post(f"{BASE}/sessions/current/extension")
        row = (await world.run("SELECT expires_at FROM portal_session WHERE user_id = $1", user.id))[0]
        assert extended.json()["idle_until"] == row["expires_at"].isoformat().replace("+00:00", "Z")


async def test_a_suspension_and_a_revocation_end_everything_at_the_next_request(app: FastAPI, world: World) -> None:
    for change in ("suspended_at", "revoked_at"):
        user = await add_user(world, password=PASSWORD, phone=new_mobile())
        async with browser(app, world) as here:
            await here.enter(user)
            await world.run(f"UPDATE portal_user SET {change} = now() WHERE id = $1", user.id)
            assert not await here.is_inside()
            assert (await here.sign_in(user)).status_code == 401


# --- one company or all


async def test_a_page_left_on_a_company_is_told_that_another_one_was_chosen(app: FastAPI, world: World) -> None:
    a, b, foreign = [await world.employer() for _ in range(3)]
    rights = {a.company_id: Role.member, b.company_id: Role.member}
    user = await add_user(world, rights, password=PASSWORD, phone=new_mobile())

    async def sirens() -> set[str]:
        return {one["siren"] for one in await listed(here, "companies")}

    async with browser(app, world) as here:
        await here.enter(user)
        assert await sirens() == {a.siren, b.siren}
        left = here.http.headers["X-CSRF-Token"]
        session = here.http.cookies["sid"]
        chosen = await here.http.put(f"{BASE}/sessions/current/company", json={"siren": a.siren})
        assert chosen.status_code == 200
        assert here.http.cookies["sid"] != session
        late = await here.http.put(f"{BASE}/sessions/current/company", json={"siren": b.siren})
        assert (late.status_code, late.json()["type"]) == (409, "urn:hcr:problem:company_switched")
        here.http.headers["X-CSRF-Token"] = chosen.json()["csrf_token"]
        assert await sirens() == {a.siren}
        for unknown in (foreign.siren, "999999998"):
            refused = await here.http.put(f"{BASE}/sessions/current/company", json={"siren": unknown})
            assert refused.status_code in (404, 422)
        everything = await here.http.put(f"{BASE}/sessions/current/company", json={"siren": None})
        here.http.headers["X-CSRF-Token"] = everything.json()["csrf_token"]
        assert await sirens() == {a.siren, b.siren}
        here.http.headers["X-CSRF-Token"] = left
        refused = await here.http.post(f"{BASE}/sessions/current/extension")
        assert refused.status_code == 403


# --- browsers


async def test_a_user_sees_their_browsers_and_takes_the_trust_from_one(
    app: FastAPI, world: World, user: TestUser
) -> None:
    async with browser(app, world) as here, browser(app, world) as elsewhere:
        await here.enter(user)
        await elsewhere.enter(user)
        mine, other = sorted(await listed(here, "devices"), key=lambda one: not one["current"])
        assert (mine["current"], other["current"]) == (True, False)
        assert (await here.http.delete(f"{BASE}/devices/{other['id']}")).status_code == 204
        assert not await elsewhere.is_inside()
        assert (await elsewhere.sign_in(user)).json()["reasons"] == ["new_browser"]
        assert (await here.http.delete(f"{BASE}/devices/{mine['id']}")).status_code == 204
        assert await here.is_inside()
        assert await listed(here, "devices") == []
        assert await events(world, user, "auth.device.revoked") == 2


async def test_the_secret_of_a_browser_changes_at_every_sign_in(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        seen = {here.http.cookies["dev"]}
        for _ in range(3):
            assert (await here.sign_in(user)).json()["stage"] == "open"
            seen.add(here.http.cookies["dev"])
        assert len(seen) == 4
        assert len({cookie.partition(".")[0] for cookie in seen}) == 1
    assert len(await world.run("SELECT id FROM trusted_device WHERE user_id = $1", user.id)) == 1


async def test_an_answer_that_got_lost_is_no_theft(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        for minutes in (0, 2, 2):
            before = here.http.cookies["dev"]
            await world.run(
                f"UPDATE trusted_device SET seen_at = seen_at - interval '{minutes} minutes' WHERE user_id = $1",
                user.id,
            )
            await here.sign_in(user)
            here.show(before)
            assert (await here.sign_in(user)).json()["stage"] == "open"
        assert await events(world, user, "auth.device.reuse") == 0


async def test_a_copied_browser_is_noticed_and_all_of_the_users_browsers_are_forgotten(
    app: FastAPI, world: World, user: TestUser
) -> None:
    address = new_address()
    async with browser(app, world, address) as here, browser(app, world, address) as other:
        await other.enter(user)
        await here.enter(user)
        copied = here.http.cookies["dev"]
        for _ in range(2):
            assert (await here.sign_in(user)).json()["stage"] == "open"
        async with browser(app, world, address) as thief:
            thief.show(copied)
            assert (await thief.sign_in(user)).json()["reasons"] == ["new_browser"]
        assert (await here.sign_in(user)).json()["reasons"] == ["new_browser"]
        assert (await other.sign_in(user)).json()["reasons"] == ["new_browser"]
        told = await world.run("SELECT kind FROM notice WHERE user_id = $1 AND kind = 'device_reused'", user.id)
        assert len(told) == 1
        assert await events(world, user, "auth.device.reuse") == 1
        await here.enter(user)
        assert (await here.sign_in(user)).json()["stage"] == "open"


async def test_two_sign_ins_at_once_in_one_browser_leave_it_known(app: FastAPI, world: World, user: TestUser) -> None:
    address = new_address()
    async with browser(app, world, address) as here:
        await here.enter(user)
        for _ in range(3):
            kept = here.http.cookies["dev"]
            answers = await asyncio.gather(*(here.sign_in(user) for _ in range(4)))
            assert [answer.json()["stage"] for answer in answers] == ["open"] * 4
            given = [
                answer for answer in answers if any("dev=" in one for one in answer.headers.get_list("set-cookie"))
            ]
            assert len(given) == 1
            assert here.http.cookies["dev"] != kept
        assert await events(world, user, "auth.device.reuse") == 0
    assert len(await world.run("SELECT id FROM trusted_device WHERE user_id = $1", user.id)) == 1


async def test_a_browser_knows_five_users_and_trusts_each_for_themselves(app: FastAPI, world: World) -> None:
    address = new_address()
    users = [await add_user(world, password=PASSWORD, phone=new_mobile()) for _ in range(6)]
    async with browser(app, world, address) as here:
        for one in users:
            await here.enter(one)
        assert len(here.http.cookies["dev"].split("~")) == 5
        stages = [(await here.sign_in(one)).json()["stage"] for one in users]
        assert stages == ["code"] + ["open"] * 5
        assert len(here.http.cookies["dev"].split("~")) == 5


async def test_a_cookie_of_any_shape_is_no_browser(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        right = here.http.cookies["dev"]
        name, _, secret = right.partition(".")
        shapes = [
            "",
            "~",
            ".",
            "~" * 500,
            f"{name}.",
            f".{secret}",
            secret,
            f"{name}.{secret}x",
            name.upper() + "." + secret,
        ]
        for shape in [*shapes, "0" * 32 + "." + secret, "\x7f", "a" * 5000]:
            async with browser(app, world) as other:
                other.http.headers["Cookie"] = f"dev={shape}"
                assert "new_browser" in (await other.sign_in(user)).json()["reasons"], shape
        assert await events(world, user, "auth.device.reuse") == 0
        assert (await here.sign_in(user)).json()["stage"] == "open"


def test_a_token_does_not_show_its_secret() -> None:
    assert "secret" not in repr(DeviceToken(uuid4(), "secret"))
