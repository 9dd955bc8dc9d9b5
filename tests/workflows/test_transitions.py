"""Every request to an affiliation: in order, twice, out of order and after its end, on the real server."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from activities.contracts.affiliation import (
    EMPLOYEE_ACTOR,
    Actor,
    ActorKind,
    Asked,
    Completed,
    Completion,
    ContactCorrected,
    Declined,
    DeliveryFailed,
    DoubtResolved,
    DraftSaved,
    Paused,
    Skipped,
    Withdrawn,
)
from domain.affiliation import (
    Attention,
    Channel,
    Closure,
    DeclineReason,
    PauseReason,
    Refusal,
    Refused,
    Status,
    Verdict,
)
from domain.media import Medium, MessageKind
from services.declarations import CorrectedContact
from tests.world import Life, World
from workflows.affiliation import AffiliationWorkflow as Workflow
from workflows.engine import NotRunning

EMPLOYER = Actor(ActorKind.employer, "test")
STAFF = Actor(ActorKind.staff, "test")


async def sent(life: Life) -> None:
    await life.until(Status.sent)
    await life.until_quiet()  # the read model is written by the activity, a moment before the workflow hears of it


async def started(life: Life) -> None:
    await sent(life)
    await life.tell(Workflow.save_draft, DraftSaved(Medium.email))


async def reminded(life: Life) -> None:
    await sent(life)
    await life.tell(Workflow.remind, Asked(EMPLOYER))
    await life.until_messages(2)
    await life.until_quiet()


async def relinked(life: Life) -> None:
    await sent(life)
    await life.tell(Workflow.send_link, Asked(EMPLOYEE_ACTOR))
    await life.until_messages(2)
    await life.until_quiet()


async def paused(life: Life) -> None:
    await sent(life)
    await life.tell(Workflow.pause, Paused(EMPLOYER, PauseReason.on_leave))


async def corrected(life: Life) -> None:
    await sent(life)
    await life.world.affiliations.correct_contact(
        life.employer.caller, life.id, CorrectedContact(email=f"autre{uuid.uuid4().hex[:8]}@exemple.fr")
    )


@dataclass(frozen=True)
class Case:
    """One kind of request: when it is in order, what it does, when it is refused, and what a repetition gives."""

    name: str
    update: Any
    request: object
    before: Callable[[Life], Awaitable[None]]
    expected: Callable[[Any], bool]
    refused_in: Callable[[Life], Awaitable[None]] | None
    refused_as: Refused | None
    again: Refused | None  # asked again under another id


CASES = [
    Case(
        "remind",
        Workflow.remind,
        Asked(EMPLOYER),
        sent,
        lambda p: p.reminder_allowed_from is not None,
        reminded,
        Refused.too_soon,
        Refused.too_soon,
    ),
    Case(
        "send_link",
        Workflow.send_link,
        Asked(EMPLOYEE_ACTOR),
        sent,
        lambda p: p.status is Status.sent,
        relinked,
        Refused.too_soon,
        Refused.too_soon,
    ),
    Case(
        "correct_contact",
        Workflow.correct_contact,
        ContactCorrected(EMPLOYER, 1, (Medium.email,), (Medium.email, Medium.post)),
        sent,
        lambda p: True,
        corrected,
        Refused.stale_contact,
        Refused.stale_contact,
    ),
    Case(
        "save_draft",
        Workflow.save_draft,
        DraftSaved(Medium.email),
        sent,
        lambda p: p.status is Status.started,
        None,
        None,
        None,
    ),
    Case(
        "complete",
        Workflow.complete,
        Completed(STAFF, Completion(Channel.paper)),
        started,
        lambda p: p.status is Status.finalised,
        None,
        None,
        None,
    ),
    Case(
        "not_me",
        Workflow.decline,
        Declined(Medium.email, DeclineReason.not_me),
        sent,
        lambda p: p.status is Status.sent,
        None,
        None,
        None,
    ),
    Case(
        "left_company",
        Workflow.decline,
        Declined(Medium.email, DeclineReason.left_company),
        started,
        lambda p: p.status is Status.abandoned,
        None,
        None,
        Refused.closed,
    ),
    Case(
        "withdraw",
        Workflow.withdraw,
        Withdrawn(EMPLOYER, Closure.withdrawn_mistake),
        sent,
        lambda p: p.status is Status.abandoned,
        None,
        None,
        Refused.closed,
    ),
    Case(
        "pause",
        Workflow.pause,
        Paused(EMPLOYER, PauseReason.settled_by_phone),
        sent,
        lambda p: p.pause is PauseReason.settled_by_phone,
        paused,
        Refused.already_paused,
        Refused.already_paused,
    ),
    Case(
        "resume",
        Workflow.resume,
        Asked(EMPLOYER),
        paused,
        lambda p: p.pause is None,
        sent,
        Refused.not_paused,
        Refused.not_paused,
    ),
    Case(
        "skip",
        Workflow.skip,
        Skipped(EMPLOYER, MessageKind.reminder, 1),
        sent,
        lambda p: [step.kind for step in p.calendar] == ["reminder", "postal_fallback", "reminder", "abandonment"],
        paused,
        Refused.nothing_to_skip,
        None,
    ),
    Case(
        "resolve_doubt",
        Workflow.resolve_doubt,
        DoubtResolved(STAFF, Verdict.left),
        sent,
        lambda p: True,
        sent,
        Refused.no_doubt,
        Refused.no_doubt,
    ),
]
IN_ORDER = [case for case in CASES if case.name not in ("correct_contact", "resolve_doubt")]


def by_name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", IN_ORDER, ids=by_name)
async def test_in_order_it_is_done_and_recorded_once_however_often_it_is_repeated(world: World, case: Case) -> None:
    life = await world.declare(await world.employer())
    await case.before(life)
    lines = len(await life.events())

    answers = [await life.tell(case.update, case.request, "the-same-id") for _ in range(3)]

    assert case.expected(answers[0])
    assert answers[0] == answers[1] == answers[2]
    own_lines = [kind for kind in (await life.events())[lines:] if kind not in ("message_handed_over",)]
    assert len(own_lines) == 1, own_lines
    await life.history()


@pytest.mark.parametrize("case", [case for case in CASES if case.again], ids=by_name)
async def test_asked_again_under_another_id_it_is_refused_in_words(world: World, case: Case) -> None:
    life = await world.declare(await world.employer())
    await case.before(life)
    if case in IN_ORDER:
        await life.tell(case.update, case.request)
    with pytest.raises((Refusal, NotRunning)) as refused:
        await life.tell(case.update, case.request)
    if isinstance(refused.value, Refusal):
        assert refused.value.code is case.again
    else:
        assert case.again is Refused.closed


@pytest.mark.parametrize("case", [case for case in CASES if case.refused_in], ids=by_name)
async def test_out_of_order_it_is_refused_without_a_trace_in_history(world: World, case: Case) -> None:
    life = await world.declare(await world.employer())
    assert case.refused_in is not None
    await case.refused_in(life)
    await life.until_quiet()
    events = len((await life.history()).events)
    with pytest.raises(Refusal) as refused:
        await life.tell(case.update, case.request)
    assert refused.value.code is case.refused_as
    assert (refused.value.retry_at is not None) is (case.refused_as is Refused.too_soon)
    assert len((await life.history()).events) == events


@pytest.mark.parametrize("case", CASES, ids=by_name)
@pytest.mark.parametrize("end", [Status.finalised, Status.abandoned])
async def test_after_the_end_nothing_changes(world: World, case: Case, end: Status) -> None:
    life = await world.declare(await world.employer())
    await sent(life)
    if end is Status.finalised:
        await life.tell(Workflow.complete, Completed(STAFF, Completion(Channel.paper)))
    else:
        await life.tell(Workflow.withdraw, Withdrawn(EMPLOYER, Closure.withdrawn_other))
    await life.handle.result()
    before, lines = dict(await life.row()), await life.events()

    with pytest.raises((Refusal, NotRunning)):
        await life.tell(case.update, case.request)
    with pytest.raises(NotRunning):
        await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.email, 1, "bounced"))

    assert dict(await life.row()) == before
    assert await life.events() == lines


async def test_a_bounce_sends_the_letter_at_once_and_only_once(world: World) -> None:
    life = await world.declare(await world.employer())
    await sent(life)
    for _ in range(3):
        await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.email, 1, "bounced"))
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    progress = await life.progress()
    assert progress.medium is Medium.post
    assert (await life.events()).count("delivery_failed") == 1


async def test_a_letter_that_comes_back_makes_the_affiliation_wait_for_the_employer(world: World) -> None:
    life = await world.declare(await world.employer(), email=None)
    await life.until_messages(1)
    await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.post, 1, "returned"))
    progress = await life.progress()
    assert progress.attention is Attention.unreachable
    assert [step.kind for step in progress.calendar] == ["abandonment"]
    with pytest.raises(Refusal) as refused:
        await life.tell(Workflow.remind, Asked(EMPLOYER))
    assert refused.value.code is Refused.unreachable


async def test_a_bounce_of_an_address_corrected_since_changes_nothing(world: World) -> None:
    life = await world.declare(await world.employer())
    await corrected(life)
    await life.until_messages(2)
    await world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.email, 1, "bounced"))
    progress = await life.progress()
    assert (progress.medium, progress.attention) == (Medium.email, None)
    assert "delivery_failed" not in await life.events()


async def test_a_corrected_address_bypasses_the_24_hours_and_restarts_the_clock(world: World) -> None:
    life = await world.declare(await world.employer())
    await reminded(life)
    await life.advance_days(3)
    await world.affiliations.correct_contact(
        life.employer.caller, life.id, CorrectedContact(email=f"neuf{uuid.uuid4().hex[:8]}@exemple.fr")
    )
    await life.until_messages(3)
    await life.until_quiet()
    progress = await life.tell(Workflow.remind, Asked(EMPLOYER))
    assert progress.reminder_allowed_from is not None
    first = next(step for step in (await life.progress()).calendar if step.kind == "reminder")
    assert first.at - await life.now() > timedelta(days=4)


async def test_the_employers_reminder_is_allowed_again_after_24_hours(world: World) -> None:
    life = await world.declare(await world.employer())
    await reminded(life)
    with pytest.raises(Refusal) as refused:
        await life.tell(Workflow.remind, Asked(EMPLOYER))
    assert refused.value.retry_at is not None
    await life.advance(refused.value.retry_at - await life.now())
    await life.tell(Workflow.remind, Asked(EMPLOYER))
    assert [kind for kind, _ in await life.until_messages(3)] == [
        "invitation",
        "employer_reminder",
        "employer_reminder",
    ]


async def test_what_the_calendar_announces_is_what_is_sent(world: World) -> None:
    life = await world.declare(await world.employer())
    await sent(life)
    announced = (await life.progress()).calendar
    await life.to_the_end()
    kept = await life.sent_at()
    for step, moment in zip(announced, kept[1:], strict=False):
        assert abs(moment - step.at) < timedelta(minutes=2), (step, moment)
    assert [str(step.kind) for step in announced[:-1]] == [kind for kind, _ in (await life.sent())[1:]]
    assert announced[-1].kind == "abandonment"
    assert abs((await life.row())["status_at"] - announced[-1].at) < timedelta(minutes=10)


async def test_a_pause_holds_what_is_automatic_and_the_end_still_comes(world: World) -> None:
    life = await world.declare(await world.employer())
    await paused(life)
    await life.to_the_end()
    assert await life.sent() == [("invitation", "email")]
    assert (await life.row())["closure"] == "no_response"


async def test_paper_with_a_missing_piece_finalises_and_asks_for_it(world: World) -> None:
    life = await world.declare(await world.employer(), email=None)
    await life.until_messages(1)
    await world.run(
        "INSERT INTO enrolment (affiliation_id, company_id, missing, channel, submitted_at)"
        " SELECT id, company_id, '{rib}', 'paper', now() FROM affiliation WHERE id = $1",
        life.id,
    )
    progress = await life.tell(Workflow.complete, Completed(STAFF, Completion(Channel.paper, ("rib",))))
    assert progress.status is Status.finalised
    assert await life.until_messages(2) == [("invitation", "post"), ("missing_pieces", "post")]


async def test_not_me_by_email_goes_on_by_post_and_kills_the_email_links(world: World) -> None:
    life = await world.declare(await world.employer())
    await sent(life)
    await life.tell(Workflow.decline, Declined(Medium.email, DeclineReason.not_me))
    assert (await life.until_messages(2))[1] == ("postal_fallback", "post")
    rows = await world.run(
        "SELECT medium, revoked_at IS NOT NULL AS dead FROM access_token WHERE affiliation_id = $1 ORDER BY medium",
        life.id,
    )
    assert [(row["medium"], row["dead"]) for row in rows] == [("email", True), ("post", False)]
