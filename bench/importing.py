"""A bulk import of 10,000 rows, and what another company notices of it.

Checked: from the file that arrives to the last row with its state, by the worker. Started: rounds of an idle system and
of one that starts an import, in turn, so that both meet the same machine; another company reads its list and declares
somebody all the while, and a third one has a short import of its own.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import time
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from openpyxl import Workbook

from activities.contracts.affiliation_imports import ImportState
from bench.people import declarations
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.waiting import until
from bench.wire import Wire
from db import register
from domain.synthetic import synthetic_siren, synthetic_siret
from messages.terms import current_terms
from services.affiliation_import_views import FIELDS, ImportView
from services.affiliation_imports import AffiliationImports
from services.callers import EMPLOYER_SCOPES, Caller, SignedIn
from services.import_columns import BY_FIELD
from web.parts import open_parts

COMPANY, SMALL = 12_399, 12_401
SMALL_ROWS = 5
WAIT_SECONDS = 300
PAUSE_SECONDS = 0.05  # between two requests of the other company
_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_version, terms_version)
VALUES ('employer', $2, 'Camille', 'Mesure', now(), 1, $1) RETURNING id
"""
_MEMBER = """
INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at) VALUES ($1, $2, 'member', now(), now())
"""


async def measure(
    stack: Stack, *, rows: int = 10_000, rounds: int = 3, batch: int = 150, calls: int = 100
) -> list[Figure]:
    """`batch`: rows confirmed in each round; `calls`: of the other company, in each half of a round."""
    caller, siret = await _importer(stack, COMPANY)
    small, small_siret = await _importer(stack, SMALL)
    content = await asyncio.to_thread(_workbook, siret, rows)
    idle: list[float] = []
    busy: list[float] = []
    ratios, rates, waited = [], [], []
    async with (
        running(stack.worker()),
        running(stack.api()),
        open_parts(stack.config, await stack.temporal_client()) as parts,
    ):
        imports = parts.affiliation_imports
        await _other(stack, calls)  # warm
        before = await _other(stack, calls)
        checking = asyncio.create_task(_checked(imports, caller, content))
        meanwhile: list[float] = []
        while not checking.done():
            meanwhile += await _other(stack, 10)
        view, checked = await checking
        for number in range(rounds):
            alone = await _other(stack, calls)
            wanted = [row + 2 for row in range(number * batch, min((number + 1) * batch, rows))]
            began = time.perf_counter()
            await imports.confirm(caller, view.id, wanted)
            third = asyncio.create_task(_small(imports, small, small_siret))
            beside = await _other(stack, calls)
            await until(lambda: _in(imports, caller, view.id, ImportState.done), WAIT_SECONDS, pause=0.1)
            rates.append(len(wanted) / (time.perf_counter() - began))
            waited.append(await third)
            ratios.append(percentile(beside, 0.95) / percentile(alone, 0.95))
            idle += alone
            busy += beside
    return [
        Figure(f"{rows:,} rows of an .xlsx read and checked", checked, "s", 20),
        Figure(
            "another company's requests meanwhile: p95, as a ratio to idle",
            percentile(meanwhile, 0.95) / percentile(before, 0.95),
            "",
            2.0,
        ),
        Figure("rows started, by one import alone", median(rates), "/s"),
        Figure("another company's requests, idle, p95", percentile(idle, 0.95) * 1000, "ms"),
        Figure("the same while an import runs, p95", percentile(busy, 0.95) * 1000, "ms"),
        Figure("ratio (median of rounds)", median(ratios), "", 2.0),
        Figure(f"a third company's import of {SMALL_ROWS} rows meanwhile", median(waited), "s"),
    ]


async def _checked(imports: AffiliationImports, caller: Caller, content: bytes) -> tuple[ImportView, float]:
    """Seconds from the file's arrival to its last row's state."""
    began = time.perf_counter()
    view = await imports.upload(caller, "embauches.xlsx", content)
    await until(lambda: _in(imports, caller, view.id, ImportState.checked), WAIT_SECONDS, pause=0.1)
    return view, time.perf_counter() - began


async def _in(imports: AffiliationImports, caller: Caller, import_id: UUID, state: ImportState) -> ImportView | None:
    view = await imports.view(caller, import_id)
    return view if view.state is state else None


async def _small(imports: AffiliationImports, caller: Caller, siret: str) -> float:
    """Seconds from its confirmation to its end, beside the long one."""
    view = await imports.upload(caller, "embauches.xlsx", await asyncio.to_thread(_workbook, siret, SMALL_ROWS))
    began = time.perf_counter()
    await imports.confirm(caller, view.id, None)
    await until(lambda: _in(imports, caller, view.id, ImportState.done), WAIT_SECONDS, pause=0.1)
    return time.perf_counter() - began


async def _importer(stack: Stack, number: int) -> tuple[Caller, str]:
    """A user of a company of its own, and its establishment."""
    siren = synthetic_siren(number)
    siret = synthetic_siret(siren)
    connection = await stack.database()
    try:
        company = await connection.fetchval(
            register.ADD_COMPANY, siren, "HÔTEL DES IMPORTS", "klesia", f"K{number:07}", True
        )
        await connection.execute(register.ADD_ESTABLISHMENT, company, siret, "HÔTEL DES IMPORTS", "75011", "PARIS")
        user_id: UUID = await connection.fetchval(_USER, current_terms().version, f"import{number}@exemple.fr")
        await connection.execute(_MEMBER, user_id, company)
    finally:
        await connection.close()
    signed_in = SignedIn(user_id, uuid4(), b"", stepped_up=True)
    return Caller(str(user_id), (company,), EMPLOYER_SCOPES, signed_in=signed_in), siret


def _workbook(siret: str, rows: int) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Salariés")
    sheet.append([BY_FIELD[name].title for name in FIELDS])
    for body in itertools.islice(declarations(siret), rows):
        given: dict[str, Any] = json.loads(body)
        flat = {**given, **given["employee"], **given["employee"]["address"]}
        sheet.append([flat.get(name, "") for name in FIELDS])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


async def _other(stack: Stack, calls: int) -> list[float]:
    """Seconds of each request of the other company: its list, and every tenth a declaration."""
    headers = {"Authorization": f"Bearer {stack.key}", "Content-Type": "application/json"}
    bodies = declarations(stack.siret)
    wire = await Wire.open(stack.api_port)
    seconds = []
    for number in range(calls):
        declares = number % 10 == 0
        began = time.perf_counter()
        status, content = await wire.send(
            "POST" if declares else "GET", "/api/v1/affiliations", headers, next(bodies) if declares else b""
        )
        seconds.append(time.perf_counter() - began)
        if status not in (200, 201):
            raise RuntimeError(f"{status} {content!r}")
        await asyncio.sleep(PAUSE_SECONDS)
    wire.close()
    return seconds
