"""The whole stack, real PostgreSQL and Temporal, stand-ins for worker and API."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local import database
from local.__main__ import main
from local.errors import LocalError
from local.ports import free_port, free_ports, http_status
from local.postgres import PostgresServer
from local.stack import run
from settings import Settings
from tests.local.stack_under_test import StackUnderTest, environment_of


@pytest.fixture
async def stack(quick_path: Path) -> AsyncIterator[StackUnderTest]:
    stack = StackUnderTest(quick_path / "local")
    yield stack
    await stack.close()
    await stack.assert_no_child_left()


@pytest.fixture
async def outside(tmp_path: Path, server: PostgresServer) -> AsyncIterator[StackUnderTest]:
    """A run whose PostgreSQL and Temporal are somewhere else (the latter is only passed on)."""
    url = server.url(database.OWNER, database.DATABASE)
    stack = StackUnderTest(tmp_path / "local", DATABASE_URL=url, TEMPORAL_ADDRESS="127.0.0.1:1")
    yield stack
    await stack.close()
    await stack.assert_no_child_left()


async def test_one_command_starts_all_keeps_it_alive_and_one_interrupt_stops_it_with_nothing_lost(
    stack: StackUnderTest,
) -> None:
    await stack.start()
    assert "PostgreSQL   ready" in stack.output
    assert "migrations   1 applied" in stack.output
    assert stat.S_IMODE(stack.directory.stat().st_mode) == 0o700
    assert await http_status("127.0.0.1", stack.api_port, "/") == 200
    assert await http_status("127.0.0.1", stack.ui_port, "/") == 200
    secrets = (stack.directory / "secrets.json").read_text()
    assert not [word for line in stack.children().values() for word in line.split("\0") if word and word in secrets]

    assert "LINK_KEY" in environment_of(stack.child(f"stand_in.py\0{stack.api_port}"))
    for server in ("start-dev", "postgres\0-D"):
        assert "LINK_KEY" not in environment_of(stack.child(server))

    # A second run is refused, and so is emptying the directory.
    for command in ("run", "reset"):
        code, said = await stack.run_command(command)
        assert code == 1
        assert f"already running here (process {stack.process.pid})" in said

    code, said = await stack.run_command("psql", "-c", "insert into note values ('kept')")
    assert (code, said) == (0, "INSERT 0 1\n")

    # Any part that is killed comes back.
    for mark, name in {
        f"stand_in.py\0{stack.api_port}": "API",
        f"stand_in.py\0{stack.metrics_port}": "worker",
        "start-dev": "Temporal",
        "postgres\0-D": "PostgreSQL",
    }.items():
        os.kill(stack.child(mark), signal.SIGKILL)
        await stack.read(f"{name} is back")
    assert stack.output.count("ended (killed by SIGKILL); restart 1 of 3") == 4

    stack.interrupt()
    assert await stack.exit_code() == 0
    assert "Stopped." in stack.output
    assert "Traceback" not in stack.output
    await stack.assert_no_child_left()

    # The second run finds everything, and survives being killed with all it held.
    await stack.start()
    assert "migrations   up to date" in stack.output
    stack.process.kill()
    await stack.process.wait()

    await stack.start()
    assert (stack.directory / "secrets.json").read_text() == secrets
    assert await stack.run_command("psql", "-Atc", "select * from note") == (0, "kept\n")
    assert await stack.run_command("stop") == (0, "Stopped.\n")
    assert await stack.exit_code() == 0

    code, said = await stack.run_command("reset")
    assert code == 0
    assert f"removed {stack.directory / 'postgres'}" in said
    assert [entry.name for entry in stack.directory.iterdir()] == ["run.lock"]


async def test_external_addresses_replace_the_embedded_parts(outside: StackUnderTest) -> None:
    await outside.start()

    assert not [line for line in outside.children().values() if "stand_in" not in line]
    for port in (outside.api_port, outside.metrics_port):
        environment = environment_of(outside.child(f"stand_in.py\0{port}"))
        assert environment["DATABASE_URL"] == outside.environment["DATABASE_URL"]
        assert environment["TEMPORAL_ADDRESS"] == outside.environment["TEMPORAL_ADDRESS"]
        assert environment["FIELD_KEYS"].startswith("1:")
    outside.interrupt()
    assert await outside.exit_code() == 0


async def test_an_interrupt_during_the_start_stops_what_was_started(outside: StackUnderTest) -> None:
    outside.set_api("import time; time.sleep(60)")
    await outside.start(until="worker       ready")

    outside.interrupt()

    assert await outside.exit_code() == 0


async def test_an_api_that_cannot_start_is_a_message_and_stops_the_rest(outside: StackUnderTest) -> None:
    outside.set_api("raise SystemExit('the reason')")
    await outside.start(until="API ended while starting (exit code 1)")

    assert await outside.exit_code() == 1
    assert "the reason" in outside.output
    assert "Traceback" not in outside.output


async def test_a_second_interrupt_does_not_wait_for_a_part_that_will_not_end(
    outside: StackUnderTest, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    outside.set_api(
        "import pathlib, signal, time; signal.signal(15, signal.SIG_IGN);"
        f" pathlib.Path({str(deaf)!r}).touch(); time.sleep(60)"
    )
    await outside.start(until="worker       ready")
    async with asyncio.timeout(30):
        while not deaf.exists():  # noqa: ASYNC110 (within a time limit)
            await asyncio.sleep(0.05)
    outside.interrupt()
    await outside.read("Stopping…")
    await asyncio.sleep(0.6)  # sooner, it would be taken for the same Ctrl-C

    outside.interrupt()

    assert await outside.exit_code() == 130


async def test_a_database_that_is_away_is_a_message(outside: StackUnderTest) -> None:
    outside.environment["DATABASE_URL"] = f"postgresql://127.0.0.1:{free_port()}/hcr?sslmode=disable"

    code, said = await outside.run_command("run")

    assert code == 1
    assert "The database does not answer" in said
    assert "Traceback" not in said


PORTS = ["api_port", "worker_metrics_port", "worker_sdk_metrics_port", "local_temporal_port", "local_temporal_ui_port"]


@pytest.mark.parametrize("variable", PORTS)
async def test_a_taken_port_is_told_before_anything_is_started(tmp_path: Path, variable: str) -> None:
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    settings = Settings.model_validate({"local_dir": tmp_path / "local", **ports})
    with (
        socket.create_server(("127.0.0.1", ports[variable])),
        pytest.raises(LocalError, match=rf"Port {ports[variable]} .* set {variable.upper()}"),
    ):
        await run(settings)

    assert not (tmp_path / "local" / "postgres").exists()


@pytest.mark.parametrize("command", ["run", "reset"])
def test_a_directory_with_other_things_is_neither_used_nor_emptied(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))

    assert main([command]) == 1

    assert "holds other things" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_a_setting_that_cannot_be_understood_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_PORT", "eight thousand")

    assert main(["run"]) == 1

    assert "API_PORT" in capsys.readouterr().err
