"""Every answer of the form, read as people type it; every wrong one told at its path, with an example that is right."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.employment import ContractKind
from domain.enrolment import Kind, current_form
from domain.identifiers import Civility
from domain.pieces import Piece
from domain.synthetic import synthetic_iban, synthetic_nir
from services.enrolment_form import (
    Circumstances,
    Enrolment,
    Joining,
    Waiving,
    choices_of,
    pieces_needed,
    read,
    shown,
    warnings,
)
from services.fields import today
from services.problems import FieldError, InvalidFields
from tests.domain.strategies import ibans, nirs
from tests.enrolling import alone, family, waived

FORM = current_form()
NOW = Circumstances(date(2026, 11, 2), ContractKind.cdi)

WRONG: dict[Kind, tuple[str, ...]] = {
    Kind.yes_no: ("oui", "1", "peut-être"),
    Kind.choice: ("autre", "0", "😀"),
    Kind.consent: ("no", "0"),
    Kind.name: ("x" * 61, "a\u0000b", "\u200b", "a\u202eb"),
    Kind.day: ("demain", "31/02/2026", "2026-13-01", "1/1/27", "12-2026"),
    Kind.birth_date: ("demain", "31/02/1990", "01/01/1899", "01/01/2999", "1990"),
    Kind.nir: ("2 75 06", "275067599000198", "bonjour", "2" * 200),
    Kind.iban: ("FR76", "FR7699999000010000000000116", "x" * 100),
    Kind.address_line: ("x" * 101, "a\u0000b"),
    Kind.postcode: ("7501", "00100", "Paris"),
    Kind.city: ("x" * 39, "a\rb"),
    Kind.email: ("camille", "camille@gmail.con", "a@b@c"),
    Kind.phone: ("12", "bonjour", "0899123456"),
}


def errors(answers: dict[str, str], circumstances: Circumstances = NOW, on_paper: bool = False) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        read(FORM, answers, circumstances, on_paper)
    return {error.field: error.code for error in refused.value.errors}


def wrong(answers: dict[str, str]) -> dict[str, FieldError]:
    """Every wrong answer, by its path."""
    try:
        read(FORM, answers, NOW)
    except InvalidFields as refused:
        return {error.field: error for error in refused.errors}
    return {}


EVERYTHING = {
    **family(identity_correct="no", civility="M", last_name="Silva", birth_name="Costa", first_names="Rui"),
    "line2": "Bât. B",
    "email": "rui@exemple.fr",
    "phone": "06 39 98 00 01",
    "dependants.p1.nir": synthetic_nir(Civility.monsieur, date(1974, 2, 3), order=7),
}
WAIVED = waived(waiver_reason="c2s", waiver_until="01/05/2027", waiver_proof="document")
CASES = [
    pytest.param(answers, question.path, question.field.kind, id=question.path)
    for answers in (EVERYTHING, WAIVED)
    for question in FORM.case(answers).questions
    if answers is EVERYTHING or question.path.startswith(("waiver", "sworn"))
    if question.path != "dependants.k1.student"
]


def test_every_question_of_the_form_is_asked_below() -> None:
    asked = {path for case in CASES for path in [str(case.values[1])]}
    names = {path.split(".")[-1] for path in asked}
    fields = {field.name for step in FORM.steps for field in step.fields}
    fields |= {field.name for group in FORM.groups for field in group.fields}
    assert fields <= names


def test_the_answers_that_the_others_spoil_are_right() -> None:
    assert isinstance(read(FORM, EVERYTHING, NOW).outcome, Joining)
    assert isinstance(read(FORM, WAIVED, NOW).outcome, Waiving)


@pytest.mark.parametrize(("answers", "path", "kind"), CASES)
def test_a_wrong_answer_is_told_at_its_path_with_an_example_that_is_right(
    answers: dict[str, str], path: str, kind: Kind
) -> None:
    for typed in WRONG[kind]:
        with pytest.raises(InvalidFields) as refused:
            read(FORM, {**answers, path: typed}, NOW)
        [error] = [error for error in refused.value.errors if error.field == path]
        assert error.example is not None
        assert typed not in error.message.removesuffix(error.example) or len(typed) < 3
        # it can be read; whether it suits the other answers is another question
        again = wrong({**answers, path: error.example}).get(path)
        assert again is None or again.code != error.code


@pytest.mark.parametrize(("answers", "path", "kind"), CASES)
def test_what_is_required_is_asked_for_and_what_is_not_may_be_left(
    answers: dict[str, str], path: str, kind: Kind
) -> None:
    field = FORM.knows(path)
    assert field is not None
    told = wrong({name: value for name, value in answers.items() if name != path})
    if field.required or path in ("waiver_until", "dependants.k2.student"):  # asked for by this reason, at this age
        assert told[path].example is not None
    else:
        assert not told


def test_the_questions_follow_the_answers() -> None:
    assert "level" not in {q.path for q in FORM.case(waived()).questions}
    assert "waiver_reason" not in {q.path for q in FORM.case(alone()).questions}
    assert "consent_teletransmission" not in {q.path for q in FORM.case(alone(teletransmission="no")).questions}
    # an answer to a question that is no longer asked leads nowhere
    stray = FORM.case({**waived(), "teletransmission": "yes", "has_dependants": "yes", "dependants.k1.kind": "child"})
    assert not {"consent_teletransmission", "dependants.k1.kind"} & {q.path for q in stray.questions}
    assert "teletransmission" not in stray.answers


def test_what_cannot_be_chosen_by_this_contract_is_not_offered() -> None:
    field = FORM.knows("waiver_reason")
    assert field is not None
    assert "short_fixed_term" not in choices_of(field, NOW)
    assert "short_fixed_term" in choices_of(field, Circumstances(NOW.starts_on, ContractKind.cdd))
    assert "waiver_reason" in errors(waived(waiver_reason="short_fixed_term"))


def test_a_waiver_wants_its_proof_and_its_end() -> None:
    assert errors(waived(waiver_reason="c2s")) == {"waiver_until": "waiver.end_missing"}
    extra = Circumstances(NOW.starts_on, ContractKind.cdd)
    answers = waived(waiver_reason="fixed_term_12_or_more", waiver_until="01/05/2027")
    assert errors(answers, extra) == {"waiver_proof": "waiver.proof"}
    outcome = read(FORM, waived(waiver_reason="c2s", waiver_until="1.5.2027"), NOW).outcome
    assert outcome == Waiving("c2s", date(2027, 5, 1), sworn=True)


def test_a_family_needs_somebody_and_at_most_one_partner() -> None:
    assert errors(alone(has_dependants="yes")) == {"has_dependants": "dependants.none"}
    second = {path.replace("p1", "p2"): value for path, value in family().items() if ".p1." in path}
    assert errors({**family(), **second}) == {"dependants.p2.kind": "kind.second_partner"}


def test_a_child_born_after_the_hire_is_covered() -> None:
    enrolment = read(FORM, family(**{"dependants.k1.birth_date": f"{today() - timedelta(days=1):%d/%m/%Y}"}), NOW)
    assert isinstance(enrolment.outcome, Joining)


def test_the_documents_follow_from_the_answers_so_far() -> None:
    assert pieces_needed(FORM, {}, NOW) == ()
    assert pieces_needed(FORM, {"path": "join"}, NOW) == (
        Piece.parse("social_security_certificate"),
        Piece.parse("rib"),
    )
    assert pieces_needed(FORM, WAIVED, NOW) == (Piece.parse("waiver_proof"),)
    assert pieces_needed(FORM, waived(), NOW) == ()
    assert read(FORM, family(), NOW).pieces == pieces_needed(FORM, family(), NOW)


def test_on_paper_what_is_left_empty_is_asked_for() -> None:
    answers = alone(iban="", account_holder="", signature="", consent_data="", declaration_of_honour="")
    enrolment = read(FORM, answers, NOW, on_paper=True)
    assert enrolment.unanswered == (Piece.parse("rib"), Piece.parse("signature"))
    assert isinstance(enrolment.outcome, Joining)
    assert enrolment.outcome.iban is None
    assert errors(alone(level=""), on_paper=True) == {"level": "missing"}


def completed(answers: dict[str, str]) -> Enrolment:
    return read(FORM, answers, NOW)


SPACES = st.sampled_from(["", " ", "\u00a0", "\u202f", "-", "."])


def spaced(number: str, every: int, space: str) -> str:
    return space.join(number[start : start + every] for start in range(0, len(number), every))


@given(nir=nirs, space=SPACES, every=st.integers(1, 5))
def test_a_nir_is_read_as_it_is_written(nir: str, space: str, every: int) -> None:
    assert completed(alone(nir=spaced(nir, every, space).lower())).nir == nir


@given(iban=ibans, space=SPACES, every=st.integers(2, 5))
def test_an_iban_is_read_as_it_is_written(iban: str, space: str, every: int) -> None:
    outcome = completed(alone(iban=spaced(iban, every, space).lower())).outcome
    assert isinstance(outcome, Joining)
    assert outcome.iban == iban


@given(
    day=st.dates(date(1900, 1, 1), date(2026, 11, 1)),
    form=st.sampled_from(["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %m %Y", "%d%m%Y", "%Y-%m-%d", " %d / %m / %Y "]),
)
def test_a_date_is_read_as_it_is_written(day: date, form: str) -> None:
    typed = day.strftime(form)
    assert completed(alone(birth_date=typed)).identity.birth_date == day
    assert completed(alone(birth_date=typed.replace("/0", "/"))).identity.birth_date == day


@given(typed=st.text(max_size=60))
def test_no_text_makes_reading_fail_otherwise_than_in_words(typed: str) -> None:
    for path in EVERYTHING:
        assert all(error.message for error in wrong({**EVERYTHING, path: typed}).values())


def test_an_address_that_no_envelope_carries_is_told() -> None:
    assert errors(alone(line1="-")) == {"line1": "address.line1.missing"}
    assert errors(alone(city="12")) == {"city": "address.city.characters"}
    assert set(errors(alone(line1="x" * 90))) == {"line1"}


def test_a_number_that_says_otherwise_than_the_birth_date_is_a_warning_and_stops_nothing() -> None:
    answers = family(birth_date="13/07/1980") | {
        "dependants.p1.nir": synthetic_nir(Civility.monsieur, date(1971, 2, 3), order=7)
    }
    assert isinstance(read(FORM, answers, NOW).outcome, Joining)
    assert [(w.field, w.code) for w in warnings(FORM, answers, "M")] == [
        ("nir", "nir.birth_year"),
        ("nir", "nir.birth_month"),
        ("nir", "nir.civility"),
        ("dependants.p1.nir", "nir.birth_year"),
    ]
    assert warnings(FORM, family(), "MME") == ()
    assert warnings(FORM, {}, "MME") == ()


def test_numbers_are_shown_masked_once_they_are_ones() -> None:
    assert shown(FORM, "nir", "2 75 06 75 990 001 97") == "2 75 06 ••• ••• ••"
    assert shown(FORM, "dependants.k1.nir", "275067599000197") == "2 75 06 ••• ••• ••"
    assert shown(FORM, "iban", synthetic_iban(3)).startswith("FR76 ••••")
    assert shown(FORM, "nir", "2 75 06") == "2 75 06"
    assert shown(FORM, "city", "275067599000197") == "275067599000197"
