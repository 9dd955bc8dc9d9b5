"""A light HTTP load generator, in a process of its own: `python -m bench.load PORT KEY CONCURRENCY < bodies`.

Raw streams with keep-alive: on two cores a client library would take the time that is to be measured. Each line of
the standard input is the body of one POST /api/v1/affiliations; the answer is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

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
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(concurrency)]
    began = time.perf_counter()
    await asyncio.gather(*(_post_all(stream, key, pending, latencies, ids) for stream in streams))
    seconds = time.perf_counter() - began
    for _, writer in streams:
        writer.close()
    return Load(seconds, latencies, ids)


async def _post_all(
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    key: str,
    pending: Iterator[bytes],
    latencies: list[float],
    ids: list[str],
) -> None:
    reader, writer = stream
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    ).encode()
    for body in pending:
        began = time.perf_counter()
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status, _, headers = answer.partition(b"\r\n")
        length = int(headers.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        latencies.append(time.perf_counter() - began)
        if b" 201 " not in status:
            raise RuntimeError(f"{status!r} {content!r}")
        ids.append(json.loads(content)["id"])


def main() -> None:
    port, key, concurrency = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    bodies = sys.stdin.buffer.read().splitlines()
    print(json.dumps(asdict(asyncio.run(generate(port, key, bodies, concurrency)))))


if __name__ == "__main__":
    main()
