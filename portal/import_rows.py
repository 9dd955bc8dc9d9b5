"""One row of a bulk import as a page shows it and as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

from activities.contracts.affiliation_imports import RowState
from messages.import_words import EXAMPLES
from portal.pre_affiliation import in_words, iso_day
from services.affiliation_import_views import FIELDS, ImportRow, RowProblem, RowRepair, Severity
from services.problems import FieldError, InvalidFields

_DAYS: Final = ("birth_date", "hired_on")
_MOST_TYPED: Final = 300
_CORRECTED: Final = (RowState.invalid, RowState.conflict)


@dataclass(frozen=True)
class Shown:
    """`typed`: the values as French people type them. `wrong`: by field; `whole`: about the row as a whole; `advice`:
    worth a look. `to_ask`: the fields that a correction needs."""

    row: ImportRow
    typed: dict[str, str]
    wrong: dict[str, str]
    whole: list[RowProblem]
    advice: list[RowProblem]
    repairs: list[RowRepair]

    @property
    def to_ask(self) -> list[str]:
        return [field for field in FIELDS if field in self.wrong]

    @property
    def by_email(self) -> bool:
        return bool(self.row.values.get("email")) and self.row.values.get("medium") != "post"


def shown(row: ImportRow, typed: Mapping[str, str] | None = None) -> Shown:
    """`typed`: what was just typed, shown again."""
    wrong = [one for one in row.problems if one.severity is Severity.wrong]
    values = {field: row.values.get(field, "") for field in FIELDS}
    return Shown(
        row,
        {field: _as_typed(field, text) for field, text in {**values, **(typed or {})}.items()},
        {one.field: one.message for one in _of_fields(wrong)},
        [one for one in wrong if not one.field],
        [one for one in row.problems if one.severity is Severity.advice],
        row.repairs,
    )


def correctable(row: ImportRow) -> bool:
    return row.state in _CORRECTED


def wrong_in_row(row: ImportRow) -> InvalidFields | None:
    """What still keeps it from being sent, for the form: each field once."""
    wrong = [one for one in row.problems if one.severity is Severity.wrong]
    errors = [*_of_fields(wrong), *(FieldError("", one.code, one.message) for one in wrong if not one.field)]
    return InvalidFields(errors) if errors else None


def _of_fields(wrong: list[RowProblem]) -> list[FieldError]:
    """As the form of one person says it."""
    given = [FieldError(one.field, one.code, one.message, EXAMPLES.get(one.field)) for one in wrong if one.field]
    return in_words(InvalidFields(given)).errors


def read_row(fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed of a row, by our names; a field that the form did not have stays as it is."""
    values = {name: fields[name][:_MOST_TYPED].strip() for name in FIELDS if name in fields}
    return {name: iso_day(text) if name in _DAYS and text else text for name, text in values.items()}


def changed(row: ImportRow, values: Mapping[str, str]) -> dict[str, str]:
    """What is not as it was: the rest goes on following from what it followed from."""
    return {name: text for name, text in values.items() if text != row.values.get(name, "")}


def _as_typed(field: str, text: str) -> str:
    if field in _DAYS:
        with suppress(ValueError):
            return date.fromisoformat(text).strftime("%d/%m/%Y")
    return text
