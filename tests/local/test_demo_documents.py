"""The papers of the demonstration: nobody could take them for real ones, and they are read as real ones are."""

from __future__ import annotations

import io
from datetime import date

import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image

from domain.document_advice import Expected, ExpectedDependant, advise
from domain.identifiers import Civility
from domain.pieces import Piece
from domain.synthetic import synthetic_iban, synthetic_nir
from gateways.files.quality import quality_of
from local.demo_documents import Paper, certificate, partnership_proof, photographed, rib, school_certificate

TODAY = date(2026, 11, 23)
IBAN = synthetic_iban(4100)
NIR = synthetic_nir(Civility.madame, date(1986, 12, 1))
PAPERS = {
    "rib": (rib(IBAN, "Inès Exemple"), ["iban_matches"]),
    "social_security_certificate": (certificate(NIR, "EXEMPLE Inès", on=TODAY), ["nir_matches"]),
    "partnership_proof:p1": (partnership_proof("Inès Exemple", "Paul Exemple", since=date(2012, 6, 16)), []),
    "school_certificate:k1": (school_certificate("EXEMPLE Zoé", on=TODAY), []),
}
EXPECTED = Expected(
    today=TODAY,
    iban=IBAN,
    account_holder="Inès Exemple",
    nir=NIR,
    last_name="Exemple",
    first_names="Inès",
    dependants={"p1": ExpectedDependant("Exemple", "Paul"), "k1": ExpectedDependant("Exemple", "Zoé")},
)


def text_of(paper: Paper) -> str:
    document = pypdfium2.PdfDocument(paper.content)
    assert len(document) == 1
    text: str = document[0].get_textpage().get_text_range()
    return text


@pytest.mark.parametrize("piece", PAPERS)
def test_a_paper_says_that_it_is_none_and_is_advised_on_as_a_real_one(piece: str) -> None:
    paper, good = PAPERS[piece]
    text = text_of(paper)
    assert "SPÉCIMEN" in text
    assert "Document inventé" in text
    assert [advice.code for advice in advise(Piece.parse(piece), text, (), EXPECTED)] == good


def test_the_same_paper_is_the_same_file() -> None:
    assert rib(IBAN, "Inès Exemple") == PAPERS["rib"][0]


@pytest.mark.parametrize(("blurred", "seen"), [(False, []), (True, ["blurred"])])
def test_a_photo_can_be_read_or_not_as_wanted(blurred: bool, seen: list[str]) -> None:
    photo = photographed(PAPERS["rib"][0], blurred=blurred)
    assert photo.name == "rib.jpg"
    assert list(quality_of(Image.open(io.BytesIO(photo.content)))) == seen
