"""One row of an import: what follows from the rest of it, and what it comes to by what is known of its person."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from activities.contracts.affiliation_imports import RowState
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir, synthetic_siren, synthetic_siret
from services.affiliation_import_checking import Checked, Known, against_what_is_known, among_each_other
from services.affiliation_import_rows import Perimeter, look_at, told
from services.affiliation_import_views import Severity
from services.pre_affiliation_checks import Place

SIREN = synthetic_siren(77)
SIRET = synthetic_siret(SIREN)
BORN = date(1990, 5, 12)
HERE, ELSEWHERE, PERSON, RUNNING = (UUID(int=number) for number in range(1, 5))
VALUES = {
    "siret": SIRET,
    "civility": "MME",
    "last_name": "Essai",
    "birth_name": "Essai",
    "first_names": "Camille",
    "birth_date": BORN.isoformat(),
    "nir": synthetic_nir(Civility.madame, BORN),
    "email": "camille@exemple.fr",
    "line1": "12 rue des Essais",
    "postcode": "75011",
    "city": "Paris",
    "hired_on": "2026-11-02",
    "professional_status": "NC",
    "scheme": "RG",
    "contract_kind": "cdi",
}


def perimeter(*postcodes: str) -> Perimeter:
    places = [
        Place(synthetic_siret(SIREN, number), "HÔTEL", "VILLE", postcode, SIREN, "HÔTEL")
        for number, postcode in enumerate(postcodes, 1)
    ]
    return Perimeter({place.siret: place for place in places})


def checked(number: int = 2, **changes: str) -> Checked:
    looked = look_at(number, {**VALUES, **changes}, [], Perimeter())
    assert looked.request is not None, looked.problems
    return Checked(looked, RowState.new, UUID(int=9), HERE, VALUES["nir"].encode())


def affiliation(**changes: Any) -> dict[str, Any]:
    """As the database has it, with the contact of `VALUES`."""
    contact = {name: VALUES.get(name) for name in ("email", "line1", "postcode", "city")}
    return {
        **{"id": RUNNING, "establishment_id": HERE, "status": Status.sent, "hired_on": date(2026, 11, 2), "own": False},
        **{**contact, "phone": "+33639980001", "line2": None},
        **changes,
    }


def test_the_only_establishment_and_its_usual_scheme_need_not_be_written() -> None:
    left_out = {name: text for name, text in VALUES.items() if name not in ("siret", "scheme")}
    looked = look_at(2, left_out, [], perimeter("67000"))
    assert looked.request is not None
    assert looked.request.scheme == "RL"
    assert [(repair.field, repair.was) for repair in looked.repairs] == [("siret", ""), ("scheme", "")]


def test_of_several_establishments_one_is_to_be_written() -> None:
    looked = look_at(2, {**VALUES, "siret": ""}, [], perimeter("75011", "67000"))
    assert looked.request is None
    assert [problem.field for problem in looked.problems] == ["siret"]


def test_problems_are_told_in_french_with_an_example_at_their_field() -> None:
    looked = look_at(2, {**VALUES, "email": "camille", "hired_on": "demain"}, [], Perimeter())
    said = {problem.field: problem for problem in told(looked.values, [one.kept() for one in looked.problems])}
    assert set(said) == {"email", "hired_on"}
    assert all("Exemple\u00a0: " in problem.message for problem in said.values())
    assert {problem.severity for problem in said.values()} == {Severity.wrong}


def test_a_number_that_differs_from_the_rest_is_worth_a_look_and_refused_by_nobody() -> None:
    looked = look_at(2, {**VALUES, "civility": "M"}, [], Perimeter())
    assert looked.request is not None
    [said] = told(looked.values, [one.kept() for one in looked.problems])
    assert (said.field, said.severity) == ("nir", Severity.advice)


@pytest.mark.parametrize(
    ("state", "included", "insured_to", "birth_date", "affiliations"),
    [
        pytest.param(RowState.new, True, None, BORN, [], id="known, and nothing runs"),
        pytest.param(RowState.conflict, True, None, date(1971, 2, 3), [], id="somebody else's number"),
        pytest.param(RowState.running, True, None, BORN, [affiliation()], id="runs"),
        pytest.param(RowState.changed, False, None, BORN, [affiliation(email="x@exemple.fr")], id="another address"),
        pytest.param(
            RowState.running, True, None, BORN, [affiliation(email="x@exemple.fr", own=True)], id="their own address"
        ),
        pytest.param(RowState.new, True, None, BORN, [affiliation(establishment_id=ELSEWHERE)], id="runs elsewhere"),
        pytest.param(RowState.insured, True, date(2026, 11, 2), BORN, [], id="insured on that day"),
        pytest.param(RowState.new, True, date(2026, 11, 1), BORN, [], id="insured until the day before"),
        pytest.param(
            RowState.running, True, None, BORN, [affiliation(status=Status.finalised)], id="declared, and waived"
        ),
        pytest.param(
            RowState.new, False, None, BORN, [affiliation(status=Status.abandoned)], id="abandoned: only if asked for"
        ),
        pytest.param(
            RowState.new,
            True,
            None,
            BORN,
            [affiliation(status=Status.abandoned, hired_on=date(2025, 11, 2))],
            id="abandoned a year ago",
        ),
    ],
)
def test_a_row_is_what_is_known_of_its_person(
    state: RowState, included: bool, insured_to: date | None, birth_date: date, affiliations: list[Any]
) -> None:
    row = against_what_is_known(checked(), Known(PERSON, birth_date, insured_to, affiliations))
    assert (row.state, row.included) == (state, included)


def test_the_same_person_twice_is_taken_once_or_settled_first() -> None:
    same = among_each_other([checked(2), checked(3)])
    assert [row.state for row in same] == [RowState.new, RowState.skipped]
    differ = among_each_other([checked(2), checked(3, hired_on="2026-12-01"), checked(4, city="Lyon")])
    assert [row.state for row in differ] == [RowState.conflict] * 3
    assert [one.row for row in differ for one in row.looked.problems if one.row] == [3, 2, 2]
