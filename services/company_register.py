"""The company register, kept by staff: companies, their establishments, and whom the insurer knows there. Every change
is in the audit log, with what it was about and never with an address."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from db import audit, company_register
from db.pool import Connection, single, system
from domain.company_recovery import RecoveryState
from domain.identifiers import SIREN_EXAMPLE, SIRET_EXAMPLE
from domain.names import search_form
from domain.rights import RightsState, Role
from services.callers import Caller, Scope
from services.fields import (
    AddressLine,
    City,
    Day,
    Email,
    Form,
    InsurerReference,
    Postcode,
    Siren,
    Siret,
    between,
    today,
)
from services.follow_up import like_escaped
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules
from services.tools import Tools

MOST_SHOWN = 50
_NOWHERE = UUID(int=0)
_EARLIEST = date(1900, 1, 1)


class Insurer(StrEnum):
    klesia = "klesia"
    malakoff_humanis = "malakoff_humanis"


CompanyName = Annotated[AddressLine, Field(examples=["HÔTEL DES LILAS"])]
ClosingDay = Annotated[
    Day,
    between(
        lambda: _EARLIEST,
        lambda: date(today().year + 2, 12, 31),
        "Indiquez une date de fermeture depuis 1900, au plus tard dans deux ans.",
        "2026-12-31",
    ),
    Field(examples=["2026-12-31"]),
]


class NewEstablishment(Form):
    siret: Siret
    name: CompanyName
    postcode: Postcode
    city: City


class CompanyChange(Form):
    """What the register says of a company. Its SIREN stays what it is."""

    name: CompanyName
    insurer: Insurer
    insurer_reference: InsurerReference
    emits_dsn: bool


class NewCompany(CompanyChange):
    """With its first establishment, whose SIRET begins with the SIREN."""

    siren: Siren
    establishment: NewEstablishment


class KnownContact(Form):
    """Whom the insurer's register knows there: asked before somebody activates the company's space."""

    email: Email


class EstablishmentClosure(Form):
    """`on`: no employment from that day on can be declared there."""

    on: ClosingDay


class ListedCompany(BaseModel):
    """`open`, `closed`: establishments. `cities`: of some of them."""

    id: UUID
    siren: str
    name: str
    insurer: str
    insurer_reference: str
    activated: bool
    open: int
    closed: int
    cities: list[str] | None


class ListedCompanies(BaseModel):
    """By name. `next_after`: where the next page begins."""

    items: list[ListedCompany]
    next_after: UUID | None


class RegisteredEstablishment(BaseModel):
    id: UUID
    siret: str
    name: str
    postcode: str
    city: str
    closed_on: date | None


class CompanyUser(BaseModel):
    """`mandate`: a third-party declarant, until `ends_on`."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    role: Role
    state: RightsState
    mandate: bool
    ends_on: date | None


class CompanyRecoveryEntry(BaseModel):
    id: UUID
    first_name: str
    last_name: str
    state: RecoveryState
    requested_at: datetime
    grant_at: datetime | None
    ended_at: datetime | None


class CompanyRecord(BaseModel):
    """All that the register knows of a company. `office`: the lines of its registered office, where codes go."""

    id: UUID
    siren: str
    name: str
    insurer: str
    insurer_reference: str
    emits_dsn: bool
    created_at: datetime
    activated_at: datetime | None
    office: list[str]
    contact_email: str | None
    contact_updated_at: datetime | None
    open_affiliations: int
    establishments: list[RegisteredEstablishment]
    users: list[CompanyUser]
    recoveries: list[CompanyRecoveryEntry]


class CompanyRegisterService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    # --- reading

    async def list(self, caller: Caller, words: str = "", after: UUID | None = None) -> ListedCompanies:
        """By a part of the name of the company or of an establishment, accents or not; by SIREN, SIRET or the insurer's
        reference. Raises NotAllowed, InvalidFields: nothing is after what is not there."""
        caller.need(Scope.staff)
        async with single(self._tools.system) as connection:
            place: tuple[str, UUID] = ("", _NOWHERE)
            if after is not None:
                row = await connection.fetchrow(company_register.PLACE, after)
                if row is None:
                    message = "Ce repère de page n’est plus valable. Reprenez la liste depuis le début."
                    raise InvalidFields([FieldError("after", "after", message)])
                place = row["search_name"], row["id"]
            rows = await _found(connection, words, place)
        return ListedCompanies(
            items=[ListedCompany(**dict(row)) for row in rows[:MOST_SHOWN]],
            next_after=rows[MOST_SHOWN - 1]["id"] if len(rows) > MOST_SHOWN else None,
        )

    async def company(self, caller: Caller, company_id: UUID) -> CompanyRecord:
        """Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        async with single(self._tools.system) as connection:
            return await _record(connection, company_id)

    # --- keeping

    async def create(self, caller: Caller, request: NewCompany) -> CompanyRecord:
        """Raises NotAllowed, StepUpNeeded, InvalidFields: the SIREN or the SIRET is known, or of somebody else."""
        _may_write(caller)
        _check_own(request.establishment.siret, request.siren, "establishment.siret")
        async with system(self._tools.system) as connection:
            company_id: UUID | None = await connection.fetchval(company_register.ADD, request.siren, *_about(request))
            if company_id is None:
                message = f"Cette entreprise est déjà dans le registre. Exemple\u00a0: {SIREN_EXAMPLE}"
                raise InvalidFields([FieldError("siren", "siren.known", message)])
            await _log(connection, caller, "company.created", company_id, "company", company_id)
            await _add(connection, caller, company_id, request.establishment, "establishment.siret")
            return await _record(connection, company_id)

    async def correct(self, caller: Caller, company_id: UUID, request: CompanyChange) -> CompanyRecord:
        """Raises NotAllowed, StepUpNeeded, NotFound."""
        _may_write(caller)
        async with system(self._tools.system) as connection:
            row = await _lock(connection, company_id)
            changed = [name for name in CompanyChange.model_fields if row[name] != getattr(request, name)]
            if changed:
                await connection.execute(company_register.CORRECT, company_id, *_about(request))
                await _log(
                    connection, caller, "company.corrected", company_id, "company", company_id, {"fields": changed}
                )
            return await _record(connection, company_id)

    async def replace_contact(self, caller: Caller, company_id: UUID, request: KnownContact) -> CompanyRecord:
        """Raises NotAllowed, StepUpNeeded, NotFound."""
        _may_write(caller)
        async with system(self._tools.system) as connection:
            await _lock(connection, company_id)
            if await connection.fetchval(company_register.CONTACT, company_id) != request.email:
                await connection.execute(company_register.REPLACE_CONTACT, company_id, request.email)
                await _log(connection, caller, "company.contact_replaced", company_id, "company", company_id)
            return await _record(connection, company_id)

    async def add_establishment(self, caller: Caller, company_id: UUID, request: NewEstablishment) -> CompanyRecord:
        """Raises NotAllowed, StepUpNeeded, NotFound, InvalidFields: the SIRET is known, or of another company."""
        _may_write(caller)
        async with system(self._tools.system) as connection:
            row = await _lock(connection, company_id)
            _check_own(request.siret, row["siren"], "siret")
            await _add(connection, caller, company_id, request, "siret")
            return await _record(connection, company_id)

    async def close(
        self, caller: Caller, company_id: UUID, establishment_id: UUID, request: EstablishmentClosure
    ) -> CompanyRecord:
        """On a day, or on another one than it was. Raises NotAllowed, StepUpNeeded, NotFound."""
        return await self._close(caller, company_id, establishment_id, request.on)

    async def reopen(self, caller: Caller, company_id: UUID, establishment_id: UUID) -> CompanyRecord:
        """Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules: it is open."""
        return await self._close(caller, company_id, establishment_id, None)

    async def _close(self, caller: Caller, company_id: UUID, establishment_id: UUID, on: date | None) -> CompanyRecord:
        _may_write(caller)
        async with system(self._tools.system) as connection:
            await _lock(connection, company_id)
            row = await connection.fetchrow(company_register.ESTABLISHMENTS, company_id, establishment_id)
            if row is None:
                raise NotFound()
            if on is None and row["closed_on"] is None:
                raise RefusedByRules("establishment_open", "Cet établissement est déjà ouvert.")
            if await connection.fetchval(company_register.CLOSE, company_id, establishment_id, on):
                event = "establishment.reopened" if on is None else "establishment.closed"
                details = None if on is None else {"on": on.isoformat()}
                await _log(connection, caller, event, company_id, "establishment", establishment_id, details)
            return await _record(connection, company_id)


def _may_write(caller: Caller) -> None:
    """Raises NotAllowed, StepUpNeeded."""
    caller.need(Scope.staff_write)
    caller.need_step_up_of_person()


async def _found(connection: Connection, words: str, place: tuple[str, UUID]) -> builtins.list[asyncpg.Record]:
    most = MOST_SHOWN + 1
    number = re.sub(r"[\s.]", "", words).upper()
    if not number:
        return await connection.fetch(company_register.ALL, most, *place)
    if any(mark.isdecimal() for mark in number):
        rows = await connection.fetch(company_register.BY_NUMBER, most, *place, number)
        if rows:
            return rows
    patterns = [f"%{like_escaped(word)}%" for word in search_form(words).split()]
    return await connection.fetch(company_register.BY_WORDS, most, *place, patterns)


async def _record(connection: Connection, company_id: UUID) -> CompanyRecord:
    """Raises NotFound."""
    row = await connection.fetchrow(company_register.COMPANY, company_id)
    if row is None:
        raise NotFound()
    about = dict(row)
    line1, line2, postcode, city = [about.pop(f"office_{part}") for part in ("line1", "line2", "postcode", "city")]
    office = [line for line in (line1, line2, f"{postcode or ''} {city or ''}".strip()) if line]

    async def rows(statement: str, *arguments: Any) -> Sequence[dict[str, Any]]:
        return [dict(one) for one in await connection.fetch(statement, company_id, *arguments)]

    return CompanyRecord(
        **about,
        office=office,
        establishments=[RegisteredEstablishment(**one) for one in await rows(company_register.ESTABLISHMENTS, None)],
        users=[CompanyUser(**one) for one in await rows(company_register.USERS)],
        recoveries=[CompanyRecoveryEntry(**one) for one in await rows(company_register.RECOVERIES)],
    )


async def _lock(connection: Connection, company_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(company_register.LOCK, company_id)
    if row is None:
        raise NotFound()
    return row


async def _add(connection: Connection, caller: Caller, company_id: UUID, request: NewEstablishment, field: str) -> None:
    added: UUID | None = await connection.fetchval(
        company_register.ADD_ESTABLISHMENT, company_id, request.siret, request.name, request.postcode, request.city
    )
    if added is None:
        message = f"Cet établissement est déjà dans le registre. Exemple\u00a0: {SIRET_EXAMPLE}"
        raise InvalidFields([FieldError(field, "siret.known", message)])
    await _log(connection, caller, "establishment.added", company_id, "establishment", added)


def _check_own(siret: str, siren: str, field: str) -> None:
    if not siret.startswith(siren):
        message = "Ce SIRET n’est pas celui d’un établissement de l’entreprise\u00a0: il commence par son SIREN."
        raise InvalidFields([FieldError(field, "siret.other_company", f"{message} Exemple\u00a0: {SIRET_EXAMPLE}")])


def _about(request: CompanyChange) -> tuple[str, str, str, bool]:
    return request.name, request.insurer.value, request.insurer_reference, request.emits_dsn


async def _log(
    connection: Connection,
    caller: Caller,
    event: str,
    company_id: UUID,
    object_type: str,
    object_id: UUID,
    details: dict[str, Any] | None = None,
) -> None:
    await audit.add(
        connection,
        event,
        caller.actor,
        company_id=company_id,
        object_type=object_type,
        object_id=object_id,
        details=details,
    )
