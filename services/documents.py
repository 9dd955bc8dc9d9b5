"""The documents of an enrolment, on the employee's side: taken in, made harmless, kept encrypted, advised on."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from pydantic import BaseModel

from activities.contracts.affiliation import EMPLOYEE_ACTOR, EventKind
from db import affiliations, audit, documents, enrolments
from db.pool import Connection, Pool, employee_side
from domain.affiliation import Refusal, Refused, Status
from domain.dependants import AttachedTo
from domain.document_advice import Expected, ExpectedDependant, advise
from domain.enrolment import keys_of
from domain.pieces import Piece
from gateways.encryption import FieldCipher
from gateways.files.antivirus import Scanner, ScannerUnavailable, Verdict
from gateways.files.findings import FileRefused, Inspected
from gateways.files.inspector import InspectorUnavailable, inspect_file
from gateways.files.names import stored_name
from gateways.files.storage import FileVault, StorageUnavailable
from services import drafts
from services.callers import EmployeeCaller
from services.enrolment_form import PieceText, pieces_needed
from services.enrolments import circumstances_of, need_proof, need_session
from services.fields import Form, today
from services.pieces import PiecesTeller
from services.problems import DocumentRefused, NotFound, StorageAway
from services.telling import refused

log = logging.getLogger(__name__)

INFECTED = Counter("hcr_documents_infected_total", "Files that the antivirus refused")

# security.md U-01, U-07
MOST_BYTES = 10 * 1024 * 1024
MOST_PER_PIECE = 3
MOST_FILES = 20
MOST_BYTES_IN_ALL = 50 * 1024 * 1024
MOST_AN_HOUR = 30


class Upload(Form):
    """A file of a document; the content comes beside it."""

    piece: PieceText


class AdviceView(BaseModel):
    """What was seen at once: `good`, or to be looked at again. Never a refusal."""

    code: str
    level: Literal["good", "look"]


class DocumentView(BaseModel):
    """One file. `scan`: pending until the antivirus has answered."""

    id: UUID
    piece: str
    name: str
    media_type: str
    size: int
    pages: int
    uploaded_at: datetime
    scan: str
    verdict: Literal["accepted", "refused"] | None
    reason: str | None
    advice: list[AdviceView]


class DocumentList(BaseModel):
    items: list[DocumentView]


class Intake:
    """What every received file goes through, whoever sends it: opened in a child process, rewritten, scanned, kept."""

    def __init__(self, cipher: FieldCipher, vault: FileVault, scanner: Scanner) -> None:
        self._cipher = cipher
        self._vault = vault
        self._scanner = scanner

    async def harmless(self, content: bytes, name: str) -> tuple[Inspected, str]:
        """The file as it will be kept, and what the antivirus says of what was sent: `pending` while it is away.

        Raises DocumentRefused.
        """
        if len(content) > MOST_BYTES:
            raise DocumentRefused("too_big")
        try:
            inspected = await inspect_file(content, name)
        except FileRefused as why:
            raise DocumentRefused(why.code.value) from None
        except InspectorUnavailable:
            raise StorageAway() from None
        try:
            verdict = await self._scanner.scan(content)
        except ScannerUnavailable as why:
            log.warning("a document waits for the antivirus: %s", type(why).__name__)
            return inspected, "pending"
        if verdict is Verdict.infected:
            INFECTED.inc()
            raise DocumentRefused("infected")
        return inspected, verdict.value

    async def keep(
        self,
        connection: Connection,
        affiliation_id: UUID,
        piece: str,
        name: str,
        inspected: Inspected,
        scan: str,
        by: str,
        accepted_by: str | None = None,
    ) -> UUID:
        """Store the file and its row. Raises StorageAway; what the row does not name is purged within a day."""
        document_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        row_id = str(document_id)
        try:
            stored = await self._vault.put(inspected.content, row_id)
        except StorageUnavailable as why:
            log.error("the document store does not answer: %s", type(why).__name__)
            raise StorageAway() from None
        shown_name = stored_name(name, inspected.media_type)
        text = self._cipher.encrypt(inspected.text, "document", "text", row_id) if inspected.text else None
        await connection.fetchval(
            documents.ADD,
            affiliation_id,
            document_id,
            piece,
            self._cipher.encrypt(shown_name, "document", "name", row_id),
            text,
            inspected.media_type,
            stored.size,
            inspected.pages,
            stored.sha256,
            stored.object_key,
            stored.data_key_sealed,
            [code.value for code in inspected.quality],
            scan,
            by,
            "accepted" if accepted_by else None,
            accepted_by,
        )
        return document_id

    async def forget(self, object_key: str) -> None:
        """Delete a file whose row is gone; when the store is away, the nightly reconciliation does it."""
        try:
            await self._vault.delete(object_key)
        except StorageUnavailable:
            log.warning("a file is left for the nightly reconciliation")


class DocumentService:
    def __init__(self, web: Pool, cipher: FieldCipher, intake: Intake, teller: PiecesTeller) -> None:
        self._web = web
        self._cipher = cipher
        self._intake = intake
        self._teller = teller

    async def list(self, caller: EmployeeCaller) -> DocumentList:
        """Raises NotAuthenticated, BirthDateNeeded."""
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
            if row is not None:
                need_proof(caller)
            return DocumentList(items=await views(connection, self._cipher, caller.affiliation_id, row))

    async def add(self, caller: EmployeeCaller, request: Upload, name: str, content: bytes) -> DocumentView:
        """Take one file in. Raises NotAuthenticated, BirthDateNeeded, DocumentRefused, StorageAway, RefusedByRules."""
        need_session(caller)
        piece = request.piece
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await self._check_wanted(connection, caller, piece)
        try:
            inspected, scan = await self._intake.harmless(content, name)
        except DocumentRefused as why:
            if why.reason == "infected":
                async with employee_side(self._web, caller.affiliation_id) as connection:
                    await self._log(connection, caller.affiliation_id, "file.infected", piece)
            raise
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await connection.fetchrow(affiliations.LOCK, caller.affiliation_id)
            row = await self._check_wanted(connection, caller, piece)  # two uploads at once: the quota holds
            document_id = await self._intake.keep(
                connection, caller.affiliation_id, piece, name, inspected, scan, caller.medium
            )
            submitted = row is not None and row["submitted_at"] is not None
            if submitted:
                left = [missing for missing in row["missing"] if missing != piece]  # type: ignore[index]
                await connection.fetchval(documents.SET_PIECES, caller.affiliation_id, left, True)
            await self._log(connection, caller.affiliation_id, "file.uploaded", piece)
            [view] = [
                view
                for view in await views(connection, self._cipher, caller.affiliation_id, row)
                if view.id == document_id
            ]
        if submitted:
            await self._teller.tell(caller.affiliation_id, EMPLOYEE_ACTOR, EventKind.pieces_received)
        return view

    async def remove(self, caller: EmployeeCaller, document_id: UUID) -> None:
        """Before the form is sent. Raises NotAuthenticated, BirthDateNeeded, NotFound, RefusedByRules."""
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await connection.fetchrow(affiliations.LOCK, caller.affiliation_id)
            row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
            if row is not None:
                need_proof(caller)
            if row is not None and row["submitted_at"] is not None:
                raise refused(Refusal(Refused.closed))
            object_key: str | None = await connection.fetchval(documents.REMOVE, document_id, caller.affiliation_id)
            if object_key is None:
                raise NotFound()
            await self._log(connection, caller.affiliation_id, "file.removed", str(document_id))
        await self._intake.forget(object_key)

    async def _check_wanted(self, connection: Connection, caller: EmployeeCaller, piece: str) -> asyncpg.Record | None:
        """Whether this document is asked for and there is room for it. Raises DocumentRefused, RefusedByRules."""
        row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
        if row is not None:
            need_proof(caller)
        person = await affiliations.person(connection, caller.affiliation_id)
        if person is None:
            raise NotFound()
        if person["status"] == Status.abandoned:
            raise refused(Refusal(Refused.closed))
        files = await connection.fetch(documents.OF_AFFILIATION, caller.affiliation_id)
        if row is not None and row["submitted_at"] is not None:
            # what was asked for, and more pages of what came in answer
            unjudged = {file["piece"] for file in files if file["verdict"] is None}
            wanted = {*row["missing"], *(unjudged if row["checking"] else ())}
        else:
            opened = drafts.opened(self._cipher, caller.affiliation_id, row)
            needed = pieces_needed(opened.form, opened.draft.values, circumstances_of(person))
            wanted = {str(need) for need in needed}
        if piece not in wanted:
            raise DocumentRefused("not_wanted")
        if sum(file["piece"] == piece and file["verdict"] is None for file in files) >= MOST_PER_PIECE:
            raise DocumentRefused("too_many_of_a_kind")
        quota = await connection.fetchrow(documents.QUOTA, caller.affiliation_id)
        assert quota is not None, "an aggregate"
        if quota["files"] >= MOST_FILES or quota["bytes"] >= MOST_BYTES_IN_ALL:
            raise DocumentRefused("too_many")
        if quota["last_hour"] >= MOST_AN_HOUR:
            raise DocumentRefused("too_fast")
        return row

    async def _log(self, connection: Connection, affiliation_id: UUID, event: str, what: str) -> None:
        await connection.execute(audit.ADD_ON_AFFILIATION, affiliation_id, "employee", None, event, {"document": what})


async def views(
    connection: Connection, cipher: FieldCipher, affiliation_id: UUID, row: asyncpg.Record | None
) -> list[DocumentView]:
    """The files of an affiliation with what can be advised on them, by the answers as they are now."""
    expected = _expected(drafts.opened(cipher, affiliation_id, row).draft.values)
    files = await connection.fetch(documents.OF_AFFILIATION, affiliation_id)
    return [_view(cipher, file, expected) for file in files]


def _view(cipher: FieldCipher, file: asyncpg.Record, expected: Expected) -> DocumentView:
    row_id = str(file["id"])
    text = cipher.decrypt(file["text_sealed"], "document", "text", row_id) if file["text_sealed"] else ""
    advice = advise(Piece.parse(file["piece"]), text, tuple(file["quality"]), expected)
    return DocumentView(
        id=file["id"],
        piece=file["piece"],
        name=cipher.decrypt(file["name_sealed"], "document", "name", row_id),
        media_type=file["media_type"],
        size=file["size"],
        pages=file["pages"],
        uploaded_at=file["uploaded_at"],
        scan=file["scan"],
        verdict=file["verdict"],
        reason=file["verdict_reason"],
        advice=[AdviceView(code=one.code.value, level=one.level) for one in advice],
    )


def _expected(values: dict[str, str]) -> Expected:
    people = {}
    for key in keys_of(values, "dependants"):
        prefix = f"dependants.{key}."
        attached = values.get(prefix + "attached_to", "")
        people[key] = ExpectedDependant(
            last_name=values.get(prefix + "last_name"),
            first_names=values.get(prefix + "first_names"),
            nir=values.get(prefix + "nir"),
            attached_to=AttachedTo(attached) if attached in set(AttachedTo) else None,
        )
    return Expected(
        today=today(),
        iban=values.get("iban"),
        account_holder=values.get("account_holder"),
        nir=values.get("nir"),
        last_name=values.get("last_name"),
        birth_name=values.get("birth_name"),
        first_names=values.get("first_names"),
        dependants=people,
    )
