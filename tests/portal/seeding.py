"""Affiliations written straight into the read model, for pages that list and count many: no workflow stands behind
them, so they go when the test ends."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from db.pool import system
from tests.world import Employer, World

_EMPLOYEE = """
INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed, nir_index,
    search_name) VALUES ($1, $2, 'MME', $3, $3, $4, '1980-01-01', '\\x00', $5, lower($3))
"""
_AFFILIATION = """
INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status, scheme,
    contract_kind, declared_by, declared_at, policy, status, status_at, medium, version, attention,
    attention_since)
SELECT $1, $2, (SELECT id FROM establishment WHERE company_id = $2 ORDER BY siret LIMIT 1), $3, 'fr', '2026-11-02',
       'NC', 'RG', 'cdi', 'test', $4, '{}', $5, $6::timestamptz, 'email', 1, $7,
       CASE WHEN $7::text IS NOT NULL THEN $6::timestamptz END
"""
_EVENT = """
INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, details)
VALUES ($1, $2, $3, $4, $5, 'system', $6)
"""
_DISPATCH = """
INSERT INTO dispatch (company_id, affiliation_id, kind, number, medium, contact_version, state, handed_over_at)
VALUES ($1, $2, 'invitation', $3, 'email', 1, 'handed_over', $4)
"""


@dataclass(frozen=True)
class Seed:
    """`events`: kind, moment and details, in their order; `sent`: when messages left."""

    declared_at: datetime
    status: str
    status_at: datetime
    events: Sequence[tuple[str, datetime, dict[str, Any]]] = ()
    sent: Sequence[datetime] = ()
    attention: str | None = None
    first_names: str = "Camille"
    last_name: str = "Essai"
    id: UUID = field(default_factory=uuid4)


@asynccontextmanager
async def seeded(world: World, employer: Employer, seeds: Sequence[Seed]) -> AsyncIterator[None]:
    company = employer.company_id
    people = [(uuid4(), seed) for seed in seeds]
    async with system(world.system) as connection:
        await connection.executemany(
            _EMPLOYEE,
            [(person, company, one.last_name, one.first_names, secrets.token_bytes(16)) for person, one in people],
        )
        await connection.executemany(
            _AFFILIATION,
            [
                (one.id, company, person, one.declared_at, one.status, one.status_at, one.attention)
                for person, one in people
            ],
        )
        await connection.executemany(
            _EVENT,
            [
                (one.id, number, company, kind, at, details)
                for one in seeds
                for number, (kind, at, details) in enumerate(one.events)
            ],
        )
        await connection.executemany(
            _DISPATCH, [(company, one.id, number, at) for one in seeds for number, at in enumerate(one.sent, 1)]
        )
    try:
        yield
    finally:
        ids = [one.id for one in seeds]
        for table in ("affiliation_event", "dispatch"):
            await world.run(f"DELETE FROM {table} WHERE affiliation_id = ANY ($1)", ids)
        await world.run("DELETE FROM affiliation WHERE id = ANY ($1)", ids)
        await world.run("DELETE FROM employee WHERE id = ANY ($1)", [person for person, _ in people])
