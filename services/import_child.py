"""A table of a bulk import read in a process of its own: ten thousand rows of a workbook take seconds, which are nobody
else's, and a hostile one takes no more than it may.

As a program it answers one request and ends. Standard input: a line of JSON `{"name"}`, then the file. Standard output:
JSON, the table or `{"errors"}`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateways.children import ask_child, limit_this_process
from services.import_reading import MOST_BYTES, Table, read_table, too_much, unreadable
from services.problems import FieldError, InvalidFields

SMALL_BYTES: Final = 100_000  # of text: read at once
_WALL_SECONDS: Final = 40.0
_CPU_SECONDS: Final = 30
_MOST_ANSWER: Final = 6 * MOST_BYTES  # JSON writes some characters with six


@dataclass(frozen=True)
class _Refusal:
    errors: list[FieldError]


_ANSWER: Final[TypeAdapter[Table | _Refusal]] = TypeAdapter(Table | _Refusal)


async def read_file(content: bytes, filename: str) -> Table:
    """As `read_table`. Raises InvalidFields (`file`), OSError (no process)."""
    if len(content) > MOST_BYTES or (len(content) <= SMALL_BYTES and not content.startswith(b"PK")):
        return read_table(content, filename)  # refused, or read at once
    request = json.dumps({"name": filename}).encode() + b"\n" + content
    try:
        answer = await ask_child("services.import_child", request, wall_seconds=_WALL_SECONDS, most_bytes=_MOST_ANSWER)
    except TimeoutError:
        raise too_much() from None
    if len(answer.content) > _MOST_ANSWER:
        raise too_much()
    if answer.status:
        raise unreadable()
    try:
        found = _ANSWER.validate_json(answer.content)
    except ValidationError:  # a file that took the child over may say anything
        raise unreadable() from None
    if isinstance(found, _Refusal):
        raise InvalidFields(found.errors)
    return found


def main() -> None:
    """One request, within limits."""
    limit_this_process(_CPU_SECONDS)
    os.nice(5)  # whoever waits for a page comes first
    request = json.loads(sys.stdin.buffer.readline())
    try:
        answer: Table | _Refusal = read_table(sys.stdin.buffer.read(), request["name"])
    except InvalidFields as invalid:
        answer = _Refusal(invalid.errors)
    sys.stdout.buffer.write(_ANSWER.dump_json(answer))
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
