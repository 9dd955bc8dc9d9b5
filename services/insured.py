"""« Mes salariés affiliés »: who is insured, by which contract, since when, and the certificate of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from pydantic import StringConstraints, TypeAdapter

from activities.writing import reference_of
from db import audit, insured
from db.pool import Connection, Pool, tenant
from domain.formulas import ProfessionalStatus, formula_codes, parse_formula_code
from domain.identifiers import masked_nir, siren_of
from domain.insured import ContractState, contract_state
from domain.names import search_form
from gateways.encryption import FieldCipher
from messages.certificates import CertificateContent, render_certificate
from services.callers import Caller, Scope
from services.fields import today
from services.follow_up import like_escaped
from services.insured_views import CoverPeriod, InsuredDetail, InsuredPage, InsuredSummary, Place, StateCounts
from services.problems import FieldError, InvalidFields, NotFound

MOST_COUNTED: Final = 10_000
MOST_OF_A_PERSON: Final = 200  # contracts; more are of no person


class InsuredOrder(StrEnum):
    """« -date »: the newest first."""

    name = "name"
    name_backwards = "-name"
    date = "date"
    date_backwards = "-date"


@dataclass(frozen=True)
class InsuredFilters:
    """Every filter is optional. `establishment`, `q`: parts of names; `people`: employees, as `recognise` finds them,
    and none where it found nobody."""

    siren: str | None = None
    siret: str | None = None
    establishment: str | None = None
    state: ContractState | None = None
    professional_status: ProfessionalStatus | None = None
    formula: str | None = None
    q: str | None = None
    people: tuple[UUID, ...] | None = None
    order: InsuredOrder = InsuredOrder.name


@dataclass(frozen=True)
class Listed:
    """A page with the perimeter that it is taken from. `companies`: their names by SIREN."""

    page: InsuredPage
    places: list[Place]
    companies: dict[str, str]


_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
_LAST_NAME = chr(0x10FFFF)
_FEW_COMPANIES: Final = 20
# What comes before everything.
_BEGINNING: Final[dict[InsuredOrder, tuple[str | date, UUID]]] = {
    InsuredOrder.name: ("", _FIRST_ID),
    InsuredOrder.name_backwards: (_LAST_NAME, _LAST_ID),
    InsuredOrder.date: (date.min, _FIRST_ID),
    InsuredOrder.date_backwards: (date.max, _LAST_ID),
}
_NAME_CURSOR = TypeAdapter(tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")], UUID])
_DATE_CURSOR = TypeAdapter(tuple[date, UUID])
_NUMBER = re.compile(r"\d[\dAB]{6,}")


class InsuredService:
    def __init__(self, web: Pool, cipher: FieldCipher) -> None:
        self._web = web
        self._cipher = cipher

    async def page(self, caller: Caller, filters: InsuredFilters, limit: int, cursor: str | None) -> InsuredPage:
        """« Mes salariés affiliés ». `cursor` comes from the page before. Raises NotAllowed, InvalidFields."""
        return (await self.listed(caller, filters, limit, cursor)).page

    async def listed(self, caller: Caller, filters: InsuredFilters, limit: int, cursor: str | None) -> Listed:
        """The same with what it can be narrowed to. Raises as `page`."""
        caller.need(Scope.read)
        after = _decode_cursor(filters.order, cursor)
        async with tenant(self._web, caller.companies) as connection:
            places = await places_of(connection, list(caller.companies))
            sirens = {row["siren"]: row["name"] for row in await connection.fetch(insured.COMPANIES, caller.companies)}
            companies, arguments = narrowed(filters, places)
            if filters.people is None:
                page = await self._of_companies(connection, filters, companies, arguments, limit, after)
            else:
                page = await self._of_people(connection, filters.people, companies, arguments)
        named = {place.id: place for place in places}
        lines = [self._summary(row, named[row["establishment_id"]]) for row in page.rows]
        listed = InsuredPage(
            items=lines,
            next_cursor=page.cursor,
            total=MOST_COUNTED if page.total is None else page.total,
            total_is_exact=page.total is not None,
            states=page.states,
        )
        return Listed(listed, places, sirens)

    async def recognise(self, caller: Caller, nir: str) -> tuple[UUID, ...]:
        """The employees of the perimeter with this number, one in each company that employs them; it leaves no trace
        in an address (security.md R-06). Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            index = self._cipher.blind_index(nir, "nir")
            rows = await connection.fetch(insured.PEOPLE_WITH_NIR, list(caller.companies), index)
        return tuple(row["id"] for row in rows)

    async def detail(self, caller: Caller, insured_id: UUID) -> InsuredDetail:
        """One contract; reading it is in the audit log. Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            row, contract = await _one(connection, insured_id)
            rows = await connection.fetch(insured.HISTORY, row["employee_id"])
            places = {place.id: place for place in await places_of(connection, [row["company_id"]])}
            await audit.viewed(connection, caller.actor, [row["affiliation_id"]], "insured")
        formula = parse_formula_code(row["formula"])
        return InsuredDetail(
            **self._summary(row, places[row["establishment_id"]]).model_dump(),
            civility=row["civility"],
            birth_name=row["birth_name"],
            company=contract["company"],
            insurer=contract["insurer"],
            insurer_reference=contract["insurer_reference"],
            emits_dsn=contract["emits_dsn"],
            hired_on=contract["hired_on"],
            contract_kind=contract["contract_kind"],
            level=formula.level,
            family=formula.family,
            scheme=formula.scheme,
            children=row["children"],
            affiliation_id=row["affiliation_id"],
            affiliation_status=contract["status"],
            history=[_period(one, places[one["establishment_id"]]) for one in rows],
        )

    async def certificate_pdf(self, caller: Caller, insured_id: UUID) -> bytes:
        """« Attestation d’affiliation »; who asked for it is in the audit log. Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            row, contract = await _one(connection, insured_id)
            await audit.viewed(connection, caller.actor, [row["affiliation_id"]], "certificate")
        content = CertificateContent(
            reference=reference_of(row["affiliation_id"]),
            civility=row["civility"],
            first_names=row["first_names"],
            last_name=row["last_name"],
            company=contract["company"],
            siren=contract["siren"],
            establishment=contract["establishment"],
            siret=contract["siret"],
            city=contract["city"],
            insurer=contract["insurer"],
            insurer_reference=contract["insurer_reference"],
            formula=row["formula"],
            starts_on=row["starts_on"],
            ends_on=row["ends_on"],
            issued_on=today(),
        )
        return await asyncio.to_thread(render_certificate, content)

    async def _of_companies(
        self,
        connection: Connection,
        filters: InsuredFilters,
        companies: list[UUID],
        arguments: tuple[Any, ...],
        limit: int,
        after: tuple[str | date, UUID],
    ) -> _Page:
        establishments, formulas, named, state, day = arguments
        query = _query(filters.order, named is not None, len(companies) <= _FEW_COMPANIES)
        rows = await connection.fetch(query, companies, establishments, formulas, named, state, day, *after, limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        cursor = _encode_cursor(filters.order, last) if last else None
        count = insured.COUNT_OF_NAME if named else insured.COUNT
        for counted in dict.fromkeys((None, state)):  # all states, and where they are too many the one asked for
            many = await connection.fetch(
                count, companies, establishments, formulas, named, counted, day, MOST_COUNTED + 1
            )
            counts = {one["state"]: one["many"] for one in many}
            if sum(counts.values()) <= MOST_COUNTED:
                total = counts.get(state, 0) if state else sum(counts.values())
                return _Page(rows[:limit], cursor, total, StateCounts(**counts) if counted is None else None)
        return _Page(rows[:limit], cursor, None, None)

    async def _of_people(
        self, connection: Connection, people: tuple[UUID, ...], companies: list[UUID], arguments: tuple[Any, ...]
    ) -> _Page:
        establishments, formulas, named, state, day = arguments
        found = await connection.fetch(
            insured.OF_PEOPLE, list(people), establishments, formulas, named, None, day, MOST_OF_A_PERSON
        )
        rows = [row for row in found if row["company_id"] in companies]
        states = [contract_state(row["starts_on"], row["ends_on"], row["rights_until"], day) for row in rows]
        shown = [row for row, stands in zip(rows, states, strict=True) if state in (None, stands)]
        counts = StateCounts(**{one.value: states.count(one) for one in ContractState})
        return _Page(shown, None, len(shown), counts)

    def _summary(self, row: asyncpg.Record, place: Place) -> InsuredSummary:
        nir = self._cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["employee_id"]))
        return InsuredSummary(
            id=row["id"],
            siren=place.siren,
            siret=place.siret,
            establishment=place.name,
            professional_status=parse_formula_code(row["formula"]).status,
            first_names=row["first_names"],
            last_name=row["last_name"],
            nir_masked=masked_nir(nir),
            formula=row["formula"],
            starts_on=row["starts_on"],
            ends_on=row["ends_on"],
            state=contract_state(row["starts_on"], row["ends_on"], row["rights_until"], today()),
            partner_insured=row["partners"] > 0,
            dependants=row["partners"] + row["children"],
        )


def looks_like_nir(text: str) -> bool:
    """Whether somebody types a social-security number, complete or not, where a name could stand."""
    return _NUMBER.fullmatch(re.sub(r"[\s.\-\u2010-\u2015\u2022]", "", text).upper()) is not None


@dataclass(frozen=True)
class _Page:
    """`total`: None where there are too many to count."""

    rows: list[asyncpg.Record]
    cursor: str | None
    total: int | None
    states: StateCounts | None


async def _one(connection: Connection, insured_id: UUID) -> tuple[asyncpg.Record, asyncpg.Record]:
    row = await connection.fetchrow(insured.ONE, insured_id)
    if row is None:
        raise NotFound()
    contract = await connection.fetchrow(insured.CONTRACT, row["affiliation_id"])
    assert contract is not None, "a coverage has its affiliation"
    return row, contract


def _query(order: InsuredOrder, named: bool, few: bool) -> str:
    match order:
        case InsuredOrder.name:
            return insured.BY_NAME if few else insured.BY_NAME_OF_MANY
        case InsuredOrder.name_backwards:
            return insured.BY_NAME_BACKWARDS if few else insured.BY_NAME_BACKWARDS_OF_MANY
        case InsuredOrder.date:
            return insured.OF_NAME_OLDEST_FIRST if named else insured.OLDEST_FIRST
        case InsuredOrder.date_backwards:
            return insured.OF_NAME_NEWEST_FIRST if named else insured.NEWEST_FIRST


async def places_of(connection: Connection, companies: list[UUID]) -> list[Place]:
    rows = await connection.fetch(insured.PLACES, companies)
    return [Place(siren=siren_of(row["siret"]), **dict(row)) for row in rows]


def narrowed(filters: InsuredFilters, places: list[Place]) -> tuple[list[UUID], tuple[Any, ...]]:
    """The companies to look in, and what else a line must have."""
    part = search_form(filters.establishment) if filters.establishment else ""
    wanted = [
        place
        for place in places
        if filters.siren in (None, place.siren)
        and filters.siret in (None, place.siret)
        and part in search_form(place.name)
    ]
    narrowed = bool(filters.siret or part)
    formulas = None
    if filters.formula or filters.professional_status:
        formulas = [code for code in formula_codes(filters.professional_status) if filters.formula in (None, code)]
    named = [f"%{like_escaped(word)}%" for word in search_form(filters.q or "").split()]
    return (
        sorted({place.company_id for place in wanted}),
        ([place.id for place in wanted] if narrowed else None, formulas, named or None, filters.state, today()),
    )


def _period(row: asyncpg.Record, place: Place) -> CoverPeriod:
    return CoverPeriod(
        id=row["id"],
        siret=place.siret,
        establishment=place.name,
        formula=row["formula"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        state=contract_state(row["starts_on"], row["ends_on"], row["rights_until"], today()),
    )


def _by_name(order: InsuredOrder) -> bool:
    return order in (InsuredOrder.name, InsuredOrder.name_backwards)


def _encode_cursor(order: InsuredOrder, row: asyncpg.Record) -> str:
    key = row["search_name"] if _by_name(order) else row["starts_on"].isoformat()
    return base64.urlsafe_b64encode(json.dumps([key, str(row["id"])]).encode()).decode()


def _decode_cursor(order: InsuredOrder, cursor: str | None) -> tuple[str | date, UUID]:
    """Raises InvalidFields."""
    if cursor is None:
        return _BEGINNING[order]
    try:
        content = base64.urlsafe_b64decode(cursor.encode())
        return (_NAME_CURSOR if _by_name(order) else _DATE_CURSOR).validate_json(content)
    except ValueError:
        message = "Ce repère de page n’est pas valable. Reprenez la liste depuis le début."
        raise InvalidFields([FieldError("cursor", "cursor.invalid", message)]) from None
