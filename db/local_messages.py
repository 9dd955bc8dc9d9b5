"""The mailbox, phone and letter box of the embedded default."""

from __future__ import annotations

PUT = """
INSERT INTO local_message (dispatch_id, medium, kind, recipient, subject, html, text, pdf)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (dispatch_id) DO NOTHING
"""

HAS = "SELECT EXISTS (SELECT FROM local_message WHERE dispatch_id = $1)"

LATEST = """
SELECT m.dispatch_id, m.medium, m.kind, m.recipient, m.subject, m.received_at, d.affiliation_id, d.number, d.state
FROM local_message m LEFT JOIN dispatch d ON d.id = m.dispatch_id
WHERE $1::uuid IS NULL OR d.affiliation_id = $1
ORDER BY m.received_at DESC, m.dispatch_id DESC LIMIT $2
"""

GET = "SELECT dispatch_id, medium, kind, recipient, subject, html, text, pdf FROM local_message WHERE dispatch_id = $1"
