"""Ports: is one free, find a free one, does something answer on it."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from local.errors import LocalError

_NEVER_GIVEN_OUT = range(15_000, 32_000)  # below what Linux gives to outgoing connections (from 32768)


@dataclass(frozen=True)
class Port:
    """A port we are about to use; `variable` is the setting that moves it, `purpose` what it is for."""

    host: str
    number: int
    variable: str
    purpose: str


def check_free(ports: Sequence[Port], *, wait_seconds: float = 0.0) -> None:
    """Make sure that every port can be taken.

    `wait_seconds` is how long to wait for a former, dying run to let go. Raises LocalError naming the port and its
    variable.
    """
    seen: dict[int, Port] = {}
    for port in ports:
        if port.number in seen:
            raise LocalError(
                f"{port.variable} and {seen[port.number].variable} are both {port.number}; they need two ports."
            )
        seen[port.number] = port
    deadline = time.monotonic() + wait_seconds
    for port in ports:
        while (problem := _problem(port)) is not None:
            if time.monotonic() >= deadline:
                raise LocalError(problem)
            time.sleep(0.05)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """As many different ports that were free a moment ago, none of which a connection takes by itself meanwhile."""
    found: list[int] = []
    for number in random.sample(_NEVER_GIVEN_OUT, len(_NEVER_GIVEN_OUT)):
        if len(found) == count:
            break
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, number))
            found.append(number)
    return found


async def http_status(host: str, port: int, path: str, *, timeout: float = 2.0) -> int | None:
    """The status of one GET, or None when nothing answers within `timeout` seconds.

    By hand, because an HTTP client library would cost more to import than the whole start of the databases.
    """
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode("ascii"))
                await writer.drain()
                status_line = await reader.readline()
            finally:
                writer.close()
        return int(status_line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


def reachable(host: str) -> str:
    """The address at which this machine reaches a server bound to `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def _problem(port: Port) -> str | None:
    if not 0 < port.number < 65536:  # getaddrinfo would take it modulo 65536
        return f"{port.variable}={port.number} is no port: set it between 1 and 65535."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # A connection lately closed (TIME_WAIT) is no reason to refuse; a listener is one, even with this option.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except PermissionError:
        return f"Port {port.number} ({port.purpose}) is not allowed to this user. Set {port.variable} above 1023."
    except OSError as error:
        return (
            f"Port {port.number} ({port.purpose}) cannot be opened on {port.host}: {error.strerror}. "
            f"Stop what uses it or set {port.variable}, for example {port.variable}={free_port()}."
        )
    return None
