"""Users' browser sessions: opened by a password, completed by a second factor, looked up at every request."""

from __future__ import annotations

OPEN = """
INSERT INTO portal_session (token_hash, user_id, stage, device_id, network, browser, password_version, expires_at,
    stepped_up_at)
SELECT $1, u.id, $3, $4, $5, $6, u.password_version, now() + make_interval(hours => $7), CASE WHEN $8 THEN now() END
FROM portal_user u WHERE u.id = $2
RETURNING id
"""

# Everything a request needs to know of who is asking, in one round trip. $2: idle minutes of an employer's user,
# $3: of staff; a password changed elsewhere, a suspension and a revocation end it at once (security.md A-25).
FIND = """
SELECT s.id, s.user_id, s.stage, s.company_id, s.seen_at < now() - interval '1 minute' AS to_be_seen,
       coalesce(s.stepped_up_at > now() - make_interval(mins => $4), false) AS stepped_up,
       u.kind, u.terms_version, u.staff_roles,
       CASE WHEN s.stage = 'open' AND u.kind = 'employer' THEN array(
           SELECT m.company_id FROM membership m WHERE m.user_id = u.id AND is_active(m)) ELSE '{}' END AS companies,
       CASE WHEN s.stage = 'open' AND u.kind = 'employer' THEN array(
           SELECT m.company_id FROM membership m WHERE m.user_id = u.id AND m.role = 'administrator' AND is_active(m))
           ELSE '{}' END AS administers
FROM portal_session s JOIN portal_user u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > now() AND s.password_version = u.password_version
  AND s.seen_at > now() - make_interval(mins => CASE u.kind WHEN 'staff' THEN $3::int ELSE $2::int END)
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
"""

EXTEND = """
UPDATE portal_session SET seen_at = now() WHERE token_hash = $1
RETURNING least(expires_at, seen_at + make_interval(mins => $2))
"""

COMPANY_OF_USER = """
SELECT c.id FROM company c JOIN membership m ON m.company_id = c.id AND m.user_id = $1
WHERE c.siren = $2 AND is_active(m)
"""

SEEN = "UPDATE portal_session SET seen_at = now() WHERE token_hash = $1"

# The same session under a new secret (security.md S-01): the second factor was given.
COMPLETE = """
UPDATE portal_session SET token_hash = $2, stage = 'open', device_id = $3, seen_at = now(), stepped_up_at = now(),
    expires_at = now() + make_interval(hours => $4)
WHERE token_hash = $1 AND stage = 'password' RETURNING id
"""

STEP_UP = """
UPDATE portal_session SET token_hash = $2, stepped_up_at = now(), seen_at = now()
WHERE token_hash = $1 AND stage = 'open' RETURNING id
"""

SWITCH_COMPANY = """
UPDATE portal_session SET token_hash = $2, former_hash = $1, company_id = $3, seen_at = now()
WHERE token_hash = $1 RETURNING id
"""

FORMER = "SELECT former_hash FROM portal_session WHERE token_hash = $1"

CLOSE = """
DELETE FROM portal_session s USING portal_user u WHERE s.token_hash = $1 AND u.id = s.user_id
RETURNING s.user_id, u.kind
"""

OF_USER = """
SELECT id, network, browser, created_at, seen_at, stage, token_hash = $2 AS current FROM portal_session
WHERE user_id = $1 AND stage = 'open' AND expires_at > now() ORDER BY seen_at DESC
"""

CLOSE_ONE = "DELETE FROM portal_session WHERE user_id = $1 AND id = $2 RETURNING id"

CLOSE_OTHERS = "DELETE FROM portal_session WHERE user_id = $1 AND token_hash <> $2"

CLOSE_ALL = "DELETE FROM portal_session WHERE user_id = $1"

# security.md S-04: at most so many at once, the oldest ends.
KEEP_NEWEST = """
DELETE FROM portal_session WHERE token_hash IN (
    SELECT token_hash FROM portal_session WHERE user_id = $1 AND stage = 'open' ORDER BY seen_at DESC OFFSET $2)
"""

CLOSE_OF_DEVICE = "DELETE FROM portal_session WHERE user_id = $1 AND device_id = $2 AND token_hash <> $3"

# A second sign-in in the same browser replaces the one before it, open or waiting for its code (security.md A-21).
REPLACE = "DELETE FROM portal_session WHERE token_hash = ANY ($1)"
