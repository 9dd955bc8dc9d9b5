"""Affiliations, their contacts and their timelines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from db.pool import Connection

# One statement writes everything of a declaration, so that it costs one round trip.
DECLARE = """
WITH person AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (company_id, nir_index) DO UPDATE SET civility = excluded.civility, last_name = excluded.last_name,
        birth_name = excluded.birth_name, first_names = excluded.first_names, search_name = excluded.search_name
    RETURNING id
), declared AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, former_id, language, hired_on,
                             professional_status, scheme, contract_kind, declared_by, policy, medium, asked_medium)
    SELECT $11, $2, $12, person.id, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22 FROM person
    RETURNING id, declared_at
), reached AS (
    INSERT INTO contact (affiliation_id, version, company_id, email, phone, line1, line2, postcode, city, country)
    SELECT id, 1, $2, $23, $24, $25, $26, $27, $28, $29 FROM declared
), told AS (
    INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, actor_id)
    SELECT id, 0, $2, 'declared', declared_at, 'employer', $19 FROM declared
), audited AS (
    INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event)
    SELECT $2, id, 'employer', $19, 'affiliation.declared' FROM declared
)
SELECT declared_at FROM declared
"""

OPEN_OF_PERSON = """
SELECT a.id FROM affiliation a JOIN employee e ON e.id = a.employee_id
WHERE a.establishment_id = $1 AND e.nir_index = $2 AND a.status IN ('preparing', 'sent', 'started')
"""

_COLUMNS = """
SELECT a.id, a.former_id, c.siren, s.siret, s.name AS establishment, e.first_names, e.last_name, a.medium, a.status,
       a.status_at, a.declared_at, a.hired_on, a.professional_status, a.scheme, a.contract_kind, a.language,
       a.attention, a.pause, a.closure, a.next_step_kind, a.next_step_medium, a.next_step_at, a.version,
       a.contact_version, a.employee_id, a.establishment_id, a.company_id,
       CASE WHEN a.status = 'finalised' AND a.state ->> 'awaited' = 'true'
            THEN CASE WHEN a.state -> 'missing' = '[]' THEN 'check' ELSE 'documents' END END AS awaits
"""
_JOINED = """
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
"""
SUMMARY = _COLUMNS + "FROM affiliation a" + _JOINED

GET = SUMMARY + "WHERE a.id = $1"

BY_REFERENCE = SUMMARY + "WHERE right(a.id::text, 12) = $1 ORDER BY a.id LIMIT 10"

# Whose rows are listed: of each company that is seen so many as fill a page, by its index, then those of them all; what
# else is shown is only looked up for the rows of the page.
_OF_EACH = "FROM company within CROSS JOIN LATERAL (SELECT a.* FROM affiliation a"

# $5: what a name must be like, a pattern for each word.
_ASKED = """
  AND ($2::text IS NULL OR a.establishment_id = (SELECT id FROM establishment WHERE siret = $2))
  AND ($3::text[] IS NULL OR a.status = ANY ($3))
  AND ($4::text IS NULL OR a.medium = $4)
  AND ($5::text[] IS NULL OR a.employee_id IN (SELECT id FROM employee WHERE search_name LIKE ALL ($5)))
  AND ($6::date IS NULL OR a.status_at >= $6::date::timestamp AT TIME ZONE 'Europe/Paris')
  AND ($7::date IS NULL OR a.status_at < ($7::date + 1)::timestamp AT TIME ZONE 'Europe/Paris')
  AND ($8::boolean IS NULL OR (a.attention IS NOT NULL AND a.status <> 'abandoned') = $8)
  AND ($9::boolean IS NULL
       OR (a.attention IS NOT DISTINCT FROM 'unreachable' AND a.status IN ('preparing', 'sent', 'started')) = $9)
"""

_FILTER = " WHERE a.company_id = within.id AND ($1::text IS NULL OR within.siren = $1)" + _ASKED
# Counted is the perimeter as a whole: company by company, the policy would be asked of all of it each time.
_COUNT_FILTER = " WHERE ($1::text IS NULL OR a.company_id = (SELECT id FROM company WHERE siren = $1))" + _ASKED  # noqa: S608

_NEWEST = "ORDER BY a.status_at DESC, a.id DESC LIMIT $12) a "
LIST_NEWEST = (
    _COLUMNS
    + "FROM (SELECT a.* "
    + _OF_EACH
    + _FILTER
    + "AND ($10::timestamptz IS NULL OR (a.status_at, a.id) < ($10, $11::uuid)) "
    + 2 * _NEWEST
    + _JOINED
    + "ORDER BY a.status_at DESC, a.id DESC"
)

_OLDEST = "ORDER BY a.status_at, a.id LIMIT $12) a "
LIST_OLDEST = (
    _COLUMNS
    + "FROM (SELECT a.* "
    + _OF_EACH
    + _FILTER
    + "AND ($10::timestamptz IS NULL OR (a.status_at, a.id) > ($10, $11::uuid)) "
    + 2 * _OLDEST
    + _JOINED
    + "ORDER BY a.status_at, a.id"
)

# What waits for the employer (no address on file reaches the person), then everything else, the newest first: each part
# by its own index. $10: whether the last row of the page before was of the first part.
_PART = "ORDER BY a.status_at DESC, a.id DESC LIMIT $13) a "
_FIRST_PART = (
    "(SELECT true AS todo, a.* "
    + _OF_EACH
    + _FILTER
    + """
  AND a.attention = 'unreachable' AND a.status IN ('preparing', 'sent', 'started')
  AND ($10::boolean IS NULL OR $10 AND (a.status_at, a.id) < ($11::timestamptz, $12::uuid))
"""
    + _PART
    + "ORDER BY a.status_at DESC, a.id DESC LIMIT $13)"
)
_SECOND_PART = (
    "(SELECT false, a.* "
    + _OF_EACH
    + _FILTER
    + """
  AND (a.attention IS NULL OR a.attention <> 'unreachable' OR a.status IN ('finalised', 'abandoned'))
  AND ($10::boolean IS NULL OR $10 OR (a.status_at, a.id) < ($11::timestamptz, $12::uuid))
"""
    + _PART
    + "ORDER BY a.status_at DESC, a.id DESC LIMIT $13)"
)
_PARTS = ", a.todo FROM (SELECT * FROM ("
LIST_TODO_FIRST = (
    _COLUMNS
    + _PARTS
    + _FIRST_PART
    + " UNION ALL "
    + _SECOND_PART
    + ") parts ORDER BY todo DESC, status_at DESC, id DESC LIMIT $13) a "
    + _JOINED
    + "ORDER BY a.todo DESC, a.status_at DESC, a.id DESC"
)

# After the form pieces may still be awaited; what nothing awaits any more has no attention.
STAFF_DESK = (
    SUMMARY
    + """
WHERE a.attention IN ('uncertain', 'refused', 'pieces_overdue', 'unreachable_for_pieces') AND a.status <> 'abandoned'
ORDER BY a.status_at LIMIT $1
"""
)

# Nobody waits for the exact number of a million: $10 bounds what is counted.
_COUNTED = "SELECT count(*) FROM (SELECT FROM affiliation a "
COUNT = _COUNTED + _COUNT_FILTER + "LIMIT $10) counted"

_COUNTED_BY_STATUS = """
SELECT status, todo, count(*) AS count
FROM (SELECT a.status, a.attention IS NOT DISTINCT FROM 'unreachable'
             AND a.status IN ('preparing', 'sent', 'started') AS todo FROM affiliation a
"""
COUNT_BY_STATUS = _COUNTED_BY_STATUS + _COUNT_FILTER + "LIMIT $10) counted GROUP BY status, todo"

# $1: at most so many
PLACES = """
SELECT c.siren, c.name AS company, s.siret, s.name AS establishment
FROM company c JOIN establishment s ON s.company_id = c.id
ORDER BY c.name, c.siren, s.name, s.siret LIMIT $1
"""

SUCCESSOR = "SELECT id FROM affiliation WHERE former_id = $1 ORDER BY declared_at DESC LIMIT 1"

EVENTS = """
SELECT number, kind, at, actor_kind, actor_id, details FROM affiliation_event
WHERE affiliation_id = $1 ORDER BY number
"""

# Numbered by the state: a late retry finds a newer version and changes nothing.
PROJECT = """
UPDATE affiliation SET status = $2, status_at = CASE WHEN status = $2 THEN status_at ELSE $3 END, medium = $4,
       state = $5, version = $6, contact_version = $7, next_step_kind = $8, next_step_medium = $9, next_step_at = $10,
       attention = $11, pause = $12, closure = $13,
       attention_since = CASE WHEN attention = $11 THEN attention_since WHEN $11::text IS NOT NULL THEN now() END
WHERE id = $1 AND version < $6
"""

ADD_EVENT = """
INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, actor_id, details)
SELECT $1, $2, company_id, $3, $4, $5, $6, $7 FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id, number) DO NOTHING
"""

LOCK = "SELECT status, version FROM affiliation WHERE id = $1 FOR UPDATE"

# What the employee gave of themselves is not the employer's to read.
EMPLOYERS_CONTACT = "SELECT max(version) FROM contact WHERE affiliation_id = $1 AND given_by = 'employer'"

CONTACT_GIVEN_BY = """
SELECT c.given_by FROM affiliation a
JOIN contact c ON c.affiliation_id = a.id AND c.version = a.contact_version WHERE a.id = $1
"""

STATE = "SELECT state, policy FROM affiliation WHERE id = $1"

ADD_CONTACT = """
INSERT INTO contact (affiliation_id, version, company_id, email, phone, line1, line2, postcode, city, country)
SELECT $1, (SELECT max(version) + 1 FROM contact WHERE affiliation_id = $1), company_id, $2, $3, $4, $5, $6, $7, $8
FROM affiliation WHERE id = $1
RETURNING version
"""

# Everything a message, a form or a page about one affiliation says of the person.
PERSON = """
SELECT a.id, a.company_id, a.employee_id, a.establishment_id, a.language, a.hired_on, a.professional_status, a.scheme,
       a.contract_kind, a.status, a.policy, e.civility, e.last_name, e.birth_name, e.first_names, e.birth_date,
       e.nir_sealed,
       s.name AS establishment, s.siret, s.city AS establishment_city, c.version AS contact_version, c.email, c.phone,
       c.line1, c.line2, c.postcode, c.city, c.country, c.given_by, a.origin,
       coalesce($3::text[], n.missing) AS missing, n.checking, coalesce(w.ended_on, w.ends_on) AS waiver_ended_on,
       EXISTS (SELECT FROM waiver v WHERE v.affiliation_id = a.id) AS waived,
       (SELECT jsonb_object_agg(d.key, d.first_names) FROM dependant d
        WHERE d.affiliation_id = a.id AND d.key IS NOT NULL) AS dependant_names,
       (SELECT jsonb_object_agg(r.piece, r.verdict_reason)
        FROM (SELECT DISTINCT ON (f.piece) f.piece, f.verdict_reason FROM document f
              WHERE f.affiliation_id = a.id AND f.verdict = 'refused'
              ORDER BY f.piece, f.verdict_at DESC) r) AS refusals
FROM affiliation a
JOIN employee e ON e.id = a.employee_id
JOIN establishment s ON s.id = a.establishment_id
JOIN contact c ON c.affiliation_id = a.id AND c.version = coalesce($2, a.contact_version)
LEFT JOIN enrolment n ON n.affiliation_id = a.id
LEFT JOIN waiver w ON w.affiliation_id = a.former_id AND a.origin = 'waiver_ended'
WHERE a.id = $1
"""

NOT_STARTED = """
SELECT a.id, a.policy, a.asked_medium, s.siret, c.siren, k.email IS NOT NULL AS has_email,
       k.phone IS NOT NULL AS has_phone
FROM affiliation a
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
JOIN contact k ON k.affiliation_id = a.id AND k.version = 1
WHERE a.version = 0 AND a.declared_at < now() - make_interval(secs => $1)
  AND NOT EXISTS (SELECT FROM dispatch d WHERE d.affiliation_id = a.id) -- started, its provider keeps it waiting
ORDER BY a.declared_at LIMIT $2
"""

# Those looked at longest ago, and those whose step is overdue although no provider keeps it waiting. A workflow stands
# behind a finalised one, too, while it says that pieces or their check are awaited.
TO_CHECK = """
(SELECT id, false AS overdue FROM affiliation
 WHERE status IN ('preparing', 'sent', 'started') AND version > 0 ORDER BY checked_at NULLS FIRST LIMIT $2)
UNION ALL
(SELECT id, false FROM affiliation
 WHERE status = 'finalised' AND state ->> 'awaited' = 'true' ORDER BY checked_at NULLS FIRST LIMIT $2)
UNION ALL
(SELECT a.id, true FROM affiliation a
 WHERE a.status IN ('preparing', 'sent', 'started') AND a.version > 0
   AND a.next_step_at < now() - make_interval(mins => $1)
   AND NOT EXISTS (SELECT FROM dispatch d WHERE d.affiliation_id = a.id AND d.state = 'prepared' AND d.attempts > 0)
 ORDER BY a.next_step_at LIMIT $2)
UNION ALL
(SELECT a.id, true FROM affiliation a
 WHERE a.status = 'finalised' AND a.state ->> 'awaited' = 'true'
   AND a.next_step_at < now() - make_interval(mins => $1)
   AND NOT EXISTS (SELECT FROM dispatch d WHERE d.affiliation_id = a.id AND d.state = 'prepared' AND d.attempts > 0)
 ORDER BY a.next_step_at LIMIT $2)
"""

CHECKED = """
UPDATE affiliation SET checked_at = now(),
       stuck_since = CASE WHEN id = ANY ($2) THEN coalesce(stuck_since, now()) END
WHERE id = ANY ($1)
"""

COUNT_STUCK = """
SELECT count(*) FROM affiliation
WHERE stuck_since IS NOT NULL
  AND (status IN ('preparing', 'sent', 'started') OR status = 'finalised' AND state ->> 'awaited' = 'true')
"""

RESTART_SOURCE = """
SELECT a.company_id, a.establishment_id, a.employee_id, a.language, a.hired_on, a.professional_status, a.scheme,
       a.contract_kind, a.asked_medium, a.status, s.siret, c.siren, s.closed_on, k.email, k.phone, k.line1, k.line2,
       k.postcode, k.city, k.country
FROM affiliation a
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
JOIN contact k ON k.affiliation_id = a.id AND k.version = a.contact_version
WHERE a.id = $1
"""

# A new initial run from a former one, pre-filled and linked to it: « Reprendre », or the end of a waiver.
AGAIN = """
WITH declared AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, former_id, language, hired_on,
                             professional_status, scheme, contract_kind, declared_by, policy, medium, asked_medium,
                             origin)
    SELECT $2, company_id, establishment_id, employee_id, id, language, hired_on, professional_status, scheme,
           contract_kind, coalesce($7, 'system'), $3, $4, asked_medium, $5
    FROM affiliation WHERE id = $1
    RETURNING id, company_id, declared_at
), reached AS (
    INSERT INTO contact (affiliation_id, version, company_id, email, phone, line1, line2, postcode, city, country,
                         given_by)
    SELECT declared.id, 1, declared.company_id, k.email, k.phone, k.line1, k.line2, k.postcode, k.city, k.country,
           k.given_by
    FROM declared, affiliation former
    JOIN contact k ON k.affiliation_id = former.id AND k.version = former.contact_version
    WHERE former.id = $1
), told AS (
    INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, actor_id, details)
    SELECT id, 0, company_id, 'declared', declared_at, $6, $7, jsonb_build_object('former', $1::text)
    FROM declared
), audited AS (
    INSERT INTO audit_log (company_id, affiliation_id, actor_kind, actor_id, event)
    SELECT company_id, id, $6, $7, 'affiliation.' || $5 FROM declared
)
SELECT declared_at FROM declared
"""

# A waiver that ended brings the person back: what is known of them, and what already stands in its place.
RENEWAL_SOURCE = """
SELECT a.id, a.asked_medium, s.siret, c.siren, s.closed_on, k.email IS NOT NULL AS has_email,
       k.phone IS NOT NULL AS has_phone,
       (SELECT n.id FROM affiliation n WHERE n.former_id = a.id AND n.origin = 'waiver_ended') AS renewed,
       EXISTS (SELECT FROM coverage v
               WHERE v.employee_id = a.employee_id AND v.establishment_id = a.establishment_id
                 AND (v.ends_on IS NULL OR v.ends_on > $2)) AS covered
FROM affiliation a
JOIN establishment s ON s.id = a.establishment_id
JOIN company c ON c.id = a.company_id
JOIN contact k ON k.affiliation_id = a.id AND k.version = a.contact_version
WHERE a.id = $1
"""

END_WAIVER = "UPDATE waiver SET ended_on = $2 WHERE affiliation_id = $1 AND ended_on IS NULL"

OPEN_LIKE = """
SELECT a.id FROM affiliation a JOIN affiliation former USING (establishment_id, employee_id)
WHERE former.id = $1 AND a.status IN ('preparing', 'sent', 'started')
"""

NEW_ID = "SELECT uuidv7()"


@dataclass(frozen=True)
class NewPerson:
    """The employee of a declaration; `nir_sealed` is encrypted for this id."""

    id: UUID
    civility: str
    last_name: str
    birth_name: str
    first_names: str
    birth_date: date
    nir_sealed: bytes
    nir_index: bytes
    search_name: str


@dataclass(frozen=True)
class NewContact:
    email: str | None
    phone: str | None
    line1: str
    line2: str | None
    postcode: str
    city: str
    country: str


@dataclass(frozen=True)
class NewAffiliation:
    id: UUID
    company_id: UUID
    establishment_id: UUID
    former_id: UUID | None
    language: str
    hired_on: date
    professional_status: str
    scheme: str
    contract_kind: str
    declared_by: str
    policy: dict[str, Any]
    medium: str
    asked_medium: str | None


async def declare(
    connection: Connection, person: NewPerson, affiliation: NewAffiliation, contact: NewContact
) -> datetime:
    """Write a declaration; returns its moment. Raises asyncpg.UniqueViolationError when one is open already."""
    declared_at: datetime = await connection.fetchval(
        DECLARE,
        person.id,
        affiliation.company_id,
        person.civility,
        person.last_name,
        person.birth_name,
        person.first_names,
        person.birth_date,
        person.nir_sealed,
        person.nir_index,
        person.search_name,
        affiliation.id,
        affiliation.establishment_id,
        affiliation.former_id,
        affiliation.language,
        affiliation.hired_on,
        affiliation.professional_status,
        affiliation.scheme,
        affiliation.contract_kind,
        affiliation.declared_by,
        affiliation.policy,
        affiliation.medium,
        affiliation.asked_medium,
        contact.email,
        contact.phone,
        contact.line1,
        contact.line2,
        contact.postcode,
        contact.city,
        contact.country,
    )
    return declared_at


async def add_contact(connection: Connection, affiliation_id: UUID, contact: NewContact) -> int:
    """A new version of the contact; the workflow decides whether it becomes the current one."""
    version: int = await connection.fetchval(
        ADD_CONTACT,
        affiliation_id,
        contact.email,
        contact.phone,
        contact.line1,
        contact.line2,
        contact.postcode,
        contact.city,
        contact.country,
    )
    return version


@dataclass(frozen=True)
class Snapshot:
    """The read model of one affiliation, as one version of its state says it."""

    status: str
    medium: str
    state: dict[str, Any]
    version: int
    contact_version: int
    next_step_kind: str | None
    next_step_medium: str | None
    next_step_at: datetime | None
    attention: str | None
    pause: str | None
    closure: str | None


async def project(connection: Connection, affiliation_id: UUID, at: datetime, snapshot: Snapshot) -> None:
    """Bring the read model to this version, unless it is already beyond."""
    await connection.execute(
        PROJECT,
        affiliation_id,
        snapshot.status,
        at,
        snapshot.medium,
        snapshot.state,
        snapshot.version,
        snapshot.contact_version,
        snapshot.next_step_kind,
        snapshot.next_step_medium,
        snapshot.next_step_at,
        snapshot.attention,
        snapshot.pause,
        snapshot.closure,
    )


async def person(
    connection: Connection,
    affiliation_id: UUID,
    contact_version: int | None = None,
    missing: Iterable[str] | None = None,
) -> asyncpg.Record | None:
    """Everything a message or a form says of the person; with that version of the contact, or the current one.

    `missing`: the pieces that it says are missing, where they are not those of the enrolment as it is now.
    `waiver_ended_on` is set where a waiver that ended brings the person back.
    """
    pieces = None if missing is None else list(missing)
    return await connection.fetchrow(PERSON, affiliation_id, contact_version, pieces)
