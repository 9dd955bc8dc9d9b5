from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
import segno
import zxingcpp

from domain.media import Language, MessageKind
from domain.pieces import PieceCode
from messages import catalogue, house, typeset
from messages.letters import LETTER_KINDS, MAX_PIECES, LetterContent, render_letter
from tests.messages.documents import (
    BAD_SPACE,
    MILLIMETRE,
    assert_accessible,
    flat,
    languages_of,
    pages_of,
    shows_code,
    stretches,
)
from tests.messages.samples import (
    BROKEN_NAME,
    FORM,
    HOSTILE_NAMES,
    LETTER,
    LONG_NAME,
    WIDE_NAME,
    named_form,
    named_letter,
)
from tests.shortened import one_in_three

KINDS = sorted(LETTER_KINDS)
LANGS = {"fr": "fr-FR", "falc": "fr-FR", "en": "en-GB", "pt": "pt-PT", "es": "es-ES", "ar": "ar"}
OWN = ("rib", "social_security_certificate", "waiver_proof", "signature")
OF_OTHERS = tuple(code.value for code in PieceCode if code not in OWN)
MANY_PIECES = (*OWN, *(f"{code}:k{rank}" for rank in range(4) for code in OF_OTHERS))  # more than are listed
NAMES = {f"k{rank}": "Maria-Fernanda da Conceição" for rank in range(4)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind: MessageKind, output: Path) -> None:
    pdf = render_letter(kind, LETTER, FORM)
    (output / f"letter-{kind}.pdf").write_bytes(pdf)
    pages = pages_of(pdf)
    assert len(pages) == (1 if kind is MessageKind.missing_pieces else 2)
    for said in (
        *LETTER.recipient_lines,
        LETTER.web_address,
        LETTER.code,
        "Bonjour Madame Martin,",
        LETTER.employer,
        "mardi\u00a012\u00a0mai\u00a02026",
        "vendredi\u00a013\u00a0mars\u00a02026",
        house.HELPLINE,
        "Ce n’est pas vous",
        "English · Português · Español",
        LETTER.reference,
    ):
        assert said in flat(pages[0])
    assert all(LETTER.reference in page for page in pages)
    assert not any(BAD_SPACE.search(flat(page)) for page in pages)
    elements = assert_accessible(pdf, LETTER.reference)
    assert sum(kind == "/Figure" for kind, _ in elements) == len(pages) + 1  # the link's QR code, a reference per page
    assert sum(kind == "/LI" for kind, _ in elements) >= 3  # the steps are a list
    assert not any("Cette lettre existe en français" in page for page in pages)


@pytest.mark.parametrize("language", one_in_three(Language))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_language_fits_one_page(kind: MessageKind, language: Language, output: Path) -> None:
    for content in (LETTER, replace(named_letter(LONG_NAME), missing=MANY_PIECES, names=NAMES)):
        pdf = render_letter(kind, replace(content, language=language), FORM)
        assert len(pages_of(pdf)) == (1 if kind is MessageKind.missing_pieces else 2)
        assert_above_the_foot(pdf)
    pdf = render_letter(kind, replace(LETTER, language=language), FORM)
    (output / f"letter-{kind}-{language}.pdf").write_bytes(pdf)
    elements = assert_accessible(pdf, LETTER.reference, LANGS[language])
    assert all(alternative for kind, alternative in elements if kind == "/Figure")
    page = flat(pages_of(pdf)[0])
    assert ("Cette lettre existe en français" in page) == (language in (Language.en, Language.pt, Language.es))
    if language is not Language.ar:  # pdfium reads a right-to-left page back to front
        words = catalogue.catalogue(language)
        assert words.text(f"letter.{kind}.subject") in page
        assert LETTER.code in page


def assert_above_the_foot(pdf: bytes) -> None:
    """Nothing of the message runs into what stands at the foot of the page, or over its margins."""
    page = pypdfium2.PdfDocument(pdf)[0]
    text, height = page.get_textpage(), page.get_height()
    for index in range(text.count_rects()):
        left, bottom, right, _ = text.get_rect(index)
        assert left / MILLIMETRE >= 19.5
        assert right / MILLIMETRE <= 191
        lowest = (height - bottom) / MILLIMETRE
        assert lowest <= 266.5 or (271 < lowest <= 287), text.get_text_bounded(*text.get_rect(index))


def test_arabic_runs_from_right_to_left_and_addresses_do_not() -> None:
    pdf = render_letter(MessageKind.invitation, replace(LETTER, language=Language.ar), FORM)
    page = pypdfium2.PdfDocument(pdf)[0]
    text, height = page.get_textpage(), page.get_height()
    boxes = [text.get_rect(index) for index in range(text.count_rects())]
    message = [box for box in boxes if 91 < (height - box[1]) / MILLIMETRE < 130]
    assert max(right for _, _, right, _ in message) / MILLIMETRE == pytest.approx(190, abs=1)
    assert not any(box[0] / MILLIMETRE < 60 for box in message if 101 < (height - box[1]) / MILLIMETRE < 106)
    recipient = [box for box in boxes if box[0] / MILLIMETRE > 100 and 50 < (height - box[1]) / MILLIMETRE < 80]
    assert {round(box[0] / MILLIMETRE) for box in recipient} == {110}
    with pikepdf.open(io.BytesIO(pdf)) as document:  # what a screen reader says: letters, not the shapes they take
        letters = "".join(properties.get("/ActualText", "") for _, properties in stretches(document))
    assert any("\u0620" <= letter <= "\u064a" for letter in letters)
    assert not any("\ufb50" <= letter <= "\ufefc" for letter in letters)


def test_the_back_of_every_letter_is_french() -> None:
    pdf = render_letter(MessageKind.invitation, replace(LETTER, language=Language.ar), FORM)
    assert "Télétransmission" in pages_of(pdf)[1]
    assert "fr-FR" in languages_of(pdf)


def test_each_language_is_named_in_its_own() -> None:
    assert {"en", "pt", "es", "ar"} <= languages_of(render_letter(MessageKind.invitation, LETTER, FORM))


def test_more_pieces_than_fit_are_on_the_site() -> None:
    content = replace(LETTER, missing=MANY_PIECES, names=NAMES)
    assert len(drawn(MessageKind.missing_pieces, content)["missing"]) == MAX_PIECES
    assert "la liste entière est sur le site" in flat(
        pages_of(render_letter(MessageKind.missing_pieces, content, None))[0]
    )


def test_easy_french_is_set_larger() -> None:
    def size(language: Language) -> float:
        page = pypdfium2.PdfDocument(render_letter(MessageKind.invitation, replace(LETTER, language=language), None))[0]
        text = page.get_textpage()
        match = text.search("Bonjour").get_next()
        assert match
        _, bottom, _, top = text.get_charbox(match[0])
        return float(top - bottom)

    assert size(Language.falc) > 1.1 * size(Language.fr)


def test_address_stays_in_the_window() -> None:
    """Only the address may show in the window, x 100–190 and y 44–90 mm of the sheet as it slides in the envelope."""
    wide = replace(LETTER, recipient_lines=("W" * 38,) * 6)
    for content in (LETTER, wide, *(replace(LETTER, language=language) for language in Language)):
        page = pypdfium2.PdfDocument(render_letter(MessageKind.invitation, content, FORM))[0]
        text = page.get_textpage()
        height = page.get_height()
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


@pytest.mark.parametrize("lines", [(), ("A",) * 7, ("A" * 39,)])
def test_an_address_that_does_not_fit_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="38 characters"):
        render_letter(MessageKind.invitation, replace(LETTER, recipient_lines=lines), FORM)


def test_confirmation_never_goes_by_post() -> None:
    with pytest.raises(ValueError, match="confirmation"):
        render_letter(MessageKind.confirmation, LETTER, FORM)


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, LONG_NAME, WIDE_NAME])
def test_a_name_is_only_ever_a_name(name: str) -> None:
    pages = pages_of(render_letter(MessageKind.postal_fallback, named_letter(name), named_form(name)))
    assert len(pages) == 2
    assert name in flat(pages[0])
    assert name in flat(pages[1])
    assert "Signature" in pages[1]


@pytest.mark.parametrize("language", list(Language))
def test_an_endless_name_keeps_the_letter_on_its_sheet(language: Language) -> None:
    content = replace(named_letter("Hôtel du Très Long Nom " * 40), language=language)
    for name in ("Hôtel du Très Long Nom " * 40, WIDE_NAME * 2):
        content = replace(named_letter(name), language=language, waiver_ended_on=date(2026, 12, 30))
        pdf = render_letter(MessageKind.invitation, content, named_form(name))
        assert len(pages_of(pdf)) == 2
        assert_above_the_foot(pdf)


def test_a_name_in_arabic_is_printed() -> None:
    pages = pages_of(render_letter(MessageKind.invitation, named_letter("محمد"), named_form(BROKEN_NAME)))
    assert flat(pages[0]).count("محمد") == 4  # greeting (first and last name), employer, city


def test_what_the_fonts_lack_never_stops_a_letter() -> None:
    name = "Ștefan Đặng 李雷 😀 مُحَمَّد"
    page = flat(pages_of(render_letter(MessageKind.invitation, named_letter(name), named_form(BROKEN_NAME)))[0])
    assert "Ștefan Đặng ?? ?" in page
    assert typeset.printable(name).endswith("محمد")


def test_every_character_let_through_has_a_glyph() -> None:
    """PDF/A refuses a missing glyph: rendering them all proves that `printable` lets only drawable ones pass."""
    drawable = "".join(c for c in map(chr, range(0x20, 0x2200)) if typeset.printable(f"a{c}a") == f"a{c}a")
    assert "œ" in drawable
    assert "ع" in drawable
    for start in range(0, len(drawable), 60):
        employer = "".join(f"a{c}" for c in drawable[start : start + 60])
        render_letter(MessageKind.missing_pieces, replace(LETTER, employer=employer), None)


def test_qr_codes_hold_the_link_and_the_reference() -> None:
    pdf = render_letter(MessageKind.invitation, LETTER, FORM)
    assert shows_code(pdf, 0, LETTER.reference, right=20, bottom=12, side=15)
    assert shows_code(pdf, 1, LETTER.reference, right=15, bottom=297 - 11 - 15, side=15)
    with patch("segno.make_qr", wraps=segno.make_qr) as make_qr:
        render_letter(MessageKind.invitation, LETTER, FORM)
    assert [call.args[0] for call in make_qr.call_args_list] == [LETTER.qr_link, LETTER.reference]


def test_missing_pieces_are_listed_and_have_no_form() -> None:
    content = replace(LETTER, missing=("rib", "school_certificate:k1"), names={"k1": "Noa"})
    (page,) = pages_of(render_letter(MessageKind.missing_pieces, content, FORM))
    assert "RIB (relevé d’identité bancaire)" in page
    assert "Noa" in page
    assert "Rappel" not in page
    with pytest.raises(ValueError, match="passeport"):
        render_letter(MessageKind.missing_pieces, replace(LETTER, missing=("passeport",)), None)


def test_missing_pieces_asked_for_again() -> None:
    (page,) = pages_of(render_letter(MessageKind.missing_pieces, replace(LETTER, reminder=True), None))
    assert "Rappel" in page
    assert "déjà écrit" in page


def test_an_invitation_after_a_waiver_says_when_it_ends() -> None:
    content = replace(LETTER, waiver_ended_on=date(2026, 4, 30))
    page = flat(pages_of(render_letter(MessageKind.invitation, content, FORM))[0])
    assert "dispense" in page
    assert "prend fin le jeudi\u00a030\u00a0avril\u00a02026" in page


def test_reopening_a_draft_asks_for_the_birth_date() -> None:
    assert "date de naissance" in flat(pages_of(render_letter(MessageKind.draft_reminder, LETTER, FORM))[0])


@pytest.mark.parametrize("language", list(Language))
def test_what_is_optional_leaves_no_trace(language: Language) -> None:
    seen = drawn(MessageKind.invitation, replace(LETTER, deadline=None, city="", language=language))
    body = "".join(run["text"] for run in seen["body"])
    assert "Le Grand Hôtel du Port" in body
    assert "None" not in body
    assert len(seen["closing"]) == 2


def drawn(kind: MessageKind, content: LetterContent) -> dict[str, Any]:
    """What the template is given."""
    with patch.object(typeset, "render", wraps=typeset.render) as render:
        render_letter(kind, content, None)
    data: dict[str, Any] = render.call_args.args[2]
    return data


def test_a_text_that_is_missing_stops_the_letter() -> None:
    whole = catalogue.catalogue(Language.fr)
    texts = {key: (whole.source(key),) for key in whole.keys if key != "letter.not_you"}
    holed = catalogue.Catalogue(Language.fr, texts, int)
    with (
        patch("messages.letters.catalogue", return_value=holed),
        pytest.raises(KeyError, match=r"letter\.not_you"),
    ):
        render_letter(MessageKind.invitation, LETTER, FORM)


def test_same_letter_same_bytes() -> None:
    # A letter rendered again after a crash is the same file.
    assert render_letter(MessageKind.reminder, LETTER, FORM) == render_letter(MessageKind.reminder, LETTER, FORM)


def test_dates_in_words() -> None:
    page = pages_of(render_letter(MessageKind.invitation, replace(LETTER, deadline=date(2026, 5, 1)), None))[0]
    assert "vendredi\u00a01er\u00a0mai\u00a02026" in page


@pytest.mark.parametrize("degrees", [0, 2, 180])
def test_a_scanner_reads_the_codes_of_both_pages(degrees: int) -> None:
    """As a scanner at 200 dpi sees them, a little askew or upside down."""
    pages = pypdfium2.PdfDocument(render_letter(MessageKind.invitation, LETTER, FORM))
    read = []
    for page in pages:
        picture = page.render(scale=200 / 72, grayscale=True).to_pil().rotate(degrees, fillcolor=255)
        read.append({code.text for code in zxingcpp.read_barcodes(picture)})
    assert read == [{LETTER.qr_link, LETTER.reference}, {LETTER.reference}]
