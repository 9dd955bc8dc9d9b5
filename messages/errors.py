"""What is wrong with an answer, in a person's language: `error.<code>` in the catalogues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from domain.identifiers import IBAN_EXAMPLE, NIR_EXAMPLE, SIRET_EXAMPLE
from messages.catalogue import Catalogue

# Their examples are of no help beside the sentence, or are French words.
_WITHOUT_EXAMPLE: Final = frozenset(["dependants.too_many", "document.missing", "text.characters"])
_NO_WORDS: Final = frozenset(["true", "false"])
_GROUPED: Final[Mapping[str, str]] = {  # as they stand on the papers that people copy them from
    NIR_EXAMPLE: "2 75 06 75 990 001 97",
    IBAN_EXAMPLE: "FR76 9999 9000 0100 0000 0000 115",
    SIRET_EXAMPLE: "999 000 003 00015",
}
_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


def error_text(catalogue: Catalogue, code: str, example: str | None = None) -> str:
    """« Le code postal compte 5 chiffres. Vérifiez-le. Exemple : 75011 »; a general sentence for a code without words.

    `example` as `services.problems.FieldError` has it. The code of a choice (`yes`, `RG`) is no example for a person:
    it is left out.
    """
    key = f"error.{code}"
    known = code != "example" and key in catalogue.keys
    sentence = catalogue.text(key if known else "error.other")
    if not example or code in _WITHOUT_EXAMPLE or _is_choice(catalogue, example):
        return sentence
    return f"{sentence} {catalogue.text('error.example', example=_as_written(example))}"


def _is_choice(catalogue: Catalogue, example: str) -> bool:
    """Whether people choose it by its words, instead of typing it."""
    if example in _NO_WORDS or {f"form.{example}", f"waiver.{example}.label", f"piece.{example}"} & catalogue.keys:
        return True
    ending = f".choice.{example.replace(' ', '_')}"
    return any(key.startswith("form.") and key.endswith(ending) for key in catalogue.keys)


def _as_written(example: str) -> str:
    """As people write it: 12/06/1975, not 1975-06-12."""
    day = _DAY.fullmatch(example)
    return "/".join(reversed(day.groups())) if day else _GROUPED.get(example, example)
