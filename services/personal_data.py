"""What is kept of one person: handed over as data, as a readable PDF, with their files; and erased (R-02, R-03)."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import EMPLOYEE_ACTOR, Actor
from activities.erasure import Eraser, Held, NobodyThere
from db import audit, personal_data
from db.erasure import Asked
from db.pool import Connection, Pool, system
from gateways.encryption import FieldCipher
from gateways.files.storage import FileDamaged, FileMissing, FileVault, StorageUnavailable
from messages.personal_data import render_personal_data
from services import drafts
from services.callers import Caller, EmployeeCaller, Scope
from services.enrolments import need_proof, need_session
from services.fields import Form
from services.personal_data_sheet import sheet
from services.personal_data_views import (
    AccessData,
    AffiliationData,
    AnswersData,
    ContactData,
    CoverageData,
    DependantData,
    DocumentData,
    EventData,
    MessageData,
    PayrollData,
    PersonalData,
    SessionData,
    SignatureData,
    WaiverData,
)
from services.problems import ErasureHeld, NotFound, StorageAway

_LINK_SECRET = re.compile(r"/e/[\w-]{43}")
READABLE = ("clean", "not_scanned")  # security.md U-03: nothing else is given out, to anyone


class ErasureReason(StrEnum):
    """Why a person is erased on request (RGPD art. 17)."""

    withdrawn_consent = "withdrawn_consent"
    no_longer_needed = "no_longer_needed"
    objection = "objection"
    unlawful = "unlawful"
    wrong_person = "wrong_person"


class ErasureRequest(Form):
    reason: ErasureReason


class ErasureResult(BaseModel):
    """`kept_until`: until then what proves a contract that ended is kept, and nothing else; null: all is gone.

    `finished`: files and workflow histories are deleted, too; when not, that is done within the minute.
    """

    erasure_id: UUID
    kept_until: date | None
    finished: bool


class _Format(StrEnum):
    json = "json"
    pdf = "pdf"
    zip = "zip"


@dataclass(frozen=True)
class _File:
    name: str
    row: asyncpg.Record


class PersonalDataService:
    def __init__(self, system_pool: Pool, cipher: FieldCipher, vault: FileVault, eraser: Eraser) -> None:
        self._system = system_pool
        self._cipher = cipher
        self._vault = vault
        self._eraser = eraser

    # --- for staff, who have checked whom they answer

    async def export(self, caller: Caller, employee_id: UUID) -> PersonalData:
        """Everything. Raises NotAllowed, StepUpNeeded, NotFound."""
        data, _ = await self._of_person(caller, employee_id, _Format.json)
        return data

    async def export_pdf(self, caller: Caller, employee_id: UUID) -> bytes:
        """The same to be read. Raises as `export`."""
        data, _ = await self._of_person(caller, employee_id, _Format.pdf)
        return await _pdf(data)

    async def export_zip(self, caller: Caller, employee_id: UUID) -> bytes:
        """Both, with the files themselves. Raises as `export`, and StorageAway."""
        return await self._archive(*await self._of_person(caller, employee_id, _Format.zip))

    # --- for the employee: the affiliation that their session is about

    async def export_own(self, caller: EmployeeCaller) -> PersonalData:
        """Raises NotAuthenticated, BirthDateNeeded."""
        data, _ = await self._own(caller, _Format.json)
        return data

    async def export_own_pdf(self, caller: EmployeeCaller) -> bytes:
        """Raises as `export_own`."""
        data, _ = await self._own(caller, _Format.pdf)
        return await _pdf(data)

    async def export_own_zip(self, caller: EmployeeCaller) -> bytes:
        """Raises as `export_own`, and StorageAway."""
        return await self._archive(*await self._own(caller, _Format.zip))

    # --- erasure

    async def erase(self, caller: Caller, employee_id: UUID, request: ErasureRequest) -> ErasureResult:
        """Erase a person. Once it has begun it ends, whatever crashes: the sweep takes up what is left.

        Raises NotAllowed, StepUpNeeded, NotFound, ErasureHeld.
        """
        caller.need(Scope.staff_super)
        caller.need_step_up_of_person()
        try:
            erased = await self._eraser.erase_person(
                employee_id, Asked(request.reason.value, caller.id), datetime.now(UTC)
            )
        except NobodyThere:
            raise NotFound() from None
        except Held as held:
            raise ErasureHeld(held.why.value, held.until) from None
        return ErasureResult(erasure_id=erased.erasure_id, kept_until=erased.kept_until, finished=erased.finished)

    # --- collecting

    async def _of_person(self, caller: Caller, employee_id: UUID, form: _Format) -> tuple[PersonalData, list[_File]]:
        caller.need(Scope.staff_export)
        caller.need_step_up_of_person()
        async with system(self._system) as connection:
            data, files = await self._collect(connection, employee_id, None)
            for affiliation in data.affiliations:
                await _log(connection, affiliation.id, caller.actor, form)
        return data, files

    async def _own(self, caller: EmployeeCaller, form: _Format) -> tuple[PersonalData, list[_File]]:
        need_session(caller)
        need_proof(caller)
        async with system(self._system) as connection:
            employee_id = await connection.fetchval(personal_data.PERSON_OF_AFFILIATION, caller.affiliation_id)
            data, files = await self._collect(connection, employee_id, caller.affiliation_id)
            await _log(connection, caller.affiliation_id, EMPLOYEE_ACTOR, form)
        return data, files

    async def _collect(
        self, connection: Connection, employee_id: UUID, only: UUID | None
    ) -> tuple[PersonalData, list[_File]]:
        person = await connection.fetchrow(personal_data.PERSON, employee_id)
        if person is None:
            raise NotFound()
        rows = await connection.fetch(personal_data.AFFILIATIONS, employee_id, only)
        ids = [row["id"] for row in rows]
        of = {
            name: await _by_affiliation(connection, statement, ids)
            for name, statement in {
                "contacts": personal_data.CONTACTS,
                "enrolments": personal_data.ENROLMENTS,
                "signatures": personal_data.SIGNATURES,
                "coverages": personal_data.COVERAGES,
                "dependants": personal_data.DEPENDANTS,
                "waivers": personal_data.WAIVERS,
                "documents": personal_data.DOCUMENTS,
                "messages": personal_data.MESSAGES,
                "events": personal_data.EVENTS,
                "audit": personal_data.AUDIT,
                "sessions": personal_data.SESSIONS,
            }.items()
        }
        files: list[_File] = []
        affiliations = [self._affiliation(row, {name: found[row["id"]] for name, found in of.items()}) for row in rows]
        for affiliation in affiliations:
            by_id = {row["id"]: row for row in of["documents"][affiliation.id]}
            files += [_File(document.file, by_id[document.id]) for document in affiliation.documents if document.file]
        return (
            PersonalData(
                exported_at=datetime.now(UTC),
                **_fields(PersonalData, person),
                nir=self._opened(person["nir_sealed"], "employee", "nir", employee_id),
                affiliations=affiliations,
                payroll=[self._payroll(row) for row in await connection.fetch(personal_data.PAYROLL, employee_id)],
            ),
            files,
        )

    def _affiliation(self, row: asyncpg.Record, of: dict[str, list[asyncpg.Record]]) -> AffiliationData:
        return AffiliationData(
            **_fields(AffiliationData, row),
            contacts=[ContactData(**_fields(ContactData, contact)) for contact in of["contacts"]],
            answers=self._answers(row["id"], _only(of["enrolments"])),
            signature=self._signature(row["id"], _only(of["signatures"])),
            coverage=self._coverage(_only(of["coverages"]), of["dependants"]),
            waiver=WaiverData(**_fields(WaiverData, waiver)) if (waiver := _only(of["waivers"])) else None,
            documents=[self._document(row["id"], n, document) for n, document in enumerate(of["documents"], 1)],
            messages=[_message(message) for message in of["messages"]],
            events=[EventData(**_fields(EventData, event)) for event in of["events"]],
            sessions=[SessionData(**_fields(SessionData, session)) for session in of["sessions"]],
            accesses=[AccessData(**_fields(AccessData, access)) for access in of["audit"]],
        )

    def _payroll(self, row: asyncpg.Record) -> PayrollData:
        text = self._opened(row["person_sealed"], "dsn_change", "person", row["id"])
        return PayrollData(**_fields(PayrollData, row), declared=None if text is None else json.loads(text))

    def _answers(self, affiliation_id: UUID, row: asyncpg.Record | None) -> AnswersData | None:
        if row is None:
            return None
        draft = drafts.opened(self._cipher, affiliation_id, row).draft
        return AnswersData(**_fields(AnswersData, row), answers=draft.values, conflicts=draft.conflicts)

    def _signature(self, affiliation_id: UUID, row: asyncpg.Record | None) -> SignatureData | None:
        if row is None:
            return None
        name = self._opened(row["name_sealed"], "signature", "name", affiliation_id)
        return SignatureData(**_fields(SignatureData, row), name=name)

    def _coverage(self, row: asyncpg.Record | None, dependants: list[asyncpg.Record]) -> CoverageData | None:
        if row is None:
            return None
        return CoverageData(
            **_fields(CoverageData, row),
            iban=self._opened(row["iban_sealed"], "coverage", "iban", row["id"]),
            dependants=[
                DependantData(
                    **_fields(DependantData, dependant),
                    nir=self._opened(dependant["nir_sealed"], "dependant", "nir", dependant["id"]),
                )
                for dependant in dependants
            ],
        )

    def _document(self, affiliation_id: UUID, number: int, row: asyncpg.Record) -> DocumentData:
        ending = "pdf" if row["media_type"] == "application/pdf" else "jpg"
        name = f"documents/{affiliation_id}/{number:02}-{row['piece'].replace(':', '-')}.{ending}"
        return DocumentData(
            **_fields(DocumentData, row),
            name=self._opened(row["name_sealed"], "document", "name", row["id"]) or "",
            text=self._opened(row["text_sealed"], "document", "text", row["id"]),
            file=name if row["scan"] in READABLE else None,
        )

    def _opened(self, sealed: bytes | None, table: str, field: str, row_id: UUID) -> str | None:
        return self._cipher.decrypt(sealed, table, field, str(row_id)) if sealed is not None else None

    # --- files

    async def _archive(self, data: PersonalData, files: list[_File]) -> bytes:
        """One file at a time is held in clear beside the archive. A file that is lost is left out, and listed."""
        written = io.BytesIO()
        lost: list[str] = []
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("donnees.json", data.model_dump_json(indent=2))
            archive.writestr("donnees.pdf", await _pdf(data))
            for file in files:
                content = await self._content(file.row)
                if content is None:
                    lost.append(file.name)
                else:
                    await asyncio.to_thread(archive.writestr, file.name, content, zipfile.ZIP_STORED)
            if lost:
                archive.writestr("fichiers-perdus.json", json.dumps(lost))
        return written.getvalue()

    async def _content(self, row: asyncpg.Record) -> bytes | None:
        try:
            return await self._vault.get(row["object_key"], row["data_key_sealed"], row["sha256"], str(row["id"]))
        except (FileMissing, FileDamaged):
            return None
        except StorageUnavailable:
            raise StorageAway() from None


async def _pdf(data: PersonalData) -> bytes:
    return await asyncio.to_thread(render_personal_data, sheet(data))


async def _log(connection: Connection, affiliation_id: UUID, actor: Actor, form: _Format) -> None:
    details = {"what": "person", "form": form.value}
    await audit.add(connection, "data.exported", actor, affiliation_id=affiliation_id, details=details)


async def _by_affiliation(
    connection: Connection, statement: str, ids: list[UUID]
) -> defaultdict[UUID, list[asyncpg.Record]]:
    found: defaultdict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in await connection.fetch(statement, ids):
        found[row["affiliation_id"]].append(row)
    return found


def _fields(model: type[BaseModel], row: asyncpg.Record) -> dict[str, object]:
    """What the row has of the model, under the same names."""
    names: Iterable[str] = row.keys()
    return {name: row[name] for name in names if name in model.model_fields}


def _message(row: asyncpg.Record) -> MessageData:
    """Without the secret of its link: whoever reads an export does not open the form with it."""
    text = _LINK_SECRET.sub("/e/…", row["text"]) if row["text"] else None
    return MessageData(**{**_fields(MessageData, row), "text": text})


def _only(rows: list[asyncpg.Record]) -> asyncpg.Record | None:
    return rows[0] if rows else None
