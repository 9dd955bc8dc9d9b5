"""What doors show of a bulk import: the table as it was read, its rows with their states, and how far it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from activities.contracts.affiliation_imports import ImportState, RowState
from services.import_columns import BY_FIELD

FIELDS: Final[tuple[str, ...]] = tuple(BY_FIELD)  # of a row, in the order in which they are shown
STARTABLE: Final = frozenset({RowState.new, RowState.changed})


class Severity(StrEnum):
    """`wrong` keeps a row from being started; `advice` is worth a look."""

    wrong = "wrong"
    advice = "advice"


class FoundColumn(BaseModel):
    """A column of what was given. `header`: "" where it has none; `field`: what it is read as (of `FIELDS`, or
    `import_columns.NIR_KEY`), None: it is left out; `sample`: its first value, shortened."""

    index: int
    header: str
    field: str | None
    sample: str


class ImportView(BaseModel):
    """`missing`: required fields that no column gives. `counts`: rows by state. `to_start`: rows that a confirmation
    of everything would start; `confirmed`: those that were confirmed, of which `done` are done with. `same_as`: a
    former import of the same content. `can_confirm`: something can be started now."""

    id: UUID
    state: ImportState
    filename: str
    columns: list[FoundColumn]
    missing: list[str]
    counts: dict[RowState, int]
    rows_total: int
    rows_checked: int
    to_start: int
    confirmed: int
    done: int
    created_at: datetime
    confirmed_at: datetime | None
    started: int
    finished_at: datetime | None
    expires_at: datetime
    same_as: UUID | None
    can_confirm: bool
    can_cancel: bool
    can_map: bool


class ImportSummary(BaseModel):
    """One line of the list of imports."""

    id: UUID
    state: ImportState
    filename: str
    rows_total: int
    started: int
    created_at: datetime
    finished_at: datetime | None


class RowRepair(BaseModel):
    """What was read otherwise than it stands in the file, and why, in French."""

    field: str
    was: str
    became: str
    why: str


class RowProblem(BaseModel):
    """`field`: "" where it is about the row as a whole. `message`: French, with a valid example where one helps."""

    field: str
    code: str
    message: str
    severity: Severity


class ImportRow(BaseModel):
    """`number`: its line in what was given. `values`: by the names of `FIELDS`; dates as YYYY-MM-DD where they could
    be read. `affiliation_id`: the one that was started, or that runs already. `name`: whose row it is, for reading."""

    number: int
    name: str
    values: dict[str, str]
    repairs: list[RowRepair]
    state: RowState
    problems: list[RowProblem]
    affiliation_id: UUID | None
    included: bool
    confirmed: bool


class ImportRows(BaseModel):
    """`next_cursor`: to go on with; None: that was the last one."""

    items: list[ImportRow]
    next_cursor: str | None
