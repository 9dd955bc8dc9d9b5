"""A person who was affiliated before: their former file, and the code that opens it to them. For the system role only:
no company, and no other employee's session, sees who is known."""

from __future__ import annotations

# Whose session asks, held: two requests at once come one after the other. `nir_index`: as the employer declared it.
LOCK = """
SELECT n.affiliation_id, e.nir_index
FROM employee_session n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN employee e ON e.id = a.employee_id
WHERE n.token_hash = $1 AND n.expires_at > now() FOR UPDATE OF n
"""

# The session's latest: $2 seconds and $3 wrong tries long. `opened`: for $4 seconds after its code was given.
CHALLENGE = """
SELECT id, secret_sealed, former_id,
       consumed_at IS NULL AND tries < $3 AND issued_at > now() - make_interval(secs => $2) AS alive,
       coalesce(consumed_at > now() - make_interval(secs => $4), false) AS opened
FROM challenge WHERE employee_session_hash = $1 AND purpose = 'former_file' ORDER BY issued_at DESC, id DESC LIMIT 1
"""

ADD_CHALLENGE = """
INSERT INTO challenge (id, employee_session_hash, purpose, secret_sealed) VALUES ($1, $2, 'former_file', $3)
"""

# What a code that is about to leave is made of, and whom it is for.
TO_SEND = """
SELECT c.secret_sealed, a.id AS affiliation_id, a.language, e.nir_index
FROM challenge c
JOIN employee_session n ON n.token_hash = c.employee_session_hash
JOIN affiliation a ON a.id = n.affiliation_id
JOIN employee e ON e.id = a.employee_id
WHERE c.id = $1
"""

# From now on the code opens this file; null: it opens another one already.
OPENS = "UPDATE challenge SET former_id = $2 WHERE id = $1 AND (former_id IS NULL OR former_id = $2) RETURNING id"

# Once, while it is alive: $2 seconds, fewer than $3 wrong tries; and only where it left for somebody.
CONSUME = """
UPDATE challenge SET consumed_at = now()
WHERE id = $1 AND consumed_at IS NULL AND tries < $3 AND issued_at > now() - make_interval(secs => $2)
  AND former_id IS NOT NULL
RETURNING former_id
"""

# The latest form that the person sent at whatever company, while its coverage or waiver is kept. What somebody asked to
# erase and only the prescription keeps (db/erasure.py) is not taken up again.
FORMER = """
SELECT a.id, s.name AS establishment, n.version, n.content_sealed, n.form_version, n.submitted_at, n.channel
FROM employee e
JOIN affiliation a ON a.employee_id = e.id
JOIN establishment s ON s.id = a.establishment_id
JOIN enrolment n ON n.affiliation_id = a.id
WHERE e.nir_index = $1 AND a.id <> $2 AND a.status = 'finalised' AND n.submitted_at IS NOT NULL
  AND n.content_sealed IS NOT NULL
  AND (EXISTS (SELECT FROM coverage v WHERE v.affiliation_id = a.id)
       OR EXISTS (SELECT FROM waiver w WHERE w.affiliation_id = a.id))
  AND NOT EXISTS (SELECT FROM erasure x WHERE x.employee_id = e.id AND x.kept_until IS NOT NULL
                  AND x.erased_at > n.submitted_at)
ORDER BY n.submitted_at DESC, a.id DESC LIMIT 1
"""

# Whether an address ($1) or a number ($2, and its index $3) proves who reads it: it stands in nobody else's file ($4:
# whose it is) and is no user's; and of a form on paper ($6), on which it was printed already, only where the employer
# gave another one (for the file $5).
PROVES = """
SELECT NOT EXISTS (
    SELECT FROM contact k
    JOIN affiliation a ON a.id = k.affiliation_id
    JOIN employee e ON e.id = a.employee_id
    WHERE (k.email = $1 OR k.phone = $2) AND e.nir_index <> $4
) AND NOT EXISTS (
    SELECT FROM portal_user u WHERE u.email = $1 OR u.phone_index = $3
) AND NOT ($6 AND EXISTS (
    SELECT FROM contact k
    WHERE k.affiliation_id = $5 AND k.given_by = 'employer' AND (k.email = $1 OR k.phone = $2)
))
"""

# Two sessions that try codes of one person at once count one after the other.
LOCK_PERSON = "SELECT pg_advisory_xact_lock(8_014_015, hashtext(encode($1::bytea, 'hex')))"

WRONG_CODE = "INSERT INTO wrong_code (person_index, at) VALUES ($1, now())"

# $2: how many are too many, $3: within how many seconds.
TOO_MANY_WRONG_CODES = """
SELECT count(*) >= $2 FROM wrong_code WHERE person_index = $1 AND at > now() - make_interval(secs => $3)
"""
