"""One child process: dies with its parent, logs to a file, is stopped within a bounded time."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.errors import LocalError

LOG_LIMIT_BYTES = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """What a child runs before exec so that the kernel sends it `death_signal` when its parent ends, kill -9 too."""
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the line above
            os._exit(1)

    return prepare


class Child:
    """A child process that can be started again.

    It has its own session, so a terminal's Ctrl-C reaches only us and the order of the stop stays ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 10.0,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._directory = directory
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._death_signal = death_signal
        self._process: asyncio.subprocess.Process | None = None

    def set_command(self, command: Sequence[str]) -> None:
        """What the next start runs, for commands only known then."""
        self._command = list(command)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it. Raises LocalError when it is already running or the program cannot be executed."""
        if self.running:
            raise LocalError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _rotate(self.log)
        with self.log.open("ab") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    env=self._environment,
                    cwd=self._directory,
                    start_new_session=True,
                    preexec_fn=die_with_parent(self._death_signal),
                )
            except OSError as error:
                raise LocalError(f"{self.name} cannot be started: {error.strerror}: {self._command[0]}") from None

    async def until_ready(self, probe: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
        """Wait until `probe` says yes. Raises LocalError when the process ends first or `seconds` have passed."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await probe():
            if not self.running:
                raise LocalError(f"{self.name} ended while starting ({self.end()}).{self._log_tail()}")
            if asyncio.get_running_loop().time() > deadline:
                await self.stop()
                raise LocalError(f"{self.name} was not ready after {seconds:.0f} s.{self._log_tail()}")
            await asyncio.sleep(0.01)

    async def wait(self) -> None:
        """Return when the process has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and after `stop_seconds` end it. Does nothing when it has ended already."""
        if self._process is None or not self.running:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(self._stop_signal)
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End it and its process group at once."""
        if self._process is not None and self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode if self._process else None
        if code is None:
            return "still running"
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"

    def _log_tail(self, lines: int = 8, limit_bytes: int = 4096) -> str:
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - limit_bytes))
            tail = file.read().decode("utf-8", "replace").splitlines()[-lines:]
            return f" The end of {self.log}:\n" + "\n".join(f"    {line}" for line in tail)
        return ""


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
