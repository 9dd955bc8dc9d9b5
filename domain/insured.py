"""Where the contract of an insured person stands (« Statut du contrat »)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class ContractState(StrEnum):
    """`coming`: it is certain, and begins later. `portability`: the contract is over, its cover goes on. `ended`: its
    last day is over."""

    current = "current"
    coming = "coming"
    portability = "portability"
    ended = "ended"


def contract_state(starts_on: date, ends_on: date | None, rights_until: date | None, today: date) -> ContractState:
    """The state on a day; last days still count. `rights_until`: the last day of the last right, portability included,
    where an end is known."""
    if starts_on > today:
        return ContractState.coming
    if ends_on is None or ends_on >= today:
        return ContractState.current
    kept = rights_until is not None and rights_until >= today
    return ContractState.portability if kept else ContractState.ended
