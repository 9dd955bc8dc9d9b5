from __future__ import annotations

from datetime import date

import pytest

from domain.dsn.facts import DeclaredPerson, Facts, Kind, Nature, Unreadable, facts_of
from domain.dsn.faults import FaultCode
from domain.dsn.reading import declarations, survey
from tests.domain.dsn.files import ADHESION, SIREN, Monthly, Rubriques, block, contract, envoi, person, written


def read(*declared: Monthly) -> list[Facts]:
    source = written(envoi(*declared))
    return [facts_of(one) for one in declarations(source, survey(source))]


def one_person(lines: Rubriques, **declared: str) -> DeclaredPerson:
    (facts,) = read(Monthly([lines], **declared))  # type: ignore[arg-type]
    (found,) = facts.people
    return found


def changed(lines: list[tuple[str, str]], **values: str) -> list[tuple[str, str]]:
    """A person whose own rubriques are replaced, added or (empty) taken away."""
    own = {code: value for code, value in lines if code.startswith("S21.G00.30.")}
    own |= {f"S21.G00.30.{name[1:]}": value for name, value in values.items()}
    rest = [(code, value) for code, value in lines if not code.startswith("S21.G00.30.")]
    return [*sorted((code, value) for code, value in own.items() if value), *rest]


def test_a_declaration_is_known_by_its_establishment_nature_month_fraction_number_and_day() -> None:
    (facts,) = read(Monthly([person(contract())]))
    assert facts.key.siret == f"{SIREN}00018"
    assert (facts.key.nature, facts.key.month, facts.key.fraction) == ("01", date(2026, 4, 1), "11")
    assert facts.key.reference == "05052026202604001"
    assert (facts.nature, facts.kind, facts.replaces, facts.idcc) == (Nature.monthly, Kind.normal, None, "1979")


def test_one_that_replaces_another_names_it() -> None:
    first, second = read(
        Monthly([person(contract())]), Monthly([person(contract())], type="03", order="2", replaces="05052026202604001")
    )
    assert second.kind is Kind.replacing
    assert second.replaces == first.key.reference


def test_a_person_with_their_contract_affiliation_and_dependants() -> None:
    child = block(
        "S21.G00.73", r003="02", r004="01032015", r005="15012008", r006="D'ALMEIDA", r009="LÉO", r011="30042026"
    )
    found = one_person(person(contract(end="20042026", dependants=[child])))
    assert (found.nir, found.birth_name, found.first_names) == ("2750675990001", "D'ALMEIDA", "LÉA")
    assert found.birth_date == date(1975, 6, 12)
    (job,) = found.contracts
    assert (job.began_on, job.number, job.executive, job.local_scheme) == (date(2025, 10, 15), "CT0002", False, False)
    assert job.end is not None
    assert (job.end.on, job.end.reason, job.end.kept) == (date(2026, 4, 20), "031", False)
    (affiliation,) = job.affiliations
    assert affiliation.adhesion.reference == ADHESION
    (leo,) = affiliation.dependants
    assert (leo.kind, leo.birth_date, leo.ended_on, leo.nir) == ("02", date(2008, 1, 15), date(2026, 4, 30), None)
    assert found.doubts == ()


def test_an_affiliation_that_goes_on_is_said() -> None:
    end = one_person(person(contract(end="20042026", kept=True))).contracts[0].end
    assert end is not None
    assert end.kept


def test_a_fin_de_contrat_has_no_month_and_may_end_in_the_future() -> None:
    (facts,) = read(Monthly([person(contract(end="31122026", reason="043"))], nature="07"))
    assert (facts.nature, facts.key.month) == (Nature.contract_end, None)
    assert facts.adhesions[0].covered is None


@pytest.mark.parametrize("text", ["99061975", "12991975", "99991975"])
def test_a_birth_date_in_part_unknown_is_no_doubt(text: str) -> None:
    found = one_person(changed(person(contract()), r006=text))
    assert (found.birth_date, found.doubts) == (None, ())


def test_who_has_no_number_yet_has_the_employers_and_then_both() -> None:
    lines = person(contract(), name="SILVA", first_names="ANA")
    new = one_person(changed(lines, r001="", r020=f"2{SIREN}M0005"))
    assert (new.nir, new.ntt, new.doubts) == (None, f"2{SIREN}M0005", ())
    known = one_person(changed(lines, r001="2010799999017", r020=f"2{SIREN}M0005"))
    assert (known.nir, known.ntt) == ("2010799999017", f"2{SIREN}M0005")


def test_what_a_person_was_called_before_is_told() -> None:
    lines = person(contract())
    lines[5:5] = [
        *block("S21.G00.31", r001="01042026", r008="2750675990099"),
        *block("S21.G00.31", r001="01042026", r009="MARTIN"),
    ]
    found = one_person(lines)
    assert (found.former_nir, found.former_name) == ("2750675990099", "MARTIN")


def test_a_suspension_and_its_cancellation() -> None:
    leave = block("S21.G00.65", r001="639", r002="01042026", r003="30092026")
    undone = block("S21.G00.65", r001="998", r002="01042026", r003="30092026")
    lines = person([*contract(affiliated=False), *leave, *undone])
    first, second = one_person(lines).contracts[0].suspensions
    assert (first.reason, first.first, first.last, first.cancelled) == (
        "639",
        date(2026, 4, 1),
        date(2026, 9, 30),
        False,
    )
    assert second.cancelled


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (changed(person(contract()), r001=""), "S21.G00.30.001"),
        (changed(person(contract()), r006="31021975"), "S21.G00.30.006"),
        (person(), "S21.G00.40"),
        (person(contract(end="31042026")), "S21.G00.62.001"),
        (person([*contract(affiliated=False), *block("S21.G00.70", r005="NC", r012="1", r013="7")]), "S21.G00.70.013"),
    ],
    ids=["nobody", "no day", "no contract", "no such end", "no adhesion"],
)
def test_what_cannot_be_understood_of_one_person_is_a_doubt_with_its_line(lines: Rubriques, what: str) -> None:
    (facts,) = read(Monthly([lines, person(contract(), nir="2010799999017", name="SILVA")]))
    doubted, other = facts.people
    assert what in {fault.expected for fault in doubted.doubts}
    assert all(fault.line >= doubted.line for fault in doubted.doubts)
    assert other.doubts == ()


def test_a_declaration_without_what_identifies_it_is_put_aside() -> None:
    lines = [
        line for line in envoi(Monthly([person(contract())])) if line[0] not in ("S20.G00.05.004", "S90.G00.90.001")
    ]
    lines.insert(-1, ("S90.G00.90.001", str(len(lines) + 1)))
    source = written(lines)
    (one,) = declarations(source, survey(source))
    with pytest.raises(Unreadable) as unreadable:
        facts_of(one)
    assert (unreadable.value.fault.code, unreadable.value.fault.expected) == (FaultCode.incomplete, "S20.G00.05.004")


def test_nobody_covered_is_said_of_the_establishment_and_ends_nothing() -> None:
    (facts,) = read(Monthly([], type="02", covered="02"))
    assert (facts.kind, facts.adhesions[0].covered, facts.people) == (Kind.nobody, False, ())
