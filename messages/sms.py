"""The text of an SMS: one segment, no name, no company."""

from __future__ import annotations

from domain.media import Language, MessageKind
from messages.house import written_language

MAX_CHARACTERS = 160  # septets of one GSM 03.38 segment

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")

# GSM-7 has no « ê », no « ç », no non-breaking space: words and punctuation are chosen so that none is missed.
_TEXTS = {
    Language.fr: {
        MessageKind.invitation: "HCR Bien-Etre. Une démarche vous attend pour votre nouvel emploi. Elle prend 10 min.",
        MessageKind.reminder: "HCR Bien-Etre. Rappel, votre démarche n'est pas terminée. Elle prend 10 min.",
        MessageKind.draft_reminder: "HCR Bien-Etre. Votre formulaire est enregistré. Il reste à le terminer.",
        MessageKind.employer_reminder: "HCR Bien-Etre. Votre employeur vous rappelle une démarche à terminer.",
        MessageKind.postal_fallback: "HCR Bien-Etre. Un courrier vous est envoyé. Vous pouvez aussi répondre ici.",
        MessageKind.missing_pieces: "HCR Bien-Etre. Il manque un document à votre dossier. Ajoutez-le ici.",
        MessageKind.confirmation: "HCR Bien-Etre. Votre dossier est complet. Merci.",
    }
}


def septets(text: str) -> int:
    """Length of `text` in GSM-7 septets (an extended character counts two).

    Raises ValueError for a character GSM-7 does not have: the whole SMS would fall to 70 characters.
    """
    unknown = set(text) - _BASIC - _EXTENDED
    if unknown:
        raise ValueError(f"{len(unknown)} character(s) outside GSM-7")
    return len(text) + sum(c in _EXTENDED for c in text)


def render_sms(kind: MessageKind, link: str, language: Language) -> str:
    """The text to send, ≤ 160 GSM-7 septets, ending with `link`.

    Raises ValueError when the link is too long for one segment or holds a character outside GSM-7.
    """
    text = f"{_TEXTS[written_language(language)][kind]} {link}"
    if septets(text) > MAX_CHARACTERS:
        raise ValueError(f"the link is too long for one SMS: {septets(text)} septets")
    return text
