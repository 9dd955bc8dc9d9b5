"""Each row of what a DSN says of rights, and what is proposed of it."""

from __future__ import annotations

from datetime import date

import pytest

from domain.departures import Period
from domain.dsn.changes import Change, ChangeKind, Decision, changes_of
from domain.dsn.facts import facts_of
from domain.dsn.reading import declarations, survey
from tests.domain.dsn.files import ADHESION, Monthly, Rubriques, block, contract, envoi, person, written


def proposed(*declared: Monthly, ours: tuple[str, ...] = (ADHESION,)) -> list[Change]:
    source = written(envoi(*declared))
    return [change for one in declarations(source, survey(source)) for change in changes_of(facts_of(one), ours)]


def kinds(found: list[Change]) -> list[ChangeKind]:
    return [one.kind for one in found]


def monthly(*people: Rubriques, **declared: str) -> Monthly:
    return Monthly(list(people), **declared)  # type: ignore[arg-type]


def test_somebody_hired_in_the_month_is_affiliated_from_the_first_day_of_their_contract() -> None:
    (found,) = proposed(monthly(person(contract(start="13042026"))))
    assert (found.kind, found.on, found.decision) == (ChangeKind.hire, date(2026, 4, 13), Decision.automatic)


def test_somebody_hired_before_is_nothing_new() -> None:
    assert proposed(monthly(person(contract(start="15102025")))) == []


def test_an_affiliation_that_begins_later_than_the_contract_counts_from_its_own_day() -> None:
    later = [*contract(affiliated=False), *block("S21.G00.70", r012="1", r013="100", r014="01042026")]
    (found,) = proposed(monthly(person(later)))
    assert (found.kind, found.on) == (ChangeKind.hire, date(2026, 4, 1))


def test_on_another_insurers_contract_nobody_is_our_business() -> None:
    assert proposed(monthly(person(contract(start="13042026", end="20042026"))), ours=("AUTRE",)) == []


@pytest.mark.parametrize(
    ("reason", "decision", "portability"),
    [
        ("031", Decision.automatic, Period(date(2026, 5, 1), date(2027, 4, 30))),
        ("087", Decision.automatic, Period(date(2026, 5, 1), date(2027, 4, 30))),
        ("059", Decision.automatic, None),
        ("088", Decision.automatic, None),
        ("058", Decision.review, None),
        ("777", Decision.review, None),
    ],
)
def test_an_end_closes_at_the_months_end_and_its_reason_says_what_follows(
    reason: str, decision: Decision, portability: Period | None
) -> None:
    (found,) = proposed(monthly(person(contract(end="20042026", reason=reason))))
    assert (found.kind, found.on, found.reason) == (ChangeKind.end, date(2026, 4, 30), reason)
    assert (found.decision, found.portability) == (decision, portability)


@pytest.mark.parametrize("nature", ["29", "80", "81"])
def test_the_end_of_a_traineeship_or_a_mandate_is_for_a_person(nature: str) -> None:
    lines = [
        ("S21.G00.40.007", nature) if code == "S21.G00.40.007" else (code, value)
        for code, value in contract(end="20042026")
    ]
    (found,) = proposed(monthly(person(lines)))
    assert found.decision is Decision.review


def test_an_affiliation_said_to_go_on_closes_nothing() -> None:
    (found,) = proposed(monthly(person(contract(end="30042026", kept=True))))
    assert (found.kind, found.decision) == (ChangeKind.continued, Decision.review)


def test_an_end_taken_back_is_told_with_the_contract_it_is_about() -> None:
    (found,) = proposed(monthly(person(contract(end="20042026", reason="099"))))
    assert found.kind is ChangeKind.end_cancelled
    assert found.contract is not None
    assert found.contract.number == "CT0002"


@pytest.mark.parametrize("reason", ["100", "998"])
def test_a_transfer_is_no_end(reason: str) -> None:
    (found,) = proposed(monthly(person(contract(end="20042026", reason=reason))))
    assert (found.kind, found.decision) == (ChangeKind.moved, Decision.review)


def test_who_has_another_contract_on_the_same_insurance_stays() -> None:
    two = person(contract(end="20042026"), contract(number="CT0003"))
    assert proposed(monthly(two)) == []


def test_whose_other_contract_ends_the_same_month_leaves() -> None:
    two = person(contract(end="20042026"), contract(number="CT0003", end="28042026"))
    assert kinds(proposed(monthly(two))) == [ChangeKind.end, ChangeKind.end]


def test_an_affiliation_that_ends_without_its_contract_brings_no_portability() -> None:
    ended = [*contract(affiliated=False), *block("S21.G00.70", r012="1", r013="100", r015="30042026")]
    (found,) = proposed(monthly(person(ended)))
    assert (found.kind, found.on, found.portability) == (ChangeKind.affiliation_end, date(2026, 4, 30), None)


def test_an_establishment_that_covers_nobody_and_a_person_who_is_missing_end_nothing() -> None:
    assert proposed(Monthly([], type="02", covered="02")) == []
    assert proposed(monthly(person(contract())), monthly(order="2", type="02")) == []


def test_dependants_come_and_go_by_what_is_said_of_them_only() -> None:
    leo = block("S21.G00.73", r003="02", r004="01032015", r005="15012008", r006="SILVA", r009="LÉO")
    gone = [*leo, ("S21.G00.73.011", "30042026")]
    (here,) = proposed(monthly(person(contract(dependants=[leo]))))
    (left,) = proposed(monthly(person(contract(dependants=[gone]))))
    assert here.dependant is not None
    assert left.dependant is not None
    assert (here.dependant.ended_on, left.on) == (None, date(2026, 4, 30))
    assert here.key != left.key
    assert proposed(monthly(person(contract()))) == []


def test_a_number_that_becomes_known_comes_before_everything_else() -> None:
    lines = person(contract(end="20042026"))
    lines.insert(5, ("S21.G00.30.020", "2999000417M0005"))
    found = proposed(monthly(lines))
    assert kinds(found) == [ChangeKind.identity, ChangeKind.end]


@pytest.mark.parametrize("reason", ["501", "632", "635", "639"])
def test_unpaid_leave_is_looked_at_and_never_ends_anything(reason: str) -> None:
    leave = block("S21.G00.65", r001=reason, r002="01042026", r003="30092026")
    (found,) = proposed(
        monthly(person([*contract(affiliated=False), *leave, *block("S21.G00.70", r012="1", r013="100")]))
    )
    assert (found.kind, found.decision) == (ChangeKind.suspended, Decision.review)


def test_paid_leave_changes_nothing_and_a_cancelled_one_is_told() -> None:
    holidays = block("S21.G00.65", r001="200", r002="01042026")
    undone = block("S21.G00.65", r001="998", r002="01042026", r003="30092026")
    found = proposed(monthly(person([*contract(affiliated=False), *holidays, *undone])))
    assert kinds(found) == [ChangeKind.suspension_cancelled]


def test_the_fin_de_contrat_and_the_month_that_follows_it_tell_one_event() -> None:
    told = proposed(
        Monthly([person(contract(end="20042026"))], nature="07"),
        monthly(person(contract(end="20042026", reason="043"))),
    )
    ends = [one for one in told if one.kind is ChangeKind.end]
    assert len({one.key for one in ends}) == 1
    assert [one.reason for one in ends] == ["031", "043"]


@pytest.mark.parametrize("nature", ["04", "05", "09", "10", "42"])
def test_other_natures_say_nothing_of_rights(nature: str) -> None:
    assert proposed(Monthly([person(contract(start="13042026", end="20042026"))], nature=nature)) == []


def test_a_contract_moved_to_another_establishment_goes_on() -> None:
    lines = [*contract(affiliated=False), *block("S21.G00.41", r001="01042026", r012="99900041700026")]
    (found,) = proposed(monthly(person(lines)))
    assert (found.kind, found.decision) == (ChangeKind.moved, Decision.confirm)


def test_somebody_in_doubt_brings_no_change_and_the_others_do() -> None:
    doubted = [line for line in person(contract(start="13042026")) if line[0] != "S21.G00.30.001"]
    other = person(contract(start="13042026"), nir="2010799999017", name="SILVA")
    (found,) = proposed(monthly(doubted, other))
    assert found.person.birth_name == "SILVA"
