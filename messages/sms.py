"""The text of an SMS: no name, no employer. Texts: `sms.<kind>` in the catalogues.

Latin letters fit one segment of GSM-7, which has no « ê », « ç », « ã », « á » nor non-breaking space: the catalogues
choose words and punctuation so that none is missed. Arabic is sent in UCS-2, and with its link takes two segments.
"""

from __future__ import annotations

from domain.media import Language, MessageKind
from messages.catalogue import catalogue

MAX_CHARACTERS = 160  # septets of one GSM 03.38 segment
MAX_WIDE_CHARACTERS = 134  # UTF-16 units of two UCS-2 segments

_WIDE = frozenset({Language.ar})
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")


def render_sms(kind: MessageKind, link: str, language: Language) -> str:
    """The text to send, ending with `link`: one GSM-7 segment, in Arabic two of UCS-2.

    Raises ValueError when the link is too long for them or holds a character outside GSM-7.
    """
    septets(link)
    text = f"{catalogue(language).text(f'sms.{kind}')} {link}"
    size, most = (wide(text), MAX_WIDE_CHARACTERS) if language in _WIDE else (septets(text), MAX_CHARACTERS)
    if size > most:
        raise ValueError(f"the link is too long for one SMS: {size} characters of {most}")
    return text


def septets(text: str) -> int:
    """Length of `text` in GSM-7 septets (an extended character counts two).

    Raises ValueError for a character GSM-7 does not have: the whole SMS would fall to 70 characters.
    """
    unknown = set(text) - _BASIC - _EXTENDED
    if unknown:
        raise ValueError(f"{len(unknown)} character(s) outside GSM-7")
    return len(text) + sum(c in _EXTENDED for c in text)


def wide(text: str) -> int:
    """Length of `text` in UTF-16 units, as UCS-2 segments count it."""
    return len(text.encode("utf-16-le")) // 2
