"""Changes of a coverage's rights, each in the caller's transaction: the row, its line of the history, its entry of the
audit log, and the version that the workflow is then told (`CoverageFacts`).

Runs as either role: an employer's connection sees the coverages of their companies only. A change that changes nothing
returns None, so that whoever says something twice says it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from activities.contracts.affiliation import SYSTEM_ACTOR, Actor
from db import audit, coverage_rights
from db.pool import Connection
from domain.coverage_rights import (
    DEATH,
    CoverageFacts,
    EarlyEnd,
    End,
    Opening,
    ProofRules,
    Suspension,
    Told,
    ended_without_proof,
    rights_until,
)
from domain.departures import NEVER_PORTABLE, Portability, covered_until, portability_of, portability_period
from domain.portability_rules import edition_on

_TOLD = TypeAdapter(Told)
REPLACED = "replaced"  # `cancelled_by` of a row that a corrected one follows
# what waits for staff: to decide, or to do by hand
PORTABILITY_REVIEW, SUSPENSION_REVIEW, DEATH_ATTENTION = "portability_review", "suspension_review", "death"


class Origin(StrEnum):
    """Who says so: an employer without DSN, staff, or the DSN."""

    employer = "employer"
    staff = "staff"
    dsn = "dsn"


class EndFault(StrEnum):
    """Why a change is refused."""

    unknown_coverage = "unknown_coverage"
    before_coverage = "before_coverage"  # the contract ends before the cover began
    ends_before_it_begins = "ends_before_it_begins"
    not_an_end = "not_an_end"  # 099, 100, 998: nothing ended
    another_end = "another_end"  # the end that stands has another day
    no_end = "no_end"
    no_portability = "no_portability"
    outside_portability = "outside_portability"
    nothing_to_decide = "nothing_to_decide"
    no_suspension = "no_suspension"


class EndRefused(Exception):
    """Nothing was written. `day`: the day that it is about, where there is one."""

    def __init__(self, code: EndFault, day: date | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.day = day


class RightsEvent(StrEnum):
    """The lines of the history of rights; their French words are in `messages/words.py`."""

    end_declared = "end_declared"
    end_changed = "end_changed"
    end_cancelled = "end_cancelled"
    portability_decided = "portability_decided"
    proof_given = "proof_given"
    portability_ended = "portability_ended"
    portability_resumed = "portability_resumed"
    suspended = "suspended"
    suspension_changed = "suspension_changed"
    suspension_decided = "suspension_decided"
    suspension_cancelled = "suspension_cancelled"
    attention_settled = "attention_settled"


@dataclass(frozen=True)
class EndOfContract:
    """`contract_began_on`: of the first of contracts that follow each other; `reason`: a code of S21.G00.62.002;
    `in_doubt`: what the reason presumes open is for somebody to decide."""

    contract_began_on: date
    contract_ends_on: date
    reason: str
    in_doubt: bool = False


def computed(end: EndOfContract) -> End:
    """What follows from it, written nowhere. Raises EndRefused: ends_before_it_begins, not_an_end."""
    opening = portability_of(end.reason)
    if opening is Portability.none:
        raise EndRefused(EndFault.not_an_end)
    if end.in_doubt and opening is Portability.open:
        opening = Portability.review
    if end.contract_ends_on < end.contract_began_on:
        raise EndRefused(EndFault.ends_before_it_begins, end.contract_began_on)
    period = portability_period(end.contract_began_on, end.contract_ends_on)
    return End(
        contract_ends_on=end.contract_ends_on,
        reason=end.reason,
        covered_until=covered_until(end.contract_ends_on, end.reason),
        portability=Opening(opening.value),
        portability_from=period.first,
        portability_until=period.last,
    )


async def facts_of(connection: Connection, coverage_id: UUID) -> CoverageFacts:
    """The coverage as it is now. Raises EndRefused: unknown_coverage."""
    return (await _read(connection, coverage_id)).facts


async def declare_end(
    connection: Connection, coverage_id: UUID, end: EndOfContract, origin: Origin, actor: Actor
) -> CoverageFacts | None:
    """The work contract ends: cover to the month's end, then what the reason opens. None: the same end stands already.

    Another day or reason replaces the end that stands; what was proved for it counts on as far as it reaches.
    Raises EndRefused: unknown_coverage, before_coverage, ends_before_it_begins, not_an_end.
    """
    new = computed(end)
    stands = await _locked(connection, coverage_id)
    if end.contract_ends_on < stands.facts.starts_on:
        raise EndRefused(EndFault.before_coverage, stands.facts.starts_on)
    former, row = stands.facts.end, stands.row
    if former is not None:
        if (former.contract_ends_on, former.reason, row["contract_began_on"]) == (
            end.contract_ends_on,
            end.reason,
            end.contract_began_on,
        ):
            return None
        new = _carried_over(new, former)
        await connection.execute(coverage_rights.CANCEL_END, coverage_id, REPLACED)
    await connection.execute(
        coverage_rights.ADD_END,
        coverage_id,
        end.contract_began_on,
        new.contract_ends_on,
        new.reason,
        new.covered_until,
        new.portability,
        new.portability_from,
        new.portability_until,
        new.proof_until,
        new.ended_on,
        new.end_reason,
        origin,
        actor.id,
    )
    facts = replace(stands.facts, last_day=new.covered_until, end=new)
    return await _written(
        connection,
        coverage_id,
        facts,
        RightsEvent.end_declared if former is None else RightsEvent.end_changed,
        actor,
        {**_said(new), "origin": origin, **({"former_day": former.contract_ends_on} if former else {})},
        DEATH_ATTENTION if new.reason == DEATH else stands.attention,
    )


async def cancel_end(
    connection: Connection, coverage_id: UUID, contract_ends_on: date | None, origin: Origin, actor: Actor
) -> CoverageFacts | None:
    """The end was declared wrongly: everything is as before it. None: no end stands.

    Raises EndRefused: unknown_coverage; another_end, where the one that stands is not of `contract_ends_on`.
    """
    stands = await _locked(connection, coverage_id)
    former = stands.facts.end
    if former is None:
        return None
    if contract_ends_on is not None and contract_ends_on != former.contract_ends_on:
        raise EndRefused(EndFault.another_end, former.contract_ends_on)
    await connection.execute(coverage_rights.CANCEL_END, coverage_id, actor.id or str(actor.kind))
    facts = replace(stands.facts, last_day=None, end=None)
    details = {"contract_ends_on": former.contract_ends_on, "origin": origin}
    return await _written(connection, coverage_id, facts, RightsEvent.end_cancelled, actor, details)


async def decide_portability(
    connection: Connection, coverage_id: UUID, opened: bool, actor: Actor
) -> CoverageFacts | None:
    """Staff decide on a reason that is for review, or against what a reason presumes; never for a faute lourde.

    None: it is so already. Raises EndRefused: unknown_coverage, no_end, nothing_to_decide.
    """
    stands, end = await _ended(connection, coverage_id)
    if end.reason in NEVER_PORTABLE or end.reason == DEATH:
        raise EndRefused(EndFault.nothing_to_decide)
    decided = Opening.open if opened else Opening.closed
    if end.portability is decided:
        return None
    new = replace(end, portability=decided, proof_until=None, ended_on=None, end_reason=None)
    details = {"portability": decided, **_period(new)}
    return await _portability(connection, coverage_id, stands, new, RightsEvent.portability_decided, actor, details)


async def give_proof(connection: Connection, coverage_id: UUID, until: date, actor: Actor) -> CoverageFacts | None:
    """A proof of unemployment benefit counts to the end of the month of `until`. Late, it opens again what had ended
    for want of it. None: it counts so already. Raises EndRefused: unknown_coverage, no_end, no_portability,
    outside_portability."""
    stands, end = await _portable(connection, coverage_id)
    if end.ended_on is not None and end.end_reason is not EarlyEnd.no_proof:
        raise EndRefused(EndFault.no_portability, end.ended_on)
    if not end.portability_from <= until <= end.portability_until:
        raise EndRefused(EndFault.outside_portability, end.portability_until)
    proven = min(covered_until(until), end.portability_until)
    if end.proof_until == proven and end.ended_on is None:
        return None
    new = replace(end, proof_until=proven, ended_on=None, end_reason=None)
    details = {"proof_until": proven}
    return await _portability(connection, coverage_id, stands, new, RightsEvent.proof_given, actor, details)


async def end_portability(
    connection: Connection, coverage_id: UUID, reason: EarlyEnd, on: date, actor: Actor
) -> CoverageFacts | None:
    """Portability ends early; `on`: its last day, at the earliest that of the cover: then it never began. None: it
    ended so already. Raises as `give_proof`."""
    stands, end = await _portable(connection, coverage_id)
    if not end.covered_until <= on <= end.portability_until:
        raise EndRefused(EndFault.outside_portability, end.portability_until)
    if (end.ended_on, end.end_reason) == (on, reason):
        return None
    new = replace(end, ended_on=on, end_reason=reason)
    details = {"on": on, "reason": reason}
    return await _portability(connection, coverage_id, stands, new, RightsEvent.portability_ended, actor, details)


async def resume_portability(connection: Connection, coverage_id: UUID, actor: Actor) -> CoverageFacts | None:
    """Its early end was recorded wrongly. None: it had none. Raises EndRefused: unknown_coverage, no_end,
    no_portability."""
    stands, end = await _portable(connection, coverage_id)
    if end.ended_on is None:
        return None
    new = replace(end, ended_on=None, end_reason=None)
    return await _portability(
        connection, coverage_id, stands, new, RightsEvent.portability_resumed, actor, {"until": end.portability_until}
    )


async def end_for_want_of_proof(connection: Connection, coverage_id: UUID, version: int) -> CoverageFacts:
    """The time of grace is over, as the workflow knows the facts; where they changed meanwhile, nothing is written.

    Returns the facts either way. Raises EndRefused: unknown_coverage.
    """
    stands = await _locked(connection, coverage_id)
    new = ended_without_proof(stands.facts).end
    if stands.facts.version != version or new is None or new == stands.facts.end:
        return stands.facts
    details = {"on": new.ended_on, "reason": EarlyEnd.no_proof}
    return await _portability(
        connection, coverage_id, stands, new, RightsEvent.portability_ended, SYSTEM_ACTOR, details
    )


async def suspend(
    connection: Connection,
    coverage_id: UUID,
    reason: str,
    first: date,
    last: date | None,
    kept: bool | None,
    origin: Origin,
    actor: Actor,
) -> CoverageFacts | None:
    """A time without pay (S21.G00.65). `kept` None: staff are to decide. One of the same first day is changed, and what
    was decided of it stays; None: it is so already. Raises EndRefused: unknown_coverage, ends_before_it_begins."""
    stands = await _locked(connection, coverage_id)
    if last is not None and last < first:
        raise EndRefused(EndFault.ends_before_it_begins, first)
    former = _of_first_day(stands.facts, first)
    new = Suspension(first, last, reason, former.kept if former is not None and kept is None else kept)
    if new == former:
        return None
    event = RightsEvent.suspended if former is None else RightsEvent.suspension_changed
    return await _suspension(connection, coverage_id, stands, former, new, event, origin, actor)


async def decide_suspension(
    connection: Connection, coverage_id: UUID, first: date, kept: bool, actor: Actor
) -> CoverageFacts | None:
    """Staff: the cover is kept, as the person pays, or not. None: decided so already. Raises EndRefused:
    unknown_coverage, no_suspension."""
    stands = await _locked(connection, coverage_id)
    former = _of_first_day(stands.facts, first)
    if former is None:
        raise EndRefused(EndFault.no_suspension, first)
    if former.kept is kept:
        return None
    new = replace(former, kept=kept)
    return await _suspension(
        connection, coverage_id, stands, former, new, RightsEvent.suspension_decided, Origin.staff, actor
    )


async def cancel_suspension(
    connection: Connection, coverage_id: UUID, first: date, origin: Origin, actor: Actor
) -> CoverageFacts | None:
    """It was declared wrongly. None: there is none of this first day. Raises EndRefused: unknown_coverage."""
    stands = await _locked(connection, coverage_id)
    former = _of_first_day(stands.facts, first)
    if former is None:
        return None
    return await _suspension(
        connection, coverage_id, stands, former, None, RightsEvent.suspension_cancelled, origin, actor
    )


async def settle_attention(connection: Connection, coverage_id: UUID, actor: Actor) -> CoverageFacts | None:
    """Staff have done by hand what waited for them: a death, a message that reaches nobody. None: nothing of the kind
    waits. Raises EndRefused: unknown_coverage."""
    stands = await _locked(connection, coverage_id)
    if stands.attention is None or stands.attention in (PORTABILITY_REVIEW, SUSPENSION_REVIEW):
        return None
    details = {"attention": stands.attention}
    return await _written(connection, coverage_id, stands.facts, RightsEvent.attention_settled, actor, details)


# --- reading


@dataclass(frozen=True)
class _Stands:
    """What is written before a change. `row`: of `db.coverage_rights.FACTS`."""

    facts: CoverageFacts
    row: asyncpg.Record

    @property
    def attention(self) -> str | None:
        attention: str | None = self.row["attention"]
        return attention


async def _locked(connection: Connection, coverage_id: UUID) -> _Stands:
    """The coverage, held: whoever changes it at the same moment waits."""
    await connection.execute(coverage_rights.LOCK, coverage_id)
    return await _read(connection, coverage_id)


async def _read(connection: Connection, coverage_id: UUID) -> _Stands:
    row = await connection.fetchrow(coverage_rights.FACTS, coverage_id)
    if row is None:
        raise EndRefused(EndFault.unknown_coverage)
    suspensions = await connection.fetch(coverage_rights.SUSPENSIONS, coverage_id)
    facts = CoverageFacts(
        version=row["version"],
        affiliation_id=str(row["affiliation_id"]),
        starts_on=row["starts_on"],
        last_day=row["ends_on"],
        end=_end(row) if row["end_id"] is not None else None,
        suspensions=tuple(
            Suspension(one["first_day"], one["last_day"], one["reason"], one["kept"]) for one in suspensions
        ),
        rules=edition_on(row["contract_ends_on"] or date.max).proof,
        former=_TOLD.validate_python(row["state"]) if row["state"] is not None else Told(),
    )
    return _Stands(facts, row)


def _end(row: asyncpg.Record) -> End:
    early = row["portability_end_reason"]
    return End(
        contract_ends_on=row["contract_ends_on"],
        reason=row["reason"],
        covered_until=row["covered_until"],
        portability=Opening(row["portability"]),
        portability_from=row["portability_from"],
        portability_until=row["portability_until"],
        proof_until=row["proof_until"],
        ended_on=row["portability_ended_on"],
        end_reason=EarlyEnd(early) if early else None,
    )


async def _ended(connection: Connection, coverage_id: UUID) -> tuple[_Stands, End]:
    stands = await _locked(connection, coverage_id)
    if stands.facts.end is None:
        raise EndRefused(EndFault.no_end)
    return stands, stands.facts.end


async def _portable(connection: Connection, coverage_id: UUID) -> tuple[_Stands, End]:
    stands, end = await _ended(connection, coverage_id)
    if end.portability is not Opening.open:
        raise EndRefused(EndFault.no_portability)
    return stands, end


def _of_first_day(facts: CoverageFacts, first: date) -> Suspension | None:
    return next((one for one in facts.suspensions if one.first_day == first), None)


# --- writing


def _carried_over(new: End, former: End) -> End:
    """What staff recorded for the end that this one replaces, as far as it fits."""
    if new.portability is not Opening.open or former.portability is not Opening.open:
        return new
    proof = former.proof_until
    if proof is not None and proof >= new.portability_from:
        new = replace(new, proof_until=min(proof, new.portability_until))
    early = former.ended_on
    if early is None or former.end_reason is EarlyEnd.no_proof:
        return new
    if new.covered_until <= early <= new.portability_until:
        new = replace(new, ended_on=early, end_reason=former.end_reason)
    return new


async def _portability(
    connection: Connection,
    coverage_id: UUID,
    stands: _Stands,
    new: End,
    event: RightsEvent,
    actor: Actor,
    details: Mapping[str, object],
) -> CoverageFacts:
    await connection.execute(
        coverage_rights.SET_PORTABILITY,
        coverage_id,
        new.portability,
        new.proof_until,
        new.ended_on,
        new.end_reason,
    )
    facts = replace(stands.facts, end=new)
    return await _written(connection, coverage_id, facts, event, actor, details, stands.attention)


async def _suspension(
    connection: Connection,
    coverage_id: UUID,
    stands: _Stands,
    former: Suspension | None,
    new: Suspension | None,
    event: RightsEvent,
    origin: Origin,
    actor: Actor,
) -> CoverageFacts:
    first = (new or former or Suspension(date.max, None, "")).first_day
    if former is not None:
        by = REPLACED if new is not None else actor.id or str(actor.kind)
        await connection.execute(coverage_rights.CANCEL_SUSPENSION, coverage_id, first, by)
    if new is not None:
        await connection.execute(
            coverage_rights.ADD_SUSPENSION,
            coverage_id,
            new.reason,
            new.first_day,
            new.last_day,
            new.kept,
            origin,
            actor.id,
        )
    others = tuple(one for one in stands.facts.suspensions if one.first_day != first)
    kept = sorted((*others, *((new,) if new is not None else ())), key=lambda one: one.first_day)
    facts = replace(stands.facts, suspensions=tuple(kept))
    details = {"first_day": first, "origin": origin}
    if new is not None:
        details |= {"last_day": new.last_day, "reason": new.reason, "kept": new.kept}
    return await _written(connection, coverage_id, facts, event, actor, details, stands.attention)


async def _written(
    connection: Connection,
    coverage_id: UUID,
    facts: CoverageFacts,
    event: RightsEvent,
    actor: Actor,
    details: Mapping[str, object],
    attention: str | None = None,
) -> CoverageFacts:
    """The new version, its line of the history, its entry of the audit log. `attention`: what waited before."""
    version: int = await connection.fetchval(
        coverage_rights.CHANGED, coverage_id, facts.last_day, rights_until(facts), _attention(facts, attention)
    )
    said = {name: _plain(value) for name, value in details.items() if value is not None}
    await connection.execute(coverage_rights.ADD_EVENT, coverage_id, version, event, str(actor.kind), actor.id, said)
    await audit.add(
        connection,
        f"coverage.{event}",
        actor,
        affiliation_id=UUID(facts.affiliation_id),
        object_type="coverage",
        object_id=coverage_id,
        details=said,
    )
    return replace(facts, version=version, rules=_rules(facts))


def _attention(facts: CoverageFacts, before: str | None) -> str | None:
    """What staff are to decide; else what else waited for them, while there is an end that it is about."""
    end = facts.end
    if end is not None and end.portability is Opening.review:
        return PORTABILITY_REVIEW
    if any(one.kept is None for one in facts.suspensions):
        return SUSPENSION_REVIEW
    return before if end is not None and before not in (PORTABILITY_REVIEW, SUSPENSION_REVIEW) else None


def _rules(facts: CoverageFacts) -> ProofRules:
    return edition_on(facts.end.contract_ends_on if facts.end else date.max).proof


def _said(end: End) -> dict[str, object]:
    return {
        "contract_ends_on": end.contract_ends_on,
        "reason": end.reason,
        "covered_until": end.covered_until,
        "portability": end.portability,
        **(_period(end) if end.portability is Opening.open else {}),
    }


def _period(end: End) -> dict[str, object]:
    return {"portability_from": end.portability_from, "portability_until": end.portability_until}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, StrEnum) else value
