"""Customers' addresses: what is public is called at the address that was looked at, and nothing else is."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from composition import webhook_gateway
from gateways.webhooks import BadAddress, Unreached, WebhookGateway, is_public
from settings import Environment, Settings
from tests.standins.receiver import ReceiverStandin

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700::6810:84e5", "64:ff9b::5db8:d822"]
INTERNAL = [
    *("127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *(
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
    ),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "::7f00:1", "fec0::1"),
    *("2001:db8::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "100::1"),
]


@pytest.fixture
def receiver() -> Iterator[ReceiverStandin]:
    with ReceiverStandin() as standin:
        yield standin


@pytest.fixture
def gateway() -> WebhookGateway:
    return WebhookGateway(0.4, loopback=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INTERNAL)
def test_what_is_internal_is_not_public_however_it_is_written(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://exemple.fr/", Unreached.not_https),
        ("ftp://exemple.fr/", Unreached.not_https),
        ("file:///etc/passwd", Unreached.not_https),
        ("exemple.fr", Unreached.not_https),
        ("https://exemple.fr:22/", Unreached.port),
        ("https://moi:secret@exemple.fr/", Unreached.malformed),
        ("https://exemple.fr/#a", Unreached.malformed),
        ("https:///a", Unreached.malformed),
        ("https://[::1", Unreached.malformed),
        ("https://exe\x00mple.fr/", Unreached.malformed),
        ("https://127.0.0.1/", Unreached.internal),
        ("https://127.1/", Unreached.internal),
        ("https://2130706433/", Unreached.internal),
        ("https://0x7f.0.0.1/", Unreached.internal),
        ("https://[::ffff:169.254.169.254]/", Unreached.internal),
        ("https://localhost:8443/", Unreached.internal),
        ("https://nulle-part.invalid/", Unreached.unknown_host),
    ],
)
async def test_an_address_that_leads_inside_is_refused_and_not_called(address: str, why: Unreached) -> None:
    strict = WebhookGateway(5)
    with pytest.raises(BadAddress) as refused:
        await strict.check(address)
    assert refused.value.why is why
    answered = await strict.send(address, {}, b"{}")
    assert (answered.status, answered.why, answered.taken) == (None, why, False)


@pytest.mark.parametrize("environment", list(Environment))
async def test_this_machine_is_reached_in_the_embedded_default_alone(environment: Environment) -> None:
    chosen = webhook_gateway(Settings.model_construct(environment=environment, provider_timeout_seconds=1.0))
    if environment is Environment.local:
        await chosen.check("http://127.0.0.1:8000/")
    else:
        with pytest.raises(BadAddress):
            await chosen.check("https://127.0.0.1/")


async def test_a_name_with_one_internal_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    with pytest.raises(BadAddress, match="internal"):
        await WebhookGateway(1).check("https://exemple.fr/")


async def test_the_call_goes_to_the_address_that_was_looked_at_whatever_the_name_says_a_moment_later(
    receiver: ReceiverStandin, gateway: WebhookGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, port = asyncio.get_running_loop(), int(receiver.url.rpartition(":")[2])
    asked = []

    async def found(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    original = loop.getaddrinfo

    async def once(host: Any, *more: Any, **named: Any) -> list[Any]:
        return await (found(host) if host == "paie.exemple.fr" else original(host, *more, **named))

    monkeypatch.setattr(loop, "getaddrinfo", once)
    answered = await gateway.send(f"http://paie.exemple.fr:{port}/hcr", {"webhook-id": "x"}, b"{}")
    assert answered.taken
    assert asked == ["paie.exemple.fr"], "a name asked twice may say two things"
    [call] = receiver.calls
    assert call.headers["host"] == f"paie.exemple.fr:{port}"
    assert (call.headers["webhook-id"], call.headers["content-type"]) == ("x", "application/json")


async def test_a_receiver_that_fails_is_told_by_how_it_failed(
    receiver: ReceiverStandin, gateway: WebhookGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    async def sent(path: str = "/hcr") -> tuple[int | None, Unreached | None]:
        answered = await WebhookGateway(0.4, loopback=True).send(receiver.url + path, {}, b"{}")
        return answered.status, answered.why

    assert await sent() == (204, None), "no proxy of the environment is used"
    assert await sent("/elsewhere") == (307, None), "nobody follows"
    assert [call.path for call in receiver.calls] == ["/hcr", "/elsewhere"]
    assert await sent("/long") == (200, None), "of five megabytes four kilobytes are read"
    receiver.fail_next(429, headers={"Retry-After": "17"})
    answered = await gateway.send(receiver.address, {}, b"{}")
    assert (answered.status, answered.retry_after, answered.taken) == (429, 17.0, False)
    receiver.cut_next(done=True)
    assert await sent() == (None, Unreached.cut)
    receiver.accept_then_time_out()
    assert await sent() == (None, Unreached.timeout)
    https = receiver.url.replace("http:", "https:")
    assert (await gateway.send(https, {}, b"{}")).why is Unreached.certificate
    receiver.down()
    assert await sent() == (None, Unreached.no_connection)
