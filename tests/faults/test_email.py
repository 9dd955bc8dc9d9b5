"""E-mails through SendGrid's stand-in, real HTTP: one for each business key, whatever SendGrid does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import carrying
from activities.contracts import affiliation as contracts
from activities.contracts.affiliation import DoubtResolved
from activities.hand_over import MessageDesk
from composition import providers
from domain.affiliation import Attention, Status, Verdict
from gateways import sendgrid_events
from services.deliveries import DeliveryService
from settings import Settings
from tests.covering import engine
from tests.faults.breaking import STAFF, attempts, attention, changed, declare, until
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World, open_world
from workflows.affiliation import AffiliationWorkflow

SEND = "POST /mail/send"


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture(scope="module")
def sendgrid() -> Iterator[SendGridStandin]:
    with SendGridStandin() as standin:
        yield standin


@pytest.fixture(autouse=True)
def _well_again(sendgrid: SendGridStandin) -> Iterator[None]:
    yield
    sendgrid.heal()
    sendgrid.listing_delay = 0.0


@pytest.fixture(scope="module")
async def searching(
    broken_config: Settings, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> AsyncIterator[World]:
    """SendGrid with its search of past e-mails."""
    async with open_world(changed(broken_config, **sendgrid.settings), temporal) as world:
        yield world


@pytest.fixture(scope="module")
async def blind(
    broken_config: Settings, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> AsyncIterator[World]:
    """SendGrid without it."""
    config = changed(broken_config, **{**sendgrid.settings, "sendgrid_activity_search": False})
    async with open_world(config, temporal) as world:
        yield world


async def taken(life: Life, sendgrid: SendGridStandin) -> list[str]:
    """The kinds of the e-mails that SendGrid took for this affiliation, in order."""
    rows = await life.world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    ours = {str(row["id"]) for row in rows}
    return [m["categories"][0] for m in sendgrid.taken if m["custom_args"]["dispatch_id"] in ours]


async def resolve(life: Life, verdict: Verdict) -> None:
    await life.tell(AffiliationWorkflow.resolve_doubt, DoubtResolved(STAFF, verdict))


async def test_an_email_that_sendgrid_takes_is_sent_once(searching: World, sendgrid: SendGridStandin) -> None:
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]
    assert await attempts(life) == [1]


async def test_a_bad_address_is_rejected_and_the_letter_leaves_at_once(
    searching: World, sendgrid: SendGridStandin
) -> None:
    sendgrid.fail_next(400, body={"errors": [{"message": "no", "field": "personalizations.0.to.0.email"}]}, on=SEND)
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == []
    assert await life.sent() == [("postal_fallback", "post")]
    assert await life.events() == ["declared", "message_refused", "message_handed_over"]
    assert (await life.row())["medium"] == "post"
    states = await life.world.run("SELECT state FROM dispatch WHERE affiliation_id = $1 ORDER BY prepared_at", life.id)
    assert [row["state"] for row in states] == ["rejected", "handed_over"]


@pytest.mark.parametrize("status", [401, 403])
async def test_when_sendgrid_refuses_us_staff_are_asked_and_their_word_sends_it(
    searching: World, sendgrid: SendGridStandin, status: int
) -> None:
    sendgrid.fail_next(status, on=SEND)
    life = await declare(searching)
    await attention(life, Attention.refused)
    assert await life.status() is Status.preparing
    await resolve(life, Verdict.did_not_leave)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]
    assert (await life.row())["attention"] is None


async def test_too_many_requests_wait_until_sendgrid_said_and_leave_once(
    searching: World, sendgrid: SendGridStandin
) -> None:
    asked_at = time.monotonic()
    sendgrid.fail_next(429, headers={"X-RateLimit-Reset": str(int(time.time()) + 2)}, on=SEND)
    life = await declare(searching)
    await life.until(Status.sent)
    assert time.monotonic() - asked_at >= 1
    assert await taken(life, sendgrid) == ["invitation"]
    assert await attempts(life) == [2]


@pytest.mark.parametrize("status", [500, 503])
async def test_errors_of_sendgrid_are_retried_and_one_email_leaves(
    searching: World, sendgrid: SendGridStandin, status: int
) -> None:
    sendgrid.fail_next(status, times=4, on=SEND)
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]
    assert await attempts(life) == [5]


async def test_connections_refused_for_a_while_end_in_one_email(searching: World, sendgrid: SendGridStandin) -> None:
    sendgrid.down()
    try:
        life = await declare(searching)

        async def tried_thrice() -> bool:
            return await attempts(life) >= [3]

        await until(tried_thrice)
        assert await life.status() is Status.preparing
    finally:
        sendgrid.up()
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]


# --- nobody knows whether it left


async def test_taken_and_not_answered_is_found_by_the_search(searching: World, sendgrid: SendGridStandin) -> None:
    sendgrid.accept_then_time_out(on=SEND)
    sendgrid.listing_delay = 0.7
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]
    assert len(await life.sent()) == 1


async def test_cut_before_it_was_taken_is_sent_once_the_search_has_settled(
    searching: World, sendgrid: SendGridStandin
) -> None:
    sendgrid.cut_next(done=False, on=SEND)
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]


async def test_a_second_doubt_is_given_as_long_to_settle_as_the_first(
    searching: World, sendgrid: SendGridStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_LOOK_AGAIN", timedelta(seconds=0.2))
    sendgrid.listing_delay = 1.0  # the search lags, within the settling time
    sendgrid.cut_next(done=False, on=SEND)
    sendgrid.accept_then_time_out(on=SEND)
    life = await declare(searching)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]


async def test_an_attempt_that_was_asleep_sends_nothing_once_another_has_taken_over(
    searching: World, sendgrid: SendGridStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """security.md F-11: the first attempt is stopped between its claim and its call, for longer than Temporal waits."""
    monkeypatch.setattr(contracts, "HAND_OVER_TIMEOUT", timedelta(seconds=0.5))
    honest, asleep, awake, ended = MessageDesk._call, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleepy(desk: MessageDesk, *arguments: Any) -> Any:
        if asleep.is_set():
            return await honest(desk, *arguments)
        asleep.set()
        await awake.wait()
        try:
            return await honest(desk, *arguments)
        finally:
            ended.set()

    monkeypatch.setattr(MessageDesk, "_call", sleepy)
    life = await declare(searching)
    await asyncio.wait_for(asleep.wait(), 5)
    await life.until(Status.sent)
    awake.set()
    await asyncio.wait_for(ended.wait(), 5)
    assert await taken(life, sendgrid) == ["invitation"]


async def test_without_the_search_sendgrids_own_event_tells_that_it_left(
    blind: World, sendgrid: SendGridStandin
) -> None:
    sendgrid.accept_then_time_out(on=SEND)
    life = await declare(blind)

    async def claimed() -> bool:
        return await taken(life, sendgrid) == ["invitation"]

    await until(claimed)
    (row,) = await life.world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    events = sendgrid_events.parse(json.dumps([sendgrid.event(str(row["id"]), "processed")]).encode())
    deliveries = DeliveryService(blind.system, blind.engine, providers(blind.system, blind.config).post, engine(blind))
    assert await deliveries.receive(events) == 1
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"]
    assert (await life.row())["attention"] is None


@pytest.mark.parametrize(("verdict", "emails"), [(Verdict.left, 1), (Verdict.did_not_leave, 2)])
async def test_without_any_news_a_person_decides_whether_it_is_sent_again(
    blind: World, sendgrid: SendGridStandin, verdict: Verdict, emails: int
) -> None:
    sendgrid.accept_then_time_out(on=SEND)
    life = await declare(blind)
    await attention(life, Attention.uncertain)
    assert await life.status() is Status.preparing
    assert await taken(life, sendgrid) == ["invitation"]
    await resolve(life, verdict)
    await life.until(Status.sent)
    assert await taken(life, sendgrid) == ["invitation"] * emails
    assert (await life.row())["attention"] is None
