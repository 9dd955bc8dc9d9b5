"""People's names, as they are searched."""

from __future__ import annotations

import unicodedata

_SPELT_OUT = str.maketrans({"œ": "oe", "æ": "ae", "’": "'", "-": " "})


def search_form(text: str) -> str:
    """Lower case, without accents, ligatures or hyphens, single spaces: how names are searched."""
    decomposed = unicodedata.normalize("NFD", text.casefold().translate(_SPELT_OUT))
    return " ".join("".join(mark for mark in decomposed if unicodedata.category(mark) != "Mn").split())
