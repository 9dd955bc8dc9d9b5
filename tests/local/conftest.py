import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local import database
from local.postgres import PostgresServer

PASSWORDS = {"postgres": "it's a secret/1", "hcr_owner": "owner", "hcr_app": "app"}


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is room, for tests that would mostly wait for the disk; else on disk."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 1_000_000_000:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a cluster made once (initdb is the slow part)."""

    async def make() -> Path:
        directory = tmp_path_factory.mktemp("cluster")
        async with PostgresServer(directory, passwords=PASSWORDS) as server:
            await database.prepare(server)
        return directory

    return asyncio.run(make())


@pytest.fixture
async def server(cluster: Path, quick_path: Path) -> AsyncIterator[PostgresServer]:
    """A running server on a copy of the cluster."""
    shutil.copytree(cluster / "data", quick_path / "data")
    async with PostgresServer(quick_path, passwords=PASSWORDS) as server:
        yield server
