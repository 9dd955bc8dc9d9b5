"""Migrations: applied once each, in order, by whoever comes, and never changed afterwards."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from db import migrate as migrations
from db.migrate import MigrationError, migrate
from local.database import OWNER
from local.postgres import PostgresServer

_numbers = itertools.count()
ALL = sorted(path.name for path in migrations.MIGRATIONS.glob("*.sql"))


@pytest.fixture
async def empty(postgres: PostgresServer) -> AsyncIterator[str]:
    """The owner's address of a new database."""
    name = f"migrations_{next(_numbers)}"
    await postgres.create_database(name, owner=OWNER)
    yield postgres.url(OWNER, name)
    await postgres.drop_database(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Migrations of the test's own."""
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id int);")
    return tmp_path


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row["tablename"] for row in rows}
    finally:
        await connection.close()


async def test_a_new_database_gets_them_all_and_a_second_run_changes_nothing(empty: str) -> None:
    assert await migrate(empty) == ALL
    before = await tables(empty)
    assert {"affiliation", "audit_log", "schema_migration"} <= before
    assert await migrate(empty) == []
    assert await tables(empty) == before


async def test_several_runners_at_once_apply_each_once(empty: str) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == ALL


async def test_a_migration_changed_after_it_was_applied_is_refused(empty: str, folder: Path) -> None:
    await migrate(empty)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (id bigint);")
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int);")
    with pytest.raises(MigrationError, match=r"0001_first\.sql"):
        await migrate(empty)
    assert await tables(empty) == {"schema_migration", "first"}


async def test_a_new_migration_is_applied_after_the_old_ones(empty: str, folder: Path) -> None:
    await migrate(empty)
    (folder / "0003_third.sql").write_text("ALTER TABLE second RENAME TO third;")
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int);")
    (folder / "notes.sql").write_text("this is none")
    assert await migrate(empty) == ["0002_second.sql", "0003_third.sql"]
    assert await tables(empty) == {"schema_migration", "first", "third"}


async def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_corrected(empty: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int); SELECT * FROM nothing;")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrate(empty)
    assert await tables(empty) == {"schema_migration", "first"}
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int);")
    assert await migrate(empty) == ["0002_second.sql"]


_ROWS_OF_BEFORE = """
WITH company AS (
    INSERT INTO company (id, siren, name, insurer, insurer_reference)
    VALUES (uuidv7(), '999000018', 'Hôtel', 'klesia', 'TEST00001') RETURNING id
), establishment AS (
    INSERT INTO establishment (id, company_id, siret, name, postcode, city)
    SELECT uuidv7(), id, '99900001800017', 'Hôtel', '75011', 'PARIS' FROM company RETURNING id, company_id
), employee AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    SELECT uuidv7(), id, 'MME', 'Essai', 'Essai', 'Camille', '1980-01-01', '', '', 'essai' FROM company RETURNING id
), affiliation AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, status, status_at, medium, version, attention)
    SELECT uuidv7(), company_id, establishment.id, employee.id, 'fr', '2026-01-01', 'NC', 'RG', 'cdi', 'test', '{}',
           'finalised', '2026-01-05', 'email', 1, 'unreachable_for_pieces' FROM establishment, employee
    RETURNING id, company_id
)
INSERT INTO enrolment (affiliation_id, company_id, missing, channel, submitted_at, checking)
SELECT id, company_id, '{rib}', 'paper', '2026-01-04', true FROM affiliation
"""


async def test_rows_of_before_get_what_a_later_migration_gives_them(
    empty: str, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row-level security, forced, hides them from the owner."""
    for name in ALL[:4]:
        shutil.copy(migrations.MIGRATIONS / name, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", tmp_path)
        await migrate(empty)
    connection = await asyncpg.connect(postgres.url("postgres", urlsplit(empty).path[1:]))
    try:
        await connection.execute(_ROWS_OF_BEFORE)
        assert await migrate(empty) == ALL[4:]
        rows = await connection.fetch(
            "SELECT a.attention_since = a.status_at AS waits, n.checking_since = n.submitted_at AS checked"
            " FROM affiliation a JOIN enrolment n ON n.affiliation_id = a.id"
        )
        assert [dict(row) for row in rows] == [{"waits": True, "checked": True}]
        unforced = "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        assert await connection.fetch(unforced) == []
    finally:
        await connection.close()


async def test_a_runner_that_hangs_makes_the_others_give_up_and_say_so(
    empty: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_LOCK_ATTEMPTS", 3)
    monkeypatch.setattr(migrations, "_LOCK_PAUSE_SECONDS", 0.01)
    holder = await asyncpg.connect(empty)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", migrations._LOCK)
        with pytest.raises(MigrationError, match="another migration"):
            await migrate(empty)
    finally:
        await holder.close()
    assert await migrate(empty) == ["0001_first.sql"]
