"""The data map against the catalogue of a migrated database (security.md D-01)."""

from __future__ import annotations

import asyncpg
import pytest

from db.data_map import SEALED, Class, data_map, sealed_columns
from domain.retention import Action, rule, rules
from tests.world import World


@pytest.fixture(scope="module")
async def catalogue(world: World) -> dict[str, dict[str, str]]:
    """Type of each column, by table; by PostgreSQL's own catalogue, which no grant hides."""
    rows: list[asyncpg.Record] = await world.run(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS type FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0"
        " AND NOT a.attisdropped"
    )
    tables: dict[str, dict[str, str]] = {}
    for row in rows:
        tables.setdefault(row["relname"], {})[row["attname"]] = row["type"]
    return tables


def test_every_column_is_classified_and_none_that_is_not_there(catalogue: dict[str, dict[str, str]]) -> None:
    mapped = {(table.name, column) for table in data_map().values() for column in table.columns}
    there = {(table, column) for table, columns in catalogue.items() for column in columns}
    assert there - mapped == set(), "not in data_map.toml"
    assert mapped - there == set(), "not in the database"


def test_what_is_most_sensitive_is_encrypted_or_a_hash_but_for_the_listed_exceptions(
    catalogue: dict[str, dict[str, str]],
) -> None:
    for table in data_map().values():
        for column in table.columns.values():
            place = f"{table.name}.{column.name}"
            if column.klass is Class.c3 and not column.clear:
                assert column.name.endswith((SEALED, "_hash", "_index")), place
                assert catalogue[table.name][column.name] == "bytea", place
            if column.clear:
                assert column.klass is Class.c3, place


def test_what_is_encrypted_is_most_sensitive_and_bound_to_its_row(catalogue: dict[str, dict[str, str]]) -> None:
    sealed = {(c.table, c.column) for c in sealed_columns()}
    assert sealed == {(t, c) for t, columns in catalogue.items() for c in columns if c.endswith(SEALED)}
    for table, column in sealed:
        assert data_map()[table].columns[column].klass is Class.c3


def test_each_has_a_purpose_and_each_table_its_readers_and_rules() -> None:
    for table in data_map().values():
        assert table.read_by, table.name
        assert table.retention, table.name
        assert set(table.retention) <= rules().keys(), table.name
        assert all(column.purpose for column in table.columns.values()), table.name
        personal = any(column.klass is not Class.c1 for column in table.columns.values())
        if personal:
            assert all(rule(name).action is not Action.keep for name in table.retention), table.name


def test_every_rule_is_that_of_some_table() -> None:
    used = {name for table in data_map().values() for name in table.retention}
    assert used == rules().keys()
