"""Row-level security and rights, as PostgreSQL itself enforces them (security.md Z-05)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI

from activities import coverage_changes
from activities.contracts.affiliation import Actor, ActorKind
from activities.coverage_changes import EndOfContract, Origin
from db import register
from db.pool import Connection, Pool, create_pool, employee_side, system, tenant
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.rights import Role
from domain.synthetic import synthetic_nir
from local.database import APPLICATION, OWNER
from local.postgres import PostgresServer
from services.callers import Scope
from settings import Settings
from tests.api.conftest import BASE, client, employee_of, key_for
from tests.conftest import DATABASE
from tests.enrolling import IBAN, family, save, send, upload, waived
from tests.gateways.files.samples import rib_pdf
from tests.users import add_user
from tests.world import Employer, Life, World

# What hcr_web may read at all; every row belongs to a company.
READABLE = (
    *("company", "establishment", "employee", "affiliation", "contact", "affiliation_event", "dispatch", "enrolment"),
    *("coverage", "dependant", "idempotency", "waiver", "membership", "mandate", "hire_proposal"),
    *("coverage_end", "coverage_suspension", "coverage_event"),
    *("contact_request", "contact_message", "contact_file"),
    "webhook_endpoint",
)
# Users are nobody's rows: a company reads those who have, had or ask for rights on it, and of them no secret.
USERS = ("portal_user", "invitation")
# What an employee reads of themselves, and their employer does not (security.md Z-06).
EMPLOYEES_OWN = ("signature", "document", "birth_date_tries")
UNREADABLE = (
    *("access_token", "employee_session", "api_key", "delivery_event", "local_message", "audit_log"),
    *("erasure", "company_contact", "terms_acceptance", "activation", "company_recovery", "trusted_device"),
    *("known_address", "portal_session", "challenge", "wrong_code", "recovery_code", "password_reset", "email_change"),
    *("phone_loss", "notice", "office_code", "rate_limit", "audit_chain", "audit_origin"),
    "desk_assignment",
    *("dsn_import", "dsn_declaration", "dsn_change", "dsn_number"),
    "export_job",
    *("notification_mark", "notification_preference", "notification_told"),
    *("affiliation_import", "affiliation_import_row"),
    "webhook_delivery",
    "look_as",
    *("faq_entry", "assistant_question"),
    *("library_document", "library_version"),
)
NIR = synthetic_nir(Civility.madame, date(1990, 5, 12), order=411)
WITHOUT_POLICY = {"schema_migration"}  # names and checksums of migrations: the owner's, nobody else reads it


@dataclass(frozen=True)
class Two:
    """Two companies, each with two employees: one insured, one with a waiver, so that every table has rows of both."""

    world: World
    a: tuple[Life, Life]
    b: tuple[Life, Life]


@pytest.fixture(scope="module")
async def two(world: World, app: FastAPI) -> AsyncIterator[Two]:
    companies = []
    for _ in range(2):
        employer = await world.employer()
        lives = []
        async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
            for number in range(2):
                answer = await http.post(
                    f"{BASE}/affiliations",
                    json=world.declaration(employer),
                    headers={"Idempotency-Key": f"isolation-{number}"},
                )
                lives.append(Life(world, employer, UUID(answer.json()["id"])))
        for life, answers in zip(lives, (family(), waived(nir=NIR)), strict=True):
            async with employee_of(app, life) as employee:
                version = await save(employee, answers)
                if "iban" in answers:
                    assert (await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))).status_code == 201
                await employee.post(f"{BASE}/enrolments/current/proof", json={"birth_date": "01/01/1901"})
                assert (await send(employee, version)).status_code == 200
            await life.until(Status.finalised)
        await _rights_on(world, employer)
        await _declared_by_payroll(world, employer)
        await _ended(world, lives[0])
        await _asked_for_help(world, employer)
        companies.append((lives[0], lives[1]))
    yield Two(world, companies[0], companies[1])
    for table in ("contact_file", "contact_message", "contact_request", "webhook_endpoint"):  # nobody could read them
        for life, _ in companies:
            await world.run(f"DELETE FROM {table} WHERE company_id = $1", life.employer.company_id)


async def _rights_on(world: World, employer: Employer) -> None:
    """A user who was invited, with a mandate; a software that is told of events."""
    user = await add_user(world, {employer.company_id: Role.member})
    async with system(world.system) as connection:
        await connection.execute(
            "INSERT INTO webhook_endpoint (company_id, name, url_sealed, secret_sealed) VALUES ($1, 'paie', '', '')",
            employer.company_id,
        )
        await connection.execute(
            "INSERT INTO mandate (company_id, user_id) VALUES ($1, $2)", employer.company_id, user.id
        )
        await connection.execute(
            "WITH made AS (INSERT INTO invitation (user_id, first_name, last_name, token_hash, expires_at)"
            " VALUES ($1, 'Prénom', 'Essai', $2, now()) RETURNING id)"
            " UPDATE membership SET invitation_id = made.id FROM made WHERE user_id = $1",
            user.id,
            user.id.bytes,
        )


async def _ended(world: World, life: Life) -> None:
    """The insured one's contract ends after a leave without pay."""
    [row] = await world.run("SELECT id, starts_on FROM coverage WHERE affiliation_id = $1", life.id)
    first, by = row["starts_on"], Actor(ActorKind.staff, "isolation")
    end = EndOfContract(first, first + timedelta(days=90), "059")
    async with system(world.system) as connection:
        await coverage_changes.suspend(connection, row["id"], "632", first, first, True, Origin.staff, by)
        await coverage_changes.declare_end(connection, row["id"], end, Origin.staff, by)


async def _asked_for_help(world: World, employer: Employer) -> None:
    """A request to HCR Bien-Être with a file beside it."""
    async with system(world.system) as connection:
        await connection.execute(
            """
            WITH asked AS (
                INSERT INTO contact_request (company_id, key, request_hash, reason, subject_sealed, due_at)
                VALUES ($1, 'k', $2, 'other', $2, now()) RETURNING id
            ), said AS (
                INSERT INTO contact_message
                    (request_id, company_id, number, author_kind, key, request_hash, body_sealed)
                SELECT id, $1, 1, 'user', 'k', $2, $2 FROM asked RETURNING request_id
            )
            INSERT INTO contact_file
                (request_id, company_id, message_number, name_sealed, media_type, size, sha256, scan)
            SELECT request_id, $1, 1, $2, 'application/pdf', 1, $2, 'clean' FROM said
            """,
            employer.company_id,
            employer.company_id.bytes,
        )


async def _declared_by_payroll(world: World, employer: Employer) -> None:
    """Somebody whom a DSN file declares."""
    async with system(world.system) as connection:
        await connection.execute(
            """
            WITH came AS (
                INSERT INTO dsn_import (origin, sha256, size, state, finished_at)
                VALUES ('api', $3, 1, 'applied', now()) RETURNING id
            ), declared AS (
                INSERT INTO dsn_declaration (import_id, number, first_line, company_id, siret, state)
                SELECT id, 1, 1, $1, $2, 'recorded' FROM came RETURNING id
            ), change AS (
                INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day,
                                        decision, state, match, line)
                SELECT uuidv7(), id, $1, 'hire', 'k', 'k', $3, '2026-04-01', 'automatic', 'applied', 'none', 1
                FROM declared RETURNING id
            )
            INSERT INTO hire_proposal (id, company_id, establishment_id, change_id, began_on, person_sealed)
            SELECT uuidv7(), $1, s.id, change.id, '2026-04-01', $3 FROM change JOIN establishment s ON s.siret = $2
            """,
            employer.company_id,
            employer.siret,
            employer.company_id.bytes,
        )


def column(table: str) -> str:
    return "id" if table == "company" else "company_id"


async def companies_in(connection: Connection, table: str) -> set[UUID]:
    rows = await connection.fetch(f"SELECT DISTINCT {column(table)} AS company FROM {table}")
    return {row["company"] for row in rows}


async def test_without_a_context_the_web_role_sees_no_row_of_any_table(two: Two) -> None:
    async with two.world.web.acquire() as connection:
        for table in READABLE:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        for table in EMPLOYEES_OWN:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        for table in USERS:
            assert await connection.fetchval(f"SELECT count(id) FROM {table}") == 0, table
        for table in UNREADABLE:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"SELECT count(*) FROM {table}")
    async with system(two.world.system) as connection:
        for table in (*READABLE, *EMPLOYEES_OWN, *USERS):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0, f"nothing proven about {table}"


async def test_the_two_lists_above_are_all_tables(two: Two) -> None:
    rows = await two.world.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in rows} == {*(*READABLE, *EMPLOYEES_OWN, *USERS, *UNREADABLE, *WITHOUT_POLICY)}


async def test_with_a_companys_context_only_its_rows_are_seen(two: Two) -> None:
    for (mine, _), (other, _) in ((two.a, two.b), (two.b, two.a)):
        async with tenant(two.world.web, [mine.employer.company_id]) as connection:
            for table in READABLE:
                assert await companies_in(connection, table) == {mine.employer.company_id}, table
            for table in EMPLOYEES_OWN:
                assert await companies_in(connection, table) == set(), table
            for table in ("affiliation", "employee"):
                query = f"SELECT count(*) FROM {table} WHERE company_id = $1"
                assert await connection.fetchval(query, other.employer.company_id) == 0


async def test_a_company_reads_the_users_who_have_rights_on_it_and_no_secret_of_theirs(two: Two) -> None:
    for (mine, _), (other, _) in ((two.a, two.b), (two.b, two.a)):
        async with tenant(two.world.web, [mine.employer.company_id]) as connection:
            seen = {row["id"] for row in await connection.fetch("SELECT id FROM portal_user")}
            memberships = await connection.fetch("SELECT user_id, company_id FROM membership")
            assert seen == {row["user_id"] for row in memberships}
            assert {row["company_id"] for row in memberships} == {mine.employer.company_id}
            assert len(await connection.fetch("SELECT id FROM invitation")) == 1
        others = await two.world.run("SELECT user_id FROM membership WHERE company_id = $1", other.employer.company_id)
        assert not seen & {row["user_id"] for row in others}
    for secret in ("password_hash", "phone_sealed", "totp_sealed", "failures", "code_due"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tenant(two.world.web, [two.a[0].employer.company_id]) as connection:
                await connection.execute(f"SELECT {secret} FROM portal_user")
    async with employee_side(two.world.web, two.a[0].id) as connection:
        assert await connection.fetch("SELECT id FROM portal_user") == []


async def test_with_both_companies_both_are_seen_and_with_none_nothing(two: Two) -> None:
    both = {two.a[0].employer.company_id, two.b[0].employer.company_id}
    async with tenant(two.world.web, both) as connection:
        assert await companies_in(connection, "affiliation") == both
    async with tenant(two.world.web, []) as connection:
        assert await companies_in(connection, "affiliation") == set()


async def test_an_employees_context_shows_only_their_own_affiliation(two: Two) -> None:
    life = two.a[0]
    row = await life.row()
    async with employee_side(two.world.web, life.id) as connection:
        of_affiliation = (
            "contact",
            "affiliation_event",
            "dispatch",
            "enrolment",
            "coverage",
            "dependant",
            "idempotency",
        )
        for table in (*of_affiliation, *EMPLOYEES_OWN):
            rows = await connection.fetch(f"SELECT DISTINCT affiliation_id FROM {table}")
            assert [found["affiliation_id"] for found in rows] == [life.id], table
        assert [found["id"] for found in await connection.fetch("SELECT id FROM affiliation")] == [life.id]
        assert [found["id"] for found in await connection.fetch("SELECT id FROM employee")] == [row["employee_id"]]
        places = await connection.fetch("SELECT id FROM establishment")
        assert [found["id"] for found in places] == [row["establishment_id"]]
        assert await connection.fetch("SELECT id FROM company") == []


async def test_a_foreign_row_can_be_neither_changed_nor_written(two: Two) -> None:
    mine, other = two.a[0], two.b[0]
    async with tenant(two.world.web, [mine.employer.company_id]) as connection:
        for statement in (
            "UPDATE affiliation SET declared_by = 'x' WHERE id = $1",
            "UPDATE enrolment SET missing = '{}' WHERE affiliation_id = $1",
        ):
            assert await connection.execute(statement, other.id) == "UPDATE 0"
    foreign_writes: list[tuple[str, tuple[Any, ...]]] = [
        (
            "INSERT INTO audit_log (company_id, affiliation_id, actor_kind, event) VALUES ($1, $2, 'employer', 'x')",
            (other.employer.company_id, other.id),
        ),
        (
            "INSERT INTO contact (affiliation_id, version, company_id, line1, postcode, city)"
            " VALUES ($2, 99, $1, 'x', '75011', 'x')",
            (other.employer.company_id, other.id),
        ),
        (
            "INSERT INTO idempotency (caller, key, company_id, affiliation_id, request_hash)"
            " VALUES ('x', 'x', $1, $2, '')",
            (other.employer.company_id, other.id),
        ),
    ]
    for statement, arguments in foreign_writes:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tenant(two.world.web, [mine.employer.company_id]) as connection:
                await connection.execute(statement, *arguments)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with employee_side(two.world.web, mine.id) as connection:
                await connection.execute(statement, *arguments)


FORBIDDEN = [
    *(
        f"UPDATE affiliation SET {column} = {column}"
        for column in (
            *("status", "status_at", "medium", "state", "version", "contact_version", "next_step_kind", "attention"),
            *("next_step_medium", "next_step_at", "pause", "closure", "policy", "company_id", "employee_id", "id"),
        )
    ),
    *(f"DELETE FROM {table}" for table in (*READABLE, *USERS, *UNREADABLE)),
    *(f"UPDATE membership SET {column} = {column}" for column in ("role", "accepted_at", "suspended_at", "company_id")),
    "INSERT INTO membership (user_id, company_id, role) VALUES (uuidv7(), uuidv7(), 'administrator')",
    *(f"TRUNCATE {table}" for table in ("affiliation", "audit_log")),
    "UPDATE audit_log SET event = 'x'",
    "SELECT * FROM audit_log",
    "UPDATE contact SET email = 'x'",
    *(
        f"UPDATE coverage SET {column} = {column}"
        for column in ("formula", "starts_on", "told", "state", "state_version", "next_step_kind", "next_step_at")
    ),
    *(
        f"UPDATE coverage_end SET {column} = {column}"
        for column in ("portability", "proof_until", "portability_ended_on", "covered_until", "origin", "company_id")
    ),
    "UPDATE coverage_suspension SET kept = true",
    *(f"UPDATE contact_request SET {column} = {column}" for column in ("assigned_to", "answered_at", "company_id")),
    "UPDATE contact_message SET number = 2",
    "UPDATE contact_file SET scan = 'clean'",
    "UPDATE coverage_event SET kind = 'x'",
    "UPDATE dispatch SET state = 'delivered'",
    "INSERT INTO dispatch (company_id) VALUES (NULL)",
    "UPDATE employee SET company_id = company_id",
    "UPDATE employee SET company_id = company_id",
    "UPDATE affiliation_event SET kind = 'x'",
    "INSERT INTO company (siren, name, insurer, insurer_reference) VALUES ('999000003', 'x', 'klesia', 'x')",
    "UPDATE establishment SET closed_on = NULL",
    "UPDATE hire_proposal SET state = 'dismissed'",
    "UPDATE api_key SET revoked_at = NULL",
    "SELECT url_sealed FROM webhook_endpoint",
    "SELECT id FROM webhook_delivery",
    "SELECT secret_hash FROM access_token",
    "SELECT * FROM schema_migration",
    "CREATE TABLE mine (id int)",
    "ALTER TABLE affiliation DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE affiliation NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY tenant ON affiliation",
    "SET ROLE hcr_owner",
    "SET SESSION AUTHORIZATION postgres",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_web_role_may_not(two: Two, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant(two.world.web, [two.a[0].employer.company_id]) as connection:
            await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET event = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DROP TABLE audit_log",
        "ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM schema_migration",
        "CREATE TABLE mine (id int)",
        "SET ROLE hcr_owner",
    ],
)
async def test_the_system_role_may_not(two: Two, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with system(two.world.system) as connection:
            await connection.execute(statement)


async def test_the_web_role_adds_to_the_audit_log_without_reading_it(two: Two) -> None:
    life = two.a[0]
    statement = "INSERT INTO audit_log (company_id, affiliation_id, actor_kind, event) VALUES ($1, $2, 'employer', 'x')"
    async with tenant(two.world.web, [life.employer.company_id]) as connection:
        assert await connection.execute(statement, life.employer.company_id, life.id) == "INSERT 0 1"


# --- the catalogue


async def test_every_table_enforces_row_level_security_with_a_policy(two: Two) -> None:
    rows = await two.world.run(
        """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) AS owner,
               (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        """
    )
    assert len(rows) > 15
    for row in rows:
        assert row["owner"] == OWNER, row["relname"]
        if row["relname"] not in WITHOUT_POLICY:
            assert row["relrowsecurity"], row["relname"]
            assert row["relforcerowsecurity"], row["relname"]
            assert row["policies"] > 0, row["relname"]


async def test_the_runtime_login_and_its_roles_own_nothing_and_bypass_nothing(two: Two) -> None:
    roles = await two.world.run(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin"
        " FROM pg_roles WHERE rolname = ANY ($1)",
        [APPLICATION, "hcr_web", "hcr_system"],
    )
    assert len(roles) == 3
    for role in roles:
        for power in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication"):
            assert role[power] is False, (role["rolname"], power)
        assert role["rolcanlogin"] is (role["rolname"] == APPLICATION)
    owned = await two.world.run(
        "SELECT relname::text FROM pg_class WHERE pg_get_userbyid(relowner) = ANY ($1)"
        " UNION SELECT proname::text FROM pg_proc WHERE pg_get_userbyid(proowner) = ANY ($1)"
        " UNION SELECT datname::text FROM pg_database WHERE pg_get_userbyid(datdba) = ANY ($1)",
        [APPLICATION, "hcr_web", "hcr_system"],
    )
    assert owned == []
    members = await two.world.run(
        "SELECT r.rolname AS of FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
        " JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = ANY ($1)",
        [APPLICATION, "hcr_web", "hcr_system"],
    )
    assert {row["of"] for row in members} == {"hcr_web", "hcr_system"}


async def test_one_function_of_ours_runs_with_its_owners_rights(two: Two) -> None:
    """The purge of the security log: see tests/db/test_audit_purge.py for what it cannot do."""
    rows = await two.world.run(
        "SELECT proname, pg_get_userbyid(proowner) AS owner, proconfig::text AS config,"
        " has_function_privilege('hcr_web', oid, 'EXECUTE') AS web,"
        " has_function_privilege('public', oid, 'EXECUTE') AS public"
        " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert [(row["proname"], row["owner"], row["web"], row["public"]) for row in rows] == [
        ("purge_security_log", OWNER, False, False)
    ]
    assert "search_path" in rows[0]["config"]


async def test_the_login_without_a_role_sees_nothing(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.url(APPLICATION, DATABASE))
    try:
        for table in (*READABLE, *UNREADABLE):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"SELECT count(*) FROM {table}")
    finally:
        await connection.close()


# --- one connection after the other


@pytest.fixture
async def narrow(config: Settings) -> AsyncIterator[Pool]:
    """A pool of one connection: whoever comes next gets the one that was just used."""
    pool = await create_pool(config.database_url, "hcr_web", 1)
    yield pool
    await pool.close()


async def _seen(pool: Pool) -> int:
    async with pool.acquire() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM affiliation")
        assert await connection.fetchval("SELECT current_setting('app.companies', true)") in (None, "")
        assert await connection.fetchval("SELECT current_setting('app.affiliation', true)") in (None, "")
    return count


async def test_a_context_does_not_outlive_its_transaction(two: Two, narrow: Pool) -> None:
    async with tenant(narrow, [two.a[0].employer.company_id]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM affiliation") == 2
    assert await _seen(narrow) == 0
    async with employee_side(narrow, two.a[0].id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM affiliation") == 1
    assert await _seen(narrow) == 0


async def test_a_context_does_not_survive_an_error_a_cancellation_or_a_time_out(two: Two, narrow: Pool) -> None:
    company = two.a[0].employer.company_id
    with pytest.raises(asyncpg.UndefinedTableError):
        async with tenant(narrow, [company]) as connection:
            await connection.fetch("SELECT * FROM nothing")
    assert await _seen(narrow) == 0

    async def sleep_in_context() -> None:
        async with tenant(narrow, [company]) as connection:
            await connection.execute("SELECT pg_sleep(30)")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sleep_in_context(), 0.1)
    assert await _seen(narrow) == 0


async def test_two_contexts_at_the_same_time_do_not_mix(two: Two) -> None:
    async def look(life: Life) -> None:
        for _ in range(20):
            async with tenant(two.world.web, [life.employer.company_id]) as connection:
                await asyncio.sleep(0)
                assert await companies_in(connection, "affiliation") == {life.employer.company_id}

    await asyncio.gather(*(look(life) for life in (two.a[0], two.b[0]) * 4))


async def test_a_foreign_siret_is_not_found_in_ones_own_context(two: Two) -> None:
    async with tenant(two.world.web, [two.a[0].employer.company_id]) as connection:
        assert await connection.fetchrow(register.ESTABLISHMENT_BY_SIRET, two.b[0].employer.siret) is None
        assert await connection.fetchrow(register.ESTABLISHMENT_BY_SIRET, two.a[0].employer.siret) is not None
