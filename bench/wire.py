"""HTTP on a raw connection: on two cores a client library would take the time that is to be measured."""

from __future__ import annotations

import asyncio


class Wire:
    """One keep-alive connection to a port of this machine; answers must say their length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the content of the answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items())])
        self._writer.write(head.encode() + b"\r\n\r\n" + body)
        await self._writer.drain()
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status, _, rest = answer.partition(b"\r\n")
        length = int(rest.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(status.split()[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()
