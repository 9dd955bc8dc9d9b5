"""Staff's desk: what waits, by kind and since when; files found; who takes them; figures. For the system role."""

from __future__ import annotations

from db.affiliations import SUMMARY

# What waits of one kind, the oldest first, after a place in that order ($2 since, $3 id) where one is given.
CHECKS = """
SELECT 'check' AS work, n.affiliation_id AS id, n.checking_since AS since
FROM enrolment n
WHERE n.checking AND n.submitted_at IS NOT NULL AND $1 = 'check'
  AND ($2::timestamptz IS NULL OR (n.checking_since, n.affiliation_id) > ($2, $3::uuid))
  AND ($4::uuid IS NULL OR EXISTS (SELECT FROM desk_assignment d
                                   WHERE d.affiliation_id = n.affiliation_id AND d.user_id = $4))
ORDER BY n.checking_since, n.affiliation_id LIMIT $5
"""

WAITING = """
SELECT a.attention AS work, a.id, a.attention_since AS since
FROM affiliation a
WHERE a.attention = $1 AND a.status <> 'abandoned'
  AND ($2::timestamptz IS NULL OR (a.attention_since, a.id) > ($2, $3::uuid))
  AND ($4::uuid IS NULL OR EXISTS (SELECT FROM desk_assignment d WHERE d.affiliation_id = a.id AND d.user_id = $4))
ORDER BY a.attention_since, a.id LIMIT $5
"""

# How many of each kind began to wait on each day, in Paris, before and after closing time; `since`: the first of them.
BACKLOG = """
SELECT work, (since AT TIME ZONE 'Europe/Paris')::date AS day, count(*) AS files, min(since) AS since
FROM (SELECT 'check' AS work, n.checking_since AS since FROM enrolment n
      WHERE n.checking AND n.submitted_at IS NOT NULL
      UNION ALL
      SELECT a.attention, a.attention_since FROM affiliation a
      WHERE a.attention IN ('uncertain', 'refused', 'pieces_overdue', 'unreachable_for_pieces')
        AND a.status <> 'abandoned') AS waiting
GROUP BY work, day, (since AT TIME ZONE 'Europe/Paris')::time >= '18:00' ORDER BY day
"""

# What became of the messages prepared since an id of that day (they begin with the time): by state and medium.
OUTCOMES = "SELECT state, medium, count(*) AS messages FROM dispatch WHERE id >= $1 GROUP BY state, medium"

# --- files

BY_IDS = SUMMARY + "WHERE a.id = ANY ($1)"

_NEWEST = """
AND ($2::timestamptz IS NULL OR (a.status_at, a.id) < ($2, $3::uuid))
ORDER BY a.status_at DESC, a.id DESC LIMIT $4
"""

# $1: the longest word, by which the index finds; $5: patterns of the others, in whatever order they come.
BY_NAME = SUMMARY + "WHERE e.search_name LIKE '%' || $1 || '%' AND e.search_name LIKE ALL ($5)" + _NEWEST

BY_SIREN = SUMMARY + "WHERE a.company_id = (SELECT id FROM company WHERE siren = $1)" + _NEWEST  # noqa: S608

_AT_SIRET = "WHERE (a.establishment_id, a.company_id) = (SELECT id, company_id FROM establishment WHERE siret = $1)"

BY_SIRET = SUMMARY + _AT_SIRET + _NEWEST

BY_NIR = SUMMARY + "WHERE a.employee_id = ANY (ARRAY(SELECT id FROM employee WHERE nir_index = $1))" + _NEWEST  # noqa: S608

# What staff read of one file besides its messages and events.
FILE = """
SELECT a.id, a.employee_id, a.company_id, e.civility, e.last_name, e.birth_name, e.first_names, e.birth_date,
       e.nir_sealed, c.name AS company, c.insurer, c.insurer_reference, s.city AS establishment_city,
       n.submitted_at, n.channel, n.checking, n.checking_since, n.recorded_by,
       a.attention_since, d.user_id AS taken_by, u.first_name || ' ' || u.last_name AS taken_by_name,
       v.id AS coverage_id, v.iban_sealed
FROM affiliation a
JOIN employee e ON e.id = a.employee_id
JOIN company c ON c.id = a.company_id
JOIN establishment s ON s.id = a.establishment_id
LEFT JOIN enrolment n ON n.affiliation_id = a.id
LEFT JOIN desk_assignment d ON d.affiliation_id = a.id
LEFT JOIN portal_user u ON u.id = d.user_id
LEFT JOIN coverage v ON v.affiliation_id = a.id
WHERE a.id = $1
"""

# The newest of whoever gave one: the employer, the employee.
CONTACTS = """
SELECT DISTINCT ON (k.given_by) k.given_by, k.version, k.email, k.phone, k.line1, k.line2, k.postcode, k.city,
       k.created_at, k.version = a.contact_version AS used
FROM contact k JOIN affiliation a ON a.id = k.affiliation_id
WHERE k.affiliation_id = $1 ORDER BY k.given_by, k.version DESC
"""

# Others of the same person, the newest first.
OTHERS = """
SELECT a.id, s.name AS establishment, a.status, a.declared_at FROM affiliation a
JOIN establishment s ON s.id = a.establishment_id
WHERE a.employee_id = $2 AND a.id <> $1 ORDER BY a.declared_at DESC LIMIT 20
"""

# --- who takes it

ASSIGNED = """
SELECT d.affiliation_id, d.user_id, u.first_name || ' ' || u.last_name AS name
FROM desk_assignment d JOIN portal_user u ON u.id = d.user_id WHERE d.affiliation_id = ANY ($1)
"""

# A row where it was free, or already theirs.
TAKE = """
INSERT INTO desk_assignment (affiliation_id, user_id) SELECT id, $2 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO UPDATE SET user_id = excluded.user_id, at = now() WHERE $3
RETURNING user_id
"""

RELEASE = "DELETE FROM desk_assignment WHERE affiliation_id = $1"

MINE = """
SELECT count(*) FROM desk_assignment d JOIN affiliation a ON a.id = d.affiliation_id
LEFT JOIN enrolment n ON n.affiliation_id = a.id AND n.checking
WHERE d.user_id = $1
  AND (n.affiliation_id IS NOT NULL OR a.status <> 'abandoned'
       AND a.attention IN ('uncertain', 'refused', 'pieces_overdue', 'unreachable_for_pieces'))
"""

# --- paper

RECORDED_COUNT = "SELECT count(*) FROM enrolment WHERE recorded_by = $1 AND submitted_at >= $2"

RECORDED = """
SELECT n.affiliation_id AS id, n.submitted_at, n.missing, e.first_names, e.last_name, s.name AS establishment
FROM enrolment n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
WHERE n.recorded_by = $1 AND n.submitted_at >= $2 ORDER BY n.submitted_at DESC, n.affiliation_id LIMIT $3
"""
