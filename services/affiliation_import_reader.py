"""What was given of a bulk import, as it is stored: its cells, while its columns may be told otherwise, and these."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from activities.contracts.affiliation_imports import ImportState
from db import affiliation_imports as statements
from db.pool import Pool, system
from gateways.encryption import FieldCipher
from services.affiliation_import_checking import ImportChecker, add_rows
from services.affiliation_import_views import FoundColumn
from services.import_reading import Table, row_values
from services.import_values import RowValues

TABLE: Final = "affiliation_import"  # what its encrypted fields are bound to
_MOST_SHOWN: Final = 60  # characters of a header or a sample


@dataclass(frozen=True)
class Columns:
    """The columns of what was given; `mapping`: field → its place."""

    headers: Sequence[str]
    samples: Sequence[str]
    mapping: Mapping[str, int]

    def shown(self) -> list[FoundColumn]:
        fields = {place: name for name, place in self.mapping.items()}
        width = max(len(self.headers), len(self.samples))
        return [
            FoundColumn(
                index=place,
                header=self.headers[place] if place < len(self.headers) else "",
                field=fields.get(place),
                sample=self.samples[place] if place < len(self.samples) else "",
            )
            for place in range(width)
        ]


class ImportReader:
    """Reads what is stored once more: for a long table, or when its columns are told otherwise."""

    def __init__(self, pool: Pool, cipher: FieldCipher, checker: ImportChecker) -> None:
        self._pool = pool
        self._cipher = cipher
        self._checker = checker

    async def check(self, import_id: UUID, round: int, beat: Callable[[], None] = lambda: None) -> None:
        """Read the rows and write them with their states; nothing happens where another reading has taken over, or the
        user may not have it any more. Done again, it is done once. Raises CannotDecrypt."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(statements.TO_CHECK, import_id)
            stored = await connection.fetchrow(statements.CONTENT, import_id)
        if row is None or stored is None or stored["content_sealed"] is None or not row["allowed"]:
            return
        if row["state"] != ImportState.checking or row["check_round"] != round:
            return
        given = await asyncio.to_thread(self._rows, import_id, stored)
        beat()
        checked = await self._checker.check(row["company_ids"], given, beat)
        await add_rows(self._pool, self._cipher, import_id, round, checked, beat)

    def _rows(self, import_id: UUID, stored: asyncpg.Record) -> list[RowValues]:
        table = opened_table(self._cipher, import_id, stored["content_sealed"])
        mapping = opened_columns(self._cipher, import_id, stored["columns_sealed"]).mapping
        return list(row_values(table, dict(mapping)))


def columns_of(table: Table, mapping: Mapping[str, int]) -> Columns:
    """As they are shown: nothing longer than a line."""
    width = max([len(table.headers), *(len(row) for row in table.rows[:50])], default=0)
    samples = [
        next((str(row[place]) for row in table.rows[:50] if place < len(row) and str(row[place]).strip()), "")
        for place in range(width)
    ]
    return Columns(
        [str(text)[:_MOST_SHOWN] for text in table.headers], [text[:_MOST_SHOWN] for text in samples], mapping
    )


# --- as the database keeps them


def sealed_name(cipher: FieldCipher, import_id: UUID, filename: str) -> bytes:
    return cipher.encrypt(filename, TABLE, "filename", str(import_id))


def opened_name(cipher: FieldCipher, import_id: UUID, sealed: bytes) -> str:
    """Raises CannotDecrypt."""
    return cipher.decrypt(sealed, TABLE, "filename", str(import_id))


def sealed_table(cipher: FieldCipher, import_id: UUID, table: Table) -> bytes:
    """Its cells, not the file: a workbook takes long to be read, and holds more than the table."""
    return cipher.encrypt(json.dumps(asdict(table), ensure_ascii=False), TABLE, "content", str(import_id))


def opened_table(cipher: FieldCipher, import_id: UUID, sealed: bytes) -> Table:
    """Raises CannotDecrypt."""
    return Table(**json.loads(cipher.decrypt(sealed, TABLE, "content", str(import_id))))


def sealed_columns(cipher: FieldCipher, import_id: UUID, columns: Columns) -> bytes:
    kept: dict[str, Any] = {
        "headers": list(columns.headers),
        "samples": list(columns.samples),
        "mapping": dict(columns.mapping),
    }
    return cipher.encrypt(json.dumps(kept, ensure_ascii=False), TABLE, "columns", str(import_id))


def opened_columns(cipher: FieldCipher, import_id: UUID, sealed: bytes) -> Columns:
    """Raises CannotDecrypt."""
    return Columns(**json.loads(cipher.decrypt(sealed, TABLE, "columns", str(import_id))))
