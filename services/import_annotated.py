"""The rows of a bulk pre-affiliation given back as our workbook: their state, and what to correct where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from openpyxl.comments import Comment
from openpyxl.styles import Alignment, PatternFill

from messages.typography import french
from services.import_columns import BY_FIELD
from services.import_template import Establishments, close_book, columns_of, establishment_label, open_book
from services.import_values import Repair, choice_label
from services.sheets import text_cell

_FAULT: Final = PatternFill("solid", fgColor="F8CBAD")
_REPAIRED: Final = PatternFill("solid", fgColor="FFF2CC")
_MOST_COMMENTS: Final = 2_000  # « À corriger » says the same: more would only make the file heavy
_DAYS: Final = frozenset(["birth_date", "hired_on"])
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MOST_WORDS: Final = 250  # of a comment


@dataclass(frozen=True)
class AnnotatedRow:
    """`number`: in the file it came from. `state`: in words. `problems`: (field or "", French sentence)."""

    number: int
    values: Mapping[str, str]
    state: str
    problems: Sequence[tuple[str, str]] = ()
    repairs: Sequence[Repair] = field(default_factory=tuple)


def annotated(rows: Iterable[AnnotatedRow], establishments: Establishments) -> bytes:
    """The .xlsx; `read_table` reads it again as it reads the template."""
    book, sheet = open_book(establishments, report=True)
    labels = {siret: establishment_label(siret, name) for siret, name in establishments}
    columns = columns_of(report=True)[3:]
    wrapped = Alignment(wrap_text=True, vertical="top")
    comments = 0
    for row in rows:
        at: dict[str, list[str]] = {}
        for name, message in row.problems:
            at.setdefault(name, []).append(message)
        to_correct = text_cell(sheet, "\n".join(_sentence(name, words) for name, words in row.problems))
        to_correct.alignment = wrapped
        cells = [text_cell(sheet, f"Ligne {row.number}"), text_cell(sheet, row.state), to_correct]
        repaired = {repair.field: repair for repair in row.repairs}
        for column in columns:
            shown = _shown(column.field, row.values.get(column.field, ""), labels)
            cell = text_cell(sheet, shown)
            words = "\n".join(at.get(column.field, []))
            if words:
                cell.fill = _FAULT
            elif column.field in repaired:
                cell.fill, words = _REPAIRED, repaired[column.field].why
            if words and comments < _MOST_COMMENTS:
                cell.comment = Comment(words[:_MOST_WORDS], "HCR Bien-Être", 110, 280)
                comments += 1
            cells.append(cell)
        sheet.append(cells)
    return close_book(book, sheet, establishments, report=True)


def _sentence(name: str, words: str) -> str:
    return french(f"{BY_FIELD[name].title} : ") + words if name in BY_FIELD else words


def _shown(name: str, value: str, labels: Mapping[str, str]) -> str:
    if name == "siret":
        return labels.get(value, value)
    if name in _DAYS and (day := _ISO.fullmatch(value)):
        return f"{day[3]}/{day[2]}/{day[1]}"
    return choice_label(name, value)
