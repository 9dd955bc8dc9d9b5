"""A company whose administrator has gone: a letter, its code, a delay, on the real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from activities.company_recovery import RecoveryDesk
from activities.contracts.company_recovery import EndRecovery, EnterRecoveryCode
from activities.sweep import Sweeper
from bench.costs import cost
from composition import providers
from db.notices import OFFICE_CODE_DAYS
from domain.company_recovery import CODE_DAYS, RecoveryState, code_waited_until, granted_at
from domain.rights import Role
from domain.working_time import PARIS
from tests.activating import administrators, audited, company, contact_of, notices
from tests.histories import corpus
from tests.histories.corpus import readable
from tests.noticing import engine as notices_engine
from tests.recovering import ASKS, Recovery, asked, begun, engine, orphaned, started
from tests.users import add_user
from tests.world import World
from worker import build_worker
from workflows.company_recoveries import CompanyRecoveries
from workflows.engine import NotRunning
from workflows.runners import watchful_runner

S = RecoveryState


def desk(world: World) -> RecoveryDesk:
    return RecoveryDesk(world.system, world.cipher, notices_engine(world))


async def test_a_letter_its_code_and_a_week_later_an_invitation(world: World) -> None:
    employer, gone = await orphaned(world)
    recovery = await begun(world, employer)
    told = await notices(world, employer, "recovery_told", count=2)
    assert sorted(notice["goes_to"] for notice in told) == sorted([gone.email, contact_of(employer)])
    letter = (await notices(world, employer, "recovery_letter"))[0]
    assert (letter["medium"], letter["state"]) == ("post", "handed_over")

    await recovery.advance_days(12)
    await recovery.enter_code()
    assert await recovery.state() is S.code_entered
    assert len(await notices(world, employer, "recovery_told", count=4)) == 4
    waiting = (await notices(world, employer, "recovery_waiting"))[0]
    assert waiting["goes_to"] == ASKS
    grant_at = (await world.run("SELECT grant_at FROM company_recovery WHERE id = $1", recovery.id))[0]["grant_at"]
    assert grant_at - await recovery.now() > timedelta(days=6, hours=22)

    await recovery.advance(grant_at - await recovery.now() - timedelta(hours=1))
    assert await recovery.state() is S.code_entered
    await recovery.advance(timedelta(hours=2))
    assert await recovery.ended() is S.granted
    granted = (await notices(world, employer, "recovery_granted"))[0]
    assert granted["goes_to"] == ASKS
    assert await administrators(world, employer) == [gone.email], "nobody has accepted anything yet"
    offered = await world.run(
        "SELECT m.role, m.granted_by, i.invited_by, i.accepted_at, u.email FROM membership m"
        " JOIN invitation i ON i.id = m.invitation_id JOIN portal_user u ON u.id = m.user_id"
        " WHERE m.company_id = $1 AND i.id = $2",
        employer.company_id,
        granted["subject_id"],
    )
    assert [tuple(row) for row in offered] == [("administrator", None, None, None, ASKS)]
    assert await audited(world, employer) == ["company.recovery_code_entered", "company.recovery_granted"]
    await recovery.history()


async def test_nobody_enters_the_code_and_it_expires_after_its_last_day(world: World) -> None:
    employer, gone = await orphaned(world)
    recovery = await begun(world, employer)
    await recovery.advance_days(29)
    assert await recovery.state() is S.letter_sent
    await recovery.advance_days(2)
    assert await recovery.ended() is S.expired
    with pytest.raises(NotRunning):
        await engine(world).enter_code(recovery.id, (await notices(world, employer, "recovery_letter"))[0]["id"])
    assert await administrators(world, employer) == [gone.email]


async def test_stopped_while_the_code_is_waited_for_it_ends(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    await recovery.stop()
    assert await recovery.ended() is S.stopped


async def test_an_objection_counts_although_the_workflow_never_heard_of_it(world: World) -> None:
    employer, gone = await orphaned(world)
    recovery = await begun(world, employer)
    await recovery.enter_code()
    await recovery.object()
    await recovery.advance_days(8)
    assert await recovery.ended() is S.stopped
    assert await administrators(world, employer) == [gone.email]
    assert not await world.run("SELECT FROM notice WHERE key LIKE $1", f"recovery_granted/{recovery.id}%")


async def test_stopped_before_it_began_no_letter_leaves(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = Recovery(world, employer, await asked(world, employer))
    await recovery.object()
    await engine(world).start(recovery.id)
    assert await recovery.ended() is S.stopped
    assert not await world.run("SELECT FROM notice WHERE company_id = $1", employer.company_id)


async def test_a_letter_that_cannot_be_posted_ends_it_at_once(world: World) -> None:
    employer, _ = await orphaned(world)
    await world.run("UPDATE company SET office_city = NULL WHERE id = $1", employer.company_id)
    recovery = await started(world, employer)
    assert await recovery.ended() is S.undeliverable
    assert (await audited(world, employer))[-1] == "company.recovery_undeliverable"
    again = await asked(world, employer)
    assert again != recovery.id, "another one may be asked for"


async def test_the_code_counts_once_also_when_it_is_told_twenty_times(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    letter = (await notices(world, employer, "recovery_letter"))[0]
    moments = await asyncio.gather(*(engine(world).enter_code(recovery.id, letter["id"]) for _ in range(20)))
    assert len(set(moments)) == 1
    assert moments[0] is not None
    assert len(await notices(world, employer, "recovery_waiting")) == 1
    assert (await audited(world, employer)).count("company.recovery_code_entered") == 1
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted


async def test_a_code_that_was_used_before_begins_no_delay(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    letter = (await notices(world, employer, "recovery_letter"))[0]
    await world.run("UPDATE office_code SET used_at = now() WHERE notice_id = $1", letter["id"])
    assert await engine(world).enter_code(recovery.id, letter["id"]) is None
    assert await recovery.state() is S.letter_sent


async def test_a_worker_that_goes_away_changes_nothing(world: World) -> None:
    """Each part of the life on a worker of its own."""
    employer, _ = await orphaned(world)
    queue = f"recovery-{employer.siren}"
    recovery = Recovery(world, employer, await asked(world, employer))
    async with worker_on(world, queue):
        await CompanyRecoveries(world.client, queue, timedelta(seconds=5)).start(recovery.id)
        await recovery.until_posted()
    async with worker_on(world, queue):
        await recovery.enter_code()
    async with worker_on(world, queue):
        await recovery.advance_days(8)
        assert await recovery.ended() is S.granted
    for kind, count in (("recovery_told", 4), ("recovery_letter", 1), ("recovery_waiting", 1), ("recovery_granted", 1)):
        assert len(await notices(world, employer, kind)) == count


async def test_what_was_written_while_temporal_was_away_is_started_by_the_sweep(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = Recovery(world, employer, await asked(world, employer))
    sweeper = Sweeper(world.system, world.engine, grace=timedelta(0), recoveries=engine(world))
    assert (await sweeper.sweep()).recoveries_started >= 1
    await recovery.until_posted()
    assert (await sweeper.sweep()).recoveries_started == 0


async def test_what_no_workflow_ends_any_more_is_over_after_three_months(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    await recovery.handle.terminate("an operator's slip")
    sweeper = Sweeper(world.system, world.engine, grace=timedelta(0), recoveries=engine(world))
    await sweeper.sweep()
    assert await recovery.state() is S.letter_sent
    await world.run("UPDATE company_recovery SET requested_at = now() - interval '91 days' WHERE id = $1", recovery.id)
    await sweeper.sweep()
    assert await recovery.state() is S.expired
    assert await asked(world, employer) != recovery.id


# --- who asked


async def test_a_user_of_the_company_is_its_administrator_without_an_invitation(world: World) -> None:
    employer, gone = await orphaned(world)
    member = await add_user(world, {employer.company_id: Role.member})
    recovery = await begun(world, employer, email=member.email)
    await recovery.enter_code()
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted
    assert await administrators(world, employer) == sorted([gone.email, member.email])
    rows = await world.run("SELECT code_due FROM portal_user WHERE id = $1", member.id)
    assert rows[0]["code_due"] == "role_raised"
    assert (await notices(world, employer, "rights_changed"))[0]["goes_to"] == member.email


async def test_somebody_whose_rights_were_revoked_is_invited_anew(world: World) -> None:
    employer, gone = await orphaned(world)
    former = await add_user(world, {employer.company_id: Role.member})
    await world.run("UPDATE membership SET revoked_at = now() WHERE user_id = $1", former.id)
    recovery = await begun(world, employer, email=former.email)
    await recovery.enter_code()
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted
    assert await administrators(world, employer) == [gone.email]
    rows = await world.run("SELECT role, accepted_at, revoked_at FROM membership WHERE user_id = $1", former.id)
    assert tuple(rows[0]) == ("administrator", None, None)


async def test_an_account_that_staff_closed_is_granted_nothing(world: World) -> None:
    employer, gone = await orphaned(world)
    closed = await add_user(world)
    await world.run("UPDATE portal_user SET revoked_at = now() WHERE id = $1", closed.id)
    recovery = await begun(world, employer, email=closed.email)
    await recovery.enter_code()
    await recovery.advance_days(8)
    assert await recovery.ended() is S.stopped
    assert await administrators(world, employer) == [gone.email]


async def test_a_contact_who_is_an_administrator_is_told_once(world: World) -> None:
    employer = await company(world, contact=None)
    administrator = await add_user(world, {employer.company_id: Role.administrator})
    await world.run(
        "INSERT INTO company_contact (company_id, email) VALUES ($1, $2)",
        employer.company_id,
        administrator.email.upper(),
    )
    await begun(world, employer)
    assert len(await notices(world, employer, "recovery_told")) == 1


# --- the activities, cut off and repeated


async def test_each_step_repeated_five_times_at_once_has_one_effect(world: World) -> None:
    employer, _ = await orphaned(world)
    recovery_id = await asked(world, employer)
    steps = desk(world)
    opened = await asyncio.gather(*(steps.open(str(recovery_id)) for _ in range(5)))
    assert len(set(opened)) == 1
    letter_id = opened[0].letter_id or ""
    await world.run(
        "INSERT INTO office_code (notice_id, company_id, selector, secret_hash) VALUES ($1, $2, $3, 'x')",
        UUID(letter_id),
        employer.company_id,
        f"T{employer.siren[-5:]}",
    )
    now = datetime.now(UTC)
    order = EnterRecoveryCode(str(recovery_id), letter_id, now, granted_at(now))
    taken = await asyncio.gather(*(steps.enter_code(order) for _ in range(5)))
    assert {one.grant_at for one in taken} == {order.grant_at}
    ended = await asyncio.gather(*(steps.grant(str(recovery_id)) for _ in range(5)))
    assert {one.state for one in ended} == {S.granted}
    assert (await steps.end(EndRecovery(str(recovery_id), S.expired))).state is S.granted
    for kind, count in (("recovery_told", 4), ("recovery_letter", 1), ("recovery_waiting", 1), ("recovery_granted", 1)):
        assert len(await notices(world, employer, kind)) == count
    assert len(await world.run("SELECT FROM membership WHERE company_id = $1", employer.company_id)) == 2


# --- the rules


@pytest.mark.parametrize(
    ("sent_at", "until"),
    [
        (datetime(2026, 11, 23, 14, tzinfo=UTC), datetime(2026, 12, 24, tzinfo=PARIS)),
        (datetime(2026, 11, 23, 23, 30, tzinfo=UTC), datetime(2026, 12, 25, tzinfo=PARIS)),
        (datetime(2026, 10, 1, 12, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=PARIS)),
    ],
    ids=["noon", "night in Paris", "clocks changed"],
)
def test_a_code_is_waited_for_to_the_end_of_its_last_day_in_paris(sent_at: datetime, until: datetime) -> None:
    assert code_waited_until(sent_at) == until
    assert (until.date() - sent_at.astimezone(PARIS).date()).days == 31


def test_the_code_is_waited_for_as_long_as_it_lives() -> None:
    assert CODE_DAYS == OFFICE_CODE_DAYS


def test_a_recovery_keeps_to_its_budget_on_temporal() -> None:
    spent = cost(corpus.load("company_recovery_granted"))
    assert spent.events <= 36, spent
    assert spent.billable <= 8, spent


def test_the_delay_is_seven_days_of_the_wall_clock() -> None:
    entered = datetime(2027, 3, 25, 9, tzinfo=PARIS)
    assert granted_at(entered) == datetime(2027, 4, 1, 9, tzinfo=PARIS)
    assert granted_at(entered).astimezone(PARIS).date() == date(2027, 4, 1)


# --- what operators see


async def test_temporal_holds_nothing_personal_and_shows_where_it_stands(world: World) -> None:
    employer, gone = await orphaned(world)
    recovery = await begun(world, employer)
    details = str(await recovery.handle.query("__temporal_workflow_metadata"))
    assert "waits for the code of the letter until" in details
    code = await recovery.code()
    await recovery.enter_code()
    details += str(await recovery.handle.query("__temporal_workflow_metadata"))
    assert "unless somebody objects" in details
    await recovery.advance_days(8)
    await recovery.ended()
    history = json.loads((await recovery.history()).to_json())
    said = details + "\n".join(readable(history))
    secrets = (ASKS, gone.email, contact_of(employer), "Repreneur", "Claude", code, code.replace("-", ""), "HÔTEL")
    assert not [secret for secret in secrets if secret in said]
    assert not re.search(r"exemple\.fr|https?:", said)


@asynccontextmanager
async def worker_on(world: World, queue: str) -> AsyncIterator[None]:
    config = world.config.model_copy(update={"temporal_task_queue": queue})
    async with build_worker(world.client, world.system, config, providers(world.system, config), watchful_runner()):
        yield
