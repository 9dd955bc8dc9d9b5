"""After the form: pieces asked for, reminded, given up to staff, received, checked; on the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import TypeAdapter
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import (
    EMPLOYEE_ACTOR,
    SYSTEM_ACTOR,
    Actor,
    ActorKind,
    Asked,
    Completed,
    Completion,
    ContactCorrected,
    DeliveryFailed,
    DoubtResolved,
    EventKind,
    HandOver,
    PiecesChanged,
    Progress,
    Withdrawn,
)
from activities.hand_over import _deadline as told_deadline
from activities.projection import completion_of
from composition import providers
from db.pool import system
from domain.affiliation import (
    AffiliationState,
    Attention,
    Channel,
    Closure,
    Message,
    Refusal,
    Refused,
    Status,
    Verdict,
)
from domain.media import Medium, MessageKind
from domain.policy import DEFAULT_POLICY
from domain.working_time import PARIS, is_working_day, paris_date
from settings import Settings
from tests.histories import gateways, paths
from tests.histories.scene import Scene
from tests.world import Life, World, open_world
from workflows.affiliation import AffiliationWorkflow as Workflow
from workflows.engine import NotRunning

STAFF = Actor(ActorKind.staff, "test")
EMPLOYER = Actor(ActorKind.employer, "test")
DAY = timedelta(days=1)
ASKED_TWICE = [("invitation", "email"), ("missing_pieces", "email"), ("missing_pieces", "email")]


async def test_pieces_are_asked_for_reminded_given_up_to_staff_received_checked_and_confirmed(world: World) -> None:
    life = await submitted(world, "rib", "school_certificate:k1")
    first = (await life.sent_at())[1]
    announced = (await life.progress()).calendar
    assert [step.kind for step in announced] == ["missing_pieces", "missing_pieces", "pieces_deadline"]

    await life.advance_days(40)

    assert await life.sent() == [("invitation", "email"), *[("missing_pieces", "email")] * 3]
    reminders = (await life.sent_at())[2:]
    for step, moment, days in zip(announced, reminders, (7, 21), strict=False):
        local = moment.astimezone(PARIS)
        assert abs(moment - step.at) < timedelta(minutes=2)
        assert is_working_day(local.date())
        assert 9 <= local.hour < 18
        assert days * DAY - timedelta(hours=1) <= moment - first <= days * DAY + 6 * DAY
    row = await life.row()
    assert (row["status"], row["attention"], row["next_step_kind"]) == ("finalised", "pieces_overdue", None)
    assert (await life.progress()).calendar == ()
    assert not await life.world.run("SELECT FROM dispatch WHERE affiliation_id = $1 AND state = 'prepared'", life.id)

    received = await change(life, 1, [], checking=True, event=EventKind.pieces_received)
    assert (received.attention, received.missing, received.checking) == (None, (), True)
    await change(life, 2, [], event=EventKind.pieces_accepted)
    await life.handle.result()

    assert (await life.sent())[-1] == ("confirmation", "email")
    assert (await life.events())[2:] == [
        "finalised",
        *["message_handed_over"] * 3,
        "pieces_overdue",
        "pieces_received",
        "pieces_accepted",
        "message_handed_over",
    ]
    await life.history()


async def test_a_life_that_waits_for_nothing_ends_with_its_confirmation(world: World) -> None:
    life = await submitted(world)
    await life.handle.result()
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]
    with pytest.raises(NotRunning):
        await change(life, 1, ["rib"])


async def test_documents_that_wait_for_staff_keep_it_going_without_a_timer(world: World) -> None:
    life = await submitted(world, checking=True)
    await life.advance_days(200)
    progress = await life.progress()
    assert (progress.calendar, progress.attention, progress.checking) == ((), None, True)
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]
    await change(life, 1, ["rib"])
    assert (await life.until_messages(3))[2] == ("missing_pieces", "email")
    await change(life, 2, [], event=EventKind.pieces_accepted)
    await life.handle.result()
    assert (await life.sent())[3] == ("confirmation", "email")


async def test_what_is_accepted_without_having_been_asked_for_ends_in_silence(world: World) -> None:
    life = await submitted(world, checking=True)
    await change(life, 1, [], event=EventKind.pieces_accepted)
    await life.handle.result()
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]


async def test_a_piece_asked_for_again_leaves_at_once_and_moves_the_deadline(world: World) -> None:
    life = await submitted(world, "rib")
    await life.advance_days(20)
    before = (await life.progress()).calendar[-1].at
    await change(life, 1, ["rib", "signature"])
    assert len(await life.until_messages(4)) == 4
    after = (await life.progress()).calendar
    assert after[-1].at - before > 19 * DAY
    rows = await world.run(
        "SELECT details FROM affiliation_event WHERE affiliation_id = $1 AND kind = 'pieces_asked'", life.id
    )
    assert [row["details"] for row in rows] == [{"pieces": "signature"}]


async def test_told_twice_a_change_of_pieces_happens_once(world: World) -> None:
    life = await submitted(world, "rib")
    first = await change(life, 1, ["rib", "signature"])
    await life.until_messages(3)
    version = (await life.row())["version"]
    again = await change(life, 1, [], event=EventKind.pieces_accepted)
    assert (again.missing, again.status) == (first.missing, Status.finalised)
    assert (await life.row())["version"] == version
    assert (await life.events()).count("pieces_asked") == 1


async def test_pieces_of_a_form_that_never_came_are_refused(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until(Status.sent)
    with pytest.raises(Refusal) as refused:
        await change(life, 1, ["rib"])
    assert refused.value.code is Refused.not_finalised


async def test_a_request_that_bounces_leaves_by_post_and_then_needs_staff(world: World) -> None:
    life = await submitted(world, "rib")
    for _ in range(2):
        await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.email, 1, "bounced"))
    assert (await life.until_messages(3))[2:] == [("missing_pieces", "post")]
    assert (await life.progress()).medium is Medium.post

    await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.post, 1, "returned"))
    progress = await life.progress()
    assert (progress.attention, progress.calendar) == (Attention.unreachable_for_pieces, ())
    await life.until_quiet()
    assert (await life.row())["attention"] == "unreachable_for_pieces"

    await add_contact(life, 2)
    corrected = ContactCorrected(STAFF, 2, (Medium.email,), (Medium.email, Medium.post))
    assert (await life.tell(Workflow.correct_contact, corrected)).attention is None
    assert (await life.until_messages(4))[3] == ("missing_pieces", "email")


async def test_who_lost_the_request_gets_it_again_and_nothing_else_of_an_open_affiliation_works(world: World) -> None:
    life = await submitted(world, "rib")
    await life.tell(Workflow.send_link, Asked(EMPLOYEE_ACTOR))
    assert await life.until_messages(3) == ASKED_TWICE
    with pytest.raises(Refusal) as refused:
        await life.tell(Workflow.remind, Asked(EMPLOYER))
    assert refused.value.code is Refused.closed
    with pytest.raises(Refusal) as refused:
        await life.tell(Workflow.withdraw, Withdrawn(EMPLOYER, Closure.withdrawn_left))
    assert refused.value.code is Refused.closed


async def test_a_form_s_own_contact_is_where_the_request_goes(world: World) -> None:
    life = await world.declare(await world.employer(), email=None)
    await life.until_messages(1)
    await add_contact(life, 2, email="a-moi@exemple.fr")
    await submit(life, ("rib",), contact_version=2)
    assert (await life.until_messages(2))[1] == ("missing_pieces", "email")
    row = await life.row()
    assert (row["contact_version"], row["medium"]) == (2, "email")
    received = await life.received()
    assert received[-1]["recipient"] == "a-moi@exemple.fr"


async def test_what_the_message_says_is_missing_is_what_the_workflow_knows(world: World) -> None:
    """The database may be ahead of it."""
    life = await world.declare(await world.employer())
    await life.until_messages(1)
    await put(life, ("rib",), version=5)
    await life.tell(Workflow.complete, Completed(STAFF, Completion(Channel.paper, ("signature",))))
    await life.until_messages(2)
    text = (await life.received())[-1]["text"]
    assert "RIB" not in text


async def test_changes_of_pieces_that_nobody_told_are_told_by_the_sweep(world: World) -> None:
    life = await submitted(world, "rib")
    await put(life, ("rib", "signature"), version=1)
    for _ in range(2):
        await world.sweeper.sweep()
    assert await life.until_messages(3) == ASKED_TWICE
    await put(life, (), version=2, checking=True)
    await world.sweeper.sweep()
    await put(life, (), version=3)
    await world.sweeper.sweep()
    await life.handle.result()
    assert (await life.events())[4:] == [
        "pieces_asked",
        "message_handed_over",
        "pieces_received",
        "pieces_accepted",
        "message_handed_over",
    ]
    assert await told(life) == (3, 3)


async def test_pieces_of_a_life_that_ended_are_given_up_by_the_sweep(world: World) -> None:
    life = await submitted(world)
    await life.handle.result()
    await put(life, ("rib",), version=1)
    await world.sweeper.sweep()
    assert await told(life) == (1, 1)
    assert (await life.row())["attention"] is None


async def test_a_submission_the_sweep_tells_brings_its_pieces(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until_messages(1)
    await put(life, ("rib",), version=4, checking=True)
    await world.sweeper.sweep()
    await life.until_messages(2)
    progress = await life.progress()
    assert (progress.missing, progress.checking) == (("rib",), True)
    await world.sweeper.sweep()
    assert await told(life) == (4, 4)
    assert (await life.events()).count("finalised") == 1


async def test_one_that_awaits_pieces_and_whose_workflow_is_gone_shows_as_stuck(world: World) -> None:
    life = await submitted(world, "rib")
    await life.handle.terminate("by an operator")
    await world.run("UPDATE affiliation SET checked_at = now() WHERE id <> $1", life.id)
    await world.sweeper.sweep()
    assert (await life.row())["stuck_since"] is not None
    await world.run("UPDATE affiliation SET state = state || '{\"awaited\": false}' WHERE id = $1", life.id)


async def test_operators_read_what_is_awaited(world: World) -> None:
    life = await submitted(world, "rib", checking=True)
    details = str(await life.handle.query("__temporal_workflow_metadata"))
    assert "missing: rib" in details
    assert "documents wait for staff" in details


async def test_completion_is_read_with_its_pieces_and_its_contact(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until_messages(1)
    async with system(world.system) as connection:
        assert await completion_of(connection, life.id) is None
    await add_contact(life, 2, email="a-moi@exemple.fr")
    await put(life, ("rib",), version=3, checking=True, contact_version=2)
    async with system(world.system) as connection:
        found = await completion_of(connection, life.id)
    assert found == Completion(
        Channel.paper,
        ("rib",),
        checking=True,
        contact_version=2,
        reachable=(Medium.email, Medium.post),
        pieces_version=3,
    )


async def test_staff_clear_up_a_request_that_nobody_knows_the_fate_of(told_world: World) -> None:
    life = await paths.uncertain_request_for_pieces(Scene(told_world))
    assert await life.sent() == [("invitation", "email"), ("missing_pieces", "email"), ("missing_pieces", "post")]
    assert "message_uncertain" in await life.events()
    with pytest.raises(Refusal) as refused:
        await life.tell(Workflow.resolve_doubt, DoubtResolved(STAFF, Verdict.left))
    assert refused.value.code is Refused.no_doubt


async def test_a_request_held_by_its_provider_is_given_up_when_the_pieces_come_by_themselves(told_world: World) -> None:
    life = await paths.pieces_nobody_waits_for(Scene(told_world))
    assert await life.sent() == []
    progress = await life.progress()
    assert (progress.next_step, progress.checking, progress.attention) == (None, True, None)


async def test_every_request_tells_the_day_staff_take_over(world: World) -> None:
    life = await submitted(world, "rib")
    deadline = (await life.progress()).calendar[-1]
    state = _STATE.validate_python((await life.row())["state"])
    now = await life.now()
    for message in (
        Message(MessageKind.missing_pieces, 1, Medium.email, automatic=False),
        Message(MessageKind.missing_pieces, 2, Medium.email, automatic=True),
    ):
        assert told_deadline(HandOver(str(life.id), message, state), DEFAULT_POLICY, now) == paris_date(deadline.at)
    unheard = HandOver(str(life.id), message, replace(state, awaited=False))
    assert told_deadline(unheard, DEFAULT_POLICY, now) is None


# --- pieces of these tests

_STATE = TypeAdapter(AffiliationState)


@pytest.fixture
async def told_world(config: Settings, temporal: WorkflowEnvironment, world: World) -> AsyncIterator[World]:
    """Providers that do what the address tells them."""
    async with open_world(config, temporal, gateways.told(providers(world.system, config))) as opened:
        yield opened


async def submitted(world: World, *missing: str, checking: bool = False) -> Life:
    """Somebody whose paper form came back, and who has been told what is missing."""
    life = await world.declare(await world.employer())
    await life.until_messages(1)
    await submit(life, missing, checking)
    await life.until_messages(2)
    return life


async def submit(
    life: Life, missing: Sequence[str], checking: bool = False, contact_version: int | None = None
) -> Progress:
    await put(life, missing, checking=checking, contact_version=contact_version)
    async with system(life.world.system) as connection:
        completion = await completion_of(connection, life.id)
    assert completion is not None
    return await life.tell(Workflow.complete, Completed(STAFF, completion), "complete")


async def put(
    life: Life,
    missing: Sequence[str],
    version: int = 0,
    checking: bool = False,
    contact_version: int | None = None,
) -> None:
    """What the services write of an enrolment."""
    await life.world.run(
        "INSERT INTO enrolment (affiliation_id, company_id, channel, submitted_at, saved_at, recorded_by, missing,"
        " checking, checking_since, pieces_version, contact_version)"
        " SELECT id, company_id, 'paper', now(), now(), 'test', $2, $3, CASE WHEN $3 THEN now() END, $4, $5"
        " FROM affiliation WHERE id = $1"
        " ON CONFLICT (affiliation_id) DO UPDATE SET missing = $2, checking = $3, pieces_version = $4,"
        " checking_since = excluded.checking_since",
        life.id,
        list(missing),
        checking,
        version,
        contact_version,
    )


async def change(
    life: Life, version: int, missing: list[str], checking: bool = False, event: EventKind = EventKind.pieces_asked
) -> Progress:
    actor = SYSTEM_ACTOR if event is EventKind.pieces_received else STAFF
    changed = PiecesChanged(actor, version, tuple(missing), checking, event)
    return await life.tell(Workflow.pieces_changed, changed)


async def add_contact(life: Life, version: int, email: str = "autre@exemple.fr") -> None:
    await life.world.run(
        "INSERT INTO contact (affiliation_id, version, company_id, email, line1, postcode, city, country)"
        " SELECT affiliation_id, $2, company_id, $3, line1, postcode, city, country FROM contact"
        " WHERE affiliation_id = $1 AND version = 1",
        life.id,
        version,
        email,
    )


async def told(life: Life) -> tuple[int, int]:
    rows = await life.world.run("SELECT pieces_version, pieces_told FROM enrolment WHERE affiliation_id = $1", life.id)
    return rows[0]["pieces_version"], rows[0]["pieces_told"]
