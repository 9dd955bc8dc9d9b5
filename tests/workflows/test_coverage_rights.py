"""The rights of somebody whose contract ends, on the real server: told once, proven or not, ended, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities import coverage_changes
from activities.coverage_changes import Origin
from activities.sweep import Sweeper
from db import erasure
from db.pool import system
from domain.coverage_rights import EarlyEnd, Right, StepKind, rights_on
from domain.departures import covered_until
from domain.working_time import months_after, paris_date
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.local_boxes import LocalBoxes, LocalPost
from local.postgres import PostgresServer
from services.deliveries import DeliveryService
from settings import Settings
from tests.conftest import database_of_its_own
from tests.covering import CLERK, RightsLife, covered, engine
from tests.world import World, open_world
from workflows.coverage_rights_client import CoverageRights
from workflows.histories import Histories

TODAY = paris_date(datetime.now(UTC))
MONTH_END = covered_until(TODAY)
FIRST = MONTH_END + timedelta(days=1)
LAST = months_after(FIRST, 12) - timedelta(days=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def world(config: Settings, postgres: PostgresServer, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """In a database of its own: the sweep would wait for what other tests leave behind."""
    async with open_world(await database_of_its_own(config, postgres, "rights"), temporal) as opened:
        yield opened


async def ended(world: World, **changes: str | None) -> RightsLife:
    """Somebody whose contract ended today, and who was told."""
    life = await covered(world, **changes)  # type: ignore[arg-type]
    await life.end(TODAY)
    await life.through(StepKind.cover_end)
    return life


async def test_a_year_of_portability_proven_month_by_month(world: World) -> None:
    life = await ended(world)
    assert await life.sent() == [("cover_end", "email")]
    [letter] = await life.received()
    assert letter["pdf"].startswith(b"%PDF")  # the certificate

    until = FIRST
    while until < LAST:  # each proof counts for three months, and is asked for before the last one runs out
        until = min(months_after(FIRST, 3 + (until.year - FIRST.year) * 12 + until.month - FIRST.month) - DAY, LAST)
        await life.prove(until)
        if until < LAST:
            await life.through(StepKind.proof_reminder)
            assert paris_date(await life.now()) < until + DAY
        until += DAY
    await life.through(StepKind.portability_end)
    assert [kind for kind, _ in await life.sent()] == ["cover_end", *["proof_reminder"] * 3, "portability_end"]
    assert paris_date(await life.now()) < LAST

    facts = await life.facts()
    day, expected = date(2024, 1, 31), {Right.none, Right.active, Right.portability}
    while day <= LAST + DAY:
        of_day = rights_on(facts, day)
        right = (
            Right.none if not date(2024, 2, 1) <= day <= LAST else Right.active if day < FIRST else Right.portability
        )
        assert (of_day.right, of_day.until) == (right, LAST)
        assert of_day.proven is (right is Right.portability)
        expected.discard(right)
        day += DAY
    assert not expected

    await life.to_the_end()
    assert (await life.handle.describe()).close_time is not None
    await life.history()
    assert (await life.coverage())["next_step_kind"] is None


async def test_without_any_proof_portability_ends_and_a_late_one_opens_it_again(world: World) -> None:
    life = await ended(world)
    await life.through(StepKind.no_proof)
    await life.through(StepKind.portability_end)
    facts = await life.facts()
    assert facts.end is not None
    assert (facts.end.ended_on, facts.end.end_reason) == (MONTH_END, EarlyEnd.no_proof)
    assert rights_on(facts, FIRST).right is Right.none
    row = await life.coverage()
    assert (row["rights_until"], row["version"], row["told"]) == (MONTH_END, 2, 2)
    assert await life.lines() == ["end_declared", "portability_ended"]

    await life.prove(months_after(FIRST, 6) - DAY)
    await life.through(StepKind.rights_restored)
    assert rights_on(await life.facts(), FIRST).proven
    assert (await life.coverage())["rights_until"] == LAST
    assert [kind for kind, _ in await life.sent()] == [
        "cover_end",
        "proof_reminder",
        "proof_reminder",
        "portability_end",
        "rights_restored",
    ]
    [*_, told_last] = await life.received()
    assert "continue" in told_last["text"]


async def test_an_end_declared_wrongly_is_taken_back_and_history_shows_both(world: World) -> None:
    life = await ended(world)
    await life.cancel()
    await life.until_messages(1)
    rights = rights_on(await life.facts(), LAST)
    assert (rights.right, rights.until) == (Right.active, None)
    row = await life.coverage()
    assert (row["ends_on"], row["rights_until"]) == (None, None)
    assert await life.lines() == ["end_declared", "end_cancelled"]
    ends = await world.run("SELECT * FROM coverage_end WHERE coverage_id = $1", life.coverage_id)
    assert [(end["contract_ends_on"], end["cancelled_by"]) for end in ends] == [(TODAY, CLERK.id)]

    await life.to_the_end()
    assert [kind for kind, _ in await life.sent()] == ["cover_end", "rights_restored"]


async def test_an_end_taken_back_before_it_was_told_leaves_no_message(world: World) -> None:
    life = await covered(world)
    await life.end(TODAY + timedelta(days=60))
    await life.cancel()
    await life.to_the_end()
    assert await life.sent() == []


async def test_a_life_that_was_over_begins_again_where_it_stood(world: World) -> None:
    life = await covered(world)
    await life.end(TODAY, reason="059")
    await life.through(StepKind.cover_end)
    await life.to_the_end()
    first_run = (await life.handle.describe()).run_id

    await life.cancel()
    assert (await life.handle.describe()).run_id != first_run
    await life.to_the_end()
    await life.end(TODAY, reason="043")
    await life.through(StepKind.cover_end)
    rows = await world.run("SELECT kind, number FROM dispatch WHERE affiliation_id = $1 ORDER BY prepared_at", life.id)
    assert [tuple(row) for row in rows] == [("cover_end", 1), ("rights_restored", 1), ("cover_end", 2)]


async def test_told_twice_it_happens_once(world: World) -> None:
    life = await covered(world)
    end = TODAY
    await life.end(end)
    facts = await life.facts()
    for _ in range(3):
        await engine(world).tell(life.coverage_id, facts)
    await life.end(end)  # the same again
    await life.through(StepKind.cover_end)
    assert await life.lines() == ["end_declared"]
    assert [kind for kind, _ in await life.sent()] == ["cover_end"]
    audited = await world.run("SELECT event FROM audit_log WHERE affiliation_id = $1", life.id)
    assert [line["event"] for line in audited] == ["coverage.end_declared"]


async def test_what_temporal_did_not_hear_the_sweep_tells(world: World) -> None:
    life = await covered(world)
    await life.end(TODAY, tell=False)
    sweeper = Sweeper(world.system, world.engine, timedelta(0), rights=engine(world))
    assert (await sweeper.sweep()).rights_told >= 1
    row = await life.coverage()
    assert (row["version"], row["told"]) == (1, 1)
    assert (await sweeper.sweep()).rights_told == 0
    await life.through(StepKind.cover_end)


async def test_a_corrected_day_is_told_again(world: World) -> None:
    life = await ended(world)
    await life.end(TODAY - timedelta(days=40), reason="014")
    await life.through(StepKind.cover_end)
    assert [kind for kind, _ in await life.sent()] == ["cover_end", "cover_end"]
    assert await life.lines() == ["end_declared", "end_changed"]


@pytest.mark.parametrize("told_by", ["door", "sweep"])
async def test_an_e_mail_that_comes_back_is_followed_by_a_letter(world: World, told_by: str) -> None:
    life = await ended(world)
    [sent] = await world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    bounced = DeliveryEvent("test", str(sent["id"]), str(sent["id"]), DeliveryKind.bounced, "5.1.1", datetime.now(UTC))
    rights = engine(world) if told_by == "door" else CoverageRights(world.client, "nowhere", timedelta(0))
    post = LocalPost(LocalBoxes(world.system))
    assert await DeliveryService(world.system, world.engine, post, rights).receive([bounced]) == 1
    sweeper = Sweeper(world.system, world.engine, timedelta(0), rights=engine(world))
    assert (await sweeper.sweep()).deliveries_told == (told_by == "sweep")
    assert await life.until_messages(2) == [("cover_end", "email"), ("cover_end", "post")]


async def test_an_address_refused_at_once_is_followed_by_a_letter(world: World) -> None:
    life = await covered(world, email="personne@inconnu.example.fr")
    await life.end(TODAY)
    await life.through(StepKind.cover_end)
    sent = await world.run("SELECT medium, state FROM dispatch WHERE affiliation_id = $1 ORDER BY number", life.id)
    assert tuple(sent[0]) == ("email", "rejected")
    await life.until_messages(1)
    assert await life.sent() == [("cover_end", "post")]


async def test_nobody_is_written_to_after_a_death_and_staff_are_told(world: World) -> None:
    life = await covered(world)
    await life.end(TODAY, reason="066")
    assert (await life.coverage())["attention"] == "death"
    await life.to_the_end()
    assert await life.sent() == []


async def test_a_new_job_ends_portability_at_once(world: World) -> None:
    life = await ended(world)
    on = FIRST + timedelta(days=10)
    await life.change(lambda c, i: coverage_changes.end_portability(c, i, EarlyEnd.new_job, on, CLERK))
    await life.through(StepKind.portability_end)
    assert (await life.coverage())["rights_until"] == on
    assert [kind for kind, _ in await life.sent()] == ["cover_end", "portability_end"]


async def test_a_suspension_waits_for_staff_and_says_nothing_to_the_person(world: World) -> None:
    life = await covered(world)
    last = TODAY + timedelta(days=100)

    await life.change(lambda c, i: coverage_changes.suspend(c, i, "632", TODAY, last, None, Origin.dsn, CLERK))
    assert (await life.coverage())["attention"] == "suspension_review"
    assert rights_on(await life.facts(), TODAY).right is Right.suspended
    await life.change(lambda c, i: coverage_changes.decide_suspension(c, i, TODAY, True, CLERK))
    assert (await life.coverage())["attention"] is None
    assert rights_on(await life.facts(), TODAY).right is Right.active
    await life.to_the_end()
    await life.change(lambda c, i: coverage_changes.cancel_suspension(c, i, TODAY, Origin.dsn, CLERK))
    assert await life.lines() == ["suspended", "suspension_decided", "suspension_cancelled"]
    assert await life.sent() == []


async def test_what_staff_decide_opens_portability(world: World) -> None:
    life = await covered(world)
    await life.end(TODAY, reason="084")
    await life.through(StepKind.cover_end)
    assert (await life.coverage())["attention"] == "portability_review"
    await life.change(lambda c, i: coverage_changes.decide_portability(c, i, True, CLERK))
    row = await life.coverage()
    assert (row["attention"], row["rights_until"]) == (None, LAST)
    await life.through(StepKind.cover_end)
    assert [kind for kind, _ in await life.sent()] == ["cover_end", "cover_end"]


async def test_what_is_kept_of_it_counts_from_the_last_right(world: World) -> None:
    life = await ended(world)

    async def due(before: date) -> bool:
        rows = await world.run(erasure.COVERAGES, before, 1000)
        return life.id in [row["id"] for row in rows]

    assert not await due(LAST)
    assert await due(LAST + DAY)
    [person] = await world.run("SELECT employee_id FROM coverage WHERE id = $1", life.coverage_id)
    [row] = await world.run(erasure.AFFILIATIONS_OF_PERSON, person["employee_id"])
    assert row["coverage_ends_on"] == LAST


async def test_an_erasure_leaves_nothing_of_it_on_temporal_or_in_tables(world: World) -> None:
    life = await ended(world)
    await life.change(lambda c, i: coverage_changes.suspend(c, i, "632", TODAY, None, True, Origin.staff, CLERK))
    [person] = await world.run("SELECT employee_id FROM coverage WHERE id = $1", life.coverage_id)
    async with system(world.system) as connection:
        assert await erasure.erase(connection, person["employee_id"], [life.id], erasure.Asked("objection", "staff-1"))
    await Histories(world.client, timedelta(seconds=5)).forget(str(life.id))
    for table in ("coverage", "coverage_end", "coverage_suspension", "coverage_event"):
        assert not await world.run(f"SELECT FROM {table} WHERE affiliation_id = $1", life.id), table
    async with asyncio.timeout(10):
        while await _remembered(life):  # noqa: ASYNC110 (within a time limit)
            await asyncio.sleep(0.05)


async def test_its_history_says_nothing_personal(world: World) -> None:
    life = await ended(world)
    history = (await life.history()).to_json()
    for said in ("Camille", "Essai", "exemple.fr", "HÔTEL"):
        assert said not in history


async def _remembered(life: RightsLife) -> bool:
    try:
        await life.handle.describe()
    except RPCError as error:
        return error.status is not RPCStatusCode.NOT_FOUND
    return True
