"""Bulk pre-affiliation in French: what becomes of a file and of each of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messages.typography import french


def _words(table: Mapping[str, str]) -> Mapping[str, str]:
    return {code: french(words) for code, words in table.items()}


IMPORT_STATES: Final = _words(
    {
        "read": "Colonnes à préciser",
        "checking": "Vérification en cours",
        "checked": "Vérifié, rien n’est envoyé",
        "confirmed": "Confirmé, l’envoi va commencer",
        "running": "Envoi en cours",
        "done": "Terminé",
        "cancelled": "Abandonné",
        "refused": "Arrêté : votre accès a changé",
    }
)
ROW_STATES: Final = _words(
    {
        "new": "Prêt à envoyer",
        "changed": "Nouvelles coordonnées",
        "invalid": "À corriger",
        "conflict": "En conflit",
        "running": "Déjà en cours",
        "insured": "Déjà assuré",
        "skipped": "En double",
        "started": "Pré-affilié",
        "failed": "Non envoyé",
    }
)
# What each state means for whoever looks at the rows in it.
ROW_MEANS: Final = _words(
    {
        "new": "Tout est complet : la pré-affiliation partira quand vous confirmerez.",
        "changed": "Une affiliation est déjà en cours, avec d’autres coordonnées : les vôtres les remplaceront.",
        "invalid": "Une information manque ou ne va pas. Corrigez-la ici, ou dans le fichier annoté.",
        "conflict": "La ligne contredit une autre ligne, ou ce que nous savons de la personne : corrigez-la.",
        "running": "Une affiliation de cette personne est déjà en cours dans cet établissement : rien ne repartira.",
        "insured": "Cette personne est déjà assurée dans cet établissement : rien ne partira.",
        "skipped": "C’est la même chose qu’une autre ligne : elle ne partira pas deux fois.",
        "started": "La pré-affiliation est enregistrée. La suite se voit dans « Suivi des affiliations ».",
        "failed": "La ligne n’a pas pu être envoyée. La raison est à côté d’elle.",
    }
)
EXAMPLES: Final = _words(
    {
        "siret": "123 456 782 00010",
        "last_name": "Durand",
        "birth_name": "Martin",
        "first_names": "Camille, Dominique",
        "birth_date": "12/05/1990",
        "nir": "2 75 06 75 990 001 97",
        "email": "camille.martin@exemple.fr",
        "phone": "06 39 98 00 01",
        "line1": "12 rue des Lilas",
        "line2": "Appartement 4, bâtiment B",
        "postcode": "75011",
        "city": "Paris",
        "hired_on": "01/12/2026",
    }
)
