"""The one way in which anything leaves the audit log (security.md J-04, J-06)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db import erasure
from db.pool import system
from tests.world import World

FAR = datetime(2100, 1, 1, tzinfo=UTC)
ADD = "INSERT INTO audit_log (at, actor_kind, actor_id, event) VALUES (now() - $1::interval, 'system', $2, $3)"


async def add(world: World, age: timedelta, event: str) -> str:
    """A line of that age, found again by its actor."""
    actor = uuid.uuid4().hex
    async with system(world.system) as connection:
        await connection.execute(ADD, age, actor, event)
    return actor


async def left(world: World, *actors: str) -> set[str]:
    return {
        row["actor_id"] for row in await world.run("SELECT actor_id FROM audit_log WHERE actor_id = ANY ($1)", actors)
    }


async def purge(world: World, before: datetime, limit: int = 1000) -> int:
    async with system(world.system) as connection:
        purged: int = await connection.fetchval(erasure.SECURITY_LOG, before, limit)
    return purged


async def test_security_events_of_more_than_twelve_months_go_and_nothing_else(world: World) -> None:
    old = [await add(world, timedelta(days=367), event) for event in ("link.opened", "authz.denied", "auth.login.fail")]
    evidence = [await add(world, timedelta(days=4000), event) for event in ("form.submitted", "data.viewed", "linked")]
    young = await add(world, timedelta(days=364), "link.opened")
    assert await purge(world, FAR) >= 3, "whatever day is said: twelve months by the database's clock"
    assert await left(world, *old, *evidence, young) == {*evidence, young}


async def test_not_more_than_was_said(world: World) -> None:
    old = [await add(world, timedelta(days=400 + day), "link.opened") for day in range(3)]
    assert await purge(world, datetime.now(UTC) - timedelta(days=401, hours=12), 1000) >= 1
    assert await left(world, *old) == set(old[:2])
    assert await purge(world, FAR, 1) == 1
    assert await left(world, *old) == set(old[:1])


async def test_the_purge_is_in_the_log(world: World) -> None:
    await add(world, timedelta(days=500), "link.opened")
    count = "SELECT count(*) FROM audit_log WHERE event = 'log.purged'"
    before = (await world.run(count))[0]["count"]
    assert await purge(world, FAR) >= 1
    assert (await world.run(count))[0]["count"] == before + 1
    assert await purge(world, FAR) == 0
    assert (await world.run(count))[0]["count"] == before + 1


async def test_only_the_system_role_may_ask_for_it(world: World) -> None:
    async with world.web.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(erasure.SECURITY_LOG, FAR, 1)


async def test_the_owner_itself_deletes_nothing_young_and_no_evidence(world: World) -> None:
    """The table's rules hold for its owner: even as the function runs, they decide."""
    young, evidence = await add(world, timedelta(0), "link.opened"), await add(world, timedelta(days=999), "form.paper")
    connection = await asyncpg.connect(world.config.database_owner_url)
    try:
        for actor in (young, evidence):
            assert await connection.execute("DELETE FROM audit_log WHERE actor_id = $1", actor) == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO audit_log (actor_kind, event) VALUES ('staff', 'data.viewed')")
    finally:
        await connection.close()
    assert await left(world, young, evidence) == {young, evidence}
