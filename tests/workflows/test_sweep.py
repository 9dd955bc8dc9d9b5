"""The sweep: what was committed and not told is told, what stands still shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts.sweep import SWEEP_EVERY
from domain.affiliation import Status
from local.postgres import PostgresServer
from services.affiliations import AffiliationService
from services.declarations import PreAffiliation
from settings import Settings
from tests.conftest import database_of_its_own
from tests.world import Life, World, open_world
from worker import SWEEP_ID, ensure_sweep
from workflows.client import Affiliations
from workflows.engine import EngineAway


@pytest.fixture(scope="module")
async def world(config: Settings, postgres: PostgresServer, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """In a database of its own: the sweep would wait for what other tests leave behind."""
    async with open_world(await database_of_its_own(config, postgres, "sweep"), temporal) as opened:
        yield opened


class Away(Affiliations):
    """Temporal does not answer."""

    async def start(self, *_: object) -> None:
        raise EngineAway("away")


async def test_what_was_declared_while_temporal_was_away_is_started_once(world: World) -> None:
    employer = await world.employer()
    engine = Away(world.client, world.config.temporal_task_queue, timedelta(seconds=1))
    service = AffiliationService(world.web, engine, world.cipher, world.writer)
    declared = await service.declare(
        employer.caller, PreAffiliation.model_validate(world.declaration(employer, email="x@exemple.fr"))
    )
    life = Life(world, employer, declared.id)
    assert declared.status is Status.preparing
    assert await life.sent() == []

    for _ in range(2):
        await world.sweeper.sweep()

    await life.until(Status.sent)
    await world.sweeper.sweep()
    assert await life.sent() == [("invitation", "email")]


async def test_an_open_affiliation_whose_workflow_was_terminated_shows_as_stuck(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until(Status.sent)
    await world.run("UPDATE affiliation SET checked_at = now() WHERE id <> $1", life.id)
    await world.sweeper.sweep()
    assert (await life.row())["stuck_since"] is None

    await life.handle.terminate("by an operator")
    await world.run("UPDATE affiliation SET checked_at = now() WHERE id <> $1", life.id)
    swept = await world.sweeper.sweep()

    assert swept.stuck >= 1
    assert (await life.row())["stuck_since"] is not None
    await world.run("UPDATE affiliation SET status = 'abandoned' WHERE id = $1", life.id)


async def test_an_open_affiliation_whose_step_is_overdue_shows_as_stuck(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until(Status.sent)
    await world.run(
        "UPDATE affiliation SET checked_at = now(), next_step_at = now() - interval '1 hour' WHERE id = $1", life.id
    )
    await world.sweeper.sweep()
    assert (await life.row())["stuck_since"] is not None

    await world.run("UPDATE affiliation SET next_step_at = now() + interval '1 day' WHERE id = $1", life.id)
    await world.run("UPDATE affiliation SET checked_at = now() WHERE id <> $1", life.id)
    await world.run("UPDATE affiliation SET checked_at = NULL WHERE id = $1", life.id)
    await world.sweeper.sweep()
    assert (await life.row())["stuck_since"] is None, "what moves again is no longer reported"


async def test_a_draft_that_the_workflow_never_heard_of_is_told(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until(Status.sent)
    await world.run(
        "INSERT INTO enrolment (affiliation_id, company_id, version, saved_at, saved_by)"
        " SELECT id, company_id, 1, now() - interval '1 minute', 'email' FROM affiliation WHERE id = $1",
        life.id,
    )
    await world.sweeper.sweep()
    assert await life.status() is Status.started
    version = (await life.row())["version"]
    await world.sweeper.sweep()
    assert (await life.row())["version"] == version, "told once"


async def test_the_sweep_is_a_schedule_made_once(world: World) -> None:
    for _ in range(2):
        await ensure_sweep(world.client, world.config.temporal_task_queue)
    schedule = world.client.get_schedule_handle(SWEEP_ID)
    described = await schedule.describe()
    assert described.schedule.spec.intervals[0].every == SWEEP_EVERY
    await schedule.delete()  # tests sweep by themselves
