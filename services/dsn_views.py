"""DSN imports as both doors show them: codes, dates and counts; words are in `messages.dsn_words`."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from messages.dsn_words import ACCEPTED, REFUSED
from services.fields import Form


class DsnFault(BaseModel):
    """What is wrong, at which line of the file (0: the whole of it); `expected`, `found`: codes and counts."""

    code: str
    line: int
    expected: str = ""
    found: str = ""


class DsnImportView(BaseModel):
    """A file. `name`: only of the watched directory; `by`: who sent it. Then its declarations by what they came to,
    their people, and the changes that they propose."""

    id: UUID
    state: Literal["received", "reading", "applied", "refused"]
    origin: Literal["upload", "api", "directory"]
    name: str
    by: str | None
    received_at: datetime
    finished_at: datetime | None
    size: int
    encoding: str | None
    lines: int | None
    declarations: int | None
    read_to: int
    kept: bool
    faults: list[DsnFault]
    recorded: int
    duplicate: int
    set_aside: int
    foreign: int
    replaced: int
    people: int
    doubtful: int
    changes: int
    applied: int
    to_decide: int

    @property
    def reads(self) -> bool:
        return self.state in ("received", "reading")


class DsnImportPage(BaseModel):
    items: list[DsnImportView]
    next_cursor: str | None


class DsnReceived(BaseModel):
    """`known`: the same content came before: this is that import, and nothing is done a second time."""

    item: DsnImportView
    known: bool


class DsnDeclarationState(StrEnum):
    reading = "reading"
    recorded = "recorded"
    duplicate = "duplicate"
    set_aside = "set_aside"
    foreign = "foreign"
    replaced = "replaced"
    cancelled = "cancelled"


class DsnDeclarationView(BaseModel):
    """One declaration of a file. `ours`: whether a contract of ours stands in it. `doubts`: of its first people of whom
    something cannot be understood; `former_import_id`: where the one that it repeats or replaces came."""

    id: UUID
    number: int
    first_line: int
    last_line: int | None
    siret: str | None
    establishment: str | None
    company: str | None
    nature: str | None
    kind: str | None
    month: date | None
    fraction: str | None
    state: DsnDeclarationState
    ours: bool | None
    fault: DsnFault | None
    people: int
    doubtful: int
    doubts: list[DsnFault]
    former_import_id: UUID | None
    applied: int
    to_decide: int
    unchanged: int
    refused: int


class DsnDeclarationPage(BaseModel):
    items: list[DsnDeclarationView]
    next_number: int | None


class DsnDependantView(BaseModel):
    kind: str
    first_names: str
    last_name: str
    birth_date: date | None
    ended_on: date | None


class DsnPersonView(BaseModel):
    """Somebody as the DSN has them, or as we do; `nir`: masked."""

    first_names: str
    last_name: str
    birth_name: str
    birth_date: date | None
    nir: str


class DsnRightsView(BaseModel):
    """What is known of the rights that a change is about; `ends_on`: the last day of cover."""

    starts_on: date
    ends_on: date | None
    formula: str
    contract_ends_on: date | None
    reason: str | None
    portability_until: date | None


class DsnChangeView(BaseModel):
    """A change of somebody's rights that a declaration calls for.

    `on`: the day that it is about: the last day covered by an end, the effect of a hire. `match`: how the person was
    recognised. `outcome`: why somebody must look, or what it came to. `declared`, `known`: who it is; None: as the
    other. `affiliation_id`: the person's last file.
    """

    id: UUID
    import_id: UUID
    number: int
    line: int
    kind: str
    on: date
    reason: str
    decision: Literal["automatic", "confirm", "review"]
    state: Literal["proposed", "applied", "refused", "reversed", "superseded", "unchanged"]
    outcome: str
    match: Literal["nir", "ntt", "identity", "proposal", "none"]
    company: str
    establishment: str | None
    siret: str | None
    month: date | None
    declared: DsnPersonView | None
    known: DsnPersonView | None
    affiliation_id: UUID | None
    rights: DsnRightsView | None
    contract_began_on: date | None
    contract_ends_on: date | None
    contract_nature: str | None
    portability_from: date | None
    portability_until: date | None
    former_siret: str | None
    suspended_until: date | None
    reverses: str | None
    dependant: DsnDependantView | None
    corrects: list[str]


class DsnChangePage(BaseModel):
    """`counts`: by kind, of all that wait; nobody counts beyond `more_than`."""

    items: list[DsnChangeView]
    counts: dict[str, int]
    more_than: int
    next_cursor: str | None


class DsnDecision(Form):
    """Carry a change out, or refuse it; `reason`: why, a code."""

    accept: bool
    reason: Literal[
        "as_declared",
        "employer_confirmed",
        "person_confirmed",
        "same_person",
        "payroll_mistake",
        "other_person",
        "done_otherwise",
        "not_concerned",
    ]

    @field_validator("reason")
    @classmethod
    def _fits(cls, reason: str, info: ValidationInfo) -> str:
        if reason not in (ACCEPTED if info.data.get("accept") else REFUSED) and "accept" in info.data:
            raise PydanticCustomError("enum", "a reason of the other decision")
        return reason


class DsnDecided(BaseModel):
    """What a change came to: `applied`, `unchanged` or `refused`."""

    id: UUID
    state: str
    outcome: str
