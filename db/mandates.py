"""Mandates of third-party declarants: asked for, given by a company until a day, ended."""

from __future__ import annotations

_TODAY = "(now() AT TIME ZONE 'Europe/Paris')::date"

# Given without having been asked for, or with it.
GIVE = """
INSERT INTO mandate (company_id, user_id, state, decided_at, decided_by, ends_on)
VALUES ($1, $2, 'accepted', now(), $3, $4)
ON CONFLICT (company_id, user_id) WHERE state IN ('asked', 'accepted') DO UPDATE
    SET state = 'accepted', decided_at = now(), decided_by = excluded.decided_by, ends_on = excluded.ends_on
RETURNING id
"""

# Its last day has passed, and the night has not told so yet.
END_OVER = f"""
UPDATE mandate SET state = 'ended', ended_at = now()
WHERE company_id = $1 AND user_id = $2 AND state = 'accepted' AND ends_on < {_TODAY}
"""  # noqa: S608 (our own text)

# $4: a company that refused is not asked again for so many days. Nothing where there are rights or an open request.
ASK = f"""
INSERT INTO mandate (company_id, user_id, ends_on)
SELECT $1, $2, $3
WHERE NOT EXISTS (SELECT FROM membership m WHERE m.company_id = $1 AND m.user_id = $2 AND m.accepted_at IS NOT NULL
                  AND m.revoked_at IS NULL AND (m.ends_on IS NULL OR m.ends_on >= {_TODAY}))
  AND NOT EXISTS (SELECT FROM mandate d WHERE d.company_id = $1 AND d.user_id = $2 AND d.state = 'refused'
                  AND d.decided_at > now() - make_interval(days => $4))
ON CONFLICT (company_id, user_id) WHERE state IN ('asked', 'accepted') DO NOTHING
RETURNING id
"""  # noqa: S608 (our own text)

_VIEW = """
SELECT d.id, c.siren, c.name AS company, d.user_id, d.state, d.asked_at, d.decided_at, d.ends_on, d.ended_at
"""

# Of the companies of the context; who was invited and has not answered is named as the inviter wrote it.
OF_COMPANIES = f"""
{_VIEW},
       CASE WHEN written.id IS NULL THEN u.first_name ELSE written.first_name END AS first_name,
       CASE WHEN written.id IS NULL THEN u.last_name ELSE written.last_name END AS last_name,
       CASE WHEN written.id IS NULL THEN u.email ELSE coalesce(written.email, u.email) END AS email
FROM mandate d JOIN company c ON c.id = d.company_id JOIN portal_user u ON u.id = d.user_id
LEFT JOIN LATERAL (
    SELECT i.id, i.first_name, i.last_name, i.email FROM membership m JOIN invitation i ON i.id = m.invitation_id
    WHERE m.mandate_id = d.id AND m.accepted_at IS NULL) AS written ON true
WHERE $1::uuid IS NULL OR d.id = $1
ORDER BY d.asked_at DESC, d.id
"""  # noqa: S608 (our own text)

OF_USER = f"""
{_VIEW}, u.first_name, u.last_name, u.email
FROM mandate d JOIN company c ON c.id = d.company_id JOIN portal_user u ON u.id = d.user_id
WHERE d.user_id = $1 AND (d.state <> 'accepted' OR EXISTS (
    SELECT FROM membership m WHERE m.mandate_id = d.id AND m.accepted_at IS NOT NULL))
ORDER BY d.asked_at DESC, d.id
"""

FIND = """
SELECT d.id, d.company_id, c.siren, d.user_id, d.state, d.decided_at
FROM mandate d JOIN company c ON c.id = d.company_id
WHERE d.id = $1
"""

STATE = "SELECT state FROM mandate WHERE id = $1 FOR UPDATE"

DECIDE = "UPDATE mandate SET state = $2, decided_at = now(), decided_by = $3, ends_on = $4 WHERE id = $1"

REFUSE = "UPDATE mandate SET state = 'refused', decided_at = now(), decided_by = $2 WHERE id = $1"

# Rights under a mandate that was asked for by the declarant: they begin at once. None where there are rights already.
GRANT_RIGHTS = f"""
INSERT INTO membership AS m (user_id, company_id, role, granted_by, accepted_at, confirmed_at, mandate_id, ends_on)
VALUES ($1, $2, 'member', $3, now(), now(), $4, $5)
ON CONFLICT (user_id, company_id) DO UPDATE SET role = 'member', invitation_id = NULL, granted_by = excluded.granted_by,
    granted_at = now(), accepted_at = now(), confirmed_at = now(), suspended_at = NULL, suspended_why = NULL,
    revoked_at = NULL, mandate_id = excluded.mandate_id, ends_on = excluded.ends_on, review_noticed_at = NULL
WHERE m.revoked_at IS NOT NULL OR m.ends_on < {_TODAY}
RETURNING 1
"""  # noqa: S608 (our own text)

# --- the night. $1: its day in Paris, $2: after this id, $3: how many

# Whose last day is near; $4: how many days before they are told.
ENDING = """
SELECT id, company_id, user_id, ends_on FROM mandate d
WHERE state = 'accepted' AND ends_on >= $1::date AND ends_on <= $1::date + $4::int AND id > $2
  AND EXISTS (SELECT FROM membership m WHERE m.mandate_id = d.id AND m.accepted_at IS NOT NULL AND m.revoked_at IS NULL)
ORDER BY id LIMIT $3
"""

OVER = """
SELECT id, company_id, user_id FROM mandate
WHERE state = 'accepted' AND ends_on < $1 AND id > $2 ORDER BY id LIMIT $3
"""
