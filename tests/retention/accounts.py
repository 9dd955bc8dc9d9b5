"""Accounts that nobody uses, with something in every table that knows of users."""

from __future__ import annotations

import re
import secrets
import uuid
from uuid import UUID

from db.pool import Connection

_NAMES = re.compile(":(?:user|company|token)")
_EVERYTHING = (
    "INSERT INTO trusted_device (user_id, token_hash, browser) VALUES (:user, :token, 'Firefox')",
    "INSERT INTO known_address (user_id, network) VALUES (:user, '192.0.2.1/32')",
    "INSERT INTO portal_session (token_hash, user_id, stage, network, browser, password_version, expires_at)"
    " VALUES (:token, :user, 'open', '192.0.2.1/32', 'Firefox', 0, now())",
    "INSERT INTO challenge (id, user_id, session_hash, purpose, password_version, secret_sealed, phone_sealed,"
    " phone_index) VALUES (uuidv7(), :user, :token, 'sign_in', 0, 'x', 'x', 'x')",
    "INSERT INTO wrong_code (user_id) VALUES (:user)",
    "INSERT INTO recovery_code (user_id, number, secret_hash) VALUES (:user, 1, 'x')",
    "INSERT INTO password_reset (user_id, token_hash, expires_at) VALUES (:user, :token, now())",
    "INSERT INTO email_change (user_id, new_email, token_hash, expires_at)"
    " VALUES (:user, 'x@exemple.fr', :token, now())",
    "INSERT INTO phone_loss (user_id, reason, asked_by, effective_at, done_at, stop_hash)"
    " VALUES (:user, 'lost', :user, now(), now(), :token)",
    "INSERT INTO terms_acceptance (user_id, version) VALUES (:user, '1')",
    "INSERT INTO invitation (user_id, invited_by, first_name, last_name, token_hash, expires_at)"
    " VALUES (:user, :user, 'A', 'B', :token, now())",
    "INSERT INTO mandate (company_id, user_id, decided_by, ended_by) VALUES (:company, :user, :user, :user)",
    "INSERT INTO membership (user_id, company_id, role, granted_by, accepted_at, invitation_id, mandate_id)"
    " SELECT :user, :company, 'administrator', :user, now(), i.id, d.id FROM invitation i, mandate d"
    " WHERE i.user_id = :user AND d.user_id = :user",
    "INSERT INTO activation (company_id, email, first_name, last_name, password_hash, terms_version, proof, expires_at,"
    " stop_hash) VALUES (:company, 'x@exemple.fr', 'A', 'B', 'x', '1', 'email', now(), :token)",
    "INSERT INTO company_recovery (company_id, email, first_name, last_name, state, stop_hash, ended_at)"
    " VALUES (:company, 'x@exemple.fr', 'A', 'B', 'stopped', :token, now())",
    "WITH added AS (INSERT INTO notice (key, kind, medium, user_id, company_id, state)"
    " VALUES (encode(:token::bytea, 'hex'), 'activation_letter', 'post', :user, :company, 'handed_over') RETURNING id)"
    " INSERT INTO office_code (notice_id, company_id, selector, secret_hash)"
    " SELECT id, :company, encode(:token::bytea, 'hex'), 'x' FROM added",
    "INSERT INTO api_key (name, secret_hash, scopes, company_ids, created_by, revoked_by, expires_at)"
    " VALUES ('of a user', :token, '{}', ARRAY[:company]::uuid[], :user, :user, now() + interval '9 years')",
)


async def account(connection: Connection, unused_days: int = 0) -> UUID:
    """An account last used so many days ago."""
    user: UUID = await connection.fetchval(
        "INSERT INTO portal_user (kind, email, first_name, last_name, created_at, last_signed_in_at)"
        " VALUES ('employer', $1, 'Noa', 'Inventée', now() - interval '9 years', now() - make_interval(days => $2))"
        " RETURNING id",
        f"{uuid.uuid4()}@exemple.fr",
        unused_days,
    )
    return user


async def administrator(connection: Connection, user: UUID, company: UUID) -> None:
    await connection.execute(
        "INSERT INTO membership (user_id, company_id, role, accepted_at) VALUES ($1, $2, 'administrator', now())",
        user,
        company,
    )


async def unused_account(connection: Connection, company: UUID, unused_days: int = 0) -> UUID:
    """The only administrator of a company, with a row of each kind."""
    user = await account(connection, unused_days)
    given = {":user": user, ":company": company, ":token": secrets.token_bytes(32)}
    for statement in _EVERYTHING:
        numbered = statement
        names = sorted(set(_NAMES.findall(statement)))
        for number, name in enumerate(names, 1):
            numbered = numbered.replace(name, f"${number}")
        await connection.execute(numbered, *(given[name] for name in names))
    return user
