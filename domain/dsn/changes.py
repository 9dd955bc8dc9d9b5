"""From what a declaration says to the changes of rights that it calls for, before anything is known of the person here.

Whoever applies them knows which rights there are. A person who is missing from a file is never a change, nor is an
establishment that says it covers nobody: only what is said of a person is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from domain.departures import Period, Portability, covered_until, portability_of, portability_period
from domain.dsn.facts import (
    Adhesion,
    DeclaredAffiliation,
    DeclaredContract,
    DeclaredDependant,
    DeclaredPerson,
    End,
    Facts,
    Nature,
)

_CANCELLED_END: Final = "099"
_NO_RUPTURE: Final = frozenset({"100", "998"})  # moved within the group, or to where no DSN is sent
_FOR_SOMEBODY: Final = frozenset({"29", "80", "81"})  # natures of trainees, mandates, elected people
_UNPAID_LEAVE: Final = frozenset({"501", "632", "635", "639"})  # HCR agreement, art. 6: suspended unless kept


class ChangeKind(StrEnum):
    identity = "identity"
    hire = "hire"
    end = "end"
    end_cancelled = "end_cancelled"
    continued = "continued"
    moved = "moved"
    affiliation_end = "affiliation_end"
    dependant = "dependant"
    suspended = "suspended"
    suspension_cancelled = "suspension_cancelled"


class Decision(StrEnum):
    """Who carries it out: nobody needs to look, staff confirm it, or somebody has to find out first."""

    automatic = "automatic"
    confirm = "confirm"
    review = "review"


@dataclass(frozen=True, slots=True)
class Change:
    """One proposed change of one person's rights.

    `key`: the same for the same event however often it is declared, with its contract and day, without the reason (a
    reason that changed is the same event, told anew). `on`: the day that it is about: the effect date of a hire, the
    last day covered by an end. `portability`: at most, awaiting proof.
    """

    kind: ChangeKind
    person: DeclaredPerson
    key: str
    on: date
    decision: Decision
    reason: str = ""
    contract: DeclaredContract | None = None
    dependant: DeclaredDependant | None = None
    portability: Period | None = None


def changes_of(facts: Facts, ours: Iterable[str]) -> Iterator[Change]:
    """`ours`: the references of the contracts (S21.G00.15.001) that are ours; those on others' do not concern us.

    Identity comes first: who is who decides whose the rest is. People in doubt bring no change: they are shown as such.
    """
    references = frozenset(ours)
    if facts.nature is Nature.other:
        return
    for person in facts.people:
        if person.doubts:
            continue
        yield from _identity(person)
        for contract in person.contracts:
            yield from _of_contract(facts, person, contract, references)


def _identity(person: DeclaredPerson) -> Iterator[Change]:
    """A number that became known, or was wrong; a name or a birth date that was."""
    former = (person.former_nir, person.former_name, person.former_first_names, person.former_birth_date)
    if (person.nir and person.ntt) or any(former):
        key = f"identity/{person.nir or person.ntt}"
        yield Change(ChangeKind.identity, person, key, min(one.began_on for one in person.contracts), Decision.confirm)


def _of_contract(
    facts: Facts, person: DeclaredPerson, contract: DeclaredContract, ours: frozenset[str]
) -> Iterator[Change]:
    affiliations = [one for one in contract.affiliations if one.adhesion.reference in ours]
    decision = Decision.review if contract.nature in _FOR_SOMEBODY else Decision.automatic
    if contract.former_siret or contract.former_number or contract.former_began_on:
        key = f"moved/{facts.siret}/{contract.began_on}/{contract.number}"
        yield Change(ChangeKind.moved, person, key, contract.began_on, Decision.confirm, contract=contract)
    for affiliation in affiliations:
        yield from _of_affiliation(facts, person, contract, affiliation, decision)
    if contract.end is not None and (affiliations or facts.nature is Nature.contract_end):
        yield from _of_end(facts, person, contract, contract.end, decision)
    for one in contract.suspensions:
        if one.cancelled or one.reason in _UNPAID_LEAVE:
            kind = ChangeKind.suspension_cancelled if one.cancelled else ChangeKind.suspended
            key = f"suspension/{contract.began_on}/{contract.number}/{one.first}"
            yield Change(kind, person, f"{kind}:{key}", one.first, Decision.review, one.reason, contract)


def _of_affiliation(
    facts: Facts,
    person: DeclaredPerson,
    contract: DeclaredContract,
    affiliation: DeclaredAffiliation,
    decision: Decision,
) -> Iterator[Change]:
    began_on = affiliation.began_on or contract.began_on
    key = f"{contract.began_on}/{contract.number}"
    month = facts.key.month
    if facts.nature is Nature.early_notice or (month is not None and _month(began_on) == _month(month)):
        yield Change(ChangeKind.hire, person, f"hire/{key}/{began_on}", began_on, decision, contract=contract)
    if affiliation.ended_on is not None and contract.end is None:
        # a dispense, another establishment or category: no portability comes of it
        ended = f"affiliation_end/{key}/{affiliation.ended_on}"
        yield Change(
            ChangeKind.affiliation_end, person, ended, affiliation.ended_on, Decision.confirm, contract=contract
        )
    for dependant in affiliation.dependants:
        known = dependant.nir or f"{dependant.birth_date}/{dependant.first_names.casefold()}"
        on = dependant.ended_on or dependant.began_on or began_on
        yield Change(
            ChangeKind.dependant,
            person,
            f"dependant/{key}/{known}/{'end' if dependant.ended_on else 'begin'}/{on}",
            on,
            Decision.confirm,
            contract=contract,
            dependant=dependant,
        )


def _of_end(
    facts: Facts, person: DeclaredPerson, contract: DeclaredContract, end: End, decision: Decision
) -> Iterator[Change]:
    key = f"end/{contract.began_on}/{contract.number}/{end.on}"
    if end.reason == _CANCELLED_END:
        yield Change(ChangeKind.end_cancelled, person, f"cancelled:{key}", end.on, Decision.confirm, contract=contract)
    elif end.reason in _NO_RUPTURE:
        yield Change(ChangeKind.moved, person, f"moved:{key}", end.on, Decision.review, end.reason, contract)
    elif end.kept:
        yield Change(ChangeKind.continued, person, f"continued:{key}", end.on, Decision.review, end.reason, contract)
    elif not _goes_on(person, contract, end):
        portability = portability_of(end.reason)
        if end.refused and portability is Portability.open:
            portability = Portability.review
        period = None
        if portability is Portability.open and end.on >= contract.began_on:
            period = portability_period(contract.began_on, end.on)
        elif portability is Portability.review or end.on < contract.began_on:
            decision = Decision.review
        yield Change(
            ChangeKind.end,
            person,
            key,
            covered_until(end.on),
            decision,
            end.reason,
            contract,
            portability=period,
        )


def _goes_on(person: DeclaredPerson, ended: DeclaredContract, end: End) -> bool:
    """Whether another contract of theirs keeps them on the same insurance beyond the month of this end."""
    insured = {_same(one.adhesion) for one in ended.affiliations}
    last = covered_until(end.on)
    return any(
        other is not ended
        and (other.end is None or covered_until(other.end.on) > last)
        and other.began_on <= last
        and any(_same(one.adhesion) in insured for one in other.affiliations)
        for other in person.contracts
    )


def _same(adhesion: Adhesion) -> tuple[str, str]:
    return adhesion.organism, adhesion.reference


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month
