"""Encrypted columns read in the order of their rows and written back under a newer key."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from db.data_map import SealedColumn
from db.pool import Connection

# Names of tables and columns come from db/data_map.toml, which a test holds equal to the catalogue.
_BATCH = 'SELECT "{key}" AS row_id, "{column}" AS sealed FROM "{table}" WHERE "{key}" > $1 ORDER BY "{key}" LIMIT $2'

# Changed meanwhile: it has been written with the newest key by whoever changed it.
_REPLACE = 'UPDATE "{table}" SET "{column}" = $2 WHERE "{key}" = $1 AND "{column}" = $3'


async def batch(connection: Connection, place: SealedColumn, after: UUID, limit: int) -> list[asyncpg.Record]:
    """The next rows (`row_id`, `sealed`), in the order of their ids; `sealed` may be null."""
    return await connection.fetch(_written(_BATCH, place), after, limit)


async def replace(connection: Connection, place: SealedColumn, rows: Sequence[tuple[UUID, bytes, bytes]]) -> None:
    """(row, new value, the value it replaces): one that is another by now stays."""
    await connection.executemany(_written(_REPLACE, place), rows)


def _written(statement: str, place: SealedColumn) -> str:
    return statement.format(table=place.table, key=place.key, column=place.column)
