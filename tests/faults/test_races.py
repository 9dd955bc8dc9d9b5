"""Two things at once: exactly one wins, the other is told, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import workflow_id
from composition import connect
from domain.affiliation import PauseReason, Status
from domain.policy import Policy, Reminder
from domain.rights import StaffRole
from local.ports import free_port
from services.access import AccessService
from services.callers import STAFF_SCOPES, Caller, EmployeeCaller, Scope
from services.declarations import CorrectedContact, Pause, Withdrawal, WithdrawalReason
from services.enrolment_form import PaperReturn, SaveDraft, Submission
from services.enrolments import EnrolmentService
from services.limits import Limiter
from services.problems import AlreadySubmitted, EngineUnavailable, RefusedByRules
from settings import Settings
from tests.api.conftest import client, key_for
from tests.enrolling import waived
from tests.faults.breaking import application, attempts, changed, declare, known_sent, until
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World, open_world
from workflows.client import Affiliations

ONLY_ABANDONED = Policy(sent_by_email=(), sent_by_post=(), postal_fallback_days=1000)


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture(scope="module")
async def world(broken_config: Settings, temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    async with open_world(broken_config, temporal) as opened:
        yield opened


def enrolments(world: World, engine: Affiliations | None = None) -> EnrolmentService:
    chosen = engine or world.engine
    return EnrolmentService(
        world.web,
        chosen,
        world.cipher,
        AccessService(world.web, world.system, chosen, world.cipher, Limiter(world.system, world.cipher)),
    )


def employee(life: Life) -> EmployeeCaller:
    return EmployeeCaller(life.id, "email", Status.sent, session=b"", proved=True)


async def away(world: World) -> Affiliations:
    """An engine that nobody answers for."""
    config = changed(world.config, temporal_address=f"127.0.0.1:{free_port()}")
    return Affiliations(await connect(config, lazy=True), config.temporal_task_queue, timedelta(seconds=0.3))


async def invited(world: World, policy: Policy = Policy()) -> tuple[Life, Submission]:  # noqa: B008
    employer = await world.employer()
    person = world.declaration(employer)["employee"]
    life = await world.declare(employer, policy, nir=person["nir"], birth_date=person["birth_date"])
    await known_sent(life)
    saved = await enrolments(world, await away(world)).save(
        employee(life), SaveDraft(version=0, answers={**waived(), "nir": person["nir"]})
    )
    await world.run("UPDATE enrolment SET told_at = now() WHERE affiliation_id = $1", life.id)
    return life, Submission(version=saved.version)


async def submitted_and_not_told(world: World, life: Life, submission: Submission) -> None:
    caller = employee(life)
    assert (await enrolments(world, await away(world)).submit(caller, submission)).status is Status.finalised
    assert await life.status() is Status.sent


async def test_a_submission_that_came_first_is_finalised_when_the_time_to_abandon_comes(world: World) -> None:
    life, submission = await invited(world, ONLY_ABANDONED)
    await submitted_and_not_told(world, life, submission)
    await life.to_the_end()
    assert await life.status() is Status.finalised
    assert await life.events() == ["declared", "message_handed_over", "finalised", "message_handed_over"]
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]


async def test_a_submission_that_came_first_stops_the_reminder(world: World) -> None:
    life, submission = await invited(world)
    await submitted_and_not_told(world, life, submission)
    await life.to_next_step()
    await asyncio.wait_for(life.handle.result(), 10)
    assert await life.status() is Status.finalised
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]


async def test_a_submission_that_came_first_wins_over_a_withdrawal_and_is_confirmed(world: World) -> None:
    life, submission = await invited(world)
    await submitted_and_not_told(world, life, submission)
    withdrawal = Withdrawal(reason=WithdrawalReason.mistake)
    with pytest.raises(RefusedByRules):
        await world.affiliations.withdraw(life.employer.caller, life.id, withdrawal)
    await asyncio.wait_for(life.handle.result(), 10)
    assert await life.status() is Status.finalised
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]


async def test_a_submission_after_a_withdrawal_is_refused(world: World) -> None:
    life, submission = await invited(world)
    withdrawal = Withdrawal(reason=WithdrawalReason.mistake)
    await world.affiliations.withdraw(life.employer.caller, life.id, withdrawal)
    with pytest.raises(RefusedByRules):
        await enrolments(world).submit(employee(life), submission)
    assert not await world.run("SELECT 1 FROM signature WHERE affiliation_id = $1", life.id)


async def test_a_submission_and_a_withdrawal_at_once_end_in_one_of_the_two(world: World) -> None:
    for _ in range(3):
        life, submission = await invited(world)
        await asyncio.gather(
            enrolments(world).submit(employee(life), submission),
            world.affiliations.withdraw(life.employer.caller, life.id, Withdrawal(reason=WithdrawalReason.mistake)),
            return_exceptions=True,
        )
        await world.sweeper.sweep()
        await asyncio.wait_for(life.handle.result(), 10)
        covered = await world.run("SELECT 1 FROM signature WHERE affiliation_id = $1", life.id)
        assert await life.status() is (Status.finalised if covered else Status.abandoned)
        assert len(await life.sent()) == (2 if covered else 1)


async def test_paper_and_online_at_once_one_wins_and_the_other_is_told(world: World) -> None:
    life, submission = await invited(world)
    staff = Caller("staff", (life.employer.company_id,), STAFF_SCOPES[StaffRole.write])
    paper = PaperReturn(answers={"level": "BASE", "signature": "Camille Essai"}, missing=("rib",))
    results = await asyncio.gather(
        enrolments(world).submit(employee(life), submission),
        enrolments(world).record_paper(staff, life.id, paper),
        return_exceptions=True,
    )
    (refused,) = [result for result in results if isinstance(result, BaseException)]
    assert isinstance(refused, AlreadySubmitted)
    await life.until(Status.finalised)
    assert len(await world.run("SELECT 1 FROM signature WHERE affiliation_id = $1", life.id)) == 1
    assert (await life.events()).count("finalised") == 1


async def test_twenty_reminders_asked_at_once_are_one(world: World) -> None:
    life, _ = await invited(world)
    asked = (world.affiliations.remind(life.employer.caller, life.id) for _ in range(20))
    results = await asyncio.gather(*asked, return_exceptions=True)
    refusals = [result for result in results if isinstance(result, BaseException)]
    assert len(refusals) == 19
    assert all(isinstance(refusal, (RefusedByRules, EngineUnavailable)) for refusal in refusals)
    assert await life.until_messages(2) == [("invitation", "email"), ("employer_reminder", "email")]
    assert (await life.events()).count("reminder_asked") == 1
    await life.advance_days(1)
    assert len(await life.sent()) == 2


async def test_the_same_person_declared_twice_at_once_is_one_affiliation(world: World) -> None:
    employer = await world.employer()
    key = await key_for(world, employer, Scope.read, Scope.write)
    declared = world.declaration(employer)
    async with application(world.config, world) as app, client(app, key) as http:
        answers = await asyncio.gather(*(http.post("/api/v1/affiliations", json=declared) for _ in range(2)))
    created, conflict = sorted(answers, key=lambda answer: answer.status_code)
    assert (created.status_code, conflict.status_code) == (201, 409)
    assert created.json()["id"] in conflict.text
    await Life(world, employer, created.json()["id"]).until(Status.sent)


async def test_a_correction_while_the_invitation_is_retried_reaches_only_the_corrected_address(
    broken_config: Settings, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> None:
    async with open_world(changed(broken_config, **sendgrid.settings), temporal) as world:
        sendgrid.down()
        life = await declare(world, email="fausse@exemple.fr")

        async def tried() -> bool:
            return await attempts(life) >= [2]

        await until(tried)

        async def waiting() -> bool:
            """For the third attempt: none is on its way."""
            pending = (await life.handle.describe()).raw_description.pending_activities
            return any(
                one.attempt >= 3 and one.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
                for one in pending
            )

        await until(waiting)
        corrected = CorrectedContact.model_validate({"email": "juste@exemple.fr"})
        await world.affiliations.correct_contact(life.employer.caller, life.id, corrected)
        sendgrid.up()
        await life.until(Status.sent)
        to = [message["personalizations"][0]["to"][0]["email"] for message in sendgrid.taken]
        assert to == ["juste@exemple.fr"]
        assert (await life.row())["contact_version"] == 2


async def test_a_pause_while_a_reminder_is_retried_holds_it_back_until_resumed(
    broken_config: Settings, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> None:
    policy = Policy(sent_by_email=(Reminder(1), Reminder(2)))
    async with open_world(changed(broken_config, **sendgrid.settings), temporal) as world:
        life = await world.declare(await world.employer(), policy)
        await life.until(Status.sent)
        sendgrid.down()
        progress = await life.progress()
        assert progress.next_step is not None
        moving = asyncio.create_task(life.advance(progress.next_step.at - await life.now()))

        async def tried() -> bool:
            return len(await attempts(life)) == 2

        await until(tried)
        await world.affiliations.pause(life.employer.caller, life.id, Pause(reason=PauseReason.on_leave))
        sendgrid.up()
        await moving

        async def held() -> bool:
            step = (await life.progress()).next_step
            return step is not None and step.message is None

        await until(held)
        assert len(sendgrid.taken) == 1
        await world.affiliations.resume(life.employer.caller, life.id)
        await life.to_next_step()
        assert [kind for kind, _ in await life.until_messages(2)] == ["invitation", "reminder"]
        assert len(sendgrid.taken) == 2


async def test_a_terminated_workflow_is_seen_by_the_sweep(world: World) -> None:
    life, _ = await invited(world)
    await world.client.get_workflow_handle(workflow_id(str(life.id))).terminate("a test")

    async def seen() -> bool:
        await world.sweeper.sweep()
        return (await life.row())["stuck_since"] is not None

    await until(seen)


async def test_without_a_worker_the_page_is_answered_from_the_read_model_within_a_second_or_so(
    broken_config: Settings, temporal: WorkflowEnvironment
) -> None:
    async with open_world(broken_config, temporal) as world:
        life, _ = await invited(world)
        key = await key_for(world, life.employer, Scope.read)
        config = world.config
    async with application(config, world) as app, client(app, key) as http:
        path = f"/api/v1/affiliations/{life.id}"
        await http.get(path)
        before = time.monotonic()
        shown = (await http.get(path)).json()
        assert time.monotonic() - before < 2.5
        assert (shown["source"], shown["status"]) == ("read_model", "sent")
        assert shown["next_step"]["kind"] == "reminder"
        assert shown["calendar"] == [shown["next_step"]]
