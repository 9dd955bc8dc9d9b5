"""« Clés d’accès » as pages: an administrator makes a key, sees it once, and takes it away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role
from services.callers import Scope
from tests.api.conftest import client, key_for
from tests.portal import signed_in
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, browsing, looked_at, placed
from tests.portal.test_register import LONG
from tests.users import add_user
from tests.world import World

KEYS = "/habilitations/cles"


class Place(signed_in.Place):
    async def make(self, name: str, **more: str) -> str:
        await self.web.open(f"{KEYS}/creer")
        await self.web.fill({"name": name, **more}).press("Créer la clé")
        found = re.search(r'id="secret" value="([^"]+)"', self.web.page.text)
        return found.group(1) if found else ""


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.administrator) as one:
        yield one


async def test_a_key_is_shown_once_and_opens_what_was_chosen(place: Place) -> None:
    web = place.web
    assert "Aucune clé d’accès" in await web.open(KEYS)
    secret = await place.make("Logiciel de paie")
    assert secret.startswith("hcr_")
    assert web.page.headers["cache-control"] == "no-store"
    async with client(place.app, secret) as http:
        assert (await http.get("/api/v1/affiliations")).status_code == 200
        refused = await http.post("/api/v1/affiliations", json=place.world.declaration(place.employer))
        assert refused.status_code == 403, "it only reads"
    page = await web.follow("J’ai copié la clé")
    assert web.path == KEYS
    assert secret not in page
    assert "Logiciel de paie" in page
    assert "Lire seulement" in page
    assert f"{secret[:8]}…" in page


async def test_a_key_that_declares_is_told_from_one_that_reads(place: Place) -> None:
    await place.make("Paie", scope_write="yes", expires_on="31/12/2026")
    page = await place.web.open(KEYS)
    assert "Lire et déclarer" in page
    assert "vendredi 1 janvier" in page.replace("1er", "1").replace("\u00a0", " ")


async def test_a_form_with_errors_names_each_field_and_keeps_what_was_typed(place: Place) -> None:
    web, employer = place.web, await place.world.employer()
    await place.world.run(
        "INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at)"
        " VALUES ($1, $2, 'administrator', now(), now())",
        place.me.id,
        employer.company_id,
    )
    await web.open(f"{KEYS}/creer")
    page = await web.fill({"expires_on": "31/02/2027", "scope_write": "yes"}).press("Créer la clé")
    assert web.page.status_code == 422
    for field in ("name", "sirens", "expires_on"):
        assert f'href="#{field}"' in page, field
        assert f'id="{field}"' in page, field
    assert (web.value("expires_on"), web.value("scope_write")) == ("31/02/2027", "yes")
    page = await web.fill({"name": "Paie", "expires_on": "01/01/2020"}).press("Créer la clé")
    assert "dans 24 mois" in page.replace("\u00a0", " ")


async def test_a_key_is_taken_away_after_it_was_said_what_that_does(place: Place) -> None:
    web = place.web
    secret = await place.make("Paie")
    await web.open(KEYS)
    await web.follow("Retirer")
    assert "ne pourra plus rien lire ni déclarer" in web.page.text
    page = await web.press("Retirer la clé")
    assert "La clé est retirée" in page
    assert "Aucune clé d’accès" in page
    async with client(place.app, secret) as http:
        assert (await http.get("/api/v1/affiliations")).status_code == 401
    await web.open(f"{KEYS}/{uuid4()}/revocation")
    assert web.page.status_code == 404


async def test_a_key_that_was_made_elsewhere_says_no_nonsense(place: Place) -> None:
    await key_for(place.world, place.employer, Scope.read)
    page = await place.web.open(KEYS)
    assert "hcr_…" in page
    assert "None" not in page


async def test_a_change_asks_for_a_code_and_a_user_who_is_no_administrator_is_refused(place: Place) -> None:
    async with browsing(place.app, place.world, place.me, stepped_up=False) as web:
        await web.open(f"{KEYS}/creer")
        assert web.path == "/connexion/confirmer"
        assert web.value("suite") == f"{KEYS}/creer"
    member = await add_user(place.world, {place.employer.company_id: Role.member})
    async with browsing(place.app, place.world, member) as web:
        for path in (KEYS, f"{KEYS}/creer"):
            await web.open(path)
            assert web.page.status_code == 403


async def test_the_pages_are_accessible_and_fit_their_window(browser: Browser, served: Served, place: Place) -> None:
    await place.world.run("UPDATE company SET name = $2 WHERE id = $1", place.employer.company_id, LONG)
    me = place.me
    wrong = await looked_at(browser, place.world, served, [Look("no key", me, KEYS)])
    await place.make("Logiciel de paie de tous les établissements du groupe", expires_on="")
    rows = await place.world.run("SELECT id FROM api_key WHERE created_by = $1", place.me.id)
    looks = [
        Look("keys", me, KEYS),
        Look("create", me, f"{KEYS}/creer"),
        Look("create, wrong", me, f"{KEYS}/creer", "Créer la clé"),
        Look("take away", me, f"{KEYS}/{rows[0]['id']}/revocation"),
    ]
    wrong += await looked_at(browser, place.world, served, looks)
    assert not wrong, "\n".join(wrong)
