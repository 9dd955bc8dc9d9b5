"""« Notifications », « Messages »: what is new is marked, counted and told to an open page; when one is written to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from domain.affiliation import Status
from domain.rights import Role
from messages.notices import NoticeKind
from tests.noticing import written
from tests.notifying import ends_soon, happens, to_correct
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, Place, browsing, enter, looked_at, placed
from tests.users import add_user
from tests.world import Life, World

NEWS = "/notifications"


@pytest.fixture(scope="module")
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as found:
        yield found


@pytest.fixture(scope="module")
async def lives(place: Place) -> list[Life]:
    lives = [await place.world.declare(place.employer) for _ in range(3)]
    for life in lives:
        await life.until(Status.sent)
        await life.until_quiet()
    return lives


def counted(page: str, name: str) -> str:
    """The number beside a pictogram; "": none is shown."""
    mark = re.search(rf'<b class="unread" data-unread="{name}"( hidden)?><i>(\d+\+?)</i>', page)
    assert mark
    return "" if mark.group(1) else mark.group(2)


async def test_what_is_new_is_counted_marked_and_read(place: Place, lives: list[Life]) -> None:
    world, web = place.world, place.web
    page = await web.open(NEWS)
    assert counted(page, "notifications") == ""
    await happens(world, lives[0], "finalised")
    await to_correct(world, lives[1])
    await ends_soon(world, lives[2])
    letter = await written(world, NoticeKind.password_changed, user_id=place.me.id)
    await world.run("UPDATE notice SET state = 'handed_over' WHERE id = $1", letter)
    page = await web.open(NEWS)
    assert (counted(page, "notifications"), counted(page, "messages")) == ("3", "1")
    assert page.count('class="new-mark"') == 3
    assert "Bientôt abandonnée" in page
    assert "Coordonnées à corriger" in page
    page = await web.press("Tout marquer comme lu")
    assert "Tout est marqué comme lu." in page
    assert counted(page, "notifications") == ""
    assert "new-mark" not in page
    assert "Tout marquer comme lu" not in page

    assert "new-mark" in await web.open("/messages")
    page = await web.open(f"/messages/{letter}")
    assert counted(page, "messages") == ""


async def test_who_is_written_to_when_is_chosen_for_all_companies_or_for_one(place: Place) -> None:
    world, other = place.world, await place.world.employer()
    both = {place.employer.company_id: Role.member, other.company_id: Role.member}
    async with browsing(place.app, world, await add_user(world, both)) as web:
        await web.open("/profil")
        await web.follow("Choisir quand recevoir un e-mail")
        page = await web.fill({"finalised": "none", "ended": "weekly"}).press("Enregistrer mes choix")
        assert "Vos choix sont enregistrés." in page
        await web.open(f"/profil/notifications?entreprise={other.siren}")
        await web.fill({"finalised": "immediate"}).press("Enregistrer mes choix")
        page = await web.open("/profil/notifications")
        assert "Selon l’entreprise" in page.partition('name="finalised"')[2].partition("</select>")[0]
        await web.press("Enregistrer mes choix")
        page = await web.open(f"/profil/notifications?entreprise={other.siren}")
        assert re.search(r'<option value="immediate" selected>', page.partition('name="finalised"')[2])
        assert re.search(r'<option value="weekly" selected>', page.partition('name="ended"')[2])
        page = await web.fill({"finalised": "chaque heure"}).press("Enregistrer mes choix")
        assert web.page.status_code == 422
        assert 'href="#finalised"' in page
        await web.open("/profil/notifications?entreprise=999000003")
        assert web.page.status_code == 404


async def test_an_open_page_is_told_and_keeps_its_numbers_where_nothing_is_heard(
    place: Place, lives: list[Life], browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.app.state.parts.notification_feed, "_every", 0.05)
    user = await add_user(place.world, {place.employer.company_id: Role.member})
    context = await browser.new_context()
    try:
        await enter(context, place.world, served, user)
        page = await context.new_page()
        await page.clock.install()
        await page.goto(f"{served.address}/aide")
        mark = page.locator('[data-unread="notifications"]')
        await expect(mark).to_be_hidden()
        async with page.expect_response(lambda answer: answer.url.endswith("/notifications/flux")):
            await page.clock.fast_forward(3500)
        await happens(place.world, lives[0], "declined")
        await expect(mark).to_contain_text("1 nouvelle", timeout=20_000)
        await page.reload()
        await expect(mark).to_contain_text("1 nouvelle")
    finally:
        await context.close()


async def test_the_pages_are_accessible_on_every_screen(
    place: Place, lives: list[Life], browser: Browser, served: Served
) -> None:
    user = await add_user(place.world, {place.employer.company_id: Role.member})
    await happens(place.world, lives[0], "finalised")
    looks = [Look("news", user, NEWS), Look("preferences", user, "/profil/notifications")]
    wrong = await looked_at(browser, place.world, served, looks)
    assert not wrong, "\n".join(one[:230] for one in wrong)
