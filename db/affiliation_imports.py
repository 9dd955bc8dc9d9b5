"""Bulk imports of pre-affiliations: what was given, its rows, and what is known of the people in them."""

from __future__ import annotations

MOST_SHOWN = 50
KEPT_DAYS = 30  # as the retention table has it

NEW_ID = "SELECT uuidv7()"
NEW_IDS = "SELECT uuidv7() AS id FROM generate_series(1, $1)"

# While the user still follows every company that it was given for.
_ALLOWED = """
u.suspended_at IS NULL AND u.revoked_at IS NULL AND NOT EXISTS (
    SELECT FROM unnest(i.company_ids) AS asked (id)
    WHERE NOT EXISTS (SELECT FROM membership m WHERE m.user_id = u.id AND m.company_id = asked.id AND is_active(m)))
"""

_VIEW = f"""
i.id, i.user_id, i.company_ids, i.state, i.filename_sealed, i.columns_sealed, i.rows_total, i.check_round,
       i.start_round, i.created_at, i.confirmed_at, i.finished_at, i.content_sealed IS NOT NULL AS mappable,
       i.created_at + make_interval(days => {KEPT_DAYS}) AS expires_at
"""

# $1 id, $2 user, $3 companies, $4 file name, $5 content, $6 columns, $7 hash, $8 rows, $9 state
ADD = """
INSERT INTO affiliation_import (id, user_id, company_ids, filename_sealed, content_sealed, columns_sealed, sha256,
                                rows_total, state, check_round)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $9 = 'checking' THEN 1 ELSE 0 END)
"""

OF_USER_ONE = f"""
SELECT {_VIEW},
       (SELECT f.id FROM affiliation_import f
        WHERE f.user_id = i.user_id AND f.sha256 = i.sha256 AND f.id < i.id AND f.confirmed_at IS NOT NULL
        ORDER BY f.id DESC LIMIT 1) AS same_as
FROM affiliation_import i JOIN portal_user u ON u.id = i.user_id
WHERE i.user_id = $1 AND i.id = $2 AND {_ALLOWED}
"""  # noqa: S608 (our own text)

OF_USER = f"""
SELECT {_VIEW},
       (SELECT count(*) FROM affiliation_import_row r WHERE r.import_id = i.id AND r.state = 'started') AS started
FROM affiliation_import i JOIN portal_user u ON u.id = i.user_id
WHERE i.user_id = $1 AND {_ALLOWED}
ORDER BY i.created_at DESC, i.id DESC LIMIT {MOST_SHOWN}
"""  # noqa: S608 (our own text)

# Whoever changes an import waits for whoever does.
LOCK = f"""
SELECT {_VIEW} FROM affiliation_import i JOIN portal_user u ON u.id = i.user_id
WHERE i.user_id = $1 AND i.id = $2 AND {_ALLOWED} FOR UPDATE OF i
"""  # noqa: S608 (our own text)

COUNTS = """
SELECT state, count(*) AS rows, count(*) FILTER (WHERE included AND NOT confirmed) AS waiting,
       count(*) FILTER (WHERE confirmed) AS confirmed, count(*) FILTER (WHERE settled_at IS NOT NULL) AS done
FROM affiliation_import_row WHERE import_id = $1 GROUP BY state
"""

# --- reading and checking

CONTENT = "SELECT content_sealed, columns_sealed FROM affiliation_import WHERE id = $1"

# $2 columns, $3 state
MAPPED = """
UPDATE affiliation_import SET columns_sealed = $2, state = $3, check_round = check_round + ($3 = 'checking')::int,
       asked_at = now()
WHERE id = $1 RETURNING check_round
"""

FORGET_ROWS = "DELETE FROM affiliation_import_row WHERE import_id = $1"

# For who looks at all of it; `allowed`: the user may still have it.
TO_CHECK = f"""
SELECT {_VIEW}, {_ALLOWED} AS allowed FROM affiliation_import i JOIN portal_user u ON u.id = i.user_id
WHERE i.id = $1
"""  # noqa: S608 (our own text)

# Arrays, one element a row: $1 import; $2 ids, $3 numbers, $4 companies, $5 people, $6 values, $7 repairs, $8 states,
# $9 problems (JSON), $10 affiliations, $11 included. Checked again after a crash, a row stays what it was.
ADD_ROWS = """
INSERT INTO affiliation_import_row (id, import_id, number, company_id, person_index, values_sealed, repairs_sealed,
                                    state, problems, affiliation_id, included)
SELECT id, $1, number, company_id, person_index, values_sealed, repairs_sealed, state, problems::jsonb, affiliation_id,
       included
FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[],
            $10::uuid[], $11::bool[])
     AS given (id, number, company_id, person_index, values_sealed, repairs_sealed, state, problems, affiliation_id,
               included)
ON CONFLICT (import_id, number) DO NOTHING
"""

# $2: the round; another reading has taken over, or it was cancelled: nothing comes back.
LOCK_CHECKING = """
SELECT 1 FROM affiliation_import WHERE id = $1 AND state = 'checking' AND check_round = $2 FOR UPDATE
"""

CHECKED = """
UPDATE affiliation_import SET state = 'checked', rows_total = $3
WHERE id = $1 AND state = 'checking' AND check_round = $2 RETURNING 1
"""

ESTABLISHMENTS = """
SELECT id, company_id, siret, closed_on FROM establishment WHERE company_id = ANY ($1)
"""

# What is known of people, by the companies ($1) and numbers ($2) of rows: the person, and the last day of what insures
# them there.
KNOWN = """
SELECT e.id, e.company_id, e.nir_index, e.birth_date, e.search_name,
       (SELECT max(coalesce(v.ends_on, '9999-12-31')) FROM coverage v WHERE v.employee_id = e.id) AS insured_to
FROM employee e
JOIN unnest($1::uuid[], $2::bytea[]) AS given (company_id, nir_index)
  ON given.company_id = e.company_id AND given.nir_index = e.nir_index
"""

# The affiliations of these people ($1), the newest first, with the contact that the employer gave last; `own`: the
# person has given another one since.
DECLARED = """
SELECT a.id, a.employee_id, a.establishment_id, a.status, a.hired_on, k.version < a.contact_version AS own, k.email,
       k.phone, k.line1, k.line2, k.postcode, k.city
FROM affiliation a
JOIN LATERAL (SELECT c.* FROM contact c WHERE c.affiliation_id = a.id AND c.given_by = 'employer'
              ORDER BY c.version DESC LIMIT 1) k ON true
WHERE a.employee_id = ANY ($1) ORDER BY a.declared_at DESC
"""

# --- rows

_ROW = """
id, number, company_id, person_index, values_sealed, repairs_sealed, state, problems, affiliation_id, included,
       confirmed, settled_at
"""

ROWS = f"""
SELECT {_ROW} FROM affiliation_import_row
WHERE import_id = $1 AND ($2::text[] IS NULL OR state = ANY ($2)) AND number > $3 ORDER BY number LIMIT $4
"""  # noqa: S608 (our own text)

ROW = f"SELECT {_ROW} FROM affiliation_import_row WHERE import_id = $1 AND number = $2"  # noqa: S608

# Other rows of the same person: what one of them says may contradict another.
ROWS_OF_PEOPLE = f"""
SELECT {_ROW} FROM affiliation_import_row
WHERE import_id = $1 AND person_index = ANY ($2::bytea[]) AND number <> $3 ORDER BY number
"""  # noqa: S608 (our own text)

SET_ROW = """
UPDATE affiliation_import_row SET company_id = $2, person_index = $3, values_sealed = $4, repairs_sealed = $5,
       state = $6, problems = $7, affiliation_id = $8, included = $9, confirmed = false, settled_at = NULL
WHERE id = $1 AND state <> 'started' AND (NOT confirmed OR settled_at IS NOT NULL)
"""

INCLUDE = """
UPDATE affiliation_import_row SET included = $3
WHERE import_id = $1 AND number = ANY ($2::int[]) AND NOT confirmed
"""

# --- starting

# What a confirmation takes: $2 numbers, null for all that is included.
CONFIRM_ROWS = """
UPDATE affiliation_import_row SET confirmed = true, included = true
WHERE import_id = $1 AND state IN ('new', 'changed') AND NOT confirmed
  AND (CASE WHEN $2::int[] IS NULL THEN included ELSE number = ANY ($2) END)
"""

OTHER_THAN_CONFIRMED = """
SELECT EXISTS (SELECT FROM affiliation_import_row
               WHERE import_id = $1 AND number = ANY ($2::int[]) AND state IN ('new', 'changed') AND NOT confirmed)
"""

CONFIRMED = """
UPDATE affiliation_import SET state = 'confirmed', start_round = start_round + 1, confirmed_at = now(),
       asked_at = now(), finished_at = NULL, content_sealed = NULL
WHERE id = $1 RETURNING start_round
"""

# `allowed`: whoever confirmed may still do so.
BEGIN_BATCH = f"""
UPDATE affiliation_import i SET state = CASE i.state WHEN 'confirmed' THEN 'running' ELSE i.state END
FROM portal_user u WHERE i.id = $1 AND u.id = i.user_id
RETURNING i.state, i.user_id, i.company_ids, i.start_round, {_ALLOWED} AS allowed
"""  # noqa: S608 (our own text)

BATCH = f"""
SELECT {_ROW} FROM affiliation_import_row
WHERE import_id = $1 AND confirmed AND settled_at IS NULL AND number > $2 ORDER BY number LIMIT $3
"""  # noqa: S608 (our own text)

STILL_RUNNING = "SELECT state = 'running' FROM affiliation_import WHERE id = $1"

SETTLE_ROW = """
UPDATE affiliation_import_row SET state = $2, problems = $3, affiliation_id = coalesce($4, affiliation_id),
       settled_at = now()
WHERE id = $1 AND settled_at IS NULL
"""

# What was not started is free again; nothing to start is left of what is done.
FREE_ROWS = """
UPDATE affiliation_import_row SET confirmed = false WHERE import_id = $1 AND confirmed AND settled_at IS NULL
"""

# $2: the round that ends; $3: done, refused.
FINISH = """
UPDATE affiliation_import SET state = $3, finished_at = now()
WHERE id = $1 AND start_round = $2 AND state IN ('confirmed', 'running') RETURNING user_id
"""

CANCEL = """
UPDATE affiliation_import SET state = 'cancelled', finished_at = now(), content_sealed = NULL
WHERE id = $1 AND state NOT IN ('done', 'cancelled', 'refused') RETURNING 1
"""

STATE = "SELECT state, start_round FROM affiliation_import WHERE id = $1"

# --- afterwards

# What a crash, or Temporal away, kept from being started.
NOT_STARTED = """
SELECT id, state, check_round, start_round FROM affiliation_import
WHERE state IN ('checking', 'confirmed') AND asked_at < now() - make_interval(secs => $1)
ORDER BY asked_at LIMIT $2
"""

# For the retention table.
PURGE = """
DELETE FROM affiliation_import WHERE id IN (
    SELECT id FROM affiliation_import WHERE created_at < $1 AND state NOT IN ('confirmed', 'running')
    ORDER BY created_at LIMIT $2)
"""
