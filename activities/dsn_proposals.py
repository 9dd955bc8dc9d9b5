"""What declarations propose, matched with people and their coverages: the rows of `dsn_change`."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from activities.dsn_matching import Match, Matcher, MatchKind, Right, full_nir, right_for, rights_of
from db import dsn
from db.pool import Connection
from domain.dsn.changes import Change, ChangeKind, Decision, changes_of
from domain.dsn.facts import DeclaredContract, DeclaredDependant, DeclaredPerson, Facts, Nature
from domain.names import search_form
from gateways.encryption import FieldCipher

NOT_FOLLOWED = "not_followed"  # an affiliation said to go on beyond its contract, and no later month says it again
# Of somebody nobody knows here, a hire is to be declared and an end to be looked at; the rest concerns nobody.
_OF_UNKNOWN = frozenset({ChangeKind.hire, ChangeKind.end})
_WITHOUT_RIGHT = frozenset({ChangeKind.hire, ChangeKind.identity})
# What the employee's own row does not say.
_SEALED = frozenset({ChangeKind.hire, ChangeKind.identity, ChangeKind.dependant})


@dataclass(frozen=True, slots=True)
class Saying:
    """A declaration that is recorded, with what it says. `references`: those of its contracts that are ours."""

    declaration_id: UUID
    company_id: UUID
    establishment_id: UUID
    facts: Facts
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """In the order of `dsn.ADD_CHANGES`."""

    id: UUID
    declaration_id: UUID
    company_id: UUID
    kind: str
    key: str
    subject: str
    person_index: bytes
    on_day: date
    reason: str
    decision: str
    state: str
    outcome: str
    match: str
    employee_id: UUID | None
    coverage_id: UUID | None
    former_id: UUID | None
    line: int
    details: str
    person_sealed: bytes | None


@dataclass(frozen=True, slots=True)
class _Proposed:
    saying: Saying
    change: Change
    match: Match


class Proposals:
    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher
        self._matcher = Matcher(cipher)

    async def record(self, connection: Connection, sayings: Sequence[Saying], former: Sequence[UUID]) -> int:
        """Write what these declarations propose; how many changes are new. `former`: declarations that they replace.

        The same event told again is one row. An end told for another reason, or on another day, is a row of its own
        for somebody to look at.
        """
        proposed = await self._matched(connection, sayings)
        rights = await rights_of(connection, (one.match.employee_id for one in proposed if one.match.employee_id))
        rows = [self._row(one, rights) for one in proposed]
        rows = await self._known_already(connection, proposed, rows)
        rows = await self._beside_what_stands(connection, rows)
        added = 0
        if rows:
            columns = [list(column) for column in zip(*map(astuple, rows), strict=True)]
            columns.insert(18, list(former))
            added = len(await connection.fetch(dsn.ADD_CHANGES, *columns))
        await self._followed(connection, sayings)
        return added

    async def _followed(self, connection: Connection, sayings: Sequence[Saying]) -> None:
        """Who was to stay affiliated beyond a contract (62.016) stands in a later month's declaration again."""
        companies = list({saying.company_id for saying in sayings})
        waiting = await connection.fetch(dsn.CONTINUED, companies, NOT_FOLLOWED)
        followed = []
        for saying in sayings if waiting else ():
            month = saying.facts.key.month
            if saying.facts.nature is not Nature.monthly or month is None:
                continue
            there = {
                index
                for person in saying.facts.people
                if any(one.end is None and _of(one, saying.references) for one in person.contracts)
                for index in self._matcher.indexes(person)
            }
            followed += [
                row["id"]
                for row in waiting
                if row["company_id"] == saying.company_id and row["on_day"] < month and row["person_index"] in there
            ]
        if followed:
            await connection.execute(dsn.FOLLOWED, followed)

    async def _matched(self, connection: Connection, sayings: Sequence[Saying]) -> list[_Proposed]:
        """Every change with whom it is about, but for those of people whom nobody knows here and whom nobody need."""
        found: list[tuple[Saying, DeclaredPerson, list[Change]]] = []
        for saying in sayings:
            by_person: dict[int, list[Change]] = defaultdict(list)
            people = {}
            for change in changes_of(saying.facts, saying.references):
                by_person[change.person.line].append(change)
                people[change.person.line] = change.person
            found += [(saying, people[line], changes) for line, changes in by_person.items()]
        matches = await self._matcher.match(connection, [(saying.company_id, person) for saying, person, _ in found])
        proposed = []
        for (saying, person, changes), match in zip(found, matches, strict=True):
            if person.nir and person.ntt:
                await self._pair(connection, saying.company_id, person, match)
            for change in changes:
                if match.kind is not MatchKind.none or change.kind in _OF_UNKNOWN:
                    proposed.append(_Proposed(saying, change, match))
        return proposed

    async def _pair(self, connection: Connection, company_id: UUID, person: DeclaredPerson, match: Match) -> None:
        """Both numbers of one person, as a DSN tells them once: what was said of either is of the same person."""
        assert person.nir is not None
        assert person.ntt is not None
        index = self._matcher.ntt_index(person.ntt)
        await connection.execute(dsn.REKEY, company_id, index, match.person_index)
        if match.kind is not MatchKind.none:
            return
        await connection.execute(dsn.KNOW_PAIR, company_id, index, match.person_index)
        for row in await connection.fetch(dsn.OPEN_HIRES_OF, company_id, match.person_index):
            place = "hire_proposal", "person", str(row["id"])
            prefilled = json.loads(self._cipher.decrypt(row["person_sealed"], *place))
            prefilled["nir"] = full_nir(person.nir)
            text = json.dumps(prefilled, ensure_ascii=False)
            await connection.execute(dsn.SEAL_HIRE, row["id"], self._cipher.encrypt(text, *place))

    def _row(self, proposed: _Proposed, rights: dict[UUID, list[Right]]) -> Row:
        saying, change, match = proposed.saying, proposed.change, proposed.match
        contract = change.contract
        right = None
        if match.employee_id is not None and contract is not None:
            last = contract.end.on if contract.end is not None else None
            right = right_for(rights[match.employee_id], contract.began_on, last, saying.establishment_id)
        outcome = match.outcome
        if right is None and match.employee_id is not None and change.kind not in _WITHOUT_RIGHT:
            outcome = outcome or "no_coverage"
        if change.kind is ChangeKind.end and contract is not None and contract.end is not None and contract.end.refused:
            outcome = outcome or "refused_permanent"
        number = uuid.uuid4()
        sealed = None
        if change.kind in _SEALED or match.kind in (MatchKind.proposal, MatchKind.none):
            text = json.dumps(_declared(change.person, change.dependant), ensure_ascii=False)
            sealed = self._cipher.encrypt(text, "dsn_change", "person", str(number))
        return Row(
            id=number,
            declaration_id=saying.declaration_id,
            company_id=saying.company_id,
            kind=change.kind.value,
            key=self._key(change),
            subject=_subject(change),
            person_index=match.person_index,
            on_day=change.on,
            reason=change.reason,
            decision=_decision(change, match, outcome).value,
            state="proposed",
            outcome=outcome,
            match=match.kind.value,
            employee_id=match.employee_id,
            coverage_id=right.id if right is not None else None,
            former_id=None,
            line=change.person.line,
            details=json.dumps(_details(change)),
            person_sealed=sealed,
        )

    def _key(self, change: Change) -> str:
        """As the change has it, without what would tell who somebody is."""
        if change.kind in (ChangeKind.dependant, ChangeKind.identity):
            return f"{change.kind}/{self._cipher.blind_index(change.key, 'dsn_change').hex()}"
        return change.key

    # --- what is so already

    async def _known_already(self, connection: Connection, proposed: Sequence[_Proposed], rows: list[Row]) -> list[Row]:
        """Dependants who are known, or whose end is, and numbers known to be somebody's: nothing to decide."""
        covered = {row.coverage_id for row in rows if row.kind == ChangeKind.dependant and row.coverage_id is not None}
        dependants = await connection.fetch(dsn.DEPENDANTS, list(covered)) if covered else []
        known: dict[UUID, list[Any]] = defaultdict(list)
        for dependant in dependants:
            known[dependant["coverage_id"]].append(dependant)
        numbers = await self._known_numbers(connection, proposed)
        settled = []
        for place, (one, row) in enumerate(zip(proposed, rows, strict=True)):
            declared = one.change.dependant
            so_already = False
            if declared is not None and row.coverage_id is not None:
                same = self.same_dependant(known[row.coverage_id], declared)
                so_already = same is not None and (declared.ended_on is None or same["ends_on"] == declared.ended_on)
            elif one.change.kind is ChangeKind.identity:
                so_already = numbers.get(place) == row.employee_id and not _corrects(one.change.person)
            settled.append(
                replace(row, state="unchanged", outcome="known_already", person_sealed=None) if so_already else row
            )
        return settled

    async def _known_numbers(self, connection: Connection, proposed: Sequence[_Proposed]) -> dict[int, UUID]:
        wanted = [
            (place, one.saying.company_id, self._matcher.ntt_index(one.change.person.ntt))
            for place, one in enumerate(proposed)
            if one.change.kind is ChangeKind.identity and one.change.person.ntt
        ]
        if not wanted:
            return {}
        rows = await connection.fetch(dsn.KNOWN_NUMBERS, *map(list, zip(*wanted, strict=True)))
        return {row["place"]: row["employee_id"] for row in rows}

    def same_dependant(self, known: Sequence[Any], declared: DeclaredDependant) -> Any | None:
        """The one of these who is meant: by number, else by birth date and first name."""
        index = self._matcher.nir_index(declared.nir) if declared.nir else None
        first_names = search_form(declared.first_names)
        for one in known:
            if index is not None and one["nir_index"] == index:
                return one
            if one["birth_date"] == declared.birth_date and search_form(one["first_names"]) == first_names:
                return one
        return None

    # --- what stands

    async def _beside_what_stands(self, connection: Connection, rows: Sequence[Row]) -> list[Row]:
        """Once each, and for somebody to look at where the same contract's end is known otherwise."""
        ends = [row for row in rows if row.kind == ChangeKind.end]
        standing: dict[tuple[UUID, bytes, str], list[tuple[UUID | None, str, str]]] = defaultdict(list)
        if ends:
            wanted = {(row.company_id, row.person_index, row.subject) for row in ends}
            for stands in await connection.fetch(dsn.STANDING, *map(list, zip(*wanted, strict=True))):
                place = stands["company_id"], stands["person_index"], stands["subject"]
                cancelled = stands["kind"] == ChangeKind.end_cancelled
                standing[place].append((None if cancelled else stands["id"], stands["key"], stands["reason"]))
        kept: dict[tuple[UUID, bytes, str, str], Row] = {}
        for row in rows:
            natural = row.company_id, row.person_index, row.key, row.reason
            if natural in kept:
                continue
            if row.kind == ChangeKind.end:
                others = standing[row.company_id, row.person_index, row.subject]
                if (row.key, row.reason) not in ((key, reason) for _, key, reason in others):
                    if others:
                        former, key, _ = others[-1]
                        changed = "reason_changed" if key == row.key else "day_changed"
                        outcome = row.outcome or ("cancelled_before" if former is None else changed)
                        row = replace(row, decision=Decision.review.value, outcome=outcome, former_id=former)
                    others.append((row.id, row.key, row.reason))
            kept[natural] = row
        return list(kept.values())


def _decision(change: Change, match: Match, outcome: str) -> Decision:
    """Never automatic on a likeness, a number said to be wrong, or without the right that it is about."""
    if match.kind is MatchKind.none and change.kind is ChangeKind.hire and outcome == "unknown_person":
        return change.decision
    if match.kind in (MatchKind.proposal, MatchKind.none) or outcome:
        return Decision.review
    if match.kind is MatchKind.identity and change.decision is Decision.automatic:
        return Decision.confirm
    return change.decision


def _subject(change: Change) -> str:
    contract = change.contract
    if contract is None:
        return change.kind.value
    about = f"{contract.began_on}/{contract.number}"
    if change.kind in (ChangeKind.end, ChangeKind.end_cancelled):
        return f"end/{about}"
    return f"{change.kind}/{about}"


def _details(change: Change) -> dict[str, Any]:
    """Dates and codes."""
    told: dict[str, Any] = {}
    if (contract := change.contract) is not None:
        told["contract"] = {"began_on": str(contract.began_on), "number": contract.number, "nature": contract.nature}
        if contract.former_siret:
            told["former_siret"] = contract.former_siret
        if contract.end is not None:
            told["contract_ends_on"] = str(contract.end.on)
            if contract.end.refused:
                told["refused"] = True
        if change.kind is ChangeKind.hire:
            told["executive"], told["local_scheme"] = contract.executive, contract.local_scheme
        if change.kind in (ChangeKind.suspended, ChangeKind.suspension_cancelled):
            lasts = [one.last for one in contract.suspensions if one.first == change.on and one.reason == change.reason]
            told["last_day"] = str(lasts[0]) if lasts and lasts[0] is not None else None
    if (portability := change.portability) is not None:
        told["portability"] = {"first": str(portability.first), "last": str(portability.last)}
    if (dependant := change.dependant) is not None:
        told["dependant"] = {"kind": dependant.kind, "ended_on": _text(dependant.ended_on)}
    return told


def _declared(person: DeclaredPerson, dependant: DeclaredDependant | None) -> dict[str, Any]:
    """Who it is, as declared: what is kept encrypted."""
    return {
        "birth_name": person.birth_name,
        "last_name": person.last_name,
        "first_names": person.first_names,
        "birth_date": _text(person.birth_date),
        "nir": person.nir,
        "ntt": person.ntt,
        "former_nir": person.former_nir,
        "former_name": person.former_name,
        "former_first_names": person.former_first_names,
        "former_birth_date": _text(person.former_birth_date),
        "dependant": None
        if dependant is None
        else {
            "kind": dependant.kind,
            "last_name": dependant.last_name,
            "first_names": dependant.first_names,
            "birth_date": _text(dependant.birth_date),
            "nir": dependant.nir,
            "began_on": _text(dependant.began_on),
            "ended_on": _text(dependant.ended_on),
        },
    }


def _corrects(person: DeclaredPerson) -> bool:
    return any((person.former_nir, person.former_name, person.former_first_names, person.former_birth_date))


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def references_of(facts: Facts, ours: Sequence[str]) -> tuple[str, ...]:
    """The references of a declaration's contracts that are ours, as it writes them; spaces and case say nothing."""
    known = {_plain(one) for one in ours}
    return tuple(one.reference for one in facts.adhesions if one.reference and _plain(one.reference) in known)


def _plain(reference: str) -> str:
    return "".join(reference.split()).upper()


def people_and_doubts(facts: Facts) -> tuple[int, int, Iterator[Any]]:
    """How many people, of how many something cannot be understood, and what."""
    doubtful = [person for person in facts.people if person.doubts]
    return len(facts.people), len(doubtful), (fault for person in doubtful for fault in person.doubts)


def _of(contract: DeclaredContract, references: Sequence[str]) -> bool:
    """Whether somebody is affiliated by it on a contract that is ours."""
    return any(one.adhesion.reference in references for one in contract.affiliations)
