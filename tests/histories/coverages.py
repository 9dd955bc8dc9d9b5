"""The paths that the rights of an insured person can take after an end of contract or a leave without pay: recorded
beside the affiliations'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from activities import coverage_changes
from activities.contracts.rights import RightsDeliveryFailed
from activities.coverage_changes import Origin
from domain.coverage_rights import EarlyEnd, RightsMessage, StepKind
from domain.departures import covered_until
from domain.media import Medium
from domain.working_time import months_after, paris_date
from tests.covering import CLERK, RightsLife, covered, engine
from tests.histories import gateways
from tests.world import World

Path = Callable[[World], Awaitable[RightsLife]]
TODAY = paris_date(datetime.now(UTC))
FIRST = covered_until(TODAY) + timedelta(days=1)


async def rights_resigned(world: World) -> RightsLife:
    life = await covered(world)
    await life.end(TODAY, reason="059")
    await life.through(StepKind.cover_end)
    await life.to_the_end()
    return life


async def rights_proven_to_the_end(world: World) -> RightsLife:
    life = await _told(world)
    await life.prove(months_after(FIRST, 3) - timedelta(days=1))
    await life.through(StepKind.proof_reminder)
    await life.prove(months_after(FIRST, 12) - timedelta(days=1))
    await life.through(StepKind.portability_end)
    await life.to_the_end()
    return life


async def rights_unproven_then_proven_late(world: World) -> RightsLife:
    life = await _told(world)
    await life.through(StepKind.portability_end)
    await life.prove(FIRST)
    await life.through(StepKind.rights_restored)
    return life


async def rights_end_taken_back(world: World) -> RightsLife:
    life = await _told(world)
    await life.cancel()
    await life.to_the_end()
    return life


async def rights_ended_by_a_new_job(world: World) -> RightsLife:
    life = await _told(world)
    await life.change(lambda c, i: coverage_changes.end_portability(c, i, EarlyEnd.new_job, FIRST, CLERK))
    await life.through(StepKind.portability_end)
    return life


async def rights_told_by_post_after_all(world: World) -> RightsLife:
    life = await _told(world)
    lost = RightsDeliveryFailed(RightsMessage.cover_end, 1, Medium.email)
    await world.run("UPDATE dispatch SET state = 'rejected' WHERE affiliation_id = $1", life.id)
    await engine(world).delivery_failed(life.id, lost)
    await life.until_messages(2)
    return life


async def rights_of_an_unknown_address(world: World) -> RightsLife:
    life = await covered(world, email=gateways.NOBODY)
    await life.end(TODAY)
    await life.through(StepKind.cover_end)
    await life.until_messages(1)
    return life


async def rights_suspended(world: World) -> RightsLife:
    life = await covered(world)
    await life.change(lambda c, i: coverage_changes.suspend(c, i, "632", TODAY, None, None, Origin.dsn, CLERK))
    await life.to_the_end()
    return life


async def _told(world: World) -> RightsLife:
    life = await covered(world)
    await life.end(TODAY)
    await life.through(StepKind.cover_end)
    return life


COVERAGES: Mapping[str, Path] = {
    path.__name__: path
    for path in (
        rights_resigned,
        rights_proven_to_the_end,
        rights_unproven_then_proven_late,
        rights_end_taken_back,
        rights_ended_by_a_new_job,
        rights_told_by_post_after_all,
        rights_of_an_unknown_address,
        rights_suspended,
    )
}
