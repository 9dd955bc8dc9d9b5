"""A password that somebody chooses: activation, invitation, reset and change share it (security.md A-05)."""

from __future__ import annotations

from collections.abc import Collection

from domain.identifiers import InvalidValue
from domain.password_rules import check_password
from services.problems import FieldError, InvalidFields
from services.tools import Tools

_SEEN = "Ce mot de passe figure dans des listes volées à d’autres sites. Choisissez-en un autre, qui n’a jamais servi."


def checked_password(password: str, about: Collection[str], field: str = "password") -> str:
    """It, normalised, where it keeps to our own rules. `about`: names, addresses and numbers that it must not be made
    of. Raises InvalidFields: what is wrong with it, in words."""
    try:
        return check_password(password, about)
    except InvalidValue as wrong:
        raise InvalidFields([FieldError(field, wrong.code, wrong.message, wrong.example)]) from None


async def new_password_hash(tools: Tools, password: str, about: Collection[str], field: str = "password") -> str:
    """What is stored of it, where it is in no list of stolen ones either. Raises as `checked_password`; Overloaded."""
    normalised = checked_password(password, about, field)
    if await tools.pwned.seen(normalised):  # None where the list is away: the rules above hold anyway
        raise InvalidFields([FieldError(field, "password.stolen", _SEEN)])
    return await tools.passwords.hash(normalised)
