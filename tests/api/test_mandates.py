"""Third-party declarants: asked for, accepted, refused, revoked, and what was done in the company's name."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import Role
from domain.working_time import months_after, paris_date
from tests.api.conftest import BASE, client
from tests.api.test_users import USERS, accept, invitation, link_of, membership, notices
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, World

MANDATES = f"{BASE}/mandates"


def day(days: int) -> date:
    return paris_date(datetime.now(UTC)) + timedelta(days=days)


@dataclass(frozen=True)
class Stage:
    """A company with its administrator, and an accountant of another one; each in their browser."""

    world: World
    employer: Employer
    reference: str
    administrator: TestUser
    admin: httpx2.AsyncClient
    declarant: TestUser
    http: httpx2.AsyncClient

    async def ask(self, **changes: Any) -> httpx2.Response:
        body = {"siret": self.employer.siret, "insurer_reference": self.reference, **changes}
        return await self.http.post(MANDATES, json=body)

    async def asked(self) -> str:
        """The id of a new request, as the administrator sees it."""
        assert (await self.ask()).status_code == 202
        return str(next(item["id"] for item in await self.listed(self.admin) if item["state"] == "asked"))

    async def given(self, days: int = 90) -> str:
        mandate_id = await self.asked()
        answer = await self.admin.post(f"{MANDATES}/{mandate_id}/acceptance", json={"ends_on": day(days).isoformat()})
        assert answer.status_code == 200, answer.text
        return mandate_id

    async def listed(self, http: httpx2.AsyncClient) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await http.get(MANDATES)).json()["items"]
        return items


@pytest.fixture
async def stage(app: FastAPI, world: World) -> AsyncIterator[Stage]:
    employer, office = await world.employer(), await world.employer()
    administrator = await add_user(world, {employer.company_id: Role.administrator})
    declarant = await add_user(world, {office.company_id: Role.administrator})
    rows = await world.run("SELECT insurer_reference FROM company WHERE id = $1", employer.company_id)
    async with signed_in(app, world, administrator) as admin, signed_in(app, world, declarant) as http:
        yield Stage(world, employer, rows[0][0], administrator, admin, declarant, http)


async def test_a_declarant_asks_the_company_accepts_and_they_act_until_that_day(stage: Stage) -> None:
    mandate_id = await stage.asked()
    assert await notices(stage.world, stage.administrator.id) == ["mandate_asked"]
    assert await membership(stage.world, stage.declarant.id, stage.employer.company_id) is None
    answer = await stage.admin.post(f"{MANDATES}/{mandate_id}/acceptance", json={"ends_on": day(90).isoformat()})
    assert (answer.json()["state"], answer.json()["ends_on"]) == ("accepted", day(90).isoformat())
    row = await membership(stage.world, stage.declarant.id, stage.employer.company_id)
    assert (row["role"], row["ends_on"], str(row["mandate_id"])) == ("member", day(90), mandate_id)
    companies = (await stage.http.get(f"{BASE}/companies")).json()["items"]
    assert stage.employer.siren in {company["siren"] for company in companies}
    assert await notices(stage.world, stage.declarant.id) == ["mandate_accepted"]
    listed = (await stage.admin.get(USERS, params={"siren": stage.employer.siren})).json()["items"]
    rights = {item["id"]: item["rights"][0] for item in listed}
    assert rights[str(stage.declarant.id)]["mandate"] == {"id": mandate_id, "ends_on": day(90).isoformat()}


async def test_a_wrong_identifier_gets_the_answer_of_the_right_one_and_nobody_is_written_to(stage: Stage) -> None:
    bare = await stage.world.employer()  # nobody has activated it
    asked = [
        {"insurer_reference": "K9999999"},
        {"siret": "73282932000074"},
        {"siret": bare.siret},
        {},
        {},  # asked for already
    ]
    answers = [await stage.ask(**changes) for changes in asked]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert await notices(stage.world, stage.administrator.id) == ["mandate_asked"]
    assert len(await stage.listed(stage.http)) == 1


async def test_capitals_and_spaces_of_the_identifier_do_not_matter(stage: Stage) -> None:
    await stage.ask(insurer_reference=f" {stage.reference[:3].lower()} {stage.reference[3:]}")
    assert len(await stage.listed(stage.http)) == 1


async def test_who_has_rights_there_already_asks_for_nothing(app: FastAPI, stage: Stage) -> None:
    member = await add_user(stage.world, {stage.employer.company_id: Role.member})
    async with signed_in(app, stage.world, member) as http:
        body = {"siret": stage.employer.siret, "insurer_reference": stage.reference}
        assert (await http.post(MANDATES, json=body)).status_code == 202
        assert await stage.listed(http) == []


async def test_a_refused_request_is_not_repeated_within_a_week(stage: Stage) -> None:
    mandate_id = await stage.asked()
    refused = await stage.admin.post(f"{MANDATES}/{mandate_id}/refusal")
    assert refused.json()["state"] == "refused"
    assert await notices(stage.world, stage.declarant.id) == ["mandate_refused"]
    assert await membership(stage.world, stage.declarant.id, stage.employer.company_id) is None
    await stage.ask()
    assert len(await stage.listed(stage.http)) == 1
    await stage.world.run("UPDATE mandate SET decided_at = now() - interval '8 days' WHERE id = $1", UUID(mandate_id))
    await stage.ask()
    assert len(await stage.listed(stage.http)) == 2


async def test_a_request_is_decided_once(stage: Stage) -> None:
    mandate_id = await stage.asked()
    accept_it = stage.admin.post(f"{MANDATES}/{mandate_id}/acceptance", json={"ends_on": day(1).isoformat()})
    answers = await asyncio.gather(accept_it, stage.admin.post(f"{MANDATES}/{mandate_id}/refusal"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize(("months", "status"), [(24, 200), (25, 422), (-1, 422)])
async def test_a_mandate_lasts_at_most_twenty_four_months(stage: Stage, months: int, status: int) -> None:
    mandate_id = await stage.asked()
    until = months_after(day(0), months).isoformat()
    answer = await stage.admin.post(f"{MANDATES}/{mandate_id}/acceptance", json={"ends_on": until})
    assert answer.status_code == status


async def test_the_company_takes_a_mandate_back_at_once(stage: Stage) -> None:
    mandate_id = await stage.given()
    assert (await stage.admin.delete(f"{MANDATES}/{mandate_id}")).status_code == 204
    companies = (await stage.http.get(f"{BASE}/companies")).json()["items"]
    assert stage.employer.siren not in {company["siren"] for company in companies}
    assert (await notices(stage.world, stage.declarant.id))[-1] == "mandate_ended"
    assert (await stage.admin.delete(f"{MANDATES}/{mandate_id}")).status_code == 409
    row = (await stage.world.run("SELECT state, ended_by FROM mandate WHERE id = $1", UUID(mandate_id)))[0]
    assert (row["state"], row["ended_by"]) == ("revoked", stage.administrator.id)


async def test_revoked_among_the_users_the_mandate_ends_too(stage: Stage) -> None:
    mandate_id = await stage.given()
    at = f"{USERS}/{stage.declarant.id}/memberships/{stage.employer.siren}"
    assert (await stage.admin.put(at, json={"role": "administrator"})).status_code == 409
    assert (await stage.admin.delete(at)).status_code == 204
    assert (await stage.listed(stage.admin))[0]["state"] == "revoked"
    assert (await notices(stage.world, stage.declarant.id))[-1] == "mandate_ended"
    assert (await stage.ask()).status_code == 202
    assert [item["state"] for item in await stage.listed(stage.admin)] == ["asked", "revoked"]
    assert mandate_id == (await stage.listed(stage.admin))[1]["id"]


async def test_the_declarant_gives_it_up_without_a_code(app: FastAPI, stage: Stage) -> None:
    mandate_id = await stage.given()
    async with signed_in(app, stage.world, stage.declarant, stepped_up=False) as http:
        assert (await http.delete(f"{MANDATES}/{mandate_id}")).status_code == 204
    row = await membership(stage.world, stage.declarant.id, stage.employer.company_id)
    assert row["revoked_at"] is not None
    again = await stage.asked()
    assert (await stage.http.delete(f"{MANDATES}/{again}")).status_code == 204  # withdrawn
    answer = await stage.admin.post(f"{MANDATES}/{again}/acceptance", json={"ends_on": day(9).isoformat()})
    assert answer.status_code == 409


async def test_an_administrator_answers_a_request_and_does_not_revoke_it(stage: Stage) -> None:
    assert (await stage.admin.delete(f"{MANDATES}/{await stage.asked()}")).status_code == 409


async def test_a_foreign_mandate_is_not_found_as_an_unknown_one(app: FastAPI, stage: Stage) -> None:
    elsewhere = await stage.world.employer()
    stranger = await add_user(stage.world, {elsewhere.company_id: Role.administrator})
    mandate_id, unknown = await stage.given(), UUID(int=secrets.randbits(128))
    until = {"ends_on": day(9).isoformat()}
    async with signed_in(app, stage.world, stranger) as http:
        assert await stage.listed(http) == []
        for method, path, body in (
            ("POST", "/acceptance", until),
            ("POST", "/refusal", None),
            ("DELETE", "", None),
            ("GET", "/actions", None),
        ):
            answers = [
                await http.request(method, f"{MANDATES}/{one}{path}", json=body) for one in (mandate_id, unknown)
            ]
            assert [answer.status_code for answer in answers] == [404, 404], path
            assert answers[0].content == answers[1].content
    # the declarant is an administrator, but of another company
    assert (await stage.http.post(f"{MANDATES}/{mandate_id}/acceptance", json=until)).status_code == 404
    assert (await stage.http.get(f"{MANDATES}/{mandate_id}/actions")).status_code == 404


async def test_members_and_strangers_decide_nothing_and_decisions_need_a_code(app: FastAPI, stage: Stage) -> None:
    mandate_id = await stage.asked()
    until = {"ends_on": day(9).isoformat()}
    member = await add_user(stage.world, {stage.employer.company_id: Role.member})
    async with signed_in(app, stage.world, member) as http:
        assert (await http.post(f"{MANDATES}/{mandate_id}/acceptance", json=until)).status_code == 403
        assert await stage.listed(http) == []
    async with signed_in(app, stage.world, stage.administrator, stepped_up=False) as http:
        for path, body in (("acceptance", until), ("refusal", None)):
            answer = await http.post(f"{MANDATES}/{mandate_id}/{path}", json=body)
            assert answer.json()["type"].endswith("step_up_needed")
    async with client(app) as http:
        assert (await http.get(MANDATES)).status_code == 401
        assert (await http.post(MANDATES, json={})).status_code == 401


async def test_the_company_sees_what_was_done_in_its_name_since(stage: Stage) -> None:
    await stage.world.run(
        "INSERT INTO audit_log (company_id, actor_kind, actor_id, event, at)"
        " VALUES ($1, 'employer', $2, 'data.exported', now() - interval '1 day')",
        stage.employer.company_id,
        str(stage.declarant.id),
    )
    mandate_id = await stage.given()
    declared = await stage.http.post(f"{BASE}/affiliations", json=stage.world.declaration(stage.employer))
    assert declared.status_code == 201
    done = (await stage.admin.get(f"{MANDATES}/{mandate_id}/actions")).json()
    assert [(one["event"], one["affiliation_id"]) for one in done["items"]] == [
        ("affiliation.declared", declared.json()["id"])
    ]
    assert done["next_before"] is None


async def test_an_administrator_invites_a_declarant_directly(app: FastAPI, stage: Stage) -> None:
    asked = invitation(stage.employer, stage.declarant.email, mandate_until=day(30).isoformat())
    answer = await stage.admin.post(USERS, json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.json()["rights"][0]["mandate"]["ends_on"] == day(30).isoformat()
    assert await stage.listed(stage.http) == []  # offered, and not accepted yet
    shown = (await stage.listed(stage.admin))[0]
    assert (shown["first_name"], shown["state"]) == ("Lucie", "accepted")  # as the inviter wrote it
    token = await link_of(stage.world, stage.declarant.id)
    assert (await accept(app, stage.world, stage.declarant, token)).status_code == 204
    row = await membership(stage.world, stage.declarant.id, stage.employer.company_id)
    assert row["ends_on"] == day(30)
    assert [item["mine"] for item in await stage.listed(stage.http)] == [True]
    assert (await stage.listed(stage.admin))[0]["first_name"] != "Lucie"


async def test_twenty_requests_a_day_are_enough_for_one_user(stage: Stage) -> None:
    answers = [(await stage.ask(insurer_reference=f"K{number:07d}")).status_code for number in range(21)]
    assert answers == [202] * 20 + [429]
