"""Working days, working hours and French dates, on the civil clock of metropolitan France (Europe/Paris).

Workflows call this while they decide, so it is pure: the same arguments give the same answer on every machine, with no
clock, no environment and nothing read at call time (the time zone is loaded once, with the module). That is why the
public holidays are computed here and not asked from the `holidays` library, which imports for 0.7 s and reads
translation files and the environment's locale on first use, inside a workflow task; the tests hold the two equal.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")
OPENS: Final = time(9)
CLOSES: Final = time(18)

_NBSP = "\u00a0"
_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def is_working_day(day: date) -> bool:
    """Whether `day` is a Monday to Friday that is no public holiday (product.md, rule 2)."""
    return day.weekday() < 5 and day not in public_holidays(day.year)


def next_working_moment(moment: datetime, opens: time = OPENS, closes: time = CLOSES) -> datetime:
    """The first moment at or after `moment` (aware) that is on a working day with opens ≤ time < closes, in UTC.

    A moment already inside working time comes back unchanged; `opens` and `closes` are wall-clock times in Paris.
    Raises ValueError when `moment` is naive or `opens` is not before `closes`.
    """
    if opens >= closes:
        raise ValueError("opens must come before closes")
    local = _in_paris(moment)
    if is_working_day(local.date()):
        if local.time() < opens:
            return _from_paris(datetime.combine(local.date(), opens))
        if local.time() < closes:
            return moment.astimezone(UTC)
    return next_working_day_opening(local.date(), opens)


def next_working_day_opening(after: date, opens: time = OPENS) -> datetime:
    """The opening (Paris wall clock, returned in UTC) of the first working day strictly after the day `after`."""
    day = after + timedelta(days=1)
    while not is_working_day(day):
        day += timedelta(days=1)
    return _from_paris(datetime.combine(day, opens))


def add_days(moment: datetime, days: int) -> datetime:
    """`moment` (aware) moved by civil days: the same wall-clock time in Paris `days` days later, in UTC.

    A wall-clock time that spring skips moves forward by the skipped hour (02:30 → 03:30); one that autumn repeats is
    the first of the two. Raises ValueError when `moment` is naive.
    """
    local = _in_paris(moment)
    if days == 0:
        return moment.astimezone(UTC)  # keeps the second of two repeated hours
    return _from_paris(local.replace(tzinfo=None, fold=0) + timedelta(days=days))


def add_months(moment: datetime, months: int) -> datetime:
    """`moment` (aware) moved by civil months: the same wall-clock time in Paris on the same day of the month, or on its
    last one (30 November 10:00 → 28 February 10:00; security.md A-11), in UTC.

    Skipped and repeated wall-clock times are taken as by `add_days`. Raises ValueError when `moment` is naive.
    """
    local = _in_paris(moment)
    if months == 0:
        return moment.astimezone(UTC)
    return _from_paris(datetime.combine(months_after(local.date(), months), local.time()))


def months_after(day: date, months: int) -> date:
    """The same day of the month `months` later (earlier when negative), or its last one."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def paris_date(moment: datetime) -> date:
    """The civil date in Paris at `moment` (aware). Raises ValueError when it is naive."""
    return _in_paris(moment).date()


def french_moment(moment: datetime, reference: datetime | None = None) -> str:
    """« mardi 12 mai à 9 h », « mardi 12 mai à 14 h 02 »: `moment` (aware) on the Paris clock, to the minute.

    The year is written (« mardi 12 mai 2026 à 9 h ») when it is not the year of `reference` (aware, usually now).
    No-break spaces (U+00A0) stand around « h ». Raises ValueError when a moment is naive.
    """
    local = _in_paris(moment)
    with_year = reference is not None and _in_paris(reference).year != local.year
    minutes = f"{_NBSP}{local.minute:02}" if local.minute else ""
    return f"{_long_date(local.date(), with_year)} à {local.hour}{_NBSP}h{minutes}"


def french_date(day: date, reference: date | None = None, *, weekday: bool = False) -> str:
    """« 12 mai 2026 », « 1er mai 2026 », with `weekday` « mardi 12 mai 2026 ».

    The year is left out only when `reference` is given and has the same one.
    """
    with_year = reference is None or reference.year != day.year
    text = _long_date(day, with_year)
    return text if weekday else text.split(" ", 1)[1]


@cache
def public_holidays(year: int) -> frozenset[date]:
    """The eleven public holidays of `year` in metropolitan France (Code du travail, art. L3133-1).

    The two more of Alsace-Moselle and those of overseas are ordinary days here: messages leave from one place.
    """
    easter = _easter_sunday(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    after_easter = (1, 39, 50)  # Easter Monday, Ascension, Whit Monday
    return frozenset(
        [date(year, month, day) for month, day in fixed] + [easter + timedelta(days=days) for days in after_easter]
    )


def _easter_sunday(year: int) -> date:
    """Gregorian Easter, by the anonymous algorithm (Meeus, Astronomical Algorithms, chapter 8)."""
    a = year % 19
    b, c = divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    n = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * n) // 451
    month, day = divmod(h + n - 7 * m + 114, 31)
    return date(year, month, day + 1)


def _long_date(day: date, with_year: bool) -> str:
    number = "1er" if day.day == 1 else str(day.day)
    year = f" {day.year}" if with_year else ""
    return f"{_WEEKDAYS[day.weekday()]} {number} {_MONTHS[day.month - 1]}{year}"


def _in_paris(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone")
    return moment.astimezone(PARIS)


def _from_paris(wall_clock: datetime) -> datetime:
    """A naive Paris wall-clock time in UTC: fold 0 moves a skipped one forward, takes the first of a repeated one."""
    return wall_clock.replace(tzinfo=PARIS, fold=0).astimezone(UTC)
