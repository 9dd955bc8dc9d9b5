"""Every code that an answer can raise has its sentence: the codes are read from the source, not from a list."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from domain.addresses import _LABELS
from domain.employment import ContractKind
from domain.enrolment import current_form
from domain.identifiers import IBAN_EXAMPLE, NIR_EXAMPLE, NIR_WARNINGS
from domain.media import Language
from messages.catalogue import catalogue
from messages.errors import error_text
from services.enrolment_form import Circumstances, read
from services.fields import _WORDS
from services.problems import InvalidFields

ROOT = Path(__file__).parents[2]

# Who raises a code, and at which place of the call it stands.
RAISERS = {"InvalidValue": 0, "FieldError": 1, "PydanticCustomError": 0, "Trouble": 1, "DocumentRefused": 0}
MODULES = (
    "domain/addresses.py",
    "domain/dependants.py",
    "domain/identifiers.py",
    "domain/waivers.py",
    "services/enrolment_form.py",
    "services/enrolments.py",
    "services/fields.py",
)
EMPLOYERS = "siren."  # no employee is asked for it
# What pydantic raises for choices, and what no source names: the check of a parsed code gives it on.
PYDANTIC = {"literal_error", "enum", "missing", "extra_forbidden"}


# --- the codes of a source file

Function = ast.FunctionDef | ast.AsyncFunctionDef


def codes_of(path: str, *raisers: str) -> set[str]:
    """The codes that a file raises by itself; one that it only hands on is read where it is made."""
    source = _Source(path)
    return set().union(*(source.codes(raiser) for raiser in raisers))


class _Source:
    def __init__(self, path: str) -> None:
        self._path = path
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
        self._calls: dict[ast.Call, Function | None] = {n: None for n in ast.walk(tree) if isinstance(n, ast.Call)}
        for function in functions:  # an outer one comes before those inside it: the innermost stays
            self._calls.update({node: function for node in ast.walk(function) if isinstance(node, ast.Call)})

    def codes(self, raiser: str) -> set[str]:
        found: set[str] = set()
        for call, function in self._calls_of(raiser):
            if len(call.args) <= RAISERS[raiser]:
                continue
            code = call.args[RAISERS[raiser]]
            parameters = _parameters(function) & {n.id for n in ast.walk(code) if isinstance(n, ast.Name)}
            if function is None or not parameters:
                found |= self._strings(code, function, {})
                continue
            for site, outer in self._calls_of(function.name):  # one by one: what is given together belongs together
                given = {name: self._given(site, outer, function, name, frozenset()) for name in parameters}
                found |= self._strings(code, function, given)
        return found

    def _calls_of(self, name: str) -> list[tuple[ast.Call, Function | None]]:
        return [(c, f) for c, f in self._calls.items() if isinstance(c.func, ast.Name) and c.func.id == name]

    def _given(
        self, site: ast.Call, outer: Function | None, function: Function, name: str, seen: frozenset[str]
    ) -> set[str]:
        place = [argument.arg for argument in function.args.args].index(name)
        return self._strings(site.args[place], outer, {}, seen) if place < len(site.args) else set()

    def _strings(
        self,
        node: ast.expr,
        function: Function | None,
        known: dict[str, set[str]],
        seen: frozenset[str] = frozenset(),
    ) -> set[str]:
        """What an expression may come to; a name is followed to what it is given."""
        if isinstance(node, ast.Constant):
            return {str(node.value)}
        if isinstance(node, ast.IfExp):
            return self._strings(node.body, function, known, seen) | self._strings(node.orelse, function, known, seen)
        if isinstance(node, ast.JoinedStr):
            texts = {""}
            for part in node.values:
                value = part.value if isinstance(part, ast.FormattedValue) else part
                texts = {text + end for text in texts for end in self._strings(value, function, known, seen)}
            return texts
        if isinstance(node, ast.Name):
            return known[node.id] if node.id in known else self._of_name(node.id, function, seen)
        if isinstance(node, ast.Attribute | ast.Subscript):
            return set()  # handed on: `invalid.code`, `error["type"]`
        raise AssertionError(f"{self._path}: a code that this test cannot follow: {ast.unparse(node)}")

    def _of_name(self, name: str, function: Function | None, seen: frozenset[str]) -> set[str]:
        where = f"{function.name if function else ''}.{name}"
        if function is None or where in seen:
            return set()
        found: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                found |= self._strings(node.value, function, {}, seen | {where})
        if name in _parameters(function):
            for site, outer in self._calls_of(function.name):
                found |= self._given(site, outer, function, name, seen | {where})
        return found


def _parameters(function: Function | None) -> set[str]:
    return {argument.arg for argument in function.args.args} if function else set()


def _documented() -> set[str]:
    """« Raises InvalidValue `nir.missing|characters|…` »: what the source says of itself."""
    codes = set()
    for path in MODULES[:4]:
        for names in re.findall(r"`([a-z_]+(?:\.[a-z_<>0-9]+)*\.[a-z_|\s]+)`", (ROOT / path).read_text("utf-8")):
            start, _, last = re.sub(r"\s", "", names).rpartition(".")
            if "|" in last and "<" not in start:
                codes |= {f"{start}.{code}" for code in last.split("|")}
    return codes


def _codes() -> set[str]:
    found = set().union(*(codes_of(path, *RAISERS) for path in MODULES))
    found |= _documented() | PYDANTIC | set(_WORDS) | set(NIR_WARNINGS) | {f"address.{name}.length" for name in _LABELS}
    return {code for code in found if not code.startswith(EMPLOYERS)}


# --- what is found


def test_the_source_is_read_as_it_is_meant() -> None:
    """One of each way a code is written; should one go missing, the reading is at fault or the rule is gone."""
    codes = _codes()
    assert {"nir.missing", "nir.key_missing", "nir.sex", "nir.order", "iban.rib_key", "phone.kind"} <= codes
    assert {"email.typo", "postcode.department", "postcode.length", "date_parsing", "date.bounds"} <= codes
    assert {"address.line1.missing", "address.line2.length", "address.city.length", "text.characters"} <= codes
    assert {"waiver.end_missing", "waiver.end_before_start", "waiver.proof", "consent"} <= codes
    assert {"dependants.none", "dependants.too_many", "kind.second_partner", "birth_date.missing"} <= codes
    assert {"student.missing", "student.not_a_student", "attached_to.missing", "civil_link.missing"} <= codes
    assert {"draft.conflict", "document.missing", "extra_forbidden", "literal_error", "missing.unknown"} <= codes
    assert not any(code.endswith(".") or code.startswith(".") for code in codes)


@pytest.mark.parametrize("language", Language)
def test_every_code_has_its_sentence(language: Language) -> None:
    keys = catalogue(language).keys
    assert {code for code in _codes() if f"error.{code}" not in keys} == set()


def test_no_sentence_is_left_over() -> None:
    known = {f"error.{code}" for code in _codes()} | {"error.other", "error.example"}
    assert {key for key in catalogue(Language.fr).keys if key.startswith("error.")} - known == set()


@pytest.mark.parametrize("typed", ["", "?", "0", "\u202ex", "é@è", "1" * 150, "2999-12-31", "31/02/2026", "12.5"])
@pytest.mark.parametrize("path", ["join", "waive"])
def test_whatever_is_typed_is_answered_in_words(path: str, typed: str) -> None:
    """The same as above, from the other side: the form itself, wrong in every field."""
    form = current_form()
    answers = {field.name: typed for step in form.steps for field in step.fields}
    answers |= {f"{g.name}.k1.{field.name}": typed for g in form.groups for field in g.fields}
    answers |= {"path": path, "identity_correct": "no", "has_dependants": "yes", "dependants.k1.kind": "partner"}
    with pytest.raises(InvalidFields) as caught:
        read(form, answers, Circumstances(date(2026, 11, 1), ContractKind.cdi))
    assert {e.code for e in caught.value.errors if f"error.{e.code}" not in catalogue(Language.fr).keys} == set()


# --- the text


def test_a_sentence_and_its_example() -> None:
    text = error_text(catalogue(Language.fr), "postcode.length", "75011")
    assert text == "Le code postal compte 5 chiffres. Vérifiez-le. Exemple\u00a0: 75011"


def test_without_an_example_the_sentence_stands_alone() -> None:
    assert error_text(catalogue(Language.en), "postcode.length") == "The postcode has 5 digits. Check it."


@pytest.mark.parametrize("code", ["unheard_of", "example", "", "kind"])
@pytest.mark.parametrize("language", Language)
def test_an_unknown_code_has_the_general_sentence(language: Language, code: str) -> None:
    texts = catalogue(language)
    assert error_text(texts, code) == texts.text("error.other")


@pytest.mark.parametrize("example", ["yes", "no", "true", "RG", "M", "MME", "join", "BASE", "OPTION 1", "c2s", "own"])
def test_the_code_of_a_choice_is_no_example(example: str) -> None:
    texts = catalogue(Language.fr)
    assert error_text(texts, "missing", example) == texts.text("error.missing")


@pytest.mark.parametrize("example", ["Martin", "12 rue des Lilas", "Paris", "camille.martin@exemple.fr"])
@pytest.mark.parametrize("language", Language)
def test_what_people_type_is_an_example(language: Language, example: str) -> None:
    assert example in error_text(catalogue(language), "missing", example)


def test_examples_are_written_as_people_write_them() -> None:
    texts = catalogue(Language.fr)
    assert error_text(texts, "birth_date.too_long_ago", "1991-03-10").endswith(" 10/03/1991")
    assert error_text(texts, "nir.key", NIR_EXAMPLE).endswith(" 2 75 06 75 990 001 97")
    assert error_text(texts, "iban.checksum", IBAN_EXAMPLE).endswith(" FR76 9999 9000 0100 0000 0000 115")


def test_french_words_are_no_example_in_another_language() -> None:
    texts = catalogue(Language.ar)
    assert error_text(texts, "document.missing", "une photo lisible") == texts.text("error.document.missing")


def test_an_example_keeps_its_direction_in_arabic() -> None:
    text = error_text(catalogue(Language.ar), "phone.invalid", "06 39 98 00 01")
    assert "\u2068" + "06 39 98 00 01" + "\u2069" in text
