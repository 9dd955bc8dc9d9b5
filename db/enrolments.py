"""Enrolments: versioned drafts, submissions, and the coverage they end in."""

from __future__ import annotations

GET = """
SELECT version, content_sealed, form_version, saved_at, submitted_at, channel, missing, checking, pieces_version
FROM enrolment WHERE affiliation_id = $1
"""

# Saved under the affiliation's lock. The workflow hears of drafts at most once in ten minutes: each is a sign of life,
# not each an event. Until it has heard, `told_at` is null.
SAVE_FIRST = """
INSERT INTO enrolment (affiliation_id, company_id, version, content_sealed, form_version, saved_at, saved_by)
SELECT id, company_id, 1, $2, $3, now(), $4 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO NOTHING
RETURNING saved_at, true AS tell
"""

SAVE = """
UPDATE enrolment SET version = $2, content_sealed = $3, saved_at = now(), saved_by = $4,
       told_at = CASE WHEN told_at > now() - interval '10 minutes' THEN told_at END
WHERE affiliation_id = $1 AND submitted_at IS NULL
RETURNING saved_at, told_at IS NULL AS tell
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
INSERT INTO enrolment (affiliation_id, company_id, version, content_sealed, form_version, saved_at, submitted_at,
                       channel, missing, checking, checking_since, contact_version, recorded_by, pieces_version,
                       pieces_told)
SELECT id, company_id, $2, $3, $4, now(), now(), $5, $6, $7, CASE WHEN $7 THEN now() END, $8, $9, 1, 1
FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO UPDATE SET version = excluded.version, content_sealed = excluded.content_sealed,
    form_version = excluded.form_version, saved_at = now(), submitted_at = now(), channel = excluded.channel,
    missing = excluded.missing, checking = excluded.checking, checking_since = excluded.checking_since,
    contact_version = excluded.contact_version, recorded_by = excluded.recorded_by, pieces_version = 1, pieces_told = 1
    WHERE enrolment.submitted_at IS NULL
RETURNING submitted_at
"""

_COMPLETION = """
SELECT n.affiliation_id, n.channel, n.missing, n.recorded_by, n.checking, n.pieces_version,
       w.ends_on AS waiver_ends_on, k.version AS contact_version, k.email IS NOT NULL AS has_email,
       k.phone IS NOT NULL AS has_phone
FROM enrolment n
JOIN affiliation a ON a.id = n.affiliation_id
LEFT JOIN waiver w ON w.affiliation_id = n.affiliation_id
LEFT JOIN contact k ON k.affiliation_id = n.affiliation_id AND k.version = n.contact_version
"""

COMPLETION = _COMPLETION + "WHERE n.affiliation_id = $1 AND n.submitted_at IS NOT NULL"

ADD_COVERAGE = """
INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on, iban_sealed,
                      account_holder, teletransmission)
SELECT $2, company_id, establishment_id, employee_id, id, $3, $4, $5, $6, $7 FROM affiliation WHERE id = $1
"""

ADD_DEPENDANT = """
INSERT INTO dependant (id, company_id, affiliation_id, coverage_id, kind, last_name, first_names, birth_date,
                       nir_sealed, nir_index, key, civil_link, attached_to, student)
SELECT $2, company_id, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM affiliation WHERE id = $1
"""

ADD_WAIVER = """
INSERT INTO waiver (id, company_id, establishment_id, employee_id, affiliation_id, reason, starts_on, ends_on, sworn)
SELECT uuidv7(), company_id, establishment_id, employee_id, id, $2, $3, $4, $5 FROM affiliation WHERE id = $1
"""

ADD_SIGNATURE = """
INSERT INTO signature (affiliation_id, company_id, name_sealed, signed_at, form_version, text_version, text_sha256,
                       language)
SELECT id, company_id, $2, now(), $3, $4, $5, language FROM affiliation WHERE id = $1
"""

WAIVER = "SELECT reason, starts_on, ends_on, sworn FROM waiver WHERE affiliation_id = $1"

SIGNATURE = "SELECT name_sealed, signed_at, text_version FROM signature WHERE affiliation_id = $1"

# What the employee says of themselves corrects what the employer declared; null: it was right.
CORRECT_IDENTITY = """
UPDATE employee SET civility = coalesce($2, civility), last_name = coalesce($3, last_name),
       birth_name = coalesce($4, birth_name), first_names = coalesce($5, first_names), birth_date = $6,
       search_name = coalesce($7, search_name)
WHERE id = $1
"""

CORRECT_NIR = "UPDATE employee SET nir_sealed = $2, nir_index = $3 WHERE id = $1"

CORRECT_SCHEME = "UPDATE affiliation SET scheme = $2 WHERE id = $1"

CHOOSE_LANGUAGE = "UPDATE affiliation SET language = $2 WHERE id = $1"

ADD_OWN_CONTACT = """
INSERT INTO contact (affiliation_id, version, company_id, email, phone, line1, line2, postcode, city, country, given_by)
SELECT $1, (SELECT max(version) + 1 FROM contact WHERE affiliation_id = $1), company_id, $2, $3, $4, $5, $6, $7, 'FR',
       'employee'
FROM affiliation WHERE id = $1
RETURNING version
"""

COVERAGE = """
SELECT v.id, v.formula, v.starts_on, v.ends_on,
       v.teletransmission, (SELECT count(*) FROM dependant d WHERE d.coverage_id = v.id) AS dependants
FROM coverage v WHERE v.affiliation_id = $1
"""

# Submissions that the workflow has not heard of: it was away when they came in.
UNTOLD = (
    _COMPLETION
    + """
WHERE n.submitted_at < now() - make_interval(secs => $1) AND a.status IN ('preparing', 'sent', 'started')
ORDER BY n.submitted_at LIMIT $2
"""
)

# Changes of what is missing or being checked, after the form, that the workflow has not heard of; `known` is what it
# last knew to be missing. Those of a submission that it has not heard of come with the submission.
UNTOLD_PIECES = """
SELECT n.affiliation_id, n.pieces_version, n.missing, n.checking, a.state -> 'missing' AS known
FROM enrolment n JOIN affiliation a ON a.id = n.affiliation_id
WHERE n.pieces_told < n.pieces_version AND n.saved_at < now() - make_interval(secs => $1)
  AND n.submitted_at IS NOT NULL AND a.status = 'finalised'
ORDER BY n.saved_at LIMIT $2
"""

PIECES_TOLD = "UPDATE enrolment SET pieces_told = greatest(pieces_told, $2) WHERE affiliation_id = $1"

DEPENDANTS = """
SELECT id, key, kind, civil_link, last_name, first_names, birth_date, attached_to, student
FROM dependant WHERE affiliation_id = $1 ORDER BY id
"""
