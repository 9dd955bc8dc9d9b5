"""A notice leaves once, after the commit that caused it, as long as there is something to say."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from activities.contracts.notices import NoticeOutcome, NoticeSent
from activities.sweep import Sweeper
from db import notices
from db.pool import system
from gateways.access_links import LinkKind, link_address
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.letter_codes import parse_code, verify_secret
from gateways.local_boxes import LocalBoxes, LocalPost
from messages.notices import NoticeKind
from services.deliveries import DeliveryService
from tests.covering import engine as coverage_rights
from tests.histories.corpus import readable
from tests.messages.documents import pages_of
from tests.noticing import (
    add_activation,
    add_invitation,
    add_recovery,
    add_reset,
    engine,
    give_office,
    handle,
    notify,
    outbox,
    received,
    row,
    settled,
    written,
)
from tests.users import add_user
from tests.world import Employer, World, earlier
from workflows.engine import EngineAway
from workflows.notices_client import Notices

LATER = timedelta(minutes=3)


# --- leaving


async def test_a_notice_leaves_after_the_commit_for_the_address_that_the_user_has_then(world: World) -> None:
    user = await add_user(world)
    notice = await notify(world, NoticeKind.password_changed, user_id=user.id)
    assert (await settled(world, notice))["state"] == "handed_over"
    (message,) = await received(world, notice)
    assert (message["recipient"], message["kind"], message["medium"]) == (user.email, "password_changed", "email")
    assert (await row(world, notice))["provider_ref"] == f"local-{notice}"


async def test_a_notice_of_a_transaction_that_was_rolled_back_never_leaves(world: World) -> None:
    user = await add_user(world)
    notices_of_it: list[UUID | None] = []

    async def fails() -> None:
        async with outbox(world).transaction() as transaction:
            notices_of_it.append(await transaction.notify("never", NoticeKind.password_changed, user_id=user.id))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    (notice,) = notices_of_it
    assert notice is not None
    assert not await world.run("SELECT FROM notice WHERE id = $1", notice)
    with pytest.raises(Exception, match="not found"):
        await handle(world, notice).describe()


async def test_a_key_used_before_writes_nothing(world: World) -> None:
    user = await add_user(world)
    key = f"test/{uuid.uuid4()}"
    async with outbox(world).transaction() as transaction:
        assert await transaction.notify(key, NoticeKind.phone_changed, user_id=user.id) is not None
        assert await transaction.notify(key, NoticeKind.phone_changed, user_id=user.id) is None
    assert len(transaction.added) == 1


async def test_a_notice_started_twice_leaves_once(world: World) -> None:
    user = await add_user(world)
    notice = await notify(world, NoticeKind.password_changed, user_id=user.id)
    await settled(world, notice)
    await handle(world, notice).result()
    await engine(world).start(notice, None)
    assert (await row(world, notice))["attempts"] == 1


async def test_the_link_of_a_notice_is_the_one_of_its_subject_and_generation(world: World) -> None:
    user = await add_user(world)
    invitation = await add_invitation(world, user.id, generation=3)
    notice = await notify(
        world,
        NoticeKind.invitation,
        user_id=user.id,
        subject_id=invitation,
        company_id=(await world.employer()).company_id,
    )
    await settled(world, notice)
    link = link_address(world.cipher, world.config.public_base_url, LinkKind.invitation, invitation, 3)
    (message,) = await received(world, notice)
    assert f'href="{link}"' in message["html"]
    assert link in message["text"]


async def test_what_was_refused_says_why_and_is_counted(world: World) -> None:
    count = _counter("password_changed", "refused")
    notice = await notify(world, NoticeKind.password_changed, recipient="personne@inconnu.example.fr")
    found = await settled(world, notice)
    assert (found["state"], found["reason"]) == ("refused", "bad_address")
    await handle(world, notice).result()
    assert _counter("password_changed", "refused") == count + 1


async def test_a_notice_to_nobody_is_refused(world: World) -> None:
    notice = await notify(world, NoticeKind.password_changed)
    found = await settled(world, notice)
    assert (found["state"], found["reason"]) == ("refused", "bad_address")


def _counter(kind: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("hcr_notices_total", {"kind": kind, "outcome": outcome}) or 0.0


# --- waiting


async def test_a_notice_waits_until_it_may_leave(world: World) -> None:
    user = await add_user(world)
    notice = await notify(
        world,
        NoticeKind.code_not_completed,
        user_id=user.id,
        subject_id=uuid.uuid4(),
        not_before=datetime.now(UTC) + LATER,
    )
    await engine(world).start(notice, datetime.now(UTC) + LATER)  # running by now: it is the same one
    assert (await row(world, notice))["attempts"] == 0
    await world.temporal.fast_forward(handle(world, notice), LATER + timedelta(minutes=1))
    assert (await settled(world, notice))["state"] == "handed_over"
    assert len(await received(world, notice)) == 1


async def test_a_code_completed_meanwhile_is_not_told_of(world: World) -> None:
    user = await add_user(world)
    session: UUID = (
        await world.run(
            "INSERT INTO portal_session (token_hash, user_id, stage, network, browser, password_version, expires_at)"
            " VALUES ($1, $2, 'open', '127.0.0.1', 'Firefox', 1, now() + interval '1 hour') RETURNING id",
            uuid.uuid4().bytes,
            user.id,
        )
    )[0]["id"]
    notice = await notify(world, NoticeKind.code_not_completed, user_id=user.id, subject_id=session)
    await _superseded(world, notice, "signed_in")


async def test_a_sign_in_since_then_is_enough(world: World) -> None:
    user = await add_user(world)
    notice = await written(world, NoticeKind.code_not_completed, user_id=user.id, subject_id=uuid.uuid4())
    await world.run("UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1", user.id)
    await engine(world).start(notice, None)
    await _superseded(world, notice, "signed_in")


async def _superseded(world: World, notice: UUID, reason: str) -> None:
    found = await settled(world, notice)
    assert (found["state"], found["reason"], found["handed_over_at"]) == ("superseded", reason, None)
    assert await handle(world, notice).result() == NoticeSent(NoticeOutcome.superseded, reason)
    assert await received(world, notice) == []


# --- nothing to say any more

Subject = Callable[[World, Employer, UUID], Awaitable[UUID]]
PAST = datetime(2026, 1, 1, tzinfo=UTC)


def _activation(**changes: Any) -> Subject:
    return lambda world, employer, user_id: add_activation(world, employer, **changes)


def _recovery(**changes: Any) -> Subject:
    return lambda world, employer, user_id: add_recovery(world, employer, **changes)


def _invitation(**changes: Any) -> Subject:
    return lambda world, employer, user_id: add_invitation(world, user_id, **changes)


def _reset(**changes: Any) -> Subject:
    return lambda world, employer, user_id: add_reset(world, user_id, **changes)


async def _email_change(world: World, employer: Employer, user_id: UUID) -> UUID:
    rows = await world.run(
        "INSERT INTO email_change (user_id, new_email, token_hash, expires_at, dead_at)"
        " VALUES ($1, 'autre@exemple.fr', $2, now() + interval '1 hour', now()) RETURNING id",
        user_id,
        uuid.uuid4().bytes,
    )
    added: UUID = rows[0]["id"]
    return added


async def _nothing(world: World, employer: Employer, user_id: UUID) -> UUID:
    return uuid.uuid4()


ENDED: list[tuple[str, NoticeKind, Subject]] = [
    ("a completed activation", NoticeKind.activation, _activation(completed_at=PAST)),
    ("a stopped activation", NoticeKind.activation_told, _activation(stopped_at=PAST)),
    ("an accepted invitation", NoticeKind.invitation, _invitation(accepted_at=PAST)),
    ("a revoked invitation", NoticeKind.staff_invitation, _invitation(revoked_at=PAST)),
    ("a used reset", NoticeKind.password_reset, _reset(used_at=PAST)),
    ("a dead reset", NoticeKind.password_reset, _reset(dead_at=PAST)),
    ("a dead change of address", NoticeKind.email_change, _email_change),
    ("a stopped recovery", NoticeKind.recovery_told, _recovery(state="stopped")),
    ("a recovery no longer waiting", NoticeKind.recovery_waiting, _recovery(state="granted")),
    ("a subject that is gone", NoticeKind.phone_loss, _nothing),
    ("a mandate that is gone", NoticeKind.mandate_asked, _nothing),
]


@pytest.mark.parametrize(("kind", "subject"), [case[1:] for case in ENDED], ids=[case[0] for case in ENDED])
async def test_nothing_is_sent_of_a_subject_that_has_ended(world: World, kind: NoticeKind, subject: Subject) -> None:
    employer, user = await world.employer(), await add_user(world)
    subject_id = await subject(world, employer, user.id)
    notice = await notify(world, kind, user_id=user.id, subject_id=subject_id, company_id=employer.company_id)
    await _superseded(world, notice, "subject_ended")


async def test_an_expired_link_is_not_sent(world: World) -> None:
    user = await add_user(world)
    reset = await add_reset(world, user.id)
    await world.run("UPDATE password_reset SET expires_at = now() WHERE id = $1", reset)
    notice = await notify(world, NoticeKind.password_reset, user_id=user.id, subject_id=reset)
    await _superseded(world, notice, "subject_ended")


async def test_whom_a_company_knows_is_told_of_an_activation_that_was_quicker(world: World) -> None:
    employer = await world.employer()
    activation = await add_activation(world, employer, completed_at=PAST)
    notice = await notify(
        world,
        NoticeKind.activation_told,
        recipient="contact@exemple.fr",
        subject_id=activation,
        company_id=employer.company_id,
    )
    assert (await settled(world, notice))["state"] == "handed_over"


async def test_what_comes_too_late_is_not_sent(world: World) -> None:
    user = await add_user(world)
    notice = await notify(world, NoticeKind.new_device, user_id=user.id, not_after=datetime.now(UTC))
    await _superseded(world, notice, "too_late")


@pytest.mark.parametrize("column", ["suspended_at", "revoked_at"])
async def test_a_closed_account_is_written_only_that_it_is_closed(world: World, column: str) -> None:
    user, employer = await add_user(world), await world.employer()
    await world.run(f"UPDATE portal_user SET {column} = now() WHERE id = $1", user.id)
    await _superseded(world, await notify(world, NoticeKind.new_device, user_id=user.id), "user_closed")
    for kind in (NoticeKind.access_suspended, NoticeKind.access_revoked, NoticeKind.account_suspended):
        notice = await notify(world, kind, user_id=user.id, company_id=employer.company_id)
        assert (await settled(world, notice))["state"] == "handed_over"


async def test_what_nobody_took_for_a_week_is_given_up(world: World) -> None:
    user = await add_user(world)
    notice = await written(world, NoticeKind.new_device, user_id=user.id)
    await world.run("UPDATE notice SET created_at = now() - interval '8 days' WHERE id = $1", notice)
    await engine(world).start(notice, None)
    found = await settled(world, notice)
    assert (found["state"], found["reason"]) == ("unknown", "given_up")
    assert await received(world, notice) == []


async def test_an_attempt_that_slept_while_another_claimed_may_neither_call_nor_settle(world: World) -> None:
    notice = await written(world, NoticeKind.new_device, user_id=(await add_user(world)).id)
    first, second = [(await world.run(notices.CLAIM, notice, notices.GIVE_UP_DAYS))[0]["attempts"] for _ in range(2)]
    assert await world.run(notices.CALLING, notice, first) == []
    assert len(await world.run(notices.CALLING, notice, second)) == 1
    assert await world.run(notices.SETTLE, notice, "handed_over", None, None, first) == []
    await world.run(notices.NOT_CALLING, notice, first)
    assert (await row(world, notice))["calling_since"] is not None
    assert len(await world.run(notices.REMEMBER_REF, notice, "one")) == 1
    assert await world.run(notices.REMEMBER_REF, notice, "another") == []


# --- the sweep


class Away(Notices):
    """Temporal does not answer."""

    async def start(self, notice_id: UUID, not_before: datetime | None) -> None:
        raise EngineAway("away")


async def test_the_sweep_starts_what_nothing_started(world: World) -> None:
    user = await add_user(world)
    notice = await written(world, NoticeKind.new_device, user_id=user.id)
    sweeper = Sweeper(world.system, world.engine, timedelta(0), notices=engine(world))
    assert (await sweeper.sweep()).notices_started >= 1
    assert (await settled(world, notice))["state"] == "handed_over"
    await sweeper.sweep()
    assert (await row(world, notice))["attempts"] == 1


async def test_the_sweep_leaves_alone_what_is_young_has_to_wait_or_was_tried(world: World) -> None:
    user = await add_user(world)
    later = datetime.now(UTC) + LATER
    young = await written(world, NoticeKind.new_device, user_id=user.id)
    waiting = await written(world, NoticeKind.new_device, user_id=user.id, not_before=later)
    tried = await written(world, NoticeKind.new_device, user_id=user.id)
    await world.run("UPDATE notice SET created_at = now() - interval '1 minute' WHERE id = ANY ($1)", [waiting, tried])
    await world.run("UPDATE notice SET attempts = 1 WHERE id = $1", tried)
    async with system(world.system) as connection:
        due = {entry["id"] for entry in await connection.fetch(notices.NOT_STARTED, 10.0, notices.GIVE_UP_DAYS, 500)}
    assert not due & {young, waiting, tried}


async def test_a_round_of_the_sweep_survives_temporal_being_away(world: World) -> None:
    notice = await written(world, NoticeKind.new_device, user_id=(await add_user(world)).id)
    away = Away(world.client, world.config.temporal_task_queue, timedelta(seconds=1))
    assert (await Sweeper(world.system, world.engine, timedelta(0), notices=away).sweep()).notices_started == 0
    assert (await row(world, notice))["state"] == "prepared"


# --- what providers say afterwards


async def test_a_bounce_is_written_on_the_notice_and_is_its_last_word(world: World) -> None:
    user = await add_user(world)
    notice = await notify(world, NoticeKind.new_device, user_id=user.id)
    await settled(world, notice)
    await handle(world, notice).result()
    service = DeliveryService(world.system, world.engine, LocalPost(LocalBoxes(world.system)), coverage_rights(world))
    for kind in (DeliveryKind.other, DeliveryKind.bounced, DeliveryKind.delivered):
        event = DeliveryEvent("test", str(uuid.uuid4()), str(notice), kind, "5.1.1", datetime.now(UTC))
        assert await service.receive([event]) == 1
    found = await row(world, notice)
    assert (found["state"], found["reason"]) == ("refused", "bounced")


async def test_an_event_about_nobody_is_only_kept(world: World) -> None:
    service = DeliveryService(world.system, world.engine, LocalPost(LocalBoxes(world.system)), coverage_rights(world))
    event = DeliveryEvent("test", str(uuid.uuid4()), str(uuid.uuid4()), DeliveryKind.bounced, "", datetime.now(UTC))
    assert await service.receive([event]) == 1


# --- letters


@pytest.mark.parametrize("kind", [NoticeKind.recovery_letter, NoticeKind.activation_letter])
async def test_a_letter_carries_a_code_that_opens_its_subject_once(world: World, kind: NoticeKind) -> None:
    employer = await world.employer()
    await give_office(world, employer)
    add = add_recovery if kind is NoticeKind.recovery_letter else add_activation
    subject = await add(world, employer)
    notice = await notify(world, kind, medium="post", subject_id=subject, company_id=employer.company_id)
    assert (await settled(world, notice))["state"] == "handed_over"
    (letter,) = await received(world, notice)
    assert letter["recipient"].splitlines()[-1] == "34200 SÈTE"
    (page,) = pages_of(letter["pdf"])
    printed = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}", page)
    assert printed is not None
    parsed = parse_code(printed[0])
    assert parsed is not None
    selector, secret = parsed
    async with system(world.system) as connection:
        looked_up = (selector, notices.MAX_OFFICE_FAILURES, notices.OFFICE_CODE_DAYS)
        code = await connection.fetchrow(notices.OFFICE_CODE_BY_SELECTOR, *looked_up)
        assert code is not None
        assert (code["kind"], code["subject_id"], code["company_id"], code["dead"]) == (
            kind.value,
            subject,
            employer.company_id,
            False,
        )
        assert await verify_secret(code["secret_hash"], secret)
        assert await connection.fetchval(notices.USE_OFFICE_CODE, notice) == employer.company_id
        assert await connection.fetchval(notices.USE_OFFICE_CODE, notice) is None
        assert (await connection.fetchrow(notices.OFFICE_CODE_BY_SELECTOR, *looked_up))["dead"]  # type: ignore[index]


async def test_twenty_wrong_secrets_kill_a_letters_code_and_so_do_thirty_one_days(world: World) -> None:
    employer = await world.employer()
    await give_office(world, employer)
    codes = []
    for _ in range(2):
        subject = await add_activation(world, employer)
        notice = await notify(
            world,
            NoticeKind.activation_letter,
            medium="post",
            subject_id=subject,
            company_id=employer.company_id,
        )
        await settled(world, notice)
        codes.append((notice, (await world.run("SELECT * FROM office_code WHERE notice_id = $1", notice))[0]))

    async def dead(selector: str) -> bool:
        async with system(world.system) as connection:
            found = await connection.fetchrow(
                notices.OFFICE_CODE_BY_SELECTOR, selector, notices.MAX_OFFICE_FAILURES, notices.OFFICE_CODE_DAYS
            )
        assert found is not None
        return bool(found["dead"])

    (tried, first), (old, second) = codes
    for count in range(notices.MAX_OFFICE_FAILURES):
        assert not await dead(first["selector"]), count
        await world.run(notices.COUNT_OFFICE_FAILURE, first["selector"], notices.MAX_OFFICE_FAILURES)
    assert await dead(first["selector"])
    assert await world.run(notices.USE_OFFICE_CODE, tried) == []

    await world.run(f"UPDATE notice SET created_at = {earlier('now()', '30')} WHERE id = $1", old)
    assert not await dead(second["selector"]), "its last day"
    await world.run(f"UPDATE notice SET created_at = {earlier('created_at', '1')} WHERE id = $1", old)
    assert await dead(second["selector"])


async def test_a_company_whose_office_is_unknown_gets_no_letter(world: World) -> None:
    employer = await world.employer()
    recovery = await add_recovery(world, employer)
    notice = await notify(
        world, NoticeKind.recovery_letter, medium="post", subject_id=recovery, company_id=employer.company_id
    )
    found = await settled(world, notice)
    assert (found["state"], found["reason"]) == ("refused", "bad_address")


# --- nothing personal


async def test_a_notices_history_holds_its_id_and_nothing_of_anybody(world: World) -> None:
    user = await add_user(world)
    notice = await notify(world, NoticeKind.new_device, user_id=user.id, details={"browser": "Firefox"})
    await settled(world, notice)
    await handle(world, notice).result()
    words = list(readable(json.loads((await handle(world, notice).fetch_history()).to_json())))
    assert any(str(notice) in word for word in words)
    for said in ("@exemple", "Prénom", "Firefox", "acces/"):
        assert not [word for word in words if said in word]
