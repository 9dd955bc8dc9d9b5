"""« Exporter »: a list as a file, at once where it is short, else as a job that whoever asked is told of.

A file is of the user who asked for it, and theirs only while they follow every company in it (security.md X-05). Whole
numbers of social security stand in it: a code of less than ten minutes is asked for before (A-27).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, BinaryIO, Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.exports import ExportState
from activities.export import TABLE, ExportKind, ExportOrder, opened, sealed, tell_exported
from db import audit, exports
from db.pool import Connection, single, system
from domain.working_time import paris_date
from gateways.encryption import CannotDecrypt
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable
from gateways.files.streams import FRAME_BYTES, beside
from services.callers import READ_ONLY, Caller, Scope, SignedIn
from services.evidence_pack import EVIDENCE
from services.export_kinds import export_kinds
from services.insured import InsuredFilters
from services.insured_sheet import INSURED, InsuredExport, filters_of, in_words, parameters_of
from services.limits import Limit
from services.problems import ExportsUnderWay, NotAllowed, NotFound, StorageAway
from services.sheets import SheetForm
from services.tools import Tools
from workflows.engine import EngineAway
from workflows.exports_client import Exports

log = logging.getLogger(__name__)

AT_ONCE: Final = 5_000  # rows: from so many on it is a job
UNDER_WAY: Final = 2  # jobs of one user
ARCHIVE: Final = "zip"  # the form of what is too large for memory: written and read in parts


class ExportStands(StrEnum):
    """`expired`: the file's day is over. `cancelled`: the right to it ended before it was ready."""

    asked = "asked"
    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"
    expired = "expired"


class ExportJob(BaseModel):
    """`rows_total`: null until they are counted. `narrowed_by`: the list's filter in words, while the file is there.
    `size`: in bytes."""

    id: UUID
    kind: str
    form: str
    state: ExportStands
    rows_done: int
    rows_total: int | None
    size: int | None
    narrowed_by: list[str]
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    downloaded_at: datetime | None


class ExportJobs(BaseModel):
    items: list[ExportJob]


@dataclass(frozen=True)
class Download:
    """A file, and how a browser is to call it. `content`: in parts where it is too large for memory."""

    name: str
    media_type: str
    content: bytes | AsyncIterator[bytes]
    size: int


class ExportService:
    def __init__(self, tools: Tools, vault: FileVault, engine: Exports) -> None:
        self._tools = tools
        self._vault = vault
        self._engine = engine
        self._insured = InsuredExport(tools.web, tools.cipher)
        self._kinds: Mapping[str, ExportKind] = export_kinds(tools.web, tools.cipher, tools.config.public_base_url)

    # --- asking

    async def insured(self, caller: Caller, filters: InsuredFilters, form: SheetForm) -> Download | ExportJob:
        """« Mes salariés affiliés », every line that the screen would show. Raises NotAllowed (an API key; staff who
        look in a company's place), StepUpNeeded, TooManyRequests, ExportsUnderWay."""
        person = _person(caller)
        caller.need_step_up()
        await self._tools.limiter.take(Limit.export_user, str(person.user_id))
        return await self._insured_now(caller, filters, form, caller.companies)

    async def ask_insured(self, caller: Caller, filters: InsuredFilters, form: SheetForm) -> UUID:
        """Keep what is asked for while a code is given, instead of what was kept before: the job that `carry_out` goes
        on with. Raises NotAllowed."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            await connection.execute(exports.DELETE_ASKED, person.user_id)
            return await self._add(
                connection, caller, INSURED, form, parameters_of(filters), ExportState.asked, caller.companies
            )

    async def carry_out(self, caller: Caller, job_id: UUID) -> Download | ExportJob:
        """What waited for a code. Raises NotAllowed, StepUpNeeded, NotFound, TooManyRequests, ExportsUnderWay."""
        person = _person(caller)
        caller.need_step_up()
        await self._tools.limiter.take(Limit.export_user, str(person.user_id))
        row = await self._row(caller, job_id)
        if row["state"] != ExportState.asked:
            raise NotFound()
        parameters = opened(self._tools.cipher, row["id"], row["parameters_sealed"])
        answer = await self._insured_now(
            caller, filters_of(parameters), SheetForm(row["form"]), tuple(row["company_ids"])
        )
        if isinstance(answer, ExportJob):
            async with single(self._tools.system) as connection:
                await connection.execute(exports.DELETE_ASKED, person.user_id)
        return answer

    async def start(
        self, caller: Caller, kind: str, companies: tuple[UUID, ...], form: str, parameters: Mapping[str, Any]
    ) -> ExportJob:
        """A job of any kind, for whoever has been found to be allowed it. Raises ExportsUnderWay."""
        person = caller.person()
        async with system(self._tools.system) as connection:
            await connection.execute(exports.LOCK_USER, person.user_id)
            if await connection.fetchval(exports.COUNT_UNFINISHED, person.user_id) >= UNDER_WAY:
                raise ExportsUnderWay()
            job_id = await self._add(connection, caller, kind, form, parameters, ExportState.waiting, companies)
            row = await connection.fetchrow(exports.OF_USER_ONE, person.user_id, job_id)
        assert row is not None, "just written"
        try:
            await self._engine.start(job_id)
        except EngineAway:
            log.info("an export waits for the sweep", extra={"id": str(job_id)})
        return self._view(row)

    # --- what became of it

    async def jobs(self, caller: Caller) -> ExportJobs:
        """The user's own, the newest first. Raises NotAllowed (an API key)."""
        person = caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(exports.OF_USER, person.user_id)
        return ExportJobs(items=[self._view(row) for row in rows])

    async def job(self, caller: Caller, job_id: UUID) -> ExportJob:
        """Raises NotAllowed (an API key), NotFound."""
        return self._view(await self._row(caller, job_id))

    async def file(self, caller: Caller, job_id: UUID) -> Download:
        """Raises NotAllowed, StepUpNeeded, NotFound (also: not ready, or its day is over), StorageAway."""
        _person(caller)
        caller.need_step_up()
        row = await self._row(caller, job_id)
        if row["state"] != ExportState.done or row["expired"]:
            raise NotFound()
        if row["kind"] in _OF_ADMINISTRATORS and not set(row["company_ids"]) <= set(caller.administers):
            raise NotFound()
        try:
            content = await self._content(row)
        except StorageUnavailable:
            raise StorageAway() from None
        except (FileMissing, FileDamaged):
            log.error("the file of an export cannot be read", extra={"id": str(job_id)})
            raise StorageAway() from None
        async with system(self._tools.system) as connection:
            await connection.execute(exports.DOWNLOADED, job_id)
            companies = row["company_ids"]
            await audit.add(
                connection,
                "data.export_downloaded",
                caller.actor,
                company_id=companies[0] if len(companies) == 1 else None,
                object_type="export",
                object_id=job_id,
            )
        return _download(row["kind"], row["form"], content, row["size"], paris_date(row["finished_at"]))

    # --- the parts of it

    async def _content(self, row: asyncpg.Record) -> bytes | AsyncIterator[bytes]:
        """Raises FileMissing, FileDamaged, StorageUnavailable: of a large file with its first part."""
        place = row["object_key"], row["data_key_sealed"]
        if row["form"] != ARCHIVE:
            return await self._vault.get(*place, row["sha256"], str(row["id"]), TABLE)
        file = beside(self._vault, TABLE).open(*place, row["size"], str(row["id"]))
        return _parts(await asyncio.to_thread(file.read, FRAME_BYTES), file)

    async def _insured_now(
        self, caller: Caller, filters: InsuredFilters, form: SheetForm, companies: tuple[UUID, ...]
    ) -> Download | ExportJob:
        parameters = parameters_of(filters)
        if await self._insured.count(companies, filters, AT_ONCE) >= AT_ONCE:
            return await self.start(caller, INSURED, companies, form, parameters)
        order = ExportOrder(caller.person().user_id, companies, form, parameters)
        file = await self._insured.write(order, _nobody)
        async with system(self._tools.system) as connection:
            assert isinstance(file.content, bytes), "a list is short enough"
            sha256 = hashlib.sha256(file.content).digest()
            await tell_exported(connection, caller.actor, self._insured, order, file, sha256)
        return _download(INSURED, form, file.content, len(file.content), paris_date(datetime.now(UTC)))

    async def _add(
        self,
        connection: Connection,
        caller: Caller,
        kind: str,
        form: str,
        parameters: Mapping[str, Any],
        state: ExportState,
        companies: tuple[UUID, ...],
    ) -> UUID:
        job_id: UUID = await connection.fetchval(exports.NEW_ID)
        await connection.execute(
            exports.ADD,
            job_id,
            caller.person().user_id,
            companies,
            kind,
            form,
            sealed(self._tools.cipher, job_id, parameters),
            state.value,
        )
        return job_id

    async def _row(self, caller: Caller, job_id: UUID) -> asyncpg.Record:
        person = caller.person()
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(exports.OF_USER_ONE, person.user_id, job_id)
        if row is None:
            raise NotFound()
        return row

    def _view(self, row: asyncpg.Record) -> ExportJob:
        return ExportJob(
            id=row["id"],
            kind=row["kind"],
            form=row["form"],
            state=ExportStands.expired if row["expired"] else ExportStands(row["state"]),
            rows_done=row["rows_done"],
            rows_total=row["rows_total"],
            size=row["size"],
            narrowed_by=self._narrowed_by(row),
            requested_at=row["requested_at"],
            finished_at=row["finished_at"],
            expires_at=row["expires_at"],
            downloaded_at=row["downloaded_at"],
        )

    def _narrowed_by(self, row: asyncpg.Record) -> list[str]:
        if row["kind"] != INSURED or row["parameters_sealed"] is None or row["expired"]:
            return []
        try:
            return in_words(filters_of(opened(self._tools.cipher, row["id"], row["parameters_sealed"])))
        except CannotDecrypt:
            return []


def _person(caller: Caller) -> SignedIn:
    """Who signed in as themselves, for their companies. Raises NotAllowed."""
    if caller.look_as is not None:
        raise NotAllowed(READ_ONLY)
    caller.need(Scope.read)
    return caller.person()


_NAMES: Final = {INSURED: "salaries-affilies", EVIDENCE: "dossier-de-preuves"}
_OF_ADMINISTRATORS: Final = (EVIDENCE,)  # of the companies in it, still when the file is taken


async def _parts(first: bytes, file: BinaryIO) -> AsyncIterator[bytes]:
    part = first
    while part:
        yield part
        part = await asyncio.to_thread(file.read, FRAME_BYTES)


def _download(kind: str, form: str, content: bytes | AsyncIterator[bytes], size: int, day: date) -> Download:
    """The name holds nothing of anybody: it ends up in histories of downloads."""
    return Download(f"{_NAMES.get(kind, kind)}-{day.isoformat()}.{form}", media_type(form), content, size)


def media_type(form: str) -> str:
    return "application/zip" if form == ARCHIVE else SheetForm(form).media_type


async def _nobody(done: int, total: int) -> None:
    """An answer that comes at once tells nobody how far it is."""
