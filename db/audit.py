"""The audit log: written in the transaction of what it tells, never changed."""

from __future__ import annotations

ADD = """
INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event, details)
VALUES ($1, $2, $3, $4, $5, $6)
"""

ADD_ON_AFFILIATION = """
INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event, details)
SELECT company_id, id, $2, $3, $4, $5 FROM affiliation WHERE id = $1
"""
