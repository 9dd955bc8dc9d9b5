"""The sentences of a timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activities.contracts.affiliation import ActorKind, EventKind
from portal.wording import ahead, event_details, failure_sentence, message_title
from services.views import EventView

AT = datetime(2026, 5, 12, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        (EventKind.declared, {}, []),
        (EventKind.declared, {"former": "x"}, ["Reprise d’une affiliation abandonnée"]),
        (
            EventKind.message_handed_over,
            {"message": "reminder", "number": "2", "medium": "post"},
            ["Relance automatique n°\xa02, par courrier"],
        ),
        (
            EventKind.message_refused,
            {"message": "invitation", "number": "1", "medium": "email", "reason": "bad_address"},
            ["Invitation, par e-mail", "L'adresse n'est pas valable."],
        ),
        (
            EventKind.message_uncertain,
            {"message": "invitation", "medium": "sms", "reason": "cannot_tell"},
            ["Invitation, par SMS", "Code du prestataire\xa0: cannot_tell"],
        ),
        (
            EventKind.delivery_failed,
            {"medium": "post", "reason": "returned"},
            ["Envoyé par courrier", "Le courrier nous est revenu\xa0: la personne n'habite pas à cette adresse."],
        ),
        (EventKind.reminder_asked, {}, []),
        (EventKind.contact_corrected, {"changed": "email post"}, ["Changé\xa0: Email, Courrier postal"]),
        (EventKind.contact_corrected, {}, []),
        (EventKind.started, {"medium": "email"}, ["Arrivé par e-mail"]),
        (EventKind.finalised, {"channel": "online", "missing": ""}, ["En ligne"]),
        (
            EventKind.finalised,
            {"channel": "paper", "missing": "rib school_certificate:k2"},
            ["Sur papier", "Il manque\xa0: RIB (relevé d’identité bancaire), Certificat de scolarité de votre enfant"],
        ),
        (EventKind.declined, {"reason": "not_me", "medium": "email"}, ["«\xa0Ce n'est pas moi\xa0»"]),
        (EventKind.abandoned, {}, ["Sans réponse de la personne dans le délai"]),
        (
            EventKind.abandoned,
            {"reason": "withdrawn_mistake"},
            ["Déclaration retirée\xa0: elle a été faite par erreur"],
        ),
        (EventKind.paused, {"reason": "on_leave"}, ["La personne est absente"]),
        (EventKind.resumed, {}, []),
        (EventKind.doubt_resolved, {"verdict": "left"}, ["Le message était bien parti"]),
    ],
)
def test_what_is_known_of_an_event(kind: EventKind, details: dict[str, str], said: list[str]) -> None:
    assert event_details(EventView(number=1, kind=kind, at=AT, actor=ActorKind.employer, details=details)) == said


def test_how_far_a_clock_is_ahead() -> None:
    assert ahead(AT, AT) == ""
    assert ahead(AT + timedelta(hours=3), AT) == "quelques heures d’avance"
    assert ahead(AT + timedelta(days=1, minutes=1), AT) == "1\xa0jour d’avance"
    assert ahead(AT + timedelta(days=50), AT) == "50\xa0jours d’avance"


def test_titles_and_failures() -> None:
    assert message_title("invitation", 1) == "Invitation"
    assert message_title("reminder", 2) == "Relance automatique n°\xa02"
    assert message_title("sms", None) == "Message"
    assert failure_sentence("bounced").startswith("L'adresse e-mail")
    assert failure_sentence("5.1.1") == "Code du prestataire\xa0: 5.1.1"


def test_a_life_that_begins_again_after_a_waiver_says_so() -> None:
    event = EventView(number=0, kind=EventKind.declared, at=AT, actor=ActorKind.system, details={"former": "x"})
    assert event_details(event) == ["Après la fin d’une dispense"]
