"""What a worker's cache of open affiliations takes."""

from __future__ import annotations

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
    """The worker's resident memory before and after so many affiliations wait, all of them cached."""
    bodies = declarations(stack.siret)
    worker = stack.worker(WORKER_MAX_CACHED_WORKFLOWS=str(2 * count + warm))
    async with running(worker), running(stack.api()):
        await _declare(stack, list(islice(bodies, warm)))
        before = _resident(worker.pid)
        await _declare(stack, list(islice(bodies, count)))
        grown = _resident(worker.pid) - before
    return [
        Figure("worker before", before / 1e6, "MB"),
        Figure("worker per 1,000 cached open affiliations", grown / 1e6 * 1000 / count, "MB", 80),
    ]


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
