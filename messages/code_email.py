"""The e-mail that carries a code to an employee: the code, how long it is valid, and nothing about anybody."""

from __future__ import annotations

from domain.media import Language
from messages.catalogue import catalogue
from messages.emails import RenderedEmail, render


def render_code_email(code: str, language: Language) -> RenderedEmail:
    """Neither the person nor an employer is named: whoever reads this box may be somebody else by now."""
    words = catalogue(language)
    return render("code", words, {"code": code, "subject": words.text("email.code.subject")})
