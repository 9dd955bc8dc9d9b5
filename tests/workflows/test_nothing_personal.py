"""Nothing personal reaches Temporal, the logs, the metrics or the file store; secrets lie in no table and no e-mail.

Whole lives are lived with unmistakable values in every field, then everything that was written is searched as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import re
import secrets
import sqlite3
import string
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.carrying import Providers
from api.app import create_app
from composition import connect, providers
from db.pool import create_pool
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.rights import StaffRole
from domain.synthetic import synthetic_iban, synthetic_nir
from gateways.delivery import DeliveryKind
from gateways.letter_codes import format_code
from gateways.mail import Email
from gateways.outcomes import Accepted
from gateways.post import Letter
from local.ports import free_port
from local.postgres import PostgresServer
from local.temporal import TemporalServer
from observability import JsonFormatter
from services.callers import STAFF_SCOPES, Scope
from settings import Settings
from tests.api.conftest import client, key_for
from tests.enrolling import family, save, send, upload
from tests.gateways.files.samples import rib_pdf
from tests.histories.corpus import readable
from tests.histories.scene import Scene
from tests.world import Employer, Life, World, new_mobile, open_world
from workflows.nightly import NightlyWorkflow

EVERYWHERE_BUT = ("local_message",)  # the mailbox, phone and letter box of the embedded default hold what was sent


class Canaries:
    """Random values that occur nowhere else, each under what it is."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.secret: set[str] = set()  # names of those that no table may hold as text either

    def word(self, what: str) -> str:
        return self.add(what, "Zq" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(12)))

    def add(self, what: str, value: str, *, secret: bool = False) -> str:
        self.values[what] = value
        if secret:
            self.secret.add(what)
        return value

    def person(self, who: str) -> dict[str, Any]:
        """A declared employee, every field a canary."""
        birth = date(1931, 1, 1) + timedelta(days=secrets.randbelow(20_000))
        nir = synthetic_nir(Civility.madame, birth, f"{secrets.randbelow(95) + 1:02}", secrets.randbelow(999) + 1)
        return {
            "civility": "MME",
            "last_name": self.word(f"{who} last name"),
            "birth_name": self.word(f"{who} birth name"),
            "first_names": self.word(f"{who} first name"),
            "birth_date": self.add(f"{who} birth date", birth.isoformat()),
            "nir": self.add(f"{who} NIR", nir, secret=True),
            "email": f"{self.word(f'{who} e-mail').lower()}@exemple.fr",
            "phone": self.add(f"{who} telephone", new_mobile()),
            "address": {"line1": f"12 rue {self.word(f'{who} street')}", "postcode": "75011", "city": "Paris"},
        }

    def iban(self, who: str) -> str:
        return self.add(f"{who} IBAN", synthetic_iban(secrets.randbelow(10**11)), secret=True)

    def found_in(self, data: bytes, *, only_secret: bool = False) -> list[str]:
        """What the bytes hold, in any case, in clear or as hexadecimal."""
        haystack = data.lower()
        return [
            what
            for what, value in self.values.items()
            if (what in self.secret or not only_secret)
            and any(form in haystack for text in _spellings(value) for form in (text, text.hex().encode()))
        ]


def _spellings(value: str) -> Iterator[bytes]:
    lower = value.lower()
    yield lower.encode()
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        yield "/".join(reversed(value.split("-"))).encode()
    if re.fullmatch(r"[12]\d{14}", value):
        yield value[:13].encode()
    if value.startswith("FR"):
        yield " ".join(lower[i : i + 4] for i in range(0, len(lower), 4)).encode()
    if value.startswith("+33"):
        yield f"0{value[3:]}".encode()


class Talkative:
    """Gateways that fail once each with a text that repeats the whole message."""

    def __init__(self, inner: Providers) -> None:
        self._inner = inner
        self._met: set[str] = set()

    async def send(self, email: Email) -> Accepted:
        self._fail_once("mail", f"cannot deliver to {email.to}: {email.subject} {email.text}")
        return await self._inner.mail.send(email)

    async def find(self, dispatch_id: str) -> Accepted | None:
        return await self._inner.mail.find(dispatch_id)

    async def hand_over(
        self, letter: Letter, known_ref: str | None, remember: Callable[[str], Awaitable[None]]
    ) -> Accepted:
        self._fail_once("post", f"cannot print {letter.address_lines}")
        return await self._inner.post.hand_over(letter, known_ref, remember)

    async def status(self, ref: str) -> DeliveryKind | None:
        return await self._inner.post.status(ref)

    def _fail_once(self, medium: str, text: str) -> None:
        if medium not in self._met:
            self._met.add(medium)
            try:
                raise KeyError(text)
            except KeyError:
                raise RuntimeError(text)  # noqa: B904 (the context is to be searched, too)


@dataclass
class Written:
    """Everything that was written while the lives were lived; `planted` was put everywhere on purpose."""

    canaries: Canaries
    planted: Canaries
    temporal: dict[str, bytes]
    logs: dict[str, bytes]
    metrics: bytes
    tables: dict[str, bytes]
    store: dict[str, bytes]
    mails: bytes


@pytest.fixture(scope="module")
async def written(config: Settings, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Written:
    directory = tmp_path_factory.mktemp("temporal")
    database, log = directory / "temporal.db", directory / "temporal.log"
    canaries, planted = Canaries(), Canaries()
    async with TemporalServer(port=free_port(), log=log, database=database) as server:
        config = config.model_copy(
            update={
                "temporal_address": server.address,
                "mail_settling_seconds": 0.0,
                "documents_url": (directory / "documents").as_uri(),
            }
        )
        pool = await create_pool(config.database_url, "hcr_system", 3)
        gateways = Talkative(providers(pool, config))
        chosen = Providers(mail=gateways, post=gateways, sms=providers(pool, config).sms, settling=timedelta(0))
        environment = WorkflowEnvironment.from_client(await connect(config))
        with _logs(directory / "stderr") as logs:
            async with open_world(config, environment, chosen) as world:
                app = create_app(world.config, world.client)
                async with app.router.lifespan_context(app):
                    lives = await _live(world, app, canaries)
                    await _plant(world.client, planted.word("planted"))
                    (directory / "documents" / "planted").write_text(planted.values["planted"])
                    metrics = await _metrics(app)
                told = await _told_by_temporal(world.client, lives)
                tables = await _tables(postgres)
                mails = await _mails(world)
        await pool.close()
        told["database"] = _bytes_of(database)
        server.kill()  # a client that is still connected would make it wait
    told["log"] = log.read_bytes()
    store = {str(path): path.read_bytes() for path in (directory / "documents").rglob("*") if path.is_file()}
    said = {name: text() for name, text in logs.items()}
    return Written(canaries, planted, told, said, metrics, tables, store, mails)


def test_temporal_holds_nothing_personal(written: Written) -> None:
    found = {place: written.canaries.found_in(data) for place, data in written.temporal.items()}
    assert not {place: what for place, what in found.items() if what}


def test_logs_hold_nothing_personal(written: Written) -> None:
    found = {place: written.canaries.found_in(data) for place, data in written.logs.items()}
    assert not {place: what for place, what in found.items() if what}


def test_metrics_hold_nothing_personal(written: Written) -> None:
    assert b"process_cpu_seconds_total" in written.metrics
    assert not written.canaries.found_in(written.metrics)


def test_no_table_holds_a_secret_as_text(written: Written) -> None:
    found = {table: written.canaries.found_in(data, only_secret=True) for table, data in written.tables.items()}
    assert not {table: what for table, what in found.items() if what and table not in EVERYWHERE_BUT}


def test_the_file_store_holds_nothing_in_clear(written: Written) -> None:
    assert len(written.store) > 1
    for path, data in written.store.items():
        assert not written.canaries.found_in(path.encode() + data)
        assert b"%PDF" not in data
        assert b"\xff\xd8\xff" not in data[:16]


def test_what_was_planted_in_the_file_store_is_found(written: Written) -> None:
    assert written.planted.found_in(b"".join(written.store.values())) == ["planted"]


def test_no_email_says_more_than_it_must(written: Written) -> None:
    """security.md W-07: the name and the link."""
    said = set(written.canaries.found_in(written.mails))
    allowed = {"link", "first name", "last name", "birth name"}
    people = ("first", "second", "third")
    assert said <= {f"{who} {what}" for who in people for what in allowed}, said
    assert "first link" in said


@pytest.mark.parametrize("place", ["list", "database"])
def test_what_was_planted_in_temporal_is_found(written: Written, place: str) -> None:
    assert written.planted.found_in(written.temporal[place]) == ["planted"]


def test_what_was_planted_in_the_logs_is_found(written: Written) -> None:
    assert [written.planted.found_in(text) for text in written.logs.values()] == [["planted"], ["planted"]]
    assert b'"error": "RuntimeError"' in written.logs["python"], "the failures on purpose were logged"


def test_what_the_tables_must_hold_is_found(written: Written) -> None:
    assert "first last name" in written.canaries.found_in(written.tables["employee"])
    assert "first link" in written.canaries.found_in(written.tables["local_message"])


@pytest.mark.parametrize("what", ["NIR", "IBAN", "telephone", "birth date", "link", "street"])
def test_every_spelling_is_found(written: Written, what: str) -> None:
    name = f"first {what}"
    for form in _spellings(written.canaries.values[name]):
        assert name in written.canaries.found_in(b"x" + form.upper() + b"x")
        assert name in written.canaries.found_in(b"x" + form.hex().encode() + b"x")


# --- living


async def _live(world: World, app: FastAPI, canaries: Canaries) -> list[Life]:
    employer = await world.employer()
    key = await key_for(world, employer, Scope.read, Scope.write)
    canaries.add("API key", key, secret=True)
    async with client(app, key) as http:
        lives = [
            await _bounced_and_finalised(world, app, http, employer, canaries),
            await _corrected_and_declined(world, app, http, employer, canaries),
        ]
        await _handed_over_and_erased(world, app, http, employer, canaries)
    return lives


async def _bounced_and_finalised(
    world: World, app: FastAPI, http: httpx2.AsyncClient, employer: Employer, canaries: Canaries
) -> Life:
    """By e-mail, bounced, by letter, opened by its code, drafted oddly, refused once, submitted, its pieces asked for
    by letter, received, asked for again and accepted."""
    scene = Scene(world)
    declared = world.declaration(employer, **canaries.person("first"))
    life = await _declare(world, http, employer, declared, canaries)
    canaries.add("first link", await _link(life), secret=True)
    await scene.provider_says(life, DeliveryKind.bounced)
    await life.until_messages(2, seconds=20)
    dispatch = (await world.run("SELECT * FROM access_token WHERE affiliation_id = $1 AND medium = 'post'", life.id))[0]
    secret = canaries.add("letter secret", world.writer.letter_secret(dispatch["dispatch_id"]), secret=True)
    code = canaries.add("letter code", format_code(dispatch["selector"], secret), secret=True)

    async with client(app) as employee:
        await employee.post("/api/v1/enrolments/access", json={"token": canaries.word("wrong token")})
        opened = await employee.post("/api/v1/enrolments/access", json={"code": code})
        assert opened.status_code == 200, opened.text
        canaries.add("session", employee.cookies["employee"], secret=True)
        odd = {"iban": f"FR76 {canaries.word('odd IBAN')}", "nir": canaries.word("odd NIR"), "signature": "…"}
        version = await save(employee, odd)
        assert (await send(employee, version)).status_code == 422
        iban, holder = canaries.iban("first"), canaries.word("holder")
        answers = family(
            birth_date="/".join(reversed(declared["employee"]["birth_date"].split("-"))),
            nir=declared["employee"]["nir"],
            line1=f"3 rue {canaries.word('own street')}",
            iban=iban,
            account_holder=holder,
            signature=canaries.word("signature"),
            **_dependant("p1", canaries),
            **_dependant("k1", canaries),
        )
        version = await save(employee, answers, version)
        submitted = await send(employee, version)
        assert submitted.status_code == 200, submitted.text
        await life.until(Status.finalised)
        name = f"{canaries.word('file name')}.pdf"
        uploaded = await upload(employee, "rib", name, rib_pdf(iban, holder))
        assert uploaded.status_code == 201, uploaded.text
    await life.until_messages(3, seconds=20)
    await scene.ask_for(life, *submitted.json()["missing"])
    await life.until_messages(4, seconds=20)
    await scene.accept_pieces(life)
    await life.handle.result()
    return life


async def _corrected_and_declined(
    world: World, app: FastAPI, http: httpx2.AsyncClient, employer: Employer, canaries: Canaries
) -> Life:
    """By e-mail, searched by name, corrected, declined from the new link, withdrawn."""
    person = canaries.person("second")
    life = await _declare(world, http, employer, world.declaration(employer, **person), canaries)
    again = await http.post("/api/v1/affiliations", json=world.declaration(employer, **person))
    assert again.status_code == 409
    listed = await http.get("/api/v1/affiliations", params={"q": person["last_name"]})
    assert listed.json()["total"] == 1
    assert (await http.get(f"/api/v1/affiliations/{life.id}/form.pdf")).status_code == 200
    corrected = {"email": f"{canaries.word('corrected e-mail').lower()}@exemple.fr"}
    answer = await http.patch(f"/api/v1/affiliations/{life.id}/contact", json=corrected)
    assert answer.status_code == 200, answer.text
    await life.until_messages(2, seconds=20)
    token = canaries.add("second link", await _link(life), secret=True)
    async with client(app) as employee:
        assert (await employee.post("/api/v1/enrolments/access", json={"token": token})).status_code == 200
        declined = await employee.post("/api/v1/enrolments/current/decline", json={"reason": "not_me"})
        assert declined.status_code == 204, declined.text
    await life.until_messages(3, seconds=20)
    await life.until_quiet()
    withdrawn = await http.post(f"/api/v1/affiliations/{life.id}/withdrawal", json={"reason": "other"})
    assert withdrawn.status_code == 200, withdrawn.text
    return life


async def _handed_over_and_erased(
    world: World, app: FastAPI, http: httpx2.AsyncClient, employer: Employer, canaries: Canaries
) -> None:
    """Data asked for, erasure refused and then done, and a night over it all."""
    life = await _declare(world, http, employer, world.declaration(employer, **canaries.person("third")), canaries)
    canaries.add("third link", await _link(life), secret=True)
    people = f"/api/v1/staff/people/{(await life.row())['employee_id']}"
    staff_key = await key_for(world, employer, *STAFF_SCOPES[StaffRole.super])
    async with client(app, canaries.add("staff key", staff_key, secret=True)) as staff:
        for ending in ("json", "pdf", "zip"):
            assert (await staff.get(f"{people}/personal-data.{ending}")).status_code == 200
        assert (await staff.post(f"{people}/erasure", json={"reason": "objection"})).status_code == 409
        withdrawn = await http.post(f"/api/v1/affiliations/{life.id}/withdrawal", json={"reason": "other"})
        assert withdrawn.status_code == 200, withdrawn.text
        await life.until(Status.abandoned)
        assert (await staff.post(f"{people}/erasure", json={"reason": "objection"})).status_code == 200
    night = await world.client.start_workflow(
        NightlyWorkflow.run, id="a-night", task_queue=world.config.temporal_task_queue
    )
    await asyncio.wait_for(night.result(), 60)


async def _declare(
    world: World, http: httpx2.AsyncClient, employer: Employer, declared: dict[str, Any], canaries: Canaries
) -> Life:
    key = {"Idempotency-Key": f"declare-{secrets.token_hex(8)}"}
    answer = await http.post("/api/v1/affiliations", json=declared, headers=key)
    assert answer.status_code == 201, answer.text
    life = Life(world, employer, answer.json()["id"])
    await life.until(Status.sent, seconds=20)
    await life.until_quiet()
    return life


def _dependant(key: str, canaries: Canaries) -> dict[str, str]:
    birth = date(2010, 1, 1) + timedelta(days=secrets.randbelow(5_000))
    if key == "p1":
        birth = date(1985, 1, 1) + timedelta(days=secrets.randbelow(5_000))
    answers = {
        "last_name": canaries.word(f"{key} last name"),
        "first_names": canaries.word(f"{key} first name"),
        "birth_date": canaries.add(f"{key} birth date", birth.isoformat()),
    }
    answers["birth_date"] = f"{birth:%d/%m/%Y}"
    return {f"dependants.{key}.{name}": answer for name, answer in answers.items()}


async def _link(life: Life) -> str:
    """The token of the last e-mail's link."""
    mails = [message for message in await life.received() if message["text"]]
    found = re.search(r"/e/([\w-]{43})", mails[-1]["text"])
    assert found
    return found.group(1)


# --- collecting


async def _told_by_temporal(temporal: Client, lives: list[Life]) -> dict[str, bytes]:
    """Histories, descriptions, queries and lists, as bytes and with their payloads decoded."""
    told = {}
    for number, life in enumerate(lives):
        history = await life.handle.fetch_history()
        for event in history.events:
            told[f"life {number} event {event.event_id}"] = _all_of(event)
        described = await life.handle.describe()
        told[f"life {number} description"] = _all_of(described.raw_description)
        told[f"life {number} details"] = str(await life.handle.query("__temporal_workflow_metadata")).encode()
        told[f"life {number} memo"] = repr(await described.memo()).encode()
    request = ListWorkflowExecutionsRequest(namespace=temporal.namespace, page_size=1000)
    told["list"] = _all_of(await temporal.workflow_service.list_workflow_executions(request))
    return told


def _all_of(message: Message) -> bytes:
    return message.SerializeToString() + "\n".join(readable(MessageToDict(message))).encode()


def _bytes_of(database: Path) -> bytes:
    """The server's database: its files as they are, write-ahead log included, and every value of every table."""
    parts = [path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*"))]
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(parts)


async def _tables(postgres: PostgresServer) -> dict[str, bytes]:
    """Every table's rows as text, as pg_dump would write them; binary columns once more as they are."""
    connection = await postgres.connect("hcr")
    try:
        names = [
            row["relname"]
            for row in await connection.fetch(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        ]
        tables = {}
        for table in names:
            rows = await connection.fetch(f'SELECT t::text AS line, t.* FROM "{table}" t')
            parts = [row["line"].encode() for row in rows]
            parts += [value for row in rows for value in row if isinstance(value, bytes)]
            tables[table] = b"\n".join(parts)
        return tables
    finally:
        await connection.close()


async def _mails(world: World) -> bytes:
    rows = await world.run("SELECT subject, html, text FROM local_message WHERE medium = 'email'")
    return "\n".join(f"{row['subject']}\n{row['html']}\n{row['text']}" for row in rows).encode()


async def _plant(temporal: Client, value: str) -> None:
    """Put a value where it must never be, so that the search can be seen to work."""
    await temporal.start_workflow("Nobody", value, id="planted", task_queue="nobody", memo={"planted": value})
    logging.getLogger("planted").warning(value)
    os.write(2, value.encode())


@contextlib.contextmanager
def _logs(stderr: Path) -> Iterator[dict[str, Callable[[], bytes]]]:
    """What Python's loggers say, as the processes format it, and what the SDK's core says by itself."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # as the processes do
    former = os.dup(2)
    with stderr.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield {"python": lambda: said.getvalue().encode(), "core": stderr.read_bytes}
        finally:
            os.dup2(former, 2)
            os.close(former)
            root.removeHandler(handler)
            root.setLevel(level)


async def _metrics(app: FastAPI) -> bytes:
    async with client(app) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return answer.content
