"""Wrong passwords, in a process of its own: `python -m bench.flood PORT EMAIL PER_SECOND SECONDS`.

Each comes from another address, as from a botnet (the API is told to believe one proxy). Prints how many were sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from ipaddress import ip_address

from bench.wire import Wire

CONNECTIONS = 100
PATH = "/api/v1/sessions"


async def flood(port: int, email: str, per_second: int, seconds: float) -> int:
    """Evenly, as many a second as asked for, or as the server answers."""
    body = json.dumps({"email": email, "password": "un mot de passe qui est faux"}).encode()
    wires = [await Wire.open(port) for _ in range(CONNECTIONS)]
    turns: asyncio.Queue[None] = asyncio.Queue(CONNECTIONS)
    sent = 0

    async def send(wire: Wire) -> None:
        nonlocal sent
        while True:
            await turns.get()
            headers = {"Content-Type": "application/json", "X-Forwarded-For": str(ip_address(secrets.randbits(32)))}
            status, content = await wire.send("POST", PATH, headers, body)
            if status not in (401, 429, 503):
                raise RuntimeError(f"{status} {content!r}")
            sent += 1

    senders = [asyncio.create_task(send(wire)) for wire in wires]
    began, given = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        while given < passed * per_second and not turns.full():
            turns.put_nowait(None)
            given += 1
        await asyncio.sleep(0.001)
    for sender in senders:
        sender.cancel()
    for ended in await asyncio.gather(*senders, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    return sent


if __name__ == "__main__":
    os.nice(10)  # on two cores the botnet would take them from the server
    print(asyncio.run(flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))), flush=True)
