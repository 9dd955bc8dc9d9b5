"""Re-encrypts what an older key encrypted, online and in batches (security.md D-03).

First the new key is put in front of the old one in FIELD_KEYS, on every process: from then on all read both and write
the new one. Then this. Only when it finds nothing more may the old key go.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from db import rotation
from db.data_map import SealedColumn, sealed_columns
from db.pool import Pool, system
from gateways.encryption import CannotDecrypt, FieldCipher

BATCH = 200


@dataclass(frozen=True)
class Rotated:
    """Of one column. `unreadable`: of a key that is not there any more, or changed; left as they are."""

    column: str
    seen: int
    changed: int
    unreadable: int


class KeyRotation:
    def __init__(self, system_pool: Pool, cipher: FieldCipher, batch: int = BATCH) -> None:
        self._system = system_pool
        self._cipher = cipher
        self._batch = batch

    async def run(self) -> list[Rotated]:
        """Every encrypted column, every row. Killed anywhere, every value is readable with one key of the ring, and the
        next run goes on: what is current is passed over."""
        return [await self._column(place) for place in sealed_columns()]

    async def _column(self, place: SealedColumn) -> Rotated:
        seen = changed = unreadable = 0
        after = UUID(int=0)
        while True:
            async with system(self._system) as connection:
                rows = await rotation.batch(connection, place, after, self._batch)
                if not rows:
                    return Rotated(f"{place.table}.{place.column}", seen, changed, unreadable)
                after = rows[-1]["row_id"]
                old = [(row["row_id"], row["sealed"]) for row in rows if row["sealed"] is not None]
                seen += len(old)
                new = []
                for row_id, sealed in old:
                    if self._cipher.is_current(sealed):
                        continue
                    try:
                        new.append((row_id, self._again(sealed, place, row_id), sealed))
                    except CannotDecrypt:
                        unreadable += 1
                await rotation.replace(connection, place, new)
                changed += len(new)

    def _again(self, sealed: bytes, place: SealedColumn, row_id: UUID) -> bytes:
        where = (place.table, place.field, str(row_id))
        return self._cipher.encrypt(self._cipher.decrypt(sealed, *where), *where)
