"""A program of ours in a process of its own, for what comes from outside and may be hostile, or takes long: bounded in
time, in memory and in what it answers, and nobody else waits for the interpreter meanwhile."""

from __future__ import annotations

import asyncio
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

AT_ONCE = 2  # in one event loop: each may take 1 GB and a processor
MEMORY_BYTES = 1024 * 1024 * 1024  # of address space; a transparent HEIC of 50 megapixels uses 0.5 GB (measured)
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """`status`: of the process that ended; below zero the signal that ended it."""

    content: bytes
    status: int


async def ask_child(module: str, request: bytes, *, wall_seconds: float, most_bytes: int) -> Answer:
    """What `python -m module` answers to this on its standard input; cut when it is longer than `most_bytes`.

    Waits for its turn without limit, then takes `wall_seconds` at most. Raises TimeoutError, OSError (no process).
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        child = await _start(module)
        try:
            async with asyncio.timeout(wall_seconds):
                content = await _exchange(child, request, most_bytes)
                return Answer(content, await child.wait())
        finally:
            await _end(child)


def limit_this_process(cpu_seconds: int) -> None:
    """In the child, before anything else: little memory and time, no file to write, no dump."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))  # SIGXCPU first, which names the reason
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def _start(module: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-E", "-s", "-B", "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,  # a library's warning may quote the file
        cwd=_ROOT,  # with -m, where modules are found
        env={"MALLOC_ARENA_MAX": "1"},  # no secret of ours; and threads reserve no address space
    )


async def _exchange(child: Process, request: bytes, most_bytes: int) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    feeding = asyncio.create_task(_feed(child.stdin, request))
    answer = bytearray()
    try:
        while len(answer) <= most_bytes and (part := await child.stdout.read(1024 * 1024)):
            answer += part
        return bytes(answer)
    finally:
        feeding.cancel()
        if len(answer) > most_bytes:
            child.kill()
            while await child.stdout.read(1024 * 1024):  # it counts as ended only once its pipe is empty
                pass


async def _feed(stdin: asyncio.StreamWriter, request: bytes) -> None:
    with suppress(ConnectionError):  # it has ended: its status says why
        stdin.write(request)
        await stdin.drain()
        stdin.close()


async def _end(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
