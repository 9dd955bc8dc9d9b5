"""Signing in over HTTP: the guide's « Double authentification » (page 6), and what never tells a stranger anything."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from composition import passwords
from domain.rights import Role, StaffRole
from services.limits import Limit
from settings import Environment
from tests.api.conftest import BASE
from tests.signing_in import Browser, browser, codes, last_code, new_address
from tests.users import PASSWORD, TestUser, add_user
from tests.world import World, new_mobile
from web.cookies import Cookie, name_of

WRONG = "quatre thés sur la terrasse verte"


async def events(world: World, user: TestUser) -> list[str]:
    rows = await world.run("SELECT event FROM audit_log WHERE actor_id = $1 ORDER BY id", str(user.id))
    return [row["event"] for row in rows]


async def notices(world: World, user: TestUser, kind: str) -> list[Any]:
    return await world.run("SELECT * FROM notice WHERE user_id = $1 AND kind = $2 ORDER BY created_at", user.id, kind)


async def fail(here: Browser, user: TestUser, times: int) -> None:
    for _ in range(times):
        assert (await here.sign_in(user, WRONG)).status_code == 401


# --- when a code is asked


async def test_the_first_sign_in_asks_for_a_number_and_then_for_the_code_it_receives(
    app: FastAPI, world: World
) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD)
    number = new_mobile()
    async with browser(app, world) as here:
        signed = await here.sign_in(user)
        assert signed.status_code == 200
        assert signed.json()["stage"] == "code"
        assert signed.json()["reasons"] == ["first_sign_in", "new_browser", "unknown_address"]
        assert signed.json()["second_factor"] == {"methods": ["sms"], "phone": None}
        assert not await here.is_inside()
        sent = await here.ask_code(number)
        assert sent.status_code == 202, sent.text
        assert sent.json()["phone"] == f"06 •• •• •• {number[-2:]}"
        answered = await here.answer(await last_code(world, number))
        assert answered.status_code == 200, answered.text
        assert answered.json()["stage"] == "open"
        assert await here.is_inside()
    async with browser(app, world) as elsewhere:
        signed = await elsewhere.sign_in(user)
        assert signed.json()["second_factor"] == {"methods": ["sms"], "phone": f"06 •• •• •• {number[-2:]}"}
        assert (await elsewhere.ask_code()).status_code == 202
        assert len(await codes(world, number)) == 2


async def test_the_same_browser_at_the_same_address_is_asked_for_no_code(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.enter(user)
        await here.http.delete(f"{BASE}/sessions/current")
        assert not await here.is_inside()
        signed = await here.sign_in(user)
        assert signed.json() == {
            "stage": "open",
            "csrf_token": signed.json()["csrf_token"],
            "reasons": [],
            "second_factor": None,
        }
        assert await here.is_inside()
    assert await events(world, user) == [
        "auth.login.code_asked",
        "auth.otp.sent",
        "auth.otp.ok",
        "auth.device.trusted",
        "auth.login.ok",
        "auth.logout",
        "auth.login.ok",
    ]


async def test_another_address_and_another_browser_are_asked_for_one(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    here, elsewhere = new_address(), new_address()
    async with browser(app, world, here) as known:
        await known.enter(user)
        known.at(app, elsewhere)
        assert (await known.sign_in(user)).json()["reasons"] == ["unknown_address"]
    async with browser(app, world, here) as other:
        assert (await other.sign_in(user)).json()["reasons"] == ["new_browser"]
    # neither is known before its code was given (security.md A-12)
    async with browser(app, world, elsewhere) as other:
        assert (await other.sign_in(user)).json()["reasons"] == ["new_browser", "unknown_address"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("last_signed_in_at = now() - interval '93 days'", "long_absence"),
        ("code_due = 'password_reset'", "password_reset"),
        ("code_due = 'phone_changed'", "phone_changed"),
        ("code_due = 'role_raised'", "role_raised"),
        ("code_due = 'reactivated'", "reactivated"),
        ("failures = 3", "failed_passwords"),
        ("blocks = 1", "failed_passwords"),
    ],
)
async def test_what_happened_since_asks_for_a_code_once(app: FastAPI, world: World, change: str, reason: str) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.enter(user)
        await world.run(f"UPDATE portal_user SET {change} WHERE id = $1", user.id)
        assert (await here.sign_in(user)).json()["reasons"] == [reason]
        await here.enter(user)  # the password alone changes nothing: it is asked again
        assert len(await codes(world, user.phone or "")) == 2
        assert (await here.sign_in(user)).json()["stage"] == "open"


async def test_three_wrong_passwords_just_before_ask_for_a_code_also_in_a_known_browser(
    app: FastAPI, world: World
) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.enter(user)
        await fail(here, user, 2)
        assert (await here.sign_in(user)).json()["stage"] == "open"
        await fail(here, user, 3)
        assert (await here.sign_in(user)).json()["reasons"] == ["failed_passwords"]
        assert (await here.sign_in(user)).json()["reasons"] == ["failed_passwords"]


async def test_ipv6_addresses_are_known_by_their_network(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world, "2001:db8:7:7::1") as here:
        await here.enter(user)
        here.at(app, "2001:db8:7:7:ffff::9")
        assert (await here.sign_in(user)).json()["stage"] == "open"
        here.at(app, "2001:db8:7:8::1")
        assert (await here.sign_in(user)).json()["reasons"] == ["unknown_address"]


# --- one answer for everything wrong


@pytest.fixture
def hashes(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every check of a password: whether it was against somebody's."""
    checked: list[bool] = []
    service = app.state.parts.tools.passwords
    genuine = service.matches

    async def counting(stored: str | None, password: str) -> bool:
        checked.append(stored is not None)
        return bool(await genuine(stored, password))

    monkeypatch.setattr(service, "matches", counting)
    return checked


STATES = {
    "wrong": None,
    "suspended": "suspended_at = now()",
    "revoked": "revoked_at = now()",
    "not activated": "password_hash = NULL",
    "blocked": "blocked_until = now() + interval '1 hour'",
}


async def test_unknown_wrong_suspended_revoked_not_activated_and_blocked_are_one_answer(
    app: FastAPI, world: World, hashes: list[bool]
) -> None:
    answers: dict[str, httpx2.Response] = {}
    checks: dict[str, list[bool]] = {}
    somebody = await add_user(world, password=PASSWORD)
    async with browser(app, world) as stranger:
        answers["unknown"] = await stranger.sign_in(somebody, PASSWORD, email="personne@exemple.fr")
        checks["unknown"] = hashes.copy()
    for state, change in STATES.items():
        user = await add_user(world, password=PASSWORD)
        if change:
            await world.run(f"UPDATE portal_user SET {change} WHERE id = $1", user.id)
        hashes.clear()
        async with browser(app, world) as here:
            answers[state] = await here.sign_in(user, WRONG if state == "wrong" else PASSWORD)
        checks[state] = hashes.copy()
    first = answers["unknown"]
    assert first.status_code == 401
    assert first.json()["type"] == "urn:hcr:problem:wrong_credentials"
    for state, answer in answers.items():
        assert (answer.status_code, answer.content, answer.headers.raw) == (401, first.content, first.headers.raw), (
            state
        )
        assert "set-cookie" not in answer.headers
    # as many hashes for nobody as for somebody; none for who is blocked, who waits as long (security.md A-08)
    assert checks.pop("blocked") == []
    assert checks.pop("wrong") == [True]
    assert checks == {state: [False] for state in ("unknown", "suspended", "revoked", "not activated")}


async def test_whoever_is_blocked_waits_as_long_as_a_check_takes(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD)
    await world.run("UPDATE portal_user SET blocked_until = now() + interval '1 hour' WHERE id = $1", user.id)
    async with browser(app, world) as here:
        seconds = app.state.parts.sign_in._check_seconds
        seconds.clear()
        assert (await here.sign_in(user)).status_code == 401  # nothing was measured yet: a hash of nobody's
        assert len(seconds) == 1
        seconds.clear()
        seconds.append(0.3)
        assert (await here.sign_in(user)).elapsed.total_seconds() >= 0.3
        assert list(seconds) == [0.3]


async def test_the_doors_of_employers_and_staff_do_not_open_for_each_other(app: FastAPI, world: World) -> None:
    employer, staff = (
        await add_user(world, password=PASSWORD),
        await add_user(world, staff=[StaffRole.read], password=PASSWORD),
    )
    async with browser(app, world) as here:
        assert (await here.sign_in(employer, door="/staff/sessions")).status_code == 401
        assert (await here.sign_in(staff)).status_code == 401


async def test_the_address_is_read_in_any_case_and_the_password_to_the_letter(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=f" {PASSWORD} ", phone=new_mobile())
    async with browser(app, world) as here:
        assert (await here.sign_in(user, PASSWORD)).status_code == 401
        signed = await here.sign_in(user, f" {PASSWORD} ", email=f"  {user.email.upper()} ")
        assert signed.status_code == 200


async def test_failures_are_told_without_what_was_typed(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD)
    before = (await world.run("SELECT coalesce(max(id), 0) AS id FROM audit_log"))[0]["id"]
    address = new_address()
    async with browser(app, world, address) as here:
        await fail(here, user, 1)
        await here.sign_in(user, WRONG, email="une.inconnue@exemple.fr")
    rows = await world.run(
        "SELECT l.*, host(o.network) AS origin FROM audit_log l JOIN audit_origin o ON o.audit_id = l.id"
        " WHERE l.id > $1 AND event LIKE 'auth.%' ORDER BY l.id",
        before,
    )
    told = [(row["event"], row["outcome"], row["actor_id"], row["origin"], row["details"]) for row in rows]
    assert told == [
        ("auth.login.fail", "refused", str(user.id), address, {}),
        ("auth.login.fail", "refused", None, address, {}),
    ]


# --- blocks and limits


async def test_ten_wrong_passwords_block_the_account_for_longer_each_time(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    for minutes, times in ((15, 10), (30, 1), (60, 1)):
        async with browser(app, world) as here:
            await fail(here, user, times)
        async with browser(app, world) as elsewhere:
            assert (await elsewhere.sign_in(user)).status_code == 401  # the right password
        row = (await world.run("SELECT blocked_until - now() AS left FROM portal_user WHERE id = $1", user.id))[0]
        assert 60 * minutes - 60 < row["left"].total_seconds() <= 60 * minutes
        await world.run("UPDATE portal_user SET blocked_until = now(), failures = 9 WHERE id = $1", user.id)
    assert Counter(await events(world, user)) == {"auth.login.fail": 9 + 3, "auth.login.blocked": 3}
    await world.run("UPDATE portal_user SET blocks = 300, failures = 9 WHERE id = $1", user.id)
    async with browser(app, world) as here:
        await fail(here, user, 1)
    row = (await world.run("SELECT blocked_until - now() AS left FROM portal_user WHERE id = $1", user.id))[0]
    assert row["left"].total_seconds() <= 24 * 3600
    await world.run("UPDATE portal_user SET blocked_until = now() WHERE id = $1", user.id)
    async with browser(app, world) as here:
        await here.enter(user)
    row = (await world.run("SELECT failures, blocks FROM portal_user WHERE id = $1", user.id))[0]
    assert dict(row) == {"failures": 0, "blocks": 0}


async def test_a_block_by_strangers_does_not_keep_a_known_browser_out(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as known, browser(app, world) as stranger:
        await known.enter(user)
        await fail(stranger, user, 10)
        assert (await stranger.sign_in(user)).status_code in (401, 429)
        signed = await known.sign_in(user)
        assert signed.json()["reasons"] == ["failed_passwords"]
        await known.enter(user)
        async with browser(app, world) as other:  # the strangers' block goes on
            assert (await other.sign_in(user)).status_code == 401


async def test_a_known_browser_has_its_own_count(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as known:
        await known.enter(user)
        await fail(known, user, 10)
        assert (await known.sign_in(user)).status_code == 401  # the right password
        row = (await world.run("SELECT failures, blocked_until FROM portal_user WHERE id = $1", user.id))[0]
        assert (row["failures"], row["blocked_until"]) == (0, None)
        async with browser(app, world) as other:
            assert (await other.sign_in(user)).status_code == 200
        await world.run("UPDATE trusted_device SET blocked_until = now() WHERE user_id = $1", user.id)
        assert (await known.sign_in(user)).json()["reasons"] == ["failed_passwords"]
        await known.enter(user)
        assert (await known.sign_in(user)).json()["stage"] == "open"


async def test_ten_failures_at_an_address_close_it_for_strangers_and_successes_do_not_count(
    app: FastAPI, world: World
) -> None:
    user, other = [await add_user(world, password=PASSWORD, phone=new_mobile()) for _ in range(2)]
    address = new_address()
    async with browser(app, world, address) as known, browser(app, world, address) as stranger:
        await known.enter(user)
        for _ in range(12):
            assert (await known.sign_in(user)).status_code == 200
        await fail(stranger, other, 5)
        await stranger.enter(other)  # resets the account's count, not the address's
        stranger.http.cookies.clear()
        await fail(stranger, user, 5)
        refused = await stranger.sign_in(user)
        assert refused.status_code == 429
        assert refused.json()["type"] == "urn:hcr:problem:too_many_requests"
        assert 1 <= int(refused.headers["Retry-After"]) <= 30
        unknown = await stranger.sign_in(user, email="personne@exemple.fr")
        assert (unknown.status_code, unknown.content) == (429, refused.content)
        assert (await known.sign_in(user)).status_code == 200  # known in this browser


async def test_of_many_passwords_tried_at_once_no_more_are_answered_than_one_after_the_other(
    app: FastAPI, world: World
) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        answers = await asyncio.gather(*(here.sign_in(user, WRONG) for _ in range(30)))
        found = Counter(answer.status_code for answer in answers)
        assert set(found) <= {401, 429, 503}, found  # looked into, closed, or more at once than are looked into
        assert 1 <= found[401] <= 10, found
        await fail(here, user, 10 - found[401])
        assert (await here.sign_in(user)).status_code == 429


async def test_a_thousand_failures_anywhere_close_the_door_to_unknown_browsers(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    limiter = app.state.parts.tools.limiter
    async with browser(app, world) as known, browser(app, world) as stranger:
        await known.enter(user)
        await world.run(
            "INSERT INTO rate_limit VALUES ($1, now() + interval '300 seconds')"
            " ON CONFLICT (key) DO UPDATE SET tat = excluded.tat",
            limiter._key(Limit.login_global, ""),
        )
        try:
            assert (await stranger.sign_in(user)).status_code == 429
            assert (await known.sign_in(user)).status_code == 200
        finally:
            await limiter.forget(Limit.login_global, "")
        assert (await stranger.sign_in(user)).status_code == 200


async def test_many_accounts_tried_from_one_neighbourhood_are_told_once_and_slowed_down(
    app: FastAPI, world: World
) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    before = (await world.run("SELECT coalesce(max(id), 0) AS id FROM audit_log"))[0]["id"]
    neighbourhood = new_address().removesuffix("7")

    async def told() -> int:
        rows = await world.run("SELECT id FROM audit_log WHERE id > $1 AND event = 'auth.stuffing'", before)
        return len(rows)

    async def try_one(number: int, account: int) -> int:
        async with browser(app, world, f"{neighbourhood}{number}") as here:
            return (await here.sign_in(user, WRONG, email=f"personne.{account}@exemple.fr")).status_code

    for number in range(5):
        assert await try_one(100 + number, 0) == 401  # the same account counts once
    for number in range(20):
        assert await try_one(number, number) == 401
    assert await told() == 0
    assert await try_one(20, 20) == 401
    assert await told() == 1
    assert await try_one(21, 21) == 429
    assert await try_one(22, 0) == 429
    assert await told() == 1
    async with browser(app, world) as elsewhere:
        assert (await elsewhere.sign_in(user)).status_code == 200


# --- how it is asked


async def test_another_site_cannot_sign_anybody_in(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD)
    body = {"email": user.email, "password": PASSWORD}
    async with browser(app, world) as here:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://ailleurs.example"}, {"Origin": "null"}):
            for door in ("/sessions", "/staff/sessions"):
                refused = await here.http.post(f"{BASE}{door}", json=body, headers=headers)
                assert refused.status_code == 403
        plain = await here.http.post(
            f"{BASE}/sessions", content=str(body).replace("'", '"'), headers={"Content-Type": "text/plain"}
        )
        assert plain.status_code == 422
        assert (await here.http.post(f"{BASE}/sessions", data=body)).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": "x"}, "email"),
        ({"email": "camille@exemple.fr"}, "password"),
        ({"email": "camille@exemple.fr", "password": ""}, "password"),
        ({"email": "camille", "password": "x"}, "email"),
        ({"email": "camille@exemple.fr", "password": "x" * 1001}, "password"),
        ({"email": "camille@exemple.fr", "password": ["x"]}, "password"),
        ({"email": "camille@exemple.fr", "password": "x", "kind": "staff"}, "kind"),
    ],
)
async def test_what_is_no_request_to_sign_in_is_told_field_by_field(
    app: FastAPI, world: World, body: dict[str, Any], field: str
) -> None:
    async with browser(app, world) as here:
        refused = await here.http.post(f"{BASE}/sessions", json=body)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]
        assert "xxx" not in refused.text


async def test_cookies_are_the_browsers_own_and_change_with_every_step(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        signed = await here.sign_in(user)
        first = here.http.cookies["sid"]
        assert re.fullmatch(r"sid=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", signed.headers["set-cookie"])
        await here.ask_code()
        answered = await here.answer(await last_code(world, user.phone or ""))
        session, device = sorted(answered.headers.get_list("set-cookie"), reverse=True)
        assert re.fullmatch(r"sid=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", session)
        assert re.fullmatch(r"dev=[0-9a-f]{32}\.[\w-]{43}; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax", device)
        assert here.http.cookies["sid"] != first
        assert signed.json()["csrf_token"] != answered.json()["csrf_token"]
    production = world.config.model_copy(update={"environment": Environment.production})
    assert name_of(Cookie.device, production) == "__Host-dev"


async def test_nothing_that_is_stored_opens_anything(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.enter(user)
        await here.ask_code()
        given = [*here.http.cookies.values(), *here.http.cookies["dev"].split("."), user.phone or ""]
        given += await codes(world, user.phone or "")
    for table in ("portal_session", "trusted_device", "challenge", "portal_user", "known_address", "notice"):
        kept = await world.run(f"SELECT encode(t::text::bytea, 'escape') AS row FROM {table} t")
        text = "\n".join(row["row"] for row in kept)
        assert not [secret for secret in given if len(secret) > 6 and secret in text], table


# --- in between


async def test_a_second_sign_in_of_a_browser_replaces_the_one_that_was_waiting(app: FastAPI, world: World) -> None:
    one, other = [await add_user(world, password=PASSWORD, phone=new_mobile()) for _ in range(2)]
    async with browser(app, world) as here:
        await here.sign_in(one)
        await here.ask_code()
        first, token = here.http.cookies["sid"], here.http.headers["X-CSRF-Token"]
        await here.sign_in(other)
        assert (await here.answer(await last_code(world, one.phone or ""))).status_code == 422
        here.hold(first)
        here.http.headers["X-CSRF-Token"] = token
        assert (await here.answer(await last_code(world, one.phone or ""))).status_code == 401


async def test_signing_in_ends_the_session_that_the_browser_had(app: FastAPI, world: World) -> None:
    one, other = [await add_user(world, password=PASSWORD, phone=new_mobile()) for _ in range(2)]
    async with browser(app, world) as here:
        await here.enter(one)
        first = here.http.cookies["sid"]
        await fail(here, other, 1)
        assert await here.is_inside()
        await here.enter(other)
        assert await here.is_inside()
        here.hold(first)
        assert not await here.is_inside()


@pytest.mark.parametrize(
    "change",
    ["password_version = password_version + 1", "suspended_at = now()", "revoked_at = now()"],
    ids=["another password", "suspended", "revoked"],
)
async def test_the_second_step_is_refused_when_the_account_has_changed_since_the_first(
    app: FastAPI, world: World, change: str
) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.sign_in(user)
        await here.ask_code()
        await world.run(f"UPDATE portal_user SET {change} WHERE id = $1", user.id)
        assert (await here.answer(await last_code(world, user.phone or ""))).status_code == 401
        assert (await here.ask_code()).status_code == 401


async def test_a_right_password_without_its_code_is_told_after_three_minutes(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        await here.sign_in(user)
        await here.sign_in(user)  # does not begin anew for the first one
        rows = await notices(world, user, "code_not_completed")
        assert [(row["not_before"] - row["created_at"]).total_seconds() for row in rows] == [180, 180]
        await here.enter(user)
        sessions = await world.run("SELECT id, stage FROM portal_session WHERE user_id = $1", user.id)
        rows = await notices(world, user, "code_not_completed")
        assert [(sessions[0]["id"], sessions[0]["stage"])] == [(rows[-1]["subject_id"], "open")]


async def test_a_new_browser_is_told_but_not_the_first_of_all(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here, browser(app, world) as elsewhere:
        await here.enter(user)
        await here.enter(user)
        assert await notices(world, user, "new_device") == []
        await elsewhere.enter(user)
        told = await notices(world, user, "new_device")
        assert [row["details"] for row in told] == [{"browser": "Firefox sur Linux"}]


async def test_signing_in_ends_the_links_to_choose_another_password(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    await world.run(
        "INSERT INTO password_reset (user_id, token_hash, expires_at)"
        " VALUES ($1, sha256(uuid_send($1)), now() + interval '1 hour')",
        user.id,
    )
    async with browser(app, world) as here:
        await here.sign_in(user)
        alive = "SELECT dead_at IS NULL AS alive FROM password_reset WHERE user_id = $1"
        assert (await world.run(alive, user.id))[0]["alive"]
        await here.enter(user)
        assert not (await world.run(alive, user.id))[0]["alive"]


async def test_a_password_kept_by_former_parameters_is_kept_by_todays_after_signing_in(
    app: FastAPI, world: World
) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    former = passwords(world.config)
    former._hasher = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    await world.run("UPDATE portal_user SET password_hash = $2 WHERE id = $1", user.id, await former.hash(PASSWORD))

    async def outdated() -> bool:
        stored = (await world.run("SELECT password_hash FROM portal_user WHERE id = $1", user.id))[0]["password_hash"]
        return passwords(world.config).outdated(stored)

    async with browser(app, world) as here:
        await here.sign_in(user, WRONG)
        assert await outdated()
        await here.enter(user)
        assert not await outdated()
        assert (await here.sign_in(user)).status_code == 200


async def test_two_sign_ins_at_once_both_succeed(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD, phone=new_mobile())
    address = new_address()
    async with browser(app, world, address) as one, browser(app, world, address) as other:
        await one.enter(user)
        await other.enter(user)
        answers = await asyncio.gather(one.sign_in(user), other.sign_in(user), one.sign_in(user))
        assert [answer.json()["stage"] for answer in answers] == ["open"] * 3
        assert await one.is_inside()
        assert await other.is_inside()
