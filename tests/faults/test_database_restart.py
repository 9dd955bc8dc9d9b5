"""PostgreSQL killed and restarted in the middle of a hand-over: it goes on, and one message leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.hand_over import MessageDesk
from db.migrate import migrate
from domain.affiliation import Status
from local.database import APPLICATION, OWNER, grant_roles, prepare
from local.postgres import PostgresServer
from settings import Settings
from tests.faults.breaking import changed
from tests.standins.sendgrid import SendGridStandin
from tests.world import open_world


@pytest.fixture(scope="module")
async def doomed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """A server of its own, with the application's database."""
    passwords = {"postgres": "superuser", OWNER: "owner", APPLICATION: "application"}
    async with PostgresServer(tmp_path_factory.mktemp("doomed"), passwords=passwords) as server:
        await prepare(server, "hcr")
        await migrate(server.url(OWNER, "hcr"))
        await grant_roles(server)
        yield server


@pytest.mark.parametrize("moment", ["_call", "_record"])
async def test_the_database_dies_before_the_call_or_before_the_record(
    moment: str,
    config: Settings,
    temporal: WorkflowEnvironment,
    sendgrid: SendGridStandin,
    doomed: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    quick_retries: None,
) -> None:
    honest, there, go_on = getattr(MessageDesk, moment), asyncio.Event(), asyncio.Event()

    async def slow(desk: MessageDesk, *arguments: Any) -> Any:
        there.set()
        await go_on.wait()
        return await honest(desk, *arguments)

    broken = changed(config, database_url=doomed.url(APPLICATION, "hcr"), **sendgrid.settings)
    async with open_world(broken, temporal) as world:
        monkeypatch.setattr(MessageDesk, moment, slow)
        life = await world.declare(await world.employer())
        await asyncio.wait_for(there.wait(), 10)
        doomed.kill()
        await doomed.wait()
        go_on.set()
        await doomed.start()
        await life.until(Status.sent, 30)
        assert len(sendgrid.taken) == 1
        assert await life.sent() == [("invitation", "email")]
        assert await life.events() == ["declared", "message_handed_over"]
        await life.to_next_step()
        assert await life.until_messages(2) == [("invitation", "email"), ("reminder", "email")]
