"""A person erased: rows, files, workflow histories; what the law keeps stays and is said (security.md R-03, D-08)."""

from __future__ import annotations

import asyncio
import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.affiliation import workflow_id
from activities.erasure import Eraser, Held, Hold, NobodyThere
from activities.sweep import Sweeper
from db.erasure import Asked
from db.pool import system
from gateways.files.storage import StorageUnavailable
from tests.api.conftest import BASE
from tests.enrolling import family, waived
from tests.retention.conftest import Kept
from tests.world import Life
from workflows.engine import EngineAway
from workflows.histories import Histories

REASON = Asked("objection", "staff-1")


def canary() -> str:
    return "Zq" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


def person() -> tuple[dict[str, Any], list[str]]:
    """What an employer declares, and its unmistakable values."""
    values = [canary() for _ in range(4)]
    changes = {
        "last_name": values[0],
        "first_names": values[1],
        "email": f"{values[2].lower()}@exemple.fr",
        "address": {"line1": f"12 rue {values[3]}", "postcode": "75011", "city": "Paris"},
    }
    return changes, values


async def tables(kept: Kept) -> dict[str, bytes]:
    """Every table as text, binary columns in hexadecimal."""
    names = await kept.world.run(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    found = {}
    for name in sorted({row["relname"] for row in names} - {"schema_migration"}):
        rows = await kept.world.run(f'SELECT t::text AS line FROM "{name}" t')
        found[name] = "\n".join(row["line"] for row in rows).lower().encode()
    return found


def holding(found: dict[str, bytes], values: list[str]) -> set[str]:
    return {name for name, data in found.items() if any(value.lower().encode() in data for value in values)}


async def has_history(kept: Kept, life: Life, seconds: float) -> bool:
    """Temporal deletes what runs a moment after it was asked to, and what has just ended some minutes after."""
    for _ in range(int(seconds * 4)):
        try:
            await kept.world.client.get_workflow_handle(workflow_id(str(life.id))).describe()
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        await asyncio.sleep(0.25)
    return True


async def erase(kept: Kept, life: Life) -> Any:
    return await kept.eraser.erase_person(await kept.employee(life), REASON, datetime.now(UTC))


async def test_nothing_is_left_of_a_person_with_everything(kept: Kept) -> None:
    changes, values = person()
    life = await kept.declare(**changes)
    draft = family(account_holder=canary(), **{"dependants.k1.first_names": canary()})
    values += [draft["account_holder"], draft["dependants.k1.first_names"]]
    await kept.complete(life, draft)
    await kept.end_coverage(life, days_ago=6 * 366)
    employee_id, keys = await kept.employee(life), await kept.object_keys(life)
    assert holding(await tables(kept), values) >= {"employee", "contact", "coverage", "dependant", "local_message"}
    assert len(keys) == 2
    assert keys <= kept.files()

    erased = await erase(kept, life)

    assert (erased.kept_until, erased.finished) == (None, True)
    found = await tables(kept)
    assert holding(found, values) == set()
    # ids name nobody any more; they stay in the list of erasures and in the log, and nowhere else
    assert holding(found, [str(employee_id), str(life.id)]) <= {"erasure", "audit_log"}
    assert not keys & kept.files()
    assert not await has_history(kept, life, 30)
    [line] = await kept.world.run("SELECT * FROM audit_log WHERE details ->> 'employee' = $1", str(employee_id))
    assert (line["event"], line["actor_id"]) == ("data.erased", "staff-1")
    with pytest.raises(NobodyThere):
        await kept.eraser.erase_person(employee_id, REASON, datetime.now(UTC))


async def test_what_still_runs_cannot_be_erased_and_it_is_said_why(kept: Kept) -> None:
    opened, insured, excused = [await kept.declare() for _ in range(3)]
    await kept.complete(insured)
    await kept.complete(excused, waived())
    for life, why in (
        (opened, Hold.open_affiliation),
        (insured, Hold.running_coverage),
        (excused, Hold.running_waiver),
    ):
        with pytest.raises(Held) as held:
            await erase(kept, life)
        assert held.value.why is why
        assert await kept.count("employee WHERE id = $1", await kept.employee(life)) == 1
    assert await kept.object_keys(insured) <= kept.files()


async def test_a_contract_that_ended_stays_provable_until_its_prescription_and_nothing_else_does(kept: Kept) -> None:
    changes, _ = person()
    life = await kept.declare(**changes)
    await kept.complete(life, family())
    await kept.end_coverage(life, days_ago=30)
    keys = await kept.object_keys(life)
    erased = await erase(kept, life)
    ended = datetime.now(UTC).date() - timedelta(days=30)
    assert erased.kept_until is not None
    assert abs((erased.kept_until - ended.replace(year=ended.year + 5)).days) <= 1
    for table, rows in {"coverage": 1, "dependant": 3, "signature": 1, "enrolment": 1, "contact": 1}.items():
        assert await kept.count(f"{table} WHERE affiliation_id = $1", life.id) == rows, table
    for table in ("document", "access_token", "employee_session", "idempotency"):
        assert await kept.count(f"{table} WHERE affiliation_id = $1", life.id) == 0, table
    assert not keys & kept.files()
    # on the day, the purge ends it
    await kept.end_coverage(life, days_ago=5 * 366 + 2)
    assert (await erase(kept, life)).kept_until is None
    assert await kept.count("affiliation WHERE id = $1", life.id) == 0


async def test_a_person_who_was_declared_again_keeps_what_is_open(kept: Kept) -> None:
    """The former one that came to nothing is erased by its own rule; the new one forgets where it came from."""
    former = await kept.declare()
    await kept.withdraw(former)
    employee_id = await kept.employee(former)
    async with system(kept.world.system) as connection:
        later: UUID = await connection.fetchval(
            "INSERT INTO affiliation (id, company_id, establishment_id, employee_id, former_id, language, hired_on,"
            " professional_status, scheme, contract_kind, declared_by, policy, medium, origin, version)"
            " SELECT uuidv7(), company_id, establishment_id, employee_id, id, language, hired_on, professional_status,"
            " scheme, contract_kind, declared_by, policy, medium, 'restarted', 1 FROM affiliation WHERE id = $1"
            " RETURNING id",
            former.id,
        )
    with pytest.raises(Held):
        await kept.eraser.erase_person(employee_id, REASON, datetime.now(UTC))
    assert await kept.eraser.erase_affiliations(employee_id, [former.id], Asked("never_affiliated"))
    assert await kept.count("employee WHERE id = $1", employee_id) == 1
    assert await kept.count("affiliation WHERE id = $1 AND former_id IS NULL", later) == 1
    await kept.world.run("UPDATE affiliation SET status = 'abandoned' WHERE id = $1", later)


class _Away(Histories):
    def __init__(self) -> None: ...

    async def forget(self, affiliation_id: str) -> int:
        raise EngineAway("away")


class _Crash(BaseException):
    """The process dies."""


@pytest.mark.parametrize("where", ["store away", "temporal away", "killed before the files", "killed after the files"])
async def test_an_erasure_that_is_cut_off_is_finished_by_the_sweep(
    kept: Kept, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await kept.declare()
    await kept.draft(life)
    await kept.withdraw(life)
    employee_id, keys = await kept.employee(life), await kept.object_keys(life)
    eraser = kept.eraser
    with monkeypatch.context() as broken:
        if where == "temporal away":
            eraser = Eraser(kept.world.system, kept.vault, _Away())
        elif where != "killed after the files":
            error = StorageUnavailable("away") if where == "store away" else _Crash()

            async def fails(_: str) -> None:
                raise error

            broken.setattr(kept.vault, "delete", fails)
        else:

            async def dies(_: str) -> int:
                raise _Crash

            broken.setattr(eraser._histories, "forget", dies)
        if where.startswith("killed"):
            with pytest.raises(_Crash):
                await eraser.erase_person(employee_id, REASON, datetime.now(UTC))
        else:
            assert not (await eraser.erase_person(employee_id, REASON, datetime.now(UTC))).finished
    assert await kept.count("employee WHERE id = $1", employee_id) == 0, "the rows are gone at once"
    assert await kept.count("erasure WHERE employee_id = $1 AND finished_at IS NULL", employee_id) == 1
    forgotten: dict[str, int] = {}
    original = Histories.forget

    async def forget(self: Histories, affiliation_id: str) -> int:
        forgotten[affiliation_id] = await original(self, affiliation_id)
        return forgotten[affiliation_id]

    monkeypatch.setattr(Histories, "forget", forget)
    sweeper = Sweeper(kept.world.system, kept.world.engine, timedelta(0), eraser=kept.eraser)
    assert (await sweeper.sweep()).erasures_finished == 1
    assert not keys & kept.files()
    assert forgotten.keys() == {str(life.id)}
    assert forgotten[str(life.id)] >= 1, "asked for and taken"
    assert await kept.count("erasure WHERE employee_id = $1 AND object_keys = '{}'", employee_id) == 1
    assert await kept.eraser.finish_waiting(0, 10) == 0


async def test_two_erasures_at_once_are_one(kept: Kept) -> None:
    life = await kept.declare()
    await kept.withdraw(life)
    results = await asyncio.gather(erase(kept, life), erase(kept, life), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Erased", "NobodyThere"]


async def test_a_restored_backup_is_erased_again_from_the_list(kept: Kept) -> None:
    life = await kept.declare()
    await kept.withdraw(life)
    employee_id, company_id = await kept.employee(life), life.employer.company_id
    saved = {
        table: await kept.world.run(f"SELECT * FROM {table} WHERE {column} = $1", value)
        for table, column, value in (
            ("employee", "id", employee_id),
            ("affiliation", "id", life.id),
            ("contact", "affiliation_id", life.id),
        )
    }
    await erase(kept, life)
    async with system(kept.world.system) as connection:  # the backup comes back
        for table, rows in saved.items():
            for row in rows:
                places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
                await connection.execute(f"INSERT INTO {table} VALUES ({places})", *row.values())
    [listed] = await kept.world.run("SELECT * FROM erasure WHERE employee_id = $1", employee_id)
    again = Asked(listed["reason"], listed["asked_by"])
    assert await kept.eraser.again(employee_id, listed["affiliation_ids"], again, datetime.now(UTC))
    assert await kept.count("employee WHERE id = $1", employee_id) == 0
    assert await kept.count("contact WHERE affiliation_id = $1", life.id) == 0
    assert not await kept.eraser.again(employee_id, listed["affiliation_ids"], again, datetime.now(UTC))
    assert company_id


# --- over HTTP


async def test_staff_erase_a_person_and_read_why_not(kept: Kept, staff: httpx2.AsyncClient) -> None:
    life = await kept.declare()
    path = f"{BASE}/staff/people/{await kept.employee(life)}/erasure"
    held = await staff.post(path, json={"reason": "objection"})
    assert (held.status_code, held.json()["type"]) == (409, "urn:hcr:problem:erasure_held")
    assert held.json()["reason"] == "open_affiliation"
    await kept.withdraw(life)
    assert (await staff.post(path, json={"reason": "because"})).status_code == 422
    done = await staff.post(path, json={"reason": "objection"})
    assert done.status_code == 200, done.text
    assert (done.json()["kept_until"], done.json()["finished"]) == (None, True)
    assert (await staff.post(path, json={"reason": "objection"})).status_code == 404
    unknown = f"{BASE}/staff/people/{uuid4()}/erasure"
    assert (await staff.post(unknown, json={"reason": "objection"})).status_code == 404
