from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import formulas
from domain.effect_date import coverage_begins
from domain.formulas import (
    Family,
    Formula,
    ProfessionalStatus,
    Scheme,
    family_of,
    formula_code,
    formula_codes,
    levels,
    monthly_price_cents,
    parse_formula_code,
)
from domain.identifiers import InvalidValue

TODAY = date(2026, 5, 12)
ALL = list(product(levels(TODAY), ProfessionalStatus, Family, Scheme))


def test_the_guide_s_formula() -> None:
    code = formula_code("BASE", ProfessionalStatus.NC, Family.SEUL, Scheme.RG)
    assert code == "BASE CCN HCR NC SEUL RG"
    assert parse_formula_code(code) == Formula("BASE", ProfessionalStatus.NC, Family.SEUL, Scheme.RG)


@pytest.mark.parametrize(("level", "status", "family", "scheme"), ALL)
def test_codes_are_read_back(level: str, status: ProfessionalStatus, family: Family, scheme: Scheme) -> None:
    code = formula_code(level, status, family, scheme)
    assert parse_formula_code(code) == Formula(level, status, family, scheme)
    assert parse_formula_code(f"  {code.lower().replace(' ', '  ')}\u00a0").code == code


def test_levels_come_in_order() -> None:
    assert levels(TODAY) == ("BASE", "OPTION 1", "OPTION 2")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "formula.unknown"),
        ("BASE NC SEUL RG", "formula.unknown"),
        ("BASE CCN HCR NC SEUL", "formula.unknown"),
        ("BASE CCN HCR NC SOLO RG", "formula.unknown"),
        ("BASE CCN HCR NC SEUL RG RG", "formula.unknown"),
        ("OPTION 9 CCN HCR NC SEUL RG", "formula.level"),
    ],
)
def test_other_codes_are_refused(code: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_formula_code(code)
    assert caught.value.code == reason
    assert parse_formula_code(caught.value.example)


def test_family_comes_from_the_dependants() -> None:
    assert [family_of(n) for n in (0, 1, 2, 3, 20)] == [Family.SEUL, Family.DUO, *[Family.FAMILLE] * 3]
    with pytest.raises(ValueError, match="negative"):
        family_of(-1)


def test_prices_change_on_their_day() -> None:
    def price(on: date) -> int:
        return monthly_price_cents("BASE", ProfessionalStatus.NC, Family.SEUL, Scheme.RG, on=on)

    assert price(date(2025, 12, 31)) == 3000
    assert price(date(2026, 1, 1)) == 3100
    assert price(date(2011, 1, 1)) == 3000


def test_there_is_no_price_outside_the_catalogue() -> None:
    with pytest.raises(LookupError):
        monthly_price_cents("BASE", ProfessionalStatus.NC, Family.SEUL, Scheme.RG, on=date(2010, 12, 31))
    with pytest.raises(LookupError):
        monthly_price_cents("OPTION 9", ProfessionalStatus.NC, Family.SEUL, Scheme.RG, on=TODAY)


def test_the_tariffs_follow_each_other_without_a_gap() -> None:
    for earlier, later in pairwise(formulas._TARIFFS):
        assert earlier.valid_to is not None
        assert later.valid_from == earlier.valid_to + timedelta(days=1)
    assert formulas._TARIFFS[-1].valid_to is None


@given(st.dates(date(2011, 1, 1), date(2100, 1, 1)), st.sampled_from(ProfessionalStatus), st.sampled_from(Scheme))
def test_every_day_has_a_price_that_grows(on: date, status: ProfessionalStatus, scheme: Scheme) -> None:
    for level in levels(on):
        prices = [monthly_price_cents(level, status, family, scheme, on=on) for family in Family]
        assert 0 < prices[0] < prices[1] < prices[2]
    by_level = [monthly_price_cents(level, status, Family.SEUL, scheme, on=on) for level in levels(on)]
    assert by_level == sorted(set(by_level))


def test_a_coverage_begins_on_the_day_of_hire() -> None:
    assert coverage_begins(date(2026, 2, 28)) == date(2026, 2, 28)


def test_the_codes_of_the_catalogue_are_those_that_can_be_read_by_status_or_all() -> None:
    codes = formula_codes()
    assert len(codes) == len(set(codes)) == 36
    assert all(parse_formula_code(code).code == code for code in codes)
    assert codes[0] == "BASE CCN HCR NC SEUL RG"
    assert set(formula_codes(ProfessionalStatus.C)) == {code for code in codes if " CCN HCR C " in code}
