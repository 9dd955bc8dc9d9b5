"""Recoveries of companies under test: the workflow's clock, and what the database says of each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import WorkflowHandle

from activities.contracts.company_recovery import company_recovery_workflow_id
from domain.company_recovery import RecoveryState
from domain.rights import Role
from gateways.access_links import LinkKind, link_hash
from tests.activating import code_of, company, notices
from tests.noticing import add_recovery, settled
from tests.users import TestUser, add_user
from tests.world import Employer, Life, World
from workflows.company_recoveries import CompanyRecoveries
from workflows.company_recovery import CompanyRecoveryWorkflow

ASKS = "claude.repreneur@exemple.fr"


def engine(world: World) -> CompanyRecoveries:
    return CompanyRecoveries(world.client, world.config.temporal_task_queue, timedelta(seconds=5))


class Recovery(Life):
    """One recovery; its clock is its own."""

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(
            CompanyRecoveryWorkflow.run, company_recovery_workflow_id(str(self.id))
        )

    async def state(self) -> RecoveryState:
        rows = await self.world.run("SELECT state FROM company_recovery WHERE id = $1", self.id)
        return RecoveryState(rows[0]["state"])

    async def until_state(self, state: RecoveryState, seconds: float = 10) -> None:
        """Until the database says so, and the workflow has heard of it."""
        async with asyncio.timeout(seconds):
            while await self.state() is not state:  # noqa: ASYNC110 (within a time limit)
                await asyncio.sleep(0.02)
        await self.until_heard()

    async def until_posted(self) -> None:
        """Until the letter has left and its code is waited for."""
        await self.until_state(RecoveryState.letter_sent)
        await settled(self.world, (await notices(self.world, self.employer, "recovery_letter"))[0]["id"])
        await self.until_quiet()

    async def code(self) -> str:
        return await code_of(self.world, (await notices(self.world, self.employer, "recovery_letter"))[0])

    async def enter_code(self) -> None:
        """The letter's code, as the service tells it."""
        letter = (await notices(self.world, self.employer, "recovery_letter"))[0]
        assert await engine(self.world).enter_code(self.id, letter["id"]) is not None
        await self.until_quiet()

    async def stop(self) -> None:
        """Somebody objects, as the service writes and tells it."""
        await self.object()
        await engine(self.world).stop(self.id)

    async def object(self) -> None:
        """Written, and told to nobody."""
        await self.world.run(
            "UPDATE company_recovery SET state = 'stopped', ended_at = now(), stopped_by = 'contact' WHERE id = $1",
            self.id,
        )

    async def ended(self) -> RecoveryState:
        result = await asyncio.wait_for(self.handle.result(), 20)
        return RecoveryState(result.state)


async def orphaned(world: World) -> tuple[Employer, TestUser]:
    """A company with an office and a known contact, and its administrator, who may be gone."""
    employer = await company(world)
    return employer, await add_user(world, {employer.company_id: Role.administrator})


async def begun(world: World, employer: Employer, **changes: Any) -> Recovery:
    """A request as the service writes it, started, whose letter has left."""
    recovery = await started(world, employer, **changes)
    await recovery.until_posted()
    return recovery


async def started(world: World, employer: Employer, **changes: Any) -> Recovery:
    recovery_id = await asked(world, employer, **changes)
    await engine(world).start(recovery_id)
    return Recovery(world, employer, recovery_id)


async def asked(world: World, employer: Employer, **changes: Any) -> UUID:
    """A request that nothing has started."""
    recovery_id: UUID = (await world.run("SELECT uuidv7() AS id"))[0]["id"]
    values = {
        "email": ASKS,
        "first_name": "Claude",
        "last_name": "Repreneur",
        "stop_hash": link_hash(world.cipher, LinkKind.recovery_stop, recovery_id),
    }
    return await add_recovery(world, employer, id=recovery_id, **{**values, **changes})
