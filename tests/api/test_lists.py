"""« Suivi des affiliations »: filters, order, and pages without doubles or gaps while rows change."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from db import register
from db.pool import system
from domain.synthetic import synthetic_siret
from services.callers import Scope
from tests.api.conftest import BASE, Door, client, key_for
from tests.world import World

NOBODY = UUID("00000000-0000-7000-8000-00000000dead")  # the same in every process: it names tests

LIST = f"{BASE}/affiliations"
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = [
    # last name, first names, status, medium, attention, other establishment
    ("Lefèvre", "Zoé", "preparing", "email", None, False),
    ("O’Brien", "Éloïse", "sent", "email", None, False),
    ("LEFEVRE-MÜLLER", "Anaïs", "sent", "post", "unreachable", False),
    ("100% Dupont", "Jean", "started", "email", "uncertain", False),
    ("Œuvrard", "Noël", "finalised", "email", None, True),
    ("Sous_ligne", "Lou", "abandoned", "post", "unreachable", True),
    ("Nguyễn", "Thị", "sent", "email", None, True),
]


@dataclass(frozen=True)
class Follow:
    """A company whose seven people have known statuses and dates, an hour apart."""

    door: Door
    other_siret: str
    ids: list[str] = field(default_factory=list)

    async def get(self, **query: Any) -> dict[str, Any]:
        answer = await self.door.http.get(LIST, params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def names(self, **query: Any) -> list[str]:
        page = await self.get(**query)
        assert page["total"] == len(page["items"])
        return [item["last_name"] for item in page["items"]]

    async def set(self, affiliation_id: str, **columns: Any) -> None:
        changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
        query = f"UPDATE affiliation SET {changes} WHERE id = $1"
        await self.door.world.run(query, UUID(affiliation_id), *columns.values())


@pytest.fixture(scope="module")
async def follow(app: FastAPI, world: World) -> AsyncIterator[Follow]:
    employer = await world.employer()
    other_siret = synthetic_siret(employer.siren, 2)
    async with system(world.system) as connection:
        await connection.execute(
            register.ADD_ESTABLISHMENT, employer.company_id, other_siret, "BAR DES TESTS", "75012", "PARIS"
        )
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        stage = Follow(Door(world, http, employer), other_siret)
        for number, (last_name, first_names, status, medium, attention, other) in enumerate(PEOPLE):
            body = world.declaration(employer, last_name=last_name, first_names=first_names)
            life_id = await _declare(stage, {**body, "siret": other_siret} if other else body)
            await stage.set(
                life_id,
                status=status,
                status_at=START + timedelta(hours=number),
                medium=medium,
                attention=attention,
                attention_since=START if attention else None,
                version=1000,  # the workflow's own changes come too late to disturb
            )
            stage.ids.append(life_id)
        yield stage


async def _declare(follow: Follow, body: dict[str, Any]) -> str:
    answer = await follow.door.http.post(LIST, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def people(*numbers: int) -> list[str]:
    return [PEOPLE[number][0] for number in numbers]


async def test_without_filter_everybody_the_newest_first_or_last(follow: Follow) -> None:
    assert await follow.names() == people(6, 5, 4, 3, 2, 1, 0)
    assert await follow.names(sort="-date") == people(6, 5, 4, 3, 2, 1, 0)
    assert await follow.names(sort="date") == people(0, 1, 2, 3, 4, 5, 6)
    assert await follow.names(sort="todo") == people(2, 6, 5, 4, 3, 1, 0)


async def test_filters_by_company_and_establishment_spaces_allowed(follow: Follow) -> None:
    employer = follow.door.employer
    assert len(await follow.names(siren=employer.siren)) == 7
    assert await follow.names(siret=employer.siret) == people(3, 2, 1, 0)
    spaced = f"{follow.other_siret[:9]} {follow.other_siret[9:]}"
    assert await follow.names(siret=spaced) == people(6, 5, 4)
    assert await follow.names(siren="999000003") == []


async def test_filters_by_one_and_by_several_statuses_and_by_medium(follow: Follow) -> None:
    assert await follow.names(status="sent") == people(6, 2, 1)
    assert await follow.names(status=["sent", "abandoned"]) == people(6, 5, 2, 1)
    assert await follow.names(medium="post") == people(5, 2)
    assert await follow.names(status="sent", medium="post") == people(2)


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("lefevre", (2, 0)),
        ("LEFÈVRE", (2, 0)),
        ("muller", (2,)),
        ("müller", (2,)),
        ("eloise", (1,)),
        ("  zoé  ", (0,)),
        ("nguyen", (6,)),
        ("oeuvrard", (4,)),
        ("o'brien", (1,)),
        ("lefevre muller", (2,)),
        ("anaïs Müller", (2,)),
        ("zoe lefevre", (0,)),
        ("zoe muller", ()),
        ("Lefèvre-Müller", (2,)),
        ("100%", (3,)),
        ("%", (3,)),
        ("_", (5,)),
        ("\\", ()),
        ("'; DROP TABLE affiliation; --", ()),
        ("personne", ()),
        ("", (6, 5, 4, 3, 2, 1, 0)),
        ("   ", (6, 5, 4, 3, 2, 1, 0)),
    ],
)
async def test_searches_names_without_accents_capitals_or_tricks(
    follow: Follow, q: str, numbers: tuple[int, ...]
) -> None:
    assert await follow.names(q=q) == people(*numbers)


async def test_what_needs_action_is_open_and_waits_for_a_person(follow: Follow) -> None:
    assert await follow.names(needs_action="true") == people(3, 2)
    assert await follow.names(needs_action="false") == people(6, 5, 4, 1, 0)


async def test_days_are_those_of_paris_both_included(follow: Follow) -> None:
    midnight = datetime(2026, 11, 9, 23, tzinfo=UTC)  # in Paris, the first instant of 10 November
    before, after = follow.ids[0], follow.ids[1]
    was = [START, START + timedelta(hours=1)]
    await follow.set(before, status_at=midnight - timedelta(seconds=1))
    await follow.set(after, status_at=midnight)
    try:
        assert await follow.names(sent_from="2026-11-10") == people(1)
        assert await follow.names(sent_to="2026-11-09", sent_from="2026-11-09") == people(0)
        assert await follow.names(sent_to="2026-11-10", sent_from="2026-11-09") == people(1, 0)
        assert await follow.names(sent_from="2026-11-11") == []
        assert len(await follow.names(sent_from="0001-01-01", sent_to="9999-12-31")) == 7
    finally:
        await follow.set(before, status_at=was[0])
        await follow.set(after, status_at=was[1])


@pytest.mark.parametrize("sort", ["-date", "date", "todo"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
async def test_pages_hold_everybody_once(follow: Follow, sort: str, limit: int) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page = await follow.get(sort=sort, limit=limit, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 7
        assert len(page["items"]) <= limit
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if sort == "todo":  # the one whom no address reaches, then the newest
        assert seen == [follow.ids[number] for number in (2, 6, 5, 4, 3, 1, 0)]
    else:
        assert seen == (follow.ids if sort == "date" else follow.ids[::-1])


async def test_rows_with_the_same_date_are_each_on_one_page(follow: Follow) -> None:
    for number, life_id in enumerate(follow.ids):
        await follow.set(life_id, status_at=START)
        assert number < 7
    try:
        for sort in ("date", "-date", "todo"):
            seen: list[str] = []
            page = await follow.get(sort=sort, limit=2)
            while page["next_cursor"]:
                seen += [item["id"] for item in page["items"]]
                page = await follow.get(sort=sort, limit=2, cursor=page["next_cursor"])
            seen += [item["id"] for item in page["items"]]
            assert sorted(seen) == sorted(follow.ids)
    finally:
        for number, life_id in enumerate(follow.ids):
            await follow.set(life_id, status_at=START + timedelta(hours=number))


async def test_who_does_not_change_is_seen_once_while_others_come_and_move(app: FastAPI, world: World) -> None:
    """Between two pages somebody is declared and somebody of a page to come changes status."""
    employer = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        follow = Follow(Door(world, http, employer), "")
        for number in range(8):
            follow.ids.append(await _declare(follow, world.declaration(employer)))
            await follow.set(follow.ids[-1], status_at=START + timedelta(hours=number), version=1000)
        moving = [follow.ids[1], follow.ids[7]]  # one not yet seen, one seen already
        seen: list[str] = []
        page = await follow.get(limit=3)
        seen += [item["id"] for item in page["items"]]
        await _declare(follow, world.declaration(employer))
        for number, life_id in enumerate(moving):
            await follow.set(life_id, status_at=START + timedelta(days=1, hours=number))
        while page["next_cursor"]:
            page = await follow.get(limit=3, cursor=page["next_cursor"])
            seen += [item["id"] for item in page["items"]]
        assert [life_id for life_id in seen if life_id not in moving] == [
            life_id for life_id in reversed(follow.ids) if life_id not in moving
        ]
        assert len(set(seen)) == len(seen)


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=abc",
        "limit=1.5",
        "limit=99999999999999999999999999",
        "limit=",
        "status=unknown",
        "status=sent&status=x",
        "medium=sms",
        "medium=",
        "sort=name",
        "needs_action=peut-être",
        "sent_from=hier",
        "sent_from=0",
        "sent_from=2026-02-30",
        "sent_to=2026-11-02T10:00:00Z",
        "siren=12345678",
        "siret=abc",
        "siret=%00",
        "siren=%00",
        "q=%00",
        "q=a%00b",
        "q=" + "x" * 101,
        "cursor=abc",
        "cursor=%00",
        "cursor=é",
        "cursor=" + "x" * 201,
        "cursor=" + _cursor([1, 2]),
        "cursor=" + _cursor([START.isoformat(), 5]),
        "cursor=" + _cursor([START.isoformat(), "x"]),
        "cursor=" + _cursor(["2026-11-02T09:00:00", str(NOBODY)]),
        "cursor=" + _cursor(["0001-01-01T00:00:00+23:00", str(NOBODY)]),
        "cursor=" + _cursor([START.isoformat(), str(NOBODY), 1]),
        "cursor=" + _cursor({"a": 1, "b": 2}),
        "cursor=" + _cursor(None),
        "sort=todo&cursor=" + _cursor([START.isoformat(), str(NOBODY)]),
        "sort=todo&cursor=" + _cursor([1, START.isoformat(), str(NOBODY)]),
        "cursor=" + _cursor([True, START.isoformat(), str(NOBODY)]),
        "limit=5&limit=6",
        "q=a&q=b",
        "siret=1&siret=1",
        "sort=date&sort=date",
        "statut=sent",
        "company_id=x",
    ],
)
async def test_a_wrong_parameter_is_named_and_not_repeated(follow: Follow, query: str) -> None:
    answer = await follow.door.http.get(f"{LIST}?{query}")
    assert answer.status_code == 422, answer.text
    name, _, value = query.split("&")[-1].partition("=")
    errors = answer.json()["errors"]
    assert errors[0]["field"].split(".")[0] == name
    assert len(value) < 8 or value not in answer.text


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"])
async def test_a_cursor_at_the_end_of_time_is_a_page_like_another(follow: Follow, extreme: str) -> None:
    page = await follow.get(cursor=_cursor([extreme, str(uuid4())]))
    assert page["total"] == 7
