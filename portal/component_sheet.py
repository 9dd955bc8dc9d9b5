"""What the sheet of components, `/dev/composants`, is filled in with: names as long as they come, errors, no data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import segno

from messages import words
from messages.typography import french
from portal.charts import Bar, BarChart, ColumnChart, Place, Series, bars, columns
from portal.icons import ICONS
from portal.space import drawing
from portal.static import STYLES
from services.problems import FieldError

# In the order of the sheet; the template has one part for each.
SECTIONS: Final = {
    "couleurs": "Couleurs",
    "textes": "Textes",
    "icones": "Icônes",
    "boutons": "Boutons",
    "champs": "Champs",
    "choix": "Choix",
    "problemes": "Résumé des erreurs",
    "messages": "Messages",
    "statuts": "Statuts",
    "filtres": "Filtres",
    "tableaux": "Tableaux et pages",
    "vide": "Liste vide",
    "cartes": "Chiffres, cartes, faits",
    "frise": "Frise",
    "graphiques": "Graphiques",
    "parcours": "Parcours",
    "bandeaux": "Bandeaux et session",
    "telephone": "Téléphone",
}
_LONG_NAME: Final = "Marie-Éléonore de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebarbes-Sainte-Anne"
_WRONG: Final = (
    FieldError("siret", "siret.length", "Il manque un chiffre à ce numéro. Exemple : 123 456 782 00010"),
    FieldError("email", "email", "Cette adresse est incomplète. Exemple : camille.essai@exemple.fr"),
    FieldError("terms", "missing", "Acceptez les conditions générales pour continuer."),
)
_MONTHS: Final = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre")
_SHORT: Final = ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.")


def values() -> dict[str, Any]:
    """Of the template `dev/components.html`."""
    wrong = [FieldError(one.field, one.code, french(one.message)) for one in _WRONG]
    return {
        "sections": SECTIONS,
        "colours": _colours(),
        "icons": ICONS,
        "long_name": _LONG_NAME,
        "wrong": wrong,
        "errors": {one.field: one.message for one in wrong},
        "csrf": "",
        "now": datetime.now(UTC),
        "drawn": {"columns": _columns(), "bars": _bars()},
        "qr": drawing(segno.make_qr("https://exemple.fr", error="m").svg_inline(border=4, omitsize=True)),
    }


@cache
def _colours() -> tuple[str, ...]:
    """The names that the tokens give to colours."""
    return tuple(dict.fromkeys(re.findall(r"--([\w-]+): #", (STYLES / "tokens.css").read_text())))


def _columns() -> list[ColumnChart]:
    places = [Place(short, f"{name} 2026") for short, name in zip(_SHORT, _MONTHS, strict=True)]
    tones = zip(("finalised", "sent", "started", "abandoned", "preparing"), (1, 2, 3, 4, 5), strict=True)
    series = [
        Series(words.status_label(code), tuple((i * 7 * tone) % 23 for i in range(len(places))), tone=tone)  # type: ignore[arg-type]
        for code, tone in tones
    ]
    said = french("Déclarées ces neuf derniers mois, par statut.")
    return [
        columns("affiliations", "Affiliations par mois", said, places, series),
        columns("aucune", "Sans rien à montrer", said, places, []),
    ]


def _bars() -> list[BarChart]:
    given = [
        Bar("1 jour ou moins", 12),
        Bar("2 à 7 jours", 48, tone=2),
        Bar("Plus d’une semaine", 7, tone=3),
        Bar("Plus d’un mois", 0, tone=4),
    ]
    return [bars("delais", "De l’envoi à l’affiliation", "En jours ouvrés.", given)]
