"""The Temporal dev server: the `temporal` program that its wheel puts beside the Python interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.errors import LocalError
from local.ports import free_port, http_status
from local.processes import Child

HOST = "127.0.0.1"
SEARCH_ATTRIBUTES: Mapping[str, str] = {
    "Siret": "Keyword",
    "Siren": "Keyword",
    "AffiliationStatus": "Keyword",
    "AffiliationMedium": "Keyword",
}
DYNAMIC_CONFIG: Mapping[str, str] = {
    # Lets tests and demos move one workflow's clock forward; a skipped timer then costs 20 ms instead of up to 1 s.
    "frontend.WorkflowTimeSkippingEnabled": "true",
    "history.timerProcessorMaxTimeShift": '"10ms"',
    # The dev server's single shard polls 20 times a second: 50 ms of waiting per step that production does not have.
    "history.transferProcessorMaxPollRPS": "2000",
    "history.visibilityProcessorMaxPollRPS": "2000",
}


def executable() -> Path:
    """The `temporal` program of the wheel. Raises LocalError when it is not installed."""
    path = Path(sys.executable).parent / "temporal"
    if not path.is_file():
        raise LocalError(f"{path} is missing: run `make clean run`, or set TEMPORAL_ADDRESS to use another server.")
    return path


def extra_arguments() -> list[str]:
    """The flags that make the server ours: dynamic configuration and search attributes.

    Also fit for `dev_server_extra_args` of temporalio.testing.
    """
    arguments: list[str] = []
    for key, value in DYNAMIC_CONFIG.items():
        arguments += ["--dynamic-config-value", f"{key}={value}"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        arguments += ["--search-attribute", f"{name}={kind}"]
    return arguments


def dev_server_command(
    *, port: int, http_port: int, ui_port: int | None = None, database: Path | None = None
) -> list[str]:
    """The whole command line. No `ui_port`: no web UI. No `database`: everything is lost when the server ends."""
    command = [
        str(executable()),
        "server",
        "start-dev",
        "--ip",
        HOST,
        "--port",
        str(port),
        "--http-port",
        str(http_port),
    ]
    command += ["--headless"] if ui_port is None else ["--ui-port", str(ui_port)]
    if database is not None:
        command += ["--db-filename", str(database)]
    return [*command, "--log-level", "error", *extra_arguments()]


class TemporalServer:
    """A Temporal dev server as a child process; `async with TemporalServer(...)` or start and stop.

    With a `database` file (SQLite, synchronous writes) its workflows survive kill -9.
    """

    def __init__(self, *, port: int, log: Path, ui_port: int | None = None, database: Path | None = None) -> None:
        self.address = f"{HOST}:{port}"
        self._port = port
        self._ui_port = ui_port
        self._database = database
        self._log = log
        self._child: Child | None = None

    name = "Temporal"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start it and return once its `default` namespace answers (0.1 to 0.3 s). Raises LocalError."""
        if self._database is not None:
            self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        http_port = free_port(HOST)
        self._child = Child(
            self.name,
            dev_server_command(port=self._port, http_port=http_port, ui_port=self._ui_port, database=self._database),
            log=self._log,
            # No look-ups on the network, and none of our secrets.
            environment={"PATH": os.defpath, "HOME": str(self._log.parent), "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
        )
        await self._child.start()

        async def answers() -> bool:
            # The gRPC port opens before the namespace is there, so ask for the namespace itself.
            return await http_status(HOST, http_port, "/api/v1/namespaces/default") == 200

        await self._child.until_ready(answers, seconds=30)

    async def wait(self) -> None:
        """Return when the server has ended."""
        if self._child is not None:
            await self._child.wait()

    async def stop(self) -> None:
        """Stop it (about 1.2 s, at most 10 s); at once when it keeps nothing."""
        if self._child is not None:
            if self._database is None:
                self._child.kill()
            await self._child.stop()

    def kill(self) -> None:
        """End it at once; nothing acknowledged is lost."""
        if self._child is not None:
            self._child.kill()

    def end(self) -> str:
        """How it ended, in words."""
        return self._child.end() if self._child else "never started"

    async def __aenter__(self) -> TemporalServer:
        try:
            await self.start()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
