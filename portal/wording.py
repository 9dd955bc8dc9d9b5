"""Sentences about an affiliation, made of the words of `messages/words.py`."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from domain.media import Language
from messages import words
from messages.catalogue import catalogue
from messages.pieces import piece_label
from messages.typography import french
from services.views import EventView

_BY = {"email": "e-mail", "post": "courrier", "sms": "SMS"}
_OF_MESSAGES = ("message_handed_over", "message_refused", "message_uncertain")


def message_title(kind: str, number: int | None) -> str:
    """« Invitation », « Relance automatique n° 2 »; « Message » for one that no affiliation sent."""
    return words.MESSAGE_KINDS.get(kind, "Message") + (f" n°\u00a0{number}" if number and number > 1 else "")


def received_title(message: asyncpg.Record) -> str:
    """Of what lies in the local boxes: a message of an affiliation, a notice to a user or a company, a code."""
    if message["affiliation_id"] is not None:
        return message_title(message["message_kind"], message["number"])
    return message["subject"] or {"post": "Lettre à une entreprise", "sms": "Code par SMS"}[message["medium"]]


def event_details(event: EventView) -> list[str]:
    """What else is known of an event, a line each."""
    return [french(line) for line in _details(event)]


def _details(event: EventView) -> list[str]:
    details = event.details
    match event.kind.value:
        case kind if kind in _OF_MESSAGES:
            title = message_title(details["message"], int(details.get("number", "1")))
            return [f"{title}, par {_BY[details['medium']]}", *_reason(details)]
        case "delivery_failed":
            return [f"Envoyé par {_BY[details['medium']]}", *_reason(details)]
        case "contact_corrected":
            changed = [words.medium_label(medium) for medium in details.get("changed", "").split()]
            return [f"Changé : {', '.join(changed)}"] if changed else []
        case "started":
            return [f"Arrivé par {_BY[details['medium']]}"]
        case "finalised":
            missing = [piece_label(catalogue(Language.fr), piece) for piece in details.get("missing", "").split()]
            return [
                words.channel_label(details["channel"]),
                *([f"Il manque : {', '.join(missing)}"] if missing else []),
            ]
        case "declined":
            return [f"« {words.decline_reason_label(details['reason'])} »"]
        case "abandoned":
            return [words.closure_reason_label(details.get("reason", "no_response"))]
        case "paused":
            return [words.pause_reason_label(details["reason"])]
        case "message_skipped":
            return [message_title(details["message"], int(details["number"]))]
        case "doubt_resolved":
            return [words.verdict_label(details["verdict"])]
        case "declared" if "former" in details:
            return [
                "Après la fin d’une dispense" if event.actor == "system" else "Reprise d’une affiliation abandonnée"
            ]
        case _:
            return []


def failure_sentence(reason: str) -> str:
    """Why a message did not arrive: in words where it is one of our codes, else the provider's own code."""
    return words.failure(reason).what if reason in words.FAILURES else french(f"Code du prestataire : {reason}")


def ahead(now: datetime, wall: datetime) -> str:
    """How far a moved clock is ahead of the world's; nothing below an hour."""
    lead = now - wall
    if lead < timedelta(hours=1):
        return ""
    days = round(lead / timedelta(days=1))
    if days == 0:
        return "quelques heures d’avance"
    return "1\u00a0jour d’avance" if days == 1 else f"{days}\u00a0jours d’avance"


def _reason(details: dict[str, str]) -> list[str]:
    return [failure_sentence(details["reason"])] if "reason" in details else []
