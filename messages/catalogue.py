"""The texts of the employee's side, by key, in each language: `locales/<language>/<area>.po`.

A key names where a text stands (`email.invitation.subject`); French is the language that the others are held equal to.
A text may mark words as **important** and name values as {employer}; it holds nothing else that a program reads. What
people typed comes in as a value only, and is never read for marks.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.pofile import read_po
from babel.numbers import format_currency
from markupsafe import Markup, escape

from domain.media import Language
from domain.working_time import PARIS
from messages.typography import NBSP, date_in_words, french, short_date_in_words

LOCALES = Path(__file__).with_name("locales")

_LOCALES = {
    Language.fr: Locale("fr"),
    Language.falc: Locale("fr"),
    Language.en: Locale("en", "GB"),
    Language.pt: Locale("pt", "PT"),
    Language.es: Locale("es", "ES"),
    Language.ar: Locale("ar"),
}
FRENCH = (Language.fr, Language.falc)
_IMPORTANT = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
# Around a value in a right-to-left sentence: a name or a reference keeps its own direction.
_ISOLATE, _END = "\u2068", "\u2069"


@dataclass(frozen=True)
class Run:
    """A stretch of a text, for whoever sets type."""

    text: str
    important: bool


class Catalogue:
    """The texts of one language. Every method raises KeyError for a text or a value that is missing."""

    def __init__(
        self, language: Language, texts: Mapping[str, tuple[str, ...]], plural_of: Callable[[int], int]
    ) -> None:
        self.language = language
        self.locale = _LOCALES[language]
        self.html_lang = self.locale.language
        direction: Literal["ltr", "rtl"] = "rtl" if self.locale.text_direction == "rtl" else "ltr"
        self.direction = direction
        self._texts = texts
        self._plural_of = plural_of

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._texts)

    def source(self, key: str, count: int | None = None) -> str:
        """The text as the catalogue has it, marks and names of values included."""
        forms = self._texts[key]
        return forms[0] if count is None else forms[self._plural_of(count)]

    def text(self, key: str, count: int | None = None, /, **values: object) -> str:
        """In plain letters. `count` chooses among plural forms, and is there as {count}."""
        source = _IMPORTANT.sub(r"\1", self.source(key, count))
        return source.format_map({name: self._isolated(value) for name, value in _with(values, count).items()})

    def html(self, key: str, count: int | None = None, /, **values: object) -> Markup:
        """For a page or an e-mail: values are escaped, what matters is `<strong>`."""
        given = _with(values, count)
        if self.direction == "rtl":
            given = {name: Markup("<bdi>{}</bdi>").format(value) for name, value in given.items()}
        return marked(self.source(key, count)).format_map(given)  # format_map escapes the values

    def runs(self, key: str, count: int | None = None, /, **values: object) -> list[Run]:
        """For paper."""
        given = {name: self._isolated(value) for name, value in _with(values, count).items()}
        parts = _IMPORTANT.split(self.source(key, count))
        return [Run(part.format_map(given), place % 2 == 1) for place, part in enumerate(parts) if part]

    def day(self, day: date) -> str:
        """« 12 mai 2026 »."""
        return short_date_in_words(day) if self.language in FRENCH else format_date(day, "long", locale=self.locale)

    def full_day(self, day: date) -> str:
        """« mardi 12 mai 2026 »."""
        return date_in_words(day) if self.language in FRENCH else format_date(day, "full", locale=self.locale)

    def time(self, moment: datetime) -> str:
        """The time of day in Paris: « 14 h 02 »."""
        local = moment.astimezone(PARIS)
        if self.language in FRENCH:
            return f"{local.hour}{NBSP}h{NBSP}{local.minute:02}"
        return format_time(local.time(), "HH:mm", locale=self.locale)

    def money(self, cents: int) -> str:
        """« 31,00 € »."""
        return format_currency(Decimal(cents) / 100, "EUR", locale=self.locale)

    def _isolated(self, value: object) -> object:
        return f"{_ISOLATE}{value}{_END}" if self.direction == "rtl" else value


@cache
def catalogue(language: Language) -> Catalogue:
    """The catalogue of a language, read once. Raises ValueError when a key stands in two areas."""
    texts: dict[str, tuple[str, ...]] = {}
    plural_of: Callable[[int], int] = int
    for path in sorted((LOCALES / language.value).glob("*.po")):
        with path.open("rb") as file:
            area = read_po(file, locale=_LOCALES[language], abort_invalid=True)
        plural_of = gettext.c2py(area.plural_expr)
        for message in area:
            if not message.id:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            if key in texts:
                raise ValueError(f"{key} stands in two areas of {language}")
            if forms and all(forms):  # an empty text is a missing one
                texts[key] = tuple(french(form) for form in forms) if language in FRENCH else forms
    return Catalogue(language, texts, plural_of)


def marked(source: str) -> Markup:
    """A text as the catalogues have it, escaped, with its **important** words in `<strong>`."""
    return Markup(_IMPORTANT.sub(r"<strong>\1</strong>", str(escape(source))))  # noqa: S704 - escaped right here


def _with(values: dict[str, object], count: int | None) -> dict[str, object]:
    return values if count is None else {"count": count, **values}
