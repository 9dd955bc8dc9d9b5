"""« Activer mon espace »: what a SIRET and an identifier open, and how a company gets its first administrator.

Whatever gives a company its administrator first locks its row (`db.users.LOCK_COMPANY`), then the user's.
"""

from __future__ import annotations

LINK_HOURS = 24
AGREEMENT_DAYS = 7  # how long the contact of the register has to agree, where that is asked
MAX_TRIES = 5  # of the password of one activation
STOP_DAYS = 7  # after it was completed

# A company by one of its SIRETs and by what its insurer calls it ($2: in capitals, without spaces).
BY_REFERENCE = """
SELECT c.id AS company_id, c.name AS company, e.name AS establishment, c.activated_at IS NOT NULL AS activated,
       c.closed_on <= today.day OR e.closed_on <= today.day AS closed, k.email AS contact,
       c.office_line1 <> '' AND c.office_postcode <> '' AND c.office_city <> '' AS has_office, uuidv7() AS new_id
FROM establishment e
JOIN company c ON c.id = e.company_id
LEFT JOIN company_contact k ON k.company_id = c.id
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE 'Europe/Paris')::date) AS today (day)
WHERE e.siret = $1 AND upper(regexp_replace(c.insurer_reference, '\\s', '', 'g')) = $2
"""

# $10: hours that its first link or letter works; $12: completed at once, by a user whose address is proved.
ADD = """
INSERT INTO activation (id, company_id, email, first_name, last_name, password_hash, terms_version, network, proof,
    token_hash, expires_at, stop_hash, completed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, nullif(current_setting('app.network', true), '')::inet, $8,
    $9, now() + make_interval(hours => $10), $11, CASE WHEN $12 THEN now() END)
"""

_ALIVE = "completed_at IS NULL AND stopped_at IS NULL AND expires_at > now()"

# Counted before the password is looked at, so that no more are tried at the same time either.
TRY = f"""
UPDATE activation a SET tries = tries + 1 WHERE token_hash = $1 AND tries < $2 AND {_ALIVE}
RETURNING id, company_id, email, first_name, last_name, password_hash, terms_version, network,
    (SELECT u.password_hash FROM portal_user u WHERE u.kind = 'employer' AND u.email = a.email) AS user_hash
"""  # noqa: S608 (our own text)

AWAITED = f"SELECT id, company_id, email FROM activation WHERE token_hash = $1 AND {_ALIVE} FOR UPDATE"  # noqa: S608

# The contact agreed, or the letter arrived: now the address is to be proved.
AWAIT_ADDRESS = f"""
UPDATE activation SET token_hash = $2, expires_at = now() + make_interval(hours => $3) WHERE id = $1 AND {_ALIVE}
RETURNING id AS new_id, company_id, email,
    (SELECT k.email FROM company_contact k WHERE k.company_id = activation.company_id) AS contact
"""  # noqa: S608 (our own text)

MAY_ACTIVATE = """
SELECT activated_at IS NULL AND (closed_on IS NULL OR closed_on > (now() AT TIME ZONE 'Europe/Paris')::date)
FROM company WHERE id = $1
"""

# Once: of two at the same time the second one gets nothing.
COMPLETE = f"UPDATE activation SET completed_at = now() WHERE id = $1 AND {_ALIVE} RETURNING 1"  # noqa: S608

ACTIVATE = "UPDATE company SET activated_at = now() WHERE id = $1"

ADD_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_hash, password_version,
    password_changed_at, terms_version, created_by)
VALUES ('employer', $1, $2, $3, now(), $4, 1, now(), $5, 'activation')
ON CONFLICT (kind, email) DO NOTHING RETURNING id
"""

# Somebody who has an account keeps its password, $6: the one that was given. Whoever was invited elsewhere and has none
# yet gets this one. The role was raised: a code is asked at the next sign-in (security.md A-11).
JOIN_USER = """
UPDATE portal_user SET
    first_name = CASE WHEN password_hash IS NULL THEN $2 ELSE first_name END,
    last_name = CASE WHEN password_hash IS NULL THEN $3 ELSE last_name END,
    email_proved_at = coalesce(email_proved_at, now()),
    password_hash = coalesce(password_hash, $4),
    password_version = password_version + (password_hash IS NULL)::int,
    password_changed_at = CASE WHEN password_hash IS NULL THEN now() ELSE password_changed_at END,
    terms_version = greatest(terms_version, $5),
    code_due = coalesce(code_due, 'role_raised')
WHERE kind = 'employer' AND email = $1 AND password_hash IS NOT DISTINCT FROM $6
  AND suspended_at IS NULL AND revoked_at IS NULL
RETURNING id
"""

ACCEPT_TERMS = """
INSERT INTO terms_acceptance (user_id, version, network) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

# The company has no administrator: whatever this user's rights on it were, these are the first ones.
ADMINISTER = """
INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at)
VALUES ($1, $2, 'administrator', now(), now())
ON CONFLICT (user_id, company_id) DO UPDATE SET role = excluded.role, invitation_id = NULL, granted_by = NULL,
    granted_at = now(), accepted_at = now(), suspended_at = NULL, suspended_why = NULL, revoked_at = NULL,
    mandate_id = NULL, ends_on = NULL, confirmed_at = now(), review_noticed_at = NULL
"""

FOLLOWED = "SELECT is_active(m) FROM membership m WHERE m.user_id = $1 AND m.company_id = $2"

USER = """
SELECT email, first_name, last_name, password_hash, terms_version FROM portal_user
WHERE id = $1 AND kind = 'employer' AND email_proved_at IS NOT NULL AND password_hash IS NOT NULL
"""

# --- stopping

BY_STOP_LINK = "SELECT id, company_id FROM activation WHERE stop_hash = $1"

STOP = """
UPDATE activation SET stopped_at = coalesce(stopped_at, now())
WHERE id = $1 AND (completed_at IS NULL OR stopped_at IS NOT NULL OR completed_at > now() - make_interval(days => $2))
RETURNING completed_at IS NOT NULL AS completed, stopped_at = now() AS first
"""

# Every right on the company comes from its activation: all of them end with it, and their keys.
SUSPEND_RIGHTS = """
UPDATE membership SET suspended_at = now() WHERE company_id = $1 AND suspended_at IS NULL AND revoked_at IS NULL
RETURNING user_id
"""

END_SESSIONS = "DELETE FROM portal_session WHERE user_id = ANY ($1)"

END_DEVICES = "UPDATE trusted_device SET revoked_at = now() WHERE user_id = ANY ($1) AND revoked_at IS NULL"

REVOKE_KEYS = """
UPDATE api_key SET revoked_at = now() WHERE $1 = ANY (company_ids) AND created_by = ANY ($2) AND revoked_at IS NULL
RETURNING id
"""
