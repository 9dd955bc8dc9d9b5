"""The SMS that carries a code: who sends it, the code, and nothing about anybody (security.md A-18)."""

from __future__ import annotations

from messages.sms import MAX_CHARACTERS, septets


def render_code_sms(code: str, host: str) -> str:
    """One segment of GSM-7, which has no « Ê ». Its last line lets a browser fill the code in at `host` only (WebOTP).

    Raises ValueError when the host is too long for one segment or holds a character outside GSM-7.
    """
    text = (
        f"HCR Bien-Etre : votre code est {code}, valable 10 minutes. Ne le communiquez à personne.\n\n@{host} #{code}"
    )
    size = septets(text)
    if size > MAX_CHARACTERS:
        raise ValueError(f"the host is too long for one SMS: {size} characters of {MAX_CHARACTERS}")
    return text
