"""The rows of a bulk import held against each other and against what is known of their people, in sets.

What is found depends on nothing but the rows and the database: done again after a crash, it is the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg

from activities.contracts.affiliation_imports import RowState
from db import affiliation_imports as statements
from db import pre_affiliation_checks
from db.pool import Connection, Pool, system, tenant
from domain.affiliation import OPEN, Status
from gateways.encryption import FieldCipher
from services import affiliation_import_rows as rows
from services.affiliation_import_rows import SIRET_CLOSED, SIRET_UNKNOWN, Found, Looked, Perimeter
from services.affiliation_import_views import RowRepair
from services.declarations import PreAffiliation
from services.fields import today
from services.import_values import Repair
from services.pre_affiliation_checks import Place

AT_ONCE: Final = 250  # rows between two signs of life
LOOKED_UP: Final = 1_000  # people in one query


@dataclass(frozen=True)
class Checked:
    """A row with its state. `person`: blind index of its number; `place_id`: where it would be declared."""

    looked: Looked
    state: RowState
    company_id: UUID | None = None
    place_id: UUID | None = None
    person: bytes | None = None
    affiliation_id: UUID | None = None
    included: bool = True

    @property
    def number(self) -> int:
        return self.looked.number

    def found(self, state: RowState, code: str, at: str = "", other: int | None = None) -> Checked:
        """The same with one more problem, in another state."""
        problems = (*self.looked.problems, Found(at, code, other))
        return replace(self, looked=replace(self.looked, problems=problems), state=state)


@dataclass
class Known:
    """What is known of one person in a company."""

    employee_id: UUID
    birth_date: date
    insured_to: date | None
    affiliations: list[asyncpg.Record] = field(default_factory=list)


class GivenRow(Protocol):
    """As it was read, from a file or from what is kept of it."""

    @property
    def number(self) -> int: ...
    @property
    def values(self) -> Mapping[str, str]: ...
    @property
    def repairs(self) -> Sequence[Repair | RowRepair]: ...


class ImportChecker:
    """`pool`: of either role; establishments and people are looked up in the perimeter alone."""

    def __init__(self, pool: Pool, cipher: FieldCipher) -> None:
        self._pool = pool
        self._cipher = cipher

    async def perimeter(self, companies: Sequence[UUID]) -> Perimeter:
        """The open establishments."""
        async with tenant(self._pool, companies) as connection:
            found = await connection.fetch(pre_affiliation_checks.OPEN_ESTABLISHMENTS, today())
        return Perimeter({row["siret"]: Place(**row) for row in found})

    async def check(
        self, companies: Sequence[UUID], given: Iterable[GivenRow], beat: Callable[[], None] = lambda: None
    ) -> list[Checked]:
        """Every row with its state."""
        perimeter = await self.perimeter(companies)
        looked: list[Looked] = []
        source = iter(given)
        while batch := await asyncio.to_thread(self._look_at, source, perimeter):
            looked += batch
            beat()
        checked = await self._placed(companies, looked)
        for start in range(0, len(checked), LOOKED_UP):
            part = checked[start : start + LOOKED_UP]
            checked[start : start + LOOKED_UP] = await self._known(companies, part)
            beat()
        return among_each_other(checked)

    @staticmethod
    def _look_at(source: Iterator[GivenRow], perimeter: Perimeter) -> list[Looked]:
        batch: list[Looked] = []
        for row in source:
            repairs = [rows.repair_of(one) for one in row.repairs]
            batch.append(rows.look_at(row.number, row.values, repairs, perimeter))
            if len(batch) == AT_ONCE:
                break
        return batch

    async def _placed(self, companies: Sequence[UUID], looked: Sequence[Looked]) -> list[Checked]:
        """By their establishments, those that are closed among them."""
        async with tenant(self._pool, companies) as connection:
            found = await connection.fetch(statements.ESTABLISHMENTS, list(companies))
        places = {row["siret"]: row for row in found}
        return [self._of_place(one, places) for one in looked]

    def _of_place(self, looked: Looked, places: Mapping[str, asyncpg.Record]) -> Checked:
        request = looked.request
        if request is None:
            return Checked(looked, RowState.invalid)
        person = self._cipher.blind_index(request.employee.nir, "nir")
        row = Checked(looked, RowState.new, person=person)
        place = places.get(request.siret)
        if place is None:
            return row.found(RowState.invalid, SIRET_UNKNOWN, "siret")
        row = replace(row, company_id=place["company_id"], place_id=place["id"])
        if place["closed_on"] is not None and place["closed_on"] <= request.hired_on:
            return row.found(RowState.invalid, SIRET_CLOSED, "siret")
        return row

    async def _known(self, companies: Sequence[UUID], part: Sequence[Checked]) -> list[Checked]:
        whom = {(row.company_id, row.person) for row in part if row.state is RowState.new}
        if not whom:
            return list(part)
        async with tenant(self._pool, companies) as connection:
            known = await _look_up(connection, whom)
        return [
            against_what_is_known(row, known[row.company_id, row.person])
            if (row.company_id, row.person) in known and row.state is RowState.new
            else row
            for row in part
        ]


async def _look_up(connection: Connection, whom: Iterable[tuple[Any, Any]]) -> dict[tuple[Any, Any], Known]:
    pairs = list(whom)
    people = await connection.fetch(
        statements.KNOWN, [company for company, _ in pairs], [person for _, person in pairs]
    )
    known = {row["id"]: Known(row["id"], row["birth_date"], row["insured_to"]) for row in people}
    for row in await connection.fetch(statements.DECLARED, list(known)):
        known[row["employee_id"]].affiliations.append(row)
    return {(row["company_id"], row["nir_index"]): known[row["id"]] for row in people}


def against_what_is_known(row: Checked, known: Known) -> Checked:
    """Its state by what runs, ran and insures. Nothing of another person is told."""
    request = row.looked.request
    assert request is not None, "only whole rows are looked up"
    if known.birth_date != request.employee.birth_date:
        return row.found(RowState.conflict, "conflict.other_person", "nir")
    here = [one for one in known.affiliations if one["establishment_id"] == row.place_id]
    runs = next((one for one in here if one["status"] in OPEN), None)
    if runs is not None:
        row = replace(row, affiliation_id=runs["id"])
        if not runs["own"] and _contact_differs(request, runs):
            return replace(row.found(RowState.changed, "changed.contact"), included=False)
        return row.found(RowState.running, "running.here")
    if known.insured_to is not None and known.insured_to >= request.hired_on:
        insured = next((one["id"] for one in known.affiliations if one["status"] == Status.finalised), None)
        return replace(row.found(RowState.insured, "insured.here"), affiliation_id=insured)
    same = next((one for one in here if one["hired_on"] == request.hired_on), None)
    if same is None:
        return row
    row = replace(row, affiliation_id=same["id"])
    if same["status"] == Status.abandoned:
        return replace(row.found(RowState.new, "new.abandoned_before"), included=False)
    return row.found(RowState.running, "running.declared")


def _contact_differs(request: PreAffiliation, contact: asyncpg.Record) -> bool:
    """Of what the row gives: what it leaves out stays as it is."""
    employee, address = request.employee, request.employee.address
    given = {
        "email": employee.email,
        "phone": employee.phone,
        "line1": address.line1,
        "line2": address.line2,
        "postcode": address.postcode,
        "city": address.city,
    }
    return any(value is not None and value != contact[name] for name, value in given.items())


def among_each_other(checked: Sequence[Checked]) -> list[Checked]:
    """The same person twice at an establishment: once where both say the same, else neither before it is settled."""
    first: dict[tuple[Any, Any], int] = {}
    found = list(checked)
    for place, row in enumerate(checked):
        if row.person is None or row.place_id is None or row.state is RowState.invalid:
            continue
        former_at = first.setdefault((row.place_id, row.person), place)
        if former_at == place:
            continue
        former = checked[former_at]
        if former.looked.request == row.looked.request:
            found[place] = row.found(RowState.skipped, "skipped.same_row", other=former.number)
        else:
            found[place] = row.found(RowState.conflict, "conflict.other_row", "nir", former.number)
            if found[former_at].state is not RowState.conflict:
                found[former_at] = former.found(RowState.conflict, "conflict.other_row", "nir", row.number)
    return found


# --- as the database keeps them


async def add_rows(
    pool: Pool, cipher: FieldCipher, import_id: UUID, round: int, checked: Sequence[Checked], beat: Callable[[], None]
) -> bool:
    """Write them and say that all is checked. False: another reading has taken over, or it was cancelled."""
    for start in range(0, len(checked), LOOKED_UP):
        part = checked[start : start + LOOKED_UP]
        async with system(pool) as connection:
            ids = [row["id"] for row in await connection.fetch(statements.NEW_IDS, len(part))]
            columns = await asyncio.to_thread(_columns, cipher, ids, part)
            if await connection.fetchval(statements.LOCK_CHECKING, import_id, round) is None:
                return False
            await connection.execute(statements.ADD_ROWS, import_id, *columns)
        beat()
    async with system(pool) as connection:
        done: int | None = await connection.fetchval(statements.CHECKED, import_id, round, len(checked))
    return done is not None


def _columns(cipher: FieldCipher, ids: list[UUID], part: Sequence[Checked]) -> list[list[Any]]:
    numbered = list(zip(ids, part, strict=True))
    return [
        ids,
        [row.number for row in part],
        [row.company_id for row in part],
        [row.person for row in part],
        [rows.sealed(cipher, row_id, row.looked.values) for row_id, row in numbered],
        [rows.sealed_repairs(cipher, row_id, row.looked.repairs) for row_id, row in numbered],
        [row.state.value for row in part],
        [json.dumps([problem.kept() for problem in row.looked.problems]) for row in part],
        [row.affiliation_id for row in part],
        [row.included for row in part],
    ]
