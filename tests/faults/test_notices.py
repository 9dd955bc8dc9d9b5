"""Notices whose worker is killed (SIGKILL) at every boundary, and whose provider does what providers do: each leaves
once. How the deaths are arranged is told in `test_kills`."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts import notices as contracts
from messages.notices import NoticeKind
from settings import Settings
from tests.faults.breaking import changed, worker_process, world_without_worker
from tests.faults.conftest import QUICK_RETRY
from tests.noticing import add_recovery, give_office, handle, notify, settled
from tests.standins.maileva import MailevaStandin
from tests.standins.sendgrid import SendGridStandin
from tests.standins.server import Call, Standin
from tests.users import add_user
from tests.world import World, open_world
from worker import build_worker

AT_ONCE = 4
SEND, SUBMIT = "POST /mail/send", "POST /submit"


@dataclass(frozen=True)
class Death:
    """Where the first worker dies: at a transaction of the activity, or when a provider gets `call`."""

    number: int = 0
    moment: str = "never"
    medium: str = "email"
    call: str = ""
    done: bool = True

    def __str__(self) -> str:
        if self.call:
            return f"{self.call} {'done' if self.done else 'not done'}"
        return f"{self.number} {self.moment} by {self.medium}"


TRANSACTIONS = {"email": 3, "post": 6}  # claim, (look for the code, add it), call, (remember the sending), settle
SOME = [
    Death(2, "after"),
    Death(call=SEND),
    Death(3, "after", "post"),
    Death(call=SUBMIT, medium="post"),
]
ALL = [
    *(
        Death(number, moment, medium)
        for medium, count in TRANSACTIONS.items()
        for number in range(1, count + 1)
        for moment in ("before", "after")
    ),
    *(Death(call=SEND, done=done) for done in (True, False)),
    *(Death(call=SUBMIT, medium="post", done=done) for done in (True, False)),
]
REST = [death for death in ALL if death not in SOME]


@dataclass(frozen=True)
class Survived:
    signal: int
    taken: list[str]  # the notices that the provider took
    notice: asyncpg.Record


async def lived_through(death: Death, config: Settings, temporal: WorkflowEnvironment) -> Survived:
    with SendGridStandin() as sendgrid, MailevaStandin() as maileva:
        config = changed(config, **sendgrid.settings, **maileva.settings, temporal_task_queue=f"killed-{uuid.uuid4()}")
        provider: Standin = sendgrid if death.medium == "email" else maileva
        if not death.done:
            provider.cut_next(done=False, on=death.call)
        async with world_without_worker(config, temporal) as world:
            notice = await _written_by(world, death.medium)
            place = "nowhere" if death.call else "notice"
            async with worker_process(config, place, death.number, death.moment) as doomed:

                def kill(call: Call) -> None:
                    method, path = death.call.split()
                    if call.method == method and call.path.endswith(path):
                        doomed.kill()

                provider.on_call = kill if death.call else None
                died_of = await doomed.died()
                provider.on_call = None
            async with build_worker(world.client, world.system, config):
                await asyncio.wait_for(handle(world, notice).result(), 40)
                taken = [message["custom_args"]["dispatch_id"] for message in sendgrid.taken]
                taken += [sending.custom_id for sending in maileva.submitted()]
                assert taken == [str(notice)] * len(taken)
                return Survived(died_of, taken, await settled(world, notice))


async def _written_by(world: World, medium: str) -> UUID:
    if medium == "email":
        return await notify(world, NoticeKind.password_changed, user_id=(await add_user(world)).id)
    employer = await world.employer()
    await give_office(world, employer)
    recovery = await add_recovery(world, employer)
    return await notify(
        world, NoticeKind.recovery_letter, medium="post", subject_id=recovery, company_id=employer.company_id
    )


async def all_of(deaths: Sequence[Death], config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(death: Death) -> Survived:
        async with turn:
            return await lived_through(death, config, temporal)

    results = await asyncio.gather(*(one(death) for death in deaths), return_exceptions=True)
    return dict(zip(deaths, results, strict=True))


def check(survived: Any) -> None:
    if isinstance(survived, BaseException):
        raise survived
    assert survived.signal == signal.SIGKILL
    assert len(survived.taken) == 1
    assert (survived.notice["state"], survived.notice["calling_since"]) == ("handed_over", None)


@pytest.fixture(scope="module")
async def some(broken_config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    return await all_of(SOME, broken_config, temporal)


@pytest.fixture(scope="module")
async def rest(broken_config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    return await all_of(REST, broken_config, temporal)


@pytest.mark.parametrize("death", SOME, ids=str)
async def test_a_worker_killed_anywhere_leaves_one_notice(some: dict[Death, Any], death: Death) -> None:
    check(some[death])


@pytest.mark.faults_long
@pytest.mark.parametrize("death", REST, ids=str)
async def test_a_worker_killed_anywhere_else_leaves_one_notice_too(rest: dict[Death, Any], death: Death) -> None:
    check(rest[death])


# --- what a provider does


@pytest.fixture(scope="module")
def provider() -> Iterator[SendGridStandin]:
    with SendGridStandin() as standin:
        yield standin


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "NOTICE_RETRY", QUICK_RETRY)


@pytest.fixture(autouse=True)
def _well_again(provider: SendGridStandin) -> Iterator[None]:
    yield
    provider.heal()
    provider.listing_delay = 0.0


@pytest.fixture(scope="module")
async def searching(
    broken_config: Settings, temporal: WorkflowEnvironment, provider: SendGridStandin
) -> AsyncIterator[World]:
    async with open_world(changed(broken_config, **provider.settings), temporal) as world:
        yield world


@pytest.fixture(scope="module")
async def blind(
    broken_config: Settings, temporal: WorkflowEnvironment, provider: SendGridStandin
) -> AsyncIterator[World]:
    """SendGrid without its search of past e-mails."""
    config = changed(broken_config, **{**provider.settings, "sendgrid_activity_search": False})
    async with open_world(config, temporal) as world:
        yield world


async def _taken(provider: SendGridStandin, notice: UUID) -> int:
    return sum(message["custom_args"]["dispatch_id"] == str(notice) for message in provider.taken)


async def test_a_provider_that_was_away_gets_it_once_it_is_back(searching: World, provider: SendGridStandin) -> None:
    for _ in range(3):
        provider.fail_next(503, on=SEND)
    notice = await _written_by(searching, "email")
    assert (await settled(searching, notice))["state"] == "handed_over"
    assert await _taken(provider, notice) == 1


async def test_an_answer_that_was_lost_is_looked_up(searching: World, provider: SendGridStandin) -> None:
    provider.accept_then_time_out(on=SEND)
    notice = await _written_by(searching, "email")
    assert (await settled(searching, notice))["state"] == "handed_over"
    assert await _taken(provider, notice) == 1


async def test_what_was_not_taken_is_sent_again_once_that_is_sure(searching: World, provider: SendGridStandin) -> None:
    provider.cut_next(done=False, on=SEND)
    notice = await _written_by(searching, "email")
    assert (await settled(searching, notice))["state"] == "handed_over"
    assert await _taken(provider, notice) == 1


async def test_without_a_search_what_is_in_doubt_is_never_sent_blindly(blind: World, provider: SendGridStandin) -> None:
    provider.accept_then_time_out(on=SEND)
    notice = await _written_by(blind, "email")
    found = await settled(blind, notice)
    assert (found["state"], found["reason"]) == ("unknown", "cannot_tell")
    assert await _taken(provider, notice) == 1
