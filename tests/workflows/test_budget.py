"""What a life may cost on Temporal: each event is stored and replayed for months, each action is billed.

A naive design (load, render, send, store and upsert as activities of their own) takes 169 events and 35 actions for
the second of these lives.
"""

from __future__ import annotations

import pytest

from bench.costs import Cost, cost, listing
from tests.histories import paths
from tests.histories.scene import Scene
from tests.world import World


async def test_an_invited_started_and_finalised_life_keeps_to_its_budget(world: World) -> None:
    await _assert_within(world, paths.whole_life_by_email, events=44, actions=12)


async def test_a_life_with_three_automatic_reminders_keeps_to_its_budget(world: World) -> None:
    await _assert_within(world, paths.three_reminders_then_finalised, events=80, actions=19)


async def test_a_refused_request_costs_nothing_in_history(world: World) -> None:
    invited = await _cost(world, paths.restart)
    assert (await _cost(world, paths.refused_requests_leave_nothing)).events == invited.events


@pytest.mark.parametrize("path", [paths.phone_correction_sends_nothing, paths.pause_and_resume])
async def test_a_request_without_a_message_costs_one_update_and_one_local_activity(
    world: World, path: paths.Path
) -> None:
    spent = (await _cost(world, path)).actions
    assert spent["update"] == spent["local activity"]


async def _assert_within(world: World, path: paths.Path, *, events: int, actions: int) -> None:
    life = await path(Scene(world))
    history = await life.history()
    spent = cost(history)
    print(f"{path.__name__}: {spent}; budget: {events} events, {actions} actions")
    assert spent.events <= events, listing(history)
    assert spent.billable <= actions, listing(history)


async def _cost(world: World, path: paths.Path) -> Cost:
    life = await path(Scene(world))
    await life.until_quiet()
    return cost(await life.history())
