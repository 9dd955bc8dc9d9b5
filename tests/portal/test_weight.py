"""What a page weighs, and what it waits for: answers compressed, nothing that moves, nothing from elsewhere."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from domain.rights import Role
from services.callers import Scope
from tests.api.conftest import client, key_for
from tests.portal.conftest import SAME_ORIGIN, Served
from tests.portal.looking import hosts_asked, layout_shift
from tests.portal.signed_in import enter
from tests.portal.test_browser import looking
from tests.users import TestUser, add_user
from tests.world import World
from web.compression import MOST_PADDING, SMALLEST, compressed

MOST_BYTES = 60_000
LIST = "/salaries/suivi"


# --- over HTTP


async def raw(http: httpx2.AsyncClient, path: str, accepted: str = "gzip, br") -> tuple[httpx2.Response, bytes]:
    """The answer, and its content as it was sent."""
    headers = {"Accept-Encoding": accepted, "Accept": "text/html"}
    async with http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


async def test_pages_and_json_are_compressed_for_whoever_reads_that(app: FastAPI, world: World) -> None:
    key = await key_for(world, await world.employer(), Scope.read)
    async with client(app) as http, client(app, key) as machine:
        for asking, path in ((http, "/connexion"), (http, "/api/v1/terms"), (machine, "/api/v1/openapi.json")):
            answer, content = await raw(asking, path)
            assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip"), path
            assert answer.headers["vary"] == "Accept-Encoding"
            assert int(answer.headers["content-length"]) == len(content)
            plain, whole = await raw(asking, path, "identity")
            assert "content-encoding" not in plain.headers
            assert plain.headers["vary"] == "Accept-Encoding"
            assert len(content) < len(whole) * 0.6
        small, content = await raw(machine, "/api/v1/companies")
        assert len(content) < SMALLEST
        assert "content-encoding" not in small.headers


async def test_what_is_compressed_already_or_no_text_is_left_as_it_is(app: FastAPI) -> None:
    async with client(app) as http:
        page = (await http.get("/connexion", headers=SAME_ORIGIN)).text
        for name, encoding in (("portal.css", "br"), ("source-sans-400.woff2", None)):
            path = "/static/" + page.partition(name)[0].rpartition("/static/")[2] + name
            answer, _ = await raw(http, path)
            assert (answer.status_code, answer.headers.get("content-encoding")) == (200, encoding)


def test_the_length_of_an_answer_does_not_tell_what_stands_in_it() -> None:
    """BREACH guesses a token by how well a page with the guess in it is compressed."""
    body = b"x" * 5_000
    lengths = Counter(len(compressed(body)) for _ in range(400))
    assert max(lengths) - min(lengths) > MOST_PADDING / 2
    assert lengths.most_common(1)[0][1] < 40
    assert gzip.decompress(compressed(body)) == body


# --- in a browser


@pytest.fixture
async def user(world: World) -> TestUser:
    """Somebody of a company whose list has rows."""
    employer = await world.employer()
    for _ in range(3):
        await world.declare(employer)
    return await add_user(world, {employer.company_id: Role.administrator})


async def weighed(page: Page, address: str) -> dict[str, int]:
    """What the network carried for a first visit, heads included, by path."""
    session = await page.context.new_cdp_session(page)
    paths: dict[str, str] = {}
    bytes_of: dict[str, int] = {}

    def asked(event: dict[str, Any]) -> None:
        paths[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def done(event: dict[str, Any]) -> None:
        bytes_of[paths[event["requestId"]]] = int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.loadingFinished", done)
    await session.send("Network.enable")
    await page.goto(address, wait_until="networkidle")
    await session.detach()
    return bytes_of


@pytest.mark.parametrize("path", ["/connexion", LIST])
async def test_a_first_visit_is_light_stands_still_and_asks_nobody_else(
    path: str, world: World, served: Served, browser: Browser, user: TestUser
) -> None:
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        if path == LIST:
            await enter(context, world, served, user)
        hosts = hosts_asked(page)
        carried = await weighed(page, served.address + path)
        assert urlsplit(page.url).path == path
        weight = sum(size for name, size in carried.items() if not name.endswith(".woff2"))
        assert path in carried
        assert weight <= MOST_BYTES, carried
        assert hosts == {urlsplit(served.address).netloc}
        assert await layout_shift(page) == 0
        late = await page.evaluate("[...document.scripts].filter(one => !one.defer).map(one => one.outerHTML)")
        assert late == [], "what is shown waits for no script"
        ready = await page.evaluate(
            "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
            " performance.getEntriesByType('resource').filter(one => one.renderBlockingStatus === 'blocking')"
            ".map(one => one.initiatorType)]"
        )
        assert ready[0] > 0
        assert set(ready[1]) <= {"link"}, "the style sheet alone"
