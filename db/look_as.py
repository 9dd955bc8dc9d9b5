"""Consulting a company's space in its place: what a session of staff may read for a while."""

from __future__ import annotations

MINUTES = 30

COMPANY = "SELECT id, name FROM company WHERE id = $1"

BEGIN = """
INSERT INTO look_as (session_id, user_id, company_id, reason, ticket, ends_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(mins => $6)) RETURNING id, ends_at
"""

# At every request to an employer's page in a session of staff.
OPEN = """
SELECT l.id, l.company_id, c.name AS company, l.reason, l.ends_at FROM look_as l JOIN company c ON c.id = l.company_id
WHERE l.session_id = $1 AND l.user_id = $2 AND l.ended_at IS NULL AND l.ends_at > now()
ORDER BY l.id DESC LIMIT 1
"""

# One at a time: whatever is open in this session ends.
END = """
UPDATE look_as SET ended_at = now() WHERE session_id = $1 AND ended_at IS NULL AND ends_at > now()
RETURNING id, company_id
"""

# What the administrators of these companies are told, the newest first, before $2. Files: each once.
OF_COMPANIES = """
SELECT l.id, c.name AS company, c.siren, l.reason, l.ticket, l.began_at, coalesce(l.ended_at, l.ends_at) AS until,
       (SELECT count(DISTINCT g.affiliation_id) FROM audit_log g
        WHERE g.actor_id = l.user_id::text AND g.at BETWEEN l.began_at AND coalesce(l.ended_at, l.ends_at)
          AND g.event = 'data.viewed' AND g.company_id = l.company_id) AS files
FROM look_as l JOIN company c ON c.id = l.company_id
WHERE l.company_id = ANY ($1) AND ($2::uuid IS NULL OR l.id < $2) ORDER BY l.id DESC LIMIT $3
"""
