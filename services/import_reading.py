"""A table that an employer gives, from any file or pasted: bounded reading, its columns guessed, its rows as values."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zipfile import ZipFile

from openpyxl import load_workbook

from messages.typography import french
from services.import_columns import (
    EXAMPLE_MARK,
    FIELDS,
    MARK_TITLE,
    Mapping_,
    guess_columns,
    header_field,
)
from services.import_values import Repair, RowValues, read_values
from services.problems import FieldError, InvalidFields

MOST_BYTES: Final = 10_000_000
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 60
_MOST_CHARACTERS: Final = 500  # of one cell: more is no value of ours
_MOST_UNPACKED: Final = 80_000_000
_MOST_ENTRIES: Final = 300
_MOST_EMPTY: Final = 1_000  # rows in a row: below them lies nothing but formatting
_HEADER_WITHIN: Final = 20  # titles and instructions stand above many tables
__all__ = [
    "MOST_ROWS",
    "Cell",
    "Repair",
    "RowValues",
    "Table",
    "checked_mapping",
    "guess",
    "read_pasted",
    "read_table",
    "row_values",
    "too_much",
    "unreadable",
]

_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"

Cell = str  # a date as AAAA-MM-JJ, a number with its digits, what is empty as ""


@dataclass(frozen=True)
class Table:
    """`headers`: empty when the table has none. `first_row`: the number, from 1, that the file gives to `rows[0]`.

    Rows keep their places: an empty one stays, as an empty list.
    """

    headers: list[str]
    rows: list[list[Cell]]
    first_row: int

    @property
    def count(self) -> int:
        """Of the rows with something in them."""
        return sum(bool(row) for row in self.rows)


def read_table(content: bytes, filename: str) -> Table:
    """The first sheet of an .xlsx that has a table, or a CSV. Raises InvalidFields (`file`), in French.

    The content decides, not the name: an .xls or .ods is refused with what to do.
    """
    if len(content) > MOST_BYTES:
        raise _refused("too_large", "Le fichier dépasse 10 Mo. Partagez-le en plusieurs fichiers.")
    if not content.strip():
        raise _refused("empty", "Le fichier est vide. Déposez le modèle rempli, ou votre propre tableau.")
    if content.startswith(_ZIP):
        return _xlsx(content)
    if content.startswith(_OLD_EXCEL) or content.startswith(b"%PDF") or filename.lower().endswith((".xls", ".ods")):
        raise _refused("format", "Ce format n’est pas lu. Dans votre tableur, choisissez « Enregistrer sous », "
                       "puis « Classeur Excel (.xlsx) » ou « CSV ».")  # fmt: skip
    return _csv(_decoded(content), "file")


def read_pasted(text: str) -> Table:
    """Cells copied from a spreadsheet, or the lines of a CSV. Raises InvalidFields (`text`), in French."""
    if len(text) > MOST_BYTES:
        raise _refused("too_large", "Le texte collé est trop long. Déposez plutôt un fichier.", "text")
    if not text.strip():
        raise _refused("empty", "Collez les lignes copiées de votre tableur, titres des colonnes compris.", "text")
    return _csv(text, "text")


def guess(table: Table) -> dict[str, int]:
    """The column of each field that was recognised; what stands in `missing(…)` of import_columns is to be asked."""
    return guess_columns(table.headers, [row for row in table.rows[:200] if row])


def row_values(table: Table, mapping: Mapping_) -> Iterator[RowValues]:
    """The rows with their numbers, without the empty ones."""
    for number, row in enumerate(table.rows, table.first_row):
        given = {name: row[place] if place < len(row) else "" for name, place in mapping.items()}
        if any(given.values()):
            yield read_values(number, given)


def checked_mapping(table: Table, mapping: Mapping[str, int]) -> dict[str, int]:
    """A choice of columns made by somebody. Raises InvalidFields for an unknown field or column, or one used twice."""
    width = max([len(table.headers), *(len(row) for row in table.rows)])
    errors, used = [], set[int]()
    for name, place in mapping.items():
        if name not in FIELDS:
            errors.append(_mapping_error(name[:100], "unknown", "Cette information n’est pas prévue.", "nir"))
        elif not 0 <= place < width:
            errors.append(_mapping_error(name, "column", "Cette colonne n’est pas dans le fichier.", "0"))
        elif place in used:
            words = "Cette colonne sert déjà à une autre information. Choisissez une colonne libre."
            errors.append(_mapping_error(name, "twice", words, str(width - 1)))
        used.add(place)
    if errors:
        raise InvalidFields(errors)
    return dict(mapping)


def _mapping_error(name: str, code: str, words: str, example: str) -> FieldError:
    return FieldError(name, f"import.{code}", french(f"{words} Exemple : {example}"), example)


def _is_example(row: Sequence[str], mark: int | None) -> bool:
    """A line of our template that shows how to fill it in."""
    return mark is not None and mark < len(row) and row[mark].casefold() == EXAMPLE_MARK.casefold()


def _refused(code: str, words: str, field: str = "file") -> InvalidFields:
    example = "modele-pre-affiliations.xlsx"
    return InvalidFields([FieldError(field, f"import.{code}", french(f"{words} Exemple : {example}"), example)])


# --- the table among the rows


def _table(numbered: Iterable[Sequence[Any]], field: str) -> Table:
    """Titles above the table are left out. Raises InvalidFields when it is too large, or empty."""
    rows: list[list[Cell]] = []
    filled = empty = 0
    for raw in numbered:
        row = [_text(value) for value in raw]
        while row and not row[-1]:
            row.pop()
        if len(row) > MOST_COLUMNS:
            raise _refused("columns", f"Le tableau a plus de {MOST_COLUMNS} colonnes. Gardez celles du modèle.", field)
        rows.append(row)
        empty = 0 if row else empty + 1
        filled += bool(row)
        if filled > MOST_ROWS + _HEADER_WITHIN:
            raise _too_many(field)
        if empty > _MOST_EMPTY:
            break
    while rows and not rows[-1]:
        rows.pop()
    top = _header_place(rows)
    headers = rows[top] if top is not None else []
    first = 0 if top is None else top + 1
    while first < len(rows) and not rows[first]:
        first += 1
    mark = headers.index(MARK_TITLE) if MARK_TITLE in headers else None
    table = Table(headers, [[] if _is_example(row, mark) else row for row in rows[first:]], first + 1)
    if not table.count:
        raise _refused("no_row", "Le tableau n’a aucune ligne de salarié. Remplissez une ligne par salarié.", field)
    if table.count > MOST_ROWS:
        raise _too_many(field)
    return table


def _too_many(field: str) -> InvalidFields:
    return _refused("rows", "Le tableau a plus de 10 000 lignes. Partagez-le en plusieurs fichiers.", field)


def _header_place(rows: Sequence[Sequence[str]]) -> int | None:
    """The row with the most titles that we know; otherwise a first row of words alone above one that has others."""
    known = [
        (len({header_field(cell) for cell in row} - {None}), -place) for place, row in enumerate(rows[:_HEADER_WITHIN])
    ]
    if known:
        best, place = max(known)
        if best >= 2:
            return -place
    filled = [(place, row) for place, row in enumerate(rows[:_HEADER_WITHIN]) if len(row) >= 2]
    if len(filled) >= 2 and not _has_figures(filled[0][1]) and _has_figures(filled[1][1]):
        return filled[0][0]
    return None


def _has_figures(row: Sequence[str]) -> bool:
    return any(re.search(r"\d{4}|@", cell) for cell in row)


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Oui" if value else "Non"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e18 else str(value)
    if isinstance(value, time):
        return value.isoformat()
    return str(value).replace("\x00", "").strip()[:_MOST_CHARACTERS]


# --- Excel


def unreadable() -> InvalidFields:
    """What is said of a workbook that nothing can be made of."""
    return _refused("unreadable", "Ce fichier n’est pas un classeur Excel lisible. Ouvrez-le, enregistrez-le de "
                    "nouveau au format « Classeur Excel (.xlsx) », sans mot de passe.")  # fmt: skip


def too_much() -> InvalidFields:
    """What is said of a workbook that takes too long, or too much room."""
    return _refused("unpacked", "Ce classeur est trop volumineux une fois ouvert. Copiez la seule feuille des "
                    "salariés dans un nouveau classeur.")  # fmt: skip


def _xlsx(content: bytes) -> Table:
    try:
        _inspect(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            return _best_sheet(book)
        finally:
            book.close()
    except InvalidFields:
        raise
    except Exception:  # whatever a broken or hostile archive makes openpyxl raise: it names none of them
        raise unreadable() from None


def _inspect(content: bytes) -> None:
    """What it unpacks to, and that no XML of it declares entities. Raises InvalidFields, BadZipFile."""
    with ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
            raise too_much()
        if "xl/workbook.xml" not in archive.namelist():
            raise unreadable()
        for entry in entries:
            if entry.flag_bits & 0x1:
                raise unreadable()
            if entry.filename.endswith((".xml", ".rels", ".vml")):
                with archive.open(entry) as opened:  # a declaration stands before the first element
                    if b"<!DOCTYPE" in opened.read(4096):
                        raise unreadable()


def _best_sheet(book: Any) -> Table:
    """The first visible sheet in which two of our titles stand, otherwise the first that has a table at all."""
    tables: list[Table] = []
    problem: InvalidFields | None = None
    for sheet in book.worksheets[:10]:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # what the file says of its size is not to be believed
        try:
            table = _table(sheet.iter_rows(max_col=MOST_COLUMNS + 1, values_only=True), "file")
        except InvalidFields as refused:
            problem = problem or refused
            continue
        if sum(header_field(header) is not None for header in table.headers) >= 2:
            return table
        tables.append(table)
    found = max(tables, key=lambda table: len(guess(table)), default=None)
    if found and (guess(found) or not problem):
        return found
    raise problem or _refused("no_row", "Le classeur n’a aucune feuille remplie. Remplissez une ligne par salarié.")


# --- CSV (libraries.md §8: guessing libraries are wrong on French files)

_DELIMITERS: Final = ";\t,|"


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _csv(text: str, field: str) -> Table:
    if "\x00" in text:
        raise _refused("format", "Ce fichier n’est pas un tableau. Déposez un classeur Excel (.xlsx) ou un CSV.", field)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    declared = re.match(r"sep=(.)\n", text)  # Excel's own way to say it
    delimiter = declared[1] if declared and declared[1] in _DELIMITERS else _delimiter(text)
    # the line of `sep=` stays, so that rows keep the numbers of the file
    lines = io.StringIO(text, newline="\n")
    try:
        return _table(csv.reader(lines, delimiter=delimiter), field)
    except csv.Error:
        raise _refused("format", "Ce fichier n’est pas un tableau lisible. Enregistrez-le en classeur Excel (.xlsx).",
                       field) from None  # fmt: skip


def _delimiter(text: str) -> str:
    """The sign that parts most lines in the same number of pieces; the first of them when none parts."""
    lines = [line for line in text[:100_000].split("\n")[:50] if line.strip()]

    def worth(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        usual = max(set(widths), key=lambda width: (widths.count(width), width), default=1)
        return (widths.count(usual) if usual > 1 else 0, usual)

    return max(_DELIMITERS, key=lambda delimiter: worth(delimiter))
