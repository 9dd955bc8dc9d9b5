"""Erases people: everything that is kept of them, their files, and what Temporal remembers.

The rows go first, in one transaction that also lists what is left to delete elsewhere. A crash after it leaves a line
of the list that the sweep finishes; deleting twice does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from db import erasure
from db.erasure import Asked
from db.pool import Pool, system
from domain.affiliation import Status
from domain.retention import due_on, rule
from domain.working_time import paris_date
from gateways.files.storage import FileVault, StorageUnavailable
from workflows.engine import EngineAway
from workflows.histories import Histories

log = logging.getLogger(__name__)

FINISH_SECONDS = 15.0  # for what is left outside the database; what takes longer is the sweep's

ERASED = Counter("hcr_erasures_total", "Erasures of affiliations and people", ["reason"])
UNFINISHED = Gauge("hcr_erasures_unfinished", "Erasures whose files or histories are not deleted yet")


class Hold(StrEnum):
    """Why a person cannot be erased now."""

    open_affiliation = "open_affiliation"
    running_coverage = "running_coverage"
    running_waiver = "running_waiver"


class Held(Exception):
    """Nothing was erased. `until`: the last day of it, where there is one."""

    def __init__(self, why: Hold, until: date | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.until = until


class NobodyThere(Exception):
    """There is nobody of this id; they may have been erased before."""


@dataclass(frozen=True)
class Erased:
    """`kept_until`: the prescription of a contract that ended; until then what proves it is kept. None: all is gone.

    `finished`: files and histories, too; when not, the sweep does it.
    """

    erasure_id: UUID
    kept_until: date | None
    finished: bool


class Eraser:
    def __init__(self, pool: Pool, vault: FileVault, histories: Histories) -> None:
        self._pool = pool
        self._vault = vault
        self._histories = histories

    async def erase_person(self, employee_id: UUID, asked: Asked, now: datetime) -> Erased:
        """Raises Held, NobodyThere."""
        async with system(self._pool) as connection:
            if await erasure.lock_person(connection, employee_id) is None:
                raise NobodyThere()
            rows = await connection.fetch(erasure.AFFILIATIONS_OF_PERSON, employee_id)
            gone, kept = _apart(rows, paris_date(now))
            until = max(kept.values(), default=None)
            erased = await erasure.erase(connection, employee_id, gone, asked, list(kept), until)
        assert erased is not None, "locked"
        ERASED.labels(asked.reason).inc()
        finished = await self.finish(erased.erasure_id, erased.affiliation_ids, erased.object_keys)
        return Erased(erased.erasure_id, until, finished)

    async def erase_affiliations(self, employee_id: UUID, affiliation_ids: Sequence[UUID], asked: Asked) -> bool:
        """These affiliations whose time is over, and the person with their last one. False: nobody is there."""
        async with system(self._pool) as connection:
            erased = await erasure.erase(connection, employee_id, affiliation_ids, asked)
        if erased is None:
            return False
        ERASED.labels(asked.reason).inc()
        await self.finish(erased.erasure_id, erased.affiliation_ids, erased.object_keys)
        return True

    async def again(self, employee_id: UUID, affiliation_ids: Sequence[UUID], asked: Asked, now: datetime) -> bool:
        """An erasure of the list, after a restore brought some of it back; whether there was something to erase.

        What had been erased goes whatever the restored rows say; of the rest as `erase_person` does.
        Raises Held.
        """
        async with system(self._pool) as connection:
            back = [row["id"] for row in await connection.fetch(erasure.EXISTING, affiliation_ids)]
            erased = await erasure.erase(connection, employee_id, back, asked) if back else None
        if erased is not None:
            await self.finish(erased.erasure_id, erased.affiliation_ids, erased.object_keys)
        if asked.by is None:  # retention: only what was listed
            return erased is not None
        try:
            await self.erase_person(employee_id, asked, now)
        except NobodyThere:
            return erased is not None
        return True

    # --- outside the database

    async def finish(self, erasure_id: UUID, affiliation_ids: Iterable[UUID], object_keys: Iterable[str]) -> bool:
        """Delete files and histories; whether nothing is left. What is left is the sweep's."""
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                for object_key in object_keys:
                    await self._vault.delete(object_key)
                for affiliation_id in affiliation_ids:
                    await self._histories.forget(str(affiliation_id))
        except (StorageUnavailable, EngineAway, TimeoutError) as why:
            log.warning("an erasure is finished later: %s", type(why).__name__, extra={"id": str(erasure_id)})
            return False
        async with system(self._pool) as connection:
            await connection.execute(erasure.FINISHED, erasure_id)
        return True

    async def finish_waiting(self, grace_seconds: float, limit: int) -> int:
        """What former attempts have left; for the sweep. How many were finished."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(erasure.UNFINISHED, grace_seconds, limit)
        done = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                for row in rows:
                    if not await self.finish(row["id"], row["affiliation_ids"], row["object_keys"]):
                        break
                    done += 1
        async with system(self._pool) as connection:
            UNFINISHED.set(await connection.fetchval(erasure.COUNT_UNFINISHED))
        return done

    async def delete_files(self, object_keys: Iterable[str]) -> None:
        """Files whose rows are gone; what cannot be deleted now is an orphan for the night's reconciliation."""
        for object_key in object_keys:
            try:
                await self._vault.delete(object_key)
            except StorageUnavailable as why:
                log.warning("files are left for the reconciliation: %s", type(why).__name__)
                return


def _apart(rows: Iterable[asyncpg.Record], today: date) -> tuple[list[UUID], dict[UUID, date]]:
    """What goes, and what proves a contract that ended, with the day until which it is kept. Raises Held."""
    gone: list[UUID] = []
    kept: dict[UUID, date] = {}
    for row in rows:
        if row["status"] in (Status.preparing, Status.sent, Status.started):
            raise Held(Hold.open_affiliation)
        if row["covered"]:
            ended, running, prescription = row["coverage_ends_on"], Hold.running_coverage, rule("coverages")
        elif row["waived"]:
            ended, running, prescription = row["waiver_ends_on"], Hold.running_waiver, rule("waivers")
        else:
            gone.append(row["id"])
            continue
        if ended is None or ended >= today:
            raise Held(running, ended)
        until = due_on(prescription, ended)
        if until > today:
            kept[row["id"]] = until
        else:
            gone.append(row["id"])
    return gone, kept
