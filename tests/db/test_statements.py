"""Every SQL statement of `db/` is one that PostgreSQL understands, for the role that runs it."""

from __future__ import annotations

import importlib
import pkgutil
import re

import asyncpg
import pytest

import db
from tests.world import World

_VERB = re.compile(r"\s*\(?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def statements() -> dict[str, str]:
    """`module.NAME` → SQL, of every public constant of every module of `db/`."""
    found = {}
    for module_info in pkgutil.iter_modules(db.__path__):
        module = importlib.import_module(f"db.{module_info.name}")
        for name, value in vars(module).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, str) and _VERB.match(value):
                found[f"{module_info.name}.{name}"] = value
    return found


# What runs under a tenant's or an employee's context, so as hcr_web.
WEB = [
    f"{module}.{name}"
    for module, names in {
        "affiliations": (
            *("DECLARE", "OPEN_OF_PERSON", "GET", "LIST_NEWEST", "LIST_OLDEST", "COUNT", "EVENTS", "LOCK"),
            *("LIST_TODO_FIRST", "COUNT_BY_STATUS", "PLACES", "SUCCESSOR", "CONTACT_GIVEN_BY"),
            *("ADD_CONTACT", "PERSON", "RESTART_SOURCE", "AGAIN", "OPEN_LIKE", "NEW_ID"),
            *("STATE", "EMPLOYERS_CONTACT"),
        ),
        "access": ("BIRTH_DATE_PAUSE", "COUNT_WRONG_BIRTH_DATE", "RIGHT_BIRTH_DATE"),
        "audit": ("ADD", "ADD_ON_AFFILIATION", "ADD_ENTRY", "ADD_VIEWS"),
        "contact": (
            *("NEW_ID", "ADD", "BY_KEY", "ADD_MESSAGE", "MESSAGE_BY_KEY", "ADD_FILE", "LIST", "COUNT", "ONE", "LOCK"),
            *("MESSAGES", "FILES", "FILE", "REOPEN", "RATE"),
        ),
        "documents": ("ADD", "OF_AFFILIATION", "QUOTA", "REMOVE", "SET_PIECES"),
        "coverage_rights": (
            *("LOCK", "FACTS", "SUSPENSIONS", "CHANGED", "ADD_EVENT", "ADD_END", "CANCEL_END", "ADD_SUSPENSION"),
            *("HISTORY", "RADIATION_COMPANIES"),
        ),
        "dispatches": ("OF_AFFILIATION",),
        "dsn_desk": ("OPEN_HIRES", "OPEN_HIRE_COUNT", "HIRE", "COMPANY_OF_AFFILIATION"),
        "evidence": ("PEOPLE", "PROPOSALS", "COMPANIES", "PLACES"),
        "enrolments": (
            *("GET", "SAVE_FIRST", "SAVE", "TOLD", "TELL_NEXT", "SUBMIT", "ADD_COVERAGE"),
            *("ADD_DEPENDANT", "COVERAGE", "ADD_WAIVER", "WAIVER", "ADD_SIGNATURE", "SIGNATURE", "CORRECT_IDENTITY"),
            *("CORRECT_NIR", "CORRECT_SCHEME", "CHOOSE_LANGUAGE", "ADD_OWN_CONTACT", "COMPLETION"),
        ),
        "insured": (
            *("BY_NAME", "BY_NAME_BACKWARDS", "BY_NAME_OF_MANY", "BY_NAME_BACKWARDS_OF_MANY", "OLDEST_FIRST"),
            *("NEWEST_FIRST", "OF_NAME_OLDEST_FIRST", "OF_NAME_NEWEST_FIRST", "COUNT", "COUNT_OF_NAME", "OF_PEOPLE"),
            *("EVERY_BY_NAME", "EVERY_BY_NAME_BACKWARDS", "EVERY_OLDEST_FIRST", "EVERY_NEWEST_FIRST", "COUNT_EVERY"),
            *("PEOPLE_WITH_NIR", "ONE", "HISTORY", "CONTRACT", "COMPANIES", "PLACES"),
        ),
        "affiliation_imports": ("ESTABLISHMENTS", "KNOWN", "DECLARED"),
        "idempotency": ("CLAIM", "GET"),
        "notifications": ("LATEST", "ENDING"),
        "pre_affiliation_checks": ("PLACE", "OPEN_ESTABLISHMENTS", "KNOWN_PERSON"),
        "register": ("ESTABLISHMENT_BY_SIRET", "COMPANIES", "ESTABLISHMENTS"),
        "figures": ("BY_MONTH", "MOVES", "DELAYS", "TO_CORRECT", "IN_ORDER", "LATEST"),
    }.items()
    for name in names
]


@pytest.mark.parametrize("name", sorted(statements()))
async def test_the_system_role_can_prepare_it(world: World, name: str) -> None:
    async with world.system.acquire() as connection:
        await connection.prepare(statements()[name])


@pytest.mark.parametrize("name", WEB)
async def test_the_web_role_may_run_it(world: World, name: str) -> None:
    """Planned, not run: PostgreSQL looks at rights already then."""
    async with world.web.acquire() as connection:
        await connection.execute(f"EXPLAIN (GENERIC_PLAN) {statements()[name]}")


async def test_a_statement_beyond_the_web_roles_rights_would_show(world: World) -> None:
    async with world.web.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"EXPLAIN (GENERIC_PLAN) {statements()['affiliations.PROJECT']}")


def test_the_statements_are_found() -> None:
    assert len(statements()) > 40
    assert set(WEB) <= set(statements())
