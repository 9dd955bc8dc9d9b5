from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from domain.evidence import Gap, ProofState
from domain.waivers import _REASONS
from messages import evidence
from messages.evidence import (
    CASES,
    GAPS,
    MEANINGS,
    STATES,
    Employer,
    Person,
    Sending,
    Signed,
    Waived,
    render_declaration,
    render_sheet,
    render_summary,
)
from tests.messages.documents import BAD_SPACE, assert_accessible, flat, pages_of
from tests.messages.samples import HOSTILE_NAMES, LONG_NAME, WIDE_NAME

AT = datetime(2026, 11, 3, 9, 5, tzinfo=UTC)
EMPLOYER = Employer("HÔTELS DU PORT", "999000003", "klesia", "K0012345", ("Le Grand Hôtel", "Brasserie"), AT)
WAIVED = Waived("c2s", "CSS D911-2, 1°, and L861-3", date(2026, 3, 1), date(2027, 2, 28))
PERSON = Person(
    reference="0F3A 77C2 0001",
    folder="salaries/0F3A-77C2-0001-CM",
    civility="MME",
    first_names="Camille",
    last_name="Martin",
    place="Le Grand Hôtel",
    state=ProofState.dispensed,
    invited_at=AT,
    invited_by="email",
    reminders=2,
    waived=WAIVED,
)
SIGNED = Signed("Camille Martin", AT, "2026-11", "ab" * 32, by_hand=False)


def text_of(pdf: bytes) -> str:
    return flat(" ".join(pages_of(pdf)))


def test_every_code_has_its_words() -> None:
    assert set(STATES) == set(MEANINGS) == set(ProofState)
    assert set(GAPS) == set(Gap)
    assert set(CASES) == {reason.code for reason in _REASONS}


def test_the_documents_are_accessible_and_typed_with_care(output: Path) -> None:
    sending = Sending("invitation", "email", "delivered", AT, "envois/01-invitation.txt")
    unread = Sending("reminder", "email", "handed_over", AT, unread="own_contact")
    for name, pdf, title in (
        ("summary", render_summary(EMPLOYER, [PERSON]), "Dossier de preuves"),
        ("sheet", render_sheet(EMPLOYER, PERSON, [sending, unread], ["declaration.pdf"]), "Fiche de preuve"),
        ("declaration", render_declaration(EMPLOYER, PERSON, WAIVED, SIGNED), "Déclaration de dispense"),
    ):
        (output / f"evidence_{name}.pdf").write_bytes(pdf)
        assert_accessible(pdf, title)
        assert not BAD_SPACE.search(text_of(pdf)), name


def test_a_summary_of_very_many_people_lists_the_first_and_says_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_LINES", 2)
    missing = replace(PERSON, state=ProofState.missing, gap=Gap.not_sent, waived=None)
    text = text_of(render_summary(EMPLOYER, [missing, PERSON, replace(PERSON, last_name="Dernier")]))
    assert "Dispensé (2)" in text
    assert "La liste complète est dans sommaire.csv." in text
    assert "Dernier" not in text


def test_a_declaration_says_how_it_was_signed() -> None:
    assert "en ligne, le 03/11/2026 à 10 h 05" in text_of(render_declaration(EMPLOYER, PERSON, WAIVED, SIGNED)).replace(
        "\u00a0", " "
    )
    by_hand = text_of(render_declaration(EMPLOYER, PERSON, WAIVED, replace(SIGNED, by_hand=True)))
    assert "à la main sur le formulaire papier" in by_hand
    unsigned = text_of(render_declaration(EMPLOYER, PERSON, WAIVED, None))
    assert "revenu sans signature" in unsigned
    assert "Je demande, par mon propre choix" not in unsigned


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, LONG_NAME, WIDE_NAME], ids=range(len(HOSTILE_NAMES) + 2))
def test_any_name_can_be_printed(name: str) -> None:
    person = replace(PERSON, first_names=name, last_name=name)
    assert render_summary(EMPLOYER, [person])
    assert render_declaration(EMPLOYER, person, WAIVED, replace(SIGNED, name=name))
