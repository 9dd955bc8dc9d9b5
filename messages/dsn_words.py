"""DSN imports in French: what a file or a declaration is, what is wrong with it, what a change would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messages.typography import french

ORIGINS: Final[Mapping[str, str]] = {
    "upload": "Déposé par un gestionnaire",
    "api": "Envoyé par un logiciel",
    "directory": "Dossier surveillé",
}
IMPORT_STATES: Final[Mapping[str, str]] = {
    "received": "En attente de lecture",
    "reading": "Lecture en cours",
    "applied": "Lu en entier",
    "refused": "Refusé",
}
DECLARATION_STATES: Final[Mapping[str, str]] = {
    "reading": "Lecture en cours",
    "recorded": "Prise en compte",
    "duplicate": "Déjà reçue",
    "set_aside": "Mise de côté",
    "foreign": "Pas de notre périmètre",
    "replaced": "Remplacée par une autre",
    "cancelled": "Annulée par une autre",
}
# What each state of a declaration means for rights.
DECLARATION_MEANS: Final[Mapping[str, str]] = {
    code: french(words)
    for code, words in {
        "duplicate": "La même déclaration est déjà prise en compte : rien n’a été fait une seconde fois.",
        "foreign": "L’entreprise ou l’établissement n’est pas dans notre registre : rien n’a été fait.",
        "replaced": "Une déclaration « annule et remplace » en a pris la place.",
        "cancelled": "Une déclaration « annule » l’a retirée.",
    }.items()
}
NATURES: Final[Mapping[str, str]] = {
    "01": "DSN mensuelle",
    "04": "Signalement d’arrêt de travail",
    "05": "Signalement de reprise",
    "07": "Fin de contrat de travail",
    "08": "Amorçage des données variables",
    "09": "DSN de substitution",
    "10": "Déclaration préalable à l’embauche",
}
KINDS: Final[Mapping[str, str]] = {
    "01": "Normale",
    "02": "Sans salarié",
    "03": "Annule et remplace",
    "04": "Annule",
    "05": "Annule et remplace, sans salarié",
}
MATCHES: Final[Mapping[str, str]] = {
    "nir": "Reconnu par son numéro de sécurité sociale",
    "ntt": "Reconnu par son numéro technique temporaire",
    "identity": "Reconnu par l’ancien numéro que la DSN corrige",
    "proposal": "Même nom et même date de naissance : à vérifier",
    "none": "Personne de ce numéro chez nous",
}
CHANGE_KINDS: Final[Mapping[str, str]] = {
    "identity": "Identité corrigée",
    "hire": "Embauche",
    "end": "Fin de contrat",
    "end_cancelled": "Fin de contrat annulée",
    "continued": "Affiliation maintenue",
    "moved": "Changement d’établissement",
    "affiliation_end": "Fin d’affiliation sans fin de contrat",
    "dependant": "Ayant droit",
    "suspended": "Suspension du contrat",
    "suspension_cancelled": "Suspension annulée",
    "reversal": "Retour en arrière",
}
# Why somebody has to look.
OUTCOMES: Final[Mapping[str, str]] = {
    code: french(words)
    for code, words in {
        "unknown_person": "Aucune personne de ce numéro n’est connue dans cette entreprise.",
        "two_people": "Les deux numéros déclarés désignent deux personnes différentes de notre fichier.",
        "several_people": "Plusieurs personnes portent ce nom et cette date de naissance.",
        "no_coverage": "Cette personne n’a pas de droits ouverts à ces dates.",
        "reason_changed": "La même fin de contrat a déjà été déclarée avec un autre motif.",
        "day_changed": "Une fin du même contrat a déjà été déclarée à une autre date.",
        "end_differs": "Une autre fin de contrat est déjà enregistrée pour cette personne.",
        "replaced": "La déclaration qui le disait a été remplacée.",
        "covered": "Cette personne est déjà assurée.",
        "under_way": "Son affiliation est déjà en cours.",
        "waived": "Cette personne est dispensée d’affiliation.",
        "known_already": "C’est déjà enregistré.",
        "refused_permanent": "Un CDI proposé à la suite a été refusé : la portabilité est à décider.",
        "followed": "La DSN d’un mois suivant la déclare de nouveau.",
        "not_followed": "La DSN du mois suivant ne la déclare plus : le nouveau contrat attendu n’y est pas.",
        "to_employer": "Proposé à l’employeur, qui pré-affilie la personne.",
        "by_hand": "Confirmé : la suite se fait à la main, dans le dossier de la personne.",
        "purged": "Les données de cette personne ont été effacées.",
        "unknown_coverage": "Les droits de cette personne n’existent plus.",
        "before_coverage": "Le contrat finit avant le début de la couverture.",
        "ends_before_it_begins": "Le contrat déclaré finit avant de commencer.",
        "not_an_end": "Ce motif n’est pas une fin de contrat.",
        "another_end": "La fin enregistrée a une autre date.",
        "no_end": "Aucune fin de contrat n’est enregistrée.",
        "no_portability": "Aucune portabilité n’est en cours.",
    }.items()
}
SUSPENSIONS: Final[Mapping[str, str]] = {
    "501": "Congé divers non rémunéré",
    "632": "Congé parental d’éducation",
    "635": "Congé pour création ou reprise d’entreprise",
    "639": "Congé sabbatique",
    "998": "Annulation d’une suspension",
}
DEPENDANT_KINDS: Final[Mapping[str, str]] = {"01": "Conjoint", "02": "Enfant", "03": "Autre ayant droit"}
CONTRACT_NATURES: Final[Mapping[str, str]] = {
    "01": "CDI",
    "02": "CDD",
    "29": "Convention de stage",
    "80": "Mandat social",
    "81": "Mandat d’élu",
}
# Why an employer does not follow a proposal to pre-affiliate.
DISMISSALS: Final[Mapping[str, str]] = {
    "already_declared": "Cette personne est déjà pré-affiliée",
    "waived": "Elle est dispensée d’affiliation",
    "left": "Elle est déjà partie",
    "not_ours": "Elle ne travaille pas chez nous",
    "other": "Autre raison",
}
# Why staff carry a change out, or refuse it.
ACCEPTED: Final[Mapping[str, str]] = {
    "as_declared": "La DSN est juste, telle quelle",
    "employer_confirmed": "L’employeur le confirme",
    "person_confirmed": "La personne le confirme",
    "same_person": "C’est bien la même personne",
}
REFUSED: Final[Mapping[str, str]] = {
    "payroll_mistake": "Erreur de paie, l’employeur la corrige",
    "other_person": "Ce n’est pas la même personne",
    "done_otherwise": "Déjà fait autrement",
    "not_concerned": "Cette personne n’est pas concernée",
}
ENCODINGS: Final[Mapping[str, str]] = {"utf-8-sig": "UTF-8", "cp1252": "ISO-8859-1"}

_FAULTS: Final[Mapping[str, str]] = {
    "empty": "Le fichier est vide.",
    "not_dsn": "Ce fichier n’est pas une DSN. Une DSN commence par une ligne telle que S10.G00.00.001,'Logiciel'.",
    "malformed_line": "Cette ligne n’est pas de la forme S21.G00.30.002,'MARTIN'.",
    "outside_envoi": "Cette ligne ({found}) ne se trouve dans aucun envoi : il manque le début, {expected}.",
    "truncated": "Le fichier s’arrête avant la fin : les totaux {expected} manquent. Demandez-le de nouveau.",
    "wrong_rubrique_count": "Le fichier annonce {expected} rubriques, nous en comptons {found} : il manque une partie.",
    "wrong_declaration_count": "Le fichier annonce {expected} déclarations, nous en comptons {found}.",
    "test_file": "C’est un envoi de test (S10.G00.00.005 à 01) : il ne change aucun droit. Déposez l’envoi réel.",
    "misordered": "Le bloc {found} arrive avant le bloc {expected} sous lequel il se place.",
    "unknown_nature": "Le type de déclaration {found} n’existe pas. Exemple : 01, déclaration normale.",
    "incomplete": "Il manque une information, ou elle est illisible : {expected}.",
    "unusable": "Cette déclaration ne peut pas être enregistrée telle quelle : une valeur n’a pas de sens.",
}
_RUBRIQUES: Final[Mapping[str, str]] = {
    "S20.G00.05.004": "numéro d’ordre de la déclaration",
    "S20.G00.05.005": "mois déclaré",
    "S20.G00.05.007": "date de constitution du fichier",
    "S21.G00.06": "entreprise",
    "S21.G00.06.001": "SIREN",
    "S21.G00.11": "établissement",
    "S21.G00.11.001": "NIC de l’établissement",
    "S21.G00.30.001": "numéro de sécurité sociale",
    "S21.G00.30.002": "nom et prénoms",
    "S21.G00.30.006": "date de naissance",
    "S21.G00.40": "contrat de travail",
    "S21.G00.40.001": "date de début du contrat",
    "S21.G00.62.001": "date de fin du contrat",
    "S21.G00.62.002": "motif de la rupture",
    "S21.G00.65.001": "motif de suspension",
    "S21.G00.65.002": "date de début de la suspension",
    "S21.G00.65.003": "date de fin de la suspension",
    "S21.G00.70.013": "adhésion à laquelle la personne est affiliée",
    "S21.G00.70.014": "date de début de l’affiliation",
    "S21.G00.70.015": "date de fin de l’affiliation",
    "S21.G00.73.004": "date de début de rattachement d’un ayant droit",
    "S21.G00.73.005": "date de naissance d’un ayant droit",
    "S21.G00.73.011": "date de fin de rattachement d’un ayant droit",
}


def fault_words(code: str, line: int = 0, expected: str = "", found: str = "") -> str:
    """« Ligne 12 : … »; a code that is not in the table is shown as it is."""
    told = _FAULTS.get(code, "Le fichier n’a pas pu être lu (code {code}).")
    known = _RUBRIQUES.get(expected)
    wanted = f"{known} ({expected})" if known else expected or "une valeur illisible"
    words = told.format(code=code, expected=wanted, found=found or "rien")
    return french(f"Ligne {line} : {words}" if line else words)


def fault_phrase(fault: Mapping[str, object]) -> str:
    """The same of a fault as the database has it."""
    line = fault.get("line")
    return fault_words(
        str(fault.get("code", "")),
        line if isinstance(line, int) else 0,
        str(fault.get("expected", "")),
        str(fault.get("found", "")),
    )
