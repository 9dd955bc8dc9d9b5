from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from domain.media import Language
from messages import catalogue
from messages.receipts import CoverageOutcome, ReceiptContent, Signature, WaiverOutcome, render_receipt
from tests.messages.documents import BAD_SPACE, assert_accessible, flat, pages_of, shows_code
from tests.messages.samples import FORM, HOSTILE_NAMES, LONG_NAME, WIDE_NAME

LANGS = {"fr": "fr-FR", "falc": "fr-FR", "en": "en-GB", "pt": "pt-PT", "es": "es-ES", "ar": "ar"}
SIGNED_AT = datetime(2026, 3, 13, 13, 2, tzinfo=UTC)
COVERED = ReceiptContent(
    language=Language.fr,
    reference="AFF-2026-004217",
    first_name="Camille",
    last_name="Martin",
    employer="Le Grand Hôtel du Port",
    city="Sète",
    received_at=SIGNED_AT,
    channel="online",
    outcome=CoverageOutcome("BASE CCN HCR NC FAMILLE RG", date(2026, 3, 1), 8400, 3),
    received=("rib",),
    missing=("social_security_certificate", "school_certificate:k1"),
    names={"k1": "Noa"},
    deadline=date(2026, 5, 12),
    signature=Signature("Camille Martin", SIGNED_AT, "2026-11"),
)
WAIVED = replace(COVERED, outcome=WaiverOutcome("couvert par mon conjoint", date(2027, 3, 12)), missing=())


def text_of(content: ReceiptContent) -> str:
    (page,) = pages_of(render_receipt(content))
    return flat(page)


def test_a_coverage(output: Path) -> None:
    pdf = render_receipt(COVERED)
    (output / "receipt-coverage.pdf").write_bytes(pdf)
    page = text_of(COVERED)
    for said in (
        "AFF-2026-004217",
        "Le Grand Hôtel du Port, à Sète",
        "en ligne le vendredi\u00a013\u00a0mars\u00a02026 à 14\u00a0h\u00a002 (heure de Paris)",
        "BASE, vous et votre famille, non cadre, régime général",
        "dimanche\u00a01er\u00a0mars\u00a02026",
        "84,00\u00a0€",
        "RIB (relevé d’identité bancaire)",
        "Noa",
        "mardi\u00a012\u00a0mai\u00a02026",
        "Signé par Camille Martin",
        "2026-11",
        "01\u00a044\u00a020\u00a080\u00a063",
    ):
        assert said in page
    assert not BAD_SPACE.search(page)
    kinds = [kind for kind, _ in assert_accessible(pdf, "AFF-2026-004217")]
    assert kinds.count("/H1") == 1
    assert kinds.count("/H2") == 5
    assert shows_code(pdf, 0, COVERED.reference, right=20, bottom=297 - 14 - 15, side=15)


def test_a_waiver() -> None:
    page = text_of(WAIVED)
    assert "Votre dispense est enregistrée" in page
    assert "couvert par mon conjoint" in page
    assert page.count("vendredi\u00a012\u00a0mars\u00a02027") == 2
    assert "manquent" not in page
    assert "sans date de fin" in text_of(replace(WAIVED, outcome=WaiverOutcome("autre", None)))


def test_a_form_on_paper() -> None:
    page = text_of(replace(COVERED, channel="paper", signature=Signature("Camille Martin", None, "2026-11")))
    assert "formulaire papier" in page
    assert "Signé sur papier par Camille Martin" in page
    assert "Signé" not in text_of(replace(COVERED, channel="paper", signature=None))


def test_a_price_that_is_not_known_is_not_shown() -> None:
    page = text_of(replace(COVERED, outcome=CoverageOutcome("OPTION 1 CCN HCR C SEUL RL", date(2026, 3, 1), None, 0)))
    assert "€" not in page
    assert "OPTION 1, vous seul, cadre, régime local Alsace-Moselle" in page
    assert "Autres personnes couvertes aucune" in page


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("content", [COVERED, WAIVED], ids=["coverage", "waiver"])
def test_every_language(language: Language, content: ReceiptContent, output: Path) -> None:
    pdf = render_receipt(replace(content, language=language))
    kind = type(content.outcome).__name__
    (output / f"receipt-{kind}-{language}.pdf").write_bytes(pdf)
    assert len(pages_of(pdf)) == 1
    assert_accessible(pdf, content.reference, LANGS[language])
    if language is not Language.ar:  # pdfium reads a right-to-left page back to front
        assert catalogue.catalogue(language).text("receipt.title") in pages_of(pdf)[0]


@pytest.mark.parametrize("language", list(Language))
def test_everything_at_its_longest_stays_on_one_page(language: Language) -> None:
    for name in (LONG_NAME * 3, WIDE_NAME * 2):
        content = replace(
            COVERED,
            language=language,
            first_name=name,
            last_name=name,
            employer=name,
            city=name,
            received=("rib", "social_security_certificate", "partnership_proof:k2", "school_certificate:k1"),
            missing=("waiver_proof", "signature", "partner_social_security_certificate:k2", "school_certificate:k1")
            * 2,
            names={"k1": LONG_NAME, "k2": LONG_NAME},
            signature=Signature(name, SIGNED_AT, "2026-11"),
        )
        assert len(pages_of(render_receipt(content))) == 1


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_only_ever_a_name(name: str) -> None:
    assert name in text_of(replace(COVERED, employer=name, signature=Signature(name, SIGNED_AT, "2026-11")))


def test_it_holds_no_number_that_could_be_misused() -> None:
    fields = set(ReceiptContent.__dataclass_fields__)
    assert not fields & {"nir", "iban", "birth_date"}
    assert re.sub(r"\s", "", FORM.nir) not in re.sub(r"\s", "", text_of(COVERED))


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="passeport"):
        render_receipt(replace(COVERED, missing=("passeport",)))
    with pytest.raises(ValueError, match="formule"):
        render_receipt(replace(COVERED, outcome=CoverageOutcome("BASE", date(2026, 3, 1), 8400, 3)))
