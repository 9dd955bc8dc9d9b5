"""Numbers and addresses that nobody needs to answer a question, taken out of it before it is kept or searched
(security.md B-02)."""

from __future__ import annotations

import re
from typing import Final

_APART: Final = r"[\s.\-\u00a0\u202f]?"
# In this order: an IBAN holds digits that would look like a telephone number, and so does a social-security number.
_PATTERNS: Final = (
    ("[e-mail]", re.compile(r"[^\s<>()\[\],;:\"«»]+@[^\s<>()\[\],;:\"«»]+\.[A-Za-z]{2,}")),
    (
        "[IBAN]",
        re.compile(rf"\b[A-Za-z]{{2}}\d{{2}}(?:{_APART}[A-Za-z0-9]{{4}}){{3,7}}(?:{_APART}[A-Za-z0-9]{{1,3}})?\b"),
    ),
    (
        "[numéro de sécurité sociale]",
        re.compile(
            rf"(?<!\d)[1-478](?:{_APART}\d){{4}}{_APART}(?:\d{_APART}\d|2{_APART}[ABab])(?:{_APART}\d){{6,8}}(?!\d)"
        ),
    ),
    ("[téléphone]", re.compile(rf"(?<!\d)(?:\+\s?33|00{_APART}33|0){_APART}[1-9](?:{_APART}\d){{8}}(?!\d)")),
)


def masked(text: str) -> str:
    """The text with « [téléphone] » and the like where there was one."""
    for words, pattern in _PATTERNS:
        text = pattern.sub(words, text)
    return text
