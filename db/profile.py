"""One's own account: who one is, password, number, address, authenticator app, terms.

Every change locks the user's row first (`FOR_UPDATE`), so that what it was decided on still holds.
"""

from __future__ import annotations

# $2: idle minutes of an employer's user, $3: of staff
ME = """
SELECT u.id, u.kind, u.email, u.first_name, u.last_name, u.staff_roles, u.terms_version,
       CASE WHEN u.phone_proved_at IS NOT NULL THEN u.phone_sealed END AS phone_sealed,
       u.totp_proved_at IS NOT NULL AS has_totp,
       (SELECT count(*) FROM recovery_code r WHERE r.user_id = u.id AND r.used_at IS NULL) AS recovery_codes_left,
       c.siren, c.name AS company, s.expires_at,
       least(s.expires_at, s.seen_at + make_interval(mins => CASE u.kind WHEN 'staff' THEN $3::int ELSE $2::int END))
           AS idle_until
FROM portal_session s JOIN portal_user u ON u.id = s.user_id LEFT JOIN company c ON c.id = s.company_id
WHERE s.token_hash = $1
"""

# With the names of those who look after each (peers.md P12).
COMPANIES = """
SELECT c.siren, c.name, m.role, array(
           SELECT a.first_name || ' ' || a.last_name FROM membership o JOIN portal_user a ON a.id = o.user_id
           WHERE o.company_id = m.company_id AND o.role = 'administrator' AND is_active(o)
             AND a.suspended_at IS NULL AND a.revoked_at IS NULL
           ORDER BY a.last_name, a.first_name, a.id) AS administrators
FROM membership m JOIN company c ON c.id = m.company_id
WHERE m.user_id = $1 AND is_active(m) ORDER BY c.name, c.siren
"""

RENAME = """
UPDATE portal_user SET first_name = coalesce($2, first_name), last_name = coalesce($3, last_name) WHERE id = $1
"""

ADD_ACCEPTANCE = """
INSERT INTO terms_acceptance (user_id, version, network)
VALUES ($1, $2, nullif(current_setting('app.network', true), '')::inet)
ON CONFLICT DO NOTHING RETURNING version
"""

SET_TERMS = "UPDATE portal_user SET terms_version = $2 WHERE id = $1"

# Read before a change, to decide on; `now`: the clock that decides.
GET = """
SELECT id, kind, email, password_hash, password_version, phone_sealed, phone_index, totp_next_sealed,
       phone_proved_at IS NOT NULL AS has_phone, totp_proved_at IS NOT NULL AS has_totp, now() AS now
FROM portal_user WHERE id = $1 AND revoked_at IS NULL
"""

FOR_UPDATE = f"{GET.rstrip()} FOR NO KEY UPDATE"

LOCK = "SELECT id FROM portal_user WHERE id = $1 FOR NO KEY UPDATE"

# What a password must not be made of (security.md A-05); of somebody with many companies, some of them.
ABOUT = """
SELECT array_agg(word) FROM (
    SELECT unnest(ARRAY[u.first_name, u.last_name, u.email]) AS word FROM portal_user u WHERE u.id = $1
    UNION ALL
    (SELECT unnest(ARRAY[c.name, c.siren]
                   || array(SELECT e.siret FROM establishment e WHERE e.company_id = c.id LIMIT 20))
     FROM membership m JOIN company c ON c.id = m.company_id WHERE m.user_id = $1 AND m.revoked_at IS NULL LIMIT 300)
) AS words
"""

# --- what a change ends

CLOSE_ELSEWHERE = "DELETE FROM portal_session WHERE user_id = $1 AND token_hash <> ALL ($2::bytea[])"

KILL_DEVICES = "UPDATE trusted_device SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL"

# Codes on their way, wherever they were asked for.
KILL_CHALLENGES = "DELETE FROM challenge WHERE user_id = $1 AND consumed_at IS NULL"

KILL_EMAIL_CHANGES = """
UPDATE email_change SET dead_at = now() WHERE user_id = $1 AND done_at IS NULL AND dead_at IS NULL
"""

# The session in which the password was changed goes on.
KEEP_SESSION = """
UPDATE portal_session s SET password_version = u.password_version FROM portal_user u
WHERE s.token_hash = $1 AND u.id = s.user_id RETURNING s.id
"""

# --- password

SET_PASSWORD = """
UPDATE portal_user SET password_hash = $2, password_version = password_version + 1, password_changed_at = now()
WHERE id = $1
"""

# --- telephone

# One number at a time: two users who give it at once are counted one after the other.
LOCK_NUMBER = "SELECT pg_advisory_xact_lock(8_014_011, hashtext(encode($1::bytea, 'hex')))"

# The number whose code was taken in this session, in this very transaction.
PROVED_NUMBER = """
SELECT id, phone_sealed, phone_index FROM challenge
WHERE session_hash = $1 AND user_id = $2 AND purpose = 'phone' AND consumed_at = now()
"""

SET_PHONE = """
UPDATE portal_user SET phone_sealed = $2, phone_index = $3, phone_proved_at = now(), code_due = 'phone_changed'
WHERE id = $1
"""

# --- a lost telephone

LOSS_OPEN = """
SELECT EXISTS (SELECT FROM phone_loss WHERE user_id = $1 AND done_at IS NULL AND stopped_at IS NULL)
"""

NEW_ID = "SELECT uuidv7()"

ADD_LOSS = """
INSERT INTO phone_loss (id, user_id, reason, asked_by, effective_at, stop_hash)
VALUES ($1, $2, $3, $4, now() + interval '24 hours', $5) RETURNING effective_at
"""

STOP_LOSS = """
UPDATE phone_loss l SET stopped_at = now() FROM portal_user u
WHERE l.stop_hash = $1 AND l.done_at IS NULL AND l.stopped_at IS NULL AND u.id = l.user_id
RETURNING l.id, l.user_id, u.kind
"""

LOSSES_DUE = """
SELECT id, user_id FROM phone_loss WHERE effective_at <= now() AND done_at IS NULL AND stopped_at IS NULL
ORDER BY effective_at LIMIT $1
"""

LOSS_DONE = """
UPDATE phone_loss SET done_at = now()
WHERE id = $1 AND effective_at <= now() AND done_at IS NULL AND stopped_at IS NULL RETURNING id
"""

CLEAR_FACTORS = """
UPDATE portal_user SET phone_sealed = NULL, phone_index = NULL, phone_proved_at = NULL, totp_sealed = NULL,
    totp_proved_at = NULL, totp_last_step = NULL, totp_next_sealed = NULL, code_due = 'phone_changed'
WHERE id = $1
"""

# --- e-mail address

EMAIL_TAKEN = "SELECT EXISTS (SELECT FROM portal_user WHERE kind = $1 AND email = $2)"

ADD_EMAIL_CHANGE = """
INSERT INTO email_change (id, user_id, new_email, token_hash, expires_at)
VALUES ($1, $2, $3, $4, now() + interval '24 hours') RETURNING expires_at
"""

LOCK_USER_OF_EMAIL_CHANGE = """
SELECT u.id FROM portal_user u JOIN email_change e ON u.id = e.user_id WHERE e.token_hash = $1 FOR NO KEY UPDATE OF u
"""

USE_EMAIL_CHANGE = """
UPDATE email_change e SET done_at = now() FROM portal_user u
WHERE e.token_hash = $1 AND u.id = e.user_id AND e.done_at IS NULL AND e.dead_at IS NULL AND e.expires_at > now()
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
RETURNING e.id, e.user_id, e.new_email, u.kind, u.email AS former_email
"""

SET_EMAIL = "UPDATE portal_user SET email = $2, email_proved_at = now() WHERE id = $1"

# --- authenticator app

SET_NEXT_TOTP = "UPDATE portal_user SET totp_next_sealed = $2 WHERE id = $1"

SET_TOTP = """
UPDATE portal_user SET totp_sealed = $2, totp_proved_at = now(), totp_last_step = $3, totp_next_sealed = NULL
WHERE id = $1
"""

CLEAR_TOTP = """
UPDATE portal_user SET totp_sealed = NULL, totp_proved_at = NULL, totp_last_step = NULL, totp_next_sealed = NULL
WHERE id = $1
"""

CLEAR_RECOVERY_CODES = "DELETE FROM recovery_code WHERE user_id = $1"

ADD_RECOVERY_CODES = """
INSERT INTO recovery_code (user_id, number, secret_hash)
SELECT $1, number, secret_hash FROM unnest($2::int[], $3::text[]) AS codes (number, secret_hash)
"""
