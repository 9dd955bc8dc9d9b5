"""« Ajouter un établissement au périmètre suivi » (guide, page 8)."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from fastapi import FastAPI

from composition import passwords
from domain.rights import Role, StaffRole
from settings import ActivationProof
from tests.activating import BASE, administrators, audited, company, contact_of, link, link_of, notices, reference
from tests.api.conftest import client, key_for
from tests.api.test_activations import app_asking_for, completed, of, stopped
from tests.users import PASSWORD, TestUser, add_user, signed_in
from tests.world import World

ESTABLISHMENTS = f"{BASE}/establishments"


async def user_elsewhere(world: World) -> TestUser:
    return await add_user(world, {(await world.employer()).company_id: Role.member}, password=PASSWORD)


async def added(http: httpx2.AsyncClient, known: dict[str, str]) -> httpx2.Response:
    return await http.post(ESTABLISHMENTS, json=known)


async def test_an_establishment_of_a_company_that_is_followed_already_is_no_news(app: FastAPI, world: World) -> None:
    employer = await company(world)
    user = await add_user(world, {employer.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        answer = await added(http, await reference(world, employer))
    assert (answer.status_code, answer.json()["outcome"]) == (200, "followed")
    assert await audited(world, employer) == []


async def test_a_company_that_has_no_administrator_is_administered_from_then_on(app: FastAPI, world: World) -> None:
    employer, user = await company(world), await user_elsewhere(world)
    async with signed_in(app, world, user) as http:
        answer = await added(http, await reference(world, employer))
        assert (answer.status_code, answer.json()["outcome"]) == (200, "added"), answer.text
        sirens = [row["siren"] for row in (await http.get(f"{BASE}/companies")).json()["items"]]
        assert (await added(http, await reference(world, employer))).json()["outcome"] == "followed"
    assert employer.siren in sirens
    assert await administrators(world, employer) == [user.email]
    assert await audited(world, employer) == ["company.activated"]
    rows = await world.run("SELECT activated_at FROM company WHERE id = $1", employer.company_id)
    assert rows[0]["activated_at"] is not None
    assert (await notices(world, employer, "establishment_added"))[0]["goes_to"] == user.email
    assert (await notices(world, employer, "activation_told"))[0]["goes_to"] == contact_of(employer)


async def test_the_known_contact_can_undo_it_for_a_week(app: FastAPI, world: World) -> None:
    employer, user = await company(world), await user_elsewhere(world)
    async with signed_in(app, world, user) as http:
        assert (await added(http, await reference(world, employer))).status_code == 200
    assert (await stopped(app, await link(world, employer, "activation_told"))).status_code == 204
    assert await administrators(world, employer) == []
    async with signed_in(app, world, user) as http:
        assert len((await http.get(f"{BASE}/companies")).json()["items"]) == 1, "their other company is still theirs"
        assert (await added(http, await reference(world, employer))).status_code == 404


async def test_what_is_joined_by_invitation_only_cannot_be_told_from_what_is_wrong(app: FastAPI, world: World) -> None:
    known = await reference(world, await company(world))
    active, closed = await company(world), await company(world)
    await add_user(world, {active.company_id: Role.administrator})
    await world.run(
        "UPDATE company SET closed_on = (now() AT TIME ZONE 'Europe/Paris')::date WHERE id = $1", closed.company_id
    )
    async with signed_in(app, world, await user_elsewhere(world)) as http:
        answers = [
            of(await added(http, asked))
            for asked in (
                await reference(world, active),
                await reference(world, closed),
                {**known, "insurer_reference": "K9999999999"},
                {**known, "siret": "99900000300015"},
            )
        ]
    assert answers[0][0] == 404
    assert len(set(map(str, answers))) == 1, answers


async def test_five_are_tried_in_an_hour(app: FastAPI, world: World) -> None:
    known = {"siret": "99900000300015", "insurer_reference": "K1"}
    async with signed_in(app, world, await user_elsewhere(world)) as http:
        answers = [(await added(http, known)).status_code for _ in range(6)]
    assert answers == [404] * 5 + [429]


async def test_a_code_of_less_than_ten_minutes_is_needed(app: FastAPI, world: World) -> None:
    employer = await company(world)
    async with signed_in(app, world, await user_elsewhere(world), stepped_up=False) as http:
        answer = await added(http, await reference(world, employer))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:hcr:problem:step_up_needed")
    assert await administrators(world, employer) == []


async def test_neither_machines_nor_staff_add_one(app: FastAPI, world: World) -> None:
    employer = await company(world)
    known = await reference(world, employer)
    staff = await add_user(world, staff=[StaffRole.super])
    async with (
        client(app, await key_for(world, await world.employer(), *employer.caller.scopes)) as machine,
        signed_in(app, world, staff) as member,
    ):
        assert [(await added(http, known)).status_code for http in (machine, member)] == [403, 403]
    assert await administrators(world, employer) == []


async def test_two_users_at_once_make_one_administrator(app: FastAPI, world: World) -> None:
    for _ in range(3):
        employer = await company(world)
        known = await reference(world, employer)
        one, other = await user_elsewhere(world), await user_elsewhere(world)
        async with signed_in(app, world, one) as first, signed_in(app, world, other) as second:
            answers = await asyncio.gather(added(first, known), added(second, known))
        assert sorted(answer.status_code for answer in answers) == [200, 404]
        assert len(await administrators(world, employer)) == 1


@pytest.mark.parametrize("proof", [ActivationProof.register_contact, ActivationProof.letter])
async def test_under_a_stricter_policy_it_is_proved_as_an_activation_is(
    app: FastAPI, world: World, proof: ActivationProof
) -> None:
    employer, user = await company(world), await user_elsewhere(world)
    async with app_asking_for(world, proof) as asking, signed_in(asking, world, user) as http:
        answer = await added(http, await reference(world, employer))
        assert (answer.status_code, answer.json()["outcome"]) == (200, "proof_asked")
    assert await administrators(world, employer) == []
    if proof is ActivationProof.register_contact:
        agreement = await link(world, employer, "activation_agreement")
        async with client(app) as contact:
            agreed = await contact.post(f"{BASE}/activations/agreement", json={"token": agreement})
            assert agreed.status_code == 204
        sent = (await notices(world, employer, "activation"))[0]
        assert sent["goes_to"] == user.email
        assert (await completed(app, await link_of(world, sent), PASSWORD)).status_code == 200
        assert await administrators(world, employer) == [user.email]
        rows = await world.run("SELECT password_hash FROM portal_user WHERE id = $1", user.id)
        assert await passwords(world.config).matches(rows[0]["password_hash"], PASSWORD)
    else:
        assert (await notices(world, employer, "activation_letter"))[0]["medium"] == "post"
