"""The form as data: every edition is sound, and a question is asked exactly when its conditions hold."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.enrolment import Form, FormField, Kind, current_form, form, keys_of
from domain.pieces import Piece, PieceCode

FORM = current_form()
VALUES = ("yes", "no", "join", "waive", "partner", "child", "document", "sworn", "")


def test_an_edition_is_found_by_its_version() -> None:
    assert form(FORM.version) is FORM
    with pytest.raises(KeyError):
        form("1999-01")


def test_names_are_unique_and_conditions_name_earlier_questions() -> None:
    seen: list[str] = []
    for step in FORM.steps:
        assert set(step.when or {}) <= set(seen), step.name
        for field in step.fields:
            assert set(field.when or {}) <= set(seen), field.name
            assert field.name not in seen
            seen.append(field.name)
        for group in step.groups:
            assert set(group.when or {}) <= set(seen)
            inner: dict[str, FormField] = {}
            for field in group.fields:
                assert set(field.when or {}) <= set(inner), field.name
                twin = inner.setdefault(field.name, field)
                # asked in two ways, of different people
                assert twin is field or (twin.when != field.when and twin.kind is field.kind)
        for document in step.documents:
            assert set(document.when or {}) <= set(seen)


def test_choices_stand_where_something_is_chosen_and_conditions_name_possible_answers() -> None:
    fields = {field.name: field for step in FORM.steps for field in step.fields}
    for field in fields.values():
        assert bool(field.choices) is (field.kind is Kind.choice), field.name
    for condition in [f.when for f in fields.values()] + [s.when for s in FORM.steps]:
        for name, values in (condition or {}).items():
            known = fields[name]
            possible = {"yes", "no"} if known.kind is Kind.yes_no else set(known.choices)
            assert set(values) <= possible


def test_every_piece_can_be_asked_for_by_the_form() -> None:
    named = {document.piece for step in FORM.steps for document in step.documents}
    named |= {field.asks for step in FORM.steps for field in step.fields if field.asks}
    assert named == set(PieceCode)


def test_a_path_is_known_with_any_key_and_nothing_else_is() -> None:
    for path in ("nir", "dependants.k1.nir", "dependants.p12.birth_date"):
        assert FORM.knows(path) is not None, path
    for path in ("", "NIR", "dependants", "dependants.nir", "dependants..nir", "dependants.K1.nir", "dependants.k1.x"):
        assert FORM.knows(path) is None, path
    for path in ("dependants.*.nir", "dependants.zoe.nir", "dependants.k1.nir.x", "x.k1.nir", "status"):
        assert FORM.knows(path) is None, path


def test_people_come_in_the_order_of_their_first_answer() -> None:
    answers = {"dependants.k2.kind": "child", "nir": "", "dependants.k1.kind": "child", "dependants.k2.nir": ""}
    assert keys_of(answers, "dependants") == ("k2", "k1")


def test_documents_of_people_are_those_that_their_rules_bring() -> None:
    case = FORM.case({"path": "join", "has_dependants": "yes"})
    school = Piece(PieceCode.school_certificate, "k1")
    documents = case.documents({"k1": (school,), "k2": ()})
    assert documents == (Piece(PieceCode.social_security_certificate), Piece(PieceCode.rib), school)


@given(
    answers=st.dictionaries(
        st.sampled_from(
            ["path", "has_dependants", "teletransmission", "identity_correct", "waiver_proof"]
            + [f"dependants.{key}.{name}" for key, name in itertools.product(("k1", "k2"), ("kind", "nir"))]
        ),
        st.sampled_from(VALUES),
    )
)
def test_a_question_is_asked_exactly_when_all_its_conditions_hold(answers: dict[str, str]) -> None:
    case = FORM.case(answers)
    asked = {question.path for question in case.questions}
    assert set(case.answers) <= asked
    assert all(answers[path] == value for path, value in case.answers.items())
    holds: dict[str, list[bool]] = {}
    for path, conditions in _conditions(FORM, answers):
        holds.setdefault(path, []).append(all(case.answers.get(name, "") in values for name, values in conditions))
    assert {path for path, ways in holds.items() if any(ways)} == asked
    # asking again with what counts changes nothing
    assert FORM.case(case.answers).answers == case.answers


def _conditions(form: Form, answers: dict[str, str]) -> list[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    found = []
    for step in form.steps:
        outer = list((step.when or {}).items())
        found += [(field.name, outer + list((field.when or {}).items())) for field in step.fields]
        for group in step.groups:
            of_group = outer + list((group.when or {}).items())
            for key in keys_of(answers, group.name):
                prefix = f"{group.name}.{key}."
                for field in group.fields:
                    own = [(prefix + name, values) for name, values in (field.when or {}).items()]
                    found.append((prefix + field.name, of_group + own))
    return found
