"""The files beside a message of a request: counted, made harmless, stored; and given out again once they are clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from activities.contact_files import TABLE
from db import contact
from db.pool import Connection, Pool, system
from gateways.encryption import FieldCipher
from gateways.files.antivirus import Verdict
from gateways.files.names import safe_name, stored_name
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable, Stored
from messages.typography import french
from services.contact_views import (
    MOST_BYTES_IN_ALL,
    MOST_FILES,
    ContactFileContent,
    ContactFileView,
    FileState,
    UploadedFile,
)
from services.documents import Intake
from services.problems import DocumentRefused, FieldError, InvalidFields, NotFound, NotYetScanned, StorageAway

_STATES: Final = {
    "pending": FileState.pending,
    Verdict.clean.value: FileState.ready,
    Verdict.not_scanned.value: FileState.ready,
    Verdict.infected.value: FileState.infected,
    "unreadable": FileState.unreadable,
}
_EXAMPLE: Final = "justificatif.pdf"


@dataclass(frozen=True)
class TakenIn:
    """A file that lies in the store, and has no row yet: left so, the night deletes it."""

    id: UUID
    name: str
    media_type: str
    stored: Stored
    scan: str


class Infected(Exception):
    """One of the files is: nothing was kept. `problem`: what its sender is told."""

    def __init__(self, problem: InvalidFields) -> None:
        super().__init__("infected")
        self.problem = problem


class ContactFiles:
    def __init__(self, pool: Pool, cipher: FieldCipher, vault: FileVault, intake: Intake) -> None:
        self._pool = pool
        self._cipher = cipher
        self._vault = vault
        self._intake = intake

    async def take_in(self, files: Sequence[UploadedFile]) -> list[TakenIn]:
        """All of them, or none. Raises InvalidFields (`files` or `files.<n>`), Infected, StorageAway."""
        _check(files)
        if not files:
            return []
        async with system(self._pool) as connection:
            ids = [row["id"] for row in await connection.fetch(contact.NEW_IDS, len(files))]
        taken = []
        for number, (file_id, file) in enumerate(zip(ids, files, strict=True)):
            try:
                inspected, scan = await self._intake.harmless(file.content, file.name)
            except DocumentRefused as why:
                refused = InvalidFields([_refused(number, file, why)])
                raise (Infected(refused) if why.reason == Verdict.infected.value else refused) from None
            try:
                stored = await self._vault.put(inspected.content, str(file_id), TABLE)
            except StorageUnavailable:
                raise StorageAway() from None
            taken.append(
                TakenIn(file_id, stored_name(file.name, inspected.media_type), inspected.media_type, stored, scan)
            )
        return taken

    async def add(
        self, connection: Connection, taken: Sequence[TakenIn], request_id: UUID, company_id: UUID, message: int
    ) -> None:
        """Their rows, in the transaction of the message."""
        for file in taken:
            await connection.execute(
                contact.ADD_FILE,
                file.id,
                request_id,
                company_id,
                message,
                self._cipher.encrypt(file.name, TABLE, "name", str(file.id)),
                file.media_type,
                file.stored.size,
                file.stored.sha256,
                file.stored.object_key,
                file.stored.data_key_sealed,
                file.scan,
            )

    async def content(self, row: asyncpg.Record) -> ContactFileContent:
        """Of a row of `contact.FILE`. Raises NotFound (nobody gets it), NotYetScanned, StorageAway."""
        state = _STATES[row["scan"]]
        if state is FileState.pending:
            raise NotYetScanned()
        if state is not FileState.ready:
            raise NotFound()
        file_id = str(row["id"])
        try:
            content = await self._vault.get(row["object_key"], row["data_key_sealed"], row["sha256"], file_id, TABLE)
        except (FileMissing, FileDamaged):
            raise NotFound() from None
        except StorageUnavailable:
            raise StorageAway() from None
        name = self._cipher.decrypt(row["name_sealed"], TABLE, "name", file_id)
        return ContactFileContent(name=name, media_type=row["media_type"], content=content)

    def view(self, row: asyncpg.Record) -> ContactFileView:
        return ContactFileView(
            id=row["id"],
            name=self._cipher.decrypt(row["name_sealed"], TABLE, "name", str(row["id"])),
            media_type=row["media_type"],
            size=row["size"],
            state=_STATES[row["scan"]],
        )


def _check(files: Sequence[UploadedFile]) -> None:
    """Raises InvalidFields."""
    if len(files) > MOST_FILES:
        words = f"Joignez {MOST_FILES} fichiers au plus : vous en avez choisi {len(files)}."
        raise InvalidFields([_error("files", "too_many", words)])
    if sum(len(file.content) for file in files) > MOST_BYTES_IN_ALL:
        raise InvalidFields([_error("files", "too_big", "Vos fichiers font plus de 25 Mo en tout. Retirez-en un.")])


def _refused(number: int, file: UploadedFile, why: DocumentRefused) -> FieldError:
    return _error(f"files.{number}", why.reason, f"« {safe_name(file.name)} » : {why.detail}")


def _error(field: str, code: str, words: str) -> FieldError:
    return FieldError(field, code, french(f"{words} Exemple : {_EXAMPLE}"), _EXAMPLE)
