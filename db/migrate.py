"""Applies `migrations/NNNN_*.sql` in order, once each, whoever runs at the same time.

Run as `python -m db.migrate` by the owner of the database.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x48435231  # any number, the same for every runner
_LOCK_ATTEMPTS = 600
_LOCK_PAUSE_SECONDS = 0.1


class MigrationError(Exception):
    """A migration cannot be applied: its text has changed since, or another runner holds the lock for too long."""


async def migrate(owner_url: str) -> list[str]:
    """Bring the database up to date; returns the names applied now. Raises MigrationError."""
    connection = await asyncpg.connect(owner_url)
    try:
        await _lock(connection)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
        applied = {row["name"]: row["checksum"] for row in rows}
        new = []
        for path in sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")):
            text = path.read_text(encoding="utf-8")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            if path.name in applied:
                if applied[path.name] != checksum:
                    raise MigrationError(f"{path.name} was changed after it was applied: write a new migration")
                continue
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute(
                    "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", path.name, checksum
                )
            new.append(path.name)
        return new
    finally:
        await connection.close()


async def _lock(connection: asyncpg.Connection) -> None:
    # Polled: a waiting pg_advisory_lock holds a snapshot and would deadlock with CREATE INDEX CONCURRENTLY.
    for _ in range(_LOCK_ATTEMPTS):
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        await asyncio.sleep(_LOCK_PAUSE_SECONDS)
    raise MigrationError("another migration has been running for a minute")


if __name__ == "__main__":
    import sys

    from settings import settings

    owner_url = settings().database_owner_url or settings().database_url
    applied_now = asyncio.run(migrate(owner_url))
    sys.stdout.write("\n".join(applied_now or ["up to date"]) + "\n")
