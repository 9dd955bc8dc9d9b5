"""A stack to measure: PostgreSQL as durable as in production, Temporal on a file, the real API and worker processes."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg
from temporalio.client import Client

from composition import connect
from db import api_keys, register
from db.migrate import migrate
from domain.synthetic import synthetic_siren, synthetic_siret
from local.application import Application
from local.database import APPLICATION, DATABASE, OWNER, grant_roles, prepare
from local.ports import free_port, free_ports
from local.postgres import PostgresServer
from local.temporal import HOST, TemporalServer
from services.api_keys import key_hash
from services.callers import Scope
from settings import ROOT, Settings

COMPANY = 12_345


class Process(Application):
    """A process of ours whose memory can be looked at."""

    @property
    def pid(self) -> int:
        pid = self._child.pid
        assert pid is not None, "started"
        return pid


class Stack:
    """Running servers, one company with one establishment, an API key for it, and one of staff."""

    def __init__(self, directory: Path, postgres: PostgresServer, temporal: TemporalServer) -> None:
        self.postgres = postgres
        self.temporal = temporal
        self.directory = directory
        self.api_port = free_port()
        self.key = f"hcr_{secrets.token_urlsafe(32)}"
        self.staff_key = f"hcr_{secrets.token_urlsafe(32)}"
        self.siret = synthetic_siret(synthetic_siren(COMPANY))
        self.company_id: UUID
        keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(4)]
        self.environment = {
            "DATABASE_URL": postgres.url(APPLICATION, DATABASE),
            "TEMPORAL_ADDRESS": temporal.address,
            "FIELD_KEYS": f"1:{keys[0]}",
            "BLIND_INDEX_KEY": keys[1],
            "LINK_KEY": keys[2],
            "PASSWORD_PEPPER": keys[3],
            "LOCAL_DIR": str(directory),
            "LOG_LEVEL": "WARNING",
        }
        self.config = Settings.model_validate({name.lower(): value for name, value in self.environment.items()})

    def api(self, *, command: tuple[str, ...] = ("-m", "api")) -> Process:
        """The API process (not started)."""
        return self._application("api", command, self.api_port, "/health/ready", API_PORT=str(self.api_port))

    def worker(self, **settings: str) -> Process:
        """The worker process (not started); `settings` are its environment variables."""
        port, sdk_port = free_ports(2)
        ports = {"WORKER_METRICS_PORT": str(port), "WORKER_SDK_METRICS_PORT": str(sdk_port)}
        return self._application("worker", ("-m", "worker"), port, "/metrics", **ports, **settings)

    def process(self, module: str, port: int, path: str) -> Process:
        """A process of this folder, which listens on API_PORT (not started)."""
        return self._application(module, ("-m", f"bench.{module}"), port, path, API_PORT=str(port))

    async def temporal_client(self) -> Client:
        return await connect(self.config)

    async def database(self) -> asyncpg.Connection:
        """The superuser's connection; the caller closes it."""
        return await self.postgres.connect(DATABASE)

    def _application(self, name: str, command: tuple[str, ...], port: int, path: str, **settings: str) -> Process:
        return Process(
            name,
            [sys.executable, *command],
            environment={**os.environ, **self.environment, **settings},
            directory=ROOT,
            log=self.directory / f"{name}.log",
            host=HOST,
            port=port,
            path=path,
            stop_seconds=10,
        )


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    """Start a process, and stop it afterwards."""
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


@asynccontextmanager
async def open_stack() -> AsyncIterator[Stack]:
    """The two servers, migrated and with a company; everything is removed afterwards."""
    passwords = {"postgres": secrets.token_hex(16), OWNER: secrets.token_hex(16), APPLICATION: secrets.token_hex(16)}
    with TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        temporal = TemporalServer(port=free_port(), log=directory / "temporal.log", database=directory / "temporal.db")
        async with PostgresServer(directory / "postgres", passwords=passwords) as postgres, temporal:
            await prepare(postgres)
            await migrate(postgres.url(OWNER, DATABASE))
            await grant_roles(postgres)
            stack = Stack(directory, postgres, temporal)
            await _register(stack)
            yield stack
            temporal.kill()  # a client that is still connected would make it wait


async def _register(stack: Stack) -> None:
    connection = await stack.database()
    try:
        siren = synthetic_siren(COMPANY)
        stack.company_id = await connection.fetchval(
            register.ADD_COMPANY, siren, "HÔTEL DES MESURES", "klesia", "K0012345", True
        )
        await connection.execute(
            register.ADD_ESTABLISHMENT, stack.company_id, stack.siret, "HÔTEL DES MESURES", "75011", "PARIS"
        )
        for key, scopes, companies in (
            (stack.key, [Scope.read, Scope.write], [stack.company_id]),
            (stack.staff_key, [Scope.staff, Scope.staff_write, Scope.staff_export], []),
        ):
            await connection.execute(api_keys.ADD_KNOWN, "bench", key_hash(key), scopes, companies)
    finally:
        await connection.close()
