"""SendGrid down for hours or days: nothing lost, nothing doubled, and everybody sees that it waits.

Measured: Temporal moves a workflow's clock through an activity's back-off, from one attempt to the next, so an outage
is lived through attempt by attempt (14 in the first hour, then 4 an hour; about 0.2 s each for us). Only an attempt
that is under way holds the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.affiliation import Status
from domain.policy import Policy, Reminder
from domain.working_time import PARIS, is_working_day, next_working_moment
from services.declarations import CorrectedContact
from settings import Settings
from tests.faults.breaking import attempts, changed, declare, until
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World, open_world

LONGEST_PAUSE = timedelta(minutes=15)  # between two attempts (security.md F-06)


@pytest.fixture
async def mailing(
    broken_config: Settings, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> AsyncIterator[World]:
    async with open_world(changed(broken_config, **sendgrid.settings), temporal) as world:
        yield world


async def through(life: Life, by: timedelta) -> None:
    """Move its clock in spite of the attempts on the way, however long that takes us."""
    until_then = await life.now() + by
    while (left := until_then - await life.now()) > timedelta(0):
        await asyncio.wait_for(life.world.temporal.fast_forward(life.handle, min(left, timedelta(hours=4))), 60)


async def _an_outage(mailing: World, sendgrid: SendGridStandin, hours: int) -> None:
    sendgrid.down()
    life = await declare(mailing)

    async def tried() -> bool:
        return await attempts(life) >= [1]

    await until(tried)
    await through(life, timedelta(hours=hours))

    shown = await mailing.affiliations.follow_up.detail(life.employer.caller, life.id)
    (waiting,) = shown.dispatches
    assert (shown.status, shown.attention) == (Status.preparing, None)
    assert shown.next_step is not None
    assert shown.next_step.kind == "invitation"
    assert (waiting.state, waiting.handed_over_at) == ("prepared", None)
    assert waiting.attempts >= 4 * hours
    assert await life.events() == ["declared"]

    sendgrid.up()
    back_at = await life.now()
    await life.advance(LONGEST_PAUSE)
    await life.until(Status.sent)
    (sent_at,) = await life.sent_at()
    assert sent_at - back_at <= LONGEST_PAUSE + timedelta(minutes=1)
    assert len(sendgrid.taken) == 1
    progress = await life.progress()  # the clock counts from what really left
    assert progress.next_step is not None
    assert progress.next_step.at - sent_at >= timedelta(days=4)
    assert progress.calendar[-1].at - sent_at >= timedelta(days=59)


async def test_an_outage_of_an_afternoon(mailing: World, sendgrid: SendGridStandin) -> None:
    await _an_outage(mailing, sendgrid, hours=4)


@pytest.mark.faults_long
async def test_an_outage_of_72_hours(mailing: World, sendgrid: SendGridStandin) -> None:
    await _an_outage(mailing, sendgrid, hours=72)


async def held_overnight(mailing: World, sendgrid: SendGridStandin) -> tuple[Life, Policy, datetime]:
    """Somebody whose reminder fell due ten minutes before the end of the day, SendGrid being down until later."""
    invited_at = datetime.now(PARIS)
    closes = min(invited_at, invited_at.replace(hour=23, minute=45)) + timedelta(minutes=10)
    working = (n for n in range(1, 9) if is_working_day((invited_at + timedelta(days=n)).date()))
    opens = max(invited_at - timedelta(minutes=30), invited_at.replace(hour=0, minute=0))  # not again at midnight
    policy = Policy(opens=opens.time(), closes=closes.time(), sent_by_email=(Reminder(next(working)),))
    life = await mailing.declare(await mailing.employer(), policy)
    await life.until(Status.sent)
    due = (await life.progress()).next_step
    assert due is not None
    sendgrid.down()
    await through(life, due.at - await life.now() + timedelta(minutes=30))

    async def held() -> bool:
        step = (await life.progress()).next_step
        return step is not None and step.at > await life.now()

    await until(held)
    assert (await attempts(life))[1] > 1
    sendgrid.up()
    return life, policy, due.at


async def test_a_reminder_that_could_only_leave_at_night_waits_for_working_hours(
    mailing: World, sendgrid: SendGridStandin
) -> None:
    life, policy, due_at = await held_overnight(mailing, sendgrid)
    await through(life, timedelta(minutes=30))
    assert len(sendgrid.taken) == 1

    await life.to_next_step()
    _, reminded_at = await life.sent_at()
    assert reminded_at - due_at > timedelta(minutes=10)
    assert next_working_moment(reminded_at, policy.opens, policy.closes) == reminded_at
    assert [kind for kind, _ in await life.sent()] == ["invitation", "reminder"]
    assert len(sendgrid.taken) == 2


async def test_a_reminder_held_overnight_and_sent_to_a_corrected_address_is_that_addresses(
    mailing: World, sendgrid: SendGridStandin
) -> None:
    """Else its bounce would be taken for one of the former address, and change nothing."""
    life, _, _ = await held_overnight(mailing, sendgrid)
    corrected = CorrectedContact.model_validate({"email": "juste@exemple.fr"})
    await mailing.affiliations.correct_contact(life.employer.caller, life.id, corrected)
    assert [kind for kind, _ in await life.until_messages(2)] == ["invitation", "invitation"]
    await life.to_next_step()
    assert [kind for kind, _ in await life.until_messages(3)] == ["invitation", "invitation", "reminder"]
    rows = await mailing.run(
        "SELECT contact_version FROM dispatch WHERE affiliation_id = $1 AND kind = 'reminder'", life.id
    )
    assert [row["contact_version"] for row in rows] == [2]
