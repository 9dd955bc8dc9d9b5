"""The declarations of a DSN file as facts, in bounded batches, read beside the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from domain.dsn.blocks import ENVOI, Block
from domain.dsn.facts import Facts, Kind, Unreadable, facts_of
from domain.dsn.faults import Fault, FaultCode
from domain.dsn.reading import Declaration, Envoi, Survey, declarations

log = logging.getLogger(__name__)

MOST_LINES = 20_000  # of one batch, and more only where one declaration's part is longer
MOST_DECLARATIONS = 200
MOST_PEOPLE = 600


@dataclass(frozen=True, slots=True)
class Read:
    """One declaration, or a part of a large one: `part` from 0, `complete` the last. `facts` or `fault`."""

    number: int  # in the file, from 1
    first_line: int
    last_line: int
    part: int
    complete: bool
    facts: Facts | None
    fault: Fault | None = None

    @property
    def alone(self) -> bool:
        """Whether it is recorded by itself: it changes what others before it are."""
        return self.facts is not None and (self.facts.replaces is not None or self.facts.kind is Kind.cancelling)


def spans_of(surveyed: Survey) -> list[list[int]]:
    """The envois of a file as they are kept: first and last line, and how many declarations."""
    return [[one.first_line, one.last_line, one.declarations] for one in surveyed.envois]


def survey_of(encoding: str, lines: int, spans: list[list[int]]) -> Survey:
    """What `spans_of` kept, without the heads."""
    envois = (
        Envoi(number, first, last, count, Block(ENVOI, first)) for number, (first, last, count) in enumerate(spans, 1)
    )
    return Survey(encoding, lines, tuple(envois))


class Reader:
    """The declarations of one file, from a line on; `number`: of the one before that line."""

    def __init__(self, source: BinaryIO, surveyed: Survey, first_line: int, number: int) -> None:
        self._source = source
        self._declarations = declarations(source, surveyed, first_line)
        self._number = number

    async def batch(self) -> list[Read]:
        """The next ones; none: the file is over."""
        return await asyncio.to_thread(lambda: list(self._some()))

    def close(self) -> None:
        self._declarations.close()
        self._source.close()

    def _some(self) -> Iterator[Read]:
        lines = found = people = 0
        while lines < MOST_LINES and found < MOST_DECLARATIONS and people < MOST_PEOPLE:
            declaration = next(self._declarations, None)
            if declaration is None:
                return
            self._number += declaration.part == 0
            read = _read(declaration, self._number)
            found += 1
            lines += read.last_line - read.first_line
            people += len(read.facts.people) if read.facts is not None else 0
            yield read


def _read(declaration: Declaration, number: int) -> Read:
    facts: Facts | None = None
    fault: Fault | None = None
    line = declaration.block.line
    try:
        facts = facts_of(declaration)
    except Unreadable as why:
        fault = why.fault
    except Exception as error:  # whatever one declaration holds, the others go on
        log.error("a declaration cannot be used: %s", type(error).__name__, extra={"line": line})
        fault = Fault(FaultCode.unusable, line)
    return Read(number, line, declaration.last_line, declaration.part, declaration.complete, facts, fault)


def fault_json(fault: Fault) -> dict[str, Any]:
    """As it is kept: codes, counts and lines."""
    return {"code": fault.code.value, "line": fault.line, "expected": fault.expected, "found": fault.found}
