"""Notices under test: written by the outbox, sent by their workflows, found in the local boxes."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from temporalio.client import WorkflowHandle

from activities.contracts.notices import notice_workflow_id
from db.pool import system
from messages.notices import NoticeKind
from services.notices import Outbox, Transaction
from tests.world import Employer, World
from workflows.notice import NoticeWorkflow
from workflows.notices_client import Notices


def outbox(world: World) -> Outbox:
    return Outbox(world.system, engine(world))


def engine(world: World) -> Notices:
    return Notices(world.client, world.config.temporal_task_queue, timedelta(seconds=5))


async def notify(world: World, kind: NoticeKind, **values: Any) -> UUID:
    """Written and committed; its workflow is started right after."""
    async with outbox(world).transaction() as transaction:
        added = await transaction.notify(f"test/{uuid.uuid4()}", kind, **values)
    assert added is not None
    return added


async def written(world: World, kind: NoticeKind, **values: Any) -> UUID:
    """Written and committed, and nothing starts it."""
    async with system(world.system) as connection:
        added = await Transaction(connection).notify(f"test/{uuid.uuid4()}", kind, **values)
    assert added is not None
    return added


def handle(world: World, notice_id: UUID) -> WorkflowHandle[Any, Any]:
    return world.client.get_workflow_handle_for(NoticeWorkflow.run, notice_workflow_id(str(notice_id)))


async def row(world: World, notice_id: UUID) -> asyncpg.Record:
    return (await world.run("SELECT * FROM notice WHERE id = $1", notice_id))[0]


async def settled(world: World, notice_id: UUID, seconds: float = 15) -> asyncpg.Record:
    """Its row, once it says what became of it."""
    async with asyncio.timeout(seconds):
        while (found := await row(world, notice_id))["state"] == "prepared":  # noqa: ASYNC110 (within a time limit)
            await asyncio.sleep(0.02)
    return found


async def received(world: World, notice_id: UUID) -> list[asyncpg.Record]:
    """What lies in the local boxes."""
    return await world.run("SELECT * FROM local_message WHERE dispatch_id = $1", notice_id)


# --- subjects, as their services write them


async def add_activation(world: World, employer: Employer, **changes: Any) -> UUID:
    return await _add(
        world,
        "activation",
        {
            "company_id": employer.company_id,
            "email": "camille@exemple.fr",
            "first_name": "Camille",
            "last_name": "Essai",
            "password_hash": "x",
            "terms_version": "1",
            "proof": "email",
            "token_hash": uuid.uuid4().bytes,
            "stop_hash": uuid.uuid4().bytes,
        },
        expires="24 hours",
        **changes,
    )


async def add_invitation(world: World, user_id: UUID, **changes: Any) -> UUID:
    values = {"user_id": user_id, "first_name": "Camille", "last_name": "Essai", "token_hash": uuid.uuid4().bytes}
    return await _add(world, "invitation", values, expires="72 hours", **changes)


async def add_reset(world: World, user_id: UUID, **changes: Any) -> UUID:
    values = {"user_id": user_id, "token_hash": uuid.uuid4().bytes}
    return await _add(world, "password_reset", values, expires="1 hour", **changes)


async def add_recovery(world: World, employer: Employer, **changes: Any) -> UUID:
    values = {
        "company_id": employer.company_id,
        "email": "camille@exemple.fr",
        "first_name": "Camille",
        "last_name": "Essai",
        "stop_hash": uuid.uuid4().bytes,
    }
    return await _add(world, "company_recovery", values, **changes)


async def give_office(world: World, employer: Employer) -> None:
    """The address of its registered office."""
    await world.run(
        "UPDATE company SET office_line1 = '1 place du Marché', office_postcode = '34200', office_city = 'Sète'"
        " WHERE id = $1",
        employer.company_id,
    )


async def _add(world: World, table: str, values: dict[str, Any], expires: str = "", **changes: Any) -> UUID:
    values = {**values, **changes}
    names, places = list(values), [f"${place}" for place in range(1, len(values) + 1)]
    if expires:
        names.append("expires_at")
        places.append(f"now() + interval '{expires}'")
    rows = await world.run(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(places)}) RETURNING id", *values.values()
    )
    added: UUID = rows[0]["id"]
    return added
