"""A worker killed (SIGKILL) while it starts an import: another one goes on, and everybody is declared once."""

from __future__ import annotations

import asyncio
import signal
import uuid
from uuid import UUID

from temporalio.testing import WorkflowEnvironment

from settings import Settings
from tests.faults.breaking import changed, until, worker_process, world_without_worker
from tests.importing import importer, row_of, table
from tests.world import World
from web.parts import open_parts
from worker import build_worker

ROWS = 3
# The transactions of a batch: its beginning, then of each row whether it may go on, and that it is settled: the second
# row's affiliation is written by then.
POINTS = [(5, "before"), (5, "after")]


async def test_a_killed_worker_leaves_nobody_out_and_declares_nobody_twice(
    broken_config: Settings, temporal: WorkflowEnvironment
) -> None:
    await asyncio.gather(*(_killed(broken_config, temporal, number, moment) for number, moment in POINTS))


async def _killed(broken: Settings, temporal: WorkflowEnvironment, number: int, moment: str) -> None:
    config = changed(broken, temporal_task_queue=f"killed-{uuid.uuid4()}")
    async with world_without_worker(config, temporal) as world, open_parts(config, world.client) as parts:
        employer = await world.employer()
        caller = await importer(world, employer)
        imports = parts.affiliation_imports
        content = table([row_of(world.declaration(employer)) for _ in range(ROWS)])
        view = await imports.upload(caller, "embauches.csv", content)
        await imports.confirm(caller, view.id, None)
        async with worker_process(config, "import", number, moment) as doomed:
            assert await doomed.died() == signal.SIGKILL
        assert (await imports.view(caller, view.id)).started == (1 if moment == "before" else 2)
        async with build_worker(world.client, world.system, config):
            await until(lambda: _over(world, view.id), 60)
        over = await imports.view(caller, view.id)
        assert (over.started, over.done) == (ROWS, ROWS)
        declared = await world.run("SELECT employee_id FROM affiliation WHERE company_id = $1", employer.company_id)
        assert len({row["employee_id"] for row in declared}) == len(declared) == ROWS
        notices = await world.run("SELECT kind FROM notice WHERE key LIKE $1", f"import_done/{view.id}/%")
        assert len(notices) == 1


async def _over(world: World, import_id: UUID) -> bool:
    [row] = await world.run("SELECT state FROM affiliation_import WHERE id = $1", import_id)
    return bool(row["state"] == "done")
