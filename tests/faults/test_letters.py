"""Letters through Maileva's stand-in, real HTTP: one submitted for each business key; a doubt goes to a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts import affiliation as contracts
from activities.contracts.affiliation import DoubtResolved
from activities.hand_over import MessageDesk
from domain.affiliation import Attention, PauseReason, Status, Verdict
from gateways.maileva import MailevaPost
from services.declarations import CorrectedContact, Pause
from settings import Settings
from tests.api.conftest import client
from tests.faults.breaking import STAFF, application, attempts, attention, changed, declare, until
from tests.standins.maileva import MailevaStandin
from tests.standins.server import Call
from tests.world import Life, World, new_mobile, open_world
from workflows.affiliation import AffiliationWorkflow

CREATE, DOCUMENT, RECIPIENT, SUBMIT = "POST /sendings", "POST /documents", "POST /recipients", "POST /submit"


@pytest.fixture(autouse=True)
def _quickly(quick_retries: None) -> None: ...


@pytest.fixture(scope="module")
def maileva() -> Iterator[MailevaStandin]:
    with MailevaStandin() as standin:
        yield standin


@pytest.fixture(autouse=True)
def _well_again(maileva: MailevaStandin) -> Iterator[None]:
    yield
    maileva.heal()
    maileva.on_call = None


@pytest.fixture(scope="module")
async def posting(
    broken_config: Settings, temporal: WorkflowEnvironment, maileva: MailevaStandin
) -> AsyncIterator[World]:
    async with open_world(changed(broken_config, **maileva.settings), temporal) as world:
        yield world


async def submitted(life: Life, maileva: MailevaStandin) -> int:
    """How many letters will be posted for this affiliation."""
    rows = await life.world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    return sum(len(maileva.submitted(str(row["id"]))) for row in rows)


async def complete_letters(life: Life, maileva: MailevaStandin) -> bool:
    """Each has one document and one recipient."""
    rows = await life.world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", life.id)
    letters = [letter for row in rows for letter in maileva.submitted(str(row["id"]))]
    return all(len(letter.documents) == len(letter.recipients) == 1 for letter in letters)


@pytest.mark.parametrize("call", [CREATE, DOCUMENT, RECIPIENT, SUBMIT])
async def test_a_call_done_and_not_answered_ends_in_one_letter(
    posting: World, maileva: MailevaStandin, call: str
) -> None:
    maileva.accept_then_time_out(on=call)
    life = await declare(posting, email=None)
    await life.until(Status.sent)
    assert await submitted(life, maileva) == 1
    assert await complete_letters(life, maileva)
    assert await life.sent() == [("invitation", "post")]


@pytest.mark.parametrize("call", [CREATE, SUBMIT])
async def test_errors_and_cuts_before_anything_was_done_end_in_one_letter(
    posting: World, maileva: MailevaStandin, call: str
) -> None:
    maileva.fail_next(503, times=2, on=call)
    maileva.cut_next(done=False, on=call)
    life = await declare(posting, email=None)
    await life.until(Status.sent)
    assert await submitted(life, maileva) == 1
    assert await complete_letters(life, maileva)
    assert await attempts(life) == [4]


@pytest.mark.parametrize(("verdict", "letters"), [(Verdict.left, 1), (Verdict.did_not_leave, 2)])
async def test_a_sending_that_maileva_no_longer_knows_is_for_a_person_and_never_posted_again_blindly(
    posting: World, maileva: MailevaStandin, verdict: Verdict, letters: int
) -> None:
    def forget_it(call: Call) -> None:
        if call.path.endswith("/submit"):
            maileva.on_call = None
            sending = call.path.removesuffix("/submit").removeprefix("/mail/v2")
            maileva.fail_next(404, times=1000, on=f"GET {sending}")

    maileva.on_call = forget_it
    maileva.accept_then_time_out(on=SUBMIT)
    life = await declare(posting, email=None)
    await attention(life, Attention.uncertain)
    assert await submitted(life, maileva) == 1
    assert await life.status() is Status.preparing

    await life.advance_days(3)  # and it stays so: no retry, no reminder, no fallback
    assert await submitted(life, maileva) == 1
    await life.tell(AffiliationWorkflow.resolve_doubt, DoubtResolved(STAFF, verdict))
    await life.until(Status.sent)
    assert await submitted(life, maileva) == letters


@pytest.mark.parametrize("meanwhile", ["a pause", "another phone number"])
async def test_what_an_employer_does_while_a_letter_is_in_doubt_does_not_post_another(
    posting: World, maileva: MailevaStandin, meanwhile: str
) -> None:
    """Neither concerns the invitation by post: it stays under its business key, and is looked up under it."""
    maileva.accept_then_time_out(on=SUBMIT)
    life = await declare(posting, email=None)

    async def left() -> bool:
        return await submitted(life, maileva) == 1

    await until(left)
    caller = life.employer.caller
    if meanwhile == "a pause":
        await posting.affiliations.pause(caller, life.id, Pause(reason=PauseReason.on_leave))
    else:
        corrected = CorrectedContact.model_validate({"phone": new_mobile()})
        await posting.affiliations.correct_contact(caller, life.id, corrected)
    await life.until(Status.sent)
    assert await submitted(life, maileva) == 1
    assert await life.sent() == [("invitation", "post")]


@pytest.mark.parametrize("asleep_in", ["_create", "_fill", "_submit"])
async def test_two_attempts_at_once_post_one_letter(
    posting: World, maileva: MailevaStandin, monkeypatch: pytest.MonkeyPatch, asleep_in: str
) -> None:
    """The first is stopped before a call for longer than Temporal waits, and goes on when the second has posted."""
    monkeypatch.setattr(contracts, "HAND_OVER_TIMEOUT", timedelta(seconds=1.5))
    honest = getattr(MailevaPost, asleep_in)
    asleep, awake, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleepy(post: MailevaPost, *arguments: Any) -> Any:
        if asleep.is_set():
            return await honest(post, *arguments)
        asleep.set()
        await awake.wait()
        try:
            return await honest(post, *arguments)
        finally:
            ended.set()

    monkeypatch.setattr(MailevaPost, asleep_in, sleepy)
    life = await declare(posting, email=None)
    await asyncio.wait_for(asleep.wait(), 5)
    await life.until(Status.sent)
    awake.set()
    await asyncio.wait_for(ended.wait(), 5)
    assert await submitted(life, maileva) == 1
    assert await complete_letters(life, maileva)


async def test_what_an_attempt_that_was_asleep_learns_does_not_replace_what_the_last_one_knows(
    posting: World, maileva: MailevaStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt submits the draft that the second is just filling again, and is refused."""
    monkeypatch.setattr(contracts, "HAND_OVER_TIMEOUT", timedelta(seconds=1.5))
    submit, call, record = MailevaPost._submit, MailevaPost._call, MessageDesk._record
    first_asleep, first_awake, first_ended, second_asleep, second_awake = (asyncio.Event() for _ in range(5))

    async def sleepy_submit(post: MailevaPost, ref: str) -> None:
        if not first_asleep.is_set():
            first_asleep.set()
            await first_awake.wait()
        await submit(post, ref)

    async def sleepy_call(post: MailevaPost, method: str, path: str, **content: Any) -> Any:
        if method == "POST" and path.endswith("/documents") and first_asleep.is_set() and not second_asleep.is_set():
            second_asleep.set()
            await second_awake.wait()
        return await call(post, method, path, **content)

    async def watched_record(desk: MessageDesk, *arguments: Any) -> None:
        try:
            await record(desk, *arguments)
        finally:
            first_ended.set()

    monkeypatch.setattr(MessageDesk, "_record", watched_record)
    monkeypatch.setattr(MailevaPost, "_submit", sleepy_submit)
    monkeypatch.setattr(MailevaPost, "_call", sleepy_call)
    life = await declare(posting, email=None)
    await asyncio.wait_for(second_asleep.wait(), 10)
    first_awake.set()
    await asyncio.wait_for(first_ended.wait(), 5)
    second_awake.set()
    await life.until(Status.sent)
    row = await life.row()
    assert (row["attention"], row["state"]["status"]) == (None, "sent")
    (dispatch,) = await posting.run("SELECT state FROM dispatch WHERE affiliation_id = $1", life.id)
    assert dispatch["state"] == "handed_over"
    assert await submitted(life, maileva) == 1


async def test_a_letter_that_came_back_needs_the_employer(posting: World, maileva: MailevaStandin) -> None:
    life = await declare(posting, email=None)
    await life.until(Status.sent)
    (row,) = await posting.run("SELECT id, provider_ref FROM dispatch WHERE affiliation_id = $1", life.id)
    sending = maileva.sendings[row["provider_ref"]]
    sending.status, sending.undeliverable = "PROCESSED", True
    body = maileva.callback(sending.id, "ON_DELIVERY_STATUS")
    async with application(posting.config, posting) as app, client(app) as http:
        path = "/api/v1/webhooks/maileva"
        assert (await http.post(path, json=body, auth=("maileva", "wrong"))).status_code == 403
        assert (await life.row())["attention"] is None
        asked = len(maileva.calls)
        allowed = (posting.config.maileva_callback_username, "synthetic-callback-password")
        assert (await http.post(path, json=body, auth=allowed)).status_code == 201
        assert len(maileva.calls) > asked  # the callback is only a hint: the sending was read again
        assert (await http.post(path, json=body, auth=allowed)).status_code == 201
        strange = {**body, "resource_custom_id": "not-one-of-ours"}
        assert (await http.post(path, json=strange, auth=allowed)).status_code == 201
    await attention(life, Attention.unreachable)
    assert (await life.events()).count("delivery_failed") == 1
    assert await submitted(life, maileva) == 1
