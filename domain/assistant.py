"""What somebody wants who asks about the people they employ: how far an affiliation is, how many reminders left, how
many there are. Everything else is a question for the FAQ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Final

from domain.names import search_form


class Intent(StrEnum):
    person = "person"  # how far somebody's affiliation is
    reminders = "reminders"  # how many messages somebody was sent
    counts = "counts"  # how many there are


@dataclass(frozen=True)
class Wanted:
    """`name`: the words that may be somebody's name. `sure`: they are written like one."""

    intent: Intent
    name: tuple[str, ...] = ()
    sure: bool = False


_REMINDERS: Final = re.compile(
    r"\b(combien|nombre) (de |d')?(fois|relances?|rappels?|messages?|mails?|courriers?|lettres?)\b"
)
_COUNTS: Final = re.compile(
    r"\b(combien|nombre) (ai je |j'ai |avons nous |y a t il )?(de |d'|des )?(mes |nos )?"
    r"(affiliations?|pre affiliations?|salaries?|employes?|personnes?|assures?|dossiers?|gens|dispenses?)\b"
    r"|\b(qui|lesquels|quels salaries) (n'ont|n'a|ne m'ont|n' ?ont) (pas|toujours pas|pas encore)\b"
)
_PERSON: Final = re.compile(
    r"\bou en (est|sont|etes)\b"
    r"|\b(statut|etat|avancement|dossier|affiliation|pre affiliation|situation) (de |d'|du |pour |a )"
    r"|\b(a|ont|est ce que)( \w+)* (recu|repondu|signe|complete|rempli|finalise|commence|termine|envoye|ouvert)\b"
    r"|\b(est|sont)( \w+)* (affilie|assure|couvert|inscrit|finalise|relance)e?s?\b"
    r"|\b(quand|prochaine) .*(relance|relancee)\b"
)
_OF_MINE: Final = re.compile(r"\b(ai je|j'ai|avons nous|nous avons|mes|nos|chez nous|chez moi)\b")
_LEAST: Final = 3  # letters of what may be a name
_MOST: Final = 4  # words of a name
# What French joins to a word: l’, d’, -t-il.
_AROUND: Final = re.compile(r"^(?:[dlnmsjtc]|qu)[’']|-(?:t-)?(?:ils?|elles?|je|tu|on|nous|vous|ce)$", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W\d_]+(?:[’'\-][^\W\d_]+)*")

# What stands in such questions and is nobody's name.
_COMMON: Final = frozenset(
    resources.files("domain").joinpath("data/assistant_words.txt").read_text(encoding="utf-8").split()
)


def wanted(text: str) -> Wanted | None:
    """What a question asks about the caller's own people; None where it asks of none."""
    plain = search_form(text).replace("-", " ")
    name, sure = _name(text)
    if _REMINDERS.search(plain):
        if name:
            return Wanted(Intent.reminders, name, sure)
        return Wanted(Intent.counts) if _OF_MINE.search(plain) else None
    if _COUNTS.search(plain):
        return Wanted(Intent.counts)
    if name and _PERSON.search(plain):
        return Wanted(Intent.person, name, sure)
    return None


def _name(text: str) -> tuple[tuple[str, ...], bool]:
    """The words that no such question has otherwise, and whether they are written as names are."""
    words = [_AROUND.sub("", one.group()) for one in _WORD.finditer(text)]
    strange = [
        one for one in words if search_form(one).replace(" ", "-") not in _COMMON and search_form(one) not in _COMMON
    ]
    shouting = text.isupper()
    first = words[0] if words else ""
    written = [one for one in strange if len(one) > 1 and one[:1].isupper() and not shouting and one is not first]
    if written:
        return tuple(written[:_MOST]), True
    return tuple(one for one in strange if len(one) >= _LEAST)[:_MOST], False
