"""A DSN whose worker is killed (SIGKILL) between any two steps: read to the end, each change once. How the deaths are
arranged is told in `test_kills`."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.dsn import DsnImported, dsn_workflow_id
from activities.dsn_intake import DsnIntake
from composition import dsn_vault
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir
from settings import Settings
from tests.domain.dsn.files import ADHESION, contract, envoi, written
from tests.dsn.importing import declared_by, somebody
from tests.faults.breaking import changed, worker_process, world_without_worker
from tests.insuring import add_insured
from worker import build_worker
from workflows.dsn_imports_client import DsnImports

NIR = synthetic_nir(Civility.madame, date(1975, 6, 12))


@dataclass(frozen=True)
class Death:
    place: str
    number: int
    moment: str

    def __str__(self) -> str:
        return f"{self.place} {self.number} {self.moment}"


# what was looked through is kept; a batch is written; one change is carried out
DEATHS = [
    Death("dsn", 2, "after"),
    Death("dsn", 6, "before"),
    Death("dsn", 6, "after"),
    Death("dsn_changes", 2, "before"),
    Death("dsn_changes", 2, "after"),
]


@dataclass(frozen=True)
class Survived:
    signal: int
    state: str
    declarations: list[str]
    changes: list[tuple[str, str]]
    ends: int


async def lived_through(death: Death, config: Settings, temporal: WorkflowEnvironment) -> Survived:
    config = changed(config, temporal_task_queue=f"killed-{uuid.uuid4()}", dsn_references=ADHESION)
    async with world_without_worker(config, temporal) as world:
        employer = await world.employer()
        coverage = await add_insured(world, employer, nir=NIR, starts_on=date(2025, 10, 15))
        left = contract(start="15102025", end="20042026", reason="059")
        file = written(envoi(declared_by(employer)(somebody(NIR, left))))
        engine = DsnImports(world.client, config.temporal_task_queue, timedelta(seconds=5))

        async def content() -> AsyncIterator[bytes]:
            yield file.getvalue()

        intake = DsnIntake(world.system, dsn_vault(config), engine, 10**6)
        taken = await intake.take(content(), "upload", SYSTEM_ACTOR)
        async with worker_process(config, death.place, death.number, death.moment) as doomed:
            died_of = await doomed.died()
        handle = world.client.get_workflow_handle(dsn_workflow_id(str(taken.import_id)), result_type=DsnImported)
        async with build_worker(world.client, world.system, config):
            imported = await asyncio.wait_for(handle.result(), 40)
        declarations = await world.run("SELECT state FROM dsn_declaration WHERE import_id = $1", taken.import_id)
        changes = await world.run("SELECT kind, state FROM dsn_change WHERE company_id = $1", employer.company_id)
        ends = await world.run("SELECT id FROM coverage_end WHERE coverage_id = $1", coverage)
        return Survived(
            died_of,
            imported.state,
            [row["state"] for row in declarations],
            [(row["kind"], row["state"]) for row in changes],
            len(ends),
        )


@pytest.fixture(scope="module")
async def survived(broken_config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    results = await asyncio.gather(
        *(lived_through(death, broken_config, temporal) for death in DEATHS), return_exceptions=True
    )
    return dict(zip(DEATHS, results, strict=True))


@pytest.mark.parametrize("death", DEATHS, ids=str)
async def test_a_file_is_read_to_the_end_and_each_change_is_made_once(survived: dict[Death, Any], death: Death) -> None:
    one = survived[death]
    if isinstance(one, BaseException):
        raise one
    assert one == Survived(signal.SIGKILL, "applied", ["recorded"], [("end", "applied")], 1)
