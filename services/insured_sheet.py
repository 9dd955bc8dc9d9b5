"""« Mes salariés affiliés » as a file: the guide's ten columns, and the cover of dependants in numbers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

import asyncpg
from asyncpg.cursor import Cursor

from activities.export import ExportFile, ExportOrder, Progress
from db import insured
from db.pool import Connection, Pool, tenant_reading
from domain.formulas import ProfessionalStatus, parse_formula_code
from domain.insured import ContractState
from domain.working_time import PARIS
from gateways.encryption import CannotDecrypt, FieldCipher
from messages import house, words
from messages.typography import NBSP, french
from services.insured import InsuredFilters, InsuredOrder, narrowed, places_of
from services.insured_views import Place
from services.sheets import Column, Cover, Holds, SheetForm, open_sheet

log = logging.getLogger(__name__)

INSURED: Final = "insured"  # the kind
SHEET: Final = "Salariés affiliés"
BATCH: Final = 1_000
READING_SECONDS: Final = 60
UNREADABLE: Final = "illisible"
COLUMNS: Final = (
    Column("Établissement", 34),
    Column("Statut professionnel", 22),
    Column("Contrat", 32),
    Column("NNI", 20, Holds.number_text),
    Column("Nom", 24),
    Column("Prénom", 24),
    Column("Date de naissance", 18, Holds.day),
    Column("Date d’effet", 14, Holds.day),
    Column("Date de fin", 14, Holds.day),
    Column("Conjoint Assuré", 17),
    Column("Enfants assurés", 17, Holds.quantity),
    Column("SIRET", 18, Holds.number_text),
)
_ORDERS: Final = {
    InsuredOrder.name: "par ordre alphabétique",
    InsuredOrder.name_backwards: "de Z à A",
    InsuredOrder.date: "du plus ancien au plus récent",
    InsuredOrder.date_backwards: "du plus récent au plus ancien",
}
_NOTES: Final = (
    "Ce fichier est réservé aux personnes habilitées de l’entreprise, et à son déclarant mandaté.",
    "Il contient des numéros de sécurité sociale (NNI) : ne l’envoyez pas par e-mail, "
    "enregistrez-le dans un dossier protégé et supprimez-le après usage.",
    "Chaque export est inscrit au journal de l’Espace Entreprise Santé.",
)


class InsuredExport:
    """The kind of export, for whoever may read the list. `pool`: of whichever role; it is read as hcr_web."""

    event = "data.list_exported"

    def __init__(self, pool: Pool, cipher: FieldCipher) -> None:
        self._pool = pool
        self._cipher = cipher

    async def count(self, companies: tuple[UUID, ...], filters: InsuredFilters, most: int) -> int:
        """How many rows there are, up to `most`."""
        async with tenant_reading(self._pool, companies, READING_SECONDS) as connection:
            wanted, arguments = narrowed(filters, await places_of(connection, list(companies)))
            return await _count(connection, wanted, arguments, _people(filters), most)

    def filtered_by(self, parameters: Mapping[str, Any]) -> list[str]:
        return sorted(name for name, value in parameters.items() if value is not None and name != "order")

    async def write(self, order: ExportOrder, progress: Progress) -> ExportFile:
        """The lines of the screen, in its order: the same filter, from a cursor, so in constant memory."""
        at, done, by_company = datetime.now(UTC), 0, Counter[UUID]()
        sheet = open_sheet(SheetForm(order.form), SHEET, COLUMNS)
        async with self._reading(order) as reading:
            await progress(0, reading.total)
            rows = await reading.next()
            while rows:
                # a thread writes these while the next ones are on their way
                _, following = await asyncio.gather(
                    asyncio.to_thread(sheet.append, map(reading.line, rows)), reading.next()
                )
                by_company.update(row["company_id"] for row in rows)
                done += len(rows)
                await progress(done, max(done, reading.total))
                rows = following
        content = await asyncio.to_thread(sheet.finish, cover(filters_of(order.parameters), done, at))
        return ExportFile(content, done, dict(by_company))

    async def lines(self, order: ExportOrder) -> list[list[Any]]:
        """The same lines at once, as a measurement compares with."""
        async with self._reading(order) as reading:
            found: list[list[Any]] = []
            while rows := await reading.next():
                found += map(reading.line, rows)
        return found

    @asynccontextmanager
    async def _reading(self, order: ExportOrder) -> AsyncIterator[_Reading]:
        filters = filters_of(order.parameters)
        async with tenant_reading(self._pool, order.companies, READING_SECONDS) as connection:
            places = await places_of(connection, list(order.companies))
            companies, arguments = narrowed(filters, places)
            people = _people(filters)
            total = await _count(connection, companies, arguments, people, None)
            cursor = await connection.cursor(_query(filters), companies, *arguments, people, timeout=READING_SECONDS)
            yield _Reading(cursor, total, SheetForm(order.form), self._cipher, {place.id: place for place in places})


def parameters_of(filters: InsuredFilters) -> dict[str, Any]:
    """What a job keeps of what was asked for."""
    given = {one.name: getattr(filters, one.name) for one in fields(filters)}
    if filters.people is not None:
        given["people"] = [str(one) for one in filters.people]
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in given.items()}


def filters_of(parameters: Mapping[str, Any]) -> InsuredFilters:
    """The same back."""
    given = dict(parameters)
    return InsuredFilters(
        **{
            **given,
            "state": ContractState(given["state"]) if given["state"] else None,
            "professional_status": ProfessionalStatus(given["professional_status"])
            if given["professional_status"]
            else None,
            "people": tuple(UUID(one) for one in given["people"]) if given["people"] is not None else None,
            "order": InsuredOrder(given["order"]),
        }
    )


def in_words(filters: InsuredFilters) -> list[str]:
    """What narrows the list: « SIREN 999000003 », « nom « martin » »…"""
    return [
        *([f"SIREN {filters.siren}"] if filters.siren else []),
        *([f"SIRET {filters.siret}"] if filters.siret else []),
        *([french(f"établissement « {filters.establishment} »")] if filters.establishment else []),
        *([french(f"statut « {words.contract_state_label(filters.state)} »")] if filters.state else []),
        *([words.active_status_label(filters.professional_status)] if filters.professional_status else []),
        *([filters.formula] if filters.formula else []),
        *([french(f"nom « {filters.q} »")] if filters.q else []),
        *(["numéro de sécurité sociale"] if filters.people is not None else []),
    ]


def cover(filters: InsuredFilters, rows: int, at: datetime) -> Cover:
    local = at.astimezone(PARIS)
    narrowed_by = in_words(filters)
    return Cover(
        f"{SHEET} – {house.NAME}",
        [
            ("Arrêté au", f"{local:%d/%m/%Y} à {local.hour}{NBSP}h{NBSP}{local.minute:02} (heure de Paris)"),
            (
                "Filtre",
                ", ".join(narrowed_by)
                if narrowed_by
                else "Aucun : tous les contrats de votre périmètre".replace(" :", f"{NBSP}:"),
            ),
            ("Ordre", _ORDERS[InsuredOrder.date_backwards if filters.people is not None else filters.order]),
            ("Nombre de lignes", f"{rows:,}".replace(",", "\u202f")),
        ],
        [french(note) for note in _NOTES],
    )


@dataclass(frozen=True)
class _Reading:
    """Rows of the database, some at a time, and what a line of the sheet says of one. `total`: how many there are."""

    cursor: Cursor[asyncpg.Record]
    total: int
    form: SheetForm
    cipher: FieldCipher
    places: Mapping[UUID, Place]

    async def next(self) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.cursor.fetch(BATCH, timeout=READING_SECONDS)
        return rows

    def line(self, row: asyncpg.Record) -> list[Any]:
        place = self.places[row["establishment_id"]]
        return [
            place.name,
            _status(row["formula"]),
            row["formula"],
            self._nir(row),
            row["last_name"],
            row["first_names"],
            row["birth_date"],
            row["starts_on"],
            row["ends_on"],
            "Oui" if row["partners"] else "Non",
            row["children"] or 0,
            self._digits(place.siret, (3, 3, 3, 5)),
        ]

    def _nir(self, row: asyncpg.Record) -> str:
        """One number that cannot be read spoils no file (security.md X-02)."""
        try:
            nir = self.cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["employee_id"]))
        except CannotDecrypt:
            log.error("a number could not be read", extra={"id": str(row["employee_id"])})
            return UNREADABLE
        return self._digits(nir, (1, 2, 2, 2, 3, 3, 2))

    def _digits(self, number: str, groups: tuple[int, ...]) -> str:
        """In CSV, which has no texts, groups keep a spreadsheet from taking it for a quantity."""
        if self.form is SheetForm.xlsx:
            return number
        parts, at = [], 0
        for length in groups:
            parts.append(number[at : at + length])
            at += length
        return " ".join(parts)


@cache
def _status(formula: str) -> str:
    return words.active_status_label(parse_formula_code(formula).status)


async def _count(
    connection: Connection,
    companies: list[UUID],
    arguments: tuple[Any, ...],
    people: list[UUID] | None,
    most: int | None,
) -> int:
    count: int = await connection.fetchval(
        insured.COUNT_EVERY, companies, *arguments, people, most, timeout=READING_SECONDS
    )
    return count


def _people(filters: InsuredFilters) -> list[UUID] | None:
    return None if filters.people is None else list(filters.people)


def _query(filters: InsuredFilters) -> str:
    """As the screen orders them; of known people it shows the newest first."""
    if filters.people is not None:
        return insured.EVERY_NEWEST_FIRST
    return {
        InsuredOrder.name: insured.EVERY_BY_NAME,
        InsuredOrder.name_backwards: insured.EVERY_BY_NAME_BACKWARDS,
        InsuredOrder.date: insured.EVERY_OLDEST_FIRST,
        InsuredOrder.date_backwards: insured.EVERY_NEWEST_FIRST,
    }[filters.order]
