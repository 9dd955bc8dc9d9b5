"""A system with its own database and file store: a purge six years ahead would leave nothing to the other tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from temporalio.testing import WorkflowEnvironment

from activities.erasure import Eraser
from activities.nightly import Nightly
from api.app import create_app
from composition import vault
from db.migrate import migrate
from domain.affiliation import Status
from domain.rights import StaffRole
from gateways.files.storage import FileVault
from local.database import APPLICATION, OWNER, prepare
from local.postgres import PostgresServer
from services.callers import STAFF_SCOPES, Scope
from settings import Settings
from tests.api.conftest import BASE, client, employee_of, key_for
from tests.enrolling import alone, save, send, upload
from tests.gateways.files.samples import certificate_pdf, rib_pdf
from tests.world import Employer, Life, World, open_world
from workflows.histories import Histories

NAME = "retention"


@dataclass(frozen=True)
class Kept:
    """The system under test, and what its night is made of."""

    world: World
    app: FastAPI
    directory: Path
    vault: FileVault
    eraser: Eraser
    nightly: Nightly

    async def count(self, query: str, *arguments: object) -> int:
        [row] = await self.world.run(f"SELECT count(*) FROM {query}", *arguments)
        return int(row["count"])

    async def employee(self, life: Life) -> UUID:
        employee_id: UUID = (await life.row())["employee_id"]
        return employee_id

    def files(self) -> set[str]:
        """The keys of what lies in the store."""
        return {path.relative_to(self.directory).as_posix() for path in self.directory.rglob("*") if path.is_file()}

    async def object_keys(self, life: Life) -> set[str]:
        rows = await self.world.run("SELECT object_key FROM document WHERE affiliation_id = $1", life.id)
        return {row["object_key"] for row in rows}

    async def declare(self, employer: Employer | None = None, **changes: object) -> Life:
        """As an employer's software does, with an idempotency key."""
        employer = employer or await self.world.employer()
        declared = self.world.declaration(employer, **changes)
        async with client(self.app, await key_for(self.world, employer, Scope.read, Scope.write)) as http:
            answer = await http.post(
                f"{BASE}/affiliations", json=declared, headers={"Idempotency-Key": declared["employee"]["nir"][::-1]}
            )
            assert answer.status_code == 201, answer.text
        life = Life(self.world, employer, UUID(answer.json()["id"]))
        await life.until(Status.sent)
        return life

    async def draft(self, life: Life, answers: dict[str, str] | None = None) -> None:
        """Answers and a document, not sent."""
        async with employee_of(self.app, life) as http:
            await save(http, answers or alone())
            await self._upload(http, answers or alone())

    async def complete(self, life: Life, answers: dict[str, str] | None = None) -> None:
        """Answers, two documents, sent."""
        answers = answers or alone()
        async with employee_of(self.app, life) as http:
            version = await save(http, answers)
            if answers["path"] == "join":
                await self._upload(http, answers)
            sent = await send(http, version)
            assert sent.status_code == 200, sent.text
        await life.until(Status.finalised)

    async def _upload(self, http: httpx2.AsyncClient, answers: dict[str, str]) -> None:
        holder = answers["account_holder"]
        files = {
            "rib": rib_pdf(answers["iban"], holder),
            "social_security_certificate": certificate_pdf(answers["nir"].replace(" ", ""), holder),
        }
        for piece, content in files.items():
            added = await upload(http, piece, f"{holder} {piece}.pdf", content)
            assert added.status_code == 201, added.text

    async def withdraw(self, life: Life) -> None:
        async with client(self.app, await key_for(self.world, life.employer, Scope.read, Scope.write)) as http:
            answer = await http.post(f"{BASE}/affiliations/{life.id}/withdrawal", json={"reason": "other"})
            assert answer.status_code == 200, answer.text
        await life.until(Status.abandoned)

    async def end_coverage(self, life: Life, days_ago: int = 0) -> None:
        """As a radiation will; nothing waits for its documents any more."""
        await self.world.run(
            "UPDATE coverage SET ends_on = (now() AT TIME ZONE 'Europe/Paris')::date - $2::integer"
            " WHERE affiliation_id = $1",
            life.id,
            days_ago,
        )


@pytest.fixture(scope="session")
async def kept(
    postgres: PostgresServer,
    config: Settings,
    temporal: WorkflowEnvironment,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Kept]:
    await prepare(postgres, NAME)
    await migrate(postgres.url(OWNER, NAME))
    directory = tmp_path_factory.mktemp("documents")
    own = config.model_copy(
        update={
            "database_url": postgres.url(APPLICATION, NAME),
            "database_owner_url": postgres.url(OWNER, NAME),
            "documents_url": directory.as_uri(),
        }
    )
    async with open_world(own, temporal) as world:
        app = create_app(world.config, world.client)
        async with app.router.lifespan_context(app):
            files = vault(world.config)
            eraser = Eraser(world.system, files, Histories(world.client, timedelta(seconds=5)))
            yield Kept(world, app, directory, files, eraser, Nightly(world.system, files, eraser))


@pytest.fixture
async def staff(kept: Kept) -> AsyncIterator[httpx2.AsyncClient]:
    key = await key_for(kept.world, await kept.world.employer(), *STAFF_SCOPES[StaffRole.super])
    async with client(kept.app, key) as http:
        yield http
