"""« Activer mon espace » (guide, pages 4 and 5; security.md A-01 to A-05)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import create_app
from composition import passwords
from domain.rights import Role
from messages.terms import current_terms
from services.sign_in import SignedInView
from settings import ActivationProof
from tests.activating import (
    BASE,
    PASSWORD,
    address,
    administrators,
    applied,
    audited,
    code_of,
    company,
    contact_of,
    form,
    link,
    link_of,
    notices,
    reference,
    somebody,
)
from tests.api.conftest import client
from tests.noticing import settled
from tests.users import PASSWORD as OWN_PASSWORD
from tests.users import add_user, signed_in
from tests.world import World
from web.cookies import Cookie

ACTIVATIONS = f"{BASE}/activations"


@asynccontextmanager
async def app_asking_for(world: World, proof: ActivationProof) -> AsyncIterator[FastAPI]:
    """The application with another policy."""
    application = create_app(world.config.model_copy(update={"activation_proof": proof}), world.client)
    async with application.router.lifespan_context(application):
        yield application


async def completed(app: FastAPI, token: str, password: str = PASSWORD) -> httpx2.Response:
    async with somebody(app) as http:
        return await http.post(f"{ACTIVATIONS}/completion", json={"token": token, "password": password})


async def stopped(app: FastAPI, token: str) -> httpx2.Response:
    async with somebody(app) as http:
        return await http.post(f"{ACTIVATIONS}/stop", json={"token": token})


def of(answer: httpx2.Response) -> tuple[int, bytes, list[str]]:
    """Everything by which two answers can be told apart, but for the length of what they took."""
    return answer.status_code, answer.content, sorted(answer.headers)


# --- the first page


async def test_the_siret_and_the_identifier_open_the_form(app: FastAPI, world: World) -> None:
    employer = await company(world)
    async with somebody(app) as http:
        answer = await http.post(f"{ACTIVATIONS}/check", json=await reference(world, employer))
    assert answer.status_code == 200, answer.text
    assert answer.json()["company"].startswith("HÔTEL DES TESTS")
    assert not answer.cookies


async def test_spaces_and_capitals_of_the_identifier_do_not_matter(app: FastAPI, world: World) -> None:
    employer = await company(world)
    typed = (await reference(world, employer))["insurer_reference"]
    async with somebody(app) as http:
        asked = {"siret": employer.siret, "insurer_reference": f" {typed[:3].lower()} {typed[3:]}"}
        assert (await http.post(f"{ACTIVATIONS}/check", json=asked)).status_code == 200


async def every_wrong_reference(world: World) -> list[dict[str, str]]:
    """Unknown SIRET, wrong identifier, another company's, active already, company closed, establishment closed."""
    good, other, active, closed, left = [await company(world) for _ in range(5)]
    await add_user(world, {active.company_id: Role.administrator})
    await world.run("UPDATE company SET closed_on = current_date - 1 WHERE id = $1", closed.company_id)
    await world.run("UPDATE establishment SET closed_on = current_date - 1 WHERE siret = $1", left.siret)
    known = await reference(world, good)
    return [
        {**known, "siret": "99900000300015"},
        {**known, "insurer_reference": "K9999999999"},
        {**known, "insurer_reference": (await reference(world, other))["insurer_reference"]},
        await reference(world, active),
        await reference(world, closed),
        await reference(world, left),
    ]


async def test_whatever_is_wrong_gets_the_same_answer_byte_for_byte(app: FastAPI, world: World) -> None:
    answers = []
    for wrong in await every_wrong_reference(world):
        async with somebody(app) as http:
            answers.append(of(await http.post(f"{ACTIVATIONS}/check", json=wrong)))
    assert answers[0][0] == 404
    assert len(set(map(str, answers))) == 1, answers


async def test_the_form_answers_the_same_whether_a_message_leaves_or_not(app: FastAPI, world: World) -> None:
    wrong = await every_wrong_reference(world)
    member = await add_user(world, {(await world.employer()).company_id: Role.member})
    right = await company(world)
    filled = [await form(world, right, **values) for values in wrong]
    filled += [await form(world, right), await form(world, right, email=member.email)]
    answers = []
    for one in filled:
        async with somebody(app) as http:
            answers.append(of(await http.post(ACTIVATIONS, json=one)))
    assert answers[0][0] == 202
    assert len(set(map(str, answers))) == 1, answers
    sent = await notices(world, right, "activation", count=2)
    assert [notice["goes_to"] for notice in sent] == [filled[-2]["email"], member.email]


# --- limits


async def test_a_siret_is_tried_five_times_an_hour(app: FastAPI, world: World) -> None:
    employer = await company(world)
    known = await reference(world, employer)
    for expected in [200] * 5 + [429]:
        async with somebody(app) as http:
            answer = await http.post(f"{ACTIVATIONS}/check", json=known)
        assert answer.status_code == expected
    assert int(answer.headers["retry-after"]) > 0
    async with somebody(app) as http:
        assert (await http.post(ACTIVATIONS, json=await form(world, employer))).status_code == 429


async def test_an_address_tries_ten_times_an_hour_whatever_the_siret(app: FastAPI, world: World) -> None:
    known = [await reference(world, await company(world)) for _ in range(3)]
    async with somebody(app) as http:
        answers = [await http.post(f"{ACTIVATIONS}/check", json=known[n % 3]) for n in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


async def test_a_password_that_does_not_go_costs_no_try(app: FastAPI, world: World) -> None:
    employer = await company(world)
    weak = await form(world, employer, password="azertyuiop12")
    async with somebody(app) as http:
        for _ in range(12):
            assert (await http.post(ACTIVATIONS, json=weak)).status_code == 422
        assert (await http.post(ACTIVATIONS, json={**weak, "password": PASSWORD})).status_code == 202


async def test_a_hundred_tries_an_hour_raise_the_alarm_once_and_keep_nobody_out(app: FastAPI, world: World) -> None:
    key = world.cipher.blind_index("", "limit.activation_global")
    alarm = world.cipher.blind_index("", "limit.activation_alarm")
    await world.run("DELETE FROM rate_limit WHERE key = $1", alarm)
    await world.run(
        "INSERT INTO rate_limit (key, tat) VALUES ($1, now() + interval '65 minutes')"
        " ON CONFLICT (key) DO UPDATE SET tat = excluded.tat",
        key,
    )
    before = await world.run("SELECT FROM audit_log WHERE event = 'auth.activation.limit'")
    for _ in range(2):
        async with somebody(app) as http:
            known = await reference(world, await company(world))
            assert (await http.post(f"{ACTIVATIONS}/check", json=known)).status_code == 200
    after = await world.run("SELECT FROM audit_log WHERE event = 'auth.activation.limit'")
    assert len(after) == len(before) + 1
    await world.run("DELETE FROM rate_limit WHERE key = $1", key)


async def test_an_address_has_sixty_passwords_looked_at_in_an_hour(app: FastAPI, world: World) -> None:
    here = address()
    key = world.cipher.blind_index(f"{here}/32", "limit.activation_password")
    await world.run("INSERT INTO rate_limit (key, tat) VALUES ($1, now() + interval '57 minutes 55 seconds')", key)
    async with client(app, address=here) as http:
        asked = {"token": "x" * 43, "password": PASSWORD}
        answers = [(await http.post(f"{ACTIVATIONS}/completion", json=asked)).status_code for _ in range(3)]
    assert answers == [404, 404, 429]


# --- what is typed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "onze"}, "password"),
        ({"password": "dominique vasseur dominique"}, "password"),
        ({"password": "onze\0pastèques sous un parapluie"}, "password"),
        ({"email": "personne"}, "email"),
        ({"first_name": " "}, "first_name"),
        ({"terms_version": "1999-01"}, "terms_version"),
        ({"siret": "123"}, "siret"),
        ({"role": "administrator"}, "role"),
    ],
    ids=["short", "names", "nul", "email", "first_name", "terms", "siret", "unknown"],
)
async def test_what_is_wrong_with_a_field_is_said_in_french(
    app: FastAPI, world: World, changes: dict[str, str], field: str
) -> None:
    employer = await company(world)
    async with somebody(app) as http:
        answer = await http.post(ACTIVATIONS, json=await form(world, employer, **changes))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not await world.run("SELECT FROM activation WHERE company_id = $1", employer.company_id)


async def test_a_password_made_of_the_company_s_name_is_refused(app: FastAPI, world: World) -> None:
    employer = await company(world)
    await world.run("UPDATE company SET name = 'Zébulon Quincampoix' WHERE id = $1", employer.company_id)
    async with somebody(app) as http:
        filled = await form(world, employer, password="zebulon quincampoix")
        assert (await http.post(ACTIVATIONS, json=filled)).status_code == 422


# --- the link


async def test_who_filled_in_the_form_and_opens_its_message_administers_the_company(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer, email="Gerante.Vasseur@Exemple.fr")
    assert await administrators(world, employer) == []
    answer = await completed(app, token)
    assert answer.status_code == 200, answer.text
    view = SignedInView.model_validate(answer.json())
    assert (view.stage, view.second_factor.methods if view.second_factor else None) == ("code", ["sms"])
    assert answer.cookies[Cookie.employer]
    assert await administrators(world, employer) == ["gerante.vasseur@exemple.fr"]
    users = await world.run("SELECT * FROM portal_user WHERE email = 'gerante.vasseur@exemple.fr'")
    assert users[0]["email_proved_at"] is not None
    assert users[0]["terms_version"] == current_terms().version
    assert await passwords(world.config).matches(users[0]["password_hash"], PASSWORD)
    accepted = await world.run("SELECT * FROM terms_acceptance WHERE user_id = $1", users[0]["id"])
    assert (accepted[0]["version"], str(accepted[0]["network"])[:5]) == (current_terms().version, "10.77")
    rows = await world.run("SELECT activated_at FROM company WHERE id = $1", employer.company_id)
    assert rows[0]["activated_at"] is not None
    assert await audited(world, employer) == ["auth.activation.tried", "terms.accepted", "company.activated"]


async def test_the_session_of_an_activation_waits_for_its_code(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    async with somebody(app) as http:
        answer = await http.post(f"{ACTIVATIONS}/completion", json={"token": token, "password": PASSWORD})
        assert answer.status_code == 200
        assert (await http.get(f"{BASE}/companies")).status_code == 401


async def every_dead_link(app: FastAPI, world: World) -> list[tuple[str, str]]:
    """(token, password): unknown, wrong password, used, stopped, too old, company active, company closed."""
    dead = [("x" * 43, PASSWORD)]
    dead.append((await applied(app, world, await company(world)), "ce n’est pas celui qui a été choisi"))
    used = await applied(app, world, await company(world))
    assert (await completed(app, used)).status_code == 200
    dead.append((used, PASSWORD))
    contacted = await company(world)
    refused = await applied(app, world, contacted)
    assert (await stopped(app, await link(world, contacted, "activation_told"))).status_code == 204
    dead.append((refused, PASSWORD))
    late = await company(world)
    dead.append((await applied(app, world, late), PASSWORD))
    await world.run("UPDATE activation SET expires_at = now() WHERE company_id = $1", late.company_id)
    joined = await company(world)
    dead.append((await applied(app, world, joined), PASSWORD))
    await add_user(world, {joined.company_id: Role.administrator})
    closed = await company(world)
    dead.append((await applied(app, world, closed), PASSWORD))
    await world.run("UPDATE company SET closed_on = current_date - 1 WHERE id = $1", closed.company_id)
    return dead


async def test_every_dead_link_and_a_wrong_password_get_the_same_answer(app: FastAPI, world: World) -> None:
    answers = [of(await completed(app, *dead)) for dead in await every_dead_link(app, world)]
    assert answers[0][0] == 404
    assert len(set(map(str, answers))) == 1, answers


async def test_a_link_takes_five_passwords_and_then_not_the_right_one_either(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    for number in range(5):
        assert (await completed(app, token, f"un autre mot de passe {number}")).status_code == 404
    assert (await completed(app, token)).status_code == 404
    assert await administrators(world, employer) == []


async def test_nobody_makes_a_stranger_s_mailbox_confirm_their_password(app: FastAPI, world: World) -> None:
    """The stranger opens the message, and does not know what was typed."""
    employer = await company(world)
    victim = await add_user(world, {(await world.employer()).company_id: Role.member}, password=OWN_PASSWORD)
    token = await applied(app, world, employer, email=victim.email)
    assert (await completed(app, token, PASSWORD)).status_code == 404
    stored = await world.run("SELECT password_hash FROM portal_user WHERE id = $1", victim.id)
    assert await passwords(world.config).matches(stored[0]["password_hash"], OWN_PASSWORD)


async def test_a_user_of_another_company_adds_this_one_with_their_own_password(app: FastAPI, world: World) -> None:
    first, second = await world.employer(), await company(world)
    user = await add_user(world, {first.company_id: Role.member}, password=OWN_PASSWORD, phone="+33612345678")
    token = await applied(app, world, second, email=user.email)
    answer = await completed(app, token, OWN_PASSWORD)
    assert answer.status_code == 200, answer.text
    assert answer.json()["reasons"] == ["first_sign_in"]
    assert answer.json()["second_factor"]["phone"].endswith("78")
    assert await administrators(world, second) == [user.email]
    rows = await world.run("SELECT * FROM portal_user WHERE email = $1", user.email)
    assert (rows[0]["code_due"], rows[0]["last_name"]) == ("role_raised", "Essai")
    assert await passwords(world.config).matches(rows[0]["password_hash"], OWN_PASSWORD)
    memberships = await world.run("SELECT role FROM membership WHERE user_id = $1 ORDER BY role", user.id)
    assert [row["role"] for row in memberships] == ["administrator", "member"]


@pytest.mark.parametrize("column", ["suspended_at", "revoked_at"])
async def test_a_closed_account_activates_nothing(app: FastAPI, world: World, column: str) -> None:
    employer = await company(world)
    user = await add_user(world, password=OWN_PASSWORD)
    token = await applied(app, world, employer, email=user.email)
    await world.run(f"UPDATE portal_user SET {column} = now() WHERE id = $1", user.id)
    assert (await completed(app, token, OWN_PASSWORD)).status_code == 404
    assert await administrators(world, employer) == []


async def test_somebody_invited_elsewhere_who_has_no_password_yet_gets_this_one(app: FastAPI, world: World) -> None:
    employer = await company(world)
    user = await add_user(world)
    await world.run("UPDATE portal_user SET email_proved_at = NULL, password_version = 0 WHERE id = $1", user.id)
    token = await applied(app, world, employer, email=user.email)
    assert (await completed(app, token)).status_code == 200
    rows = await world.run("SELECT * FROM portal_user WHERE id = $1", user.id)
    assert (rows[0]["last_name"], rows[0]["password_version"]) == ("Vasseur", 1)
    assert rows[0]["email_proved_at"] is not None


# --- at once


async def test_two_activations_completed_at_once_make_one_administrator(app: FastAPI, world: World) -> None:
    for _ in range(3):
        employer = await company(world)
        tokens = [await applied(app, world, employer) for _ in range(2)]
        answers = await asyncio.gather(*(completed(app, token) for token in tokens))
        assert sorted(answer.status_code for answer in answers) == [200, 404]
        assert len(await administrators(world, employer)) == 1
        refused = next(answer for answer in answers if answer.status_code == 404)
        assert of(refused) == of(await completed(app, "x" * 43))


async def test_one_link_in_twenty_parallel_requests_is_completed_once(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    answers = await asyncio.gather(*(completed(app, token) for _ in range(20)))
    assert sorted({answer.status_code for answer in answers}) in ([200, 404], [200, 404, 503])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert len(await administrators(world, employer)) == 1
    assert (await audited(world, employer)).count("company.activated") == 1


async def test_an_activation_and_an_addition_at_once_make_one_administrator(app: FastAPI, world: World) -> None:
    for _ in range(3):
        employer = await company(world)
        user = await add_user(world, {(await world.employer()).company_id: Role.member}, password=OWN_PASSWORD)
        token = await applied(app, world, employer)
        async with signed_in(app, world, user) as http:
            both = await asyncio.gather(
                completed(app, token),
                http.post(f"{BASE}/establishments", json=await reference(world, employer)),
            )
        assert sorted(answer.status_code for answer in both) == [200, 404]
        assert len(await administrators(world, employer)) == 1


async def test_stopped_at_the_moment_of_its_completion_nobody_has_rights(app: FastAPI, world: World) -> None:
    for _ in range(4):
        employer = await company(world)
        token = await applied(app, world, employer)
        stop = await link(world, employer, "activation_told")
        done, stopped_too = await asyncio.gather(completed(app, token), stopped(app, stop))
        assert (done.status_code in (200, 404), stopped_too.status_code) == (True, 204)
        assert await administrators(world, employer) == []


# --- the known contact


async def test_the_known_contact_is_told_of_every_activation(app: FastAPI, world: World) -> None:
    employer = await company(world)
    await applied(app, world, employer)
    await applied(app, world, employer)
    told = await notices(world, employer, "activation_told", count=2)
    assert [notice["goes_to"] for notice in told] == [contact_of(employer)] * 2
    assert [(await settled(world, notice["id"]))["state"] for notice in told] == ["handed_over"] * 2


async def test_the_known_contact_stops_an_activation_before_it_is_completed(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    stop = await link(world, employer, "activation_told")
    assert [(await stopped(app, stop)).status_code for _ in range(2)] == [204, 204]
    assert (await completed(app, token)).status_code == 404
    assert (await audited(world, employer))[-1] == "company.activation_stopped"
    again = await applied(app, world, employer)
    assert (await completed(app, again)).status_code == 200, "somebody else may still activate it"


async def test_stopped_within_a_week_all_rights_that_came_of_it_are_suspended(app: FastAPI, world: World) -> None:
    employer = await company(world)
    filled = await form(world, employer)
    token = await applied(app, world, employer, email=filled["email"])
    assert (await completed(app, token)).status_code == 200
    accomplice = await add_user(world, {employer.company_id: Role.administrator})
    await world.run(
        "INSERT INTO api_key (name, secret_hash, scopes, company_ids, created_by) VALUES ('paie', $1, '{}', $2, $3)",
        os.urandom(32),
        [employer.company_id],
        accomplice.id,
    )
    async with signed_in(app, world, accomplice) as http:
        assert (await http.get(f"{BASE}/companies")).status_code == 200
        await world.run(
            "UPDATE activation SET completed_at = now() - interval '6 days' WHERE company_id = $1", employer.company_id
        )
        stop = await link(world, employer, "activation_told")
        assert (await stopped(app, stop)).status_code == 204
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    assert await administrators(world, employer) == []
    assert (await audited(world, employer))[-3:] == ["company.activation_disputed", "user.suspended", "user.suspended"]
    assert len(await notices(world, employer, "access_suspended", count=2)) == 2
    keys = await world.run("SELECT revoked_at FROM api_key WHERE created_by = $1", accomplice.id)
    assert keys[0]["revoked_at"] is not None
    assert (await stopped(app, stop)).status_code == 204
    assert (await audited(world, employer)).count("company.activation_disputed") == 1


async def test_after_a_week_the_stop_link_does_nothing(app: FastAPI, world: World) -> None:
    employer = await company(world)
    assert (await completed(app, await applied(app, world, employer))).status_code == 200
    stop = await link(world, employer, "activation_told")
    await world.run(
        "UPDATE activation SET completed_at = now() - interval '7 days' WHERE company_id = $1", employer.company_id
    )
    late, unknown = await stopped(app, stop), await stopped(app, "x" * 43)
    assert of(late) == of(unknown)
    assert late.status_code == 404
    assert len(await administrators(world, employer)) == 1


async def test_no_link_does_another_link_s_work(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    stop = await link(world, employer, "activation_told")
    assert (await stopped(app, token)).status_code == 404
    assert (await completed(app, stop)).status_code == 404
    async with somebody(app) as http:
        assert (await http.post(f"{ACTIVATIONS}/agreement", json={"token": token})).status_code == 404


# --- other policies


async def test_where_the_contact_agrees_first_the_address_is_proved_afterwards(app: FastAPI, world: World) -> None:
    employer = await company(world)
    async with app_asking_for(world, ActivationProof.register_contact) as asking, somebody(asking) as http:
        filled = await form(world, employer)
        assert (await http.post(ACTIVATIONS, json=filled)).status_code == 202
        asked = (await notices(world, employer, "activation_agreement"))[0]
        assert asked["goes_to"] == contact_of(employer)
        agreement = await link_of(world, asked)
        assert (await completed(asking, agreement)).status_code == 404, "the contact's link proves no address"
        assert (await http.post(f"{ACTIVATIONS}/agreement", json={"token": agreement})).status_code == 204
        assert (await http.post(f"{ACTIVATIONS}/agreement", json={"token": agreement})).status_code == 404
    sent = (await notices(world, employer, "activation"))[0]
    assert sent["goes_to"] == filled["email"]
    assert (await completed(app, await link_of(world, sent))).status_code == 200
    assert await administrators(world, employer) == [filled["email"]]
    assert (await notices(world, employer, "activation_told"))[0]["goes_to"] == contact_of(employer)


@pytest.mark.parametrize("proof", [ActivationProof.letter, ActivationProof.register_contact])
async def test_by_letter_the_address_is_proved_after_its_code(
    app: FastAPI, world: World, proof: ActivationProof
) -> None:
    """The contact's agreement cannot be asked for where nobody is known."""
    employer = await company(world, contact=None)
    async with app_asking_for(world, proof) as asking, somebody(asking) as http:
        filled = await form(world, employer)
        assert (await http.post(ACTIVATIONS, json=filled)).status_code == 202
        code = await code_of(world, (await notices(world, employer, "activation_letter"))[0])
        answers = [await http.post(f"{ACTIVATIONS}/code", json={"code": code}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 404]
    sent = (await notices(world, employer, "activation"))[0]
    assert (await completed(app, await link_of(world, sent))).status_code == 200
    assert await administrators(world, employer) == [filled["email"]]


async def test_where_nobody_can_prove_it_nothing_begins_and_the_answer_is_the_same(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    async with app_asking_for(world, ActivationProof.letter) as asking, somebody(asking) as http:
        filled = await form(world, employer)
        answer = await http.post(ACTIVATIONS, json=filled)
        unknown = await http.post(ACTIVATIONS, json={**filled, "insurer_reference": "K9"})
    assert of(answer) == of(unknown)
    assert not await world.run("SELECT FROM activation WHERE company_id = $1", employer.company_id)


async def test_a_browser_elsewhere_activates_nothing(app: FastAPI, world: World) -> None:
    employer = await company(world)
    async with somebody(app) as http:
        answer = await http.post(
            f"{ACTIVATIONS}/check", json=await reference(world, employer), headers={"Sec-Fetch-Site": "cross-site"}
        )
    assert answer.status_code == 403


async def test_no_password_and_no_token_is_stored_in_clear(app: FastAPI, world: World) -> None:
    employer = await company(world)
    token = await applied(app, world, employer)
    for table in ("activation", "notice", "audit_log"):
        rows: list[Any] = await world.run(
            f"SELECT t::text AS line FROM {table} t WHERE company_id = $1", employer.company_id
        )
        assert rows
        assert not [row for row in rows if PASSWORD in row["line"] or token in row["line"]]
