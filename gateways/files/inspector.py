"""The one door to the inspection of received files: a child process for each, bounded in time, memory and output."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from gateways.files.findings import MAX_BYTES, FileRefused, Inspected, MediaType, QualityCode, RefusalCode

WALL_SECONDS = 15.0
CHILDREN = 2  # at once, in one event loop: each may take 1 GB and a processor for 10 seconds
_MAX_ANSWER_BYTES = 2 * MAX_BYTES + 1024 * 1024
_ROOT = Path(__file__).parents[2]


class InspectorUnavailable(Exception):
    """The inspection itself does not work (no process, no library): nothing is said of the file, try again later."""


async def inspect_file(content: bytes, name: str, *, wall_seconds: float = WALL_SECONDS) -> Inspected:
    """The harmless copy of the file, see `inspection.inspect`. `name`: as given, its extension counts.

    Waits for its turn without limit, then takes `wall_seconds` at most. Raises FileRefused, InspectorUnavailable.
    """
    if len(content) > MAX_BYTES:
        raise FileRefused(RefusalCode.too_big)
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CHILDREN)):
        child = await _start()
        try:
            async with asyncio.timeout(wall_seconds):
                answer = await _exchange(child, json.dumps({"name": name}).encode() + b"\n" + content)
                status = await child.wait()
        except TimeoutError:
            raise FileRefused(RefusalCode.too_slow) from None
        finally:
            await _end(child)
    return _understood(answer, status)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def _start() -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-E", "-s", "-B", "-m", "gateways.files.inspection"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a library's warning may quote the file
            cwd=_ROOT,  # with -m, where modules are found
            env={"MALLOC_ARENA_MAX": "1"},  # no secret of ours; and threads reserve no address space
        )
    except OSError as error:
        raise InspectorUnavailable(f"no process: {type(error).__name__}") from None


async def _exchange(child: Process, request: bytes) -> bytes:
    """What the child answers, cut when it is longer than any answer."""
    assert child.stdin is not None
    assert child.stdout is not None
    feeding = asyncio.create_task(_feed(child.stdin, request))
    answer = bytearray()
    try:
        while len(answer) <= _MAX_ANSWER_BYTES and (part := await child.stdout.read(1024 * 1024)):
            answer += part
        return bytes(answer)
    finally:
        feeding.cancel()
        if len(answer) > _MAX_ANSWER_BYTES:
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


def _understood(answer: bytes, status: int) -> Inspected:
    if status == -signal.SIGXCPU:
        raise FileRefused(RefusalCode.too_slow)
    if status < 0:
        raise FileRefused(RefusalCode.damaged)
    if status:
        raise InspectorUnavailable(f"the inspection ended with status {status}")
    head, _, content = answer.partition(b"\n")
    try:
        found: dict[str, Any] = json.loads(head)
        if "refusal" in found:
            raise FileRefused(RefusalCode(found["refusal"]))
        return Inspected(
            media_type=_MEDIA_TYPES[found["media_type"]],
            content=content,
            pages=int(found["pages"]),
            text=str(found["text"]),
            quality=tuple(QualityCode(code) for code in found["quality"]),
        )
    except (ValueError, LookupError, TypeError):  # a file that took the child over may say anything
        raise FileRefused(RefusalCode.damaged) from None


_MEDIA_TYPES: dict[str, MediaType] = {"application/pdf": "application/pdf", "image/jpeg": "image/jpeg"}
