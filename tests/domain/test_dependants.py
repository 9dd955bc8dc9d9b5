from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dependants import (
    AttachedTo,
    CivilLink,
    Dependant,
    DependantKind,
    Trouble,
    check_dependants,
    pieces_of,
)
from domain.pieces import Piece, PieceCode

TODAY = date(2026, 11, 23)
PARTNER = Dependant(
    "p1", DependantKind.partner, date(1990, 5, 12), civil_link=CivilLink.pacs, attached_to=AttachedTo.own
)
CHILD = Dependant("k1", DependantKind.child, date(2015, 3, 10), attached_to=AttachedTo.employee)

dependants = st.builds(
    Dependant,
    key=st.sampled_from(("p1", "k1", "k2")),
    kind=st.sampled_from(DependantKind),
    birth_date=st.none() | st.dates(date(1850, 1, 1), date(2030, 1, 1)),
    civil_link=st.none() | st.sampled_from(CivilLink),
    student=st.none() | st.booleans(),
    attached_to=st.none() | st.sampled_from(AttachedTo),
)


def found(*dependants: Dependant, on: date = TODAY) -> list[tuple[str, str]]:
    return [(trouble.path, trouble.code) for trouble in check_dependants(dependants, on)]


def codes_of(dependant: Dependant, on: date = TODAY) -> list[PieceCode]:
    return [piece.code for piece in pieces_of(dependant, on)]


# --- who may be a dependant


def test_a_family_without_trouble() -> None:
    student = replace(CHILD, key="k2", birth_date=date(2005, 3, 10), student=True, attached_to=AttachedTo.own)
    assert found() == []
    assert found(PARTNER, CHILD, student) == []


@pytest.mark.parametrize(
    ("birth_date", "student", "code"),
    [
        (date(2008, 11, 24), None, None),  # 18 tomorrow
        (date(2008, 11, 23), None, "student.missing"),  # 18 today
        (date(2008, 11, 23), False, "student.not_a_student"),
        (date(2008, 11, 23), True, None),
        (date(2000, 11, 24), True, None),  # 26 tomorrow
        (date(2000, 11, 23), True, "birth_date.child_too_old"),
        (TODAY, None, None),
        (date(2026, 11, 24), None, "birth_date.in_the_future"),
        (date(1900, 1, 1), True, "birth_date.too_long_ago"),
        (None, None, "birth_date.missing"),
    ],
)
def test_the_ages_of_a_child(birth_date: date | None, student: bool | None, code: str | None) -> None:
    child = replace(CHILD, birth_date=birth_date, student=student)
    expected = [] if code is None else [(f"dependants.k1.{code.split('.')[0]}", code)]
    assert found(child) == expected


@pytest.mark.parametrize(
    ("birth_date", "code"),
    [
        (date(2011, 11, 23), None),
        (date(2011, 11, 24), "birth_date.partner_too_young"),
        (date(2027, 1, 1), "birth_date.in_the_future"),
        (date(1905, 1, 1), "birth_date.too_long_ago"),
        (None, "birth_date.missing"),
    ],
)
def test_the_ages_of_a_partner(birth_date: date | None, code: str | None) -> None:
    expected = [] if code is None else [("dependants.p1.birth_date", code)]
    assert found(replace(PARTNER, birth_date=birth_date)) == expected


def test_somebody_born_on_29_february_turns_on_1_march() -> None:
    child = replace(CHILD, birth_date=date(2008, 2, 29))
    assert found(child, on=date(2026, 2, 28)) == []
    assert found(child, on=date(2026, 3, 1)) == [("dependants.k1.student", "student.missing")]


def test_one_partner_only() -> None:
    assert found(PARTNER, replace(PARTNER, key="p2")) == [("dependants.p2.kind", "kind.second_partner")]


def test_twenty_dependants_at_most() -> None:
    children = [replace(CHILD, key=f"k{number}") for number in range(21)]
    assert found(*children[:20]) == []
    assert found(*children) == [("dependants", "dependants.too_many")]


def test_what_is_not_answered_is_asked() -> None:
    partner = Dependant("p1", DependantKind.partner, date(1990, 5, 12))
    child = Dependant("k1", DependantKind.child, date(2015, 3, 10))
    assert found(partner, child) == [
        ("dependants.p1.civil_link", "civil_link.missing"),
        ("dependants.p1.attached_to", "attached_to.missing"),
        ("dependants.k1.attached_to", "attached_to.missing"),
    ]


@pytest.mark.parametrize("attached_to", [AttachedTo.partner, AttachedTo.both])
def test_a_partner_is_on_no_certificate_of_a_parent(attached_to: AttachedTo) -> None:
    assert found(replace(PARTNER, attached_to=attached_to)) == [("dependants.p1.attached_to", "attached_to.missing")]


def test_there_are_no_rules_before_the_first_day() -> None:
    with pytest.raises(LookupError):
        check_dependants([CHILD], date(2015, 12, 31))
    with pytest.raises(LookupError):
        pieces_of(CHILD, date(2015, 12, 31))


@given(st.lists(dependants, max_size=4), st.dates(date(2016, 1, 1), date(2090, 1, 1)))
def test_the_example_mends_what_it_is_given_for(family: list[Dependant], on: date) -> None:
    for dependant in family:
        for trouble in check_dependants([dependant], on):
            mended = _mended(dependant, trouble)
            assert trouble.path not in {left.path for left in check_dependants([mended], on)}
    for trouble in check_dependants(family, on):
        assert trouble.message[0].isupper()
        assert not any(d.birth_date and d.birth_date.isoformat() in trouble.message for d in family)


def _mended(dependant: Dependant, trouble: Trouble) -> Dependant:
    match trouble.path.rpartition(".")[2]:
        case "birth_date":
            return replace(dependant, birth_date=date.fromisoformat(trouble.example))
        case "student":
            return replace(dependant, student=trouble.example == "yes")
        case "civil_link":
            return replace(dependant, civil_link=CivilLink(trouble.example))
        case "attached_to":
            return replace(dependant, attached_to=AttachedTo(trouble.example))
        case field:
            raise AssertionError(f"no answer mends {field}")


# --- their documents


@pytest.mark.parametrize(
    ("attached_to", "codes"),
    [
        (AttachedTo.own, [PieceCode.partnership_proof, PieceCode.partner_social_security_certificate]),
        (None, [PieceCode.partnership_proof, PieceCode.partner_social_security_certificate]),
        (AttachedTo.employee, [PieceCode.partnership_proof]),
    ],
)
@pytest.mark.parametrize("civil_link", CivilLink)
def test_the_documents_of_a_partner(
    civil_link: CivilLink, attached_to: AttachedTo | None, codes: list[PieceCode]
) -> None:
    assert codes_of(replace(PARTNER, civil_link=civil_link, attached_to=attached_to)) == codes


@pytest.mark.parametrize(
    ("attached_to", "codes"),
    [
        (AttachedTo.employee, []),
        (AttachedTo.partner, [PieceCode.child_social_security_certificate]),
        (AttachedTo.both, [PieceCode.child_social_security_certificate]),
        (AttachedTo.own, [PieceCode.child_social_security_certificate]),
    ],
)
def test_the_documents_of_a_child(attached_to: AttachedTo, codes: list[PieceCode]) -> None:
    young = replace(CHILD, attached_to=attached_to)
    assert codes_of(young) == codes
    grown = replace(young, birth_date=date(2008, 11, 23), student=True)
    assert codes_of(grown) == [*codes, PieceCode.school_certificate]
    assert codes_of(grown, on=date(2026, 11, 22)) == codes


@given(dependants)
def test_documents_carry_the_key_of_whom_they_are_about(dependant: Dependant) -> None:
    pieces = pieces_of(dependant, TODAY)
    assert all(piece.subject == dependant.key and Piece.parse(str(piece)) == piece for piece in pieces)
    assert len(set(pieces)) == len(pieces)
