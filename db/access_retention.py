"""What the retention table ends of users and of access: what falls due by the day, and accounts that nobody uses.

$1 is the first moment that is not yet due, $2 how many at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from db import audit
from db.pool import Connection

CHALLENGES = """
WITH due AS (SELECT id FROM challenge WHERE issued_at < $1 ORDER BY issued_at LIMIT $2)
DELETE FROM challenge USING due WHERE challenge.id = due.id
"""

# In the sweep, by the database's clock: a code is kept for less than a day (security.md A-14), a wrong one counts for a
# whole one.
CODES_OF_A_DAY = """
WITH codes AS (
    SELECT id FROM challenge WHERE issued_at < now() - interval '23 hours 50 minutes' ORDER BY issued_at LIMIT $1
), gone AS (
    DELETE FROM challenge USING codes WHERE challenge.id = codes.id
), wrong AS (
    SELECT ctid FROM wrong_code WHERE at < now() - interval '24 hours' LIMIT $1
)
DELETE FROM wrong_code USING wrong WHERE wrong_code.ctid = wrong.ctid
"""

PORTAL_SESSIONS = """
WITH due AS (SELECT token_hash FROM portal_session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
DELETE FROM portal_session USING due WHERE portal_session.token_hash = due.token_hash
"""

DEVICES = """
WITH due AS (SELECT id FROM trusted_device WHERE coalesce(revoked_at, seen_at) < $1 LIMIT $2)
DELETE FROM trusted_device USING due WHERE trusted_device.id = due.id
"""

ADDRESSES = """
WITH due AS (SELECT user_id, network FROM known_address WHERE last_at < $1 LIMIT $2)
DELETE FROM known_address k USING due WHERE k.user_id = due.user_id AND k.network = due.network
"""

INVITATIONS = """
WITH due AS (
    SELECT id FROM invitation WHERE least(accepted_at, revoked_at, expires_at) < $1 LIMIT $2
), unlinked AS (
    UPDATE membership SET invitation_id = NULL FROM due WHERE membership.invitation_id = due.id
)
DELETE FROM invitation USING due WHERE invitation.id = due.id
"""

ACTIVATIONS = """
WITH due AS (SELECT id FROM activation WHERE least(completed_at, stopped_at, expires_at) < $1 LIMIT $2)
DELETE FROM activation USING due WHERE activation.id = due.id
"""

RECOVERIES = """
WITH due AS (SELECT id FROM company_recovery WHERE ended_at < $1 LIMIT $2)
DELETE FROM company_recovery USING due WHERE company_recovery.id = due.id
"""

PASSWORD_RESETS = """
WITH due AS (SELECT id FROM password_reset WHERE least(used_at, dead_at, expires_at) < $1 LIMIT $2)
DELETE FROM password_reset USING due WHERE password_reset.id = due.id
"""

EMAIL_CHANGES = """
WITH due AS (SELECT id FROM email_change WHERE least(done_at, dead_at, expires_at) < $1 LIMIT $2)
DELETE FROM email_change USING due WHERE email_change.id = due.id
"""

PHONE_LOSSES = """
WITH due AS (SELECT id FROM phone_loss WHERE least(done_at, stopped_at) < $1 LIMIT $2)
DELETE FROM phone_loss USING due WHERE phone_loss.id = due.id
"""

NOTICES = """
WITH due AS (
    SELECT id FROM notice WHERE created_at < $1 ORDER BY created_at LIMIT $2
), codes AS (
    DELETE FROM office_code USING due WHERE office_code.notice_id = due.id
)
DELETE FROM notice USING due WHERE notice.id = due.id
"""

RATE_LIMITS = """
WITH due AS (SELECT key FROM rate_limit WHERE tat < $1 ORDER BY tat LIMIT $2)
DELETE FROM rate_limit USING due WHERE rate_limit.key = due.key
"""

AUDIT_ORIGINS = """
WITH due AS (SELECT audit_id FROM audit_origin WHERE at < $1 ORDER BY at LIMIT $2)
DELETE FROM audit_origin USING due WHERE audit_origin.audit_id = due.audit_id
"""

COMPANY_CONTACTS = """
WITH due AS (
    SELECT company_id FROM company_contact JOIN company c ON c.id = company_id
    WHERE c.closed_on < ($1 AT TIME ZONE 'Europe/Paris')::date LIMIT $2
)
DELETE FROM company_contact USING due WHERE company_contact.company_id = due.company_id
"""

# --- accounts that nobody uses

_LAST_USE = """greatest(u.created_at, u.last_signed_in_at, u.revoked_at,
                 (SELECT max(i.created_at) FROM invitation i WHERE i.user_id = u.id))"""

# Told once since they were last used ($1: before this moment, $2: how many), thirty days before.
ENDING = f"""
SELECT u.id, used.at AS last_used_at FROM portal_user u CROSS JOIN LATERAL (SELECT {_LAST_USE}) AS used (at)
WHERE used.at < $1 AND NOT EXISTS (
    SELECT FROM notice n WHERE n.user_id = u.id AND n.kind = 'account_ending' AND n.created_at > used.at
) ORDER BY used.at LIMIT $2
"""  # noqa: S608 (our own text)

# Told at least thirty days before $3 (a day in Paris), of a day that has come. What the notice came to does not matter:
# an address that is no more keeps no account. $4: this one only.
ENDED = f"""
SELECT u.id FROM portal_user u CROSS JOIN LATERAL (SELECT {_LAST_USE}) AS used (at)
WHERE used.at < $1 AND ($4::uuid IS NULL OR u.id = $4) AND EXISTS (
    SELECT FROM notice n
    WHERE n.user_id = u.id AND n.kind = 'account_ending' AND n.created_at > used.at AND n.state <> 'prepared'
      AND (n.details ->> 'on')::date <= $3
      AND (coalesce(n.handed_over_at, n.created_at) AT TIME ZONE 'Europe/Paris')::date <= $3 - 30
) ORDER BY used.at LIMIT $2
"""  # noqa: S608 (our own text)

LOCK_USER = "SELECT kind FROM portal_user WHERE id = $1 FOR UPDATE"

# Companies whose only administrator they are. Held: two who go at once are counted one after the other.
LOCK_ADMINISTERED = """
SELECT c.id FROM company c JOIN membership m ON m.company_id = c.id
WHERE m.user_id = $1 AND m.role = 'administrator' AND m.accepted_at IS NOT NULL AND m.revoked_at IS NULL
ORDER BY c.id FOR UPDATE OF c
"""

LEFT_ALONE = """
SELECT id FROM company c WHERE id = ANY ($2) AND NOT EXISTS (
    SELECT FROM membership m JOIN portal_user u ON u.id = m.user_id
    WHERE m.company_id = c.id AND m.user_id <> $1 AND m.role = 'administrator' AND is_active(m)
      AND u.suspended_at IS NULL AND u.revoked_at IS NULL
) ORDER BY id
"""

# What others have done stays, without who did it: the audit log keeps their id.
_UNLINK = (
    ("invitation", "invited_by"),
    ("mandate", "decided_by"),
    ("mandate", "ended_by"),
    ("membership", "granted_by"),
    ("api_key", "created_by"),
    ("api_key", "revoked_by"),
    ("look_as", "user_id"),
    ("contact_request", "user_id"),
    ("contact_request", "assigned_to"),
    ("contact_message", "author_id"),
    ("faq_entry", "updated_by"),
    ("library_version", "added_by"),
    ("webhook_endpoint", "created_by"),
)
# In the order that the keys between the tables ask for.
_FORGET = (
    ("desk_assignment", "user_id"),
    ("export_job", "user_id"),
    ("assistant_question", "user_id"),
    ("affiliation_import", "user_id"),
    ("notification_mark", "user_id"),
    ("notification_preference", "user_id"),
    ("notification_told", "user_id"),
    ("wrong_code", "user_id"),
    ("challenge", "user_id"),
    ("portal_session", "user_id"),
    ("trusted_device", "user_id"),
    ("known_address", "user_id"),
    ("recovery_code", "user_id"),
    ("password_reset", "user_id"),
    ("email_change", "user_id"),
    ("phone_loss", "user_id"),
    ("phone_loss", "asked_by"),
    ("terms_acceptance", "user_id"),
    ("membership", "user_id"),
    ("mandate", "user_id"),
    ("invitation", "user_id"),
    ("notice", "user_id"),
)
HANDLED = frozenset({*_UNLINK, *_FORGET})

FORGET_OFFICE_CODES = "DELETE FROM office_code USING notice n WHERE n.id = office_code.notice_id AND n.user_id = $1"

UNLINK_MANDATES = """
UPDATE membership SET mandate_id = NULL FROM mandate d WHERE d.id = membership.mandate_id AND d.user_id = $1
"""

UNLINK_INVITATIONS = """
UPDATE membership SET invitation_id = NULL FROM invitation i WHERE i.id = membership.invitation_id AND i.user_id = $1
"""

FORGET_USER = "DELETE FROM portal_user WHERE id = $1"


@dataclass(frozen=True)
class _System:
    kind: str = "system"
    id: str | None = None


_SYSTEM = _System()


async def unused(connection: Connection, before: datetime, limit: int, today: date) -> list[asyncpg.Record]:
    """Accounts last used before this moment, whose people were told thirty days ago."""
    return await connection.fetch(ENDED, before, limit, today, None)


async def forget_user(connection: Connection, user_id: UUID, before: datetime, today: date) -> bool:
    """In one transaction: an account with everything of it; false when it was used meanwhile.

    A company whose only administrator it was is left without one: somebody else becomes it by a letter.
    """
    if await connection.fetchval(LOCK_USER, user_id) is None:
        return False
    if await connection.fetchval(ENDED, before, 1, today, user_id) is None:
        return False
    administered = [row["id"] for row in await connection.fetch(LOCK_ADMINISTERED, user_id)]
    alone = [row["id"] for row in await connection.fetch(LEFT_ALONE, user_id, administered)]
    for statement in (FORGET_OFFICE_CODES, UNLINK_MANDATES, UNLINK_INVITATIONS):
        await connection.execute(statement, user_id)
    for table, column in _UNLINK:
        await connection.execute(f"UPDATE {table} SET {column} = NULL WHERE {column} = $1", user_id)  # noqa: S608
    for table, column in _FORGET:
        await connection.execute(f"DELETE FROM {table} WHERE {column} = $1", user_id)  # noqa: S608
    await connection.execute(FORGET_USER, user_id)
    details = {"rule": "users"}
    await audit.add(connection, "user.deleted", _SYSTEM, object_type="user", object_id=user_id, details=details)
    for company_id in alone:
        await audit.add(
            connection, "company.orphaned", _SYSTEM, company_id=company_id, object_type="user", object_id=user_id
        )
    return True
