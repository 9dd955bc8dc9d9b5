"""API keys: what opens companies to machines."""

from __future__ import annotations

# At every request of a machine; `to_be_seen`: at most once a minute.
FIND = """
SELECT id, scopes, company_ids, last_used_at IS NULL OR last_used_at < now() - interval '1 minute' AS to_be_seen
FROM api_key WHERE secret_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

# Of several requests at once one writes; the others find nothing to do.
SEEN = """
UPDATE api_key SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""

# $2: the SIRENs. Held until the end: a right taken back meanwhile is waited for, and then is none (security.md Z-08).
ADMINISTERED = """
SELECT c.id, c.siren FROM membership m JOIN company c ON c.id = m.company_id
WHERE m.user_id = $1 AND c.siren = ANY ($2) AND m.role = 'administrator' AND is_active(m)
ORDER BY c.name, c.id FOR SHARE OF m
"""

# $6: the last day in Paris, $7: by whom.
ADD = """
INSERT INTO api_key (name, secret_hash, shown, scopes, company_ids, expires_at, created_by)
VALUES ($1, $2, $3, $4, $5, ($6::date + 1)::timestamp AT TIME ZONE 'Europe/Paris', $7) RETURNING id
"""

# Those that open one of these companies ($1), of which alone the SIRENs are told; $2: of one key, null: of all.
LIST = """
SELECT k.id, k.name, k.shown, k.scopes, k.created_at, u.first_name || ' ' || u.last_name AS created_by,
       k.last_used_at, k.expires_at,
       array(SELECT c.siren FROM company c WHERE c.id = ANY (k.company_ids) AND c.id = ANY ($1)
             ORDER BY c.name, c.id) AS sirens
FROM api_key k LEFT JOIN portal_user u ON u.id = k.created_by
WHERE k.company_ids && $1 AND k.revoked_at IS NULL AND ($2::uuid IS NULL OR k.id = $2) ORDER BY k.created_at DESC, k.id
"""

# $1: the key, $2: a user. What it opens, and what of that the user administers: whatever company they work on now.
LOCK = """
SELECT k.company_ids,
       array(SELECT m.company_id FROM membership m WHERE m.user_id = $2 AND m.company_id = ANY (k.company_ids)
             AND m.role = 'administrator' AND is_active(m)) AS administered
FROM api_key k WHERE k.id = $1 AND k.revoked_at IS NULL FOR UPDATE
"""

KEEP = "UPDATE api_key SET company_ids = $2 WHERE id = $1"

REVOKE = "UPDATE api_key SET revoked_at = now(), revoked_by = $2 WHERE id = $1"

# Whom to tell of a key of these companies: each once, with the first of theirs and how many they are.
ADMINISTRATORS = """
SELECT DISTINCT ON (m.user_id) m.user_id, m.company_id, count(*) OVER (PARTITION BY m.user_id) AS companies
FROM membership m JOIN portal_user u ON u.id = m.user_id JOIN company c ON c.id = m.company_id
WHERE m.company_id = ANY ($1) AND m.role = 'administrator' AND is_active(m)
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
ORDER BY m.user_id, c.name, c.id
"""

# One whose secret was made elsewhere: of the demo, of measures and tests. Repeated, it gets these rights.
ADD_KNOWN = """
INSERT INTO api_key (name, secret_hash, scopes, company_ids) VALUES ($1, $2, $3, $4)
ON CONFLICT (secret_hash) DO UPDATE SET company_ids = excluded.company_ids, scopes = excluded.scopes RETURNING id
"""
