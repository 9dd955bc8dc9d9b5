"""How fast people can be declared, beside the bare floor of starting an empty workflow on the same server."""

from __future__ import annotations

import contextlib
from itertools import islice
from statistics import median

from temporalio.client import Client

from bench import floor, load
from bench.people import declarations
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.waiting import until

CONCURRENCY = 20
SETTLING_SECONDS = 5


async def measure(stack: Stack, *, count: int = 400, rounds: int = 7) -> list[Figure]:
    """Interleaved, so that both meet the same machine; no worker runs, as for the floor."""
    bodies = declarations(stack.siret)
    client = await stack.temporal_client()
    before = await _started(client)
    floors, rates, ratios, latencies = [], [], [], []
    async with running(stack.api()):
        await load.post(stack.api_port, stack.key, list(islice(bodies, count)), CONCURRENCY)  # warm
        await floor.start_rate(stack.temporal.address, count, CONCURRENCY)
        for _ in range(rounds):
            floors.append(await floor.start_rate(stack.temporal.address, count, CONCURRENCY))
            posted = await load.post(stack.api_port, stack.key, list(islice(bodies, count)), CONCURRENCY)
            rates.append(posted.per_second)
            ratios.append(posted.per_second / floors[-1])
            latencies += posted.latencies
    missing = (rounds + 1) * count - await _settled(client, before, (rounds + 1) * count)
    return [
        Figure("bare floor: empty workflows started", median(floors), "/s"),
        Figure("POST /affiliations: committed and started", median(rates), "/s"),
        Figure("ratio (median of rounds)", median(ratios), "", 0.60, "at least"),
        # started too late for the request, these would wait for the sweep and flatter the rate
        Figure("of these, committed and not started", missing, "", 0),
        Figure("POST /affiliations at concurrency 20, p50", percentile(latencies, 0.5) * 1000, "ms"),
        Figure("POST /affiliations at concurrency 20, p95", percentile(latencies, 0.95) * 1000, "ms"),
    ]


async def _settled(client: Client, before: int, wanted: int) -> int:
    """How many were started: the server's count lags behind a little, so it is asked until it is complete."""
    started = 0

    async def complete() -> bool:
        nonlocal started
        started = await _started(client) - before
        return started >= wanted

    with contextlib.suppress(TimeoutError):
        await until(complete, SETTLING_SECONDS, pause=0.2)
    return started


async def _started(client: Client) -> int:
    return (await client.count_workflows("WorkflowType = 'Affiliation'")).count
