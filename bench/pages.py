"""The signed-in pages: how long the server takes for one, in a database of some hundreds of affiliations and in one of
a million, beside a page that asks the database nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import asyncpg

from bench.crowd import Companies, cookie_of_user, fill
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.wire import Wire
from domain.rights import StaffRole

FLOOR = "/connexion"
OF_EMPLOYERS = {
    "home": "/espace",
    "contracts": "/contrats",
    "follow-up": "/salaries/suivi",
    "follow-up, a search": "/salaries/suivi?q=martin",
    "one affiliation": "/salaries/suivi/{affiliation}",
    "insured": "/salaries/affilies",
    "notifications": "/notifications",
    "rights": "/habilitations",
}
OF_STAFF = {"desk": "/gestion", "what is to be done": "/gestion/a-traiter"}
AFFILIATION = """
SELECT a.id FROM affiliation a JOIN company c ON c.id = a.company_id
WHERE c.siren = lpad($1::int::text, 9, '0') ORDER BY a.status = 'sent' DESC, a.id LIMIT 1
"""


@dataclass(frozen=True)
class Reader:
    """Somebody signed in, and what they look at: pages by name."""

    name: str
    headers: Mapping[str, str]
    pages: Mapping[str, str]


async def measure(
    stack: Stack, *, rows: int = 1_000_000, offices: int = 300, times: int = 40, only: frozenset[str] = frozenset()
) -> list[Figure]:
    """`rows`: affiliations in the large database, fifty a company but for one with a thousand. `offices`: companies of
    the accountant. `only`: some pages."""
    connection = await stack.database()
    small = Companies(1, 1, min(200, rows), seen=True)
    one = Companies(2, 2, min(1000, rows), seen=True)
    office = Companies(3, 2 + offices, min(50, rows), seen=True)
    others = Companies(office.last + 1, office.last + max(1, rows // 50 - offices - 20), min(50, rows))
    figures = []
    await fill(stack, connection, small)
    async with running(stack.api()):
        readers = [await _employer(connection, "200", small), await _staff(connection, "200")]
        figures += await _looked(stack, connection, readers, times, only, target=50)
        began = time.perf_counter()
        await fill(stack, connection, one, office, others)
        figures.append(Figure(f"{rows:,} affiliations written", time.perf_counter() - began, "s", 120))
        readers = [
            await _employer(connection, "1,000", one),
            await _employer(connection, f"{offices} companies", office),
            await _staff(connection, f"{rows:,}"),
        ]
        figures += await _looked(stack, connection, readers, times, only, target=200)
    await connection.close()
    return figures


async def _employer(connection: asyncpg.Connection, name: str, companies: Companies) -> Reader:
    affiliation = await connection.fetchval(AFFILIATION, companies.first)
    headers = await cookie_of_user(connection, f"mesure{companies.first}@exemple.fr", companies)
    pages = {page: path.format(affiliation=affiliation) for page, path in OF_EMPLOYERS.items()}
    return Reader(name, headers, pages)


async def _staff(connection: asyncpg.Connection, name: str) -> Reader:
    number = await connection.fetchval("SELECT count(*) FROM portal_user")
    headers = await cookie_of_user(connection, f"gestion{number}@exemple.fr", roles=tuple(StaffRole))
    return Reader(f"staff, {name}", headers, OF_STAFF)


async def _looked(
    stack: Stack,
    connection: asyncpg.Connection,
    readers: list[Reader],
    times: int,
    only: frozenset[str],
    *,
    target: float,
) -> list[Figure]:
    """The floor is measured in turn with each page, so that both meet the same machine."""
    wire, figures = await Wire.open(stack.api_port), []
    for reader, page, path in _pages(readers, only):
        await connection.execute("DELETE FROM rate_limit")
        taken, floor = [], []
        for turn in range(-3, times):  # the first ones warm up
            seconds, bare = await _answer(wire, reader.headers, path), await _answer(wire, {}, FLOOR)
            if turn >= 0:
                taken.append(seconds)
                floor.append(bare)
        name = f"{reader.name}: {page}"
        figures += [
            Figure(f"{name}, p50", median(taken) * 1000, "ms"),
            Figure(f"{name}, p95", percentile(taken, 0.95) * 1000, "ms", target),
            Figure(f"{name}, ratio to the bare page", median(taken) / median(floor), "×"),
        ]
    wire.close()
    return figures


def _pages(readers: list[Reader], only: frozenset[str]) -> Iterator[tuple[Reader, str, str]]:
    for reader in readers:
        for page, path in reader.pages.items():
            if not only or page in only:
                yield reader, page, path


async def _answer(wire: Wire, headers: Mapping[str, str], path: str) -> float:
    asked = {**headers, "Accept": "text/html", "Accept-Encoding": "gzip"}
    began = time.perf_counter()
    status, _ = await wire.send("GET", path, asked, b"")
    if status != 200:
        raise RuntimeError(f"{path} answers {status}")
    return time.perf_counter() - began
