"""The catalogue of formulas: `BASE CCN HCR NC SEUL RG` and its monthly price, as dated data (`data/formulas.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import resources
from itertools import pairwise
from typing import Final

from domain.identifiers import InvalidValue


class Scheme(StrEnum):
    """« Régime » of social security: `RG` général, `RL` local (Alsace-Moselle)."""

    RG = "RG"
    RL = "RL"


class ProfessionalStatus(StrEnum):
    """« Statut professionnel »: `NC` non cadre, `C` cadre."""

    NC = "NC"
    C = "C"


class Family(StrEnum):
    """Who a coverage is for: the employee alone, with one dependant, with two or more."""

    SEUL = "SEUL"
    DUO = "DUO"
    FAMILLE = "FAMILLE"


@dataclass(frozen=True)
class Formula:
    """One formula of the catalogue; `level` is data (`BASE`, `OPTION 1`…)."""

    level: str
    status: ProfessionalStatus
    family: Family
    scheme: Scheme

    @property
    def code(self) -> str:
        """`BASE CCN HCR NC SEUL RG` (product.md, « Formula of a coverage »)."""
        return f"{self.level} {_AGREEMENT} {self.status} {self.family} {self.scheme}"


def family_of(dependants: int) -> Family:
    """The family of an employee with so many dependants. Raises ValueError when the number is negative."""
    if dependants < 0:
        raise ValueError("the number of dependants is negative")
    return (Family.SEUL, Family.DUO, Family.FAMILLE)[min(dependants, 2)]


def formula_code(level: str, status: ProfessionalStatus, family: Family, scheme: Scheme) -> str:
    """The code of a formula. Raises InvalidValue `formula.level` when the catalogue never had this level."""
    return _known(Formula(level, status, family, scheme)).code


def parse_formula_code(code: str) -> Formula:
    """The formula that a code names, spaces and capitals as they come.

    Raises InvalidValue `formula.unknown` when it has another shape, `formula.level` when no catalogue has its level.
    """
    level, _, rest = " ".join(code.upper().split()).partition(f" {_AGREEMENT} ")
    try:
        status, family, scheme = rest.split(" ")
        formula = Formula(level, ProfessionalStatus(status), Family(family), Scheme(scheme))
    except ValueError:
        message = "Ce code de formule n’existe pas\u00a0: niveau, CCN HCR, statut, famille et régime."
        raise InvalidValue("formula.unknown", message, _EXAMPLE) from None
    return _known(formula)


def formula_codes(status: ProfessionalStatus | None = None) -> tuple[str, ...]:
    """Every code that a tariff ever had, of one professional status or of both, in the catalogue's order."""
    known = dict.fromkeys(level for tariff in _TARIFFS for level in tariff.levels)
    return tuple(
        Formula(level, of, family, scheme).code
        for level in known
        for of in ProfessionalStatus
        if status in (None, of)
        for family in Family
        for scheme in Scheme
    )


def levels(on: date) -> tuple[str, ...]:
    """The levels on sale on a day, the compulsory one first. Raises LookupError when no tariff covers the day."""
    return _tariff(on).levels


def monthly_price_cents(level: str, status: ProfessionalStatus, family: Family, scheme: Scheme, *, on: date) -> int:
    """The price of one month, in euro cents, by the tariff in force on a day.

    A month is due whole (HCR agreement, art. 13). Raises LookupError when no tariff covers the day or it has no such
    level.
    """
    return _tariff(on).prices[level, status, scheme][family]


@dataclass(frozen=True)
class _Tariff:
    """Prices in force from `valid_from` to `valid_to`, both included; None: until further notice."""

    valid_from: date
    valid_to: date | None
    levels: tuple[str, ...]
    prices: Mapping[tuple[str, ProfessionalStatus, Scheme], Mapping[Family, int]]


def _tariff(on: date) -> _Tariff:
    for tariff in _TARIFFS:
        if tariff.valid_from <= on and (tariff.valid_to is None or on <= tariff.valid_to):
            return tariff
    raise LookupError(f"no tariff on {on}")


def _known(formula: Formula) -> Formula:
    if not any(formula.level in tariff.levels for tariff in _TARIFFS):
        raise InvalidValue("formula.level", "Ce niveau de garantie n’existe pas.", _EXAMPLE)
    return formula


def _load() -> tuple[str, tuple[_Tariff, ...]]:
    """The agreement's name and the tariffs. Raises ValueError or KeyError when the data is wrong, so at start-up."""
    data = tomllib.loads(resources.files("domain").joinpath("data/formulas.toml").read_text(encoding="utf-8"))
    tariffs = []
    for entry in data["tariff"]:
        names = tuple(entry["prices"])
        prices = {
            (level, status, scheme): {
                family: int(entry["prices"][level][f"{status} {scheme}"][family]) for family in Family
            }
            for level in names
            for status in ProfessionalStatus
            for scheme in Scheme
        }
        tariffs.append(_Tariff(entry["valid_from"], entry.get("valid_to"), names, prices))
    for earlier, later in pairwise(tariffs):
        if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
            raise ValueError(f"the tariff of {later.valid_from} overlaps the one before it")
    return data["agreement"], tuple(tariffs)


# Read once, with the module: what calls this may not read files (workflows).
_AGREEMENT, _TARIFFS = _load()
_EXAMPLE: Final = Formula("BASE", ProfessionalStatus.NC, Family.SEUL, Scheme.RG).code
