"""The end of a work contract as it is typed, by an employer or by staff: its days, its reason, and their errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from domain.departures import reasons
from messages.typography import french
from services.coverage_rights import NewEnd
from services.coverage_rights_views import EndView
from services.enrolment_form import TypedDay
from services.fields import Form, today, validated
from services.problems import FieldError, InvalidFields

TYPED: Final = ("contract_ends_on", "reason", "contract_began_on")

# The reasons that an employer may give, in the words of the DSN, by who ends the contract; `domain/departures.py` says
# which they are.
_GROUPS: Final = (
    ("Fréquents", ("031", "059", "043")),
    ("À l’initiative de l’employeur", ("014", "020", "087", "088", "091", "092", "034", "036", "038")),
    ("À l’initiative du salarié", ("035", "037", "039")),
    ("Autres fins", ("081", "084", "066")),
)


def as_declared(end: EndView | None) -> dict[str, str]:
    """The end that stands as one would type it, to be corrected; empty: none stands."""
    if end is None:
        return dict.fromkeys(TYPED, "")
    return {
        "contract_ends_on": f"{end.contract_ends_on:%d/%m/%Y}",
        "reason": end.reason,
        "contract_began_on": f"{end.contract_began_on:%d/%m/%Y}",
    }


class OneDay(Form):
    """As it is typed."""

    day: TypedDay


def read(typed: Mapping[str, str]) -> NewEnd:
    """The end that was typed. Raises InvalidFields, by the fields' names and as they are typed."""
    errors, given = [], {}
    example = f"{today():%d/%m/%Y}"
    for name, words in (
        ("contract_ends_on", "Indiquez le dernier jour du contrat de travail"),
        ("contract_began_on", "Indiquez le premier jour du premier contrat, ou laissez vide"),
    ):
        text = typed[name].strip()
        if not text and name == "contract_began_on":
            continue
        try:
            given[name] = validated(OneDay, {"day": text}).day
        except InvalidFields:
            errors.append(FieldError(name, "date", french(f"{words}. Exemple : {example}")))
    if typed["reason"] not in reasons():
        words = "Choisissez le motif de la fin du contrat, par exemple « Démission »."
        errors.append(FieldError("reason", "missing", french(words)))
    if errors:
        raise InvalidFields(errors)
    return validated(NewEnd, {**given, "reason": typed["reason"]})


_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


def as_typed_days(wrong: InvalidFields) -> InvalidFields:
    """The same with an example as one types it."""
    errors = []
    for one in wrong.errors:
        words = one.message
        if one.example and _ISO.fullmatch(one.example) and "Exemple" not in words:
            example = _ISO.sub(r"\3/\2/\1", one.example)
            words = french(f"{words} Exemple : {example}")
        errors.append(FieldError(one.field, one.code, words, one.example))
    return InvalidFields(errors)


def reason_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """What an employer may give as a reason: (group, codes and labels)."""
    return [
        (french(group), [(code, french(reasons()[code].label)) for code in codes if reasons()[code].radiation])
        for group, codes in _GROUPS
    ]
