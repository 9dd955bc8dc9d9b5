"""Key rotation: online, resumable, and every value readable wherever it is killed (security.md D-03)."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from composition import cipher
from db import rotation
from db.data_map import SealedColumn, sealed_columns
from db.pool import system
from gateways.encryption import CannotDecrypt, FieldCipher
from gateways.files.storage import FileVault, open_store
from services.key_rotation import KeyRotation
from settings import Settings
from tests.enrolling import family
from tests.retention.accounts import unused_account
from tests.retention.conftest import Kept

_DECLARED_BY_PAYROLL = """
WITH came AS (
    INSERT INTO dsn_import (origin, sha256, size) VALUES ('api', uuid_send(uuidv7()), 1) RETURNING id
), declared AS (
    INSERT INTO dsn_declaration (import_id, number, first_line, company_id, siret, state)
    SELECT id, 1, 1, $1, id, 'recorded' FROM came RETURNING id
), change AS (
    INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, decision, state,
                            match, line)
    SELECT uuidv7(), id, $1, 'hire', id, id, '', '2026-04-01', 'automatic', 'applied', 'none', 1 FROM declared
    RETURNING id
), proposal AS (
    INSERT INTO hire_proposal (id, company_id, establishment_id, change_id, began_on, person_sealed)
    SELECT uuidv7(), $1, s.id, change.id, '2026-04-01', '' FROM change JOIN establishment s ON s.company_id = $1
    RETURNING id
)
SELECT came.id AS dsn_import, change.id AS dsn_change, proposal.id AS hire_proposal FROM came, change, proposal
"""


def with_keys(config: Settings, field_keys: str) -> FieldCipher:
    changed = Settings.model_validate({**config.model_dump(), "field_keys": field_keys})
    return cipher(changed)


async def challenge_of(kept: Kept, user: UUID) -> UUID:
    [row] = await kept.world.run("SELECT id FROM challenge WHERE user_id = $1", user)
    found: UUID = row["id"]
    return found


@pytest.fixture
async def ring(kept: Kept) -> tuple[str, str]:
    """The old key, and a ring with a newer one before it; the database has every sealed column filled."""
    for _ in range(2):
        life = await kept.declare()
        await kept.complete(life, family())
    old = kept.world.config.field_keys.get_secret_value()
    keys = with_keys(kept.world.config, old)
    for row in await kept.world.run("SELECT id FROM dependant WHERE nir_sealed IS NULL"):
        sealed = keys.encrypt("2" * 15, "dependant", "nir", str(row["id"]))
        await kept.world.run("UPDATE dependant SET nir_sealed = $2 WHERE id = $1", row["id"], sealed)
    async with system(kept.world.system) as connection:
        user = await unused_account(connection, life.employer.company_id)
    [declared] = await kept.world.run(_DECLARED_BY_PAYROLL, life.employer.company_id)
    [export] = await kept.world.run(
        "INSERT INTO export_job (user_id, company_ids, kind, form) VALUES ($1, ARRAY[$2::uuid], 'insured', 'xlsx')"
        " RETURNING id",
        user,
        life.employer.company_id,
    )
    [given] = await kept.world.run(
        "WITH given AS (INSERT INTO affiliation_import (user_id, company_ids, filename_sealed, columns_sealed, sha256,"
        " rows_total) VALUES ($1, ARRAY[$2::uuid], '', '', '', 1) RETURNING id), one AS (INSERT INTO"
        " affiliation_import_row (id, import_id, number, values_sealed, state)"
        " SELECT uuidv7(), id, 2, '', 'invalid' FROM given RETURNING id)"
        " SELECT given.id AS affiliation_import, one.id AS affiliation_import_row FROM given, one",
        user,
        life.employer.company_id,
    )
    [hook] = await kept.world.run(
        "INSERT INTO webhook_endpoint (company_id, name, url_sealed, secret_sealed, former_secret_sealed, former_until)"
        " VALUES ($1, 'paie', '', '', '', now()) RETURNING id",
        life.employer.company_id,
    )
    ids = {"portal_user": user, "challenge": await challenge_of(kept, user), "export_job": export["id"], **declared}
    ids["webhook_endpoint"] = hook["id"]
    [question] = await kept.world.run(
        "INSERT INTO assistant_question (user_id, kind) VALUES ($1, 'none') RETURNING id", user
    )
    ids["assistant_question"] = question["id"]
    [asked] = await kept.world.run(
        "WITH asked AS (INSERT INTO contact_request (company_id, key, request_hash, reason, subject_sealed, due_at)"
        " VALUES ($1, 'k', '', 'other', '', now()) RETURNING id), said AS (INSERT INTO contact_message (request_id,"
        " company_id, number, author_kind, key, request_hash, body_sealed) SELECT id, $1, 1, 'user', 'k', '', ''"
        " FROM asked RETURNING id, request_id), sent AS (INSERT INTO contact_file (request_id, company_id,"
        " message_number, name_sealed, media_type, size, sha256, scan) SELECT request_id, $1, 1, '', 'application/pdf',"
        " 1, '', 'clean' FROM said RETURNING id) SELECT asked.id AS contact_request, said.id AS contact_message,"
        " sent.id AS contact_file FROM asked, said, sent",
        life.employer.company_id,
    )
    ids.update(asked)
    ids.update(given)
    for place in sealed_columns():
        if row_id := ids.get(place.table):
            sealed = keys.encrypt("0639980001", place.table, place.field, str(row_id))
            await kept.world.run(f"UPDATE {place.table} SET {place.column} = $2 WHERE id = $1", row_id, sealed)
    return old, f"2:{base64.b64encode(os.urandom(32)).decode()},{old}"


async def everything(kept: Kept, place: SealedColumn) -> list[tuple[Any, bytes]]:
    rows = await kept.world.run(
        f"SELECT {place.key} AS id, {place.column} AS sealed FROM {place.table} WHERE {place.column} IS NOT NULL"
    )
    return [(row["id"], row["sealed"]) for row in rows]


async def opened(kept: Kept, keys: FieldCipher) -> dict[tuple[str, str, Any], str]:
    """Every sealed value of the database in clear. Raises CannotDecrypt."""
    found = {}
    for place in sealed_columns():
        for row_id, sealed in await everything(kept, place):
            found[place.table, place.column, row_id] = keys.decrypt(sealed, place.table, place.field, str(row_id))
    return found


async def put_back(kept: Kept, keys: FieldCipher, clear: dict[tuple[str, str, Any], str]) -> None:
    """Under the old key again, for the tests that follow."""
    for place in sealed_columns():
        async with system(kept.world.system) as connection:
            for row_id, sealed in await everything(kept, place):
                value = clear[place.table, place.column, row_id]
                again = keys.encrypt(value, place.table, place.field, str(row_id))
                await rotation.replace(connection, place, [(row_id, again, sealed)])


async def test_killed_at_any_batch_every_value_is_readable_and_the_next_run_ends_it(
    kept: Kept, ring: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, both = ring
    keys = with_keys(kept.world.config, both)
    clear = await opened(kept, keys)
    assert {(table, column) for table, column, _ in clear} == {(p.table, p.column) for p in sealed_columns()}
    original = rotation.replace
    for deadly in (1, 2, 4, 9):
        calls = 0

        async def dies(connection: Any, place: SealedColumn, rows: Sequence[Any], at: int = deadly) -> None:
            nonlocal calls
            await original(connection, place, rows)
            calls += 1
            if calls == at:
                raise KeyboardInterrupt  # in the middle of the transaction

        with monkeypatch.context() as broken:
            broken.setattr(rotation, "replace", dies)
            with pytest.raises(KeyboardInterrupt):
                await KeyRotation(kept.world.system, keys, batch=1).run()
        assert await opened(kept, keys) == clear
    done = await KeyRotation(kept.world.system, keys, batch=3).run()
    assert sum(one.changed for one in done) > 0
    assert sum(one.unreadable for one in done) == 0
    newest_only = with_keys(kept.world.config, both.partition(",")[0])
    assert await opened(kept, newest_only) == clear, "the old key may go"
    assert all(one.changed == 0 for one in await KeyRotation(kept.world.system, keys).run())
    # files open, too: their own keys are sealed ones
    vault = FileVault(open_store(kept.directory.as_uri()), newest_only)
    [document, *_] = await kept.world.run("SELECT * FROM document")
    content = await vault.get(
        document["object_key"], document["data_key_sealed"], document["sha256"], str(document["id"])
    )
    assert content.startswith(b"%PDF")
    await put_back(kept, with_keys(kept.world.config, old), clear)


async def test_a_value_written_meanwhile_is_not_overwritten(
    kept: Kept, ring: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, both = ring
    keys = with_keys(kept.world.config, both)
    before = await opened(kept, keys)
    life = await kept.declare()
    employee_id = await kept.employee(life)
    fresh = keys.encrypt("1" * 15, "employee", "nir", str(employee_id))
    original = rotation.replace

    async def late(connection: Any, place: SealedColumn, rows: Sequence[Any]) -> None:
        if place.table == "employee":
            async with system(kept.world.system) as other:
                await other.execute("UPDATE employee SET nir_sealed = $2 WHERE id = $1", employee_id, fresh)
        await original(connection, place, rows)

    with monkeypatch.context() as slow:
        slow.setattr(rotation, "replace", late)
        await KeyRotation(kept.world.system, keys).run()
    [row] = await kept.world.run("SELECT nir_sealed FROM employee WHERE id = $1", employee_id)
    assert row["nir_sealed"] == fresh
    clear = await opened(kept, keys)
    assert {key: clear[key] for key in before} == before
    await put_back(kept, with_keys(kept.world.config, old), clear)


async def test_a_value_of_a_lost_key_is_counted_and_left(kept: Kept, ring: tuple[str, str]) -> None:
    old, both = ring
    lost = with_keys(kept.world.config, f"7:{base64.b64encode(os.urandom(32)).decode()}")
    keys = with_keys(kept.world.config, both)
    life = await kept.declare()
    employee_id = await kept.employee(life)
    sealed = lost.encrypt("1" * 15, "employee", "nir", str(employee_id))
    await kept.world.run("UPDATE employee SET nir_sealed = $2 WHERE id = $1", employee_id, sealed)
    done = {one.column: one for one in await KeyRotation(kept.world.system, keys).run()}
    assert done["employee.nir_sealed"].unreadable == 1
    [row] = await kept.world.run("SELECT nir_sealed FROM employee WHERE id = $1", employee_id)
    assert row["nir_sealed"] == sealed
    back = with_keys(kept.world.config, old).encrypt("1" * 15, "employee", "nir", str(employee_id))
    await kept.world.run("UPDATE employee SET nir_sealed = $2 WHERE id = $1", employee_id, back)
    with pytest.raises(CannotDecrypt):
        await opened(kept, with_keys(kept.world.config, old))
    await put_back(kept, with_keys(kept.world.config, old), await opened(kept, keys))
