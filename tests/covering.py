"""Insured persons whose contract ends: rights that tests live through, with the clock of their workflow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from activities import coverage_changes
from activities.contracts.affiliation import Actor, ActorKind
from activities.contracts.rights import RightsProgress, rights_workflow_id
from activities.coverage_changes import EndOfContract, Origin
from db.pool import Connection, system
from domain.coverage_rights import CoverageFacts, StepKind
from services.coverage_rights import CoverageRightsService
from tests.insuring import add_insured
from tests.world import Employer, Life, World
from workflows.coverage_rights import RightsWorkflow
from workflows.coverage_rights_client import CoverageRights

CLERK = Actor(ActorKind.staff, "staff-1")
_CONTACT = """
INSERT INTO contact (affiliation_id, version, company_id, email, line1, postcode, city)
SELECT id, 1, company_id, $2, '12 rue des Essais', '75011', 'PARIS' FROM affiliation WHERE id = $1
"""
Change = Callable[[Connection, UUID], Awaitable[CoverageFacts | None]]


def engine(world: World) -> CoverageRights:
    return CoverageRights(world.client, world.config.temporal_task_queue, timedelta(seconds=5))


def service(world: World) -> CoverageRightsService:
    return CoverageRightsService(world.web, world.system, engine(world))


async def employer_without_dsn(world: World) -> Employer:
    employer = await world.employer()
    await world.run("UPDATE company SET emits_dsn = false WHERE id = $1", employer.company_id)
    return employer


class RightsLife(Life):
    """The rights of one insured person; its clock is its workflow's."""

    def __init__(self, world: World, employer: Employer, affiliation_id: UUID, coverage_id: UUID) -> None:
        super().__init__(world, employer, affiliation_id)
        self.coverage_id = coverage_id

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(RightsWorkflow.run, rights_workflow_id(str(self.id)))

    async def change(self, change: Change, tell: bool = True) -> CoverageFacts | None:
        """As a service does: written, then told. Not `tell`: the process ended in between."""
        async with system(self.world.system) as connection:
            facts = await change(connection, self.coverage_id)
        if facts is not None and tell:
            await engine(self.world).tell(self.coverage_id, facts)
        return facts

    async def end(self, on: date, reason: str = "043", began: date | None = None, tell: bool = True) -> None:
        end = EndOfContract(began or on - timedelta(days=400), on, reason)
        await self.change(lambda c, i: coverage_changes.declare_end(c, i, end, Origin.employer, CLERK), tell)

    async def cancel(self) -> None:
        await self.change(lambda c, i: coverage_changes.cancel_end(c, i, None, Origin.staff, CLERK))

    async def prove(self, until: date) -> None:
        await self.change(lambda c, i: coverage_changes.give_proof(c, i, until, CLERK))

    async def facts(self) -> CoverageFacts:
        async with system(self.world.system) as connection:
            return await coverage_changes.facts_of(connection, self.coverage_id)

    async def coming(self) -> RightsProgress:
        return await engine(self.world).progress(self.id, timedelta(seconds=10))

    async def through(self, kind: StepKind) -> None:
        """Move its clock until the step of this kind is done, whatever comes before it; it must be among what comes."""
        while True:
            coming = await self.coming()
            assert coming.next_step is not None
            assert kind in [step.kind for step in coming.calendar], coming.calendar
            step = coming.next_step
            if step.at <= await self.now():  # done by itself
                await self._beyond(step.kind, coming)
            elif not await self.advance(step.at - await self.now()):
                return
            else:
                await self._beyond(step.kind, coming)
            if step.kind is kind:
                return

    async def to_the_end(self) -> None:
        """Also where it is over already: nothing was to come."""
        await self.until_heard()
        while (await self.handle.describe()).close_time is None:
            with contextlib.suppress(RPCError):  # it ended this very moment
                await self.advance(timedelta(days=400))

    async def _beyond(self, kind: StepKind, before: RightsProgress) -> None:
        """Until the workflow has done this step."""
        async with asyncio.timeout(10):
            while (await self.coming()).next_step == before.next_step:  # noqa: ASYNC110 (within a time limit)
                await asyncio.sleep(0.02)
        await self.until_quiet()

    async def coverage(self) -> asyncpg.Record:
        [row] = await self.world.run("SELECT * FROM coverage WHERE id = $1", self.coverage_id)
        return row

    async def lines(self) -> list[str]:
        """The history of rights."""
        rows = await self.world.run(
            "SELECT kind FROM coverage_event WHERE coverage_id = $1 ORDER BY number", self.coverage_id
        )
        return [row["kind"] for row in rows]


async def covered(
    world: World,
    *,
    email: str | None = "camille@exemple.fr",
    starts_on: date = date(2024, 2, 1),
    dsn: bool = False,
    nir: str = "",
) -> RightsLife:
    """Somebody insured by an employer of their own, without DSN unless said otherwise."""
    employer = await world.employer() if dsn else await employer_without_dsn(world)
    coverage_id = await add_insured(world, employer, starts_on=starts_on, nir=nir)
    [row] = await world.run("SELECT affiliation_id FROM coverage WHERE id = $1", coverage_id)
    await world.run(_CONTACT, row["affiliation_id"], email)
    return RightsLife(world, employer, row["affiliation_id"], coverage_id)
