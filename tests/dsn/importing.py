"""DSN files received, read and carried out, without a workflow around it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from activities.contracts.affiliation import Actor, ActorKind
from activities.contracts.dsn import DsnBatch, DsnRecorded, DsnStep
from activities.dsn_changes import Decided, DsnApplier, decide
from activities.dsn_import import DsnImporter
from db import dsn
from db.pool import system
from domain.coverage_rights import CoverageFacts
from gateways.files.storage import open_store
from gateways.files.streams import StreamVault
from tests.domain.dsn.files import ADHESION, Monthly, Rubriques, envoi, person, written
from tests.world import Employer, World

STAFF = Actor(ActorKind.staff, "00000000-0000-7000-8000-000000000001")
MOST = 200 * 1024 * 1024


@dataclass
class Told:
    """Stands where the workflows are told."""

    facts: list[tuple[UUID, CoverageFacts]] = field(default_factory=list)

    async def tell(self, coverage_id: UUID, facts: CoverageFacts) -> None:
        self.facts.append((coverage_id, facts))


class Desk:
    def __init__(self, world: World) -> None:
        self.world = world
        self.files = StreamVault(open_store("memory://"), world.cipher, "dsn_import")
        self.told = Told()
        self.importer = self.reading()
        self.applier = DsnApplier(world.system, world.cipher, self.told)

    def reading(self, **settings: Any) -> DsnImporter:
        return DsnImporter(self.world.system, self.files, self.world.cipher, (ADHESION,), **settings)

    async def receive(self, source: io.BytesIO) -> UUID:
        """The import's id; the earlier one's where the content is known."""

        async def content() -> AsyncIterator[bytes]:
            yield source.getvalue()

        [row] = await self.world.run("SELECT uuidv7() AS id")
        import_id: UUID = row["id"]
        stored = await self.files.put(content(), str(import_id), MOST)
        async with system(self.world.system) as connection:
            new = await connection.fetchval(
                dsn.ADD_IMPORT,
                *(import_id, "upload", "", None),
                *(stored.sha256, stored.size, stored.object_key, stored.data_key_sealed),
            )
            if new is None:
                known: UUID = await connection.fetchval(dsn.IMPORT_OF_CONTENT, stored.sha256)
                return known
        return import_id

    async def record(self, import_id: UUID, importer: DsnImporter | None = None) -> DsnRecorded:
        """Look through and record to the end; the counts of the whole file."""
        importer = importer or self.importer
        surveyed = await importer.survey(DsnStep(str(import_id)))
        assert not surveyed.refused
        last, done = 0, surveyed.declarations == 0
        while not done:
            recorded = await importer.record(DsnBatch(str(import_id), last))
            assert recorded.last > last
            last, done = recorded.last, recorded.done
        return await importer.record(DsnBatch(str(import_id), 0))

    async def read(self, *declared: Monthly, source: io.BytesIO | None = None) -> UUID:
        """A file of these declarations, recorded and carried out as far as nobody need decide."""
        import_id = await self.receive(source or written(envoi(*declared)))
        await self.record(import_id)
        await self.apply(import_id)
        await self.importer.finish(DsnStep(str(import_id)))
        return import_id

    async def apply(self, import_id: UUID) -> None:
        last, done = 0, False
        while not done:
            applied = await self.applier.apply(DsnBatch(str(import_id), last))
            last, done = applied.last, applied.done

    async def changes(self, employer: Employer) -> list[asyncpg.Record]:
        return await self.world.run(
            "SELECT c.* FROM dsn_change c JOIN dsn_declaration d ON d.id = c.declaration_id"
            " WHERE c.company_id = $1 ORDER BY c.recorded_at, d.number, c.line, c.kind, c.key, c.reason",
            employer.company_id,
        )

    async def states(self, employer: Employer) -> list[tuple[str, str, str]]:
        """(kind, decision, state) of what was proposed of a company."""
        return [(row["kind"], row["decision"], row["state"]) for row in await self.changes(employer)]

    async def declarations(self, import_id: UUID) -> list[str]:
        rows = await self.world.run("SELECT state FROM dsn_declaration WHERE import_id = $1 ORDER BY number", import_id)
        return [row["state"] for row in rows]

    async def decide(self, change: asyncpg.Record, accepted: bool = True) -> Decided:
        async with system(self.world.system) as connection:
            return await decide(connection, self.world.cipher, change["id"], accepted, "", STAFF)

    def opened(self, table: str, row: asyncpg.Record) -> dict[str, Any]:
        text = self.world.cipher.decrypt(row["person_sealed"], table, "person", str(row["id"]))
        found: dict[str, Any] = json.loads(text)
        return found


def declared_by(employer: Employer) -> Callable[..., Monthly]:
    """`Monthly` of this employer's establishment."""

    def monthly(*people: Rubriques, **settings: Any) -> Monthly:
        return Monthly(list(people), siren=employer.siren, nic=employer.siret[9:], **settings)

    return monthly


def somebody(nir: str, *contracts: Rubriques, **settings: Any) -> list[tuple[str, str]]:
    """Declared with the 13 characters of their number."""
    return person(*contracts, nir=nir[:13], **settings)
