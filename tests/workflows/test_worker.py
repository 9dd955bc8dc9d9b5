"""The worker process: what it refuses to load, what it prepares, how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.contracts.affiliation import SEARCH_ATTRIBUTES
from domain.affiliation import Status
from local.ports import free_ports, http_status
from local.temporal import executable
from services.affiliations import AffiliationService
from services.declarations import PreAffiliation
from settings import ROOT
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World
from worker import SWEEP_ID, build_worker, ensure_search_attributes
from workflows.client import Affiliations
from workflows.runners import SharingRunner

WAIT_SECONDS = 20

WORKFLOW = """
from temporalio import workflow
{more}

@workflow.defn(name="{name}")
class Written:
    @workflow.run
    async def run(self) -> None:
        pass
"""


@pytest.mark.parametrize("library", ["asyncpg", "sendgrid", "httpx2", "typst"])
async def test_a_workflow_that_drags_in_a_library_is_refused_when_the_worker_is_built(
    library: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="Failed validating workflow") as refused:
        _build(world, tmp_path, f"import {library}")
    assert library in repr(refused.value.__cause__)


async def test_a_workflow_that_imports_the_standard_library_is_taken(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    _build(world, tmp_path, "import dataclasses")


async def test_missing_search_attributes_are_registered(bare_server: Client) -> None:
    missing = {key.name for key in SEARCH_ATTRIBUTES} - await _registered(bare_server)
    assert missing
    await ensure_search_attributes(bare_server)
    assert not {key.name for key in SEARCH_ATTRIBUTES} - await _registered(bare_server)
    await ensure_search_attributes(bare_server)


async def test_a_deployment_name_turns_worker_versioning_on(world: World) -> None:
    versioning = _deployment(world, worker_deployment_name="affiliations", worker_build_id="2026-11-23")
    assert versioning is not None
    assert versioning.use_worker_versioning
    assert versioning.version.to_canonical_string() == "affiliations.2026-11-23"
    assert versioning.default_versioning_behavior is VersioningBehavior.AUTO_UPGRADE


async def test_without_a_deployment_name_workers_are_not_versioned(world: World) -> None:
    assert _deployment(world) is None


async def test_sigterm_ends_the_process_once_the_activity_under_way_has_ended(
    world: World, held: HeldMail, tmp_path: Path
) -> None:
    queue = f"test-{uuid.uuid4()}"
    async with _process(world, queue, held.provider, tmp_path / "log") as worker:
        life = await _declare(world, queue)
        assert await asyncio.to_thread(held.arrived.wait, WAIT_SECONDS), (tmp_path / "log").read_text()
        worker.send_signal(signal.SIGTERM)
        await _until_it_says("worker stopping", tmp_path / "log")
        assert worker.returncode is None
        held.go_on.set()
        assert await asyncio.wait_for(worker.wait(), WAIT_SECONDS) == 0
    assert len(held.provider.taken) == 1
    assert await life.status() is Status.sent


# --- pieces


class HeldMail:
    """A provider that does not answer before it is let."""

    def __init__(self, provider: SendGridStandin) -> None:
        self.provider = provider
        self.arrived, self.go_on = threading.Event(), threading.Event()
        provider.on_call = lambda call: self._hold()

    def _hold(self) -> None:
        self.arrived.set()
        self.go_on.wait(WAIT_SECONDS)


@pytest.fixture
def held() -> Iterator[HeldMail]:
    with SendGridStandin() as provider:
        holding = HeldMail(provider)
        yield holding
        holding.go_on.set()


@pytest.fixture
async def bare_server() -> AsyncIterator[Client]:
    """A Temporal server that nobody has prepared."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(executable()), dev_server_log_level="error"
    ) as environment:
        yield environment.client


def _build(world: World, directory: Path, more: str) -> None:
    name = f"written_{secrets.token_hex(4)}"
    (directory / f"{name}.py").write_text(WORKFLOW.format(more=more, name=name))
    module = __import__(name)
    Worker(world.client, task_queue=name, workflows=[module.Written], workflow_runner=SharingRunner())


def _deployment(world: World, **settings: str) -> WorkerDeploymentConfig | None:
    """How a worker built with these settings is versioned."""
    changes = {"temporal_task_queue": f"test-{uuid.uuid4()}", **settings}
    built = build_worker(world.client, world.system, world.config.model_copy(update=changes))
    return built.config()["deployment_config"]


async def _registered(temporal: Client) -> set[str]:
    request = ListSearchAttributesRequest(namespace=temporal.namespace)
    return set((await temporal.operator_service.list_search_attributes(request)).custom_attributes)


async def _declare(world: World, queue: str) -> Life:
    engine = Affiliations(world.client, queue, timedelta(seconds=5))
    service = AffiliationService(world.web, engine, world.cipher, world.writer)
    employer = await world.employer()
    declared = await service.declare(employer.caller, PreAffiliation.model_validate(world.declaration(employer)))
    return Life(world, employer, declared.id)


@contextlib.asynccontextmanager
async def _process(
    world: World, queue: str, mail: SendGridStandin, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m worker`, ready; ended afterwards whatever happens."""
    config, (port, sdk_port) = world.config, free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": config.database_url,
        "TEMPORAL_ADDRESS": config.temporal_address,
        "TEMPORAL_TASK_QUEUE": queue,
        "FIELD_KEYS": config.field_keys.get_secret_value(),
        "BLIND_INDEX_KEY": config.blind_index_key.get_secret_value(),
        "LINK_KEY": config.link_key.get_secret_value(),
        "WORKER_METRICS_PORT": str(port),
        "WORKER_SDK_METRICS_PORT": str(sdk_port),
        **{name.upper(): str(value) for name, value in mail.settings.items()},
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        await _until_it_says("worker ready", log)
        # the sweep of this session would act upon what other tests leave
        await world.client.get_schedule_handle(SWEEP_ID).delete()
        assert await http_status("127.0.0.1", port, "/metrics") == 200
        assert await http_status("127.0.0.1", sdk_port, "/metrics") == 200
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_it_says(words: str, log: Path) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while words not in log.read_text():  # noqa: ASYNC110, ASYNC240 (a small file, within a time limit)
            await asyncio.sleep(0.02)
