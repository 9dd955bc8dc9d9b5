"""Answers and files of people who complete their form, for tests of the API, of pages and of whole lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from domain.synthetic import synthetic_iban

IBAN = synthetic_iban(3)
BASE = "/api/v1/enrolments"


def alone(**changes: str) -> dict[str, str]:
    """Somebody who joins alone; they confirm what the employer declared. `changes` replace answers."""
    return {
        "identity_correct": "yes",
        "birth_date": "12/06/1975",
        "nir": "2 75 06 75 990 001 97",
        "scheme": "RG",
        "line1": "12 rue des Essais",
        "postcode": "75011",
        "city": "Paris",
        "path": "join",
        "has_dependants": "no",
        "level": "BASE",
        "iban": IBAN,
        "account_holder": "Camille Essai",
        "teletransmission": "yes",
        "consent_data": "yes",
        "consent_teletransmission": "yes",
        "declaration_of_honour": "yes",
        "signature": "Camille Essai",
        **changes,
    }


def family(**changes: str) -> dict[str, str]:
    """The same with a partner and two children, one of them a student of age."""
    return alone(
        **{
            "has_dependants": "yes",
            "dependants.p1.kind": "partner",
            "dependants.p1.civil_link": "pacs",
            "dependants.p1.last_name": "Silva",
            "dependants.p1.first_names": "João",
            "dependants.p1.birth_date": "03/02/1974",
            "dependants.p1.attached_to": "own",
            "dependants.k1.kind": "child",
            "dependants.k1.last_name": "Silva",
            "dependants.k1.first_names": "Inês",
            "dependants.k1.birth_date": "10/03/2015",
            "dependants.k1.attached_to": "employee",
            "dependants.k2.kind": "child",
            "dependants.k2.last_name": "Silva",
            "dependants.k2.first_names": "Tomás",
            "dependants.k2.birth_date": "21/09/2006",
            "dependants.k2.attached_to": "employee",
            "dependants.k2.student": "yes",
            **changes,
        }
    )


def waived(**changes: str) -> dict[str, str]:
    """Somebody who is covered elsewhere and asks not to be."""
    answers = alone(path="waive", waiver_reason="covered_by_spouse", waiver_proof="sworn", sworn_waiver="yes")
    for name in ("has_dependants", "level", "iban", "account_holder", "teletransmission", "consent_teletransmission"):
        del answers[name]
    return {**answers, **changes}


async def save(http: httpx2.AsyncClient, answers: Mapping[str, str | None], version: int = 0) -> int:
    """Save a draft; its version."""
    saved = await http.patch(f"{BASE}/current", json={"version": version, "answers": dict(answers)})
    assert saved.status_code == 200, saved.text
    return int(saved.json()["version"])


async def upload(http: httpx2.AsyncClient, piece: str, name: str, content: bytes) -> httpx2.Response:
    return await http.post(f"{BASE}/current/documents", data={"piece": piece}, files={"file": (name, content)})


async def send(http: httpx2.AsyncClient, version: int, later: bool = True) -> httpx2.Response:
    return await http.post(f"{BASE}/current/submission", json={"version": version, "later": later})


async def complete(http: httpx2.AsyncClient, answers: dict[str, str] | None = None) -> dict[str, Any]:
    """Save, send, the documents to follow; the receipt."""
    version = await save(http, answers or alone())
    sent = await send(http, version)
    assert sent.status_code == 200, sent.text
    receipt: dict[str, Any] = sent.json()
    return receipt
