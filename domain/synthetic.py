"""Synthetic values that pass every check of `domain.identifiers` and belong to nobody: demo data and tests only.

SIREN begin with 999, where INSEE gives none; NIR carry commune 990, which no department reaches; IBAN name bank 99999,
which the Banque de France gives to none; telephones are in the range that ARCEP keeps for fiction.
"""

from __future__ import annotations

from datetime import date

from schwifty import IBAN
from stdnum import luhn
from stdnum.fr import nir as stdnum_nir

from domain.identifiers import Civility


def synthetic_siren(number: int) -> str:
    """The SIREN `999 nnn nnc` of a number from 0 to 99 999, c being its Luhn digit."""
    body = f"999{_within(number, 99_999):05}"
    return body + luhn.calc_check_digit(body)


def synthetic_siret(siren: str, establishment: int = 1) -> str:
    """The SIRET of the company's establishment number 1 to 9 999: its SIREN, the number, the Luhn digit."""
    body = f"{siren}{_within(establishment, 9_999, first=1):04}"
    return body + luhn.calc_check_digit(body)


def synthetic_nir(civility: Civility, birth_date: date, department: str = "75", order: int = 1) -> str:
    """A NIR (15 characters, key included) of a department (`01`–`96`, `2A`, `2B`, `971`…, `99`), order 1 to 999."""
    sex = "1" if civility is Civility.monsieur else "2"
    place = department + ("90" if len(department) == 3 else "990")
    body = f"{sex}{birth_date:%y%m}{place}{_within(order, 999, first=1):03}"
    return body + str(stdnum_nir.calc_check_digits(body))


def synthetic_iban(number: int) -> str:
    """A French IBAN with right RIB key and IBAN key, account number 0 to 99 999 999 999."""
    account = f"{_within(number, 99_999_999_999):011}"
    return str(IBAN.generate("FR", bank_code="99999", branch_code="00001", account_code=account))


def synthetic_mobile(number: int) -> str:
    """A mobile in E.164, number 0 to 9 999."""
    return f"+3363998{_within(number, 9_999):04}"


def _within(number: int, last: int, first: int = 0) -> int:
    if not first <= number <= last:
        raise ValueError(f"{number} is not within {first}..{last}")
    return number
