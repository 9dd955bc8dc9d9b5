"""Starts the embedded default in a process of its own and looks at it from outside, as a person at a terminal would."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from pathlib import Path

from local.ports import free_ports
from settings import ROOT

ENDED_WITHIN_SECONDS = 30.0


class StackUnderTest:
    """One `.local` directory and its ports; `start` runs it, as often as wanted."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.api_port, self.metrics_port, sdk_metrics_port, self.temporal_port, self.ui_port = free_ports(5)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LOCAL_DIR": str(directory),
            "API_PORT": str(self.api_port),
            "WORKER_METRICS_PORT": str(self.metrics_port),
            "WORKER_SDK_METRICS_PORT": str(sdk_metrics_port),
            "LOCAL_TEMPORAL_PORT": str(self.temporal_port),
            "LOCAL_TEMPORAL_UI_PORT": str(self.ui_port),
            **environment,
        }
        self.output = ""
        self._process: asyncio.subprocess.Process | None = None

    def set_api(self, program: str) -> None:
        """Let this Python program be the API."""
        self.environment["STAND_IN_API"] = shlex.join([sys.executable, "-c", program])

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def start(self, *, until: str = "Ctrl-C stops it") -> None:
        """Start it and read its output up to `until`."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.local.run_with_stand_ins",
            env=self.environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.output = ""
        await self.read(until)

    async def read(self, until: str) -> None:
        """Read on until a line holds `until`. Fails when the output ends or the time is up first."""
        assert self.process.stdout is not None
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.output += line
                if until in line:
                    return
        raise AssertionError(f"ended without saying {until!r}:\n{self.output}")

    async def exit_code(self) -> int:
        """Read to the end and wait for it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            self.output += (await self.process.stdout.read()).decode()
            return await self.process.wait()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    async def run_command(self, *arguments: str) -> tuple[int, str]:
        """`python -m local …` in the same directory: its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local",
            *arguments,
            env=self.environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def children(self) -> dict[int, str]:
        """The processes that belong to this run, by id: recognised by its directory or ports on their command line."""
        marks = [str(self.directory), f"stand_in.py\0{self.api_port}", f"stand_in.py\0{self.metrics_port}"]
        found = {}
        for pid, command in command_lines().items():
            if any(mark in command for mark in marks):
                found[pid] = command
        return found

    def child(self, mark: str) -> int:
        """The one child whose command line holds `mark`."""
        (pid,) = [pid for pid, command in self.children().items() if mark in command]
        return pid

    async def assert_no_child_left(self) -> None:
        deadline = time.monotonic() + ENDED_WITHIN_SECONDS
        while left := self.children():
            assert time.monotonic() < deadline, f"left behind: {left}"
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Whatever the test did: nothing stays."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


def environment_of(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if word)


def command_lines() -> dict[int, str]:
    """The command line of every process, its words separated by NUL."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found[int(process.name)] = (process / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
    return found
