"""What callers used their `Idempotency-Key`s for."""

from __future__ import annotations

CLAIM = """
INSERT INTO idempotency (caller, key, company_id, affiliation_id, request_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (caller, key) DO NOTHING RETURNING 1
"""

GET = "SELECT request_hash, affiliation_id FROM idempotency WHERE caller = $1 AND key = $2"
