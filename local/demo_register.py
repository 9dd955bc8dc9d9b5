"""The demo register: companies, people in every situation, and two keys to call the API with.

Loaded by every start of the embedded default, once: what is there is left as it is, what a killed run left half-done is
completed. This module is what every start pays for; the people's ways are walked by `local.demo_stories`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from db import api_keys, register
from local import demo_users
from local.demo_people import COMPANIES, PEOPLE
from local.errors import LocalError
from local.processes import Child
from settings import ROOT, Environment, Settings

if TYPE_CHECKING:
    from db.pool import Connection

KEYS_FILE = "demo_keys.json"
# « Ready » waits so long for the people: the others come while the system is in use already.
READY_WITHIN_SECONDS = 1.0

# The people that are complete (told by the audit log, which nobody rewrites), and how many of the keys are known.
LOADED = """
SELECT count(*) AS keys,
       array(SELECT l.details ->> 'person' FROM affiliation a
             JOIN audit_log l ON l.affiliation_id = a.id AND l.event = 'demo.loaded'
             WHERE a.company_id IN (SELECT unnest(k2.company_ids) FROM api_key k2 WHERE k2.secret_hash = ANY ($1)))
       AS people
FROM api_key k WHERE k.secret_hash = ANY ($1)
"""


@dataclass(frozen=True)
class Keys:
    """`employer`: of all demo companies; `staff`: of staff's machines. Only their hashes are in the database."""

    employer: str = field(repr=False)
    staff: str = field(repr=False)
    password: str = field(repr=False)  # of the demo users

    @property
    def hashes(self) -> list[bytes]:
        """As `api.security.key_hash` stores them, in the order employer, staff."""
        return [hashlib.sha256(secret.encode()).digest() for secret in (self.employer, self.staff)]


@dataclass(frozen=True)
class DemoRegister:
    """What is there. `people`: how many are complete by now."""

    api_key: str = field(repr=False)
    staff_key: str = field(repr=False)
    password: str = field(repr=False)
    people: int

    def __str__(self) -> str:
        rest = len(PEOPLE) - self.people
        return f"{len(COMPANIES)} companies, {self.people} people" + (f", {rest} more on their way" if rest else "")


async def load(settings: Settings, wait_seconds: float = READY_WITHIN_SECONDS) -> DemoRegister:
    """Companies and keys, at once; the people within `wait_seconds`, or beyond them in the background.

    Two at once load it once. Raises LocalError: in production, when the database does not answer, or when a person's
    way was stopped in that time.
    """
    if settings.environment is Environment.production:
        raise LocalError("The demo register is not for production.")
    keys = _keys(settings.local_dir / KEYS_FILE)
    async with _connection(settings) as connection:
        people = await _loaded(connection, keys)
        if len(people) < len(PEOPLE):
            await _add_companies_and_keys(connection, keys, settings)
            people = await _loaded(connection, keys)
    if len(people) < len(PEOPLE):
        task = asyncio.create_task(_complete(settings))
        _background.add(task)
        done, _ = await asyncio.wait({task}, timeout=wait_seconds)
        task.add_done_callback(_background.discard)
        if done and task.result() is not None:
            raise LocalError(f"The demo register is not complete: {task.result()}")
        async with _connection(settings) as connection:
            people = await _loaded(connection, keys)
    return DemoRegister(keys.employer, keys.staff, keys.password, len(people))


_background: set[asyncio.Task[str | None]] = set()


async def _complete(settings: Settings) -> str | None:
    """What went wrong, if anything. In the background nobody hears it but the log: the next start goes on.

    A process of its own: the doors' code takes a second and a half to import, and who stops the stack need not wait.
    """
    log = settings.local_dir.resolve() / "logs" / "demo_register.log"
    child = Child(
        "demo register",
        [sys.executable, "-m", "local.demo_stories"],
        log=log,
        environment={**os.environ, **_environment(settings)},
        directory=ROOT,
    )
    await child.start()
    try:
        await child.wait()
    finally:
        child.kill()
        await child.wait()
    return None if child.end() == "exit code 0" else f"{child.end()}, see {log}"


def _environment(settings: Settings) -> dict[str, str]:
    """What these settings and not ours would say to a new process."""
    return {
        "LOCAL_DIR": str(settings.local_dir.resolve()),
        "DATABASE_URL": settings.database_url,
        "TEMPORAL_ADDRESS": settings.temporal_address,
        "TEMPORAL_NAMESPACE": settings.temporal_namespace,
        "TEMPORAL_TASK_QUEUE": settings.temporal_task_queue,
        "PUBLIC_BASE_URL": settings.public_base_url,
        "FIELD_KEYS": settings.field_keys.get_secret_value(),
        "BLIND_INDEX_KEY": settings.blind_index_key.get_secret_value(),
        "LINK_KEY": settings.link_key.get_secret_value(),
        "PASSWORD_PEPPER": settings.password_pepper.get_secret_value(),
        "DOCUMENTS_URL": settings.documents_url,
        "CLAMD_ADDRESS": settings.clamd_address,
    }


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Connection]:
    """A transaction of the system role. Raises LocalError."""
    try:
        connection = await asyncpg.connect(
            settings.database_url, timeout=5, command_timeout=5, server_settings={"role": "hcr_system"}
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise LocalError(f"The database does not answer: {error}") from None
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def _loaded(connection: Connection, keys: Keys) -> set[str]:
    """Who is complete; nobody when a key is not known."""
    row = await connection.fetchrow(LOADED, keys.hashes)
    assert row is not None, "a count is always there"
    return set(row["people"]) if row["keys"] == len(keys.hashes) else set()


async def _add_companies_and_keys(connection: Connection, keys: Keys, settings: Settings) -> None:
    """Repeated, it adds nothing."""
    synthetic = await asyncio.to_thread(importlib.import_module, "domain.synthetic")
    ids: list[UUID] = []
    for company in COMPANIES:
        siren = synthetic.synthetic_siren(company.number)
        about = (company.name, company.insurer, company.insurer_reference, company.emits_dsn)
        ids.append(await connection.fetchval(register.ADD_COMPANY, siren, *about))
        for rank, place in enumerate(company.places, start=1):
            siret = synthetic.synthetic_siret(siren, rank)
            about_place = (place.name, place.postcode, place.city)
            await connection.execute(register.ADD_ESTABLISHMENT, ids[-1], siret, *about_place)
    await demo_users.add_offices(
        connection,
        {
            one: (company.places[0].postcode, company.places[0].city)
            for one, company in zip(ids, COMPANIES, strict=True)
        },
    )
    composition = await asyncio.to_thread(importlib.import_module, "composition")
    terms = await asyncio.to_thread(importlib.import_module, "messages.terms")
    hashed = await composition.passwords(settings).hash(keys.password)
    await demo_users.add_users(connection, ids[0], hashed, terms.current_terms().version)
    # `services.callers.Scope`, whose import would cost a second
    rights: tuple[tuple[str, list[str], list[UUID]], ...] = (
        ("employeur", ["affiliations:read", "affiliations:write"], ids),
        ("gestionnaire", ["staff", "staff:write", "staff:export"], []),
    )
    for key_hash, (name, scopes, companies) in zip(keys.hashes, rights, strict=True):
        await connection.fetchval(api_keys.ADD_KNOWN, f"Démonstration : {name}", key_hash, scopes, companies)


def read_keys(path: Path) -> Keys | None:
    """The keys of the file; None when it is lost or cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = Keys(employer=content["api_key"], staff=content["staff_key"], password=content["password"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return keys if all(isinstance(one, str) and one for one in (keys.employer, keys.staff, keys.password)) else None


def _keys(path: Path) -> Keys:
    """The keys of the file; new ones, written with mode 0600, when there are none."""
    keys = read_keys(path)
    if keys is None:
        keys = Keys(employer=_new_key(), staff=_new_key(), password=demo_users.new_password())
        _write(path, {"api_key": keys.employer, "staff_key": keys.staff, "password": keys.password})
    elif path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return keys


def _new_key() -> str:
    return f"hcr_{secrets.token_urlsafe(32)}"


def _write(path: Path, content: dict[str, str]) -> None:
    """All or nothing: a half-written file would look like a lost one."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)
