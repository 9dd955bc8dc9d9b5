"""What becomes of somebody's rights, in sentences: for their employer and for staff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from domain.coverage_rights import EarlyEnd, Opening, StepKind
from domain.suspensions import suspension_labels
from messages import words
from messages.typography import french, short_date_in_words
from services.coverage_rights_views import EndDates, RightsEventView, RightsStepView, SuspensionView, reason_label

EARLY_ENDS: Final = {
    reason.value: french(label)
    for reason, label in {
        EarlyEnd.new_job: "Nouvel emploi",
        EarlyEnd.retirement: "Retraite",
        EarlyEnd.death: "Décès",
        EarlyEnd.insurer: "Fin du contrat avec l’assureur",
        EarlyEnd.no_proof: "Justificatif non reçu",
        EarlyEnd.other: "Autre raison",
    }.items()
}
ATTENTIONS: Final = {
    code: (french(label), french(what))
    for code, (label, what) in {
        "portability_review": (
            "Portabilité à décider",
            "Le motif de la fin du contrat ne dit pas si la portabilité s’ouvre. Regardez la situation, puis décidez.",
        ),
        "suspension_review": (
            "Suspension à décider",
            "Le contrat de travail est suspendu sans rémunération. La couverture continue seulement si la personne "
            "l’a demandé et paie toute la cotisation.",
        ),
        "death": (
            "Décès",
            "Aucun message ne part. Appelez la famille : ses droits se règlent avec elle, puis dites que c’est fait.",
        ),
        "unreachable": (
            "Personne injoignable",
            "Le message sur ses droits n’arrive ni par e-mail ni par courrier. Appelez-la, puis dites que c’est fait.",
        ),
        "uncertain": (
            "Envoi incertain",
            "Personne ne sait si le message sur ses droits est parti. Cherchez-le chez le prestataire, puis dites que "
            "c’est fait.",
        ),
    }.items()
}
_TITLES: Final = {
    "end_declared": "Fin du contrat de travail déclarée",
    "end_changed": "Fin du contrat de travail corrigée",
    "end_cancelled": "Fin du contrat de travail annulée",
    "portability_decided": "Portabilité décidée",
    "proof_given": "Justificatif de France Travail reçu",
    "portability_ended": "Fin anticipée de la portabilité",
    "portability_resumed": "La portabilité reprend",
    "suspended": "Contrat de travail suspendu sans rémunération",
    "suspension_changed": "Suspension corrigée",
    "suspension_decided": "Couverture pendant la suspension décidée",
    "suspension_cancelled": "Suspension annulée",
    "attention_settled": "Point signalé traité",
}
_STEPS: Final = {
    StepKind.cover_end: "Message sur la fin de la couverture",
    StepKind.proof_reminder: "Justificatif de France Travail demandé",
    StepKind.portability_end: "Message sur la fin de la portabilité",
    StepKind.rights_restored: "Message sur la reprise des droits",
    StepKind.no_proof: "Fin de la portabilité, faute de justificatif",
    StepKind.over: "Plus rien à venir",
}
_BY: Final = {"staff": "par nos gestionnaires", "dsn": "par la DSN"}


@dataclass(frozen=True)
class HistoryLine:
    title: str
    lines: tuple[str, ...]
    at: datetime
    by: str


def history_lines(events: Iterable[RightsEventView], *, staff: bool = False) -> list[HistoryLine]:
    """The latest first."""
    lines = [
        HistoryLine(
            french(_TITLES[event.kind.value]),
            tuple(french(one) for one in _details(event.kind.value, event.details)),
            event.at,
            french(_by(event, staff)),
        )
        for event in events
    ]
    return lines[::-1]


def step_label(kind: StepKind) -> str:
    return french(_STEPS[kind])


def portability_sentence(end: EndDates) -> str:
    """What comes after the cover, as far as the employer knows it."""
    if end.portability_from is not None and end.portability_until is not None:
        first, last = short_date_in_words(end.portability_from), short_date_in_words(end.portability_until)
        return french(f"Portabilité du {first} au {last}, si France Travail l’ouvre.")
    if end.portability is Opening.review:
        return french("Portabilité à l’étude : nos gestionnaires décident, puis écrivent à la personne.")
    return french("Pas de portabilité : ce motif de fin de contrat ne l’ouvre pas.")


def suspension_sentence(one: SuspensionView) -> str:
    """« Couverture suspendue du … au … : congé sabbatique »."""
    state = {True: "Couverture maintenue", False: "Couverture suspendue", None: "Couverture à décider"}[one.kept]
    first = short_date_in_words(one.first_day)
    when = f"du {first} au {short_date_in_words(one.last_day)}" if one.last_day else f"à partir du {first}"
    return french(f"{state} {when} : {one.reason_label[:1].lower()}{one.reason_label[1:]}")


def announced(messages: Iterable[RightsStepView], end: EndDates) -> list[tuple[datetime, str, str]]:
    """(when, what, why) of the messages to come."""
    says = {
        StepKind.cover_end: (
            "un message dit jusqu’à quand durent ses droits",
            "Son attestation de radiation y est jointe. "
            + ("Il explique la portabilité et ce qu’il faut envoyer." if end.portability is Opening.open else ""),
        ),
        StepKind.proof_reminder: (
            "un rappel, si l’attestation de France Travail manque",
            "Sans elle, la portabilité s’arrête.",
        ),
        StepKind.portability_end: (
            "un message annonce la fin de la portabilité",
            "Il explique le contrat individuel que la loi Évin permet de demander ensuite.",
        ),
    }
    found = [(one.at, *says[one.kind]) for one in messages if one.kind in says]
    return [(at, french(what), french(why)) for at, what, why in found]


def _by(event: RightsEventView, staff: bool) -> str:
    origin = str(event.details.get("origin", event.actor.value))
    if origin == "employer":
        return "par l’employeur" if staff else "par votre entreprise"
    return _BY.get(origin, "automatiquement")


def _details(kind: str, details: dict[str, Any]) -> Iterator[str]:
    match kind:
        case "end_declared" | "end_changed":
            yield f"Dernier jour du contrat : {_day(details['contract_ends_on'])}"
            if details.get("former_day") not in (None, details["contract_ends_on"]):
                yield f"Avant la correction : {_day(details['former_day'])}"
            yield f"Motif : {reason_label(details['reason'])}"
            yield f"Couverture jusqu’au {_day(details['covered_until'])}"
            yield _opening(details)
        case "end_cancelled":
            yield f"Elle avait été déclarée au {_day(details['contract_ends_on'])} : la couverture continue"
        case "portability_decided":
            yield _opening(details)
        case "proof_given":
            yield f"Droits prouvés jusqu’au {_day(details['proof_until'])}"
        case "portability_ended":
            yield f"Dernier jour : {_day(details['on'])}"
            yield f"Raison : {EARLY_ENDS[details['reason']].lower()}"
        case "portability_resumed":
            yield f"Jusqu’au {_day(details['until'])} au plus"
        case "attention_settled":
            yield ATTENTIONS[details["attention"]][0]
        case _:
            yield from _suspension(details)


def _opening(details: dict[str, Any]) -> str:
    match details["portability"]:
        case "open":
            return f"Portabilité du {_day(details['portability_from'])} au {_day(details['portability_until'])} au plus"
        case "review":
            return "Portabilité à l’étude"
    return "Pas de portabilité"


def _suspension(details: dict[str, Any]) -> Iterator[str]:
    last = details.get("last_day")
    yield f"Du {_day(details['first_day'])} au {_day(last)}" if last else f"À partir du {_day(details['first_day'])}"
    if "reason" in details:
        yield f"Motif : {suspension_labels().get(details['reason'], details['reason'])}"
    if details.get("kept") is not None:
        yield "La couverture est maintenue" if details["kept"] else "La couverture est suspendue"


def _day(text: str) -> str:
    return short_date_in_words(date.fromisoformat(text))


def message_title(kind: str) -> str:
    return words.MESSAGE_KINDS.get(kind, kind)
