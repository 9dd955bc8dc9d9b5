"""What an employer gives, of any make, becomes rows of a declaration; what was changed is explained."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from typing import Any

import openpyxl
import pytest

from domain.identifiers import NIR_EXAMPLE, SIRET_EXAMPLE
from services import import_reading
from services.import_annotated import AnnotatedRow, annotated
from services.import_columns import BY_FIELD, as_declaration, missing
from services.import_reading import Table, checked_mapping, guess, read_pasted, read_table, row_values
from services.import_template import template
from services.import_values import RowValues, read_values
from services.problems import InvalidFields

ESTABLISHMENTS = [(SIRET_EXAMPLE, "Hôtel du Lac"), ("99900001100018", "=Café")]
FULL = {
    "siret": SIRET_EXAMPLE, "civility": "MME", "last_name": "Martin", "birth_name": "Durand", "first_names": "Camille",
    "birth_date": "1975-06-12", "nir": NIR_EXAMPLE, "email": "camille.martin@exemple.fr", "phone": "0639980001",
    "line1": "12 rue des Lilas", "line2": "", "postcode": "01000", "city": "Bourg-en-Bresse", "hired_on": "2026-12-01",
    "professional_status": "NC", "scheme": "RG", "contract_kind": "seasonal", "medium": "email", "language": "fr",
}  # fmt: skip


def xlsx(*rows: Sequence[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def values_of(table: Table) -> list[RowValues]:
    return list(row_values(table, guess(table)))


def refusal(content: bytes, name: str = "liste.xlsx") -> str:
    with pytest.raises(InvalidFields) as refused:
        read_table(content, name)
    [error] = refused.value.errors
    assert error.field == "file"
    assert "Exemple" in error.message
    return error.code


# --- any file


OTHER_SOFTWARE: list[list[Any]] = [
    ["Liste du personnel au 01/11/2026"],
    [],
    ["Matricule", "NOM USUEL", "Prénom(s)", "Né(e) le", "N° Sécu.", "Clé", "C.P.", "Date d'entrée", "Type de contrat"],
    ["001", "MARTIN", "Camille", date(1975, 6, 12), 2750675990001, 97, 1000, date(2026, 12, 1), "CDD saisonnier"],
    [],
    ["002", "PETIT", "Léo", "3/5/85", 2.75068e14, None, "69001", 46357, "CDI"],
]


def test_a_workbook_of_any_software_is_read_below_its_titles_with_the_numbers_of_its_rows() -> None:
    first, second = values_of(read_table(xlsx(*OTHER_SOFTWARE), "personnel.xlsx"))
    assert (first.number, second.number) == (4, 6)
    assert first.values == {
        "last_name": "MARTIN", "first_names": "Camille", "birth_date": "1975-06-12", "nir": NIR_EXAMPLE,
        "postcode": "01000", "hired_on": "2026-12-01", "contract_kind": "seasonal", "birth_name": "MARTIN",
        "civility": "MME",
    }  # fmt: skip
    assert {repair.field for repair in first.repairs} == {"nir", "postcode", "birth_name", "civility"}
    assert (second.values["birth_date"], second.values["hired_on"]) == ("1985-05-03", "2026-12-01")
    [lost] = [repair for repair in second.repairs if repair.field == "nir"]
    assert (lost.became, lost.sure) == ("", False)
    assert "ne peuvent pas être retrouvés" in lost.why


LINES = [
    "Nom{0}Prénom{0}Date de naissance{0}Ville{0}Adresse",
    'Lefèvre{0}Zoé{0}12/06/1975{0}Évry{0}"1{0} rue d’Œuf"',
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_a_csv_is_read_whatever_its_encoding_and_delimiter(encoding: str, delimiter: str, end: str) -> None:
    content = end.join(LINES).format(delimiter).encode(encoding)
    [row] = values_of(read_table(content, "liste.csv"))
    assert row.values["last_name"] == "Lefèvre"
    assert row.values["city"] == "Évry"
    assert row.values["birth_date"] == "1975-06-12"
    assert row.values["line1"].endswith("rue d’Œuf")
    assert row.number == 2


def test_cells_pasted_without_headers_are_recognised_by_what_they_hold() -> None:
    line = "Mme\tMartin\tCamille\t12/06/1975\t2 75 06 75 990 001 97\tcamille@exemple.fr\t06 39 98 00 01\t" \
        "12 rue des Lilas\t75011\tParis\t01/12/2026\tNon cadre\tRégime général\tCDI"  # fmt: skip
    table = read_pasted(f"{line}\n{line}\n")
    assert (table.headers, table.first_row, table.count) == ([], 1, 2)
    expected = [
        "civility", "last_name", "first_names", "birth_date", "nir", "email", "phone", "line1", "postcode", "city",
        "hired_on", "professional_status", "scheme", "contract_kind",
    ]  # fmt: skip
    assert guess(table) == {field: place for place, field in enumerate(expected)}
    assert [column.field for column in missing(guess(table))] == ["siret"]


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("birth_date", "12.06.1975", "1975-06-12"),
        ("birth_date", "12/06/75", "1975-06-12"),
        ("hired_on", "01-12-26", "2026-12-01"),
        ("birth_date", "1er juin 1975", "1975-06-01"),
        ("birth_date", "jeudi 12 JUIN 1975", "1975-06-12"),
        ("birth_date", "12061975", "1975-06-12"),
        ("birth_date", "5061975", "1975-06-05"),
        ("birth_date", "19750612", "1975-06-12"),
        ("birth_date", "06/25/1975", "1975-06-25"),
        ("birth_date", "1975-06-12 00:00:00", "1975-06-12"),
        ("birth_date", "31/02/1975", "31/02/1975"),
        ("birth_date", "bientôt", "bientôt"),
        ("phone", "639980001", "0639980001"),
        ("phone", "33639980001", "+33639980001"),
        ("postcode", "1000", "01000"),
        ("siret", f"{SIRET_EXAMPLE} — Hôtel du Lac", SIRET_EXAMPLE),
        ("siret", "999 000 003 00015", SIRET_EXAMPLE),
        ("siret", "9,99E+13", "9,99E+13"),
        ("civility", "Mr.", "M"),
        ("civility", "MADAME", "MME"),
        ("professional_status", "Agent de maîtrise", "NC"),
        ("professional_status", "Cadre", "C"),
        ("scheme", "Alsace-Moselle", "RL"),
        ("contract_kind", "Extra", "extra"),
        ("contract_kind", "CDD d’usage", "extra"),
        ("contract_kind", "CDI saisonnier", "cdi"),
        ("contract_kind", "CDD 6 mois saison", "seasonal"),
        ("contract_kind", "Stage", "Stage"),
        ("medium", "Courriel", "email"),
        ("medium", "par courrier", "post"),
        ("language", "Portugais", "pt"),
        ("last_name", "  D’ARC   ", "D’ARC"),
    ],
)
def test_a_value_is_read_as_people_write_it_and_otherwise_left_for_the_check(
    field: str, written: str, read: str
) -> None:
    assert read_values(2, {field: written}).values[field] == read


def test_an_address_in_one_cell_is_parted() -> None:
    row = read_values(2, {"line1": "12 rue des Lilas, 75011 Paris", "postcode": "", "city": ""})
    assert [row.values[field] for field in ("line1", "postcode", "city")] == ["12 rue des Lilas", "75011", "Paris"]
    assert {repair.field for repair in row.repairs} == {"line1", "postcode", "city"}


# --- refused


def bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<w/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (import_reading._MOST_UNPACKED + 1))
    return written.getvalue()


def with_entities() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("xl/workbook.xml", b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "b">]><w>&a;</w>')
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b" \n", "liste.csv", "import.empty"),
        (b"PK\x03\x04broken", "liste.xlsx", "import.unreadable"),
        (b"\xd0\xcf\x11\xe0old", "liste.xls", "import.format"),
        (b"%PDF-1.7", "liste.pdf", "import.format"),
        (b"a\x00b;c\x00d\n", "liste.csv", "import.format"),
        (b"Nom;Ville;SIRET\n", "liste.csv", "import.no_row"),
        (";".join("a" * 61).encode() + b"\n", "liste.csv", "import.columns"),
        (b"Nom;Ville\n" + b"a;b\n" * 10_001, "liste.csv", "import.rows"),
        (b"a" * 10_000_001, "liste.csv", "import.too_large"),
    ],
    ids=["empty", "not-a-zip", "xls", "pdf", "binary", "titles-alone", "columns", "rows", "bytes"],
)
def test_what_cannot_be_read_is_refused_in_words(content: bytes, name: str, code: str) -> None:
    assert refusal(content, name) == code


def test_an_archive_that_unpacks_without_end_or_declares_entities_is_refused() -> None:
    assert refusal(bomb()) == "import.unpacked"
    assert refusal(with_entities()) == "import.unreadable"


def test_a_column_is_chosen_once_and_exists() -> None:
    table = read_pasted("Nom\tVille\nMartin\tParis")
    assert checked_mapping(table, {"last_name": 0, "city": 1}) == {"last_name": 0, "city": 1}
    with pytest.raises(InvalidFields) as refused:
        checked_mapping(table, {"last_name": 0, "city": 0, "email": 7, "shoe_size": 1})
    assert [error.field for error in refused.value.errors] == ["city", "email", "shoe_size"]


# --- our own files


def test_the_template_keeps_texts_offers_lists_and_its_example_is_no_employee() -> None:
    content = template(ESTABLISHMENTS)
    assert refusal(content, "modele.xlsx") == "import.no_row"
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book["Salariés"]
    assert sheet.column_dimensions["H"].number_format == "@"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    lists = [validation.formula1 for validation in sheet.data_validations.dataValidation]
    assert lists[0] == "Listes!$A$1:$A$2"
    assert len(lists) == 7
    assert book["Listes"]["A2"].value == "99900001100018 — =Café"
    sheet.append(["", *(FULL[field] for field in BY_FIELD)])
    filled = io.BytesIO()
    book.save(filled)
    [row] = values_of(read_table(filled.getvalue(), "modele.xlsx"))
    assert (row.number, row.values, row.repairs) == (3, FULL, [])


def test_rows_given_back_say_what_to_correct_where_it_stands_and_are_read_again_unchanged() -> None:
    tricky = FULL | {"last_name": "=1+1", "nir": "2,75068E+14"}
    problems = [("nir", "Recopiez le numéro."), ("", "Vérifiez la ligne.")]
    content = annotated(
        [AnnotatedRow(7, FULL, "Nouveau"), AnnotatedRow(9, tricky, "À corriger", problems)], ESTABLISHMENTS
    )
    table = read_table(content, "a-corriger.xlsx")
    first, second = values_of(table)
    assert first.values == FULL
    assert second.values == tricky
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Salariés"]
    place = guess(table)["nir"]
    right, wrong = sheet[2][place], sheet[3][place]
    assert (right.comment, wrong.comment.text) == (None, "Recopiez le numéro.")
    assert wrong.fill.fgColor.rgb != right.fill.fgColor.rgb
    assert [cell.value for cell in sheet[3][:2]] == ["Ligne 9", "À corriger"]
    assert sheet[3][2].value == "Numéro de sécurité sociale\u00a0: Recopiez le numéro.\nVérifiez la ligne."
    assert sheet[3][guess(table)["last_name"]].data_type == "s"


def test_a_row_becomes_the_declaration_that_the_other_doors_take() -> None:
    declared = as_declaration(FULL)
    assert declared["employee"]["address"] == {
        "line1": "12 rue des Lilas", "postcode": "01000", "city": "Bourg-en-Bresse",
    }  # fmt: skip
    assert declared["employee"]["nir"] == NIR_EXAMPLE
    assert declared["contract_kind"] == "seasonal"
