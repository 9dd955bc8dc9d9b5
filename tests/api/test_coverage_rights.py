"""Rights over HTTP: an end of contract from an employer without DSN, what staff decide, and what each may read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from domain.departures import covered_until, reasons
from domain.rights import StaffRole
from domain.working_time import months_after
from services.callers import STAFF_SCOPES, Scope
from services.fields import today
from tests.api.conftest import BASE, client, key_for
from tests.api.test_answers import check_problem
from tests.covering import RightsLife, covered
from tests.messages.documents import flat, pages_of
from tests.world import World

HIRED = date(2024, 2, 1)
END = {"contract_ends_on": today().isoformat(), "reason": "043"}
UNTIL = covered_until(today())
FIRST = UNTIL + timedelta(days=1)
LAST = months_after(FIRST, 12) - timedelta(days=1)


class Doors:
    """One insured person, seen by their employer and by staff."""

    def __init__(self, life: RightsLife, employer: httpx2.AsyncClient, staff: httpx2.AsyncClient) -> None:
        self.life = life
        self.employer = employer
        self.staff = staff
        self.own = f"{BASE}/insured/{life.coverage_id}"
        self.desk = f"{BASE}/staff/insured/{life.coverage_id}"

    async def end(self, **changes: Any) -> httpx2.Response:
        return await self.employer.post(f"{self.own}/ends", json={**END, **changes})

    async def rights(self) -> dict[str, Any]:
        answer = await self.employer.get(f"{self.own}/rights")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    async def staffs(self) -> dict[str, Any]:
        seen: dict[str, Any] = (await self.staff.get(f"{self.desk}/rights")).json()
        return seen


@asynccontextmanager
async def doors(app: FastAPI, world: World, **changes: Any) -> AsyncIterator[Doors]:
    life = await covered(world, starts_on=HIRED, **changes)
    of_employer = await key_for(world, life.employer, Scope.read, Scope.write)
    of_staff = await key_for(world, life.employer, *STAFF_SCOPES[StaffRole.super])
    async with client(app, of_employer) as employer, client(app, of_staff) as staff:
        yield Doors(life, employer, staff)


async def test_an_employer_without_dsn_sees_what_follows_then_declares_it(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        before = await door.rights()
        assert (before["today"]["sentence"], before["end"], before["may_declare"]) == ("Droits ouverts", None, True)
        preview = await door.employer.post(f"{door.own}/ends/preview", json=END)
        assert preview.status_code == 200
        assert (await door.rights())["end"] is None

        declared = await door.end()
        assert declared.status_code == 201
        end = declared.json()["end"]
        expected = {
            "contract_began_on": HIRED.isoformat(),
            "contract_ends_on": today().isoformat(),
            "reason_label": "Rupture conventionnelle",
            "covered_until": UNTIL.isoformat(),
            "portability": "open",
            "portability_from": FIRST.isoformat(),
            "portability_until": LAST.isoformat(),
            "origin": "employer",
            "cancellable": True,
        }
        assert {name: end[name] for name in expected} == expected
        assert {name: preview.json()[name] for name in ("covered_until", "portability_until")} == {
            name: end[name] for name in ("covered_until", "portability_until")
        }
        after = await door.rights()
        assert after["today"]["sentence"] == f"Droits ouverts jusqu’au {LAST:%d/%m/%Y}"
        assert [line["kind"] for line in after["history"]] == ["end_declared"]
        row = await door.life.coverage()
        assert (row["version"], row["told"]) == (1, 1)


async def test_the_rights_of_any_day(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        await door.end()
        rights = []
        for day in (HIRED - timedelta(days=1), today(), FIRST, LAST, LAST + timedelta(days=1)):
            answer = (await door.employer.get(f"{door.own}/rights/on", params={"day": day.isoformat()})).json()
            rights.append((answer["right"], answer["sentence"]))
        until = f"{LAST:%d/%m/%Y}"
        assert rights == [
            ("none", "Droits pas encore ouverts"),
            ("active", f"Droits ouverts jusqu’au {until}"),
            ("portability", f"Droits ouverts jusqu’au {until}, au titre de la portabilité"),
            ("portability", f"Droits ouverts jusqu’au {until}, au titre de la portabilité"),
            ("none", f"Droits terminés le {until}"),
        ]


async def test_a_company_that_emits_dsn_is_told_to_use_it(app: FastAPI, world: World) -> None:
    async with doors(app, world, dsn=True) as door:
        for path in ("ends", "ends/preview"):
            problem = check_problem(await door.employer.post(f"{door.own}/{path}", json=END), 409, "company_emits_dsn")
            assert "logiciel de paie" in problem["detail"]
        assert (await door.rights())["may_declare"] is False
        cancelled = await door.employer.post(
            f"{door.own}/ends/cancellation", json={"contract_ends_on": today().isoformat()}
        )
        check_problem(cancelled, 409, "company_emits_dsn")
        assert (await door.staff.post(f"{door.desk}/ends", json=END)).status_code == 201  # staff may
        assert (await door.rights())["end"]["cancellable"] is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contract_ends_on": (HIRED - timedelta(days=1)).isoformat()}, "contract_ends_on"),
        ({"contract_ends_on": months_after(today(), 7).isoformat()}, "contract_ends_on"),
        ({"contract_began_on": months_after(today(), 1).isoformat()}, "contract_began_on"),
        ({"reason": "011"}, "reason"),
        ({"reason": "999"}, "reason"),
        ({"reason": "777"}, "reason"),
    ],
    ids=["before the cover", "too far ahead", "begins after its end", "not offered", "no radiation", "unknown"],
)
async def test_an_impossible_end_names_the_field_and_gives_an_example(
    app: FastAPI, world: World, changes: dict[str, str], field: str
) -> None:
    async with doors(app, world) as door:
        problem = check_problem(await door.end(**changes), 422, "invalid_fields")
        assert [error["field"] for error in problem["errors"]] == [field]
        assert "Exemple" in problem["errors"][0]["message"] or "exemple" in problem["errors"][0]["message"]
        assert (await door.rights())["end"] is None


def test_some_reasons_are_offered_and_faute_lourde_is_one_that_never_opens() -> None:
    offered = {code for code, reason in reasons().items() if reason.radiation}
    assert {"043", "059", "088"} <= offered
    assert reasons()["088"].portability == "closed"


async def test_under_the_same_key_an_end_is_declared_once(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        key = {"Idempotency-Key": "radiation-0001"}
        answers = await asyncio.gather(
            *(door.employer.post(f"{door.own}/ends", json=END, headers=key) for _ in range(4))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert await door.life.lines() == ["end_declared"]
        other = await door.employer.post(f"{door.own}/ends", json={**END, "reason": "059"}, headers=key)
        check_problem(other, 409, "idempotency_key_reused")


async def test_an_employer_takes_back_their_own_end_in_time(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        nothing = await door.employer.post(
            f"{door.own}/ends/cancellation", json={"contract_ends_on": today().isoformat()}
        )
        check_problem(nothing, 409, "no_end")
        await door.end()
        wrong = await door.employer.post(f"{door.own}/ends/cancellation", json={"contract_ends_on": "2026-01-31"})
        check_problem(wrong, 409, "another_end")
        back = await door.employer.post(f"{door.own}/ends/cancellation", json={"contract_ends_on": today().isoformat()})
        assert back.status_code == 200
        assert (back.json()["end"], back.json()["today"]["sentence"]) == (None, "Droits ouverts")
        assert [line["kind"] for line in back.json()["history"]] == ["end_declared", "end_cancelled"]


async def test_what_staff_declared_or_what_is_long_past_is_not_the_employers_to_take_back(
    app: FastAPI, world: World
) -> None:
    async with doors(app, world) as door:
        long_ago = (today() - timedelta(days=120)).isoformat()
        await door.end(contract_ends_on=long_ago)
        assert (await door.rights())["end"]["cancellable"] is True  # declared just now
        await world.run(
            "UPDATE coverage_end SET declared_at = now() - interval '60 days' WHERE coverage_id = $1",
            door.life.coverage_id,
        )
        late = await door.employer.post(f"{door.own}/ends/cancellation", json={"contract_ends_on": long_ago})
        check_problem(late, 409, "end_not_cancellable")
        assert (await door.staff.post(f"{door.desk}/ends", json=END)).status_code == 201
        check_problem(await door.end(reason="059"), 409, "end_declared_elsewhere")
        by_staff = await door.staff.post(
            f"{door.desk}/ends/cancellation", json={"contract_ends_on": today().isoformat()}
        )
        assert by_staff.status_code == 200


async def test_staff_take_proofs_and_the_employer_reads_nothing_of_them(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        no_end = await door.staff.post(f"{door.desk}/proofs", json={"until": FIRST.isoformat()})
        check_problem(no_end, 409, "no_end")
        await door.end()
        proven = months_after(FIRST, 2)
        assert (await door.staff.post(f"{door.desk}/proofs", json={"until": proven.isoformat()})).status_code == 200
        too_far = await door.staff.post(f"{door.desk}/proofs", json={"until": months_after(FIRST, 3).isoformat()})
        assert [error["field"] for error in check_problem(too_far, 422, "invalid_fields")["errors"]] == ["until"]
        staff = await door.staffs()
        assert staff["end"]["proof_until"] == (months_after(FIRST, 3) - timedelta(days=1)).isoformat()
        assert staff["end"]["unproven_from"] == months_after(FIRST, 3).isoformat()
        assert staff["next_step"] is not None

        ended = {"reason": "new_job", "on": months_after(FIRST, 1).isoformat()}
        assert (await door.staff.put(f"{door.desk}/portability/end", json=ended)).status_code == 200
        assert (await door.staffs())["today"]["until"] == ended["on"]
        employer = await door.rights()
        for secret in ("proof_until", "unproven_from", "portability_ended_on", "portability_end_reason"):
            assert employer["end"][secret] is None
        assert employer["today"]["until"] == LAST.isoformat()
        assert (employer["messages"], employer["next_step"]) == ([], None)
        assert [line["kind"] for line in employer["history"]] == ["end_declared"]
        assert [line["kind"] for line in (await door.staffs())["history"]] == [
            "end_declared",
            "proof_given",
            "portability_ended",
        ]
        resumed = await door.staff.delete(f"{door.desk}/portability/end")
        assert resumed.json()["today"]["until"] == LAST.isoformat()


async def test_staff_decide_on_a_reason_for_review_and_never_for_a_faute_lourde(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        await door.end(reason="084")
        waiting = (await door.staff.get(f"{BASE}/staff/rights")).json()["items"]
        assert [one["attention"] for one in waiting if UUID(one["id"]) == door.life.coverage_id] == [
            "portability_review"
        ]
        opened = await door.staff.put(f"{door.desk}/portability", json={"open": True})
        assert (opened.json()["end"]["portability"], opened.json()["attention"]) == ("open", None)
        await door.end(reason="088")
        check_problem(await door.staff.put(f"{door.desk}/portability", json={"open": True}), 409, "nothing_to_decide")


async def test_a_leave_without_pay_is_staffs(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        leave = {"reason": "639", "first_day": today().isoformat()}
        suspended = await door.staff.post(f"{door.desk}/suspensions", json=leave)
        assert suspended.status_code == 201
        assert suspended.json()["today"]["right"] == "suspended"
        assert (await door.rights())["suspensions"][0]["reason_label"] == "Congé sabbatique"
        kept = await door.staff.post(
            f"{door.desk}/suspensions/decision", json={"first_day": leave["first_day"], "kept": True}
        )
        assert kept.json()["today"]["right"] == "active"
        first = {"first_day": leave["first_day"]}
        assert (await door.staff.post(f"{door.desk}/suspensions/cancellation", json=first)).json()["suspensions"] == []
        again = await door.staff.post(f"{door.desk}/suspensions/cancellation", json=first)
        check_problem(again, 409, "no_suspension")


async def test_after_a_death_staff_say_what_they_have_done(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        check_problem(await door.staff.delete(f"{door.desk}/attention"), 409, "nothing_to_settle")
        await door.end(reason="066")
        assert (await door.staffs())["attention"] == "death"
        assert (await door.staff.delete(f"{door.desk}/attention")).json()["attention"] is None


async def test_the_certificate_of_radiation(app: FastAPI, world: World) -> None:
    async with doors(app, world) as door:
        check_problem(await door.employer.get(f"{door.own}/radiation.pdf"), 409, "no_end")
        await door.end()
        for http, path in ((door.employer, door.own), (door.staff, door.desk)):
            answer = await http.get(f"{path}/radiation.pdf")
            assert answer.headers["content-type"] == "application/pdf"
            assert "Attestation de radiation" in flat(pages_of(answer.content)[0])
        seen = await world.run(
            "SELECT DISTINCT details ->> 'what' AS what FROM audit_log WHERE affiliation_id = $1 AND event = $2",
            door.life.id,
            "data.viewed",
        )
        assert "radiation" in {row["what"] for row in seen}


async def test_another_companys_person_is_nowhere_to_be_found(app: FastAPI, world: World) -> None:
    async with doors(app, world) as mine, doors(app, world) as other:
        for method, path in (
            ("GET", "rights"),
            ("GET", "radiation.pdf"),
            ("POST", "ends"),
            ("POST", "ends/preview"),
        ):
            answer = await mine.employer.request(method, f"{other.own}/{path}", json=END if method == "POST" else None)
            assert answer.status_code == 404, (method, path)
        assert await other.life.lines() == []
