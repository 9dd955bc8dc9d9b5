"""Accounts that nobody uses: told, and deleted thirty days later with everything of them (security.md R-05)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from activities.sweep import Sweeper
from db import access_retention
from db.pool import system
from domain.retention import due_on, rule
from tests.retention.accounts import account, administrator, unused_account
from tests.retention.conftest import Kept
from tests.retention.test_purge import night, today

TWO_YEARS = 731  # days: and one more


async def notices_of(kept: Kept, user: UUID) -> list[dict[str, Any]]:
    rows = await kept.world.run("SELECT * FROM notice WHERE user_id = $1 AND kind = 'account_ending'", user)
    return [dict(row) for row in rows]


async def sent(kept: Kept, user: UUID, state: str = "handed_over") -> None:
    await kept.world.run("UPDATE notice SET state = $2 WHERE user_id = $1", user, state)


async def there(kept: Kept, user: UUID) -> bool:
    return await kept.count("portal_user WHERE id = $1", user) == 1


async def events(kept: Kept, user: UUID) -> list[tuple[str, UUID | None]]:
    rows = await kept.world.run(
        "SELECT event, company_id FROM audit_log WHERE object_type = 'user' AND object_id = $1 ORDER BY id", str(user)
    )
    return [(row["event"], row["company_id"]) for row in rows]


async def unused(kept: Kept, days: int = TWO_YEARS) -> UUID:
    async with system(kept.world.system) as connection:
        return await account(connection, days)


async def test_a_person_is_told_once_and_thirty_days_later_the_account_is_gone(kept: Kept) -> None:
    user, day = await unused(kept), await today(kept)
    await night(kept, day)
    await night(kept, day)
    [notice] = await notices_of(kept, user)
    end = day + timedelta(days=30)
    assert notice["key"] == f"account_ending/{user}/{end}"
    assert (notice["details"], notice["medium"], notice["state"]) == ({"on": end.isoformat()}, "email", "prepared")
    await sent(kept, user)
    await night(kept, end - timedelta(days=1))
    assert await there(kept, user)
    assert (await night(kept, end)).by_rule["users"] >= 1
    assert not await there(kept, user)
    assert await events(kept, user) == [("user.deleted", None)]


async def test_they_are_told_thirty_days_before_the_two_years_are_over(kept: Kept) -> None:
    user, day = await unused(kept, 0), await today(kept)
    end = due_on(rule("users"), day)
    await night(kept, end - timedelta(days=31))
    assert await notices_of(kept, user) == []
    await night(kept, end - timedelta(days=30))
    [notice] = await notices_of(kept, user)
    assert notice["details"] == {"on": end.isoformat()}


async def test_an_account_that_is_used_again_stays_and_is_told_anew_another_time(kept: Kept) -> None:
    user, day = await unused(kept), await today(kept)
    await night(kept, day)
    await sent(kept, user)
    await kept.world.run("UPDATE notice SET created_at = now() - interval '1 hour' WHERE user_id = $1", user)
    await kept.world.run("UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1", user)
    await night(kept, day + timedelta(days=31))
    assert await there(kept, user)
    again = due_on(rule("users"), day) - timedelta(days=30)
    await night(kept, again)
    assert len(await notices_of(kept, user)) == 1, "the former one was purged, this one is new"
    await night(kept, again + timedelta(days=29))
    assert await there(kept, user)


async def test_whoever_signs_in_between_the_look_and_the_deletion_keeps_the_account(kept: Kept) -> None:
    user, day = await unused(kept), await today(kept)
    await night(kept, day)
    await sent(kept, user)
    async with system(kept.world.system) as connection:
        now = await connection.fetchval("SELECT now()")
        end = day + timedelta(days=30)
        assert user in [row["id"] for row in await access_retention.unused(connection, now, 1000, end)]
        await connection.execute("UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1", user)
        assert not await access_retention.forget_user(connection, user, now, end)
    assert await there(kept, user)


@pytest.mark.parametrize("state", ["refused", "unknown", "superseded"])
async def test_an_address_that_is_no_more_keeps_no_account(kept: Kept, state: str) -> None:
    user, day = await unused(kept), await today(kept)
    await night(kept, day)
    await sent(kept, user, state)
    await night(kept, day + timedelta(days=30))
    assert not await there(kept, user)


async def test_nobody_is_deleted_whose_notice_has_not_left(kept: Kept) -> None:
    user, day = await unused(kept), await today(kept)
    await night(kept, day)
    await night(kept, day + timedelta(days=40))
    assert await there(kept, user)
    # it left late: thirty days count from then
    late = day + timedelta(days=35)
    await kept.world.run(
        "UPDATE notice SET state = 'handed_over', handed_over_at = $2::date WHERE user_id = $1", user, late
    )
    await night(kept, late + timedelta(days=29))
    assert await there(kept, user)
    await night(kept, late + timedelta(days=31))
    assert not await there(kept, user)


@pytest.mark.parametrize("column", ["revoked_at", "created_at"])
async def test_an_invitation_or_a_revocation_counts_like_a_sign_in(kept: Kept, column: str) -> None:
    user, day = await unused(kept), await today(kept)
    await kept.world.run(f"UPDATE portal_user SET {column} = now() WHERE id = $1", user)
    await night(kept, day)
    assert await notices_of(kept, user) == []


async def test_a_company_whose_only_administrator_goes_is_left_without_one_and_that_is_in_the_log(kept: Kept) -> None:
    alone, shared = (await kept.world.employer()).company_id, (await kept.world.employer()).company_id
    await kept.world.run("UPDATE company SET activated_at = now() WHERE id = ANY ($1)", [alone, shared])
    async with system(kept.world.system) as connection:
        user = await unused_account(connection, alone, TWO_YEARS)
        other = await account(connection, 0)
        await administrator(connection, user, shared)
        await administrator(connection, other, shared)
        await connection.execute("UPDATE invitation SET created_at = now() - interval '3 years'")
    day = await today(kept)
    await night(kept, day)
    await sent(kept, user)
    assert (await night(kept, day + timedelta(days=30))).failed == 0
    assert not await there(kept, user)
    assert await events(kept, user) == [("user.deleted", None), ("company.orphaned", alone)]
    rows = await kept.world.run("SELECT activated_at FROM company WHERE id = $1", alone)
    assert rows[0]["activated_at"] is not None, "recovered by a letter, not activated again"
    assert await kept.count("membership WHERE company_id = $1", alone) == 0
    assert await kept.count("membership WHERE company_id = $1", shared) == 1


async def test_what_others_did_for_and_with_them_stays_without_their_name(kept: Kept) -> None:
    company = (await kept.world.employer()).company_id
    async with system(kept.world.system) as connection:
        user = await unused_account(connection, company, TWO_YEARS)
        friend = await account(connection, 0)
        await connection.execute(
            "INSERT INTO membership (user_id, company_id, role, granted_by, accepted_at, invitation_id, mandate_id)"
            " SELECT $2, $3, 'member', $1, now(), i.id, d.id FROM invitation i, mandate d"
            " WHERE i.user_id = $1 AND d.user_id = $1",
            user,
            friend,
            company,
        )
        await connection.execute("UPDATE invitation SET created_at = now() - interval '3 years'")
    day: date = await today(kept)
    await night(kept, day)
    await sent(kept, user)
    assert (await night(kept, day + timedelta(days=30))).failed == 0
    assert not await there(kept, user)
    [row] = await kept.world.run("SELECT * FROM membership WHERE user_id = $1", friend)
    assert (row["granted_by"], row["invitation_id"], row["mandate_id"]) == (None, None, None)
    assert await kept.count("api_key WHERE company_ids = ARRAY[$1]::uuid[] AND created_by IS NULL", company) == 1


async def test_every_key_to_a_user_is_dealt_with(kept: Kept) -> None:
    """A new table that names users would keep them from being deleted: it is listed, or this fails."""
    rows = await kept.world.run(
        "SELECT c.conrelid::regclass::text AS name, a.attname FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
        " WHERE c.contype = 'f' AND c.confrelid = 'portal_user'::regclass"
    )
    assert {(row["name"], row["attname"]) for row in rows} == access_retention.HANDLED


async def test_codes_are_gone_within_the_day_and_wrong_ones_count_for_a_whole_one(kept: Kept) -> None:
    company = (await kept.world.employer()).company_id
    async with system(kept.world.system) as connection:
        user = await unused_account(connection, company)
    sweeper = Sweeper(kept.world.system, kept.world.engine, grace=timedelta(0))
    for table, column, kept_for, gone_after in (
        ("challenge", "issued_at", "23 hours 45 minutes", "23 hours 51 minutes"),
        ("wrong_code", "at", "23 hours 55 minutes", "24 hours 1 minute"),
    ):
        moved = f"UPDATE {table} SET {column} = now() - $2::text::interval WHERE user_id = $1"
        await kept.world.run(moved, user, kept_for)
        await sweeper.sweep()
        assert await kept.count(f"{table} WHERE user_id = $1", user) == 1, table
        await kept.world.run(moved, user, gone_after)
        await sweeper.sweep()
        assert await kept.count(f"{table} WHERE user_id = $1", user) == 0, table
