"""« Exporter » over many rows, beside openpyxl's own write-only loop over the same rows: time and memory.

Each runs in a process of its own (`bench.exporting`), in turns; the quickest of each counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import date
from uuid import UUID, uuid4

from bench.report import Figure
from bench.stack import Stack
from composition import cipher
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir, synthetic_siren, synthetic_siret
from settings import ROOT

COMPANY = 23_456
RATIO, MEGABYTES = 1.15, 120
_LAST_NAMES = ("Martin", "Bernard", "Le Goff", "Nguyễn", "da Silva", "Lefèvre-Müller", "O’Brien")
_FIRST_NAMES = ("Camille", "Jean-Baptiste", "Zoé", "Maria", "Inès", "Thị", "Noël")
_FORMULAS = ("BASE CCN HCR NC SEUL RG", "OPTION 1 CCN HCR C FAMILLE RG", "BASE CCN HCR C DUO RL")

PEOPLE = """
INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed, nir_index,
                      search_name)
SELECT id, $1, 'MME', last_name, last_name, first_names, birth_date, nir_sealed, int4send(n::int),
       lower(last_name || ' ' || first_names)
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::date[], $6::bytea[])
    WITH ORDINALITY AS t (id, last_name, first_names, birth_date, nir_sealed, n)
"""
CONTRACTS = """
WITH affiliation AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, medium, status, version)
    SELECT uuidv7(), e.company_id, s.id, e.id, 'fr', '2026-01-05', 'NC', 'RG', 'cdi', 'bench', '{}', 'email',
           'finalised', 3
    FROM employee e JOIN establishment s ON s.company_id = e.company_id WHERE e.company_id = $1
    RETURNING id, company_id, establishment_id, employee_id
), coverage AS (
    INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on, ends_on)
    SELECT uuidv7(), company_id, establishment_id, employee_id, id, ($2::text[])[1 + floor(random() * 3)::int],
           date '2020-01-01' + floor(random() * 2550)::int,
           CASE WHEN random() < 0.2 THEN date '2026-01-01' + floor(random() * 300)::int END
    FROM affiliation RETURNING id, company_id, affiliation_id, formula
)
INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date)
SELECT uuidv7(), company_id, affiliation_id, id, kind, 'Silva', 'Alix', '2015-03-10'
FROM coverage, unnest(ARRAY['partner', 'child']) AS kind WHERE formula LIKE '% FAMILLE %'
"""


async def measure(stack: Stack, *, rows: int = 100_000, times: int = 3) -> list[Figure]:
    company = await _seed(stack, rows)
    told: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    for _ in range(times):
        for which, measured in told.items():
            measured.append(await _child(stack, which, company))
    best = {which: min(one["seconds"] for one in measured) for which, measured in told.items()}
    peak = {which: max(one["megabytes"] for one in measured) for which, measured in told.items()}
    return [
        Figure(f"openpyxl's write-only loop, {rows:,} rows in memory", best["bare"], "s"),
        Figure("the export, from the database to the file's bytes", best["ours"], "s"),
        Figure("ratio", best["ours"] / best["bare"], "", RATIO),
        Figure("peak memory of the export's process", peak["ours"], "MB", MEGABYTES),
        Figure("the same before it began", told["ours"][0]["before"], "MB"),
    ]


async def _seed(stack: Stack, rows: int) -> UUID:
    connection, fields = await stack.database(), cipher(stack.config)
    await connection.execute("SET session_replication_role = replica")  # references of rows inserted together are right
    siren = synthetic_siren(COMPANY)
    company: UUID = await connection.fetchval(
        "INSERT INTO company (siren, name, insurer, insurer_reference)"
        " VALUES ($1, 'GROUPE DES MESURES', 'klesia', 'K2')"
        " ON CONFLICT (siren) DO UPDATE SET name = excluded.name RETURNING id",
        siren,
    )
    await connection.execute(
        "INSERT INTO establishment (company_id, siret, name, postcode, city)"
        " VALUES ($1, $2, 'HÔTEL DES MESURES', '75011', 'PARIS') ON CONFLICT DO NOTHING",
        company,
        synthetic_siret(siren),
    )
    birth = date(1990, 5, 12)
    nirs = [synthetic_nir(Civility.madame, birth, order=number) for number in range(1, 999)]
    ids = [uuid4() for _ in range(rows)]
    sealed = [fields.encrypt(nirs[n % len(nirs)], "employee", "nir", str(one)) for n, one in enumerate(ids)]
    names = [f"{_LAST_NAMES[n % 7]} {n * 7919 % 10_007}" for n in range(rows)]
    firsts = [_FIRST_NAMES[n % 7] for n in range(rows)]
    await connection.execute(PEOPLE, company, ids, names, firsts, [birth] * rows, sealed, timeout=600)
    await connection.execute(CONTRACTS, company, list(_FORMULAS), timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    await connection.close()
    return company


async def _child(stack: Stack, which: str, company: UUID) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.exporting", which, str(company)),
        cwd=ROOT,
        env={**os.environ, **stack.environment},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the measured process ended with {process.returncode}")
    told: dict[str, float] = json.loads(said)
    return told
