from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from db.pool import origin, system
from services.visitors import Visitor, browser_of
from settings import Settings
from tests.world import World
from web.visitors import Visitors

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
LIKE = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


async def visit(
    headers: list[tuple[str, str]], peer: tuple[str, int] | None = ("198.51.100.7", 4711), proxies: int = 0
) -> Visitor:
    """The visitor that a route is told of."""
    seen: list[Visitor] = []
    sent: list[Message] = []

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["visitor"])
        here = origin.get()
        assert here is not None
        assert (here.network, here.browser, here.request_id) == (
            seen[0].network,
            seen[0].browser,
            seen[0].request_id,
        )
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        raise AssertionError("nobody reads the body")

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope: Scope = {"type": "http", "client": peer, "headers": raw}
    await Visitors(route, Settings(trusted_proxies=proxies))(scope, receive, send)
    assert origin.get() is None
    assert dict(sent[0]["headers"])[b"x-request-id"].decode() == seen[0].request_id
    return seen[0]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, ["203.0.113.9"], "198.51.100.7/32"),  # from outside: not believed
        (1, [], "198.51.100.7/32"),
        (1, ["203.0.113.9"], "203.0.113.9/32"),
        (1, ["6.6.6.6, 203.0.113.9"], "203.0.113.9/32"),  # what the client wrote stands left of what our proxy saw
        (1, ["6.6.6.6", "203.0.113.9"], "203.0.113.9/32"),  # in two lines too
        (2, ["6.6.6.6, 203.0.113.9, 10.0.0.2"], "203.0.113.9/32"),
        (2, ["203.0.113.9"], "203.0.113.9/32"),  # behind the outer proxy
        (1, ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (1, ["::ffff:203.0.113.9"], "203.0.113.9/32"),
        (1, ["unknown"], "198.51.100.7/32"),
        (1, ["203.0.113.9, "], "198.51.100.7/32"),
        (1, ["203.0.113.9é"], "198.51.100.7/32"),
    ],
)
async def test_the_address_is_what_our_outermost_proxy_saw(proxies: int, forwarded: list[str], network: str) -> None:
    headers = [("X-Forwarded-For", line) for line in forwarded]
    assert (await visit(headers, proxies=proxies)).network == network


@pytest.mark.parametrize("proxies", [0, 1])
async def test_other_headers_about_the_address_are_never_read(proxies: int) -> None:
    headers = [("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Client-IP", "6.6.6.6")]
    assert (await visit(headers, proxies=proxies)).network == "198.51.100.7/32"


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        (("2001:db8::1", 1), "2001:db8::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("testclient", 1), "127.0.0.1/32"),
        (("", 0), "127.0.0.1/32"),
        (None, "127.0.0.1/32"),
    ],
)
async def test_a_peer_without_an_address_is_this_machine(peer: tuple[str, int] | None, network: str) -> None:
    assert (await visit([], peer)).network == network


async def test_each_request_has_an_id_that_its_sender_does_not_choose() -> None:
    first, second = [await visit([("X-Request-Id", "mine")]) for _ in range(2)]
    assert first.request_id != second.request_id
    assert re.fullmatch("[0-9a-f]{32}", first.request_id)


async def test_what_runs_at_the_same_time_keeps_its_own_origin() -> None:
    visitors = await asyncio.gather(
        *(visit([("User-Agent", f"Mozilla/5.0 {LIKE} Firefox/{n}")], (f"198.51.100.{n}", 1)) for n in range(5))
    )
    assert [one.network for one in visitors] == [f"198.51.100.{n}/32" for n in range(5)]


async def test_an_audit_entry_tells_where_it_comes_from(world: World) -> None:
    """From the middleware down to the row."""
    seen: list[tuple[str, str, str]] = []

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        async with system(world.system) as connection:
            row = await connection.fetchrow(
                "SELECT current_setting('app.network'), current_setting('app.browser'), current_setting('app.request')"
            )
            assert row is not None
            seen.append((row[0], row[1], row[2]))

    async def nothing(*_: Any) -> Any:
        return None

    agent = f"{WINDOWS} {LIKE} Chrome/140.0.0.0 Safari/537.36".encode()
    scope: Scope = {"type": "http", "client": ("203.0.113.9", 1), "headers": [(b"user-agent", agent)]}
    await Visitors(route, Settings())(scope, nothing, nothing)
    [(network, browser, request_id)] = seen
    assert (network, browser) == ("203.0.113.9/32", "Chrome sur Windows")
    assert len(request_id) == 32


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        (f"{WINDOWS} {LIKE} Chrome/140.0.0.0 Safari/537.36", "Chrome sur Windows"),
        (f"{WINDOWS} {LIKE} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge sur Windows"),
        (f"{WINDOWS} {LIKE} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera sur Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox sur Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox sur Linux"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {LIKE} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome sur Android"),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {LIKE} SamsungBrowser/29.0 Chrome/140.0.0.0 Mobile Safari/537.36",
            "Samsung Internet sur Android",
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0", "Firefox sur Android"),
        (f"{IPHONE} Version/19.1 Mobile/15E148 Safari/604.1", "Safari sur iPhone"),
        (f"{IPHONE} CriOS/140.0.0.0 Mobile/15E148 Safari/604.1", "Chrome sur iPhone"),
        (f"{IPHONE} FxiOS/143.0 Mobile/15E148 Safari/605.1.15", "Firefox sur iPhone"),
        (f"{IPHONE.replace('iPhone;', 'iPad;')} Version/19.1 Safari/604.1", "Safari sur iPad"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/19.1 Safari/605.1.15",
            "Safari sur Mac",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {LIKE} Chrome/140.0.0.0 Safari/537.36", "Chrome sur ChromeOS"),
        ("Mozilla/5.0 (Plan9) Firefox/143.0", "Firefox"),
        ("curl/8.16.0", "un logiciel"),
        ("python-httpx2/2.16.2", "un logiciel"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "un logiciel"),
        ("", "un logiciel"),
        ("<script>alert(1)</script>" * 1000, "un logiciel"),
    ],
    ids=lambda value: value[:40],
)
def test_a_browser_is_told_as_a_person_would(user_agent: str, browser: str) -> None:
    assert browser_of(user_agent) == browser
    assert len(browser) <= 40
