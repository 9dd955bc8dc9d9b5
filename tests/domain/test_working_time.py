from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import holidays
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.working_time import (
    CLOSES,
    OPENS,
    PARIS,
    add_days,
    french_date,
    french_moment,
    is_working_day,
    next_working_day_opening,
    next_working_moment,
    paris_date,
    public_holidays,
)

DST_DAYS = [date(2026, 3, 29), date(2026, 10, 25), date(2027, 3, 28), date(2027, 10, 31)]

near_dst = st.builds(
    lambda day, seconds: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds),
    st.sampled_from(DST_DAYS),
    st.integers(-3 * 86_400, 3 * 86_400),
)
moments = st.one_of(
    st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    near_dst,
)


def paris(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, fold=fold, tzinfo=PARIS)  # type: ignore[arg-type, misc]


# --- working days


@pytest.mark.parametrize("year", range(2008, 2101))  # the library's last year; before 2008 it left Whit Monday out
def test_public_holidays_are_the_library_s(year: int) -> None:
    assert public_holidays(year) == frozenset(holidays.country_holidays("FR", years=year))


def test_working_days() -> None:
    assert is_working_day(date(2026, 5, 12))
    assert not is_working_day(date(2026, 5, 14))  # Ascension
    assert not is_working_day(date(2026, 5, 16))  # Saturday
    assert not is_working_day(date(2026, 5, 17))
    assert is_working_day(date(2026, 12, 24))


# --- the next working moment


@given(moments)
@example(datetime(2026, 5, 12, 7, 0, tzinfo=UTC))
@example(datetime(2026, 5, 12, 16, 0, tzinfo=UTC))
def test_it_is_inside_working_time_and_never_earlier(moment: datetime) -> None:
    found = next_working_moment(moment)
    local = found.astimezone(PARIS)
    assert found.tzinfo is UTC
    assert is_working_day(local.date())
    assert OPENS <= local.time() < CLOSES
    assert found >= moment
    assert next_working_moment(found) == found


@given(moments, st.integers(0, 7 * 24 * 60))
def test_no_working_moment_is_passed_over(moment: datetime, minutes: int) -> None:
    between = moment + timedelta(minutes=minutes)
    local = between.astimezone(PARIS)
    if is_working_day(local.date()) and OPENS <= local.time() < CLOSES:
        assert next_working_moment(moment) <= between


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        (paris(2026, 5, 12, 8, 59, 59), paris(2026, 5, 12, 9)),
        (paris(2026, 5, 12, 9), paris(2026, 5, 12, 9)),
        (paris(2026, 5, 12, 17, 59, 59, 999_999), paris(2026, 5, 12, 17, 59, 59, 999_999)),
        (paris(2026, 5, 12, 18), paris(2026, 5, 13, 9)),
        (paris(2026, 5, 13, 18), paris(2026, 5, 15, 9)),  # over Ascension
        (paris(2026, 3, 27, 20), paris(2026, 3, 30, 9)),  # over a week-end that loses an hour
        (paris(2026, 10, 24, 12), paris(2026, 10, 26, 9)),  # over one that gains it
        (paris(2026, 12, 31, 23), paris(2027, 1, 4, 9)),
    ],
)
def test_known_working_moments(moment: datetime, found: datetime) -> None:
    assert next_working_moment(moment) == found


def test_other_hours() -> None:
    moment = paris(2026, 5, 12, 13)
    assert next_working_moment(moment, opens=time(14), closes=time(15)) == paris(2026, 5, 12, 14)
    assert next_working_moment(moment, opens=time(10), closes=time(12)) == paris(2026, 5, 13, 10)
    assert next_working_day_opening(date(2026, 5, 13), time(8, 30)) == paris(2026, 5, 15, 8, 30)
    with pytest.raises(ValueError, match="before"):
        next_working_moment(moment, opens=time(18), closes=time(9))


# --- civil days


@given(moments, st.integers(-400, 400))
def test_add_days_keeps_the_wall_clock(moment: datetime, days: int) -> None:
    before = moment.astimezone(PARIS)
    found = add_days(moment, days)
    after = found.astimezone(PARIS)
    assert found.tzinfo is UTC
    wanted = before.replace(tzinfo=None, fold=0) + timedelta(days=days)
    if after.replace(tzinfo=None, fold=0) != wanted:  # only a time that spring skips may move, forward, by the hour
        assert 2 <= wanted.hour < 3
        assert wanted.weekday() == 6
        assert after.replace(tzinfo=None, fold=0) - wanted == timedelta(hours=1)


@pytest.mark.parametrize("day", DST_DAYS)
def test_add_days_over_the_changes_of_hour(day: date) -> None:
    start = paris(day.year, day.month, day.day, 9) - timedelta(days=1)  # wall-clock arithmetic
    spring = day.month == 3
    assert add_days(start, 2) - start.astimezone(UTC) == timedelta(hours=47 if spring else 49)
    assert add_days(start, 2).astimezone(PARIS).time() == time(9)


def test_times_that_do_not_exist_or_exist_twice() -> None:
    assert add_days(paris(2026, 3, 28, 2, 30), 1) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 in Paris
    assert add_days(paris(2026, 10, 24, 2, 30), 1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the first 02:30
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert add_days(second, 0) == second
    assert add_days(second, 1).astimezone(PARIS).time() == time(2, 30)
    assert add_days(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 154) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_a_naive_moment_is_refused() -> None:
    naive = datetime(2026, 5, 12)  # noqa: DTZ001
    for refuse in (next_working_moment, french_moment, paris_date, lambda moment: add_days(moment, 1)):
        with pytest.raises(ValueError, match="time zone"):
            refuse(naive)


# --- French


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (paris(2026, 5, 12, 9), "mardi 12 mai à 9\u00a0h"),
        (paris(2026, 5, 12, 14, 2, 59), "mardi 12 mai à 14\u00a0h\u00a002"),
        (paris(2026, 8, 1, 0), "samedi 1er août à 0\u00a0h"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "vendredi 1er janvier à 0\u00a0h\u00a030"),
    ],
)
def test_french_moments(moment: datetime, text: str) -> None:
    assert french_moment(moment) == text


def test_the_year_is_told_when_it_is_another() -> None:
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # already 2027 in Paris
    assert french_moment(moment, paris(2027, 6, 1)) == "vendredi 1er janvier à 0\u00a0h\u00a030"
    assert french_moment(moment, paris(2026, 6, 1)) == "vendredi 1er janvier 2027 à 0\u00a0h\u00a030"
    assert paris_date(moment) == date(2027, 1, 1)


def test_french_dates() -> None:
    assert french_date(date(2026, 5, 1)) == "1er mai 2026"
    assert french_date(date(2026, 2, 12), weekday=True) == "jeudi 12 février 2026"
    assert french_date(date(2026, 5, 1), date(2026, 12, 1)) == "1er mai"
    assert french_date(date(2026, 5, 1), date(2025, 5, 1)) == "1er mai 2026"
