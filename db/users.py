"""Users' rights on companies: invitations, memberships, and what ends with the last one.

Whatever changes the rights on a company first locks its row (`LOCK_COMPANIES`, by id), then the user's: what was
decided in the meantime is seen, and of two administrators who remove each other one comes second (security.md Z-08).
"""

from __future__ import annotations

from uuid import UUID

import asyncpg

from db.notifications import unread
from db.pool import Connection

INVITATION_HOURS = 72  # security.md A-24

_TODAY = "(now() AT TIME ZONE 'Europe/Paris')::date"
_OVER = f"(m.revoked_at IS NOT NULL OR coalesce(m.ends_on < {_TODAY}, false))"
_STATE = f"""
CASE WHEN {_OVER} THEN 'revoked' WHEN m.accepted_at IS NULL THEN 'invited'
     WHEN m.suspended_at IS NOT NULL THEN 'suspended' ELSE 'active' END
"""

# « Gestion des habilitations »: the rights on the companies of the context, by user; of whoever has accepted none of
# them, only what the inviter wrote. $1: one user, $2: one company, $3: in which states.
RIGHTS = f"""
SELECT * FROM (
    SELECT m.user_id, c.siren, c.name AS company, m.role, {_STATE} AS state, m.suspended_why, m.granted_at,
           m.accepted_at, m.confirmed_at, m.mandate_id, m.ends_on, i.created_at AS invited_at,
           i.expires_at AS invitation_expires_at, i.id AS invitation_id, known.known,
           CASE WHEN known.known OR i.id IS NULL THEN u.first_name ELSE i.first_name END AS first_name,
           CASE WHEN known.known OR i.id IS NULL THEN u.last_name ELSE i.last_name END AS last_name,
           CASE WHEN known.known THEN u.email ELSE coalesce(i.email, u.email) END AS email,
           CASE WHEN known.known THEN u.last_signed_in_at END AS last_signed_in_at
    FROM membership m
    JOIN company c ON c.id = m.company_id
    JOIN portal_user u ON u.id = m.user_id
    LEFT JOIN invitation i ON i.id = m.invitation_id
    CROSS JOIN LATERAL (SELECT bool_or(o.accepted_at IS NOT NULL) AS known FROM membership o
                        WHERE o.user_id = m.user_id) AS known
    WHERE $1::uuid IS NULL OR m.user_id = $1
) AS rights
WHERE ($2::text IS NULL OR siren = $2) AND state = ANY ($3)
ORDER BY last_name, first_name, user_id, company, siren
"""  # noqa: S608 (our own text)

COMPANY_BY_SIREN = "SELECT id FROM company WHERE siren = $1"

# --- locking

# $1: SIRENs, $2: the companies that the caller administers
LOCK_COMPANIES = """
SELECT id, siren, name FROM company WHERE siren = ANY ($1) AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE
"""

LOCK_COMPANY = "SELECT id FROM company WHERE id = $1 FOR NO KEY UPDATE"

LOCK_COMPANIES_OF_INVITATION = """
SELECT id, name FROM company WHERE id IN (SELECT company_id FROM membership WHERE invitation_id = $1)
ORDER BY id FOR NO KEY UPDATE
"""

LOCK_USER = "SELECT id FROM portal_user WHERE id = $1 FOR NO KEY UPDATE"

# The companies, of those in $2, that a user administers at this moment.
ADMINISTERED = """
SELECT m.company_id FROM membership m JOIN portal_user u ON u.id = m.user_id
WHERE m.user_id = $1 AND m.company_id = ANY ($2) AND m.role = 'administrator' AND is_active(m)
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
"""

ADMINISTRATORS = """
SELECT m.user_id FROM membership m JOIN portal_user u ON u.id = m.user_id
WHERE m.company_id = $1 AND m.role = 'administrator' AND is_active(m)
  AND u.suspended_at IS NULL AND u.revoked_at IS NULL
ORDER BY m.user_id
"""

# --- inviting

# The account of an address, made where there is none.
ADD_OR_FIND = """
INSERT INTO portal_user (kind, email, first_name, last_name, created_by) VALUES ('employer', $1, $2, $3, $4)
ON CONFLICT (kind, email) DO UPDATE SET email = excluded.email
RETURNING id, password_hash IS NOT NULL AS has_password
"""

HAS_PASSWORD = "SELECT password_hash IS NOT NULL FROM portal_user WHERE id = $1"

ADD_INVITATION = """
INSERT INTO invitation (id, user_id, invited_by, first_name, last_name, email, token_hash, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(hours => $8))
"""

# Nothing where there are rights already, in whatever state.
OFFER = f"""
INSERT INTO membership AS m (user_id, company_id, role, invitation_id, granted_by, mandate_id, ends_on)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, company_id) DO UPDATE SET role = excluded.role, invitation_id = excluded.invitation_id,
    granted_by = excluded.granted_by, granted_at = now(), accepted_at = NULL, suspended_at = NULL, suspended_why = NULL,
    revoked_at = NULL, mandate_id = excluded.mandate_id, ends_on = excluded.ends_on, confirmed_at = NULL,
    review_noticed_at = NULL
WHERE {_OVER}
RETURNING 1
"""  # noqa: S608 (our own text)

# The invitations that a user has not answered, on the companies of $2.
PENDING_INVITATIONS = f"""
SELECT i.id, i.generation, i.expires_at > now() AS alive, array_agg(m.company_id ORDER BY m.company_id) AS company_ids
FROM invitation i JOIN membership m ON m.invitation_id = i.id
WHERE i.user_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND m.company_id = ANY ($2)
  AND m.accepted_at IS NULL AND NOT {_OVER}
GROUP BY i.id ORDER BY i.created_at DESC
"""  # noqa: S608 (our own text)

# Where they are waited for, of the companies in $2.
PENDING_SIRENS = f"""
SELECT DISTINCT c.siren
FROM membership m JOIN company c ON c.id = m.company_id JOIN invitation i ON i.id = m.invitation_id
WHERE m.user_id = $1 AND m.company_id = ANY ($2) AND m.accepted_at IS NULL AND NOT {_OVER}
"""  # noqa: S608 (our own text)

RENEW_INVITATION = """
UPDATE invitation SET generation = $2, token_hash = $3, expires_at = now() + make_interval(hours => $4) WHERE id = $1
"""

# Whoever sends the link again answers for it from then on.
TAKE_OVER = """
UPDATE membership SET granted_by = $2 WHERE invitation_id = $1 AND company_id = ANY ($3) AND accepted_at IS NULL
"""

# Of whoever has accepted nothing yet anywhere the account has these names too.
RENAME = """
WITH named AS (
    UPDATE invitation SET first_name = $2, last_name = $3 WHERE id = ANY ($4) RETURNING user_id
)
UPDATE portal_user SET first_name = $2, last_name = $3
WHERE id = $1 AND email_proved_at IS NULL AND password_hash IS NULL AND EXISTS (SELECT FROM named)
"""

# --- accepting

# Staff by the first command or by a `super`; a user where a membership can still be accepted.
_ALIVE = f"""
i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
AND u.suspended_at IS NULL AND u.revoked_at IS NULL
AND CASE u.kind
    WHEN 'staff' THEN i.invited_by IS NULL OR EXISTS (
        SELECT FROM portal_user s WHERE s.id = i.invited_by AND 'super' = ANY (s.staff_roles)
            AND s.suspended_at IS NULL AND s.revoked_at IS NULL)
    ELSE EXISTS (SELECT FROM membership m WHERE m.invitation_id = i.id AND m.user_id = u.id
                 AND m.accepted_at IS NULL AND NOT {_OVER} AND may_still_grant(m.granted_by, m.company_id)) END
"""  # noqa: S608 (our own text)

OPEN_INVITATION = f"""
SELECT i.id, i.user_id, i.first_name, i.last_name, u.kind, u.email, u.password_hash IS NOT NULL AS has_password,
       array(SELECT c.name FROM membership m JOIN company c ON c.id = m.company_id
             WHERE m.invitation_id = i.id) AS companies
FROM invitation i JOIN portal_user u ON u.id = i.user_id
WHERE i.token_hash = $1 AND {_ALIVE}
"""  # noqa: S608 (our own text)

# Once: of two at the same time the second one gets nothing.
ACCEPT_INVITATION = f"""
UPDATE invitation i SET accepted_at = now() FROM portal_user u
WHERE i.id = $1 AND u.id = i.user_id AND {_ALIVE}
RETURNING i.user_id
"""  # noqa: S608 (our own text)

# What its inviter could still give; the rest of it is no offer any more. A mandate's rights begin with it.
ACCEPT_MEMBERSHIPS = f"""
UPDATE membership m SET
    accepted_at = CASE WHEN may_still_grant(m.granted_by, m.company_id) THEN now() END,
    confirmed_at = CASE WHEN may_still_grant(m.granted_by, m.company_id) THEN now() END,
    revoked_at = CASE WHEN may_still_grant(m.granted_by, m.company_id) THEN NULL ELSE now() END
WHERE m.invitation_id = $1 AND m.accepted_at IS NULL AND NOT {_OVER}
RETURNING m.company_id, m.role, m.accepted_at IS NOT NULL AS accepted
"""  # noqa: S608 (our own text)

# The first password; the address is proved by the link. Names as the inviter wrote them.
CREATE_PASSWORD = """
UPDATE portal_user SET password_hash = $2, password_version = password_version + 1, password_changed_at = now(),
    email_proved_at = now(), first_name = $3, last_name = $4, terms_version = coalesce($5, terms_version)
WHERE id = $1 AND password_hash IS NULL RETURNING 1
"""

ACCEPT_TERMS = """
INSERT INTO terms_acceptance (user_id, version, network)
VALUES ($1, $2, nullif(current_setting('app.network', true), '')::inet) ON CONFLICT DO NOTHING
"""

# --- changing

MEMBERSHIP = f"""
SELECT m.role, {_STATE} AS state, m.mandate_id, m.accepted_at IS NOT NULL AS accepted FROM membership m
WHERE m.user_id = $1 AND m.company_id = $2
"""  # noqa: S608 (our own text)

SET_ROLE = "UPDATE membership SET role = $3 WHERE user_id = $1 AND company_id = $2"

SUSPEND = """
UPDATE membership SET suspended_at = now(), suspended_why = $3, review_noticed_at = NULL
WHERE user_id = $1 AND company_id = $2
"""

REACTIVATE = """
UPDATE membership SET suspended_at = NULL, suspended_why = NULL, confirmed_at = now(), review_noticed_at = NULL
WHERE user_id = $1 AND company_id = $2
"""

CODE_DUE = "UPDATE portal_user SET code_due = $2 WHERE id = $1"

REVOKE = f"""
UPDATE membership m SET revoked_at = now(), review_noticed_at = NULL
WHERE m.user_id = $1 AND m.company_id = $2 AND NOT {_OVER}
RETURNING m.accepted_at IS NOT NULL AS accepted, m.mandate_id, m.invitation_id
"""  # noqa: S608 (our own text)

REVOKE_EMPTY_INVITATION = """
UPDATE invitation SET revoked_at = now() WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL
  AND NOT EXISTS (SELECT FROM membership WHERE invitation_id = $1 AND revoked_at IS NULL)
"""

UNDER_MANDATE = """
SELECT EXISTS (SELECT FROM membership WHERE user_id = $1 AND company_id = $2 AND mandate_id = $3 AND revoked_at IS NULL)
"""

END_RIGHTS_OF_MANDATE = """
UPDATE membership SET revoked_at = now(), review_noticed_at = NULL WHERE mandate_id = $1 AND revoked_at IS NULL
RETURNING accepted_at IS NOT NULL AS accepted
"""

END_MANDATE = """
UPDATE mandate SET state = $2, ended_at = now(), ended_by = $3 WHERE id = $1 AND state IN ('asked', 'accepted')
"""

# Who has lost their last company keeps no session, browser or link (security.md A-25); codes go with the sessions.
CLOSE_ACCESS = """
WITH without AS (
    SELECT $1::uuid AS id WHERE NOT EXISTS (SELECT FROM membership m WHERE m.user_id = $1 AND is_active(m))
), sessions AS (
    DELETE FROM portal_session s USING without WHERE s.user_id = without.id
), devices AS (
    UPDATE trusted_device d SET revoked_at = now() FROM without WHERE d.user_id = without.id AND d.revoked_at IS NULL
), resets AS (
    UPDATE password_reset r SET dead_at = now() FROM without
    WHERE r.user_id = without.id AND r.used_at IS NULL AND r.dead_at IS NULL
), changes AS (
    UPDATE email_change e SET dead_at = now() FROM without
    WHERE e.user_id = without.id AND e.done_at IS NULL AND e.dead_at IS NULL
)
SELECT id FROM without
"""


async def administered(connection: Connection, user_id: UUID, companies: list[UUID]) -> set[UUID]:
    """Those of the companies, locked before, that the user administers at this moment."""
    return {row["company_id"] for row in await connection.fetch(ADMINISTERED, user_id, companies)}


async def administrators(connection: Connection, company_id: UUID) -> list[UUID]:
    """Its active administrators."""
    return [row["user_id"] for row in await connection.fetch(ADMINISTRATORS, company_id)]


async def suspend(connection: Connection, company_id: UUID, user_id: UUID, why: str) -> None:
    """`why`: administrator, review. The company is locked."""
    await connection.execute(LOCK_USER, user_id)
    await connection.execute(SUSPEND, user_id, company_id, why)
    await connection.execute(CLOSE_ACCESS, user_id)


async def revoke(
    connection: Connection, company_id: UUID, user_id: UUID, by: UUID | None, mandate_state: str = "revoked"
) -> asyncpg.Record | None:
    """Rights, invitation and mandate there; None: there were none. The company is locked.

    `by`: who ends a mandate, None: its own end.
    """
    await connection.execute(LOCK_USER, user_id)
    revoked = await connection.fetchrow(REVOKE, user_id, company_id)
    if revoked is None:
        return None
    if revoked["mandate_id"] is not None:
        await connection.execute(END_MANDATE, revoked["mandate_id"], mandate_state, by)
    if not revoked["accepted"]:
        await connection.execute(REVOKE_EMPTY_INVITATION, revoked["invitation_id"])
    await connection.execute(CLOSE_ACCESS, user_id)
    return revoked


# Who a page greets, the company that the session works on, and what is new in the companies $3 of its perimeter.
GREETED = f"""
SELECT u.first_name, c.name AS company, {unread("$3::uuid[]")},
       (SELECT count(*) FROM membership m WHERE m.user_id = u.id AND is_active(m)) AS companies,
       l.id AS look_as_id, l.company AS look_as_company, l.ends_at AS look_as_until, l.reason AS look_as_reason
FROM portal_user u
LEFT JOIN portal_session s ON s.id = $2
LEFT JOIN company c ON c.id = s.company_id
LEFT JOIN LATERAL (
    SELECT l.id, o.name AS company, l.ends_at, l.reason FROM look_as l JOIN company o ON o.id = l.company_id
    WHERE u.kind = 'staff' AND l.session_id = $2 AND l.user_id = $1 AND l.ended_at IS NULL AND l.ends_at > now()
    ORDER BY l.id DESC LIMIT 1) l ON true
WHERE u.id = $1
"""  # noqa: S608 (our own text)
