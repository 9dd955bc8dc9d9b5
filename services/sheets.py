"""Lists as files that a spreadsheet opens: Excel, row by row in constant memory, or CSV.

Nothing in them is ever a formula (security.md X-01): every text is written as text, whatever it begins with. Nothing of
them lies on the disk in clear: rows go straight into the archive.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final, Protocol
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.writer.excel import ExcelWriter

MOST_ROWS: Final = 1_048_575  # of a sheet, below its header
_MOST_CHARACTERS: Final = 32_767  # of a cell
_DAY_FORMAT: Final = "DD/MM/YYYY"
_TEXT_FORMAT: Final = "@"
# What XML cannot hold, and marks that no name has.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What makes a spreadsheet take a text for a formula, in full width too.
_FORMULA = frozenset("=+-@\t\r\n\x00＝＋－＠")


class SheetForm(StrEnum):
    xlsx = "xlsx"
    csv = "csv"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    SheetForm.xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    SheetForm.csv: "text/csv; charset=utf-8",
}


class Holds(StrEnum):
    """What a column holds. `number_text`: digits that are no quantity, with their leading zeros."""

    text = "text"
    number_text = "number_text"
    day = "day"
    quantity = "quantity"


@dataclass(frozen=True)
class Column:
    title: str
    width: int  # in characters
    holds: Holds = Holds.text


@dataclass(frozen=True)
class Cover:
    """The first sheet: (name, value) lines, then what whoever has the file is to know."""

    title: str
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]


Row = Sequence[Any]  # str, date, int or None, as its columns hold


class Sheet(Protocol):
    """Rows are appended, then it is finished, once."""

    def append(self, rows: Iterable[Row]) -> None: ...

    def finish(self, cover: Cover) -> bytes: ...


def open_sheet(form: SheetForm, name: str, columns: Sequence[Column]) -> Sheet:
    """A file of that form. `name`: of the sheet with the rows, and of its table."""
    return XlsxSheet(name, columns) if form is SheetForm.xlsx else CsvSheet(columns)


def clean(text: str) -> str:
    """What a cell can hold: a text that no spreadsheet can be given would spoil the whole file (security.md X-02)."""
    if _FORBIDDEN.search(text):
        text = _FORBIDDEN.sub("", text)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS]


def looks_like_a_formula(text: str) -> bool:
    return text[:1] in _FORMULA if text else False


# --- Excel


class _TypedCell(Cell):  # type: ignore[misc]
    """A cell of one column, used again for each row: its type is the column's, never guessed from a value."""

    def __init__(self, sheet: WriteOnlyWorksheet, column: int, data_type: str, style: Cell) -> None:
        super().__init__(sheet, row=1, column=column)
        self.data_type = data_type
        self._style = style._style
        self.known_style: int = style.style_id

    @property
    def style_id(self) -> int:  # asked for with every cell: looked up once
        return self.known_style


class _Rows(WriteOnlyWorksheet):  # type: ignore[misc]
    """Writes values as their columns say."""

    def typed(self, columns: Sequence[Column], *, bold: bool = False) -> None:
        self.cells: list[tuple[bool, _TypedCell, _TypedCell]] = []
        for number, column in enumerate(columns, 1):
            style = WriteOnlyCell(self)
            if bold:
                style.font = Font(bold=True)
            if column.holds is Holds.day:
                style.number_format = _DAY_FORMAT
            elif column.holds is Holds.number_text:
                style.number_format = _TEXT_FORMAT
            kind = {Holds.day: "d", Holds.quantity: "n"}.get(column.holds, "s")
            plain = _TypedCell(self, number, kind, style)
            style._style = copy(style._style)  # the book keeps the one that it was given
            # shown as it is, and left a text when somebody edits it (security.md X-01)
            style.quotePrefix = True
            self.cells.append((kind == "s", plain, _TypedCell(self, number, kind, style)))

    def _values_to_row(self, values: Row, row_idx: int) -> Iterable[Cell]:
        for (is_text, cell, quoted), value in zip(self.cells, values, strict=True):
            if value is None or value == "":
                continue
            if is_text:
                if _FORBIDDEN.search(value) or len(value) > _MOST_CHARACTERS:
                    value = clean(value)
                if value[:1] in _FORMULA:
                    cell = quoted
            cell._value = value
            cell.row = row_idx
            yield cell


class _Archive(ExcelWriter):  # type: ignore[misc]
    """Sheets are in the archive already, or in memory: none lies in a temporary file."""

    def write_worksheet(self, sheet: WriteOnlyWorksheet) -> None:
        sheet._drawing = None
        if not sheet.closed:
            sheet.close()
        sheet._rels = sheet._writer._rels
        if isinstance(sheet._writer.out, io.BytesIO):
            self._archive.writestr(sheet.path[1:], sheet._writer.out.getvalue())
        self.manifest.append(sheet)


class XlsxSheet:
    """A cover, and a table with a fixed header that can be filtered."""

    def __init__(self, name: str, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._name = name
        self._book = Workbook(write_only=True)
        self._cover = self._book.create_sheet("À lire")
        self._rows = _Rows(self._book, name)
        self._book._sheets.append(self._rows)
        self._count = 0
        self._written = io.BytesIO()
        self._archive = ZipFile(self._written, "w", ZIP_DEFLATED, allowZip64=True)
        self._entry = self._archive.open("xl/worksheets/sheet2.xml", "w", force_zip64=True)
        for number, column in enumerate(columns, 1):
            self._rows.column_dimensions[get_column_letter(number)].width = column.width
        self._rows.freeze_panes = "A2"
        self._rows._writer = WorksheetWriter(self._rows, out=self._entry)
        self._rows._writer.write_top()
        self._rows.typed([Column(column.title, column.width) for column in columns], bold=True)
        self._rows.append([column.title for column in columns])
        self._rows.typed(columns)

    def append(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._rows.append(row)
            self._count += 1
        if self._count > MOST_ROWS:
            raise ValueError("more rows than a sheet of Excel has")

    def finish(self, cover: Cover) -> bytes:
        if self._count:  # a table without a row is none to Excel
            self._rows._tables.add(self._table())  # `add_table` warns of columns that have no names: these have
        else:
            self._rows.auto_filter.ref = self._range()
        self._rows.close()
        self._entry.close()
        self._write_cover(cover)
        _Archive(self._book, self._archive).save()
        return self._written.getvalue()

    def _range(self) -> str:
        return f"A1:{get_column_letter(len(self._columns))}{self._count + 1}"

    def _table(self) -> Table:
        table = Table(displayName=re.sub(r"\W", "_", self._name), ref=self._range())
        table.tableStyleInfo = TableStyleInfo(name="TableStyleLight1", showRowStripes=True)
        table._initialise_columns()
        for named, column in zip(table.tableColumns, self._columns, strict=True):
            named.name = column.title
        return table

    def _write_cover(self, cover: Cover) -> None:
        sheet = self._cover
        sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 26, 90
        sheet._writer = WorksheetWriter(sheet, out=io.BytesIO())
        sheet._writer.write_top()
        sheet.append([_text(sheet, cover.title, bold=True)])
        sheet.append([])
        for name, value in cover.facts:
            sheet.append([_text(sheet, name, bold=True), _text(sheet, value)])
        sheet.append([])
        for note in cover.notes:
            sheet.append([None, _text(sheet, note)])


def _text(sheet: WriteOnlyWorksheet, text: str, *, bold: bool = False) -> Cell:
    cell = WriteOnlyCell(sheet)
    cell._value, cell.data_type = clean(text), "s"
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    cell.quotePrefix = looks_like_a_formula(text)
    if bold:
        cell.font = Font(bold=True)
    return cell


# --- Excel, sheets of another make: `begin` each when its widths are known, append, then `saved`


def begin(sheet: WriteOnlyWorksheet) -> None:
    """What is appended to the sheet stays in memory; widths, styles of columns and fixed panes are set before."""
    sheet._writer = WorksheetWriter(sheet, out=io.BytesIO())
    sheet._writer.write_top()


def saved(book: Workbook) -> bytes:
    """The workbook, whose sheets were all begun in memory."""
    written = io.BytesIO()
    _Archive(book, ZipFile(written, "w", ZIP_DEFLATED, allowZip64=True)).save()
    return written.getvalue()


def text_cell(sheet: WriteOnlyWorksheet, text: str) -> WriteOnlyCell:
    """A text, left one when somebody edits it, and never a formula."""
    cell = WriteOnlyCell(sheet)
    cell._value, cell.data_type = clean(text), "s"
    cell.number_format = _TEXT_FORMAT
    cell.quotePrefix = looks_like_a_formula(text)
    return cell


# --- CSV


class CsvSheet:
    """As French spreadsheets open it: UTF-8 with its mark, semicolons. It has no cover."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._written = io.StringIO()
        self._written.write("\ufeff")
        self._writer = csv.writer(self._written, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
        self._writer.writerow([column.title for column in columns])

    def append(self, rows: Iterable[Row]) -> None:
        self._writer.writerows([_plain(value) for value in row] for row in rows)

    def finish(self, cover: Cover) -> bytes:
        return self._written.getvalue().encode()


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, int):
        return str(value)
    text = clean(value)
    return f"'{text}" if looks_like_a_formula(text) else text
