"""Erasure and purge: everything that is kept of a person or of an affiliation, and what falls due by the day.

Both go through the same statements: what a purge deletes of an affiliation is what an erasure deletes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from db import audit
from db.pool import Connection

# --- what is due, in batches: $1 the first day or moment not yet due, $2 how many at most

NEVER_AFFILIATED = """
SELECT a.id, a.employee_id FROM affiliation a
WHERE a.status = 'abandoned' AND a.status_at < $1
  AND NOT EXISTS (SELECT FROM coverage v WHERE v.affiliation_id = a.id)
  AND NOT EXISTS (SELECT FROM waiver w WHERE w.affiliation_id = a.id)
ORDER BY a.status_at LIMIT $2
"""

# From the end of the last right: portability outlives the cover of the contract.
COVERAGES = """
SELECT affiliation_id AS id, employee_id FROM coverage
WHERE ends_on IS NOT NULL AND coalesce(rights_until, ends_on) < $1 ORDER BY coalesce(rights_until, ends_on) LIMIT $2
"""

WAIVERS = """
SELECT affiliation_id AS id, employee_id FROM waiver
WHERE coalesce(ended_on, ends_on) < $1 ORDER BY coalesce(ended_on, ends_on) LIMIT $2
"""

DRAFTS = """
WITH due AS (
    SELECT n.affiliation_id FROM affiliation a JOIN enrolment n ON n.affiliation_id = a.id
    WHERE a.status = 'abandoned' AND a.status_at < $1 AND n.submitted_at IS NULL LIMIT $2
)
DELETE FROM enrolment USING due WHERE enrolment.affiliation_id = due.affiliation_id
"""

DOCUMENTS_OF_DRAFTS = """
WITH due AS (
    SELECT d.id FROM affiliation a JOIN document d ON d.affiliation_id = a.id
    WHERE a.status = 'abandoned' AND a.status_at < $1 LIMIT $2
)
DELETE FROM document USING due WHERE document.id = due.id
RETURNING document.id, document.company_id, document.affiliation_id, document.object_key
"""

_DOCUMENTS_JUDGED = """
WITH due AS (SELECT id FROM document WHERE verdict = '{verdict}' AND verdict_at < $1 ORDER BY verdict_at LIMIT $2)
DELETE FROM document USING due WHERE document.id = due.id
RETURNING document.id, document.company_id, document.affiliation_id, document.object_key
"""
DOCUMENTS_ACCEPTED = _DOCUMENTS_JUDGED.format(verdict="accepted")
DOCUMENTS_REFUSED = _DOCUMENTS_JUDGED.format(verdict="refused")

TOKENS = """
WITH due AS (
    SELECT t.dispatch_id FROM access_token t JOIN affiliation a ON a.id = t.affiliation_id
    WHERE a.status_at < $1
      AND (a.status = 'abandoned' OR a.status = 'finalised' AND a.state ->> 'awaited' IS DISTINCT FROM 'true')
    LIMIT $2
), ended AS (
    DELETE FROM employee_session USING due WHERE employee_session.dispatch_id = due.dispatch_id
)
DELETE FROM access_token USING due WHERE access_token.dispatch_id = due.dispatch_id
"""

SESSIONS = """
WITH due AS (SELECT token_hash FROM employee_session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
DELETE FROM employee_session USING due WHERE employee_session.token_hash = due.token_hash
"""

BIRTH_DATE_TRIES = """
WITH due AS (
    SELECT affiliation_id FROM birth_date_tries
    WHERE began_at < $1 AND (paused_until IS NULL OR paused_until < now()) ORDER BY began_at LIMIT $2
)
DELETE FROM birth_date_tries USING due WHERE birth_date_tries.affiliation_id = due.affiliation_id
"""

MESSAGES_LOCAL = """
WITH due AS (SELECT dispatch_id FROM local_message WHERE received_at < $1 ORDER BY received_at LIMIT $2)
DELETE FROM local_message USING due WHERE local_message.dispatch_id = due.dispatch_id
"""

IDEMPOTENCY_KEYS = """
WITH due AS (SELECT caller, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)
DELETE FROM idempotency USING due WHERE idempotency.caller = due.caller AND idempotency.key = due.key
"""

DELIVERY_EVENTS = """
WITH due AS (
    SELECT provider, provider_event_id FROM delivery_event WHERE received_at < $1 ORDER BY received_at LIMIT $2
)
DELETE FROM delivery_event v USING due
WHERE v.provider = due.provider AND v.provider_event_id = due.provider_event_id
"""

API_KEYS = """
WITH due AS (SELECT id FROM api_key WHERE least(revoked_at, expires_at) < $1 LIMIT $2)
DELETE FROM api_key USING due WHERE api_key.id = due.id
"""

ERASURES = """
WITH due AS (SELECT id FROM erasure WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)
DELETE FROM erasure USING due WHERE erasure.id = due.id
"""

SECURITY_LOG = "SELECT purge_security_log($1, $2)"

# --- everything of some affiliations ($1: their ids), in the order that the keys between the tables ask for

FORGET_SESSIONS = "DELETE FROM employee_session WHERE affiliation_id = ANY ($1)"

FORGET_TOKENS = "DELETE FROM access_token WHERE affiliation_id = ANY ($1)"

FORGET_TRIES = "DELETE FROM birth_date_tries WHERE affiliation_id = ANY ($1)"

FORGET_MESSAGES = """
DELETE FROM local_message USING dispatch d
WHERE local_message.dispatch_id = d.id AND d.affiliation_id = ANY ($1)
"""

FORGET_DELIVERIES = """
DELETE FROM delivery_event USING dispatch d
WHERE delivery_event.dispatch_id = d.id AND d.affiliation_id = ANY ($1)
"""

FORGET_KEYS = "DELETE FROM idempotency WHERE affiliation_id = ANY ($1)"

FORGET_DOCUMENTS = "DELETE FROM document WHERE affiliation_id = ANY ($1) RETURNING object_key"

# Of a contact given up for another, nothing is left to prove.
FORGET_OLD_CONTACTS = """
DELETE FROM contact k USING affiliation a
WHERE a.id = k.affiliation_id AND a.id = ANY ($1) AND k.version <> a.contact_version
  AND NOT EXISTS (SELECT FROM enrolment n WHERE n.affiliation_id = a.id AND n.contact_version = k.version)
"""

FORGET_DISPATCHES = "DELETE FROM dispatch WHERE affiliation_id = ANY ($1)"

FORGET_SIGNATURES = "DELETE FROM signature WHERE affiliation_id = ANY ($1)"

FORGET_DEPENDANTS = "DELETE FROM dependant WHERE affiliation_id = ANY ($1)"

FORGET_COVERAGE_ENDS = "DELETE FROM coverage_end WHERE affiliation_id = ANY ($1)"

FORGET_COVERAGE_SUSPENSIONS = "DELETE FROM coverage_suspension WHERE affiliation_id = ANY ($1)"

FORGET_COVERAGE_EVENTS = "DELETE FROM coverage_event WHERE affiliation_id = ANY ($1)"

FORGET_COVERAGES = "DELETE FROM coverage WHERE affiliation_id = ANY ($1)"

FORGET_WAIVERS = "DELETE FROM waiver WHERE affiliation_id = ANY ($1)"

FORGET_ENROLMENTS = "DELETE FROM enrolment WHERE affiliation_id = ANY ($1)"

FORGET_CONTACTS = "DELETE FROM contact WHERE affiliation_id = ANY ($1)"

FORGET_EVENTS = "DELETE FROM affiliation_event WHERE affiliation_id = ANY ($1)"

UNLINK_SUCCESSORS = "UPDATE affiliation SET former_id = NULL WHERE former_id = ANY ($1)"

FORGET_AFFILIATIONS = "DELETE FROM affiliation WHERE id = ANY ($1)"

# What opened doors and carried messages goes even where a contract that ended must be proved for some years more.
_DOORS = (FORGET_SESSIONS, FORGET_TOKENS, FORGET_TRIES, FORGET_MESSAGES, FORGET_DELIVERIES, FORGET_KEYS)
_EVERYTHING = (
    *_DOORS,
    FORGET_DISPATCHES,
    FORGET_SIGNATURES,
    FORGET_DEPENDANTS,
    FORGET_COVERAGE_ENDS,
    FORGET_COVERAGE_SUSPENSIONS,
    FORGET_COVERAGE_EVENTS,
    FORGET_COVERAGES,
    FORGET_WAIVERS,
    FORGET_ENROLMENTS,
    FORGET_CONTACTS,
    FORGET_EVENTS,
    UNLINK_SUCCESSORS,
    FORGET_AFFILIATIONS,
)

FORGET_PERSON = """
DELETE FROM employee e WHERE e.id = $1 AND NOT EXISTS (SELECT FROM affiliation a WHERE a.employee_id = e.id)
RETURNING 1
"""

# --- a person

# Held: whoever declares this person at the same moment waits.
# What a DSN said of somebody who goes whole, matched or not; what was matched goes with the person's row as well.
FORGET_DSN = """
DELETE FROM dsn_change c USING employee e
WHERE e.id = $1 AND c.company_id = e.company_id AND c.person_index = e.nir_index
  AND NOT EXISTS (SELECT FROM affiliation a WHERE a.employee_id = e.id)
"""

# What tables of new employees say of them, and the tables themselves; what was declared of others stays.
FORGET_IMPORTED = """
WITH gone AS (
    DELETE FROM affiliation_import_row r USING employee e, affiliation_import i
    WHERE e.id = $1 AND r.person_index = e.nir_index AND i.id = r.import_id AND e.company_id = ANY (i.company_ids)
      AND NOT EXISTS (SELECT FROM affiliation a WHERE a.employee_id = e.id)
    RETURNING r.import_id
)
UPDATE affiliation_import SET content_sealed = NULL WHERE id IN (SELECT import_id FROM gone)
"""

LOCK_PERSON = "SELECT company_id FROM employee WHERE id = $1 FOR UPDATE"

AFFILIATIONS_OF_PERSON = """
SELECT a.id, a.status, v.id IS NOT NULL AS covered,
       CASE WHEN v.ends_on IS NOT NULL THEN coalesce(v.rights_until, v.ends_on) END AS coverage_ends_on,
       w.id IS NOT NULL AS waived, coalesce(w.ended_on, w.ends_on) AS waiver_ends_on
FROM affiliation a
LEFT JOIN coverage v ON v.affiliation_id = a.id
LEFT JOIN waiver w ON w.affiliation_id = a.id
WHERE a.employee_id = $1 ORDER BY a.id
"""

EXISTING = "SELECT id FROM affiliation WHERE id = ANY ($1)"

# --- the list of erasures

ADD_ERASURE = """
INSERT INTO erasure (employee_id, affiliation_ids, reason, asked_by, kept_until, object_keys)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""

UNFINISHED = """
SELECT id, affiliation_ids, object_keys FROM erasure
WHERE finished_at IS NULL AND erased_at < now() - make_interval(secs => $1) ORDER BY erased_at LIMIT $2
"""

FINISHED = "UPDATE erasure SET finished_at = now(), object_keys = '{}' WHERE id = $1 AND finished_at IS NULL"

LIST = """
SELECT id, employee_id, affiliation_ids, reason, asked_by, erased_at FROM erasure
WHERE id > $1 ORDER BY id LIMIT $2
"""

COUNT_UNFINISHED = "SELECT count(*) FROM erasure WHERE finished_at IS NULL"


@dataclass(frozen=True)
class ErasedRows:
    """What is left to do outside the database. `whole`: the person is gone, too."""

    erasure_id: UUID
    affiliation_ids: tuple[UUID, ...]
    object_keys: tuple[str, ...]
    whole: bool


@dataclass(frozen=True)
class Asked:
    """Why, as a code, and by which member of staff; None: the retention table."""

    reason: str
    by: str | None = None


async def lock_person(connection: Connection, employee_id: UUID) -> UUID | None:
    """Their company; None: there is nobody of this id."""
    company_id: UUID | None = await connection.fetchval(LOCK_PERSON, employee_id)
    return company_id


async def erase(
    connection: Connection,
    employee_id: UUID,
    affiliation_ids: Sequence[UUID],
    asked: Asked,
    thinned: Sequence[UUID] = (),
    kept_until: date | None = None,
) -> ErasedRows | None:
    """In one transaction: these affiliations with everything of them, the person when nothing keeps them, the line in
    the list of erasures and in the audit log. None: there is nobody of this id.

    Of the `thinned` ones only what proves the contract stays, until `kept_until`.
    """
    company_id = await lock_person(connection, employee_id)
    if company_id is None:
        return None
    gone, thin = list(affiliation_ids), list(thinned)
    keys: list[str] = [row["object_key"] for row in await connection.fetch(FORGET_DOCUMENTS, [*gone, *thin])]
    for statement in (*_DOORS, FORGET_OLD_CONTACTS):
        await connection.execute(statement, thin)
    for statement in _EVERYTHING:
        await connection.execute(statement, gone)
    await connection.execute(FORGET_DSN, employee_id)
    await connection.execute(FORGET_IMPORTED, employee_id)
    whole = await connection.fetchval(FORGET_PERSON, employee_id) is not None
    erasure_id: UUID = await connection.fetchval(
        ADD_ERASURE, employee_id, gone, asked.reason, asked.by, kept_until, keys
    )
    details = {
        "erasure": str(erasure_id),
        "employee": str(employee_id),
        "affiliations": len(gone),
        "files": len(keys),
        "whole": whole,
        "reason": asked.reason,
        **({"kept_until": kept_until.isoformat()} if kept_until else {}),
    }
    actor = "staff" if asked.by else "system"
    await connection.execute(audit.ADD, company_id, None, actor, asked.by, "data.erased", details)
    return ErasedRows(erasure_id, tuple(gone), tuple(keys), whole)


async def delete_documents(
    connection: Connection, statement: str, due_before: datetime, limit: int, rule: str
) -> list[asyncpg.Record]:
    """Rows of files that are due, deleted, with a line of the audit log each; the files are left to be deleted."""
    rows = await connection.fetch(statement, due_before, limit)
    for row in rows:
        details = {"document": str(row["id"]), "rule": rule}
        await connection.execute(
            audit.ADD, row["company_id"], row["affiliation_id"], "system", None, "file.purged", details
        )
    return rows
