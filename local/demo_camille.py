"""Whom `make demo` is about: Camille, what her employer declares of her, what she answers and the papers she has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_mobile, synthetic_nir
from domain.working_time import PARIS
from local import demo_documents


@dataclass(frozen=True)
class Camille:
    """The employee; another birth date and other numbers each time, so that she can be hired again."""

    birth_date: date
    nir: str
    iban: str
    hired_on: date

    first_name = "Camille"
    last_name = "Rousselin"
    name = "Camille Rousselin"
    email = "camille.rousselin@example.fr"  # as her employer knows it
    own_email = "camille.et.lou@example.fr"
    children = ("Sacha", "Lou")

    @property
    def typed_birth_date(self) -> str:
        return f"{self.birth_date:%d/%m/%Y}"

    @property
    def rib(self) -> demo_documents.Paper:
        return demo_documents.rib(self.iban, self.name)

    @property
    def certificate(self) -> demo_documents.Paper:
        children = [f"AUBRAC {child}" for child in self.children]
        return demo_documents.certificate(self.nir, "ROUSSELIN Camille", children, on=datetime.now(PARIS).date())

    def declaration(self, siret: str) -> dict[str, Any]:
        """What the payroll software sends."""
        return {
            "siret": siret,
            "employee": {
                "civility": Civility.madame.value,
                "last_name": self.last_name,
                "birth_name": self.last_name,
                "first_names": self.first_name,
                "birth_date": self.birth_date.isoformat(),
                "nir": self.nir,
                "email": self.email,
                "phone": synthetic_mobile(9000),
                "language": "fr",
                "address": {"line1": "7 rue des Trois-Fontaines", "postcode": "75010", "city": "Paris"},
            },
            "hired_on": self.hired_on.isoformat(),
            "professional_status": "NC",
            "scheme": "RG",
            "contract_kind": "cdi",
        }

    def first_answers(self) -> dict[str, str]:
        """In the underground, on the phone."""
        return {
            "identity_correct": "yes",
            "birth_date": self.typed_birth_date,
            "nir": self.nir,
            "scheme": "RG",
            "line1": "7 rue des Trois-Fontaines",
            "postcode": "75010",
            "city": "Paris",
        }

    def other_answers(self) -> dict[str, str]:
        """At home."""
        of_children = {
            f"dependants.k{place}.{name}": value
            for place, (child, born) in enumerate(zip(self.children, ("03/02/2016", "14/09/2019"), strict=True))
            for name, value in {
                "kind": "child",
                "last_name": "Aubrac",
                "first_names": child,
                "birth_date": born,
                "attached_to": "employee",
            }.items()
        }
        return {
            "email": self.own_email,
            "path": "join",
            "has_dependants": "yes",
            **of_children,
            "level": "OPTION 1",
            "iban": self.iban,
            "account_holder": self.name,
            "teletransmission": "yes",
            "consent_data": "yes",
            "consent_teletransmission": "yes",
            "declaration_of_honour": "yes",
            "signature": self.name,
        }


def new_camille() -> Camille:
    """Hired a week ago."""
    birth_date = date(1978, 1, 1) + timedelta(days=secrets.randbelow(8_000))
    return Camille(
        birth_date=birth_date,
        nir=synthetic_nir(Civility.madame, birth_date, "75", secrets.randbelow(999) + 1),
        iban=synthetic_iban(900_000 + secrets.randbelow(99_999)),
        hired_on=datetime.now(PARIS).date() - timedelta(days=7),
    )
