"""What doors show of an affiliation to an employer: the guide's columns, what happened, what comes next (Z-06)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import ActorKind, EventKind
from domain.affiliation import OPEN, Attention, Closure, PauseReason, Status
from domain.identifiers import Civility
from domain.media import Language, Medium
from domain.plan import Step


class NextStep(BaseModel):
    """What will happen if nobody does anything, and when; `abandonment` is the end of it."""

    kind: str
    medium: Medium | None
    at: datetime
    number: int | None = None


class MessageState(StrEnum):
    """A message's own life: préparé, remis au prestataire, distribué, rejeté, inconnu; remplacé: it never left."""

    prepared = "prepared"
    handed_over = "handed_over"
    delivered = "delivered"
    rejected = "rejected"
    unknown = "unknown"
    superseded = "superseded"


class DispatchView(BaseModel):
    id: UUID
    kind: str
    number: int
    medium: Medium
    state: MessageState
    reason: str | None
    attempts: int
    prepared_at: datetime
    handed_over_at: datetime | None


class AffiliationSummary(BaseModel):
    """One line of « Suivi des affiliations ».

    `awaits`: after the form, documents that the person still has to send, or our check of them; never which (Z-06).
    """

    id: UUID
    siren: str
    siret: str
    establishment: str
    first_names: str
    last_name: str
    medium: Medium
    status: Status
    status_at: datetime
    declared_at: datetime
    hired_on: date
    professional_status: str
    scheme: str
    contract_kind: str
    language: Language
    awaits: Literal["documents", "check"] | None
    attention: Attention | None
    pause: PauseReason | None
    closure: Closure | None
    next_step: NextStep | None
    former_id: UUID | None

    @property
    def todo(self) -> bool:
        """Whether it waits for the employer (`db.affiliations`)."""
        return self.attention is Attention.unreachable and self.status in OPEN


class Source(StrEnum):
    """Who answered: the workflow itself, or the read model when no worker answered within a second."""

    workflow = "workflow"
    read_model = "read_model"


class AffiliationDetail(AffiliationSummary):
    """`skippable`: of the calendar, the messages that need not leave (POST …/skips)."""

    calendar: list[NextStep]
    skippable: list[NextStep]
    reminder_allowed_from: datetime | None
    dispatches: list[DispatchView]
    source: Source


class EventView(BaseModel):
    number: int
    kind: EventKind
    at: datetime
    actor: ActorKind
    details: dict[str, str]


class DeclaredView(BaseModel):
    """What the employer declared of a person. `nir`: masked. The contact is the employer's own; it is None where the
    person gave theirs before. `own_contact`: we write to one that the person gave."""

    civility: Civility
    last_name: str
    birth_name: str
    first_names: str
    birth_date: date
    nir: str
    email: str | None
    phone: str | None
    line1: str | None
    line2: str | None
    postcode: str | None
    city: str | None
    own_contact: bool


class AffiliationPage(BaseModel):
    """`total`: counted up to 10 001."""

    items: list[AffiliationSummary]
    next_cursor: str | None
    total: int


def step_view(step: Step | None) -> NextStep | None:
    if step is None:
        return None
    number = step.message.number if step.message else None
    return NextStep(kind=step.kind, medium=step.medium, at=step.at, number=number)


def summary(row: asyncpg.Record) -> dict[str, Any]:
    """The fields of AffiliationSummary from a row of `db.affiliations`."""
    fields = {name: row[name] for name in AffiliationSummary.model_fields if name != "next_step"}
    kind = row["next_step_kind"]
    fields["next_step"] = NextStep(kind=kind, medium=row["next_step_medium"], at=row["next_step_at"]) if kind else None
    return fields


def dispatch_views(rows: Iterable[asyncpg.Record]) -> list[DispatchView]:
    return [DispatchView(**{name: row[name] for name in DispatchView.model_fields}) for row in rows]
