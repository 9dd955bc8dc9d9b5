"""A NIR as spreadsheets and payroll lists give it back: what they changed, undone where it can be known.

A spreadsheet takes the 15 digits for a number and shows `2,75068E+14`: copied or saved as CSV, the rest is gone
(peers.md, P7). The key is computed when it is missing, as a proposal: it then proves nothing about the 13 others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from stdnum.fr import nir as stdnum_nir

from domain.identifiers import InvalidValue, parse_nir

_SCIENTIFIC: Final = re.compile(r"\d(?:[.,](?P<decimals>\d+))?E\+?(?P<power>\d{1,2})")
_DECIMALS: Final = re.compile(r"(\d{13,15})[.,]0+")
_BODY: Final = re.compile(r"[1-478]\d{4}(?:\d\d|2[AB])\d{6}")
_LABEL: Final = re.compile(r"^(?:N[°O]?\s*(?:SS|SECU)|NIR|NNI)\s*:?\s*")
_DIGITS: Final = 15
_FEWEST_KEPT: Final = 13  # of the 15: with fewer, the serial number of the birth is gone


class NirState(StrEnum):
    as_typed = "as_typed"  # nothing to restore; not necessarily valid
    restored = "restored"  # the number itself, without doubt: its key fits
    proposed = "proposed"  # to be compared with the card: the key was computed, so checks nothing
    lost = "lost"  # digits are gone for good


@dataclass(frozen=True)
class RepairedNir:
    """`nir`: the 15 characters when `restored` or `proposed`, otherwise what was typed. `why`: in French, or empty."""

    nir: str
    state: NirState
    why: str = ""


def repair_nir(text: str, key: str = "") -> RepairedNir:
    """What a cell's text says of a NIR; `key`: of a column of its own, as many payroll lists have it."""
    typed = text.strip().strip("'\"").upper().replace("\u00a0", " ").replace("\u202f", " ")
    number = re.sub(r"[\s\-]", "", _LABEL.sub("", typed))
    if scientific := _SCIENTIFIC.fullmatch(number):
        return _scientific(text, number, scientific)
    if decimals := _DECIMALS.fullmatch(number):
        number = decimals[1]
    number = number.replace(".", "").replace("O", "0")
    if len(number) == 13 and key.strip():
        return _with_key(text, number, key)
    if _valid(number):
        return _same_or_restored(text, typed, number)
    if _rounded(number):
        return RepairedNir(text, NirState.lost, _LOST)
    if _BODY.fullmatch(number[:13]):
        computed = number[:13] + _key(number[:13])
        if len(number) == 14 and computed[13:] == f"0{number[13:]}" and _valid(computed):
            return RepairedNir(computed, NirState.restored, "Le zéro du début de la clé a été rétabli.")
        if len(number) == 13 and _valid(computed):
            return RepairedNir(computed, NirState.proposed, _KEY_COMPUTED)
    return RepairedNir(text, NirState.as_typed)


_LOST: Final = (
    "Le tableur a remplacé les derniers chiffres du numéro : ils sont perdus dans le fichier et ne peuvent pas être "
    "retrouvés. Recopiez le numéro de la carte Vitale, dans une cellule au format « Texte »."
)
_KEY_COMPUTED: Final = (
    "La clé (les 2 derniers chiffres) manquait : elle a été calculée. Comparez le numéro à la carte Vitale, "
    "car une clé calculée ne révèle pas une faute de frappe."
)


def _scientific(text: str, number: str, match: re.Match[str]) -> RepairedNir:
    """`2,75067599000197E+14` has every digit; `2,75068E+14` has lost nine."""
    if int(match["power"]) != _DIGITS - 1 or len(match["decimals"] or "") + 1 < _FEWEST_KEPT:
        return RepairedNir(text, NirState.lost, _LOST)
    whole = f"{Decimal(number.replace(',', '.')):f}"
    if not _valid(whole):
        return RepairedNir(text, NirState.lost, _LOST)
    return RepairedNir(whole, NirState.restored, "Le numéro était écrit en notation scientifique : tous ses chiffres y "
                       "étaient, il a été rétabli.")  # fmt: skip


def _with_key(text: str, number: str, key: str) -> RepairedNir:
    """The two columns together; a wrong key stays wrong, for the check to say so."""
    digits = re.sub(r"[.,]0+$", "", key.strip())
    whole = number + digits.zfill(2)
    if _valid(whole):
        return RepairedNir(whole, NirState.restored, "La clé de la colonne voisine a été ajoutée au numéro.")
    return RepairedNir(whole, NirState.as_typed)


def _same_or_restored(text: str, typed: str, number: str) -> RepairedNir:
    if re.sub(r"[\s.\-]", "", typed) == number:
        return RepairedNir(number, NirState.as_typed)
    if "O" in _LABEL.sub("", typed):
        why = "La lettre O a été remplacée par le chiffre zéro."
    else:
        why = "Ce qui entourait le numéro a été retiré."
    return RepairedNir(number, NirState.restored, why)


def _rounded(number: str) -> bool:
    """Nine zeros where the commune, the order and the key stand: what a spreadsheet leaves of `2,75068E+14`."""
    return len(number) == _DIGITS and number.isdigit() and number.endswith("0" * 7)


def _key(body: str) -> str:
    return str(stdnum_nir.calc_check_digits(body))


def _valid(number: str) -> bool:
    try:
        parse_nir(number)
    except InvalidValue:
        return False
    return True
