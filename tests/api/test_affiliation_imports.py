"""/affiliation-imports over HTTP: a table as a file or as JSON, its rows, a correction, a confirmation, the report."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import openpyxl
import pytest
from fastapi import FastAPI

from domain.rights import Role
from tests.api.conftest import BASE
from tests.api.test_answers import check_problem
from tests.importing import row_of, table, until_over
from tests.users import add_user, signed_in
from tests.world import Employer, World

IMPORTS = f"{BASE}/affiliation-imports"


@pytest.fixture(scope="module")
async def employer(world: World) -> Employer:
    return await world.employer()


@pytest.fixture
async def http(app: FastAPI, world: World, employer: Employer) -> AsyncIterator[httpx2.AsyncClient]:
    user = await add_user(world, {employer.company_id: Role.member})
    async with signed_in(app, world, user) as browser:
        yield browser


def rows_of(world: World, employer: Employer, *changes: dict[str, str]) -> list[dict[str, str]]:
    return [row_of(world.declaration(employer), **one) for one in changes]


async def test_a_file_is_checked_corrected_confirmed_and_reported(
    http: httpx2.AsyncClient, world: World, employer: Employer
) -> None:
    rows = rows_of(world, employer, {}, {"postcode": "abc"})
    answer = await http.post(IMPORTS, files={"file": ("embauches.csv", table(rows))})
    assert answer.status_code == 201, answer.text
    given = answer.json()
    one = f"{IMPORTS}/{given['id']}"
    assert (given["filename"], given["rows_total"], given["to_start"]) == ("embauches.csv", 2, 1)
    [wrong] = (await http.get(f"{one}/rows", params={"state": "invalid"})).json()["items"]
    assert [problem["field"] for problem in wrong["problems"]] == ["postcode"]
    still = await http.patch(f"{one}/rows/{wrong['number']}", json={"values": {"postcode": "abcd"}})
    assert (still.status_code, still.json()["state"]) == (200, "invalid"), "an answer, not an error"
    right = await http.patch(f"{one}/rows/{wrong['number']}", json={"values": {"postcode": "75011"}})
    assert right.json()["state"] == "new"
    left = await http.post(f"{one}/selection", json={"numbers": [2], "included": False})
    assert left.json()["to_start"] == 1
    for _ in range(2):
        confirmed = await http.post(f"{one}/confirmation", json={})
        assert confirmed.status_code == 200, "asked again, it is the same"
    await until_over(world, UUID(given["id"]))
    ended = (await http.get(one)).json()
    assert (ended["state"], ended["started"]) == ("done", 1)
    report = await http.get(f"{one}/report.xlsx")
    cells = [
        str(cell.value) for row in openpyxl.load_workbook(io.BytesIO(report.content)).worksheets[0] for cell in row
    ]
    assert rows[1]["last_name"] in cells
    assert [each["id"] for each in (await http.get(IMPORTS)).json()] == [given["id"]]
    assert (await http.get(f"{IMPORTS}/template.xlsx")).content[:2] == b"PK"


async def test_a_pasted_table_can_be_told_its_columns_and_be_given_up(
    http: httpx2.AsyncClient, world: World, employer: Employer
) -> None:
    [row] = rows_of(world, employer, {})
    answer = await http.post(IMPORTS, json={"text": f"Alpha\tBêta\n{row['last_name']}\t{row['city']}"})
    assert (answer.status_code, answer.json()["state"]) == (201, "read"), answer.text
    one = f"{IMPORTS}/{answer.json()['id']}"
    told = await http.put(f"{one}/columns", json={"mapping": {"last_name": 0, "city": 1}})
    assert told.json()["state"] == "checked"
    assert "nir" in told.json()["missing"]
    check_problem(await http.post(f"{one}/confirmation", json={}), 409, "import_nothing_to_start")
    assert (await http.post(f"{one}/cancellation")).json()["state"] == "cancelled"
    check_problem(await http.patch(f"{one}/rows/2", json={"values": {"city": "Lyon"}}), 409, "import_row_closed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 12}, "text"),
        ({"text": "Nom\tVille", "more": 1}, "more"),
        ([], "body"),
        ("Nom\tVille", "body"),
    ],
    ids=str,
)
async def test_a_body_that_is_no_table_is_told_by_its_field(http: httpx2.AsyncClient, body: Any, field: str) -> None:
    problem = check_problem(await http.post(IMPORTS, json=body), 422, "invalid_fields")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert not re.search(r"should|must|input", str(problem["errors"]))


async def test_what_is_neither_a_file_nor_json_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post(IMPORTS, content=b"Nom\tVille", headers={"Content-Type": "text/plain"})
    check_problem(answer, 422, "invalid_fields")
    check_problem(await http.post(IMPORTS, files={"autre": ("a.csv", b"x")}), 422, "unreadable_upload")
    answer = await http.post(IMPORTS, files={"file": ("a.csv", b"x" * (11 * 2**20))})
    check_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("columns", {"mapping": {"zyx": 0}}, "mapping.zyx"),
        ("columns", {"mapping": {"city": 99}}, "mapping.city"),
        ("columns", {"mapping": {"city": -1}}, "mapping.city"),
        ("rows/2", {"values": {"zyx": "1"}}, "values.zyx"),
        ("rows/2", {"values": {"city": "x" * 301}}, "values.city"),
        ("rows/0", {"values": {}}, "number"),
        ("selection", {"numbers": [0], "included": True}, "numbers.0"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_name_or_a_number_that_is_none_of_ours_is_told(
    http: httpx2.AsyncClient, world: World, employer: Employer, path: str, body: dict[str, Any], field: str
) -> None:
    given = (await http.post(IMPORTS, files={"file": ("a.csv", table(rows_of(world, employer, {})))})).json()
    method = {"columns": "PUT", "selection": "POST"}.get(path, "PATCH")
    answer = await http.request(method, f"{IMPORTS}/{given['id']}/{path}", json=body)
    problem = check_problem(answer, 422, "invalid_fields")
    assert [error["field"] for error in problem["errors"]] == [field]
