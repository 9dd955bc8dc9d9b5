import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.errors import LocalError
from local.processes import LOG_LIMIT_BYTES, Child
from local.supervisor import RestartPolicy, keep

QUICK = RestartPolicy(restarts=3, first_delay_seconds=0.01)


def sleeper(log: Path, program: str = "import time; time.sleep(60)", *, stop_seconds: float = 5) -> Child:
    command = [sys.executable, "-c", program]
    return Child("sleeper", command, log=log, environment={}, stop_seconds=stop_seconds)


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


async def test_a_killed_part_is_restarted_and_said_in_one_line(tmp_path: Path) -> None:
    said: list[str] = []
    part = sleeper(tmp_path / "log")
    await part.start()
    first = part.pid
    assert first is not None
    keeping = asyncio.create_task(keep(part, said.append, QUICK))

    os.kill(first, signal.SIGKILL)
    await until(lambda: "sleeper is back" in said)

    assert part.running
    assert part.pid != first
    assert said == ["sleeper ended (killed by SIGKILL); restart 1 of 3 in 0.0 s", "sleeper is back"]
    keeping.cancel()
    await part.stop()


async def test_a_part_that_keeps_ending_is_given_up_with_a_clear_message(tmp_path: Path) -> None:
    said: list[str] = []
    part = sleeper(tmp_path / "log", "raise SystemExit(3)")
    await part.start()

    async with asyncio.timeout(5):
        with pytest.raises(LocalError, match=r"sleeper ended again \(exit code 3\) after 3 restarts within 60 s"):
            await keep(part, said.append, QUICK)

    assert len([line for line in said if "restart" in line]) == 3


async def test_a_part_that_ignores_the_polite_request_is_ended_in_time(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    part = sleeper(tmp_path / "log", stubborn, stop_seconds=0.1)
    await part.start()
    await until(lambda: (tmp_path / "log").read_text() != "")

    await part.stop()

    assert part.end() == "killed by SIGKILL"


async def test_a_part_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    part = sleeper(tmp_path / "log", "raise SystemExit('the reason')")
    await part.start()

    with pytest.raises(LocalError, match=r"(?s)ended while starting \(exit code 1\).*the reason"):
        await part.until_ready(never, seconds=5)


async def test_a_part_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    part = sleeper(tmp_path / "log")
    await part.start()

    with pytest.raises(LocalError, match="was not ready after 0 s"):
        await part.until_ready(never, seconds=0.1)

    assert not part.running


async def test_a_program_that_is_missing_is_a_message(tmp_path: Path) -> None:
    part = Child("worker", [str(tmp_path / "missing")], log=tmp_path / "log", environment={})

    with pytest.raises(LocalError, match="worker cannot be started"):
        await part.start()


async def test_a_log_grown_too_big_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(LOG_LIMIT_BYTES + 1)

    part = sleeper(log, "print('new')")
    await part.start()
    await part.wait()

    assert log.read_text() == "new\n"
    assert (tmp_path / "log.1").stat().st_size == LOG_LIMIT_BYTES + 1
