"""« Suivi des affiliations » and the staff desk with many rows: how long, and by which plan."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from bench.report import Figure, percentile
from bench.stack import Stack
from db import affiliations
from db.pool import Pool, create_pool, system, tenant
from domain.policy import DEFAULT_POLICY
from services.follow_up import MOST_COUNTED
from services.staff import DESK_LIMIT

COMPANY_ROWS = 1000  # affiliations of each company
PAGE = 51
NO_FILTER: tuple[None, ...] = (None,) * 9

# Companies of a thousand affiliations each, all over the last year; a few wait for staff.
SEED = """
WITH company AS (
    INSERT INTO company (siren, name, insurer, insurer_reference)
    SELECT lpad(n::text, 9, '0'), 'SOCIETE ' || n, 'klesia', 'K' || n FROM generate_series(1, $1::int) n
    RETURNING id, siren
), establishment AS (
    INSERT INTO establishment (company_id, siret, name, postcode, city)
    SELECT id, siren || '00001', 'HOTEL ' || siren, '75011', 'PARIS' FROM company RETURNING id, company_id
), employee AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    SELECT uuidv7(), c.id, 'MME', 'Nom' || n, 'Nom' || n, 'Camille', '1990-05-12', '\\x00', int4send(n),
           'nom' || md5(n::text) || ' camille'
    FROM company c, generate_series(1, $2::int) n RETURNING id, company_id, nir_index
)
INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status, scheme,
                         contract_kind, declared_by, policy, medium, status, status_at, version, attention,
                         attention_since, next_step_kind, next_step_at)
SELECT uuidv7(), e.company_id, s.id, e.id, 'fr', '2026-01-05', 'NC', 'RG', 'cdi', 'bench', $3, 'email',
       (ARRAY['sent', 'started', 'finalised', 'finalised', 'abandoned'])[1 + floor(random() * 5)::int],
       now() - random() * interval '365 days', 3, waits.attention, CASE WHEN waits.attention IS NOT NULL THEN now() END,
       'reminder', now() + random() * interval '30 days'
FROM employee e JOIN establishment s ON s.company_id = e.company_id
CROSS JOIN LATERAL (SELECT CASE WHEN hashtext(e.id::text) % 1000 = 0 THEN 'uncertain' END) AS waits (attention)
"""


async def measure(stack: Stack, *, rows: int = 100_000, times: int = 60) -> list[Figure]:
    """As the web role sees it, with its row-level security; enough repetitions for a generic plan to be taken."""
    company = await _seed(stack, rows)
    url = stack.config.database_url
    web, desk = await create_pool(url, "hcr_web", 1), await create_pool(url, "hcr_system", 1)
    asked: dict[str, tuple[str, Sequence[Any]]] = {
        "first page": (affiliations.LIST_NEWEST, (*NO_FILTER, None, None, PAGE)),
        "first page, open ones": (affiliations.LIST_NEWEST, (None, None, ["sent"], *NO_FILTER[3:], None, None, PAGE)),
        "search by name": (affiliations.LIST_NEWEST, (*NO_FILTER[:4], ["%nom1%"], *NO_FILTER[5:], None, None, PAGE)),
        "first page, what waits for the employer first": (
            affiliations.LIST_TODO_FIRST,
            (*NO_FILTER, None, None, None, PAGE),
        ),
        "count": (affiliations.COUNT, (*NO_FILTER, MOST_COUNTED)),
        "count by status": (affiliations.COUNT_BY_STATUS, (*NO_FILTER, MOST_COUNTED)),
    }
    figures = []
    for name, (query, arguments) in asked.items():
        figures += await _timed(f"one company of {COMPANY_ROWS:,}: {name}", web, (company,), query, arguments, times)
    figures += await _timed("staff desk", desk, None, affiliations.STAFF_DESK, (DESK_LIMIT,), times)
    await web.close()
    await desk.close()
    return figures


async def _seed(stack: Stack, rows: int) -> Any:
    """Insert the rows; returns the id of a company in the middle."""
    connection = await stack.database()
    companies = max(1, rows // COMPANY_ROWS)
    policy = json.dumps({"sent_by_email_days": [rung.after_days for rung in DEFAULT_POLICY.sent_by_email]})
    await connection.execute(SEED, companies, min(rows, COMPANY_ROWS), policy, timeout=600)
    await connection.execute("ANALYZE")
    siren = f"{companies // 2 + 1:09}" if companies > 1 else "000000001"
    company = await connection.fetchval("SELECT id FROM company WHERE siren = $1", siren)
    await connection.close()
    return company


async def _timed(
    name: str, pool: Pool, companies: Sequence[Any] | None, query: str, arguments: Sequence[Any], times: int
) -> list[Figure]:
    seconds = []
    async with system(pool) if companies is None else tenant(pool, companies) as connection:
        for _ in range(times):
            began = time.perf_counter()
            await connection.fetch(query, *arguments)
            seconds.append(time.perf_counter() - began)
        scanned = _full_scans(json.loads(await _plan(connection, query, arguments))[0]["Plan"])
    return [
        Figure(f"{name}, p50", percentile(seconds, 0.5) * 1000, "ms", 50),
        Figure(f"{name}, p95", percentile(seconds, 0.95) * 1000, "ms"),
        Figure(f"{name}: tables read from end to end", len(scanned), " ".join(sorted(scanned)), 0),
    ]


async def _plan(connection: Any, query: str, arguments: Sequence[Any]) -> str:
    plan: str = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
    return plan


def _full_scans(plan: dict[str, Any]) -> set[str]:
    """The big tables that a plan reads without an index."""
    scanned = set()
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in ("affiliation", "employee"):
        scanned.add(plan["Relation Name"])
    for inner in plan.get("Plans", []):
        scanned |= _full_scans(inner)
    return scanned
