"""French words for the codes that several doors show. A code without words is a defect: it raises KeyError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from messages.typography import french


def _words(entries: dict[str, str]) -> Mapping[str, str]:
    return MappingProxyType({code: french(text) for code, text in entries.items()})


@dataclass(frozen=True)
class Failure:
    """Why a message did not reach: what happened, and what the employer can do about it. Sentences."""

    what: str
    correct: str


STATUSES = _words(
    {
        "preparing": "En préparation",
        "sent": "Envoyé à l'employé",
        "started": "Démarré par le salarié",
        "finalised": "Finalisé par le salarié",
        "abandoned": "Abandonné",
    }
)

MEDIA = _words({"email": "Email", "post": "Courrier postal", "sms": "SMS"})

MESSAGE_STATES = _words(
    {
        "prepared": "Préparé",
        "handed_over": "Remis au prestataire",
        "delivered": "Distribué",
        "rejected": "Rejeté",
        "unknown": "Inconnu",
        "superseded": "Remplacé",
    }
)

MESSAGE_KINDS = _words(
    {
        "invitation": "Invitation",
        "reminder": "Relance automatique",
        "draft_reminder": "Relance après un brouillon",
        "employer_reminder": "Relance de l'employeur",
        "postal_fallback": "Passage au courrier postal",
        "missing_pieces": "Demande de pièces",
        "confirmation": "Confirmation",
        "cover_end": "Fin de couverture et portabilité",
        "proof_reminder": "Demande de justificatif de portabilité",
        "portability_end": "Fin de portabilité",
        "rights_restored": "Reprise des droits",
    }
)

# What comes next, as it is announced with its moment: « Prochaine relance automatique : mardi 12 mai à 9 h ».
STEPS = _words(
    {
        "invitation": "Envoi de l'invitation",
        "reminder": "Prochaine relance automatique",
        "draft_reminder": "Prochaine relance automatique",
        "employer_reminder": "Envoi de la relance demandée",
        "postal_fallback": "Passage au courrier postal",
        "missing_pieces": "Demande des pièces manquantes",
        "confirmation": "Envoi de la confirmation",
        "abandonment": "Abandon sans réponse de la personne",
        "pieces_deadline": "Date limite pour les pièces",
    }
)

EVENTS = _words(
    {
        "declared": "Pré-affiliation déclarée",
        "message_handed_over": "Message remis au prestataire",
        "message_refused": "Message refusé",
        "message_uncertain": "Envoi incertain",
        "delivery_failed": "Message non distribué",
        "reminder_asked": "Relance demandée",
        "link_asked": "Nouveau lien demandé",
        "contact_corrected": "Coordonnées corrigées",
        "started": "Formulaire commencé",
        "finalised": "Formulaire reçu",
        "declined": "La personne a répondu",
        "abandoned": "Affiliation abandonnée",
        "paused": "Envois automatiques mis en pause",
        "resumed": "Envois automatiques repris",
        "message_skipped": "Envoi automatique annulé",
        "doubt_resolved": "Envoi incertain vérifié",
        "pieces_asked": "Pièces demandées",
        "pieces_received": "Pièces reçues",
        "pieces_accepted": "Dossier vérifié",
        "pieces_overdue": "Pièces non reçues dans le délai",
    }
)

ACTORS = _words(
    {
        "employer": "L'employeur",
        "employee": "Le salarié",
        "staff": "Le gestionnaire",
        "provider": "Le prestataire",
        "system": "Automatique",
    }
)

CHANNELS = _words({"online": "En ligne", "paper": "Sur papier"})

VERDICTS = _words(
    {
        "left": "Le message était bien parti",
        "did_not_leave": "Le message n'était pas parti : il repart",
    }
)

FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        code: Failure(french(what), french(correct))
        for code, (what, correct) in {
            "bad_address": (
                "L'adresse n'est pas valable.",
                "Vérifiez l'adresse avec la personne, puis corrigez-la.",
            ),
            "bad_content": (
                "Le prestataire a refusé le contenu du message.",
                "Vous n'avez rien à corriger : nos équipes s'en occupent.",
            ),
            "bounced": (
                "L'adresse e-mail n'existe pas ou ne reçoit plus de messages.",
                "Demandez à la personne son adresse e-mail actuelle, puis corrigez-la.",
            ),
            "soft_bounced": (
                "La messagerie a refusé l'e-mail pour le moment.",
                "Vérifiez l'adresse avec la personne. Sa boîte est peut-être pleine.",
            ),
            "dropped": (
                "L'e-mail n'est pas parti : cette adresse a déjà refusé des messages.",
                "Indiquez une autre adresse e-mail, ou l'adresse postale.",
            ),
            "suppressed": (
                "Cette adresse e-mail ne veut plus recevoir nos messages.",
                "Indiquez une autre adresse e-mail, ou l'adresse postale.",
            ),
            "complained": (
                "La personne a classé notre e-mail comme indésirable.",
                "Prévenez-la de ce message, puis vérifiez son adresse postale.",
            ),
            "rejected": (
                "Le courrier a été refusé par le prestataire postal.",
                "Vérifiez l'adresse postale : numéro, rue, code postal et ville.",
            ),
            "returned": (
                "Le courrier nous est revenu : la personne n'habite pas à cette adresse.",
                "Demandez à la personne son adresse postale, puis corrigez-la.",
            ),
            "not_authorised": (
                "Le message n'a pas pu partir à cause d'un réglage chez nous.",
                "Vous n'avez rien à corriger : nos équipes s'en occupent.",
            ),
            "wrong_person": (
                "La personne qui a reçu le message dit que ce n'est pas elle.",
                "Vérifiez l'adresse avec la personne, puis corrigez-la.",
            ),
        }.items()
    }
)

CLOSURE_REASONS = _words(
    {
        "no_response": "Sans réponse de la personne dans le délai",
        "withdrawn_not_hired": "Déclaration retirée : la personne n'a pas été embauchée",
        "withdrawn_left": "Déclaration retirée : la personne a quitté l'entreprise",
        "withdrawn_duplicate": "Déclaration retirée : elle existait déjà",
        "withdrawn_mistake": "Déclaration retirée : elle a été faite par erreur",
        "withdrawn_other": "Déclaration retirée : autre raison",
        "declined_left": "La personne dit avoir quitté l'entreprise",
    }
)

DECLINE_REASONS = _words(
    {
        "not_me": "Ce n'est pas moi",
        "left_company": "J'ai quitté l'entreprise",
    }
)

ATTENTIONS = _words(
    {
        "unreachable": "Aucune adresse ne permet de joindre la personne : corrigez ses coordonnées",
        "uncertain": "Envoi incertain : nos équipes vérifient s'il est parti",
        "refused": "Envoi refusé par le prestataire : nos équipes s'en occupent",
        "pieces_overdue": "Pièces non reçues dans le délai : nos équipes reprennent contact avec la personne",
        "unreachable_for_pieces": "Des pièces manquent et aucune adresse ne permet de joindre la personne : "
        "corrigez ses coordonnées, ou nos équipes la contactent",
    }
)

PAUSE_REASONS = _words(
    {
        "settled_by_phone": "Réglé par téléphone",
        "on_leave": "La personne est absente",
        "paper_expected": "Un formulaire papier est attendu",
        "other": "Autre raison",
    }
)


CIVILITIES = _words({"MME": "Madame", "M": "Monsieur"})

PROFESSIONAL_STATUSES = _words({"NC": "Non cadre", "C": "Cadre"})

SCHEMES = _words({"RG": "Régime général", "RL": "Régime local Alsace-Moselle"})

# « Identifiant entreprise »: each insurer has its own word for it.
INSURERS = _words({"klesia": "KLESIA", "malakoff_humanis": "MALAKOFF HUMANIS"})
INSURER_REFERENCES = _words({"klesia": "Numéro entreprise", "malakoff_humanis": "Numéro d'adhérent"})

CONTRACT_KINDS = _words(
    {
        "cdi": "CDI",
        "cdd": "CDD",
        "seasonal": "CDD saisonnier",
        "extra": "CDD d'usage (extra)",
        "apprenticeship": "Contrat d'apprentissage",
    }
)

LANGUAGES = _words(
    {
        "fr": "Français",
        "falc": "Français facile à lire",
        "en": "Anglais",
        "pt": "Portugais",
        "es": "Espagnol",
        "ar": "Arabe",
    }
)


LOOK_AS_REASONS = _words(
    {
        "asked_for_help": "Aide demandée par l'entreprise",
        "follows_request": "Suite d'une demande écrite",
        "checks_complaint": "Vérification d'une réclamation",
        "finds_fault": "Recherche d'une anomalie signalée",
    }
)

# « Statut du contrat » of an insured person.
CONTRACT_STATES = _words({"current": "En cours", "coming": "À venir", "portability": "Portabilité", "ended": "Terminé"})

EXPORT_KINDS = _words({"insured": "Salariés affiliés", "evidence": "Dossier de preuves (Urssaf)"})
EXPORT_FORMS = _words({"xlsx": "Excel", "csv": "CSV", "zip": "ZIP"})
EXPORT_STATES = _words(
    {
        "asked": "Code demandé",
        "waiting": "En attente",
        "running": "En préparation",
        "done": "Prêt",
        "failed": "Échec",
        "cancelled": "Annulé",
        "expired": "Supprimé",
    }
)

# « Statut professionnel » as the guide writes it of an insured person.
ACTIVE_STATUSES = _words({"NC": "ACTIF NON CADRE", "C": "ACTIF CADRE"})


def status_label(code: str) -> str:
    """« En préparation »… Raises KeyError for an unknown code, as every function here."""
    return STATUSES[code]


def medium_label(code: str) -> str:
    """« Email », « Courrier postal », « SMS »."""
    return MEDIA[code]


def message_state_label(code: str) -> str:
    """« Remis au prestataire »…"""
    return MESSAGE_STATES[code]


def message_kind_label(code: str) -> str:
    """« Relance automatique »…"""
    return MESSAGE_KINDS[code]


def step_label(code: str) -> str:
    """« Prochaine relance automatique », « Abandon sans réponse de la personne »…, before a moment."""
    return STEPS[code]


def event_label(code: str) -> str:
    """A line of the timeline: « Formulaire reçu »…"""
    return EVENTS[code]


def actor_label(code: str) -> str:
    """Who did it: « L'employeur », « Automatique »…"""
    return ACTORS[code]


def channel_label(code: str) -> str:
    """How the form came back: « En ligne », « Sur papier »."""
    return CHANNELS[code]


def verdict_label(code: str) -> str:
    """What staff found out about a message in doubt."""
    return VERDICTS[code]


def failure(code: str) -> Failure:
    """What happened to a message that did not reach, and what to correct."""
    return FAILURES[code]


def closure_reason_label(code: str) -> str:
    """Why an affiliation was abandoned, withdrawn or declined."""
    return CLOSURE_REASONS[code]


def decline_reason_label(code: str) -> str:
    """What the person who got the message answered, in their words."""
    return DECLINE_REASONS[code]


def attention_label(code: str) -> str:
    """Why an affiliation waits for someone, and for whom."""
    return ATTENTIONS[code]


def pause_reason_label(code: str) -> str:
    """Why the reminders of an affiliation are paused."""
    return PAUSE_REASONS[code]


def insurer_label(code: str) -> str:
    """« KLESIA », « MALAKOFF HUMANIS »."""
    return INSURERS[code]


def look_as_reason_label(code: str) -> str:
    """Why a member of staff looks at a company's space in its place."""
    return LOOK_AS_REASONS[code]


def contract_state_label(code: str) -> str:
    """« En cours », « À venir », « Terminé »."""
    return CONTRACT_STATES[code]


def active_status_label(code: str) -> str:
    """« ACTIF NON CADRE », « ACTIF CADRE »."""
    return ACTIVE_STATUSES[code]
