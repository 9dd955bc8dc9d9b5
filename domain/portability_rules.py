"""The dated rules of portability (`data/portability.toml`): proofs, grace, notices, how far ahead an end is given."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from domain.coverage_rights import ProofRules


@dataclass(frozen=True, slots=True)
class Edition:
    """`since`: counts for the contracts that end from this day on."""

    since: date
    proof: ProofRules
    ahead_months: int
    undo_days: int


@cache
def editions() -> tuple[Edition, ...]:
    """The oldest first."""
    data = tomllib.loads(resources.files("domain").joinpath("data/portability.toml").read_text(encoding="utf-8"))
    return tuple(sorted((_edition(fields) for fields in data["edition"]), key=lambda one: one.since))


def edition_on(contract_ends_on: date) -> Edition:
    """The rules for contracts that end on this day; before the first edition, the first."""
    return max(
        (one for one in editions() if one.since <= contract_ends_on), key=lambda one: one.since, default=editions()[0]
    )


def _edition(fields: dict[str, Any]) -> Edition:
    named: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    since, ahead_months, undo_days = (named.pop(name) for name in ("from", "ahead_months", "undo_days"))
    return Edition(since, ProofRules(**named), ahead_months, undo_days)
