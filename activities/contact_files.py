"""Files of contact requests that the antivirus has not seen yet: shown to it again, in every round of the sweep."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg
from prometheus_client import Gauge

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.scanning import INFECTED, RESCAN_SECONDS
from db import audit, contact
from db.pool import Pool, system
from gateways.files.antivirus import Scanner, ScannerUnavailable, Verdict
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable

log = logging.getLogger(__name__)

TABLE: Final = "contact_file"  # what its encrypted fields and its files are bound to

PENDING = Gauge("hcr_contact_files_unscanned", "Files of requests that wait for the antivirus: nobody can read them")


class ContactRescanner:
    def __init__(self, pool: Pool, vault: FileVault, scanner: Scanner) -> None:
        self._pool = pool
        self._vault = vault
        self._scanner = scanner

    async def rescan(self, limit: int) -> int:
        """How many of the oldest got their verdict; with the antivirus or the store away, the rest waits."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(contact.PENDING, limit)
        done = 0
        try:
            async with asyncio.timeout(RESCAN_SECONDS):
                for row in rows:
                    await self._scan(row)
                    done += 1
        except (ScannerUnavailable, StorageUnavailable, TimeoutError) as why:
            log.warning("files of requests still wait for the antivirus: %s", type(why).__name__)
        async with system(self._pool) as connection:
            PENDING.set(await connection.fetchval(contact.COUNT_PENDING))
        return done

    async def _scan(self, row: asyncpg.Record) -> None:
        file_id = row["id"]
        try:
            content = await self._vault.get(
                row["object_key"], row["data_key_sealed"], row["sha256"], str(file_id), TABLE
            )
        except (FileMissing, FileDamaged) as why:
            log.error("a file of a request cannot be scanned: %s", type(why).__name__, extra={"id": str(file_id)})
            await self._refuse(row, "unreadable", "file.lost")
            return
        verdict = await self._scanner.scan(content)
        if verdict is Verdict.infected:
            INFECTED.inc()
            log.error("a file of a request is infected", extra={"id": str(file_id)})
            await self._refuse(row, verdict.value, "file.infected")
            return
        async with system(self._pool) as connection:
            await connection.execute(contact.SCANNED, file_id, verdict.value)

    async def _refuse(self, row: asyncpg.Record, scan: str, event: str) -> None:
        """The row stays and says so, the file is deleted."""
        async with system(self._pool) as connection:
            if await connection.fetchval(contact.REFUSE, row["id"], scan) is None:
                return
            await audit.add(
                connection,
                event,
                SYSTEM_ACTOR,
                company_id=row["company_id"],
                object_type=TABLE,
                object_id=row["id"],
            )
        await self._vault.delete(row["object_key"])
