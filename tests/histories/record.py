"""Records the corpus: `python -m tests.histories.record [path …]`.

Only after a wanted change of the workflow's commands: what is replaced here no longer guards the lives that are
under way. Where lives are under way, `workflow.patched` comes first and new histories are added beside the old ones.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from composition import providers
from db.migrate import migrate
from db.pool import create_pool
from local.database import APPLICATION, DATABASE, OWNER, grant_roles, prepare
from local.postgres import PostgresServer
from local.temporal import executable, extra_arguments
from settings import Settings
from tests.histories import corpus
from tests.histories.affiliation_imports import BULK
from tests.histories.contacts import CONTACTS
from tests.histories.coverages import COVERAGES
from tests.histories.dsn import IMPORTS
from tests.histories.exports import EXPORTS
from tests.histories.gateways import told
from tests.histories.notices import NOTICES
from tests.histories.paths import PATHS
from tests.histories.scene import Scene
from tests.histories.webhooks import WEBHOOKS
from tests.world import World, open_world
from worker import SWEEP_ID

PASSWORDS = {"postgres": "superuser", OWNER: "owner", APPLICATION: "application"}


async def record(wanted: list[str]) -> None:
    """Live each path and keep its history."""
    with tempfile.TemporaryDirectory() as directory:
        async with PostgresServer(Path(directory), passwords=PASSWORDS, durable=False) as postgres:
            await prepare(postgres)
            await migrate(postgres.url(OWNER, DATABASE))
            await grant_roles(postgres)
            await _record(postgres.url(APPLICATION, DATABASE), wanted)


async def _record(database_url: str, wanted: list[str]) -> None:
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(4)]
    config = Settings(
        database_url=database_url,
        field_keys=f"1:{keys[0]}",
        blind_index_key=keys[1],
        link_key=keys[2],
        password_pepper=keys[3],
        mail_settling_seconds=0.0,
        worker_graceful_shutdown_seconds=1.0,
    )
    pool = await create_pool(database_url, "hcr_system", 5)
    async with (
        await WorkflowEnvironment.start_time_skipping_v2(
            ts_config=TimeSkippingConfig(enabled=False),
            dev_server_existing_path=str(executable()),
            dev_server_log_level="error",
            dev_server_extra_args=extra_arguments(),
        ) as temporal,
        open_world(config, temporal, told(providers(pool, config))) as world,
    ):
        for path_name in wanted:
            history = await _recorded(world, path_name)
            corpus.save(path_name, history)
            print(f"{path_name}: {len(history.events)} events")
    await pool.close()
    corpus.COMMANDS.write_text(corpus.fingerprint(), encoding="utf-8")


async def _recorded(world: World, path_name: str) -> WorkflowHistory:
    if path_name == SWEEP_ID:
        return await _swept(world)
    if path_name in COVERAGES:
        life = await COVERAGES[path_name](world)
        await life.until_quiet()
        return await life.history()
    if path_name in BULK:
        return await BULK[path_name](world)
    if path_name in CONTACTS:
        return await CONTACTS[path_name](world)
    if path_name in EXPORTS:
        return await EXPORTS[path_name](world)
    if path_name in WEBHOOKS:
        return await WEBHOOKS[path_name](world)
    if path_name in IMPORTS:
        return await IMPORTS[path_name](world)
    return await (NOTICES[path_name](world) if path_name in NOTICES else _lived(world, path_name))


async def _lived(world: World, path_name: str) -> WorkflowHistory:
    life = await PATHS[path_name](Scene(world))
    await life.until_quiet()
    return await life.history()


async def _swept(world: World) -> WorkflowHistory:
    handle = await world.client.start_workflow("Sweep", id=SWEEP_ID, task_queue=world.config.temporal_task_queue)
    await handle.result()
    return WorkflowHistory(SWEEP_ID, (await handle.fetch_history()).events)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    everything = [*PATHS, *NOTICES, *COVERAGES, *EXPORTS, *IMPORTS, *BULK, *CONTACTS, *WEBHOOKS, SWEEP_ID]
    asyncio.run(record(sys.argv[1:] or everything))
    sys.stdout.flush()
    os._exit(0)  # as worker.py: the interpreter's own exit can crash in the SDK's threads
