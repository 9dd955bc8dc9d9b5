"""Temporal away: what people do is kept, answered within a bounded time, and told once when it is back."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from temporalio.client import Client
from temporalio.testing import TimeSkipper, WorkflowEnvironment

from composition import connect
from db.migrate import migrate
from db.pool import create_pool
from domain.affiliation import Status
from local.database import APPLICATION, OWNER
from local.ports import free_port
from local.postgres import PostgresServer
from local.temporal import TemporalServer
from services.callers import Scope
from settings import Settings
from tests.api.conftest import client, key_for
from tests.enrolling import save, send, waived
from tests.faults.breaking import application, changed, declare
from tests.world import Life, World
from worker import SWEEP_ID, build_worker, ensure_sweep
from workflows.engine import NotRunning

ANSWERED_WITHIN = 8.0  # seconds, on a busy machine: the limit for Temporal is two (`temporal_rpc_timeout_seconds`)
SWEEPS = 20


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture
async def own_database(config: Settings, postgres: PostgresServer) -> Settings:
    name = f"away_{uuid.uuid4().hex}"
    await postgres.create_database(name, owner=OWNER)
    await migrate(postgres.url(OWNER, name))
    return changed(config, database_url=postgres.url(APPLICATION, name))


@pytest.fixture
def server(tmp_path: Path) -> TemporalServer:
    """A Temporal server of the test's own, not started, which keeps its workflows in a file."""
    return TemporalServer(port=free_port(), log=tmp_path / "temporal.log", database=tmp_path / "temporal.db")


@pytest.fixture
async def world(own_database: Settings, server: TemporalServer) -> AsyncIterator[World]:
    """A world around that server, without a worker."""
    config = changed(own_database, temporal_address=server.address)
    engine = await connect(config, lazy=True)
    system_pool = await create_pool(config.database_url, "hcr_system", 3)
    web_pool = await create_pool(config.database_url, "hcr_web", 3)
    clock = cast(WorkflowEnvironment, TimeSkipper(engine))
    yield World(config, clock, engine, system_pool, web_pool)
    await system_pool.close()
    await web_pool.close()
    server.kill()
    await server.wait()


@asynccontextmanager
async def worker(world: World) -> AsyncIterator[Client]:
    """A worker, with a connection of its own as in a process of its own."""
    connection = await connect(world.config)
    async with build_worker(connection, world.system, world.config):
        yield connection


async def test_declared_while_temporal_is_away_starts_once_when_it_is_back(
    world: World, server: TemporalServer
) -> None:
    employer = await world.employer()
    key = await key_for(world, employer, Scope.read, Scope.write)
    async with application(world.config) as app, client(app, key) as http:
        before = time.monotonic()
        answer = await http.post("/api/v1/affiliations", json=world.declaration(employer))
        assert time.monotonic() - before < ANSWERED_WITHIN
        assert (answer.status_code, answer.json()["status"]) == (201, "preparing")
        life = Life(world, employer, answer.json()["id"])
        shown = (await http.get(f"/api/v1/affiliations/{life.id}")).json()
        assert (shown["status"], shown["source"], shown["dispatches"]) == ("preparing", "read_model", [])

        await server.start()
        async with worker(world):
            with pytest.raises(NotRunning):
                await life.progress()
            rounds = await asyncio.gather(*(world.sweeper.sweep() for _ in range(3)))
            assert max(swept.started for swept in rounds) == 1
            await life.until(Status.sent)
            assert len(await life.received()) == 1
            assert (await world.sweeper.sweep()).started == 0

            # the API, started while Temporal was away, finds it by itself
            answer = await http.post("/api/v1/affiliations", json=world.declaration(employer))
            assert answer.status_code == 201
            await Life(world, employer, answer.json()["id"]).until(Status.sent)


async def test_the_real_schedule_starts_what_was_declared_meanwhile(world: World, server: TemporalServer) -> None:
    life = await declare(world)
    await world.run("UPDATE affiliation SET declared_at = declared_at - interval '1 minute' WHERE id = $1", life.id)
    await server.start()
    async with worker(world) as connection:
        await ensure_sweep(connection, world.config.temporal_task_queue)
        await connection.get_schedule_handle(SWEEP_ID).trigger()
        await life.until(Status.sent)
        assert len(await life.received()) == 1


@pytest.mark.faults_long
async def test_killed_and_restarted_it_goes_on_and_hears_what_was_submitted_meanwhile(
    world: World, server: TemporalServer
) -> None:
    await server.start()
    async with worker(world), application(world.config) as app:
        person = world.declaration(await world.employer())["employee"]
        life = await declare(world, nir=person["nir"], birth_date=person["birth_date"])
        silent = await declare(world)
        await life.until(Status.sent)
        await silent.until(Status.sent)
        server.kill()
        await server.wait()

        token = re.search(r"/e/([\w-]{43})", (await life.received())[0]["text"])
        assert token
        async with client(app) as employee:
            assert (await employee.post("/api/v1/enrolments/access", json={"token": token[1]})).status_code == 200
            before = time.monotonic()
            submitted = await send(employee, await save(employee, waived(nir=person["nir"])))
            assert time.monotonic() - before < ANSWERED_WITHIN
            assert submitted.status_code == 200, submitted.text
            assert submitted.json()["status"] == "finalised"
        assert len(await world.run("SELECT 1 FROM signature WHERE affiliation_id = $1", life.id)) == 1
        assert await life.status() is Status.sent  # the workflow is the only one to say otherwise

        await server.start()
        told = 0
        for _ in range(SWEEPS):  # a connection may not be back yet: what a round could not tell, the next one does
            swept = await world.sweeper.sweep()
            assert swept.stuck == 0
            told += swept.submissions_told
            if told:
                break
            await asyncio.sleep(0.5)
        assert told == 1
        await life.until(Status.finalised)
        assert await life.until_messages(2) == [("invitation", "email"), ("confirmation", "email")]
        assert (await world.sweeper.sweep()).submissions_told == 0

        await silent.to_the_end()
        assert await silent.status() is Status.abandoned
        assert len(await silent.sent()) == len(await silent.received()) == 5
