"""A light HTTP load generator, in a process of its own: `python -m bench.load PORT KEY CONCURRENCY < bodies`.

Each line of the standard input is the body of one POST /api/v1/affiliations; the answer is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bench.wire import Wire

PATH = "/api/v1/affiliations"


@dataclass(frozen=True)
class Load:
    """`seconds` for all requests; `latencies` of each; `ids` of what was created."""

    seconds: float
    latencies: list[float]
    ids: list[str]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


async def post(port: int, key: str, bodies: list[bytes], concurrency: int) -> Load:
    """From another process. Raises RuntimeError unless every request was answered 201."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.load",
        str(port),
        key,
        str(concurrency),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(b"\n".join(bodies))
    if process.returncode != 0:
        raise RuntimeError("the load generator failed")
    return Load(**json.loads(output))


async def generate(port: int, key: str, bodies: list[bytes], concurrency: int) -> Load:
    """All bodies, so many at a time."""
    pending = iter(bodies)
    latencies: list[float] = []
    ids: list[str] = []
    wires = [await Wire.open(port) for _ in range(concurrency)]
    began = time.perf_counter()
    await asyncio.gather(*(_post_all(wire, key, pending, latencies, ids) for wire in wires))
    seconds = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return Load(seconds, latencies, ids)


async def _post_all(wire: Wire, key: str, pending: Iterator[bytes], latencies: list[float], ids: list[str]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for body in pending:
        began = time.perf_counter()
        status, content = await wire.send("POST", PATH, headers, body)
        latencies.append(time.perf_counter() - began)
        if status != 201:
            raise RuntimeError(f"{status} {content!r}")
        ids.append(json.loads(content)["id"])


def main() -> None:
    port, key, concurrency = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    bodies = sys.stdin.buffer.read().splitlines()
    print(json.dumps(asdict(asyncio.run(generate(port, key, bodies, concurrency)))))


if __name__ == "__main__":
    main()
