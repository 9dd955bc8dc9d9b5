"""« Mot de passe oublié », as anybody may ask for it (security.md A-22)."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import Role, StaffRole
from gateways.access_links import LinkKind, link_token
from tests.api.conftest import BASE, client
from tests.users import PASSWORD, TestUser, add_user, signed_in
from tests.world import World, new_mobile

NEW = "quatre loutres chantent derrière le moulin"
ASK = f"{BASE}/password-resets"
COMPLETE = f"{BASE}/password-resets/completion"


@pytest.fixture
async def user(world: World) -> TestUser:
    employer = await world.employer()
    return await add_user(world, {employer.company_id: Role.member}, password=PASSWORD)


@pytest.fixture(autouse=True)
async def _nobody_has_asked_from_here(world: World) -> None:
    await world.run("DELETE FROM rate_limit")


async def links(world: World, user: TestUser) -> list[UUID]:
    rows = await world.run("SELECT id FROM password_reset WHERE user_id = $1 ORDER BY created_at, id", user.id)
    return [row["id"] for row in rows]


async def ask(http: httpx2.AsyncClient, email: str, **more: str) -> httpx2.Response:
    return await http.post(ASK, json={"email": email, **more})


async def token_of(world: World, http: httpx2.AsyncClient, user: TestUser) -> str:
    assert (await ask(http, user.email, kind=user.kind.value)).status_code == 202
    return link_token(world.cipher, LinkKind.password_reset, (await links(world, user))[-1])


async def complete(http: httpx2.AsyncClient, token: str, password: str = NEW) -> httpx2.Response:
    return await http.post(COMPLETE, json={"token": token, "password": password})


async def row_of(world: World, user: TestUser) -> dict[str, object]:
    return dict((await world.run("SELECT * FROM portal_user WHERE id = $1", user.id))[0])


def body(answer: httpx2.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


# --- asking


async def test_everybody_gets_the_same_answer(world: World, anonymous: httpx2.AsyncClient, user: TestUser) -> None:
    employer = await world.employer()
    suspended, revoked, invited = [
        await add_user(world, {employer.company_id: Role.member}, password=password)
        for password in (PASSWORD, PASSWORD, None)
    ]
    await world.run("UPDATE portal_user SET suspended_at = now() WHERE id = $1", suspended.id)
    await world.run("UPDATE portal_user SET revoked_at = now() WHERE id = $1", revoked.id)
    known = await ask(anonymous, user.email)
    assert known.status_code == 202
    for email in (suspended.email, revoked.email, invited.email, "personne.inconnue@exemple.fr"):
        assert body(await ask(anonymous, email)) == body(known), email
    assert len(await links(world, user)) == 1
    for nobody in (suspended, revoked, invited):
        assert await links(world, nobody) == []


async def test_the_link_goes_to_the_address_and_only_its_hash_is_stored(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    token = await token_of(world, anonymous, user)
    (reset_id,) = await links(world, user)
    notice = (await world.run("SELECT * FROM notice WHERE subject_id = $1", reset_id))[0]
    assert (notice["kind"], notice["user_id"], notice["recipient"]) == ("password_reset", user.id, None)
    stored = (await world.run("SELECT r::text AS text FROM password_reset r WHERE id = $1", reset_id))[0]["text"]
    assert token not in stored
    assert re.fullmatch(r"[\w-]{43}", token)


async def test_it_works_for_an_hour(world: World, anonymous: httpx2.AsyncClient, user: TestUser) -> None:
    token = await token_of(world, anonymous, user)
    left = (await world.run("SELECT expires_at - now() AS left FROM password_reset WHERE user_id = $1", user.id))[0]
    assert 3500 < left["left"].total_seconds() <= 3600
    await world.run("UPDATE password_reset SET expires_at = now() WHERE user_id = $1", user.id)
    assert (await complete(anonymous, token)).status_code == 404


async def test_the_newest_link_ends_the_older_ones(world: World, anonymous: httpx2.AsyncClient, user: TestUser) -> None:
    older, newer = [await token_of(world, anonymous, user) for _ in range(2)]
    assert (await complete(anonymous, older)).status_code == 404
    assert (await complete(anonymous, newer)).status_code == 204


async def test_five_a_day_are_sent_and_the_answer_stays_the_same(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    answers = {body(await ask(anonymous, user.email)) for _ in range(7)}
    assert len(answers) == 1
    assert len(await links(world, user)) == 5


async def test_an_address_may_ask_twenty_five_times_in_five_minutes(anonymous: httpx2.AsyncClient) -> None:
    statuses = [(await ask(anonymous, f"personne.inconnue{n}@exemple.fr")).status_code for n in range(26)]
    assert statuses == [202] * 25 + [429]


async def test_an_employers_user_and_a_member_of_staff_of_one_address_are_two(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    staff = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    await world.run("UPDATE portal_user SET email = $2 WHERE id = $1", staff.id, user.email)
    await ask(anonymous, user.email)
    assert (len(await links(world, user)), len(await links(world, staff))) == (1, 0)
    await ask(anonymous, user.email, kind="staff")
    assert (len(await links(world, user)), len(await links(world, staff))) == (1, 1)


async def test_another_site_cannot_make_a_browser_ask(anonymous: httpx2.AsyncClient) -> None:
    answer = await anonymous.post(ASK, json={"email": "personne@exemple.fr"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


# --- choosing the password


async def test_the_new_password_ends_everything_and_signs_nobody_in(
    app: FastAPI, world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    await world.run(
        "UPDATE portal_user SET failures = 9, blocks = 3, blocked_until = now() + interval '1 day' WHERE id = $1",
        user.id,
    )
    await world.run(
        "INSERT INTO trusted_device (user_id, token_hash, browser) VALUES ($1, $2, 'x')", user.id, b"d" * 32
    )
    await world.run(
        "INSERT INTO email_change (user_id, new_email, token_hash, expires_at)"
        " VALUES ($1, 'autre@exemple.fr', $2, now() + interval '1 day')",
        user.id,
        user.id.bytes * 2,
    )
    former = await row_of(world, user)
    async with signed_in(app, world, user) as browser:
        assert (await browser.get(f"{BASE}/me")).status_code == 200
        answer = await complete(anonymous, await token_of(world, anonymous, user))
        assert answer.status_code == 204
        assert "set-cookie" not in answer.headers
        assert (await browser.get(f"{BASE}/me")).status_code == 401
    row = await row_of(world, user)
    assert row["password_hash"] != former["password_hash"]
    assert row["password_version"] == 2
    assert (row["failures"], row["blocks"], row["blocked_until"]) == (0, 0, None)
    assert row["code_due"] == "password_reset"
    left = await world.run(
        "SELECT (SELECT count(*) FROM portal_session WHERE user_id = $1)"
        " + (SELECT count(*) FROM trusted_device WHERE user_id = $1 AND revoked_at IS NULL)"
        " + (SELECT count(*) FROM email_change WHERE user_id = $1 AND dead_at IS NULL) AS left",
        user.id,
    )
    assert left[0]["left"] == 0
    told = await world.run("SELECT kind FROM notice WHERE user_id = $1 ORDER BY created_at", user.id)
    assert [notice["kind"] for notice in told] == ["password_reset", "password_changed"]
    events = await world.run("SELECT event, outcome, details FROM audit_log WHERE actor_id = $1", str(user.id))
    assert [(event["event"], event["details"]) for event in events] == [("auth.reset.done", {})]


async def test_the_second_factor_is_asked_after_it(world: World, anonymous: httpx2.AsyncClient) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD, phone=new_mobile())
    assert (await complete(anonymous, await token_of(world, anonymous, user))).status_code == 204
    former = await anonymous.post(f"{BASE}/sessions", json={"email": user.email, "password": PASSWORD})
    assert former.status_code == 401
    signed = await anonymous.post(f"{BASE}/sessions", json={"email": user.email, "password": NEW})
    assert signed.json()["stage"] == "code"
    assert "password_reset" in signed.json()["reasons"]


async def test_one_answer_for_unknown_used_expired_and_dead_links(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    unknown = await complete(anonymous, "x" * 43)
    assert unknown.status_code == 404
    used = await token_of(world, anonymous, user)
    assert (await complete(anonymous, used)).status_code == 204
    answers = [await complete(anonymous, used)]
    for change in (
        "UPDATE password_reset SET expires_at = now() WHERE user_id = $1",
        "UPDATE password_reset SET dead_at = now() WHERE user_id = $1",
        "UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1",
        "UPDATE portal_user SET password_changed_at = now() WHERE id = $1",
        "UPDATE portal_user SET suspended_at = now() WHERE id = $1",
    ):
        token = await token_of(world, anonymous, user)
        await world.run(change, user.id)
        answers.append(await complete(anonymous, token))
    for answer in answers:
        assert body(answer) == body(unknown)


async def test_a_weak_password_is_refused_and_the_link_stays_good(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    token = await token_of(world, anonymous, user)
    refused = await complete(anonymous, token, "azertyuiop123")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "password"
    assert "azertyuiop123" not in refused.text
    assert (await complete(anonymous, token)).status_code == 204


async def test_the_password_is_not_made_of_the_address_and_the_companies_number(
    world: World, anonymous: httpx2.AsyncClient
) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD)
    token = await token_of(world, anonymous, user)
    made_of = f"{user.email.partition('@')[0]} {employer.siret}"
    refused = await complete(anonymous, token, made_of)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "password.personal"


async def test_spaces_around_a_password_are_part_of_it(
    world: World, anonymous: httpx2.AsyncClient, app: FastAPI, user: TestUser
) -> None:
    token = await token_of(world, anonymous, user)
    assert (await complete(anonymous, token, f" {NEW} ")).status_code == 204
    hashed = str((await row_of(world, user))["password_hash"])
    assert await app.state.parts.tools.passwords.matches(hashed, f" {NEW} ")
    assert not await app.state.parts.tools.passwords.matches(hashed, NEW)


async def test_of_many_completions_at_once_one_counts(
    app: FastAPI, world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    token = await token_of(world, anonymous, user)
    async with client(app) as other:
        doors = [anonymous, other] * 4
        answers = await asyncio.gather(*(complete(http, token, f"{NEW} {n}") for n, http in enumerate(doors)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    assert (await row_of(world, user))["password_version"] == 2


async def test_asking_and_choosing_at_once_leaves_no_link_behind(
    world: World, anonymous: httpx2.AsyncClient, user: TestUser
) -> None:
    for _ in range(3):
        await world.run("DELETE FROM rate_limit")
        token = await token_of(world, anonymous, user)
        chosen, asked = await asyncio.gather(complete(anonymous, token), ask(anonymous, user.email))
        assert asked.status_code == 202
        assert chosen.status_code in (204, 404)
        alive = await world.run(
            "SELECT count(*) FROM password_reset WHERE user_id = $1 AND used_at IS NULL AND dead_at IS NULL", user.id
        )
        assert alive[0]["count"] <= 1


async def test_opening_the_link_changes_nothing(world: World, anonymous: httpx2.AsyncClient, user: TestUser) -> None:
    token = await token_of(world, anonymous, user)
    for path in (ASK, COMPLETE):
        assert (await anonymous.get(path, params={"token": token})).status_code == 405
    assert (await complete(anonymous, token)).status_code == 204
