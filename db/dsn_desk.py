"""DSN imports as staff see them: the files, their declarations, and the changes that wait for a decision. For the
system role; hire proposals also for the web role, which sees those of its companies."""

from __future__ import annotations

# --- imports

NOT_STARTED = """
SELECT id FROM dsn_import WHERE state = 'received' AND received_at < now() - make_interval(secs => $1)
ORDER BY received_at LIMIT $2
"""

STATES = "SELECT id, state, faults FROM dsn_import WHERE id = ANY ($1)"

_IMPORT = """
SELECT i.id, i.origin, i.name, i.received_at, i.size, i.state, i.faults, i.encoding, i.lines, i.envois, i.declarations,
       i.read_to, i.finished_at, i.object_key IS NOT NULL AS kept, n.who, d.recorded, d.duplicate, d.set_aside,
       d.foreign_, d.replaced, d.people, d.doubtful, c.changes, c.applied, c.to_decide
FROM page i
LEFT JOIN LATERAL (
    SELECT coalesce(u.first_name || ' ' || u.last_name, k.name) AS who
    FROM (SELECT CASE WHEN pg_input_is_valid(i.received_by, 'uuid') THEN i.received_by::uuid END) AS r (id)
    LEFT JOIN portal_user u ON u.id = r.id LEFT JOIN api_key k ON k.id = r.id) n ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'recorded') AS recorded,
           count(*) FILTER (WHERE state = 'duplicate') AS duplicate,
           count(*) FILTER (WHERE state = 'set_aside') AS set_aside,
           count(*) FILTER (WHERE state = 'foreign') AS foreign_,
           count(*) FILTER (WHERE state IN ('replaced', 'cancelled')) AS replaced,
           coalesce(sum(people), 0) AS people, coalesce(sum(doubtful), 0) AS doubtful
    FROM dsn_declaration WHERE import_id = i.id) d
CROSS JOIN LATERAL (
    SELECT count(*) AS changes, count(*) FILTER (WHERE c.state = 'applied') AS applied,
           count(*) FILTER (WHERE c.state = 'proposed' AND c.decision <> 'automatic') AS to_decide
    FROM dsn_declaration d JOIN dsn_change c ON c.declaration_id = d.id WHERE d.import_id = i.id) c
ORDER BY i.received_at DESC, i.id DESC
"""

# After this one ($1 received, $2 id), where one is given.
IMPORTS = f"""
WITH page AS MATERIALIZED (
    SELECT * FROM dsn_import WHERE ($1::timestamptz IS NULL OR (received_at, id) < ($1, $2::uuid))
    ORDER BY received_at DESC, id DESC LIMIT $3
)
{_IMPORT}"""  # noqa: S608

IMPORT = f"WITH page AS MATERIALIZED (SELECT * FROM dsn_import WHERE id = $1) {_IMPORT}"  # noqa: S608

# --- declarations of one import ($1), in one state ($2) or all, after a number ($3)

DECLARATIONS = """
SELECT d.id, d.number, d.first_line, d.last_line, d.siret, d.nature, d.kind, d.month, d.fraction, d.order_number,
       d.made_on, d.state, d.fault, d.ours, d.people, d.doubtful, d.doubts, d.former_id, s.name AS establishment,
       c.name AS company, f.import_id AS former_import_id, n.applied, n.to_decide, n.unchanged, n.refused
FROM dsn_declaration d
LEFT JOIN establishment s ON s.id = d.establishment_id
LEFT JOIN company c ON c.id = d.company_id
LEFT JOIN dsn_declaration f ON f.id = d.former_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'applied') AS applied,
           count(*) FILTER (WHERE state = 'proposed') AS to_decide,
           count(*) FILTER (WHERE state = 'unchanged') AS unchanged,
           count(*) FILTER (WHERE state = 'refused') AS refused
    FROM dsn_change WHERE declaration_id = d.id) n
WHERE d.import_id = $1 AND ($2::text IS NULL OR d.state = $2) AND d.number > $3
ORDER BY d.number LIMIT $4
"""

# --- changes

_CHANGE = """
SELECT h.id, h.kind, h.on_day, h.reason, h.decision, h.state, h.outcome, h.match, h.line, h.details, h.person_sealed,
       h.employee_id, h.coverage_id, h.decided_at, h.recorded_at, d.import_id, d.number, d.siret, d.month,
       d.nature, d.id AS declaration_id, s.name AS establishment, c.name AS company, e.first_names, e.last_name,
       e.birth_name, e.birth_date, e.nir_sealed, v.starts_on, v.ends_on, v.formula,
       coalesce(v.affiliation_id, a.id) AS affiliation_id, x.contract_ends_on AS known_end, x.reason AS known_reason,
       x.covered_until AS known_covered_until, x.portability_until AS known_portability_until
FROM dsn_change h
JOIN dsn_declaration d ON d.id = h.declaration_id
JOIN company c ON c.id = h.company_id
LEFT JOIN establishment s ON s.id = d.establishment_id
LEFT JOIN employee e ON e.id = h.employee_id
LEFT JOIN coverage v ON v.id = h.coverage_id
LEFT JOIN coverage_end x ON x.coverage_id = v.id AND x.cancelled_at IS NULL
LEFT JOIN LATERAL (
    SELECT id FROM affiliation WHERE employee_id = h.employee_id ORDER BY id DESC LIMIT 1) a ON true
"""

_TO_DECIDE = "h.state = 'proposed' AND h.decision <> 'automatic'"

# Of one kind ($1), to look at or to confirm ($2), of one import ($3), of a company's SIREN ($4), each where one is
# given; after a place ($5 day, $6 id).
TO_DECIDE = f"""
{_CHANGE}
WHERE {_TO_DECIDE} AND ($1::text IS NULL OR h.kind = $1) AND ($2::text IS NULL OR h.decision = $2)
  AND ($3::uuid IS NULL OR d.import_id = $3) AND ($4::text IS NULL OR c.siren = $4)
  AND ($5::date IS NULL OR (h.on_day, h.id) > ($5, $6::uuid))
ORDER BY h.on_day, h.id LIMIT $7
"""

CHANGE = f"{_CHANGE} WHERE h.id = $1"

MOST_COUNTED = 2000

# By kind and decision; nobody counts beyond $1.
COUNTS = f"""
SELECT kind, decision, count(*) AS many
FROM (SELECT h.kind, h.decision FROM dsn_change h WHERE {_TO_DECIDE} ORDER BY h.on_day, h.id LIMIT $1) w
GROUP BY kind, decision
"""  # noqa: S608

# --- files whose time is over

FILES_DUE = """
WITH due AS (
    SELECT id, object_key FROM dsn_import
    WHERE object_key IS NOT NULL AND coalesce(finished_at, received_at) < $1 AND state IN ('applied', 'refused')
    ORDER BY finished_at LIMIT $2
)
UPDATE dsn_import i SET object_key = NULL, data_key_sealed = NULL FROM due WHERE i.id = due.id
RETURNING due.id, due.object_key
"""

# --- hire proposals

OPEN_HIRES = """
SELECT p.id, p.began_on, p.person_sealed, p.created_at, s.name AS establishment, s.siret, s.city
FROM hire_proposal p JOIN establishment s ON s.id = p.establishment_id
WHERE p.state = 'open' AND p.company_id = ANY ($1) ORDER BY p.began_on, p.id LIMIT $2
"""

OPEN_HIRE_COUNT = """
SELECT count(*) FROM (SELECT FROM hire_proposal WHERE state = 'open' AND company_id = ANY ($1) LIMIT $2) p
"""

HIRE = """
SELECT p.id, p.company_id, p.began_on, p.person_sealed, p.state, s.name AS establishment, s.siret
FROM hire_proposal p JOIN establishment s ON s.id = p.establishment_id WHERE p.id = $1
"""

# $1 id, $2 declared or dismissed, $3 why, $4 who, $5 the affiliation it became
SETTLE_HIRE = """
UPDATE hire_proposal SET state = $2, reason = $3, decided_by = $4, decided_at = now(), affiliation_id = $5
WHERE id = $1 AND state = 'open' RETURNING company_id
"""

# Whoever was pre-affiliated by whatever way: the proposal of the same person and establishment has been followed.
HIRES_OF_PERSON = """
UPDATE hire_proposal p SET state = 'declared', decided_by = $3, decided_at = now(), affiliation_id = $2
FROM dsn_change h, affiliation a JOIN employee e ON e.id = a.employee_id
WHERE h.id = p.change_id AND a.id = $2 AND p.state = 'open' AND p.company_id = $1 AND a.company_id = $1
  AND h.person_index = e.nir_index
RETURNING p.id
"""

COMPANY_OF_AFFILIATION = "SELECT company_id FROM affiliation WHERE id = $1"

# The same of everybody who was, by whatever door; $1 how many at once.
HIRES_FOLLOWED = """
WITH followed AS (
    SELECT p.id, a.id AS affiliation_id
    FROM hire_proposal p
    JOIN dsn_change h ON h.id = p.change_id
    JOIN employee e ON e.company_id = p.company_id AND e.nir_index = h.person_index
    CROSS JOIN LATERAL (
        SELECT id FROM affiliation WHERE employee_id = e.id AND status <> 'abandoned' ORDER BY id DESC LIMIT 1) a
    WHERE p.state = 'open' LIMIT $1
)
UPDATE hire_proposal p SET state = 'declared', decided_at = now(), affiliation_id = f.affiliation_id
FROM followed f WHERE p.id = f.id AND p.state = 'open'
"""
