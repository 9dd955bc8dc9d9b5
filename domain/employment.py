"""The employment that an employer declares."""

from __future__ import annotations

from enum import StrEnum


class ContractKind(StrEnum):
    """« Nature du contrat », as the branch uses them."""

    cdi = "cdi"
    cdd = "cdd"
    seasonal = "seasonal"  # CDD saisonnier
    extra = "extra"  # CDD d'usage
    apprenticeship = "apprenticeship"
