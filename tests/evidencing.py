"""A company with somebody in every state of its proofs, made in the database as conclusions leave them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from domain.names import search_form
from messages.legal import current_version
from services.fields import today
from tests.insuring import add_insured, new_nir
from tests.world import Employer, World

CANARY = "Canari"  # of the family, of documents, of what no employer may see
_ASKED = """
WITH place AS (
    SELECT id, company_id FROM establishment WHERE siret = $1
), person AS (
    INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names, birth_date, nir_sealed,
                          nir_index, search_name)
    SELECT $2, company_id, 'M', $3, $3, $4, $5, $6, $7, $8 FROM place RETURNING id
), asked AS (
    INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on, professional_status,
                             scheme, contract_kind, declared_by, policy, medium, status, closure, version)
    SELECT uuidv7(), company_id, place.id, person.id, 'fr', $9, 'NC', 'RG', 'cdi', 'test', '{}', 'email', $10, $11, 1000
    FROM place, person RETURNING id, company_id
), reached AS (
    INSERT INTO contact (affiliation_id, version, company_id, email, line1, postcode, city)
    SELECT id, 1, company_id, 'essai@exemple.fr', '12 rue des Essais', '75011', 'Paris' FROM asked
)
SELECT id FROM asked
"""
_SENT = """
INSERT INTO dispatch (company_id, affiliation_id, kind, number, medium, contact_version, state, prepared_at,
                      handed_over_at)
SELECT company_id, id, $2, $3, $4, 1, 'delivered', $5, $5 FROM affiliation WHERE id = $1
"""
_WAIVED = """
INSERT INTO waiver (id, company_id, establishment_id, employee_id, affiliation_id, reason, starts_on, ends_on, sworn)
SELECT uuidv7(), company_id, establishment_id, employee_id, id, 'covered_by_spouse', $2, $3, true
FROM affiliation WHERE id = $1
"""
_SIGNED = """
WITH form AS (
    INSERT INTO enrolment (affiliation_id, company_id, version, saved_at, submitted_at, channel)
    SELECT id, company_id, 1, $4, $4, 'online' FROM affiliation WHERE id = $1
)
INSERT INTO signature (affiliation_id, company_id, name_sealed, signed_at, form_version, text_version, text_sha256,
                       language)
SELECT id, company_id, $2, $4, '2026-11', $3, decode(repeat('ab', 32), 'hex'), 'fr' FROM affiliation WHERE id = $1
"""
_PROPOSED = """
WITH import AS (
    INSERT INTO dsn_import (id, origin, received_by, sha256, size) SELECT $2, 'upload', 'test', sha256($3), 1
    RETURNING id
), declaration AS (
    INSERT INTO dsn_declaration (import_id, number, first_line, company_id, state)
    SELECT id, 1, 1, $1, 'set_aside' FROM import RETURNING id
), change AS (
    INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, decision, state,
                            match, line)
    SELECT $2, id, $1, 'hire', 'x', 'x', $3, $4, 'confirm', 'proposed', 'none', 1 FROM declaration RETURNING id
)
INSERT INTO hire_proposal (id, company_id, establishment_id, change_id, began_on, person_sealed)
SELECT $2, $1, (SELECT id FROM establishment WHERE company_id = $1 ORDER BY id LIMIT 1), id, $4, $5 FROM change
"""


async def add_asked(
    world: World,
    employer: Employer,
    last_name: str,
    status: str = "sent",
    closure: str | None = None,
    sent: tuple[tuple[str, str], ...] = (("invitation", "email"),),
) -> UUID:
    """Somebody who was pre-affiliated; the affiliation. `sent`: kind and medium of what left, a day apart."""
    nir, birth = new_nir()
    [row] = await world.run("SELECT uuidv7() AS id")
    employee_id = row["id"]
    [row] = await world.run(
        _ASKED,
        employer.siret,
        employee_id,
        last_name,
        "Noé",
        birth,
        world.cipher.encrypt(nir, "employee", "nir", str(employee_id)),
        world.cipher.blind_index(nir, "nir"),
        search_form(f"{last_name} Noé"),
        date(2026, 2, 2),
        status,
        closure,
    )
    affiliation_id: UUID = row["id"]
    for number, (kind, medium) in enumerate(sent):
        at = datetime(2026, 2, 3, 9, 5, tzinfo=UTC) + timedelta(days=number)
        await world.run(_SENT, affiliation_id, kind, number + 1, medium, at)
    return affiliation_id


async def add_dispensed(world: World, employer: Employer, last_name: str, ends_on: date) -> UUID:
    affiliation_id = await add_asked(world, employer, last_name, "finalised")
    await world.run(_WAIVED, affiliation_id, date(2026, 2, 2), ends_on)
    name = world.cipher.encrypt(f"Noé {last_name}", "signature", "name", str(affiliation_id))
    await world.run(_SIGNED, affiliation_id, name, current_version(), datetime(2026, 2, 5, 8, 0, tzinfo=UTC))
    return affiliation_id


async def add_proposal(world: World, employer: Employer, last_name: str) -> UUID:
    """Whom payroll declares and nobody pre-affiliated."""
    [row] = await world.run("SELECT uuidv7() AS id")
    proposal_id: UUID = row["id"]
    person = json.dumps({"civility": "M", "first_names": "Ali", "last_name": last_name, "birth_name": last_name})
    sealed = world.cipher.encrypt(person, "hire_proposal", "person", str(proposal_id))
    await world.run(_PROPOSED, employer.company_id, proposal_id, proposal_id.bytes, date(2026, 10, 5), sealed)
    return proposal_id


@dataclass(frozen=True)
class Proved:
    """One person in each state; the affiliations by last name."""

    employer: Employer
    affiliations: dict[str, UUID]
    proposal_id: UUID


async def proved(world: World) -> Proved:
    employer = await world.employer()
    found = {
        "Gauthier": await add_asked(world, employer, "Gauthier", sent=()),
        "Moreau": await add_dispensed(world, employer, "Moreau", today() - timedelta(days=1)),
        "Roux": await add_asked(world, employer, "Roux", "abandoned", "no_response"),
        "Petit": await add_asked(
            world, employer, "Petit", sent=(("invitation", "post"), ("reminder", "email"), ("missing_pieces", "email"))
        ),
        "Leroy": await add_dispensed(world, employer, "Leroy", today()),
        "Simon": await add_asked(world, employer, "Simon", "abandoned", "withdrawn_left"),
    }
    await add_insured(world, employer, last_name="Zidi", first_names="Zoé", dependants=("partner", "child"))
    await add_insured(
        world, employer, last_name="Abel", starts_on=date(2024, 2, 1), ends_on=today() - timedelta(days=1)
    )
    await world.run(
        "UPDATE dependant SET last_name = $2, first_names = $2 WHERE company_id = $1", employer.company_id, CANARY
    )
    return Proved(employer, found, await add_proposal(world, employer, "Zola"))
