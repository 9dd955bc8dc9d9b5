"""Who a DSN speaks of, among the people of the declared company and of no other.

A number says it; a name with a birth date only proposes it, and nothing is ever done on that alone. A DSN's NIR has 13
characters; its key is computed, as people are found by the index of all 15.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

import asyncpg
from stdnum.fr import nir as stdnum_nir

from db import dsn
from db.pool import Connection
from domain.dsn.facts import DeclaredPerson
from domain.names import search_form
from gateways.encryption import FieldCipher


class MatchKind(StrEnum):
    """By which the person was found. `ntt`: by a number that is known to be theirs, though it is not in their file;
    `identity`: by the number that the declaration says was wrong."""

    nir = "nir"
    ntt = "ntt"
    identity = "identity"
    proposal = "proposal"
    none = "none"


@dataclass(frozen=True, slots=True)
class Match:
    """`person_index`: whose changes these are, the same for the same person. `outcome`: why somebody must look."""

    kind: MatchKind
    employee_id: UUID | None
    person_index: bytes
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """One coverage of somebody, as far as choosing the one that a contract is about needs it."""

    id: UUID
    establishment_id: UUID
    starts_on: date
    ends_on: date | None
    hired_on: date


@dataclass(frozen=True, slots=True)
class _Numbers:
    nir: bytes | None
    ntt: bytes | None
    former: bytes | None


def full_nir(declared: str) -> str:
    """The 15 characters of a NIR that came without its key; provisional ones and mistyped ones have theirs, too.

    What is no number keeps what it is: it will match nobody's.
    """
    number = declared.strip().upper()
    if len(number) != 13:
        return number
    try:
        return number + str(stdnum_nir.calc_check_digits(number))
    except ValueError:
        return number


class Matcher:
    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def nir_index(self, declared: str) -> bytes:
        """As `employee.nir_index` has it."""
        return self._cipher.blind_index(full_nir(declared), "nir")

    def ntt_index(self, ntt: str) -> bytes:
        return self._cipher.blind_index(ntt.strip().upper(), "ntt")

    def indexes(self, person: DeclaredPerson) -> list[bytes]:
        """Of the numbers that a declaration has of somebody."""
        found = [self.nir_index(person.nir)] if person.nir else []
        return [*found, self.ntt_index(person.ntt)] if person.ntt else found

    async def match(self, connection: Connection, people: Sequence[tuple[UUID, DeclaredPerson]]) -> list[Match]:
        """Each with the company that declares them."""
        numbers = [self._numbers(person) for _, person in people]
        by_nir = await self._found(connection, dsn.BY_NIR, people, [one.nir for one in numbers])
        by_ntt = await self._found(connection, dsn.BY_KNOWN_NUMBER, people, [one.ntt for one in numbers])
        theirs = await self._found(
            connection,
            dsn.BY_KNOWN_NUMBER,
            people,
            [None if n in by_nir or n in by_ntt else one.nir for n, one in enumerate(numbers)],
        )
        by_ntt = theirs | by_ntt
        unknown = [n for n in range(len(people)) if n not in by_nir and n not in by_ntt]
        former = {n: numbers[n].former for n in unknown}
        by_former = await self._found(connection, dsn.BY_NIR, people, [former.get(n) for n in range(len(people))])
        likely = await self._alike(connection, people, [n for n in unknown if n not in by_former])
        matches = []
        for place, one in enumerate(numbers):
            own = one.nir or one.ntt
            assert own is not None, "somebody without a number is in doubt"
            if (row := by_nir.get(place)) is not None:
                other = by_ntt.get(place)
                two = other is not None and other["id"] != row["id"]
                matches.append(Match(MatchKind.nir, row["id"], row["nir_index"], "two_people" if two else ""))
            elif (row := by_ntt.get(place)) is not None:
                matches.append(Match(MatchKind.ntt, row["id"], row["nir_index"]))
            elif (row := by_former.get(place)) is not None:
                matches.append(Match(MatchKind.identity, row["id"], row["nir_index"]))
            elif len(alike := likely.get(place, [])) == 1:
                matches.append(Match(MatchKind.proposal, alike[0], own))
            else:
                matches.append(Match(MatchKind.none, None, own, "several_people" if alike else "unknown_person"))
        return matches

    def _numbers(self, person: DeclaredPerson) -> _Numbers:
        return _Numbers(
            self.nir_index(person.nir) if person.nir else None,
            self.ntt_index(person.ntt) if person.ntt else None,
            self.nir_index(person.former_nir) if person.former_nir else None,
        )

    async def _found(
        self,
        connection: Connection,
        statement: str,
        people: Sequence[tuple[UUID, DeclaredPerson]],
        indexes: Sequence[bytes | None],
    ) -> dict[int, asyncpg.Record]:
        wanted = [place for place, index in enumerate(indexes) if index is not None]
        if not wanted:
            return {}
        rows = await connection.fetch(
            statement, wanted, [people[place][0] for place in wanted], [indexes[place] for place in wanted]
        )
        return {row["place"]: row for row in rows}

    async def _alike(
        self, connection: Connection, people: Sequence[tuple[UUID, DeclaredPerson]], places: Iterable[int]
    ) -> dict[int, list[UUID]]:
        """Of the same birth date, with the same name at birth or in use and the same first name of those given."""
        born = [(place, people[place][0], people[place][1].birth_date) for place in places]
        born = [one for one in born if one[2] is not None]
        found: dict[int, list[UUID]] = defaultdict(list)
        if not born:
            return found
        for row in await connection.fetch(dsn.BY_BIRTH_DATE, *map(list, zip(*born, strict=True))):
            person = people[row["place"]][1]
            names = {search_form(person.birth_name), search_form(person.last_name)}
            if names & {search_form(row["birth_name"]), search_form(row["last_name"])} and _first(
                person.first_names
            ) == _first(row["first_names"]):
                found[row["place"]].append(row["id"])
        return found


def _first(names: str) -> str:
    """The first of several first names; « Jean-Luc » is one."""
    return search_form(names.replace("-", "").replace(",", " ")).partition(" ")[0]


async def rights_of(connection: Connection, employee_ids: Iterable[UUID]) -> dict[UUID, list[Right]]:
    """Every coverage of these people."""
    found: dict[UUID, list[Right]] = defaultdict(list)
    for row in await connection.fetch(dsn.COVERAGES, list(set(employee_ids))):
        found[row["employee_id"]].append(
            Right(row["id"], row["establishment_id"], row["starts_on"], row["ends_on"], row["hired_on"])
        )
    return found


def right_for(
    rights: Iterable[Right], began_on: date, last: date | None, establishment_id: UUID | None
) -> Right | None:
    """The coverage that a work contract is about: of the same hire where there is one, else one that runs beside it."""
    beside = [
        one
        for one in rights
        if one.hired_on == began_on
        or ((last is None or one.starts_on <= last) and (one.ends_on is None or one.ends_on >= began_on))
    ]
    return max(
        beside,
        key=lambda one: (one.hired_on == began_on, one.establishment_id == establishment_id, one.starts_on),
        default=None,
    )
