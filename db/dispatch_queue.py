"""The queue of messages as staff see it: one state at a time, along the index `dispatch_queue`."""

from __future__ import annotations

MOST_COUNTED = 2000

_ROW = """
SELECT d.id, d.affiliation_id, d.kind, d.number, d.medium, d.state, d.reason, d.attempts,
       d.calling_since IS NOT NULL AS calling, d.prepared_at, d.handed_over_at, d.told_at,
       e.first_names, e.last_name, c.name AS company, a.status
FROM dispatch d JOIN affiliation a ON a.id = d.affiliation_id
JOIN employee e ON e.id = a.employee_id JOIN company c ON c.id = a.company_id
WHERE d.state = $1 AND ($2::text IS NULL OR d.medium = $2) AND d.prepared_at >= $3
  AND d.state IN ('prepared', 'handed_over', 'unknown', 'rejected')
"""

# $3: since when, $4 and $5: the last one that was shown.
OLDEST = _ROW + " AND (d.prepared_at, d.id) > ($4::timestamptz, $5::uuid) ORDER BY d.prepared_at, d.id LIMIT $6"

NEWEST = (
    _ROW + " AND (d.prepared_at, d.id) < ($4::timestamptz, $5::uuid) ORDER BY d.prepared_at DESC, d.id DESC LIMIT $6"
)

# How many there are of each state ($1) since when ($2), by medium: beyond $3 of a state nobody counts.
COUNTS = """
SELECT w.state, d.medium, count(*) AS many
FROM unnest($1::text[], $2::timestamptz[]) AS w (state, since)
CROSS JOIN LATERAL (
    SELECT d.medium FROM dispatch d
    WHERE d.state = w.state AND d.prepared_at >= w.since
      AND d.state IN ('prepared', 'handed_over', 'unknown', 'rejected') ORDER BY d.prepared_at DESC LIMIT $3) d
GROUP BY w.state, d.medium
"""
