"""The documents of « Mes documents pratiques » that the portal makes: guides, the SEPA mandate, the e-mail shown ahead.

A guide's texts are `guides/<slug>.toml`; its figures are those of the rules in force.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from domain.media import Language, MessageKind
from domain.policy import DEFAULT_POLICY, Reminder
from messages import house, typeset
from messages.emails import EmailContent, render_email
from messages.forms import render_affiliation_form, render_pre_affiliation_form
from messages.typography import french

EDITION: Final = date(2026, 11, 23)  # of the texts below and of the guides'
_GUIDES: Final = Path(__file__).with_name("guides")


def render_guide(slug: str) -> bytes:
    """The PDF of the guide of this name. Raises FileNotFoundError when there is none."""
    return typeset.render("guide.typ", EDITION, _guide(slug), {})


def guide_words(slug: str) -> str:
    """What a guide is found by. Empty for what is no guide."""
    if not (_GUIDES / f"{slug}.toml").exists():
        return ""
    said = [[part["title"], *part["paragraphs"], *part["steps"], *part["points"]] for part in _guide(slug)["parts"]]
    return " ".join(text for texts in said for text in texts)


def render_mandate() -> bytes:
    """A blank mandate of SEPA direct debit; whoever collects adds its own identifier and the mandate's reference."""
    return typeset.render("sepa_mandate.typ", EDITION, {}, {})


def render_email_preview() -> bytes:
    """The invitation as an employee of « Votre entreprise » reads it, with addresses that lead nowhere."""
    content = EmailContent(
        first_name="Camille",
        last_name="Martin",
        civility="Madame",
        employer="Votre entreprise",
        city="",
        link="https://exemple.fr/lien-personnel",
        decline_link="https://exemple.fr/ce-n-est-pas-moi",
        deadline=None,
        missing=(),
        language=Language.fr,
        reference="0000 0000 0000",
    )
    email = render_email(MessageKind.invitation, content)
    blocks = re.split(r"\n\s*\n|\n-{3,}\n", email.text)
    paragraphs = [one.strip() for one in blocks if one.strip("- \n")]
    facts = f"Objet : {email.subject}"
    intro = (
        "Voici l’e-mail que reçoit votre salarié dès votre pré-affiliation. Prévenez-le : il le reconnaîtra. "
        "Les noms et les adresses sont ici des exemples."
    )
    parts = [{"title": french(facts), "paragraphs": paragraphs, "steps": [], "points": []}]
    return typeset.render("guide.typ", EDITION, _document("E-mail d’affiliation", intro, parts), {})


MADE: Final[Mapping[str, Callable[[], bytes]]] = {
    "mandat-sepa": render_mandate,
    "email-affiliation": render_email_preview,
    "affiliation": lambda: render_affiliation_form(None),
    "pre-affiliation": render_pre_affiliation_form,
    "guide-espace-entreprise": lambda: render_guide("guide-espace-entreprise"),
    "guide-espace-assure": lambda: render_guide("guide-espace-assure"),
    "guide-assures": lambda: render_guide("guide-assures"),
}


@cache
def _guide(slug: str) -> Mapping[str, Any]:
    source = tomllib.loads((_GUIDES / f"{slug}.toml").read_text(encoding="utf-8"))
    parts = [
        {
            "title": _said(part["title"]),
            "paragraphs": [_said(text) for text in part.get("paragraphs", ())],
            "steps": [_said(text) for text in part.get("steps", ())],
            "points": [_said(text) for text in part.get("points", ())],
        }
        for part in source["part"]
    ]
    return _document(_said(source["title"]), _said(source["intro"]), parts)


def _document(title: str, intro: str, parts: list[dict[str, Any]]) -> Mapping[str, Any]:
    edition = french(f"Édition du {EDITION:%d/%m/%Y}")
    return {"title": title, "intro": intro, "edition": edition, "parts": parts}


def _said(text: str) -> str:
    return french(text.format_map(_figures()))


@cache
def _figures() -> Mapping[str, str]:
    rules = DEFAULT_POLICY

    def days(reminders: tuple[Reminder, ...]) -> str:
        return " et ".join(str(one.after_days) for one in reminders)

    return {
        "email_days": days(rules.sent_by_email),
        "letter_days": days(rules.sent_by_post),
        "draft_days": days(rules.started),
        "piece_days": days(rules.pieces),
        "pieces_deadline": str(rules.pieces_days),
        "fallback": str(rules.postal_fallback_days),
        "reminder_hours": str(rules.employer_reminder_hours),
        "abandon_email": str(rules.abandonment_days_email),
        "abandon_post": str(rules.abandonment_days_post),
        "helpline": house.HELPLINE,
        "hours": house.HELPLINE_HOURS,
    }
