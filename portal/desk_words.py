"""What staff's pages call things: the employee's form, its documents and what waits, in words for whoever checks them.

The catalogues of `messages/` say « votre enfant » to the employee; these say it of somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.desk import Work
from domain.enrolment import keys_of
from domain.media import Language
from domain.pieces import Piece, PieceCode
from domain.working_time import french_date
from messages.catalogue import catalogue
from messages.typography import french
from services.document_checks import RefusalReason, Review


def _words(entries: Mapping[str, str]) -> dict[str, str]:
    return {code: french(text) for code, text in entries.items()}


WORKS: Final = _words(
    {
        Work.doubt: "Envoi incertain",
        Work.refused: "Envoi refusé",
        Work.check: "Documents à vérifier",
        Work.pieces_overdue: "Pièces en retard",
        Work.unreachable: "Personne injoignable",
    }
)
WHAT_TO_DO: Final = _words(
    {
        Work.doubt: "Personne ne sait si le message est parti. Cherchez-le chez le prestataire, puis dites-le ici.",
        Work.refused: "Le prestataire refuse nos messages, pas l’adresse. Faites corriger le réglage par "
        "l’exploitation, puis renvoyez le message.",
        Work.check: "Comparez chaque document avec ce qui a été saisi, puis acceptez-le ou redemandez-le.",
        Work.pieces_overdue: "Les pièces demandées ne sont pas arrivées dans le délai. Appelez la personne "
        "ou son employeur, puis dites ce qui est arrivé.",
        Work.unreachable: "Des pièces manquent et aucune adresse ne convient. Appelez la personne ou son employeur.",
    }
)
WORK_ICONS: Final = {
    Work.doubt: "unknown",
    Work.refused: "rejected",
    Work.check: "file",
    Work.pieces_overdue: "late",
    Work.unreachable: "phone",
}

PIECES: Final = _words(
    {
        PieceCode.rib: "RIB",
        PieceCode.social_security_certificate: "Attestation de droits",
        PieceCode.partner_social_security_certificate: "Attestation de droits du conjoint",
        PieceCode.partnership_proof: "Preuve de mariage, de Pacs ou de vie commune",
        PieceCode.child_social_security_certificate: "Attestation de droits de l’enfant",
        PieceCode.school_certificate: "Certificat de scolarité",
        PieceCode.waiver_proof: "Justificatif de dispense",
        PieceCode.signature: "Bulletin daté et signé",
    }
)

REASONS: Final = _words(
    {
        RefusalReason.unreadable: "Illisible : floue, sombre ou coupée",
        RefusalReason.wrong_document: "Ce n’est pas le document demandé",
        RefusalReason.incomplete: "Incomplet : il manque des pages",
        RefusalReason.out_of_date: "Trop ancien",
        RefusalReason.another_person: "Au nom d’une autre personne",
        RefusalReason.not_signed: "Non signé",
        RefusalReason.missing: "Jamais reçu",
    }
)

ADVICE: Final = _words(
    {
        "blank": "Cette page semble vide.",
        "blurred": "La photo semble floue.",
        "too_dark": "La photo semble sombre.",
        "too_small": "L’image semble petite.",
        "not_this_document": "Ce document semble être un autre que celui demandé.",
        "iban_matches": "L’IBAN du document est celui qui a été saisi.",
        "iban_differs": "L’IBAN du document n’est pas celui qui a été saisi.",
        "iban_absent": "Aucun IBAN n’a été lu sur ce document.",
        "holder_differs": "Le titulaire n’est pas celui qui a été saisi.",
        "nir_matches": "Le numéro de sécurité sociale du document est celui qui a été saisi.",
        "nir_differs": "Le numéro de sécurité sociale du document n’est pas celui qui a été saisi.",
        "name_absent": "Le nom de la personne n’a pas été lu sur ce document.",
        "dependant_absent": "Le nom de l’ayant droit n’a pas été lu sur ce document.",
        "out_of_date": "Ce document semble trop ancien.",
    }
)

SCANS: Final = _words(
    {
        "pending": "L’antivirus ne l’a pas encore examiné : il s’affichera ensuite.",
        "not_scanned": "L’antivirus était absent : ouvrez-le avec prudence.",
    }
)

# The answers of the form, in the order in which staff read them.
ANSWERS: Final = _words(
    {
        "path": "Choix",
        "level": "Niveau",
        "waiver_reason": "Motif de dispense",
        "waiver_until": "Jusqu’au",
        "waiver_proof": "Preuve de la dispense",
        "civility": "Civilité",
        "last_name": "Nom",
        "birth_name": "Nom de naissance",
        "first_names": "Prénoms",
        "birth_date": "Date de naissance",
        "nir": "Numéro de sécurité sociale",
        "scheme": "Régime",
        "iban": "IBAN",
        "account_holder": "Titulaire du compte",
        "teletransmission": "Télétransmission",
        "line1": "Numéro et rue",
        "line2": "Complément d’adresse",
        "postcode": "Code postal",
        "city": "Ville",
        "email": "Adresse e-mail",
        "phone": "Téléphone",
        "signature": "Signé par",
    }
)
OF_DEPENDANT: Final = _words(
    {
        "kind": "Lien",
        "civil_link": "Union",
        "last_name": "Nom",
        "first_names": "Prénoms",
        "birth_date": "Date de naissance",
        "nir": "Numéro de sécurité sociale",
        "attached_to": "Inscrit sur l’attestation",
        "student": "Étudiant",
    }
)
_VALUES: Final = _words(
    {
        "path.join": "S’affilie",
        "path.waive": "Demande une dispense",
        "waiver_proof.document": "Un document",
        "waiver_proof.sworn": "Déclaration sur l’honneur",
        "scheme.RG": "Régime général",
        "scheme.RL": "Régime local d’Alsace-Moselle",
        "civility.MME": "Madame",
        "civility.M": "Monsieur",
        "kind.partner": "Conjoint",
        "kind.child": "Enfant",
        "civil_link.marriage": "Mariage",
        "civil_link.pacs": "Pacs",
        "civil_link.cohabitation": "Vie commune",
        "attached_to.own": "La sienne",
        "attached_to.employee": "Du salarié",
        "attached_to.partner": "De l’autre parent",
        "attached_to.both": "Des deux parents",
        "teletransmission.yes": "Oui",
        "teletransmission.no": "Non",
        "student.yes": "Oui",
        "student.no": "Non",
    }
)
# What each kind of document proves.
_PROVES: Final = {
    PieceCode.rib: ("iban", "account_holder"),
    PieceCode.social_security_certificate: ("nir", "last_name", "birth_name", "first_names", "birth_date", "scheme"),
    PieceCode.partner_social_security_certificate: ("nir", "last_name", "first_names", "birth_date", "attached_to"),
    PieceCode.child_social_security_certificate: ("nir", "last_name", "first_names", "birth_date", "attached_to"),
    PieceCode.partnership_proof: ("civil_link", "last_name", "first_names"),
    PieceCode.school_certificate: ("last_name", "first_names", "birth_date", "student"),
    PieceCode.waiver_proof: ("waiver_reason", "waiver_until"),
    PieceCode.signature: ("signature",),
}


@dataclass(frozen=True)
class Line:
    """An answer in words."""

    label: str
    value: str


@dataclass(frozen=True)
class Person:
    """One of those to be covered with the employee."""

    title: str
    lines: list[Line]


def piece_title(piece: str, answers: Mapping[str, str]) -> str:
    """« RIB », « Certificat de scolarité – Inês »."""
    asked = Piece.parse(piece)
    name = answers.get(f"dependants.{asked.subject}.first_names", "") if asked.subject else ""
    return PIECES[asked.code] + (f" – {name}" if name else "")


def proved_by(piece: str, answers: Mapping[str, str]) -> list[Line]:
    """What was typed that this document should say too."""
    asked = Piece.parse(piece)
    prefix = f"dependants.{asked.subject}." if asked.subject else ""
    labels = OF_DEPENDANT if prefix else ANSWERS
    return [
        Line(labels[name], answer_words(name, answers[prefix + name]))
        for name in _PROVES[asked.code]
        if answers.get(prefix + name)
    ]


def own_answers(answers: Mapping[str, str]) -> list[Line]:
    return [Line(label, answer_words(name, answers[name])) for name, label in ANSWERS.items() if answers.get(name)]


def people(answers: Mapping[str, str]) -> list[Person]:
    found = []
    for key in keys_of(answers, "dependants"):
        of = {name: answers.get(f"dependants.{key}.{name}", "") for name in OF_DEPENDANT}
        lines = [Line(label, answer_words(name, of[name])) for name, label in OF_DEPENDANT.items() if of[name]]
        found.append(Person(f"{of['first_names']} {of['last_name']}".strip() or "Ayant droit", lines))
    return found


def pieces_that_may_be_asked(review: Review) -> list[tuple[str, str]]:
    """(piece, its name) of all that can be asked for: the employee's own, and those of whom they cover."""
    codes = [PieceCode.rib, PieceCode.social_security_certificate, PieceCode.signature]
    if review.answers.get("path") == "waive":
        codes = [PieceCode.waiver_proof, PieceCode.signature]
    pieces = [Piece(code) for code in codes]
    for key in keys_of(review.answers, "dependants"):
        if review.answers.get(f"dependants.{key}.kind") == "partner":
            pieces += [
                Piece(PieceCode.partner_social_security_certificate, key),
                Piece(PieceCode.partnership_proof, key),
            ]
        else:
            pieces += [
                Piece(PieceCode.child_social_security_certificate, key),
                Piece(PieceCode.school_certificate, key),
            ]
    return [(str(piece), piece_title(str(piece), review.answers)) for piece in pieces]


def answer_words(name: str, value: str) -> str:
    if name == "waiver_reason":
        words = catalogue(Language.fr)
        key = f"paper.waiver.{value}"
        text = words.text(key) if key in words.keys else value
        return text[:1].upper() + text[1:]
    if name in ("birth_date", "waiver_until"):
        return _day(value)
    return _VALUES.get(f"{name}.{value}", value)


def _day(text: str) -> str:
    """As typed, or as the declaration wrote it."""
    try:
        return french_date(date.fromisoformat(text))
    except ValueError:
        return text
