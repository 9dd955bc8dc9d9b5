"""Recoveries of companies: a request, a letter's code, a delay in which anybody may object."""

from __future__ import annotations

INVITATION_HOURS = 72
FORSAKEN_DAYS = 90  # a letter takes days to leave, its code a month, the delay a week

_OPEN = "state IN ('requested', 'letter_sent', 'code_entered')"

# One open recovery per company.
ADD = f"""
INSERT INTO company_recovery (id, company_id, email, first_name, last_name, stop_hash) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (company_id) WHERE {_OPEN} DO NOTHING RETURNING id
"""  # noqa: S608 (our own text)

NOT_STARTED = """
SELECT id FROM company_recovery WHERE state = 'requested' AND requested_at < now() - make_interval(secs => $1)
ORDER BY requested_at LIMIT $2
"""

# Whose workflow has gone (an operator ended it): nobody will end it any more, and the company may be asked for again.
FORSAKEN = f"""
UPDATE company_recovery SET state = 'expired', ended_at = now()
WHERE {_OPEN} AND requested_at < now() - make_interval(days => $1) RETURNING id
"""  # noqa: S608 (our own text)

LOCK = """
SELECT id, company_id, email, first_name, last_name, state, grant_at FROM company_recovery WHERE id = $1 FOR UPDATE
"""

COMPANY = "SELECT company_id FROM company_recovery WHERE id = $1"

# Whoever may object: those who administer the company, and whom the register knows there, unless that is one of them.
TOLD = """
SELECT u.id AS user_id, NULL AS contact
FROM membership m JOIN portal_user u ON u.id = m.user_id
WHERE m.company_id = $1 AND m.role = 'administrator' AND is_active(m)
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
UNION ALL
SELECT NULL, k.email FROM company_contact k
WHERE k.company_id = $1 AND NOT EXISTS (
    SELECT FROM membership m JOIN portal_user u ON u.id = m.user_id
    WHERE m.company_id = $1 AND m.role = 'administrator' AND is_active(m) AND u.email = lower(k.email)
      AND u.suspended_at IS NULL AND u.revoked_at IS NULL)
"""

NOTICE = "SELECT id FROM notice WHERE key = $1"

LETTER_SENT = "UPDATE company_recovery SET state = 'letter_sent' WHERE id = $1 AND state = 'requested'"

CODE_ENTERED = """
UPDATE company_recovery SET state = 'code_entered', code_entered_at = $2, grant_at = $3
WHERE id = $1 AND state = 'letter_sent'
"""

END = f"UPDATE company_recovery SET state = $2, ended_at = now() WHERE id = $1 AND {_OPEN}"  # noqa: S608

# $2: by whom, a user's id or « contact ». What was granted is granted.
STOP = f"""
UPDATE company_recovery SET state = 'stopped', ended_at = now(), stopped_by = $2 WHERE id = $1 AND {_OPEN}
RETURNING company_id, email
"""  # noqa: S608 (our own text)

STATE = "SELECT state FROM company_recovery WHERE id = $1"

BY_STOP_LINK = "SELECT id FROM company_recovery WHERE stop_hash = $1"

# Of the companies of $1, the open ones.
OPEN = f"""
SELECT r.id, c.siren, c.name AS company, r.first_name, r.last_name, r.email, r.state, r.requested_at, r.grant_at
FROM company_recovery r JOIN company c ON c.id = r.company_id
WHERE r.company_id = ANY ($1) AND r.{_OPEN} ORDER BY r.requested_at, r.id
"""  # noqa: S608 (our own text)

OF_COMPANIES = "SELECT id FROM company_recovery WHERE id = $1 AND company_id = ANY ($2)"

# --- granting

NEW_ID = "SELECT uuidv7()"

ADD_OR_FIND_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, created_by) VALUES ('employer', $1, $2, $3, 'recovery')
ON CONFLICT (kind, email) DO UPDATE SET email = excluded.email
RETURNING id, suspended_at IS NOT NULL OR revoked_at IS NOT NULL AS closed
"""

ADMINISTER = """
UPDATE membership m SET role = 'administrator', mandate_id = NULL, ends_on = NULL
WHERE user_id = $1 AND company_id = $2 AND is_active(m) RETURNING 1
"""

# Whatever rights there were, they are not active: what is offered now comes in their place.
OFFER = """
INSERT INTO membership (user_id, company_id, role, invitation_id) VALUES ($1, $2, 'administrator', $3)
ON CONFLICT (user_id, company_id) DO UPDATE SET role = excluded.role, invitation_id = excluded.invitation_id,
    granted_by = NULL, granted_at = now(), accepted_at = NULL, suspended_at = NULL, suspended_why = NULL,
    revoked_at = NULL, mandate_id = NULL, ends_on = NULL, confirmed_at = NULL, review_noticed_at = NULL
"""
