"""The workbook to fill in for a bulk pre-affiliation: columns of text, lists to choose from, examples, instructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet.datavalidation import DataValidation

from domain.identifiers import EMAIL_EXAMPLE, NIR_EXAMPLE, PHONE_EXAMPLE, SIRET_EXAMPLE
from messages.typography import french
from services.import_columns import (
    COLUMNS,
    EXAMPLE_MARK,
    MARK_TITLE,
    STATE_TITLE,
    TO_CORRECT_TITLE,
    ImportColumn,
)
from services.import_reading import MOST_ROWS
from services.import_values import choice_labels
from services.sheets import begin, saved, text_cell

Establishments = Sequence[tuple[str, str]]  # SIRET, name

SHEET: Final = "Salariés"
_REPORT = (ImportColumn("", "", STATE_TITLE, 24, False), ImportColumn("", "", TO_CORRECT_TITLE, 48, False))
_REQUIRED = PatternFill("solid", fgColor="DCE6F1")
_OPTIONAL = PatternFill("solid", fgColor="F2F2F2")
_EXAMPLE = Font(italic=True, color="6B6B6B")
_BOLD = Font(bold=True)

EXAMPLES: Final = (
    {
        "civility": "Madame", "last_name": "Martin", "birth_name": "Martin", "first_names": "Camille",
        "birth_date": "12/06/1975", "nir": NIR_EXAMPLE, "email": EMAIL_EXAMPLE, "phone": PHONE_EXAMPLE,
        "line1": "12 rue des Lilas", "line2": "", "postcode": "75011", "city": "Paris", "hired_on": "01/12/2026",
        "professional_status": "Non cadre", "scheme": "Régime général", "contract_kind": "CDD saisonnier",
        "medium": "E-mail", "language": "Français",
    },
)  # fmt: skip

_INSTRUCTIONS: Final = (
    "1. Dans la feuille « Salariés », remplissez une ligne par salarié, à partir de la ligne 3.",
    "2. Laissez la ligne marquée « Exemple » ou effacez-la : elle n’est pas lue.",
    "3. Les colonnes à titre bleu sont obligatoires. Les colonnes à liste proposent les choix : cliquez sur la flèche.",
    "4. Toutes les cellules sont au format « Texte », pour garder les zéros et tous les chiffres. Pour coller, "
    "choisissez « Collage spécial », puis « Valeurs ».",
    "5. Déposez le fichier dans « Pré-affiliation », « Plusieurs salariés ». Vous vérifiez chaque ligne avant l’envoi.",
    "6. Vous pouvez déposer le même fichier deux fois : une personne déjà déclarée ne l’est pas une seconde fois.",
    "Au plus 10 000 lignes et 10 Mo par fichier.",
)
_NOTES: Final = {
    "siret": "14 chiffres. Choisissez l’établissement dans la liste.",
    "birth_name": "Si elle est vide, le nom est repris.",
    "birth_date": "JJ/MM/AAAA. Exemple : 12/06/1975",
    "nir": f"15 chiffres, clé comprise, comme sur la carte Vitale. Exemple : {NIR_EXAMPLE}",
    "email": "Sans adresse e-mail, l’invitation part par courrier.",
    "line1": "Numéro et voie, là où habite le salarié.",
    "postcode": "5 chiffres. Exemple : 01000",
    "hired_on": "JJ/MM/AAAA, dans un an au plus. Exemple : 01/12/2026",
    "medium": "Si elle est vide : par e-mail s’il y a une adresse, sinon par courrier.",
    "language": "Si elle est vide : français.",
}


def template(establishments: Establishments) -> bytes:
    """The .xlsx to fill in; `establishments`: those of the list to choose from."""
    book, sheet = open_book(establishments, report=False)
    first = establishment_label(*establishments[0]) if establishments else SIRET_EXAMPLE
    for example in EXAMPLES:
        cells = [EXAMPLE_MARK, *({**example, "siret": first}[column.field] for column in COLUMNS)]
        row = [text_cell(sheet, text) for text in cells]
        for cell in row:
            cell.font = _EXAMPLE
        sheet.append(row)
    return close_book(book, sheet, establishments, report=False)


def establishment_label(siret: str, name: str) -> str:
    """As the list shows it; reading takes the number."""
    return f"{siret} — {name}"


def open_book(establishments: Establishments, *, report: bool) -> tuple[Workbook, WriteOnlyWorksheet]:
    """The workbook and its sheet of employees, titles written. `report`: with the columns « État », « À corriger »."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    columns = columns_of(report=report)
    for number, column in enumerate(columns, 1):
        dimension = sheet.column_dimensions[get_column_letter(number)]
        dimension.width, dimension.number_format = column.width, "@"
    sheet.freeze_panes = "B2"
    for choice in _validations(columns, len(establishments)):
        sheet.data_validations.append(choice)
    begin(sheet)
    titles = []
    for column in columns:
        cell = text_cell(sheet, column.title)
        cell.font, cell.fill = _BOLD, _REQUIRED if column.required else _OPTIONAL
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        if column.field:
            need = "Obligatoire." if column.required else "Facultatif."
            cell.comment = Comment(french(f"{need} {_NOTES.get(column.field, '')}".strip()), "HCR Bien-Être", 90, 260)
        titles.append(cell)
    sheet.append(titles)
    return book, sheet


def close_book(book: Workbook, sheet: WriteOnlyWorksheet, establishments: Establishments, *, report: bool) -> bytes:
    """Its instructions and lists are added, in sheets of their own."""
    sheet.close()
    _instructions(book, report=report)
    _lists(book, establishments)
    return saved(book)


def columns_of(*, report: bool) -> list[ImportColumn]:
    return [ImportColumn("", "", MARK_TITLE, 11, False), *(_REPORT if report else ()), *COLUMNS]


def _lists_of(establishments: int) -> list[tuple[str, int]]:
    """The fields with a list and how long it is, in the order of the hidden sheet's columns."""
    return [("siret", establishments)] + [
        (column.field, len(choice_labels(column.field))) for column in COLUMNS if choice_labels(column.field)
    ]


def _validations(columns: Sequence[ImportColumn], establishments: int) -> list[DataValidation]:
    places = {column.field: get_column_letter(number) for number, column in enumerate(columns, 1)}
    made = []
    for number, (field, length) in enumerate(_lists_of(establishments), 1):
        if not length:
            continue
        letter = get_column_letter(number)
        choice = DataValidation("list", formula1=f"Listes!${letter}$1:${letter}${length}", allow_blank=True)
        # a warning only: what is pasted is read as people write it
        choice.errorStyle, choice.showErrorMessage = "warning", True
        choice.errorTitle, choice.error = "Hors de la liste", french("Cette valeur n’est pas dans la liste.")
        choice.add(f"{places[field]}2:{places[field]}{MOST_ROWS + 2}")
        made.append(choice)
    return made


def _instructions(book: Workbook, *, report: bool) -> None:
    sheet = book.create_sheet("À lire")
    sheet.column_dimensions["A"].width = 110
    begin(sheet)
    heading = text_cell(sheet, "Pré-affiliation de plusieurs salariés")
    heading.font = Font(bold=True, size=14)
    sheet.append([heading])
    corrected = "Corrigez les cellules en couleur, puis déposez ce fichier de nouveau : seul ce qui a changé compte."
    for line in (*((corrected,) if report else ()), *_INSTRUCTIONS):
        cell = text_cell(sheet, french(line))
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.append([cell])
    sheet.close()


def _lists(book: Workbook, establishments: Establishments) -> None:
    sheet = book.create_sheet("Listes")
    sheet.sheet_state = "hidden"
    begin(sheet)
    columns = [
        [establishment_label(siret, name) for siret, name in establishments]
        if field == "siret"
        else choice_labels(field)
        for field, _ in _lists_of(len(establishments))
    ]
    for place in range(max(map(len, columns))):
        sheet.append([text_cell(sheet, column[place]) if place < len(column) else None for column in columns])
    sheet.close()
