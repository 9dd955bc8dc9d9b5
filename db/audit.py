"""The audit log: written in the transaction of what it tells, never changed.

Events are named in security.md J-01; details are ids, codes and counts. Readings are told once per actor, object and
hour: the index `audit_log_hourly` drops the others.
"""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from db.pool import Connection

ADD = """
INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event, details)
VALUES ($1, $2, $3, $4, $5, $6)
"""

ADD_ON_AFFILIATION = """
INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event, details)
SELECT company_id, id, $2, $3, $4, $5 FROM affiliation WHERE id = $1
"""

ADD_ENTRY = """
INSERT INTO audit_log
    (company_id, affiliation_id, actor_kind, actor_id, event, outcome, object_type, object_id, details)
VALUES (coalesce($1, (SELECT company_id FROM affiliation WHERE id = $2)), $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING
"""

# $1: the affiliations, of whatever companies this role sees
ADD_VIEWS = """
INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event, object_type, object_id, details)
SELECT a.company_id, a.id, $2, $3, 'data.viewed', 'affiliation', a.id::text, $4
FROM affiliation a WHERE a.id = ANY ($1) ORDER BY a.id
ON CONFLICT DO NOTHING
"""


class Actor(Protocol):
    """Who did something; `Actor` of `activities.contracts` is one. `id` is None for the employee and the system."""

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str | None: ...


async def add(
    connection: Connection,
    event: str,
    actor: Actor,
    *,
    company_id: UUID | None = None,
    affiliation_id: UUID | None = None,
    object_type: str | None = None,
    object_id: UUID | str | None = None,
    outcome: str = "done",
    details: dict[str, Any] | None = None,
) -> None:
    """One entry, in the transaction of what it tells (security.md J-03). `details`: ids, codes and counts only.

    `outcome`: done, refused or failed. The company is the affiliation's where none is said. The sealer counts it for
    the alerts once it is committed.
    """
    await connection.execute(
        ADD_ENTRY,
        company_id,
        affiliation_id,
        str(actor.kind),
        actor.id,
        event,
        outcome,
        object_type,
        None if object_id is None else str(object_id),
        details or {},
    )


async def viewed(connection: Connection, actor: Actor, affiliation_ids: list[UUID], what: str) -> None:
    """Somebody read these persons' files: told once per actor, file and hour. `what`: which part, a code. In the place
    of an employer: with the mark of it."""
    mark = getattr(actor, "look_as", None)
    details = {"what": what, "look_as": mark} if mark else {"what": what}
    await connection.execute(ADD_VIEWS, affiliation_ids, str(actor.kind), actor.id, details)


# --- reading the log

# What an actor did for a company, the newest first; before this entry, where one is given.
DONE_FOR_COMPANY = """
SELECT id, at, event, outcome, affiliation_id, object_type, object_id FROM audit_log
WHERE company_id = $1 AND actor_id = $2 AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $4
"""

# $1: an employee. With the name of whoever is still known by the entry's id.
ABOUT_PERSON = """
SELECT l.id, l.at, l.event, l.actor_kind, l.actor_id, l.affiliation_id,
       coalesce(u.first_name || ' ' || u.last_name, k.name) AS who
FROM audit_log l
CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(l.actor_id, 'uuid') THEN l.actor_id::uuid END) AS n (id)
LEFT JOIN portal_user u ON u.id = n.id
LEFT JOIN api_key k ON k.id = n.id
WHERE l.affiliation_id IN (SELECT id FROM affiliation WHERE employee_id = $1) AND ($2::bigint IS NULL OR l.id < $2)
ORDER BY l.id DESC LIMIT $3
"""

COMPANY_OF_PERSON = "SELECT company_id FROM employee WHERE id = $1"

# By affiliation and after this one, where one is given: an erased person's entries are still there.
REACHED_BY = """
SELECT l.affiliation_id, a.employee_id, min(l.at) AS first_at, max(l.at) AS last_at,
       array_agg(DISTINCT l.event ORDER BY l.event) AS events
FROM audit_log l LEFT JOIN affiliation a ON a.id = l.affiliation_id
WHERE l.actor_id = $1 AND l.at >= $2 AND l.at < $3 AND l.affiliation_id IS NOT NULL
  AND ($4::uuid IS NULL OR l.affiliation_id > $4)
GROUP BY l.affiliation_id, a.employee_id ORDER BY l.affiliation_id LIMIT $5
"""

READ_WITHIN_THE_HOUR = """
SELECT count(*) FILTER (WHERE event <> 'data.revealed') AS files,
       count(*) FILTER (WHERE event = 'data.revealed') AS reveals
FROM audit_log
WHERE actor_id = $1 AND at > now() - interval '1 hour' AND event IN ('data.viewed', 'data.revealed', 'file.downloaded')
"""

# $5: how many are kept of one actor in an hour
ADD_DENIAL = """
INSERT INTO audit_log (company_id, actor_kind, actor_id, event, outcome, object_type)
SELECT $1, $2, $3, 'authz.denied', 'refused', $4
WHERE $5 > (SELECT count(*) FROM audit_log
            WHERE actor_id = $3 AND at > now() - interval '1 hour' AND event = 'authz.denied')
"""

# --- the chain

# One sealer at a time; the others have nothing to do.
LOCK_CHAIN = "SELECT pg_try_advisory_xact_lock(8_014_004)"

HEAD = """
SELECT number, hash, audit_id, transaction_id::text::bigint AS transaction_id,
       transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) AS of_another_cluster
FROM audit_chain ORDER BY number DESC LIMIT 1
"""

_ENTRY = """l.id, l.at, l.company_id, l.affiliation_id, l.actor_kind, l.actor_id, l.event, l.details, l.outcome,
       l.object_type, l.object_id, l.request_id, l.transaction_id::text::bigint AS transaction_id"""

# After this one ($1 transaction, $2 id): no transaction that is still open comes before them.
TO_SEAL = f"""
SELECT {_ENTRY}, is_security_event(l.event) AS security FROM audit_log l
WHERE (l.transaction_id, l.id) > ($1::text::xid8, $2::bigint)
  AND l.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY l.transaction_id, l.id LIMIT $3
"""  # noqa: S608

ADD_LINKS = """
INSERT INTO audit_chain (number, audit_id, at, security, transaction_id, content, hash)
SELECT number, audit_id, at, security, transaction_id::text::xid8, content, hash
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::bigint[], $6::bytea[], $7::bytea[])
    AS links (number, audit_id, at, security, transaction_id, content, hash)
"""

# Links with their entries; those of an entry are null where it is gone.
LINKS = f"""
SELECT c.number, c.audit_id, c.at AS linked_at, c.security, c.transaction_id::text::bigint AS linked_transaction_id,
       c.content, c.hash, c.at < now() - interval '12 months' AS due, {_ENTRY}
FROM audit_chain c LEFT JOIN audit_log l ON l.id = c.audit_id
WHERE c.number > $1 ORDER BY c.number LIMIT $2
"""  # noqa: S608

# What the purge says that it deleted.
PURGED = """
SELECT coalesce(sum((details ->> 'rows')::bigint), 0)::bigint AS rows, max((details ->> 'to')::timestamptz) AS newest
FROM audit_log WHERE event = 'log.purged'
"""

# A page of entries after $1: which of them have no link though the last one ($2 transaction, $3 id) comes after them,
# or have been waiting for one for $4 minutes. `after`: where the next page begins.
UNLINKED = """
WITH page AS (
    SELECT id, at, (transaction_id, id) <= ($2::text::xid8, $3::bigint) AS passed_by FROM audit_log
    WHERE id > $1 ORDER BY id LIMIT $5
), lone AS (
    SELECT * FROM page WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = page.id)
)
SELECT (SELECT max(id) FROM page) AS after,
       array(SELECT id FROM lone WHERE passed_by ORDER BY id) AS passed_by,
       array(SELECT id FROM lone WHERE NOT passed_by AND at < now() - make_interval(mins => $4) ORDER BY id) AS late
"""

# --- the alerts: within the last hour

# Actors that named more than $1 ids which they do not find, read too much, or handed out more than $2 people's data.
ALERTS = """
WITH acted AS (
    SELECT actor_id, event, count(*) AS times, count(DISTINCT affiliation_id) AS files FROM audit_log
    WHERE at > now() - interval '1 hour' AND actor_id IS NOT NULL
      AND event IN ('authz.denied', 'authz.mass_read', 'data.exported')
    GROUP BY actor_id, event
)
SELECT count(*) FILTER (WHERE event = 'authz.denied' AND times > $1) AS denials,
       count(*) FILTER (WHERE event = 'authz.mass_read') AS mass_reads,
       count(*) FILTER (WHERE event = 'data.exported' AND files > $2) AS mass_exports
FROM acted
"""

# Seconds that the oldest notice whose time has come has been waiting; none: 0.
OLDEST_NOTICE = """
SELECT coalesce(extract(epoch FROM now() - min(greatest(created_at, not_before))), 0)::float8 FROM notice
WHERE state = 'prepared' AND (not_before IS NULL OR not_before < now())
"""
