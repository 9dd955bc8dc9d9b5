"""Figures and latest events of companies ($1), as their employer sees them."""

from __future__ import annotations

# Declared since $2, by month in Paris and present status.
BY_MONTH = """
SELECT date_trunc('month', declared_at AT TIME ZONE 'Europe/Paris')::date AS month, status, count(*) AS count
FROM affiliation WHERE company_id = ANY ($1::uuid[]) AND declared_at >= $2
GROUP BY 1, 2
"""

# Affiliations to which something happened for the first time: in [$2, $3) before, in [$4, $5) now.
MOVES = """
SELECT kind, count(*) FILTER (WHERE at >= $4) AS count, count(*) FILTER (WHERE at < $3) AS before
FROM affiliation_event e
WHERE company_id = ANY ($1::uuid[]) AND at >= $2 AND at < $5 AND (at < $3 OR at >= $4)
  AND (kind IN ('started', 'finalised', 'abandoned')
       OR kind = 'message_handed_over' AND details ->> 'message' NOT IN ('missing_pieces', 'confirmation'))
  AND NOT EXISTS (SELECT FROM affiliation_event f
                  WHERE f.affiliation_id = e.affiliation_id AND f.number < e.number AND f.kind = e.kind)
GROUP BY kind
"""

# Days in Paris from the first message that left to the completed form, of what was declared since $2.
DELAYS = """
SELECT (status_at AT TIME ZONE 'Europe/Paris')::date - (sent_at AT TIME ZONE 'Europe/Paris')::date AS days,
       count(*) AS count
FROM affiliation a
CROSS JOIN LATERAL (SELECT min(handed_over_at) AS sent_at FROM dispatch d WHERE d.affiliation_id = a.id) d
WHERE company_id = ANY ($1::uuid[]) AND declared_at >= $2 AND status = 'finalised' AND sent_at <= status_at
GROUP BY 1 ORDER BY 1
"""

# What waits for the employer, longest first.
TO_CORRECT = """
SELECT a.id, e.first_names, e.last_name, s.name AS establishment, a.medium, a.attention, a.status_at
FROM affiliation a
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
WHERE a.company_id = ANY ($1::uuid[]) AND a.attention = 'unreachable' AND a.status IN ('preparing', 'sent', 'started')
ORDER BY a.status_at, a.id LIMIT $2
"""

# Before LATEST, in its transaction: what row-level security asks makes PostgreSQL expect next to nothing of a company,
# and so read and sort all of it; the index has it in order.
IN_ORDER = "SELECT set_config('enable_bitmapscan', 'off', true)"

# Newest first, of the kinds $2, before ($3, $4, $5); each company gives as many as are wanted in all, from its index.
LATEST = """
SELECT v.affiliation_id, v.number, v.kind, v.at, v.actor_kind, v.details, e.first_names, e.last_name,
       s.name AS establishment, c.siren, c.name AS company,
       a.attention IS NOT DISTINCT FROM 'unreachable' AND a.status IN ('preparing', 'sent', 'started') AS to_correct
FROM (
    SELECT v.* FROM unnest($1::uuid[]) AS mine (id)
    CROSS JOIN LATERAL (
        SELECT company_id, affiliation_id, number, kind, at, actor_kind, details FROM affiliation_event
        WHERE company_id = mine.id AND kind = ANY ($2::text[])
          AND ($3::timestamptz IS NULL OR (at, affiliation_id, number) < ($3, $4::uuid, $5::integer))
        ORDER BY at DESC, affiliation_id DESC, number DESC LIMIT $6
    ) v
    ORDER BY at DESC, affiliation_id DESC, number DESC LIMIT $6
) v
JOIN affiliation a ON a.id = v.affiliation_id
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = v.company_id
ORDER BY v.at DESC, v.affiliation_id DESC, v.number DESC
"""
