"""A DSN file of a hundred megabytes: read alone, and from the encrypted store to the recorded changes of rights.

Both run in a process of their own (`bench.dsn_reading`), so that its memory is theirs. Companies, establishments and
people are invented; of a hundred people two leave, one is new, and ten have a family.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import date
from uuid import UUID, uuid4

from bench.report import Figure
from bench.stack import Stack
from composition import cipher
from db import dsn
from db.pool import create_pool, system
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir, synthetic_siren
from gateways.files.storage import open_store
from gateways.files.streams import StreamVault
from settings import ROOT

FIRST_COMPANY = 41_000
PEOPLE = 50  # of an establishment
PARSED, RECORDED, MEGABYTES = 200_000, 20_000, 150
BORN = date(1975, 6, 12)
_PEOPLE = """
INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed, nir_index,
                      search_name)
SELECT id, company_id, 'MME', 'Essai', 'Essai', 'Camille', $4, '\\x00', nir_index, 'essai essai camille'
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS t (id, company_id, nir_index)
"""
_COVERAGES = """
WITH affiliation AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, medium, status, version)
    SELECT uuidv7(), e.company_id, s.id, e.id, 'fr', '2026-01-05', 'NC', 'RG', 'cdi', 'bench', '{}', 'email',
           'finalised', 3
    FROM employee e JOIN establishment s ON s.company_id = e.company_id WHERE e.company_id = ANY ($1)
    RETURNING id, company_id, establishment_id, employee_id
)
INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on)
SELECT uuidv7(), company_id, establishment_id, employee_id, id, 'BASE CCN HCR NC SEUL RG', '2026-01-05' FROM affiliation
"""


def nirs() -> list[str]:
    """Of the people of every establishment; the last is not affiliated."""
    return [synthetic_nir(Civility.madame, BORN, order=number) for number in range(1, PEOPLE + 1)]


def lines(companies: int) -> Iterator[str]:
    """The file, each line with its end."""
    counted = 0
    for code, value in _rubriques(companies):
        counted += 1
        yield f"{code},'{value}'\r\n"
    yield f"S90.G00.90.001,'{counted + 2}'\r\n"
    yield f"S90.G00.90.002,'{companies}'\r\n"


def _rubriques(companies: int) -> Iterator[tuple[str, str]]:
    people = nirs()
    yield from _block("S10.G00.00", "001 PAIE FICTIVE;002 EDITEUR;003 1.0;005 02;006 P26V01;008 01")
    yield from _block("S10.G00.01", f"001 {synthetic_siren(FIRST_COMPANY)};002 00018")
    for company in range(companies):
        declared = f"001 01;002 01;003 11;004 {company};005 01042026;007 05052026;008 01"
        yield from _block("S20.G00.05", declared)
        yield from _block("S21.G00.06", f"001 {synthetic_siren(FIRST_COMPANY + company)};002 00018;015 1979")
        yield from _block("S21.G00.11", "001 00018;002 5610A;003 12 RUE DE L'ÉGLISE;004 75011;005 PARIS;022 1979")
        yield from _block("S21.G00.15", "001 HCRSANTE0001;002 P9999;003 IGEST1;004 01;005 100")
        for number, nir in enumerate(people):
            yield from _person(number, nir)


def _person(number: int, nir: str) -> Iterator[tuple[str, str]]:
    """As a monthly declaration has them: most of it is pay."""
    new = number == PEOPLE - 1
    yield from _block(
        "S21.G00.30",
        f"001 {nir[:13]};002 D'ALMEIDA;004 LÉA;006 12061975;007 PARIS;008 2 RUE DE L'ÉGLISE, BÂTIMENT B;009 75011"
        f";010 PARIS;014 75;015 FR;019 M{number:05}",
    )
    began = "13042026" if new else "05012026"
    yield from _block(
        "S21.G00.40",
        f"001 {began};002 06;003 04;004 561d;005 08;006 SERVEUR;007 01;008 99;009 CT{number:05};011 10;012 151.67"
        ";013 151.67;014 10;016 99;017 1979;018 200;019 99900041700018",
    )
    if number == 0:
        yield from _block("S21.G00.62", "001 20042026;002 059")
    yield from _block("S21.G00.70", "004 BASE;005 NC;012 1;013 100")
    if number % 10 == 1:
        yield from _block("S21.G00.73", "003 02;004 05012026;005 15012018;006 D'ALMEIDA;009 LÉO")
    yield from _block("S21.G00.71", "002 RETA")
    yield from _block("S21.G00.50", "001 30042026;002 1850.00;004 1850.00;006 5.40;009 99.90")
    for kind in ("001", "002", "003", "010"):
        yield from _block("S21.G00.51", f"001 01042026;002 30042026;010 CT{number:05};011 {kind};013 1850.00")
    for base in ("02", "03", "04", "07"):
        yield from _block("S21.G00.78", f"001 {base};002 01042026;003 30042026;004 1850.00")
        yield from _block("S21.G00.81", "001 076;004 55.50;007 3.00")


def _block(code: str, rubriques: str) -> Iterator[tuple[str, str]]:
    for one in rubriques.split(";"):
        number, _, value = one.partition(" ")
        yield f"{code}.{number}", value


async def measure(stack: Stack, *, megabytes: float = 100) -> list[Figure]:
    per_company = sum(map(len, lines(2))) - sum(map(len, lines(1)))
    companies = max(1, round(megabytes * 1e6 / per_company))
    await _seed(stack, companies)
    url = (stack.directory / "dsn").as_uri()
    import_id, size = await _store(stack, url, companies)
    read = await _child(stack, "read", url, import_id)
    recorded = await _child(stack, "record", url, import_id)
    changes = await _changes(stack)
    return [
        Figure(f"looking through {size / 1e6:,.0f} MB, {read['lines']:,.0f} lines", read["looked"], "s"),
        Figure("reading its declarations", read["seconds"] - read["looked"], "s"),
        Figure(
            "the same, lines a second", read["lines"] / (read["seconds"] - read["looked"]), "/s", PARSED, "at least"
        ),
        Figure("peak memory of the reading process", read["megabytes"], "MB", MEGABYTES),
        Figure(f"looked through, matched and recorded, {changes:,} changes", recorded["seconds"], "s"),
        Figure("the same, lines a second", recorded["lines"] / recorded["seconds"], "/s", RECORDED, "at least"),
        Figure("peak memory of the recording process", recorded["megabytes"], "MB", MEGABYTES),
        Figure("the same before it began", recorded["before"], "MB"),
    ]


async def _seed(stack: Stack, companies: int) -> None:
    connection, fields = await stack.database(), cipher(stack.config)
    await connection.execute("SET session_replication_role = replica")
    sirens = [synthetic_siren(FIRST_COMPANY + number) for number in range(companies)]
    ids: list[UUID] = [uuid4() for _ in sirens]
    await connection.execute(
        "INSERT INTO company (id, siren, name, insurer, insurer_reference)"
        " SELECT id, siren, 'HÔTEL DES MESURES', 'klesia', 'HCRSANTE0001' FROM unnest($1::uuid[], $2::text[])"
        " AS t (id, siren)",
        ids,
        sirens,
    )
    await connection.execute(
        "INSERT INTO establishment (company_id, siret, name, postcode, city)"
        " SELECT id, siren || '00018', 'HÔTEL DES MESURES', '75011', 'PARIS' FROM unnest($1::uuid[], $2::text[])"
        " AS t (id, siren)",
        ids,
        sirens,
    )
    known = [fields.blind_index(nir, "nir") for nir in nirs()[:-1]]
    for company in ids:
        people = [uuid4() for _ in known]
        await connection.execute(_PEOPLE, people, [company] * len(known), known, BORN, timeout=60)
    await connection.execute(_COVERAGES, ids, timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    await connection.close()


async def _store(stack: Stack, url: str, companies: int) -> tuple[UUID, int]:
    """The import's id, and the file's bytes."""
    import_id = uuid4()
    files = StreamVault(open_store(url), cipher(stack.config), "dsn_import")
    stored = await files.put(_bytes(companies), str(import_id), 1 << 40)
    pool = await create_pool(stack.config.database_url, "hcr_system", 1)
    async with system(pool) as connection:
        kept = (stored.sha256, stored.size, stored.object_key, stored.data_key_sealed)
        await connection.execute(dsn.ADD_IMPORT, import_id, "directory", "", None, *kept)
    await pool.close()
    return import_id, stored.size


async def _bytes(companies: int) -> AsyncIterator[bytes]:
    held: list[str] = []
    for line in lines(companies):
        held.append(line)
        if len(held) == 20_000:
            yield "".join(held).encode("iso-8859-1")
            held.clear()
    yield "".join(held).encode("iso-8859-1")


async def _changes(stack: Stack) -> int:
    connection = await stack.database()
    count: int = await connection.fetchval("SELECT count(*) FROM dsn_change")
    await connection.close()
    return count


async def _child(stack: Stack, what: str, url: str, import_id: UUID) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.dsn_reading", what, url, str(import_id)),
        cwd=ROOT,
        env={**os.environ, **stack.environment},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the measured process ended with {process.returncode}")
    told: dict[str, float] = json.loads(said)
    return told
