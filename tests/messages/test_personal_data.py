from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from messages.personal_data import DataSection, PersonalDataContent, render_personal_data
from tests.messages.documents import BAD_SPACE, assert_accessible, flat, pages_of
from tests.messages.samples import HOSTILE_NAMES, WIDE_NAME

MESSAGES = DataSection(
    "Messages",
    "Ce que nous vous avons envoyé.",
    columns=("Date", "Média", "Objet", "État"),
    lines=tuple((f"{day % 28 + 1} mars 2026", "Email", f"Invitation {day}", "Distribué") for day in range(120)),
)
CONTENT = PersonalDataContent(
    person="Camille Martin",
    made_on=date(2026, 11, 23),
    intro=("Voici ce que nous avons sur vous, à la date de ce document.",),
    sections=(
        DataSection(
            "Identité",
            "Ce que votre employeur a déclaré.",
            rows=(("Nom", "Martin"), ("Numéro de sécurité sociale", "2 92 03 34 172 045 18"), ("Nom", "محمد")),
        ),
        MESSAGES,
        DataSection("Ayants droit", "Les personnes couvertes avec vous."),
    ),
)


def test_everything_is_there(output: Path) -> None:
    pdf = render_personal_data(CONTENT)
    (output / "personal-data.pdf").write_bytes(pdf)
    pages = pages_of(pdf)
    text = flat(" ".join(pages))
    for said in ("Toutes les données que nous avons sur vous", "Établi le 23\u00a0novembre\u00a02026", "Ayants droit"):
        assert said in text
    assert all(f"Invitation {day}" in text for day in range(120))
    assert "Nous n’avons rien ici." in text
    assert "2 92 03 34 172 045 18" in text
    assert not BAD_SPACE.search(text)
    assert f"page 1 sur {len(pages)}" in flat(pages[0])


def test_it_is_a_document_of_tables(output: Path) -> None:
    elements = [kind for kind, _ in assert_accessible(render_personal_data(CONTENT), "Camille Martin")]
    assert elements.count("/H1") == 1
    assert elements.count("/H2") == 3
    assert elements.count("/Table") == 2
    assert elements.count("/TH") == 2 + 4  # repeated on paper, said once
    assert elements.count("/TR") == 1 + 3 + 1 + 120


def test_a_long_table_repeats_its_head() -> None:
    pages = pages_of(render_personal_data(CONTENT))
    assert len(pages) >= 3
    assert sum("Média" in page for page in pages) >= 3


def test_long_values_keep_to_their_column_and_lose_nothing() -> None:
    long = "0123456789abcdef" * 8
    message = "Bonjour, " * 300
    section = DataSection("Valeurs", rows=(("Empreinte", long), ("Message", message)))
    text = flat(" ".join(pages_of(render_personal_data(PersonalDataContent("M", date(2026, 1, 1), (section,))))))
    assert text.replace(" ", "").count("0123456789abcdef") == 8
    assert text.count("Bonjour,") == 300


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, WIDE_NAME])
def test_a_value_is_only_ever_a_value(name: str) -> None:
    section = DataSection(name, name, rows=((name, name),))
    table = DataSection(name, name, columns=(name, "b"), lines=((name, name),))
    pages = pages_of(render_personal_data(PersonalDataContent(name, date(2026, 1, 1), (section, table), intro=(name,))))
    assert flat(" ".join(pages)).replace(" ", "").count(name.replace(" ", "")) >= 9


def test_a_line_has_a_value_for_each_column() -> None:
    with pytest.raises(ValueError, match="zip"):
        render_personal_data(
            PersonalDataContent("M", date(2026, 1, 1), (DataSection("a", columns=("b", "c"), lines=(("d",),)),))
        )


def test_same_data_same_bytes() -> None:
    assert render_personal_data(CONTENT) == render_personal_data(CONTENT)
