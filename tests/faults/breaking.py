"""How these tests break things: worker processes that die where they are told, and a world without a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import Actor, ActorKind
from api.app import create_app
from db.pool import create_pool
from domain.affiliation import Attention, Status
from local.processes import die_with_parent
from settings import ROOT, Settings
from tests.world import Life, World
from workflows.converter import DATA_CONVERTER
from workflows.engine import EngineAway


def changed(config: Settings, **changes: Any) -> Settings:
    """These settings with others, validated."""
    return Settings.model_validate({**config.model_dump(), **changes})


# --- worlds whose worker is somebody else


class _ShortTasks(Interceptor):
    """Workflow tasks of a killed worker are given to another after a second instead of ten."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
                input.task_timeout = timedelta(seconds=1)
                return await super().start_workflow(input)

        return Outbound(next)


@asynccontextmanager
async def world_without_worker(config: Settings, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """A world on the settings' task queue; tests start and kill its workers."""
    client = Client(
        **{  # type: ignore[arg-type]
            **temporal.client.config(active_config=True),
            "data_converter": DATA_CONVERTER,
            "interceptors": [_ShortTasks()],
        }
    )
    system_pool = await create_pool(config.database_url, "hcr_system", 3)
    web_pool = await create_pool(config.database_url, "hcr_web", 3)
    try:
        yield World(config, temporal, client, system_pool, web_pool)
    finally:
        await system_pool.close()
        await web_pool.close()


@dataclass
class WorkerProcess:
    """A worker in a process of its own."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def died(self, seconds: float = 60) -> int:
        """Wait for its end; the signal that ended it."""
        async with asyncio.timeout(seconds):
            return -await self.process.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()


@asynccontextmanager
async def worker_process(
    config: Settings, place: str = "nowhere", number: int = 0, moment: str = "never", *, sweep: bool = False
) -> AsyncIterator[WorkerProcess]:
    """`python -m worker`, as `tests/faults/dying_worker.py` starts it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.dying_worker",
        place,
        str(number),
        moment,
        "with-sweep" if sweep else "without-sweep",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **_environment(config)},
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    worker = WorkerProcess(process)
    try:
        yield worker
    finally:
        worker.kill()
        await process.wait()


def _environment(config: Settings) -> Mapping[str, str]:
    """The settings as the environment of another process."""
    values = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in config.model_dump().items()
    }
    # no sticky queue: what a killed worker leaves is taken over at once
    return {**values, "WORKER_METRICS_PORT": "0", "WORKER_SDK_METRICS_PORT": "0", "WORKER_MAX_CACHED_WORKFLOWS": "0"}


async def until(wanted: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Ask until it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await wanted():  # noqa: ASYNC110 (within a time limit)
            await asyncio.sleep(0.02)


# --- looking at an affiliation

STAFF = Actor(ActorKind.staff, "staff-1")


async def declare(world: World, **fields: Any) -> Life:
    """Somebody declared by an employer of their own."""
    return await world.declare(await world.employer(), **fields)


async def known_sent(life: Life) -> None:
    """Until the workflow itself knows: the read model is told a moment before it, by the activity."""
    await life.until(Status.sent, 60)

    async def known() -> bool:
        try:
            return (await life.progress()).status is Status.sent
        except EngineAway:
            return False

    await until(known)


async def attempts(life: Life) -> list[int]:
    """How often each message was tried, in the order they were prepared."""
    rows = await life.world.run(
        "SELECT attempts FROM dispatch WHERE affiliation_id = $1 ORDER BY prepared_at, id", life.id
    )
    return [row["attempts"] for row in rows]


async def attention(life: Life, wanted: Attention) -> None:
    """Until the read model says that it waits for a person, and why."""

    async def there() -> bool:
        return bool((await life.row())["attention"] == wanted)

    await until(there)
    await life.until_heard()


@asynccontextmanager
async def application(config: Settings, world: World | None = None) -> AsyncIterator[FastAPI]:
    """The API, on a world's Temporal server or on the one that the settings name."""
    app = create_app(config, world.client if world else None)
    async with app.router.lifespan_context(app):
        yield app
