"""Limits counted in the database; time moves by shifting what is stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from db.pool import create_pool
from services.limits import Limit, Limiter
from services.problems import TooManyRequests
from tests.world import World

LIMIT = Limit.activation_siret  # 5 in an hour: one in 720 s
COUNT, INTERVAL = LIMIT.value.count, LIMIT.value.seconds / LIMIT.value.count


@pytest.fixture
def whom() -> str:
    return f"somebody {uuid.uuid4()}"


@pytest.fixture
def limiter(world: World) -> Limiter:
    return Limiter(world.system, world.cipher)


@pytest.fixture
async def elsewhere(world: World) -> AsyncIterator[Limiter]:
    """Another process, as far as the database can tell: a pool of its own."""
    pool = await create_pool(world.config.database_url, "hcr_system", 4)
    yield Limiter(pool, world.cipher)
    await pool.close()


class Clock:
    """Moves the time of one key."""

    def __init__(self, world: World, limit: Limit, whom: str) -> None:
        self._world = world
        self._key = world.cipher.blind_index(whom, f"limit.{limit.name}")

    async def advance(self, seconds: float) -> None:
        await self._world.run(
            "UPDATE rate_limit SET tat = tat - make_interval(secs => $2) WHERE key = $1", self._key, seconds
        )

    async def tat(self) -> object:
        rows = await self._world.run("SELECT tat FROM rate_limit WHERE key = $1", self._key)
        return rows[0]["tat"] if rows else None


async def taken(limiter: Limiter, whom: str, limit: Limit = LIMIT) -> bool:
    try:
        await limiter.take(limit, whom)
    except TooManyRequests:
        return False
    return True


async def test_so_many_at_once_then_one_in_each_interval(world: World, limiter: Limiter, whom: str) -> None:
    clock = Clock(world, LIMIT, whom)
    assert [await taken(limiter, whom) for _ in range(COUNT + 2)] == [True] * COUNT + [False] * 2
    for _ in range(3):
        await clock.advance(INTERVAL - 5)
        assert not await taken(limiter, whom)
        await clock.advance(5)
        assert [await taken(limiter, whom) for _ in range(2)] == [True, False]


async def test_what_was_not_used_is_saved_up_to_the_count_and_no_further(
    world: World, limiter: Limiter, whom: str
) -> None:
    clock = Clock(world, LIMIT, whom)
    assert all([await taken(limiter, whom) for _ in range(COUNT)])
    await clock.advance(2 * INTERVAL)
    assert [await taken(limiter, whom) for _ in range(3)] == [True, True, False]
    await clock.advance(100 * INTERVAL)
    assert [await taken(limiter, whom) for _ in range(COUNT + 1)] == [True] * COUNT + [False]


async def test_a_refusal_counts_nothing_and_says_how_long_to_wait(world: World, limiter: Limiter, whom: str) -> None:
    clock = Clock(world, LIMIT, whom)
    for _ in range(COUNT):
        await limiter.take(LIMIT, whom)
    before = await clock.tat()
    for _ in range(3):
        with pytest.raises(TooManyRequests) as refused:
            await limiter.take(LIMIT, whom)
        assert refused.value.retry_after == pytest.approx(INTERVAL, abs=3)
    assert await clock.tat() == before
    await clock.advance(INTERVAL - 100)
    with pytest.raises(TooManyRequests) as refused:
        await limiter.take(LIMIT, whom)
    assert refused.value.retry_after == pytest.approx(100, abs=3)


async def test_the_wait_that_was_told_is_enough(world: World, limiter: Limiter, whom: str) -> None:
    for _ in range(COUNT):
        await limiter.take(LIMIT, whom)
    with pytest.raises(TooManyRequests) as refused:
        await limiter.take(LIMIT, whom)
    assert refused.value.retry_after is not None
    await Clock(world, LIMIT, whom).advance(refused.value.retry_after)
    await limiter.take(LIMIT, whom)


async def test_twenty_at_the_same_time_in_two_processes_are_exactly_the_count(
    limiter: Limiter, elsewhere: Limiter, whom: str
) -> None:
    answers = await asyncio.gather(*(taken(one, whom) for one in (limiter, elsewhere) for _ in range(10)))
    assert answers.count(True) == COUNT


async def test_what_one_process_took_the_other_knows(limiter: Limiter, elsewhere: Limiter, whom: str) -> None:
    for _ in range(COUNT):
        await limiter.take(LIMIT, whom)
    assert not await taken(elsewhere, whom)
    await elsewhere.forget(LIMIT, whom)
    assert await taken(limiter, whom)


async def test_each_limit_and_each_person_counts_apart(limiter: Limiter, whom: str) -> None:
    for _ in range(COUNT):
        await limiter.take(LIMIT, whom)
    assert not await taken(limiter, whom)
    assert await taken(limiter, whom + "'s neighbour")
    assert await taken(limiter, whom, Limit.reset_account)


async def test_asking_whether_takes_nothing(world: World, limiter: Limiter, whom: str) -> None:
    clock = Clock(world, LIMIT, whom)
    assert await limiter.allows(LIMIT, whom)
    assert await clock.tat() is None
    for _ in range(COUNT):
        assert await limiter.allows(LIMIT, whom)
        await limiter.take(LIMIT, whom)
    before = await clock.tat()
    assert not await limiter.allows(LIMIT, whom)
    assert await clock.tat() == before
    await clock.advance(INTERVAL)
    assert await limiter.allows(LIMIT, whom)


async def test_forgetting_opens_at_once(limiter: Limiter, whom: str) -> None:
    for _ in range(COUNT):
        await limiter.take(LIMIT, whom)
    await limiter.forget(LIMIT, whom)
    assert [await taken(limiter, whom) for _ in range(COUNT + 1)] == [True] * COUNT + [False]


async def test_no_address_stands_in_the_table(world: World, limiter: Limiter) -> None:
    address = "203.0.113.77/32"
    before = {bytes(row["key"]) for row in await world.run("SELECT key FROM rate_limit")}
    await limiter.take(Limit.login_address, address)
    [key] = {bytes(row["key"]) for row in await world.run("SELECT key FROM rate_limit")} - before
    assert len(key) == 32
    assert b"203.0.113" not in key


@pytest.mark.parametrize("limit", [Limit.reset_address, Limit.code_global], ids=lambda limit: limit.name)
async def test_limits_of_everybody_take_their_whole_count(
    world: World, limiter: Limiter, whom: str, limit: Limit
) -> None:
    """Many small intervals add up: the last one still fits."""
    await limiter.take(limit, whom)
    interval = limit.value.seconds / limit.value.count
    await Clock(world, limit, whom).advance(-interval * (limit.value.count - 2))
    assert [await taken(limiter, whom, limit), await limiter.allows(limit, whom)] == [True, False]
