"""What SendGrid tells afterwards, through the real API: any order, any number of times, one effect."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import DeliveryFailed
from activities.hand_over import MessageDesk
from domain.affiliation import Attention, Status
from domain.media import Medium
from local.ports import free_port
from local.postgres import PostgresServer
from services.declarations import CorrectedContact
from settings import Settings
from tests.api.conftest import client
from tests.conftest import database_of_its_own
from tests.faults.breaking import application, attention, changed, declare, until
from tests.standins.sendgrid import SendGridStandin
from tests.world import Life, World, open_world

PATH = "/api/v1/webhooks/sendgrid"


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture(scope="module")
def sendgrid() -> Iterator[SendGridStandin]:
    with SendGridStandin() as standin:
        yield standin


@pytest.fixture(scope="module")
async def mailing(
    broken_config: Settings, postgres: PostgresServer, temporal: WorkflowEnvironment, sendgrid: SendGridStandin
) -> AsyncIterator[World]:
    """In a database of its own: the sweep would wait for what other tests leave behind."""
    config = await database_of_its_own(broken_config, postgres, "callbacks")
    async with open_world(changed(config, **sendgrid.settings), temporal) as world:
        yield world


@pytest.fixture(scope="module")
async def app(mailing: World) -> AsyncIterator[FastAPI]:
    async with application(mailing.config, mailing) as opened:
        yield opened


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(app) as opened:
        yield opened


async def post(http: httpx2.AsyncClient, sendgrid: SendGridStandin, events: Sequence[Any]) -> int:
    raw = json.dumps(list(events)).encode()
    return (await http.post(PATH, content=raw, headers=sendgrid.signed(raw))).status_code


async def invited(world: World, **fields: Any) -> tuple[Life, str]:
    """Somebody whose invitation left, and its dispatch."""
    life = await declare(world, **fields)
    await life.until(Status.sent)
    (row,) = await world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    return life, str(row["id"])


async def state(life: Life, dispatch: str) -> str:
    (row,) = await life.world.run("SELECT state FROM dispatch WHERE id = $1", uuid.UUID(dispatch))
    return str(row["state"])


async def kept(world: World, dispatch: str) -> int:
    rows = await world.run("SELECT 1 FROM delivery_event WHERE dispatch_id = $1", uuid.UUID(dispatch))
    return len(rows)


async def test_a_batch_twice_and_shuffled_has_one_effect(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    life, dispatch = await invited(mailing)
    events = [sendgrid.event(dispatch, name) for name in ("processed", "deferred", "delivered", "bounce", "open")]
    batch = [*events, "not an event", *events]
    random.Random(1).shuffle(batch)
    assert [await post(http, sendgrid, batch), await post(http, sendgrid, batch)] == [204, 204]
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    assert await kept(mailing, dispatch) == 5
    assert (await life.events()).count("delivery_failed") == 1
    assert await state(life, dispatch) == "rejected"


async def test_unsigned_or_tampered_with_is_refused_and_leaves_nothing(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    life, dispatch = await invited(mailing)
    raw = json.dumps([sendgrid.event(dispatch, "bounce")]).encode()
    forged = raw.replace(b"bounce", b"dropped")
    others = SendGridStandin().signed(raw)
    for content, headers in ((raw, {}), (forged, sendgrid.signed(raw)), (raw, others)):
        assert (await http.post(PATH, content=content, headers=headers)).status_code == 403
    assert await kept(mailing, dispatch) == 0
    assert await state(life, dispatch) == "handed_over"
    assert await life.events() == ["declared", "message_handed_over"]


async def test_a_bounce_after_delivered_counts_and_delivered_after_a_bounce_does_not(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    life, dispatch = await invited(mailing)
    assert await post(http, sendgrid, [sendgrid.event(dispatch, "delivered")]) == 204
    assert await state(life, dispatch) == "delivered"
    assert await post(http, sendgrid, [sendgrid.event(dispatch, "bounce")]) == 204
    assert await state(life, dispatch) == "rejected"
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    assert await post(http, sendgrid, [sendgrid.event(dispatch, "delivered")]) == 204
    assert await state(life, dispatch) == "rejected"
    assert (await life.row())["medium"] == "post"


async def test_a_bounce_of_an_address_corrected_since_changes_nothing(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    life, dispatch = await invited(mailing)
    corrected = CorrectedContact.model_validate({"email": "corrigee@exemple.fr"})
    await mailing.affiliations.correct_contact(life.employer.caller, life.id, corrected)
    assert await life.until_messages(2) == [("invitation", "email")] * 2
    assert await post(http, sendgrid, [sendgrid.event(dispatch, "bounce")]) == 204

    async def told() -> bool:
        return bool(
            await mailing.run(
                "SELECT 1 FROM delivery_event WHERE dispatch_id = $1 AND told_at IS NOT NULL", uuid.UUID(dispatch)
            )
        )

    await until(told)
    await life.progress()
    assert "delivery_failed" not in await life.events()
    assert await life.sent() == [("invitation", "email")] * 2
    assert (await life.row())["medium"] == "email"


async def test_an_event_of_a_message_that_is_not_ours_is_kept_and_concerns_nobody(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    before = await mailing.run("SELECT count(*) FROM delivery_event WHERE dispatch_id IS NULL")
    events = [sendgrid.event(str(uuid.uuid4()), "bounce"), sendgrid.event("another system's", "bounce")]
    assert await post(http, sendgrid, [*events, sendgrid.event("x", "delivered")]) == 204
    after = await mailing.run("SELECT count(*) FROM delivery_event WHERE dispatch_id IS NULL")
    assert after[0]["count"] - before[0]["count"] == 3


@pytest.mark.faults_long
@pytest.mark.parametrize("away", ["nobody listens", "nobody answers"])
async def test_bounces_while_temporal_is_away_are_kept_at_once_and_told_by_the_sweep(
    mailing: World, sendgrid: SendGridStandin, away: str
) -> None:
    """One time limit for a whole batch: SendGrid waits for seconds only."""
    lives = [await invited(mailing) for _ in range(6)]
    nobody = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", free_port())
    address = f"127.0.0.1:{nobody.sockets[0].getsockname()[1]}"
    if away == "nobody listens":
        nobody.close()
    config = changed(mailing.config, temporal_address=address, temporal_rpc_timeout_seconds=2)
    async with application(config) as app, client(app) as http:
        async with asyncio.timeout(10):  # one after the other they would take 12 s
            assert await post(http, sendgrid, [sendgrid.event(dispatch, "bounce") for _, dispatch in lives]) == 204
    nobody.close()
    for life, dispatch in lives:
        assert await state(life, dispatch) == "rejected"
        assert "delivery_failed" not in await life.events()
    assert (await mailing.sweeper.sweep()).deliveries_told == 6
    for life, _ in lives:
        assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    assert (await mailing.sweeper.sweep()).deliveries_told == 0


async def test_a_bounce_faster_than_the_answer_to_the_call(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, called, go_on = MessageDesk._record, asyncio.Event(), asyncio.Event()

    async def slow(desk: MessageDesk, *arguments: Any) -> None:
        called.set()
        await go_on.wait()
        await honest(desk, *arguments)

    monkeypatch.setattr(MessageDesk, "_record", slow)
    life = await declare(mailing)
    await asyncio.wait_for(called.wait(), 5)
    (row,) = await mailing.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    assert await post(http, sendgrid, [sendgrid.event(str(row["id"]), "bounce")]) == 204
    go_on.set()
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    assert await state(life, str(row["id"])) == "rejected"
    assert sorted(await life.events()) == ["declared", "delivery_failed", "message_handed_over", "message_handed_over"]
    await life.until(Status.sent)
    assert (await life.row())["medium"] == "post"


async def test_a_complaint_on_the_only_medium_left_needs_the_employer(
    mailing: World, http: httpx2.AsyncClient, sendgrid: SendGridStandin
) -> None:
    life, dispatch = await invited(mailing)
    assert await post(http, sendgrid, [sendgrid.event(dispatch, "spamreport")]) == 204
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    for _ in range(2):
        await mailing.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.post, 1, "returned"))
    await attention(life, Attention.unreachable)
    assert (await life.events()).count("delivery_failed") == 2
