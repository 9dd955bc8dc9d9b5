"""One real PostgreSQL and one real Temporal server for the whole session, and a world to live affiliations in."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import AsyncIterator, Iterator
from itertools import chain, zip_longest

import hypothesis
import pytest
from argon2 import PasswordHasher
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

import composition
from db import pool
from db.migrate import migrate
from local.database import APPLICATION, OWNER, grant_roles, prepare
from local.postgres import PostgresServer
from local.temporal import executable, extra_arguments
from services.hashing import Hashing
from settings import Settings
from tests.world import World, open_world

DATABASE = "hcr"
PRISTINE = "pristine"  # as migrated: what databases of their own are copied from

# A machine is shared, and a library loads its data when it is first used: bench/ measures, tests do not.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


# Files that take long: begun first, they do not run alone at the end.
LONGEST = (
    *("tests/portal/test_browser.py", "tests/portal/test_rights.py", "tests/portal/test_follow_up.py"),
    *("tests/portal/test_desk.py", "tests/portal/test_space.py", "tests/test_bench.py", "tests/workflows/"),
    *("tests/services/", "tests/api/"),
)
# Processes that start, die and are waited for: between the others, or the processors would stand idle.
WAITING = ("tests/local/", "tests/faults/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)

    def rank(file: str) -> int:
        return next((n for n, start in enumerate(LONGEST) if file.startswith(start)), len(LONGEST))

    waiting = [file for file in files if file.startswith(WAITING)]
    others = sorted((file for file in files if not file.startswith(WAITING)), key=rank)
    mixed = chain.from_iterable(zip_longest(others, waiting))
    items[:] = [item for file in mixed if file is not None for item in files[file]]


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """A server with the application's logins and a migrated database."""
    passwords = {"postgres": "superuser", OWNER: "owner", APPLICATION: "application"}
    async with PostgresServer(tmp_path_factory.mktemp("pg"), passwords=passwords, durable=False) as server:
        await prepare(server, DATABASE)
        await migrate(server.url(OWNER, DATABASE))
        await grant_roles(server)
        await server.create_database(PRISTINE, template=DATABASE, owner=OWNER)
        yield server


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A dev server whose workflows' clocks stand still until a test moves them."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False, max_session_skip_count=1000),
        dev_server_existing_path=str(executable()),
        dev_server_log_level="error",
        dev_server_extra_args=extra_arguments(),
    ) as environment:
        yield environment


@pytest.fixture(scope="session")
def config(
    postgres: PostgresServer, temporal: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The settings of a test system, with random keys."""

    def key() -> str:
        return base64.b64encode(os.urandom(32)).decode()

    return Settings.model_validate(
        {
            "database_url": postgres.url(APPLICATION, DATABASE),
            "database_owner_url": postgres.url(OWNER, DATABASE),
            "temporal_address": temporal.client.service_client.config.target_host,
            "field_keys": f"1:{key()}",
            "blind_index_key": key(),
            "link_key": key(),
            "password_pepper": key(),
            "documents_url": tmp_path_factory.mktemp("documents").as_uri(),
            "mail_settling_seconds": 1.0,
            "worker_graceful_shutdown_seconds": 1.0,
        }
    )


async def database_of_its_own(config: Settings, postgres: PostgresServer, name: str) -> Settings:
    """The settings of a system that shares its database with no other test: what sweeps and counts find is its own."""
    await postgres.create_database(name, template=PRISTINE, owner=OWNER)
    addresses = {"database_url": APPLICATION, "database_owner_url": OWNER}
    urls = {setting: postgres.url(login, name) for setting, login in addresses.items()}
    return Settings.model_validate({**config.model_dump(), **urls})


class QuickPasswords(Hashing):
    """Hashes that cost nothing: what the real ones cost is tested beside them, and met in every real process."""

    def __init__(self, pepper: bytes, *former: bytes) -> None:
        super().__init__(pepper, *former)
        self._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self._nobodys = self._hash("nobody's")


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "Hashing", QuickPasswords)
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient_queries() -> Iterator[None]:
    """A shared machine may stand still for seconds; a statement that waits for nothing must not be ended by that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "QUERY_SECONDS", 30)
        yield


@pytest.fixture(scope="session")
async def world(config: Settings, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """The system with its local mailbox, phone and letter box."""
    async with open_world(config, temporal) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def _let_the_workers_threads_end() -> Iterator[None]:
    """The SDK's threads can crash an interpreter that exits right after its last worker (sdk-python#300)."""
    yield
    time.sleep(0.5)
