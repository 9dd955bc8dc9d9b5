from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
import segno

from domain.media import Language, MessageKind
from messages import house, typeset, words
from messages.forms import FormContent, FormDependant, render_affiliation_form, render_pre_affiliation_form
from messages.letters import LETTER_KINDS, render_letter
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

BAD_SPACE = re.compile(r"\S [:;?!»]|« ")
KINDS = sorted(LETTER_KINDS)
MILLIMETRE = 72 / 25.4


def pages_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    return [document[index].get_textpage().get_text_range().replace("\r\n", "\n") for index in range(len(document))]


def flat(text: str) -> str:
    return re.sub(r"[ \n]+", " ", text)


def structure(pdf: pikepdf.Pdf) -> list[tuple[str, str | None]]:
    """(type, alternative text) of every structure element, in reading order."""
    found: list[tuple[str, str | None]] = []

    def walk(node: Any) -> None:
        if isinstance(node, pikepdf.Array):
            for child in node:
                walk(child)
        elif isinstance(node, pikepdf.Dictionary):
            if "/S" in node:
                found.append((str(node["/S"]), str(node["/Alt"]) if "/Alt" in node else None))
            if "/K" in node:
                walk(node["/K"])

    walk(pdf.Root.StructTreeRoot.K)
    return found


def assert_accessible(content: bytes, title: str) -> list[tuple[str, str | None]]:
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.Lang == "fr-FR"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        with pdf.open_metadata() as metadata:
            assert title in metadata["dc:title"]
            assert metadata["pdfuaid:part"] == "1"
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "A")
        elements = structure(pdf)
    assert all(alternative for kind, alternative in elements if kind == "/Figure")
    return elements


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
        LETTER.reference,
    ):
        assert said in flat(pages[0])
    assert all(LETTER.reference in page for page in pages)
    assert not any(BAD_SPACE.search(flat(page)) for page in pages)
    elements = assert_accessible(pdf, LETTER.reference)
    assert sum(kind == "/Figure" for kind, _ in elements) == len(pages) + 1  # the link's QR code, a reference per page
    assert sum(kind == "/LI" for kind, _ in elements) >= 3  # the steps are a list


@pytest.mark.parametrize("language", list(Language))
def test_every_language_is_french_for_now(language: Language) -> None:
    assert_accessible(render_letter(MessageKind.invitation, replace(LETTER, language=language), None), "Lettre")


def test_address_stays_in_the_window() -> None:
    """Only the address may show in the window, x 100–190 and y 44–90 mm of the sheet as it slides in the envelope."""
    wide = replace(LETTER, recipient_lines=("W" * 38,) * 6)
    for content in (LETTER, wide):
        page = pypdfium2.PdfDocument(render_letter(MessageKind.invitation, content, FORM))[0]
        text = page.get_textpage()
        height = page.get_height()
        seen = []
        for index in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(index)
            x0, x1 = left / MILLIMETRE, right / MILLIMETRE
            y0, y1 = (height - top) / MILLIMETRE, (height - bottom) / MILLIMETRE
            if x1 > 100 and y1 > 44 and y0 < 90:
                seen.append(text.get_text_bounded(left, bottom, right, top).strip())
                assert x0 >= 109.5
                assert x1 <= 190
                assert y0 >= 50
                assert y1 <= 79.5
        assert seen == list(content.recipient_lines)


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


def test_an_endless_name_keeps_the_letter_on_its_sheet() -> None:
    name = "Hôtel du Très Long Nom " * 40
    assert len(pages_of(render_letter(MessageKind.postal_fallback, named_letter(name), named_form(name)))) == 2


def test_what_the_font_lacks_never_stops_a_letter() -> None:
    name = "Ștefan Đặng 李雷 😀 محمد"
    page = flat(pages_of(render_letter(MessageKind.invitation, named_letter(name), named_form(BROKEN_NAME)))[0])
    assert "Ștefan Đặng ?? ? ????" in page


def test_every_character_let_through_has_a_glyph() -> None:
    """PDF/A refuses a missing glyph: rendering them all proves that `printable` lets only drawable ones pass."""
    drawable = "".join(c for c in map(chr, range(0x20, 0x2200)) if typeset.printable(f"a{c}a") == f"a{c}a")
    assert "œ" in drawable
    for start in range(0, len(drawable), 60):
        render_letter(MessageKind.missing_pieces, replace(LETTER, employer=drawable[start : start + 60]), None)


def test_qr_codes_hold_the_link_and_the_reference() -> None:
    with patch("segno.make_qr", wraps=segno.make_qr) as make_qr:
        render_letter(MessageKind.invitation, LETTER, FORM)
    assert [call.args[0] for call in make_qr.call_args_list] == [LETTER.qr_link, LETTER.reference]
    svg = typeset.qr_svg(LETTER.qr_link)
    width = segno.make_qr(LETTER.qr_link, error="m").symbol_size(border=0)[0]
    assert svg.startswith("<svg")
    assert f'width="{width}"' in svg


def test_missing_pieces_are_listed_and_have_no_form() -> None:
    (page,) = pages_of(render_letter(MessageKind.missing_pieces, LETTER, FORM))
    assert "RIB (relevé d’identité bancaire)" in page
    assert "Attestation de droits Sécurité sociale" in page
    with pytest.raises(KeyError):
        render_letter(MessageKind.missing_pieces, replace(LETTER, missing=("passeport",)), None)


def test_what_is_optional_leaves_no_trace() -> None:
    page = flat(pages_of(render_letter(MessageKind.invitation, replace(LETTER, deadline=None, city=""), None))[0])
    assert "au plus tard" not in page
    assert "Votre employeur, Le Grand Hôtel du Port, vous a déclaré" in page


def test_same_letter_same_bytes() -> None:
    # A letter rendered again after a crash is the same file.
    assert render_letter(MessageKind.reminder, LETTER, FORM) == render_letter(MessageKind.reminder, LETTER, FORM)


def test_prefilled_form(output: Path) -> None:
    pdf = render_affiliation_form(FORM)
    (output / "form-prefilled.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    packed = re.sub(r"\s", "", page)
    for digits in ("292033417204518", "FR7630006000011234567890189", "73282932000074", "10031992", "190013417204512"):
        assert digits in packed
    assert page.count("X ") == 4  # civility, scheme, status, formula
    kinds = [kind for kind, _ in assert_accessible(pdf, "Bulletin individuel")]
    assert kinds.count("/H1") == 1
    assert kinds.count("/H2") == 6
    assert kinds.count("/TH") == 5
    assert kinds.count("/TR") == 6  # the head, a partner and four children


def test_blank_form(output: Path) -> None:
    pdf = render_affiliation_form(None)
    (output / "form-blank.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    assert "Référence" not in page
    assert not BAD_SPACE.search(flat(page))
    assert not [kind for kind, _ in assert_accessible(pdf, "Bulletin individuel") if kind == "/Figure"]


def test_a_form_has_room_for_four_children() -> None:
    with pytest.raises(ValueError, match="4 children"):
        render_affiliation_form(FormContent(children=(FormDependant(),) * 5))


def test_a_foreign_iban_is_written_out() -> None:
    (page,) = pages_of(render_affiliation_form(FormContent(iban="MT84 MALT 0110 0001 2345 MTLC AST0 01S")))
    assert "MT84MALT011000012345MTLCAST001S" in page


def test_pre_affiliation_form(output: Path) -> None:
    pdf = render_pre_affiliation_form()
    (output / "form-pre-affiliation.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    for asked in ("SIRET", "Identifiant entreprise", "Numéro de sécurité sociale", "Date d’embauche", "e-mail"):
        assert asked in page
    assert not BAD_SPACE.search(flat(page))
    assert_accessible(pdf, "pré-affiliation")


def test_dates_in_words() -> None:
    page = pages_of(render_letter(MessageKind.invitation, replace(LETTER, deadline=date(2026, 5, 1)), None))[0]
    assert "vendredi\u00a01er\u00a0mai\u00a02026" in page


def test_every_piece_may_be_missing_at_once() -> None:
    content = replace(named_letter(LONG_NAME), missing=tuple(words.PIECES))
    assert len(pages_of(render_letter(MessageKind.missing_pieces, content, None))) == 1
