"""Who writes: what every message says of HCR Bien-Être, and the one place that chooses the language of a message."""

from __future__ import annotations

from domain.media import Language
from messages.typography import NBSP

NAME = "HCR Bien-Être"
HELPLINE = "01 44 20 80 63".replace(" ", NBSP)
HELPLINE_URI = "tel:+33144208063"
HELPLINE_HOURS = f"du lundi au vendredi, de{NBSP}9:00 à{NBSP}17:00"

# Where paper comes back to; also the sender's address on a letter. A placeholder until the house gives its own.
RETURN_ADDRESS = ("HCR Bien-Être", "Service Affiliation", "TSA 00000", "75000 PARIS CEDEX")


def written_language(wanted: Language) -> Language:
    """The language a message is written in. French for everyone until another catalogue of texts exists:
    a message is then honest about itself (`lang="fr"`), whatever its reader prefers."""
    return wanted if wanted in _WRITTEN else Language.fr


_WRITTEN = frozenset({Language.fr})
