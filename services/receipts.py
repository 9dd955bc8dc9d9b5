"""The receipt of a form that was sent: one page, in the person's language."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg

from activities.writing import reference_of
from db import affiliations, documents, enrolments
from db.pool import Connection, Pool, employee_side
from domain.media import Language
from gateways.encryption import FieldCipher
from messages.catalogue import catalogue
from messages.receipts import CoverageOutcome, ReceiptContent, Signature, WaiverOutcome, render_receipt
from services.callers import EmployeeCaller
from services.enrolments import coverage_view, need_proof, need_session, pieces_deadline
from services.problems import NotFound


class ReceiptService:
    def __init__(self, web: Pool, cipher: FieldCipher) -> None:
        self._web = web
        self._cipher = cipher

    async def pdf(self, caller: EmployeeCaller) -> bytes:
        """Raises NotAuthenticated, BirthDateNeeded, NotFound: nothing was sent yet."""
        need_session(caller)
        need_proof(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            content = await self._content(connection, caller.affiliation_id)
        return await asyncio.to_thread(render_receipt, content)

    async def _content(self, connection: Connection, affiliation_id: UUID) -> ReceiptContent:
        person = await affiliations.person(connection, affiliation_id)
        row = await connection.fetchrow(enrolments.GET, affiliation_id)
        if person is None or row is None or row["submitted_at"] is None:
            raise NotFound()
        files = await connection.fetch(documents.OF_AFFILIATION, affiliation_id)
        missing = tuple(row["missing"])
        return ReceiptContent(
            language=Language(person["language"]),
            reference=reference_of(affiliation_id),
            first_name=person["first_names"],
            last_name=person["last_name"],
            employer=person["establishment"],
            city=person["establishment_city"],
            received_at=row["submitted_at"],
            channel=row["channel"],
            outcome=await self._outcome(connection, affiliation_id, Language(person["language"])),
            received=tuple(dict.fromkeys(file["piece"] for file in files if file["piece"] not in missing)),
            missing=missing,
            names=person["dependant_names"] or {},
            deadline=await pieces_deadline(connection, affiliation_id) if missing else None,
            signature=await self._signature(connection, affiliation_id, row),
        )

    async def _outcome(
        self, connection: Connection, affiliation_id: UUID, language: Language
    ) -> CoverageOutcome | WaiverOutcome:
        waived = await connection.fetchrow(enrolments.WAIVER, affiliation_id)
        if waived is not None:
            reason = catalogue(language).text(f"waiver.{waived['reason']}.label")
            return WaiverOutcome(reason, waived["ends_on"])
        covered = await connection.fetchrow(enrolments.COVERAGE, affiliation_id)
        if covered is None:
            raise NotFound()
        view = coverage_view(covered)
        return CoverageOutcome(view.formula, view.starts_on, view.monthly_price_cents, view.dependants)

    async def _signature(self, connection: Connection, affiliation_id: UUID, row: asyncpg.Record) -> Signature | None:
        signed = await connection.fetchrow(enrolments.SIGNATURE, affiliation_id)
        if signed is None:
            return None
        name = self._cipher.decrypt(signed["name_sealed"], "signature", "name", str(affiliation_id))
        return Signature(name, signed["signed_at"] if row["channel"] == "online" else None, signed["text_version"])
