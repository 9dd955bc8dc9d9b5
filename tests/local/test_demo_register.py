"""The demo register on the world's database, Temporal server and worker."""

from __future__ import annotations

import asyncio
import re
import stat
from collections import Counter
from datetime import date
from pathlib import Path

import asyncpg
import pytest

from composition import passwords
from db import api_keys
from domain.affiliation import Attention, Closure, PauseReason, Status
from domain.identifiers import Civility
from domain.media import Language, Medium
from domain.synthetic import synthetic_nir, synthetic_siren
from local import demo_register
from local.demo_people import COMPANIES, PEOPLE, Story
from local.demo_register import KEYS_FILE, load
from local.demo_users import USERS, to_activate
from local.errors import LocalError
from local.processes import Child
from services.api_keys import key_hash
from services.callers import Scope
from settings import Environment, Settings
from tests.world import World

SIRENS = [synthetic_siren(company.number) for company in COMPANIES]

EXPECTED = {
    Story.abandoned: (Status.abandoned, Medium.post, None, None, Closure.no_response),
    Story.overdue: (Status.finalised, Medium.email, Attention.pieces_overdue, None, None),
    Story.fallback: (Status.sent, Medium.post, None, None, None),
    Story.unreachable: (Status.sent, Medium.post, Attention.unreachable, None, None),
    Story.asked_again: (Status.finalised, Medium.email, None, None, None),
    Story.accepted: (Status.finalised, Medium.email, None, None, None),
    Story.checking: (Status.finalised, Medium.email, None, None, None),
    Story.some_later: (Status.finalised, Medium.email, None, None, None),
    Story.draft_reminded: (Status.started, Medium.email, None, None, None),
    Story.reminded: (Status.sent, Medium.email, None, None, None),
    Story.waived: (Status.finalised, Medium.email, None, None, None),
    Story.paper: (Status.finalised, Medium.post, None, None, None),
    Story.started: (Status.started, Medium.email, None, None, None),
    Story.relaunched: (Status.sent, Medium.email, None, None, None),
    Story.refused: (Status.preparing, Medium.email, Attention.refused, None, None),
    Story.paused: (Status.sent, Medium.email, None, PauseReason.on_leave, None),
    Story.withdrawn: (Status.abandoned, Medium.email, None, None, Closure.withdrawn_not_hired),
}
CERTIFICATE = "social_security_certificate"
OF_PARTNER = ("partnership_proof:p1", "partner_social_security_certificate:p1")
# what is missing, whether something waits for staff's check, and what they have said of the documents
AWAITED: dict[Story, tuple[tuple[str, ...], bool, list[tuple[str, str | None]]]] = {
    Story.overdue: ((CERTIFICATE, "rib"), False, []),
    Story.asked_again: (("rib",), False, [("rib", "refused"), (CERTIFICATE, "accepted")]),
    Story.accepted: ((), False, [(OF_PARTNER[0], "accepted"), ("rib", "accepted"), (CERTIFICATE, "accepted")]),
    Story.checking: ((), True, [("rib", None), (CERTIFICATE, None)]),
    Story.some_later: (OF_PARTNER, True, [("rib", None), ("school_certificate:c2", None), (CERTIFICATE, None)]),
    Story.waived: ((), False, []),
    Story.paper: (("rib", CERTIFICATE), False, []),
}


class RecordedChild(Child):
    """Lets a test kill the loader."""

    last: RecordedChild

    async def start(self) -> None:
        RecordedChild.last = self
        await super().start()


@pytest.fixture(scope="module")
async def settings(world: World, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a stack with a directory of its own, on the world's database."""
    return world.config.model_copy(update={"local_dir": tmp_path_factory.mktemp("local")})


async def everybody(world: World) -> dict[str, asyncpg.Record]:
    """By first names. Fails when somebody is there twice."""
    rows = await world.run(
        "SELECT e.first_names, e.last_name, a.*, n.missing, n.checking, k.email, k.phone, w.ends_on,"
        " ARRAY(SELECT ROW(d.piece, d.verdict) FROM document d WHERE d.affiliation_id = a.id"
        " ORDER BY d.piece) AS papers,"
        " (SELECT count(*) FROM dependant d WHERE d.affiliation_id = a.id) AS dependants"
        " FROM affiliation a JOIN employee e ON e.id = a.employee_id JOIN company c ON c.id = a.company_id"
        " JOIN contact k ON k.affiliation_id = a.id LEFT JOIN enrolment n ON n.affiliation_id = a.id"
        " LEFT JOIN waiver w ON w.affiliation_id = a.id"
        " WHERE c.siren = ANY ($1)",
        SIRENS,
    )
    people = {row["first_names"]: row for row in rows}
    assert len(people) == len(rows)
    return people


async def loaded(world: World) -> int:
    count: int = (await world.run("SELECT count(*) FROM audit_log WHERE event = 'demo.loaded'"))[0][0]
    return count


async def key_row(world: World, secret: str) -> asyncpg.Record:
    """What a key opens. Fails when nobody knows it."""
    (row,) = await world.run(api_keys.FIND, key_hash(secret))
    return row


async def counts(world: World) -> list[int]:
    tables = ("company", "establishment", "employee", "affiliation", "dispatch", "affiliation_event", "api_key")
    return [(await world.run(f"SELECT count(*) FROM {table}"))[0][0] for table in tables]


@pytest.mark.long
async def test_a_killed_load_is_completed_and_everybody_is_where_their_story_ends(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_register, "Child", RecordedChild)
    first = await load(settings, wait_seconds=0)
    assert first.people < len(PEOPLE)
    async with asyncio.timeout(30):
        while not await loaded(world):  # noqa: ASYNC110 (another process writes it)
            await asyncio.sleep(0.02)
    RecordedChild.last.kill()

    register = await load(settings, wait_seconds=60)

    assert register.people == len(PEOPLE)
    assert str(register) == "3 companies, 21 people"
    assert register.api_key not in repr(register)
    people = await everybody(world)
    assert len(people) == len(PEOPLE)
    for person in PEOPLE:
        row = people[person.first_names]
        found = tuple(row[name] for name in ("status", "medium", "attention", "pause", "closure"))
        by_post = person.asks_for_post or not person.by_email
        sent = (Status.sent, Medium.post if by_post else Medium.email, None, None, None)
        assert found == EXPECTED.get(person.story, sent), person.slug
        assert row["dependants"] == len(person.family)
        awaited = (tuple(row["missing"] or ()), bool(row["checking"]), [tuple(paper) for paper in row["papers"]])
        assert awaited == AWAITED.get(person.story, ((), False, [])), person.slug
        assert row["language"] == (person.chooses or person.language)
        assert (row["ends_on"] is not None) is (person.story is Story.waived)
    assert {Status(row["status"]) for row in people.values()} == set(Status)
    repeated = Counter(
        (row["affiliation_id"], row["kind"], row["number"])
        for row in await world.run(
            "SELECT d.* FROM dispatch d JOIN company c ON c.id = d.company_id WHERE c.siren = ANY ($1)", SIRENS
        )
    )
    assert set(repeated.values()) == {1}


async def test_a_second_load_adds_nothing_and_starts_nothing(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await load(settings, wait_seconds=60), await counts(world)
    monkeypatch.setattr(demo_register, "Child", None)

    assert (await load(settings), await counts(world)) == before


async def test_the_demo_users_sign_in_with_the_password_that_is_told(world: World, settings: Settings) -> None:
    register = await load(settings, wait_seconds=60)
    rows = await world.run(
        "SELECT u.email, u.password_hash, m.role FROM portal_user u LEFT JOIN membership m ON m.user_id = u.id"
        " WHERE u.email LIKE '%@example.fr'"
    )
    found = {row["email"]: row for row in rows}
    check = passwords(settings)
    for user in USERS:
        assert found[user.email]["role"] == user.role
        assert await check.matches(found[user.email]["password_hash"], register.password)
    assert register.password not in repr(register)
    activated = await world.run("SELECT siren FROM company WHERE activated_at IS NOT NULL AND siren = ANY ($1)", SIRENS)
    assert [row["siren"] for row in activated] == SIRENS[:1]
    assert "999000425" in to_activate()


async def test_the_keys_open_what_they_should_and_only_their_hashes_are_stored(
    world: World, settings: Settings
) -> None:
    register = await load(settings, wait_seconds=60)
    path = settings.local_dir / KEYS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    employer = await key_row(world, register.api_key)
    staff = await key_row(world, register.staff_key)
    assert set(employer["scopes"]) == {Scope.read, Scope.write}
    assert len(employer["company_ids"]) == len(COMPANIES)
    assert set(staff["scopes"]) == {Scope.staff, Scope.staff_write, Scope.staff_export}
    stored = await world.run("SELECT to_jsonb(k) ::text FROM api_key k")
    assert not [row for row in stored if register.api_key in row[0] or register.staff_key in row[0]]

    path.unlink()
    people = await everybody(world)
    again = await load(settings, wait_seconds=60)

    assert again.api_key != register.api_key
    assert await key_row(world, again.api_key)
    assert again.people == len(PEOPLE)
    assert (await everybody(world)).keys() == people.keys()


async def test_nobody_in_it_is_real(world: World, settings: Settings) -> None:
    await load(settings, wait_seconds=60)
    for siren in SIRENS:
        assert siren.startswith("999")
    for row in (await everybody(world)).values():
        assert row["email"] is None or row["email"].endswith(("@example.fr", ".example.fr"))
        assert row["phone"].startswith("+3363998")
    # commune 990 (90 overseas), which no department reaches
    for person in PEOPLE:
        nir = synthetic_nir(Civility(person.civility), person.birth_date, person.department)
        assert re.fullmatch(r"[12]\d{4}(\d\d990|\d{3}90)\d{3}\d\d", nir)


def test_the_people_are_varied_and_old_enough() -> None:
    assert len({person.slug for person in PEOPLE}) == len(PEOPLE)
    assert {person.story for person in PEOPLE} == set(Story)
    assert {company.insurer for company in COMPANIES} == {"klesia", "malakoff_humanis"}
    assert {person.chooses or person.language for person in PEOPLE} == set(Language)
    assert len({person.contract_kind for person in PEOPLE}) == 5
    assert all(person.birth_date < date(2010, 1, 1) for person in PEOPLE)


async def test_production_is_refused(settings: Settings, tmp_path: Path) -> None:
    in_production = settings.model_copy(update={"environment": Environment.production, "local_dir": tmp_path})
    with pytest.raises(LocalError, match="not for production"):
        await load(in_production)
    assert not (tmp_path / KEYS_FILE).exists()
