"""Staff's check of an employee's documents: accept, or ask again for one named piece."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import EventKind
from db import audit, documents, enrolments
from db.pool import Connection, Pool, system
from domain.affiliation import Refusal, Refused
from gateways.encryption import FieldCipher
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable
from services import drafts
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.documents import DocumentView, Intake, Upload, views
from services.enrolment_form import shown
from services.enrolments import pieces_deadline
from services.fields import Form
from services.pieces import PiecesTeller
from services.problems import NotFound, NotYetScanned, StorageAway
from services.telling import refused

QUEUE_LIMIT = 200


class RefusalReason(StrEnum):
    """Why a document is asked for again; the employee reads it in their language (`document.reason.<code>`)."""

    missing = "missing"
    unreadable = "unreadable"
    wrong_document = "wrong_document"
    incomplete = "incomplete"
    out_of_date = "out_of_date"
    another_person = "another_person"
    not_signed = "not_signed"


class AskAgain(Form):
    reason: RefusalReason


class Accept(Form):
    """`how`: what the acceptance rests on where no file is accepted with it."""

    how: Literal["seen", "received_on_paper", "not_needed"] = "seen"


class ToCheck(BaseModel):
    """One enrolment whose documents wait."""

    affiliation_id: UUID
    establishment: str
    first_names: str
    last_name: str
    submitted_at: datetime
    channel: Literal["online", "paper"]
    missing: list[str]
    documents: int


class CheckQueue(BaseModel):
    """The oldest first."""

    items: list[ToCheck]


class Review(BaseModel):
    """One enrolment's documents beside its answers; a NIR and an IBAN are masked.
    `nir_in_conflict`: the company knows this number under another name.
    """

    affiliation_id: UUID
    answers: dict[str, str]
    nir_in_conflict: bool
    missing: list[str]
    pieces_deadline: date | None
    checking: bool
    items: list[DocumentView]


class DocumentCheckService:
    def __init__(
        self, system_pool: Pool, cipher: FieldCipher, vault: FileVault, intake: Intake, teller: PiecesTeller
    ) -> None:
        self._system = system_pool
        self._cipher = cipher
        self._vault = vault
        self._intake = intake
        self._teller = teller

    async def queue(self, caller: Caller) -> CheckQueue:
        """Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            rows = await connection.fetch(documents.TO_CHECK, QUEUE_LIMIT)
        return CheckQueue(items=[ToCheck(**dict(row)) for row in rows])

    async def review(self, caller: Caller, affiliation_id: UUID) -> Review:
        """Raises NotAllowed, NotFound, MassReading."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._system, caller)
        async with system(self._system) as connection:
            row = await connection.fetchrow(enrolments.GET, affiliation_id)
            if row is None or row["submitted_at"] is None:
                raise NotFound()
            await audit.viewed(connection, caller.actor, [affiliation_id], "documents")
            return await self._review(connection, affiliation_id, row)

    async def file(self, caller: Caller, document_id: UUID) -> tuple[str, str, bytes]:
        """(name, media type, content). Raises NotAllowed, NotFound, MassReading, NotYetScanned, StorageAway."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._system, caller)
        async with system(self._system) as connection:
            row = await connection.fetchrow(documents.GET, document_id)
            if row is None or row["scan"] == "infected":
                raise NotFound()
            if row["scan"] == "pending":
                raise NotYetScanned()
            await audit.add(
                connection,
                "file.downloaded",
                caller.actor,
                affiliation_id=row["affiliation_id"],
                object_type="document",
                object_id=document_id,
            )
        name = self._cipher.decrypt(row["name_sealed"], "document", "name", str(document_id))
        try:
            content = await self._vault.get(row["object_key"], row["data_key_sealed"], row["sha256"], str(document_id))
        except (FileMissing, FileDamaged):
            raise NotFound() from None
        except StorageUnavailable:
            raise StorageAway() from None
        return name, row["media_type"], content

    async def accept(self, caller: Caller, affiliation_id: UUID, piece: str, request: Accept) -> Review:
        """Accept what came of a piece, or settle one that is missing. Raises NotAllowed, NotFound, RefusedByRules."""
        caller.need(Scope.staff_write)
        async with system(self._system) as connection:
            row = await self._lock(connection, affiliation_id)
            judged = await connection.fetch(documents.JUDGE, affiliation_id, piece, "accepted", None, caller.id)
            if not judged and piece not in row["missing"]:
                raise NotFound()
            left = [missing for missing in row["missing"] if missing != piece]
            details = f"{piece} {request.how}"
            changed, done = await self._set(connection, affiliation_id, row, left)
            await self._log(connection, caller, affiliation_id, "file.accepted", details)
        if changed:
            event = EventKind.pieces_accepted if done else EventKind.pieces_received
            await self._teller.tell(affiliation_id, caller.actor, event)
        return await self._reviewed(affiliation_id)

    async def ask_again(self, caller: Caller, affiliation_id: UUID, piece: str, request: AskAgain) -> Review:
        """Ask for a piece, again or for the first time: the employee is written to. Raises as `accept`."""
        caller.need(Scope.staff_write)
        async with system(self._system) as connection:
            row = await self._lock(connection, affiliation_id)
            await connection.fetch(documents.JUDGE, affiliation_id, piece, "refused", request.reason.value, caller.id)
            missing = [*(other for other in row["missing"] if other != piece), piece]
            changed, _ = await self._set(connection, affiliation_id, row, missing)
            await self._log(connection, caller, affiliation_id, "file.refused", f"{piece} {request.reason}")
        if changed:
            await self._teller.tell(affiliation_id, caller.actor, EventKind.pieces_asked)
        return await self._reviewed(affiliation_id)

    async def add(self, caller: Caller, affiliation_id: UUID, request: Upload, name: str, content: bytes) -> Review:
        """A document that came by post, scanned by staff: accepted as it is taken in. Raises as `accept`, and
        DocumentRefused, StorageAway."""
        caller.need(Scope.staff_write)
        inspected, scan = await self._intake.harmless(content, name)
        async with system(self._system) as connection:
            row = await self._lock(connection, affiliation_id)
            await self._intake.keep(
                connection, affiliation_id, request.piece, name, inspected, scan, "staff", accepted_by=caller.id
            )
            left = [missing for missing in row["missing"] if missing != request.piece]
            changed, done = await self._set(connection, affiliation_id, row, left)
            await self._log(connection, caller, affiliation_id, "file.uploaded", request.piece)
        if changed:
            event = EventKind.pieces_accepted if done else EventKind.pieces_received
            await self._teller.tell(affiliation_id, caller.actor, event)
        return await self._reviewed(affiliation_id)

    # --- pieces

    async def _lock(self, connection: Connection, affiliation_id: UUID) -> asyncpg.Record:
        row = await connection.fetchrow(documents.LOCK_ENROLMENT, affiliation_id)
        if row is None:
            raise NotFound()
        if row["submitted_at"] is None:
            raise refused(Refusal(Refused.not_finalised))
        if not row["missing"] and not row["checking"]:
            raise refused(Refusal(Refused.closed))  # all is accepted: the workflow has ended
        return row

    async def _set(
        self, connection: Connection, affiliation_id: UUID, row: asyncpg.Record, missing: list[str]
    ) -> tuple[bool, bool]:
        """(whether the workflow must hear of it, whether nothing is awaited any more)."""
        files = await connection.fetch(documents.OF_AFFILIATION, affiliation_id)
        checking = any(file["verdict"] is None for file in files)
        changed = set(missing) != set(row["missing"]) or checking != row["checking"]
        if changed:
            await connection.fetchval(documents.SET_PIECES, affiliation_id, missing, checking)
        return changed, not missing and not checking

    async def _reviewed(self, affiliation_id: UUID) -> Review:
        async with system(self._system) as connection:
            row = await connection.fetchrow(enrolments.GET, affiliation_id)
            assert row is not None, "locked before"
            return await self._review(connection, affiliation_id, row)

    async def _review(self, connection: Connection, affiliation_id: UUID, row: asyncpg.Record) -> Review:
        opened = drafts.opened(self._cipher, affiliation_id, row)
        return Review(
            affiliation_id=affiliation_id,
            answers={path: shown(opened.form, path, value) for path, value in opened.draft.values.items()},
            nir_in_conflict=await connection.fetchval(documents.NIR_IN_CONFLICT, affiliation_id),
            missing=list(row["missing"]),
            pieces_deadline=await pieces_deadline(connection, affiliation_id) if row["missing"] else None,
            checking=row["checking"],
            items=await views(connection, self._cipher, affiliation_id, row),
        )

    async def _log(self, connection: Connection, caller: Caller, affiliation_id: UUID, event: str, what: str) -> None:
        await audit.add(connection, event, caller.actor, affiliation_id=affiliation_id, details={"document": what})
