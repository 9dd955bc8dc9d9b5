"""How a person is reached, and what is said to them."""

from __future__ import annotations

from enum import StrEnum


class Medium(StrEnum):
    """« Média ». An affiliation goes by `email` or `post`; `sms` only ever carries a short reminder."""

    email = "email"
    post = "post"
    sms = "sms"


class MessageKind(StrEnum):
    """What a message to an employee is for; with its number, the business key of a dispatch."""

    invitation = "invitation"
    reminder = "reminder"  # automatic, while nothing moves
    draft_reminder = "draft_reminder"  # automatic, after a draft
    employer_reminder = "employer_reminder"  # « Relancer »
    postal_fallback = "postal_fallback"  # the letter when the e-mail does not reach or is not acted upon
    missing_pieces = "missing_pieces"  # the form came back on paper, something is missing
    confirmation = "confirmation"  # the affiliation is finalised


class Language(StrEnum):
    """Languages of the employee's side; each has its catalogues in `messages/locales/`."""

    fr = "fr"
    falc = "falc"  # « facile à lire et à comprendre »: French in short sentences and common words
    en = "en"
    pt = "pt"
    es = "es"
    ar = "ar"


def reachable_media(has_email: bool, has_phone: bool) -> tuple[Medium, ...]:
    """The media with an address; the postal one is always given."""
    media = [Medium.email] if has_email else []
    media.append(Medium.post)
    if has_phone:
        media.append(Medium.sms)
    return tuple(media)
