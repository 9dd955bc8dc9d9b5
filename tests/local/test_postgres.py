import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from local import database
from local.errors import LocalError
from local.postgres import Identity, PostgresServer
from settings import ROOT
from tests.local.conftest import PASSWORDS


async def test_a_row_is_found_again_after_a_stop_and_a_start(server: PostgresServer) -> None:
    await _execute(server, "create table note as select 'kept' as text")

    await server.stop()
    await server.start()

    assert await _fetch(server, "select text from note") == "kept"


async def test_every_acknowledged_row_survives_kill_9_of_the_server(server: PostgresServer) -> None:
    await _execute(server, "create table note (number int)")
    acknowledged = 0
    connection = await server.connect(database.DATABASE)

    async def insert() -> None:
        nonlocal acknowledged
        while True:
            await connection.execute("insert into note values ($1)", acknowledged)
            acknowledged += 1

    writing = asyncio.create_task(insert())
    await asyncio.sleep(0.2)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await writing
    await server.wait()
    assert server.end() == "killed by SIGKILL"

    await server.start()

    assert acknowledged > 10
    assert await _fetch(server, "select count(*) from note where number < $1", acknowledged) == acknowledged


async def test_a_pid_file_naming_a_living_stranger_does_not_stop_the_start(server: PostgresServer) -> None:
    await server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n1\n5432\n")
    (server.socket_directory / ".s.PGSQL.5432.lock").write_text(f"{os.getppid()}\n")

    await server.start()

    assert await _fetch(server, "select 1") == 1


async def test_the_database_is_utf8_checksummed_private_and_knows_only_its_logins(server: PostgresServer) -> None:
    settings = "select current_setting($1)"
    assert str(await _fetch(server, "select version()")).startswith("PostgreSQL 18")
    assert await _fetch(server, settings, "server_encoding") == "UTF8"
    assert await _fetch(server, settings, "data_checksums") == "on"
    assert await _fetch(server, settings, "listen_addresses") == ""
    assert await _fetch(server, settings, "fsync") == "on"
    assert await _fetch(server, settings, "TimeZone") == "UTC"
    assert await _fetch(server, "select datlocale from pg_database where datname = 'hcr'") == "C.UTF-8"
    assert server.socket_directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url("hcr_app", "hcr").replace(":app@", ":wrong@"))


async def test_the_application_login_owns_nothing_and_takes_only_the_roles_granted(server: PostgresServer) -> None:
    owner = await asyncpg.connect(server.url(database.OWNER, database.DATABASE))
    await owner.execute("create role hcr_web; create role hcr_system; create table note (text text)")
    await owner.execute("grant select on note to hcr_web; create extension pg_trgm; create extension unaccent")
    await owner.close()
    await database.grant_roles(server)
    await database.grant_roles(server)

    application = await asyncpg.connect(server.url(database.APPLICATION, database.DATABASE))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.fetch("select * from note")
    await application.execute("set role hcr_web")
    assert await application.fetch("select * from note") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("set role hcr_owner")
    rights = await application.fetchrow(
        "select rolsuper, rolinherit, rolcreatedb, rolcreaterole, rolbypassrls from pg_roles where rolname = 'hcr_app'"
    )
    assert rights is not None
    assert not any(rights)
    await application.close()


async def test_databases_are_copied_from_a_template_and_dropped(server: PostgresServer) -> None:
    await _execute(server, "create table note as select 'copied' as text")

    await server.create_database("copy", template=database.DATABASE, owner=database.OWNER)
    await server.create_database("copy", template=database.DATABASE)

    assert await _fetch(server, "select text from note", database_name="copy") == "copied"
    session = await server.connect("copy")
    await server.drop_database("copy")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await session.execute("select 1")


async def test_another_password_than_the_clusters_is_a_message(cluster: Path, quick_path: Path) -> None:
    shutil.copytree(cluster / "data", quick_path / "data")

    with pytest.raises(LocalError, match="another password"):
        async with PostgresServer(quick_path, passwords={"postgres": "other"}):
            pass


async def test_an_interrupted_first_start_is_begun_again(quick_path: Path) -> None:
    (quick_path / "data.new").mkdir()
    (quick_path / "data.new" / "PG_VERSION").write_text("half")

    async with PostgresServer(quick_path, passwords=PASSWORDS, durable=False) as server:
        assert await _fetch(server, "select 1", database_name="postgres") == 1
        assert await _fetch(server, "select current_setting('fsync')", database_name="postgres") == "off"


async def test_a_directory_too_deep_for_a_socket_gets_a_private_one_elsewhere(cluster: Path, quick_path: Path) -> None:
    directory = quick_path / ("deep" * 30)
    shutil.copytree(cluster / "data", directory / "data")

    async with PostgresServer(directory, passwords=PASSWORDS) as server:
        assert not server.socket_directory.is_relative_to(quick_path)
        assert server.socket_directory.stat().st_mode & 0o777 == 0o700
        assert await _fetch(server, "select 1") == 1
    assert not server.socket_directory.exists()


async def test_kill_9_of_the_parent_leaves_no_server_and_loses_nothing(cluster: Path, quick_path: Path) -> None:
    await _parent_killed(cluster, quick_path, "None")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user of a server")
async def test_as_root_without_user_namespaces_the_server_runs_as_nobody_in_private_directories(
    cluster: Path, quick_path: Path
) -> None:
    os.chmod(quick_path, 0o700)
    await _parent_killed(cluster, quick_path, "Identity.nobody")
    server = PostgresServer(quick_path, passwords=PASSWORDS, identity=Identity.nobody)
    async with server:
        assert os.stat(f"/proc/{server.pid}").st_uid == 65534
        assert await _fetch(server, "select text from note") == "kept"
    async with PostgresServer(quick_path, passwords=PASSWORDS) as server:
        assert await _fetch(server, "select text from note") == "kept"


async def _parent_killed(cluster: Path, directory: Path, identity: str) -> None:
    shutil.copytree(cluster / "data", directory / "data")
    program = f"""
import asyncio
from pathlib import Path
from local.postgres import Identity, PostgresServer

async def main():
    server = PostgresServer(Path({str(directory)!r}), passwords={PASSWORDS!r}, identity={identity})
    await server.start()
    connection = await server.connect("hcr")
    await connection.execute("create table note as select 'kept' as text")
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert _is_alive(pid)
    parent.kill()
    await parent.wait()

    async with PostgresServer(directory, passwords=PASSWORDS) as server:
        assert not _is_alive(pid)
        assert await _fetch(server, "select text from note") == "kept"


def _is_alive(pid: int) -> bool:
    """Ended processes may stay as zombies until the machine's first process looks at them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _execute(server: PostgresServer, statement: str) -> None:
    connection = await server.connect(database.DATABASE)
    await connection.execute(statement)
    await connection.close()


async def _fetch(
    server: PostgresServer, query: str, *arguments: object, database_name: str = database.DATABASE
) -> object:
    connection = await server.connect(database_name)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()
