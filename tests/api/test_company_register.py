"""The company register at the JSON door: what is kept, what is refused, and what the log says of it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from services.callers import STAFF_SCOPES
from tests.api.conftest import BASE, client, key_for
from tests.api.test_answers import check_problem
from tests.api.test_matrix import new_company
from tests.users import add_user, signed_in
from tests.world import World

COMPANIES = f"{BASE}/staff/companies"


@pytest.fixture
async def clerk(app: FastAPI, world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """A member of staff who writes, a code given."""
    async with signed_in(app, world, await add_user(world, staff=[StaffRole.write])) as http:
        yield http


async def created(clerk: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await clerk.post(COMPANIES, json={**new_company(), **changes})
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()
    return record


async def events(world: World, company_id: str) -> list[tuple[str, str, Any]]:
    rows = await world.run(
        "SELECT event, object_type, details FROM audit_log WHERE company_id = $1 ORDER BY id", company_id
    )
    return [(row["event"], row["object_type"], row["details"]) for row in rows]


async def test_a_company_is_added_with_its_first_establishment_and_then_declares(
    clerk: httpx2.AsyncClient, app: FastAPI, world: World
) -> None:
    record = await created(clerk)
    assert [one["closed_on"] for one in record["establishments"]] == [None]
    assert (record["users"], record["recoveries"], record["open_affiliations"]) == ([], [], 0)
    assert (await clerk.get(f"{COMPANIES}/{record['id']}")).json() == record
    assert await events(world, record["id"]) == [
        ("company.created", "company", {}),
        ("establishment.added", "establishment", {}),
    ]


async def test_a_known_siren_and_a_known_siret_are_refused_and_nothing_is_kept(
    clerk: httpx2.AsyncClient, world: World
) -> None:
    first = await created(clerk)
    again = await clerk.post(COMPANIES, json={**new_company(), "siren": first["siren"]})
    problem = check_problem(again, 422, "invalid_fields")
    assert [error["code"] for error in problem["errors"]] == ["siret.other_company"]
    other = new_company()
    other["siren"], other["establishment"]["siret"] = first["siren"], synthetic_siret(first["siren"], 2)
    problem = check_problem(await clerk.post(COMPANIES, json=other), 422, "invalid_fields")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("siren", "siren.known")]
    taken = {"siret": first["establishments"][0]["siret"], "name": "A", "postcode": "75011", "city": "PARIS"}
    answer = await clerk.post(f"{COMPANIES}/{first['id']}/establishments", json=taken)
    problem = check_problem(answer, 422, "invalid_fields")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("siret", "siret.known")]
    rows = await world.run("SELECT count(*) AS many FROM establishment WHERE company_id = $1", first["id"])
    assert rows[0]["many"] == 1


async def test_it_is_found_by_name_and_by_number(clerk: httpx2.AsyncClient) -> None:
    mark = secrets.token_hex(5)
    record = await created(clerk, name=f"L’AUBERGE DES CÈDRES {mark}", insurer_reference=f"M{mark.upper()}")
    siret = record["establishments"][0]["siret"]
    for words in (
        f"cedres {mark}",
        f"{mark} l'auberge",
        record["siren"],
        siret,
        f"m{mark}",
        f" {siret[:9]} {siret[9:]}",
    ):
        found = (await clerk.get(COMPANIES, params={"q": words})).json()
        assert [one["id"] for one in found["items"]] == [record["id"]], words
    for words in (f"{mark}%", f"_{mark}", "00000000000000"):
        assert (await clerk.get(COMPANIES, params={"q": words})).json()["items"] == [], words
    check_problem(await clerk.get(COMPANIES, params={"after": str(uuid4())}), 422, "invalid_fields")


async def test_what_is_corrected_twice_alike_is_in_the_log_once(clerk: httpx2.AsyncClient, world: World) -> None:
    record = await created(clerk)
    change = {"name": "AUTRE", "insurer": "malakoff_humanis", "insurer_reference": "M1", "emits_dsn": False}
    for _ in range(2):
        answer = await clerk.put(f"{COMPANIES}/{record['id']}", json=change)
        assert {name: answer.json()[name] for name in change} == change
    for _ in range(2):
        answer = await clerk.put(f"{COMPANIES}/{record['id']}/contact", json={"email": "Direction@Exemple.fr"})
        assert answer.json()["contact_email"] == "direction@exemple.fr"
    assert (await events(world, record["id"]))[2:] == [
        ("company.corrected", "company", {"fields": ["name", "insurer", "insurer_reference", "emits_dsn"]}),
        ("company.contact_replaced", "company", {}),
    ]


async def test_an_establishment_is_closed_and_opened_again(clerk: httpx2.AsyncClient, world: World) -> None:
    record = await created(clerk)
    closure = f"{COMPANIES}/{record['id']}/establishments/{record['establishments'][0]['id']}/closure"
    check_problem(await clerk.delete(closure), 409, "establishment_open")
    answer = await clerk.put(closure, json={"on": "2026-12-31"})
    assert answer.json()["establishments"][0]["closed_on"] == "2026-12-31"
    assert (await clerk.delete(closure)).json()["establishments"][0]["closed_on"] is None
    other = await created(clerk)
    check_problem(
        await clerk.put(closure.replace(record["id"], other["id"]), json={"on": "2026-12-31"}), 404, "not_found"
    )
    assert [event for event, _, _ in await events(world, record["id"])][2:] == [
        "establishment.closed",
        "establishment.reopened",
    ]


async def test_a_person_gives_a_code_first_and_a_machine_has_none_to_give(app: FastAPI, world: World) -> None:
    user = await add_user(world, staff=[StaffRole.write])
    async with signed_in(app, world, user, stepped_up=False) as http:
        check_problem(await http.post(COMPANIES, json=new_company()), 403, "step_up_needed")
    employer = await world.employer()
    async with client(app, await key_for(world, employer, *STAFF_SCOPES[StaffRole.write])) as http:
        assert (await http.post(COMPANIES, json=new_company())).status_code == 201


async def test_the_record_shows_who_has_rights_and_what_is_open(clerk: httpx2.AsyncClient, world: World) -> None:
    employer = await world.employer()
    boss = await add_user(world, {employer.company_id: Role.administrator})
    await world.declare(employer)
    record = (await clerk.get(f"{COMPANIES}/{employer.company_id}")).json()
    assert [(one["email"], one["role"], one["state"]) for one in record["users"]] == [
        (boss.email, "administrator", "active")
    ]
    assert record["open_affiliations"] == 1
