"""Docker does not run where this is developed: these tests hold the image and the compose file to the code.

What can run without Docker does: the SQL on a real PostgreSQL, the namespace on a real Temporal server.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import itertools
import os
import re
import stat
import subprocess
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from pydantic import SecretStr, ValidationError
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.testing import WorkflowEnvironment

from db.migrate import migrate
from db.pool import create_pool
from local.database import APPLICATION, APPLICATION_ROLES, DATABASE, OWNER
from local.postgres import PostgresServer, binaries
from local.temporal import executable
from settings import ROOT, MailProvider, PostProvider, Settings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.temporal.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INIT_SQL = ROOT / "deploy" / "postgres" / "init.sql"

PROCESSES = ("worker", "api")
OURS = ("migrate", *PROCESSES)
ONE_SHOT = ("temporal-schema", "temporal-namespace", "migrate", "grants")
# Never in an image: what only a developer's machine runs.
NOT_SHIPPED = {"local", "tests", "bench"}

# What the others' images read, from their own documentation.
FOREIGN_VARIABLES = {
    # hub page of postgres; the last three are read by deploy/postgres/init.sql
    "postgres": {
        "POSTGRES_PASSWORD",
        "POSTGRES_INITDB_ARGS",
        "HCR_OWNER_PASSWORD",
        "HCR_APP_PASSWORD",
        "TEMPORAL_DB_PASSWORD",
    },
    # libpq
    "grants": {"PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD"},
    # temporalio/temporal, tools/sql/main.go
    "temporal-schema": {"SQL_PLUGIN", "SQL_HOST", "SQL_PORT", "SQL_USER", "SQL_PASSWORD"},
    # temporalio/temporal, common/config/config_template_embedded.yaml
    "temporal": {
        "DB",
        "DB_PORT",
        "POSTGRES_SEEDS",
        "POSTGRES_USER",
        "POSTGRES_PWD",
        "DBNAME",
        "VISIBILITY_DBNAME",
        "NUM_HISTORY_SHARDS",
        "BIND_ON_IP",
        "DYNAMIC_CONFIG_FILE_PATH",
    },
    # `temporal --help`
    "temporal-namespace": {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"},
    # docs.temporal.io/references/web-ui-environment-variables
    "temporal-ui": {
        "TEMPORAL_ADDRESS",
        "TEMPORAL_DEFAULT_NAMESPACE",
        "TEMPORAL_CORS_ORIGINS",
        "TEMPORAL_NOTIFY_ON_NEW_VERSION",
    },
}

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<operator>:\?|:-|)(?P<rest>[^}]*)\}")


def _environment(service: str) -> dict[str, str]:
    environment: dict[str, str] = SERVICES[service]["environment"]
    return environment


def _filled(service: str, values: Mapping[str, str]) -> dict[str, str]:
    """The service's environment as Compose would pass it on: the operator's values, else the default."""

    def value(match: re.Match[str]) -> str:
        default = match["rest"] if match["operator"] == ":-" else ""
        return values.get(match["name"]) or default

    return {name: _VARIABLE.sub(value, text) for name, text in _environment(service).items()}


def _operators_variables() -> Iterator[re.Match[str]]:
    for service in SERVICES.values():
        for text in service["environment"].values():
            yield from _VARIABLE.finditer(text)


def _operators_values() -> dict[str, str]:
    values = {match["name"]: "given" for match in _operators_variables() if match["operator"] == ":?"}
    return values | {"PUBLIC_BASE_URL": "https://sante.example", "SMS_PROVIDER": "local"}


def _settings(service: str, values: Mapping[str, str]) -> Settings:
    return Settings.model_validate({name.lower(): value for name, value in _filled(service, values).items()})


# --- the compose file and the settings ---------------------------------------------------------------------------


# The object store's client reads these by itself.
THE_STORES = {"aws_access_key_id", "aws_secret_access_key", "aws_region", "aws_endpoint"}


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_ours_is_a_setting(service: str) -> None:
    ours = {name.lower() for name in _environment(service)} - THE_STORES
    assert ours <= set(Settings.model_fields)


def test_every_variable_of_others_is_one_that_their_image_reads() -> None:
    assert {name: set(_environment(name)) for name in SERVICES if name not in OURS} == FOREIGN_VARIABLES


@pytest.mark.parametrize("service", PROCESSES)
@pytest.mark.parametrize("sms", ["local", "ovh"])
def test_the_operators_values_make_complete_production_settings(service: str, sms: str) -> None:
    values = _operators_values() | {"SMS_PROVIDER": sms}
    if sms == "ovh":
        values |= {match["name"]: "given" for match in _operators_variables() if match["name"].startswith("OVH_")}

    settings = _settings(service, values)

    assert settings.environment == "production"
    assert (settings.mail_provider, settings.post_provider) == (MailProvider.sendgrid, PostProvider.maileva)


def test_ovh_without_its_values_is_refused() -> None:
    with pytest.raises(ValidationError, match="OVH_APPLICATION_KEY"):
        _settings("worker", _operators_values() | {"SMS_PROVIDER": "ovh"})


def test_the_migrations_get_the_owners_login_and_no_other_secret() -> None:
    assert set(_environment("migrate")) == {"DATABASE_OWNER_URL"}


@pytest.mark.parametrize("service", OURS)
def test_commands_are_modules_that_exist(service: str) -> None:
    python, flag, module = SERVICES[service]["command"]

    assert (python, flag) == ("python", "-m")
    found = importlib.util.find_spec(module)
    assert found is not None
    if found.submodule_search_locations:  # a package runs its __main__
        assert importlib.util.find_spec(f"{module}.__main__") is not None


def test_docker_waits_longer_than_the_worker_finishes_its_activities() -> None:
    seconds = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))

    assert seconds >= _settings("worker", _operators_values()).worker_graceful_shutdown_seconds + 10


def test_health_checks_and_published_ports_are_those_of_the_settings() -> None:
    worker, api = (_settings(service, _operators_values()) for service in PROCESSES)

    assert f"http://127.0.0.1:{worker.worker_metrics_port}/metrics" in SERVICES["worker"]["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{api.api_port}/health/ready" in SERVICES["api"]["healthcheck"]["test"][-1]
    assert api.api_host == "0.0.0.0"
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": [f"127.0.0.1:8000:{api.api_port}"],
        "temporal-ui": [f"{api.temporal_ui_url.removeprefix('http://')}:8080"],
    }


# --- secrets -----------------------------------------------------------------------------------------------------


def test_no_secret_has_a_value_or_a_default() -> None:
    ours = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    for service in SERVICES.values():
        for name, text in service["environment"].items():
            if name.lower() in ours or re.search(r"PASSWORD|PWD|SECRET|TOKEN|KEYS?$", name):
                match = _VARIABLE.fullmatch(text)
                assert match is not None, f"{name} is written in the file"
                assert match["operator"] == ":?" or (match["operator"], match["rest"]) == (":-", ""), name
            if "://" in text and "@" in text:
                assert re.search(r"://\w+:\$\{\w+:\?[^}]*\}@", text), f"{name} holds a password"


def test_env_example_lists_every_variable_with_a_comment_and_no_value() -> None:
    lines = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8").splitlines()
    listed = {}
    for before, line in itertools.pairwise(lines):
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert name not in listed
            listed[name] = value
            assert before.startswith("# "), f"{name} has no comment"

    assert set(listed) == {match["name"] for match in _operators_variables()}
    assert not any(listed.values())


# --- images, order, rights ---------------------------------------------------------------------------------------


def test_images_are_pinned_and_come_from_the_usual_place() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in images:
        name, _, tag = image.partition(":")
        assert re.match(r"\d+\.\d+", tag), image
        assert "auto-setup" not in name
        assert "." not in name.split("/")[0], f"{image} names a registry"


def test_temporals_images_are_of_one_version_which_is_the_embedded_servers() -> None:
    said = subprocess.run([str(executable()), "--version"], capture_output=True, text=True, check=True).stdout
    server, ui = re.findall(r"(?:Server|UI) ([\d.]+)", said)

    assert {SERVICES[name]["image"] for name in ("temporal-schema", "temporal-namespace")} == {
        f"temporalio/admin-tools:{server}"
    }
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{server}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{ui}"


def test_postgresql_is_the_embedded_version_with_its_collation_and_a_volume_where_18_keeps_its_data() -> None:
    said = subprocess.run([str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.split()[-1]
    embedded = (ROOT / "local" / "postgres.py").read_text(encoding="utf-8")

    assert {SERVICES[name]["image"] for name in ("postgres", "grants")} == {f"postgres:{version}"}
    assert all(f'"{word}"' in embedded for word in _environment("postgres")["POSTGRES_INITDB_ARGS"].split())
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]


def test_our_image_carries_the_projects_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {SERVICES[service]["image"] for service in OURS} == {f"{project['name']}:{project['version']}"}


def test_each_service_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if needed in ONE_SHOT:
                assert how == {"condition": "service_completed_successfully"}, name
            else:
                assert how == {"condition": "service_healthy"}, name
                assert "healthcheck" in SERVICES[needed]
        if name in ONE_SHOT:
            assert service["restart"].startswith("on-failure:")
        else:
            assert service["restart"] == "unless-stopped"
            assert "healthcheck" in service
    for process in PROCESSES:
        assert set(SERVICES[process]["depends_on"]) == {"grants", "temporal-namespace"}


def test_no_container_can_write_to_its_image_or_gain_rights() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_mounted_files_exist_and_can_be_read_by_the_images_users() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume[0] == "."]
    assert len(mounts) == 4
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert mode == "ro"
        assert (ROOT / source).stat().st_mode & stat.S_IROTH, source


def test_databases_and_logins_have_the_same_names_everywhere() -> None:
    created = dict(re.findall(r"^CREATE DATABASE (\w+) OWNER (\w+);", INIT_SQL.read_text(encoding="utf-8"), re.M))
    server = _environment("temporal")
    schema = (ROOT / "deploy" / "temporal" / "schema.sh").read_text(encoding="utf-8")

    assert created == {DATABASE: OWNER, "temporal": "temporal", "temporal_visibility": "temporal"}
    assert (server["DBNAME"], server["VISIBILITY_DBNAME"]) == ("temporal", "temporal_visibility")
    assert re.findall(r"^bring_up_to_date (.*)", schema, re.M) == [
        "temporal temporal",
        "temporal_visibility visibility",
    ]
    assert server["POSTGRES_USER"] == _environment("temporal-schema")["SQL_USER"] == "temporal"
    assert server["DB"] == _environment("temporal-schema")["SQL_PLUGIN"]
    assert _environment("worker")["DATABASE_URL"].startswith(f"postgresql://{APPLICATION}:")
    assert _environment("worker")["DATABASE_URL"].endswith(f"@postgres:5432/{DATABASE}")
    assert _environment("migrate")["DATABASE_OWNER_URL"].startswith(f"postgresql://{OWNER}:")
    assert _environment("migrate")["DATABASE_OWNER_URL"].endswith(f"@postgres:5432/{DATABASE}")
    assert (_environment("grants")["PGUSER"], _environment("grants")["PGDATABASE"]) == (OWNER, DATABASE)
    namespaces = {
        _environment("worker")["TEMPORAL_NAMESPACE"],
        _environment("temporal-namespace")["TEMPORAL_NAMESPACE"],
    }
    assert namespaces == {Settings.model_fields["temporal_namespace"].default}


# --- the image ---------------------------------------------------------------------------------------------------


def _copied() -> set[str]:
    """The top-level modules in the image."""
    names: set[str] = set()
    for line in re.findall(r"^COPY (?!--from|requirements)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        names |= {source.rstrip("/").removesuffix(".py") for source in sources}
        assert target in ("./", sources[0]), line
    return names


def test_the_image_holds_every_module_of_the_project_and_none_of_the_developers() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")}

    assert _copied() == (packages | modules) - NOT_SHIPPED


def test_what_the_image_holds_imports_nothing_that_it_lacks() -> None:
    for name in _copied():
        for path in [ROOT / f"{name}.py"] if (ROOT / f"{name}.py").exists() else (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported = {alias.name.split(".")[0] for alias in node.names}
                else:
                    imported = {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()
                assert not imported & NOT_SHIPPED, path


def test_docker_sees_exactly_what_the_image_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    let_in = {rule[1:].removesuffix(".py") for rule in rules if rule.startswith("!")}

    assert rules[0] == "*"
    assert let_in == _copied() | {"requirements.lock"}


def test_the_image_installs_the_hashed_lock_on_a_python_the_project_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = tuple(int(part) for part in project["requires-python"].removeprefix(">=").split("."))
    pythons = re.findall(r"^FROM python:(\d+)\.(\d+)-slim", DOCKERFILE, re.MULTILINE)

    assert len(pythons) == 2
    assert len(set(pythons)) == 1
    assert (int(pythons[0][0]), int(pythons[0][1])) >= least
    assert re.search(r"pip install [^&]*--require-hashes -r requirements\.lock", DOCKERFILE)
    assert "requirements-dev" not in DOCKERFILE
    assert "PYTHONDONTWRITEBYTECODE=1" in DOCKERFILE


# --- what runs without Docker ------------------------------------------------------------------------------------

PASSWORDS = {"postgres": "super", OWNER: "owner's", APPLICATION: "application", "temporal": "temporal"}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """An empty PostgreSQL after deploy/postgres/init.sql, run as the postgres image runs it."""
    async with PostgresServer(tmp_path, passwords=PASSWORDS, durable=False) as server:
        environment = {
            "HCR_OWNER_PASSWORD": PASSWORDS[OWNER],
            "HCR_APP_PASSWORD": PASSWORDS[APPLICATION],
            "TEMPORAL_DB_PASSWORD": PASSWORDS["temporal"],
        }
        _psql(server, "postgres", "postgres", ["--no-password", "--file", str(INIT_SQL)], environment)
        yield server


def _psql(
    server: PostgresServer, user: str, database: str, arguments: list[str], environment: Mapping[str, str]
) -> None:
    command = [str(binaries() / "psql"), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", *arguments]
    connection = {
        "PGHOST": str(server.socket_directory),
        "PGUSER": user,
        "PGDATABASE": database,
        "PGPASSWORD": PASSWORDS[user],
    }
    done = subprocess.run(command, env={**os.environ, **connection, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def _attributes(server: PostgresServer) -> list[asyncpg.Record]:
    connection = await server.connect()
    try:
        rows: list[asyncpg.Record] = await connection.fetch(
            "select rolname, rolcanlogin, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication,"
            " rolbypassrls, rolconnlimit from pg_roles where rolname = any($1) order by rolname",
            [OWNER, APPLICATION],
        )
        return rows
    finally:
        await connection.close()


async def test_the_logins_have_the_attributes_of_the_embedded_ones(
    cluster: PostgresServer, postgres: PostgresServer
) -> None:
    assert len(await _attributes(cluster)) == 2
    assert await _attributes(cluster) == await _attributes(postgres)


async def test_after_migrations_and_grants_the_applications_login_takes_its_roles(cluster: PostgresServer) -> None:
    await migrate(cluster.url(OWNER, DATABASE))
    program, *arguments = SERVICES["grants"]["entrypoint"]
    assert program == "psql"
    for _ in range(2):  # it runs at every `up`
        _psql(cluster, OWNER, DATABASE, arguments, {})

    for role in APPLICATION_ROLES:
        pool = await create_pool(cluster.url(APPLICATION, DATABASE), role, 1)  # type: ignore[arg-type]
        assert await pool.fetchval("select current_user") == role
        assert await pool.fetchval("select count(*) from company") == 0
        await pool.close()


async def test_temporals_login_can_make_its_schema_and_reach_nothing_else(cluster: PostgresServer) -> None:
    for database in ("temporal", "temporal_visibility"):
        connection = await asyncpg.connect(cluster.url("temporal", database))
        await connection.execute("create extension btree_gin")  # Visibility's indexes need it
        await connection.execute("create table executions (id int)")
        await connection.close()

    for login, database in (("temporal", DATABASE), (APPLICATION, "temporal"), (OWNER, "temporal_visibility")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(cluster.url(login, database))


def test_the_schema_script_sets_up_and_updates_both_databases_and_stops_at_an_error(tmp_path: Path) -> None:
    tool = tmp_path / "temporal-sql-tool"
    tool.write_text('#!/bin/sh\necho "$*"\n[ "$2" = "$STOP_AT" ] && exit 1 || exit 0\n')
    tool.chmod(0o755)

    def run(stop_at: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{tmp_path}:{os.defpath}", "STOP_AT": stop_at}
        script = str(ROOT / "deploy" / "temporal" / "schema.sh")
        return subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True, check=False)

    versioned = "/etc/temporal/schema/postgresql/v12"
    assert run("nothing").stdout.splitlines() == [
        "--db temporal setup-schema -v 0.0",
        f"--db temporal update-schema -d {versioned}/temporal/versioned",
        "--db temporal_visibility setup-schema -v 0.0",
        f"--db temporal_visibility update-schema -d {versioned}/visibility/versioned",
    ]
    stopped = run("temporal")
    assert stopped.returncode == 1
    assert len(stopped.stdout.splitlines()) == 1


async def test_the_namespace_script_creates_it_once_and_accepts_it_afterwards(temporal: WorkflowEnvironment) -> None:
    environment = {
        "PATH": f"{executable().parent}:{os.defpath}",
        "HOME": "/nonexistent",
        "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": "made-by-compose",
    }
    script = str(ROOT / "deploy" / "temporal" / "namespace.sh")
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", script, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()

    described = await temporal.client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="made-by-compose")
    )
    assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 30


def test_the_dynamic_configuration_is_a_list_of_values_a_key() -> None:
    dynamic = yaml.safe_load((ROOT / "deploy" / "temporal" / "dynamicconfig.yaml").read_text(encoding="utf-8"))

    assert all(set(entry) <= {"value", "constraints"} for entries in dynamic.values() for entry in entries)
    mounted = SERVICES["temporal"]["volumes"][0].split(":")[1]
    assert _environment("temporal")["DYNAMIC_CONFIG_FILE_PATH"] == mounted
