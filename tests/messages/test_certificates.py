from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from domain.identifiers import InvalidValue
from messages.certificates import CertificateContent, render_certificate
from tests.messages.documents import BAD_SPACE, assert_accessible, flat, pages_of, shows_code
from tests.messages.samples import HOSTILE_NAMES, LONG_NAME, WIDE_NAME

COVERED = CertificateContent(
    reference="0F3A 77C2 0001",
    civility="MME",
    first_names="Camille",
    last_name="Martin",
    company="HÔTELS DU PORT",
    siren="999000003",
    establishment="Le Grand Hôtel du Port",
    siret="99900000300015",
    city="Sète",
    insurer="malakoff_humanis",
    insurer_reference="K0012345",
    formula="BASE CCN HCR NC FAMILLE RG",
    starts_on=date(2026, 3, 1),
    ends_on=None,
    issued_on=date(2026, 11, 23),
)


def text_of(content: CertificateContent) -> str:
    (page,) = pages_of(render_certificate(content))
    return flat(page).replace("\u00a0", " ")


def test_it_says_who_is_covered_since_when_and_by_which_contract(output: Path) -> None:
    pdf = render_certificate(COVERED)
    (output / "certificate.pdf").write_bytes(pdf)
    text = text_of(COVERED)
    for said in (
        "HCR Bien-Être atteste que Madame Camille Martin est affiliée au régime frais de santé",
        "depuis le 1er mars 2026.",
        "HÔTELS DU PORT, SIREN 999 000 003",
        "Le Grand Hôtel du Port, Sète, SIRET 999 000 003 00015",
        "MALAKOFF HUMANIS, numéro K0012345",
        "BASE CCN HCR, non cadre, régime général",
        "Aucune à ce jour",
        "établie le 23 novembre 2026",
        "0F3A 77C2 0001",
    ):
        assert said in text
    assert not BAD_SPACE.search(flat(pages_of(pdf)[0]))
    kinds = [kind for kind, _ in assert_accessible(pdf, "Attestation d’affiliation")]
    assert (kinds.count("/H1"), kinds.count("/H2")) == (1, 2)
    assert shows_code(pdf, 0, COVERED.reference, right=20, bottom=297 - 14 - 15, side=15)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"civility": "M"}, "Monsieur Camille Martin est affilié au"),
        ({"starts_on": date(2026, 12, 1)}, "est affiliée au régime frais de santé de la branche des hôtels, cafés et "
         "restaurants à partir du 1er décembre 2026."),
        ({"ends_on": date(2026, 12, 31)}, "depuis le 1er mars 2026, jusqu’au 31 décembre 2026."),
        ({"ends_on": date(2026, 5, 31)}, "a été affiliée au régime frais de santé de la branche des hôtels, cafés et "
         "restaurants du 1er mars 2026 au 31 mai 2026."),
        ({"formula": "OPTION 1 CCN HCR C DUO RL"}, "OPTION 1 CCN HCR, cadre, régime local Alsace-Moselle"),
    ],
    ids=["a man", "to come", "with an end", "ended", "another formula"],
)  # fmt: skip
def test_every_state_has_its_sentence(changes: dict[str, object], said: str) -> None:
    assert said in text_of(replace(COVERED, **changes))  # type: ignore[arg-type]


def test_it_tells_nothing_of_the_family_nor_any_number_that_could_be_misused() -> None:
    assert not re.search(r"FAMILLE|DUO|SEUL|conjoint|enfant|\bayant", text_of(COVERED))
    assert not set(CertificateContent.__dataclass_fields__) & {"nir", "iban", "birth_date", "dependants"}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_only_ever_a_name(name: str) -> None:
    assert name in flat(pages_of(render_certificate(replace(COVERED, company=name)))[0])


def test_everything_at_its_longest_stays_on_one_page() -> None:
    for name in (LONG_NAME * 3, WIDE_NAME * 2):
        content = replace(COVERED, first_names=name, last_name=name, company=name, establishment=name, city=name)
        assert len(pages_of(render_certificate(content))) == 1


def test_a_formula_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidValue):
        render_certificate(replace(COVERED, formula="BASE"))
