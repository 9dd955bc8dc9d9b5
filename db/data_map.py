"""What every column holds, what it is for, who reads it and which retention rules end it: `data_map.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

_MAP = Path(__file__).parent / "data_map.toml"
SEALED = "_sealed"


class Class(StrEnum):
    """security.md D-01."""

    c1 = "C1"
    c2 = "C2"
    c3 = "C3"


@dataclass(frozen=True)
class Column:
    """`clear`: why a C3 column is neither encrypted nor a hash in bytes; empty: it is."""

    name: str
    klass: Class
    purpose: str
    clear: str = ""


@dataclass(frozen=True)
class Table:
    """`retention`: rules of `domain.retention`. `key`: the column that the encrypted ones are bound to."""

    name: str
    read_by: tuple[str, ...]
    retention: tuple[str, ...]
    key: str | None
    columns: dict[str, Column]


@dataclass(frozen=True)
class SealedColumn:
    """An encrypted column, and what `FieldCipher` calls it: its name without the ending."""

    table: str
    key: str
    column: str

    @property
    def field(self) -> str:
        return self.column.removesuffix(SEALED)


def data_map() -> dict[str, Table]:
    """By table. Raises ValueError when the file says something it cannot."""
    return dict(_load())


def sealed_columns() -> tuple[SealedColumn, ...]:
    """Every encrypted column."""
    return tuple(
        SealedColumn(table.name, table.key, column)
        for table in _load().values()
        for column in table.columns
        if column.endswith(SEALED) and table.key is not None
    )


@cache
def _load() -> dict[str, Table]:
    tables = tomllib.loads(_MAP.read_text(encoding="utf-8"))
    return {name: _table(name, fields) for name, fields in tables.items()}


def _table(name: str, fields: dict[str, Any]) -> Table:
    clear: dict[str, str] = fields.get("clear_c3", {})
    columns = {
        column: Column(column, Class(klass), purpose, clear.get(column, ""))
        for column, (klass, purpose) in fields["columns"].items()
    }
    if unknown := (clear.keys() | {fields.get("key", "")}) - columns.keys() - {""}:
        raise ValueError(f"data_map.toml, {name}: {', '.join(sorted(unknown))} is no column of it")
    return Table(name, tuple(fields["read_by"]), tuple(fields["retention"]), fields.get("key"), columns)
