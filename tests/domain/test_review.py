"""The review of rights: when it begins, whom it asks about, what lapses (product.md; security.md Z-08)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.review import Night, Reviewed, due_at, lapse_on, night, reminder, to_confirm_by
from domain.rights import Role
from domain.working_time import PARIS

AT = datetime(2027, 3, 1, 3, tzinfo=UTC)
OLD = datetime(2026, 11, 1, 9, tzinfo=UTC)
RECENT = datetime(2027, 2, 20, 9, tzinfo=UTC)
X, Y, MEMBER, OTHER = (UUID(int=number) for number in range(1, 5))


def member(user_id: UUID = MEMBER, confirmed_at: datetime = OLD, noticed_at: datetime | None = None) -> Reviewed:
    return Reviewed(user_id, Role.member, confirmed_at, noticed_at, None)


def administrator(
    user_id: UUID = X,
    confirmed_at: datetime = OLD,
    noticed_at: datetime | None = None,
    signed_in_at: datetime | None = None,
) -> Reviewed:
    return Reviewed(user_id, Role.administrator, confirmed_at, noticed_at, signed_in_at)


@pytest.mark.parametrize(
    ("confirmed", "due"),
    [
        ("2026-11-30T10:00", "2027-02-28T10:00"),  # clipped to the month's end
        ("2026-12-31T10:00", "2027-03-31T10:00"),  # the same hour on the other side of a change of time
        ("2026-08-29T02:30", "2026-11-29T02:30"),
        ("2026-12-28T02:30", "2027-03-28T03:30"),  # an hour that does not exist that day
    ],
)
def test_rights_are_due_three_months_later_by_the_clock_of_paris(confirmed: str, due: str) -> None:
    moment, expected = (datetime.fromisoformat(text).replace(tzinfo=PARIS) for text in (confirmed, due))
    assert due_at(moment) == expected.astimezone(UTC)


def test_a_review_ends_on_the_thirtieth_day_in_paris() -> None:
    assert lapse_on(datetime(2027, 1, 31, 23, 30, tzinfo=UTC)) == date(2027, 3, 3)


def test_what_is_due_begins_a_review() -> None:
    due = member(confirmed_at=OLD)
    assert night([administrator(confirmed_at=RECENT), due], AT) == Night(ask=frozenset({MEMBER}))
    exactly = due_at(OLD)
    assert night([administrator(confirmed_at=exactly), due], exactly).ask == {MEMBER}
    assert night([administrator(confirmed_at=exactly), due], exactly - timedelta(seconds=1)) == Night()


def test_a_review_takes_along_what_falls_due_before_it_ends() -> None:
    soon = AT + timedelta(days=29)
    later = AT + timedelta(days=32)
    rights = [
        administrator(confirmed_at=RECENT),
        member(),
        member(OTHER, soon - timedelta(days=92)),
        member(Y, later - timedelta(days=89)),
    ]
    assert night(rights, AT).ask == {MEMBER, OTHER}


def test_nothing_begins_while_nothing_is_due() -> None:
    assert night([administrator(confirmed_at=RECENT), member(confirmed_at=RECENT)], AT) == Night()


def test_what_was_not_confirmed_lapses_on_the_day_and_not_before() -> None:
    noticed = AT
    rights = [administrator(confirmed_at=RECENT), member(noticed_at=noticed)]
    assert night(rights, AT + timedelta(days=29)).lapse == frozenset()
    assert night(rights, AT + timedelta(days=30)).lapse == {MEMBER}
    assert night(rights, AT + timedelta(days=45)).lapse == {MEMBER}


def test_an_only_administrator_is_not_asked_about_and_goes_on() -> None:
    assert night([administrator(), member()], AT) == Night(ask=frozenset({MEMBER}), keep=frozenset({X}))
    assert night([administrator()], AT) == Night(keep=frozenset({X}))


def test_an_administrator_lapses_where_another_one_goes_on_and_was_there() -> None:
    later = AT + timedelta(days=30)
    there = administrator(Y, later, None, AT + timedelta(days=5))
    assert night([administrator(noticed_at=AT), there], later) == Night(lapse=frozenset({X}))


@pytest.mark.parametrize("signed_in", [None, AT - timedelta(days=1)])
def test_an_administrator_does_not_lapse_for_one_who_is_away(signed_in: datetime | None) -> None:
    later = AT + timedelta(days=30)
    away = administrator(Y, later, None, signed_in)
    assert night([administrator(noticed_at=AT), away], later) == Night(keep=frozenset({X}))


def test_administrators_who_would_all_lapse_all_go_on() -> None:
    later = AT + timedelta(days=31)
    both = [administrator(X, noticed_at=AT, signed_in_at=later), administrator(Y, noticed_at=AT, signed_in_at=later)]
    assert night([*both, member(noticed_at=AT)], later) == Night(lapse=frozenset({MEMBER}), keep=frozenset({X, Y}))


@pytest.mark.parametrize(
    ("days", "expected"), [(0, 30), (15, 30), (16, 14), (20, 14), (26, 14), (27, 3), (29, 3), (30, 3)]
)
def test_reminders_belong_to_fourteen_and_three_days_before(days: int, expected: int) -> None:
    assert reminder(AT, AT + timedelta(days=days)) == expected


def test_an_administrator_is_not_told_of_themself() -> None:
    assert to_confirm_by(X, [X, MEMBER]) == 1
    assert to_confirm_by(X, [X]) == 0


moments = st.dates(date(2026, 6, 1), date(2027, 6, 1)).map(lambda day: datetime.combine(day, time(3), UTC))
rights = st.builds(
    Reviewed,
    st.uuids(),
    st.sampled_from(Role),
    moments,
    st.none() | moments,
    st.none() | moments,
)


@given(st.lists(rights, max_size=6, unique_by=lambda one: one.user_id), moments)
def test_a_company_with_administrators_keeps_one_whatever_happens(everybody: list[Reviewed], at: datetime) -> None:
    decided = night(everybody, at)
    administrators = {one.user_id for one in everybody if one.role is Role.administrator}
    assert not administrators or administrators - decided.lapse
    assert not decided.ask & decided.lapse
    assert not decided.keep & (decided.lapse | decided.ask)
    if len(administrators) == 1:
        assert not decided.ask & administrators
