"""The doors' hardening: what every answer carries, and what is refused before any route sees it (security.md H-03,
H-07, H-08, A-23)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from api.app import create_app
from api.connections import Connection
from api.limits import MAX_HEAD_BYTES
from api.security import HEADERS, HSTS
from portal.static import static
from settings import Environment, Settings
from tests.api.conftest import BASE, Door, link_token
from tests.world import World
from web.requests import LISTS, depth_exceeds

LIST = f"{BASE}/affiliations"
UNKNOWN = "01a208c7-71e9-73a5-95b3-32f9c1aab1ba"  # an id that nobody has
EVERYWHERE = [
    ("GET", LIST),
    ("GET", f"{LIST}/{UNKNOWN}"),
    ("GET", f"{LIST}/not-a-uuid"),
    ("POST", LIST),
    ("PUT", LIST),
    ("OPTIONS", LIST),
    ("HEAD", LIST),
    ("TRACE", LIST),
    ("CONNECT", "/"),
    ("GET", f"{BASE}/forms/affiliation.pdf"),
    ("GET", f"{BASE}/openapi.json"),
    ("GET", f"{BASE}/nowhere"),
    ("POST", f"{BASE}/webhooks/sendgrid"),
    ("GET", "/"),
    ("GET", "/courrier"),
    ("POST", "/courrier"),
    ("GET", "/lien"),
    ("GET", "/dossier"),
    ("GET", f"/e/{'A' * 43}"),
    ("GET", "/nowhere"),
    ("GET", "/static/0000000000000000/portal.css"),
    ("GET", "/health/live"),
    ("GET", "/metrics"),
]


def caller(app: FastAPI, base_url: str = "http://testserver") -> httpx2.AsyncClient:
    """Whoever is out there: nothing is added to what they send."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False), base_url=base_url)


@pytest.fixture
async def outside(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller(app) as http:
        yield http


@pytest.fixture(scope="module")
async def production(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """As in production; without the services behind."""
    changes = {"environment": Environment.production, "public_base_url": "https://espace.exemple.fr"}
    application = create_app(world.config.model_copy(update=changes), world.client)
    async with caller(application, "https://espace.exemple.fr") as http:
        yield http


def check_headers(answer: httpx2.Response) -> None:
    html = answer.headers.get("content-type", "").startswith("text/html")
    for name, value in HEADERS.items():
        given = answer.headers.get_list(name)
        assert len(given) == 1, (answer.request.url, name)
        if name == "Content-Security-Policy" and html:
            assert "default-src" in given[0]
            assert "frame-ancestors 'none'" in given[0]
            assert "base-uri 'none'" in given[0]
            assert "unsafe-inline" not in given[0]
        elif name == "Cache-Control":
            assert given[0] == value or answer.request.url.path.startswith("/static/")
        elif name == "Referrer-Policy":
            assert given[0] in (value, "no-referrer")
        else:
            assert given[0] == value, (answer.request.url, name)
    assert len(answer.headers["x-request-id"]) == 32
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


def check_refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    check_headers(answer)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:hcr:problem:{code}"
    return problem


# --- what every answer carries


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(("method", "path"), EVERYWHERE, ids=[f"{method} {path[:24]}" for method, path in EVERYWHERE])
async def test_every_answer_has_the_headers(outside: httpx2.AsyncClient, method: str, path: str, accept: str) -> None:
    answer = await outside.request(method, path, headers={"Accept": accept})
    check_headers(answer)
    assert "strict-transport-security" not in answer.headers  # of this machine's http


@pytest.mark.parametrize("path", ["/", "/nowhere", LIST, "/metrics", f"{BASE}/openapi.json", "/courrier"])
async def test_in_production_every_answer_insists_on_https(production: httpx2.AsyncClient, path: str) -> None:
    answer = await production.get(path)
    check_headers(answer)
    assert answer.headers["strict-transport-security"] == HSTS
    assert answer.status_code in (
        200,
        303,
        401,
        404,
        500,
    )  # the services behind are not there: 500 where they are asked


async def test_a_crash_has_the_headers_too(outside: httpx2.AsyncClient, app: FastAPI) -> None:
    parts, app.state.parts = app.state.parts, None
    try:
        answer = await outside.get("/health/ready")
    finally:
        app.state.parts = parts
    check_refused(answer, 500, "internal_error")


async def test_the_portals_own_files_may_be_kept(outside: httpx2.AsyncClient) -> None:
    answer = await outside.get(static("portal.css"))
    assert answer.status_code == 200
    check_headers(answer)
    assert "immutable" in answer.headers["cache-control"]


async def test_an_address_with_a_secret_is_told_to_nobody(door: Door, outside: httpx2.AsyncClient) -> None:
    life = await door.declare()
    for address in (f"/e/{await link_token(life)}", f"/e/{await link_token(life)}/non"):
        answer = await outside.get(address)
        assert answer.status_code == 303
        assert answer.headers["referrer-policy"] == "no-referrer"
        check_headers(answer)


# --- the name


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "testserver.evil.example",
        "testserver@evil.example",
        "evil.example:80",
        "testserver.",
        "[::2]",
    ],
)
@pytest.mark.parametrize("path", ["/", LIST, "/courrier", "/health/live"])
async def test_an_unknown_name_is_refused(outside: httpx2.AsyncClient, host: str, path: str) -> None:
    answer = await outside.get(path, headers={"Host": host, "Accept": "text/html"})
    check_refused(answer, 400, "unknown_host")
    assert host == "" or host not in answer.text


@pytest.mark.parametrize(
    "host", ["testserver", "TestServer:8000", "localhost", "127.0.0.1:8000", "[::1]:8000", "localhost:1"]
)
async def test_the_names_of_this_machine_are_known_in_development(outside: httpx2.AsyncClient, host: str) -> None:
    assert (await outside.get("/health/live", headers={"Host": host})).status_code == 200


async def test_two_names_are_none(outside: httpx2.AsyncClient) -> None:
    request = outside.build_request("GET", "/health/live")
    request.headers = httpx2.Headers([("Host", "testserver"), ("Host", "testserver")])
    check_refused(await outside.send(request), 400, "unknown_host")


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL"])
async def test_a_forwarded_name_changes_nothing(outside: httpx2.AsyncClient, name: str) -> None:
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    with_it, without = await outside.get("/", headers={name: value}), await outside.get("/")
    assert with_it.status_code == 303
    assert with_it.headers["location"] == without.headers["location"]
    assert "evil" not in str(with_it.headers)


async def test_in_production_only_the_public_name_is_known(production: httpx2.AsyncClient) -> None:
    for host in ("testserver", "localhost", "evil.example"):
        check_refused(await production.get("/health/live", headers={"Host": host}), 400, "unknown_host")
    assert (await production.get("/", headers={"Host": "espace.exemple.fr:443"})).status_code == 303


async def test_in_production_this_machine_may_ask_for_its_health_by_number(production: httpx2.AsyncClient) -> None:
    here = {"Host": "127.0.0.1:8000"}
    assert (await production.get("/health/live", headers=here)).status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        answer = await production.get("/health/live", headers={**here, name: "203.0.113.9"})
        check_refused(answer, 400, "unknown_host")


# --- operations


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
async def test_operations_are_not_shown_through_a_proxy(outside: httpx2.AsyncClient, path: str, name: str) -> None:
    answer = await outside.get(path, headers={name: "203.0.113.9", "Accept": "application/json"})
    check_refused(answer, 404, "not_found")


async def test_operations_are_not_shown_to_another_machine(app: FastAPI) -> None:
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        for path in ("/metrics", "/health/live", "/health/ready"):
            assert (await http.get(path)).status_code == 404


async def test_production_publishes_no_description_of_itself(production: httpx2.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", f"{BASE}/openapi.json", f"{BASE}/docs", "/dev", "/metrics"):
        assert (await production.get(path, headers={"X-Forwarded-For": "203.0.113.9"})).status_code == 404


# --- methods


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "PROPFIND", "get"])
@pytest.mark.parametrize("path", ["/", LIST, "/nowhere", "/courrier"])
async def test_a_method_that_nobody_serves_is_refused_everywhere(
    outside: httpx2.AsyncClient, method: str, path: str
) -> None:
    request = outside.build_request("GET", path, headers={"X-Secret": "not to be echoed"})
    request.method = method
    answer = await outside.send(request)
    check_refused(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
    assert "echoed" not in answer.text


# --- sizes


async def test_a_large_head_is_refused(outside: httpx2.AsyncClient) -> None:
    for headers, path in (
        ({"Cookie": "a=" + "b" * MAX_HEAD_BYTES}, LIST),
        ({f"X-{n}": "a" * 50 for n in range(400)}, "/courrier"),
        ({}, f"/courrier?x={'a' * MAX_HEAD_BYTES}"),
    ):
        check_refused(await outside.get(path, headers=headers), 431, "head_too_large")
    almost = {"Cookie": "a=" + "b" * (MAX_HEAD_BYTES - 500)}
    assert (await outside.get("/courrier", headers=almost)).status_code == 200


async def test_a_head_without_an_end_is_not_read_for_ever(app: FastAPI) -> None:
    """Over a real connection, as `python -m api` makes them."""
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, ServerState(), {}), "127.0.0.1", 0)
    try:
        for endless in (b"a" * 1000, b"X-Many: a\r\n" * 100):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"GET /courrier HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            answer = asyncio.create_task(reader.read())
            sent = 0
            while not answer.done() and sent < 10 * MAX_HEAD_BYTES:
                writer.write(endless)
                await writer.drain()
                sent += len(endless)
                await asyncio.sleep(0.005)  # read before more comes: a close then loses nothing
            assert answer.done()
            assert answer.result().startswith(b"HTTP/1.1 431 ")
            assert sent < 2 * MAX_HEAD_BYTES
            writer.close()
        # a head in small pieces is read as ever, and the next one on the same connection is measured from its own start
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(10):
            for _ in range(3):
                for piece in (b"GET /health/live HTTP/1.1\r\n", b"Host: 127.0.0.1\r\nX: ", b"a" * 9000, b"\r\n\r\n"):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.005)
                assert b"200 OK" in await reader.readuntil(b'{"status":"ok"}')
        writer.close()
    finally:
        server.close()


@pytest.mark.parametrize("shape", ["lists", "objects", "both"])
async def test_deep_json_is_refused_and_twenty_levels_are_not(door: Door, shape: str) -> None:
    opening, closing = {"lists": ("[", "]"), "objects": ('{"a":', "}"), "both": ('[{"a":', "}]")}[shape]
    levels = 10 if shape == "both" else 20
    for more, code in ((0, None), (1, "json_too_deep"), (200, "json_too_deep")):
        text = opening * (levels + more) + "1" + closing * (levels + more)
        answer = await door.http.post(LIST, content=text, headers={"Content-Type": "application/json"})
        problem = answer.json()
        assert answer.status_code == 422
        assert [error["code"] == code for error in problem["errors"]].count(True) == (code is not None)


async def test_json_too_deep_to_be_read_at_all_is_refused_too(door: Door) -> None:
    answer = await door.http.post(LIST, content="[" * 400_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] in ("json_invalid", "json_too_deep")


@pytest.mark.parametrize(
    ("value", "depth"),
    [
        ([], 1),
        ({}, 1),
        ("[[[[", 0),
        (["[[[[", '"[[', "\\[[", '\\"[[[['], 1),
        ({"[[[": [{"]]": "{{{"}]}, 3),
        ([[[]], [[], [[[]]]]], 5),
        ([[1, {}], {"a": [[]]}], 4),
    ],
    ids=lambda value: json.dumps(value),
)
def test_levels_are_counted_outside_of_texts(value: object, depth: int) -> None:
    body = json.dumps(value).encode()
    assert not depth_exceeds(body, depth)
    assert depth == 0 or depth_exceeds(body, depth - 1)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 330_000 + b"[]]",
        b'"\\' * 500_000,
        b"[" * 1_000_000,
        b'["' + b'\\"[' * 330_000,
        b'[[[[[[[[[[[[[[[[[[[[["' + b"a" * 900_000,
    ],
    ids=["flat", "quotes", "open", "escaped", "text"],
)
def test_the_levels_of_a_megabyte_are_counted_in_no_time(body: bytes) -> None:
    started = time.thread_time()
    depth_exceeds(body, 20)
    assert time.thread_time() - started < 0.5


# --- what is there twice


@pytest.mark.parametrize("path", ["/courrier", "/dossier", LIST, f"{LIST}/{UNKNOWN}"], ids=lambda path: path[:20])
async def test_a_parameter_that_is_there_twice_is_refused_and_named(door: Door, path: str) -> None:
    answer = await door.http.get(f"{path}?note=a&q=x&note=b")
    assert answer.status_code == 422
    if path.startswith("/api/"):
        problem = answer.json()
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [("note", "duplicate")]
        assert problem["errors"][0]["message"].endswith("Indiquez-le une seule fois.")


async def test_a_list_may_have_several_entries(door: Door) -> None:
    assert (await door.http.get(f"{LIST}?status=sent&status=opened")).status_code in (200, 422)
    answer = await door.http.get(f"{LIST}?status=sent&status=abandoned&limit=1&limit=2")
    assert [error["field"] for error in answer.json()["errors"]] == ["limit"]


def test_what_may_have_several_entries_is_what_the_document_says(app: FastAPI) -> None:
    found = set()
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                kinds = {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", []))}
                if parameter["in"] == "query" and "array" in kinds:
                    found.add(parameter["name"])
    assert found == LISTS


async def test_many_parameters_are_looked_at_in_no_time(outside: httpx2.AsyncClient) -> None:
    query = "&".join(f"{n:x}" for n in range(3000))
    started = time.thread_time()
    await outside.get(f"/courrier?{query}&1")
    assert time.thread_time() - started < 0.5


# --- what is no JSON


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
async def test_json_that_says_it_is_something_else_is_refused(door: Door, content_type: str) -> None:
    """What another site's form can make a browser send."""
    body = json.dumps(door.world.declaration(door.employer))
    request = door.http.build_request("POST", LIST, content=body)
    request.headers.pop("Content-Type", None)
    if content_type:
        request.headers["Content-Type"] = content_type
    answer = await door.http.send(request)
    assert answer.status_code == 422
    accepted = await door.http.post(LIST, content=body, headers={"Content-Type": "application/json"})
    assert accepted.status_code == 201


# --- the settings behind


def test_forwarded_addresses_are_not_believed_unless_it_is_said() -> None:
    assert Settings().trusted_proxies == 0
