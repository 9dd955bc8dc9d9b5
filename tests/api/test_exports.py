"""« Exporter »: the lines of the screen as a file, at once or as a job with its file for a day."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import openpyxl
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.contracts.exports import ExportState
from activities.export import ExportDesk, ExportFile, ExportOrder, Progress
from db import documents, register
from db import exports as statements
from db.pool import single, system
from domain.formulas import ProfessionalStatus
from domain.insured import ContractState
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from gateways.files.storage import StorageUnavailable
from services import exports as service
from services.callers import Caller, Scope
from services.export_kinds import export_kinds
from services.fields import today
from services.insured import InsuredFilters, InsuredOrder, InsuredService
from services.insured_sheet import COLUMNS, InsuredExport, parameters_of
from services.sheets import SheetForm
from tests.api.conftest import BASE, client, key_for
from tests.api.test_answers import check_problem
from tests.exporting import add_job
from tests.insuring import add_insured, new_nir
from tests.noticing import engine as notices
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, World
from web.parts import Parts

EXPORTS = f"{BASE}/insured/exports"
NC, FAMILY, CADRE = "BASE CCN HCR NC SEUL RG", "OPTION 1 CCN HCR NC FAMILLE RG", "BASE CCN HCR C DUO RL"
LAST, FIRST = ("Lefèvre", "=Essai", "O’Brien", "100% Dupont", "Nguyễn"), ("Zoé", "Éloïse", "Thị", "Jean Noël")


@dataclass(frozen=True)
class Stage:
    """Two companies of one user, forty contracts."""

    world: World
    app: FastAPI
    use: Parts
    user: TestUser
    http: httpx2.AsyncClient
    first: Employer
    second: Employer
    other_siret: str
    employees: list[UUID]
    nir: str

    async def export(self, **asked: Any) -> httpx2.Response:
        return await self.http.post(EXPORTS, json=asked)

    async def job(self, job_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"{EXPORTS}/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> AsyncIterator[Stage]:
    first, second, stranger = [await world.employer() for _ in range(3)]
    other_siret = synthetic_siret(first.siren, 2)
    async with system(world.system) as connection:
        await connection.execute(
            register.ADD_ESTABLISHMENT, first.company_id, other_siret, "BAR D’ÉTÉ", "75012", "PARIS"
        )
    employees = []
    nir, _ = new_nir()
    for number in range(40):
        starts_on = today() + timedelta(days=(number * 37) % 400 - 300)
        insured_id = await add_insured(
            world,
            second if number % 4 == 0 else first,
            siret=other_siret if number % 8 == 1 else "",
            last_name=LAST[number % 5],
            first_names=FIRST[number % 4],
            formula=(NC, FAMILY, CADRE)[number % 3],
            starts_on=starts_on,
            ends_on=starts_on + timedelta(days=60) if number % 3 == 0 else None,
            dependants=[("partner", "child", "child"), ("child",), ()][number % 3],
            nir=nir if number == 7 else "",
        )
        [row] = await world.run("SELECT employee_id FROM coverage WHERE id = $1", insured_id)
        employees.append(row["employee_id"])
    await add_insured(world, stranger, last_name="Lefèvre", first_names="Étrangère")
    user = await add_user(world, {first.company_id: Role.member, second.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        yield Stage(world, app, app.state.parts, user, http, first, second, other_siret, employees, nir)


def lines(answer: httpx2.Response | bytes) -> list[dict[str, Any]]:
    content = answer if isinstance(answer, bytes) else answer.content
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Salariés affiliés"]
    header, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert header == [column.title for column in COLUMNS]
    return [dict(zip(header, row, strict=True)) for row in rows]


# --- what stands in it


async def test_the_file_has_the_guides_ten_columns_with_whole_numbers_and_the_children(stage: Stage) -> None:
    answer = await stage.export(nir=stage.nir)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == SheetForm.xlsx.media_type
    day = today().isoformat()
    assert answer.headers["content-disposition"] == f'attachment; filename="salaries-affilies-{day}.xlsx"'
    assert answer.headers["cache-control"] == "no-store"
    [line] = lines(answer)
    [row] = await stage.world.run("SELECT * FROM coverage WHERE employee_id = $1", stage.employees[7])
    assert list(line)[:10] == [
        *("Établissement", "Statut professionnel", "Contrat", "NNI", "Nom", "Prénom"),
        *("Date de naissance", "Date d’effet", "Date de fin", "Conjoint Assuré"),
    ]
    assert line["NNI"] == stage.nir
    assert line["Statut professionnel"] == "ACTIF NON CADRE"
    assert line["Contrat"] == FAMILY
    assert (line["Nom"], line["Prénom"]) == (LAST[7 % 5], FIRST[7 % 4])
    assert line["Date de naissance"].date() == date(1975, 6, 12)
    assert line["Date d’effet"].date() == row["starts_on"]
    assert line["Date de fin"] is None
    assert (line["Conjoint Assuré"], line["Enfants assurés"]) == ("Non", 1)
    assert line["SIRET"] == stage.first.siret


async def test_the_cover_says_when_which_and_how_many(stage: Stage) -> None:
    answer = await stage.export(siren=stage.first.siren, q="lefevre")
    cover = openpyxl.load_workbook(io.BytesIO(answer.content))["À lire"]
    said = "\n".join(" ".join(str(cell.value) for cell in row if cell.value) for row in cover.iter_rows())
    assert f"Arrêté au {today():%d/%m/%Y} à" in said
    assert f"Filtre SIREN {stage.first.siren}, nom «\u00a0lefevre\u00a0»" in said
    assert f"Nombre de lignes {len(lines(answer))}" in said
    assert "réservé aux personnes habilitées" in said


async def test_csv_is_the_same_list(stage: Stage) -> None:
    answer = await stage.export(form="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";")
    assert header == [column.title for column in COLUMNS]
    whole = lines(await stage.export())
    assert [row[3].replace(" ", "") for row in rows] == [line["NNI"] for line in whole]
    assert {row[4] for row in rows} >= {"'=Essai", "Lefèvre"}


async def test_a_number_that_cannot_be_read_spoils_no_file(stage: Stage) -> None:
    employee = stage.employees[3]
    [row] = await stage.world.run("SELECT nir_sealed FROM employee WHERE id = $1", employee)
    await stage.world.run("UPDATE employee SET nir_sealed = '\\x00' WHERE id = $1", employee)
    try:
        numbers = [line["NNI"] for line in lines(await stage.export())]
    finally:
        await stage.world.run("UPDATE employee SET nir_sealed = $2 WHERE id = $1", employee, row["nir_sealed"])
    assert numbers.count("illisible") == 1
    assert len(numbers) == 40


# --- exactly the screen

FILTERS = st.fixed_dictionaries(
    {
        "company": st.sampled_from([None, "first", "second"]),
        "place": st.sampled_from([None, "other", "first"]),
        "establishment": st.sampled_from([None, "hotel", "ete", "nulle part"]),
        "state": st.sampled_from([None, *ContractState]),
        "professional_status": st.sampled_from([None, *ProfessionalStatus]),
        "formula": st.sampled_from([None, NC, FAMILY, CADRE]),
        "q": st.sampled_from([None, "lefevre", "zoe", "essai", "%", "noel jean", "personne"]),
        "people": st.sampled_from([None, (), (7,), (3, 12, 20)]),
        "order": st.sampled_from(list(InsuredOrder)),
    }
)


@given(wanted=FILTERS, size=st.integers(1, 12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_export_is_the_screens_lines_in_their_order(stage: Stage, wanted: dict[str, Any], size: int) -> None:
    world, given = stage.world, dict(wanted)
    company, place, people = given.pop("company"), given.pop("place"), given.pop("people")
    filters = InsuredFilters(
        **given,
        siren={None: None, "first": stage.first.siren, "second": stage.second.siren}[company],
        siret={None: None, "first": stage.first.siret, "other": stage.other_siret}[place],
        people=None if people is None else tuple(stage.employees[number] for number in people),
    )
    perimeter = (stage.first.company_id, stage.second.company_id)
    caller = Caller("test", perimeter, frozenset({Scope.read}))
    screen, shown, cursor = InsuredService(world.web, world.cipher), [], None
    while True:
        page = await screen.page(caller, filters, size, cursor)
        shown += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    order = ExportOrder(uuid4(), perimeter, SheetForm.xlsx, json.loads(json.dumps(parameters_of(filters))))
    file = await InsuredExport(world.system, world.cipher).write(order, _quiet)
    assert isinstance(file.content, bytes)
    exported = lines(file.content)
    assert [
        (
            one.establishment,
            one.siret,
            one.formula,
            one.last_name,
            one.first_names,
            one.starts_on,
            one.ends_on,
            "Oui" if one.partner_insured else "Non",
            one.dependants - one.partner_insured,
            one.nir_masked[:1],
        )
        for one in shown
    ] == [
        (
            line["Établissement"],
            line["SIRET"],
            line["Contrat"],
            line["Nom"],
            line["Prénom"],
            line["Date d’effet"].date(),
            line["Date de fin"].date() if line["Date de fin"] else None,
            line["Conjoint Assuré"],
            line["Enfants assurés"],
            line["NNI"][:1],
        )
        for line in exported
    ]
    assert file.rows == len(exported) == sum(file.by_company.values())


async def _quiet(done: int, total: int) -> None:
    """Nobody listens."""


async def test_another_companys_people_are_not_in_it_whatever_the_order_says(stage: Stage) -> None:
    """The worker's own role sees everything: an export is read as the web role, with its row-level security."""
    order = ExportOrder(uuid4(), (stage.second.company_id,), SheetForm.xlsx, parameters_of(InsuredFilters()))
    file = await InsuredExport(stage.world.system, stage.world.cipher).write(order, _quiet)
    assert set(file.by_company) == {stage.second.company_id}
    async with stage.world.system.acquire() as connection:
        assert await connection.fetchval("SELECT current_user") == "hcr_system", "and its role is back"


# --- who may have it


async def test_it_needs_a_code_and_a_person(stage: Stage) -> None:
    world = stage.world
    async with signed_in(stage.app, world, stage.user, stepped_up=False) as http:
        check_problem(await http.post(EXPORTS, json={}), 403, "step_up_needed")
    async with client(stage.app, await key_for(world, stage.first, Scope.read, Scope.write)) as http:
        check_problem(await http.post(EXPORTS, json={}), 403, "not_allowed")
    async with signed_in(stage.app, world, await add_user(world, staff=list(StaffRole))) as http:
        check_problem(await http.post(EXPORTS, json={}), 403, "not_allowed")


async def test_a_user_has_ten_an_hour(stage: Stage) -> None:
    for _ in range(10):
        assert (await stage.export(q="personne")).status_code == 200
    answer = await stage.export(q="personne")
    check_problem(answer, 429, "too_many_requests")


async def test_each_export_is_in_the_audit_log_without_a_name(stage: Stage) -> None:
    await stage.export(q="lefevre", siren=stage.first.siren)
    rows = await stage.world.run(
        "SELECT * FROM audit_log WHERE actor_id = $1 AND event = 'data.list_exported' ORDER BY id DESC LIMIT 1",
        str(stage.user.id),
    )
    details = rows[0]["details"]
    assert rows[0]["company_id"] == stage.first.company_id
    assert details["filter"] == ["q", "siren"]
    assert details["rows"] == details["of"] > 0
    assert len(details["sha256"]) == 64
    assert "lefevre" not in json.dumps(details).lower()


# --- a job


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AT_ONCE", 1)


@pytest.fixture
async def jobless(stage: Stage) -> Stage:
    """Nothing of the user is under way."""
    await stage.world.run("DELETE FROM export_job WHERE user_id = $1", stage.user.id)
    return stage


async def until_ended(stage: Stage, job_id: str) -> dict[str, Any]:
    """The row is told a moment before the workflow."""
    handle = stage.world.client.get_workflow_handle(f"export/{job_id}")
    await stage.world.temporal.fast_forward(handle, timedelta(seconds=1))
    return await stage.job(job_id)


@pytest.mark.usefixtures("everything_is_large")
async def test_a_large_one_is_a_job_told_of_and_there_for_a_day(jobless: Stage) -> None:
    stage = jobless
    answer = await stage.export(q="lefevre", form="xlsx")
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert job["state"] in ("waiting", "running", "done")
    assert job["narrowed_by"] == ["nom «\u00a0lefevre\u00a0»"]
    ended = await until_ended(stage, job["id"])
    assert ended["state"] == "done", ended
    assert ended["rows_done"] == ended["rows_total"] == 8
    got = await stage.http.get(f"{EXPORTS}/{job['id']}/file")
    assert got.status_code == 200, got.text
    assert len(lines(got)) == 8
    assert (await stage.job(job["id"]))["downloaded_at"]
    told = await stage.world.run("SELECT * FROM notice WHERE key = $1", f"export_ready/{job['id']}")
    assert [row["user_id"] for row in told] == [stage.user.id]
    assert [one["id"] for one in (await stage.http.get(EXPORTS)).json()["items"]] == [job["id"]]
    events = await stage.world.run("SELECT event FROM audit_log WHERE object_id = $1 ORDER BY id", job["id"])
    assert {row["event"] for row in events} == {"data.list_exported", "data.export_downloaded"}
    [row] = await stage.world.run("SELECT * FROM export_job WHERE id = $1", UUID(job["id"]))
    assert row["expires_at"] - row["finished_at"] == timedelta(hours=24)
    assert b"lefevre" not in row["parameters_sealed"]


@pytest.mark.usefixtures("everything_is_large")
async def test_after_its_day_nobody_gets_the_file_and_the_store_has_forgotten_it(jobless: Stage) -> None:
    stage = jobless
    job_id = (await stage.export()).json()["id"]
    assert (await until_ended(stage, job_id))["state"] == "done"
    [row] = await stage.world.run("SELECT * FROM export_job WHERE id = $1", UUID(job_id))
    await stage.world.run("UPDATE export_job SET expires_at = now() WHERE id = $1", UUID(job_id))
    check_problem(await stage.http.get(f"{EXPORTS}/{job_id}/file"), 404, "not_found")
    assert (await stage.job(job_id))["state"] == "expired"
    handle = stage.world.client.get_workflow_handle(f"export/{job_id}")
    await stage.world.temporal.fast_forward(handle, timedelta(hours=25))
    await handle.result()
    [after] = await stage.world.run("SELECT * FROM export_job WHERE id = $1", UUID(job_id))
    assert (after["object_key"], after["data_key_sealed"], after["parameters_sealed"]) == (None, None, None)
    vault = stage.use.exports._vault
    assert row["object_key"] not in {found.object_key async for found in vault.list()}


@pytest.mark.usefixtures("everything_is_large")
async def test_a_job_is_its_users_alone_and_only_while_they_follow_its_companies(jobless: Stage) -> None:
    stage = jobless
    world = stage.world
    job_id = (await stage.export()).json()["id"]
    assert (await until_ended(stage, job_id))["state"] == "done"
    for rights in ({stage.first.company_id: Role.administrator}, {(await world.employer()).company_id: Role.member}):
        async with signed_in(stage.app, world, await add_user(world, rights)) as http:
            for path in (job_id, f"{job_id}/file"):
                check_problem(await http.get(f"{EXPORTS}/{path}"), 404, "not_found")
            assert (await http.get(EXPORTS)).json()["items"] == []
    async with signed_in(stage.app, world, stage.user, stepped_up=False) as http:
        check_problem(await http.get(f"{EXPORTS}/{job_id}/file"), 403, "step_up_needed")
    suspend = "UPDATE membership SET suspended_at = $3 WHERE user_id = $1 AND company_id = $2"
    [now] = await world.run("SELECT now() AS at")
    await world.run(suspend, stage.user.id, stage.second.company_id, now["at"])
    try:
        check_problem(await stage.http.get(f"{EXPORTS}/{job_id}/file"), 404, "not_found")
    finally:
        await world.run(suspend, stage.user.id, stage.second.company_id, None)
    assert (await stage.http.get(f"{EXPORTS}/{job_id}/file")).status_code == 200


# --- attempts that are cut off


@dataclass
class Cut:
    """An export that is cut off where it is told to."""

    kind: InsuredExport
    at: int = 10**9

    event = InsuredExport.event

    def filtered_by(self, parameters: Any) -> list[str]:
        return self.kind.filtered_by(parameters)

    async def write(self, order: ExportOrder, progress: Progress) -> ExportFile:
        if self.at == 0:
            raise ConnectionError("cut off")
        return await self.kind.write(order, progress)


async def waiting(stage: Stage) -> str:
    """A job that no workflow has taken up."""
    return str(await add_job(stage.world, stage.user.id, [stage.first.company_id]))


def desk(stage: Stage, kinds: Any = None) -> ExportDesk:
    return ExportDesk(
        stage.world.system,
        stage.world.cipher,
        stage.use.exports._vault,
        notices(stage.world),
        kinds or export_kinds(stage.world.system, stage.world.cipher, stage.world.config.public_base_url),
    )


async def objects(stage: Stage) -> int:
    return len([found async for found in stage.use.exports._vault.list()])


async def test_an_attempt_after_one_that_was_cut_off_writes_the_file_once(jobless: Stage) -> None:
    stage, job_id = jobless, await waiting(jobless)
    cut = Cut(InsuredExport(stage.world.system, stage.world.cipher), at=0)
    with pytest.raises(ConnectionError):
        await desk(stage, {"insured": cut}).write(job_id)
    assert (await stage.job(job_id))["state"] == "running"
    first = await desk(stage).write(job_id)
    again = await desk(stage).write(job_id)  # its answer was lost
    assert first == again
    assert first.state is ExportState.done
    told = await stage.world.run("SELECT id FROM notice WHERE key LIKE $1", f"export_%/{job_id}")
    assert len(told) == 1
    logged = await stage.world.run("SELECT id FROM audit_log WHERE object_id = $1", job_id)
    assert len(logged) == 1


async def test_an_attempt_that_another_has_overtaken_leaves_no_file_that_counts(jobless: Stage) -> None:
    stage, job_id = jobless, await waiting(jobless)

    class Overtaken(Cut):
        async def write(self, order: ExportOrder, progress: Progress) -> ExportFile:
            file = await self.kind.write(order, progress)
            await desk(stage).write(job_id)  # meanwhile, elsewhere
            return replace(file, content=b"stale")

    slow = Overtaken(InsuredExport(stage.world.system, stage.world.cipher))
    with pytest.raises(Exception, match="taken over"):
        await desk(stage, {"insured": slow}).write(job_id)
    got = await stage.http.get(f"{EXPORTS}/{job_id}/file")
    assert len(lines(got)) == 30


async def test_who_loses_the_right_meanwhile_gets_nothing(jobless: Stage) -> None:
    stage, job_id = jobless, await waiting(jobless)
    await stage.world.run("UPDATE portal_user SET suspended_at = now() WHERE id = $1", stage.user.id)
    before = await objects(stage)
    try:
        assert (await desk(stage).write(job_id)).state is ExportState.cancelled
    finally:
        await stage.world.run("UPDATE portal_user SET suspended_at = NULL WHERE id = $1", stage.user.id)
    assert (await stage.job(job_id))["state"] == "cancelled"
    assert await objects(stage) == before


async def test_what_comes_to_nothing_is_told_once(jobless: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, job_id = jobless, await waiting(jobless)

    async def away(*_: object) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(stage.use.exports._vault, "put", away)
        with pytest.raises(Exception, match="away"):
            await desk(stage).write(job_id)
    for _ in range(2):
        assert (await desk(stage).fail(job_id)).state is ExportState.failed
    told = await stage.world.run("SELECT kind FROM notice WHERE key LIKE $1", f"export_%/{job_id}")
    assert [row["kind"] for row in told] == ["export_failed"]
    assert (await stage.job(job_id))["state"] == "failed"


@pytest.mark.usefixtures("everything_is_large")
async def test_a_users_jobs_are_bounded(jobless: Stage) -> None:
    for _ in range(service.UNDER_WAY):
        await waiting(jobless)
    check_problem(await jobless.export(), 409, "exports_under_way")


# --- afterwards


async def test_the_night_forgets_old_rows_and_keeps_files_that_have_one(jobless: Stage) -> None:
    stage, job_id = jobless, await waiting(jobless)
    old = await waiting(jobless)
    await desk(stage).write(job_id)
    await stage.world.run(
        "UPDATE export_job SET state = 'failed', requested_at = now() - interval '40 days' WHERE id = $1", UUID(old)
    )
    [row] = await stage.world.run("SELECT object_key FROM export_job WHERE id = $1", UUID(job_id))
    [day] = await stage.world.run("SELECT now() - interval '30 days' AS before")
    async with single(stage.world.system) as connection:
        await connection.execute(statements.PURGE, day["before"], 1000)
        kept = await connection.fetch(documents.OBJECT_KEYS, [row["object_key"]])
    assert len(kept) == 1
    left = await stage.world.run("SELECT id FROM export_job WHERE user_id = $1", stage.user.id)
    assert [str(one["id"]) for one in left] == [job_id]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"form": "pdf"}, "form"),
        ({"form": None}, "form"),
        ({"nir": "1900512990001"}, "nir"),
        ({"q": "1 90 05 12 990 001 55"}, "q"),
        ({"siret": "12"}, "siret"),
        ({"state": "x"}, "state"),
        ({"formula": "BASE"}, "formula"),
        ({"sort": "nir"}, "sort"),
        ({"limit": 10}, "limit"),
    ],
    ids=["form", "no form", "nir", "a number as a name", "siret", "state", "formula", "sort", "limit"],
)
async def test_bad_input_names_its_field(stage: Stage, body: dict[str, Any], field: str) -> None:
    problem = check_problem(await stage.export(**body), 422, "invalid_fields")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("text", ["x", "%00", "1"])
async def test_a_path_without_a_right_id_names_it(stage: Stage, text: str) -> None:
    for path in (text, f"{text}/file"):
        problem = check_problem(await stage.http.get(f"{EXPORTS}/{path}"), 422, "invalid_fields")
        assert [error["field"] for error in problem["errors"]] == ["job_id"]
