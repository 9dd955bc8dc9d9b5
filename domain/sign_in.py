"""When a code is asked, and what the numbers and the codes of the second factor look like (guide, page 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import phonenumbers

from domain.identifiers import PHONE_EXAMPLE, InvalidValue, is_mobile, parse_phone
from domain.rights import UserKind
from domain.working_time import add_months

# security.md: wrong passwords in a row, of an account and of a browser its user gave a code in
MOST_FAILURES: Final = 10
BLOCK_MINUTES: Final = 15  # twice as long each time
LONGEST_BLOCK_MINUTES: Final = 24 * 60

# security.md
CODE_SECONDS: Final = 600
RESEND_SECONDS: Final = 30
MOST_TRIES: Final = 5  # wrong codes of one challenge
MOST_WRONG_CODES: Final = ((5, 300), (20, 3600), (50, 86_400))  # of an account: so many in so many seconds
CODE_BLOCK_SECONDS: Final = 3600
MOST_USERS_OF_A_NUMBER: Final = 5

_SUSPECT_FAILURES = 3
_LONG_ABSENCE_MONTHS = 3


class CodeDue(StrEnum):
    """What happened to an account since its last sign-in."""

    password_reset = "password_reset"  # noqa: S105
    phone_changed = "phone_changed"
    role_raised = "role_raised"
    reactivated = "reactivated"


class Reason(StrEnum):
    """Why a code is asked (security.md A-11)."""

    new_browser = "new_browser"
    unknown_address = "unknown_address"
    long_absence = "long_absence"
    first_sign_in = "first_sign_in"
    password_reset = "password_reset"  # noqa: S105
    phone_changed = "phone_changed"
    role_raised = "role_raised"
    reactivated = "reactivated"
    failed_passwords = "failed_passwords"
    staff = "staff"


@dataclass(frozen=True)
class SignInFacts:
    """What is known when the password was right.

    `known_browser`: it carries a valid device token of this user. `failed_passwords`: just before, in a row.
    """

    kind: UserKind
    known_browser: bool
    known_address: bool
    last_signed_in_at: datetime | None
    code_due: CodeDue | None
    failed_passwords: int


def code_reasons(facts: SignInFacts, now: datetime) -> frozenset[Reason]:
    """Why a second factor is asked; empty: it is not (guide, page 6; security.md A-11).

    Three months are civil months in Paris, to the minute of the wall clock, clipped to the month's end.
    """
    last = facts.last_signed_in_at
    asked = {
        Reason.new_browser: not facts.known_browser,
        Reason.unknown_address: not facts.known_address,
        Reason.first_sign_in: last is None,
        Reason.long_absence: last is not None and now >= add_months(last, _LONG_ABSENCE_MONTHS),
        Reason.failed_passwords: facts.failed_passwords >= _SUSPECT_FAILURES,
        Reason.staff: facts.kind is UserKind.staff,
    }
    due = frozenset() if facts.code_due is None else frozenset({Reason(facts.code_due.value)})
    return due | {reason for reason, holds in asked.items() if holds}


# --- numbers

# France, its departments and its territories overseas (security.md A-17).
_CALLING_CODES = frozenset({33, 262, 508, 590, 594, 596, 681, 687, 689})


def parse_code_phone(text: str) -> str:
    """A mobile of France or overseas in E.164: where a code may be sent (security.md A-17).

    Raises InvalidValue as `domain.identifiers.parse_phone`, or `phone.country|mobile`.
    """
    number = parse_phone(text)
    if phonenumbers.parse(number).country_code not in _CALLING_CODES:
        message = "Indiquez un numéro de mobile français, de métropole ou d’outre-mer."
        raise InvalidValue("phone.country", message, PHONE_EXAMPLE)
    if not is_mobile(number):
        message = "Indiquez un numéro de mobile\u00a0: le code est envoyé par SMS."
        raise InvalidValue("phone.mobile", message, PHONE_EXAMPLE)
    return number


def masked_phone(e164: str) -> str:
    """What a page shows of it: `06 •• •• •• 42`; of a number without a trunk 0, its end only."""
    national = str(phonenumbers.parse(e164).national_number)
    shown = f"0{national}"[:2] if len(national) == 9 else "••"
    return f"{shown} •• •• •• {national[-2:]}"


# --- codes

_SEPARATORS = r"[\s\-.\u2010-\u2015]"
_RECOVERY = re.compile(r"([0-9]{1,2})([A-Z0-9]{16})")
# Crockford's base 32 without I, L, O, U; typed, these are read as what they look like.
RECOVERY_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans("ILO", "110")


def typed_digits(text: str) -> str | None:
    """The six digits of a code, typed with or without spaces; None: these are no six digits."""
    digits = re.sub(_SEPARATORS, "", text)
    return digits if re.fullmatch(r"[0-9]{6}", digits) else None


def recovery_code(number: int, secret: str) -> str:
    """As it is shown once: `3-7KQ2-M8XF-…`. `secret`: 16 characters of the alphabet, 80 bits."""
    return "-".join([str(number), *(secret[at : at + 4] for at in range(0, len(secret), 4))])


def parse_recovery_code(text: str) -> tuple[int, str] | None:
    """(number, secret) of what was typed, whatever the case, spaces and hyphens; None: it is none."""
    found = _RECOVERY.fullmatch(re.sub(_SEPARATORS, "", text).upper())
    return (int(found[1]), found[2].translate(_LOOK_ALIKES)) if found else None
