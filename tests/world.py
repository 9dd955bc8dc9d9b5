"""A system under test: database, worker, services, and the clock of each affiliation."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.carrying import Providers
from activities.contracts.affiliation import Progress, workflow_id
from activities.sweep import Sweeper
from activities.writing import Writer
from composition import cipher, providers
from db import register
from db.pool import Pool, create_pool, system
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.policy import DEFAULT_POLICY, Policy
from domain.synthetic import synthetic_mobile, synthetic_nir, synthetic_siren, synthetic_siret
from gateways.encryption import FieldCipher
from services.affiliations import AffiliationService
from services.callers import Caller, Scope
from services.declarations import PreAffiliation
from settings import Settings
from worker import build_worker
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.converter import DATA_CONVERTER
from workflows.runners import watchful_runner

MARGIN = timedelta(minutes=1)
_numbers = itertools.count(secrets.randbelow(8 * 10**4))
_mobiles = itertools.count(100)  # those before are shared by the people whom `declaration` declares


def new_mobile() -> str:
    """A mobile in E.164 that no other test has: five users share one at most, and what it received is read back."""
    return synthetic_mobile(next(_mobiles))


def earlier(moment: str, days: str) -> str:
    """SQL: so many days before a moment, at the same time in Paris also where the clocks were changed in between."""
    return f"(({moment}) AT TIME ZONE 'Europe/Paris' - make_interval(days => {days})) AT TIME ZONE 'Europe/Paris'"


@dataclass(frozen=True)
class Employer:
    """A company of its own for a test, with one establishment and a caller that acts for it."""

    caller: Caller
    company_id: UUID
    siren: str
    siret: str


class World:
    """What tests drive. Every method waits for its effect, with a bound."""

    def __init__(
        self, config: Settings, temporal: WorkflowEnvironment, client: Client, system_pool: Pool, web_pool: Pool
    ) -> None:
        self.config = config
        self.temporal = temporal
        self.client = client
        self.system = system_pool
        self.web = web_pool
        self.cipher: FieldCipher = cipher(config)
        self.writer = Writer(self.cipher, config.public_base_url)
        self.engine = Affiliations(client, config.temporal_task_queue, timedelta(seconds=5))
        self.affiliations = self.service(DEFAULT_POLICY)
        self.sweeper = Sweeper(system_pool, self.engine, grace=timedelta(0))

    def service(self, policy: Policy) -> AffiliationService:
        return AffiliationService(self.web, self.engine, self.cipher, self.writer, policy)

    # --- people

    async def employer(self) -> Employer:
        number = next(_numbers)
        siren = synthetic_siren(number)
        siret = synthetic_siret(siren)
        async with system(self.system) as connection:
            company: UUID = await connection.fetchval(
                register.ADD_COMPANY, siren, f"HÔTEL DES TESTS {number}", "klesia", f"K{number:07d}", True
            )
            await connection.execute(
                register.ADD_ESTABLISHMENT, company, siret, f"HÔTEL DES TESTS {number}", "75011", "PARIS"
            )
        caller = Caller(f"key-{number}", (company,), frozenset({Scope.read, Scope.write}))
        return Employer(caller, company, siren, siret)

    def declaration(self, employer: Employer, **changes: Any) -> dict[str, Any]:
        """A valid pre-affiliation as JSON; `changes` replace fields of the employee."""
        number = next(_numbers)
        birth = date(1970, 1, 1) + timedelta(days=number % 10_000)
        employee = {
            "civility": Civility.madame.value,
            "last_name": "Essai",
            "birth_name": "Essai",
            "first_names": f"Camille{number}",
            "birth_date": birth.isoformat(),
            "nir": synthetic_nir(Civility.madame, birth, order=number % 998 + 1),
            "email": f"camille{number}@exemple.fr",
            "phone": synthetic_mobile(number % 100),
            "language": "fr",
            "address": {"line1": "12 rue des Essais", "postcode": "75011", "city": "Paris"},
        }
        employee.update(changes)
        return {
            "siret": employer.siret,
            "employee": employee,
            "hired_on": "2026-11-02",
            "professional_status": "NC",
            "scheme": "RG",
            "contract_kind": "cdi",
        }

    async def declare(self, employer: Employer, policy: Policy = DEFAULT_POLICY, **changes: Any) -> Life:
        """Declare somebody and follow them."""
        request = PreAffiliation.model_validate(self.declaration(employer, **changes))
        declared = await self.service(policy).declare(employer.caller, request)
        return Life(self, employer, declared.id)

    async def run(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with system(self.system) as connection:
            return await connection.fetch(query, *arguments)


class Life:
    """One affiliation under test: its clock, its state, its messages."""

    def __init__(self, world: World, employer: Employer, affiliation_id: UUID) -> None:
        self.world = world
        self.employer = employer
        self.id = affiliation_id

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(AffiliationWorkflow.run, workflow_id(str(self.id)))

    async def now(self) -> datetime:
        return await self.world.temporal.get_current_time(self.handle)

    async def advance(self, by: timedelta) -> bool:
        """Move its clock. False: it ended on the way."""
        return await asyncio.wait_for(self.world.temporal.fast_forward(self.handle, by + MARGIN), 60)

    async def advance_days(self, days: float) -> bool:
        return await self.advance(timedelta(days=days))

    async def to_next_step(self) -> bool:
        """Move its clock just beyond the next step."""
        progress = await self.progress()
        assert progress.next_step is not None
        return await self.advance(max(progress.next_step.at - await self.now(), timedelta(0)))

    async def to_the_end(self) -> None:
        while await self.advance(timedelta(days=400)):
            pass

    async def progress(self) -> Progress:
        return await self.world.engine.progress(str(self.id), timedelta(seconds=10))

    async def row(self) -> asyncpg.Record:
        rows = await self.world.run("SELECT * FROM affiliation WHERE id = $1", self.id)
        return rows[0]

    async def status(self) -> Status:
        return Status((await self.row())["status"])

    async def until(self, status: Status, seconds: float = 10) -> None:
        """Until the read model says so, and the workflow has heard of it."""
        async with asyncio.timeout(seconds):
            while await self.status() is not status:
                await asyncio.sleep(0.02)
        await self.until_heard()

    async def until_quiet(self, seconds: float = 10) -> None:
        """Until nothing is pending: the last workflow task is done and no activity runs."""
        async with asyncio.timeout(seconds):
            while True:
                described = await self.handle.describe()
                raw = described.raw_description
                if not raw.pending_activities and not raw.HasField("pending_workflow_task"):
                    return
                await asyncio.sleep(0.02)

    async def until_messages(self, count: int, seconds: float = 10) -> list[tuple[str, str]]:
        """Until so many messages have left, and the workflow has heard of it."""
        async with asyncio.timeout(seconds):
            while len(sent := await self.sent()) < count:
                await asyncio.sleep(0.02)
        await self.until_heard()
        return sent

    async def until_heard(self) -> None:
        """The activity writes the read model a moment before the workflow hears of it; a provider or worker away, or a
        server that was stopped, is no reason to wait longer."""
        with contextlib.suppress(TimeoutError, RPCError):
            await self.until_quiet(seconds=1)

    async def sent(self) -> list[tuple[str, str]]:
        """(kind, medium) of what was handed over, in order."""
        rows = await self.world.run(
            "SELECT kind, medium FROM dispatch WHERE affiliation_id = $1 AND handed_over_at IS NOT NULL"
            " ORDER BY handed_over_at, id",
            self.id,
        )
        return [(row["kind"], row["medium"]) for row in rows]

    async def sent_at(self) -> list[datetime]:
        rows = await self.world.run(
            "SELECT handed_over_at FROM dispatch WHERE affiliation_id = $1 AND handed_over_at IS NOT NULL"
            " ORDER BY handed_over_at, id",
            self.id,
        )
        return [row["handed_over_at"] for row in rows]

    async def received(self) -> list[asyncpg.Record]:
        """What lies in the local boxes."""
        return await self.world.run(
            "SELECT m.* FROM local_message m JOIN dispatch d ON d.id = m.dispatch_id"
            " WHERE d.affiliation_id = $1 ORDER BY d.handed_over_at",
            self.id,
        )

    async def events(self) -> list[str]:
        rows = await self.world.run(
            "SELECT kind FROM affiliation_event WHERE affiliation_id = $1 ORDER BY number", self.id
        )
        return [row["kind"] for row in rows]

    async def tell(self, update: Any, request: object, request_id: str | None = None) -> Progress:
        """An update, as the services send it."""
        return await self.world.engine.tell(str(self.id), update, request, request_id or str(uuid.uuid4()))

    async def history(self) -> WorkflowHistory:
        """As recorded; no workflow task may have failed on the way (they are retried silently)."""
        history = await self.handle.fetch_history()
        failed = [e.event_id for e in history.events if e.HasField("workflow_task_failed_event_attributes")]
        assert not failed, f"workflow tasks failed: {failed}"
        return history


@asynccontextmanager
async def open_world(
    config: Settings, temporal: WorkflowEnvironment, chosen: Providers | None = None, **worker_settings: Any
) -> AsyncIterator[World]:
    """A world with a worker of its own; `chosen` replaces the local boxes by other gateways."""
    config = config.model_copy(update={"temporal_task_queue": f"test-{uuid.uuid4()}", **worker_settings})
    client = Client(
        **{**temporal.client.config(active_config=True), "data_converter": DATA_CONVERTER}  # type: ignore[arg-type]
    )
    system_pool = await create_pool(config.database_url, "hcr_system", 5)
    web_pool = await create_pool(config.database_url, "hcr_web", 5)
    worker = build_worker(client, system_pool, config, chosen or providers(system_pool, config), watchful_runner())
    async with worker:
        yield World(config, temporal, client, system_pool, web_pool)
    await system_pool.close()
    await web_pool.close()
