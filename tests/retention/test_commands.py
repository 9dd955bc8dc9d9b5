"""`python -m upkeep`, and the night's schedule."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import ScheduleOverlapPolicy

import upkeep
from db.erasure import Asked
from tests.retention.conftest import Kept
from worker import NIGHTLY_ID, ensure_nightly


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_the_list_of_erasures_brings_a_restored_database_up_to_date(
    kept: Kept, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = kept.world.config
    life = await kept.declare()
    await kept.withdraw(life)
    employee_id = await kept.employee(life)
    [row] = await kept.world.run("SELECT * FROM employee WHERE id = $1", employee_id)
    await kept.eraser.erase_person(employee_id, Asked("objection", "staff-1"), datetime.now(UTC))
    assert await upkeep.list_erasures(config) == 0
    lines = said(capsys)
    assert str(employee_id) in [line["employee"] for line in lines]
    # the backup is older than the erasure: its list does not know of it
    await kept.world.run("DELETE FROM erasure WHERE employee_id = $1", employee_id)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await kept.world.run(f"INSERT INTO employee VALUES ({places})", *row.values())
    file = tmp_path / "erasures.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    assert await upkeep.reapply_erasures(config, upkeep._lines(file)) == 0
    assert {"employee": str(employee_id), "erased_again": True} in said(capsys)
    assert await kept.count("employee WHERE id = $1", employee_id) == 0


async def test_purge_and_rotation_say_what_they_did(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert await upkeep.purge(kept.world.config) == 0
    [counts] = said(capsys)
    assert counts["failed"] == 0
    assert "idempotency_keys" in counts
    assert await upkeep.rotate_keys(kept.world.config) == 0
    assert {line["changed"] for line in said(capsys)} == {0}


def test_words_that_are_no_command_are_answered_with_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert upkeep.main(["rotate"]) == 2
    assert "rotate-keys" in capsys.readouterr().err


async def test_the_nights_schedule_is_made_once_and_keeps_clear_of_the_change_of_clocks(kept: Kept) -> None:
    client = kept.world.client
    for _ in range(2):
        await ensure_nightly(client, kept.world.config.temporal_task_queue)
    handle = client.get_schedule_handle(NIGHTLY_ID)
    try:
        schedule = (await handle.describe()).schedule
        assert schedule.spec.time_zone_name == "Europe/Paris"
        [at] = schedule.spec.calendars
        assert (at.hour[0].start, at.minute[0].start) == (4, 30)
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    finally:
        await handle.delete()
