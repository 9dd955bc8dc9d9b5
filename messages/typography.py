"""French typography and dates for everything that is written to a person."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

NBSP = "\u00a0"  # before « : » and inside « »
NNBSP = "\u202f"  # before « ; ? ! »

_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def french(text: str) -> str:
    """Text typed with ordinary spaces, with the non-breaking ones French wants (U+00A0, U+202F).

    For our own sentences and template sources only, never for what a person typed: their names are kept as they are.
    """
    text = re.sub(r" +:(?=\s|$|<)", NBSP + ":", text)
    text = re.sub(r" +([;?!])(?![-=\w])", NNBSP + r"\1", text)
    return re.sub(r" »", NBSP + "»", re.sub(r"« ", "«" + NBSP, text))


def list_item(label: str) -> str:
    """A label of `words` as it stands in a list of a message: capital first, typographic apostrophe."""
    return (label[:1].upper() + label[1:]).replace("'", "’")


def date_in_words(day: date) -> str:
    """« mardi 12 mai 2026 », « vendredi 1er mai 2026 », on one line."""
    return NBSP.join((_DAYS[day.weekday()], short_date_in_words(day)))


def short_date_in_words(day: date) -> str:
    """« 12 mai 2026 », « 1er mai 2026 », on one line."""
    return NBSP.join(("1er" if day.day == 1 else str(day.day), _MONTHS[day.month - 1], str(day.year)))


def month_in_words(day: date) -> str:
    """« mai 2026 », on one line."""
    return NBSP.join((_MONTHS[day.month - 1], str(day.year)))


def one_line(text: str) -> str:
    """What a person typed, safe on one line: no control or direction character, no line break, spaces collapsed.

    Direction marks (U+202E…) could make an address or a link read backwards; control characters could break a header.
    """
    kept = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFC", text)
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
    return re.sub(r"[ \t]+", " ", "".join(kept)).strip()
