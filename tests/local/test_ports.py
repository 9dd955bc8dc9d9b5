import asyncio
import socket
import threading

import pytest

from local.errors import LocalError
from local.ports import Port, check_free, free_port, http_status

HOST = "127.0.0.1"


def test_a_taken_port_is_a_message_naming_the_port_and_the_variable_to_set() -> None:
    with socket.create_server((HOST, 0)) as taken:
        number = taken.getsockname()[1]

        with pytest.raises(LocalError, match=rf"Port {number} .*API_PORT"):
            check_free([Port(HOST, number, "API_PORT", "portal and API")])


def test_a_free_port_is_left_free() -> None:
    number = free_port()

    check_free([Port(HOST, number, "API_PORT", "portal and API")])

    socket.create_server((HOST, number)).close()


def test_two_settings_with_the_same_port_are_refused() -> None:
    number = free_port()

    with pytest.raises(LocalError, match=r"WORKER_METRICS_PORT and API_PORT"):
        check_free([Port(HOST, number, "API_PORT", "API"), Port(HOST, number, "WORKER_METRICS_PORT", "metrics")])


def test_a_port_that_a_dying_run_still_holds_is_waited_for() -> None:
    taken = socket.create_server((HOST, 0))
    threading.Timer(0.2, taken.close).start()

    check_free([Port(HOST, taken.getsockname()[1], "API_PORT", "API")], wait_seconds=5)


def test_an_impossible_port_or_host_is_a_message_too() -> None:
    for port in (Port(HOST, 70000, "API_PORT", "API"), Port("no.such.host.invalid", 8000, "API_PORT", "API")):
        with pytest.raises(LocalError, match="API_PORT"):
            check_free([port])


async def test_nobody_answering_is_no_status() -> None:
    assert await http_status(HOST, free_port(), "/") is None


async def test_a_server_that_never_answers_is_no_status() -> None:
    async with await asyncio.start_server(lambda reader, writer: None, HOST, 0) as server:
        assert await http_status(HOST, server.sockets[0].getsockname()[1], "/", timeout=0.1) is None
