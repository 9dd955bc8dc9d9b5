"""The pack of a company's proofs as one archive, written in parts: a summary, a folder per employee, a manifest.

Its order is always the same, and every file's SHA-256 stands in the manifest; the manifest's own stands in the audit
log and on the page, so that whoever is shown the pack can tell that nothing was changed since (docs/decisions.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import asyncpg

from activities.export import ExportFile, ExportOrder, Progress
from activities.writing import Writer, reference_of
from db import affiliations, dispatches, evidence
from db.pool import Connection, Pool, system, tenant_reading
from domain.evidence import LACKING, ProofState
from domain.media import Medium, MessageKind
from domain.working_time import PARIS, paris_date
from gateways.encryption import FieldCipher
from messages import house
from messages.certificates import CertificateContent, render_certificate
from messages.evidence import (
    CASES,
    GAPS,
    STATES,
    Sending,
    Signed,
    moment,
    render_declaration,
    render_sheet,
    render_summary,
    source_in_words,
)
from messages.typography import french
from messages.words import MEDIA, MESSAGE_STATES
from services.evidence_people import Held, Register, read_register, waived
from services.sent_messages import as_sent, letter_as_sent, unread
from services.sheets import Column, Cover, CsvSheet
from services.views import DispatchView, MessageState, dispatch_views

EVIDENCE: Final = "evidence"  # the kind
AT_ONCE: Final = 8  # people whose files are made at the same time, and held in memory
READING_SECONDS: Final = 60
MANIFEST: Final = "manifest.json"
# What invites and reminds. The others are about the person's documents, or came after their answer.
_NAMES: Final = {
    MessageKind.invitation: "invitation",
    MessageKind.reminder: "relance",
    MessageKind.draft_reminder: "relance-brouillon",
    MessageKind.employer_reminder: "relance-employeur",
    MessageKind.postal_fallback: "invitation-courrier",
}
_NEVER_LEFT: Final = (MessageState.prepared, MessageState.superseded)
_COLUMNS: Final = tuple(
    Column(title, 0)
    for title in (
        *("État", "Manque", "Nom", "Prénoms", "Référence", "Dossier", "Établissement", "Embauche"),
        *("Invitation", "Envoi", "Relances", "Affilié du", "Affilié au"),
        *("Dispensé du", "Dispensé au", "Cas de dispense", "Texte"),
    )
)
_READ_ME: Final = french("""Dossier de preuves – {company}, SIREN {siren}
Arrêté au {settled}

sommaire.pdf, sommaire.csv : tous les salariés, ce qui manque d’abord.
salaries/ : un dossier par salarié, nommé par sa référence et ses initiales.
manifest.json : l’empreinte SHA-256 de chaque fichier.

Vérifier que rien n’a changé : calculez l’empreinte de manifest.json (sous Windows : certutil -hashfile manifest.json
SHA256 ; sous macOS et Linux : shasum -a 256 manifest.json). Elle est égale à celle qu’affiche l’Espace Entreprise
Santé, page « Dossier de preuves », pour ce dossier. Le manifeste donne ensuite celle de chaque autre fichier.

Ce dossier contient des données personnelles : gardez-le dans un dossier protégé, ne l’envoyez pas par e-mail,
montrez-le aux seuls agents chargés du contrôle, et supprimez-le ensuite.

{house}
""")


@dataclass(frozen=True)
class File:
    path: str
    content: bytes


class EvidenceExport:
    """The kind of export, for administrators. `pool`: of the system role; all but signatures is read as hcr_web."""

    event = "data.evidence_exported"

    def __init__(self, pool: Pool, cipher: FieldCipher, writer: Writer) -> None:
        self._pool = pool
        self._cipher = cipher
        self._writer = writer

    def filtered_by(self, parameters: Mapping[str, Any]) -> list[str]:
        return ["establishment"] if parameters.get("establishment") else []

    async def write(self, order: ExportOrder, progress: Progress) -> ExportFile:
        """The archive of one company, its content made while it is taken."""
        (company_id,) = order.companies
        at = datetime.now(UTC).replace(microsecond=0)
        place = order.parameters.get("establishment")
        async with tenant_reading(self._pool, order.companies, READING_SECONDS) as connection:
            [company] = await connection.fetch(evidence.COMPANIES, [company_id])
            register = await read_register(connection, self._cipher, company, UUID(place) if place else None, at)
        states = Counter(one.person.state for one in register.held)
        details: dict[str, Any] = {
            "settled_at": at.isoformat(),
            "lacking": sum(states[state] for state in LACKING),
            **({"establishment": place} if place else {}),
        }
        files = self._files(register, progress)
        content = packed(files, _described(register, states), at, details)
        return ExportFile(content, len(register.held), {company_id: len(register.held)}, details)

    async def _files(self, register: Register, progress: Progress) -> AsyncIterator[File]:
        employer, total = register.employer, len(register.held)
        told = {"company": employer.company, "siren": employer.siren, "house": house.NAME}
        read_me = _READ_ME.format(**told, settled=moment(employer.settled_at))
        yield File("LISEZ-MOI.txt", read_me.encode())
        yield File("sommaire.pdf", await asyncio.to_thread(render_summary, employer, register.people))
        yield File("sommaire.csv", await asyncio.to_thread(_csv, register))
        done = 0
        for first in range(0, total, AT_ONCE):
            some = register.held[first : first + AT_ONCE]
            await progress(done, total)
            proofs = await self._read(register, some)
            for files in await asyncio.gather(*(asyncio.to_thread(self._of, register, one) for one in proofs)):
                for file in files:
                    yield file
            done += len(some)
        await progress(done, total)

    async def _read(self, register: Register, held: Sequence[Held]) -> list[_Proofs]:
        company_id: UUID = register.company["id"]
        of_all = [row["id"] for one in held for row in one.affiliations]
        async with tenant_reading(self._pool, [company_id], READING_SECONDS) as connection:
            sent = [(one, await _sent(connection, one)) for one in held if one.affiliations]
        async with system(self._pool) as connection:
            signed = await connection.fetch(evidence.WAIVER_SIGNATURES, of_all, company_id)
        signatures = {row["affiliation_id"]: self._signed(row) for row in signed}
        return [_Proofs(one, messages, signatures) for one, messages in sent]

    def _signed(self, row: asyncpg.Record) -> Signed | None:
        return Signed(
            name=self._cipher.decrypt(row["name_sealed"], "signature", "name", str(row["affiliation_id"])),
            at=row["signed_at"],
            version=row["text_version"],
            sha256=row["text_sha256"].hex(),
            by_hand=row["channel"] == "paper",
        )

    def _of(self, register: Register, proofs: _Proofs) -> list[File]:
        """The folder of one person. Takes a while: call it in a thread."""
        person = proofs.held.person
        files, sendings = self._messages(proofs)
        answers = []
        for row in reversed(proofs.held.affiliations):
            if row["formula"]:
                name = f"attestation-affiliation-{row['covered_from']:%Y-%m-%d}.pdf"
                answers.append(File(name, render_certificate(_certificate(register, row))))
            exemption = waived(row)
            if exemption is not None:
                name = f"declaration-dispense-{exemption.starts_on:%Y-%m-%d}.pdf"
                pdf = render_declaration(register.employer, person, exemption, proofs.signatures.get(row["id"]))
                answers.append(File(name, pdf))
        sheet = render_sheet(register.employer, person, sendings, [file.path for file in answers])
        folder = [File("fiche.pdf", sheet), *files, *answers]
        return [File(f"{person.folder}/{file.path}", file.content) for file in folder]

    def _messages(self, proofs: _Proofs) -> tuple[list[File], list[Sending]]:
        files: list[File] = []
        sendings = []
        for number, (contact, view) in enumerate(proofs.messages, 1):
            name, why = f"envois/{number:02}-{_NAMES[MessageKind(view.kind)]}", unread(contact, view)
            content = None if why is not None else self._content(contact, view)
            if content is not None:
                files.append(File(f"{name}.{'pdf' if view.medium is Medium.post else 'txt'}", content))
            at = view.handed_over_at or view.prepared_at
            shown = files[-1].path if content is not None else ""
            sendings.append(Sending(view.kind, view.medium, view.state, at, shown, why or "never_left"))
        return files, sendings

    def _content(self, contact: asyncpg.Record, view: DispatchView) -> bytes | None:
        """None: a letter that never fitted a window."""
        if view.medium is Medium.post:
            return letter_as_sent(self._writer, contact, view)
        message = as_sent(self._writer, contact, view)
        lines = (
            f"À : {message.to}",
            *([f"Objet : {message.subject}"] if message.subject else []),
            f"Envoi : {MEDIA[view.medium]}, {moment(view.handed_over_at or view.prepared_at)}",
            f"État : {MESSAGE_STATES[view.state]}",
        )
        return "\n".join([*map(french, lines), "", message.text, ""]).encode()


@dataclass(frozen=True)
class _Proofs:
    """`messages`: with the contact that each went to, the first one first. `signatures`: by affiliation."""

    held: Held
    messages: list[tuple[asyncpg.Record, DispatchView]]
    signatures: Mapping[UUID, Signed | None]


async def _sent(connection: Connection, held: Held) -> list[tuple[asyncpg.Record, DispatchView]]:
    """What left for somebody, with the first affiliation first."""
    found: list[tuple[asyncpg.Record, DispatchView]] = []
    for row in reversed(held.affiliations):
        contacts: dict[int, asyncpg.Record | None] = {}
        for sent in await connection.fetch(dispatches.OF_AFFILIATION, row["id"]):
            [view] = dispatch_views([sent])
            if view.kind not in _NAMES or view.state in _NEVER_LEFT:
                continue
            version = sent["contact_version"]
            if version not in contacts:
                contacts[version] = await affiliations.person(connection, row["id"], version, missing=())
            contact = contacts[version]
            if contact is not None:
                found.append((contact, view))
    return found


def _certificate(register: Register, row: asyncpg.Record) -> CertificateContent:
    place, employer = register.places[row["establishment_id"]], register.employer
    return CertificateContent(
        reference=reference_of(row["id"]),
        civility=row["civility"],
        first_names=row["first_names"],
        last_name=row["last_name"],
        company=employer.company,
        siren=employer.siren,
        establishment=place["name"],
        siret=place["siret"],
        city=place["city"],
        insurer=employer.insurer,
        insurer_reference=employer.insurer_reference,
        formula=row["formula"],
        starts_on=row["covered_from"],
        ends_on=row["covered_until"],
        issued_on=paris_date(employer.settled_at),
    )


def _csv(register: Register) -> bytes:
    sheet = CsvSheet(_COLUMNS)
    sheet.append(_row(one) for one in register.held)
    return sheet.finish(Cover("", (), ()))


def _row(one: Held) -> list[str | date | int | None]:
    person = one.person
    covered_from, covered_until = person.covered or (None, None)
    exempted = person.waived
    return [
        STATES[person.state],
        GAPS[person.gap] if person.gap else "",
        person.last_name,
        person.first_names,
        person.reference,
        person.folder,
        person.place,
        person.hired_on,
        paris_date(person.invited_at) if person.invited_at else None,
        MEDIA[person.invited_by] if person.invited_by else "",
        person.reminders,
        covered_from,
        covered_until,
        exempted.starts_on if exempted else None,
        exempted.ends_on if exempted else None,
        CASES[exempted.case] if exempted else "",
        source_in_words(exempted) if exempted else "",
    ]


def _described(register: Register, states: Mapping[ProofState, int]) -> dict[str, Any]:
    employer = register.employer
    return {
        "format": "hcr-evidence-1",
        "company": {"siren": employer.siren, "name": employer.company},
        "establishments": list(employer.places),
        "settled_at": employer.settled_at.isoformat(),
        "people": {state.value: states.get(state, 0) for state in ProofState},
    }


# --- the archive


class _Written(io.RawIOBase):
    """Where the archive is written: it is taken away in parts, and never gone back to."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._held += part
        return len(part)

    def take(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


async def packed(
    files: AsyncIterator[File], described: Mapping[str, Any], at: datetime, details: dict[str, Any]
) -> AsyncIterator[bytes]:
    """A ZIP archive of these files and their manifest, of which no more than one file is held. Its entries are all
    dated `at`. `details` learns the manifest's SHA-256."""
    written = _Written()
    listed: list[dict[str, Any]] = []
    with ZipFile(written, "w", allowZip64=True) as archive:
        async for file in files:
            listed.append(
                {"path": file.path, "bytes": len(file.content), "sha256": hashlib.sha256(file.content).hexdigest()}
            )
            await asyncio.to_thread(_add, archive, file, at)
            yield written.take()
        manifest = json.dumps({**described, "files": listed}, ensure_ascii=False, indent=1).encode() + b"\n"
        details["manifest_sha256"] = hashlib.sha256(manifest).hexdigest()
        _add(archive, File(MANIFEST, manifest), at)
    yield written.take()


def _add(archive: ZipFile, file: File, at: datetime) -> None:
    entry = ZipInfo(file.path, at.astimezone(PARIS).timetuple()[:6])
    entry.create_system, entry.external_attr = 3, 0o600 << 16
    compressed = not file.path.endswith(".pdf")  # those are already
    archive.writestr(entry, file.content, ZIP_DEFLATED if compressed else ZIP_STORED)
