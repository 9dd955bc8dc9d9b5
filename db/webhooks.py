"""Outgoing webhooks: a company's endpoints, and each event on its way to them. The system role looks here alone."""

from __future__ import annotations

MOST_ENDPOINTS = 5  # of a company

# --- endpoints

_VIEW = """
SELECT e.id, e.company_id, c.siren, e.name, e.url_sealed, e.secret_sealed, e.former_secret_sealed, e.former_until,
       e.kinds, e.state, e.failures, e.failing_since, e.last_success_at, e.created_at,
       u.first_name || ' ' || u.last_name AS created_by
FROM webhook_endpoint e JOIN company c ON c.id = e.company_id LEFT JOIN portal_user u ON u.id = e.created_by
"""

# With how many deliveries wait and have failed; $1: the companies.
LIST = f"""
SELECT v.*, coalesce(d.waiting, 0) AS waiting, coalesce(d.failed, 0) AS failed
FROM ({_VIEW} WHERE e.company_id = ANY ($1)) v
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'failed') AS failed
    FROM webhook_delivery WHERE endpoint_id = v.id AND affiliation_id IS NOT NULL AND state <> 'delivered'
) d ON true
WHERE $2::uuid IS NULL OR v.id = $2
ORDER BY v.created_at DESC, v.id
"""  # noqa: S608 (our own text)

# Held until the end, so that two requests at once count one after the other.
LOCK_COMPANY = "SELECT id, siren FROM company WHERE siren = $1 AND id = ANY ($2) FOR UPDATE"

COUNT = "SELECT count(*) FROM webhook_endpoint WHERE company_id = $1"

NEW_ID = "SELECT uuidv7()"

ADD = """
INSERT INTO webhook_endpoint (id, company_id, name, url_sealed, secret_sealed, kinds, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

LOCK = """
SELECT id, company_id, state, secret_sealed FROM webhook_endpoint WHERE id = $1 AND company_id = ANY ($2) FOR UPDATE
"""

DELETE = "DELETE FROM webhook_endpoint WHERE id = $1"

PAUSE = "UPDATE webhook_endpoint SET state = 'paused' WHERE id = $1"

# What waits is tried now, whatever came of it before.
RESUME = """
WITH due AS (
    UPDATE webhook_delivery SET next_at = now(), attempts = 0 WHERE endpoint_id = $1 AND state = 'waiting'
)
UPDATE webhook_endpoint SET state = 'active', failures = 0, failing_since = NULL, retry_at = NULL WHERE id = $1
"""

# $2: the new secret, $3: how long the former one signs beside it, in seconds.
ROTATE = """
UPDATE webhook_endpoint SET secret_sealed = $2, former_secret_sealed = $3,
       former_until = now() + make_interval(secs => $4) WHERE id = $1
"""

# --- the log

_DELIVERY = """
SELECT id, kind, affiliation_id, number, status, happened_at, state, attempts, last_status, last_error, next_at,
       tried_at, delivered_at
FROM webhook_delivery
"""

# $2: a state or null, $3: after this one, or null
DELIVERIES = f"""
{_DELIVERY} WHERE endpoint_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4
"""

DELIVERY = f"{_DELIVERY} WHERE endpoint_id = $1 AND id = $2"

# An administrator's trial: it is over when it is written.
ADD_TRIAL = """
INSERT INTO webhook_delivery (id, endpoint_id, company_id, kind, happened_at, state, attempts, last_status, last_error,
                              tried_at, delivered_at)
VALUES ($1, $2, $3, 'test', now(), $4, 1, $5, $6, now(), CASE WHEN $4 = 'delivered' THEN now() END)
"""

# Once more, under the same id; of one ($2) or of all that failed (null).
REPLAY = """
WITH again AS (
    UPDATE webhook_delivery SET state = 'waiting', attempts = 0, next_at = now(), delivered_at = NULL
    WHERE endpoint_id = $1 AND affiliation_id IS NOT NULL AND (id = $2 OR $2::uuid IS NULL AND state = 'failed')
    RETURNING 1
), soon AS (
    UPDATE webhook_endpoint SET retry_at = NULL WHERE id = $1
)
SELECT count(*) FROM again
"""

# --- sending

# One that is to be called now; `retry_at`: not before.
ENDPOINT = """
SELECT id, company_id, url_sealed, secret_sealed, failures, failing_since, retry_at,
       CASE WHEN former_until > now() THEN former_secret_sealed END AS former_secret_sealed
FROM webhook_endpoint WHERE id = $1 AND state = 'active'
"""

_HEADS = """
SELECT DISTINCT ON (affiliation_id) * FROM webhook_delivery WHERE endpoint_id = $1 AND state = 'waiting'
ORDER BY affiliation_id, number
"""

# The oldest one of each affiliation, where it is due at $2.
DUE = f"""
SELECT d.id, d.affiliation_id, d.number, d.kind, d.status, d.happened_at, c.siren, s.siret
FROM ({_HEADS}) d JOIN affiliation a ON a.id = d.affiliation_id
JOIN establishment s ON s.id = a.establishment_id JOIN company c ON c.id = d.company_id
WHERE d.next_at <= $2 ORDER BY d.next_at, d.id LIMIT $3
"""  # noqa: S608 (our own text)

# When the next one is due at an endpoint that goes on.
NEXT_AT = f"""
SELECT greatest(min(d.next_at), max(e.retry_at)) FROM ({_HEADS}) d JOIN webhook_endpoint e ON e.id = d.endpoint_id
WHERE e.state = 'active'
"""  # noqa: S608 (our own text)

# Counted before the call: one that never comes back was a try too.
TRY = """
UPDATE webhook_delivery SET attempts = attempts + 1, tried_at = $2 WHERE id = $1 AND state = 'waiting'
RETURNING attempts
"""

DELIVERED = """
UPDATE webhook_delivery SET state = 'delivered', last_status = $2, last_error = NULL, delivered_at = $3
WHERE id = $1 AND state = 'waiting'
"""

# $4: the next try; null: there is none.
NOT_TAKEN = """
UPDATE webhook_delivery SET last_status = $2, last_error = $3, next_at = coalesce($4, next_at),
       state = CASE WHEN $4::timestamptz IS NULL THEN 'failed' ELSE 'waiting' END
WHERE id = $1 AND state = 'waiting'
"""

ANSWERS = """
UPDATE webhook_endpoint SET failures = 0, failing_since = NULL, retry_at = NULL, last_success_at = $2 WHERE id = $1
"""

FAILS = """
UPDATE webhook_endpoint SET failures = failures + 1, failing_since = coalesce(failing_since, $2), retry_at = $3
WHERE id = $1
"""

STOP = """
UPDATE webhook_endpoint SET state = 'stopped' WHERE id = $1 AND state = 'active' RETURNING company_id, failing_since
"""

# --- afterwards

# Endpoints that something has been due at for $1 seconds: nobody looked.
NOT_LOOKED = """
SELECT e.id FROM webhook_endpoint e
WHERE e.state = 'active' AND coalesce(e.retry_at, '-infinity') < now() - make_interval(secs => $1)
  AND EXISTS (
    SELECT FROM (
        SELECT DISTINCT ON (affiliation_id) next_at FROM webhook_delivery
        WHERE endpoint_id = e.id AND state = 'waiting' ORDER BY affiliation_id, number
    ) head WHERE head.next_at < now() - make_interval(secs => $1))
ORDER BY e.id LIMIT $2
"""

# For the retention table: what happened before then, delivered or not.
PURGE = """
DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE happened_at < $1 LIMIT $2)
"""

# For the retention table: those that have been out of use since then.
PURGE_ENDPOINTS = """
DELETE FROM webhook_endpoint WHERE id IN (
    SELECT id FROM webhook_endpoint WHERE state <> 'active' AND coalesce(last_success_at, created_at) < $1 LIMIT $2)
"""
