from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.departures import (
    MOST_MONTHS,
    Period,
    Portability,
    covered_until,
    months_rounded_up,
    portability_of,
    portability_period,
    reasons,
)

DAYS = st.dates(date(2012, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("began", "ended", "first", "last"),
    [
        (date(2025, 10, 15), date(2026, 4, 20), date(2026, 5, 1), date(2027, 4, 30)),
        (date(2026, 2, 2), date(2026, 4, 15), date(2026, 5, 1), date(2026, 10, 31)),
        (date(2026, 4, 1), date(2026, 4, 30), date(2026, 5, 1), date(2026, 6, 30)),
        (date(2026, 4, 13), date(2026, 4, 15), date(2026, 5, 1), date(2026, 6, 30)),
        (date(2012, 9, 1), date(2026, 4, 30), date(2026, 5, 1), date(2027, 4, 30)),
        (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 1), date(2026, 6, 30)),
    ],
)
def test_portability_lasts_twice_the_contract_from_the_next_month(
    began: date, ended: date, first: date, last: date
) -> None:
    assert portability_period(began, ended) == Period(first, last)


@pytest.mark.parametrize(
    ("ended", "until"),
    [
        (date(2026, 4, 25), date(2026, 4, 30)),
        (date(2026, 4, 30), date(2026, 4, 30)),
        (date(2026, 12, 1), date(2026, 12, 31)),
        (date(2028, 2, 1), date(2028, 2, 29)),
    ],
)
def test_cover_runs_to_the_end_of_the_month(ended: date, until: date) -> None:
    assert covered_until(ended) == until


@given(DAYS, st.integers(0, 6000))
def test_portability_follows_the_cover_without_a_gap_and_never_lasts_longer_than_a_year(began: date, days: int) -> None:
    ended = began + timedelta(days=days)
    period = portability_period(began, ended)
    assert period.first == covered_until(ended) + timedelta(days=1)
    assert period.first.day == 1
    assert (period.last + timedelta(days=1)).day == 1
    months = months_rounded_up(period.first, period.last)
    assert 2 <= months <= MOST_MONTHS
    assert months == min(12, 2 * months_rounded_up(began, ended))


def test_a_contract_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        portability_period(date(2026, 4, 2), date(2026, 4, 1))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("031", Portability.open),
        ("043", Portability.open),
        ("087", Portability.open),  # a faute grave opens it
        ("088", Portability.closed),  # a faute lourde never does
        ("096", Portability.closed),
        ("059", Portability.closed),
        ("058", Portability.review),
        ("099", Portability.none),
        ("777", Portability.review),  # of a norm to come
    ],
)
def test_what_a_reason_says_of_portability(code: str, expected: Portability) -> None:
    assert portability_of(code) is expected


def test_no_faute_lourde_opens_anything_and_every_reason_has_its_words() -> None:
    for code, reason in reasons().items():
        assert reason.code == code
        assert len(code) == 3
        assert reason.label[0].isupper()
        if "faute lourde" in reason.label:
            assert reason.portability is Portability.closed


def test_an_employer_may_give_only_reasons_that_end_a_contract() -> None:
    offered = [reason for reason in reasons().values() if reason.radiation]
    assert len(offered) >= 10
    assert all(reason.portability is not Portability.none for reason in offered)
