from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import waivers
from domain.employment import ContractKind
from domain.identifiers import InvalidValue
from domain.waivers import Proof, WaiverReason, waiver_end, waiver_reason, waiver_reasons

TODAY = date(2026, 11, 23)
FIXED_TERM = {"short_fixed_term", "fixed_term_under_12", "fixed_term_12_or_more"}
FOR_ALL = {"contribution_over_10_percent", "individual_cover", "c2s", "covered_by_spouse", "several_employers"}

days = st.dates(date(2019, 11, 1), date(2100, 1, 1))
reasons = st.sampled_from(waivers._REASONS)


@pytest.mark.parametrize(
    ("contract", "closed"),
    [
        (ContractKind.cdi, FIXED_TERM),
        (ContractKind.cdd, set()),
        (ContractKind.extra, set()),
        (ContractKind.seasonal, {"fixed_term_12_or_more"}),
        (ContractKind.apprenticeship, {"short_fixed_term"}),
    ],
)
def test_the_reasons_of_each_contract(contract: ContractKind, closed: set[str]) -> None:
    codes = [reason.code for reason in waiver_reasons(TODAY, contract)]
    assert set(codes) == (FIXED_TERM | FOR_ALL) - closed
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(("reason", "contract"), list(product(waivers._REASONS, ContractKind)))
def test_a_reason_is_found_by_its_code(reason: WaiverReason, contract: ContractKind) -> None:
    assert waiver_reason(reason.code, TODAY) is reason
    assert (reason in waiver_reasons(TODAY, contract)) == (
        not reason.contract_kinds or contract in reason.contract_kinds
    )


def test_every_reason_names_its_article() -> None:
    for reason in waivers._REASONS:
        assert reason.source.startswith("CSS ")
        assert 1 <= reason.max_months <= 12


def test_reasons_have_their_days() -> None:
    assert waiver_reason("c2s", date(2019, 11, 1)).proof is Proof.either
    with pytest.raises(KeyError):
        waiver_reason("c2s", date(2019, 10, 31))
    assert "c2s" not in [reason.code for reason in waiver_reasons(date(2019, 10, 31), ContractKind.cdi)]
    assert waiver_reasons(date(2015, 12, 31), ContractKind.cdd) == ()
    with pytest.raises(KeyError):
        waiver_reason("no_such_reason", TODAY)


def test_a_closed_period_counts_its_last_day(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = waiver_reason("c2s", TODAY)
    closed = WaiverReason(**{**vars(whole), "valid_to": TODAY})
    monkeypatch.setattr(waivers, "_REASONS", (closed,))
    assert waiver_reason("c2s", TODAY) is closed
    with pytest.raises(KeyError):
        waiver_reason("c2s", TODAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("code", "starts_on", "given_until", "ends"),
    [
        ("individual_cover", TODAY, date(2027, 3, 31), date(2027, 3, 31)),
        ("individual_cover", TODAY, TODAY, TODAY),
        ("individual_cover", TODAY, date(2029, 3, 31), date(2027, 11, 23)),
        ("short_fixed_term", date(2026, 11, 30), date(2027, 11, 30), date(2027, 2, 28)),
        ("covered_by_spouse", TODAY, None, date(2027, 11, 23)),
        ("covered_by_spouse", date(2024, 2, 29), None, date(2025, 2, 28)),
        ("several_employers", date(2026, 12, 31), date(2027, 1, 15), date(2027, 1, 15)),
    ],
)
def test_the_day_an_exemption_ends(code: str, starts_on: date, given_until: date | None, ends: date) -> None:
    assert waiver_end(waiver_reason(code, starts_on), starts_on, given_until) == ends


@given(reasons, days, st.integers(0, 2000))
def test_an_exemption_ends_within_its_months(reason: WaiverReason, starts_on: date, length: int) -> None:
    longest = timedelta(days=31 * reason.max_months)
    given_until = starts_on + timedelta(days=length)
    ends = waiver_end(reason, starts_on, given_until)
    assert starts_on <= ends <= min(given_until, starts_on + longest)
    assert ends >= min(given_until, starts_on + timedelta(days=28 * reason.max_months))


@given(reasons, days, st.integers(1, 2000))
def test_a_day_before_the_start_is_refused_with_one_that_is_not(
    reason: WaiverReason, starts_on: date, early: int
) -> None:
    given_until = starts_on - timedelta(days=early)
    with pytest.raises(InvalidValue) as caught:
        waiver_end(reason, starts_on, given_until)
    assert caught.value.code == "waiver.end_before_start"
    assert given_until.isoformat() not in caught.value.message
    example = date.fromisoformat(caught.value.example)
    assert waiver_end(reason, starts_on, example) == example


@given(reasons, days, st.floats(0, 1))
def test_a_day_given_in_time_is_kept(reason: WaiverReason, starts_on: date, part: float) -> None:
    given_until = starts_on + timedelta(days=int(28 * reason.max_months * part))
    assert waiver_end(reason, starts_on, given_until) == given_until


def test_refusals_say_what_to_do() -> None:
    cover = waiver_reason("individual_cover", TODAY)
    with pytest.raises(InvalidValue, match="Indiquez jusqu’à quelle date") as missing:
        waiver_end(cover, TODAY, None)
    with pytest.raises(InvalidValue, match="avant le début") as early:
        waiver_end(cover, TODAY, TODAY - timedelta(days=1))
    assert missing.value.code == "waiver.end_missing"
    assert missing.value.example == early.value.example == "2027-11-23"
