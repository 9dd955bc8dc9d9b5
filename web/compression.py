"""Answers in HTML and JSON, compressed for those who can read it so."""

from __future__ import annotations

import gzip
import secrets
from io import BytesIO
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST: Final = 1000
MOST_PADDING: Final = 100
_LEVEL: Final = 6
_TYPES: Final = frozenset(["text/html", "application/json", "application/problem+json"])


class Compression:
    """Middleware: what is sent whole. Streams pass as they come, and so does whatever is compressed already.

    A page holds a token beside words that a stranger may have chosen, and its length could be watched (BREACH): a name
    of random length in gzip's own header, which nobody reads, blurs it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_text(message):
                start = message
                return
            if start is not None:
                body: bytes = message.get("body", b"")
                headers = MutableHeaders(scope=start)
                headers.add_vary_header("Accept-Encoding")
                whole = message["type"] == "http.response.body" and not message.get("more_body")
                if accepted and whole and len(body) >= SMALLEST:
                    message = {**message, "body": compressed(body)}
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(message["body"]))
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, send_compressed)


def compressed(body: bytes) -> bytes:
    """With up to MOST_PADDING bytes that say nothing."""
    target = BytesIO()
    with gzip.GzipFile("x" * secrets.randbelow(MOST_PADDING), "wb", _LEVEL, target, mtime=0) as file:
        file.write(body)
    return target.getvalue()


def _is_text(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in _TYPES and "content-encoding" not in headers
