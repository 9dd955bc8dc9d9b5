"""Which block stands under which (data/dsn_blocks.toml), and one block as it was read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

ENVOI: Final = "S10.G00.00"
DECLARATION: Final = "S20.G00.05"
COMPANY: Final = "S21.G00.06"
ESTABLISHMENT: Final = "S21.G00.11"
ADHESION: Final = "S21.G00.15"
PERSON: Final = "S21.G00.30"
PERSON_CHANGE: Final = "S21.G00.31"
CONTRACT: Final = "S21.G00.40"
CONTRACT_CHANGE: Final = "S21.G00.41"
CONTRACT_END: Final = "S21.G00.62"
SUSPENSION: Final = "S21.G00.65"
AFFILIATION: Final = "S21.G00.70"
DEPENDANT: Final = "S21.G00.73"
TOTALS: Final = "S90.G00.90"


@dataclass(slots=True)
class Block:
    """One occurrence. `values`: of its rubriques, by the three digits of their number, never empty; `line`: where it
    begins in the file, counted from 1; `children`: in the order of the file, unknown blocks among them."""

    code: str
    line: int
    values: dict[str, str] = field(default_factory=dict)
    children: list[Block] = field(default_factory=list)

    def get(self, rubrique: str) -> str | None:
        return self.values.get(rubrique)

    def all(self, code: str) -> Iterator[Block]:
        """Its children of one kind."""
        return (child for child in self.children if child.code == code)

    def one(self, code: str) -> Block | None:
        """The first of them."""
        return next(self.all(code), None)


@cache
def parents() -> dict[str, str]:
    """By block, the block it stands under; blocks without one (S10.G00.00, S20.G00.05, S90.G00.90) are not in it."""
    text = resources.files("domain").joinpath("data/dsn_blocks.toml").read_text(encoding="utf-8")
    known: dict[str, str] = tomllib.loads(text)["parents"]
    return known
