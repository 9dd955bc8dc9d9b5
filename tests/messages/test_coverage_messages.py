"""What people are told of their rights: every message in every language, by e-mail and by post, and its certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from domain.coverage_rights import EarlyEnd, Opening, RightsMessage
from domain.media import Language
from messages.certificates import Portability, render_radiation
from messages.coverage_messages import CoverageContent, certified, coverage_email, coverage_letter
from messages.typography import NBSP
from tests.messages.documents import BAD_SPACE, assert_accessible, flat, pages_of
from tests.messages.samples import HOSTILE_NAMES, LONG_NAME, WIDE_NAME
from tests.messages.test_certificates import COVERED

RECIPIENT = ("Madame Camille Martin", "12 RUE DES LILAS", "75011 PARIS")
ENDED = CoverageContent(
    first_name="Camille",
    last_name="Martin",
    civility="Madame",
    employer="Le Grand Hôtel du Port",
    city="Sète",
    language=Language.fr,
    reference="0F3A 77C2 0001",
    sent_on=date(2026, 4, 20),
    contract_ends_on=date(2026, 4, 20),
    covered_until=date(2026, 4, 30),
    opening=Opening.open,
    first=date(2026, 5, 1),
    last=date(2027, 4, 30),
    proof_by=date(2026, 6, 30),
    evin_by=date(2026, 10, 20),
)
CLOSED = replace(ENDED, opening=Opening.closed, first=None, last=None)
REVIEW = replace(CLOSED, opening=Opening.review)
RESTORED = replace(ENDED, contract_ends_on=None, opening=Opening.closed, first=None, last=None)
CASES = {
    "open": (RightsMessage.cover_end, ENDED),
    "closed": (RightsMessage.cover_end, CLOSED),
    "review": (RightsMessage.cover_end, REVIEW),
    "first_reminder": (RightsMessage.proof_reminder, ENDED),
    "next_reminder": (RightsMessage.proof_reminder, replace(ENDED, proven_until=date(2026, 7, 31))),
    "term": (RightsMessage.portability_end, ENDED),
    "no_proof": (RightsMessage.portability_end, replace(ENDED, early=EarlyEnd.no_proof, last=date(2026, 4, 30))),
    "new_job": (RightsMessage.portability_end, replace(ENDED, early=EarlyEnd.new_job)),
    "retirement": (RightsMessage.portability_end, replace(ENDED, early=EarlyEnd.retirement)),
    "insurer": (RightsMessage.portability_end, replace(ENDED, early=EarlyEnd.insurer)),
    "cancelled": (RightsMessage.rights_restored, RESTORED),
    "resumed": (RightsMessage.rights_restored, ENDED),
}
EVERY = [pytest.param(case, language, id=f"{case}-{language}") for case, language in product(CASES, Language)]


@pytest.mark.parametrize(("case", "language"), EVERY)
def test_every_message_is_an_e_mail_and_a_letter_of_one_page(case: str, language: Language) -> None:
    message, content = CASES[case]
    content = replace(content, language=language)
    email = coverage_email(message, content)
    assert "\n" not in email.subject
    assert "Martin" not in email.subject
    for part in (email.html, email.text):
        assert "{" not in part.split("<body", 1)[-1]
        assert "**" not in part
        assert content.reference in part
    pages = pages_of(coverage_letter(message, content, RECIPIENT))
    assert len(pages) == 1
    if language is not Language.ar:  # pdfium reads a right-to-left page back to front
        assert content.reference in flat(pages[0])


def test_the_end_of_cover_says_until_when_and_what_to_do() -> None:
    text = coverage_email(RightsMessage.cover_end, ENDED).text.replace(NBSP, " ")
    for said in (
        "chez Le Grand Hôtel du Port, à Sète a pris fin le 20 avril 2026",
        "vous couvre jusqu’au 30 avril 2026",
        "du 1er mai 2026 au 30 avril 2027",
        "avant le 30 juin 2026",
        "Bonjour Madame Martin",
    ):
        assert said in text
    assert "loi Évin" not in text
    assert "loi Évin" in coverage_email(RightsMessage.cover_end, CLOSED).text
    assert "jusqu’au 20 octobre 2026" in coverage_email(RightsMessage.cover_end, CLOSED).text.replace(NBSP, " ")
    assert "loi Évin" not in coverage_email(RightsMessage.cover_end, REVIEW).text


def test_a_letter_that_tells_the_end_of_cover_has_its_certificate_behind(output: Path) -> None:
    covered = replace(COVERED, ends_on=date(2026, 4, 30), issued_on=ENDED.sent_on)
    pdf = coverage_letter(RightsMessage.cover_end, ENDED, RECIPIENT, covered)
    (output / "coverage_letter.pdf").write_bytes(pdf)
    letter, certificate = pages_of(pdf)
    assert "12 RUE DES LILAS" in flat(letter)
    assert "Attestation de radiation" in flat(certificate)
    assert not BAD_SPACE.search(flat(letter))
    assert_accessible(pdf, "Lettre HCR Bien-Être")


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, LONG_NAME, WIDE_NAME])
def test_what_people_typed_breaks_no_message(name: str) -> None:
    content = replace(ENDED, first_name=name, last_name=name, employer=name, city=name)
    email = coverage_email(RightsMessage.cover_end, content)
    assert "<script" not in email.html
    assert len(pages_of(coverage_letter(RightsMessage.cover_end, content, RECIPIENT))) == 1


def test_an_address_that_does_not_fit_the_window_is_refused() -> None:
    for lines in ((), ("x" * 39,), ("x",) * 7):
        with pytest.raises(ValueError, match="an address"):
            coverage_letter(RightsMessage.cover_end, ENDED, lines)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ENDED, "Possible du 1er mai 2026 au 30 avril 2027"),
        (CLOSED, "Non ouverte"),
        (REVIEW, "À l’étude"),
    ],
    ids=["open", "closed", "review"],
)
def test_the_certificate_says_when_the_cover_ends_and_what_of_portability(
    content: CoverageContent, said: str, output: Path
) -> None:
    covered = replace(COVERED, ends_on=date(2026, 4, 30), issued_on=date(2026, 5, 4))
    pdf = render_radiation(covered, certified(content))
    (output / f"radiation_{content.opening}.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    text = flat(page).replace(NBSP, " ")
    assert "a été affiliée au régime frais de santé" in text
    assert "du 1er mars 2026 au 30 avril 2026." in text
    assert said in text
    assert_accessible(pdf, "Attestation de radiation")


def test_there_is_no_certificate_of_an_end_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="no end"):
        render_radiation(COVERED, Portability("closed"))
