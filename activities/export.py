"""The activities of an export: its file is written into the vault, told of, and deleted a day later.

An attempt that was cut off leaves nothing that counts: the row names the file of the one that came to its end; what
another had stored has no row and no key, and the nightly reconciliation deletes it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contracts.affiliation import Actor, ActorKind
from activities.contracts.exports import EXPIRE_EXPORT, FAIL_EXPORT, WRITE_EXPORT, ExportState, ExportWritten
from db import audit, exports, notices
from db.pool import Connection, Pool, system
from gateways.encryption import FieldCipher
from gateways.files.storage import FileVault, StorageUnavailable, Stored
from gateways.files.streams import TooLong, beside
from messages.notices import NoticeKind
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

TABLE = "export_job"  # what its encrypted fields are bound to
AT_ONCE = 1  # files that one worker writes at the same time: each takes a processor
BEAT_SECONDS = 5.0
SHOWN_EVERY = 5_000  # rows: how often the row says how far it is
MOST_BYTES = 2**31 - 1  # of a file

ENDED = Counter("hcr_exports_total", "Exports by kind and what became of them", ["kind", "outcome"])

Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True)
class ExportOrder:
    """What is to be exported. `companies`: the perimeter; `parameters`: what its kind has asked to be kept."""

    user_id: UUID
    companies: tuple[UUID, ...]
    form: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ExportFile:
    """`content`: in parts where it is too large for memory. `by_company`: how many rows of each there are. `details`:
    what else the audit log says of it, complete once the content is stored."""

    content: bytes | AsyncIterable[bytes]
    rows: int
    by_company: Mapping[UUID, int]
    details: Mapping[str, Any] = field(default_factory=dict)


class ExportKind(Protocol):
    """Something that can be exported. `event`: of the audit log, where each company's rows are counted."""

    @property
    def event(self) -> str: ...

    async def write(self, order: ExportOrder, progress: Progress) -> ExportFile:
        """The whole file. `progress` is told the rows done and the rows in all, at least every few seconds; what it
        raises ends the attempt."""

    def filtered_by(self, parameters: Mapping[str, Any]) -> list[str]:
        """The names of what narrows it, for the audit log: never what was typed."""


class ExportDesk:
    def __init__(
        self, pool: Pool, cipher: FieldCipher, vault: FileVault, engine: Notices, kinds: Mapping[str, ExportKind]
    ) -> None:
        self._pool = pool
        self._cipher = cipher
        self._vault = vault
        self._engine = engine
        self._kinds = kinds
        self._room = asyncio.Semaphore(AT_ONCE)

    @activity.defn(name=WRITE_EXPORT)
    async def write(self, job_id: str) -> ExportWritten:
        """Write and store the file, and tell whoever asked. Cut off anywhere, the next attempt begins anew, or finds
        that all is done. Raises ApplicationError (`StorageUnavailable`), to be tried again."""
        await self._turn()
        try:
            return await self._write(UUID(job_id))
        finally:
            self._room.release()

    @activity.defn(name=FAIL_EXPORT)
    async def fail(self, job_id: str) -> ExportWritten:
        """Nothing more is tried: whoever asked is told."""
        return await self._end(UUID(job_id), ExportState.failed)

    @activity.defn(name=EXPIRE_EXPORT)
    async def expire(self, job_id: str) -> ExportWritten:
        """The file's day is over."""
        await self.delete_file(UUID(job_id))
        return ExportWritten(ExportState.done)

    async def delete_file(self, job_id: UUID) -> None:
        """Where its day is over. Raises ApplicationError: the store does not answer; nobody gets the file any more."""
        async with system(self._pool) as connection:
            object_key = await connection.fetchval(exports.EXPIRE, job_id)
        if object_key is not None:
            try:
                await self._vault.delete(object_key)
            except StorageUnavailable:  # it has no row any more: the nightly reconciliation deletes it
                log.warning("the file of an export was left to the night", extra={"id": str(job_id)})

    async def _turn(self) -> None:
        """Wait for it: first come, first served, and nobody has more than a few."""
        while True:
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._room.acquire()
                return
            except TimeoutError:
                _beat(0, 0)

    async def _write(self, job_id: UUID) -> ExportWritten:
        async with system(self._pool) as connection:
            job = await connection.fetchrow(exports.CLAIM, job_id)
        if job is None:  # the account is gone, and the job with it
            return ExportWritten(ExportState.cancelled)
        if job["state"] != ExportState.running:  # a former attempt did it all and was cut off before it could say so
            return ExportWritten(ExportState(job["state"]), job["rows_done"], job["expires_at"])
        if not job["allowed"]:
            return await self._end(job_id, ExportState.cancelled)
        kind, parameters = self._kinds[job["kind"]], self._parameters(job)
        order = ExportOrder(job["user_id"], tuple(job["company_ids"]), job["form"], parameters)
        try:
            file = await kind.write(order, self._progress(job))
            _beat(file.rows, file.rows)
            stored = await self._stored(file.content, job_id)
        except _TakenOver:
            return await self._taken_over(job_id)
        except TooLong:
            log.error("an export is larger than a file may be", extra={"id": str(job_id)})
            return await self._end(job_id, ExportState.failed)
        except StorageUnavailable as why:
            raise ApplicationError(str(why), type="StorageUnavailable") from None
        async with system(self._pool) as connection:
            expires_at = await connection.fetchval(
                exports.FINISH,
                job_id,
                job["attempts"],
                file.rows,
                stored.object_key,
                stored.data_key_sealed,
                stored.sha256,
                stored.size,
            )
            if expires_at is not None:
                actor = Actor(ActorKind.employer, str(job["user_id"]))
                await tell_exported(connection, actor, kind, order, file, stored.sha256, job_id)
                notice_id = await _notify(connection, job, NoticeKind.export_ready, expires_at)
        if expires_at is None:
            return await self._taken_over(job_id)
        ENDED.labels(job["kind"], ExportState.done.value).inc()
        await self._start(notice_id)
        return ExportWritten(ExportState.done, file.rows, expires_at)

    async def _stored(self, content: bytes | AsyncIterable[bytes], job_id: UUID) -> Stored:
        if isinstance(content, bytes):
            return await self._vault.put(content, str(job_id), TABLE)
        return await beside(self._vault, TABLE).put(content, str(job_id), MOST_BYTES)

    def _parameters(self, job: asyncpg.Record) -> dict[str, Any]:
        return opened(self._cipher, job["id"], job["parameters_sealed"])

    def _progress(self, job: asyncpg.Record) -> Progress:
        shown = -SHOWN_EVERY

        async def tell(done: int, total: int) -> None:
            nonlocal shown
            _beat(done, total)
            if done - shown >= SHOWN_EVERY:
                shown = done
                async with system(self._pool) as connection:
                    if not await connection.fetchval(exports.PROGRESS, job["id"], job["attempts"], done, total):
                        raise _TakenOver()

        return tell

    async def _taken_over(self, job_id: UUID) -> ExportWritten:
        """Another attempt goes on, or the user may not have it any more."""
        async with system(self._pool) as connection:
            allowed = await connection.fetchval(exports.STILL_ALLOWED, job_id)
        if allowed:
            raise ApplicationError("another attempt has taken over", type="TakenOver")
        return await self._end(job_id, ExportState.cancelled)

    async def _end(self, job_id: UUID, state: ExportState) -> ExportWritten:
        notice_id = None
        async with system(self._pool) as connection:
            job = await connection.fetchrow(exports.END, job_id, state.value)
            if job is not None and state is ExportState.failed:
                notice_id = await _notify(connection, job, NoticeKind.export_failed)
        if job is not None:
            ENDED.labels(job["kind"], state.value).inc()
        if notice_id is not None:
            await self._start(notice_id)
        return ExportWritten(state)

    async def _start(self, notice_id: UUID | None) -> None:
        """Temporal away: the sweep starts it."""
        if notice_id is None:
            return
        try:
            await self._engine.start(notice_id, None)
        except EngineAway:
            log.info("a notice waits for the sweep")


class _TakenOver(Exception):
    """This attempt is not the last one any more, or the user may not have the file any more."""


def sealed(cipher: FieldCipher, job_id: UUID, parameters: Mapping[str, Any]) -> bytes:
    """What was asked for, as the row keeps it."""
    return cipher.encrypt(json.dumps(parameters), TABLE, "parameters", str(job_id))


def opened(cipher: FieldCipher, job_id: UUID, parameters_sealed: bytes) -> dict[str, Any]:
    """The same back. Raises CannotDecrypt."""
    parameters: dict[str, Any] = json.loads(cipher.decrypt(parameters_sealed, TABLE, "parameters", str(job_id)))
    return parameters


async def tell_exported(
    connection: Connection,
    actor: audit.Actor,
    kind: ExportKind,
    order: ExportOrder,
    file: ExportFile,
    sha256: bytes,
    job_id: UUID | None = None,
) -> None:
    """In the audit log, for each company whose rows the file holds (security.md X-06)."""
    for company_id, rows in file.by_company.items() or [(order.companies[0] if len(order.companies) == 1 else None, 0)]:
        await audit.add(
            connection,
            kind.event,
            actor,
            company_id=company_id,
            object_type="export",
            object_id=job_id,
            details={
                "form": order.form,
                "rows": rows,
                "of": file.rows,
                "filter": kind.filtered_by(order.parameters),
                "sha256": sha256.hex(),
                **file.details,
            },
        )


async def _notify(
    connection: Connection, job: asyncpg.Record, kind: NoticeKind, not_after: datetime | None = None
) -> UUID | None:
    """Once, whichever attempt writes it."""
    key = f"{kind}/{job['id']}"
    notice_id: UUID | None = await connection.fetchval(
        notices.ADD, key, kind.value, "email", job["user_id"], None, None, None, {}, None, not_after
    )
    return notice_id


def _beat(done: int, total: int) -> None:
    if activity.in_activity():
        activity.heartbeat(done, total)
