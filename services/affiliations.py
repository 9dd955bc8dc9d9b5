"""What an employer asks for about affiliations. Checks rights, writes through `db/`, starts or tells the workflow."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from pydantic import TypeAdapter

from activities.contracts.affiliation import Asked, ContactCorrected, Paused, Skipped, StartAffiliation, Withdrawn
from activities.writing import Writer, recipient
from db import affiliations, register
from db.pool import Connection, Pool, tenant
from domain.addresses import envelope_lines, parse_address
from domain.affiliation import Refusal, Refused, Status, first_medium
from domain.identifiers import SIRET_EXAMPLE, InvalidValue
from domain.media import Medium, reachable_media
from domain.names import search_form
from domain.policy import DEFAULT_POLICY, Policy
from gateways.encryption import FieldCipher
from services import idempotency
from services.callers import Caller, Scope
from services.declarations import Address, CorrectedContact, Pause, PreAffiliation, Skip, Withdrawal
from services.follow_up import FollowUpService, affiliation_row
from services.idempotency import Once
from services.problems import (
    AlreadyOpen,
    FieldError,
    InvalidFields,
    NotFound,
    RefusedByRules,
)
from services.telling import refused, tell
from services.views import (
    AffiliationDetail,
    AffiliationSummary,
    NextStep,
    summary,
)
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.engine import EngineAway

log = logging.getLogger(__name__)

_POLICY = TypeAdapter(Policy)


class AffiliationService:
    def __init__(
        self,
        web: Pool,
        engine: Affiliations,
        cipher: FieldCipher,
        writer: Writer,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self._web = web
        self._engine = engine
        self._cipher = cipher
        self.follow_up = FollowUpService(web, engine, writer)
        self._policy = policy

    # --- declaring

    async def declare(self, caller: Caller, request: PreAffiliation, once: Once | None = None) -> AffiliationSummary:
        """Pre-affiliate one person. The row is committed before the workflow is started: Temporal may be away.

        Raises NotAllowed, InvalidFields (unknown establishment included), AlreadyOpen, KeyReused.
        """
        caller.need(Scope.write)
        employee = request.employee
        name = recipient(employee.civility, employee.first_names, employee.last_name)
        check_address(name, employee.address, "employee.")
        try:
            async with tenant(self._web, caller.companies) as connection:
                if once is not None:
                    repeated = await self._repeated(connection, caller, once)
                    if repeated is not None:
                        return repeated
                place = await establishment_of(connection, request.siret, request.hired_on)
                await self._write(connection, caller, request, place)
                await self._claim(connection, caller, once, place["company_id"], place["affiliation_id"])
                row = await affiliation_row(connection, place["affiliation_id"])
        except (asyncpg.UniqueViolationError, _ClaimedMeanwhile) as conflict:
            repeated = await self._repeated_meanwhile(caller, once)
            if repeated is not None:
                return repeated
            raise await self._already_open(caller, request, conflict) from None
        media = reachable_media(request.employee.email is not None, request.employee.phone is not None)
        start = StartAffiliation(str(row["id"]), self._policy, media, request.medium)
        await self._start(start, row["siret"], row["siren"])
        return self._just_declared(row)

    async def restart(self, caller: Caller, affiliation_id: UUID, once: Once | None = None) -> AffiliationSummary:
        """« Reprendre »: a new initial run from an abandoned one, pre-filled and linked to it.

        Asked twice, it names the one that is open. Raises NotAllowed, NotFound, RefusedByRules, AlreadyOpen, KeyReused.
        """
        caller.need(Scope.write)
        try:
            async with tenant(self._web, caller.companies) as connection:
                if once is not None:
                    repeated = await self._repeated(connection, caller, once)
                    if repeated is not None:
                        return repeated
                former = await connection.fetchrow(affiliations.RESTART_SOURCE, affiliation_id)
                if former is None:
                    raise NotFound()
                if former["status"] != Status.abandoned:
                    raise RefusedByRules(
                        "not_abandoned", "Seule une affiliation abandonnée peut être reprise. Celle-ci ne l’est pas."
                    )
                if former["closed_on"] is not None and former["closed_on"] <= former["hired_on"]:
                    raise RefusedByRules("establishment_closed", "Cet établissement est fermé à la date d’embauche.")
                media = reachable_media(former["email"] is not None, former["phone"] is not None)
                asked = Medium(former["asked_medium"]) if former["asked_medium"] else None
                new_id: UUID = await connection.fetchval(affiliations.NEW_ID)
                await connection.fetchval(
                    affiliations.AGAIN,
                    affiliation_id,
                    new_id,
                    _POLICY.dump_python(self._policy, mode="json"),
                    first_medium(media, asked),
                    "restarted",
                    "employer",
                    caller.id,
                )
                await self._claim(connection, caller, once, former["company_id"], new_id)
                row = await affiliation_row(connection, new_id)
        except (asyncpg.UniqueViolationError, _ClaimedMeanwhile):
            repeated = await self._repeated_meanwhile(caller, once)
            if repeated is not None:
                return repeated
            async with tenant(self._web, caller.companies) as connection:
                open_id = await connection.fetchval(affiliations.OPEN_LIKE, affiliation_id)
            raise AlreadyOpen(str(open_id)) from None
        await self._start(StartAffiliation(str(new_id), self._policy, media, asked), row["siret"], row["siren"])
        return self._just_declared(row)

    async def _write(
        self, connection: Connection, caller: Caller, request: PreAffiliation, place: asyncpg.Record
    ) -> None:
        employee = request.employee
        media = reachable_media(employee.email is not None, employee.phone is not None)
        await affiliations.declare(
            connection,
            affiliations.NewPerson(
                id=place["employee_id"],
                civility=employee.civility,
                last_name=employee.last_name,
                birth_name=employee.birth_name,
                first_names=employee.first_names,
                birth_date=employee.birth_date,
                nir_sealed=self._cipher.encrypt(employee.nir, "employee", "nir", str(place["employee_id"])),
                nir_index=self._cipher.blind_index(employee.nir, "nir"),
                search_name=search_form(f"{employee.last_name} {employee.birth_name} {employee.first_names}"),
            ),
            affiliations.NewAffiliation(
                id=place["affiliation_id"],
                company_id=place["company_id"],
                establishment_id=place["id"],
                former_id=None,
                language=employee.language,
                hired_on=request.hired_on,
                professional_status=request.professional_status,
                scheme=request.scheme,
                contract_kind=request.contract_kind,
                declared_by=caller.id,
                policy=_POLICY.dump_python(self._policy, mode="json"),
                medium=first_medium(media, request.medium),
                asked_medium=request.medium,
            ),
            affiliations.NewContact(
                email=employee.email,
                phone=employee.phone,
                line1=employee.address.line1,
                line2=employee.address.line2,
                postcode=employee.address.postcode,
                city=employee.address.city,
                country=employee.address.country,
            ),
        )

    async def _start(self, start: StartAffiliation, siret: str, siren: str) -> None:
        try:
            await self._engine.start(start, siret, siren)
        except EngineAway:
            log.warning("Temporal is away: the sweep will start it", extra={"id": start.affiliation_id})

    def _just_declared(self, row: asyncpg.Record) -> AffiliationSummary:
        """As the workflow will have it in a moment: the invitation leaves at once."""
        first = NextStep(kind="invitation", medium=row["medium"], at=row["declared_at"])
        return AffiliationSummary(**{**summary(row), "next_step": first})

    async def _already_open(self, caller: Caller, request: PreAffiliation, conflict: Exception) -> Exception:
        if getattr(conflict, "constraint_name", None) != "affiliation_one_open":
            return conflict
        async with tenant(self._web, caller.companies) as connection:
            place = await establishment_of(connection, request.siret, request.hired_on)
            nir_index = self._cipher.blind_index(request.employee.nir, "nir")
            open_id = await connection.fetchval(affiliations.OPEN_OF_PERSON, place["id"], nir_index)
        return AlreadyOpen(str(open_id))

    async def _repeated(self, connection: Connection, caller: Caller, once: Once) -> AffiliationSummary | None:
        """The first answer to this key, in the affiliation's present state. Raises KeyReused."""
        known = await idempotency.known(connection, caller, once)
        if known is None:
            return None
        row = await affiliation_row(connection, known["affiliation_id"])
        return AffiliationSummary(**summary(row)) if row["version"] else self._just_declared(row)

    async def _repeated_meanwhile(self, caller: Caller, once: Once | None) -> AffiliationSummary | None:
        """The answer to the same call that came at the same time and was faster. Raises KeyReused."""
        if once is None:
            return None
        async with tenant(self._web, caller.companies) as connection:
            return await self._repeated(connection, caller, once)

    async def _claim(
        self, connection: Connection, caller: Caller, once: Once | None, company_id: UUID, affiliation_id: UUID
    ) -> None:
        """Raises _ClaimedMeanwhile, which takes back what this transaction wrote."""
        if once is not None and not await idempotency.claim(connection, caller, once, company_id, affiliation_id):
            raise _ClaimedMeanwhile

    # --- asking the workflow

    async def remind(self, caller: Caller, affiliation_id: UUID, once: Once | None = None) -> AffiliationDetail:
        """« Relancer ». Raises NotAllowed, NotFound, RefusedByRules, EngineUnavailable."""
        asked = Asked(caller.actor)
        return await self._tell(caller, affiliation_id, AffiliationWorkflow.remind, asked, "remind", once)

    async def withdraw(
        self, caller: Caller, affiliation_id: UUID, request: Withdrawal, once: Once | None = None
    ) -> AffiliationDetail:
        """The employer takes the declaration back. Raises as `remind`."""
        withdrawn = Withdrawn(caller.actor, request.reason.closure)
        return await self._tell(caller, affiliation_id, AffiliationWorkflow.withdraw, withdrawn, "withdraw", once)

    async def pause(
        self, caller: Caller, affiliation_id: UUID, request: Pause, once: Once | None = None
    ) -> AffiliationDetail:
        """No automatic message until resumed. Raises as `remind`."""
        paused = Paused(caller.actor, request.reason)
        return await self._tell(caller, affiliation_id, AffiliationWorkflow.pause, paused, "pause", once)

    async def resume(self, caller: Caller, affiliation_id: UUID, once: Once | None = None) -> AffiliationDetail:
        """Automatic messages again. Raises as `remind`."""
        asked = Asked(caller.actor)
        return await self._tell(caller, affiliation_id, AffiliationWorkflow.resume, asked, "resume", once)

    async def skip(
        self, caller: Caller, affiliation_id: UUID, request: Skip, once: Once | None = None
    ) -> AffiliationDetail:
        """One automatic message does not leave. Raises as `remind`."""
        skipped = Skipped(caller.actor, request.kind, request.number)
        return await self._tell(caller, affiliation_id, AffiliationWorkflow.skip, skipped, "skip", once)

    async def correct_contact(
        self, caller: Caller, affiliation_id: UUID, request: CorrectedContact, once: Once | None = None
    ) -> AffiliationDetail:
        """Correct e-mail, phone or address; the invitation leaves anew. Raises as `remind`, and InvalidFields."""
        caller.need(Scope.write)
        async with tenant(self._web, caller.companies) as connection:
            if await connection.fetchrow(affiliations.LOCK, affiliation_id) is None:  # two corrections take turns
                raise NotFound()
            repeated = once is not None and await idempotency.known(connection, caller, once) is not None
            person = await affiliations.person(connection, affiliation_id)
            assert person is not None, "locked above"
            if person["given_by"] != "employer":
                raise RefusedByRules(
                    "contact_given_by_employee",
                    "La personne nous a donné ses propres coordonnées avec son formulaire. Nous y écrivons.",
                )
            corrected = _merged(person, request)
            if request.address is not None:
                name = recipient(person["civility"], person["first_names"], person["last_name"])
                check_address(name, request.address)
            changed = _changed(person, corrected)
            if changed:
                version = await affiliations.add_contact(connection, affiliation_id, corrected)
        if not changed:
            if repeated:  # the same call, already carried out
                return await self.follow_up.answer(caller, affiliation_id)
            raise RefusedByRules("nothing_changed", "Ces coordonnées sont déjà celles du dossier.")
        told = ContactCorrected(
            caller.actor,
            version,
            changed,
            reachable_media(corrected.email is not None, corrected.phone is not None),
        )
        return await self._tell(
            caller, affiliation_id, AffiliationWorkflow.correct_contact, told, "correct_contact", once
        )

    async def _tell(
        self, caller: Caller, affiliation_id: UUID, update: Any, request: object, name: str, once: Once | None
    ) -> AffiliationDetail:
        """One update, under the caller's key so that repeating it has no second effect."""
        caller.need(Scope.write)
        async with tenant(self._web, caller.companies) as connection:
            row = await affiliation_row(connection, affiliation_id)
            if once is not None and not await idempotency.claim(
                connection, caller, once, row["company_id"], affiliation_id
            ):
                await idempotency.known(connection, caller, once)
        if Status(row["status"]) is Status.abandoned and once is None:
            raise refused(Refusal(Refused.closed))
        request_id = f"{name}/{caller.id}/{once.key}" if once else f"{name}/{uuid4()}"
        await tell(self._engine, affiliation_id, update, request, request_id, started=row["version"] > 0)
        return await self.follow_up.answer(caller, affiliation_id)


# --- pieces


class _ClaimedMeanwhile(Exception):
    """The same call at the same time took the key first."""


def check_address(name: str, address: Address, prefix: str = "") -> None:
    """Whether an envelope can carry it: also who is written to by e-mail may get a letter in the end.

    Raises InvalidFields.
    """
    try:
        envelope_lines(
            name,
            parse_address(
                line1=address.line1,
                line2=address.line2 or "",
                postcode=address.postcode,
                city=address.city,
                country=address.country,
            ),
        )
    except InvalidValue as invalid:
        place = ".".join(invalid.code.split(".")[:2])
        if place == "address.recipient":
            place = "last_name" if prefix else "address"
        message = f"{invalid.message} Exemple\u00a0: {invalid.example}"
        raise InvalidFields([FieldError(f"{prefix}{place}", invalid.code, message)]) from None


async def establishment_of(connection: Connection, siret: str, hired_on: date) -> asyncpg.Record:
    """The caller's establishment; unknown and foreign ones get the same answer. Raises InvalidFields."""
    place = await connection.fetchrow(register.ESTABLISHMENT_BY_SIRET, siret)
    if place is None:
        message = (
            "Ce SIRET n’est pas celui d’un de vos établissements. Vérifiez-le dans « Mes contrats », "
            f"ou ajoutez l’établissement à votre périmètre. Exemple : {SIRET_EXAMPLE}"
        )
        message = message.replace("« ", "«\u00a0").replace(" »", "\u00a0»").replace(" :", "\u00a0:")
        raise InvalidFields([FieldError("siret", "siret.unknown", message)])
    if place["closed_on"] is not None and place["closed_on"] <= hired_on:
        message = "Cet établissement est fermé à la date d’embauche. Indiquez un établissement ouvert."
        raise InvalidFields([FieldError("siret", "siret.closed", f"{message} Exemple\u00a0: {SIRET_EXAMPLE}")])
    return place


def _merged(current: asyncpg.Record, request: CorrectedContact) -> affiliations.NewContact:
    given = request.model_fields_set
    address = request.address
    return affiliations.NewContact(
        email=request.email if "email" in given else current["email"],
        phone=request.phone if "phone" in given else current["phone"],
        line1=address.line1 if address else current["line1"],
        line2=address.line2 if address else current["line2"],
        postcode=address.postcode if address else current["postcode"],
        city=address.city if address else current["city"],
        country=address.country if address else current["country"],
    )


def _changed(current: asyncpg.Record, corrected: affiliations.NewContact) -> tuple[Medium, ...]:
    postal = ("line1", "line2", "postcode", "city", "country")
    changed = []
    if corrected.email != current["email"]:
        changed.append(Medium.email)
    if any(getattr(corrected, name) != current[name] for name in postal):
        changed.append(Medium.post)
    if corrected.phone != current["phone"]:
        changed.append(Medium.sms)
    return tuple(changed)
