"""« Mes salariés affiliés »: the coverages of a perimeter, each with its person.

Row-level security keeps what could tell something (a part of a name) from being looked at before a row's company is,
so no index of parts of names serves here: a list walks the perimeter company by company, in the order of an index, and
takes of each no more than a page.
"""

from __future__ import annotations

# $1 companies, $2 establishments, $3 formulas, $4 parts of the name as patterns, $5 state, $6 today
_STATE = """CASE WHEN v.starts_on > $6::date THEN 'coming' WHEN v.ends_on IS NULL OR v.ends_on >= $6 THEN 'current'
         WHEN v.rights_until >= $6 THEN 'portability' ELSE 'ended' END"""
_FILTER = f"""
  AND ($2::uuid[] IS NULL OR v.establishment_id = ANY ($2))
  AND ($3::text[] IS NULL OR v.formula = ANY ($3))
  AND ($5::text IS NULL OR {_STATE} = $5)
"""

_LINE = """
SELECT v.id, v.affiliation_id, v.establishment_id, v.employee_id, v.formula, v.starts_on, v.ends_on, v.rights_until,
       e.civility, e.last_name, e.birth_name, e.first_names, e.search_name, e.nir_sealed, v.company_id,
       (SELECT count(*) FROM dependant d WHERE d.coverage_id = v.id AND d.kind = 'partner') AS partners,
       (SELECT count(*) FROM dependant d WHERE d.coverage_id = v.id AND d.kind = 'child') AS children
FROM coverage v JOIN employee e ON e.id = v.employee_id
"""


_OF_NAME = "e.search_name LIKE ALL ($4)"


def _by_name(after: str, way: str) -> str:
    order = f'search_name COLLATE "C" {way}, {{}} {way}'
    return _page(
        f"""
      FROM unnest($1::uuid[]) AS mine (company_id) CROSS JOIN LATERAL (
          SELECT v.id, e.search_name FROM employee e JOIN coverage v ON v.employee_id = e.id
          WHERE e.company_id = mine.company_id {_FILTER} AND ($4::text[] IS NULL OR {_OF_NAME})
            AND e.search_name COLLATE "C" {after}= $7 AND (e.search_name COLLATE "C", v.id) {after} ($7, $8::uuid)
          ORDER BY e.{order.format("v.id")} LIMIT $9
      ) AS one""",  # noqa: S608
        order,
    )


def _gathered_by_name(after: str, way: str) -> str:
    """The names of all companies first, from the index alone; then contracts, name by name, until there are enough."""
    order = f'search_name COLLATE "C" {way}, {{}} {way}'
    return _page(
        f"""
      FROM (SELECT v.id, e.search_name
            FROM (SELECT e.id, e.search_name FROM employee e
                  WHERE e.company_id = ANY ($1::uuid[]) AND e.search_name COLLATE "C" {after}= $7
                    AND ($4::text[] IS NULL OR {_OF_NAME})
                  ORDER BY e.search_name COLLATE "C" {way} OFFSET 0) AS e
            CROSS JOIN LATERAL (
                SELECT v.id FROM coverage v
                WHERE v.employee_id = e.id {_FILTER} AND (e.search_name COLLATE "C", v.id) {after} ($7, $8::uuid)
                OFFSET 0) AS v) AS one""",  # noqa: S608
        order,
    )


def _by_date(after: str, way: str) -> str:
    order = f"starts_on {way}, {{}} {way}"
    return _page(
        f"""
      FROM unnest($1::uuid[]) AS mine (company_id) CROSS JOIN LATERAL (
          SELECT v.id, v.starts_on FROM coverage v
          WHERE v.company_id = mine.company_id {_FILTER} AND $4::text[] IS NULL
            AND (v.starts_on, v.id) {after} ($7, $8::uuid)
          ORDER BY v.{order.format("v.id")} LIMIT $9
      ) AS one""",  # noqa: S608
        order,
    )


def _of_name_by_date(after: str, way: str) -> str:
    return _page(
        f"""
      FROM (SELECT v.id, v.starts_on FROM employee e JOIN coverage v ON v.employee_id = e.id
            WHERE e.company_id = ANY ($1::uuid[]) {_FILTER} AND {_OF_NAME}
              AND (v.starts_on, v.id) {after} ($7, $8::uuid)) AS one""",  # noqa: S608
        f"starts_on {way}, {{}} {way}",
    )


def _page(found: str, order: str) -> str:
    return f"""
SELECT line.*
FROM (SELECT one.id {found}
      ORDER BY one.{order.format("one.id")} LIMIT $9) AS page
JOIN LATERAL ({_LINE} WHERE v.id = page.id) AS line ON true
ORDER BY line.{order.format("line.id")}
"""  # noqa: S608


# $7 and $8: where the page before ended, or what comes before everything (after, backwards); $9: how many.
BY_NAME = _by_name(">", "ASC")
BY_NAME_BACKWARDS = _by_name("<", "DESC")
# The same, quicker where the companies are many and small.
BY_NAME_OF_MANY = _gathered_by_name(">", "ASC")
BY_NAME_BACKWARDS_OF_MANY = _gathered_by_name("<", "DESC")
# $4 null
OLDEST_FIRST = _by_date(">", "ASC")
NEWEST_FIRST = _by_date("<", "DESC")
# $4 not null
OF_NAME_OLDEST_FIRST = _of_name_by_date(">", "ASC")
OF_NAME_NEWEST_FIRST = _of_name_by_date("<", "DESC")

# How many in each state; $7: no more than so many are looked at.
_COUNT = f"SELECT state, count(*) AS many FROM (SELECT {_STATE} AS state {{}} LIMIT $7) AS found GROUP BY state"  # noqa: S608
COUNT = _COUNT.format(f"FROM coverage v WHERE v.company_id = ANY ($1::uuid[]) {_FILTER} AND $4::text[] IS NULL")
COUNT_OF_NAME = _COUNT.format(
    "FROM employee e JOIN coverage v ON v.employee_id = e.id"
    f" WHERE e.company_id = ANY ($1::uuid[]) {_FILTER} AND {_OF_NAME}"
)

# Somebody whose number is known: the same person has a row in each company of the perimeter that employs them.
PEOPLE_WITH_NIR = "SELECT id FROM employee WHERE company_id = ANY ($1::uuid[]) AND nir_index = $2"

# $1: employees; of them few lines, so that they need no pages.
OF_PEOPLE = f"""
{_LINE}
WHERE v.employee_id = ANY ($1::uuid[]) {_FILTER} AND ($4::text[] IS NULL OR {_OF_NAME})
ORDER BY v.starts_on DESC, v.id DESC LIMIT $7
"""

# --- every line of the same list, as exports read it: from a cursor, in one reading of each table
# $7: employees, or null.
_EVERY = f"""
FROM coverage v JOIN employee e ON e.id = v.employee_id
LEFT JOIN (SELECT d.coverage_id, count(*) FILTER (WHERE d.kind = 'partner') AS partners,
                  count(*) FILTER (WHERE d.kind = 'child') AS children
           FROM dependant d WHERE d.company_id = ANY ($1::uuid[]) GROUP BY d.coverage_id) AS family
    ON family.coverage_id = v.id
WHERE v.company_id = ANY ($1::uuid[]) {_FILTER} AND ($4::text[] IS NULL OR {_OF_NAME})
  AND ($7::uuid[] IS NULL OR v.employee_id = ANY ($7))
"""  # noqa: S608


def _every(order: str) -> str:
    return f"""
SELECT v.company_id, v.establishment_id, v.employee_id, v.formula, v.starts_on, v.ends_on, e.last_name, e.first_names,
       e.birth_date, e.nir_sealed, family.partners, family.children
{_EVERY} ORDER BY {order}
"""


EVERY_BY_NAME = _every('e.search_name COLLATE "C", v.id')
EVERY_BY_NAME_BACKWARDS = _every('e.search_name COLLATE "C" DESC, v.id DESC')
EVERY_OLDEST_FIRST = _every("v.starts_on, v.id")
EVERY_NEWEST_FIRST = _every("v.starts_on DESC, v.id DESC")
# $8: no more than so many are counted.
COUNT_EVERY = f"SELECT count(*) FROM (SELECT {_EVERY} LIMIT $8) AS found"  # noqa: S608

ONE = _LINE + "WHERE v.id = $1"

# All of one person's in the same company, the newest first.
HISTORY = _LINE + "WHERE v.employee_id = $1 ORDER BY v.starts_on DESC, v.id DESC"

CONTRACT = """
SELECT a.hired_on, a.contract_kind, a.status, c.siren, c.name AS company, c.insurer, c.insurer_reference, c.emits_dsn,
       s.siret, s.name AS establishment, s.postcode, s.city
FROM affiliation a
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
WHERE a.id = $1
"""

COMPANIES = "SELECT siren, name FROM company WHERE id = ANY ($1::uuid[]) ORDER BY name, siren"

# The establishments of a perimeter: what a list can be narrowed to, and the names of its lines.
PLACES = """
SELECT s.id, s.company_id, s.siret, s.name FROM establishment s
WHERE s.company_id = ANY ($1::uuid[]) ORDER BY s.name, s.siret
"""
