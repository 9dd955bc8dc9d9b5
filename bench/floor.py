"""The bare floor, in a process of its own: `python -m bench.floor ADDRESS COUNT CONCURRENCY`.

Empty workflows are started by the same client library and by nothing else; no worker listens on the queue.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid

from temporalio.client import Client

QUEUE = "bench-nobody"


async def start_rate(address: str, count: int, concurrency: int) -> float:
    """Starts a second, from another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.floor", address, str(count), str(concurrency), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return float(output)


async def measure(address: str, count: int, concurrency: int) -> float:
    client = await Client.connect(address)
    pending = iter(range(count))

    async def start_all() -> None:
        for _ in pending:
            await client.start_workflow("Empty", id=f"empty-{uuid.uuid4()}", task_queue=QUEUE)

    began = time.perf_counter()
    await asyncio.gather(*(start_all() for _ in range(concurrency)))
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))), flush=True)
    os._exit(0)  # as worker.py: the interpreter's own exit can crash in the SDK's threads
