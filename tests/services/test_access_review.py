"""A year of reviews, and mandates that end: the nights by their own clock, the answers over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from activities.contracts.nightly import Lapse, Lapsed
from activities.rights import Rights
from domain.rights import Role
from domain.working_time import paris_date
from tests.api.conftest import BASE, app, client  # noqa: F401 (a fixture)
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, World, earlier

REVIEW = f"{BASE}/access-review"


@dataclass(frozen=True)
class Company:
    """One with two administrators and a member; `http`: the browser of the first one."""

    world: World
    employer: Employer
    http: httpx2.AsyncClient
    first: TestUser
    second: TestUser
    member: TestUser

    async def shift(self, days: int) -> None:
        """So much time passes for the rights of this company."""
        await self.world.run(
            f"UPDATE membership SET confirmed_at = {earlier('confirmed_at', '$2')},"
            f" review_noticed_at = {earlier('review_noticed_at', '$2')} WHERE company_id = $1",
            self.employer.company_id,
            days,
        )

    async def night(self, at: datetime | None = None) -> Lapsed:
        return await Rights(self.world.system).lapse(Lapse(at or datetime.now(UTC)))

    async def row(self, user: TestUser) -> Any:
        rows = await self.world.run(
            "SELECT * FROM membership WHERE user_id = $1 AND company_id = $2", user.id, self.employer.company_id
        )
        return rows[0]

    async def notices(self, user: TestUser) -> list[tuple[str, Any]]:
        rows = await self.world.run(
            "SELECT kind, details FROM notice WHERE user_id = $1 AND company_id = $2 ORDER BY created_at, id",
            user.id,
            self.employer.company_id,
        )
        return [(row["kind"], row["details"]) for row in rows]

    async def answer(self, **answer: Any) -> httpx2.Response:
        return await self.http.post(REVIEW, json={"siren": self.employer.siren, **answer})


@pytest.fixture
async def company(app: FastAPI, world: World) -> AsyncIterator[Company]:  # noqa: F811
    # other tests' companies would be reviewed with this one
    await world.run("UPDATE membership SET confirmed_at = now() + interval '9 years', review_noticed_at = NULL")
    employer = await world.employer()
    first, second = [await add_user(world, {employer.company_id: Role.administrator}) for _ in range(2)]
    member = await add_user(world, {employer.company_id: Role.member})
    async with signed_in(app, world, first) as http:
        yield Company(world, employer, http, first, second, member)


async def test_after_three_months_every_administrator_is_asked_about_the_others(company: Company) -> None:
    await company.night()
    assert await company.notices(company.first) == []
    await company.shift(93)
    await company.night()
    lapse_on = (paris_date(datetime.now(UTC)) + timedelta(days=30)).isoformat()
    for administrator in (company.first, company.second):
        assert await company.notices(administrator) == [("review_due", {"lapse_on": lapse_on, "count": 2})]
    assert await company.notices(company.member) == []
    items = (await company.http.get(REVIEW)).json()["items"]
    assert [(item["siren"], item["lapse_on"]) for item in items] == [(company.employer.siren, lapse_on)]
    assert {user["id"] for user in items[0]["users"]} == {str(company.second.id), str(company.member.id)}


async def test_a_night_that_is_repeated_or_missed_writes_nothing_twice(company: Company) -> None:
    await company.shift(93)
    for _ in range(3):
        await company.night()
    assert len(await company.notices(company.first)) == 1
    await company.shift(20)  # the night of the fourteenth day before was missed
    for _ in range(2):
        await company.night()
    await company.shift(8)
    await company.night()
    assert [kind for kind, _ in await company.notices(company.first)] == ["review_due"] * 3


async def test_what_is_confirmed_goes_on_and_what_is_not_is_suspended(company: Company, app: FastAPI) -> None:  # noqa: F811
    await company.shift(93)
    await company.night()
    answer = await company.answer(confirm=[str(company.second.id)])
    assert [user["id"] for user in answer.json()["items"][0]["users"]] == [str(company.member.id)]
    await company.shift(30)
    async with signed_in(app, company.world, company.member) as http:
        await company.night()
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    lapsed = await company.row(company.member)
    assert (lapsed["suspended_why"], lapsed["revoked_at"]) == ("review", None)
    assert [kind for kind, _ in await company.notices(company.member)] == ["review_lapsed"]
    assert (await company.row(company.second))["suspended_at"] is None
    assert (await company.row(company.first))["suspended_at"] is None  # the second one was never there
    assert (await company.http.get(REVIEW)).json() == {"items": []}
    audited = await company.world.run(
        "SELECT event, actor_kind, details FROM audit_log WHERE object_id = $1", str(company.member.id)
    )
    assert [tuple(row) for row in audited] == [("user.suspended", "system", {"why": "review"})]
    at = f"{BASE}/users/{company.member.id}/memberships/{company.employer.siren}"
    assert (await company.http.put(at, json={"suspended": False})).status_code == 200
    await company.night()
    assert (await company.row(company.member))["suspended_at"] is None


async def test_an_administrator_whom_another_one_does_not_confirm_lapses_too(company: Company) -> None:
    await company.shift(93)
    await company.night()
    await company.answer(confirm=[str(company.member.id)])
    await company.shift(30)
    await company.world.run(
        "UPDATE membership SET confirmed_at = now(), review_noticed_at = NULL WHERE user_id = $1", company.first.id
    )
    await company.world.run("UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1", company.first.id)
    await company.night()
    assert (await company.row(company.second))["suspended_why"] == "review"
    assert (await company.row(company.first))["suspended_at"] is None


async def test_a_year_without_any_answer_leaves_the_company_its_administrators(company: Company) -> None:
    began = datetime.now(UTC)
    for week in range(1, 54):
        await company.night(began + timedelta(weeks=week))
    for administrator in (company.first, company.second):
        assert (await company.row(administrator))["suspended_at"] is None
        asked = [details for kind, details in await company.notices(administrator) if kind == "review_due"]
        # two reviews with their two reminders, and the third one's beginning; then the member was suspended
        assert [details["count"] for details in asked] == [2, 2, 2, 1, 1, 1, 1]
        assert len({details["lapse_on"] for details in asked}) == 3
    assert (await company.row(company.member))["suspended_why"] == "review"
    assert [kind for kind, _ in await company.notices(company.member)] == ["review_lapsed"]


async def test_a_year_of_answers_suspends_nobody(company: Company, app: FastAPI) -> None:  # noqa: F811
    began = datetime.now(UTC)
    async with signed_in(app, company.world, company.second) as http:
        for week in range(1, 54):
            at = began + timedelta(weeks=week)
            await company.night(at)
            for browser in (company.http, http):
                for item in (await browser.get(REVIEW)).json()["items"]:
                    everybody = [user["id"] for user in item["users"]]
                    body = {"siren": item["siren"], "confirm": everybody}
                    assert (await browser.post(REVIEW, json=body)).status_code == 200
                    await company.world.run(
                        "UPDATE membership SET confirmed_at = $2 WHERE company_id = $1 AND user_id = ANY ($3)",
                        company.employer.company_id,
                        at,
                        everybody,
                    )
    for user in (company.first, company.second, company.member):
        assert (await company.row(user))["suspended_at"] is None
    assert len(await company.notices(company.first)) == 3


async def test_an_only_administrator_is_confirmed_with_the_others(company: Company) -> None:
    at = f"{BASE}/users/{company.second.id}/memberships/{company.employer.siren}"
    assert (await company.http.delete(at)).status_code == 204
    await company.shift(80)
    before = (await company.row(company.first))["confirmed_at"]
    assert (await company.answer(confirm=[str(company.member.id)])).status_code == 200
    assert (await company.row(company.first))["confirmed_at"] > before


async def test_with_another_administrator_ones_own_rights_are_the_others_to_confirm(company: Company) -> None:
    before = (await company.row(company.first))["confirmed_at"]
    assert (await company.answer(confirm=[str(company.member.id)])).status_code == 200
    assert (await company.row(company.first))["confirmed_at"] == before
    for field in ("confirm", "revoke"):
        assert (await company.answer(**{field: [str(company.first.id)]})).status_code == 403


async def test_an_answer_revokes_at_once(company: Company, app: FastAPI) -> None:  # noqa: F811
    async with signed_in(app, company.world, company.member) as http:
        answer = await company.answer(confirm=[str(company.second.id)], revoke=[str(company.member.id)])
        assert answer.status_code == 200
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    assert (await company.row(company.member))["revoked_at"] is not None


async def test_an_answer_about_somebody_else_changes_nothing(company: Company, world: World) -> None:
    elsewhere = await world.employer()
    foreign = await add_user(world, {elsewhere.company_id: Role.member})
    before = (await company.row(company.member))["confirmed_at"]
    member = str(company.member.id)
    bodies: list[dict[str, Any]] = [
        {"confirm": [member, str(foreign.id)]},
        {"confirm": [member, str(UUID(int=0))]},
        {"confirm": [member], "revoke": [str(foreign.id)]},
        {"confirm": [member], "siren": elsewhere.siren},
        {"confirm": [member], "siren": "732829320"},
    ]
    answers = [await company.answer(**body) for body in bodies]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert len({answer.content for answer in answers}) == 1
    assert (await company.row(company.member))["confirmed_at"] == before
    both = await company.answer(confirm=[member], revoke=[member])
    assert (both.status_code, both.json()["errors"][0]["field"]) == (422, "revoke.0")


async def test_the_review_is_for_administrators_with_a_fresh_code(company: Company, app: FastAPI) -> None:  # noqa: F811
    async with signed_in(app, company.world, company.member) as http:
        assert (await http.get(REVIEW)).status_code == 403
        assert (await http.post(REVIEW, json={"siren": company.employer.siren})).status_code == 403
    async with signed_in(app, company.world, company.first, stepped_up=False) as http:
        assert (await http.get(REVIEW)).status_code == 200
        refused = await http.post(REVIEW, json={"siren": company.employer.siren})
        assert refused.json()["type"].endswith("step_up_needed")
    async with client(app) as http:
        assert (await http.get(REVIEW)).status_code == 401


# --- mandates at night


async def add_mandate(company: Company, ends_on: date) -> tuple[UUID, TestUser]:
    """A third-party declarant of the company, with a mandate until that day."""
    user = await add_user(company.world, {company.employer.company_id: Role.member})
    rows = await company.world.run(
        "INSERT INTO mandate (company_id, user_id, state, decided_at, ends_on)"
        " VALUES ($1, $2, 'accepted', now(), $3) RETURNING id",
        company.employer.company_id,
        user.id,
        ends_on,
    )
    await company.world.run(
        "UPDATE membership SET mandate_id = $2, ends_on = $3 WHERE user_id = $1", user.id, rows[0]["id"], ends_on
    )
    return rows[0]["id"], user


async def test_a_mandate_is_told_of_thirty_days_before_its_end_and_ends_after_its_last_day(
    company: Company,
    app: FastAPI,  # noqa: F811
) -> None:
    today = paris_date(datetime.now(UTC))
    mandate_id, declarant = await add_mandate(company, today + timedelta(days=31))
    await company.night()
    assert await company.notices(declarant) == []

    async def ends_on(day: date) -> None:
        await company.world.run("UPDATE mandate SET ends_on = $2 WHERE id = $1", mandate_id, day)
        await company.world.run("UPDATE membership SET ends_on = $2 WHERE mandate_id = $1", mandate_id, day)

    await ends_on(today + timedelta(days=30))
    for _ in range(2):
        await company.night()
    told = ("mandate_ending", {"ends_on": (today + timedelta(days=30)).isoformat()})
    for user in (declarant, company.first, company.second):
        assert await company.notices(user) == [told]

    async with signed_in(app, company.world, declarant) as http:
        await ends_on(today)
        await company.night()
        assert len((await http.get(f"{BASE}/companies")).json()["items"]) == 1
        await ends_on(today - timedelta(days=1))
        assert (await http.get(f"{BASE}/companies")).json()["items"] == []  # before the night has told so
        for _ in range(2):
            await company.night()
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    state = (await company.world.run("SELECT state, ended_by FROM mandate WHERE id = $1", mandate_id))[0]
    assert tuple(state) == ("ended", None)
    assert (await company.row(declarant))["revoked_at"] is not None
    kinds = [kind for kind, _ in await company.notices(declarant)]
    assert kinds.count("mandate_ended") == 1
