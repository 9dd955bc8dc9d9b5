"""Exports that take longer than an answer may: their jobs, one file each, for a day."""

from __future__ import annotations

FILE_HOURS = 24
ASKED_HOURS = 24  # what waits for a code that nobody gives
MOST_SHOWN = 50

# $1 id, $2 user, $3 companies, $4 kind, $5 form, $6 what was asked for, $7 state
ADD = """
INSERT INTO export_job (id, user_id, company_ids, kind, form, parameters_sealed, state)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

NEW_ID = "SELECT uuidv7()"

# One at a time: who asks twice in the same moment is counted once after the other.
LOCK_USER = "SELECT 1 FROM portal_user WHERE id = $1 FOR UPDATE"

COUNT_UNFINISHED = "SELECT count(*) FROM export_job WHERE user_id = $1 AND state IN ('waiting', 'running')"

# While the user still follows every company that it is about; staff follow none and see all.
_ALLOWED = """
 u.suspended_at IS NULL AND u.revoked_at IS NULL AND (u.kind = 'staff' OR NOT EXISTS (
    SELECT FROM unnest(j.company_ids) AS asked (id)
    WHERE NOT EXISTS (SELECT FROM membership m WHERE m.user_id = u.id AND m.company_id = asked.id AND is_active(m))))
"""
_VIEW = """
j.id, j.user_id, j.company_ids, j.kind, j.form, j.parameters_sealed, j.state, j.rows_done, j.rows_total, j.size,
       j.requested_at, j.finished_at, j.expires_at, j.downloaded_at,
       j.state = 'done' AND (j.object_key IS NULL OR j.expires_at <= now()) AS expired
"""

OF_USER = f"""
SELECT {_VIEW} FROM export_job j JOIN portal_user u ON u.id = j.user_id
WHERE j.user_id = $1 AND j.state <> 'asked' AND {_ALLOWED}
ORDER BY j.requested_at DESC, j.id DESC LIMIT {MOST_SHOWN}
"""  # noqa: S608 (our own text)

OF_USER_ONE = f"""
SELECT {_VIEW}, j.object_key, j.data_key_sealed, j.sha256
FROM export_job j JOIN portal_user u ON u.id = j.user_id
WHERE j.user_id = $1 AND j.id = $2 AND {_ALLOWED}
"""  # noqa: S608 (our own text)

DOWNLOADED = "UPDATE export_job SET downloaded_at = coalesce(downloaded_at, now()) WHERE id = $1"

# What waited for a code: another question takes its place, or a job goes on with it.
DELETE_ASKED = "DELETE FROM export_job WHERE user_id = $1 AND state = 'asked'"

# --- writing the file

# Counts the attempt; only the last one goes on. `allowed`: the user may still have it.
CLAIM = f"""
UPDATE export_job j SET attempts = j.attempts + (j.state IN ('waiting', 'running'))::int,
       state = CASE j.state WHEN 'waiting' THEN 'running' ELSE j.state END,
       started_at = coalesce(j.started_at, now()), rows_done = CASE j.state WHEN 'done' THEN j.rows_done ELSE 0 END
FROM portal_user u WHERE j.id = $1 AND u.id = j.user_id
RETURNING {_VIEW}, j.attempts, {_ALLOWED} AS allowed
"""  # noqa: S608 (our own text)

# $2 attempt; nothing comes back where another attempt has taken over, or the user may not have it any more.
PROGRESS = f"""
UPDATE export_job j SET rows_done = $3, rows_total = $4
FROM portal_user u WHERE j.id = $1 AND j.attempts = $2 AND j.state = 'running' AND u.id = j.user_id AND {_ALLOWED}
RETURNING 1
"""  # noqa: S608 (our own text)

FINISH = f"""
UPDATE export_job j SET state = 'done', rows_done = $3, rows_total = $3, object_key = $4, data_key_sealed = $5,
       sha256 = $6, size = $7, finished_at = now(), expires_at = now() + make_interval(hours => {FILE_HOURS})
FROM portal_user u WHERE j.id = $1 AND j.attempts = $2 AND j.state = 'running' AND u.id = j.user_id AND {_ALLOWED}
RETURNING j.expires_at
"""  # noqa: S608 (our own text)

STILL_ALLOWED = f"""
SELECT j.state <> 'running' OR {_ALLOWED} FROM export_job j JOIN portal_user u ON u.id = j.user_id WHERE j.id = $1
"""  # noqa: S608 (our own text)

# It came to nothing ($2: failed, cancelled).
END = """
UPDATE export_job SET state = $2, finished_at = now(), parameters_sealed = NULL
WHERE id = $1 AND state IN ('waiting', 'running') RETURNING id, user_id, kind
"""

# --- afterwards

# The file's time is over: the row forgets it and what was asked for, whoever deletes the file has its name.
EXPIRE = """
WITH due AS (
    SELECT id, object_key FROM export_job WHERE id = $1 AND expires_at <= now() FOR UPDATE
)
UPDATE export_job j SET object_key = NULL, data_key_sealed = NULL, parameters_sealed = NULL
FROM due WHERE j.id = due.id RETURNING due.object_key
"""

# Those whose workflow did not do so: $1 seconds after their end.
OVERDUE = """
SELECT id FROM export_job WHERE object_key IS NOT NULL AND expires_at < now() - make_interval(secs => $1)
ORDER BY expires_at LIMIT $2
"""

# What a crash, or Temporal away, kept from being started.
NOT_STARTED = """
SELECT id FROM export_job WHERE state = 'waiting' AND requested_at < now() - make_interval(secs => $1)
ORDER BY requested_at LIMIT $2
"""

# For the retention table: rows whose file has been gone since then. What no code was given for ends within a day.
PURGE = f"""
DELETE FROM export_job WHERE id IN (
    SELECT id FROM export_job
    WHERE object_key IS NULL AND state NOT IN ('waiting', 'running') AND coalesce(expires_at, requested_at) < $1
       OR state = 'asked' AND requested_at < now() - make_interval(hours => {ASKED_HOURS})
    LIMIT $2)
"""  # noqa: S608 (our own text)
