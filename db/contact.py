"""Requests to HCR Bien-Être: their rows, their messages and files, and what their workflows have heard of."""

from __future__ import annotations

from datetime import datetime

from db.pool import Connection

_WAITING = "('received', 'assigned', 'reopened')"

NEW_ID = "SELECT uuidv7()"

# Ids for files, which are stored under them before their rows are written.
NEW_IDS = "SELECT uuidv7() AS id FROM generate_series(1, $1)"

# $1 id, $2 company, $3 user, $4 key, $5 hash of what was asked, $6 reason, $7 subject, $8 when, $9 when it is due.
# Nothing comes back where the user's key was used before.
ADD = """
INSERT INTO contact_request (id, company_id, user_id, key, request_hash, reason, subject_sealed, received_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (user_id, key) DO NOTHING RETURNING id, number, received_at, due_at
"""

BY_KEY = """
SELECT id, number, received_at, due_at, request_hash FROM contact_request WHERE user_id = $1 AND key = $2
"""

# $1 id, $2 request, $3 company, $4 kind of author, $5 author, $6 key, $7 hash, $8 what it says.
ADD_MESSAGE = """
INSERT INTO contact_message (id, request_id, company_id, number, author_kind, author_id, key, request_hash, body_sealed)
SELECT $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, $6, $7, $8 FROM contact_message WHERE request_id = $2
RETURNING number
"""

MESSAGE_BY_KEY = (
    "SELECT number, request_hash FROM contact_message WHERE request_id = $1 AND author_id = $2 AND key = $3"
)

ADD_FILE = """
INSERT INTO contact_file (id, request_id, company_id, message_number, name_sealed, media_type, size, sha256, object_key,
                          data_key_sealed, scan)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

# --- reading; employers read what their context shows, of it their own and what they administer

_LINE = """
r.id, r.number, r.company_id, c.name AS company, c.siren, r.reason, r.subject_sealed, r.state, r.received_at, r.due_at,
       r.answered_at, r.closed_at, r.satisfaction, r.user_id, r.assigned_to, r.escalated_at, r.version
"""
_THEIRS = "(r.user_id = $1 OR r.company_id = ANY ($2::uuid[]))"

LIST = f"""
SELECT {_LINE} FROM contact_request r JOIN company c ON c.id = r.company_id
WHERE {_THEIRS} AND ($3::text IS NULL OR r.state = $3)
  AND ($4::timestamptz IS NULL OR (r.received_at, r.id) < ($4, $5::uuid))
ORDER BY r.received_at DESC, r.id DESC LIMIT $6
"""  # noqa: S608 (our own text)

COUNT = f"SELECT count(*) FROM contact_request r WHERE {_THEIRS} AND ($3::text IS NULL OR r.state = $3)"  # noqa: S608

ONE = f"""
SELECT {_LINE} FROM contact_request r JOIN company c ON c.id = r.company_id WHERE {_THEIRS} AND r.id = $3
"""  # noqa: S608 (our own text)

# As `ONE`; two who reply at once do so one after the other.
LOCK = f"""
SELECT r.id, r.company_id, r.reason, r.state, r.user_id, r.satisfaction, r.answered_at, r.version
FROM contact_request r WHERE {_THEIRS} AND r.id = $3 FOR UPDATE
"""  # noqa: S608 (our own text)

MESSAGES = """
SELECT m.id, m.number, m.author_kind, m.body_sealed, m.at, u.first_name || ' ' || u.last_name AS author
FROM contact_message m LEFT JOIN portal_user u ON u.id = m.author_id WHERE m.request_id = $1 ORDER BY m.number
"""

FILES = """
SELECT id, message_number, name_sealed, media_type, size, scan FROM contact_file WHERE request_id = $1
ORDER BY message_number, uploaded_at, id
"""

FILE = """
SELECT id, company_id, name_sealed, media_type, sha256, object_key, data_key_sealed, scan FROM contact_file
WHERE request_id = $1 AND id = $2
"""

# --- what becomes of it; each change is a version, which the workflow is told

# $2: when it is due now. It waits for staff again, for whoever had taken it.
REOPEN = """
UPDATE contact_request SET state = 'reopened', due_at = $2, escalated_at = NULL, reopened_at = now(), closed_at = NULL,
       satisfaction = NULL, rated_at = NULL, version = version + 1, told_at = now()
WHERE id = $1 RETURNING version
"""

RATE = "UPDATE contact_request SET satisfaction = $2, rated_at = now() WHERE id = $1"

# --- staff

_DESK = f"""
SELECT {_LINE}, u.first_name || ' ' || u.last_name AS sender, u.email AS sender_email,
       t.first_name || ' ' || t.last_name AS assigned_name, r.state IN {_WAITING} AND r.due_at <= now() AS late
FROM contact_request r JOIN company c ON c.id = r.company_id
LEFT JOIN portal_user u ON u.id = r.user_id LEFT JOIN portal_user t ON t.id = r.assigned_to
"""  # noqa: S608 (our own text)

# $1 states, $2 whose: anybody's where null, nobody's where $3, $4 reason, $5 overdue only.
_QUEUED = f"""
r.state = ANY ($1) AND ($2::uuid IS NULL OR r.assigned_to = $2) AND (NOT $3 OR r.assigned_to IS NULL)
  AND ($4::text IS NULL OR r.reason = $4) AND (NOT $5 OR r.state IN {_WAITING} AND r.due_at <= now())
"""

QUEUE_BY_DUE = f"""
{_DESK} WHERE {_QUEUED} AND ($6::timestamptz IS NULL OR (r.due_at, r.id) > ($6, $7::uuid))
ORDER BY r.due_at, r.id LIMIT $8
"""

QUEUE_BY_DATE = f"""
{_DESK} WHERE {_QUEUED} AND ($6::timestamptz IS NULL OR (r.received_at, r.id) < ($6, $7::uuid))
ORDER BY r.received_at DESC, r.id DESC LIMIT $8
"""

QUEUE_COUNT = f"SELECT count(*) FROM contact_request r WHERE {_QUEUED}"  # noqa: S608 (our own text)

WAITING = f"""
SELECT count(*) AS waiting, count(*) FILTER (WHERE due_at <= now()) AS late,
       count(*) FILTER (WHERE assigned_to = $1) AS mine
FROM contact_request WHERE state IN {_WAITING}
"""  # noqa: S608 (our own text)

DESK_ONE = f"{_DESK} WHERE r.id = $1"

EARLIER = f"""
SELECT {_LINE} FROM contact_request r JOIN company c ON c.id = r.company_id
WHERE r.company_id = $1 AND r.id <> $2 ORDER BY r.received_at DESC, r.id DESC LIMIT 5
"""  # noqa: S608 (our own text)

DESK_LOCK = """
SELECT id, number, company_id, user_id, reason, state, assigned_to, reopened_at, version
FROM contact_request WHERE id = $1 FOR UPDATE
"""

# $2: who takes it; null: nobody any more.
ASSIGN = """
UPDATE contact_request SET assigned_to = $2, version = version + 1, told_at = now(),
       state = CASE WHEN $2::uuid IS NOT NULL THEN 'assigned' WHEN reopened_at IS NOT NULL THEN 'reopened'
                    ELSE 'received' END
WHERE id = $1
"""

# $2: who answers, and takes it where nobody has. $3: nothing more is awaited.
ANSWER = """
UPDATE contact_request SET state = CASE WHEN $3 THEN 'closed' ELSE 'answered' END, answered_at = now(),
       closed_at = CASE WHEN $3 THEN now() END, assigned_to = coalesce(assigned_to, $2), version = version + 1,
       told_at = now()
WHERE id = $1
"""

CLOSE = """
UPDATE contact_request SET state = 'closed', closed_at = now(), version = version + 1, told_at = now() WHERE id = $1
"""

# --- its workflow

_FACTS = "version, state, due_at, escalated_at, answered_at, acknowledged_at"

FACTS = f"SELECT id, {_FACTS} FROM contact_request WHERE id = $1"  # noqa: S608 (our own text)

TOLD = "UPDATE contact_request SET told_version = $2 WHERE id = $1 AND told_version < $2"

# What a crash, or Temporal away, kept from being told.
UNTOLD = """
SELECT id FROM contact_request WHERE told_version < version AND told_at < now() - make_interval(secs => $1)
ORDER BY told_at LIMIT $2
"""

ACKNOWLEDGE = """
UPDATE contact_request SET acknowledged_at = now() WHERE id = $1 AND acknowledged_at IS NULL
RETURNING number, company_id, user_id, due_at
"""

# $2: as the workflow knew it. What was changed meanwhile stays, and the workflow hears of it. The workflow hears the
# answer: nobody else has to tell it. $3: when, by its clock.
ESCALATE = f"""
UPDATE contact_request SET escalated_at = $3, version = version + 1, told_version = version + 1
WHERE id = $1 AND version = $2 AND state IN {_WAITING} AND escalated_at IS NULL
RETURNING number, company_id, version
"""  # noqa: S608 (our own text)

CLOSE_SILENT = """
UPDATE contact_request SET state = 'closed', closed_at = $3, version = version + 1, told_version = version + 1
WHERE id = $1 AND version = $2 AND state = 'answered'
RETURNING number, company_id, user_id
"""

# Who looks after what waits too long.
HEADS = """
SELECT id FROM portal_user
WHERE kind = 'staff' AND 'super' = ANY (staff_roles) AND suspended_at IS NULL AND revoked_at IS NULL ORDER BY id
"""

# --- files that the antivirus has not seen yet

PENDING = """
SELECT id, request_id, company_id, object_key, data_key_sealed, sha256 FROM contact_file
WHERE scan = 'pending' ORDER BY uploaded_at LIMIT $1
"""

SCANNED = "UPDATE contact_file SET scan = $2 WHERE id = $1 AND scan = 'pending'"

# The row stays and says so; whoever deletes the file has its name.
REFUSE = """
UPDATE contact_file SET scan = $2, object_key = NULL, data_key_sealed = NULL WHERE id = $1 AND scan = 'pending'
RETURNING id
"""

COUNT_PENDING = "SELECT count(*) FROM contact_file WHERE scan = 'pending'"

# --- the retention table

DUE = "SELECT id FROM contact_request WHERE closed_at < $1 ORDER BY closed_at LIMIT $2 FOR UPDATE"
DELETE_FILES = "DELETE FROM contact_file WHERE request_id = ANY ($1) RETURNING object_key"
DELETE_MESSAGES = "DELETE FROM contact_message WHERE request_id = ANY ($1)"
DELETE = "DELETE FROM contact_request WHERE id = ANY ($1)"


async def delete_due(connection: Connection, before: datetime, limit: int) -> tuple[int, list[str]]:
    """(how many requests closed before then are gone, the files that nothing names any more)."""
    due = [row["id"] for row in await connection.fetch(DUE, before, limit)]
    files = await connection.fetch(DELETE_FILES, due)
    await connection.execute(DELETE_MESSAGES, due)
    await connection.execute(DELETE, due)
    return len(due), [row["object_key"] for row in files if row["object_key"] is not None]
