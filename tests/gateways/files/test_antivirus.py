from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateways.files.antivirus import ClamdScanner, NoScanner, ScannerUnavailable, Verdict, scanner_at
from tests.gateways.files.corpus import EICAR

MAX_STREAM = 300_000
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


async def honest(content: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"stream: Eicar-Signature FOUND\0" if EICAR in content else b"stream: OK\0")


def says(answer: bytes) -> Answer:
    async def answer_it(content: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return answer_it


async def hangs(content: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


class Clamd:
    """Speaks INSTREAM as clamd does, on a Unix socket or on TCP; refuses more than 300 kB."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(10) == b"zINSTREAM\0"
            content = b""
            while size := int.from_bytes(await reader.readexactly(4), "big"):
                content += await reader.readexactly(size)
                if len(content) > MAX_STREAM:
                    writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                    return
            self.received.append(content)
            await self._answer(content, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def clamd(socket: Path, answer: Answer = honest) -> AsyncIterator[tuple[Clamd, ClamdScanner]]:
    served = Clamd(answer)
    server = await asyncio.start_unix_server(served.serve, socket)
    try:
        yield served, ClamdScanner(f"unix:{socket}", timeout_seconds=0.5)
    finally:
        server.close()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "clamd.ctl"


@pytest.mark.parametrize("content", [b"", b"a", b"0123456789" * 20_000])
async def test_a_clean_file_arrives_whole(socket: Path, content: bytes) -> None:
    async with clamd(socket) as (served, scanner):
        assert await scanner.scan(content) is Verdict.clean
        assert served.received == [content]


async def test_an_infected_file(socket: Path) -> None:
    async with clamd(socket) as (_, scanner):
        assert await scanner.scan(b"before" + EICAR) is Verdict.infected


async def test_over_tcp() -> None:
    server = await asyncio.start_server(Clamd(honest).serve, "127.0.0.1", 0)
    scanner = scanner_at(f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert await scanner.scan(EICAR) is Verdict.infected
    server.close()
    await server.wait_closed()
    with pytest.raises(ScannerUnavailable):
        await scanner.scan(EICAR)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",  # cut before its end
        b"OK\0",
        b"stream: OK FOUND ERROR\0",
        b"stream: maybe\0",
        b"COMMAND READ TIMED OUT ERROR\0",
        b"\xff\xfe" * 10_000,
        b"x" * 100_000 + b"\0",
    ],
)
async def test_any_other_answer_is_no_verdict(socket: Path, answer: bytes) -> None:
    async with clamd(socket, says(answer)) as (_, scanner):
        with pytest.raises(ScannerUnavailable):
            await scanner.scan(b"file")


async def test_silence_ends_with_the_time_limit(socket: Path) -> None:
    async with clamd(socket, hangs) as (_, scanner):
        started = time.monotonic()
        with pytest.raises(ScannerUnavailable, match=r"0\.5 s"):
            await scanner.scan(b"file")
        assert time.monotonic() - started < 5


async def test_too_big_for_clamd_is_no_verdict(socket: Path) -> None:
    async with clamd(socket) as (_, scanner):
        with pytest.raises(ScannerUnavailable, match=r"StreamMaxLength|connection"):
            await scanner.scan(bytes(5_000_000))


async def test_nobody_listens(socket: Path) -> None:
    with pytest.raises(ScannerUnavailable):
        await ClamdScanner(f"unix:{socket}").scan(b"file")


async def test_off() -> None:
    assert isinstance(scanner_at(""), NoScanner)
    assert await scanner_at("").scan(EICAR) is Verdict.not_scanned


@pytest.mark.parametrize("address", ["clamav", "unix:relative", "tcp:host", "tcp:host:0", "tcp::3310", "udp:host:1"])
def test_addresses(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        scanner_at(address)
