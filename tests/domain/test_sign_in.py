"""« Is a code asked? »: the decision in all its combinations, and three months on the calendar (security.md A-11)."""

from __future__ import annotations

import calendar
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identifiers import InvalidValue
from domain.rights import UserKind
from domain.sign_in import (
    RECOVERY_ALPHABET,
    CodeDue,
    Reason,
    SignInFacts,
    code_reasons,
    masked_phone,
    parse_code_phone,
    parse_recovery_code,
    recovery_code,
    typed_digits,
)

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=PARIS)
LAST_SIGN_INS = {
    "never": None,
    "just now": NOW,
    "a minute short of three months ago": datetime(2026, 8, 23, 14, 1, tzinfo=PARIS),
    "three months ago": datetime(2026, 8, 23, 14, 0, tzinfo=PARIS),
    "a year ago": datetime(2025, 11, 23, 14, 0, tzinfo=PARIS),
}
ALL = list(
    itertools.product(UserKind, (False, True), (False, True), LAST_SIGN_INS, (None, *CodeDue), (0, 1, 2, 3, 4, 10, 25))
)


def expected(kind: UserKind, browser: bool, address: bool, last: str, due: CodeDue | None, failed: int) -> set[str]:
    """The table, row by row, as the requirement says it."""
    reasons = set()
    if browser is False:
        reasons.add("new_browser")
    if address is False:
        reasons.add("unknown_address")
    if last == "never":
        reasons.add("first_sign_in")
    if last in ("three months ago", "a year ago"):
        reasons.add("long_absence")
    if due == "password_reset":
        reasons.add("password_reset")
    if due == "phone_changed":
        reasons.add("phone_changed")
    if due == "role_raised":
        reasons.add("role_raised")
    if due == "reactivated":
        reasons.add("reactivated")
    if failed in (3, 4, 10, 25):
        reasons.add("failed_passwords")
    if kind == "staff":
        reasons.add("staff")
    return reasons


def test_every_combination_gives_the_reasons_of_the_table() -> None:
    assert len(ALL) == 2 * 2 * 2 * 5 * 5 * 7
    for kind, browser, address, last, due, failed in ALL:
        facts = SignInFacts(kind, browser, address, LAST_SIGN_INS[last], due, failed)
        assert code_reasons(facts, NOW) == expected(kind, browser, address, last, due, failed), facts


def test_no_code_is_asked_in_exactly_the_combinations_where_nothing_speaks_for_one() -> None:
    silent = [one for one in ALL if not expected(*one)]
    # an employer's user, known browser and address, two recent sign-ins, nothing due, at most two wrong passwords
    assert len(silent) == 1 * 1 * 1 * 2 * 1 * 3
    for kind, browser, address, last, due, failed in silent:
        assert code_reasons(SignInFacts(kind, browser, address, LAST_SIGN_INS[last], due, failed), NOW) == set()


def test_each_reason_is_enough_by_itself() -> None:
    alone = {next(iter(reasons)) for one in ALL if len(reasons := expected(*one)) == 1}
    assert alone | {"first_sign_in"} == {reason.value for reason in Reason}
    assert "first_sign_in" in alone


# --- three months

# last sign-in → the first moment at which a code is asked, both on the clocks of Paris
THREE_MONTHS = [
    ("2026-08-23 14:00", "2026-11-23 14:00"),
    ("2026-11-30 10:00", "2027-02-28 10:00"),  # the reading of the requirement
    ("2026-11-29 10:00", "2027-02-28 10:00"),
    ("2026-11-28 10:00", "2027-02-28 10:00"),
    ("2026-12-01 00:00", "2027-03-01 00:00"),
    ("2027-11-30 10:00", "2028-02-29 10:00"),  # a leap year
    ("2027-11-28 10:00", "2028-02-28 10:00"),
    ("2028-02-29 10:00", "2028-05-29 10:00"),
    ("2026-01-31 10:00", "2026-04-30 10:00"),
    ("2026-03-31 23:59", "2026-06-30 23:59"),
    ("2026-05-31 00:00", "2026-08-31 00:00"),
    ("2026-08-31 10:00", "2026-11-30 10:00"),
    ("2026-10-31 10:00", "2027-01-31 10:00"),
    # clocks change in between: the wall clock counts
    ("2025-12-29 12:00", "2026-03-29 12:00"),  # spring 2026, on the day itself
    ("2026-01-15 10:00", "2026-04-15 10:00"),
    ("2026-07-25 12:00", "2026-10-25 12:00"),  # autumn 2026, on the day itself
    ("2026-09-15 10:00", "2026-12-15 10:00"),
    ("2026-12-28 12:00", "2027-03-28 12:00"),  # spring 2027, on the day itself
    # a wall clock that spring skips is an hour later, one that autumn repeats is the first of the two
    ("2025-12-29 02:30", "2026-03-29 03:30"),
    ("2026-12-28 02:30", "2027-03-28 03:30"),
    ("2026-07-25 02:30", "2026-10-25 02:30"),
    # the second of two repeated hours: that wall clock, three months later
    ("2026-10-25 02:30 again", "2027-01-25 02:30"),
]


def in_paris(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" again")).replace(tzinfo=PARIS, fold=text.endswith(" again"))


def asked(last: datetime, now: datetime) -> bool:
    return bool(code_reasons(SignInFacts(UserKind.employer, True, True, last, None, 0), now))


@pytest.mark.parametrize(("last", "due"), THREE_MONTHS, ids=[last for last, _ in THREE_MONTHS])
@pytest.mark.parametrize("zone", [UTC, PARIS, ZoneInfo("Pacific/Noumea")], ids=str)
def test_a_code_is_asked_from_three_civil_months_on(last: str, due: str, zone: ZoneInfo) -> None:
    before, moment = in_paris(last).astimezone(UTC), in_paris(due).astimezone(UTC)
    assert asked(before.astimezone(zone), moment.astimezone(zone))
    assert asked(before.astimezone(zone), (moment + timedelta(days=400)).astimezone(zone))
    assert not asked(before.astimezone(zone), (moment - timedelta(microseconds=1)).astimezone(zone))


MOMENTS = st.integers(0, 8 * 365 * 86_400).map(lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(0, seconds))


@given(MOMENTS)
def test_three_months_are_never_fewer_than_89_days_nor_more_than_92_and_an_hour(last: datetime) -> None:
    assert not asked(last, last + timedelta(days=89) - timedelta(hours=1, microseconds=1))
    assert asked(last, last + timedelta(days=92, hours=1))


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=200)))
def test_once_it_is_asked_it_is_asked_until_the_next_sign_in(last: datetime, later: timedelta) -> None:
    now = last + timedelta(days=91)
    if asked(last, now):
        assert asked(last, now + later)


@given(MOMENTS)
def test_it_falls_on_the_same_wall_clock_or_on_the_months_last_day(last: datetime) -> None:
    local = last.astimezone(PARIS)
    month = (local.month + 2) % 12 + 1
    year = local.year + (local.month > 9)
    day = min(local.day, calendar.monthrange(year, month)[1])
    wall_clock = local.replace(year=year, month=month, day=day, fold=0)
    # through UTC and back: an hour that does not exist is the one after it
    due = wall_clock.astimezone(UTC)
    assert asked(last, due)
    assert not asked(last, due - timedelta(seconds=1))


@given(
    st.sampled_from(UserKind),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), MOMENTS),
    st.one_of(st.none(), st.sampled_from(CodeDue)),
    st.integers(0, 40),
    MOMENTS,
)
def test_knowing_less_of_somebody_never_asks_less(
    kind: UserKind,
    browser: bool,
    address: bool,
    last: datetime | None,
    due: CodeDue | None,
    failed: int,
    now: datetime,
) -> None:
    reasons = code_reasons(SignInFacts(kind, browser, address, last, due, failed), now)
    assert reasons <= code_reasons(SignInFacts(kind, False, address, last, due, failed), now)
    assert reasons <= code_reasons(SignInFacts(kind, browser, False, last, due, failed), now)
    assert reasons <= code_reasons(SignInFacts(kind, browser, address, last, due, failed + 1), now)
    assert reasons <= code_reasons(SignInFacts(UserKind.staff, browser, address, last, due, failed), now)
    assert bool(reasons) <= bool(code_reasons(SignInFacts(kind, browser, address, None, due, failed), now))


# --- numbers


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("06 39 98 00 42", "+33639980042"),
        ("+33 7 56 78 90 12", "+33756789012"),
        ("0692 12 34 56", "+262692123456"),  # La Réunion
        ("0690 12 34 56", "+590690123456"),  # Guadeloupe
        ("0696 12 34 56", "+596696123456"),  # Martinique
        ("0694 12 34 56", "+594694123456"),  # Guyane
        ("0639 69 12 34", "+262639691234"),  # Mayotte
        ("+508 55 12 34", "+508551234"),  # Saint-Pierre-et-Miquelon
        ("+687 75 12 34", "+687751234"),  # Nouvelle-Calédonie
        ("+689 87 12 34 56", "+68987123456"),  # Polynésie française
        ("+681 82 12 34", "+681821234"),  # Wallis-et-Futuna
    ],
)
def test_codes_go_to_mobiles_of_france_and_overseas(typed: str, number: str) -> None:
    assert parse_code_phone(typed) == number
    assert parse_code_phone(number) == number


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("01 44 20 80 63", "phone.mobile"),
        ("09 72 12 34 56", "phone.mobile"),
        ("0262 12 34 56", "phone.mobile"),
        ("08 92 12 34 56", "phone.kind"),
        ("+41 79 123 45 67", "phone.country"),
        ("+1 212 555 2368", "phone.country"),
        ("+32 470 12 34 56", "phone.country"),
        ("06 39 98", "phone.invalid"),
        ("", "phone.missing"),
    ],
)
def test_landlines_premium_and_foreign_numbers_are_refused(typed: str, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_code_phone(typed)
    assert refused.value.code == code


def test_a_masked_number_shows_two_digits_at_each_end() -> None:
    assert masked_phone("+33639980042") == "06 •• •• •• 42"
    assert masked_phone("+262692123456") == "06 •• •• •• 56"
    assert masked_phone("+687751234") == "•• •• •• •• 34"


# --- codes


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("042137", "042137"),
        (" 042 137 ", "042137"),
        ("042-137", "042137"),
        ("04213", None),
        ("0421377", None),
        ("O42137", None),
        ("٠٤٢١٣٧", None),
        ("", None),
    ],
)
def test_a_code_is_six_digits_however_they_are_spaced(typed: str, digits: str | None) -> None:
    assert typed_digits(typed) == digits


@given(st.integers(1, 99), st.text(RECOVERY_ALPHABET, min_size=16, max_size=16))
def test_a_recovery_code_is_read_as_it_was_shown_in_any_case_and_spacing(number: int, secret: str) -> None:
    shown = recovery_code(number, secret)
    for typed in (shown, shown.lower(), shown.replace("-", " "), shown.replace("-", ""), f"  {shown}\n"):
        assert parse_recovery_code(typed) == (number, secret)


def test_letters_that_look_like_digits_are_read_as_these() -> None:
    assert parse_recovery_code("3-OIL0-0000-0000-0000") == (3, "0110000000000000")


@given(st.text(max_size=40))
def test_anything_else_is_no_recovery_code(typed: str) -> None:
    found = parse_recovery_code(typed)
    assert found is None or (0 <= found[0] <= 99 and len(found[1]) == 16)
