"""Links, letter codes and employees' sessions: what they open, never the secrets themselves."""

from __future__ import annotations

ADD_TOKEN = """
INSERT INTO access_token (dispatch_id, company_id, affiliation_id, medium, token_hash, selector, secret_hash)
SELECT $1, company_id, affiliation_id, medium, $2, $3, $4 FROM dispatch WHERE id = $1
ON CONFLICT (dispatch_id) DO UPDATE SET medium = excluded.medium,
    selector = coalesce(access_token.selector, excluded.selector),
    secret_hash = coalesce(access_token.secret_hash, excluded.secret_hash)
"""

TOKEN_OF_DISPATCH = "SELECT selector FROM access_token WHERE dispatch_id = $1"

# The links of one affiliation all work until it closes; a finalised one still shows its receipt.
BY_TOKEN = """
SELECT t.dispatch_id, t.affiliation_id, t.company_id, t.medium, a.status
FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND a.status IN ('preparing', 'sent', 'started', 'finalised')
"""

BY_SELECTOR = """
SELECT t.dispatch_id, t.affiliation_id, t.company_id, t.medium, t.secret_hash, a.status,
       t.failures >= $2 OR (t.hour_failures >= $3 AND t.hour_began > now() - interval '1 hour') AS dead
FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
WHERE t.selector = $1 AND t.revoked_at IS NULL AND a.status IN ('preparing', 'sent', 'started', 'finalised')
"""

# The hour begins with its first wrong secret.
COUNT_FAILURE = """
UPDATE access_token SET failures = failures + 1,
    hour_failures = CASE WHEN hour_began > now() - interval '1 hour' THEN hour_failures + 1 ELSE 1 END,
    hour_began = CASE WHEN hour_began > now() - interval '1 hour' THEN hour_began ELSE now() END
WHERE selector = $1
"""

REVOKE = """
WITH dead AS (
    UPDATE access_token SET revoked_at = now()
    WHERE affiliation_id = $1 AND medium = ANY ($2) AND revoked_at IS NULL RETURNING dispatch_id
)
DELETE FROM employee_session WHERE dispatch_id IN (SELECT dispatch_id FROM dead)
"""

OPEN_SESSION = """
INSERT INTO employee_session (token_hash, company_id, affiliation_id, dispatch_id, medium, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(hours => $6))
"""

# Expired, it opens nothing any more; what was being typed in it is still taken in for a while.
BY_SESSION = """
SELECT n.affiliation_id, n.company_id, n.medium, n.proved_at IS NOT NULL AS proved, n.expires_at <= now() AS expired,
       a.status
FROM employee_session n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN access_token t ON t.dispatch_id = n.dispatch_id
WHERE n.token_hash = $1 AND n.expires_at > now() - make_interval(days => $2) AND t.revoked_at IS NULL
  AND a.status <> 'abandoned'
"""

PROVED = "UPDATE employee_session SET proved_at = now() WHERE token_hash = $1 AND proved_at IS NULL"

# security.md L-07: five wrong birth dates, then a pause of 24 hours.
BIRTH_DATE_PAUSE = """
SELECT paused_until FROM birth_date_tries WHERE affiliation_id = $1 AND paused_until > now()
"""

COUNT_WRONG_BIRTH_DATE = """
INSERT INTO birth_date_tries (affiliation_id, company_id, failures)
SELECT id, company_id, 1 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO UPDATE SET
    failures = CASE WHEN birth_date_tries.paused_until <= now() THEN 1 ELSE birth_date_tries.failures + 1 END,
    paused_until = CASE WHEN birth_date_tries.paused_until > now() THEN birth_date_tries.paused_until
                        WHEN birth_date_tries.paused_until IS NULL AND birth_date_tries.failures + 1 >= $2
                        THEN now() + make_interval(hours => $3) END
RETURNING failures, paused_until
"""

RIGHT_BIRTH_DATE = "UPDATE birth_date_tries SET failures = 0, paused_until = NULL WHERE affiliation_id = $1"

# « Retrouver mon lien »: a dead link still says whose it was; what it leads to goes to the contact on file only.
AFFILIATION_OF_TOKEN = """
SELECT t.affiliation_id FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
WHERE t.token_hash = $1 AND a.status IN ('preparing', 'sent', 'started', 'finalised')
"""

AFFILIATION_OF_PERSON = """
SELECT a.id FROM affiliation a
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
WHERE s.siret = $1 AND e.birth_date = $2 AND ' ' || e.search_name || ' ' LIKE '% ' || $3 || ' %'
  AND (a.status IN ('preparing', 'sent', 'started') OR a.status = 'finalised' AND a.state ->> 'awaited' = 'true')
LIMIT 2
"""
