"""Outgoing webhooks: a company's software is told of each event, in order, signed, and for days where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from activities.contracts.webhooks import webhook_workflow_id
from activities.webhook_listener import WebhookListener
from activities.webhook_sweep import WebhookSweep
from domain.affiliation import Status
from domain.webhooks import GIVES_UP_AFTER, MOST_TRIES
from services.callers import Scope
from tests.api.conftest import BASE, client, key_for
from tests.api.test_answers import check_problem
from tests.standins.receiver import ReceiverStandin, is_signed
from tests.users import administrator_of
from tests.world import Employer, Life, World
from workflows.webhooks_client import Webhooks

HOOKS = f"{BASE}/webhook-endpoints"


@dataclass(frozen=True)
class Stage:
    """A company, its administrator's browser, and the software that it is told by."""

    world: World
    app: FastAPI
    employer: Employer
    http: httpx2.AsyncClient
    receiver: ReceiverStandin

    @property
    def engine(self) -> Webhooks:
        return Webhooks(self.world.client, self.world.config.temporal_task_queue, timedelta(seconds=5))

    async def made(self, **changes: Any) -> dict[str, Any]:
        asked = {"siren": self.employer.siren, "name": "Logiciel de paie", "url": self.receiver.address, **changes}
        answer = await self.http.post(HOOKS, json=asked)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, path: str, status: int = 200) -> dict[str, Any]:
        answer = await self.http.post(f"{HOOKS}/{path}")
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def view(self, hook: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"{HOOKS}/{hook}")).json()
        return found

    async def log(self, hook: str, **asked: str) -> list[dict[str, Any]]:
        """The oldest first."""
        answer = await self.http.get(f"{HOOKS}/{hook}/deliveries", params=asked)
        return list(reversed(answer.json()["items"]))

    async def look(self, hook: str) -> None:
        await self.engine.look(UUID(hook))

    async def forward(self, hook: str, by: timedelta) -> None:
        handle = self.world.client.get_workflow_handle(webhook_workflow_id(hook))
        await asyncio.wait_for(self.world.temporal.fast_forward(handle, by), 60)

    async def until(self, hook: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                view = await self.view(hook)
                if is_so(view):
                    return view
                await asyncio.sleep(0.02)


@pytest.fixture
def receiver() -> Iterator[ReceiverStandin]:
    with ReceiverStandin() as standin:
        yield standin


@pytest.fixture
async def stage(world: World, app: FastAPI, receiver: ReceiverStandin) -> AsyncIterator[Stage]:
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        yield Stage(world, app, employer, http, receiver)


def none_waits(view: dict[str, Any]) -> bool:
    return bool(view["waiting"] == 0)


@asynccontextmanager
async def listening(stage: Stage) -> AsyncIterator[None]:
    """With the worker's listener, once it is known to hear."""
    nobody, heard = uuid4(), asyncio.Event()

    class Engine(Webhooks):
        async def look(self, endpoint_id: UUID) -> None:
            if endpoint_id == nobody:
                heard.set()
            else:
                await super().look(endpoint_id)

    engine = Engine(stage.world.client, stage.world.config.temporal_task_queue, timedelta(seconds=5))
    task = asyncio.create_task(WebhookListener(stage.world.config.database_url, engine).run())
    try:
        async with asyncio.timeout(10):
            while not heard.is_set():
                await stage.world.run("SELECT pg_notify('webhooks', $1)", str(nobody))
                await asyncio.sleep(0.05)
        yield
    finally:
        task.cancel()


async def declared(stage: Stage) -> Life:
    life = await stage.world.declare(stage.employer)
    await life.until(Status.sent)
    return life


async def test_the_events_of_an_affiliation_arrive_in_order_signed_and_without_a_word_about_the_person(
    stage: Stage,
) -> None:
    before = await declared(stage)
    hook = await stage.made()
    assert hook["secret"].startswith("whsec_")
    [listed] = (await stage.http.get(HOOKS)).json()["items"]
    assert listed == {name: value for name, value in hook.items() if name != "secret"}
    kept = await stage.world.run("SELECT * FROM webhook_endpoint WHERE id = $1", UUID(hook["id"]))
    assert stage.receiver.address.encode() not in kept[0]["url_sealed"]
    only_ends = await stage.made(name="Tableau de bord", kinds=["finalised", "abandoned"])
    life = await declared(stage)
    other = await stage.world.employer()
    await stage.world.declare(other)

    assert await WebhookSweep(stage.world.system, stage.engine).look(0, 500) == 1, "nobody had told the engine"
    view = await stage.until(hook["id"], none_waits)
    assert (view["failed"], view["failing_since"], view["last_success_at"] is None) == (0, None, False)
    told = stage.receiver.told()
    assert [one["type"] for one in told] == ["affiliation.declared", "affiliation.message_handed_over"]
    assert [one["data"]["number"] for one in told] == [0, 1]
    assert [one["data"]["status"] for one in told] == ["preparing", "sent"]
    assert {one["data"]["affiliation_id"] for one in told} == {str(life.id)}, "of what happened since, of this company"
    assert str(before.id) not in str(told)
    assert told[0]["data"] == {
        "affiliation_id": str(life.id),
        "number": 0,
        "status": "preparing",
        "siren": stage.employer.siren,
        "siret": stage.employer.siret,
    }
    for call in stage.receiver.calls:
        assert is_signed(call, hook["secret"])
        assert not is_signed(call, only_ends["secret"])
        assert abs(int(call.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    log = await stage.log(hook["id"])
    assert [call.headers["webhook-id"] for call in stage.receiver.calls] == [one["id"] for one in log]
    assert {(one["state"], one["attempts"], one["last_status"], one["next_at"]) for one in log} == {
        ("delivered", 1, 204, None)
    }
    assert await stage.log(only_ends["id"]) == []
    async with listening(stage):
        ended = await stage.http.post(f"{BASE}/affiliations/{life.id}/withdrawal", json={"reason": "left"})
        assert ended.status_code == 200, ended.text
        await stage.until(only_ends["id"], lambda one: one["last_success_at"] is not None)
    assert stage.receiver.told()[-1]["type"] == "affiliation.abandoned"
    forgotten = await stage.http.delete(f"{HOOKS}/{hook['id']}")
    assert forgotten.status_code == 204
    assert await stage.world.run("SELECT id FROM webhook_delivery WHERE endpoint_id = $1", UUID(hook["id"])) == []


async def test_what_was_not_taken_is_tried_again_later_and_nothing_of_its_affiliation_overtakes_it(
    stage: Stage,
) -> None:
    hook = (await stage.made())["id"]
    first, second = await declared(stage), await declared(stage)
    stage.receiver.status = 503
    await stage.look(hook)
    view = await stage.until(hook, lambda one: one["failing_since"] is not None)
    assert (view["waiting"], view["state"]) == (4, "active")
    assert {one["type"] for one in stage.receiver.told()} == {"affiliation.declared"}
    failed = [one for one in await stage.log(hook) if one["attempts"]]
    assert {(one["last_status"], one["last_error"], one["state"]) for one in failed} == {(503, None, "waiting")}
    tried = len(stage.receiver.calls)
    await stage.look(hook)  # an event meanwhile hastens nothing
    stage.receiver.status = 200
    await stage.forward(hook, timedelta(minutes=1))
    await stage.until(hook, none_waits)
    for life in (first, second):
        assert [one["data"]["number"] for one in stage.receiver.told(life.id)] == [0, 0, 1]
    assert len(stage.receiver.calls) == tried + 4
    again = [call.headers["webhook-id"] for call in stage.receiver.calls if b'"number":0' in call.body]
    assert len(again) == 2 * len(set(again)), "a repetition has the same id"


async def test_one_message_that_is_never_taken_is_given_up_after_twelve_tries_and_sent_again_on_demand(
    stage: Stage,
) -> None:
    hook = (await stage.made(kinds=["declared"]))["id"]
    life = await declared(stage)
    stage.receiver.fail_next(400, times=MOST_TRIES)
    await stage.look(hook)
    await stage.until(hook, lambda one: one["failing_since"] is not None)
    await stage.world.run(
        "UPDATE webhook_delivery SET attempts = $2 WHERE endpoint_id = $1", UUID(hook), MOST_TRIES - 1
    )
    await stage.forward(hook, timedelta(minutes=1))
    view = await stage.until(hook, lambda one: bool(one["failed"]))
    assert (view["state"], view["waiting"]) == ("active", 0), "it may still take others"
    stage.receiver.heal()
    assert await stage.post(f"{hook}/replay") == {"count": 1}
    await stage.until(hook, lambda one: none_waits(one) and not one["failed"])
    [delivery] = await stage.log(hook, state="delivered")
    assert (delivery["attempts"], delivery["affiliation_id"]) == (1, str(life.id))
    assert await stage.post(f"{hook}/deliveries/{delivery['id']}/replay") == {"count": 1}
    await stage.until(hook, none_waits)
    assert len({call.headers["webhook-id"] for call in stage.receiver.calls}) == 1
    assert await stage.post(f"{hook}/replay") == {"count": 0}


async def test_one_that_is_silent_for_days_or_wants_no_more_is_stopped_its_administrators_told_and_it_goes_on_later(
    stage: Stage,
) -> None:
    silent = (await stage.made(name="Muet"))["id"]
    await declared(stage)
    stage.receiver.down()
    await stage.look(silent)
    await stage.until(silent, lambda one: one["failing_since"] is not None)
    await stage.world.run(
        "UPDATE webhook_endpoint SET failing_since = failing_since - $2::interval WHERE id = $1",
        UUID(silent),
        GIVES_UP_AFTER,
    )
    await stage.forward(silent, timedelta(minutes=1))
    view = await stage.until(silent, lambda one: one["state"] == "stopped")
    assert (view["waiting"], view["failed"]) == (2, 0), "nothing is lost"
    notices = await stage.world.run(
        "SELECT user_id FROM notice WHERE kind = 'webhook_stopped' AND subject_id = $1", UUID(silent)
    )
    assert len(notices) == 1
    events = await stage.world.run("SELECT event FROM audit_log WHERE object_id = $1 ORDER BY id", silent)
    assert [row["event"] for row in events] == ["webhook_endpoint.created", "webhook_endpoint.stopped"]
    stage.receiver.up()
    await stage.post(f"{silent}/resumption")
    await stage.until(silent, none_waits)
    assert [one["data"]["number"] for one in stage.receiver.told()] == [0, 1]

    await stage.made(name="Parti", kinds=["declared"])
    gone = (await stage.http.get(HOOKS)).json()["items"][0]["id"]
    await stage.post(f"{silent}/pause")
    life = await declared(stage)
    stage.receiver.fail_next(410)
    await stage.look(gone)
    await stage.until(gone, lambda one: one["state"] == "stopped")
    assert (await stage.view(silent))["waiting"] == 2, "what happens in a pause waits"
    await stage.look(silent)
    await stage.post(f"{silent}/resumption")
    await stage.until(silent, none_waits)
    assert [one["type"] for one in stage.receiver.told(life.id)][-1] == "affiliation.message_handed_over"


async def test_a_test_says_what_the_software_answered_and_a_rotation_loses_nothing(stage: Stage) -> None:
    hook = await stage.made()
    tried = await stage.post(f"{hook['id']}/test")
    assert (tried["kind"], tried["state"], tried["last_status"]) == ("test", "delivered", 204)
    assert stage.receiver.told()[0] == {
        "type": "webhook.test",
        "timestamp": stage.receiver.told()[0]["timestamp"],
        "data": {"siren": stage.employer.siren},
    }
    rotated = await stage.post(f"{hook['id']}/secret")
    assert rotated["secret"] != hook["secret"]
    stage.receiver.cut_next(done=True)
    tried = await stage.post(f"{hook['id']}/test")
    assert (tried["state"], tried["last_status"], tried["last_error"]) == ("failed", None, "cut")
    for secret in (hook["secret"], rotated["secret"]):
        assert is_signed(stage.receiver.calls[-1], secret)
    await stage.world.run("UPDATE webhook_endpoint SET former_until = now() WHERE id = $1", UUID(hook["id"]))
    await stage.post(f"{hook['id']}/test")
    assert is_signed(stage.receiver.calls[-1], rotated["secret"])
    assert [one["state"] for one in await stage.log(hook["id"])] == ["delivered", "failed", "delivered"]
    check_problem(await stage.http.post(f"{HOOKS}/{hook['id']}/deliveries/{tried['id']}/replay"), 404, "not_found")
    for _ in range(20):
        last = await stage.http.post(f"{HOOKS}/{hook['id']}/test")
    check_problem(last, 429, "too_many_requests")


async def test_a_key_looks_after_its_companys_and_nobody_after_anothers(stage: Stage) -> None:
    hook = await stage.made()
    wrong = {"siren": stage.employer.siren, "name": "Paie", "url": "http://169.254.169.254/latest", "kinds": []}
    problem = check_problem(await stage.http.post(HOOKS, json=wrong), 422, "invalid_fields")
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [("url", "url.not_https")]
    async with client(stage.app, await key_for(stage.world, stage.employer, Scope.read, Scope.write)) as machine:
        assert [one["id"] for one in (await machine.get(HOOKS)).json()["items"]] == [hook["id"]]
        made = await machine.post(HOOKS, json={**wrong, "url": stage.receiver.address})
        assert made.status_code == 201, made.text
        assert made.json()["created_by"] is None
        for _ in range(3):
            await machine.post(HOOKS, json={**wrong, "url": stage.receiver.address})
        problem = check_problem(
            await machine.post(HOOKS, json={**wrong, "url": stage.receiver.address}), 422, "invalid_fields"
        )
        assert [one["code"] for one in problem["errors"]] == ["siren.too_many_webhooks"]
    other = await stage.world.employer()
    async with administrator_of(stage.app, stage.world, other) as stranger:
        assert (await stranger.get(HOOKS)).json()["items"] == []
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/deliveries"),
            *(("POST", f"/{one}") for one in ("pause", "resumption", "secret", "test", "replay")),
            ("POST", f"/deliveries/{uuid4()}/replay"),
        ):
            answer = await stranger.request(method, f"{HOOKS}/{hook['id']}{path}")
            check_problem(answer, 404, "not_found")
        problem = check_problem(await stranger.post(HOOKS, json={**wrong, "url": stage.receiver.address}), 422,
                                "invalid_fields")  # fmt: skip
        assert [one["code"] for one in problem["errors"]] == ["siren.not_administered"]
