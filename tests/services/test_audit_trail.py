"""Who looked at a person's file, what an actor reached, and who reads too much (security.md J-08, R-08, Z-09)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from activities.audit import ALERTS, NOTICES_WAITING, Sealer
from activities.writing import reference_of
from db import audit
from db.pool import system
from services.audit_trail import AuditTrailService, done_in_name, stop_mass_reading
from services.callers import Caller, Scope
from services.problems import InvalidFields, MassReading, NotAllowed, NotFound
from tests.api.conftest import BASE, Door, app, client, door, employee_of, key_for, staff
from tests.enrolling import alone, save, send, upload
from tests.gateways.files.samples import rib_pdf
from tests.world import Life, World

__all__ = ["app", "door", "staff"]

NOW = datetime.now(UTC)
STAFF_SCOPES = frozenset({Scope.staff, Scope.staff_export})


def person(*scopes: Scope) -> Caller:
    """A member of staff of their own for a test."""
    return Caller(str(uuid.uuid4()), (), frozenset(scopes) or STAFF_SCOPES)


@pytest.fixture
async def trail(world: World) -> AuditTrailService:
    return AuditTrailService(world.system)


async def told(world: World, **where: object) -> list[dict[str, Any]]:
    columns = " AND ".join(f"{column} = ${number}" for number, column in enumerate(where, 1))
    return [
        dict(row) for row in await world.run(f"SELECT * FROM audit_log WHERE {columns} ORDER BY id", *where.values())
    ]


def life_id(life: Life) -> uuid.UUID:
    """A life that was declared over HTTP has its id as text."""
    return uuid.UUID(str(life.id))


async def employee_of_life(life: Life) -> uuid.UUID:
    found: uuid.UUID = (await life.row())["employee_id"]
    return found


async def add(world: World, caller: Caller, event: str, times: int = 1, **about: Any) -> None:
    async with system(world.system) as connection:
        for _ in range(times):
            await audit.add(connection, event, caller.actor, **about)


async def named_user(world: World, first_name: str, last_name: str) -> Caller:
    caller = person()
    await world.run(
        "INSERT INTO portal_user (id, kind, email, first_name, last_name) VALUES ($1, 'staff', $2, $3, $4)",
        uuid.UUID(caller.id),
        f"{caller.id}@exemple.fr",
        first_name,
        last_name,
    )
    return caller


# --- who looked


async def test_an_employer_who_reads_a_file_is_told_once_within_the_hour(door: Door) -> None:
    life = await door.declare()
    for path in ("", "", "/events", "/form.pdf", ""):
        answer = await door.http.get(f"{BASE}/affiliations/{life.id}{path}")
        assert answer.status_code == 200, answer.text
    [line] = await told(door.world, affiliation_id=life_id(life), event="data.viewed")
    assert (line["actor_kind"], line["object_type"], line["object_id"]) == ("employer", "affiliation", str(life.id))
    assert line["company_id"] == door.employer.company_id
    assert line["actor_id"]
    assert line["details"] == {"what": "detail"}


async def test_ten_readings_at_once_are_told_once(door: Door) -> None:
    life = await door.declare()
    answers = await asyncio.gather(*(door.http.get(f"{BASE}/affiliations/{life.id}") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await told(door.world, affiliation_id=life_id(life), event="data.viewed")) == 1


async def test_two_keys_of_a_company_are_two_readers(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with client(app, await key_for(door.world, door.employer, Scope.read)) as other:
        for http in (door.http, other):
            assert (await http.get(f"{BASE}/affiliations/{life.id}")).status_code == 200
    lines = await told(door.world, affiliation_id=life_id(life), event="data.viewed")
    assert len({line["actor_id"] for line in lines}) == 2


async def test_a_file_of_somebody_else_is_not_found_and_nothing_is_written_about_it(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    stranger = await door.world.employer()
    async with client(app, await key_for(door.world, stranger, Scope.read)) as http:
        foreign = await http.get(f"{BASE}/affiliations/{life.id}")
        unknown = await http.get(f"{BASE}/affiliations/{uuid.uuid4()}")
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    assert await told(door.world, affiliation_id=life_id(life), event="data.viewed") == []


async def test_declaring_and_acting_write_no_reading(door: Door) -> None:
    life = await door.declare()
    paused = await door.http.post(f"{BASE}/affiliations/{life.id}/pause", json={"reason": "other"})
    assert paused.status_code == 200, paused.text
    assert await told(door.world, affiliation_id=life_id(life), event="data.viewed") == []


async def test_what_staff_read_is_told_with_what_it_was(door: Door, app: FastAPI, staff: httpx2.AsyncClient) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone())
        added = (await upload(employee, "rib", "rib.pdf", rib_pdf(alone()["iban"], "CAMILLE ESSAI"))).json()
        await send(employee, version)
    for _ in range(2):
        assert (await staff.get(f"{BASE}/staff/affiliations/{life.id}/documents")).status_code == 200
        assert (await staff.get(f"{BASE}/staff/documents/{added['id']}/file")).status_code == 200
    reference = {"reference": reference_of(life_id(life))}
    found = await staff.get(f"{BASE}/staff/affiliations", params=reference)
    assert [item["id"] for item in found.json()["items"]] == [str(life.id)]
    lines = await told(door.world, affiliation_id=life_id(life), actor_kind="staff")
    assert [(line["event"], line["object_type"]) for line in lines] == [
        ("data.viewed", "affiliation"),
        ("file.downloaded", "document"),
        ("file.downloaded", "document"),
    ]
    assert {line["company_id"] for line in lines} == {door.employer.company_id}
    assert lines[1]["object_id"] == added["id"]


async def test_a_person_is_told_who_looked_by_name_and_so_is_that_somebody_asked(
    door: Door, trail: AuditTrailService
) -> None:
    life = await door.declare()
    assert (await door.http.get(f"{BASE}/affiliations/{life.id}")).status_code == 200
    reader = await named_user(door.world, "Noa", "Inventée")
    await add(door.world, reader, "data.viewed", affiliation_id=life.id, object_type="affiliation", object_id=life.id)
    await add(door.world, Caller("no-uuid", (), STAFF_SCOPES), "file.downloaded", affiliation_id=life.id)
    asker = person(Scope.staff_export)
    employee_id = await employee_of_life(life)
    history = await trail.accesses(asker, employee_id)
    assert [(item.event, item.what, item.actor_kind, item.who) for item in history.items[:3]] == [
        ("file.downloaded", "Lecture d'un document", "staff", None),
        ("data.viewed", "Consultation du dossier", "staff", "Noa Inventée"),
        ("data.viewed", "Consultation du dossier", "employer", "test"),
    ]
    assert history.items[-1].event == "affiliation.declared"
    assert history.next_before is None
    [line] = await told(door.world, event="log.viewed", actor_id=asker.id)
    assert (line["object_type"], line["object_id"]) == ("employee", str(employee_id))
    assert line["company_id"] == door.employer.company_id


async def test_a_long_history_comes_page_by_page(door: Door, trail: AuditTrailService) -> None:
    life = await door.declare()
    await add(door.world, person(), "file.downloaded", 6, affiliation_id=life.id)
    employee_id, seen, before = await employee_of_life(life), [], None
    while True:
        page = await trail.accesses(person(), employee_id, 3, before)
        seen += [item.event for item in page.items]
        if (before := page.next_before) is None:
            break
    assert seen[:6] == ["file.downloaded"] * 6
    assert seen[6:] == [item.event for item in (await trail.accesses(person(), employee_id)).items][6:]


async def test_only_staff_with_exports_ask_who_looked(door: Door, trail: AuditTrailService) -> None:
    life = await door.declare()
    employee_id = await employee_of_life(life)
    for scopes in ((Scope.staff,), (Scope.staff, Scope.staff_write), (Scope.read, Scope.write)):
        with pytest.raises(NotAllowed):
            await trail.accesses(person(*scopes), employee_id)
        with pytest.raises(NotAllowed):
            await trail.reachable(person(*scopes), "x", NOW, NOW + timedelta(1))
    with pytest.raises(NotFound):
        await trail.accesses(person(), uuid.uuid4())


async def test_the_routes_of_staff_answer_both_questions(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    assert (await door.http.get(f"{BASE}/affiliations/{life.id}")).status_code == 200
    employee_id = await employee_of_life(life)
    async with client(app, await key_for(door.world, door.employer, Scope.staff, Scope.staff_export)) as http:
        history = (await http.get(f"{BASE}/staff/people/{employee_id}/accesses", params={"limit": 1})).json()
        [item] = history["items"]
        assert item["event"] == "data.viewed"
        reached = await http.get(
            f"{BASE}/staff/actors/{item['actor_id']}/reached",
            params={"since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"},
        )
        assert [one["affiliation_id"] for one in reached.json()["items"]] == [str(life.id)]
        bad = await http.get(f"{BASE}/staff/actors/{item['actor_id']}/reached", params={"since": "hier", "until": "x"})
        assert bad.status_code == 422
        assert (await http.get(f"{BASE}/staff/people/{uuid.uuid4()}/accesses")).status_code == 404


# --- what an actor reached


async def test_what_an_actor_reached_in_a_period(door: Door, trail: AuditTrailService) -> None:
    one, two = await door.declare(), await door.declare()
    reader = person()
    await add(door.world, reader, "data.viewed", affiliation_id=one.id, object_type="affiliation", object_id=one.id)
    await add(door.world, reader, "file.downloaded", 2, affiliation_id=one.id)
    await add(door.world, reader, "data.exported", affiliation_id=two.id)
    gone = uuid.uuid4()  # erased since
    await door.world.run(
        "INSERT INTO audit_log (affiliation_id, actor_kind, actor_id, event) VALUES ($1, 'staff', $2, 'data.viewed')",
        gone,
        reader.id,
    )
    asker, since, until = person(), datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    reached = (await trail.reachable(asker, reader.id, since, until)).items
    by_id = {item.affiliation_id: item for item in reached}
    assert by_id.keys() == {uuid.UUID(str(one.id)), uuid.UUID(str(two.id)), gone}
    assert by_id[uuid.UUID(str(one.id))].events == ["data.viewed", "file.downloaded"]
    assert by_id[uuid.UUID(str(one.id))].employee_id == await employee_of_life(one)
    assert by_id[gone].employee_id is None
    assert (await trail.reachable(asker, reader.id, until, until + timedelta(1))).items == []
    pages: list[uuid.UUID] = []
    after = None
    while True:
        page = await trail.reachable(asker, reader.id, since, until, 1, after)
        pages += [item.affiliation_id for item in page.items]
        if (after := page.next_after) is None:
            break
    assert sorted(pages) == sorted(by_id)
    with pytest.raises(InvalidFields):
        await trail.reachable(asker, reader.id, until, since)
    assert len(await told(door.world, event="log.viewed", actor_id=asker.id)) == 2 + len(by_id)


async def test_what_a_declarant_did_in_the_name_of_a_company(door: Door) -> None:
    life = await door.declare()
    declarant, other = Caller(str(uuid.uuid4()), (), frozenset({Scope.write})), person()
    company = door.employer.company_id
    await add(door.world, declarant, "affiliation.declared", affiliation_id=life.id)
    await add(door.world, declarant, "file.uploaded", company_id=company, object_type="document", object_id="d1")
    await add(door.world, declarant, "file.uploaded", company_id=(await door.world.employer()).company_id)
    await add(door.world, other, "data.viewed", affiliation_id=life.id)
    async with system(door.world.system) as connection:
        first = await done_in_name(connection, company, declarant.id, 1)
        rest = await done_in_name(connection, company, declarant.id, 10, first[0].number)
    assert [(one.what, one.object_id, one.affiliation_id) for one in first] == [("Dépôt d'un document", "d1", None)]
    assert [(one.event, str(one.affiliation_id)) for one in rest] == [("affiliation.declared", str(life.id))]


# --- who reads too much


@pytest.fixture
def reader() -> Caller:
    return person(Scope.staff)


@pytest.mark.parametrize(("event", "most"), [("file.downloaded", 200), ("data.viewed", 200), ("data.revealed", 50)])
async def test_whoever_reads_too_much_is_stopped_and_that_is_told_once(
    world: World, reader: Caller, event: str, most: int
) -> None:
    await add(world, reader, event, most - 1)
    await stop_mass_reading(world.system, reader)
    await add(world, reader, event)
    for _ in range(3):
        with pytest.raises(MassReading):
            await stop_mass_reading(world.system, reader)
    [line] = await told(world, actor_id=reader.id, event="authz.mass_read")
    assert line["outcome"] == "refused"
    await Sealer(world.system).watch()
    assert ALERTS.labels("mass_reads")._value.get() >= 1
    await stop_mass_reading(world.system, person(Scope.staff))  # nobody else is


async def test_after_the_hour_they_read_again(world: World, reader: Caller) -> None:
    await world.run(
        "INSERT INTO audit_log (at, actor_kind, actor_id, event)"
        " SELECT now() - interval '61 minutes', 'staff', $1, 'file.downloaded' FROM generate_series(1, 300)",
        reader.id,
    )
    await stop_mass_reading(world.system, reader)


async def test_every_door_to_a_file_is_shut_then(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone())
        added = (await upload(employee, "rib", "rib.pdf", rib_pdf(alone()["iban"], "CAMILLE ESSAI"))).json()
        await send(employee, version)
    async with client(app, await key_for(door.world, door.employer, Scope.staff)) as http:
        assert (await http.get(f"{BASE}/staff/affiliations/{life.id}/documents")).status_code == 200
        [line] = await told(door.world, affiliation_id=life_id(life), event="data.viewed", actor_kind="staff")
        await add(door.world, Caller(line["actor_id"], (), STAFF_SCOPES), "file.downloaded", 200)
        for path in (
            f"staff/affiliations/{life.id}/documents",
            f"staff/documents/{added['id']}/file",
            "staff/affiliations?reference=000000000000",
        ):
            stopped = await http.get(f"{BASE}/{path}")
            assert stopped.status_code == 429, path
            assert stopped.json()["type"] == "urn:hcr:problem:mass_reading"
        assert (await http.get(f"{BASE}/staff/desk")).status_code == 200


# --- who asks for what is not theirs


async def test_more_than_five_denials_within_the_hour_are_an_alert(world: World, trail: AuditTrailService) -> None:
    employer = await world.employer()
    await Sealer(world.system).watch()
    before = ALERTS.labels("denials")._value.get()
    for _ in range(5):
        await trail.denied(employer.caller, "affiliation")
    await Sealer(world.system).watch()
    assert ALERTS.labels("denials")._value.get() == before
    await trail.denied(employer.caller, "affiliation")
    await Sealer(world.system).watch()
    assert ALERTS.labels("denials")._value.get() == before + 1
    lines = await told(world, actor_id=employer.caller.id, event="authz.denied")
    assert {(line["company_id"], line["object_id"], line["outcome"]) for line in lines} == {
        (employer.company_id, None, "refused")
    }


async def test_an_id_that_is_not_found_is_told_the_same_whether_it_is_anothers_or_nobodys(
    door: Door, app: FastAPI
) -> None:
    life, stranger = await door.declare(), await door.world.employer()
    async with client(app, await key_for(door.world, stranger, Scope.read, Scope.write)) as http:
        for of in (life.id, uuid.uuid4()):
            assert (await http.get(f"{BASE}/affiliations/{of}")).status_code == 404
            assert (await http.post(f"{BASE}/affiliations/{of}/resumption", json={})).status_code == 404
        assert (await http.get(f"{BASE}/no-such-page")).status_code == 404
    lines = await told(door.world, company_id=stranger.company_id, event="authz.denied")
    assert [(line["object_type"], line["object_id"], line["affiliation_id"]) for line in lines] == [
        ("affiliation", None, None)
    ] * 4


async def test_a_flood_of_denials_does_not_fill_the_log(world: World, trail: AuditTrailService) -> None:
    employer = await world.employer()
    await add(world, employer.caller, "authz.denied", 99)
    for _ in range(4):
        await trail.denied(employer.caller, "affiliation")
    assert len(await told(world, actor_id=employer.caller.id, event="authz.denied")) == 100


async def test_a_notice_that_does_not_leave_is_seen_in_the_metrics(world: World) -> None:
    await world.run(
        "INSERT INTO notice (key, kind, created_at, attempts)"
        " VALUES ($1, 'password_changed', now() - interval '6 days', 1)",
        key := str(uuid.uuid4()),
    )
    await Sealer(world.system).watch()
    assert NOTICES_WAITING._value.get() > 5 * 86400
    await world.run("UPDATE notice SET not_before = now() + interval '1 hour' WHERE key = $1", key)
    await Sealer(world.system).watch()
    assert NOTICES_WAITING._value.get() < 5 * 86400
    await world.run("DELETE FROM notice WHERE key = $1", key)
