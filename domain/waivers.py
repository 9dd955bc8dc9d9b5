"""Why an employee may be exempted from the cover (« dispense d'affiliation »), as dated data (`data/waivers.toml`)."""

from __future__ import annotations

import tomllib
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import resources
from itertools import combinations

from domain.employment import ContractKind
from domain.identifiers import InvalidValue


class Proof(StrEnum):
    """What proves a reason; `either`: a sworn statement may stand for the document (CSS D911-5)."""

    document = "document"
    sworn = "sworn"
    either = "either"


@dataclass(frozen=True)
class WaiverReason:
    """A reason in force from `valid_from` to `valid_to`, both included; None: until further notice.

    `contract_kinds`: whom it is open to, everybody when empty. `needs_end_date`: the person says when the contract or
    the other cover ends. `max_months`: the longest an exemption holds before it is asked again.
    """

    code: str
    source: str
    valid_from: date
    valid_to: date | None
    contract_kinds: frozenset[ContractKind]
    proof: Proof
    needs_end_date: bool
    max_months: int


def waiver_reasons(on: date, contract: ContractKind) -> tuple[WaiverReason, ...]:
    """The reasons open on a day to a kind of contract, in the order to show them."""
    return tuple(reason for reason in _in_force(on) if not reason.contract_kinds or contract in reason.contract_kinds)


def waiver_reason(code: str, on: date) -> WaiverReason:
    """The reason of a code as it is on a day. Raises KeyError when there is none."""
    return {reason.code: reason for reason in _in_force(on)}[code]


def waiver_end(reason: WaiverReason, starts_on: date, given_until: date | None) -> date:
    """The day an exemption ends: the day given, at most `max_months` after the start; that day when none is given.

    Raises InvalidValue `waiver.end_missing` when the reason needs a day, `waiver.end_before_start`.
    """
    latest = _months_later(starts_on, reason.max_months)
    if given_until is None:
        if reason.needs_end_date:
            message = "Indiquez jusqu’à quelle date votre contrat ou votre autre couverture dure."
            raise InvalidValue("waiver.end_missing", message, latest.isoformat())
        return latest
    if given_until < starts_on:
        message = "La date de fin vient avant le début de la dispense\u00a0: vérifiez le jour, le mois et l’année."
        raise InvalidValue("waiver.end_before_start", message, latest.isoformat())
    return min(given_until, latest)


def _in_force(on: date) -> tuple[WaiverReason, ...]:
    return tuple(r for r in _REASONS if r.valid_from <= on and (r.valid_to is None or on <= r.valid_to))


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, its last day when it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _load() -> tuple[WaiverReason, ...]:
    """The reasons of every period. Raises ValueError or KeyError when the data is wrong, so at start-up."""
    data = tomllib.loads(resources.files("domain").joinpath("data/waivers.toml").read_text(encoding="utf-8"))
    reasons = tuple(
        WaiverReason(
            code=entry["code"],
            source=entry["source"],
            valid_from=entry["valid_from"],
            valid_to=entry.get("valid_to"),
            contract_kinds=frozenset(ContractKind(kind) for kind in entry["contract_kinds"]),
            proof=Proof(entry["proof"]),
            needs_end_date=entry["needs_end_date"],
            max_months=entry["max_months"],
        )
        for entry in data["reason"]
    )
    for earlier, later in combinations(reasons, 2):
        if earlier.code == later.code and (earlier.valid_to is None or earlier.valid_to >= later.valid_from):
            raise ValueError(f"the reason {later.code} of {later.valid_from} overlaps the one before it")
    return reasons


# Read once, with the module: what calls this may not read files (workflows).
_REASONS = _load()
