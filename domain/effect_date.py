"""When a coverage begins (« date d'effet »)."""

from __future__ import annotations

from datetime import date, timedelta


def coverage_begins(hired_on: date, waiver_ended_on: date | None = None) -> date:
    """The first day covered: the day of hire, however late the employee completes the affiliation; after a waiver
    (« dispense »), the day that follows its last one.

    product.md is silent; the cover is compulsory and collective, and begins on the hire date (HCR agreement of
    6 October 2010 as amended by avenant n° 3 of 26 October 2015, in force on 1 January 2016, art. 5; dsn.md § 3.2).
    That article has one rule since then, so nothing here depends on a date yet; the month of seniority asked before
    2016 is left out, as no affiliation of that time can start today.
    """
    if waiver_ended_on is not None:
        return max(hired_on, waiver_ended_on + timedelta(days=1))
    return hired_on
