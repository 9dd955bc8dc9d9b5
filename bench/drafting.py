"""How long an answer takes to be kept, beside the bare floor of one UPDATE through the same web server."""

from __future__ import annotations

import json
import time
from statistics import median

from bench.bare_save import TABLE
from bench.employee import PATH, invited
from bench.people import declarations
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.wire import Wire
from local.ports import free_port

JSON = {"Content-Type": "application/json"}


async def measure(stack: Stack, *, rounds: int = 8, saves: int = 100) -> list[Figure]:
    """Each round another person, their whole form there already, who changes one answer after the other."""
    connection = await stack.database()
    await connection.execute(TABLE)
    port = free_port()
    bodies = declarations(stack.siret)
    first, kept, floors, ratios = [], [], [], []
    async with running(stack.worker()), running(stack.api()), running(stack.process("bare_save", port, "/ready")):
        ours, bare = await Wire.open(stack.api_port), await Wire.open(port)
        for number in range(rounds + 1):
            async with invited(stack, connection, bodies) as employee:
                began = time.perf_counter()
                version = await employee.save()
                told = time.perf_counter() - began
                floor = await _times(bare, "/draft", {}, saves, 0)
                draft = await _times(ours, PATH, employee.headers, saves, version)
            if number:  # the first round warms
                first.append(told)
                kept += draft
                floors += floor
                ratios.append(median(draft) / median(floor))
        ours.close()
        bare.close()
    await connection.close()
    return [
        Figure("bare floor: one row updated, p50", percentile(floors, 0.5) * 1000, "ms"),
        Figure("one answer kept, p50", percentile(kept, 0.5) * 1000, "ms"),
        Figure("one answer kept, p95", percentile(kept, 0.95) * 1000, "ms", 30),
        Figure("ratio of the medians (median of rounds)", median(ratios), "×"),
        Figure("the first draft, told to the workflow, p50", percentile(first, 0.5) * 1000, "ms"),
    ]


async def _times(wire: Wire, path: str, headers: dict[str, str], saves: int, version: int) -> list[float]:
    """Seconds of each of so many saves, one after the other, as a page does it."""
    seconds = []
    for number in range(saves):
        body = json.dumps({"version": version + number, "answers": {"line1": f"{number} rue des Mesures"}}).encode()
        began = time.perf_counter()
        status, content = await wire.send("PATCH", path, JSON | headers, body)
        seconds.append(time.perf_counter() - began)
        if status != 200:
            raise RuntimeError(f"{status} {content!r}")
    return seconds
