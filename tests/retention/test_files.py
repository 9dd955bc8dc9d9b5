"""Rows and files held against each other every night; files that wait for the antivirus (security.md U-03, U-04)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.nightly import Reconciled
from activities.nightly import ORPHANS
from activities.scanning import PENDING, Rescanner
from activities.sweep import Sweeper
from domain.affiliation import Status
from gateways.files.antivirus import ScannerUnavailable, Verdict
from gateways.files.storage import StorageUnavailable, StoredObject
from tests.retention.conftest import Kept
from tests.retention.test_purge import night, today
from tests.world import Life

DAY = timedelta(days=1).total_seconds()


async def reconcile(kept: Kept) -> Reconciled:
    return await ActivityEnvironment().run(kept.nightly.reconcile_files)


def aged(kept: Kept, object_key: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(kept.directory / object_key, (then, then))


async def documents_of(kept: Kept, life: Life, **changes: str) -> list[Any]:
    for column, value in changes.items():
        await kept.world.run(f"UPDATE document SET {column} = {value} WHERE affiliation_id = $1", life.id)
    return await kept.world.run("SELECT * FROM document WHERE affiliation_id = $1 ORDER BY piece", life.id)


async def test_files_without_a_row_go_after_a_day_and_others_stay(kept: Kept) -> None:
    life = await kept.declare()
    await kept.draft(life)
    known = await kept.object_keys(life)
    young, old = [(await kept.vault.put(b"nobody's", str(uuid4()))).object_key for _ in range(2)]
    for object_key in (*known, old):
        aged(kept, object_key, DAY + 60)
    aged(kept, young, DAY - 600)
    counted = ORPHANS._value.get()
    done = await reconcile(kept)
    assert done.orphans_deleted == 1
    assert ORPHANS._value.get() == counted + 1
    assert old not in kept.files()
    assert {young, *known} <= kept.files()
    assert done.objects >= 3
    assert done.object_bytes > 0
    assert (await reconcile(kept)).orphans_deleted == 0
    await kept.vault.delete(young)


async def test_a_row_whose_file_is_missing_is_named_in_the_log_and_kept(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    life = await kept.declare()
    await kept.draft(life)
    lost, whole = await documents_of(kept, life, uploaded_at="now() - interval '2 hours'")
    before = (await reconcile(kept)).missing
    await kept.vault.delete(lost["object_key"])
    with caplog.at_level(logging.ERROR):
        assert (await reconcile(kept)).missing == before + 1
    named = {getattr(record, "id", "") for record in caplog.records}
    assert str(lost["id"]) in named
    assert str(whole["id"]) not in named
    assert len(await documents_of(kept, life)) == 2, "reported, not deleted"
    await kept.world.run("DELETE FROM document WHERE id = $1", lost["id"])


async def test_a_crash_between_row_and_file_leaves_an_orphan_that_the_night_deletes(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is gone, the file not: never a row that promises a file."""
    life = await kept.declare()
    await kept.draft(life)
    [one, _] = await documents_of(kept, life, verdict="'refused'", verdict_at="now() - interval '40 days'")

    async def fails(_: str) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(kept.vault, "delete", fails)
        purged = await night(kept, await today(kept))
    assert purged.by_rule["documents_refused"] >= 2
    assert await documents_of(kept, life) == []
    assert one["object_key"] in kept.files()
    aged(kept, one["object_key"], DAY + 60)
    assert (await reconcile(kept)).orphans_deleted >= 1
    assert one["object_key"] not in kept.files()


async def test_the_store_away_fails_the_night_and_deletes_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    files = kept.files()

    async def fails() -> AsyncIterator[StoredObject]:
        raise StorageUnavailable("away")
        yield

    monkeypatch.setattr(kept.vault, "list", fails)
    with pytest.raises(StorageUnavailable):
        await reconcile(kept)
    assert kept.files() == files


# --- the antivirus


class Says:
    """An antivirus of one opinion; None: it is away."""

    def __init__(self, verdict: Verdict | None) -> None:
        self.verdict = verdict
        self.seen: list[bytes] = []

    async def scan(self, content: bytes) -> Verdict:
        self.seen.append(content)
        if self.verdict is None:
            raise ScannerUnavailable("away")
        return self.verdict


async def sweep(kept: Kept, scanner: Says) -> int:
    scanning = Rescanner(kept.world.system, kept.vault, scanner)
    swept = await Sweeper(kept.world.system, kept.world.engine, timedelta(0), scanning=scanning).sweep()
    return swept.rescanned


async def test_what_waits_for_the_antivirus_is_shown_to_it_until_it_answers(kept: Kept) -> None:
    life = await kept.declare()
    await kept.complete(life)
    await documents_of(kept, life, scan="'pending'")
    away = Says(None)
    assert await sweep(kept, away) == 0
    assert len(away.seen) == 1, "the first one told: the others wait"
    assert PENDING._value.get() >= 2
    assert {row["scan"] for row in await documents_of(kept, life)} == {"pending"}
    clean = Says(Verdict.clean)
    assert await sweep(kept, clean) == 2
    assert all(content.startswith(b"%PDF") for content in clean.seen)
    assert {row["scan"] for row in await documents_of(kept, life)} == {"clean"}
    assert PENDING._value.get() == 0
    assert await sweep(kept, clean) == 0


async def test_an_infected_file_is_destroyed_and_asked_for_again(kept: Kept) -> None:
    life = await kept.declare()
    await kept.complete(life)
    rib, other = await documents_of(kept, life)
    await kept.world.run("UPDATE document SET scan = 'pending' WHERE id = $1", rib["id"])
    assert await sweep(kept, Says(Verdict.infected)) == 1
    assert [row["id"] for row in await documents_of(kept, life)] == [other["id"]]
    assert rib["object_key"] not in kept.files()
    [enrolment] = await kept.world.run("SELECT * FROM enrolment WHERE affiliation_id = $1", life.id)
    assert (enrolment["missing"], enrolment["checking"]) == (["rib"], True)
    assert await kept.count("audit_log WHERE affiliation_id = $1 AND event = 'file.infected'", life.id) == 1
    # the same round told the workflow, which writes to the employee
    assert ("missing_pieces", "email") in await life.until_messages(3, seconds=20)
    assert await life.status() is Status.finalised
    assert (await life.progress()).missing == ("rib",)


async def test_an_infected_file_of_a_draft_is_destroyed(kept: Kept) -> None:
    life = await kept.declare()
    await kept.draft(life)
    await documents_of(kept, life, scan="'pending'")
    assert await sweep(kept, Says(Verdict.infected)) == 2
    assert await documents_of(kept, life) == []
    assert await life.status() is not Status.finalised


async def test_a_lost_file_does_not_keep_the_others_waiting(kept: Kept) -> None:
    life = await kept.declare()
    await kept.complete(life)
    lost, other = await documents_of(kept, life, scan="'pending'")
    await kept.vault.delete(lost["object_key"])
    assert await sweep(kept, Says(Verdict.clean)) == 2
    [left] = await documents_of(kept, life)
    assert (left["id"], left["scan"]) == (other["id"], "clean")
    [enrolment] = await kept.world.run("SELECT missing FROM enrolment WHERE affiliation_id = $1", life.id)
    assert enrolment["missing"] == [lost["piece"]]
