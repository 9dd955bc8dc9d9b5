"""The worker and the API as parts of the stack: Python processes of this project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from local.ports import http_status, reachable
from local.processes import Child


class Application:
    """A child that is ready when `GET http://host:port/path` answers 200; without a port, as soon as it runs."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        host: str,
        port: int,
        path: str,
        stop_seconds: float,
    ) -> None:
        self.name = name
        self._address = (reachable(host), port, path)
        self._child = Child(
            name, command, log=log, environment=environment, directory=directory, stop_seconds=stop_seconds
        )

    async def start(self) -> None:
        """Start it and return once it is ready. Raises LocalError when it ends first or takes over 60 s."""
        await self._child.start()

        async def answers() -> bool:
            host, port, path = self._address
            return port == 0 or await http_status(host, port, path) == 200

        await self._child.until_ready(answers, seconds=60)

    async def wait(self) -> None:
        """Return when it has ended."""
        await self._child.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after `stop_seconds`."""
        await self._child.stop()

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def end(self) -> str:
        """How it ended, in words."""
        return self._child.end()
