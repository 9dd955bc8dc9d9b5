"""A database as large as the branch's, in a minute or two: companies, their employees' affiliations and what follows
from those, and users who look at them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from bench.stack import Stack
from composition import cipher
from db import sessions
from domain.identifiers import Civility
from domain.policy import DEFAULT_POLICY
from domain.rights import UserKind
from domain.synthetic import synthetic_nir
from gateways.encryption import token_hash
from messages.terms import current_terms
from services.sessions import new_token
from web.cookies import SESSION_OF

SECONDS = 600  # for one statement
BIRTH = date(1990, 5, 12)
FILLED = (
    *("company", "establishment", "employee", "affiliation", "contact", "affiliation_event", "dispatch"),
    *("enrolment", "coverage"),
)

# $1, $2: companies by number; $3: people in each
COMPANIES = """
INSERT INTO company (siren, name, insurer, insurer_reference, activated_at)
SELECT lpad(n::text, 9, '0'), 'SOCIETE ' || n, CASE WHEN n % 2 = 0 THEN 'klesia' ELSE 'malakoff_humanis' END, 'K' || n,
       now()
FROM generate_series($1::int, $2::int) n
"""
ESTABLISHMENTS = """
INSERT INTO establishment (company_id, siret, name, postcode, city)
SELECT id, siren || '00001', 'HOTEL ' || siren, '75011', 'PARIS' FROM company
WHERE siren BETWEEN lpad($1::int::text, 9, '0') AND lpad($2::int::text, 9, '0')
"""
_SEEDED = """
seeded AS (
    SELECT c.id AS company_id, s.id AS establishment_id, c.siren FROM company c
    JOIN establishment s ON s.company_id = c.id
    WHERE c.siren BETWEEN lpad($1::int::text, 9, '0') AND lpad($2::int::text, 9, '0')
)
"""
EMPLOYEES = f"""
WITH {_SEEDED}, names AS (
    SELECT ARRAY['Martin', 'Bernard', 'Dubois', 'Robert', 'Petit', 'Durand', 'Moreau', 'Simon', 'Michel', 'Garcia',
                 'Roux', 'Lefebvre', 'Mercier', 'Blanc', 'Guerin', 'Boyer', 'Faure', 'Rousseau'] AS last,
           ARRAY['Camille', 'Claude', 'Dominique', 'Lou', 'Alix', 'Sacha', 'Charlie', 'Maxime', 'Morgan'] AS first
)
INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed, nir_index,
                      search_name)
SELECT uuidv7(), company_id, 'MME', name, name, first[1 + n % 9], '1990-05-12', '\\x00',
       decode(md5(siren || n), 'hex'), lower(name || ' ' || first[1 + n % 9])
FROM seeded, names, generate_series(1, $3::int) n,
     LATERAL (SELECT last[1 + n % 18] || substr(md5(siren || n), 1, 4) AS name) named
"""
AFFILIATIONS = f"""
WITH {_SEEDED}
INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status, scheme,
                         contract_kind, declared_by, policy, medium, status, status_at, declared_at, version, attention,
                         attention_since, next_step_kind, next_step_medium, next_step_at)
SELECT uuidv7(), e.company_id, s.establishment_id, e.id, 'fr', '2026-01-05', 'NC', 'RG', 'cdi', 'bench', $3, 'email',
       status, at, at - interval '9 days', 3,
       CASE WHEN odd THEN 'uncertain' END, CASE WHEN odd THEN at END,
       CASE WHEN status IN ('sent', 'started') THEN 'reminder' END,
       CASE WHEN status IN ('sent', 'started') THEN 'email' END,
       CASE WHEN status IN ('sent', 'started') THEN now() + random() * interval '30 days' END
FROM seeded s JOIN employee e USING (company_id), LATERAL (
    SELECT (ARRAY['sent', 'sent', 'started', 'abandoned', 'abandoned', 'finalised'])
               [least(6, 1 + abs(hashtext(e.id::text)::bigint) % 25)] AS status,
           now() - abs(hashtext(e.nir_index::text)::bigint) % 31536000 * interval '1 second' AS at) drawn,
    LATERAL (SELECT status = 'sent' AND hashtext(e.id::text) % 50 = 0 AS odd) waiting
"""
_OF_SEEDED = "FROM affiliation a JOIN seeded s USING (company_id)"
CONTACTS = f"""
WITH {_SEEDED}
INSERT INTO contact (affiliation_id, version, company_id, email, phone, line1, postcode, city)
SELECT a.id, 1, company_id, right(a.id::text, 12) || '@exemple.fr', '+33639980001', '12 rue des Essais', '75011',
       'Paris'
{_OF_SEEDED}
"""
EVENTS = f"""
WITH {_SEEDED}
INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, details)
SELECT a.id, told.number, company_id, told.kind, declared_at + told.number * interval '3 days', 'system', details
{_OF_SEEDED}, (VALUES
    (0, 'declared', jsonb '{{}}'),
    (1, 'message_handed_over', jsonb '{{"message": "invitation", "medium": "email", "number": "1"}}')
) AS told (number, kind, details)
"""
DISPATCHES = f"""
WITH {_SEEDED}
INSERT INTO dispatch (company_id, affiliation_id, kind, number, medium, contact_version, state, prepared_at,
                      handed_over_at)
SELECT company_id, a.id, 'invitation', 1, 'email', 1, 'handed_over', declared_at, declared_at {_OF_SEEDED}
"""
ENROLMENTS = f"""
WITH {_SEEDED}
INSERT INTO enrolment (affiliation_id, company_id, version, submitted_at, channel)
SELECT a.id, company_id, 1, a.status_at, 'online' {_OF_SEEDED} WHERE a.status = 'finalised'
"""
COVERAGES = f"""
WITH {_SEEDED}
INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on)
SELECT uuidv7(), company_id, a.establishment_id, a.employee_id, a.id, 'BASE CCN HCR NC SEUL RG', a.status_at::date
{_OF_SEEDED} WHERE a.status = 'finalised'
"""
INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid = ANY ($1::regclass[]) AND NOT i.indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
PEOPLE = """
SELECT e.id FROM employee e JOIN company c ON c.id = e.company_id
WHERE c.siren BETWEEN lpad($1::int::text, 9, '0') AND lpad($2::int::text, 9, '0')
"""
ADD_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_version, terms_version,
                         staff_roles, last_signed_in_at)
VALUES ($1, $2, 'Camille', 'Mesure', now(), 1, $3, $4, now()) RETURNING id
"""
ADD_MEMBERSHIPS = """
INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at)
SELECT $1, id, 'administrator', now(), now() FROM company
WHERE siren BETWEEN lpad($2::int::text, 9, '0') AND lpad($3::int::text, 9, '0')
"""


@dataclass(frozen=True)
class Companies:
    """Those numbered so, with so many people each. `seen`: pages show them, so their numbers can be decrypted."""

    first: int
    last: int
    people: int
    seen: bool = False


async def fill(stack: Stack, connection: asyncpg.Connection, *companies: Companies) -> None:
    """Insert them all; what guards each row is set aside meanwhile, and indexes are made at the end."""
    policy = json.dumps({"sent_by_email_days": [rung.after_days for rung in DEFAULT_POLICY.sent_by_email]})
    indexes = await connection.fetch(INDEXES, list(FILLED))
    await connection.execute("SET session_replication_role = replica")  # no foreign key is looked up row by row
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for some in companies:
        numbers = some.first, some.last
        await connection.execute(COMPANIES, *numbers)
        await connection.execute(ESTABLISHMENTS, *numbers)
        await connection.execute(EMPLOYEES, *numbers, some.people, timeout=SECONDS)
        # without indexes and figures, one guess of the planner's lasts an hour
        await connection.execute("ANALYZE company, establishment, employee")
        await connection.execute(AFFILIATIONS, *numbers, policy, timeout=SECONDS)
        await connection.execute("ANALYZE affiliation")
        for following in (CONTACTS, EVENTS, DISPATCHES, ENROLMENTS, COVERAGES):
            await connection.execute(following, *numbers, timeout=SECONDS)
        if some.seen:
            await _seal(stack, connection, some)
    for index in indexes:
        await connection.execute(index["definition"], timeout=SECONDS)
    await connection.execute("SET session_replication_role = origin")
    await connection.execute(f"VACUUM (ANALYZE) {', '.join(FILLED)}", timeout=SECONDS)


async def _seal(stack: Stack, connection: asyncpg.Connection, companies: Companies) -> None:
    sealing, nir = cipher(stack.config), synthetic_nir(Civility.madame, BIRTH)
    ids = [row["id"] for row in await connection.fetch(PEOPLE, companies.first, companies.last)]
    sealed = [sealing.encrypt(nir, "employee", "nir", str(one)) for one in ids]
    await connection.execute(
        "UPDATE employee SET nir_sealed = known.sealed FROM unnest($1::uuid[], $2::bytea[]) AS known (id, sealed)"
        " WHERE employee.id = known.id",
        ids,
        sealed,
    )


async def cookie_of_user(
    connection: asyncpg.Connection, email: str, companies: Companies | None = None, *, roles: tuple[str, ...] = ()
) -> dict[str, str]:
    """A new user who is signed in: administrator of these companies, or a member of staff with these roles."""
    kind = UserKind.staff if roles else UserKind.employer
    user: UUID = await connection.fetchval(ADD_USER, kind.value, email, current_terms().version, list(roles))
    if companies is not None:
        await connection.execute(ADD_MEMBERSHIPS, user, companies.first, companies.last)
    token = new_token()
    await connection.execute(
        sessions.OPEN, token_hash(token), user, "open", None, "192.0.2.7/32", "un logiciel", 12, True
    )
    return {"Cookie": f"{SESSION_OF[kind].value}={token}"}
