"""A waiver that ends brings the person back, once; on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import EMPLOYEE_ACTOR, SIREN, SIRET, StartAffiliation
from activities.contracts.waivers import Renew, Renewal, WaiverEnded, waiver_workflow_id
from activities.renewal import Renewer
from db import affiliations
from db.pool import system
from domain.affiliation import Refusal, Refused, Status
from domain.policy import DEFAULT_POLICY
from domain.working_time import PARIS, is_working_day
from local.postgres import PostgresServer
from settings import Settings
from tests.conftest import database_of_its_own
from tests.histories.paths import WAIVED_UNTIL
from tests.histories.scene import Scene, WaiverLife
from tests.world import Life, World, open_world
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning


@pytest.fixture(scope="module")
async def world(config: Settings, postgres: PostgresServer, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    """In a database of its own: the sweep would wait for what other tests leave behind."""
    async with open_world(await database_of_its_own(config, postgres, "waivers"), temporal) as opened:
        yield opened


async def test_a_year_later_the_person_is_asked_again_once_and_told_why(world: World) -> None:
    life, waiver = await waived(world)
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]
    asked_again = (await world.engine.waiver_progress(str(life.id), timedelta(seconds=5))).renews_at
    assert asked_again is not None
    local = asked_again.astimezone(PARIS)
    assert is_working_day(local.date())
    assert WAIVED_UNTIL - timedelta(days=30) <= local.date() <= WAIVED_UNTIL - timedelta(days=25)

    await waiver.advance(asked_again - await waiver.now() - timedelta(hours=1))
    assert await renewals(life) == []
    await waiver.advance(timedelta(hours=2))
    renewed = await waiver.handle.result()

    again = Life(world, life.employer, (await renewals(life))[0])
    assert (renewed.outcome, renewed.affiliation_id) == (Renewal.renewed, str(again.id))
    assert await again.until_messages(1) == [("invitation", "email")]
    row, former = await again.row(), await life.row()
    assert (row["origin"], row["former_id"], row["declared_by"]) == ("waiver_ended", life.id, "system")
    for copied in ("employee_id", "establishment_id", "language", "hired_on", "scheme", "contract_kind"):
        assert row[copied] == former[copied]
    async with system(world.system) as connection:
        person = await affiliations.person(connection, again.id)
    assert person is not None
    assert (person["origin"], person["waiver_ended_on"]) == ("waiver_ended", WAIVED_UNTIL)
    lines = await world.run("SELECT * FROM affiliation_event WHERE affiliation_id = $1 AND number = 0", again.id)
    assert (lines[0]["kind"], lines[0]["actor_kind"], lines[0]["details"]) == (
        "declared",
        "system",
        {"former": str(life.id)},
    )
    audited = await world.run("SELECT event FROM audit_log WHERE affiliation_id = $1", again.id)
    assert [line["event"] for line in audited] == ["affiliation.waiver_ended"]


async def test_the_waiver_s_workflow_is_found_like_its_affiliation_and_names_nobody(world: World) -> None:
    life, waiver = await waived(world)
    attributes = (await waiver.handle.describe()).typed_search_attributes
    assert (attributes[SIRET], attributes[SIREN]) == (life.employer.siret, life.employer.siren)
    details = str(await waiver.handle.query("__temporal_workflow_metadata"))
    assert f"until {WAIVED_UNTIL}" in details


async def test_an_early_end_asks_the_person_at_once(world: World) -> None:
    life, waiver = await waived(world)
    today = datetime.now(UTC).date()
    progress = await world.engine.end_waiver(str(life.id), WaiverEnded(EMPLOYEE_ACTOR, today), "ended")
    assert (progress.ends_on, progress.renews_at) == (today, None)
    assert (await waiver.handle.result()).outcome == Renewal.renewed
    assert len(await renewals(life)) == 1
    rows = await world.run("SELECT ended_on FROM waiver WHERE affiliation_id = $1", life.id)
    assert rows[0]["ended_on"] == today
    assert await world.engine.end_waiver(str(life.id), WaiverEnded(EMPLOYEE_ACTOR, today), "ended") == progress
    with pytest.raises(NotRunning):
        await world.engine.end_waiver(str(life.id), WaiverEnded(EMPLOYEE_ACTOR, today), "again")


async def test_a_waiver_does_not_end_early_after_its_end(world: World) -> None:
    life, waiver = await waived(world)
    late = WaiverEnded(EMPLOYEE_ACTOR, WAIVED_UNTIL + timedelta(days=1))
    with pytest.raises(Refusal) as refused:
        await world.engine.end_waiver(str(life.id), late, "late")
    assert refused.value.code is Refused.waiver_ended
    assert await waiver.now() is not None


async def test_a_waiver_started_before_is_not_started_again(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until_messages(1)
    await world.client.start_workflow(
        "Waiver",
        {
            "affiliation_id": str(life.id),
            "ends_on": WAIVED_UNTIL.isoformat(),
            "notice_days": 30,
            "opens": "09:00",
            "closes": "18:00",
        },
        id=waiver_workflow_id(str(life.id)),
        task_queue=world.config.temporal_task_queue,
    )
    await Scene(world).waive(life, WAIVED_UNTIL)
    await life.handle.result()
    await life.history()


# --- the activity


async def test_cut_off_between_the_row_and_its_workflow_it_goes_on_with_the_same_row(world: World) -> None:
    life, _ = await waived(world)
    with pytest.raises(Cut):
        await renewer(world, Cutting).renew(order(life))
    before = await renewals(life)
    renewed = await renewer(world).renew(order(life))
    assert await renewals(life) == before == [UUID(renewed.affiliation_id or "")]
    assert await Life(world, life.employer, before[0]).until_messages(1) == [("invitation", "email")]


async def test_written_while_temporal_is_away_it_is_started_by_the_sweep(world: World) -> None:
    life, _ = await waived(world)
    renewed = await renewer(world, Away).renew(order(life))
    await world.sweeper.sweep()
    again = Life(world, life.employer, UUID(renewed.affiliation_id or ""))
    await again.until(Status.sent)
    assert (await again.row())["policy"] == (await life.row())["policy"]


async def test_renewed_five_times_at_once_there_is_one(world: World) -> None:
    life, _ = await waived(world)
    outcomes = await asyncio.gather(*(renewer(world).renew(order(life)) for _ in range(5)))
    assert len(set(outcomes)) == 1
    assert len(await renewals(life)) == 1


async def test_who_is_on_their_way_already_is_not_asked_twice(world: World) -> None:
    life, _ = await waived(world)
    other = await world.run(
        "INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on,"
        " professional_status, scheme, contract_kind, declared_by, policy, medium)"
        " SELECT uuidv7(), company_id, establishment_id, employee_id, language, hired_on, professional_status, scheme,"
        " contract_kind, declared_by, policy, medium FROM affiliation WHERE id = $1 RETURNING id",
        life.id,
    )
    renewed = await renewer(world).renew(order(life))
    assert (renewed.outcome, renewed.affiliation_id) == (Renewal.already_open, str(other[0]["id"]))
    assert await renewals(life) == []
    await world.run("UPDATE affiliation SET status = 'abandoned', version = 1 WHERE id = $1", other[0]["id"])


@pytest.mark.parametrize(
    ("ends_on", "outcome"),
    [
        (None, Renewal.covered),
        (WAIVED_UNTIL + timedelta(days=1), Renewal.covered),
        (WAIVED_UNTIL, Renewal.renewed),
    ],
)
async def test_who_is_insured_is_not_asked(world: World, ends_on: date | None, outcome: Renewal) -> None:
    life, _ = await waived(world)
    await world.run(
        "INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on,"
        " ends_on) SELECT uuidv7(), company_id, establishment_id, employee_id, id, 'BASE CCN HCR NC SEUL RG', hired_on,"
        " $2 FROM affiliation WHERE id = $1",
        life.id,
        ends_on,
    )
    assert (await renewer(world).renew(order(life))).outcome is outcome


async def test_nobody_is_asked_for_an_establishment_that_has_closed(world: World) -> None:
    life, _ = await waived(world)
    await world.run("UPDATE establishment SET closed_on = $2 WHERE siret = $1", life.employer.siret, WAIVED_UNTIL)
    assert (await renewer(world).renew(order(life))).outcome is Renewal.establishment_closed
    assert await renewals(life) == []


async def test_an_unknown_affiliation_is_not_tried_for_ever(world: World) -> None:
    with pytest.raises(ApplicationError) as failed:
        await renewer(world).renew(Renew("01a207fd-1f8d-7b0d-8eca-000000000000", WAIVED_UNTIL))
    assert failed.value.non_retryable


async def test_the_employee_s_own_contact_comes_along(world: World) -> None:
    life, _ = await waived(world)
    await world.run("UPDATE contact SET given_by = 'employee', email = NULL WHERE affiliation_id = $1", life.id)
    renewed = await renewer(world).renew(order(life))
    rows = await world.run("SELECT * FROM contact WHERE affiliation_id = $1", UUID(renewed.affiliation_id or ""))
    assert [(row["version"], row["given_by"], row["email"]) for row in rows] == [(1, "employee", None)]
    again = Life(world, life.employer, UUID(renewed.affiliation_id or ""))
    assert await again.until_messages(1) == [("invitation", "post")]


# --- pieces of these tests


class Cut(Exception):
    """The worker died here."""


class Cutting(Affiliations):
    async def start(self, start: StartAffiliation, siret: str, siren: str) -> None:
        raise Cut


class Away(Affiliations):
    async def start(self, start: StartAffiliation, siret: str, siren: str) -> None:
        raise EngineAway("away")


async def waived(world: World) -> tuple[Life, WaiverLife]:
    """Somebody whose form ended in a waiver, and the waiver."""
    scene = Scene(world)
    life = await scene.declare()
    await scene.waive(life, WAIVED_UNTIL)
    await life.handle.result()
    return life, scene.waiver_of(life)


def renewer(world: World, engine: type[Affiliations] = Affiliations) -> Renewer:
    temporal = engine(world.client, world.config.temporal_task_queue, timedelta(seconds=5))
    return Renewer(world.system, temporal, DEFAULT_POLICY)


def order(life: Life) -> Renew:
    return Renew(str(life.id), WAIVED_UNTIL)


async def renewals(life: Life) -> list[UUID]:
    rows = await life.world.run("SELECT id FROM affiliation WHERE former_id = $1", life.id)
    return [row["id"] for row in rows]
