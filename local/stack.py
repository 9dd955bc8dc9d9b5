"""The embedded default as a whole: what is started, in which order, with which addresses."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import asyncpg

from local import database, demo_users
from local.application import Application
from local.errors import LocalError
from local.lock import RunLock
from local.ports import Port, check_free, reachable
from local.postgres import SUPERUSER, PostgresServer
from local.secrets import Secrets, load_or_create
from local.supervisor import Part, RestartPolicy, keep
from local.temporal import HOST, TemporalServer
from settings import ROOT, Settings

DEFAULT_DIRECTORY = ROOT / ".local"


async def _migrate(owner_url: str) -> list[str]:
    from db.migrate import MigrationError, migrate

    try:
        return await migrate(owner_url)
    except OSError as error:
        raise LocalError(f"The database does not answer: {error}. Look at DATABASE_URL.") from None
    except (MigrationError, asyncpg.PostgresError) as error:
        raise LocalError(f"The database cannot be brought up to date: {error}") from None


async def _load_demo_register(settings: Settings) -> object | None:
    try:
        module = importlib.import_module("local.demo_register")
    except ModuleNotFoundError as error:
        if error.name == "local.demo_register":
            return None
        raise
    register: object = await module.load(settings)
    return register


@dataclass(frozen=True)
class Plan:
    """What is run on top of the databases; tests put stand-ins here."""

    worker: Sequence[str] = (sys.executable, "-m", "worker")
    api: Sequence[str] = (sys.executable, "-m", "api")
    migrate: Callable[[str], Awaitable[list[str]]] = _migrate
    load_demo_register: Callable[[Settings], Awaitable[object | None]] = _load_demo_register
    restarts: RestartPolicy = field(default_factory=RestartPolicy)


async def run(settings: Settings, plan: Plan | None = None) -> int:
    """Start everything, print the addresses, keep it alive until SIGINT, SIGTERM or SIGHUP, stop it in reverse order.

    Returns the exit code: 0 after a wanted stop. Raises LocalError when it cannot start or a part cannot be kept alive.
    """
    directory = settings.local_dir.resolve()
    with RunLock(directory, default_directory=DEFAULT_DIRECTORY) as lock:
        has_data = not settings.database_url and postgres_directory(directory).joinpath("data").exists()
        secrets = load_or_create(directory, may_create=not has_data)
        check_free(_ports(settings), wait_seconds=5.0 if lock.former_run_was_killed else 0.0)
        return await Stack(settings, directory, secrets, plan or Plan()).run()


def embedded_postgres(directory: Path, secrets: Secrets) -> PostgresServer:
    """The embedded server that lives below `directory` (not started)."""
    return PostgresServer(
        postgres_directory(directory),
        passwords={
            SUPERUSER: secrets.postgres_password,
            database.OWNER: secrets.owner_password,
            database.APPLICATION: secrets.app_password,
        },
        log=directory / "logs" / "postgres.log",
    )


def postgres_directory(directory: Path) -> Path:
    """Where the embedded PostgreSQL keeps its files below `directory`."""
    return directory / "postgres"


class Stack:
    """The parts of one run, in their starting order."""

    def __init__(self, settings: Settings, directory: Path, secrets: Secrets, plan: Plan) -> None:
        self._settings = settings
        self._directory = directory
        self._plan = plan
        self._environment = _environment(settings, secrets)
        self._postgres = None if settings.database_url else embedded_postgres(directory, secrets)
        if self._postgres is not None:
            self._environment |= {
                "DATABASE_URL": self._postgres.url(database.APPLICATION, database.DATABASE),
                "DATABASE_OWNER_URL": self._postgres.url(database.OWNER, database.DATABASE),
            }
        self._temporal = None if settings.temporal_address else self._temporal_server()
        if self._temporal is not None:
            self._environment["TEMPORAL_ADDRESS"] = self._temporal.address
        self._worker = self._application(
            "worker",
            plan.worker,
            host=HOST,
            port=settings.worker_metrics_port,
            path="/metrics",
            stop_seconds=settings.worker_graceful_shutdown_seconds + 5,
        )
        self._api = self._application(
            "API", plan.api, host=settings.api_host, port=settings.api_port, path="/health/ready", stop_seconds=10
        )
        self._started: list[Part] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping_since: float | None = None

    async def run(self) -> int:
        """See `run` of this module."""
        began = time.monotonic()
        self._listen_to_signals()
        try:
            await self._start()
            register = await self._demo_register()
            self._print_addresses(register, time.monotonic() - began)
            await asyncio.gather(*self._keepers)
        except asyncio.CancelledError:
            # Only our own signal handler cancels this task.
            if self._stopping_since is None:
                raise
            say("Stopping…")
        finally:
            self._stopping_since = self._stopping_since or time.monotonic()
            await self._stop()
        say("Stopped.")
        return 0

    async def _start(self) -> None:
        databases = [part for part in (self._postgres, self._temporal) if part is not None]
        await self._launch(*databases)
        owner_url = self._environment.get("DATABASE_OWNER_URL") or self._environment["DATABASE_URL"]
        if self._postgres is not None:
            await database.prepare(self._postgres)
        applied = await self._plan.migrate(owner_url)
        if self._postgres is not None:
            await database.grant_roles(self._postgres)
        say(f"  migrations   {len(applied)} applied" if applied else "  migrations   up to date")
        await self._launch(self._worker, self._api)

    async def _launch(self, *parts: Part) -> None:
        """Start parts side by side; each is kept alive from the moment it is ready."""

        async def launch(part: Part) -> None:
            began = time.monotonic()
            await part.start()
            say(f"  {part.name:<12} ready in {time.monotonic() - began:.1f} s")
            self._keepers.append(asyncio.create_task(keep(part, say, self._plan.restarts)))

        self._started += parts
        tasks = [asyncio.create_task(launch(part)) for part in parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            await _cancel(tasks)

    async def _stop(self) -> None:
        await _cancel(self._keepers)
        for part in reversed(self._started):
            await part.stop()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def on_signal(number: signal.Signals) -> None:
            now = time.monotonic()
            if self._stopping_since is None:
                self._stopping_since = now
                task.cancel()
            # One Ctrl-C or `kill` may reach us twice, from the terminal and from make: only a later Ctrl-C is a wish.
            elif number is signal.SIGINT and now - self._stopping_since > 0.5:
                self._force()

        # SIGHUP: the terminal was closed.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal, number)

    def _force(self) -> NoReturn:
        say("Stopping at once.")
        for part in reversed(self._started):
            part.kill()
        os._exit(130)

    async def _demo_register(self) -> object | None:
        try:
            return await self._plan.load_demo_register(self._settings_of_children())
        except Exception as error:
            # The stack is useful without it, and its failure must be read, not stop everything.
            say(f"  demo register not loaded: {type(error).__name__}: {error}")
            return None

    def _settings_of_children(self) -> Settings:
        """The settings as worker and API read them. This process takes on their environment for that."""
        os.environ.update(self._environment)
        return Settings()

    def _temporal_server(self) -> TemporalServer:
        return TemporalServer(
            port=self._settings.local_temporal_port,
            ui_port=self._settings.local_temporal_ui_port,
            database=self._directory / "temporal" / "temporal.db",
            log=self._directory / "logs" / "temporal.log",
        )

    def _application(
        self, name: str, command: Sequence[str], *, host: str, port: int, path: str, stop_seconds: float
    ) -> Application:
        return Application(
            name,
            command,
            environment={**os.environ, **self._environment},
            directory=ROOT,
            log=self._directory / "logs" / f"{name.lower()}.log",
            host=host,
            port=port,
            path=path,
            stop_seconds=stop_seconds,
        )

    def _print_addresses(self, register: object | None, seconds: float) -> None:
        base = self._environment.get("PUBLIC_BASE_URL") or self._settings.public_base_url
        lines = {
            "Developer page": f"{base}/dev",
            "API": f"{base}/api/v1",
            "OpenAPI": f"{base}/api/v1/openapi.json",
            "Temporal UI": self._environment.get("TEMPORAL_UI_URL") or self._settings.temporal_ui_url,
            "Temporal": self._environment.get("TEMPORAL_ADDRESS") or self._settings.temporal_address,
            "PostgreSQL": "python -m local psql" if self._postgres else "external (DATABASE_URL)",
            "Logs": str(self._directory / "logs"),
        }
        for name, attribute in (("Demo API key", "api_key"), ("Demo staff key", "staff_key")):
            if key := getattr(register, attribute, None):
                lines[name] = str(key)
        if password := getattr(register, "password", None):
            lines["Sign in"] = f"{base}/connexion as {demo_users.ADMINISTRATOR.email}"
            lines["As staff"] = f"{base}/gestion/connexion as {demo_users.STAFF.email}"
            lines["Demo password"] = str(password)
            lines["Activate"] = f"{base}/activer with {demo_users.to_activate()}"
        block = "\n".join(f"  {name:<16}{value}" for name, value in lines.items())
        say(f"\nEspace Entreprise Santé is ready in {seconds:.1f} s. Ctrl-C stops it.\n\n{block}\n")


def say(text: str) -> None:
    """One line for the person at the terminal, who may have closed it."""
    with suppress(OSError):
        print(text, flush=True)


def _environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """What the worker and the API need beyond the variables that the person set."""
    environment = {"PYTHONUNBUFFERED": "1"}
    if not settings.field_keys.get_secret_value():
        environment["FIELD_KEYS"] = secrets.field_keys
    if not settings.blind_index_key.get_secret_value():
        environment["BLIND_INDEX_KEY"] = secrets.blind_index_key
    if not settings.link_key.get_secret_value():
        environment["LINK_KEY"] = secrets.link_key
    if not settings.password_pepper.get_secret_value():
        environment["PASSWORD_PEPPER"] = secrets.password_pepper
    if settings.database_url:
        environment["DATABASE_URL"] = settings.database_url
        if settings.database_owner_url:
            environment["DATABASE_OWNER_URL"] = settings.database_owner_url
    # The defaults of these two follow the ports, unless the person named them.
    if "public_base_url" not in settings.model_fields_set:
        environment["PUBLIC_BASE_URL"] = f"http://{reachable(settings.api_host)}:{settings.api_port}"
    if "temporal_ui_url" not in settings.model_fields_set and not settings.temporal_address:
        environment["TEMPORAL_UI_URL"] = f"http://{HOST}:{settings.local_temporal_ui_port}"
    return environment


def _ports(settings: Settings) -> list[Port]:
    ports = [Port(settings.api_host, settings.api_port, "API_PORT", "portal and API")]
    if settings.worker_metrics_port:
        ports.append(Port(HOST, settings.worker_metrics_port, "WORKER_METRICS_PORT", "worker metrics"))
    if settings.worker_sdk_metrics_port:
        ports.append(Port(HOST, settings.worker_sdk_metrics_port, "WORKER_SDK_METRICS_PORT", "Temporal SDK metrics"))
    if not settings.temporal_address:
        ports.append(Port(HOST, settings.local_temporal_port, "LOCAL_TEMPORAL_PORT", "Temporal"))
        ports.append(Port(HOST, settings.local_temporal_ui_port, "LOCAL_TEMPORAL_UI_PORT", "Temporal UI"))
    return ports


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
