"""Files that a spreadsheet opens: nothing in them is a formula, nothing is lost, nothing lies on the disk in clear."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet import _writer
from openpyxl.xml.functions import fromstring

from services.sheets import Column, Cover, Holds, Row, SheetForm, clean, open_sheet

COLUMNS = (
    Column("Nom", 20),
    Column("NNI", 18, Holds.number_text),
    Column("Date d’effet", 14, Holds.day),
    Column("Enfants", 9, Holds.quantity),
)
COVER = Cover("Liste", [("Filtre", "=nom « martin »")], ["À lire."])
TRICKS = [
    *("=1+1", "+33", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x"),
    *('=HYPERLINK("http://x","y")', "#N/A", "#REF!", "<f>1</f>", "a;b", 'a"b', "l’été\u202f", "0", "TRUE"),
]
PRINTED = [text for text in TRICKS if not set(text) & set("\t\r\n")]
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def written(rows: Sequence[Row], form: SheetForm = SheetForm.xlsx) -> bytes:
    sheet = open_sheet(form, "Salariés affiliés", COLUMNS)
    sheet.append(rows[:1])
    sheet.append(rows[1:])
    return sheet.finish(COVER)


def cells(content: bytes) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [list(row) for row in book["Salariés affiliés"].iter_rows(min_row=2)]


@pytest.mark.parametrize("text", TRICKS, ids=[repr(text) for text in TRICKS])
def test_a_text_is_a_text_whatever_it_begins_with(text: str) -> None:
    content = written([[text, text, None, None]])
    [row] = cells(content)
    assert [cell.data_type for cell in row[:2]] == ["s", "s"]
    assert row[0].value == text.replace("\r", "\n") or row[0].value == text
    assert row[0].quotePrefix is (text[0] in "=+-@\t\r\n＝＋－＠")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                tree = fromstring(archive.read(name))
                assert not tree.findall(f".//{MAIN}f"), "a formula"
                assert {cell.get("t") for cell in tree.iter(f"{MAIN}c")} <= {"inlineStr", "n"}


def test_dates_are_dates_numbers_of_persons_are_texts_and_quantities_are_numbers() -> None:
    [row] = cells(written([["Essai", "012345678901234", date(2026, 2, 1), 3]]))
    name, number, day, quantity = (cell.value for cell in row)
    assert (name, number, day.date(), quantity) == ("Essai", "012345678901234", date(2026, 2, 1), 3)
    assert [cell.data_type for cell in row] == ["s", "s", "d", "n"]
    assert row[1].number_format == "@"
    assert row[2].number_format == "DD/MM/YYYY"


def test_the_header_stays_in_sight_and_the_table_can_be_filtered() -> None:
    book = openpyxl.load_workbook(io.BytesIO(written([["Essai", "1", None, 0], ["Autre", "2", None, 1]])))
    assert book.sheetnames == ["À lire", "Salariés affiliés"]
    sheet = book["Salariés affiliés"]
    assert sheet.freeze_panes == "A2"
    assert [sheet.column_dimensions[letter].width for letter in "ABCD"] == [20, 18, 14, 9]
    [table] = sheet.tables.values()
    assert (table.ref, table.autoFilter.ref) == ("A1:D3", "A1:D3")
    assert [column.name for column in table.tableColumns] == [column.title for column in COLUMNS]
    assert [cell.value for cell in sheet[1]] == [column.title for column in COLUMNS]
    assert sheet["A1"].font.bold
    lines = [[cell.value for cell in row] for row in book["À lire"].iter_rows()]
    assert lines[0][0] == "Liste"
    assert ["Filtre", "=nom « martin »"] in lines


def test_a_list_without_a_line_is_a_file_that_opens() -> None:
    book = openpyxl.load_workbook(io.BytesIO(open_sheet(SheetForm.xlsx, "Vide", COLUMNS).finish(COVER)))
    assert book["Vide"].max_row == 1
    assert book["Vide"].auto_filter.ref == "A1:D1"
    assert not book["Vide"].tables


def test_what_no_cell_can_hold_is_left_out_and_spoils_nothing() -> None:
    rows = cells(written([["a\x01b\x0bc\ufffe\ud800", "1", None, 0], ["x" * 40_000, "2", None, 0], ["", "3", None, 0]]))
    assert [row[0].value for row in rows] == ["abc", "x" * 32_767, None]
    assert [row[1].value for row in rows] == ["1", "2", "3"]
    assert clean("été") == "été"


def test_nothing_of_it_lies_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(suffix: str = "") -> str:
        raise AssertionError("a temporary file, in clear")

    monkeypatch.setattr(_writer, "create_temporary_file", refused)
    assert cells(written([["Essai", "1", None, 0]]))


def test_the_file_is_what_its_parts_say() -> None:
    """As strict readers want it: every part is declared once, every relation leads to a part."""
    with zipfile.ZipFile(io.BytesIO(written([["Essai", "1", date(2026, 1, 5), 0]]))) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        types = fromstring(archive.read("[Content_Types].xml"))
        declared = {part.get("PartName") for part in types if part.get("PartName")}
        assert declared <= {f"/{name}" for name in names}
        assert {f"/{name}" for name in names if re.match(r"xl/(worksheets|tables)/[^/]+\.xml", name)} <= declared
        for name in names:
            fromstring(archive.read(name))
        assert archive.testzip() is None


@pytest.mark.parametrize("text", TRICKS, ids=[repr(text) for text in TRICKS])
def test_csv_is_guarded_too(text: str) -> None:
    content = written([[text, "1 90 05", date(2026, 2, 1), 3]], SheetForm.csv)
    assert content.startswith(b"\xef\xbb\xbf")
    header, row = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    assert header == [column.title for column in COLUMNS]
    guarded = f"'{text}" if text[0] in "=+-@\t\r\n＝＋－＠" else text
    assert row == [guarded, "1 90 05", "01/02/2026", "3"]


@pytest.mark.long
def test_libreoffice_opens_it_with_every_text_as_it_is(tmp_path: Path) -> None:
    office = shutil.which("soffice")
    assert office, "no LibreOffice: make office"
    (tmp_path / "list.xlsx").write_bytes(written([[text, "012345678901234", date(2026, 2, 1), 3] for text in PRINTED]))
    every_sheet = "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true,false,false,false,-1"
    subprocess.run(
        [
            *(office, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"),
            *("--convert-to", every_sheet, "--outdir", str(tmp_path), str(tmp_path / "list.xlsx")),
        ],
        check=True,
        timeout=120,
        capture_output=True,
    )
    [opened] = tmp_path.glob("list-Salari*.csv")
    with opened.open(encoding="utf-8", newline="") as content:
        _, *rows = csv.reader(content, delimiter=";")
    assert [row[0] for row in rows] == PRINTED
    assert {row[1] for row in rows} == {"012345678901234"}
    assert len({row[2] for row in rows}) == 1
    assert "2026" in rows[0][2]
