"""A worker killed (SIGKILL) at every boundary of a transaction or of a call: nothing lost, nothing doubled.

Each death has its own worker process, task queue and providers; another worker takes over. Several die at once, since
most of it is waiting: the tests then look at what each came to. An attempt is given up after two seconds here,
after ninety in earnest: Temporal does not move a workflow's clock while an attempt is under way.
"""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import Asked, Completed, Completion, Progress, Withdrawn
from domain.affiliation import Channel, Closure
from settings import Settings
from tests.faults.breaking import STAFF, changed, declare, known_sent, until, worker_process, world_without_worker
from tests.standins.maileva import MailevaStandin
from tests.standins.sendgrid import SendGridStandin
from tests.standins.server import Call, Standin
from tests.world import Life
from worker import build_worker
from workflows.affiliation import AffiliationWorkflow
from workflows.engine import EngineAway

AT_ONCE = 4  # processes starting at the same time


@dataclass(frozen=True)
class Death:
    """Where the first worker dies: at a transaction (`place`, `number`, `moment`), or when a provider gets `call`."""

    place: str = "nowhere"
    number: int = 0
    moment: str = "never"
    medium: str = "email"
    call: str = ""
    done: bool = True  # whether the provider does what that call asks
    during: str = ""  # the update under way

    def __str__(self) -> str:
        if self.call:
            return f"{self.call} {'done' if self.done else 'not done'}"
        return f"{self.place} {self.number} {self.moment} by {self.medium}" + f" in {self.during}" * bool(self.during)


@dataclass(frozen=True)
class Survived:
    """What it came to, before and after the rest of the life."""

    signal: int
    messages: list[str]
    events: list[str]
    row: asyncpg.Record
    progress: Progress


TRANSACTIONS = {"email": 5, "post": 6}  # claim, look for the link, add it, call, (remember the sending), record
SEND, SUBMIT = "POST /mail/send", "POST /submit"
UPDATES = [
    Death("record", 1, moment, during=update) for update in ("remind", "withdraw") for moment in ("before", "after")
]
SOME = [
    Death("hand_over", 4, "after"),
    Death(call=SEND),
    Death(call=SUBMIT, medium="post"),
    Death("record", 1, "after", during="remind"),
]
ALL = [
    *(
        Death("hand_over", number, moment, medium)
        for medium, count in TRANSACTIONS.items()
        for number in range(1, count + 1)
        for moment in ("before", "after")
    ),
    *(Death(call=SEND, done=done) for done in (True, False)),
    *(
        Death(call=call, medium="post", done=done)
        for call in ("POST /token", "GET /sendings", "POST /sendings", "POST /documents", "POST /recipients", SUBMIT)
        for done in (True, False)
    ),
    *UPDATES,
]
REST = [death for death in ALL if death not in SOME]


async def lived_through(death: Death, config: Settings, temporal: WorkflowEnvironment) -> Survived:
    with SendGridStandin() as sendgrid, MailevaStandin() as maileva:
        config = changed(config, **sendgrid.settings, **maileva.settings, temporal_task_queue=f"killed-{uuid.uuid4()}")
        provider: Standin = sendgrid if death.medium == "email" else maileva
        if not death.done:
            provider.cut_next(done=False, on=death.call)
        async with world_without_worker(config, temporal) as world:
            life = await declare(world, **({} if death.medium == "email" else {"email": None}))
            async with worker_process(config, death.place, death.number, death.moment) as doomed:

                def kill(call: Call) -> None:
                    method, path = death.call.split()
                    if call.method == method and call.path.endswith(path):
                        doomed.kill()

                provider.on_call = kill if death.call else None
                asking = None
                if death.during:
                    await known_sent(life)
                    asking = asyncio.create_task(ask(life, death.during))
                died_of = await doomed.died()
                provider.on_call = None
            worker = build_worker(world.client, world.system, config)
            async with worker:
                if asking is not None:
                    await asking
                if death.during != "withdraw":
                    await life.until_messages(2 if death.during else 1, 30)
                    await ask(life, "complete")
                await asyncio.wait_for(life.handle.result(), 30)
                messages = await taken(life, sendgrid, maileva)
                return Survived(died_of, messages, await life.events(), await life.row(), await life.progress())


async def ask(life: Life, what: str) -> None:
    """An update, asked again under its id until it is answered: as a caller with an `Idempotency-Key` does."""
    actor = life.employer.caller.actor
    update: Any
    request: Any
    update, request = {
        "remind": (AffiliationWorkflow.remind, Asked(actor)),
        "withdraw": (AffiliationWorkflow.withdraw, Withdrawn(actor, Closure.withdrawn_mistake)),
        "complete": (AffiliationWorkflow.complete, Completed(STAFF, Completion(Channel.paper))),
    }[what]

    async def answered() -> bool:
        try:
            await life.tell(update, request, request_id=what)
        except EngineAway:
            return False
        return True

    await until(answered, 60)


async def taken(life: Life, sendgrid: SendGridStandin, maileva: MailevaStandin) -> list[str]:
    """What both providers took, e-mails first."""
    emails = [message["categories"][0] for message in sendgrid.taken]
    letters = []
    for sending in maileva.submitted():
        (row,) = await life.world.run("SELECT kind FROM dispatch WHERE id = $1", uuid.UUID(sending.custom_id))
        assert len(sending.documents) == len(sending.recipients) == 1
        letters.append(f"{row['kind']} by post")
    return emails + letters


async def all_of(deaths: Sequence[Death], config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(death: Death) -> Survived:
        async with turn:
            return await lived_through(death, config, temporal)

    results = await asyncio.gather(*(one(death) for death in deaths), return_exceptions=True)
    return dict(zip(deaths, results, strict=True))


def check(death: Death, survived: Any) -> None:
    if isinstance(survived, BaseException):
        raise survived
    assert survived.signal == signal.SIGKILL
    handed_over = "message_handed_over"
    if death.during == "withdraw":
        assert survived.messages == ["invitation"]
        assert survived.events == ["declared", handed_over, "abandoned"]
    elif death.during == "remind":
        assert survived.messages == ["invitation", "employer_reminder", "confirmation"]
        assert survived.events == ["declared", handed_over, "reminder_asked", handed_over, "finalised", handed_over]
    elif death.medium == "email":
        assert survived.messages == ["invitation", "confirmation"]
        assert survived.events == ["declared", handed_over, "finalised", handed_over]
    else:
        assert survived.messages == ["invitation by post"]
        assert survived.events == ["declared", handed_over, "finalised"]
    progress, row = survived.progress, survived.row
    told = (progress.status, progress.medium, progress.version, progress.attention, progress.next_step)
    assert told == (row["status"], row["medium"], row["version"], row["attention"], row["next_step_at"])
    assert row["status"] == ("abandoned" if death.during == "withdraw" else "finalised")


@pytest.fixture(scope="module")
async def some(broken_config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    return await all_of(SOME, broken_config, temporal)


@pytest.fixture(scope="module")
async def rest(broken_config: Settings, temporal: WorkflowEnvironment) -> dict[Death, Any]:
    return await all_of(REST, broken_config, temporal)


@pytest.mark.parametrize("death", SOME, ids=str)
async def test_a_worker_killed_anywhere_leaves_one_message_and_a_life_that_goes_on(
    some: dict[Death, Any], death: Death
) -> None:
    check(death, some[death])


@pytest.mark.faults_long
@pytest.mark.parametrize("death", REST, ids=str)
async def test_a_worker_killed_anywhere_else_too(rest: dict[Death, Any], death: Death) -> None:
    check(death, rest[death])
