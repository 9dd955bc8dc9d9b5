"""A DSN file: looked through once for what refuses it whole, then read declaration by declaration, in constant memory.

A file holds one envoi, or a lot of them as an insurer receives it (S05, S06, S95, S96 around). Nothing in a line says
where a block begins: it does where another block's line came before, or where a rubrique's number does not rise; its
parent is the one that the official order names. Blocks and rubriques of a norm to come are kept and disturb nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from domain.dsn.blocks import DECLARATION, ENVOI, PERSON, TOTALS, Block, parents
from domain.dsn.faults import Fault, FaultCode, Faulty
from domain.dsn.lines import encoding_of, lines, text_of

MOST_FAULTS: Final = 20  # told of one file; a file that is none has as many as lines
PEOPLE_AT_ONCE: Final = 300  # of one declaration: a larger one comes in parts
_ROUTING: Final = "900"  # rubriques from here on are put in by platforms, wherever they please
_OF_A_LOT: Final = frozenset({"S05", "S06", "S95", "S96"})


@dataclass(frozen=True, slots=True)
class Envoi:
    """`head`: its S10 blocks, the routing of the platform (S10.G00.95) among their children."""

    number: int  # in the file, from 1
    first_line: int
    last_line: int
    declarations: int
    head: Block


@dataclass(frozen=True, slots=True)
class Survey:
    """A file that may be read."""

    encoding: str
    lines: int
    envois: tuple[Envoi, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One S20.G00.05 with all that stands under it, or why it cannot be read: it is put aside, the others go on.

    One of more people than `PEOPLE_AT_ONCE` comes in parts, from 0, the last of them `complete`: each has what stands
    above people and some of the people, and is to be used before the next is asked for. A fault shows in the last part
    at the latest.
    """

    envoi: Envoi
    block: Block
    last_line: int
    fault: Fault | None = None
    part: int = 0
    complete: bool = True


def survey(source: BinaryIO, *, tests: bool = False) -> Survey:
    """Look a file through, from its beginning. `tests`: whether files marked as tests are taken. Raises Faulty."""
    source.seek(0)
    encoding = encoding_of(source)
    source.seek(0)
    stream = text_of(source, encoding)
    try:
        return _Surveyor(encoding, tests).survey(lines(stream))
    finally:
        stream.detach()


def declarations(source: BinaryIO, surveyed: Survey, first_line: int = 1) -> Generator[Declaration]:
    """Each declaration of a file that was looked through, in its order; those that begin at this line or later."""
    source.seek(0)
    stream = text_of(source, surveyed.encoding)
    envois = iter(surveyed.envois)
    envoi = next(envois)
    builder: _Builder | None = None
    last, last_rubrique = "", ""
    try:
        for number, line in lines(stream, first_line):
            assert line is not None, "looked through"
            block, rubrique, value = line
            if block[:3] in _OF_A_LOT:
                continue
            while number > envoi.last_line:
                envoi = next(envois)
            if block == DECLARATION and (last != DECLARATION or rubrique <= last_rubrique):
                if builder is not None:
                    yield builder.done(number - 1)
                builder = _Builder(envoi, number)
            elif (
                block == PERSON
                and builder is not None
                and builder.people >= PEOPLE_AT_ONCE
                and (last != PERSON or rubrique <= last_rubrique)
            ):
                yield builder.some(number - 1)
            last, last_rubrique = block, rubrique
            if block == TOTALS:
                if builder is not None:
                    yield builder.done(number - 1)
                    builder = None
            elif builder is not None:
                builder.add(number, block, rubrique, value)
    finally:
        stream.detach()


class _Surveyor:
    def __init__(self, encoding: str, tests: bool) -> None:
        self._encoding = encoding
        self._tests = tests
        self._faults: list[Fault] = []
        self._envois: list[Envoi] = []

    def survey(self, numbered: Iterator[tuple[int, tuple[str, str, str] | None]]) -> Survey:
        head: Block | None = None  # of the envoi that is open
        totals: dict[str, str] = {}
        rubriques = found = 0
        last, last_rubrique, number = "", "", 0
        for number, line in numbered:
            if line is None:
                self._fault(FaultCode.malformed_line if self._envois or head else FaultCode.not_dsn, number)
                continue
            block, rubrique, value = line
            kind = block[:3]
            if kind in _OF_A_LOT:
                self._unfinished(head, number)
                head = None
            elif head is None or (block == ENVOI and (last != ENVOI or rubrique <= last_rubrique)):
                self._unfinished(head, number)
                head, totals, rubriques, found = Block(ENVOI, number), {}, 1, 0
                if block == ENVOI:
                    head.values[rubrique] = value
                else:
                    self._fault(FaultCode.outside_envoi, number, ENVOI, block)
            else:
                rubriques += 1
                if kind == "S21":
                    pass
                elif block == DECLARATION:
                    found += last != DECLARATION or rubrique <= last_rubrique
                elif block == TOTALS:
                    totals[rubrique] = value
                    if len(totals) == 2:
                        self._close(head, number, totals, rubriques, found)
                        head = None
                elif kind == "S10":
                    _keep(head, block, number, rubrique, value)
            last, last_rubrique = block, rubrique
        self._unfinished(head, number)
        if number == 0:
            self._fault(FaultCode.empty)
        elif not self._envois and not self._faults:
            self._fault(FaultCode.not_dsn, 1)
        if self._faults:
            raise Faulty(self._faults)
        return Survey(self._encoding, number, tuple(self._envois))

    def _close(self, head: Block, number: int, totals: dict[str, str], rubriques: int, found: int) -> None:
        """Both totals are there: counted are all lines of the envoi, S10 to S90, and its S20.G00.05."""
        for name, counted, code in (
            ("001", rubriques, FaultCode.wrong_rubrique_count),
            ("002", found, FaultCode.wrong_declaration_count),
        ):
            told = totals.get(name, "")
            if not told.isdecimal() or int(told) != counted:
                self._fault(code, number, told if told.isdecimal() else "", str(counted))
        if head.get("005") == "01" and not self._tests:
            self._fault(FaultCode.test_file, head.line)
        self._envois.append(Envoi(len(self._envois) + 1, head.line, number, found, head))

    def _unfinished(self, head: Block | None, number: int) -> None:
        """An envoi that ends without its totals."""
        if head is not None:
            self._fault(FaultCode.truncated, number, TOTALS)

    def _fault(self, code: FaultCode, line: int = 0, expected: str = "", found: str = "") -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(code, line, expected, found))


class _Builder:
    """The tree of one declaration, as its lines come."""

    def __init__(self, envoi: Envoi, line: int) -> None:
        self._envoi = envoi
        self._root = Block(DECLARATION, line)
        self._open = [self._root]  # the block being read, under those it stands in
        self._last_rubrique = ""
        self._aside: tuple[Block, str] | None = None  # an unknown block being read
        self._fault: Fault | None = None
        self._part = 0
        self.people = 0  # read since the last part

    def add(self, number: int, code: str, rubrique: str, value: str) -> None:
        top = self._open[-1]
        if code == top.code and (rubrique > self._last_rubrique or rubrique >= _ROUTING):
            self._aside = None
        else:
            parent = None if code == DECLARATION else _PARENTS.get(code)
            if parent is None:
                if code != DECLARATION:
                    self._put_aside(number, code, rubrique, value)
                    return
            else:
                found = self._find(parent)
                if found is None:
                    self._fault = self._fault or Fault(FaultCode.misordered, number, parent, code)
                    return
                del self._open[found + 1 :]
                top = Block(code, number)
                self._open[found].children.append(top)
                self._open.append(top)
                self.people += code == PERSON
            self._aside = None
        if rubrique < _ROUTING:
            self._last_rubrique = rubrique
        if value:
            top.values[rubrique] = value

    def done(self, last_line: int) -> Declaration:
        return Declaration(self._envoi, self._root, last_line, self._fault, self._part)

    def some(self, last_line: int) -> Declaration:
        """The people read so far, with what stands above them, which they leave for those to come."""
        root = self._root
        path: list[Block] = []
        for block in self._open:
            if block.code == PERSON:
                break
            above = Block(block.code, block.line, block.values, [one for one in block.children if one.code != PERSON])
            if path:
                path[-1].children = [above if one is block else one for one in path[-1].children]
            path.append(above)
        self._root, self._open, self.people = path[0], path, 0
        self._part += 1
        return Declaration(self._envoi, root, last_line, self._fault, self._part - 1, complete=False)

    def _find(self, code: str) -> int | None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].code == code:
                return place
        return None

    def _put_aside(self, number: int, code: str, rubrique: str, value: str) -> None:
        """An unknown block stands under the one being read, which goes on after it."""
        if self._aside is None or self._aside[0].code != code or rubrique <= self._aside[1]:
            block = Block(code, number)
            self._open[-1].children.append(block)
        else:
            block = self._aside[0]
        self._aside = block, rubrique
        if value:
            block.values[rubrique] = value


def _keep(head: Block, code: str, number: int, rubrique: str, value: str) -> None:
    """A rubrique of an envoi's own blocks."""
    if code == ENVOI:
        block = head
    elif head.children and head.children[-1].code == code:
        block = head.children[-1]
    else:
        block = Block(code, number)
        head.children.append(block)
    if value:
        block.values[rubrique] = value


_PARENTS: Final = parents()
