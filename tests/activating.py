"""Companies to activate: in the register with a known contact and an office, and whoever asks, each from elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import Any

import httpx2
from fastapi import FastAPI

from gateways.letter_codes import format_code
from messages.terms import current_terms
from tests.noticing import give_office, settled
from tests.world import Employer, World

PASSWORD = "onze pastèques sous un parapluie vert"
BASE = "/api/v1"
_numbers = itertools.count(1)
_addresses = itertools.count(1)


def address() -> str:
    """Of somebody whom no limit has counted yet."""
    number = next(_addresses)
    return f"10.77.{number // 250}.{number % 250 + 1}"


def somebody(app: FastAPI) -> httpx2.AsyncClient:
    """A browser at an address of its own."""
    from tests.api.conftest import client

    return client(app, address=address())


async def company(world: World, contact: str | None = "contact") -> Employer:
    """Not activated yet, with an office; `contact`: the mailbox of whom the register knows there."""
    employer = await world.employer()
    await give_office(world, employer)
    if contact:
        await world.run(
            "INSERT INTO company_contact (company_id, email) VALUES ($1, $2)",
            employer.company_id,
            contact_of(employer, contact),
        )
    return employer


def contact_of(employer: Employer, name: str = "contact") -> str:
    return f"{name}{employer.siren}@exemple.fr"


async def reference(world: World, employer: Employer) -> dict[str, str]:
    rows = await world.run("SELECT insurer_reference FROM company WHERE id = $1", employer.company_id)
    return {"siret": employer.siret, "insurer_reference": rows[0]["insurer_reference"]}


async def form(world: World, employer: Employer, **changes: Any) -> dict[str, Any]:
    """As « Activer mon espace » sends it."""
    number = next(_numbers)
    filled = {
        **await reference(world, employer),
        "first_name": "Dominique",
        "last_name": "Vasseur",
        "email": f"dominique{number}@exemple.fr",
        "password": PASSWORD,
        "terms_version": current_terms().version,
    }
    return {**filled, **changes}


async def notices(world: World, employer: Employer, *kinds: str, count: int = 1) -> list[Any]:
    """Those of a company once there are so many, oldest first."""
    async with asyncio.timeout(10):
        while True:
            rows = await world.run(
                "SELECT n.*, coalesce(n.recipient, u.email) AS goes_to FROM notice n"
                " LEFT JOIN portal_user u ON u.id = n.user_id"
                " WHERE n.company_id = $1 AND n.kind = ANY ($2) ORDER BY n.created_at, n.key",
                employer.company_id,
                list(kinds),
            )
            if len(rows) >= count:
                return rows
            await asyncio.sleep(0.02)


async def link_of(world: World, notice: Any) -> str:
    """The secret of the link in an e-mail that has left."""
    await settled(world, notice["id"])
    mails = await world.run("SELECT text FROM local_message WHERE dispatch_id = $1", notice["id"])
    found = re.search(r"/acces/[a-z/-]+/([\w-]{43})", mails[0]["text"])
    assert found
    return found.group(1)


async def code_of(world: World, notice: Any) -> str:
    """The code of a letter that has left."""
    await settled(world, notice["id"])
    rows = await world.run("SELECT selector FROM office_code WHERE notice_id = $1", notice["id"])
    return format_code(rows[0]["selector"], world.cipher.letter_secret(str(notice["id"])))


async def link(world: World, employer: Employer, kind: str) -> str:
    """The secret of the last link of this kind."""
    return await link_of(world, (await notices(world, employer, kind))[-1])


async def applied(app: FastAPI, world: World, employer: Employer, **changes: Any) -> str:
    """Somebody fills in the form; the secret of the link that proves their address."""
    before = await world.run("SELECT FROM notice WHERE company_id = $1 AND kind = 'activation'", employer.company_id)
    async with somebody(app) as http:
        answer = await http.post(f"{BASE}/activations", json=await form(world, employer, **changes))
        assert answer.status_code == 202, answer.text
    found = await notices(world, employer, "activation", count=len(before) + 1)
    return await link_of(world, found[-1])


async def administrators(world: World, employer: Employer) -> list[str]:
    """The addresses of those who administer a company now."""
    rows = await world.run(
        "SELECT u.email FROM membership m JOIN portal_user u ON u.id = m.user_id"
        " WHERE m.company_id = $1 AND m.role = 'administrator' AND is_active(m) ORDER BY u.email",
        employer.company_id,
    )
    return [row["email"] for row in rows]


async def audited(world: World, employer: Employer) -> list[str]:
    rows = await world.run("SELECT event FROM audit_log WHERE company_id = $1 ORDER BY id", employer.company_id)
    return [row["event"] for row in rows]
