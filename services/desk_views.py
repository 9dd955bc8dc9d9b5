"""What staff's pages are told: what waits, files found and read, how much of it there is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from domain.desk import Lateness, Work
from services.fields import Form, Nir
from services.views import AffiliationDetail, AffiliationSummary, EventView


class Taker(BaseModel):
    """Who of the staff takes a file."""

    user_id: UUID
    name: str


class WorkItem(BaseModel):
    """One file that waits. `due`: the last day to deal with it."""

    work: Work
    since: datetime
    due: date
    lateness: Lateness
    file: AffiliationSummary
    taken_by: Taker | None


class WorkPage(BaseModel):
    """By due date. `next_cursor`: where the next page begins."""

    items: list[WorkItem]
    next_cursor: str | None


class WorkCount(BaseModel):
    """How many files wait for one reason, how many of them beyond their due date, and the oldest due date."""

    work: Work
    files: int
    late: int
    oldest_due: date | None


class Age(BaseModel):
    """Files by how many days they have been waiting; `most`: None: or longer."""

    least: int
    most: int | None
    files: dict[Work, int]


class Outcome(BaseModel):
    """How many messages of one medium are in one state."""

    state: str
    medium: str
    messages: int


class Backlog(BaseModel):
    """`mine`: what waits and the caller has taken."""

    counts: list[WorkCount]
    ages: list[Age]
    mine: int

    @property
    def files(self) -> int:
        return sum(one.files for one in self.counts)


class NirSearch(Form):
    nir: Nir


class Found(BaseModel):
    """Files, the latest change first. `by`: how the words were understood."""

    by: Literal["reference", "siren", "siret", "name", "nir"]
    items: list[AffiliationSummary]
    next_cursor: str | None


class GivenContact(BaseModel):
    """What one of them gave last. `used`: messages go there."""

    given_by: Literal["employer", "employee"]
    email: str | None
    phone: str | None
    line1: str
    line2: str | None
    postcode: str
    city: str
    created_at: datetime
    used: bool


class OtherFile(BaseModel):
    id: UUID
    establishment: str
    status: str
    declared_at: datetime


class DeskFile(BaseModel):
    """One file as staff read it; a NIR and an IBAN are masked. `works`: why it waits for them."""

    detail: AffiliationDetail
    reference: str
    employee_id: UUID
    civility: str
    birth_name: str
    birth_date: date
    nir: str
    company: str
    insurer: str
    insurer_reference: str
    establishment_city: str
    submitted_at: datetime | None
    channel: Literal["online", "paper"] | None
    works: list[tuple[Work, datetime, date, Lateness]]
    taken_by: Taker | None
    contacts: list[GivenContact]
    events: list[EventView]
    others: list[OtherFile]


class Numbers(BaseModel):
    """In full: shown once, in the log each time."""

    first_names: str
    last_name: str
    nir: str
    iban: str | None
