"""Consulting a company's space in its place: who may, what is shown, that nothing can be changed, and who is told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role, StaffRole
from services.problems import NotFound
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import Look as PageLook
from tests.portal.signed_in import browsing, looked_at
from tests.portal.test_doors import DECLARED, For
from tests.portal.test_register import LONG
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, Life, World

BANNER = "en lecture seule, jusqu’à"
TOLD = "Vous consultez en lecture seule."


@dataclass(frozen=True)
class Look:
    """A member of staff, a company with an administrator and somebody declared there."""

    world: World
    app: FastAPI
    employer: Employer
    life: Life
    me: TestUser
    boss: TestUser
    web: Browsing

    async def begin(self, **changes: str) -> str:
        await self.web.open(f"/gestion/entreprises/{self.employer.company_id}/consultation")
        return await self.web.fill({"reason": "asked_for_help", **changes}).press("Ouvrir son espace")

    async def logged(self, event: str) -> list[Any]:
        return await self.world.run(
            "SELECT * FROM audit_log WHERE actor_id = $1 AND event = $2 ORDER BY id", str(self.me.id), event
        )

    async def rows(self) -> list[Any]:
        return await self.world.run("SELECT * FROM look_as WHERE user_id = $1 ORDER BY id", self.me.id)


@pytest.fixture
async def look(app: FastAPI, world: World) -> AsyncIterator[Look]:
    employer = await world.employer()
    life = await world.declare(employer)
    boss = await add_user(world, {employer.company_id: Role.administrator})
    me = await add_user(world, staff=[StaffRole.write])
    async with browsing(app, world, me) as web:
        yield Look(world, app, employer, life, me, boss, web)


async def test_staff_read_the_company_s_pages_under_a_banner_until_they_end_it(look: Look) -> None:
    page = await look.begin(ticket="d2026-00417")
    assert look.web.path == "/espace"
    assert look.web.page.status_code == 200
    assert BANNER in page
    assert "Aide demandée par l’entreprise" in page
    assert "Mes documents pratiques" in page, "the employer's menu"
    assert "Mon profil" not in page
    page = await look.web.open("/gestion/entreprises")
    assert BANNER in page, "also on one's own pages"
    page = await look.web.press("Terminer la consultation")
    assert look.web.path == f"/gestion/entreprises/{look.employer.company_id}"
    assert "La consultation est terminée" in page
    assert BANNER not in page
    [row] = await look.rows()
    assert row["ticket"] == "D2026-00417"
    assert row["ended_at"] is not None
    began, ended = await look.logged("look_as.began"), await look.logged("look_as.ended")
    assert [(one["company_id"], one["actor_kind"]) for one in (*began, *ended)] == [
        (look.employer.company_id, "staff")
    ] * 2
    assert began[0]["details"] == {"reason": "asked_for_help", "ticket": "D2026-00417"}


async def test_a_reason_is_asked_and_a_reference_that_says_something_is_refused(look: Look) -> None:
    await look.web.open(f"/gestion/entreprises/{look.employer.company_id}/consultation")
    page = await look.web.fill({"ticket": "Mme Martin, 06"}).press("Ouvrir son espace")
    assert look.web.page.status_code == 422
    assert "Choisissez un motif" in page
    assert "que des lettres, des chiffres et des tirets" in page
    assert look.web.value("ticket") == "Mme Martin, 06"
    assert await look.rows() == []


async def test_no_form_of_an_employer_s_page_does_anything(look: Look, world: World) -> None:
    await look.begin()
    await look.life.until_messages(1)
    before = await look.life.events()
    for (method, path), whose in sorted(DECLARED.items()):
        if method != "POST" or whose not in (For.user, For.administrator):
            continue
        address = re.sub(r"\{affiliation_id\}", str(look.life.id), path).replace("{siren}", look.employer.siren)
        address = re.sub(r"\{\w+_id\}", str(uuid4()), address)
        address = re.sub(r"\{\w+\}", "contact", address)
        await look.web.open("/espace")
        token = look.web.value("csrf")
        assert token
        answer = await look.web.http.post(address, data={"csrf": token}, headers={"Accept": "text/html"})
        if answer.status_code == 303:  # only an employer's session is known there
            assert answer.headers["location"].startswith("/connexion?"), path
            continue
        assert answer.status_code == 403, path
        assert TOLD in answer.text, path
        assert BANNER in answer.text, path
    assert await look.life.events() == before


async def test_the_json_door_and_the_profile_know_nothing_of_it(look: Look) -> None:
    async with signed_in(look.app, look.world, look.me) as http:
        other = await http.get("/api/v1/affiliations")
    await look.begin()
    token = look.web.value("csrf")
    for method, path in (("GET", ""), ("GET", f"/{look.life.id}"), ("POST", f"/{look.life.id}/reminders")):
        answer = await look.web.http.request(
            method, f"/api/v1/affiliations{path}", headers={"X-CSRF-Token": str(token)}, json={}
        )
        assert answer.status_code == other.status_code == 403, path
    await look.web.open("/profil")
    assert look.web.page.status_code == 403
    assert TOLD in look.web.page.text


async def test_only_that_company_is_seen_and_nobody_s_rights(look: Look) -> None:
    elsewhere = await look.world.employer()
    stranger = await look.world.declare(elsewhere)
    await look.begin()
    caller = await caller_of(look)
    assert [str(one) for one in caller.companies] == [str(look.employer.company_id)]
    assert caller.administers == ()
    with pytest.raises(NotFound):
        await look.app.state.parts.affiliations.follow_up.detail(caller, stranger.id)
    await look.web.open("/habilitations/ajouter")
    assert look.web.page.status_code == 403
    assert TOLD in look.web.page.text


async def caller_of(look: Look) -> Any:
    """The caller that a page of the employer's gets."""
    token = look.web.http.cookies["staff"]
    parts = look.app.state.parts
    return await parts.look_as.of(await parts.sessions.caller(token, look.me.kind))


async def test_a_file_that_is_read_in_it_is_in_the_log_with_its_mark_and_told_to_the_administrators(look: Look) -> None:
    await look.begin()
    caller = await caller_of(look)
    await look.app.state.parts.affiliations.follow_up.detail(caller, look.life.id)
    [row] = await look.rows()
    [viewed] = await look.logged("data.viewed")
    assert (viewed["actor_kind"], viewed["affiliation_id"]) == ("staff", look.life.id)
    assert viewed["details"] == {"what": "detail", "look_as": str(row["id"])}
    async with browsing(look.app, look.world, look.boss) as web:
        page = await web.open("/habilitations/consultations")
        assert "Aide demandée par l’entreprise" in page
        assert "En cours" in page
        assert re.search(r'data-label="Dossiers ouverts">\s*1\s*<', page)
    other = await look.world.employer()
    stranger = await add_user(look.world, {other.company_id: Role.administrator})
    async with browsing(look.app, look.world, stranger) as web:
        assert "Aucune consultation" in await web.open("/habilitations/consultations")


async def test_it_ends_by_itself_and_with_the_rights_and_with_the_session(look: Look) -> None:
    await look.begin()
    await look.world.run("UPDATE look_as SET ends_at = now() WHERE user_id = $1", look.me.id)
    assert await caller_of(look) is None
    page = await look.web.open("/gestion/entreprises")
    assert BANNER not in page
    await look.begin()
    assert await caller_of(look) is not None
    await look.world.run("UPDATE portal_user SET staff_roles = '{read}' WHERE id = $1", look.me.id)
    assert await caller_of(look) is None
    await look.world.run("UPDATE portal_user SET staff_roles = '{write}' WHERE id = $1", look.me.id)
    async with signed_in(look.app, look.world, look.me) as http:
        answer = await http.get("/habilitations", headers={"Accept": "text/html"})
        assert BANNER not in answer.text, "another session of the same person"


async def test_a_second_one_takes_the_place_of_the_first(look: Look) -> None:
    await look.begin()
    other = await look.world.employer()
    await look.web.open(f"/gestion/entreprises/{other.company_id}/consultation")
    await look.web.fill({"reason": "finds_fault"}).press("Ouvrir son espace")
    first, second = await look.rows()
    assert first["ended_at"] is not None
    assert second["company_id"] == other.company_id
    assert (await caller_of(look)).companies == (other.company_id,)


async def test_who_may_not_write_may_not_look_and_a_code_is_asked_first(look: Look) -> None:
    path = f"/gestion/entreprises/{look.employer.company_id}/consultation"
    reader = await add_user(look.world, staff=[StaffRole.read, StaffRole.export])
    async with browsing(look.app, look.world, reader) as web:
        await web.open(path)
        assert web.page.status_code == 403
    async with browsing(look.app, look.world, look.me, stepped_up=False) as web:
        answer: httpx2.Response = await web.http.get(path, headers={"Accept": "text/html"})
        assert answer.headers["location"].startswith("/connexion/confirmer")
    await look.web.open(f"/gestion/entreprises/{uuid4()}/consultation")
    assert look.web.page.status_code == 404


async def test_its_pages_are_accessible_and_fit_their_window(browser: Browser, served: Served, look: Look) -> None:
    await look.world.run("UPDATE company SET name = $2 WHERE id = $1", look.employer.company_id, LONG)
    empty, path = await look.world.employer(), "/habilitations/consultations"
    alone = await add_user(look.world, {empty.company_id: Role.administrator})
    wrong = await looked_at(browser, look.world, served, [PageLook("nobody looked", alone, path)])
    await look.begin(ticket="D2026-00417")
    wrong += await looked_at(browser, look.world, served, [PageLook("looked at", look.boss, path)])
    assert not wrong, "\n".join(wrong)
