"""The audit log's chain: nothing is edited, deleted, moved, cut off or slipped in unseen (security.md J-03, J-04)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest

import upkeep
from activities.audit import FINDINGS, LENGTH, Finding, Head, Sealer, Verifier, verify
from activities.contracts.affiliation import SYSTEM_ACTOR, Actor, ActorKind
from db import audit, erasure
from db.migrate import migrate
from db.pool import Origin, Pool, create_pool, origin, system
from local.database import APPLICATION, OWNER, prepare
from local.postgres import PostgresServer
from settings import Settings

NAME = "audit_chain"
FAR = datetime(2100, 1, 1, tzinfo=UTC)
STAFF = Actor(ActorKind.staff, "somebody")


@dataclass(frozen=True)
class Chain:
    """A database of its own, and somebody who may do everything in it."""

    pool: Pool
    superuser: asyncpg.Connection[asyncpg.Record]
    config: Settings

    async def write(self, *events: str, age: str = "0 days") -> list[int]:
        """One entry each, in transactions of their own."""
        ids = []
        for event in events:
            async with system(self.pool) as connection:
                ids.append(
                    await connection.fetchval(
                        "INSERT INTO audit_log (at, actor_kind, event, details)"
                        " VALUES (now() - $1::text::interval, 'system', $2, $3) RETURNING id",
                        age,
                        event,
                        {"é": [1, "two", None], "a": {"b": True}},
                    )
                )
        return ids

    async def seal(self, batch: int = 1000) -> Head:
        sealer = Sealer(self.pool, batch)
        while await sealer.seal():
            pass
        verifier = Verifier(self.pool)
        assert [finding async for finding in verifier.findings()] == []
        return verifier.head

    async def findings(self, known: Head | None = None) -> list[Finding]:
        return [finding async for finding in Verifier(self.pool, batch=3).findings(known)]

    async def number(self, audit_id: int) -> int:
        found: int = await self.superuser.fetchval("SELECT number FROM audit_chain WHERE audit_id = $1", audit_id)
        return found


@pytest.fixture(scope="module")
async def database(postgres: PostgresServer) -> str:
    await prepare(postgres, NAME)
    await migrate(postgres.url(OWNER, NAME))
    return NAME


@pytest.fixture
async def chain(postgres: PostgresServer, config: Settings, database: str) -> AsyncIterator[Chain]:
    """An empty log with ten entries that are linked."""
    superuser = await asyncpg.connect(postgres.url("postgres", database))
    await superuser.execute("TRUNCATE audit_log, audit_chain, audit_origin")
    own = config.model_copy(update={"database_url": postgres.url(APPLICATION, database)})
    pool = await create_pool(own.database_url, "hcr_system", 25)
    made = Chain(pool, superuser, own)
    await made.write(*["form.submitted", "link.opened"] * 5)
    await made.seal()
    yield made
    await pool.close()
    await superuser.close()


async def test_every_entry_has_its_link_in_the_order_of_their_commits(chain: Chain) -> None:
    rows = await chain.superuser.fetch("SELECT number, audit_id, security FROM audit_chain ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, 11))
    assert [row["audit_id"] for row in rows] == sorted(row["audit_id"] for row in rows)
    assert [row["security"] for row in rows] == [False, True] * 5
    before = (await chain.seal())[0]
    assert before == 10, "nothing more to link"
    await chain.write(*["data.viewed"] * 7)
    assert (await chain.seal(batch=2))[0] == 17
    assert LENGTH._value.get() == 17


@pytest.mark.parametrize(
    "edit",
    [
        "event = 'form.paper'",
        "at = at + interval '1 microsecond'",
        "actor_kind = 'staff'",
        "actor_id = 'x'",
        "details = '{}'",
        'details = details || \'{"a": {"b": false}}\'',
        "outcome = 'refused'",
        "object_type = 'document'",
        "object_id = '1'",
        "request_id = 'x'",
        "company_id = uuidv7()",
        "affiliation_id = uuidv7()",
        "transaction_id = '3'",
    ],
)
async def test_an_edited_entry_is_found(chain: Chain, edit: str) -> None:
    [entry] = await chain.write("form.submitted")
    await chain.write("form.submitted")
    await chain.seal()
    await chain.superuser.execute(f"UPDATE audit_log SET {edit} WHERE id = $1", entry)
    assert await chain.findings() == [Finding("the entry is not what it was", await chain.number(entry), entry)]


async def test_a_deleted_entry_is_found_even_a_security_event(chain: Chain) -> None:
    evidence, security, *_ = await chain.write("form.submitted", "link.opened", "form.submitted")
    await chain.seal()
    numbers = [await chain.number(evidence), await chain.number(security)]
    await chain.superuser.execute("DELETE FROM audit_log WHERE id = ANY ($1)", [evidence, security])
    found = await chain.findings()
    assert [(finding.number, finding.audit_id) for finding in found[:2]] == [
        (numbers[0], evidence),
        (numbers[1], security),
    ]
    assert {finding.what for finding in found[:2]} == {"the entry is gone, and was not due"}
    assert found[2] == Finding("2 entries are gone, 0 were purged")


async def test_two_entries_that_change_places_are_found(chain: Chain) -> None:
    first, second = await chain.write("form.submitted", "form.submitted")
    await chain.seal()
    numbers = {await chain.number(first), await chain.number(second)}
    await chain.superuser.execute(
        "UPDATE audit_chain c SET number = -o.number FROM audit_chain o"
        " WHERE c.audit_id + o.audit_id = $1 AND c.audit_id = ANY ($2)",
        first + second,
        [first, second],
    )
    await chain.superuser.execute("UPDATE audit_chain SET number = -number WHERE number < 0")
    assert {finding.number for finding in await chain.findings()} >= numbers


async def test_a_link_that_is_made_anew_does_not_follow(chain: Chain) -> None:
    """Whoever edits an entry and its link's content would have to make all later links anew."""
    [entry] = await chain.write("form.submitted")
    await chain.write("form.submitted")
    await chain.seal()
    await chain.superuser.execute("UPDATE audit_chain SET content = sha256('x') WHERE audit_id = $1", entry)
    number = await chain.number(entry)
    assert Finding("the link does not follow from the one before it", number, entry) in await chain.findings()


async def test_a_removed_link_is_found_with_its_entry(chain: Chain) -> None:
    [entry] = await chain.write("form.submitted")
    await chain.write("form.submitted")
    await chain.seal()
    number = await chain.number(entry)
    await chain.superuser.execute("DELETE FROM audit_chain WHERE audit_id = $1", entry)
    found = await chain.findings()
    assert found[0] == Finding(f"missing, up to {number}", number)
    assert found[-1] == Finding("the entry has no link, though later ones have", audit_id=entry)
    await chain.superuser.execute("DELETE FROM audit_log WHERE id = $1", entry)
    assert (await chain.findings())[0] == found[0], "with the entry gone, too"


async def test_a_chain_cut_off_at_its_end_is_found_by_a_head_that_was_published(chain: Chain) -> None:
    before = await chain.seal()
    entries = await chain.write("form.submitted", "form.submitted")
    head = await chain.seal()
    assert await chain.findings(head) == []
    assert await chain.findings(before) == [], "a chain that went on since"
    await chain.superuser.execute("DELETE FROM audit_chain WHERE audit_id = ANY ($1)", entries)
    await chain.superuser.execute("DELETE FROM audit_log WHERE id = ANY ($1)", entries)
    assert await chain.findings() == [], "without it nobody can tell"
    assert await chain.findings(head) == [
        Finding("the known head is not in the chain: its end is cut off", head.number)
    ]
    await chain.write("form.submitted", "form.paper")
    await chain.seal()
    [other] = await chain.findings(head)
    assert other.what == "the known head is another link", "written over"


async def test_entries_that_nobody_links_are_found_after_ten_minutes(chain: Chain) -> None:
    young, old = await chain.write("form.submitted", "form.submitted")
    assert await chain.findings() == []
    await chain.superuser.execute("UPDATE audit_log SET at = at - interval '11 minutes' WHERE id = $1", old)
    assert await chain.findings() == [Finding("the entry has had no link for more than 10 minutes", audit_id=old)]
    assert young


async def test_an_entry_of_an_older_transaction_is_found_and_never_linked(chain: Chain) -> None:
    slipped = await chain.superuser.fetchval(
        "INSERT INTO audit_log (at, actor_kind, event, transaction_id)"
        " SELECT at, 'staff', 'data.exported', (transaction_id::text::bigint - 1)::text::xid8"
        " FROM audit_log ORDER BY id LIMIT 1 RETURNING id"
    )
    await Sealer(chain.pool).seal()
    assert await chain.findings() == [Finding("the entry has no link, though later ones have", audit_id=slipped)]


async def test_an_entry_dated_back_is_found(chain: Chain) -> None:
    [entry] = await chain.write("form.submitted", age="3 days")
    await Sealer(chain.pool).seal()
    assert await chain.findings() == [
        Finding("the entry is dated before those that were there already", await chain.number(entry), entry)
    ]


async def test_the_purge_of_old_security_events_leaves_a_chain_that_holds(chain: Chain) -> None:
    await chain.superuser.execute("TRUNCATE audit_log, audit_chain")
    old = await chain.write(*["link.opened", "form.submitted"] * 4, age="400 days")
    await chain.seal()
    async with system(chain.pool) as connection:
        assert await connection.fetchval(erasure.SECURITY_LOG, FAR, 1000) == 4
    await chain.write("form.submitted")
    head = await chain.seal()
    assert head.number == 8 + 2, "the purge itself is in it"
    # an entry beside them, of the same age, deleted by somebody else
    await chain.superuser.execute("DELETE FROM audit_log WHERE id = $1", old[1])
    assert [finding.audit_id for finding in await chain.findings()] == [old[1], None]


async def test_an_old_security_event_that_the_purge_did_not_take_is_missed(chain: Chain) -> None:
    await chain.superuser.execute("TRUNCATE audit_log, audit_chain")
    old = await chain.write("link.opened", "link.opened", age="400 days")
    await chain.seal()
    await chain.superuser.execute("DELETE FROM audit_log WHERE id = $1", old[0])
    assert [finding.audit_id for finding in await chain.findings()] == [old[0], None]
    async with system(chain.pool) as connection:
        assert await connection.fetchval(erasure.SECURITY_LOG, FAR, 1000) == 1
    assert await chain.findings() == [Finding("2 entries are gone, 1 were purged")]


async def test_twenty_writers_at_once_and_none_is_passed_by(chain: Chain) -> None:
    """Transactions overlap, some are given up; the sealer runs all the while."""
    dice = random.Random(4)
    going = True
    committed = 0

    async def write(count: int) -> None:
        nonlocal committed
        for _ in range(count):
            kept, entries = dice.random() < 0.8, dice.randint(1, 3)
            with contextlib.suppress(ZeroDivisionError):
                async with system(chain.pool) as connection:
                    for _ in range(entries):
                        await audit.add(connection, "form.draft", SYSTEM_ACTOR)
                        await asyncio.sleep(dice.random() * 0.01)
                    if not kept:
                        raise ZeroDivisionError
                committed += entries

    async def seal() -> int:
        sealers = [Sealer(chain.pool, batch=5), Sealer(chain.pool, batch=7)]
        sealed = 0
        while going:
            sealed += sum(await asyncio.gather(*(sealer.seal() for sealer in sealers)))
        return sealed

    sealing = asyncio.create_task(seal())
    await asyncio.gather(*(write(8) for _ in range(20)))
    going = False
    meanwhile = await sealing
    assert meanwhile, "sealed while they wrote"
    head = await chain.seal()
    assert head.number == 10 + committed
    assert await chain.superuser.fetchval("SELECT count(*) FROM audit_log") == head.number


async def test_an_open_transaction_holds_back_what_comes_after_it(chain: Chain) -> None:
    async with system(chain.pool) as connection:
        await audit.add(connection, "form.draft", SYSTEM_ACTOR)
        await chain.write("form.submitted")
        assert await Sealer(chain.pool).seal() == 0, "the open one comes first"
    assert await Sealer(chain.pool).seal() == 2


async def test_the_head_is_published_at_most_every_five_minutes(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    sealer = Sealer(chain.pool)
    with caplog.at_level(logging.INFO, logger="activities.audit"):
        await sealer.seal()
        await chain.write("form.submitted")
        await sealer.seal()
    published = [record for record in caplog.records if record.message == "audit head"]
    assert len(published) == 1
    head = Head.parse(vars(published[0])["head"])
    assert head.number == 10
    assert await chain.findings(head) == []


async def test_the_command_says_what_is_wrong_line_by_line(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    head = await chain.seal()
    assert await upkeep.verify_audit_log(chain.config, None) == 0
    assert capsys.readouterr().out == f"10 entries, head {head}\n"
    assert await upkeep.verify_audit_log(chain.config, head) == 0
    capsys.readouterr()
    [entry] = await chain.superuser.fetch(
        "UPDATE audit_log SET event = 'x' WHERE id = (SELECT min(id) FROM audit_log) RETURNING id"
    )
    assert await upkeep.verify_audit_log(chain.config, head) == 1
    assert capsys.readouterr().out == f"link 1, entry {entry['id']}: the entry is not what it was\n"
    beats: list[int] = []
    assert await verify(chain.pool, beats.append) == 1
    assert beats[-1] == 10
    assert FINDINGS._value.get() == 1


@pytest.mark.parametrize("text", ["", "3", "3:", "3:zz", f"0:{'00' * 32}", "x:" + "00" * 32, "3:" + "00" * 31])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    assert upkeep.main(["verify-audit-log", "--head", text]) == 2


@pytest.mark.parametrize("role", ["hcr_web", "hcr_system"])
@pytest.mark.parametrize("table", ["audit_log", "audit_chain"])
@pytest.mark.parametrize(
    "verb", ["UPDATE {} SET at = at", "DELETE FROM {}", "TRUNCATE {}", "SELECT * FROM {} FOR UPDATE"]
)
async def test_no_role_of_the_application_changes_what_was_written(
    chain: Chain, role: str, table: str, verb: str
) -> None:
    async with chain.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(verb.format(table))


async def test_where_an_entry_comes_from_is_kept_beside_it_for_as_long_as_it_is_needed(chain: Chain) -> None:
    token = origin.set(Origin("192.0.2.7/32", "Firefox sur Windows", "r1"))
    try:
        async with system(chain.pool) as connection:
            await audit.add(connection, "auth.login.fail", STAFF, outcome="failed")
    finally:
        origin.reset(token)
    [row] = await chain.superuser.fetch(
        "SELECT l.request_id, o.network::text, o.browser FROM audit_log l JOIN audit_origin o ON o.audit_id = l.id"
    )
    assert (row["request_id"], row["network"], row["browser"]) == ("r1", "192.0.2.7/32", "Firefox sur Windows")
    await chain.seal()
    await chain.superuser.execute("DELETE FROM audit_origin")
    assert await chain.findings() == [], "the entry itself holds without it"


async def test_readings_are_told_once_per_actor_object_and_hour(chain: Chain) -> None:
    async def view(actor: Actor, what: str) -> None:
        async with system(chain.pool) as connection:
            await audit.add(connection, "data.viewed", actor, object_type="affiliation", object_id=what)

    other = Actor(ActorKind.staff, "somebody else")
    await asyncio.gather(*(view(actor, what) for actor in (STAFF, other) for what in ("a", "b") for _ in range(5)))
    count = "SELECT count(*) FROM audit_log WHERE event = 'data.viewed'"
    assert await chain.superuser.fetchval(count) == 4
    await chain.superuser.execute("UPDATE audit_log SET at = at - interval '1 hour' WHERE event = 'data.viewed'")
    await view(STAFF, "a")
    assert await chain.superuser.fetchval(count) == 5
