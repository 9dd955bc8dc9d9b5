"""What « Suivi des affiliations » says of an affiliation, and what an employer can do about it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.affiliation import OPEN, Attention, Status
from domain.working_time import french_moment
from messages import words
from messages.typography import french
from services.views import AffiliationSummary, NextStep


@dataclass(frozen=True)
class Actions:
    """What may be asked for in the present state; the workflow's own rules have the last word."""

    remind: bool
    correct: bool
    form: bool
    pause: bool
    resume: bool
    withdraw: bool
    restart: bool


def actions(item: AffiliationSummary) -> Actions:
    still_open = item.status in OPEN
    return Actions(
        remind=item.status in (Status.sent, Status.started) and item.attention is not Attention.unreachable,
        correct=still_open or item.awaits is not None,
        form=still_open,
        pause=still_open and item.pause is None,
        resume=still_open and item.pause is not None,
        withdraw=still_open,
        restart=item.status is Status.abandoned,
    )


_HAPPENED = {
    Status.preparing: "Déclaration enregistrée : l’invitation n’est pas encore partie.",
    Status.sent: "L’invitation est partie. La personne n’a pas encore commencé.",
    Status.started: "La personne a enregistré un brouillon.",
    Status.finalised: "Le formulaire est arrivé : il n’y a plus rien à faire.",
}
_AWAITED = {
    "documents": "Le formulaire est arrivé. La personne doit encore envoyer des documents.",
    "check": "Le formulaire est arrivé. Nos équipes le vérifient.",
}


def happened(item: AffiliationSummary) -> str:
    """Where it stands, in one sentence."""
    if item.awaits is not None:
        return french(_AWAITED[item.awaits])
    if item.status is Status.abandoned:
        return words.closure_reason_label(item.closure or "no_response") + "."
    return french(_HAPPENED[item.status])


def coming(item: AffiliationSummary, now: datetime) -> list[str]:
    """What happens next if nobody does anything, and when: « Prochaine relance automatique : mardi 12 mai à 9 h »."""
    said = []
    if item.pause is not None and item.status in OPEN:
        said.append(french(f"Envois automatiques en pause : {words.pause_reason_label(item.pause).lower()}"))
    if item.next_step is not None:
        said.append(step_sentence(item.next_step, now))
    return said


def step_sentence(step: NextStep, now: datetime) -> str:
    when = "dans quelques instants" if step.at <= now else french_moment(step.at, now)
    return f"{words.step_label(step.kind)}{french(' : ')}{when}"


def stuck(item: AffiliationSummary) -> str:
    """Why it stands still, and who does what; empty where it does not."""
    if item.attention is None or item.status is Status.abandoned:
        return ""
    return words.attention_label(item.attention) + "."
