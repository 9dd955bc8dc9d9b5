"""Which passwords may be chosen: long and hard to guess, of whatever characters (security.md A-05)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

from zxcvbn_rs_py import Warning as Weakness
from zxcvbn_rs_py import zxcvbn

from domain.identifiers import InvalidValue

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 128  # code points, normalised
# Says how to make one; chosen literally, it is refused like every other known sentence.
PASSWORD_EXAMPLE: Final = "quatre ou cinq mots sans aucun lien entre eux"  # noqa: S105

_WANTED_SCORE: Final = 4  # at least 10^10 guesses
# What is scored at most: the time that zxcvbn takes grows with the fourth power of the length of something like
# « l1!|l1!| » (1 s for 100 characters, the interpreter standing still), and 25 ms for 32 are enough to tell.
_SCORED_CHARACTERS: Final = 32
_OURS: Final = ("hcr", "bienetre", "bien", "etre", "mutuelle", "klesia", "malakoff", "humanis")
# The library's lists are English, its keyboard is QWERTY.
_COMMON_IN_FRENCH: Final = (
    "motdepasse", "azerty", "azertyuiop", "qsdfgh", "qsdfghjklm", "wxcvbn", "aqwzsx", "bonjour", "bonsoir", "soleil",
    "doudou", "loulou", "chouchou", "jetaime", "marseille", "paris", "france", "bienvenue", "restaurant", "hotel",
    "cafe", "brasserie", "auberge", "bistrot", "traiteur", "entreprise", "societe", "salarie", "employeur", "gerant",
    "patron", "administrateur", "compte", "sante", "prevoyance", "affiliation", "securite", "secret", "printemps",
    "automne", "hiver", "janvier", "fevrier", "mars", "avril", "juin", "juillet", "aout", "septembre", "octobre",
    "novembre", "decembre", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
    "correct", "horse", "battery", "staple", "cheval", "agrafe", "batterie",  # of a well-known drawing
)  # fmt: skip

_COMMON = ("common", "C’est un mot de passe très courant, ou presque le même.")
_NAMES = ("names", "Des noms et des prénoms se devinent facilement.")
_KEYS = ("keys", "Des touches qui se suivent sur le clavier se devinent facilement.")
_REPEATED = ("repeated", "Ce qui se répète se devine facilement.")
_DATES = ("dates", "Les dates et les années se devinent facilement.")
_PERSONAL = ("personal", "Votre nom, votre adresse e-mail, votre entreprise et le nom de ce service ne comptent pas.")
_GUESSABLE = ("weak", "Ce mot de passe se devine encore trop facilement.")
# pairs: the library's members cannot be keys
_REASONS: Final = (
    (Weakness.ThisIsATop10Password, _COMMON),
    (Weakness.ThisIsATop100Password, _COMMON),
    (Weakness.ThisIsACommonPassword, _COMMON),
    (Weakness.ThisIsSimilarToACommonlyUsedPassword, _COMMON),
    (Weakness.StraightRowsOfKeysAreEasyToGuess, _KEYS),
    (Weakness.ShortKeyboardPatternsAreEasyToGuess, _KEYS),
    (Weakness.RepeatsLikeAaaAreEasyToGuess, _REPEATED),
    (Weakness.RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess, _REPEATED),
    (Weakness.SequencesLikeAbcAreEasyToGuess, ("sequence", "Une suite comme abcd ou 1234 se devine facilement.")),
    (Weakness.RecentYearsAreEasyToGuess, _DATES),
    (Weakness.DatesAreOftenEasyToGuess, _DATES),
    (Weakness.AWordByItselfIsEasyToGuess, ("word", "Un mot seul se devine facilement.")),
    (Weakness.NamesAndSurnamesByThemselvesAreEasyToGuess, _NAMES),
    (Weakness.CommonNamesAndSurnamesAreEasyToGuess, _NAMES),
)
_WHAT_TO_DO = "Ajoutez un ou deux mots sans lien avec les autres."


def normalised(password: str) -> str:
    """The same password however a keyboard composes its characters (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, about: Collection[str]) -> str:
    """The normalised password. `about`: what is known of the person, their companies and their numbers.

    Raises InvalidValue `password.too_short|too_long|characters|common|names|keys|repeated|sequence|dates|word|
    personal|weak`.
    """
    if len(password) > 4 * MAX_CHARACTERS:  # no four characters become less than one
        raise _too_long()
    chosen = normalised(password)
    if len(chosen) > MAX_CHARACTERS:
        raise _too_long()
    if len(chosen) < MIN_CHARACTERS:
        words = (
            f"Le mot de passe compte au moins {MIN_CHARACTERS}\u00a0caractères. Des espaces et des mots conviennent."
        )
        raise InvalidValue("password.too_short", words, PASSWORD_EXAMPLE)
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in chosen):
        words = "Le mot de passe contient un caractère invisible. Retirez-le."
        raise InvalidValue("password.characters", words, PASSWORD_EXAMPLE)
    _check_strength(chosen, about)
    return chosen


def _check_strength(password: str, about: Collection[str]) -> None:
    plain = _without_accents(password)
    known = _parts_of([*about, *_OURS])
    left = _without(plain, known)
    entropy = zxcvbn(left[:_SCORED_CHARACTERS], [*known, *_COMMON_IN_FRENCH])
    if _words_of(password) == _words_of(PASSWORD_EXAMPLE):
        code, words = _COMMON
    elif int(entropy.score) >= _WANTED_SCORE:
        return
    elif left != plain:
        code, words = _PERSONAL
    else:
        weakness = entropy.feedback.warning if entropy.feedback else None
        code, words = next((reason for kind, reason in _REASONS if kind == weakness), _GUESSABLE)
    raise InvalidValue(f"password.{code}", f"{words} {_WHAT_TO_DO}", PASSWORD_EXAMPLE)


def _parts_of(texts: Collection[str]) -> list[str]:
    """The texts and their words, of three characters or more, longest first: « L'Étoile d'Or » gives `etoile` too."""
    plain = [_without_accents(text).casefold().strip() for text in texts]
    parts = {part for text in plain for part in (text, *_words_of(text)) if len(part) >= 3}
    return sorted(parts, key=lambda part: (-len(part), part))


def _words_of(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", text.casefold()) if word]


def _without(text: str, parts: Collection[str]) -> str:
    """What is left of a text when these stand nowhere in it."""
    return re.sub("|".join(map(re.escape, parts)), "", text, flags=re.IGNORECASE)


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _too_long() -> InvalidValue:
    words = f"Le mot de passe compte au plus {MAX_CHARACTERS}\u00a0caractères."
    return InvalidValue("password.too_long", words, PASSWORD_EXAMPLE)
