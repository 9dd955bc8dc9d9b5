"""Declarations of distinct valid people, and their answers on the form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_mobile, synthetic_nir

_numbers = count()
_DEPARTMENTS = [f"{number:02}" for number in range(1, 96) if number != 20]


def declarations(siret: str) -> Iterator[bytes]:
    """Bodies of POST /affiliations, another person each time."""
    while True:
        yield json.dumps(declaration(siret, next(_numbers)), ensure_ascii=False).encode()


def declaration(siret: str, number: int) -> dict[str, Any]:
    """Person `number`, below ten million: a NIR tells people apart by month, department and order only."""
    rest, order = divmod(number, 999)
    months, department = divmod(rest, len(_DEPARTMENTS))
    birth = date(1970 + months // 12, months % 12 + 1, 1)
    return {
        "siret": siret,
        "employee": {
            "civility": Civility.madame.value,
            "last_name": "Mesure",
            "birth_name": "Mesure",
            "first_names": "Camille",
            "birth_date": birth.isoformat(),
            "nir": synthetic_nir(Civility.madame, birth, _DEPARTMENTS[department], order + 1),
            "email": f"mesure{number}@exemple.fr",
            "phone": synthetic_mobile(number % 10_000),
            "language": "fr",
            "address": {"line1": "12 rue des Essais", "postcode": "75011", "city": "Paris"},
        },
        "hired_on": datetime.now(UTC).date().isoformat(),
        "professional_status": "NC",
        "scheme": "RG",
        "contract_kind": "cdi",
    }


def answers_to(declared: dict[str, Any]) -> dict[str, str]:
    """The form of somebody declared so, who joins alone and confirms what their employer said."""
    employee = declared["employee"]
    name = f"{employee['first_names']} {employee['last_name']}"
    return {
        "identity_correct": "yes",
        "birth_date": employee["birth_date"],
        "nir": employee["nir"],
        "scheme": declared["scheme"],
        **{field: employee["address"][field] for field in ("line1", "postcode", "city")},
        "path": "join",
        "has_dependants": "no",
        "level": "BASE",
        "iban": synthetic_iban(7),
        "account_holder": name,
        "teletransmission": "yes",
        "consent_data": "yes",
        "consent_teletransmission": "yes",
        "declaration_of_honour": "yes",
        "signature": name,
    }
