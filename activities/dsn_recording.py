"""A batch of declarations into the database, in one transaction; recorded again it changes nothing."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from activities.dsn_proposals import Proposals, Saying, people_and_doubts, references_of
from activities.dsn_reading import Read, fault_json
from db import dsn
from db.pool import Connection
from domain.dsn.facts import Facts, Kind, Nature
from domain.dsn.faults import Fault, FaultCode
from gateways.encryption import FieldCipher

MOST_DOUBTS = 100  # kept of one declaration
_WITHOUT_PEOPLE = frozenset({Kind.nobody, Kind.cancelling, Kind.replacing_with_nobody})
_DONE = frozenset({"duplicate", "foreign", "set_aside"})


class _Known(NamedTuple):
    """A declaration of this import as it is here."""

    id: UUID
    state: str


@dataclass(slots=True)
class _Counted:
    people: int = 0
    doubtful: int = 0
    doubts: list[dict[str, Any]] = field(default_factory=list)


class Recording:
    """One import. `references`: of contracts that are ours beside each company's own (S21.G00.15.001)."""

    def __init__(self, cipher: FieldCipher, import_id: UUID, references: Sequence[str] = ()) -> None:
        self._proposals = Proposals(cipher)
        self._import_id = import_id
        self._references = tuple(references)

    async def record(self, connection: Connection, reads: Sequence[Read]) -> None:
        """Declarations of the file that follow each other, or a part of one; `Read.alone` ones by themselves."""
        companies, places = await self._clients(connection, reads)
        firsts = [read for read in reads if read.part == 0]
        await self._add(connection, firsts, companies, places)
        rows = await self._rows(connection, reads)
        await self._add_duplicates(connection, [read for read in firsts if read.number not in rows], companies, places)
        if len(rows) < len({read.number for read in reads}):
            rows = await self._rows(connection, reads)
        open_ = {number: row for number, row in rows.items() if row.state not in _DONE}
        again = [row.id for read in firsts if (row := open_.get(read.number)) is not None]
        await connection.execute(dsn.BEGIN_AGAIN, again)
        await self._replaced_before(connection, again)
        await self._say(connection, [read for read in reads if read.number in open_], open_, companies, places)
        await self._complete(connection, [read for read in reads if read.complete], rows)

    # --- whose they are

    async def _clients(
        self, connection: Connection, reads: Sequence[Read]
    ) -> tuple[dict[str, tuple[UUID, str]], dict[str, UUID]]:
        sirens = list({read.facts.siren for read in reads if read.facts is not None})
        sirets = list({read.facts.siret for read in reads if read.facts is not None})
        companies = {
            row["siren"]: (row["id"], row["insurer_reference"]) for row in await connection.fetch(dsn.CLIENTS, sirens)
        }
        places = {row["siret"]: row["id"] for row in await connection.fetch(dsn.PLACES, sirets)}
        return companies, places

    def _ours(self, facts: Facts, companies: dict[str, tuple[UUID, str]]) -> tuple[str, ...]:
        return references_of(facts, (companies[facts.siren][1], *self._references))

    async def _rows(self, connection: Connection, reads: Sequence[Read]) -> dict[int, _Known]:
        numbers = list({read.number for read in reads})
        found = await connection.fetch(dsn.OF_IMPORT, self._import_id, numbers)
        return {row["number"]: _Known(row["id"], row["state"]) for row in found}

    # --- declarations

    async def _add(
        self,
        connection: Connection,
        firsts: Sequence[Read],
        companies: dict[str, tuple[UUID, str]],
        places: dict[str, UUID],
    ) -> None:
        rows = []
        for read in firsts:
            state = "reading"
            ours: bool | None = None
            if read.fault is not None:
                state = "set_aside"
            elif read.facts is not None:
                if read.facts.siren not in companies or read.facts.siret not in places:
                    state = "foreign"
                else:
                    ours = bool(self._ours(read.facts, companies))
            columns = _columns(read, companies, places)
            fault = None if read.fault is None else json.dumps(fault_json(read.fault))
            rows.append((uuid.uuid4(), read.number, read.first_line, *columns, state, fault, ours))
        if rows:
            await connection.execute(dsn.ADD_DECLARATIONS, self._import_id, *map(list, zip(*rows, strict=True)))

    async def _add_duplicates(
        self,
        connection: Connection,
        reads: Sequence[Read],
        companies: dict[str, tuple[UUID, str]],
        places: dict[str, UUID],
    ) -> None:
        for read in reads:
            columns = _columns(read, companies, places)
            await connection.execute(
                dsn.ADD_DUPLICATE, uuid.uuid4(), self._import_id, read.number, read.first_line, read.last_line, *columns
            )

    async def _replaced_before(self, connection: Connection, ids: Sequence[UUID]) -> None:
        """One that arrives after what replaces it."""
        for row in await connection.fetch(dsn.REPLACED_BEFORE, ids):
            await connection.execute(dsn.REPLACED, row["id"], _replaced_state(row["kind"]))

    async def _say(
        self,
        connection: Connection,
        reads: Sequence[Read],
        rows: dict[int, _Known],
        companies: dict[str, tuple[UUID, str]],
        places: dict[str, UUID],
    ) -> None:
        """What is counted of them, and what they propose."""
        counted: dict[UUID, _Counted] = defaultdict(_Counted)
        sayings = []
        former: list[UUID] = []
        standing = await self._rows(connection, reads) if reads else {}
        for read in reads:
            facts, declaration_id = read.facts, rows[read.number].id
            if facts is None:
                continue
            people, doubtful, faults = people_and_doubts(facts)
            count = counted[declaration_id]  # several parts may be here of one
            count.people += people
            count.doubtful += doubtful
            count.doubts += map(fault_json, islice(faults, MOST_DOUBTS - len(count.doubts)))
            if standing[read.number].state not in ("reading", "recorded") or facts.kind in _WITHOUT_PEOPLE:
                continue
            if read.alone and (replaced := await self._former(connection, facts, declaration_id)) is not None:
                former.append(replaced)
            sayings.append(
                Saying(
                    declaration_id,
                    companies[facts.siren][0],
                    places[facts.siret],
                    facts,
                    self._ours(facts, companies),
                )
            )
        if counted:
            await connection.execute(
                dsn.COUNT_PEOPLE,
                list(counted),
                [count.people for count in counted.values()],
                [count.doubtful for count in counted.values()],
                [json.dumps(count.doubts) for count in counted.values()],
                MOST_DOUBTS,
            )
        if sayings:
            await self._proposals.record(connection, sayings, former)

    async def _complete(self, connection: Connection, reads: Sequence[Read], rows: dict[int, _Known]) -> None:
        done = []
        for read in reads:
            row = rows.get(read.number)
            if row is None:
                continue
            declaration_id = row.id
            if read.fault is not None and row.state not in _DONE:
                await self.set_aside(connection, declaration_id, read.fault, read.last_line)
                continue
            former = None
            if read.alone and read.facts is not None and row.state not in _DONE:
                former = await self._former(connection, read.facts, declaration_id)
                if former is not None:
                    await connection.execute(dsn.REPLACED, former, _replaced_state(read.facts.kind.value))
                    await connection.execute(dsn.SUPERSEDE_UNSAID, former)
                    await connection.fetch(dsn.PROPOSE_REVERSALS, former, declaration_id)
            done.append((declaration_id, read.last_line, former))
        if done:
            await connection.execute(dsn.COMPLETE, *map(list, zip(*done, strict=True)))
        if reads:
            await connection.execute(dsn.READ_TO, self._import_id, max(read.number for read in reads))

    async def _former(self, connection: Connection, facts: Facts, declaration_id: UUID) -> UUID | None:
        """The one that this one replaces or takes back, where it is here."""
        if facts.replaces is None or facts.kind is Kind.normal or facts.nature is Nature.other:
            return None
        found: UUID | None = await connection.fetchval(
            dsn.FORMER, facts.siret, facts.key.nature, facts.replaces, declaration_id
        )
        return found

    async def set_aside(self, connection: Connection, declaration_id: UUID, fault: Fault, last_line: int) -> None:
        """Nothing that it proposed stays; nothing of it was carried out yet."""
        await connection.execute(dsn.FORGET_CHANGES, declaration_id)
        await connection.execute(dsn.SET_ASIDE, declaration_id, fault_json(fault), last_line)

    async def set_aside_unusable(self, connection: Connection, read: Read) -> None:
        """One that the database takes nothing of."""
        fault = Fault(FaultCode.unusable, read.first_line)
        rows = await self._rows(connection, [read])
        if (row := rows.get(read.number)) is None:
            bare = Read(read.number, read.first_line, read.last_line, 0, True, None, fault)
            await self._add(connection, [bare], {}, {})
            row = (await self._rows(connection, [read]))[read.number]
        await self.set_aside(connection, row.id, fault, read.last_line)
        await connection.execute(dsn.READ_TO, self._import_id, read.number)


def _columns(read: Read, companies: dict[str, tuple[UUID, str]], places: dict[str, UUID]) -> tuple[object, ...]:
    """Company to `replaces`, as both statements have them."""
    facts = read.facts
    if facts is None:
        return (None,) * 10
    company = companies.get(facts.siren)
    key = facts.key
    return (
        company[0] if company is not None else None,
        places.get(facts.siret),
        facts.siret,
        key.nature,
        facts.kind.value,
        key.month,
        key.fraction,
        key.order,
        key.made_on,
        facts.replaces,
    )


def _replaced_state(kind: str) -> str:
    return "cancelled" if kind == Kind.cancelling else "replaced"
