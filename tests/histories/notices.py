"""The paths that a notice can take, as lives on the real server: recorded beside the affiliations'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHistory

from messages.notices import NoticeKind
from tests.histories import gateways
from tests.noticing import engine, handle, notify
from tests.world import World
from worker import DIGEST_ID
from workflows.digest import DigestWorkflow

Path = Callable[[World], Awaitable[WorkflowHistory]]


async def notice_at_once(world: World) -> WorkflowHistory:
    return await _sent(world, "camille@exemple.fr")


async def notice_provider_fails_once(world: World) -> WorkflowHistory:
    return await _sent(world, gateways.HICCUP)


async def notice_refused(world: World) -> WorkflowHistory:
    return await _sent(world, gateways.NOBODY)


async def notice_that_waits(world: World) -> WorkflowHistory:
    return await _sent(world, "camille@exemple.fr", not_before=datetime.now(UTC) + timedelta(minutes=3))


async def _sent(world: World, recipient: str, **values: Any) -> WorkflowHistory:
    notice = await notify(world, NoticeKind.password_changed, recipient=recipient, **values)
    await engine(world).start(notice, values.get("not_before"))  # by now it has started, one way or the other
    followed = handle(world, notice)
    if values:
        await world.temporal.fast_forward(followed, timedelta(minutes=4))
    await followed.result()
    return await followed.fetch_history()


async def digest(world: World) -> WorkflowHistory:
    """The day's messages."""
    followed = await world.client.start_workflow(
        DigestWorkflow.run, id=DIGEST_ID, task_queue=world.config.temporal_task_queue
    )
    await followed.result()
    return await followed.fetch_history()


NOTICES: Mapping[str, Path] = {
    path.__name__: path
    for path in (notice_at_once, notice_provider_fails_once, notice_refused, notice_that_waits, digest)
}
