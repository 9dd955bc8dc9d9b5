"""Signing in: users' state, the browsers and addresses they are known in, codes and how often they were wrong."""

from __future__ import annotations

# --- the password

BY_EMAIL = """
SELECT id, password_hash, password_version, coalesce(blocked_until > now(), false) AS blocked,
       password_hash IS NOT NULL AND suspended_at IS NULL AND revoked_at IS NULL AS usable
FROM portal_user WHERE kind = $1 AND email = $2
"""

# Whoever signs in, gives a code or types a wrong one is served one after the other.
LOCK = """
SELECT id, kind, password_hash, password_version, failures, blocks, coalesce(blocked_until > now(), false) AS blocked,
       suspended_at IS NULL AND revoked_at IS NULL AS usable, phone_sealed, phone_proved_at IS NOT NULL AS phone_proved,
       CASE WHEN totp_proved_at IS NOT NULL THEN totp_sealed END AS totp_sealed, code_due, last_signed_in_at,
       coalesce(code_blocked_until > now(), false) AS code_blocked, now() AS now
FROM portal_user WHERE id = $1 FOR UPDATE
"""

# $2: so many in a row block, $3 minutes, twice as long each time, at most $4 (security.md A-08)
COUNT_FAILURE = """
UPDATE portal_user SET failures = CASE WHEN failures + 1 < $2 THEN failures + 1 ELSE 0 END,
    blocks = blocks + CASE WHEN failures + 1 < $2 THEN 0 ELSE 1 END,
    blocked_until = CASE WHEN failures + 1 < $2 THEN blocked_until
        ELSE now() + make_interval(mins => least($3 * 2 ^ least(blocks, 20), $4)::int) END
WHERE id = $1 AND (blocked_until IS NULL OR blocked_until <= now()) RETURNING failures = 0 AS blocked
"""

# A browser's own count: whoever blocks the account does not block its user (security.md A-09).
COUNT_DEVICE_FAILURE = """
UPDATE trusted_device SET failures = failures + 1,
    blocked_until = CASE WHEN (failures + 1) % $2 <> 0 THEN blocked_until
        ELSE now() + make_interval(mins => least($3 * 2 ^ least(failures / $2, 20), $4)::int) END
WHERE id = $1 AND (blocked_until IS NULL OR blocked_until <= now()) RETURNING failures % $2 = 0 AS blocked
"""

REHASH = "UPDATE portal_user SET password_hash = $3 WHERE id = $1 AND password_hash = $2"

# With everything that was asked. A block goes on: it is for those who do not come from a known browser.
SIGNED_IN = """
UPDATE portal_user SET last_signed_in_at = now(), code_due = NULL, failures = 0, blocks = 0 WHERE id = $1
"""

# security.md A-22: a link to choose a new password is of no use to who has signed in.
END_RESETS = "UPDATE password_reset SET dead_at = now() WHERE user_id = $1 AND used_at IS NULL AND dead_at IS NULL"

# --- browsers

# `recent`: its secret was changed within the minute; the answer that carries the new one may still be on its way.
DEVICES = """
SELECT id, user_id, token_hash, former_hash, failures, coalesce(blocked_until > now(), false) AS blocked,
       revoked_at IS NOT NULL AS revoked, seen_at > now() - interval '1 minute' AS recent
FROM trusted_device WHERE id = ANY ($1) ORDER BY id FOR UPDATE
"""

# The same without waiting for those who change it: to count wrong passwords.
DEVICES_OF_USER = """
SELECT id, token_hash, former_hash, coalesce(blocked_until > now(), false) AS blocked FROM trusted_device
WHERE id = ANY ($1) AND user_id = $2 AND revoked_at IS NULL
"""

ADD_DEVICE = "INSERT INTO trusted_device (user_id, token_hash, browser) VALUES ($1, $2, $3) RETURNING id"

# $3: what the browser showed; taken once more should the answer with the new one get lost
ROTATE_DEVICE = """
UPDATE trusted_device SET token_hash = $2, former_hash = $3, browser = $4, seen_at = now(), failures = 0,
    blocked_until = NULL
WHERE id = $1
"""

DEVICE_SEEN = "UPDATE trusted_device SET failures = 0, blocked_until = NULL WHERE id = $1"

DEVICE_LIST = """
SELECT id, browser, created_at, seen_at FROM trusted_device WHERE user_id = $1 AND revoked_at IS NULL
ORDER BY seen_at DESC
"""

REVOKE_DEVICE = """
UPDATE trusted_device SET revoked_at = now() WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""

REVOKE_DEVICES = "UPDATE trusted_device SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL"

# --- addresses

KNOWS_ADDRESS = "SELECT EXISTS (SELECT FROM known_address WHERE user_id = $1 AND network = $2)"

KNOWN_ADDRESS = """
INSERT INTO known_address (user_id, network) VALUES ($1, $2)
ON CONFLICT (user_id, network) DO UPDATE SET last_at = now()
"""

# --- codes by SMS

# The last one of a session and purpose; a former one is dead. `alive`: issued less than $3 seconds ago, fewer wrong
# tries than $4, not used, and the password is still the one it was asked after (security.md ).
CHALLENGE = """
SELECT c.id, c.secret_sealed, c.phone_sealed, c.phone_index, c.issued_at, c.sent_at,
       c.consumed_at IS NULL AND c.tries < $4 AND c.issued_at > now() - make_interval(secs => $3)
       AND c.password_version = u.password_version AS alive
FROM challenge c JOIN portal_user u ON u.id = c.user_id
WHERE c.session_hash = $1 AND c.purpose = $2 ORDER BY c.issued_at DESC, c.id DESC LIMIT 1
"""

ADD_CHALLENGE = """
INSERT INTO challenge (id, user_id, session_hash, purpose, password_version, secret_sealed, phone_sealed, phone_index)
SELECT $1, id, $3, $4, password_version, $5, $6, $7 FROM portal_user WHERE id = $2
"""

# One in each $2 seconds; claimed before the call, so that two requests at once send one message.
CLAIM_SEND = """
UPDATE challenge SET sends = sends + 1, sent_at = now()
WHERE id = $1 AND (sent_at IS NULL OR sent_at <= now() - make_interval(secs => $2)) RETURNING sends
"""

# What was not taken may be asked for again at once.
NOT_SENT = "UPDATE challenge SET sent_at = NULL WHERE id = $1 AND sends = $2"

SEND_TIMES = """
SELECT coalesce(sent_at, now() - make_interval(secs => $2)) + make_interval(secs => $2) AS resend_at,
       issued_at + make_interval(secs => $3) AS expires_at
FROM challenge WHERE id = $1
"""

# Once, while it is alive: $2 seconds, fewer than $3 wrong tries.
CONSUME = """
UPDATE challenge c SET consumed_at = now() FROM portal_user u
WHERE c.id = $1 AND u.id = c.user_id AND c.consumed_at IS NULL AND c.tries < $3
  AND c.issued_at > now() - make_interval(secs => $2) AND c.password_version = u.password_version
RETURNING c.id
"""

COUNT_TRY = "UPDATE challenge SET tries = tries + 1 WHERE id = $1 RETURNING tries"

USERS_OF_NUMBER = """
SELECT count(*) FROM portal_user
WHERE phone_index = $1 AND phone_proved_at IS NOT NULL AND revoked_at IS NULL AND id <> $2
"""

PROVE_PHONE = """
UPDATE portal_user SET phone_sealed = $2, phone_index = $3, phone_proved_at = now() WHERE id = $1
"""

# --- the other codes

# $2: the time step of the code; none is taken twice, nor one before it (RFC 6238, 5.2)
USE_TOTP_STEP = """
UPDATE portal_user SET totp_last_step = $2 WHERE id = $1 AND (totp_last_step IS NULL OR totp_last_step < $2)
RETURNING id
"""

RECOVERY_CODE = "SELECT secret_hash FROM recovery_code WHERE user_id = $1 AND number = $2 AND used_at IS NULL"

USE_RECOVERY_CODE = """
UPDATE recovery_code SET used_at = now() WHERE user_id = $1 AND number = $2 AND secret_hash = $3 AND used_at IS NULL
RETURNING (SELECT count(*) - 1 FROM recovery_code r WHERE r.user_id = $1 AND r.used_at IS NULL) AS left
"""

RECOVERY_CODES_LEFT = "SELECT count(*) FROM recovery_code WHERE user_id = $1 AND used_at IS NULL"

# --- wrong codes of an account, whatever the challenge, the session, the method and the address (security.md A-15)

WRONG_CODE = "INSERT INTO wrong_code (user_id, at) VALUES ($1, now())"

# $2: how many are too many, $3: within how many seconds; the same place in both
TOO_MANY_WRONG_CODES = """
SELECT coalesce(bool_or((SELECT count(*) FROM wrong_code w
    WHERE w.user_id = $1 AND w.at > now() - make_interval(secs => l.seconds)) >= l.most), false)
FROM unnest($2::int[], $3::int[]) AS l (most, seconds)
"""

BLOCK_CODES = "UPDATE portal_user SET code_blocked_until = now() + make_interval(secs => $2) WHERE id = $1"

# What may be asked of a session: `password` awaits its second factor, `open` may be stepped up.
STAGE = """
SELECT s.id, s.stage FROM portal_session s JOIN portal_user u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.user_id = $2 AND s.expires_at > now() AND s.password_version = u.password_version
FOR UPDATE OF s
"""
