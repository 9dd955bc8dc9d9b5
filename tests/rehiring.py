"""Somebody who was affiliated before, and whom another company declares now."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import FastAPI

from domain.affiliation import Status
from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_nir
from services.callers import Scope
from tests.api.conftest import Door, client, employee_of, key_for
from tests.enrolling import complete, family
from tests.world import Life, World, new_mobile

BORN = "12/06/1975"
IBAN = synthetic_iban(77)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A NIR, and what they gave with their former form."""

    nir: str
    email: str
    phone: str

    @property
    def declared(self) -> dict[str, Any]:
        return {"birth_date": "1975-06-12", "nir": self.nir}

    def answers(self, **changes: str) -> dict[str, str]:
        given = {"nir": self.nir, "iban": IBAN, "email": self.email, "phone": self.phone, "line1": "3 quai des Essais"}
        return family(**{**given, "city": "Rennes", "postcode": "35000", **changes})


def somebody() -> Person:
    number = next(_numbers)
    nir = synthetic_nir(Civility.madame, date(1975, 6, 12), "29", order=number)
    return Person(nir, f"rappel{number}@exemple.fr", new_mobile())


async def finalised(app: FastAPI, door: Door, person: Person, **changes: str) -> Life:
    """Their form at this company."""
    life = await door.declare(**person.declared)
    async with employee_of(app, life) as http:
        await complete(http, person.answers(**changes))
    await life.until(Status.finalised)
    return life


async def declared_elsewhere(app: FastAPI, world: World, person: Person, **changes: Any) -> Life:
    """Another company declares them, with an address that it has chosen."""
    employer = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        return await Door(world, http, employer).declare(**{**person.declared, **changes})


async def codes_by_email(world: World, address: str) -> list[str]:
    rows = await world.run(
        "SELECT text FROM local_message WHERE kind = 'code' AND recipient = $1 ORDER BY received_at", address
    )
    found = [re.search(r"^\d{6}$", row["text"], re.MULTILINE) for row in rows]
    return [code.group() for code in found if code]


async def code_that_came(world: World, address: str) -> str:
    """To a browser on a real server: the code leaves after the answer."""
    async with asyncio.timeout(10):
        while not (codes := await codes_by_email(world, address)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return codes[-1]


async def earlier(world: World, life: Life, seconds: float) -> None:
    """Everything about the codes of this form's sessions happened so much earlier."""
    by = f"make_interval(secs => {seconds})"
    await world.run(
        f"UPDATE challenge SET issued_at = issued_at - {by}, sent_at = sent_at - {by}, consumed_at = consumed_at - {by}"
        " WHERE employee_session_hash IN (SELECT token_hash FROM employee_session WHERE affiliation_id = $1)",
        life.id,
    )
