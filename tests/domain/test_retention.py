"""The retention table: what it says at least, and the day on which a rule falls due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retention import Action, Rule, beginning_of, due_before, due_on, rule, rules

DAYS = st.dates(date(2024, 1, 1), date(2040, 1, 1))


def lasting(days: int = 0, months: int = 0) -> Rule:
    return Rule("test", "", "", days, months, Action.delete, "")


@given(DAYS, st.integers(0, 60), st.integers(0, 100), st.integers(-40, 40))
def test_what_is_due_is_what_happened_before_that_day(event: date, months: int, days: int, around: int) -> None:
    kept = lasting(days, months or 1)
    today = due_on(kept, event) + timedelta(days=around)
    now = beginning_of(today) + timedelta(hours=5)
    assert (event < due_before(kept, now)) is (due_on(kept, event) <= today)


@pytest.mark.parametrize(
    ("kept", "event", "due"),
    [
        (lasting(days=30), date(2026, 11, 1), date(2026, 12, 1)),
        (lasting(months=12), date(2028, 2, 29), date(2029, 2, 28)),
        (lasting(months=60), date(2026, 11, 30), date(2031, 11, 30)),
        (lasting(months=1), date(2027, 1, 31), date(2027, 2, 28)),
    ],
)
def test_the_day(kept: Rule, event: date, due: date) -> None:
    assert due_on(kept, event) == due


def test_days_are_those_of_paris() -> None:
    before_midnight, after = datetime(2026, 6, 30, 21, 59, tzinfo=UTC), datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    assert due_before(lasting(days=1), before_midnight) == date(2026, 6, 30)
    assert due_before(lasting(days=1), after) == date(2026, 7, 1)
    assert beginning_of(date(2026, 7, 1)).astimezone(UTC) == after


@pytest.mark.parametrize(
    ("name", "days", "months"),
    [
        ("drafts", 30, 0),
        ("sessions", 7, 0),
        ("tokens", 30, 0),
        ("never_affiliated", 0, 36),
        ("documents_accepted", 90, 0),
        ("documents_refused", 30, 0),
        ("messages_local", 90, 0),
        ("idempotency_keys", 7, 0),
        ("delivery_events", 0, 12),
        ("security_log", 0, 12),
        ("coverages", 0, 60),
        ("waivers", 0, 60),
        ("birth_date_tries", 7, 0),
    ],
)
def test_the_table_says_at_least_this(name: str, days: int, months: int) -> None:
    assert (rule(name).days, rule(name).months) == (days, months)


def test_every_rule_has_a_source_and_an_event_or_is_kept() -> None:
    for kept in rules().values():
        assert kept.source
        assert kept.what
        assert bool(kept.counted_from) is (kept.action is not Action.keep)


def test_what_is_kept_never_falls_due() -> None:
    with pytest.raises(ValueError, match="kept"):
        due_on(rule("evidence"), date(2026, 1, 1))
