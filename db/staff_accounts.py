"""Accounts of staff, and what staff do with the accounts of employers' users."""

from __future__ import annotations

_ACCOUNT = """
u.id, u.email, u.first_name, u.last_name, u.staff_roles AS roles, u.created_at, u.last_signed_in_at,
CASE WHEN u.suspended_at IS NOT NULL THEN 'suspended' WHEN u.password_hash IS NULL THEN 'invited' ELSE 'active' END
    AS state,
(SELECT max(i.expires_at) FROM invitation i
 WHERE i.user_id = u.id AND i.accepted_at IS NULL AND i.revoked_at IS NULL) AS invitation_expires_at
"""
_HERE = "u.kind = 'staff' AND u.revoked_at IS NULL"

# $1: one of them, null: all.
ACCOUNTS = f"""
SELECT {_ACCOUNT} FROM portal_user u WHERE {_HERE} AND ($1::uuid IS NULL OR u.id = $1)
ORDER BY u.last_name, u.first_name, u.id
"""  # noqa: S608 (our own text)

# --- locking: first whoever may change accounts, then the account

# Of two who take the role from each other one comes second, and is not among them any more.
LOCK_SUPERS = """
SELECT id FROM portal_user
WHERE kind = 'staff' AND 'super' = ANY (staff_roles) AND suspended_at IS NULL AND revoked_at IS NULL
ORDER BY id FOR NO KEY UPDATE
"""

LOCK_ACCOUNT = f"""
SELECT u.staff_roles AS roles, u.suspended_at IS NOT NULL AS suspended, u.password_hash IS NOT NULL AS accepted,
       u.first_name, u.last_name, u.email
FROM portal_user u WHERE u.id = $1 AND {_HERE} FOR NO KEY UPDATE
"""  # noqa: S608 (our own text)

LOCK_USER = """
SELECT suspended_at IS NOT NULL AS suspended FROM portal_user
WHERE id = $1 AND kind = 'employer' AND revoked_at IS NULL FOR NO KEY UPDATE
"""

# --- inviting

# Nothing where there is such an account; one that was revoked begins anew, with nothing of what it was.
ADD = """
INSERT INTO portal_user AS u (kind, email, first_name, last_name, staff_roles, created_by)
VALUES ('staff', $1, $2, $3, $4, $5)
ON CONFLICT (kind, email) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name,
    staff_roles = excluded.staff_roles, created_by = excluded.created_by, created_at = now(), revoked_at = NULL
WHERE u.revoked_at IS NOT NULL
RETURNING id
"""

WAITING_INVITATION = """
SELECT id, generation, expires_at > now() AS alive FROM invitation
WHERE user_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL ORDER BY created_at DESC LIMIT 1
"""

# Whoever sends the link again answers for it from then on.
TAKE_OVER = "UPDATE invitation SET invited_by = $2 WHERE id = $1"

# --- the first account: by the command, while nobody has the role and a password

LOCK_FIRST = "SELECT pg_advisory_xact_lock(8_014_005)"

FIRST_IS_THERE = """
SELECT EXISTS (SELECT FROM portal_user WHERE kind = 'staff' AND 'super' = ANY (staff_roles)
               AND password_hash IS NOT NULL AND revoked_at IS NULL)
"""

# What the command made before: nobody has used it, and an address that was mistyped must not become the first account.
UNUSED = "SELECT id FROM portal_user WHERE kind = 'staff' AND password_hash IS NULL AND revoked_at IS NULL"

# --- changing

CHANGE = """
UPDATE portal_user SET staff_roles = $2, suspended_at = CASE WHEN $3 THEN coalesce(suspended_at, now()) END,
    code_due = coalesce($4, code_due)
WHERE id = $1
"""

SUSPEND_USER = """
UPDATE portal_user SET suspended_at = CASE WHEN $2 THEN now() END,
    code_due = CASE WHEN $2 THEN code_due ELSE 'reactivated' END
WHERE id = $1
"""

# The name and the address stay: the log tells by them who did something.
REVOKE = """
UPDATE portal_user SET revoked_at = now(), suspended_at = NULL, staff_roles = '{}', password_hash = NULL,
    password_version = password_version + 1, email_proved_at = NULL, phone_sealed = NULL, phone_index = NULL,
    phone_proved_at = NULL, totp_sealed = NULL, totp_proved_at = NULL, totp_last_step = NULL, code_due = NULL,
    last_signed_in_at = NULL
WHERE id = $1
"""

FORGET_RECOVERY_CODES = "DELETE FROM recovery_code WHERE user_id = $1"

FORGET_ADDRESSES = "DELETE FROM known_address WHERE user_id = $1"

# Browsers and links end at once (security.md A-25); codes that are waited for go with the sessions.
CLOSE = """
WITH sessions AS (
    DELETE FROM portal_session WHERE user_id = $1
), devices AS (
    UPDATE trusted_device SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL
), resets AS (
    UPDATE password_reset SET dead_at = now() WHERE user_id = $1 AND used_at IS NULL AND dead_at IS NULL
)
UPDATE email_change SET dead_at = now() WHERE user_id = $1 AND done_at IS NULL AND dead_at IS NULL
"""

CLOSE_INVITATIONS = """
UPDATE invitation SET revoked_at = now() WHERE user_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL
"""

# --- employers' users

_USER = """
u.id, u.email, u.first_name, u.last_name, u.created_at, u.last_signed_in_at,
CASE WHEN u.suspended_at IS NOT NULL THEN 'suspended' WHEN u.password_hash IS NULL THEN 'invited' ELSE 'active' END
    AS state
"""

USER = f"""
SELECT {_USER} FROM portal_user u WHERE u.id = $1 AND u.kind = 'employer' AND u.revoked_at IS NULL
"""  # noqa: S608 (our own text)

# $1: in small letters, part of the address or of the name, in whatever order it is said.
FIND_USERS = f"""
SELECT {_USER} FROM portal_user u
WHERE u.kind = 'employer' AND u.revoked_at IS NULL
  AND (position($1 IN u.email) > 0 OR position($1 IN lower(u.first_name || ' ' || u.last_name)) > 0
       OR position($1 IN lower(u.last_name || ' ' || u.first_name)) > 0)
ORDER BY u.last_name, u.first_name, u.id LIMIT $2
"""  # noqa: S608 (our own text)

RIGHTS_OF = """
SELECT m.user_id, c.siren, c.name AS company, m.role, m.ends_on,
       CASE WHEN m.accepted_at IS NULL THEN 'invited' WHEN m.suspended_at IS NOT NULL THEN 'suspended' ELSE 'active' END
           AS state
FROM membership m JOIN company c ON c.id = m.company_id
WHERE m.user_id = ANY ($1) AND m.revoked_at IS NULL
  AND (m.ends_on IS NULL OR m.ends_on >= (now() AT TIME ZONE 'Europe/Paris')::date)
ORDER BY c.name, c.siren
"""
