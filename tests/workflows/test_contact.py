"""Requests to HCR Bien-Être: acknowledged, escalated in working time, answered, closed, reopened; each told once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

import services.contact
from activities.contact import ContactRecorder, ContactTeller
from activities.contact_files import ContactRescanner
from activities.contracts.contact import ContactStep
from activities.sweep import Sweeper
from bench.costs import cost
from composition import vault
from domain.contact import ContactState
from domain.rights import Role, StaffRole
from domain.working_time import PARIS
from gateways.files.antivirus import ScannerUnavailable, Verdict
from services.contact_desk import QueueState, Taken
from services.contact_views import FileState, NewContact, Rating, Reply, UploadedFile
from services.problems import (
    InvalidFields,
    KeyReused,
    NotAllowed,
    NotFound,
    NotYetScanned,
    RefusedByRules,
    TooManyRequests,
)
from tests.contacting import BODY, NETWORK, Correspondents, correspondents, employers_user
from tests.gateways.files.samples import rib_pdf
from tests.histories import corpus
from tests.histories.corpus import readable
from tests.noticing import engine as notices_engine
from tests.users import add_user
from tests.world import World
from web.parts import Parts, open_parts
from workflows.contact_client import ContactRequests
from workflows.engine import EngineAway

HOUR = timedelta(hours=1)
MORE = Reply(message="Et pour le mois de novembre ?")
PDF = UploadedFile("relevé d’octobre.pdf", rib_pdf("FR7630006000011234567890189", "Essai"))


@pytest.fixture(scope="module")
async def parts(world: World) -> AsyncIterator[Parts]:
    async with open_parts(world.config, world.client) as made:
        yield made


@pytest.fixture
async def two(world: World, parts: Parts) -> Correspondents:
    await world.run("DELETE FROM rate_limit")
    return await correspondents(world, parts)


# --- the life, with the clock moved


async def test_a_request_lives_from_its_receipt_to_its_closing_and_each_thing_is_told_once(
    two: Correspondents,
) -> None:
    head = await add_user(two.world, staff=(StaffRole.super,))
    key = str(uuid4())
    request = await two.send(files=[PDF], key=key)
    again = await two.send(files=[PDF], key=key)
    assert again.id == request.id, "sent twice under one key, it is one request"
    await request.until_quiet()
    fields = await request.fields()
    assert fields["number"].startswith("HCR-20")
    assert await request.notices() == ["contact_received"]

    before = fields["due_at"] - await request.now() - HOUR
    if before > timedelta(0):
        await request.advance(before)
    assert (await request.fields())["escalated_at"] is None, "not overdue yet"
    await request.advance(fields["due_at"] - await request.now())
    assert (await request.fields())["escalated_at"] is not None
    heads = await two.world.run(
        "SELECT user_id FROM notice WHERE subject_id = $1 AND kind = 'contact_escalated'", request.id
    )
    assert [row["user_id"] for row in heads].count(head.id) == 1

    assert (await two.desk.assign(two.staff, request.id, mine=True)).state is ContactState.assigned
    await two.answer(request, key="answer")
    await two.answer(request, key="answer")
    assert (await request.notices()).count("contact_answered") == 1
    seen = await two.service.one(two.user, request.id)
    assert [(one.from_staff, one.body, one.author) for one in seen.messages] == [
        (False, BODY, seen.messages[0].author),
        (True, "Voici le montant.", None),
    ], "employers are not told which member of staff answers"
    assert seen.closes_at is not None

    await request.advance(seen.closes_at - await request.now() - HOUR)
    assert (await request.fields())["state"] == "answered"
    await request.advance(HOUR)
    assert (await asyncio.wait_for(request.handle.result(), 20)).state is ContactState.closed
    assert (await request.notices()).count("contact_closed") == 1
    assert (await two.service.rate(two.user, request.id, Rating(satisfaction=4))).satisfaction == 4

    first_run = await request.history()
    reopened = await two.service.reopen(two.user, request.id, MORE, [], "reopen", NETWORK)
    assert (reopened.state, reopened.satisfaction) == (ContactState.reopened, None)
    await request.until_quiet()
    assert (await request.notices()).count("contact_received") == 1, "a new run acknowledges nothing twice"
    await two.answer(request, close=True)
    assert (await asyncio.wait_for(request.handle.result(), 20)).state is ContactState.closed
    assert (await request.notices()).count("contact_closed") == 1, "what is closed with an answer is told with it"
    said = "\n".join(
        (*readable(json.loads(first_run.to_json())), *readable(json.loads((await request.history()).to_json())))
    )
    assert not [secret for secret in (BODY, "Cotisations", "Camille", "exemple.fr", fields["number"]) if secret in said]


async def test_what_comes_before_christmas_is_escalated_after_the_holiday_and_the_week_end(
    two: Correspondents, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = datetime(2026, 12, 24, 16, tzinfo=PARIS)  # a Thursday; Christmas is a Friday

    class Eve(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return received

    monkeypatch.setattr(services.contact, "datetime", Eve)
    request = await two.send("affiliation")  # eight working hours
    await request.until_quiet()
    due = datetime(2026, 12, 28, 16, tzinfo=PARIS)
    assert (await request.fields())["due_at"] == due
    await request.advance(due - await request.now() - HOUR / 2)
    assert (await request.fields())["escalated_at"] is None, "over the holiday and the week-end no time passed"
    await request.advance(HOUR / 2)
    escalated = (await request.fields())["escalated_at"]
    assert due <= escalated < due + timedelta(minutes=5)


async def test_a_reply_to_an_answer_makes_it_wait_again_and_one_before_only_adds_to_it(two: Correspondents) -> None:
    request = await two.send("contributions")
    assert (await two.service.reply(two.user, request.id, MORE, [], "more", NETWORK)).state is ContactState.received
    with pytest.raises(RefusedByRules):
        await two.service.reopen(two.user, request.id, MORE, [], "too early", NETWORK)
    with pytest.raises(RefusedByRules):
        await two.service.rate(two.user, request.id, Rating(satisfaction=1))
    await two.answer(request)
    for _ in range(2):
        seen = await two.service.reply(two.user, request.id, MORE, [], "again", NETWORK)
    assert (seen.state, len(seen.messages)) == (ContactState.reopened, 4)
    with pytest.raises(KeyReused):
        await two.service.reply(two.user, request.id, Reply(message="Autre chose."), [], "again", NETWORK)
    await request.advance(timedelta(days=20))
    assert (await request.fields())["state"] == "reopened", "an answer that was not enough closes nothing"
    assert (await request.fields())["escalated_at"] is not None
    await two.desk.close(two.staff, request.id)
    assert (await asyncio.wait_for(request.handle.result(), 20)).state is ContactState.closed
    assert (await request.notices()).count("contact_closed") == 1
    with pytest.raises(RefusedByRules):
        await two.answer(request)


# --- exactly once


async def test_steps_repeated_five_times_at_once_and_sent_at_once_have_one_effect(two: Correspondents) -> None:
    receipts = await asyncio.gather(*(two.send(key="the same") for _ in range(3)))
    assert len({one.id for one in receipts}) == 1
    request = receipts[0]
    await request.until_quiet()
    await add_user(two.world, staff=(StaffRole.super,))
    recorder = ContactRecorder(two.world.system, notices_engine(two.world))
    fields = await request.fields()
    step = ContactStep(str(request.id), fields["version"], fields["due_at"])
    facts = await asyncio.gather(*(recorder.escalate(step) for _ in range(5)))
    assert {one.version for one in facts} == {fields["version"] + 1}
    heads = await two.world.run("SELECT id FROM portal_user WHERE 'super' = ANY (staff_roles)")
    assert (await request.notices()).count("contact_escalated") == len(heads)
    await asyncio.gather(*(recorder.acknowledge(step) for _ in range(5)))
    assert (await request.notices()).count("contact_received") == 1
    stale = await recorder.close(step)
    assert stale.state is ContactState.received, "a step of a former version does nothing"
    messages = await two.world.run("SELECT FROM contact_message WHERE request_id = $1", request.id)
    assert len(messages) == 1


async def test_what_was_sent_and_answered_while_temporal_was_away_is_told_by_the_sweep(
    two: Correspondents, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ContactRequests(two.world.client, two.world.config.temporal_task_queue, timedelta(seconds=5))

    async def away(*_: object) -> None:
        raise EngineAway("no answer in time")

    with monkeypatch.context() as patch:
        patch.setattr(ContactRequests, "tell", away)
        request = await two.send()
        await two.desk.answer(two.staff, request.id, MORE, [], "answer")
    assert await request.notices() == ["contact_answered"]
    sweeper = Sweeper(
        two.world.system, two.world.engine, grace=timedelta(0), contacts=ContactTeller(two.world.system, engine)
    )
    assert (await sweeper.sweep()).contacts_told >= 1
    await request.until_quiet()
    assert sorted(await request.notices()) == ["contact_answered", "contact_received"]
    fields = await request.fields()
    assert fields["told_version"] == fields["version"]
    assert (await sweeper.sweep()).contacts_told == 0


# --- whose they are


async def test_a_request_is_its_senders_and_the_administrators_and_staff_find_it_by_due_date(
    two: Correspondents, parts: Parts
) -> None:
    late = await two.send("affiliation")
    await two.world.run("UPDATE contact_request SET due_at = now() - interval '1 hour' WHERE id = $1", late.id)
    later = await two.send("other")
    colleague = await add_user(two.world, {two.employer.company_id: Role.member})
    administrator = await add_user(two.world, {two.employer.company_id: Role.administrator})
    listed = await two.service.page(two.user, 1)
    assert ([one.id for one in listed.items], listed.total) == ([later.id], 2)
    rest = await two.service.page(two.user, 1, listed.next_cursor)
    assert ([one.id for one in rest.items], rest.next_cursor) == ([late.id], None)
    assert (await two.service.page(employers_user(colleague.id, two.employer), 5)).total == 0
    boss = employers_user(administrator.id, two.employer, administrator=True)
    assert (await two.service.page(boss, 5)).total == 2
    stranger = (await correspondents(two.world, parts)).user
    for somebody in (employers_user(colleague.id, two.employer), stranger):
        with pytest.raises(NotFound):
            await two.service.one(somebody, late.id)
        with pytest.raises(NotFound):
            await two.service.reply(somebody, late.id, MORE, [], "x", NETWORK)
    elsewhere = NewContact(company_id=uuid4(), reason="other", subject="x", message="x")
    with pytest.raises(NotFound):
        await two.service.send(two.user, elsewhere, [], "x", NETWORK)
    with pytest.raises(NotAllowed):
        await two.desk.one(two.user, late.id)
    with pytest.raises(NotAllowed):
        await two.service.page(two.employer.caller, 5)  # a machine

    await two.desk.assign(two.staff, late.id, mine=True)
    mine = await two.desk.queue(two.staff, taken=Taken.mine)
    assert [(one.id, one.late) for one in mine.items] == [(late.id, True)]
    count = await two.desk.count(two.staff)
    assert (count.mine, count.late >= 1) == (1, True)
    assert (await two.desk.assign(two.staff, late.id, mine=False)).assigned_to is None
    waiting = await two.desk.queue(two.staff, taken=Taken.nobody, overdue=True, reason="affiliation", limit=200)
    assert late.id in {one.id for one in waiting.items}
    assert (await two.desk.queue(two.staff, QueueState.closed, taken=Taken.mine)).total == 0
    logged = await two.world.run(
        "SELECT event FROM audit_log WHERE object_id = $1 AND actor_kind <> 'system' ORDER BY id", str(late.id)
    )
    assert [row["event"] for row in logged] == ["contact.sent", "contact.assigned", "data.viewed", "contact.left"]


# --- files


async def test_files_are_taken_in_whole_or_refused_by_name_and_read_once_they_are_clean(two: Correspondents) -> None:
    request = await two.send(files=[PDF])
    [file] = (await two.service.one(two.user, request.id)).messages[0].files
    assert (file.name, file.state) == ("relevé d’octobre.pdf", FileState.ready)
    assert (await two.desk.file(two.staff, request.id, file.id)).content.startswith(b"%PDF")
    other = await two.send()
    with pytest.raises(NotFound):
        await two.service.file(two.user, other.id, file.id)

    for state, raised in (("pending", NotYetScanned), ("infected", NotFound)):
        await two.world.run("UPDATE contact_file SET scan = $2 WHERE id = $1", file.id, state)
        with pytest.raises(raised):
            await two.service.file(two.user, request.id, file.id)

    program = UploadedFile("outil.exe", b"MZ")
    for files, field in (([PDF, program], "files.1"), ([program] * 7, "files")):
        with pytest.raises(InvalidFields) as refused:
            await two.send(files=files)
        assert [error.field for error in refused.value.errors] == [field]
        await two.world.run("DELETE FROM rate_limit")
    assert "outil.exe" in refused.value.errors[0].message or field == "files"
    assert len(await two.world.run("SELECT FROM contact_request WHERE company_id = $1", two.employer.company_id)) == 2


async def test_what_the_antivirus_has_not_seen_is_shown_to_it_again_and_what_is_infected_is_destroyed(
    two: Correspondents,
) -> None:
    request = await two.send(files=[PDF, PDF])
    clean, infected = (await two.service.one(two.user, request.id)).messages[0].files
    await two.world.run("UPDATE contact_file SET scan = 'pending' WHERE request_id = $1", request.id)
    [row] = await two.world.run("SELECT object_key FROM contact_file WHERE id = $1", infected.id)
    files = vault(two.world.config)
    answers: Iterator[Verdict | None] = iter([None, Verdict.clean, Verdict.infected])

    class Antivirus:
        async def scan(self, content: bytes) -> Verdict:
            verdict = next(answers)
            if verdict is None:
                raise ScannerUnavailable("away")
            return verdict

    rescanner = ContactRescanner(two.world.system, files, Antivirus())
    assert [await rescanner.rescan(20) for _ in range(3)] == [0, 2, 0]
    seen = (await two.service.one(two.user, request.id)).messages[0].files
    assert [(one.id, one.state) for one in seen] == [(clean.id, FileState.ready), (infected.id, FileState.infected)]
    assert row["object_key"] not in {found.object_key async for found in files.list()}
    with pytest.raises(NotFound):
        await two.desk.file(two.staff, request.id, infected.id)


async def test_five_requests_an_hour_and_neither_the_same_one_again_counts_nor_one_refused_for_its_file(
    two: Correspondents,
) -> None:
    for _ in range(5):
        with pytest.raises(InvalidFields):
            await two.send(files=[UploadedFile("outil.exe", b"MZ")])
    for _ in range(5):
        await two.send(key="one")
    for number in range(4):
        await two.send(key=f"other {number}")
    with pytest.raises(TooManyRequests):
        await two.send()
    await two.send(key="one")


# --- what it costs


def test_a_request_keeps_to_its_budget_on_temporal() -> None:
    spent = cost(corpus.load("contact_answered_and_closed"))
    assert spent.events <= 40, spent
    assert spent.billable <= 10, spent
