"""The antivirus: a client of ClamAV's daemon, which is given the bytes and says what it found (U-03)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import Protocol

TIMEOUT_SECONDS = 15.0
_CHUNK_BYTES = 64 * 1024
_MAX_ANSWER_BYTES = 4096


class Verdict(StrEnum):
    clean = "clean"
    infected = "infected"
    not_scanned = "not_scanned"  # the antivirus is off by setting


class ScannerUnavailable(Exception):
    """No verdict: the file stays as it is and is scanned again later. Its text holds nothing of the file."""


class Scanner(Protocol):
    async def scan(self, content: bytes) -> Verdict:
        """Raises ScannerUnavailable."""


def scanner_at(clamd_address: str) -> Scanner:
    """The scanner of the setting: `unix:/run/clamav/clamd.ctl`, `tcp:host:3310`, or "" for none.

    Raises ValueError for anything else.
    """
    return ClamdScanner(clamd_address) if clamd_address else NoScanner()


class NoScanner:
    """The antivirus is off: every file is `not_scanned`. Whether that is allowed is for who starts the process."""

    async def scan(self, content: bytes) -> Verdict:
        return Verdict.not_scanned


class ClamdScanner:
    """`Scanner` over clamd's INSTREAM command (man clamd): nothing is written to disk, no path is shared."""

    def __init__(self, clamd_address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """`clamd_address` as in `scanner_at`. Raises ValueError."""
        self._socket_path, self._host, self._port = _parsed(clamd_address)
        self._timeout_seconds = timeout_seconds

    async def scan(self, content: bytes) -> Verdict:
        """See `Scanner.scan`. Refused or cut connections, silence, and any answer but the two known ones raise."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._ask(content)
        except TimeoutError:
            raise ScannerUnavailable(f"no answer within {self._timeout_seconds:g} s") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ScannerUnavailable(f"connection: {type(error).__name__}") from None
        if answer == b"stream: OK\0":
            return Verdict.clean
        if answer.startswith(b"stream: ") and answer.endswith(b" FOUND\0"):
            return Verdict.infected
        raise ScannerUnavailable("too big for its StreamMaxLength" if b"size limit" in answer else "unknown answer")

    async def _ask(self, content: bytes) -> bytes:
        reader, writer = await self._connect()
        try:
            with suppress(ConnectionError):  # clamd hangs up on a stream that is too big, and has said so
                await _send(writer, content)
            return await reader.readuntil(b"\0")
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._socket_path:
            return await asyncio.open_unix_connection(self._socket_path, limit=_MAX_ANSWER_BYTES)
        return await asyncio.open_connection(self._host, self._port, limit=_MAX_ANSWER_BYTES)


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(b"zINSTREAM\0")
    for start in range(0, len(content), _CHUNK_BYTES):
        chunk = content[start : start + _CHUNK_BYTES]
        writer.write(len(chunk).to_bytes(4, "big") + chunk)
        await writer.drain()
    writer.write(bytes(4))
    await writer.drain()


def _parsed(address: str) -> tuple[str, str, int]:
    kind, _, place = address.partition(":")
    if kind == "unix" and place.startswith("/"):
        return place, "", 0
    host, _, port = place.rpartition(":")
    if kind == "tcp" and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return "", host.strip("[]"), int(port)
    raise ValueError("the antivirus's address is unix:/path/of/socket or tcp:host:port")
