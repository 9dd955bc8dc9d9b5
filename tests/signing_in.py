"""Browsers that sign in over HTTP, each at an address of its own, and the phone that receives their codes."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI

from tests.api.conftest import BASE, client
from tests.users import PASSWORD, TestUser
from tests.world import World, new_mobile
from web.csrf import HEADER

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_DOMAIN = "testserver.local"
_addresses = itertools.count(secrets.randbelow(2**18))


def new_address() -> str:
    """An IPv4 address, of a /24 of its own, that no other test has."""
    number = next(_addresses) % 2**24
    return f"{16 + (number >> 16) % 64}.{number >> 8 & 255}.{number & 255}.7"


class Browser:
    """A person's browser; it keeps cookies and sends the token of its session with every change."""

    def __init__(self, http: httpx2.AsyncClient, world: World) -> None:
        self.http = http
        self.world = world

    def at(self, app: FastAPI, address: str) -> None:
        """The same browser, carried elsewhere."""
        self.http._transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1234))

    def hold(self, session: str) -> None:
        """Only this cookie of a session, as if it had been copied."""
        self.http.cookies.clear()
        self.http.cookies.set("sid", session, domain=_DOMAIN)

    def show(self, devices: str) -> None:
        """This cookie of known users, and the others that it has."""
        if "dev" in self.http.cookies:
            self.http.cookies.delete("dev")
        self.http.cookies.set("dev", devices, domain=_DOMAIN)

    async def sign_in(
        self, user: TestUser, password: str = PASSWORD, *, door: str = "/sessions", email: str | None = None
    ) -> httpx2.Response:
        answer = await self.http.post(f"{BASE}{door}", json={"email": email or user.email, "password": password})
        return self._keep(answer)

    async def ask_code(self, phone: str | None = None) -> httpx2.Response:
        return await self.http.post(f"{BASE}/sessions/challenge/code", json={"phone": phone} if phone else {})

    async def answer(self, code: str, method: str = "sms") -> httpx2.Response:
        answer = await self.http.post(f"{BASE}/sessions/challenge/answer", json={"method": method, "code": code})
        return self._keep(answer)

    async def enter(self, user: TestUser) -> None:
        """Sign in with whatever is asked, by SMS."""
        signed = await self.sign_in(user)
        assert signed.status_code == 200, signed.text
        if signed.json()["stage"] == "code":
            number = user.phone or new_mobile()
            sent = await self.ask_code(None if signed.json()["second_factor"]["phone"] else number)
            assert sent.status_code == 202, sent.text
            answered = await self.answer(await last_code(self.world, number))
            assert answered.status_code == 200, answered.text

    async def is_inside(self) -> bool:
        return (await self.http.get(f"{BASE}/sessions")).status_code == 200

    def _keep(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code == 200:
            self.http.headers[HEADER] = answer.json()["csrf_token"]
        return answer


@asynccontextmanager
async def browser(app: FastAPI, world: World, address: str | None = None) -> AsyncIterator[Browser]:
    async with client(app, own_pages=False, address=address or new_address()) as http:
        http.headers["User-Agent"] = FIREFOX
        yield Browser(http, world)


async def codes(world: World, number: str) -> list[str]:
    """What this phone received, in order."""
    rows = await world.run(
        "SELECT text FROM local_message WHERE medium = 'sms' AND recipient = $1 ORDER BY received_at", number
    )
    return [found.group(1) for row in rows if (found := re.search(r"#(\d{6})$", row["text"]))]


async def last_code(world: World, number: str) -> str:
    return (await codes(world, number))[-1]


def other_code(code: str) -> str:
    """Six digits that are not these."""
    return f"{(int(code) + 1) % 1_000_000:06}"
