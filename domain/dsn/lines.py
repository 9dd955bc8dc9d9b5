"""A DSN file as lines: `S21.G00.30.002,'D'ALMEIDA'`. Encoded in ISO-8859-1 or UTF-8, ended by CRLF or LF."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO, Final

_CHUNK: Final = 1 << 20
_LONGEST: Final = 1024  # of a line; official ones have 256 bytes at most: the rest of a longer one is no line of a DSN
# An apostrophe inside a value is not escaped: the value ends at the last one of the line, and commas may stand in it.
_LINE: Final = re.compile(r"\s*(S\d{2}\.G\d{2}\.\d{2})\.(\d{3})\s*,\s*'(.*)'\s*", re.DOTALL)

Line = tuple[str, str, str]  # block, rubrique, value; the value without the blanks around it, "" where there is none


def encoding_of(source: BinaryIO) -> str:
    """`utf-8-sig` where all of it is UTF-8, else `cp1252`, which has what ISO-8859-1 has of names. Reads to the end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := source.read(_CHUNK):
            if decoder.getstate()[0] or not chunk.isascii():
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def text_of(source: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """What no encoding explains becomes U+FFFD, which is looked for by whoever reads a name."""
    return io.TextIOWrapper(source, encoding=encoding, errors="replace", newline=None)


def split(text: str) -> Line | None:
    """One line; None: it is none of a DSN."""
    if text[14:16] == ",'" and text[0] == "S" and text[10] == ".":
        value = text[16:].rstrip()
        if value[-1:] == "'":
            return text[:10], text[11:14], value[:-1].strip()
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    return found[1], found[2], found[3].strip()


def lines(stream: io.TextIOWrapper, first: int = 1) -> Iterator[tuple[int, Line | None]]:
    """Numbered from 1, without blank ones and those before `first`."""
    for number, text in enumerate(islice(iter(partial(stream.readline, _LONGEST), ""), first - 1, None), first):
        if text.isspace():
            continue
        yield number, split(text)
