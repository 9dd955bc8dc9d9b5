"""Codes by SMS, the authenticator app and recovery codes, at sign-in and as a step-up (security.md A-14 to A-20)."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from fastapi import FastAPI

from domain.rights import StaffRole
from domain.sign_in import recovery_code
from gateways.outcomes import Ambiguous, RefusalReason, Refused, Unavailable
from gateways.sms import Sms
from services.second_factor import totp_step
from tests.api.conftest import BASE
from tests.signing_in import Browser, browser, codes, last_code, other_code
from tests.users import PASSWORD, TestUser, add_user
from tests.world import World, new_mobile

RECOVERY_SECRET = "7KQ2M8XF0000ABCD"


@pytest.fixture
async def user(world: World) -> TestUser:
    return await add_user(world, password=PASSWORD, phone=new_mobile())


@pytest.fixture
async def pending(app: FastAPI, world: World, user: TestUser) -> AsyncIterator[Browser]:
    """The user's browser: the password was right, a code was sent."""
    async with browser(app, world) as here:
        await here.sign_in(user)
        assert (await here.ask_code()).status_code == 202
        yield here


async def code_of(world: World, user: TestUser) -> str:
    return await last_code(world, user.phone or "")


async def sent_times(world: World, user: TestUser) -> int:
    return len(await codes(world, user.phone or ""))


async def age(world: World, user: TestUser, seconds: float) -> None:
    """Everything about this user's codes happened so much earlier."""
    by = f"make_interval(secs => {seconds})"
    await world.run(
        f"UPDATE challenge SET issued_at = issued_at - {by}, sent_at = sent_at - {by} WHERE user_id = $1", user.id
    )
    await world.run(f"UPDATE wrong_code SET at = at - {by} WHERE user_id = $1", user.id)
    await world.run(f"UPDATE portal_user SET code_blocked_until = code_blocked_until - {by} WHERE id = $1", user.id)


async def enrol_app(world: World, user: TestUser) -> pyotp.TOTP:
    secret = pyotp.random_base32()
    await world.run(
        "UPDATE portal_user SET totp_sealed = $2, totp_proved_at = now() WHERE id = $1",
        user.id,
        world.cipher.encrypt(secret, "portal_user", "totp", str(user.id)),
    )
    return pyotp.TOTP(secret)


async def add_recovery_code(app: FastAPI, world: World, user: TestUser, number: int, secret: str) -> str:
    hashed = await app.state.parts.tools.passwords.hash(secret)
    await world.run("INSERT INTO recovery_code VALUES ($1, $2, $3)", user.id, number, hashed)
    return recovery_code(number, secret)


async def notices(world: World, user: TestUser, kind: str) -> list[Any]:
    return await world.run("SELECT * FROM notice WHERE user_id = $1 AND kind = $2", user.id, kind)


async def events(world: World, user: TestUser) -> Counter[str]:
    rows = await world.run("SELECT event FROM audit_log WHERE actor_id = $1", str(user.id))
    return Counter(row["event"] for row in rows)


# --- the code


async def test_the_message_says_who_sends_it_the_code_and_nothing_about_anybody(
    world: World, user: TestUser, pending: Browser
) -> None:
    rows = await world.run("SELECT text FROM local_message WHERE recipient = $1", user.phone)
    code = await code_of(world, user)
    assert re.fullmatch(r"\d{6}", code)
    assert rows[0]["text"].startswith("HCR Bien-Etre")
    assert rows[0]["text"].endswith(f"\n\n@127.0.0.1 #{code}")
    assert "Essai" not in rows[0]["text"]
    assert "http" not in rows[0]["text"]


async def test_a_right_code_opens_the_session_once(world: World, user: TestUser, pending: Browser) -> None:
    code = await code_of(world, user)
    session, token = pending.http.cookies["sid"], pending.http.headers["X-CSRF-Token"]
    assert (await pending.answer(f" {code[:3]} {code[3:]} ")).status_code == 200
    assert await pending.is_inside()
    assert (await pending.answer(code)).status_code == 422  # a step-up now, and no code was sent for it
    pending.hold(session)
    pending.http.headers["X-CSRF-Token"] = token
    assert (await pending.answer(code)).status_code in (401, 403)


async def test_one_code_in_twenty_parallel_requests_opens_one_session(
    app: FastAPI, world: World, user: TestUser, pending: Browser
) -> None:
    code = await code_of(world, user)
    body = {"method": "sms", "code": code}
    cookies, headers = dict(pending.http.cookies), dict(pending.http.headers)

    async def answer() -> int:
        async with browser(app, world) as copy:
            copy.http.cookies.update(cookies)
            copy.http.headers["X-CSRF-Token"] = headers["x-csrf-token"]
            return (await copy.http.post(f"{BASE}/sessions/challenge/answer", json=body)).status_code

    found = Counter(await asyncio.gather(*(answer() for _ in range(20))))
    assert found[200] == 1, found
    assert set(found) <= {200, 401, 403, 422}
    rows = await world.run("SELECT stage FROM portal_session WHERE user_id = $1", user.id)
    assert [row["stage"] for row in rows] == ["open"]


async def test_a_wrong_code_kills_the_challenge_after_five_tries_and_the_right_one_is_refused_too(
    world: World, user: TestUser, pending: Browser
) -> None:
    code = await code_of(world, user)
    refused = [await pending.answer(other_code(code)) for _ in range(5)]
    await world.run("DELETE FROM wrong_code WHERE user_id = $1", user.id)  # the account's count is another matter
    late = await pending.answer(code)
    for answer in refused:
        assert (answer.status_code, answer.content, answer.headers.raw) == (422, late.content, late.headers.raw)
    assert late.status_code == 422
    assert late.json()["type"] == "urn:hcr:problem:wrong_code"
    assert (await events(world, user))["auth.otp.dead"] == 1
    # another one is sent, and opens
    await age(world, user, 31)
    assert (await pending.ask_code()).status_code == 202
    assert await code_of(world, user) != code
    assert (await pending.answer(await code_of(world, user))).status_code == 200


async def test_a_code_is_valid_for_less_than_six_hundred_seconds(
    world: World, user: TestUser, pending: Browser
) -> None:
    await age(world, user, 600)
    refused = await pending.answer(await code_of(world, user))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:hcr:problem:wrong_code")
    await age(world, user, -5)
    assert (await pending.answer(await code_of(world, user))).status_code == 200


async def test_wrong_expired_used_and_nonsense_are_one_answer(
    app: FastAPI, world: World, user: TestUser, pending: Browser
) -> None:
    code = await code_of(world, user)
    answers = [await pending.answer(other_code(code)), await pending.answer("abc"), await pending.answer(code, "totp")]
    answers.append(await pending.answer("3-7KQ2-M8XF-0000-ABCD", "recovery"))
    await age(world, user, 600)
    answers.append(await pending.answer(code))
    assert {(one.status_code, one.content) for one in answers} == {(422, answers[0].content)}


async def test_a_code_opens_only_the_session_that_asked_for_it(
    app: FastAPI, world: World, user: TestUser, pending: Browser
) -> None:
    async with browser(app, world) as thief:
        await thief.sign_in(user)
        assert (await thief.answer(await code_of(world, user))).status_code == 422
    assert (await pending.answer(await code_of(world, user))).status_code == 200


async def test_it_needs_the_pages_token(world: World, user: TestUser, pending: Browser) -> None:
    body = {"method": "sms", "code": await code_of(world, user)}
    token = pending.http.headers.pop("X-CSRF-Token")
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}):
        for path in ("answer", "code"):
            sent = {} if path == "code" else body
            refused = await pending.http.post(f"{BASE}/sessions/challenge/{path}", json=sent, headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (403, "urn:hcr:problem:csrf_refused")


# --- sending it again


async def test_a_resend_within_validity_is_the_same_code_and_does_not_last_longer(
    world: World, user: TestUser, pending: Browser
) -> None:
    await age(world, user, 200)
    first = (await pending.ask_code()).json()
    assert await sent_times(world, user) == 2
    await age(world, user, 100)
    await pending.ask_code()
    received = await codes(world, user.phone or "")
    assert len(received) == 3
    assert len(set(received)) == 1
    rows = await world.run("SELECT now() - issued_at AS age, sends FROM challenge WHERE user_id = $1", user.id)
    assert [(round(row["age"].total_seconds(), -2), row["sends"]) for row in rows] == [(300, 3)]
    assert set(first) == {"phone", "resend_at", "expires_at"}
    assert (await pending.answer(received[0])).status_code == 200


async def test_messages_are_thirty_seconds_apart_whoever_asks_how_often(
    world: World, user: TestUser, pending: Browser
) -> None:
    asked = await asyncio.gather(*(pending.ask_code() for _ in range(8)))
    assert {one.status_code for one in asked} == {202}
    assert len({one.content for one in asked}) == 1
    assert await sent_times(world, user) == 1
    await age(world, user, 29)
    await pending.ask_code()
    assert await sent_times(world, user) == 1
    await age(world, user, 1.5)
    await asyncio.gather(*(pending.ask_code() for _ in range(8)))
    assert await sent_times(world, user) == 2


async def test_an_expired_code_is_followed_by_another_one(world: World, user: TestUser, pending: Browser) -> None:
    first = await code_of(world, user)
    await age(world, user, 601)
    await pending.ask_code()
    secrets = await world.run("SELECT secret_sealed FROM challenge WHERE user_id = $1", user.id)
    assert len(secrets) == 2
    second = await code_of(world, user)
    if second != first:  # once in a million
        assert (await pending.answer(first)).status_code == 422
    assert (await pending.answer(second)).status_code == 200


async def test_beyond_a_limit_the_answer_is_the_same_and_nothing_leaves(
    world: World, user: TestUser, pending: Browser
) -> None:
    for sent in range(2, 6):
        await age(world, user, 31)
        assert (await pending.ask_code()).status_code == 202
        assert await sent_times(world, user) == sent
    await age(world, user, 31)
    silent = await pending.ask_code()
    assert silent.status_code == 202
    assert set(silent.json()) == {"phone", "resend_at", "expires_at"}
    assert await sent_times(world, user) == 5  # five an hour to one number
    assert (await events(world, user))["auth.otp.limit"] == 1
    assert (await pending.answer(await code_of(world, user))).status_code == 200  # the last one still opens


async def test_two_numbers_typed_in_turn_have_two_codes_of_which_the_last_counts(app: FastAPI, world: World) -> None:
    user = await add_user(world, password=PASSWORD)
    mistyped, meant = new_mobile(), new_mobile()
    async with browser(app, world) as here:
        await here.sign_in(user)
        await here.ask_code(mistyped)
        await here.ask_code(meant)
        wrong, right = await last_code(world, mistyped), await last_code(world, meant)
        if wrong != right:
            assert (await here.answer(wrong)).status_code == 422
        assert (await here.answer(right)).status_code == 200
    row = (await world.run("SELECT phone_index, phone_proved_at FROM portal_user WHERE id = $1", user.id))[0]
    assert row["phone_index"] == world.cipher.blind_index(meant, "portal_user.phone")
    assert row["phone_proved_at"]


# --- the number


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("01 44 20 80 63", "phone.mobile"),
        ("08 92 12 34 56", "phone.kind"),
        ("+41 79 123 45 67", "phone.country"),
        ("06 39 98", "phone.invalid"),
        ("  ", "phone.missing"),
        (None, "phone.missing"),
    ],
)
async def test_a_number_that_takes_no_code_is_refused_at_once(
    app: FastAPI, world: World, number: str | None, code: str
) -> None:
    user = await add_user(world, password=PASSWORD)
    async with browser(app, world) as here:
        await here.sign_in(user)
        refused = await here.http.post(f"{BASE}/sessions/challenge/code", json={"phone": number})
        assert refused.status_code == 422
        assert [(error["field"], error["code"]) for error in refused.json()["errors"]] == [("phone", code)]
    assert await world.run("SELECT id FROM challenge WHERE user_id = $1", user.id) == []


async def test_a_stolen_password_does_not_choose_where_the_code_goes(
    app: FastAPI, world: World, user: TestUser
) -> None:
    theirs = new_mobile()
    with_app = await add_user(world, password=PASSWORD)
    await enrol_app(world, with_app)
    async with browser(app, world) as thief:
        await thief.sign_in(user)
        refused = await thief.ask_code(theirs)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "phone.known")
        signed = await thief.sign_in(with_app)
        assert signed.json()["second_factor"] == {"methods": ["totp"], "phone": None}
        assert (await thief.ask_code(theirs)).status_code == 403
    assert await codes(world, theirs) == []


async def test_one_number_serves_five_people_at_most(app: FastAPI, world: World) -> None:
    number = new_mobile()
    for _ in range(4):
        await add_user(world, phone=number)
    fifth, sixth = [await add_user(world, password=PASSWORD) for _ in range(2)]
    async with browser(app, world) as here:
        await here.sign_in(fifth)
        assert (await here.ask_code(number)).status_code == 202
        assert (await here.answer(await last_code(world, number))).status_code == 200
    async with browser(app, world) as here:
        await here.sign_in(sixth)
        refused = await here.ask_code(number)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "phone.shared")


async def test_of_two_who_prove_one_number_at_once_only_the_fifth_has_it(app: FastAPI, world: World) -> None:
    number = new_mobile()
    for _ in range(4):
        await add_user(world, phone=number)
    fifth, sixth = [await add_user(world, password=PASSWORD) for _ in range(2)]
    async with browser(app, world) as one, browser(app, world) as other:
        await one.sign_in(fifth)
        await other.sign_in(sixth)
        assert (await one.ask_code(number)).status_code == 202
        assert (await other.ask_code(number)).status_code == 202
        first, second = await codes(world, number)
        answers = await asyncio.gather(one.answer(first), other.answer(second))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize(
    "failure",
    [Unavailable("away"), Ambiguous("cut"), Refused(RefusalReason.not_authorised, 402), TimeoutError()],
    ids=["away", "cut", "refused", "slow"],
)
async def test_a_provider_that_takes_nothing_is_told_and_tried_again_at_once(
    app: FastAPI, world: World, user: TestUser, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def fail(sms: Sms) -> None:
        raise failure

    async with browser(app, world) as here:
        await here.sign_in(user)
        with monkeypatch.context() as patch:
            patch.setattr(app.state.parts.tools.sms, "send", fail)
            refused = await here.ask_code()
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:hcr:problem:code_not_sent")
            assert refused.headers["Retry-After"]
            assert "application" not in refused.text.split('"detail"')[1]
            await enrol_app(world, user)
            assert "application d’authentification" in (await here.ask_code()).json()["detail"]
        assert await sent_times(world, user) == 0
        assert (await here.ask_code()).status_code == 202
        assert (await here.answer(await code_of(world, user))).status_code == 200


# --- wrong codes of an account


async def test_five_wrong_codes_in_five_minutes_count_across_sessions_and_methods_and_no_resend_resets_them(
    app: FastAPI, world: World, user: TestUser, pending: Browser
) -> None:
    await enrol_app(world, user)
    code = await code_of(world, user)
    assert (await pending.answer(other_code(code))).status_code == 422
    assert (await pending.answer("000000", "totp")).status_code == 422
    await world.run("UPDATE challenge SET sent_at = sent_at - interval '31 seconds' WHERE user_id = $1", user.id)
    await pending.ask_code()
    assert (await pending.answer("3-7KQ2-M8XF-0000-ABCD", "recovery")).status_code == 422
    async with browser(app, world) as elsewhere:
        await elsewhere.sign_in(user)
        await elsewhere.ask_code()
        assert (await elsewhere.answer("abcdef")).status_code == 422
        assert (await elsewhere.answer("000000", "totp")).status_code == 422
    assert await notices(world, user, "code_limit") == []
    assert (await pending.answer(code)).status_code == 422  # the sixth try, and right
    assert len(await notices(world, user, "code_limit")) == 1
    assert (await pending.answer(code)).status_code == 422
    assert len(await notices(world, user, "code_limit")) == 1
    before = await sent_times(world, user)
    await age(world, user, 601)
    assert (await pending.ask_code()).status_code == 202
    assert await sent_times(world, user) == before  # no code is sent that would be refused
    await age(world, user, 3000)
    await pending.ask_code()
    assert (await pending.answer(await code_of(world, user))).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "seconds", "refused"),
    [
        *((4, 0, False), (5, 0, True), (5, 290, True), (5, 301, False), (19, 310, False), (20, 310, True)),
        *((20, 3590, True), (20, 3601, False), (49, 3700, False), (50, 3700, True), (50, 86_390, True)),
        (50, 86_401, False),
    ],
)
async def test_the_windows_of_wrong_codes(
    world: World, user: TestUser, pending: Browser, wrong: int, seconds: int, refused: bool
) -> None:
    await world.run(
        "INSERT INTO wrong_code SELECT $1, now() - make_interval(secs => $3) FROM generate_series(1, $2)",
        user.id,
        wrong,
        float(seconds),
    )
    answer = await pending.answer(await code_of(world, user))
    assert answer.status_code == (422 if refused else 200)
    row = (await world.run("SELECT code_blocked_until - now() AS left FROM portal_user WHERE id = $1", user.id))[0]
    assert (row["left"] is not None) is refused
    if refused:
        assert 3500 < row["left"].total_seconds() <= 3600


async def test_of_many_wrong_codes_at_once_no_more_than_five_are_looked_at(
    world: World, user: TestUser, pending: Browser
) -> None:
    code = int(await code_of(world, user))
    guesses = [f"{(code + 1 + guess) % 1_000_000:06}" for guess in range(15)]
    answers = await asyncio.gather(*(pending.answer(guess) for guess in guesses))
    assert {answer.status_code for answer in answers} == {422}
    rows = await world.run("SELECT tries FROM challenge WHERE user_id = $1", user.id)
    counted = await world.run("SELECT count(*) AS n FROM wrong_code WHERE user_id = $1", user.id)
    assert (rows[0]["tries"], counted[0]["n"]) == (5, 5)
    assert len(await notices(world, user, "code_limit")) == 1


# --- the app, and recovery codes


async def test_an_app_of_thirty_seconds_early_or_late_is_taken_and_no_code_twice(
    app: FastAPI, world: World, user: TestUser
) -> None:
    totp = await enrol_app(world, user)
    async with browser(app, world) as here:
        signed = await here.sign_in(user)
        assert signed.json()["second_factor"]["methods"] == ["sms", "totp"]
        now = int(time.time())
        assert (await here.answer(totp.at(now - 90), "totp")).status_code == 422
        assert (await here.answer(totp.at(now + 90), "totp")).status_code == 422
        assert (await here.answer(totp.at(now), "totp")).status_code == 200
        await here.http.delete(f"{BASE}/sessions/current")
        here.http.cookies.clear()
        await here.sign_in(user)
        assert (await here.answer(totp.at(now), "totp")).status_code == 422  # used
        assert (await here.answer(totp.at(now - 30), "totp")).status_code == 422  # before the last one
        assert (await here.answer(totp.at(int(time.time()) + 30), "totp")).status_code == 200


def test_the_steps_of_an_app() -> None:
    secret = pyotp.random_base32()
    totp, now = pyotp.TOTP(secret), datetime(2026, 11, 23, 14, 0, 29, tzinfo=UTC)
    step = int(now.timestamp()) // 30
    codes_by_step = {near: totp.generate_otp(near) for near in range(step - 3, step + 4)}
    if len(set(codes_by_step.values())) < 7:  # once in 50,000
        return
    taken = {near: totp_step(secret, code, now) for near, code in codes_by_step.items()}
    near = (step - 1, step, step + 1)
    assert taken == {one: one if one in near else None for one in codes_by_step}


async def test_one_code_of_the_app_in_parallel_sessions_opens_one(app: FastAPI, world: World, user: TestUser) -> None:
    totp = await enrol_app(world, user)
    async with browser(app, world) as one, browser(app, world) as two, browser(app, world) as three:
        browsers = (one, two, three)
        for here in browsers:
            await here.sign_in(user)
        code = totp.now()
        found = await asyncio.gather(*(here.answer(code, "totp") for here in browsers))
        assert sorted(answer.status_code for answer in found) == [200, 422, 422]


async def test_a_recovery_code_signs_in_once_however_it_is_typed(app: FastAPI, world: World, user: TestUser) -> None:
    await enrol_app(world, user)
    shown = await add_recovery_code(app, world, user, 3, RECOVERY_SECRET)
    await add_recovery_code(app, world, user, 4, "8" * 16)
    async with browser(app, world) as here:
        signed = await here.sign_in(user)
        assert signed.json()["second_factor"]["methods"] == ["sms", "totp", "recovery"]
        assert (await here.answer(recovery_code(4, RECOVERY_SECRET), "recovery")).status_code == 422
        assert (await here.answer(f" {shown.lower().replace('-', ' ')} ", "recovery")).status_code == 200
        told = await notices(world, user, "recovery_code_used")
        assert [row["details"] for row in told] == [{"left": 1}]
    async with browser(app, world) as elsewhere:
        await elsewhere.sign_in(user)
        assert (await elsewhere.answer(shown, "recovery")).status_code == 422


async def test_one_recovery_code_in_parallel_sessions_opens_one(app: FastAPI, world: World, user: TestUser) -> None:
    await enrol_app(world, user)
    shown = await add_recovery_code(app, world, user, 1, RECOVERY_SECRET)
    async with browser(app, world) as one, browser(app, world) as two, browser(app, world) as three:
        browsers = (one, two, three)
        for here in browsers:
            await here.sign_in(user)
        found = await asyncio.gather(*(here.answer(shown, "recovery") for here in browsers))
        assert sorted(answer.status_code for answer in found) == [200, 422, 422]


# --- staff


async def test_staff_are_asked_for_their_app_at_every_sign_in_and_never_by_sms(app: FastAPI, world: World) -> None:
    member = await add_user(world, staff=[StaffRole.read], password=PASSWORD, phone=new_mobile())
    async with browser(app, world) as here:
        signed = await here.sign_in(member, door="/staff/sessions")
        assert signed.json()["second_factor"] == {"methods": ["totp_enrolment"], "phone": None}
        assert (await here.ask_code()).status_code == 403
        totp = await enrol_app(world, member)
        signed = await here.sign_in(member, door="/staff/sessions")
        assert signed.json()["second_factor"] == {"methods": ["totp"], "phone": None}
        assert (await here.ask_code()).status_code == 403
        assert (await here.answer("123456", "sms")).status_code == 422
        assert (await here.answer(totp.now(), "totp")).status_code == 200
        assert await here.is_inside()
        assert "staff" in here.http.cookies
        again = await here.sign_in(member, door="/staff/sessions")
        assert again.json()["reasons"] == ["staff"]
    assert await codes(world, member.phone or "") == []


async def test_a_browser_is_at_one_door_at_a_time(app: FastAPI, world: World, user: TestUser) -> None:
    member = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    totp = await enrol_app(world, member)
    async with browser(app, world) as here:
        await here.enter(user)
        await here.sign_in(member, door="/staff/sessions")
        assert "sid" not in here.http.cookies
        assert (await here.answer(totp.now(), "totp")).status_code == 200
        await here.enter(user)
        assert "staff" not in here.http.cookies
    rows = await world.run("SELECT 1 FROM portal_session WHERE user_id = $1", member.id)
    assert rows == []


# --- step-up


async def test_a_code_in_an_open_session_steps_it_up_under_another_secret(
    app: FastAPI, world: World, user: TestUser
) -> None:
    async with browser(app, world) as here:
        await here.enter(user)
        await world.run("UPDATE portal_session SET stepped_up_at = NULL WHERE user_id = $1", user.id)
        session, token = here.http.cookies["sid"], here.http.headers["X-CSRF-Token"]
        await age(world, user, 31)
        assert (await here.ask_code()).status_code == 202
        code = await code_of(world, user)
        assert (await here.answer(other_code(code))).status_code == 422
        answered = await here.answer(code)
        assert answered.status_code == 200
        assert answered.json()["stage"] == "open"
        rows = await world.run("SELECT stepped_up_at FROM portal_session WHERE user_id = $1", user.id)
        assert [row["stepped_up_at"] is not None for row in rows] == [True]
        assert here.http.cookies["sid"] != session
        assert await here.is_inside()
        here.hold(session)
        here.http.headers["X-CSRF-Token"] = token
        assert not await here.is_inside()


async def test_the_code_of_a_sign_in_is_none_for_a_step_up(app: FastAPI, world: World, user: TestUser) -> None:
    async with browser(app, world) as here:
        await here.sign_in(user)
        await here.ask_code()
        first = await code_of(world, user)
        await here.answer(first)
        await age(world, user, 31)
        await here.ask_code()
        assert await sent_times(world, user) == 2
        assert len(await world.run("SELECT id FROM challenge WHERE user_id = $1", user.id)) == 2


async def test_without_a_session_there_is_nothing_to_answer(app: FastAPI, world: World) -> None:
    async with browser(app, world) as here:
        assert (await here.ask_code()).status_code == 401
        assert (await here.answer("123456")).status_code == 401
