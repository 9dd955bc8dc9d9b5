"""Who a company has to prove something of, and what it can prove: for the page, and for the pack of it all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import asyncpg

from activities.writing import reference_of
from db import evidence
from db.pool import Connection
from domain.affiliation import Closure, Status
from domain.evidence import Asked, Gap, Period, ProofState, proof
from domain.media import MessageKind
from domain.names import search_form
from domain.waivers import waiver_reason
from domain.working_time import paris_date
from gateways.encryption import FieldCipher
from messages.evidence import Employer, Person, Waived

INVITING: Final = (MessageKind.invitation, MessageKind.postal_fallback)
REMINDING: Final = (MessageKind.reminder, MessageKind.draft_reminder, MessageKind.employer_reminder)


@dataclass(frozen=True)
class Held:
    """A person, with every affiliation of theirs, the newest first. Of whom payroll alone knows there is none."""

    person: Person
    affiliations: tuple[asyncpg.Record, ...]
    proposal_id: UUID | None = None


@dataclass(frozen=True)
class Register:
    """Everybody of a company, or of one of its establishments: what is missing first, then by name."""

    company: asyncpg.Record
    places: Mapping[UUID, asyncpg.Record]
    employer: Employer
    held: tuple[Held, ...]

    @property
    def people(self) -> list[Person]:
        return [one.person for one in self.held]


async def read_register(
    connection: Connection, cipher: FieldCipher, company: asyncpg.Record, establishment_id: UUID | None, at: datetime
) -> Register:
    """As it stands now, said to be so at that moment. `company`: a row of `evidence.COMPANIES`."""
    places = {row["id"]: row for row in await connection.fetch(evidence.PLACES, company["id"])}
    kinds = [one.value for one in INVITING], [one.value for one in REMINDING]
    rows = await connection.fetch(evidence.PEOPLE, company["id"], establishment_id, *kinds)
    proposals = await connection.fetch(evidence.PROPOSALS, company["id"], establishment_id)
    held = [
        _held(tuple(of_person), places, at) for _, of_person in groupby(rows, key=lambda row: row["employee_id"])
    ] + [_proposed(row, places, cipher) for row in proposals]
    order = list(ProofState)
    held.sort(key=lambda one: (order.index(one.person.state), search_form(one.person.name), one.person.reference))
    shown = [places[establishment_id]] if establishment_id else list(places.values())
    employer = Employer(
        company=company["name"],
        siren=company["siren"],
        insurer=company["insurer"],
        insurer_reference=company["insurer_reference"],
        places=tuple(f"{place['name']} (SIRET {place['siret']})" for place in shown),
        settled_at=at,
    )
    return Register(company, places, employer, tuple(held))


def waived(row: asyncpg.Record) -> Waived | None:
    """The exemption of an affiliation."""
    if row["waiver_reason"] is None:
        return None
    source = waiver_reason(row["waiver_reason"], row["waived_from"]).source
    return Waived(row["waiver_reason"], source, row["waived_from"], row["waived_until"], row["sworn"])


def _held(rows: tuple[asyncpg.Record, ...], places: Mapping[UUID, asyncpg.Record], at: datetime) -> Held:
    """`rows`: of one person, the newest first."""
    asked = [_asked(row) for row in rows]
    found = proof(asked, paris_date(at))
    by = rows[asked.index(found.by)] if found.by is not None else rows[0]
    reference = reference_of(rows[0]["id"])
    invited = next((row for row in rows if row["invited_at"] is not None), None)
    person = Person(
        reference=reference,
        folder=f"salaries/{reference.replace(' ', '-')}-{_initials(by)}",
        civility=by["civility"],
        first_names=by["first_names"],
        last_name=by["last_name"],
        place=places[by["establishment_id"]]["name"],
        state=found.state,
        gap=found.gap,
        hired_on=by["hired_on"],
        invited_at=invited["invited_at"] if invited else None,
        invited_by=invited["invited_by"] if invited else "",
        reminders=invited["reminders"] if invited else 0,
        covered=(by["covered_from"], by["covered_until"]) if by["covered_from"] else None,
        waived=waived(by),
    )
    return Held(person, rows)


def _asked(row: asyncpg.Record) -> Asked:
    return Asked(
        declared_at=row["declared_at"],
        status=Status(row["status"]),
        closure=Closure(row["closure"]) if row["closure"] else None,
        invited_at=row["invited_at"],
        cover=Period(row["covered_from"], row["covered_until"]) if row["covered_from"] else None,
        waiver=Period(row["waived_from"], row["waived_until"]) if row["waiver_reason"] else None,
    )


def _proposed(row: asyncpg.Record, places: Mapping[UUID, asyncpg.Record], cipher: FieldCipher) -> Held:
    """Whom payroll declares and nobody pre-affiliated: there is nothing to put into a folder."""
    known: dict[str, Any] = json.loads(cipher.decrypt(row["person_sealed"], "hire_proposal", "person", str(row["id"])))
    person = Person(
        reference="",
        folder="",
        civility=known.get("civility") or "",
        first_names=known["first_names"],
        last_name=known["last_name"],
        place=places[row["establishment_id"]]["name"],
        state=ProofState.missing,
        gap=Gap.payroll_only,
        hired_on=row["began_on"],
    )
    return Held(person, (), row["id"])


def _initials(row: asyncpg.Record) -> str:
    """« ZL »: a name of a file says no more of anybody."""
    return "".join(_initial(name) for name in (row["first_names"], row["last_name"]))


def _initial(name: str) -> str:
    letters: Iterable[str] = (one for one in search_form(name).upper() if "A" <= one <= "Z")
    return next(iter(letters), "X")
