"""The paths that a contact request can take, as lives on the real server: recorded beside the affiliations'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.client import WorkflowHistory

from services.contact_views import Reply
from tests.contacting import NETWORK, Correspondents, Request, correspondents
from tests.world import World
from web.parts import open_parts

Path = Callable[[World], Awaitable[WorkflowHistory]]
Way = Callable[[Correspondents, Request], Awaitable[None]]


async def contact_answered_and_closed(world: World) -> WorkflowHistory:
    """Nobody replies to the answer."""

    async def way(two: Correspondents, request: Request) -> None:
        await two.answer(request)
        await request.advance(timedelta(days=15))

    return await _lived(world, way)


async def contact_escalated_and_closed_by_staff(world: World) -> WorkflowHistory:
    async def way(two: Correspondents, request: Request) -> None:
        await two.desk.assign(two.staff, request.id, mine=True)
        await request.until_quiet()
        await request.advance(timedelta(days=6))
        await two.answer(request, close=True)

    return await _lived(world, way)


async def contact_reopened_before_it_closed(world: World) -> WorkflowHistory:
    async def way(two: Correspondents, request: Request) -> None:
        await two.answer(request)
        await two.service.reply(two.user, request.id, Reply(message="Et après ?"), [], "reply", NETWORK)
        await request.until_quiet()
        await two.answer(request)
        await request.advance(timedelta(days=15))

    return await _lived(world, way)


async def _lived(world: World, way: Way) -> WorkflowHistory:
    async with open_parts(world.config, world.client) as parts:
        two = await correspondents(world, parts)
        request = await two.send()
        await request.until_quiet()
        await way(two, request)
        await request.handle.result()
        return await request.history()


CONTACTS: Mapping[str, Path] = {
    path.__name__: path
    for path in (
        contact_answered_and_closed,
        contact_escalated_and_closed_by_staff,
        contact_reopened_before_it_closed,
    )
}
