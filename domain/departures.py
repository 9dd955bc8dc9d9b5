"""What follows from the end of a work contract: cover to the month's end, then portability (HCR agreement of 6 October
2010, art. 7 and 8.1; Code de la sécurité sociale, art. L911-8). Reasons and what they open are dated data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

from domain.working_time import months_after

MOST_MONTHS: Final = 12
DOUBLED: Final = 2  # HCR agreement, art. 8.1: twice the length of L911-8
AFFILIATION_ALONE: Final = "alone"  # the affiliation ends without its contract (S21.G00.70.015): on that very day
NEVER_PORTABLE: Final = ("088", "096")  # « faute lourde »: L911-8, whatever anybody decides


class Portability(StrEnum):
    """What a reason says of it: presumed open until proved, not open, for a person to decide, or no end at all."""

    open = "open"
    closed = "closed"
    review = "review"
    none = "none"


@dataclass(frozen=True, slots=True)
class Reason:
    """`code`: of S21.G00.62.002; `radiation`: whether an employer without DSN may give it."""

    code: str
    label: str
    portability: Portability
    radiation: bool


@dataclass(frozen=True, slots=True)
class Period:
    """Both days included."""

    first: date
    last: date


@cache
def reasons() -> dict[str, Reason]:
    """By code."""
    data = tomllib.loads(resources.files("domain").joinpath("data/departure_reasons.toml").read_text(encoding="utf-8"))
    return {
        one["code"]: Reason(one["code"], one["label"], Portability(one["portability"]), one.get("radiation", False))
        for one in data["reason"]
    }


def portability_of(code: str) -> Portability:
    """A code that we do not know is for a person to decide."""
    if code == AFFILIATION_ALONE:
        return Portability.closed
    known = reasons().get(code)
    return known.portability if known is not None else Portability.review


def covered_until(contract_ends_on: date, reason: str = "") -> date:
    """The last day of the month in which the work contract ends, whatever ended it (art. 7); an affiliation that ends
    without its contract ends on its day."""
    if reason == AFFILIATION_ALONE:
        return contract_ends_on
    return months_after(contract_ends_on.replace(day=1), 1) - timedelta(days=1)


def portability_period(contract_began_on: date, contract_ends_on: date) -> Period:
    """From the 1st of the next month, for twice the length of the contract in months rounded up, at most twelve (art.
    8.1): an upper bound, as the time of unemployment benefit is not known.

    `contract_began_on`: of the first of contracts that follow each other with the same employer. Raises ValueError when
    it is after the end.
    """
    if contract_ends_on < contract_began_on:
        raise ValueError("the contract ends before it begins")
    months = min(DOUBLED * months_rounded_up(contract_began_on, contract_ends_on), MOST_MONTHS)
    first = months_after(contract_ends_on.replace(day=1), 1)
    return Period(first, months_after(first, months) - timedelta(days=1))


def months_rounded_up(first: date, last: date) -> int:
    """How many months two days, both included, span: at least one."""
    end, months = last + timedelta(days=1), 1
    while months_after(first, months) < end:
        months += 1
    return months
