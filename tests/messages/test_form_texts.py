"""Whatever the form asks, refuses or advises has its words in every language: a new one without words fails here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from domain import dependants, formulas, waivers
from domain.document_advice import AdviceCode
from domain.employment import ContractKind
from domain.enrolment import FormField, Kind, current_form
from domain.identifiers import (
    IBAN_EXAMPLE,
    NIR_EXAMPLE,
    PHONE_EXAMPLE,
    SIRET_EXAMPLE,
    parse_iban,
    parse_nir,
    parse_phone,
    parse_siret,
)
from domain.media import Language
from domain.pieces import PieceCode
from gateways.files.findings import MAX_BYTES, MAX_PAGES, RefusalCode
from messages.catalogue import Catalogue, catalogue
from messages.errors import _GROUPED
from services.document_checks import RefusalReason
from services.documents import MOST_AN_HOUR, MOST_BYTES, MOST_BYTES_IN_ALL, MOST_FILES, MOST_PER_PIECE
from tests.messages.test_errors import codes_of

DAY = date(2026, 11, 23)
STATUSES = ("to_do", "draft", "sent", "checking", "missing_pieces", "complete", "waived", "closed")
AREAS = ("form.", "waiver.", "document.", "status.", "error.")
# Nothing to say before these are answered: the choices, or the legal text beside them, say it.
WITHOUT_HINT = frozenset(
    [
        "form.civility",
        "form.consent_data",
        "form.consent_teletransmission",
        "form.declaration_of_honour",
        "form.dependants.kind",
        "form.sworn_waiver",
    ]
)

every_language = pytest.mark.parametrize("language", Language)


def _fields() -> Iterator[tuple[str, FormField]]:
    """Every field with its key; one of a group stands below the group."""
    for step in current_form().steps:
        yield from ((f"form.{field.name}", field) for field in step.fields)
        for group in step.groups:
            yield from ((f"form.{group.name}.{field.name}", field) for field in group.fields)


def _reasons() -> dict[str, waivers.WaiverReason]:
    return {reason.code: reason for kind in ContractKind for reason in waivers.waiver_reasons(DAY, kind)}


def _choices(field: FormField) -> tuple[str, ...]:
    if field.choices == "levels":
        return formulas.levels(DAY)
    return () if field.choices == "waivers" else tuple(field.choices)


def _wanted() -> set[str]:
    keys = {"form.yes", "form.no", "form.optional", "form.required_notice"}
    for step in current_form().steps:
        keys |= {f"form.step.{step.name}.title", f"form.step.{step.name}.intro"}
        for group in step.groups:
            keys |= {f"form.{group.name}.{part}" for part in ("title", "add", "remove")}
    for key, field in _fields():
        keys.add(f"{key}.label")
        if key not in WITHOUT_HINT:
            keys.add(f"{key}.hint")
        keys |= {f"{key}.choice.{choice.replace(' ', '_')}" for choice in _choices(field)}
    keys |= {f"waiver.{code}.{part}" for code in _reasons() for part in ("label", "hint")}
    keys |= {f"document.refused.{code}" for code in _refusals()}
    keys |= {f"document.reason.{reason}" for reason in RefusalReason}
    keys |= {f"document.kind.{piece}.hint" for piece in PieceCode}
    keys |= {f"document.advice.{code}" for code in AdviceCode}
    keys |= {f"status.{status}" for status in STATUSES}
    return {*keys, "document.scan.pending"}


def _refusals() -> set[str]:
    """What inspection and our own rules refuse, and two troubles that a page shows in the same place."""
    own = codes_of("services/documents.py", "DocumentRefused")
    return {*RefusalCode, *own, "unreadable_upload", "storage_unavailable"}


def test_what_our_own_rules_refuse_is_found() -> None:
    found = codes_of("services/documents.py", "DocumentRefused")
    assert found >= {"too_big", "infected", "not_wanted", "too_many_of_a_kind", "too_many", "too_fast"}


@every_language
def test_every_question_and_code_has_its_words(language: Language) -> None:
    assert _wanted() - catalogue(language).keys == set()


@every_language
def test_no_words_are_left_over(language: Language) -> None:
    """A text that nothing asks for is a question that is gone, or a slip in a key."""
    wanted = _wanted()
    wanted |= {f"{key}.hint" for key in wanted if ".choice." in key}  # where a choice wants a line more
    ours = {key for key in catalogue(language).keys if key.startswith(AREAS)}
    assert {key for key in ours - wanted if not key.startswith("error.")} == set()


@every_language
def test_same_keys_values_and_marks_as_in_french(language: Language) -> None:
    french, other = catalogue(Language.fr), catalogue(language)
    ours = {key for key in french.keys if key.startswith(AREAS)}
    assert {key for key in other.keys if key.startswith(AREAS)} == ours
    for key in sorted(ours):
        source, text = french.source(key), other.source(key)
        assert text.count("{") == source.count("{"), key
        assert "{number}" in text or "{number}" not in source, key
        assert "{name}" in text or "{name}" not in source, key
        assert "{example}" in text or "{example}" not in source, key
        assert text.count("**") == source.count("**"), key
        assert "<" not in text, key
        assert "  " not in text, key


@every_language
@pytest.mark.parametrize(
    ("kind", "example"),
    [
        (Kind.nir, _GROUPED[NIR_EXAMPLE]),
        (Kind.iban, _GROUPED[IBAN_EXAMPLE]),
        (Kind.phone, PHONE_EXAMPLE),
        (Kind.email, "camille.martin@exemple.fr"),
        (Kind.postcode, "75011"),
        (Kind.birth_date, "/"),
        (Kind.day, "31/12/2026"),
    ],
)
def test_a_hint_says_the_format_by_a_valid_example(language: Language, kind: Kind, example: str) -> None:
    keys = [key for key, field in _fields() if field.kind is kind]
    assert keys
    for key in keys:
        assert example in catalogue(language).text(f"{key}.hint"), key


def test_the_examples_are_the_domains_and_valid() -> None:
    assert parse_nir(_GROUPED[NIR_EXAMPLE]) == NIR_EXAMPLE
    assert parse_iban(_GROUPED[IBAN_EXAMPLE]) == IBAN_EXAMPLE
    assert parse_siret(_GROUPED[SIRET_EXAMPLE]) == SIRET_EXAMPLE
    assert parse_phone(PHONE_EXAMPLE)


@every_language
def test_figures_in_texts_are_those_of_the_rules(language: Language) -> None:
    texts, rule = catalogue(language), dependants._rule(DAY)
    for key, *figures in (
        ("form.dependants.student.hint", rule.child_until, rule.student_until),
        ("error.student.missing", rule.child_until),
        ("error.student.not_a_student", rule.child_until, rule.student_until),
        ("error.birth_date.child_too_old", rule.student_until),
        ("error.dependants.too_many", rule.most),
        ("document.refused.too_big", MOST_BYTES // 2**20, MAX_BYTES // 2**20),
        ("document.refused.too_many_pages", MAX_PAGES),
        ("document.refused.too_many_of_a_kind", MOST_PER_PIECE),
        ("document.refused.too_many", MOST_FILES, MOST_BYTES_IN_ALL // 2**20),
    ):
        _says(texts, key, figures)
    for code, reason in _reasons().items():
        _says(texts, f"waiver.{code}.hint", [reason.max_months])
    assert MOST_AN_HOUR, "document.refused.too_fast speaks of an hour"


def _says(texts: Catalogue, key: str, figures: list[int]) -> None:
    for figure in figures:
        assert str(figure) in texts.text(key), key


@every_language
def test_papers_keep_their_french_names(language: Language) -> None:
    """People hold them in their hands: a translation alone finds none of them."""
    texts = catalogue(language)
    for key, name in (
        ("form.step.social_security.intro", "carte Vitale"),
        ("form.step.social_security.intro", "attestation de droits"),
        ("form.nir.hint", "carte Vitale"),
        ("form.iban.hint", "RIB"),
        ("form.dependants.civil_link.choice.pacs", "PACS"),
        ("form.dependants.attached_to.label", "attestation de droits"),
        ("document.kind.social_security_certificate.hint", "ameli.fr"),
        ("waiver.c2s.label", "C2S"),
        ("waiver.individual_cover.hint", "mutuelle"),
    ):
        assert name in texts.text(key), key


@every_language
def test_levels_keep_their_names(language: Language) -> None:
    for level in formulas.levels(DAY):
        assert catalogue(language).text(f"form.level.choice.{level.replace(' ', '_')}").startswith(level)
