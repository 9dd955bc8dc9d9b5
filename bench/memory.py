"""What a worker's cache of open affiliations takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench import load
from bench.people import declarations
from bench.report import Figure
from bench.stack import Stack, running
from bench.waiting import until

CONCURRENCY = 20
WAIT_SECONDS = 600
SENT = "SELECT count(*) = 0 FROM affiliation WHERE id = ANY ($1::uuid[]) AND status <> 'sent'"


async def measure(stack: Stack, *, count: int = 1000, warm: int = 300) -> list[Figure]:
    """The worker's resident memory before and after so many affiliations wait: all of them cached, then hardly any.

    The second growth is what handing so many messages over takes; the difference is the cache.
    """
    bodies = declarations(stack.siret)
    before, cached = await _growth(stack, bodies, count, warm, cache=2 * (count + warm))
    _, uncached = await _growth(stack, bodies, count, warm, cache=20)
    per_thousand = 1000 / count / 1e6
    return [
        Figure("worker before", before / 1e6, "MB"),
        Figure("growth with 1,000 cached", cached * per_thousand, "MB"),
        Figure("growth with a cache of 20", uncached * per_thousand, "MB"),
        Figure("per 1,000 cached open affiliations", (cached - uncached) * per_thousand, "MB", 80),
    ]


async def _growth(stack: Stack, bodies: Iterator[bytes], count: int, warm: int, cache: int) -> tuple[int, int]:
    """Bytes of a new worker after `warm` affiliations, and how many more after `count` others."""
    worker = stack.worker(WORKER_MAX_CACHED_WORKFLOWS=str(cache))
    async with running(worker), running(stack.api()):
        await _declare(stack, list(islice(bodies, warm)))
        before = _resident(worker.pid)
        await _declare(stack, list(islice(bodies, count)))
        return before, _resident(worker.pid) - before


async def _declare(stack: Stack, bodies: list[bytes]) -> None:
    """Declare them and wait until each has had its invitation."""
    posted = await load.post(stack.api_port, stack.key, bodies, min(CONCURRENCY, len(bodies)))
    connection = await stack.database()
    await until(lambda: connection.fetchval(SENT, posted.ids), WAIT_SECONDS, pause=0.1)
    await connection.close()


def _resident(pid: int) -> int:
    """Bytes in memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError("no resident memory")
