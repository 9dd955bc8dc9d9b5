"""« Mes salariés affiliés » among a million insured persons: how long a search takes, and by which plan."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from bench.report import Figure, percentile
from bench.stack import Stack
from db import insured
from db.pool import Connection, create_pool, tenant

PAGE = 51
BOUND = 10_001
TODAY = date(2026, 11, 23)
TARGET_MS = 50
LARGE = 1_000  # insured persons of one company
OFFICE = 300  # companies of an accountant
OF_OFFICE = 30  # insured persons of each of them
OTHERS = 20  # of every other company
GROUP = 20  # a group is so many times as large as the large company

# $1 companies, $2 persons of each, $3 number of the first company: names as they are spread in France, roughly.
SEED = """
WITH company AS (
    INSERT INTO company (siren, name, insurer, insurer_reference)
    SELECT lpad(n::text, 9, '0'), 'SOCIETE ' || n, 'klesia', 'K' || n FROM generate_series($3::int, $3 + $1::int - 1) n
    RETURNING id, siren
), establishment AS (
    INSERT INTO establishment (company_id, siret, name, postcode, city)
    SELECT id, siren || '00001', 'HOTEL ' || siren, '75011', 'PARIS' FROM company RETURNING id, company_id
), person AS (
    SELECT uuidv7() AS id, s.company_id, s.id AS establishment_id, n,
           (ARRAY['martin', 'bernard', 'le goff', 'nguyen', 'da silva'])[1 + floor(random() * 5)::int]
               || substr(md5(random()::text), 1, 3) AS last_name,
           (ARRAY['camille', 'jean baptiste', 'zoe', 'maria', 'ines'])[1 + floor(random() * 5)::int] AS first_names
    FROM establishment s, generate_series(1, $2::int) n
), employee AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    SELECT id, company_id, 'MME', last_name, last_name, first_names, '1990-05-12', '\\x00', int4send(n),
           last_name || ' ' || last_name || ' ' || first_names
    FROM person
), affiliation AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, medium, status, version)
    SELECT uuidv7(), company_id, establishment_id, id, 'fr', '2026-01-05', 'NC', 'RG', 'cdi', 'bench', '{}', 'email',
           'finalised', 3
    FROM person RETURNING id, company_id, establishment_id, employee_id
), coverage AS (
    INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on, ends_on)
    SELECT uuidv7(), company_id, establishment_id, employee_id, id,
           CASE WHEN random() < 0.9 THEN 'BASE CCN HCR NC SEUL RG' ELSE 'OPTION 1 CCN HCR C FAMILLE RG' END,
           date '2020-01-01' + floor(random() * 2550)::int,
           CASE WHEN random() < 0.2 THEN date '2026-01-01' + floor(random() * 300)::int END
    FROM affiliation RETURNING id, company_id, affiliation_id, formula
)
INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date)
SELECT uuidv7(), company_id, affiliation_id, id, kind, 'Silva', 'Alix', '2015-03-10'
FROM coverage, unnest(ARRAY['partner', 'child']) AS kind WHERE formula LIKE '% FAMILLE %'
"""


async def measure(stack: Stack, *, rows: int = 1_000_000, times: int = 40, scale: int = 1) -> list[Figure]:
    """As the web role sees it, with its row-level security. `scale`: every perimeter is so many times smaller."""
    perimeters = await _seed(stack, rows, scale)
    web = await create_pool(stack.config.database_url, "hcr_web", 1)
    figures = []
    for whose, companies in perimeters.items():
        async with tenant(web, companies) as connection:
            for name, (query, arguments) in _asked(companies).items():
                figures += await _timed(f"{whose}: {name}", connection, query, arguments, times)
    await web.close()
    return figures


def _asked(companies: list[UUID]) -> dict[str, tuple[str, Sequence[Any]]]:
    def listed(formula: str | None = None, named: tuple[str, ...] = (), state: str | None = None) -> tuple[Any, ...]:
        patterns = [f"%{part}%" for part in named] or None
        return companies, None, [formula] if formula else None, patterns, state, TODAY

    first, newest = ("", UUID(int=0), PAGE), (date.max, UUID(int=2**128 - 1), PAGE)
    many = len(companies) > 20  # as services/insured.py chooses
    by_name = insured.BY_NAME_OF_MANY if many else insured.BY_NAME
    rare = "OPTION 1 CCN HCR C FAMILLE RG"
    return {
        "by name": (by_name, (*listed(), *first)),
        "by name, further on": (by_name, (*listed(), "martinaaa", companies[0], PAGE)),
        "the newest first": (insured.NEWEST_FIRST, (*listed(), *newest)),
        "a name": (by_name, (*listed(named=("camille", "martinab")), *first)),
        "a name, the newest first": (insured.OF_NAME_NEWEST_FIRST, (*listed(named=("camille", "martinab")), *newest)),
        "a name that nobody has": (by_name, (*listed(named=("personne",)), *first)),
        "one formula, ended": (by_name, (*listed(rare, state="ended"), *first)),
        "to come": (insured.NEWEST_FIRST, (*listed(state="coming"), *newest)),
        "count": (insured.COUNT, (*listed(), BOUND)),
        "count of a name": (insured.COUNT_OF_NAME, (*listed(named=("camille",)), BOUND)),
        "a number": (insured.PEOPLE_WITH_NIR, (companies, (7).to_bytes(4, "big"))),
        "establishments": (insured.PLACES, (companies,)),
    }


async def _seed(stack: Stack, rows: int, scale: int) -> dict[str, list[UUID]]:
    """Insert the rows; returns perimeters by their names."""
    connection = await stack.database()
    large, office, group = LARGE // scale, OFFICE // scale, LARGE * GROUP // scale
    first = 1
    # references of rows inserted together are right
    await connection.execute("SET session_replication_role = replica")
    for companies, persons in (
        (1, large),
        (office, OF_OFFICE),
        (1, group),
        (max(1, (rows - large - group - office * OF_OFFICE) // OTHERS), OTHERS),
    ):
        await connection.execute(SEED, companies, persons, first, timeout=1200)
        first += companies
    await connection.execute("VACUUM ANALYZE", timeout=1200)
    sirens = {
        f"one company of {large:,}": (1, 1),
        f"{office} companies of {OF_OFFICE}": (2, office),
        f"a group of {group:,}": (2 + office, 1),
    }
    found = {}
    for whose, (begin, count) in sirens.items():
        wanted = [f"{number:09}" for number in range(begin, begin + count)]
        found[whose] = [
            row["id"] for row in await connection.fetch("SELECT id FROM company WHERE siren = ANY ($1)", wanted)
        ]
    await connection.close()
    return found


async def _timed(name: str, connection: Connection, query: str, arguments: Sequence[Any], times: int) -> list[Figure]:
    seconds = []
    for _ in range(times):  # often enough for a generic plan to be taken
        began = time.perf_counter()
        await connection.fetch(query, *arguments)
        seconds.append(time.perf_counter() - began)
    plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
    scanned = _full_scans(json.loads(plan)[0]["Plan"])
    return [
        Figure(f"{name}, p95", percentile(seconds, 0.95) * 1000, "ms", TARGET_MS),
        Figure(f"{name}: tables read from end to end", len(scanned), " ".join(sorted(scanned)), 0),
    ]


def _full_scans(plan: dict[str, Any]) -> set[str]:
    """The big tables that a plan reads without an index."""
    scanned = set()
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in ("coverage", "employee", "dependant"):
        scanned.add(plan["Relation Name"])
    for inner in plan.get("Plans", []):
        scanned |= _full_scans(inner)
    return scanned
