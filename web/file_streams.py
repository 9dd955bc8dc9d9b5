"""One large file of a `multipart/form-data` request, given on while it arrives: never whole in memory, never on a disk.

What stands beside the file comes before it, as our forms have it: the page's token is looked at before a byte is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from services.problems import FieldError, InvalidFields
from web.csrf import FIELD, check_beside_file, content_type

IDLE_SECONDS: Final = 30.0  # between two parts of the body (security.md C-05)
_MOST_FIELDS: Final = 20
_MOST_FIELD_BYTES: Final = 4096


@dataclass(frozen=True)
class FileStream:
    """`fields`: what stood before the file; `content` is read once."""

    fields: dict[str, str]
    content: AsyncIterator[bytes]


async def file_stream(request: Request) -> FileStream:
    """The file in the part named `file`. Raises CsrfRefused, InvalidFields; the latter also while it is read."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if content_type(request) != "multipart/form-data" or boundary is None:
        raise _no_file()
    reading = _Reading(request, boundary)
    await reading.to_file()
    check_beside_file(request, reading.fields.pop(FIELD, None))
    if not reading.file:
        raise _no_file()
    return FileStream(reading.fields, reading.content())


class _Reading:
    """The parts of a body, as far as it was read."""

    def __init__(self, request: Request, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.file = False  # its part has begun, and has a name
        self._body = request.stream()
        self._whole = False
        self._header, self._header_value = b"", b""
        self._name, self._value = "", bytearray()
        self._in_file = False
        self._held: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_header,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    async def to_file(self) -> None:
        while not self.file and await self._more():
            pass

    async def content(self) -> AsyncIterator[bytes]:
        while True:
            held, self._held = self._held, []
            for part in held:
                yield part
            if not await self._more():
                break
        for part in self._held:
            yield part

    async def _more(self) -> bool:
        """Whether something came. Raises InvalidFields for a body that stops, or is none of a form."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                part = await anext(self._body, b"")
            if part:
                self._parser.write(part)
                return True
            if not self._whole:
                raise FormParserError("the last boundary did not come")
            return False
        except (FormParserError, ClientDisconnect, TimeoutError, UnicodeDecodeError):
            raise _cut() from None

    def _on_part(self) -> None:
        if self.file:
            raise FormParserError("the file is the last part")
        self._name, self._value = "", bytearray()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        if len(self._header_value) > _MOST_FIELD_BYTES:
            raise FormParserError("too long a header")

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode()
            self._in_file = self._name == "file" and b"filename" in options
            self.file = self._in_file and bool(options[b"filename"])
        self._header, self._header_value = b"", b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self.file:
            self._held.append(bytes(data[start:end]))
        elif not self._in_file:
            self._value += data[start:end]
            if len(self._value) > _MOST_FIELD_BYTES or len(self.fields) >= _MOST_FIELDS:
                raise FormParserError("too much beside the file")

    def _on_end(self) -> None:
        self._whole = True

    def _on_part_end(self) -> None:
        if not self._in_file and self._name:
            self.fields[self._name] = self._value.decode()


def _no_file() -> InvalidFields:
    return InvalidFields([FieldError("file", "missing", "Choisissez un fichier, puis envoyez-le.")])


def _cut() -> InvalidFields:
    words = "L’envoi du fichier s’est interrompu. Rien n’a été enregistré\u00a0: envoyez-le de nouveau."
    return InvalidFields([FieldError("file", "interrupted", words)])


Stream = Annotated[FileStream, Depends(file_stream)]
