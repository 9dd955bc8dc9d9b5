"""The report of a DSN import: one line for each declaration, in words, for whoever sent the file. Nobody is named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from messages.dsn_words import DECLARATION_MEANS, DECLARATION_STATES, KINDS, NATURES, fault_words
from messages.typography import month_in_words
from services.dsn_views import DsnDeclarationView
from services.sheets import Column, Cover, CsvSheet, Holds

_MOST_DOUBTS: Final = 20  # told of one declaration
_COLUMNS: Final = (
    Column("Déclaration", 12, Holds.quantity),
    Column("Première ligne", 14, Holds.quantity),
    Column("Dernière ligne", 14, Holds.quantity),
    Column("Entreprise", 30),
    Column("Établissement", 30),
    Column("SIRET", 16, Holds.number_text),
    Column("Nature", 30),
    Column("Type", 30),
    Column("Mois", 16),
    Column("Résultat", 24),
    Column("Salariés", 10, Holds.quantity),
    Column("Salariés mis de côté", 20, Holds.quantity),
    Column("Changements appliqués", 20, Holds.quantity),
    Column("Changements à confirmer", 20, Holds.quantity),
    Column("Explications", 80),
)


def report_of(declarations: Iterable[DsnDeclarationView]) -> bytes:
    """As CSV."""
    sheet = CsvSheet(_COLUMNS)
    sheet.append(_line(one) for one in declarations)
    return sheet.finish(Cover("", (), ()))


def explained(one: DsnDeclarationView) -> list[str]:
    """Why a declaration changed nothing, and what could not be understood of its people, with lines."""
    said = [fault_words(one.fault.code, one.fault.line, one.fault.expected, one.fault.found)] if one.fault else []
    if one.state.value in DECLARATION_MEANS:
        said.append(DECLARATION_MEANS[one.state.value])
    if one.ours is False:
        said.append("Aucun contrat de notre assurance n’y figure.")
    doubts = [fault_words(each.code, each.line, each.expected, each.found) for each in one.doubts]
    return said + list(dict.fromkeys(doubts))[:_MOST_DOUBTS]


def _line(one: DsnDeclarationView) -> tuple[object, ...]:
    return (
        one.number,
        one.first_line,
        one.last_line,
        one.company or "",
        one.establishment or "",
        one.siret or "",
        NATURES.get(one.nature or "", one.nature or ""),
        KINDS.get(one.kind or "", one.kind or ""),
        month_in_words(one.month) if one.month else "",
        DECLARATION_STATES[one.state.value],
        one.people,
        one.doubtful,
        one.applied,
        one.to_decide,
        " ".join(explained(one)),
    )
