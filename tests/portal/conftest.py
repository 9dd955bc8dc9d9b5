"""Pages over HTTP, and a real browser on a real server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright

from tests.api.conftest import app, client, door, key_for
from tests.portal.looking import page_faults
from tests.world import Life
from web.cookies import Cookie

__all__ = ["app", "door", "key_for"]  # fixtures of the JSON door, used here too

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def pages(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser's requests, without a browser."""
    async with client(app) as http:
        http.event_hooks["response"].append(no_faults)
        http.headers.update(SAME_ORIGIN)
        http.cookies.set(Cookie.visit, "a-visit-that-began-before")
        yield http


async def no_faults(answer: httpx2.Response) -> None:
    """Every page that a test opens is valid; what the frame of a message shows is the message's own."""
    framed = re.fullmatch(r"/dev/messages/[^/]+/html", answer.request.url.path)
    if answer.headers.get("content-type", "").startswith("text/html") and not framed:
        await answer.aread()
        assert not (wrong := page_faults(answer.text)), (str(answer.request.url), wrong)


async def link_of(life: Life, number: int = 0) -> str:
    """The path of the link in an e-mail received."""
    await life.until_messages(number + 1)
    found = re.search(r"/e/[\w-]{43}", (await life.received())[number]["text"])
    assert found
    return found.group(0)


@dataclass(frozen=True)
class Served:
    """The application on a port of this machine."""

    address: str


@pytest.fixture(scope="session")
async def served(app: FastAPI) -> AsyncIterator[Served]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; without one the tests are skipped, but never where CI counts on them."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        reason = "no browser: `make browser` installs one"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        await launched.close()
