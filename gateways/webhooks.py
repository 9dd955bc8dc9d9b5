"""Calls to addresses that customers choose: nothing but the public internet is reached through them.

The name is resolved once, every address behind it has to be public, and the connection goes to the address that was
looked at: a name that says something else a moment later changes nothing. No redirect is followed, no proxy of the
environment is used, and of the answer only the status is kept (OWASP, Server Side Request Forgery Prevention).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import httpx2

from gateways.http_calls import retry_after

PORTS: Final = (443, 8443)
MOST_ANSWER_BYTES: Final = 4096
_MOST_ADDRESSES: Final = 3  # of a name, tried one after the other
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")  # all that the internet has given out (RFC 4291, 2.4)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreached(StrEnum):
    """Why there was no answer, or why nothing was called at all."""

    not_https = "not_https"
    port = "port"
    malformed = "malformed"
    unknown_host = "unknown_host"
    internal = "internal"
    no_connection = "no_connection"
    certificate = "certificate"
    timeout = "timeout"
    cut = "cut"


class BadAddress(Exception):
    """Nothing may be sent there. Its text holds no part of the address."""

    def __init__(self, why: Unreached) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class Answered:
    """`retry_after`: seconds that the receiver asks to wait."""

    status: int | None
    why: Unreached | None = None
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class WebhookGateway:
    """`loopback`: this machine may be called too, by any port and without https; of the embedded default and tests."""

    def __init__(self, timeout_seconds: float, *, loopback: bool = False) -> None:
        self._seconds = timeout_seconds
        self._loopback = loopback
        self._client = httpx2.AsyncClient(
            verify=_certificates(),
            timeout=httpx2.Timeout(timeout_seconds),
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def check(self, address: str) -> None:
        """Whether something may be sent there, now. Raises BadAddress."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._resolved(_parsed(address))
        except TimeoutError:
            raise BadAddress(Unreached.unknown_host) from None

    async def send(self, address: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """POST it, within the time limit as a whole."""
        try:
            async with asyncio.timeout(self._seconds):
                url = _parsed(address)
                return await self._send(url, await self._resolved(url), headers, body)
        except BadAddress as bad:
            return Answered(None, bad.why)
        except TimeoutError:
            return Answered(None, Unreached.timeout)

    async def _send(
        self, url: httpx2.URL, addresses: list[_Address], headers: Mapping[str, str], body: bytes
    ) -> Answered:
        answered = Answered(None, Unreached.no_connection)
        for one in addresses[:_MOST_ADDRESSES]:
            answered = await self._send_to(url, one, headers, body)
            if answered.why is not Unreached.no_connection:
                break
        return answered

    async def _send_to(self, url: httpx2.URL, address: _Address, headers: Mapping[str, str], body: bytes) -> Answered:
        request = self._client.build_request(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers={
                **headers,
                "Host": url.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "User-Agent": "espace-entreprise-sante",
                "Accept-Encoding": "identity",
            },
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            answer = await self._client.send(request, stream=True)
            try:
                await _read_little(answer)
            finally:
                await answer.aclose()
        except httpx2.ConnectError as error:
            certificate = isinstance(_root(error), ssl.SSLError)
            return Answered(None, Unreached.certificate if certificate else Unreached.no_connection)
        except httpx2.TimeoutException:
            return Answered(None, Unreached.timeout)
        except httpx2.HTTPError:
            return Answered(None, Unreached.cut)
        return Answered(answer.status_code, retry_after=retry_after(answer))

    async def _resolved(self, url: httpx2.URL) -> list[_Address]:
        """Where it may be called. Raises BadAddress."""
        if not self._loopback:
            _check_form(url)
        host, port = url.raw_host.decode("ascii"), url.port or 443
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            _check_form(url)
            raise BadAddress(Unreached.unknown_host) from None
        addresses = list(dict.fromkeys(ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found))
        if self._loopback and addresses and all(one.is_loopback for one in addresses):
            return addresses
        _check_form(url)
        if not addresses or not all(is_public(one) for one in addresses):
            raise BadAddress(Unreached.internal)
        return addresses


def is_public(address: _Address) -> bool:
    """Whether it is on the public internet, also behind the ways in which IPv6 carries an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if not all(is_public(one) for one in carried if one is not None):
            return False
        if address in _NAT64 or address.ipv4_mapped is not None:
            return True
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _parsed(address: str) -> httpx2.URL:
    try:
        url = httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError):
        raise BadAddress(Unreached.malformed) from None
    if url.scheme not in ("http", "https") or not url.raw_host or url.userinfo or url.fragment:
        raise BadAddress(Unreached.not_https if url.scheme not in ("http", "https") else Unreached.malformed)
    return url


def _check_form(url: httpx2.URL) -> None:
    if url.scheme != "https":
        raise BadAddress(Unreached.not_https)
    if (url.port or 443) not in PORTS:
        raise BadAddress(Unreached.port)


async def _read_little(answer: httpx2.Response) -> None:
    """So that the receiver is not cut off while it answers; what it says is not looked at."""
    read = 0
    async for part in answer.aiter_raw():
        read += len(part)
        if read >= MOST_ANSWER_BYTES:
            return


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


@cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
