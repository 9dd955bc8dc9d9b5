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
SELECT t.dispatch_id, t.affiliation_id, t.company_id, t.medium, t.secret_hash, t.failures, a.status
FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
WHERE t.selector = $1 AND t.revoked_at IS NULL AND a.status IN ('preparing', 'sent', 'started', 'finalised')
"""

COUNT_FAILURE = "UPDATE access_token SET failures = failures + 1 WHERE selector = $1 RETURNING failures"

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

BY_SESSION = """
SELECT n.affiliation_id, n.company_id, n.medium, a.status
FROM employee_session n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN access_token t ON t.dispatch_id = n.dispatch_id
WHERE n.token_hash = $1 AND n.expires_at > now() AND t.revoked_at IS NULL AND a.status <> 'abandoned'
"""

# « Retrouver mon lien »: a dead link still says whose it was; what it leads to goes to the contact on file only.
AFFILIATION_OF_TOKEN = """
SELECT t.affiliation_id FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
WHERE t.token_hash = $1 AND a.status IN ('preparing', 'sent', 'started')
"""

AFFILIATION_OF_PERSON = """
SELECT a.id FROM affiliation a
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
WHERE s.siret = $1 AND e.birth_date = $2 AND ' ' || e.search_name || ' ' LIKE '% ' || $3 || ' %'
  AND a.status IN ('preparing', 'sent', 'started')
LIMIT 2
"""
