"""What the former number of an account is told: nothing about anybody, and no link (security.md A-18, A-19)."""

from __future__ import annotations

# one segment of GSM-7, which has no « Ê » and no typographic apostrophe
PHONE_CHANGED_SMS = (
    "HCR Bien-Etre : ce numéro ne recevra plus les codes de votre compte. Ce n'est pas vous ? "
    "Changez de mot de passe et appelez-nous."
)
