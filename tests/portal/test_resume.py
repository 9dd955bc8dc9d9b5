"""A session that ends keeps what was typed in any form of the space: it is shown again, and sent by the person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from db.pool import system
from domain.affiliation import Status
from domain.rights import Role, StaffRole
from services.sessions import open_session
from tests.portal.conftest import Served
from tests.portal.signed_in import Place, browsing, enter, placed
from tests.portal.test_browser import faults, looking
from tests.users import HERE, TestUser, add_user
from tests.world import World
from web.cookies import SESSION_OF

KEPT, RESUME = "Votre saisie n’est pas perdue", "Reprendre ma saisie"
CORRECTED = {"email": "nouvelle.adresse@exemple.fr", "line1": "7 rue des Essais", "postcode": "75011", "city": "Paris"}


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.administrator) as found:
        yield found


async def sleep_through(world: World, user: TestUser) -> None:
    """The browser still has its session's cookie; the session is over."""
    await world.run("UPDATE portal_session SET seen_at = now() - interval '2 hours' WHERE user_id = $1", user.id)


async def sign_in_again(place: Place, user: TestUser) -> None:
    async with system(place.world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage="open", stepped_up=True)
    place.web.http.cookies.delete(SESSION_OF[user.kind].value)
    place.web.http.cookies.set(SESSION_OF[user.kind].value, opened.token)


async def email_of(world: World, affiliation_id: UUID) -> str:
    rows = await world.run(
        "SELECT email FROM contact WHERE affiliation_id = $1 ORDER BY version DESC LIMIT 1", affiliation_id
    )
    return str(rows[0]["email"])


async def corrects(place: Place) -> UUID:
    """Whoever sends a correction after the end of the session."""
    life = await place.world.declare(place.employer)
    await life.until(Status.sent)
    await place.web.open(f"/salaries/suivi/{life.id}/coordonnees")
    place.web.fill(CORRECTED)
    await sleep_through(place.world, place.me)
    page = await place.web.press("Enregistrer")
    assert place.web.page.status_code == 401
    assert KEPT in page
    assert CORRECTED["email"] not in page, "nothing is shown to whoever stands before the screen"
    return life.id


async def test_a_correction_is_shown_again_after_signing_in_and_then_sent(place: Place) -> None:
    life = await corrects(place)
    assert KEPT in await place.web.press(RESUME), "not signed in yet"
    await sign_in_again(place, place.me)
    page = await place.web.press(RESUME)
    assert "Elle n’est pas encore envoyée" in page
    assert CORRECTED["email"] in page
    assert CORRECTED["line1"] in page
    assert await email_of(place.world, life) != CORRECTED["email"]
    await place.web.press("Envoyer maintenant")
    assert await email_of(place.world, life) == CORRECTED["email"]


async def test_nobody_else_gets_it(place: Place) -> None:
    life = await corrects(place)
    colleague = await add_user(place.world, {place.employer.company_id: Role.administrator})
    await sign_in_again(place, colleague)
    page = await place.web.press(RESUME)
    assert place.web.page.status_code == 410
    assert "n’a pas pu être rouverte" in page
    assert CORRECTED["email"] not in page
    assert await email_of(place.world, life) != CORRECTED["email"]


async def test_a_password_is_not_kept(place: Place) -> None:
    await place.web.open("/profil/mot-de-passe")
    place.web.fill({"current": "girafe tournevis mauve lagune", "new": "quatre tabourets sous la treille"})
    await sleep_through(place.world, place.me)
    page = await place.web.press("Enregistrer")
    assert place.web.path == "/connexion"
    assert KEPT not in page


async def test_a_button_alone_leads_to_signing_in(place: Place) -> None:
    life = await place.world.declare(place.employer)
    await life.until(Status.sent)
    await place.web.open(f"/salaries/suivi/{life.id}/pause")
    await sleep_through(place.world, place.me)
    await place.web.press("Mettre")
    assert place.web.path == "/connexion"


async def test_what_staff_typed_is_kept_for_their_own_door(app: FastAPI, world: World) -> None:
    staff = await add_user(world, staff=list(StaffRole))
    async with browsing(app, world, staff) as web:
        await web.open("/gestion/entreprises/creation")
        web.fill({"siren": "999000018", "name": "Hôtel des Essais"})
        await sleep_through(world, staff)
        page = await web.press("Ajouter au registre")
        assert KEPT in page
        assert 'href="/gestion/connexion?suite=' in page
        async with system(world.system) as connection:
            opened = await open_session(connection, staff.id, staff.kind, HERE, stage="open", stepped_up=True)
        web.http.cookies.delete(SESSION_OF[staff.kind].value)
        web.http.cookies.set(SESSION_OF[staff.kind].value, opened.token)
        page = await web.press(RESUME)
        assert "Hôtel des Essais" in page
        assert 'action="/gestion/entreprises/creation"' in page


async def test_the_pages_are_accessible(place: Place, served: Served, browser: Browser) -> None:
    life = await place.world.declare(place.employer)
    await life.until(Status.sent)
    async with looking(browser, "light", 1280) as context:
        await enter(context, place.world, served, place.me)
        page = await context.new_page()
        await page.goto(f"{served.address}/salaries/suivi/{life.id}/coordonnees")
        await page.fill("#email", CORRECTED["email"])
        await page.fill("#line1", CORRECTED["line1"])
        await sleep_through(place.world, place.me)
        await page.get_by_role("button", name="Enregistrer").click()
        await page.get_by_role("heading", name="Votre session a pris fin").wait_for()
        wrong = await faults(page, "kept form")
        visit = [cookie for cookie in await context.cookies() if "visit" in cookie.get("name", "")]
        assert visit, "the seal opens in this browser only"
        async with system(place.world.system) as connection:
            opened = await open_session(connection, place.me.id, place.me.kind, HERE, stage="open", stepped_up=True)
        name = SESSION_OF[place.me.kind].value
        await context.add_cookies([{"name": name, "value": opened.token, "url": served.address}])
        await page.get_by_role("button", name=RESUME).click()
        await page.get_by_role("heading", name="Votre saisie est revenue").wait_for()
        wrong += await faults(page, "resumed form")
    assert not wrong
