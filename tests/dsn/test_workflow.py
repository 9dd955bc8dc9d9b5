"""DSN files through their workflow, on the real server: once, whole or not at all, whatever dies on the way."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.affiliation import Actor, ActorKind
from activities.contracts.dsn import (
    APPLY_DSN,
    FINISH_DSN,
    RECORD_DSN,
    SURVEY_DSN,
    DsnApplied,
    DsnBatch,
    DsnFinished,
    DsnPhase,
    DsnRecorded,
    DsnStep,
    DsnSurveyed,
    StartDsnImport,
    dsn_workflow_id,
)
from activities.dsn_directory import DONE, REFUSED, TAKEN, DsnDirectory
from activities.dsn_intake import DsnIntake, Taken, Unfit
from activities.sweep import Sweeper
from composition import dsn_vault
from domain.coverage_rights import Right, StepKind, rights_on
from domain.departures import covered_until
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir
from domain.working_time import months_after, paris_date
from local.postgres import PostgresServer
from settings import Settings
from tests.conftest import database_of_its_own
from tests.covering import covered
from tests.domain.dsn.files import ADHESION, contract, envoi, written
from tests.dsn.importing import declared_by, somebody
from tests.insuring import add_insured
from tests.world import Employer, World, open_world
from workflows.dsn_import import DsnImportWorkflow
from workflows.dsn_imports_client import DsnImports
from workflows.engine import EngineAway
from workflows.runners import watchful_runner

STAFF = Actor(ActorKind.staff, "00000000-0000-7000-8000-000000000001")
DAY = timedelta(days=1)
BORN = date(1975, 6, 12)
NIR = synthetic_nir(Civility.madame, BORN)
MOST = 10 * 1024 * 1024
LEFT = contract(start="15102025", end="20042026", reason="059")


@pytest.fixture(scope="module")
async def world(config: Settings, postgres: PostgresServer, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """In a database of its own: what the sweep finds there is this file's."""
    settings = await database_of_its_own(config, postgres, "dsn_workflow")
    settings = settings.model_copy(update={"dsn_references": ADHESION})
    async with open_world(settings, temporal) as opened:
        yield opened


class Away(DsnImports):
    """Temporal does not answer."""

    async def start(self, import_id: UUID) -> None:
        raise EngineAway("away")


class Door:
    """What takes files in, and what becomes of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = DsnImports(world.client, world.config.temporal_task_queue, timedelta(seconds=5))

    def intake(self, engine: DsnImports | None = None, most: int = MOST) -> DsnIntake:
        return DsnIntake(self.world.system, dsn_vault(self.world.config), engine or self.engine, most)

    async def take(self, content: bytes, engine: DsnImports | None = None, most: int = MOST) -> Taken:
        async def parts() -> AsyncIterator[bytes]:
            yield content

        return await self.intake(engine, most).take(parts(), "upload", STAFF)

    def handle(self, import_id: UUID) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(DsnImportWorkflow.run, dsn_workflow_id(str(import_id)))

    async def row(self, import_id: UUID) -> asyncpg.Record:
        [row] = await self.world.run("SELECT * FROM dsn_import WHERE id = $1", import_id)
        return row

    async def states(self, import_id: UUID) -> list[str]:
        rows = await self.world.run("SELECT state FROM dsn_declaration WHERE import_id = $1 ORDER BY number", import_id)
        return [row["state"] for row in rows]


@pytest.fixture(scope="module")
def door(world: World) -> Door:
    return Door(world)


def monthly(employer: Employer, *people: Any, **settings: Any) -> bytes:
    return written(envoi(declared_by(employer)(*people, **settings))).getvalue()


async def test_a_file_is_read_to_the_end_and_what_nobody_need_look_at_is_carried_out(door: Door) -> None:
    employer = await door.world.employer()
    coverage = await add_insured(door.world, employer, nir=NIR, starts_on=date(2025, 10, 15))
    taken = await door.take(monthly(employer, somebody(NIR, LEFT)))
    imported = await door.handle(taken.import_id).result()
    assert (imported.state, imported.counts.recorded, imported.counts.applied) == ("applied", 1, 1)
    [row] = await door.world.run("SELECT ends_on FROM coverage WHERE id = $1", coverage)
    assert row["ends_on"] == date(2026, 4, 30)
    progress = await door.engine.progress(taken.import_id)
    assert (progress.phase, progress.declarations, progress.done) == (DsnPhase.finished, 1, 1)


async def test_an_end_in_a_file_becomes_a_year_of_portability_day_by_day(door: Door) -> None:
    """From the file to the last day: cover to the month's end, then twelve months for a contract of two years."""
    ends_on = paris_date(datetime.now(UTC))
    month_end = covered_until(ends_on)
    first, last = month_end + DAY, months_after(month_end + DAY, 12) - DAY
    nir = synthetic_nir(Civility.madame, BORN, order=77)
    life = await covered(door.world, starts_on=date(2024, 2, 1), dsn=True, nir=nir)
    left = contract(start="01022024", end=f"{ends_on:%d%m%Y}", reason="043")
    month = f"01{ends_on:%m%Y}"
    taken = await door.take(monthly(life.employer, somebody(nir, left), month=month))
    imported = await door.handle(taken.import_id).result()
    assert (imported.state, imported.counts.applied) == ("applied", 1)

    await life.through(StepKind.cover_end)
    await life.prove(last)
    facts, day = await life.facts(), date(2024, 1, 31)
    seen: list[tuple[date, Right]] = []
    while day <= last + DAY:
        of_day = rights_on(facts, day)
        if not seen or seen[-1][1] is not of_day.right:
            seen.append((day, of_day.right))
        assert of_day.until == last
        day += DAY
    assert seen == [
        (date(2024, 1, 31), Right.none),
        (date(2024, 2, 1), Right.active),
        (first, Right.portability),
        (last + DAY, Right.none),
    ]
    await life.through(StepKind.portability_end)
    await life.to_the_end()
    assert [kind for kind, _ in await life.sent()] == ["cover_end", "portability_end"]
    assert last - timedelta(days=40) < paris_date(await life.now())


async def test_the_same_file_twice_is_one_import_and_starts_nothing(door: Door) -> None:
    employer = await door.world.employer()
    content = monthly(employer, somebody(NIR, contract()))
    first = await door.take(content)
    await door.handle(first.import_id).result()
    again = await door.take(content)
    assert again == Taken(first.import_id, known=True)
    described = await door.handle(first.import_id).describe()
    assert described.run_id == (await door.handle(first.import_id).describe()).run_id
    [objects] = await door.world.run("SELECT count(*) AS many FROM dsn_import WHERE sha256 = "
                                     "(SELECT sha256 FROM dsn_import WHERE id = $1)", first.import_id)  # fmt: skip
    assert objects["many"] == 1
    await door.engine.start(first.import_id)
    assert (await door.handle(first.import_id).describe()).run_id == described.run_id


async def test_a_poison_declaration_is_put_aside_and_the_others_go_on(door: Door) -> None:
    employer = await door.world.employer()
    poison = declared_by(employer)(somebody(NIR, contract()), order="202604002")
    lines = poison.rubriques()
    place = next(n for n, (code, _) in enumerate(lines) if code.startswith("S21.G00.11"))
    poison_lines = [*lines[: place + 1], ("S21.G00.73.004", "01012026"), *lines[place + 1 :]]
    good = declared_by(employer)(somebody(NIR, contract()), order="202604001")
    late = declared_by(employer)(somebody(NIR, contract()), order="202604003")
    whole = envoi(good, late)
    body = [*whole[: len(whole) - 2 - len(late.rubriques())], *poison_lines, *late.rubriques()]
    file = written([*body, ("S90.G00.90.001", str(len(body) + 2)), ("S90.G00.90.002", "3")]).getvalue()
    taken = await door.take(file)
    imported = await door.handle(taken.import_id).result()
    assert (imported.state, imported.counts.recorded, imported.counts.set_aside) == ("applied", 2, 1)
    assert await door.states(taken.import_id) == ["recorded", "set_aside", "recorded"]


async def test_a_refused_file_ends_its_workflow_with_its_state_and_may_come_again(door: Door) -> None:
    content = b"Nom;Prenom\n" + str(uuid.uuid4()).encode()
    taken = await door.take(content)
    imported = await door.handle(taken.import_id).result()
    assert imported.state == "refused"
    row = await door.row(taken.import_id)
    assert (row["state"], row["faults"][0]["code"]) == ("refused", "not_dsn")
    again = await door.take(content)
    assert not again.known
    assert again.import_id != taken.import_id


@pytest.mark.parametrize(("content", "code"), [(b"", "empty"), (b"S" * 1000, "too_large")])
async def test_what_no_file_can_be_is_not_even_kept(door: Door, content: bytes, code: str) -> None:
    before = await door.world.run("SELECT count(*) FROM dsn_import")
    with pytest.raises(Unfit, match=code):
        await door.take(content, most=999)
    assert await door.world.run("SELECT count(*) FROM dsn_import") == before


async def test_a_file_that_came_while_temporal_was_away_is_started_by_the_sweep(door: Door) -> None:
    employer = await door.world.employer()
    away = Away(door.world.client, "nowhere", timedelta(seconds=1))
    taken = await door.take(monthly(employer, somebody(NIR, contract())), away)
    assert (await door.row(taken.import_id))["state"] == "received"
    sweeper = Sweeper(door.world.system, door.world.engine, grace=timedelta(0), dsn=door.engine)
    assert (await sweeper.sweep()).dsn_started == 1
    await door.handle(taken.import_id).result()
    assert (await sweeper.sweep()).dsn_started == 0


async def test_nothing_personal_is_in_the_history(door: Door) -> None:
    employer = await door.world.employer()
    taken = await door.take(monthly(employer, somebody(NIR, LEFT, name="TRESRECONNAISSABLE")))
    await door.handle(taken.import_id).result()
    history = (await door.handle(taken.import_id).fetch_history()).to_json()
    for secret in ("TRESRECONNAISSABLE", NIR[:13], employer.siret):
        assert secret not in history


# --- batches that fail, and long files


class Unsteady:
    """Stands for the activities: batches of one declaration, and the first attempt of each dies after its work."""

    def __init__(self, declarations: int, *, dies: bool = True) -> None:
        self.declarations = declarations
        self.dies = dies
        self.recorded: list[int] = []
        self.applied: list[int] = []

    @activity.defn(name=SURVEY_DSN)
    async def survey(self, step: DsnStep) -> DsnSurveyed:
        return DsnSurveyed(False, self.declarations)

    @activity.defn(name=RECORD_DSN)
    async def record(self, batch: DsnBatch) -> DsnRecorded:
        self.recorded.append(batch.after)
        if self.dies and activity.info().attempt == 1:
            raise ConnectionError("the database went away")
        last = batch.after + 1
        return DsnRecorded(last, last == self.declarations, recorded=1)

    @activity.defn(name=APPLY_DSN)
    async def apply(self, batch: DsnBatch) -> DsnApplied:
        self.applied.append(batch.after)
        return DsnApplied(self.declarations, True, applied=2, left=1)

    @activity.defn(name=FINISH_DSN)
    async def finish(self, step: DsnStep) -> DsnFinished:
        return DsnFinished("applied")


async def imported_by(world: World, unsteady: Unsteady, import_id: str) -> Any:
    queue = f"dsn-{uuid.uuid4()}"
    async with Worker(
        world.client,
        task_queue=queue,
        workflows=[DsnImportWorkflow],
        activities=[unsteady.survey, unsteady.record, unsteady.apply, unsteady.finish],
        workflow_runner=watchful_runner(),
    ):
        handle = await world.client.start_workflow(
            DsnImportWorkflow.run, StartDsnImport(import_id), id=dsn_workflow_id(import_id), task_queue=queue
        )
        return await asyncio.wait_for(handle.result(), 60)


async def test_a_batch_that_died_is_done_again_and_none_before_it(world: World) -> None:
    unsteady = Unsteady(3)
    imported = await imported_by(world, unsteady, str(uuid.uuid4()))
    assert unsteady.recorded == [0, 0, 1, 1, 2, 2]
    assert (imported.counts.recorded, imported.counts.applied, imported.counts.left) == (3, 2, 1)


async def test_a_long_file_goes_on_in_a_new_run_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.dsn_import.BATCHES_IN_A_RUN", 4)
    unsteady = Unsteady(10, dies=False)
    import_id = str(uuid.uuid4())
    queue = f"dsn-{uuid.uuid4()}"
    async with Worker(
        world.client,
        task_queue=queue,
        workflows=[DsnImportWorkflow],
        activities=[unsteady.survey, unsteady.record, unsteady.apply, unsteady.finish],
        workflow_runner=UnsandboxedWorkflowRunner(),  # which sees what is patched
    ):
        handle = await world.client.start_workflow(
            DsnImportWorkflow.run, StartDsnImport(import_id), id=dsn_workflow_id(import_id), task_queue=queue
        )
        imported = await asyncio.wait_for(handle.result(), 60)
    assert unsteady.recorded == list(range(10)), "each batch once, in whichever run"
    assert imported.counts.recorded == 10
    first = await world.client.get_workflow_handle(
        dsn_workflow_id(import_id), run_id=handle.first_execution_run_id
    ).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"


# --- the watched directory


class Watched:
    def __init__(self, door: Door, directory: Path) -> None:
        self.door = door
        self.path = directory
        self.watch = DsnDirectory(door.world.system, door.intake(most=100_000), directory)

    def put(self, name: str, content: bytes, *, age: float = 120) -> None:
        path = self.path / name
        path.write_bytes(content)
        os.utime(path, (time.time() - age,) * 2)

    def names(self, folder: str = ".") -> list[str]:
        return sorted(path.name for path in (self.path / folder).iterdir() if path.is_file())

    async def taken_ids(self) -> list[UUID]:
        return [UUID(name.partition("--")[0]) for name in self.names(TAKEN)]


@pytest.fixture
def watched(door: Door, tmp_path: Path) -> Watched:
    return Watched(door, tmp_path)


async def test_a_file_of_the_directory_is_taken_once_it_is_whole_and_sorted_when_it_is_read(watched: Watched) -> None:
    employer = await watched.door.world.employer()
    watched.put("avril.dsn", monthly(employer, somebody(NIR, contract())))
    watched.put("mai.dsn.part", b"half of it")
    watched.put("juin.dsn", b"still being written", age=1)
    watched.put(".hidden", b"not ours")
    assert await watched.watch.look() == 1
    assert watched.names() == [".hidden", "juin.dsn", "mai.dsn.part"]
    [import_id] = await watched.taken_ids()
    await watched.door.handle(import_id).result()
    assert await watched.watch.look() == 0
    assert (watched.names(TAKEN), watched.names(DONE)) == ([], ["avril.dsn"])
    row = await watched.door.row(import_id)
    assert (row["origin"], row["name"], row["received_by"]) == ("directory", "avril.dsn", None)


async def test_the_same_file_again_is_known_and_sorted_as_the_first_was(watched: Watched) -> None:
    employer = await watched.door.world.employer()
    content = monthly(employer, somebody(NIR, contract()))
    taken = await watched.door.take(content)
    await watched.door.handle(taken.import_id).result()
    watched.put("encore.dsn", content)
    assert await watched.watch.look() == 0
    assert await watched.taken_ids() == [taken.import_id]
    await watched.watch.look()
    assert watched.names(DONE) == ["encore.dsn"]


async def test_a_file_that_is_refused_says_why_beside_it(watched: Watched) -> None:
    watched.put("liste.csv", b"Nom;Prenom\n" + str(uuid.uuid4()).encode())
    watched.put("vide.dsn", b"")
    watched.put("enorme.dsn", b"S" * 100_001)
    await watched.watch.look()
    [import_id] = await watched.taken_ids()
    await watched.door.handle(import_id).result()
    await watched.watch.look()
    assert watched.names(REFUSED) == [
        *("enorme.dsn", "enorme.dsn.txt", "liste.csv", "liste.csv.txt", "vide.dsn", "vide.dsn.txt"),
    ]
    assert (watched.path / REFUSED / "liste.csv.txt").read_text().startswith("not_dsn (line 1)")


async def test_a_look_killed_after_the_file_was_stored_ends_with_one_import(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    employer = await watched.door.world.employer()
    watched.put("avril.dsn", monthly(employer, somebody(NIR, contract())))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _killed)
        with pytest.raises(KeyboardInterrupt):
            await watched.watch.look()
    assert watched.names() == ["avril.dsn"]
    assert await watched.watch.look() == 0, "known already"
    [import_id] = await watched.taken_ids()
    rows = await watched.door.world.run("SELECT id FROM dsn_import WHERE name = 'avril.dsn' AND id = $1", import_id)
    assert len(rows) == 1


async def test_a_link_is_never_followed_and_a_directory_that_is_gone_hurts_nobody(
    watched: Watched, door: Door, tmp_path: Path
) -> None:
    (tmp_path / "lien.dsn").symlink_to("/etc/hostname")
    assert await watched.watch.look() == 0
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert await DsnDirectory(door.world.system, door.intake(), file).look() == 0
    assert await DsnDirectory(door.world.system, door.intake(), None).look() == 0


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
