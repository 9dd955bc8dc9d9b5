"""Enrolments: versioned drafts, submissions, and the coverage they end in."""

from __future__ import annotations

GET = """
SELECT version, content_sealed, saved_at, submitted_at, channel, missing FROM enrolment WHERE affiliation_id = $1
"""

# The first save makes the row; a later one only replaces the version it was made from. The workflow hears of drafts at
# most once in ten minutes: each is a sign of life, not each an event. Until it has heard, `told_at` is null.
SAVE_FIRST = """
INSERT INTO enrolment (affiliation_id, company_id, version, content_sealed, saved_at, saved_by)
SELECT id, company_id, 1, $2, now(), $3 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO NOTHING
RETURNING version, saved_at, true AS tell
"""

SAVE = """
UPDATE enrolment SET version = version + 1, content_sealed = $3, saved_at = now(), saved_by = $4,
       told_at = CASE WHEN told_at > now() - interval '10 minutes' THEN told_at END
WHERE affiliation_id = $1 AND version = $2 AND submitted_at IS NULL
RETURNING version, saved_at, told_at IS NULL AS tell
"""

TOLD = "UPDATE enrolment SET told_at = now() WHERE affiliation_id = $1 AND told_at IS NULL"

# Its clock was moved: the next draft is news again, the former one is not.
TELL_NEXT = "UPDATE enrolment SET told_at = '-infinity' WHERE affiliation_id = $1 AND told_at IS NOT NULL"

UNTOLD_DRAFTS = """
SELECT n.affiliation_id, n.saved_by
FROM enrolment n JOIN affiliation a ON a.id = n.affiliation_id
WHERE n.told_at IS NULL AND n.submitted_at IS NULL AND n.saved_at < now() - make_interval(secs => $1)
  AND a.status IN ('preparing', 'sent', 'started')
ORDER BY n.saved_at LIMIT $2
"""

SUBMIT = """
INSERT INTO enrolment (affiliation_id, company_id, version, content_sealed, saved_at, submitted_at, channel, missing,
                       recorded_by)
SELECT id, company_id, 1, $2, now(), now(), $3, $4, $5 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO UPDATE SET version = enrolment.version + 1, content_sealed = excluded.content_sealed,
    saved_at = now(), submitted_at = now(), channel = excluded.channel, missing = excluded.missing,
    recorded_by = excluded.recorded_by
    WHERE enrolment.submitted_at IS NULL
RETURNING submitted_at
"""

COMPLETION = "SELECT channel, missing FROM enrolment WHERE affiliation_id = $1 AND submitted_at IS NOT NULL"

ADD_COVERAGE = """
INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on, iban_sealed,
                      account_holder)
SELECT $2, company_id, establishment_id, employee_id, id, $3, $4, $5, $6 FROM affiliation WHERE id = $1
"""

ADD_DEPENDANT = """
INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date,
                       nir_sealed, nir_index)
SELECT $2, company_id, id, $3, $4, $5, $6, $7, $8, $9 FROM affiliation WHERE id = $1
"""

COVERAGE = """
SELECT v.id, v.formula, v.starts_on, v.ends_on,
       (SELECT count(*) FROM dependant d WHERE d.coverage_id = v.id) AS dependants
FROM coverage v WHERE v.affiliation_id = $1
"""

# Submissions that the workflow has not heard of: it was away when they came in.
UNTOLD = """
SELECT n.affiliation_id, n.channel, n.missing, n.recorded_by
FROM enrolment n JOIN affiliation a ON a.id = n.affiliation_id
WHERE n.submitted_at < now() - make_interval(secs => $1) AND a.status IN ('preparing', 'sent', 'started')
ORDER BY n.submitted_at LIMIT $2
"""
