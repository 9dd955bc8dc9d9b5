"""`make run` on a machine where it has run before: how long until everything answers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report import Figure
from local.ports import free_port
from settings import ROOT

READY = b"Ctrl-C stops it"
WAIT_SECONDS = 120


async def measure() -> list[Figure]:
    """In a directory and on ports of its own."""
    with TemporaryDirectory(prefix="bench-") as name:
        environment = {
            **os.environ,
            "LOCAL_DIR": str(Path(name) / "local"),
            "API_PORT": str(free_port()),
            "WORKER_METRICS_PORT": str(free_port()),
            "WORKER_SDK_METRICS_PORT": str(free_port()),
            "LOCAL_TEMPORAL_PORT": str(free_port()),
            "LOCAL_TEMPORAL_UI_PORT": str(free_port()),
        }
        first = await _run(environment)
        second = await _run(environment)
    return [
        Figure("first start", first, "s"),
        Figure("second start", second, "s", 10),
    ]


async def _run(environment: dict[str, str]) -> float:
    """Start everything, and stop it; seconds until it was ready."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local", "run", cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(WAIT_SECONDS):
        while READY not in said:
            line = await process.stdout.readline()
            if not line:
                raise RuntimeError(f"it did not start:\n{said.decode()}")
            said += line
    seconds = time.perf_counter() - began
    process.send_signal(signal.SIGINT)
    await process.communicate()
    return seconds
