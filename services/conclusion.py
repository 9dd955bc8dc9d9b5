"""Writes a completed form: coverage or waiver, dependants, corrections, signature, all in one transaction."""

from __future__ import annotations

import hashlib
from datetime import date
from uuid import UUID

import asyncpg

from db import affiliations, audit, enrolments
from db.pool import Connection
from domain.affiliation import Channel
from domain.draft import Draft
from domain.effect_date import coverage_begins
from domain.enrolment import Form
from domain.formulas import ProfessionalStatus, Scheme, family_of, formula_code
from domain.names import search_form
from gateways.encryption import FieldCipher
from messages.legal import legal_text
from services import drafts
from services.enrolment_form import DependantAnswers, Enrolment, Joining, Waiving
from services.problems import AlreadySubmitted


class Conclusion:
    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    async def write(
        self,
        connection: Connection,
        person: asyncpg.Record,
        form: Form,
        draft: Draft,
        enrolment: Enrolment,
        channel: Channel,
        missing: tuple[str, ...],
        checking: bool,
        recorded_by: str | None,
    ) -> None:
        """In the caller's transaction, which holds the affiliation. Raises AlreadySubmitted."""
        affiliation_id: UUID = person["id"]
        contact_version = await self._keep_contact(connection, person, enrolment)
        content = drafts.sealed(self._cipher, affiliation_id, draft)
        submitted = await connection.fetchval(
            enrolments.SUBMIT,
            affiliation_id,
            draft.version,
            content,
            form.version,
            channel,
            list(missing),
            checking,
            contact_version,
            recorded_by,
        )
        if submitted is None:
            raise AlreadySubmitted()
        await self._correct(connection, person, enrolment)
        await self._sign(connection, affiliation_id, form, enrolment)
        starts_on = coverage_begins(person["hired_on"], person["waiver_ended_on"])
        match enrolment.outcome:
            case Joining() as joining:
                await self._cover(connection, person, enrolment.scheme, joining, starts_on)
            case Waiving() as waiving:
                await connection.execute(
                    enrolments.ADD_WAIVER, affiliation_id, waiving.reason, starts_on, waiving.ends_on, waiving.sworn
                )
        actor = "staff" if recorded_by else "employee"
        await connection.execute(
            audit.ADD, person["company_id"], affiliation_id, actor, recorded_by, "form.submitted", {"channel": channel}
        )

    async def _cover(
        self, connection: Connection, person: asyncpg.Record, scheme: Scheme, joining: Joining, starts_on: date
    ) -> None:
        affiliation_id: UUID = person["id"]
        coverage_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        formula = formula_code(
            joining.level,
            ProfessionalStatus(person["professional_status"]),
            family_of(len(joining.dependants)),
            scheme,
        )
        iban = self._cipher.encrypt(joining.iban, "coverage", "iban", str(coverage_id)) if joining.iban else None
        await connection.execute(
            enrolments.ADD_COVERAGE,
            affiliation_id,
            coverage_id,
            formula,
            starts_on,
            iban,
            joining.account_holder,
            joining.teletransmission,
        )
        for dependant in joining.dependants:
            await self._add_dependant(connection, affiliation_id, coverage_id, dependant)

    async def _add_dependant(
        self, connection: Connection, affiliation_id: UUID, coverage_id: UUID, dependant: DependantAnswers
    ) -> None:
        dependant_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        nir = dependant.nir
        await connection.execute(
            enrolments.ADD_DEPENDANT,
            affiliation_id,
            dependant_id,
            coverage_id,
            dependant.who.kind,
            dependant.last_name,
            dependant.first_names,
            dependant.who.birth_date,
            self._cipher.encrypt(nir, "dependant", "nir", str(dependant_id)) if nir else None,
            self._cipher.blind_index(nir, "nir") if nir else None,
            dependant.who.key,
            dependant.who.civil_link,
            dependant.who.attached_to,
            dependant.who.student,
        )

    async def _correct(self, connection: Connection, person: asyncpg.Record, enrolment: Enrolment) -> None:
        """What the employee says of themselves counts (security.md R-04)."""
        identity = enrolment.identity
        names = [getattr(identity, name) or person[name] for name in ("last_name", "birth_name", "first_names")]
        corrected = any((identity.civility, identity.last_name, identity.birth_name, identity.first_names))
        if corrected or identity.birth_date != person["birth_date"]:
            await connection.execute(
                enrolments.CORRECT_IDENTITY,
                person["employee_id"],
                identity.civility,
                identity.last_name,
                identity.birth_name,
                identity.first_names,
                identity.birth_date,
                search_form(" ".join(names)),
            )
            await self._rectified(connection, person, "identity")
        if enrolment.scheme != person["scheme"]:
            await connection.execute(enrolments.CORRECT_SCHEME, person["id"], enrolment.scheme)
        declared = self._cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["employee_id"]))
        if enrolment.nir != declared:
            sealed = self._cipher.encrypt(enrolment.nir, "employee", "nir", str(person["employee_id"]))
            try:
                async with connection.transaction():
                    index = self._cipher.blind_index(enrolment.nir, "nir")
                    await connection.execute(enrolments.CORRECT_NIR, person["employee_id"], sealed, index)
                await self._rectified(connection, person, "nir")
            except asyncpg.UniqueViolationError:
                # The company knows this number under another name: staff see it beside the certificate, nobody else.
                await self._rectified(connection, person, "nir_in_conflict")

    async def _rectified(self, connection: Connection, person: asyncpg.Record, what: str) -> None:
        await connection.execute(
            audit.ADD, person["company_id"], person["id"], "employee", None, "data.rectified", {"what": what}
        )

    async def _keep_contact(self, connection: Connection, person: asyncpg.Record, enrolment: Enrolment) -> int | None:
        """A contact of their own where it differs from what the employer gave; an address left empty stays known."""
        contact = enrolment.contact
        given = (
            contact.email or person["email"],
            contact.phone or person["phone"],
            contact.line1,
            contact.line2,
            contact.postcode,
            contact.city,
        )
        known = tuple(person[name] for name in ("email", "phone", "line1", "line2", "postcode", "city"))
        if given == known:
            return None
        version: int = await connection.fetchval(enrolments.ADD_OWN_CONTACT, person["id"], *given)
        return version

    async def _sign(self, connection: Connection, affiliation_id: UUID, form: Form, enrolment: Enrolment) -> None:
        if enrolment.signature is None:
            return
        texts = [legal_text(name, form.legal).french for name in enrolment.legal]
        await connection.execute(
            enrolments.ADD_SIGNATURE,
            affiliation_id,
            self._cipher.encrypt(enrolment.signature, "signature", "name", str(affiliation_id)),
            form.version,
            form.legal,
            hashlib.sha256("\n".join(texts).encode()).digest(),
        )
