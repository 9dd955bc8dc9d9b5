"""« Mot de passe oublié »: links that are used once, the newest only (security.md A-22).

Whoever writes here locks the user's row first (`FOR_UPDATE`, `LOCK_USER_OF_TOKEN`): of two at the same time the
second one sees what the first one did.
"""

from __future__ import annotations

# Who has a password to forget: neither invited only, nor suspended or revoked.
_MAY_ASK = """
password_hash IS NOT NULL AND email_proved_at IS NOT NULL AND suspended_at IS NULL AND revoked_at IS NULL
"""

FIND = f"SELECT id FROM portal_user WHERE kind = $1 AND email = $2 AND {_MAY_ASK}"  # noqa: S608

# The id of a new link.
FOR_UPDATE = f"SELECT uuidv7() FROM portal_user WHERE id = $1 AND {_MAY_ASK} FOR NO KEY UPDATE"  # noqa: S608

# Every link of a user's: a newer one, a sign-in, another password or address, a suspension.
KILL = """
UPDATE password_reset SET dead_at = now() WHERE user_id = $1 AND used_at IS NULL AND dead_at IS NULL
"""

ADD = """
INSERT INTO password_reset (id, user_id, token_hash, expires_at) VALUES ($1, $2, $3, now() + interval '1 hour')
RETURNING expires_at
"""

# Also dead where whoever closed the account or signed in said nothing of it here.
_ALIVE = """
r.used_at IS NULL AND r.dead_at IS NULL AND r.expires_at > now()
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
  AND r.created_at > coalesce(u.last_signed_in_at, '-infinity')
  AND r.created_at > coalesce(u.password_changed_at, '-infinity')
"""

USER_OF_TOKEN = f"""
SELECT u.id FROM password_reset r JOIN portal_user u ON u.id = r.user_id WHERE r.token_hash = $1 AND {_ALIVE}
"""  # noqa: S608

LOCK_USER_OF_TOKEN = """
SELECT u.id FROM portal_user u JOIN password_reset r ON u.id = r.user_id WHERE r.token_hash = $1 FOR NO KEY UPDATE OF u
"""

# Once.
USE = f"""
UPDATE password_reset r SET used_at = now() FROM portal_user u
WHERE r.token_hash = $1 AND u.id = r.user_id AND {_ALIVE}
RETURNING r.id, r.user_id, u.kind
"""  # noqa: S608

# Unblocks signing in; the second factor is asked as ever, and stays blocked where it is.
SET_PASSWORD = """
UPDATE portal_user SET password_hash = $2, password_version = password_version + 1, password_changed_at = now(),
    failures = 0, blocks = 0, blocked_until = NULL, code_due = 'password_reset'
WHERE id = $1
"""
