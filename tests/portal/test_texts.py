"""Every text of the employee's pages comes from the catalogues, and every text there is used."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

import portal
from domain.enrolment import FormField, current_form
from domain.media import Language
from messages.catalogue import Catalogue, catalogue
from portal.frame import offered

FOLDER = Path(portal.__file__).parent
TEMPLATES = sorted((FOLDER / "templates" / "employee").glob("*.html"))
# in pieces: what stands behind comes from a code (a step's state, the reason of a refusal)
ENDINGS = {
    "page.note.": {"kept", "conflict", "more", "person_removed", "file_removed", "file_received", "changed"},
    "page.state.": {"done", "to_do", "to_correct"},
    "page.receipt.received.": {"online", "paper"},
    "page.declined.": {"not_me", "left_company"},
    "page.decline.": {"not_me", "not_me.effect", "left_company", "left_company.effect"},
    "page.recover.": {"code", "siret", "last_name", "birth_date"},
}


def used() -> set[str]:
    keys: set[str] = set()
    for path in [*TEMPLATES, *FOLDER.glob("*.py")]:
        keys |= set(re.findall(r'"(page\.[\w.]+)"', path.read_text()))
    for beginning, endings in ENDINGS.items():
        keys.discard(beginning)
        keys |= {beginning + ending for ending in endings}
    return keys


def test_every_text_is_there_and_is_used() -> None:
    there = {key for key in catalogue(Language.fr).keys if key.startswith("page.")}
    problems = {key for key in there if key.startswith("page.problem.") and key != "page.problem.back"}
    assert used() == there - problems
    for key in problems:
        name = key.rpartition(".")[0]
        assert {f"{name}.title", f"{name}.detail"} <= problems


def test_every_language_is_offered() -> None:
    assert offered() == tuple(Language)


@pytest.mark.parametrize("language", offered())
def test_a_text_names_the_same_values_in_every_language(language: Language) -> None:
    french, other = catalogue(Language.fr), catalogue(language)
    for key in french.keys:
        if key.startswith("page."):
            assert _values(other, key) == _values(french, key), key


@pytest.mark.parametrize("language", offered())
def test_every_question_has_its_words(language: Language) -> None:
    keys = catalogue(language).keys
    for step in current_form().steps:
        assert {f"form.step.{step.name}.title", f"form.step.{step.name}.intro"} <= keys
        for field in step.fields:
            assert _words(f"form.{field.name}", field) <= keys
        for group in step.groups:
            assert {f"form.{group.name}.{what}" for what in ("title", "add", "remove")} <= keys
            for field in group.fields:
                assert _words(f"form.{group.name}.{field.name}", field) <= keys


def test_templates_hold_no_words_of_their_own() -> None:
    for path in TEMPLATES:
        source = path.read_text().replace("{% block look %}employee{% endblock %}", "")  # a class of the style sheet
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
        source = re.sub(r"<[^>]*>|[\w-]+=\"[^\"]*\"", " ", source)
        words = re.findall(r"[^\W\d_]{2,}", source.replace("PD-H4RZ8", ""))
        assert not [word for word in words if word not in _EXAMPLE], path.name


_EXAMPLE = {"QXT", "PD", "RZ"}  # of a letter's code


def _words(key: str, field: FormField) -> set[str]:
    choices = field.choices if isinstance(field.choices, tuple) else ()
    return {f"{key}.label"} | {f"{key}.choice.{choice.replace(' ', '_')}" for choice in choices}


def _values(texts: Catalogue, key: str) -> set[str]:
    """Of all its plural forms together: one of them may say « one » in letters."""
    found: set[str] = set()
    for count in (None, 0, 1, 2, 3, 11, 100):
        with contextlib.suppress(IndexError):
            found |= set(re.findall(r"\{(\w+)\}", texts.source(key, count)))
    return found
