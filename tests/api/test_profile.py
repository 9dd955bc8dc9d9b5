"""« Mon profil », over HTTP: one's own names, terms, password, number, address and authenticator app."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pyotp
import pytest
from fastapi import FastAPI

from activities.phone_losses import PhoneLosses
from db.pool import system
from domain.rights import Role, StaffRole, UserKind
from domain.sign_in import parse_recovery_code
from gateways.access_links import LinkKind, link_token
from messages.phone_sms import PHONE_CHANGED_SMS
from messages.terms import current_terms
from services.callers import Scope
from services.sessions import csrf_token, open_session
from tests.api.conftest import BASE, client, key_for
from tests.users import HERE, PASSWORD, TestUser, add_user, signed_in
from tests.world import World, new_mobile
from web.cookies import SESSION_OF
from web.csrf import HEADER

ME = f"{BASE}/me"
NEW = "quatre loutres chantent derrière le moulin"
OLD_PHONE, NEW_PHONE = new_mobile(), new_mobile()


@pytest.fixture(autouse=True)
async def _no_limit_is_reached(world: World) -> None:
    await world.run("DELETE FROM rate_limit")


@pytest.fixture
async def user(world: World) -> TestUser:
    """With a password and a proved number."""
    employer = await world.employer()
    return await add_user(world, {employer.company_id: Role.member}, password=PASSWORD, phone=OLD_PHONE)


@pytest.fixture
async def browser(app: FastAPI, world: World, user: TestUser) -> AsyncIterator[httpx2.AsyncClient]:
    """Theirs, a code given just now."""
    async with signed_in(app, world, user) as http:
        yield http


async def row_of(world: World, user: TestUser) -> dict[str, Any]:
    return dict((await world.run("SELECT * FROM portal_user WHERE id = $1", user.id))[0])


async def notices(world: World, user: TestUser) -> list[str]:
    rows = await world.run("SELECT kind FROM notice WHERE user_id = $1 ORDER BY created_at, id", user.id)
    return [row["kind"] for row in rows]


async def events(world: World, user: TestUser) -> list[str]:
    rows = await world.run("SELECT event FROM audit_log WHERE actor_id = $1 ORDER BY id", str(user.id))
    return [row["event"] for row in rows]


async def trust(world: World, user: TestUser) -> None:
    await world.run(
        "INSERT INTO trusted_device (user_id, token_hash, browser) VALUES ($1, $2, 'x')", user.id, b"d" * 32
    )


async def trusted(world: World, user: TestUser) -> int:
    rows = await world.run("SELECT count(*) FROM trusted_device WHERE user_id = $1 AND revoked_at IS NULL", user.id)
    return int(rows[0]["count"])


async def is_signed_in(http: httpx2.AsyncClient) -> bool:
    return (await http.get(ME)).status_code == 200


def body(answer: httpx2.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def field(answer: httpx2.Response) -> tuple[str, str]:
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    return error["field"], error["code"]


# --- who one is


async def test_me_tells_rights_and_administrators_and_masks_the_number(app: FastAPI, world: World) -> None:
    employer, other = await world.employer(), await world.employer()
    administrator = await add_user(world, {employer.company_id: Role.administrator})
    user = await add_user(
        world, {employer.company_id: Role.member, other.company_id: Role.administrator}, phone=OLD_PHONE
    )
    gone = await add_user(world, {employer.company_id: Role.administrator})
    await world.run("UPDATE membership SET revoked_at = now() WHERE user_id = $1", gone.id)
    async with signed_in(app, world, user) as http:
        answer = await http.get(ME)
    me = answer.json()
    names = {one.id: f"{row['first_name']} {row['last_name']}" for one in (administrator, user)
             for row in [await row_of(world, one)]}  # fmt: skip
    rights = {right["siren"]: (right["role"], right["administrators"]) for right in me["companies"]}
    assert rights == {
        employer.siren: ("member", [names[administrator.id]]),
        other.siren: ("administrator", [names[user.id]]),
    }
    assert me["phone"] == f"06 •• •• •• {OLD_PHONE[-2:]}"
    assert OLD_PHONE[-8:] not in answer.text
    assert me["email"] == user.email
    assert (me["kind"], me["perimeter"], me["has_totp"], me["recovery_codes_left"]) == ("employer", None, False, 0)
    assert me["terms"] == {"accepted": current_terms().version, "current": current_terms().version}


async def test_me_gives_the_token_that_changes_carry(browser: httpx2.AsyncClient) -> None:
    del browser.headers[HEADER]
    assert problem(await browser.patch(ME, json={"first_name": "Lou"})) == (403, "csrf_refused")
    browser.headers[HEADER] = (await browser.get(ME)).json()["csrf_token"]
    assert (await browser.patch(ME, json={"first_name": "Lou"})).status_code == 200


async def test_me_tells_when_the_session_ends(world: World, user: TestUser, browser: httpx2.AsyncClient) -> None:
    await world.run("UPDATE portal_session SET expires_at = now() + interval '10 minutes' WHERE user_id = $1", user.id)
    me = (await browser.get(ME)).json()
    assert me["idle_until"] == me["expires_at"]
    await world.run("UPDATE portal_session SET expires_at = now() + interval '10 hours' WHERE user_id = $1", user.id)
    me = (await browser.get(ME)).json()
    assert me["idle_until"] < me["expires_at"]


async def test_me_names_the_perimeter(world: World, app: FastAPI) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        await world.run("UPDATE portal_session SET company_id = $2 WHERE user_id = $1", user.id, employer.company_id)
        assert (await http.get(ME)).json()["perimeter"]["siren"] == employer.siren


async def test_staff_have_roles_and_no_terms(app: FastAPI, world: World) -> None:
    staff = await add_user(world, staff=[StaffRole.write, StaffRole.export])
    async with signed_in(app, world, staff) as http:
        me = (await http.get(ME)).json()
        assert (me["kind"], me["staff_roles"], me["terms"], me["companies"]) == ("staff", ["write", "export"], None, [])
        accepted = await http.post(f"{ME}/terms", json={"version": current_terms().version})
        assert problem(accepted) == (403, "not_allowed")


async def test_a_key_is_nobody(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        assert (await http.get(ME)).status_code == 401
        assert (await http.patch(ME, json={})).status_code == 403
        assert (await http.put(f"{ME}/password", json={"current": PASSWORD, "new": NEW})).status_code == 403


async def test_names_are_changed_one_or_both(world: World, user: TestUser, browser: httpx2.AsyncClient) -> None:
    assert (await browser.patch(ME, json={"first_name": "Lou"})).json()["last_name"] == "Essai"
    me = (await browser.patch(ME, json={"last_name": "Dupré-Martin"})).json()
    assert (me["first_name"], me["last_name"]) == ("Lou", "Dupré-Martin")
    assert field(await browser.patch(ME, json={"first_name": "\u202eLou"}))[0] == "first_name"
    assert await events(world, user) == ["user.renamed", "user.renamed"]


# --- terms


async def test_anybody_reads_the_terms(anonymous: httpx2.AsyncClient) -> None:
    terms = (await anonymous.get(f"{BASE}/terms")).json()
    assert terms["version"] == current_terms().version
    assert [section["title"] for section in terms["sections"]] == [title for title, _ in current_terms().sections]


async def test_terms_open_everything_else_once_they_are_accepted(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    user = await add_user(world, {employer.company_id: Role.member}, terms=False)
    async with signed_in(app, world, user) as http:
        assert (await http.get(ME)).json()["terms"]["accepted"] is None
        assert problem(await http.patch(ME, json={})) == (403, "terms_not_accepted")
        outdated = await http.post(f"{ME}/terms", json={"version": "1999-01"})
        assert problem(outdated) == (409, "terms_outdated")
        for _ in range(2):
            accepted = await http.post(f"{ME}/terms", json={"version": current_terms().version})
            assert accepted.status_code == 204
        assert (await http.patch(ME, json={})).status_code == 200
    rows = await world.run(
        "SELECT version, host(network) AS host, accepted_at <= now() AS at FROM terms_acceptance WHERE user_id = $1",
        user.id,
    )
    assert [tuple(row) for row in rows] == [(current_terms().version, "127.0.0.1", True)]
    assert (await events(world, user)).count("terms.accepted") == 1


# --- password


async def change_password(http: httpx2.AsyncClient, current: str = PASSWORD, new: str = NEW) -> httpx2.Response:
    return await http.put(f"{ME}/password", json={"current": current, "new": new})


async def test_a_new_password_ends_everything_but_this_session(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    await trust(world, user)
    await anonymous.post(f"{BASE}/password-resets", json={"email": user.email})
    (reset,) = await world.run("SELECT id FROM password_reset WHERE user_id = $1", user.id)
    async with signed_in(app, world, user) as other:
        assert (await change_password(browser)).status_code == 204
        assert await is_signed_in(browser)
        assert not await is_signed_in(other)
    assert await trusted(world, user) == 0
    token = link_token(world.cipher, LinkKind.password_reset, reset["id"])
    late = await anonymous.post(f"{BASE}/password-resets/completion", json={"token": token, "password": f"{NEW} !"})
    assert late.status_code == 404
    assert await notices(world, user) == ["password_reset", "password_changed"]
    assert "auth.password.changed" in await events(world, user)
    hashed = (await row_of(world, user))["password_hash"]
    assert await app.state.parts.tools.passwords.matches(hashed, NEW)


async def test_a_new_password_needs_a_fresh_code_of_whoever_can_have_one(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    with_number = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD, phone=OLD_PHONE)
    without = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD)
    async with signed_in(app, world, with_number, stepped_up=False) as http:
        assert problem(await change_password(http)) == (403, "step_up_needed")
    async with signed_in(app, world, without, stepped_up=False) as http:
        assert (await change_password(http)).status_code == 204


async def test_a_code_of_ten_minutes_ago_is_too_old(world: World, user: TestUser, browser: httpx2.AsyncClient) -> None:
    await world.run(
        "UPDATE portal_session SET stepped_up_at = now() - interval '10 minutes' WHERE user_id = $1", user.id
    )
    assert problem(await change_password(browser)) == (403, "step_up_needed")


async def test_a_wrong_password_counts_as_one_at_the_door(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    wrong = await change_password(browser, "un autre mot de passe")
    assert field(wrong) == ("current", "password.wrong")
    row = await row_of(world, user)
    assert (row["failures"], row["password_version"]) == (1, 1)
    for _ in range(9):
        assert (await change_password(browser, "un autre mot de passe")).status_code == 422
    refused = await change_password(browser)
    assert problem(refused) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await row_of(world, user))["blocked_until"] is not None


async def test_somebody_failing_at_the_door_keeps_nobody_from_changing_it(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    await world.run("UPDATE portal_user SET blocked_until = now() + interval '1 day' WHERE id = $1", user.id)
    assert (await change_password(browser)).status_code == 204


async def test_a_weak_new_password_is_refused_with_the_reason(browser: httpx2.AsyncClient) -> None:
    assert field(await change_password(browser, new="azertyuiop123"))[0] == "new"
    assert field(await change_password(browser, new="court")) == ("new", "password.too_short")


async def test_of_two_changes_at_once_one_counts(app: FastAPI, world: World, user: TestUser) -> None:
    async with signed_in(app, world, user) as one, signed_in(app, world, user) as other:
        answers = await asyncio.gather(change_password(one), change_password(other, new=f"{NEW} deux"))
        assert sorted(answer.status_code for answer in answers) == [204, 401]
        assert [await is_signed_in(http) for http in (one, other)] == [a.status_code == 204 for a in answers]
    assert (await row_of(world, user))["password_version"] == 2


# --- e-mail address


def new_address() -> str:
    return f"nouvelle{uuid4().hex[:12]}@exemple.fr"


async def ask_email(http: httpx2.AsyncClient, email: str, password: str = PASSWORD) -> httpx2.Response:
    return await http.post(f"{ME}/email", json={"email": email, "password": password})


async def email_token(world: World, email: str) -> str:
    rows = await world.run("SELECT id FROM email_change WHERE new_email = $1 ORDER BY created_at DESC", email)
    return link_token(world.cipher, LinkKind.email_change, rows[0]["id"])


async def complete_email(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.post(f"{BASE}/email-changes/completion", json={"token": token})


async def test_an_address_counts_once_its_link_was_opened(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    email = new_address()
    assert (await ask_email(browser, email)).status_code == 202
    assert (await row_of(world, user))["email"] == user.email
    (sent,) = await world.run("SELECT kind, recipient FROM notice WHERE user_id = $1", user.id)
    assert tuple(sent) == ("email_change", email)
    await anonymous.post(f"{BASE}/password-resets", json={"email": user.email})
    async with signed_in(app, world, user) as other:
        assert (await complete_email(browser, await email_token(world, email))).status_code == 204
        assert await is_signed_in(browser)
        assert not await is_signed_in(other)
    assert (await row_of(world, user))["email"] == email
    told = await world.run("SELECT recipient FROM notice WHERE user_id = $1 AND kind = 'email_changed'", user.id)
    assert [row["recipient"] for row in told] == [user.email]
    (reset,) = await world.run("SELECT dead_at FROM password_reset WHERE user_id = $1", user.id)
    assert reset["dead_at"] is not None
    assert {"auth.email.asked", "auth.email.changed"} <= set(await events(world, user))


async def test_opened_in_another_browser_every_session_ends(
    world: World, browser: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    email = new_address()
    await ask_email(browser, email)
    assert (await complete_email(anonymous, await email_token(world, email))).status_code == 204
    assert not await is_signed_in(browser)


async def test_an_address_of_somebody_else_gets_the_same_answer_and_no_message(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    employer = await world.employer()
    somebody = await add_user(world, {employer.company_id: Role.member})
    free = await ask_email(browser, new_address())
    assert body(await ask_email(browser, somebody.email)) == body(free)
    assert len(await notices(world, user)) == 1
    assert await notices(world, somebody) == []
    assert await world.run("SELECT FROM email_change WHERE new_email = $1", somebody.email) == []


async def test_a_member_of_staff_may_have_an_employers_address(app: FastAPI, world: World, user: TestUser) -> None:
    staff = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    async with signed_in(app, world, staff) as http:
        await ask_email(http, user.email)
        assert (await complete_email(http, await email_token(world, user.email))).status_code == 204
        assert await is_signed_in(http)
    assert (await row_of(world, staff))["email"] == user.email


async def test_one_answer_for_unknown_used_expired_dead_and_taken_links(
    world: World, user: TestUser, browser: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    unknown = await complete_email(anonymous, "x" * 43)
    assert unknown.status_code == 404
    emails = [new_address() for _ in range(4)]
    await ask_email(browser, emails[0])
    await ask_email(browser, emails[1])  # ends the one before
    answers = [await complete_email(anonymous, await email_token(world, emails[0]))]
    await world.run("UPDATE email_change SET expires_at = now() WHERE new_email = $1", emails[1])
    answers.append(await complete_email(anonymous, await email_token(world, emails[1])))
    await ask_email(browser, emails[2])
    employer = await world.employer()
    other = await add_user(world, {employer.company_id: Role.member})
    await world.run("UPDATE portal_user SET email = $2 WHERE id = $1", other.id, emails[2])
    answers.append(await complete_email(anonymous, await email_token(world, emails[2])))
    await ask_email(browser, emails[3])
    token = await email_token(world, emails[3])
    assert (await complete_email(anonymous, token)).status_code == 204
    answers.append(await complete_email(anonymous, token))
    for answer in answers:
        assert body(answer) == body(unknown)


async def test_an_address_needs_the_password_and_a_fresh_code(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    assert field(await ask_email(browser, new_address(), "un autre mot de passe")) == ("password", "password.wrong")
    assert field(await ask_email(browser, user.email)) == ("email", "email.same")
    async with signed_in(app, world, user, stepped_up=False) as http:
        assert problem(await ask_email(http, new_address())) == (403, "step_up_needed")


async def test_five_addresses_a_day(browser: httpx2.AsyncClient) -> None:
    statuses = [(await ask_email(browser, new_address())).status_code for _ in range(6)]
    assert statuses == [202] * 5 + [429]


async def test_a_new_password_ends_the_links_of_addresses(
    world: World, browser: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    email = new_address()
    await ask_email(browser, email)
    await change_password(browser)
    assert (await complete_email(anonymous, await email_token(world, email))).status_code == 404


# --- telephone


async def ask_phone(http: httpx2.AsyncClient, phone: str = NEW_PHONE, password: str = PASSWORD) -> httpx2.Response:
    return await http.post(f"{ME}/phone/change", json={"phone": phone, "password": password})


async def last_sms(world: World, phone: str) -> str:
    rows = await world.run(
        "SELECT text FROM local_message WHERE medium = 'sms' AND recipient = $1 ORDER BY received_at DESC LIMIT 1",
        phone,
    )
    return str(rows[0]["text"])


async def last_code(world: World, phone: str = NEW_PHONE) -> str:
    found = re.search(r"\b\d{6}\b", await last_sms(world, phone))
    assert found
    return found.group()


async def confirm_phone(http: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await http.post(f"{ME}/phone/confirmation", json={"code": code})


async def test_a_number_counts_once_its_code_was_given(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    sent = await ask_phone(browser)
    assert sent.status_code == 202, sent.text
    assert NEW_PHONE[-8:] not in sent.text
    assert (await browser.get(ME)).json()["phone"] == f"06 •• •• •• {OLD_PHONE[-2:]}"
    async with signed_in(app, world, user) as other:
        assert (await confirm_phone(browser, await last_code(world))).status_code == 204
        assert not await is_signed_in(other)
    assert (await browser.get(ME)).json()["phone"] == f"06 •• •• •• {NEW_PHONE[-2:]}"
    row = await row_of(world, user)
    assert row["code_due"] == "phone_changed"
    assert row["phone_index"] == world.cipher.blind_index(NEW_PHONE, "portal_user.phone")
    assert await notices(world, user) == ["phone_changed"]
    assert "auth.phone.changed" in await events(world, user)


async def test_the_former_number_is_told_without_a_code(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    await world.run("DELETE FROM local_message WHERE recipient = $1", OLD_PHONE)
    await ask_phone(browser)
    await confirm_phone(browser, await last_code(world))
    async with asyncio.timeout(5):
        while not await world.run("SELECT FROM local_message WHERE recipient = $1", OLD_PHONE):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await last_sms(world, OLD_PHONE) == PHONE_CHANGED_SMS


async def test_a_wrong_code_changes_nothing(world: World, user: TestUser, browser: httpx2.AsyncClient) -> None:
    await ask_phone(browser)
    wrong = f"{(int(await last_code(world)) + 1) % 10**6:06}"
    assert problem(await confirm_phone(browser, wrong)) == (422, "wrong_code")
    row = await row_of(world, user)
    assert row["phone_index"] == world.cipher.blind_index(OLD_PHONE, "portal_user.phone")
    assert (row["code_due"], await notices(world, user)) == (None, [])
    counted = await world.run("SELECT count(*) FROM wrong_code WHERE user_id = $1", user.id)
    assert counted[0]["count"] == 1


async def test_a_code_that_was_not_asked_for_is_wrong(browser: httpx2.AsyncClient) -> None:
    assert problem(await confirm_phone(browser, "123456")) == (422, "wrong_code")


async def test_of_many_confirmations_at_once_one_counts(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    await ask_phone(browser)
    code = await last_code(world)
    answers = await asyncio.gather(*(confirm_phone(browser, code) for _ in range(6)))
    assert [answer.status_code for answer in answers].count(204) == 1
    assert (await events(world, user)).count("auth.phone.changed") == 1


async def test_a_number_needs_the_password_and_a_code_of_the_old_one(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    assert field(await ask_phone(browser, password="un autre mot de passe")) == ("password", "password.wrong")
    assert field(await ask_phone(browser, OLD_PHONE)) == ("phone", "phone.same")
    assert field(await ask_phone(browser, "01 99 00 12 34"))[0] == "phone"
    assert field(await ask_phone(browser, "+44 7400 123456")) == ("phone", "phone.country")
    async with signed_in(app, world, user, stepped_up=False) as http:
        assert problem(await ask_phone(http)) == (403, "step_up_needed")
        assert problem(await confirm_phone(http, "123456")) == (403, "step_up_needed")


async def test_staff_have_no_number(app: FastAPI, world: World) -> None:
    async with staff_browser(app, world, StaffRole.read) as http:
        assert problem(await ask_phone(http)) == (403, "not_allowed")


async def test_a_sixth_user_cannot_have_the_same_number(app: FastAPI, world: World) -> None:
    """Also when they gave it before the fifth one proved it."""
    employer, phone = await world.employer(), new_mobile()
    users = [await add_user(world, {employer.company_id: Role.member}, password=PASSWORD) for _ in range(6)]
    for one in users[:4]:
        await world.run(
            "UPDATE portal_user SET phone_index = $2, phone_proved_at = now() WHERE id = $1",
            one.id,
            world.cipher.blind_index(phone, "portal_user.phone"),
        )
    async with signed_in(app, world, users[4]) as fifth, signed_in(app, world, users[5]) as sixth:
        codes = []
        for http in (fifth, sixth):
            await ask_phone(http, phone)
            codes.append(await last_code(world, phone))
        answers = await asyncio.gather(confirm_phone(fifth, codes[0]), confirm_phone(sixth, codes[1]))
        assert sorted(answer.status_code for answer in answers) == [204, 409]
    rows = await world.run(
        "SELECT count(*) FROM portal_user WHERE phone_index = $1", world.cipher.blind_index(phone, "portal_user.phone")
    )
    assert rows[0]["count"] == 5


# --- a lost telephone


async def lose(http: httpx2.AsyncClient, user_id: UUID, reason: str = "stolen") -> httpx2.Response:
    return await http.post(f"{BASE}/staff/users/{user_id}/phone-loss", json={"reason": reason})


@asynccontextmanager
async def staff_browser(
    app: FastAPI, world: World, *roles: StaffRole, stepped_up: bool = True
) -> AsyncIterator[httpx2.AsyncClient]:
    staff = await add_user(world, staff=roles, password=PASSWORD)
    async with signed_in(app, world, staff, stepped_up=stepped_up) as http:
        yield http


async def stop(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.post(f"{BASE}/phone-losses/stop", json={"token": token})


async def make_due(world: World, user: TestUser) -> None:
    await world.run("UPDATE phone_loss SET effective_at = now() WHERE user_id = $1", user.id)


async def apply_due(world: World) -> int:
    return await PhoneLosses(world.system).apply_due(100)


async def test_a_lost_phone_is_taken_away_after_a_day(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    await trust(world, user)
    await with_app(browser)
    async with staff_browser(app, world, StaffRole.write) as staff:
        asked = await lose(staff, user.id)
    assert asked.status_code == 201, asked.text
    (loss,) = await world.run(
        "SELECT effective_at - asked_at AS delay, reason FROM phone_loss WHERE user_id = $1", user.id
    )
    assert (loss["delay"].total_seconds(), loss["reason"]) == (86400, "stolen")
    assert "phone_loss" in await notices(world, user)
    await apply_due(world)
    assert (await browser.get(ME)).json()["phone"] is not None
    await make_due(world, user)
    assert await apply_due(world) == 1
    assert await apply_due(world) == 0
    row = await row_of(world, user)
    assert not any(row[column] for column in row if column.startswith(("phone_", "totp_")))
    assert row["code_due"] == "phone_changed"
    assert not await is_signed_in(browser)
    assert await trusted(world, user) == 0
    assert await world.run("SELECT FROM recovery_code WHERE user_id = $1", user.id) == []
    (entry,) = await world.run(
        "SELECT * FROM audit_log WHERE event = 'auth.phone.lost' AND object_id = $1", str(user.id)
    )
    assert entry["actor_kind"] == "system"
    async with client(app) as http:
        signed = (await http.post(f"{BASE}/sessions", json={"email": user.email, "password": PASSWORD})).json()
    assert signed["second_factor"] == {"methods": ["sms"], "phone": None}  # a number is asked as at the first time


async def test_the_user_stops_it_with_the_link_of_the_notice(
    app: FastAPI, world: World, user: TestUser, anonymous: httpx2.AsyncClient
) -> None:
    async with staff_browser(app, world, StaffRole.write) as staff:
        loss_id = UUID((await lose(staff, user.id)).json()["id"])
        assert problem(await lose(staff, user.id)) == (409, "phone_loss_open")
        token = link_token(world.cipher, LinkKind.phone_loss_stop, loss_id)
        unknown = await stop(anonymous, "x" * 43)
        assert unknown.status_code == 404
        assert (await stop(anonymous, token)).status_code == 204
        assert body(await stop(anonymous, token)) == body(unknown)
        await make_due(world, user)
        await apply_due(world)
        assert (await row_of(world, user))["phone_sealed"] is not None
        assert "auth.phone.loss_stopped" in await events(world, user)
        again = UUID((await lose(staff, user.id)).json()["id"])
    await make_due(world, user)
    await apply_due(world)
    done = await stop(anonymous, link_token(world.cipher, LinkKind.phone_loss_stop, again))
    assert body(done) == body(unknown)


async def test_only_staff_who_write_with_a_fresh_code_record_a_loss(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient, staff: httpx2.AsyncClient
) -> None:
    for roles in ([StaffRole.read], [StaffRole.export]):
        async with staff_browser(app, world, *roles) as http:
            assert problem(await lose(http, user.id)) == (403, "not_allowed")
    async with staff_browser(app, world, StaffRole.write, stepped_up=False) as http:
        assert problem(await lose(http, user.id)) == (403, "step_up_needed")
    async with staff_browser(app, world, StaffRole.write) as http:
        assert problem(await lose(http, uuid4())) == (404, "not_found")
        assert field(await lose(http, user.id, "il a déménagé"))[0] == "reason"
    assert problem(await lose(browser, user.id)) == (403, "not_allowed")
    assert problem(await lose(staff, user.id)) == (403, "not_allowed")  # a key that reads
    assert await world.run("SELECT FROM phone_loss WHERE user_id = $1", user.id) == []


async def test_a_key_of_the_staff_cannot_record_a_loss(app: FastAPI, world: World, user: TestUser) -> None:
    key = await key_for(world, await world.employer(), Scope.staff, Scope.staff_write, Scope.staff_super)
    async with client(app, key) as http:
        assert problem(await lose(http, user.id)) == (403, "not_allowed")


async def test_a_loss_of_staff_needs_a_super_and_nobody_records_their_own(app: FastAPI, world: World) -> None:
    lost = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    async with signed_in(app, world, lost) as http:
        await with_app(http)
    async with staff_browser(app, world, StaffRole.write) as writer:
        assert problem(await lose(writer, lost.id)) == (403, "not_allowed")
    one = await add_user(world, staff=[StaffRole.super], password=PASSWORD)
    async with signed_in(app, world, one) as http:
        assert (await lose(http, lost.id)).status_code == 201
        assert problem(await lose(http, one.id)) == (403, "not_allowed")


async def test_without_number_and_app_there_is_nothing_to_lose(app: FastAPI, world: World) -> None:
    bare = await add_user(world, {(await world.employer()).company_id: Role.member})
    async with staff_browser(app, world, StaffRole.write) as http:
        assert problem(await lose(http, bare.id)) == (409, "no_second_factor")


# --- authenticator app


async def begin(http: httpx2.AsyncClient, path: str = "/me/totp") -> pyotp.TOTP:
    offer = (await http.post(f"{BASE}{path}")).json()
    totp = pyotp.parse_uri(offer["uri"])
    assert isinstance(totp, pyotp.TOTP)
    assert totp.secret == offer["secret"].replace(" ", "")
    assert offer["qr"].startswith("<svg")
    return totp


async def confirm(http: httpx2.AsyncClient, code: str, path: str = "/me/totp") -> httpx2.Response:
    return await http.post(f"{BASE}{path}/confirmation", json={"code": code})


async def with_app(http: httpx2.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    totp = await begin(http)
    proved = await confirm(http, totp.now())
    assert proved.status_code == 200, proved.text
    return totp, proved.json()["codes"]


async def test_an_app_counts_once_it_has_shown_a_code(
    app: FastAPI, world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    totp = await begin(browser)
    assert not (await browser.get(ME)).json()["has_totp"]
    wrong = f"{(int(totp.now()) + 1) % 10**6:06}"
    assert problem(await confirm(browser, wrong)) == (422, "wrong_code")
    assert problem(await confirm(browser, "douze")) == (422, "wrong_code")
    async with signed_in(app, world, user) as other:
        proved = await confirm(browser, totp.now())
        assert not await is_signed_in(other)
    codes = proved.json()["codes"]
    me = (await browser.get(ME)).json()
    assert (me["has_totp"], me["recovery_codes_left"]) == (True, 10)
    assert len(set(codes)) == 10
    stored = await world.run("SELECT number, secret_hash FROM recovery_code WHERE user_id = $1", user.id)
    hashes = {row["number"]: row["secret_hash"] for row in stored}
    number, secret = parse_recovery_code(codes[6]) or (0, "")
    assert (number, len(secret)) == (7, 16)
    assert await app.state.parts.tools.passwords.matches(hashes[number], secret)
    assert totp.secret.encode() not in (await row_of(world, user))["totp_sealed"]
    assert (await row_of(world, user))["totp_last_step"] is not None
    assert await notices(world, user) == ["totp_changed"]
    assert await events(world, user) == ["auth.totp.on"]


async def test_the_former_app_holds_until_the_new_one_has_shown_a_code(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    await with_app(browser)
    former = (await row_of(world, user))["totp_sealed"]
    second = await begin(browser)
    assert (await row_of(world, user))["totp_sealed"] == former
    assert (await browser.get(ME)).json()["has_totp"]
    assert (await confirm(browser, second.now())).status_code == 200
    row = await row_of(world, user)
    sealed = world.cipher.decrypt(row["totp_sealed"], "portal_user", "totp", str(user.id))
    assert (sealed, row["totp_next_sealed"]) == (second.secret, None)
    assert problem(await confirm(browser, second.now())) == (409, "totp_not_begun")


async def test_new_recovery_codes_end_the_former_ones(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    assert problem(await browser.post(f"{ME}/recovery-codes")) == (409, "no_totp")
    _, former = await with_app(browser)
    await world.run("UPDATE recovery_code SET used_at = now() WHERE user_id = $1 AND number < 4", user.id)
    assert (await browser.get(ME)).json()["recovery_codes_left"] == 7
    codes = (await browser.post(f"{ME}/recovery-codes")).json()["codes"]
    assert not set(codes) & set(former)
    assert (await browser.get(ME)).json()["recovery_codes_left"] == 10
    assert "auth.totp.codes" in await events(world, user)


async def test_an_app_is_removed_by_whoever_has_a_number_left(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    assert problem(await browser.delete(f"{ME}/totp")) == (409, "no_totp")
    await with_app(browser)
    await world.run("UPDATE portal_user SET phone_proved_at = NULL WHERE id = $1", user.id)
    assert problem(await browser.delete(f"{ME}/totp")) == (409, "no_other_factor")
    await world.run("UPDATE portal_user SET phone_proved_at = now() WHERE id = $1", user.id)
    assert (await browser.delete(f"{ME}/totp")).status_code == 204
    me = (await browser.get(ME)).json()
    assert (me["has_totp"], me["recovery_codes_left"]) == (False, 0)
    told = await world.run("SELECT details FROM notice WHERE user_id = $1 ORDER BY id", user.id)
    assert [row["details"]["on"] for row in told] == [True, False]


async def test_the_app_needs_a_fresh_code(app: FastAPI, world: World, user: TestUser) -> None:
    async with signed_in(app, world, user, stepped_up=False) as http:
        for method, path in (("POST", "totp"), ("POST", "recovery-codes"), ("DELETE", "totp")):
            assert problem(await http.request(method, f"{ME}/{path}")) == (403, "step_up_needed"), path
        assert problem(await confirm(http, "123456")) == (403, "step_up_needed")


async def test_staff_replace_their_app_and_never_remove_it(app: FastAPI, world: World) -> None:
    async with staff_browser(app, world, StaffRole.read) as http:
        await with_app(http)
        assert problem(await http.delete(f"{ME}/totp")) == (403, "not_allowed")
        await with_app(http)


# --- the first sign-in of staff


@asynccontextmanager
async def pending(app: FastAPI, world: World, user: TestUser) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which the password was right and the second factor is asked."""
    async with system(world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage="password")
    async with client(app) as http:
        http.cookies.set(SESSION_OF[user.kind].value, opened.token)
        http.headers[HEADER] = csrf_token(opened.token)
        yield http


FIRST = "/sessions/challenge/totp"


async def test_the_first_app_of_staff_completes_the_sign_in(app: FastAPI, world: World) -> None:
    newcomer = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    async with pending(app, world, newcomer) as http:
        assert not await is_signed_in(http)
        totp, former = await begin(http, FIRST), http.cookies["staff"]
        enrolled = await confirm(http, totp.now(), FIRST)
        assert enrolled.status_code == 200, enrolled.text
        assert enrolled.json()["signed_in"]["stage"] == "open"
        assert len(enrolled.json()["codes"]) == 10
    for token, opens in ((former, False), (enrolled.cookies["staff"], True)):
        async with client(app) as http:
            http.cookies.set("staff", token)
            assert await is_signed_in(http) is opens
    assert (await row_of(world, newcomer))["last_signed_in_at"] is not None
    async with pending(app, world, newcomer) as http:
        assert problem(await http.post(f"{BASE}{FIRST}")) == (403, "not_allowed")
        assert problem(await confirm(http, totp.now(), FIRST)) == (403, "not_allowed")


async def test_of_two_first_apps_at_once_one_counts(app: FastAPI, world: World) -> None:
    newcomer = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    async with pending(app, world, newcomer) as one, pending(app, world, newcomer) as other:
        totp = await begin(one, FIRST)
        answers = await asyncio.gather(*(confirm(http, totp.now(), FIRST) for http in (one, other)))
        assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_an_employers_user_sets_no_app_up_before_the_code(app: FastAPI, world: World, user: TestUser) -> None:
    async with pending(app, world, user) as http:
        assert problem(await http.post(f"{BASE}{FIRST}")) == (403, "not_allowed")
        assert problem(await confirm(http, "123456", FIRST)) == (403, "not_allowed")


# --- everywhere


def test_nobody_gives_somebody_else_a_password(app: FastAPI) -> None:
    """security.md A-28: no route that takes a password names an account; links and sessions do."""
    document = app.openapi()
    taking = {
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if _has_password(document, operation.get("requestBody", {}), set())
    }
    assert ("put", f"{ME}/password") in taking
    assert not [path for _, path in taking if re.search(r"\{(?!token)\w+\}", path)]


def _has_password(document: dict[str, Any], part: Any, seen: set[str]) -> bool:
    if isinstance(part, list):
        return any(_has_password(document, one, seen) for one in part)
    if not isinstance(part, dict):
        return False
    reference = part.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        named = document["components"]["schemas"][reference.rpartition("/")[2]]
        if _has_password(document, named, seen):
            return True
    if any("password" in name or name in ("current", "new") for name in part.get("properties", {})):
        return True
    return any(_has_password(document, value, seen) for value in part.values())


async def test_the_audit_log_and_notices_hold_no_address_number_or_code(
    world: World, user: TestUser, browser: httpx2.AsyncClient
) -> None:
    email = new_address()
    await ask_email(browser, email)
    await ask_phone(browser)
    code = await last_code(world)
    await confirm_phone(browser, code)
    _, codes = await with_app(browser)
    await complete_email(browser, await email_token(world, email))
    await change_password(browser)
    logged = await world.run("SELECT details::text AS text FROM audit_log WHERE actor_id = $1", str(user.id))
    told = await world.run("SELECT details::text AS text FROM notice WHERE user_id = $1", user.id)
    written = " ".join(row["text"] for row in [*logged, *told])
    assert len(logged) >= 5
    for secret in (email, user.email, NEW_PHONE[-8:], OLD_PHONE[-8:], code, *codes, NEW, PASSWORD):
        assert secret not in written


@pytest.mark.parametrize("kind", list(UserKind), ids=str)
async def test_a_suspended_users_links_and_sessions_do_nothing(app: FastAPI, world: World, kind: UserKind) -> None:
    employer = await world.employer()
    if kind is UserKind.staff:
        user = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    else:
        user = await add_user(world, {employer.company_id: Role.member}, password=PASSWORD)
    email = new_address()
    async with signed_in(app, world, user) as http, client(app) as other:
        await ask_email(http, email)
        await world.run("UPDATE portal_user SET suspended_at = now() WHERE id = $1", user.id)
        assert (await complete_email(other, await email_token(world, email))).status_code == 404
        assert (await change_password(http)).status_code == 401
    assert (await row_of(world, user))["email"] == user.email
