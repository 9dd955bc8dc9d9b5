"""The paths that an export can take, as lives on the real server: recorded beside the affiliations'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

from temporalio.client import WorkflowHistory

from activities.contracts.exports import export_workflow_id
from tests.exporting import job_of_two
from tests.world import World
from workflows.exports_client import Exports

Path = Callable[[World], Awaitable[WorkflowHistory]]


async def export_written_and_expired(world: World) -> WorkflowHistory:
    return await _lived(world, await job_of_two(world))


async def export_that_fails(world: World) -> WorkflowHistory:
    """Of a kind that nobody knows any more: every attempt ends at once."""
    return await _lived(world, await job_of_two(world, kind="unknown"))


async def export_of_somebody_gone(world: World) -> WorkflowHistory:
    job_id = await job_of_two(world)
    await world.run(
        "UPDATE portal_user SET suspended_at = now() WHERE id = (SELECT user_id FROM export_job WHERE id = $1)", job_id
    )
    return await _lived(world, job_id)


async def _lived(world: World, job_id: UUID) -> WorkflowHistory:
    await Exports(world.client, world.config.temporal_task_queue, timedelta(seconds=5)).start(job_id)
    handle = world.client.get_workflow_handle(export_workflow_id(str(job_id)))
    while await world.temporal.fast_forward(handle, timedelta(hours=25)):
        pass
    await handle.result()
    return await handle.fetch_history()


EXPORTS: Mapping[str, Path] = {
    path.__name__: path for path in (export_written_and_expired, export_that_fails, export_of_somebody_gone)
}
