"""A letter to a company's registered office: one page, its code, and nobody's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest

from messages import house
from messages.notices import POSTED, NoticeKind
from messages.office_letters import ATTENTION, OfficeLetterContent, masked_email, render_office_letter
from tests.messages.documents import BAD_SPACE, MILLIMETRE, assert_accessible, flat, pages_of
from tests.messages.samples import BROKEN_NAME, HOSTILE_NAMES, LONG_NAME, WIDE_NAME

SAMPLE = OfficeLetterContent(
    recipient_lines=("LE GRAND HÔTEL DU PORT", ATTENTION, "14 RUE DES TROIS FRÈRES BARTHÉLEMY", "34200 SÈTE"),
    company="Le Grand Hôtel du Port",
    asked_by=masked_email("camille.martin@exemple.fr"),
    asked_on=date(2026, 5, 12),
    web_address="entreprise.hcrbienetre.fr/acces/code",
    code="A7K3-9QXT-M2PD-H4RZ8",
    until=date(2026, 6, 12),
    sent_on=date(2026, 5, 13),
)
every_kind = pytest.mark.parametrize("kind", sorted(POSTED))


def text_of(kind: NoticeKind, content: OfficeLetterContent = SAMPLE) -> str:
    (page,) = pages_of(render_office_letter(kind, content))
    return flat(page)


@every_kind
def test_an_office_letter_says_who_asked_what_to_type_and_until_when(kind: NoticeKind, output: Path) -> None:
    (output / f"office-{kind}.pdf").write_bytes(render_office_letter(kind, SAMPLE))
    page = text_of(kind)
    for said in (
        *SAMPLE.recipient_lines,
        "À l’attention de la direction,",
        "une personne qui indique travailler pour votre entreprise",
        "c•••@exemple.fr",
        "12\u00a0mai\u00a02026",
        SAMPLE.web_address,
        SAMPLE.code,
        "vendredi\u00a012\u00a0juin\u00a02026",
        "Personne chez vous n’a rien demandé",
        house.HELPLINE,
    ):
        assert said.replace("\u00a0", " ") in page.replace("\u00a0", " ").replace("\u202f", " "), said
    assert "camille" not in page.lower()
    assert not BAD_SPACE.search(page)


@every_kind
def test_an_office_letter_can_be_heard(kind: NoticeKind) -> None:
    elements = assert_accessible(render_office_letter(kind, SAMPLE), house.NAME)
    kinds = [element for element, _ in elements]
    assert kinds.count("/H1") == 1
    assert "/L" in kinds


@every_kind
def test_an_office_letter_is_the_same_at_every_attempt(kind: NoticeKind) -> None:
    assert render_office_letter(kind, SAMPLE) == render_office_letter(kind, SAMPLE)


@every_kind
@pytest.mark.parametrize(
    "name", [*HOSTILE_NAMES, BROKEN_NAME, LONG_NAME, WIDE_NAME, "W" * 300], ids=range(len(HOSTILE_NAMES) + 4)
)
def test_whatever_the_company_is_called_it_stays_one_page_with_its_code(kind: NoticeKind, name: str) -> None:
    page = text_of(kind, replace(SAMPLE, company=name, asked_by=masked_email(f"{name}@exemple.fr")))
    assert SAMPLE.code in page
    assert "jamais ce code au téléphone" in page


def test_only_letters_are_posted() -> None:
    with pytest.raises(ValueError, match="not sent by post"):
        render_office_letter(NoticeKind.invitation, SAMPLE)


@pytest.mark.parametrize("lines", [(), ("x",) * 7, ("x" * 39, "34200 SÈTE")], ids=["none", "seven", "too long"])
def test_an_address_that_does_not_fit_the_window_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="an address has"):
        render_office_letter(NoticeKind.recovery_letter, replace(SAMPLE, recipient_lines=lines))


@pytest.mark.parametrize(
    ("email", "masked"),
    [("camille@exemple.fr", "c•••@exemple.fr"), ("c@exemple.fr", "c•••@exemple.fr"), ("x", "•••@x")],
)
def test_a_masked_address_keeps_its_first_letter_and_its_domain(email: str, masked: str) -> None:
    assert masked_email(email) == masked


@every_kind
def test_only_the_address_shows_in_the_window(kind: NoticeKind) -> None:
    """x 100–190 and y 44–90 mm of the sheet as it slides in the envelope, as for `test_letters`."""
    content = replace(SAMPLE, recipient_lines=("W" * 38,) * 6)
    page = pypdfium2.PdfDocument(render_office_letter(kind, content))[0]
    text, height = page.get_textpage(), page.get_height()
    lines = 0
    for index in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(index)
        x0, x1 = left / MILLIMETRE, right / MILLIMETRE
        y0, y1 = (height - top) / MILLIMETRE, (height - bottom) / MILLIMETRE
        if x1 > 100 and y1 > 44 and y0 < 90:
            lines += 1
            assert x0 >= 109.5
            assert x1 <= 190
            assert y0 >= 50
            assert y1 <= 79.5
    assert lines == 6
