"""What doors show of somebody's rights: to their employer what follows from the contract, to staff everything.

An employer reads neither what a person proved nor why their portability ended: that is the person's (security.md Z-06).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import ActorKind
from activities.coverage_changes import Origin, RightsEvent
from domain.coverage_rights import CoverageFacts, DayRights, EarlyEnd, End, Opening, Right, RightsMessage, StepKind
from domain.departures import AFFILIATION_ALONE, reasons
from domain.media import Medium
from domain.suspensions import suspension_labels
from messages.typography import french
from services.views import MessageState

# what an employer reads of the history
_EMPLOYERS = frozenset(
    {
        RightsEvent.end_declared,
        RightsEvent.end_changed,
        RightsEvent.end_cancelled,
        RightsEvent.portability_decided,
        RightsEvent.suspended,
        RightsEvent.suspension_changed,
        RightsEvent.suspension_decided,
        RightsEvent.suspension_cancelled,
    }
)


class EndDates(BaseModel):
    """What follows from an end of contract. `portability_from`, `portability_until`: None where it is not open."""

    contract_ends_on: date
    reason: str
    reason_label: str
    covered_until: date
    portability: Opening
    portability_from: date | None
    portability_until: date | None


class RightsStepView(BaseModel):
    kind: StepKind
    at: datetime


class EndPreview(EndDates):
    """`messages`: what the person would be told, and when at the earliest."""

    messages: list[RightsStepView]


class EndView(EndDates):
    """An end that stands. To staff only: `proof_until`, `portability_ended_on` and why, `unproven_from`: the first day
    for which a proof is awaited, `provable_until`: the last day that a proof of today may cover. `cancellable`: whoever
    asks may take it back."""

    contract_began_on: date
    origin: Origin
    declared_at: datetime
    cancellable: bool
    proof_until: date | None = None
    unproven_from: date | None = None
    provable_until: date | None = None
    portability_ended_on: date | None = None
    portability_end_reason: EarlyEnd | None = None


class SuspensionView(BaseModel):
    """`kept`: the cover goes on, as the person pays; None: staff have not decided yet."""

    first_day: date
    last_day: date | None
    reason: str
    reason_label: str
    kept: bool | None


class RightsEventView(BaseModel):
    """A line of the history. `details`: dates and codes."""

    number: int
    kind: RightsEvent
    at: datetime
    actor: ActorKind
    details: dict[str, Any]


class RightsMessageView(BaseModel):
    kind: RightsMessage
    number: int
    medium: Medium
    state: MessageState
    at: datetime


class RightsOfDay(BaseModel):
    """`until`: the last day of the last right; None: no end is known. `sentence`: the same in French."""

    on: date
    right: Right
    until: date | None
    proven: bool
    to_review: bool
    sentence: str


class InsuredRights(BaseModel):
    """`emits_dsn`: ends come by the DSN. `may_declare`: whoever asks may declare or correct an end here. To staff only:
    `attention`, what waits for them; `next_step`; `messages`."""

    id: UUID
    affiliation_id: UUID
    starts_on: date
    emits_dsn: bool
    may_declare: bool
    today: RightsOfDay
    end: EndView | None
    suspensions: list[SuspensionView]
    history: list[RightsEventView]
    messages: list[RightsMessageView] = []
    next_step: RightsStepView | None = None
    attention: str | None = None


class AwaitedRights(BaseModel):
    """One insured person of whom staff have something to decide or to do."""

    id: UUID
    affiliation_id: UUID
    attention: str
    since: datetime
    first_names: str
    last_name: str
    establishment: str
    siret: str
    contract_ends_on: date | None
    reason: str | None


class CoveredPerson(BaseModel):
    """Whose rights are read. `id`: of the coverage."""

    id: UUID
    affiliation_id: UUID
    civility: str
    first_names: str
    last_name: str
    establishment: str
    siret: str
    company: str
    emits_dsn: bool
    formula: str
    starts_on: date


class RadiationCompany(BaseModel):
    """A company of the perimeter; `emits_dsn`: its ends of contract come by the DSN."""

    id: UUID
    siren: str
    name: str
    emits_dsn: bool


class RightsDesk(BaseModel):
    """The oldest first."""

    items: list[AwaitedRights]


def dates_of(end: End) -> EndDates:
    opened = end.portability is Opening.open
    return EndDates(
        contract_ends_on=end.contract_ends_on,
        reason=end.reason,
        reason_label=reason_label(end.reason),
        covered_until=end.covered_until,
        portability=end.portability,
        portability_from=end.portability_from if opened else None,
        portability_until=end.portability_until if opened else None,
    )


def reason_label(code: str) -> str:
    if code == AFFILIATION_ALONE:
        return "Fin d’affiliation sans fin de contrat"
    known = reasons().get(code)
    return french(known.label) if known else code


def suspension_views(facts: CoverageFacts) -> list[SuspensionView]:
    return [
        SuspensionView(
            first_day=one.first_day,
            last_day=one.last_day,
            reason=one.reason,
            reason_label=french(suspension_labels().get(one.reason, one.reason)),
            kept=one.kept,
        )
        for one in facts.suspensions
    ]


def history(rows: Iterable[asyncpg.Record], staff: bool) -> list[RightsEventView]:
    return [
        RightsEventView(
            number=row["number"],
            kind=row["kind"],
            at=row["at"],
            actor=row["actor_kind"],
            details=row["details"],
        )
        for row in rows
        if staff or row["kind"] in _EMPLOYERS
    ]


def employers_facts(facts: CoverageFacts) -> CoverageFacts:
    """Without what the person proved, and as if portability lasted for as long as it may."""
    if facts.end is None:
        return facts
    return replace(facts, end=replace(facts.end, proof_until=None, ended_on=None, end_reason=None))


def day_view(on: date, rights: DayRights) -> RightsOfDay:
    return RightsOfDay(
        on=on,
        right=rights.right,
        until=rights.until,
        proven=rights.proven,
        to_review=rights.to_review,
        sentence=sentence(on, rights),
    )


def sentence(on: date, rights: DayRights) -> str:
    """« Droits ouverts jusqu’au 30/04/2027 »."""
    until = f"{rights.until:%d/%m/%Y}" if rights.until else None
    match rights.right:
        case Right.suspended:
            words = "Droits suspendus : contrat de travail suspendu sans rémunération"
        case Right.none if rights.until is not None and rights.until < on:
            words = f"Droits terminés le {until}"
        case Right.none:
            words = "Droits pas encore ouverts"
        case _:
            words = f"Droits ouverts jusqu’au {until}" if until else "Droits ouverts"
            if rights.right is Right.portability:
                words += ", au titre de la portabilité"
    if rights.to_review:
        words += " (à l’étude)"
    return french(words)
