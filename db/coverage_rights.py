"""Ends, portability and suspensions of coverages, and the history of their rights."""

from __future__ import annotations

LOCK = "SELECT 1 FROM coverage WHERE id = $1 FOR UPDATE"

# The coverage with the end that stands.
FACTS = """
SELECT v.id, v.company_id, v.affiliation_id, v.version, v.starts_on, v.ends_on, v.state, v.attention, e.id AS end_id,
       e.contract_began_on, e.contract_ends_on, e.reason, e.covered_until, e.portability, e.portability_from,
       e.portability_until, e.portability_ended_on, e.portability_end_reason, e.proof_until, e.origin, e.declared_by,
       e.declared_at
FROM coverage v LEFT JOIN coverage_end e ON e.coverage_id = v.id AND e.cancelled_at IS NULL
WHERE v.id = $1
"""

SUSPENSIONS = """
SELECT id, first_day, last_day, reason, kept, origin FROM coverage_suspension
WHERE coverage_id = $1 AND cancelled_at IS NULL ORDER BY first_day
"""

CHANGED = """
UPDATE coverage SET ends_on = $2, rights_until = $3, attention = $4,
       attention_since = CASE WHEN attention = $4 THEN attention_since WHEN $4::text IS NOT NULL THEN now() END,
       version = version + 1, changed_at = now()
WHERE id = $1
RETURNING version
"""

ADD_EVENT = """
INSERT INTO coverage_event (coverage_id, number, company_id, affiliation_id, kind, actor_kind, actor_id, details)
SELECT id, $2, company_id, affiliation_id, $3, $4, $5, $6 FROM coverage WHERE id = $1
"""

ADD_END = """
INSERT INTO coverage_end (company_id, coverage_id, affiliation_id, contract_began_on, contract_ends_on, reason,
                          covered_until, portability, portability_from, portability_until, proof_until,
                          portability_ended_on, portability_end_reason, origin, declared_by)
SELECT company_id, id, affiliation_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM coverage WHERE id = $1
"""

CANCEL_END = """
UPDATE coverage_end SET cancelled_at = now(), cancelled_by = $2 WHERE coverage_id = $1 AND cancelled_at IS NULL
"""

SET_PORTABILITY = """
UPDATE coverage_end SET portability = $2, proof_until = $3, portability_ended_on = $4, portability_end_reason = $5
WHERE coverage_id = $1 AND cancelled_at IS NULL
"""

ADD_SUSPENSION = """
INSERT INTO coverage_suspension (company_id, coverage_id, affiliation_id, reason, first_day, last_day, kept, origin,
                                 declared_by)
SELECT company_id, id, affiliation_id, $2, $3, $4, $5, $6, $7 FROM coverage WHERE id = $1
"""

CANCEL_SUSPENSION = """
UPDATE coverage_suspension SET cancelled_at = now(), cancelled_by = $3
WHERE coverage_id = $1 AND first_day = $2 AND cancelled_at IS NULL
"""

# --- what the workflow writes and is told

# Numbered by the state: a late retry finds a newer one and changes nothing. What staff are to decide stands before what
# the workflow only reports.
PROJECT = """
UPDATE coverage SET state = $2, state_version = $3, next_step_kind = $4, next_step_at = $5, told = greatest(told, $6),
       attention = coalesce(attention, $7),
       attention_since = CASE WHEN attention IS NOT NULL THEN attention_since WHEN $7::text IS NOT NULL THEN now() END
WHERE id = $1 AND state_version < $3
"""

UNTOLD = """
SELECT id FROM coverage WHERE told < version AND changed_at < now() - make_interval(secs => $1)
ORDER BY changed_at LIMIT $2
"""

# No workflow hears any more of the coverages of somebody who was erased: their rows are gone with them.
COVERAGE_OF_AFFILIATION = "SELECT id FROM coverage WHERE affiliation_id = $1"

# --- messages

# An e-mail address that failed for this version of the contact is not tried again.
EMAIL_FAILED = """
SELECT EXISTS (SELECT FROM dispatch WHERE affiliation_id = $1 AND contact_version = $2 AND medium = 'email'
               AND state = 'rejected')
"""

# --- pages

HISTORY = """
SELECT number, kind, at, actor_kind, actor_id, details FROM coverage_event WHERE coverage_id = $1 ORDER BY number
"""

MESSAGES = """
SELECT d.kind, d.number, d.medium, d.state, coalesce(d.handed_over_at, d.prepared_at) AS at
FROM dispatch d
WHERE d.affiliation_id = $1 AND d.kind = ANY ($2) AND d.state <> 'superseded' ORDER BY d.prepared_at, d.id
"""

NEXT_STEP = "SELECT next_step_kind, next_step_at, attention, attention_since FROM coverage WHERE id = $1"

ENDS = """
SELECT contract_began_on, contract_ends_on, reason, covered_until, portability, portability_from, portability_until,
       portability_ended_on, portability_end_reason, proof_until, origin, declared_at, cancelled_at
FROM coverage_end WHERE coverage_id = $1 ORDER BY declared_at, id
"""

# Whose rights an affiliation led to.
OF_AFFILIATION = """
SELECT v.id, v.affiliation_id, v.starts_on, v.formula, e.civility, e.first_names, e.last_name, s.name AS establishment,
       s.siret, c.name AS company, c.emits_dsn
FROM coverage v
JOIN employee e ON e.id = v.employee_id
JOIN establishment s ON s.id = v.establishment_id
JOIN company c ON c.id = v.company_id
WHERE v.affiliation_id = $1
"""

RADIATION_COMPANIES = """
SELECT id, siren, name, emits_dsn FROM company WHERE id = ANY ($1::uuid[]) ORDER BY name, siren
"""

# --- staff's desk: what waits for a decision, the oldest first

DESK = """
SELECT v.id, v.affiliation_id, v.attention, v.attention_since, e.first_names, e.last_name, s.name AS establishment,
       s.siret, n.contract_ends_on, n.reason
FROM coverage v
JOIN employee e ON e.id = v.employee_id
JOIN establishment s ON s.id = v.establishment_id
LEFT JOIN coverage_end n ON n.coverage_id = v.id AND n.cancelled_at IS NULL
WHERE v.attention IS NOT NULL ORDER BY v.attention_since, v.id LIMIT $1
"""
