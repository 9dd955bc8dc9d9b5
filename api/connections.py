"""Connections of the web process: uvicorn's own, which ends one whose head does not end (security.md H-08)."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.limits import MAX_HEAD_BYTES

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """uvicorn keeps what has come of a head, however much it is, until it is complete. What is complete is measured
    by api.security.FrontDoor."""

    _head: int | None = None  # bytes read of a head under way; None: there is none

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        under_way = self._head is not None
        super().data_received(data)
        if self._head is None or not under_way or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MAX_HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
