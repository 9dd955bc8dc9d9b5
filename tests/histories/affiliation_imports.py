"""The paths that a bulk import can take, as lives on the real server: recorded beside the affiliations'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.client import WorkflowHistory

from activities.contracts.affiliation_imports import ImportTask, import_workflow_id
from services.affiliation_import_views import ImportView
from services.affiliation_imports import AffiliationImports
from services.callers import Caller
from services.pre_affiliation_checks import PreAffiliationChecks
from tests.importing import importer, row_of, table, until_over
from tests.world import World
from web.parts import open_parts
from workflows.affiliation_import import ROWS_IN_A_BATCH
from workflows.affiliation_imports_client import AffiliationImportRuns

Path = Callable[[World], Awaitable[WorkflowHistory]]
Life = Callable[[AffiliationImports, Caller, ImportView], Awaitable[None]]


async def import_checked(world: World) -> WorkflowHistory:
    async def life(imports: AffiliationImports, caller: Caller, view: ImportView) -> None:
        await until_over(world, view.id, task=ImportTask.check)

    return await _lived(world, ImportTask.check, 1, life, at_once=0)


async def import_started(world: World) -> WorkflowHistory:
    async def life(imports: AffiliationImports, caller: Caller, view: ImportView) -> None:
        await imports.confirm(caller, view.id, None)
        await until_over(world, view.id)

    return await _lived(world, ImportTask.start, ROWS_IN_A_BATCH + 1, life)


async def import_cancelled(world: World) -> WorkflowHistory:
    """While it rests after its first batch."""

    async def life(imports: AffiliationImports, caller: Caller, view: ImportView) -> None:
        await imports.confirm(caller, view.id, None)
        async with asyncio.timeout(60):
            while (await runs_of(world).progress(view.id, 1)).started < ROWS_IN_A_BATCH:  # noqa: ASYNC110 (asked of a server)
                await asyncio.sleep(0.05)
        await imports.cancel(caller, view.id)
        await until_over(world, view.id)

    return await _lived(world, ImportTask.start, ROWS_IN_A_BATCH + 1, life)


def runs_of(world: World) -> AffiliationImportRuns:
    return AffiliationImportRuns(world.client, world.config.temporal_task_queue, timedelta(seconds=5))


async def _lived(world: World, task: ImportTask, rows: int, life: Life, at_once: int = 300) -> WorkflowHistory:
    employer = await world.employer()
    caller = await importer(world, employer)
    async with open_parts(world.config, world.client) as parts:
        checks = PreAffiliationChecks(parts.web, parts.cipher)
        imports = AffiliationImports(parts.tools, checks, runs_of(world), at_once)
        content = table([row_of(world.declaration(employer)) for _ in range(rows)])
        view = await imports.upload(caller, "embauches.csv", content)
        await life(imports, caller, view)
    handle = world.client.get_workflow_handle(import_workflow_id(str(view.id), task, 1))
    await handle.result()
    return await handle.fetch_history()


BULK: Mapping[str, Path] = {path.__name__: path for path in (import_checked, import_started, import_cancelled)}
