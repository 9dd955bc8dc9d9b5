"""`python -m local run|stop|reset|demo|psql`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from local.errors import LocalError
from local.lock import RunLock, holder, is_held
from settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Expected failures are one message and 1, never a traceback."""
    parser = argparse.ArgumentParser(prog="python -m local", description="Everything on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything; Ctrl-C stops it")
    commands.add_parser("stop", help="stop a run started in another terminal")
    commands.add_parser("reset", help="empty .local/: databases, secrets, logs")
    commands.add_parser("demo", help="one affiliation's whole life, day by day")
    commands.add_parser("psql", help="open psql on the embedded database; further arguments are psql's")
    parsed, rest = parser.parse_known_args(arguments)
    if rest and parsed.command not in ("psql", "demo"):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        settings = Settings()
        directory = settings.local_dir.resolve()
        if parsed.command == "run":
            return _run(settings)
        if parsed.command == "stop":
            return _stop(directory)
        if parsed.command == "reset":
            return _reset(directory)
        if parsed.command == "psql":
            _psql(directory, rest)
        return _demo(rest)
    except LocalError as error:
        print(f"✗ {error}", file=sys.stderr)
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            print(f"✗ {name + ': ' if name else ''}{problem['msg']}", file=sys.stderr)
    except KeyboardInterrupt:  # before the signal handlers are set: nothing was started
        return 130
    return 1


def _run(settings: Settings) -> int:
    from local.stack import run

    return asyncio.run(run(settings))


def _stop(directory: Path) -> int:
    """Ask the run to stop and wait for it, a minute at most."""
    pid = holder(directory)
    if pid is None or not is_held(directory):
        print("Nothing is running.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while is_held(directory):
        if time.monotonic() > deadline:
            raise LocalError(f"It did not stop within a minute (process {pid}).")
        time.sleep(0.05)
    print("Stopped.")
    return 0


def _reset(directory: Path) -> int:
    """Empty `directory`; refused while a run holds it."""
    from local.lock import FILE_NAME
    from local.postgres import wait_until_unused
    from local.stack import DEFAULT_DIRECTORY, postgres_directory

    if not directory.exists():
        print(f"{directory} is empty already.")
        return 0
    with RunLock(directory, default_directory=DEFAULT_DIRECTORY):
        asyncio.run(wait_until_unused(postgres_directory(directory) / "data"))
        # The lock file stays: removed under a waiting process, it would let two runs in.
        entries = sorted(entry for entry in directory.iterdir() if entry.name != FILE_NAME)
        for entry in entries:
            try:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            except PermissionError as error:
                raise LocalError(f"{error.filename} belongs to another user; run `make reset` as that user.") from None
            print(f"removed {entry}")
    if not entries:
        print(f"{directory} is empty already.")
    return 0


def _psql(directory: Path, arguments: list[str]) -> None:
    """Become psql, as superuser on the embedded database, unless `arguments` say otherwise."""
    from local import database
    from local.postgres import SUPERUSER, binaries
    from local.secrets import load_or_create
    from local.stack import embedded_postgres

    if not is_held(directory):
        raise LocalError("The embedded database is not running: `make run` first.")
    secrets = load_or_create(directory, may_create=False)
    server = embedded_postgres(directory, secrets)
    os.environ |= {
        "PGHOST": str(server.socket_directory),
        "PGPORT": "5432",
        "PGUSER": SUPERUSER,
        "PGDATABASE": database.DATABASE,
        "PGPASSWORD": secrets.postgres_password,
    }
    program = str(binaries() / "psql")
    os.execv(program, [program, *arguments])  # noqa: S606 (no shell is the point)


def _demo(arguments: list[str]) -> int:
    try:
        module = importlib.import_module("local.demo")
    except ModuleNotFoundError as error:
        if error.name != "local.demo":
            raise
        raise LocalError("The demo is not there yet (local/demo.py).") from None
    return int(module.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
