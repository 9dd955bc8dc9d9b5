"""Bulk pre-affiliation: a table read, checked, corrected, confirmed and carried out, each person once."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI

from activities.affiliation_import_sweep import ImportSweep
from activities.contracts.affiliation_imports import ImportState, ImportTask, RowState
from services.affiliation_import_views import ImportRow, Severity
from services.affiliation_imports import AffiliationImports
from services.callers import Caller, Scope
from services.declarations import PreAffiliation
from services.import_reading import guess, read_table
from services.pre_affiliation_checks import PreAffiliationChecks
from services.problems import InvalidFields, NotAllowed, NotFound, RefusedByRules
from tests.importing import importer, row_of, table, until_over
from tests.insuring import add_insured, new_nir
from tests.world import Employer, World
from workflows.affiliation_imports_client import AffiliationImportRuns
from workflows.engine import EngineAway


@pytest.fixture(scope="module")
def imports(app: FastAPI) -> AffiliationImports:
    service: AffiliationImports = app.state.parts.affiliation_imports
    return service


@pytest.fixture(scope="module")
def runs(world: World) -> AffiliationImportRuns:
    return AffiliationImportRuns(world.client, world.config.temporal_task_queue, timedelta(seconds=5))


async def rows_of(imports: AffiliationImports, caller: Caller, import_id: UUID) -> dict[int, ImportRow]:
    page = await imports.rows(caller, import_id, None, 200, None)
    assert page.next_cursor is None
    return {row.number: row for row in page.items}


async def refusal(asked: Awaitable[object]) -> str:
    with pytest.raises(RefusedByRules) as refused:
        await asked
    return refused.value.code


async def declared_at(world: World, employer: Employer) -> int:
    [row] = await world.run("SELECT count(*) AS many FROM affiliation WHERE company_id = $1", employer.company_id)
    return int(row["many"])


async def test_a_table_is_checked_corrected_confirmed_and_carried_out_once(
    imports: AffiliationImports, world: World
) -> None:
    employer, stranger = await world.employer(), await world.employer()
    caller = await importer(world, employer)
    known, moved = world.declaration(employer), world.declaration(employer)
    await imports_declared(world, employer, known, moved)
    nir, born = new_nir()[0], "1975-06-12"
    await add_insured(world, employer, nir=nir)
    good = [world.declaration(employer) for _ in range(3)]
    foreign = {**world.declaration(employer), "siret": stranger.siret}
    insured = world.declaration(employer, nir=nir, birth_date=born)
    other_person = world.declaration(employer, nir=nir, birth_date="1971-02-03")
    content = table(
        [
            row_of(good[0]),  # 2
            row_of(good[1], civility="Madame", hired_on="02/11/2026", professional_status="Non cadre"),  # 3
            row_of(good[2], birth_name="", siret=""),  # 4: what follows from the rest
            row_of(world.declaration(employer), nir="1,85057E+14"),  # 5: lost for good
            row_of(good[0]),  # 6: again
            row_of(known),  # 7
            row_of(moved, email="nouvelle@exemple.fr"),  # 8
            row_of(insured),  # 9
            row_of(other_person),  # 10
            row_of(foreign),  # 11
            row_of(insured, line1=""),  # 12
        ]
    )
    view = await imports.upload(caller, "embauches.csv", content)
    assert (view.state, view.rows_total, view.missing, view.same_as) == (ImportState.checked, 11, [], None)
    rows = await rows_of(imports, caller, view.id)
    assert {number: row.state for number, row in rows.items()} == {
        2: RowState.new,
        3: RowState.new,
        4: RowState.new,
        5: RowState.invalid,
        6: RowState.skipped,
        7: RowState.running,
        8: RowState.changed,
        9: RowState.conflict,
        10: RowState.conflict,
        11: RowState.invalid,
        12: RowState.invalid,
    }
    assert [problem.code for problem in rows[11].problems] == ["siret.unknown"]
    assert [problem.field for problem in rows[12].problems] == ["line1"]
    assert rows[4].values["siret"] == employer.siret
    assert {repair.field for repair in rows[4].repairs} == {"siret", "birth_name"}
    assert "ligne 2" in rows[6].problems[0].message
    assert (rows[8].included, view.to_start, view.can_confirm) == (False, 3, True)
    assert rows[7].affiliation_id is not None

    # the two rows of one number: once one of them is somebody else's, the other is what it is
    settled = await imports.correct(caller, view.id, 10, {"nir": new_nir()[0], "birth_date": "12/06/1971"})
    assert settled.state is RowState.new
    assert {problem.severity for problem in settled.problems} <= {Severity.advice}
    assert (await imports.row(caller, view.id, 9)).state is RowState.insured
    wrong = await imports.correct(caller, view.id, 5, {"nir": "275"})
    assert (wrong.state, wrong.problems[0].field) == (RowState.invalid, "nir")

    await imports.include(caller, view.id, [3], False)
    await imports.include(caller, view.id, [8], True)
    confirmed = await imports.confirm(caller, view.id, None)
    assert (confirmed.confirmed, confirmed.can_map) == (4, False)
    assert (await imports.confirm(caller, view.id, None)).confirmed == 4  # clicked twice
    await until_over(world, view.id)
    over = await imports.view(caller, view.id)
    assert (over.state, over.started, over.done, over.to_start) == (ImportState.done, 4, 4, 0)
    assert await declared_at(world, employer) == 6  # two before, the insured person's own, three now
    [contact] = await world.run(
        "SELECT email FROM contact WHERE affiliation_id = $1 ORDER BY version DESC LIMIT 1", rows[8].affiliation_id
    )
    assert contact["email"] == "nouvelle@exemple.fr"
    notices = await world.run("SELECT kind FROM notice WHERE key LIKE $1", f"%{view.id}%")
    assert [notice["kind"] for notice in notices] == ["import_done"]
    assert (await imports.confirm(caller, view.id, [2, 4])).state is ImportState.done  # those are started
    assert await refusal(imports.correct(caller, view.id, 2, {"city": "Lyon"})) == "import_row_closed"

    # one more of the same import, then the same file again: nothing is left to be started
    await imports.confirm(caller, view.id, [3])
    await until_over(world, view.id, 2)
    again = await imports.upload(caller, "embauches.csv", content)
    assert (again.same_as, again.to_start) == (view.id, 0)
    assert await refusal(imports.confirm(caller, again.id, None)) == "import_nothing_to_start"
    assert await declared_at(world, employer) == 7
    report = read_table(await imports.report(caller, view.id), "compte-rendu.xlsx")
    assert report.count == 11
    assert len(guess(report)) == 19


async def imports_declared(world: World, employer: Employer, *declarations: dict[str, object]) -> None:
    for declaration in declarations:
        await world.affiliations.declare(employer.caller, PreAffiliation.model_validate(declaration))


async def test_an_import_is_its_users_and_nobody_elses(imports: AffiliationImports, world: World) -> None:
    employer = await world.employer()
    caller, colleague = await importer(world, employer), await importer(world, employer)
    view = await imports.upload(caller, "a.csv", table([row_of(world.declaration(employer))]))
    for asked in (imports.view(colleague, view.id), imports.confirm(colleague, view.id, None)):
        with pytest.raises(NotFound):
            await asked
    assert [one.id for one in await imports.recent(caller)] == [view.id]
    assert await imports.recent(colleague) == []
    with pytest.raises(NotAllowed):
        await imports.upload(employer.caller, "a.csv", b"x")  # an API key
    with pytest.raises(NotAllowed):
        await imports.recent(replace(caller, scopes=frozenset({Scope.read})))
    with pytest.raises(InvalidFields):
        await imports.rows(caller, view.id, None, 10, "x")


async def test_nothing_is_declared_for_who_lost_the_right_to_it(
    imports: AffiliationImports, world: World, runs: AffiliationImportRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confirmed while Temporal was away; the sweep starts it, and the right has ended meanwhile."""
    employer = await world.employer()
    caller = await importer(world, employer)
    view = await imports.upload(caller, "a.csv", table([row_of(world.declaration(employer))]))

    async def away(*_: object) -> None:
        raise EngineAway("away")

    with monkeypatch.context() as patch:
        patch.setattr(AffiliationImportRuns, "start", away)
        assert (await imports.confirm(caller, view.id, None)).state is ImportState.confirmed
    await world.run("UPDATE membership SET suspended_at = now() WHERE user_id = $1", caller.person().user_id)
    assert await ImportSweep(world.system, runs).start(0, 100) >= 1
    await until_over(world, view.id)
    [row] = await world.run("SELECT state FROM affiliation_import WHERE id = $1", view.id)
    assert row["state"] == "refused"
    assert await declared_at(world, employer) == 0
    with pytest.raises(NotFound):
        await imports.view(caller, view.id)


async def test_columns_may_be_told_and_a_cancelled_import_starts_nothing(
    imports: AffiliationImports, world: World
) -> None:
    employer = await world.employer()
    caller = await importer(world, employer)
    declaration = row_of(world.declaration(employer))
    names = [name for name in declaration if name not in ("medium", "line2", "language")]
    text = "\n".join(
        ["\t".join(f"Colonne {letter}" for letter in "ABCDEFGHIJKLMNOP"), "\t".join(declaration[n] for n in names)]
    )
    view = await imports.paste(caller, text)
    assert view.filename == ""
    told = {name: place for place, name in enumerate(names)}
    mapped = await imports.map_columns(caller, view.id, told)
    assert (mapped.state, mapped.counts, mapped.to_start) == (ImportState.checked, {RowState.new: 1}, 1)
    assert [column.field for column in mapped.columns] == names
    with pytest.raises(InvalidFields):
        await imports.map_columns(caller, view.id, {"nir": 99})
    cancelled = await imports.cancel(caller, view.id)
    assert (cancelled.state, cancelled.can_confirm, cancelled.can_map) == (ImportState.cancelled, False, False)
    assert await refusal(imports.confirm(caller, view.id, None)) == "import_closed"


async def test_a_long_table_is_checked_by_a_worker_and_started_in_batches(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    caller = await importer(world, employer)
    parts = app.state.parts
    runs = AffiliationImportRuns(world.client, world.config.temporal_task_queue, timedelta(seconds=5))
    imports = AffiliationImports(parts.tools, PreAffiliationChecks(world.web, world.cipher), runs, at_once=1)
    view = await imports.upload(caller, "a.csv", table([row_of(world.declaration(employer)) for _ in range(27)]))
    assert view.rows_total == 27
    await until_over(world, view.id, task=ImportTask.check)
    assert (await imports.view(caller, view.id)).to_start == 27
    await imports.confirm(caller, view.id, None)
    await until_over(world, view.id)
    assert (await imports.view(caller, view.id)).started == 27
    progress = await runs.progress(view.id, 1)
    assert (progress.done, progress.started) == (27, 27)
