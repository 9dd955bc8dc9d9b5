"""The link by which an employee's session goes on with another device. It dies with the session that shows it."""

from __future__ import annotations

START = """
UPDATE employee_session SET handover_hash = $2, handover_at = $3, handover_opened_at = NULL
WHERE token_hash = $1 RETURNING company_id
"""

# $2: for how many minutes a link is open.
SHOWN = """
SELECT handover_at, handover_opened_at,
       handover_opened_at IS NULL AND handover_at > now() - make_interval(mins => $2) AS open
FROM employee_session WHERE token_hash = $1 AND handover_at IS NOT NULL
"""

# $1: the link's hash, $2: the minutes. What the session's own link could not open any more, this one does not either.
OPEN = """
SELECT n.token_hash, n.company_id, n.affiliation_id, n.dispatch_id, n.medium, a.status, a.language
FROM employee_session n
JOIN affiliation a ON a.id = n.affiliation_id
JOIN access_token t ON t.dispatch_id = n.dispatch_id
WHERE n.handover_hash = $1 AND n.handover_opened_at IS NULL AND n.handover_at > now() - make_interval(mins => $2)
  AND n.expires_at > now() AND t.revoked_at IS NULL AND a.status IN ('preparing', 'sent', 'started', 'finalised')
"""

# Of two who open it at once, the second finds it used.
TAKE = f"{OPEN} FOR UPDATE OF n"

USED = "UPDATE employee_session SET handover_opened_at = now() WHERE token_hash = $1"
