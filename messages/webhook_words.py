"""French words of outgoing webhooks. A code without words is a defect: it raises KeyError."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from messages.typography import french
from messages.words import EVENTS


def _words(entries: dict[str, str]) -> Mapping[str, str]:
    return MappingProxyType({code: french(text) for code, text in entries.items()})


# What can be told; « Test » is what an administrator sends to try.
KINDS: Mapping[str, str] = MappingProxyType({**EVENTS, "test": "Test"})

STATES = _words(
    {
        "active": "Actif",
        "paused": "En pause",
        "failing": "Actif, mais le logiciel ne répond pas",
        "stopped": "Arrêté : le logiciel ne répond plus",
    }
)

DELIVERY_STATES = _words({"waiting": "En attente", "delivered": "Reçu par le logiciel", "failed": "Abandonné"})

# Why the software gave no answer.
ERRORS = _words(
    {
        "not_https": "L’adresse ne commence pas par https://",
        "port": "Le port de l’adresse n’est pas autorisé",
        "malformed": "L’adresse n’est pas valable",
        "unknown_host": "Nom de serveur introuvable",
        "internal": "Adresse interne, refusée",
        "no_connection": "Pas de connexion",
        "certificate": "Certificat ou chiffrement refusé",
        "timeout": "Pas de réponse en 10 secondes",
        "cut": "Connexion coupée",
    }
)

_STATUSES = _words(
    {
        "3": "une redirection, qui n’est pas suivie",
        "4": "le logiciel refuse le message",
        "5": "le logiciel est en panne",
    }
)


def outcome(status: int | None, error: str | None) -> str:
    """What came of the last try, in words; nothing where there was none."""
    if error is not None:
        return ERRORS[error]
    if status is None:
        return ""
    said = _STATUSES.get(str(status)[0])
    return french(f"Réponse {status} : {said}" if said else f"Réponse {status}")
