"""/staff/dsn-imports over HTTP: a file sent by software, its result, its changes; and what the employer is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import StaffRole
from services.callers import STAFF_SCOPES, Scope
from tests.api.conftest import BASE, client, key_for
from tests.api.test_answers import NOBODY, check_problem
from tests.domain.dsn.files import contract
from tests.dsn.importing import somebody
from tests.insuring import add_insured, new_nir
from tests.portal.dsn_files import file_of, imported, read_to_the_end
from tests.world import Employer, World

IMPORTS = f"{BASE}/staff/dsn-imports"
CHANGES = f"{BASE}/staff/dsn-changes"
NEW = contract(start="13042026")


@pytest.fixture
async def employer(world: World) -> Employer:
    return await world.employer()


async def sent(http: httpx2.AsyncClient, content: bytes, name: str = "avril.dsn") -> httpx2.Response:
    return await http.post(IMPORTS, files={"file": (name, content)})


async def test_a_file_is_taken_read_and_told_and_the_same_again_is_the_same_import(
    staff: httpx2.AsyncClient, world: World, employer: Employer
) -> None:
    content = await file_of(world, employer, somebody(new_nir()[0], NEW))
    answer = await sent(staff, content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["known"] is False
    import_id = answer.json()["item"]["id"]
    await read_to_the_end(world, import_id)
    one = (await staff.get(f"{IMPORTS}/{import_id}")).json()
    assert (one["state"], one["recorded"], one["people"], one["name"]) == ("applied", 1, 1, "")
    [declaration] = (await staff.get(f"{IMPORTS}/{import_id}/declarations")).json()["items"]
    assert (declaration["siret"], declaration["state"], declaration["month"]) == (
        employer.siret,
        "recorded",
        "2026-04-01",
    )
    again = await sent(staff, content, "other-name.dsn")
    assert again.status_code == 200
    assert (again.json()["known"], again.json()["item"]["id"]) == (True, import_id)
    assert import_id in [item["id"] for item in (await staff.get(IMPORTS)).json()["items"]]


async def test_a_file_larger_than_one_frame_arrives_whole(staff: httpx2.AsyncClient, world: World) -> None:
    content = b"Nom;Prenom\n" * 1_000_000
    answer = await sent(staff, content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["item"]["size"] == len(content)
    await read_to_the_end(world, answer.json()["item"]["id"])
    one = (await staff.get(f"{IMPORTS}/{answer.json()['item']['id']}")).json()
    assert (one["state"], one["faults"][0]["code"]) == ("refused", "not_dsn")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"content": b"S10.G00.00.001,'X'", "headers": {"Content-Type": "text/plain"}}, "missing"),
        ({"files": {"other": ("a.dsn", b"x")}}, "missing"),
        ({"files": {"file": ("a.dsn", b"")}}, "dsn.empty"),
        (
            {
                "content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nS10',
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            "interrupted",
        ),
    ],
    ids=["no form", "another part", "empty", "cut off"],
)
async def test_what_is_no_file_is_said_of_its_field(staff: httpx2.AsyncClient, body: dict[str, Any], code: str) -> None:
    problem = check_problem(await staff.post(IMPORTS, **body), 422, "invalid_fields")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("file", code)]


async def test_more_than_the_limit_is_refused_while_it_arrives(app: FastAPI, staff: httpx2.AsyncClient) -> None:
    most, app.state.most_dsn_bytes = app.state.most_dsn_bytes, 1000
    try:
        answer = await sent(staff, bytes(40_000))
    finally:
        app.state.most_dsn_bytes = most
    assert answer.status_code == 413


async def test_the_report_has_a_line_for_each_declaration_and_names_nobody(
    staff: httpx2.AsyncClient, world: World, employer: Employer
) -> None:
    people = somebody(new_nir()[0], NEW, name="=TRESRECONNAISSABLE")
    import_id = await imported(world, await file_of(world, employer, people))
    report = await staff.get(f"{IMPORTS}/{import_id}/report")
    assert report.headers["content-disposition"] == f'attachment; filename="dsn-{import_id}.csv"'
    lines = report.text.splitlines()
    assert len(lines) == 2
    assert employer.siret in lines[1]
    assert "TRESRECONNAISSABLE" not in report.text


async def test_a_change_is_decided_once(staff: httpx2.AsyncClient, world: World, employer: Employer) -> None:
    nir, _ = new_nir()
    await add_insured(world, employer, nir=nir)
    gone = contract(start="05012026", end="20042026", reason="058")
    import_id = await imported(world, await file_of(world, employer, somebody(nir, gone)))
    page = (await staff.get(f"{CHANGES}?import_id={import_id}&kind=end")).json()
    [change] = page["items"]
    assert (change["on"], change["contract_ends_on"], change["match"]) == ("2026-04-30", "2026-04-20", "nir")
    assert page["counts"]["end"] >= 1
    assert nir not in str(page)
    at = f"{CHANGES}/{change['id']}"
    decided = await staff.post(f"{at}/decision", json={"accept": True, "reason": "employer_confirmed"})
    assert (decided.status_code, decided.json()["state"]) == (200, "applied")
    again = await staff.post(f"{at}/decision", json={"accept": False, "reason": "payroll_mistake"})
    check_problem(again, 409, "dsn.decided")
    assert (await staff.get(at)).json()["state"] == "applied"


async def test_two_who_decide_at_once_are_two_answers_and_one_end(
    staff: httpx2.AsyncClient, world: World, employer: Employer
) -> None:
    nir, _ = new_nir()
    coverage = await add_insured(world, employer, nir=nir)
    gone = contract(start="05012026", end="20042026", reason="058")
    import_id = await imported(world, await file_of(world, employer, somebody(nir, gone)))
    [change] = (await staff.get(f"{CHANGES}?import_id={import_id}")).json()["items"]
    body = {"accept": True, "reason": "as_declared"}
    answers = await asyncio.gather(*(staff.post(f"{CHANGES}/{change['id']}/decision", json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert len(await world.run("SELECT FROM coverage_end WHERE coverage_id = $1", coverage)) == 1


async def test_pages_follow_each_other_without_a_gap(
    staff: httpx2.AsyncClient, world: World, employer: Employer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dsn_imports.SHOWN", 2)
    people = []
    for _ in range(5):
        nir, _ = new_nir()
        await add_insured(world, employer, nir=nir)
        people.append(somebody(nir, contract(start="05012026", end="20042026", reason="058")))
    import_id = await imported(world, await file_of(world, employer, *people))
    seen: list[str] = []
    address: str | None = f"{CHANGES}?import_id={import_id}"
    while address:
        page = (await staff.get(address)).json()
        seen += [item["id"] for item in page["items"]]
        address = f"{CHANGES}?import_id={import_id}&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert len(seen) == len(set(seen)) == 5
    first = (await staff.get(IMPORTS)).json()
    second = (await staff.get(f"{IMPORTS}?cursor={first['next_cursor']}")).json()
    assert not {one["id"] for one in first["items"]} & {one["id"] for one in second["items"]}


async def test_what_is_unknown_is_not_there(staff: httpx2.AsyncClient) -> None:
    for path in (f"{IMPORTS}/{NOBODY}", f"{IMPORTS}/{NOBODY}/declarations", f"{CHANGES}/{NOBODY}"):
        check_problem(await staff.get(path), 404, "not_found")


@pytest.fixture
async def reader(app: FastAPI, world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(app, await key_for(world, await world.employer(), *STAFF_SCOPES[StaffRole.read])) as http:
        yield http


async def test_who_reads_cannot_send_nor_decide(reader: httpx2.AsyncClient) -> None:
    assert (await sent(reader, b"x")).status_code == 403
    answer = await reader.post(f"{CHANGES}/{NOBODY}/decision", json={"accept": True, "reason": "as_declared"})
    assert answer.status_code == 403


async def test_an_employer_sees_and_settles_its_own_hires_only(app: FastAPI, world: World, employer: Employer) -> None:
    await imported(world, await file_of(world, employer, somebody(new_nir()[0], NEW, name="NOUVEAU")))
    proposals = f"{BASE}/hire-proposals"
    other = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as mine:
        listed = (await mine.get(proposals)).json()
        assert [(one["last_name"], one["began_on"]) for one in listed["items"]] == [("NOUVEAU", "2026-04-13")]
        at = f"{proposals}/{listed['items'][0]['id']}/dismissal"
        async with client(app, await key_for(world, other, Scope.read, Scope.write)) as foreign:
            assert (await foreign.get(proposals)).json() == {"items": [], "count": 0}
            check_problem(await foreign.post(at, json={"reason": "left"}), 404, "not_found")
        assert (await mine.post(at, json={"reason": "left"})).status_code == 204
        check_problem(await mine.post(at, json={"reason": "left"}), 404, "not_found")
        assert (await mine.get(proposals)).json()["count"] == 0
