"""Insured persons as conclusions leave them, without a form: for tests of what is read of them."""

from __future__ import annotations

import itertools
import json
import secrets
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from domain.identifiers import Civility
from domain.names import search_form
from domain.synthetic import synthetic_nir
from tests.world import Employer, World

_numbers = itertools.count(secrets.randbelow(8 * 10**4))

_ADD = """
WITH place AS (
    SELECT id, company_id FROM establishment WHERE siret = $1
), person AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    SELECT $2, company_id, 'MME', $3, $3, $4, $5, $6, $7, $8 FROM place
    ON CONFLICT (id) DO NOTHING
), affiliation AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, medium, status, version)
    SELECT uuidv7(), company_id, place.id, $2, 'fr', $10, $14, 'RG', 'cdi', 'test', $9, 'email', 'finalised', 1000
    FROM place RETURNING id, company_id, establishment_id, employee_id
), coverage AS (
    INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on, ends_on,
                          rights_until)
    SELECT uuidv7(), company_id, establishment_id, employee_id, id, $11, $10, $12, $15 FROM affiliation
    RETURNING id, company_id, affiliation_id
), dependants AS (
    INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date)
    SELECT uuidv7(), company_id, affiliation_id, id, kind, 'Ayantdroit', 'Secret', '2015-03-10'
    FROM coverage, unnest($13::text[]) AS kind
)
SELECT id FROM coverage
"""


def new_nir() -> tuple[str, date]:
    """A number that no other test has, and the birth date that it tells."""
    number = next(_numbers)
    birth = date(1960, 1, 1) + timedelta(days=31 * (number % 500))
    return synthetic_nir(Civility.madame, birth, f"{number // 500 % 90 + 1:02}" if number // 500 % 90 != 19 else "75",
                         number % 998 + 1), birth  # fmt: skip


async def add_insured(
    world: World,
    employer: Employer,
    *,
    siret: str = "",
    last_name: str = "Essai",
    first_names: str = "Camille",
    formula: str = "BASE CCN HCR NC SEUL RG",
    starts_on: date = date(2026, 1, 5),
    ends_on: date | None = None,
    rights_until: date | None = None,
    dependants: tuple[str, ...] = (),
    nir: str = "",
    again: UUID | None = None,
) -> UUID:
    """The contract's id. `dependants`: their kinds. `again`: a contract of the same person, for one more."""
    number, birth = (nir, date(1975, 6, 12)) if nir else new_nir()
    employee_id: UUID
    if again is None:
        [row] = await world.run("SELECT uuidv7() AS id")
        employee_id = row["id"]
    else:
        [row] = await world.run("SELECT employee_id FROM coverage WHERE id = $1", again)
        employee_id = row["employee_id"]
    arguments: tuple[Any, ...] = (
        siret or employer.siret,
        employee_id,
        last_name,
        first_names,
        birth,
        world.cipher.encrypt(number, "employee", "nir", str(employee_id)),
        world.cipher.blind_index(number, "nir"),
        search_form(f"{last_name} {last_name} {first_names}"),
        json.loads("{}"),
        starts_on,
        formula,
        ends_on,
        list(dependants),
        "C" if " C " in formula else "NC",
        rights_until,
    )
    [row] = await world.run(_ADD, *arguments)
    insured_id: UUID = row["id"]
    return insured_id
