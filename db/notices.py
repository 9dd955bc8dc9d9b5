"""Notices: what is written to users and companies, once for each business key."""

from __future__ import annotations

from db.notifications import UNOPENED

MAX_OFFICE_FAILURES = 20  # security.md L-02: then the code is dead
OFFICE_CODE_DAYS = 30
GIVE_UP_DAYS = 7  # a notice that has no end of its own

ADD = """
INSERT INTO notice (key, kind, medium, user_id, recipient, company_id, subject_id, details, not_before, not_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (key) DO NOTHING RETURNING id
"""

# Why nothing is sent any more. What somebody was to be warned of is told also when it has happened meanwhile; only what
# was stopped, or has come to nothing, is not.
_OVERTAKEN = """
CASE
    WHEN n.not_after <= now() THEN 'too_late'
    WHEN n.kind NOT IN ('access_suspended', 'access_revoked', 'account_suspended')
        AND (u.suspended_at IS NOT NULL OR u.revoked_at IS NOT NULL) THEN 'user_closed'
    WHEN n.kind IN ('activation', 'activation_agreement', 'activation_letter') AND NOT coalesce(
        v.completed_at IS NULL AND v.stopped_at IS NULL AND v.expires_at > now(), false) THEN 'subject_ended'
    WHEN n.kind = 'activation_told' AND NOT coalesce(
        v.stopped_at IS NULL AND (v.completed_at IS NOT NULL OR v.expires_at > now()), false) THEN 'subject_ended'
    WHEN n.kind IN ('invitation', 'access_offered', 'staff_invitation', 'recovery_granted') AND NOT coalesce(
        i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now(), false) THEN 'subject_ended'
    WHEN n.kind = 'password_reset' AND NOT coalesce(
        r.used_at IS NULL AND r.dead_at IS NULL AND r.expires_at > now(), false) THEN 'subject_ended'
    WHEN n.kind = 'email_change' AND NOT coalesce(
        e.done_at IS NULL AND e.dead_at IS NULL AND e.expires_at > now(), false) THEN 'subject_ended'
    WHEN n.kind = 'phone_loss' AND (l.id IS NULL OR l.stopped_at IS NOT NULL) THEN 'subject_ended'
    WHEN n.kind = 'recovery_told' AND NOT coalesce(
        y.state NOT IN ('stopped', 'expired', 'undeliverable'), false) THEN 'subject_ended'
    WHEN n.kind = 'recovery_letter' AND NOT coalesce(
        y.state IN ('requested', 'letter_sent'), false) THEN 'subject_ended'
    WHEN n.kind = 'recovery_waiting' AND NOT coalesce(y.state = 'code_entered', false) THEN 'subject_ended'
    WHEN n.kind = 'mandate_asked' AND NOT coalesce(m.state = 'asked', false) THEN 'subject_ended'
    WHEN n.kind = 'account_ending' AND u.last_signed_in_at > n.created_at THEN 'signed_in'
    WHEN n.kind = 'code_not_completed' AND (u.last_signed_in_at > n.created_at
        OR EXISTS (SELECT FROM portal_session s WHERE s.id = n.subject_id AND s.stage = 'open')) THEN 'signed_in'
END
"""

# What a notice is made of, all of it as it is at this moment.
_CONTENT = """
       n.details, n.created_at, u.kind = 'staff' AS staff, coalesce(c.name, '') AS company,
       coalesce(u.first_name, CASE n.kind WHEN 'activation' THEN v.first_name
           WHEN 'recovery_waiting' THEN y.first_name WHEN 'recovery_stopped' THEN y.first_name
           WHEN 'recovery_granted' THEN i.first_name END, '') AS first_name,
       CASE WHEN n.kind IN ('activation', 'activation_agreement') THEN v.expires_at
           WHEN n.kind = 'password_reset' THEN r.expires_at
           WHEN n.kind = 'email_change' THEN e.expires_at ELSE i.expires_at END AS expires_at,
       (SELECT count(*) FROM membership w WHERE w.invitation_id = i.id AND w.revoked_at IS NULL) AS offered,
       coalesce(l.effective_at, y.grant_at) AS effective_at,
       CASE WHEN n.kind = 'digest' THEN (
           SELECT jsonb_object_agg(d.id, d.name) FROM company d
           WHERE d.id = ANY (ARRAY(SELECT jsonb_object_keys(n.details -> 'counts'))::uuid[])) END AS names
"""
_WITH_SUBJECTS = """
LEFT JOIN portal_user u ON u.id = n.user_id
LEFT JOIN company c ON c.id = n.company_id
LEFT JOIN invitation i ON i.id = n.subject_id
LEFT JOIN activation v ON v.id = n.subject_id
LEFT JOIN password_reset r ON r.id = n.subject_id
LEFT JOIN email_change e ON e.id = n.subject_id
LEFT JOIN phone_loss l ON l.id = n.subject_id
LEFT JOIN company_recovery y ON y.id = n.subject_id
"""

# Counts the attempt.
CLAIM = f"""
WITH n AS (UPDATE notice SET attempts = attempts + 1 WHERE id = $1 RETURNING *)
SELECT n.id, n.kind, n.medium, n.company_id, n.subject_id, n.state, n.reason, n.provider_ref, n.attempts,
       n.calling_since, extract(epoch FROM now() - n.calling_since)::float8 AS calling_seconds,
       {_OVERTAKEN} AS overtaken,
       greatest(n.created_at, n.not_before) < now() - make_interval(days => $2) AS given_up,
       coalesce(n.recipient, u.email) AS recipient,
       c.office_line1, c.office_line2, c.office_postcode, c.office_city,
       coalesce(i.generation, 1) AS generation,
       coalesce(v.email, y.email) AS asked_by, coalesce(v.created_at, y.requested_at) AS asked_at,
       {_CONTENT}
FROM n {_WITH_SUBJECTS}
LEFT JOIN mandate m ON m.id = n.subject_id
"""  # noqa: S608 (our own text)

# What was written to a user, newest first, before ($2, $3).
OWN = f"""
SELECT n.id, n.kind, n.details, n.state, n.created_at, c.name AS company, {UNOPENED} AS unread
FROM notice n LEFT JOIN company c ON c.id = n.company_id
WHERE n.user_id = $1 AND n.medium = 'email' AND n.state IN ('handed_over', 'refused', 'unknown')
  AND ($2::timestamptz IS NULL OR (n.created_at, n.id) < ($2, $3::uuid))
ORDER BY n.created_at DESC, n.id DESC LIMIT $4
"""  # noqa: S608 (our own text)

OWN_ONE = f"""
SELECT n.id, n.kind, n.state, {_CONTENT} FROM notice n {_WITH_SUBJECTS}
WHERE n.user_id = $1 AND n.id = $2 AND n.medium = 'email' AND n.state IN ('handed_over', 'refused', 'unknown')
"""  # noqa: S608 (our own text)

# Only the last attempt to claim may call, remember and settle: as `db.dispatches` does it.
CALLING = """
UPDATE notice SET calling_since = now() WHERE id = $1 AND attempts = $2 AND state = 'prepared' RETURNING 1
"""

# The provider answered that it took nothing: the next attempt may call without looking first.
NOT_CALLING = "UPDATE notice SET calling_since = NULL WHERE id = $1 AND attempts = $2 AND state = 'prepared'"

# Two attempts at once must not post two letters: the second one's reference is refused.
REMEMBER_REF = """
UPDATE notice SET provider_ref = $2 WHERE id = $1 AND (provider_ref IS NULL OR provider_ref = $2) RETURNING 1
"""

# A callback may have been faster than the answer to the call: what it said stays.
SETTLE = """
UPDATE notice SET state = CASE WHEN state = 'prepared' THEN $2 ELSE state END,
       reason = CASE WHEN state = 'prepared' THEN $3 ELSE reason END,
       provider_ref = coalesce($4, provider_ref),
       handed_over_at = CASE WHEN $2 = 'handed_over' THEN coalesce(handed_over_at, now()) ELSE handed_over_at END,
       calling_since = NULL
WHERE id = $1 AND attempts = $5 RETURNING state, reason
"""

# What a provider says later: it had taken it; or it did not arrive ($2, why), which is its last word.
TELL = """
UPDATE notice SET state = CASE WHEN $2::text IS NULL THEN 'handed_over' ELSE 'refused' END, reason = $2::text,
       handed_over_at = coalesce(handed_over_at, $3)
WHERE id = $1 AND (state IN ('prepared', 'unknown') OR state = 'handed_over' AND $2::text IS NOT NULL)
"""

PROVIDER_REF = "SELECT provider_ref FROM notice WHERE id = $1"

# What nothing has tried to send although it is time: a crash, or Temporal away, kept it from being started.
NOT_STARTED = """
SELECT id, not_before FROM notice
WHERE state = 'prepared' AND attempts = 0 AND greatest(created_at, not_before) < now() - make_interval(secs => $1)
  AND greatest(created_at, not_before) > now() - make_interval(days => $2)
ORDER BY created_at LIMIT $3
"""

# The code of a letter: its secret half is never stored.
ADD_OFFICE_CODE = """
INSERT INTO office_code (notice_id, company_id, selector, secret_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (notice_id) DO NOTHING
"""

OFFICE_CODE_OF_NOTICE = "SELECT selector FROM office_code WHERE notice_id = $1"

# By its selector; dead: used, too many wrong secrets ($2), older than $3 days (whole days in Paris, as printed).
OFFICE_CODE_BY_SELECTOR = """
SELECT o.notice_id, o.company_id, o.secret_hash, n.kind, n.subject_id,
       o.used_at IS NOT NULL OR o.dead_at IS NOT NULL OR o.failures >= $2
       OR (now() AT TIME ZONE 'Europe/Paris')::date > (n.created_at AT TIME ZONE 'Europe/Paris')::date + $3::int AS dead
FROM office_code o JOIN notice n ON n.id = o.notice_id WHERE o.selector = $1
"""

COUNT_OFFICE_FAILURE = """
UPDATE office_code SET failures = failures + 1, dead_at = CASE WHEN failures + 1 >= $2 THEN now() ELSE dead_at END
WHERE selector = $1 AND used_at IS NULL AND dead_at IS NULL
"""

# Once: of two at the same time the second one gets nothing.
USE_OFFICE_CODE = """
UPDATE office_code SET used_at = now() WHERE notice_id = $1 AND used_at IS NULL AND dead_at IS NULL RETURNING company_id
"""
