"""The paths that an endpoint's webhooks can take, as lives on the real server: recorded beside the affiliations'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

from temporalio.client import WorkflowHistory

from activities.contracts.webhooks import webhook_workflow_id
from domain.affiliation import Status
from tests.standins.receiver import ReceiverStandin
from tests.telling import add_endpoint
from tests.world import World
from workflows.webhooks_client import Webhooks

Path = Callable[[World], Awaitable[WorkflowHistory]]


async def webhooks_taken(world: World) -> WorkflowHistory:
    with ReceiverStandin() as receiver:
        endpoint_id = await _told(world, receiver)
        await _look(world, endpoint_id)
        return await _ended(world, endpoint_id)


async def webhooks_taken_at_the_second_try(world: World) -> WorkflowHistory:
    """And woken meanwhile, by another event."""
    with ReceiverStandin() as receiver:
        endpoint_id = await _told(world, receiver)
        receiver.fail_next(503)
        await _look(world, endpoint_id)
        await _until_failing(world, endpoint_id)
        await _look(world, endpoint_id)
        handle = world.client.get_workflow_handle(webhook_workflow_id(str(endpoint_id)))
        await world.temporal.fast_forward(handle, timedelta(minutes=1))
        return await _ended(world, endpoint_id)


async def webhooks_of_an_endpoint_that_is_paused(world: World) -> WorkflowHistory:
    with ReceiverStandin() as receiver:
        endpoint_id = await _told(world, receiver)
        await world.run("UPDATE webhook_endpoint SET state = 'paused' WHERE id = $1", endpoint_id)
        await _look(world, endpoint_id)
        return await _ended(world, endpoint_id)


async def _told(world: World, receiver: ReceiverStandin) -> UUID:
    """An endpoint that two events wait for."""
    employer = await world.employer()
    endpoint_id = await add_endpoint(world, employer, receiver.address)
    life = await world.declare(employer)
    await life.until(Status.sent)
    return endpoint_id


async def _until_failing(world: World, endpoint_id: UUID) -> None:
    async with asyncio.timeout(10):
        while True:
            [row] = await world.run("SELECT failing_since FROM webhook_endpoint WHERE id = $1", endpoint_id)
            if row["failing_since"] is not None:
                return
            await asyncio.sleep(0.02)


async def _look(world: World, endpoint_id: UUID) -> None:
    await Webhooks(world.client, world.config.temporal_task_queue, timedelta(seconds=5)).look(endpoint_id)


async def _ended(world: World, endpoint_id: UUID) -> WorkflowHistory:
    handle = world.client.get_workflow_handle(webhook_workflow_id(str(endpoint_id)))
    await asyncio.wait_for(handle.result(), 20)
    return await handle.fetch_history()


WEBHOOKS: Mapping[str, Path] = {
    path.__name__: path
    for path in (webhooks_taken, webhooks_taken_at_the_second_try, webhooks_of_an_endpoint_that_is_paused)
}
