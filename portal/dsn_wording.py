"""What a change of a DSN says and does, in sentences with their days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from domain.departures import Portability, portability_of, reasons
from messages.dsn_words import CHANGE_KINDS, CONTRACT_NATURES, DEPENDANT_KINDS, SUSPENSIONS
from messages.typography import french, short_date_in_words
from services.dsn_views import DsnChangeView

_CORRECTED: Final = {
    "nir": "le numéro de sécurité sociale",
    "name": "le nom",
    "first_names": "les prénoms",
    "birth_date": "la date de naissance",
}


def day(on: date) -> str:
    return short_date_in_words(on)


def reason_words(code: str) -> str:
    known = reasons().get(code)
    return french(f"{known.label} (motif {code})" if known else f"Motif {code}")


def said(change: DsnChangeView) -> list[str]:
    """What the declaration says."""
    return [french(line) for line in _said(change)]


def _said(change: DsnChangeView) -> list[str]:
    began = f"contrat commencé le {day(change.contract_began_on)}" if change.contract_began_on else ""
    ends = f"le {day(change.contract_ends_on)}" if change.contract_ends_on else ""
    match change.kind:
        case "end":
            return [f"Fin de contrat {ends}, {began}.", f"Motif : {reason_words(change.reason)}."]
        case "end_cancelled":
            return [f"La fin de contrat déclarée {ends} l’a été par erreur (motif 099), {began}."]
        case "continued":
            return [f"Contrat terminé {ends}, affiliation maintenue, {began}.", reason_words(change.reason) + "."]
        case "hire":
            nature = CONTRACT_NATURES.get(change.contract_nature or "", "")
            return [f"Embauche avec effet au {day(change.on)}{f' ({nature})' if nature else ''}."]
        case "moved" if change.former_siret:
            return [f"Changement d’établissement le {day(change.on)} : avant, SIRET {change.former_siret}."]
        case "moved":
            return [f"Départ {ends} sans rupture de contrat : {reason_words(change.reason)}."]
        case "affiliation_end":
            return [f"Fin d’affiliation le {day(change.on)}, sans fin de contrat."]
        case "dependant" if change.dependant is not None:
            kind = DEPENDANT_KINDS.get(change.dependant.kind, "Ayant droit")
            if change.dependant.ended_on:
                return [f"{kind} : plus rattaché après le {day(change.dependant.ended_on)}."]
            return [f"{kind} : rattaché à partir du {day(change.on)}."]
        case "suspended" | "suspension_cancelled":
            until = f" jusqu’au {day(change.suspended_until)}" if change.suspended_until else ", sans fin prévue"
            leave = SUSPENSIONS.get(change.reason, f"Motif {change.reason}")
            wrongly = " : déclarée par erreur" if change.kind == "suspension_cancelled" else ""
            return [f"{leave} à partir du {day(change.on)}{until}{wrongly}."]
        case "identity":
            what = ", ".join(_CORRECTED[name] for name in change.corrects)
            return [f"La DSN corrige {what}." if what else "Le numéro de sécurité sociale est maintenant connu."]
        case "reversal":
            kind = CHANGE_KINDS.get(change.reverses or "", "Changement").lower()
            return [f"Une déclaration « annule et remplace » ne le dit plus : {kind}, {day(change.on)}."]
    return [f"{CHANGE_KINDS.get(change.kind, change.kind)}, {day(change.on)}."]


def effects(change: DsnChangeView) -> list[str]:
    """What accepting it changes, with the days."""
    return [french(line) for line in _effects(change)]


def _effects(change: DsnChangeView) -> list[str]:
    match change.kind:
        case "end":
            return [f"Couvert jusqu’au {day(change.on)}, fin du mois du départ.", _portability(change)]
        case "affiliation_end":
            return [f"Couvert jusqu’au {day(change.on)}, sans portabilité."]
        case "end_cancelled":
            return ["La fin enregistrée est retirée : les droits continuent sans interruption."]
        case "continued":
            return ["Les droits continuent. Le nouveau contrat est attendu dans la DSN du mois suivant."]
        case "hire":
            return ["Proposé à l’employeur, qui pré-affilie la personne ; aucun droit n’est ouvert sans cela."]
        case "moved" if change.former_siret:
            return ["Les droits suivent la personne dans l’établissement qui déclare maintenant."]
        case "moved":
            return ["Rien n’est fermé : dites à la main ce que deviennent les droits, dans le dossier."]
        case "dependant" if change.dependant is not None and change.dependant.ended_on:
            return [f"Ayant droit couvert jusqu’au {day(change.dependant.ended_on)}."]
        case "dependant":
            return [f"Ayant droit ajouté aux droits de la personne à partir du {day(change.on)}."]
        case "suspended":
            kept = f"Garanties suspendues à partir du {day(change.on)}"
            until = f", jusqu’au {day(change.suspended_until)}." if change.suspended_until else "."
            return [kept + until, "Elles peuvent être maintenues si la personne paie toute la cotisation."]
        case "suspension_cancelled":
            return [f"La suspension du {day(change.on)} est retirée : les garanties n’ont pas cessé."]
        case "identity":
            return ["Notre fichier est corrigé comme la DSN le dit ; les droits ne changent pas."]
        case "reversal":
            return ["Ce qui avait été appliqué est défait."]
    return []


def _portability(change: DsnChangeView) -> str:
    if change.portability_from and change.portability_until:
        return (
            f"Portabilité du {day(change.portability_from)} au {day(change.portability_until)} au plus, "
            "sur justificatif de France Travail."
        )
    if portability_of(change.reason) is Portability.closed:
        return "Pas de portabilité pour ce motif."
    return f"Portabilité à décider : elle commencerait le {day(change.on + timedelta(days=1))}."


def as_we_have_it(change: DsnChangeView) -> list[str]:
    """The rights that are known today."""
    rights = change.rights
    if rights is None:
        return []
    until = f"jusqu’au {day(rights.ends_on)}" if rights.ends_on else "sans fin connue"
    lines = [f"Couvert depuis le {day(rights.starts_on)}, {until} (formule {rights.formula})."]
    if rights.contract_ends_on:
        lines.append(
            f"Fin de contrat déjà enregistrée : {day(rights.contract_ends_on)}, {reason_words(rights.reason or '')}."
        )
    if rights.portability_until:
        lines.append(f"Portabilité calculée jusqu’au {day(rights.portability_until)}.")
    return [french(line) for line in lines]
