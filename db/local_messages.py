"""The mailbox, phone and letter box of the embedded default."""

from __future__ import annotations

PUT = """
INSERT INTO local_message (dispatch_id, medium, kind, recipient, subject, html, text, pdf)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (dispatch_id) DO NOTHING
"""

HAS = "SELECT EXISTS (SELECT FROM local_message WHERE dispatch_id = $1)"

# With what the ledger and the register say of it: whose it is, what became of it.
_DISPATCH = """
       d.affiliation_id, d.number,
       coalesce(d.state, CASE n.state WHEN 'refused' THEN 'rejected' ELSE n.state END) AS state,
       coalesce(d.reason, n.reason) AS reason, coalesce(d.handed_over_at, n.handed_over_at) AS handed_over_at,
       coalesce(d.kind, m.kind) AS message_kind,
       coalesce(e.first_names, u.first_name, '') AS first_names, coalesce(e.last_name, u.last_name, '') AS last_name
FROM local_message m
LEFT JOIN notice n ON n.id = m.dispatch_id
LEFT JOIN portal_user u ON u.id = n.user_id
LEFT JOIN dispatch d ON d.id = m.dispatch_id
LEFT JOIN affiliation a ON a.id = d.affiliation_id
LEFT JOIN employee e ON e.id = a.employee_id
"""

LATEST = (
    """
SELECT m.dispatch_id, m.medium, m.kind, m.recipient, m.subject, m.received_at,
"""
    + _DISPATCH
    + """
WHERE $1::uuid IS NULL OR d.affiliation_id = $1
ORDER BY m.received_at DESC, m.dispatch_id DESC LIMIT $2
"""
)

GET = (
    """
SELECT m.dispatch_id, m.medium, m.kind, m.recipient, m.subject, m.html, m.text, m.pdf, m.received_at,
"""
    + _DISPATCH
    + "WHERE m.dispatch_id = $1"
)
