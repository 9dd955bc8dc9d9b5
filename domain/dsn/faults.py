"""What can be wrong with a DSN file or one of its declarations: codes, whose words are in messages/dsn_words.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultCode(StrEnum):
    """The whole file is refused, but for the last four: those put one declaration aside."""

    empty = "empty"
    not_dsn = "not_dsn"
    malformed_line = "malformed_line"
    outside_envoi = "outside_envoi"  # a line that stands in no envoi
    truncated = "truncated"  # no S90 total, or only half of it
    wrong_rubrique_count = "wrong_rubrique_count"
    wrong_declaration_count = "wrong_declaration_count"
    test_file = "test_file"  # S10.G00.00.005 = 01
    misordered = "misordered"  # a block without the block that it stands under
    unknown_nature = "unknown_nature"
    incomplete = "incomplete"  # what identifies a declaration is missing
    unusable = "unusable"  # something in it can be neither understood nor kept


@dataclass(frozen=True, slots=True)
class Fault:
    """`line`: of the file, from 1; 0: of the file as a whole. `expected`, `found`: codes and counts, never a value that
    somebody's file holds."""

    code: FaultCode
    line: int = 0
    expected: str = ""
    found: str = ""


class Faulty(Exception):
    """A file that is refused whole."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(", ".join(f"{fault.code} (line {fault.line})" for fault in faults[:5]))
        self.faults = faults
