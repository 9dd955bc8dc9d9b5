"""DSN files looked through whole, then recorded declaration by declaration, in batches that can be repeated."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import BinaryIO, TypeVar
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity

from activities.contracts.dsn import (
    FINISH_DSN,
    RECORD_DSN,
    SURVEY_DSN,
    DsnBatch,
    DsnFinished,
    DsnRecorded,
    DsnStep,
    DsnSurveyed,
)
from activities.dsn_proposals import NOT_FOLLOWED
from activities.dsn_reading import Read, Reader, fault_json, spans_of, survey_of
from activities.dsn_recording import Recording
from db import dsn
from db.pool import Pool, system
from domain.dsn.faults import Faulty
from domain.dsn.reading import survey
from gateways.encryption import FieldCipher
from gateways.files.streams import StreamVault

log = logging.getLogger(__name__)

BATCH_SECONDS = 60.0  # of one activity; a declaration that was begun is read to its end
BEAT_SECONDS = 5.0

LINES = Counter("hcr_dsn_lines_total", "Lines of DSN files that were recorded")
DECLARATIONS = Counter("hcr_dsn_declarations_total", "DSN declarations that were recorded")

# What is wrong with a declaration's own content; anything else is tried again.
_OF_ITS_CONTENT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    ArithmeticError,
)
_Result = TypeVar("_Result")


class DsnImporter:
    """`references`: of contracts that are ours beside the one that each company's register has."""

    def __init__(
        self,
        pool: Pool,
        files: StreamVault,
        cipher: FieldCipher,
        references: Sequence[str] = (),
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        self._pool = pool
        self._files = files
        self._cipher = cipher
        self._references = tuple(references)
        self._batch_seconds = batch_seconds

    @activity.defn(name=SURVEY_DSN)
    async def survey(self, step: DsnStep) -> DsnSurveyed:
        """Refuse the file whole, with its faults, or open it for reading. Raises FileMissing, FileDamaged,
        StorageUnavailable."""
        row = await self._row(UUID(step.import_id))
        if row["state"] == "received":
            source = await self._open(row)
            try:
                surveyed = await _beating(asyncio.to_thread(survey, source), 0)
            except Faulty as why:
                faults = [fault_json(fault) for fault in why.faults]
                async with system(self._pool) as connection:
                    await connection.execute(dsn.REFUSED, row["id"], faults)
            else:
                declarations = sum(one.declarations for one in surveyed.envois)
                async with system(self._pool) as connection:
                    await connection.execute(
                        dsn.SURVEYED,
                        row["id"],
                        surveyed.encoding,
                        surveyed.lines,
                        spans_of(surveyed),
                        declarations,
                    )
            row = await self._row(row["id"])
        return DsnSurveyed(row["state"] == "refused", row["declarations"] or 0)

    @activity.defn(name=RECORD_DSN)
    async def record(self, batch: DsnBatch) -> DsnRecorded:
        """As many declarations as a minute allows, beginning after `after`. Recorded again they change nothing: what
        was committed before a crash is counted and not done anew. Raises as `survey`."""
        import_id = UUID(batch.import_id)
        row = await self._row(import_id)
        last = max(batch.after, row["read_to"])
        done = last >= row["declarations"]
        if not done:
            last, done = await self._read_on(row, last)
        async with system(self._pool) as connection:
            counts = await connection.fetchrow(dsn.COUNT_RECORDED, import_id, batch.after, last)
        assert counts is not None, "an aggregate"
        return DsnRecorded(last, done, **counts)

    @activity.defn(name=FINISH_DSN)
    async def finish(self, step: DsnStep) -> DsnFinished:
        """Everything automatic was carried out."""
        async with system(self._pool) as connection:
            await connection.execute(dsn.FINISHED, UUID(step.import_id))
            await connection.execute(dsn.NOT_FOLLOWED, UUID(step.import_id), NOT_FOLLOWED)
        row = await self._row(UUID(step.import_id))
        return DsnFinished(row["state"])

    async def _read_on(self, row: asyncpg.Record, last: int) -> tuple[int, bool]:
        """The number of the last declaration that is recorded, and whether it is the file's."""
        async with system(self._pool) as connection:
            line = await connection.fetchval(dsn.LAST_LINE, row["id"], last) or 0
        source = await self._open(row)
        reader = Reader(source, survey_of(row["encoding"], row["lines"], row["spans"]), line + 1, last)
        try:
            return await self._read_to_the_end(reader, row, last)
        finally:
            reader.close()

    async def _read_to_the_end(self, reader: Reader, row: asyncpg.Record, last: int) -> tuple[int, bool]:
        """Of the file or of this activity's time."""
        recording = Recording(self._cipher, row["id"], self._references)
        until = time.monotonic() + self._batch_seconds
        while reads := await _beating(reader.batch(), last):
            await self._record(recording, reads)
            last = max((read.number for read in reads if read.complete), default=last)
            LINES.inc(sum(read.last_line - read.first_line + 1 for read in reads if read.complete))
            DECLARATIONS.inc(sum(read.complete for read in reads))
            _beat(last)
            if time.monotonic() >= until and reads[-1].complete:
                return last, last >= row["declarations"]
        return row["declarations"], True

    async def _record(self, recording: Recording, reads: Sequence[Read]) -> None:
        """In transactions as large as can be: what replaces another declaration is recorded by itself."""
        together: list[Read] = []
        for read in reads:
            if read.alone and together:
                await self._together(recording, together)
                together = []
            together.append(read)
            if read.alone:
                await self._together(recording, together)
                together = []
        if together:
            await self._together(recording, together)

    async def _together(self, recording: Recording, reads: Sequence[Read]) -> None:
        try:
            async with system(self._pool) as connection:
                await recording.record(connection, reads)
        except _OF_ITS_CONTENT as why:
            if len(reads) > 1:  # one of them: the others go on
                for read in reads:
                    await self._together(recording, [read])
                return
            log.error("a declaration cannot be kept: %s", type(why).__name__, extra={"line": reads[0].first_line})
            async with system(self._pool) as connection:
                await recording.set_aside_unusable(connection, reads[0])

    async def _row(self, import_id: UUID) -> asyncpg.Record:
        """Raises LookupError."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dsn.IMPORT, import_id)
        if row is None:
            raise LookupError("no such import")
        return row

    async def _open(self, row: asyncpg.Record) -> BinaryIO:
        return await asyncio.to_thread(
            self._files.open, row["object_key"], bytes(row["data_key_sealed"]), row["size"], str(row["id"])
        )


async def _beating(work: Awaitable[_Result], at: int) -> _Result:
    """The same, heard of while it lasts."""
    task = asyncio.ensure_future(work)
    while not (await asyncio.wait({task}, timeout=BEAT_SECONDS))[0]:
        _beat(at)
    return await task


def _beat(declaration: int) -> None:
    if activity.in_activity():
        activity.heartbeat(declaration)
