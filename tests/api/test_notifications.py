"""What is new is counted and listed for each user by their marks, and written to them once, as they chose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from activities.contracts.digests import SendDigests
from activities.digests import Digests
from db.pool import system
from domain.affiliation import Status
from domain.rights import Role
from domain.working_time import next_working_day_opening, paris_date
from messages.notices import NoticeKind
from services.callers import Caller
from services.notification_feed import MOST_OF_SESSION, NotificationFeed
from services.notifications import Unread
from services.problems import TooManyRequests
from services.sessions import open_session
from tests.api.conftest import BASE
from tests.noticing import notify, received, settled, written
from tests.notifying import ends_soon, happens, to_correct
from tests.users import HERE, TestUser, add_user, signed_in
from tests.world import Employer, Life, World
from web.parts import Parts
from workflows.digest import DigestWorkflow

NEWS = f"{BASE}/notifications"
NOW = timedelta(0)


@dataclass(frozen=True)
class Stage:
    """Two companies of one user, three affiliations at the first and one at the other."""

    world: World
    app: FastAPI
    one: Employer
    other: Employer
    lives: list[Life]

    async def user(self) -> TestUser:
        return await add_user(self.world, dict.fromkeys((self.one.company_id, self.other.company_id), Role.member))

    @property
    def use(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def digests(self, user: TestUser) -> list[asyncpg.Record]:
        """Written to them; what the same round wrote to users of other tests is taken back."""
        await self.world.run("DELETE FROM notice WHERE kind = 'digest' AND user_id <> $1", user.id)
        return await self.world.run(
            "SELECT id, details, company_id FROM notice WHERE kind = 'digest' AND user_id = $1 ORDER BY id", user.id
        )


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> Stage:
    one, other = await world.employer(), await world.employer()
    lives = [await world.declare(employer) for employer in (one, one, one, other)]
    for life in lives:
        await life.until(Status.sent)
        await life.until_quiet()
    return Stage(world, app, one, other, lives)


async def unread(http: httpx2.AsyncClient) -> tuple[int, int]:
    found = (await http.get(f"{NEWS}/unread")).json()
    return found["notifications"], found["messages"]


async def test_what_happens_is_new_until_its_user_has_read_it_and_older_than_that_for_nobody_else(
    stage: Stage,
) -> None:
    world, (first, second, third, elsewhere) = stage.world, stage.lives
    me, colleague = await stage.user(), await stage.user()
    async with signed_in(stage.app, world, me) as http, signed_in(stage.app, world, colleague) as theirs:
        assert await unread(http) == (0, 0), "what was before the account is not new to it"
        await happens(world, first, "finalised")
        await happens(world, elsewhere, "declined")
        await happens(world, first, "paused")
        await ends_soon(world, second)
        exported = await written(world, NoticeKind.export_ready, user_id=me.id)
        letter = await written(world, NoticeKind.password_changed, user_id=me.id)
        await world.run("UPDATE notice SET state = 'handed_over' WHERE id = ANY ($1)", [exported, letter])
        assert await unread(http) == (4, 1)
        page = (await http.get(NEWS, params={"limit": 3})).json()
        rest = (await http.get(NEWS, params={"limit": 3, "cursor": page["next_cursor"]})).json()
        lines = page["items"] + rest["items"]
        new = [line for line in lines if line["unread"]]
        assert {line["kind"] for line in new} == {"finalised", "declined", "abandoned_soon", "export_ready"}
        assert [line["at"] for line in lines] == sorted((line["at"] for line in lines), reverse=True)
        of_other = (await http.get(NEWS, params={"siren": stage.other.siren})).json()["items"]
        assert [line["kind"] for line in of_other] == ["declined"]
        assert of_other[0]["affiliation_id"] == str(elsewhere.id)

        await happens(world, third, "finalised")  # after the list was shown
        answer = await http.post(f"{NEWS}/read", json={"until": page["as_of"]})
        assert answer.json() == {"notifications": 1, "messages": 1}
        await http.post(f"{NEWS}/read", json={"until": "2026-01-01T00:00:00Z"})
        assert await unread(http) == (1, 1), "what is read stays read"
        assert await unread(theirs) == (4, 0)
        assert (await theirs.get(NEWS, params={"siren": "999000003"})).status_code == 404
        assert (await theirs.get(NEWS, params={"cursor": "x"})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("read", {}, "until"),
        ("read", {"until": "demain"}, "until"),
        ("read", {"until": "2026-05-12T12:05:00"}, "until"),
        ("preferences", {}, "kinds"),
        ("preferences", {"kinds": {"anything": "daily"}}, "kinds.anything"),
        ("preferences", {"kinds": {"finalised": "hourly"}}, "kinds.finalised"),
        ("preferences", {"siren": "12", "kinds": {"finalised": "daily"}}, "siren"),
    ],
)
async def test_what_cannot_be_read_is_named(stage: Stage, path: str, body: dict[str, Any], field: str) -> None:
    async with signed_in(stage.app, stage.world, await stage.user()) as http:
        answer = await http.request("POST" if path == "read" else "PUT", f"{NEWS}/{path}", json=body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert "Exemple\u00a0: " in error["message"] or error["code"] in ("missing", "extra_forbidden")


async def test_the_days_message_tells_everything_once_as_each_user_chose(stage: Stage) -> None:
    world, (first, second, third, elsewhere) = stage.world, stage.lives
    me = await stage.user()
    async with signed_in(stage.app, world, me) as http:
        chosen = {"siren": stage.other.siren, "kinds": {"finalised": "none", "ended": "weekly"}}
        answer = await http.put(f"{NEWS}/preferences", json=chosen)
    by_company = {one["siren"]: one["kinds"] for one in answer.json()["items"]}
    assert by_company[stage.other.siren]["ended"] == "weekly"
    assert by_company[stage.one.siren]["ended"] == "daily"
    for life, kind in ((first, "finalised"), (third, "finalised"), (elsewhere, "finalised"), (elsewhere, "declined")):
        await happens(world, life, kind)
    await happens(world, second, "abandoned")
    await to_correct(world, first)  # at once
    digests = Digests(world.system, NOW)
    tuesday = next_working_day_opening(_monday_after(datetime.now(UTC)))
    saturday = tuesday - timedelta(days=(tuesday.weekday() - 5) % 7)
    assert (await digests.send(SendDigests(saturday))).sent == 0

    for _ in range(2):  # the activity is repeated
        await digests.send(SendDigests(tuesday))
        [told] = await stage.digests(me)
    one = str(stage.one.company_id)
    assert told["details"] == {"when": "day", "counts": {one: {"ended": 1, "finalised": 2}}}
    assert told["company_id"] == stage.one.company_id

    await digests.send_now()
    _, urgent = await stage.digests(me)
    assert urgent["details"] == {"when": "now", "counts": {one: {"to_correct": 1}}}
    await digests.send_now()
    await Digests(world.system, NOW).send_now()
    assert len(await stage.digests(me)) == 2, "nobody is told twice, whichever worker looks"

    monday = next_working_day_opening(paris_date(tuesday) + timedelta(days=7 - tuesday.weekday() - 1))
    await digests.send(SendDigests(monday))
    weekly = (await stage.digests(me))[-1]
    if monday.weekday() == 0:  # no holiday
        assert weekly["details"]["counts"] == {str(stage.other.company_id): {"ended": 1}}


async def test_the_message_names_companies_and_counts_and_nobody(stage: Stage) -> None:
    world, me = stage.world, await stage.user()
    counts = {
        str(stage.one.company_id): {"to_correct": 1, "finalised": 3},
        str(stage.other.company_id): {"abandoned_soon": 1},
    }
    told = await notify(world, NoticeKind.digest, user_id=me.id, details={"when": "day", "counts": counts})
    assert (await settled(world, told))["state"] == "handed_over"
    [message] = await received(world, told)
    rows = await world.run("SELECT name FROM company WHERE id = ANY ($1)", [*map(UUID, counts)])
    assert "une affiliation à corriger, 3 affiliations finalisées" in message["text"].replace("\u00a0", " ")
    assert all(row["name"] in message["text"].replace("\u00a0", " ") for row in rows)
    assert "/notifications" in message["text"]
    async with signed_in(stage.app, world, me) as http:
        assert await unread(http) == (0, 0), "it tells of what the bell counts: it is not counted again"


async def test_the_scheduled_workflow_writes_what_is_due(stage: Stage) -> None:
    me = await stage.user()
    sent = await stage.world.client.execute_workflow(
        DigestWorkflow.run, id=f"digest-{me.id}", task_queue=stage.world.config.temporal_task_queue
    )
    assert sent.failed == 0
    assert await stage.digests(me) == []


# --- live


@contextlib.asynccontextmanager
async def listening(stage: Stage, user: TestUser) -> AsyncIterator[tuple[NotificationFeed, Caller]]:
    async with system(stage.world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage="open")
    caller = await stage.use.sessions.caller(opened.token, user.kind)
    feed = NotificationFeed(stage.world.system, stage.use.notifications, every=0.01, still_there=0.05)
    try:
        yield feed, caller
    finally:
        await feed.close()


async def heard(stream: Any) -> Unread | None:
    """The next counts; None: the stream has ended."""
    async with asyncio.timeout(10):
        async for said in stream:
            if said is not None:
                found: Unread = said
                return found
    return None


async def test_an_open_page_hears_of_what_is_new_and_holds_no_connection(stage: Stage) -> None:
    me = await stage.user()
    async with listening(stage, me) as (feed, caller):
        streams = [feed.stream(caller) for _ in range(MOST_OF_SESSION)]
        for stream in streams:
            assert await heard(stream) == Unread(notifications=0, messages=0)
        with pytest.raises(TooManyRequests):
            feed.check(caller)
        pool = stage.world.system
        assert pool.get_size() - pool.get_idle_size() <= 1, "the one that looks for all of them"
        await happens(stage.world, stage.lives[0], "finalised")
        for stream in streams[:2]:
            assert await heard(stream) == Unread(notifications=1, messages=0)
        for stream in streams[1:]:
            await stream.aclose()
        feed.check(caller)
        await stage.world.run("DELETE FROM portal_session WHERE user_id = $1", me.id)
        await happens(stage.world, stage.lives[0], "declined")
        assert await heard(streams[0]) is None, "it ends with the session"


async def test_closing_the_feed_ends_its_streams(stage: Stage) -> None:
    async with listening(stage, await stage.user()) as (feed, caller):
        stream = feed.stream(caller)
        assert await heard(stream) is not None
        await feed.close()
        assert await heard(stream) is None


def _monday_after(moment: datetime) -> Any:
    """A Monday of a coming week that has no holiday beside it."""
    day = paris_date(moment) + timedelta(days=7 - paris_date(moment).weekday())
    while next_working_day_opening(day - timedelta(days=1)).date() != day or (
        next_working_day_opening(day).date() != day + timedelta(days=1)
    ):
        day += timedelta(days=7)
    return day
