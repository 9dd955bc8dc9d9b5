"""Where the contract of an insured person stands (« Statut du contrat »)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class ContractState(StrEnum):
    """`coming`: it is certain, and begins later. `ended`: its last day is over."""

    current = "current"
    coming = "coming"
    ended = "ended"


def contract_state(starts_on: date, ends_on: date | None, today: date) -> ContractState:
    """The state on a day; the last day still counts."""
    if starts_on > today:
        return ContractState.coming
    return ContractState.ended if ends_on is not None and ends_on < today else ContractState.current
