"""Postal addresses, and how they stand in the window of an envelope (NF Z10-011)."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from domain.identifiers import InvalidValue, parse_postcode

MAX_LINES: Final = 6
MAX_LINE_CHARACTERS: Final = 38


@dataclass(frozen=True, kw_only=True)
class PostalAddress:
    """Where a person lives; who lives there is told to `envelope_lines`.

    `line1`: number and street; `line2`: what leads to the door (apartment, building, residence, « chez »);
    `line3`: place name or post-office box; `country`: ISO 3166 alpha-2. Built from typed text by `parse_address`.
    """

    line1: str
    line2: str = ""
    line3: str = ""
    postcode: str
    city: str
    country: str = "FR"


def parse_address(
    *, line1: str, line2: str = "", line3: str = "", postcode: str, city: str, country: str = "FR"
) -> PostalAddress:
    """The address as typed, spaces tidied, once it is sure that an envelope can carry it with a two-line recipient.

    Raises InvalidValue `address.<field>.missing|length`, `address.city.characters`, `address.country`, and those of
    `parse_postcode` when the country is FR.
    """
    address = PostalAddress(
        line1=_tidy(line1),
        line2=_tidy(line2),
        line3=_tidy(line3),
        postcode=_tidy(postcode),
        city=_tidy(city),
        country=_tidy(country).upper() or "FR",
    )
    if not any(char.isalnum() for char in address.line1):
        raise InvalidValue("address.line1.missing", "Indiquez le numéro et la rue.", _EXAMPLES["line1"])
    if not address.city:
        raise InvalidValue("address.city.missing", "Indiquez la ville.", _EXAMPLES["city"])
    if not any(char.isalpha() for char in address.city):
        raise InvalidValue("address.city.characters", "Le nom de la ville comporte des lettres.", _EXAMPLES["city"])
    if not re.fullmatch(r"[A-Z]{2}", address.country):
        message = "Le pays est indiqué par son code de deux lettres, FR pour la France."
        raise InvalidValue("address.country", message, "FR")
    if address.country == "FR":
        address = replace(address, postcode=parse_postcode(postcode))
    _lay_out(["X", "X"], address)
    return address


def envelope_lines(recipient: str, address: PostalAddress) -> tuple[str, ...]:
    """2 to 6 lines of 1 to 38 characters: the recipient, line2, line1, line3, then `NNNNN VILLE` in capitals.

    A line too long is abbreviated as La Poste does (AVENUE → AV), then wrapped between words, each only when it must;
    no word is ever cut or left out. Accents are kept. The country is no line: the carrier prints it. Raises
    InvalidValue `address.<field>.length` (or `address.recipient.missing`) naming the field to shorten.
    """
    name = _tidy(recipient)
    if not name:
        message = "Indiquez le nom de la personne à qui la lettre est adressée."
        raise InvalidValue("address.recipient.missing", message, _EXAMPLES["recipient"])
    return _lay_out(_wrapped("recipient", name), address)


_LABELS: Mapping[str, str] = {
    "recipient": "Le nom du destinataire",
    "line1": "La ligne «\u00a0numéro et rue\u00a0»",
    "line2": "Le complément d’adresse",
    "line3": "Le lieu-dit ou la boîte postale",
    "city": "Le nom de la ville",
}
_EXAMPLES: Mapping[str, str] = {
    "recipient": "Camille Martin",
    "line1": "12 avenue des Exemples",
    "line2": "Appartement 4, bâtiment B",
    "line3": "Le Bourg",
    "city": "Paris",
}

# Usual abbreviations of NF Z10-011, annex; keys without accents.
_ABBREVIATIONS: Mapping[str, str] = {
    "ALLEE": "ALL",
    "ALLEES": "ALL",
    "APPARTEMENT": "APP",
    "AVENUE": "AV",
    "BATIMENT": "BAT",
    "BOULEVARD": "BD",
    "CHEMIN": "CHE",
    "COMMANDANT": "CDT",
    "DOCTEUR": "DR",
    "ESCALIER": "ESC",
    "ETAGE": "ETG",
    "FAUBOURG": "FG",
    "GENERAL": "GAL",
    "IMMEUBLE": "IMM",
    "IMPASSE": "IMP",
    "LIEUTENANT": "LT",
    "LOTISSEMENT": "LOT",
    "MARECHAL": "MAL",
    "PASSAGE": "PAS",
    "PLACE": "PL",
    "PRESIDENT": "PDT",
    "PROFESSEUR": "PR",
    "QUARTIER": "QUA",
    "RESIDENCE": "RES",
    "ROUTE": "RTE",
    "SAINT": "ST",
    "SAINTE": "STE",
    "SQUARE": "SQ",
}


def _lay_out(recipient_lines: list[str], address: PostalAddress) -> tuple[str, ...]:
    last = _last_line(address)
    fields = {name: _unpunctuated(getattr(address, name)) for name in ("line2", "line1", "line3")}
    laid = {name: _wrapped(name, text) for name, text in fields.items() if text}
    room = MAX_LINES - 1 - sum(map(len, laid.values()))
    if len(recipient_lines) > room:
        # Blame the field that takes the most lines; the recipient only when no other is to shorten.
        name, lines = max(laid.items(), key=lambda item: len(item[1]), default=("recipient", recipient_lines))
        raise _too_long("recipient" if len(lines) == 1 else name)
    return (*recipient_lines, *(line for lines in laid.values() for line in lines), last)


def _last_line(address: PostalAddress) -> str:
    city = _unpunctuated(address.city).upper()
    for text in (city, _abbreviated(city)):
        line = f"{address.postcode} {text}".strip()
        if len(line) <= MAX_LINE_CHARACTERS:
            return line
    raise _too_long("city")


def _wrapped(name: str, text: str) -> list[str]:
    """The text on as few lines as it takes; names of people are wrapped, never abbreviated."""
    if len(text) > MAX_LINE_CHARACTERS and name != "recipient":
        text = _abbreviated(text)
    for at_hyphens in (False, True):  # a compound word is parted only when it is longer than a line
        lines = textwrap.wrap(text, MAX_LINE_CHARACTERS, break_long_words=False, break_on_hyphens=at_hyphens)
        if all(len(line) <= MAX_LINE_CHARACTERS for line in lines):
            return lines
    raise _too_long(name)


def _abbreviated(text: str) -> str:
    return re.sub(r"[^\W\d_]+", lambda word: _ABBREVIATIONS.get(_plain(word[0]), word[0]), text)


def _plain(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", word.upper()) if not unicodedata.combining(char))


def _tidy(text: str) -> str:
    """Composed characters, single spaces, nothing invisible."""
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    return "".join(char for char in spaced if unicodedata.category(char)[0] != "C").strip()


def _unpunctuated(text: str) -> str:
    """Without the commas, semicolons and full stops that the standard keeps out of the lines below the name."""
    return " ".join(re.sub(r"[,;]|\.(?=\s|$)", " ", text).split())


def _too_long(name: str) -> InvalidValue:
    message = f"{_LABELS[name]} ne tient pas sur l’enveloppe\u00a0: utilisez des abréviations."
    return InvalidValue(f"address.{name}.length", message, _EXAMPLES[name])
