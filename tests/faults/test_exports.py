"""A worker killed (SIGKILL) while it writes an export: another one goes on, and there is one file, told of once."""

from __future__ import annotations

import signal
import uuid
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.testing import WorkflowEnvironment

from composition import vault
from settings import Settings
from tests.exporting import job_of_two
from tests.faults.breaking import changed, until, worker_process, world_without_worker
from tests.world import World
from worker import build_worker
from workflows.exports_client import Exports

# The transactions of one attempt: claim, the row's first progress, finish (the file is in the store by then).
POINTS = [(1, "after"), (3, "before"), (3, "after")]


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(*point, marks=[pytest.mark.faults_long] if point != POINTS[1] else [], id=f"{point[0]} {point[1]}")
        for point in POINTS
    ],
)
async def test_a_killed_worker_leaves_one_file_told_of_once(
    broken_config: Settings, temporal: WorkflowEnvironment, number: int, moment: str
) -> None:
    config = changed(broken_config, temporal_task_queue=f"killed-{uuid.uuid4()}")
    async with world_without_worker(config, temporal) as world:
        job_id = await job_of_two(world)
        await Exports(world.client, config.temporal_task_queue, timedelta(seconds=5)).start(job_id)
        async with worker_process(config, "export", number, moment) as doomed:
            assert await doomed.died() == signal.SIGKILL
        async with build_worker(world.client, world.system, config):
            await until(lambda: _done(world, job_id), 60)
        [row] = await world.run("SELECT * FROM export_job WHERE id = $1", job_id)
        notices = await world.run("SELECT kind FROM notice WHERE key LIKE $1", f"export_%/{job_id}")
        assert [notice["kind"] for notice in notices] == ["export_ready"]
        logged = await world.run("SELECT details FROM audit_log WHERE object_id = $1", str(job_id))
        assert [entry["details"]["rows"] for entry in logged] == [2]
        content = await vault(config).get(
            row["object_key"], row["data_key_sealed"], row["sha256"], str(job_id), "export_job"
        )
        assert content.startswith(b"PK")
        assert row["rows_done"] == row["rows_total"] == 2
        assert row["attempts"] == (1 if (number, moment) == POINTS[-1] else 2)


async def _done(world: World, job_id: UUID) -> bool:
    [row] = await world.run("SELECT state FROM export_job WHERE id = $1", job_id)
    return bool(row["state"] == "done")
