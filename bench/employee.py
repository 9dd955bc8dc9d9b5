"""An employee who completes their form over HTTP, from the link in their mailbox."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2

from bench import load
from bench.people import answers_to
from bench.stack import Stack
from bench.waiting import until
from web.callers import EMPLOYEE_COOKIE

WAIT_SECONDS = 30
PATH = "/api/v1/enrolments/current"
INVITATION = """
SELECT m.text FROM local_message m
JOIN dispatch d ON d.id = m.dispatch_id
JOIN affiliation a ON a.id = d.affiliation_id
WHERE a.id = $1::uuid AND a.status = 'sent'
"""

TOKEN = "X-CSRF-Token"


@dataclass(frozen=True)
class Employee:
    """Somebody invited, in their browser. `answers`: their whole form, nothing of which is saved yet."""

    affiliation_id: str
    answers: dict[str, str]
    http: httpx2.AsyncClient

    @property
    def headers(self) -> dict[str, str]:
        """What their browser sends with every change."""
        cookie = f"{EMPLOYEE_COOKIE}={self.http.cookies[EMPLOYEE_COOKIE]}"
        return {"Cookie": cookie, TOKEN: self.http.headers[TOKEN]}

    async def save(self) -> int:
        """The whole form, in one call; the draft's version."""
        saved = await self.http.patch(PATH, json={"version": 0, "answers": self.answers})
        return int(saved.raise_for_status().json()["version"])

    async def send(self, version: int, *, later: bool = False) -> None:
        body = {"version": version, "later": later}
        (await self.http.post(f"{PATH}/submission", json=body)).raise_for_status()

    async def upload(self, piece: str, name: str, content: bytes) -> None:
        files = {"file": (name, content)}
        (await self.http.post(f"{PATH}/documents", data={"piece": piece}, files=files)).raise_for_status()


@asynccontextmanager
async def invited(stack: Stack, connection: asyncpg.Connection, bodies: Iterator[bytes]) -> AsyncIterator[Employee]:
    """Declare the next person and open their link; worker and API must run."""
    body = next(bodies)
    posted = await load.generate(stack.api_port, stack.key, [body], 1)
    affiliation_id = posted.ids[0]
    token = await _token(connection, affiliation_id)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{stack.api_port}", timeout=WAIT_SECONDS) as http:
        opened = (await http.post("/api/v1/enrolments/access", json={"token": token})).raise_for_status()
        http.headers[TOKEN] = opened.json()["csrf_token"]
        yield Employee(affiliation_id, answers_to(json.loads(body)), http)


async def _token(connection: asyncpg.Connection, affiliation_id: str) -> str:
    """The link's token, once the invitation is in the mailbox and recorded."""
    text = await until(lambda: connection.fetchval(INVITATION, affiliation_id), WAIT_SECONDS)
    found = re.search(r"/e/([\w-]{43})", text)
    assert found, "an invitation has a link"
    return found.group(1)
