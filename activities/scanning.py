"""Files that the antivirus has not seen yet (security.md U-03): shown to it again, in every round of the sweep."""

from __future__ import annotations

import asyncio
import logging

import asyncpg
from prometheus_client import Counter, Gauge

from db import audit, documents
from db.pool import Connection, Pool, system
from gateways.files.antivirus import Scanner, ScannerUnavailable, Verdict
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable

log = logging.getLogger(__name__)

RESCAN_SECONDS = 15.0  # of one round

PENDING = Gauge("hcr_files_unscanned", "Files that wait for the antivirus: nobody can read them")
INFECTED = Counter("hcr_files_infected_total", "Files that the antivirus refused after they had been taken in")


class Rescanner:
    def __init__(self, pool: Pool, vault: FileVault, scanner: Scanner) -> None:
        self._pool = pool
        self._vault = vault
        self._scanner = scanner

    async def rescan(self, limit: int) -> int:
        """How many of the oldest got their verdict; with the antivirus or the store away, the rest waits."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(documents.PENDING, limit)
        done = 0
        try:
            async with asyncio.timeout(RESCAN_SECONDS):
                for row in rows:
                    await self._scan(row)
                    done += 1
        except (ScannerUnavailable, StorageUnavailable, TimeoutError) as why:
            log.warning("files still wait for the antivirus: %s", type(why).__name__)
        async with system(self._pool) as connection:
            PENDING.set(await connection.fetchval(documents.COUNT_PENDING))
        return done

    async def _scan(self, row: asyncpg.Record) -> None:
        try:
            content = await self._vault.get(row["object_key"], row["data_key_sealed"], row["sha256"], str(row["id"]))
        except (FileMissing, FileDamaged) as why:
            # nobody will ever read it: asked for again, like any file that cannot be used
            log.error("a file cannot be scanned: %s", type(why).__name__, extra={"id": str(row["id"])})
            await self._refuse(row, "file.lost")
            return
        verdict = await self._scanner.scan(content)
        if verdict is Verdict.infected:
            INFECTED.inc()
            log.error("a file is infected", extra={"id": str(row["id"])})
            await self._refuse(row, "file.infected")
            return
        async with system(self._pool) as connection:
            await connection.fetchval(documents.SCANNED, row["id"], verdict.value)

    async def _refuse(self, row: asyncpg.Record, event: str) -> None:
        """Row and file are deleted; after the form, the employee is asked again for that piece: the sweep tells it."""
        affiliation_id = row["affiliation_id"]
        async with system(self._pool) as connection:
            enrolment = await connection.fetchrow(documents.LOCK_ENROLMENT, affiliation_id)
            gone = await connection.fetchrow(documents.DELETE_PENDING, row["id"])
            if gone is None:  # removed meanwhile
                return
            if enrolment is not None and enrolment["submitted_at"] is not None:
                await self._ask_again(connection, affiliation_id, gone["piece"], enrolment)
            details = {"document": str(row["id"]), "piece": gone["piece"]}
            await connection.execute(audit.ADD, row["company_id"], affiliation_id, "system", None, event, details)
        await self._vault.delete(gone["object_key"])

    async def _ask_again(
        self, connection: Connection, affiliation_id: object, piece: str, enrolment: asyncpg.Record
    ) -> None:
        files = await connection.fetch(documents.OF_AFFILIATION, affiliation_id)
        if any(file["piece"] == piece and file["verdict"] != "refused" for file in files):
            missing = enrolment["missing"]  # other files of the same piece are here
        else:
            missing = [*(other for other in enrolment["missing"] if other != piece), piece]
        checking = any(file["verdict"] is None for file in files)
        await connection.fetchval(documents.SET_PIECES, affiliation_id, missing, checking)
