"""The ledger of messages: one row for each business key, claimed before a provider is called."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from db.pool import Connection

# A number held back (overnight, by a pause) before anything could leave may come again for another address.
CLAIM = """
INSERT INTO dispatch (affiliation_id, company_id, kind, number, medium, contact_version, attempts)
SELECT id, company_id, $2, $3, $4, $5, 1 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id, kind, number) DO UPDATE SET attempts = dispatch.attempts + 1,
    state = CASE WHEN dispatch.state = 'superseded' THEN 'prepared' ELSE dispatch.state END,
    medium = CASE WHEN dispatch.state IN ('prepared', 'superseded') AND dispatch.calling_since IS NULL
                  THEN excluded.medium ELSE dispatch.medium END,
    contact_version = CASE WHEN dispatch.state IN ('prepared', 'superseded') AND dispatch.calling_since IS NULL
                           THEN excluded.contact_version ELSE dispatch.contact_version END
RETURNING id, company_id, state, reason, medium, provider_ref, attempts, calling_since, handed_over_at,
          extract(epoch FROM now() - calling_since)::float8 AS calling_seconds,
          (SELECT pause FROM affiliation a WHERE a.id = affiliation_id) AS pause
"""

# Only the last attempt to claim may call: one that slept meanwhile finds another's number. Each call that may have been
# taken has the whole time to surface, so the moment is the last call's.
CALLING = "UPDATE dispatch SET calling_since = now() WHERE id = $1 AND attempts = $2 RETURNING 1"

# The provider answered that it took nothing: the next attempt may call without looking first.
NOT_CALLING = "UPDATE dispatch SET calling_since = NULL WHERE id = $1 AND attempts = $2 AND state = 'prepared'"

# Two attempts at once must not post two letters: the second one's reference is refused.
REMEMBER_REF = """
UPDATE dispatch SET provider_ref = $2 WHERE id = $1 AND (provider_ref IS NULL OR provider_ref = $2) RETURNING 1
"""

# A callback may have been faster than the answer to the call: what it said stays. Only the last attempt to claim tells:
# what one that slept meanwhile has learnt is not what the workflow goes by.
SETTLE = """
UPDATE dispatch SET state = CASE WHEN state IN ('prepared', 'unknown') THEN $2 ELSE state END,
       reason = CASE WHEN state IN ('prepared', 'unknown') THEN $3 ELSE reason END,
       provider_ref = coalesce($4, provider_ref), handed_over_at = coalesce(handed_over_at, $5), calling_since = NULL
WHERE id = $1 AND attempts = $6 RETURNING 1
"""

# What was prepared, never called and overtaken by another message will not leave any more.
SUPERSEDE_OLDER = """
UPDATE dispatch older SET state = 'superseded' FROM dispatch this
WHERE this.id = $1 AND older.affiliation_id = this.affiliation_id AND older.id < this.id
  AND older.state = 'prepared' AND older.calling_since IS NULL
"""

SUPERSEDE_ALL = """
UPDATE dispatch SET state = 'superseded'
WHERE affiliation_id = $1 AND state = 'prepared' AND calling_since IS NULL
"""

# What it would say is no longer so, and nothing can have left.
SUPERSEDE = "UPDATE dispatch SET state = 'superseded' WHERE id = $1 AND state = 'prepared' AND calling_since IS NULL"

OF_AFFILIATION = """
SELECT id, kind, number, medium, contact_version, state, reason, attempts, prepared_at, handed_over_at, told_at
FROM dispatch WHERE affiliation_id = $1 ORDER BY prepared_at, id
"""

GET = """
SELECT id, affiliation_id, company_id, kind, number, medium, contact_version, state, provider_ref, calling_since
FROM dispatch WHERE id = $1
"""

# What a provider says later; « rejeté » is its last word, whatever arrives afterwards.
TELL = """
UPDATE dispatch SET state = $2, reason = $3, told_at = $4
WHERE id = $1 AND state <> 'rejected' AND (state <> 'delivered' OR $2 = 'rejected')
"""

ADD_EVENT = """
INSERT INTO delivery_event (provider, provider_event_id, dispatch_id, kind, reason, occurred_at, tell)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (provider, provider_event_id) DO NOTHING
RETURNING 1
"""

SEEN_AT_PROVIDER = """
SELECT EXISTS (SELECT FROM delivery_event WHERE dispatch_id = $1 AND kind <> 'other')
"""

TO_TELL = """
SELECT v.provider, v.provider_event_id, v.kind, v.reason, d.affiliation_id, d.medium, d.contact_version,
       d.kind AS message, d.number
FROM delivery_event v JOIN dispatch d ON d.id = v.dispatch_id
WHERE v.tell AND v.told_at IS NULL AND v.received_at < now() - make_interval(secs => $1)
ORDER BY v.received_at LIMIT $2
"""

TOLD = "UPDATE delivery_event SET told_at = now() WHERE provider = $1 AND provider_event_id = $2"


async def claim(
    connection: Connection, affiliation_id: UUID, kind: str, number: int, medium: str, contact_version: int
) -> asyncpg.Record:
    """The row of this business key, made now or by a former attempt; counts the attempt."""
    row = await connection.fetchrow(CLAIM, affiliation_id, kind, number, medium, contact_version)
    if row is None:
        raise LookupError("no such affiliation")
    return row
