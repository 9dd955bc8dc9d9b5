from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest

from domain.employment import ContractKind
from domain.enrolment import current_form
from domain.formulas import Family
from domain.waivers import waiver_reasons
from messages.forms import (
    FormContent,
    FormDependant,
    render_affiliation_form,
    render_pre_affiliation_form,
    waiver_labels,
)
from messages.legal import current_version
from tests.messages.documents import BAD_SPACE, MILLIMETRE, assert_accessible, flat, pages_of, shows_code, stretches
from tests.messages.samples import FAMILY_FORM, FORM, LONG_NAME, WIDE_NAME, named_form


def ticked(page: str) -> int:
    return len(re.findall(r"\bX\b", page))


def test_prefilled_form(output: Path) -> None:
    pdf = render_affiliation_form(FORM)
    (output / "form-prefilled.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    packed = re.sub(r"\s", "", page)
    for digits in ("292033417204518", "FR7630006000011234567890189", "73282932000074", "10031992", "190013417204512"):
        assert digits in packed
    assert ticked(page) == 4  # civility, scheme, status, formula
    assert not BAD_SPACE.search(flat(page))
    kinds = [kind for kind, _ in assert_accessible(pdf, "Bulletin individuel")]
    assert kinds.count("/H1") == 1
    assert kinds.count("/H2") == 7
    assert kinds.count("/TH") == 10
    assert kinds.count("/TR") == 7  # a head of two rows, a partner and four children


def test_a_whole_family(output: Path) -> None:
    pdf = render_affiliation_form(FAMILY_FORM)
    (output / "form-family.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    # civility, scheme, status, path, PACS, formula, télétransmission; four children: attached to both, students
    assert ticked(page) == 7 + 4 * 2
    assert flat(page).count("84,00\u00a0€") == 1
    assert "prix par mois" in page


def test_a_waiver() -> None:
    content = FormContent(path="waive", waiver_reason="c2s", waiver_until=date(2027, 1, 31), waiver_proof="sworn")
    (page,) = pages_of(render_affiliation_form(content))
    assert ticked(page) == 3
    assert "31012027" in re.sub(r"\s", "", page)


def test_the_form_on_paper_asks_what_the_form_online_asks() -> None:
    asked = {
        "civility": "Civilité",
        "last_name": "Nom",
        "birth_name": "Nom de naissance",
        "first_names": "Prénoms",
        "birth_date": "Date de naissance",
        "nir": "Numéro de sécurité sociale",
        "scheme": "Régime",
        "line1": "Adresse",
        "line2": "Complément d’adresse",
        "postcode": "Code postal",
        "city": "Ville",
        "email": "Adresse e-mail",
        "phone": "Téléphone",
        "path": "Je souhaite être couvert",
        "waiver_reason": "Je demande une dispense",
        "waiver_until": "Jusqu’au",
        "waiver_proof": "sur l’honneur",
        "has_dependants": "Votre famille",
        "dependants.*.kind": "Conjoint",
        "dependants.*.civil_link": "vie commune",
        "dependants.*.last_name": "Nom",
        "dependants.*.first_names": "Prénom",
        "dependants.*.birth_date": "Date de naissance",
        "dependants.*.nir": "Numéro de sécurité sociale",
        "dependants.*.attached_to": "Rattaché",
        "dependants.*.student": "Étudiant",
        "level": "Votre formule",
        "iban": "IBAN",
        "account_holder": "Titulaire du compte",
        "teletransmission": "Télétransmission",
        "consent_data": "J’accepte que",
        "consent_teletransmission": "la télétransmission",
        "sworn_waiver": "j’atteste être dans le cas coché",
        "declaration_of_honour": "j’atteste sur l’honneur",
        "signature": "Signature",
        "identity_correct": "Corrigez ce qui est faux",
    }
    form = current_form()
    fields = {f.name for step in form.steps for f in step.fields}
    fields |= {f"{group.name}.*.{f.name}" for group in form.groups for f in group.fields}
    assert fields == set(asked)
    page = flat(pages_of(render_affiliation_form(FORM))[0])
    assert not [text for text in asked.values() if text not in page]


def test_every_reason_for_a_waiver_has_its_words() -> None:
    page = flat(pages_of(render_affiliation_form(None))[0])
    for kind in ContractKind:
        for _, label in waiver_labels(waiver_reasons(date(2026, 11, 23), kind)):
            assert label in page


def test_the_reasons_given_are_those_shown() -> None:
    page = flat(pages_of(render_affiliation_form(FormContent(waivers=(("c2s", "Un seul motif"),))))[0])
    assert "Un seul motif" in page
    assert "CDD" not in page


def test_prices_are_shown_for_the_levels_that_have_them() -> None:
    content = FormContent(prices={"OPTION 1": {Family.SEUL: 4300, Family.DUO: 8300}})
    page = flat(pages_of(render_affiliation_form(content))[0])
    assert "43,00\u00a0€" in page
    assert page.count("€") == 2


def test_blank_form(output: Path) -> None:
    pdf = render_affiliation_form(None)
    (output / "form-blank.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    assert "Référence" not in page
    assert "répondre en ligne" in page
    assert not ticked(page)
    assert not BAD_SPACE.search(flat(page))
    assert not [kind for kind, _ in assert_accessible(pdf, "Bulletin individuel") if kind == "/Figure"]


def test_the_text_that_is_signed_names_its_version() -> None:
    assert f"version\u00a0{current_version()}" in flat(pages_of(render_affiliation_form(FORM))[0])


def test_a_scanner_finds_the_reference_and_the_corners() -> None:
    pdf = render_affiliation_form(FORM)
    assert shows_code(pdf, 0, FORM.reference, right=15, bottom=297 - 11 - 15, side=15)
    image = pypdfium2.PdfDocument(pdf)[0].render(scale=4).to_pil().convert("L")
    step = 4 * MILLIMETRE
    for x in (8 * step, image.width - 8 * step):
        for y in (8 * step, image.height - 8 * step):
            assert image.getpixel((int(x), int(y))) == 0


def test_corner_marks_and_empty_boxes_are_not_read_aloud() -> None:
    with pikepdf.open(io.BytesIO(render_affiliation_form(None))) as pdf:
        assert sum(tag == "/Artifact" for tag, _ in stretches(pdf)) > 10


def test_a_form_has_room_for_four_children() -> None:
    with pytest.raises(ValueError, match="4 children"):
        render_affiliation_form(FormContent(children=(FormDependant(),) * 5))


@pytest.mark.parametrize("name", [LONG_NAME, WIDE_NAME, "محمد عبد الرحمن العلوي"])
def test_long_and_foreign_names_stay_on_the_page(name: str) -> None:
    (page,) = pages_of(render_affiliation_form(replace(named_form(name), prices=FAMILY_FORM.prices)))
    assert "Signature" in page


def test_a_foreign_iban_has_its_boxes() -> None:
    (page,) = pages_of(render_affiliation_form(FormContent(iban="MT84 MALT 0110 0001 2345 MTLC AST0 01S")))
    assert "MT84MALT011000012345MTLCAST001S" in re.sub(r"\s", "", page)


def test_what_is_too_long_for_its_boxes_is_written_out() -> None:
    (page,) = pages_of(render_affiliation_form(FormContent(iban="FR" + "1" * 40)))
    assert "FR" + "1" * 40 in page


def test_pre_affiliation_form(output: Path) -> None:
    pdf = render_pre_affiliation_form()
    (output / "form-pre-affiliation.pdf").write_bytes(pdf)
    (page,) = pages_of(pdf)
    for asked in ("SIRET", "Identifiant entreprise", "Numéro de sécurité sociale", "Date d’embauche", "e-mail"):
        assert asked in page
    assert not BAD_SPACE.search(flat(page))
    assert_accessible(pdf, "pré-affiliation")
