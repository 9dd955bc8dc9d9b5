"""SMS through OVHcloud's stand-in, where a policy turns them on: one for each business key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.affiliation import Status
from domain.media import Medium
from domain.policy import Policy, Reminder
from settings import Settings
from tests.faults.breaking import attempts, changed, until
from tests.standins.ovh import OvhStandin
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World, open_world

POLICY = Policy(sent_by_email=(Reminder(3, by=Medium.sms),))
JOB = "POST /jobs"


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture(scope="module")
def ovh() -> Iterator[OvhStandin]:
    with OvhStandin() as standin:
        yield standin


@pytest.fixture(autouse=True)
def _well_again(ovh: OvhStandin) -> Iterator[None]:
    yield
    ovh.heal()
    ovh.listing_delay = 0.0
    ovh.bad_numbers.clear()


@pytest.fixture(scope="module")
async def texting(broken_config: Settings, temporal: WorkflowEnvironment, ovh: OvhStandin) -> AsyncIterator[World]:
    # e-mail by a provider as well: the settling time of a local mailbox is none, and it is one for both media
    with SendGridStandin() as sendgrid:
        async with open_world(changed(broken_config, **ovh.settings, **sendgrid.settings), temporal) as world:
            yield world


async def invited(world: World, phone: str) -> Life:
    life = await world.declare(await world.employer(), POLICY, phone=phone)
    await life.until(Status.sent)
    return life


def texts(ovh: OvhStandin, phone: str) -> int:
    return sum(job["receivers"] == [phone] for job in ovh.taken)


async def test_the_sms_of_a_policy_leaves_once(texting: World, ovh: OvhStandin) -> None:
    life = await invited(texting, "+33612345601")
    await life.to_next_step()
    assert await life.until_messages(2) == [("invitation", "email"), ("reminder", "sms")]
    assert texts(ovh, "+33612345601") == 1


async def test_ovh_down_for_a_while_ends_in_one_sms(texting: World, ovh: OvhStandin) -> None:
    life = await invited(texting, "+33612345602")
    ovh.fail_next(503, times=3, on=JOB)
    await life.to_next_step()
    assert await life.until_messages(2) == [("invitation", "email"), ("reminder", "sms")]
    assert texts(ovh, "+33612345602") == 1
    assert await attempts(life) == [1, 4]


async def test_an_sms_taken_and_not_answered_is_found_and_not_sent_again(texting: World, ovh: OvhStandin) -> None:
    life = await invited(texting, "+33612345603")
    ovh.accept_then_time_out(on=JOB)
    ovh.listing_delay = 0.8
    await life.to_next_step()
    assert await life.until_messages(2) == [("invitation", "email"), ("reminder", "sms")]
    assert texts(ovh, "+33612345603") == 1


async def test_a_number_that_does_not_exist_costs_the_sms_only(texting: World, ovh: OvhStandin) -> None:
    life = await invited(texting, "+33612345604")
    ovh.bad_numbers.add("+33612345604")
    await life.to_next_step()

    async def refused() -> bool:
        return "message_refused" in await life.events()

    await until(refused)
    row = await life.row()
    assert (row["status"], row["medium"], row["attention"], row["next_step_kind"]) == (
        "sent",
        "email",
        None,
        "postal_fallback",
    )
    assert texts(ovh, "+33612345604") == 0
