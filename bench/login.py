"""Signing in, what it costs to know who is asking, and what people notice of a flood of wrong passwords."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from statistics import median
from uuid import UUID

import asyncpg

from bench import open_door
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.wire import Wire
from composition import passwords
from db import sessions, sign_in
from gateways.encryption import token_hash
from local.ports import free_port
from messages.terms import current_terms
from services.sessions import new_token

PASSWORD = "sept soupes au coin du feu"
EMAIL = "mesure@exemple.fr"
NETWORK = "192.0.2.7/32"
PER_SECOND = 500
READ = "/api/v1/companies"
ADD_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_hash, password_version,
    terms_version, last_signed_in_at)
VALUES ('employer', $1, 'Camille', 'Mesure', now(), $2, 1, $3, now()) RETURNING id
"""
ADD_MEMBERSHIP = """
INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at) VALUES ($1, $2, 'member', now(), now())
"""


@dataclass(frozen=True)
class Person:
    """Somebody whose browser and address are known, and who is signed in."""

    user_id: UUID
    device: str
    session: str

    @property
    def reading(self) -> dict[str, str]:
        return {"Cookie": f"sid={self.session}", "X-Forwarded-For": NETWORK.partition("/")[0]}

    @property
    def signing_in(self) -> dict[str, str]:
        return {**self.reading, "Cookie": f"dev={self.device}", "Content-Type": "application/json"}


async def measure(
    stack: Stack, *, logins: int = 60, reads: int = 600, rounds: int = 7, seconds: float = 6
) -> list[Figure]:
    """Rounds interleave what is compared, so that both meet the same machine."""
    connection = await stack.database()
    person = await _person(stack, connection)
    stack.environment |= {"TRUSTED_PROXIES": "1", open_door.COMPANY: str(stack.company_id)}
    port = free_port()
    async with running(stack.api()), running(stack.process("open_door", port, "/health/ready")):
        ours, bare = stack.api_port, port
        for warmed in (ours, bare):
            await _reads(warmed, person, reads // 10)
        signing = await _logins(ours, person, logins)
        person = replace(person, session=await _session(connection, person))  # five later ones have ended the first
        asked, told = [], []
        for _ in range(rounds):
            told.append(median(await _reads(bare, person, reads // rounds)))
            asked.append(median(await _reads(ours, person, reads // rounds)))
        idle, flooded, tried = [], [], []
        for _ in range(max(1, rounds // 2)):
            idle += await _reads_for(ours, person, seconds / 2)
            async with _flood(stack, connection, seconds) as sent:
                flooded += await _reads_for(ours, person, seconds * 0.9)
            tried.append(sent[0] / seconds)
    await connection.close()
    floor, quiet = median(told), percentile(idle, 0.95)
    return [
        Figure("signing in with a password, idle, p50", median(signing) * 1000, "ms", 150),
        Figure("signing in with a password, idle, p95", percentile(signing, 0.95) * 1000, "ms"),
        Figure("bare floor: the same read, nobody looked up, p50", floor * 1000, "ms"),
        Figure("authorization adds (median of rounds)", max(0.0, _added(asked, told)) * 1000, "ms", 1),
        Figure("a signed-in read, idle, p95", quiet * 1000, "ms"),
        Figure("wrong passwords a second", median(tried), "/s"),
        Figure("the same read meanwhile, p95", percentile(flooded, 0.95) * 1000, "ms"),
        Figure("ratio of the p95s", percentile(flooded, 0.95) / quiet, "×", 2),
    ]


def _added(asked: list[float], told: list[float]) -> float:
    return median(ours - bare for ours, bare in zip(asked, told, strict=True))


async def _person(stack: Stack, connection: asyncpg.Connection) -> Person:
    hashed = await passwords(stack.config).hash(PASSWORD)
    user_id: UUID = await connection.fetchval(ADD_USER, EMAIL, hashed, current_terms().version)
    await connection.execute(ADD_MEMBERSHIP, user_id, stack.company_id)
    await connection.execute(sign_in.KNOWN_ADDRESS, user_id, NETWORK)
    secret = secrets.token_urlsafe(32)
    device: UUID = await connection.fetchval(sign_in.ADD_DEVICE, user_id, token_hash(secret), "un logiciel")
    person = Person(user_id, f"{device.hex}.{secret}", "")
    return replace(person, session=await _session(connection, person))


async def _session(connection: asyncpg.Connection, person: Person) -> str:
    token = new_token()
    await connection.execute(
        sessions.OPEN, token_hash(token), person.user_id, "open", None, NETWORK, "un logiciel", 12, False
    )
    return token


async def _logins(port: int, person: Person, times: int) -> list[float]:
    """Seconds of each, one after the other; a known browser, so that no code is asked."""
    body, wire = json.dumps({"email": EMAIL, "password": PASSWORD}).encode(), await Wire.open(port)
    found = []
    for _ in range(times):
        began = time.perf_counter()
        status, content = await wire.send("POST", "/api/v1/sessions", person.signing_in, body)
        found.append(time.perf_counter() - began)
        if status != 200 or json.loads(content)["stage"] != "open":
            raise RuntimeError(f"{status} {content!r}")
    wire.close()
    return found


async def _reads(port: int, person: Person, times: int) -> list[float]:
    """Seconds of each, one after the other."""
    wire = await Wire.open(port)
    found = [await _read(wire, person) for _ in range(max(1, times))]
    wire.close()
    return found


async def _reads_for(port: int, person: Person, seconds: float) -> list[float]:
    """As somebody works: with a short pause between two."""
    wire, ends, found = await Wire.open(port), time.perf_counter() + seconds, []
    while time.perf_counter() < ends:
        found.append(await _read(wire, person))
        await asyncio.sleep(0.01)
    wire.close()
    return found


async def _read(wire: Wire, person: Person) -> float:
    began = time.perf_counter()
    status, content = await wire.send("GET", READ, person.reading, b"")
    if status != 200:
        raise RuntimeError(f"{status} {content!r}")
    return time.perf_counter() - began


@contextlib.asynccontextmanager
async def _flood(stack: Stack, connection: asyncpg.Connection, seconds: float) -> AsyncIterator[list[int]]:
    """Wrong passwords of somebody else meanwhile. The limits are emptied again and again: so many are really hashed,
    which no flood reaches for longer than a moment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.flood", str(stack.api_port), "personne@exemple.fr"),
        *(str(PER_SECOND), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )

    async def empty_limits() -> None:
        while True:
            await connection.execute("DELETE FROM rate_limit")
            await asyncio.sleep(0.2)

    emptying = asyncio.create_task(empty_limits())
    sent: list[int] = []
    try:
        yield sent
        output, _ = await process.communicate()
        sent.append(int(output))
    finally:
        emptying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await emptying
