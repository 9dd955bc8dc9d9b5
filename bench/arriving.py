"""From the employer's click to the e-mail in the employee's mailbox, on a machine that has nothing else to do."""

from __future__ import annotations

import time

import asyncpg

from bench import load
from bench.people import declarations
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.waiting import until

WAIT_SECONDS = 30
POLL_SECONDS = 0.005
ARRIVED = """
SELECT EXISTS (SELECT FROM local_message m JOIN dispatch d ON d.id = m.dispatch_id WHERE d.affiliation_id = $1::uuid)
"""


async def measure(stack: Stack, *, count: int = 40) -> list[Figure]:
    """One person after the other; the first ones warm the processes and are not counted."""
    bodies = declarations(stack.siret)
    connection = await stack.database()
    seconds = []
    async with running(stack.worker()), running(stack.api()):
        for number in range(count + 5):
            taken = await _declare_and_wait(stack, connection, next(bodies))
            if number >= 5:
                seconds.append(taken)
    await connection.close()
    return [
        Figure("from POST to the mailbox, p50", percentile(seconds, 0.5) * 1000, "ms", 300),
        Figure("from POST to the mailbox, p95", percentile(seconds, 0.95) * 1000, "ms"),
    ]


async def _declare_and_wait(stack: Stack, connection: asyncpg.Connection, body: bytes) -> float:
    began = time.perf_counter()
    posted = await load.generate(stack.api_port, stack.key, [body], 1)
    await until(lambda: connection.fetchval(ARRIVED, posted.ids[0]), WAIT_SECONDS, pause=POLL_SECONDS)
    return time.perf_counter() - began
