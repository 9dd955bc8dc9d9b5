"""Who writes: what every message says of HCR Bien-Être, in any language; `house.…` in the catalogues says the rest."""

from __future__ import annotations

from messages.typography import NBSP

NAME = "HCR Bien-Être"
HELPLINE = "01 44 20 80 63".replace(" ", NBSP)
HELPLINE_URI = "tel:+33144208063"
HELPLINE_HOURS = f"du lundi au vendredi, de{NBSP}9:00 à{NBSP}17:00"

# Where paper comes back to; also the sender's address on a letter. A placeholder until the house gives its own.
RETURN_ADDRESS = ("HCR Bien-Être", "Service Affiliation", "TSA 00000", "75000 PARIS CEDEX")
