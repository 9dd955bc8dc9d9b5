"""From the computer to the phone: a code shown here opens the same form there, once and for some minutes."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import zxingcpp
from fastapi import FastAPI
from PIL import Image
from playwright.async_api import Browser

from domain.affiliation import Status
from domain.media import Language
from messages.catalogue import catalogue
from portal.frame import offered
from tests.api.conftest import Door, client
from tests.portal.browsing import NAVIGATION, Browsing
from tests.portal.conftest import Served, link_of
from tests.portal.looking import keyboard_walk, large_text_faults, narrow_faults
from tests.portal.test_browser import faults, looking
from tests.world import Life
from web.cookies import Cookie
from web.parts import Parts

BORN = "12/06/1975"
OFFER = "Continuer sur mon téléphone"
OPEN = "Ouvrir mon dossier"
DEAD = "Le code ne marche plus"


@asynccontextmanager
async def device(app: FastAPI) -> AsyncIterator[Browsing]:
    async with client(app) as http:
        http.headers.update(NAVIGATION)
        yield Browsing(http)


async def address_shown(app: FastAPI, me: Browsing) -> str:
    """What the code on the page says, for tests that have no camera."""
    use: Parts = app.state.parts
    session = me.http.cookies[Cookie.employee]
    shown = await use.handovers.shown(await use.access.caller(session), session)
    assert shown is not None
    assert shown.address is not None
    assert "<svg" in me.page.text
    assert shown.address not in me.page.text, "drawn, not written"
    return urlsplit(shown.address).path


async def later(life: Life, minutes: int) -> None:
    await life.world.run(
        "UPDATE employee_session SET handover_at = handover_at - make_interval(mins => $2) WHERE affiliation_id = $1",
        life.id,
        minutes,
    )


async def test_the_form_goes_on_with_the_phone_once_the_birth_date_is_given(door: Door, app: FastAPI) -> None:
    life = await door.declare(birth_date="1975-06-12")
    async with device(app) as computer, device(app) as phone:
        await computer.open(await link_of(life))
        await computer.open("/dossier/etapes/contact")
        await computer.fill({"city": "Lille"}).press("voir toutes les étapes")
        await computer.press(OFFER)
        assert computer.path == "/dossier/telephone"
        link = await address_shown(app, computer)
        await phone.open(link)
        assert OPEN in phone.page.text
        await phone.press(OPEN)
        assert phone.path == "/dossier"
        assert "Lille" not in phone.page.text
        await phone.fill({"birth_date": BORN}).press(OPEN)
        await phone.open("/dossier/etapes/contact")
        assert phone.value("city") == "Lille"
        await computer.follow("Actualiser cette page")
        assert re.search(r"Votre téléphone a ouvert le dossier à\s\d+\sh", computer.page.text)
        assert "<svg" in computer.page.text
        assert 'class="qr"' not in computer.page.text
        await computer.open("/dossier/etapes/contact")
        assert computer.value("city") == "Lille", "both go on"
    written = await life.world.run("SELECT event FROM audit_log WHERE affiliation_id = $1 ORDER BY id", life.id)
    events = [row["event"] for row in written]
    assert (events.count("link.handed_over"), events.count("link.opened")) == (1, 2)


async def test_nothing_was_saved_yet_so_nothing_is_asked(door: Door, app: FastAPI) -> None:
    async with device(app) as computer, device(app) as phone:
        await computer.open(await link_of(await door.declare()))
        await computer.press(OFFER)
        await phone.open(await address_shown(app, computer))
        await phone.press(OPEN)
        assert "Commencer" in phone.page.text


async def test_a_code_opens_once_and_looking_at_it_uses_nothing_up(door: Door, app: FastAPI) -> None:
    async with device(app) as computer, device(app) as phone, device(app) as other:
        await computer.open(await link_of(await door.declare()))
        await computer.press(OFFER)
        link = await address_shown(app, computer)
        for method in ("GET", "HEAD", "GET"):
            looked = await other.http.request(method, link, headers=NAVIGATION)
            assert looked.status_code == 200
            assert Cookie.employee not in other.http.cookies
        await phone.open(link)
        await phone.press(OPEN)
        await other.open(link)
        assert other.page.status_code == 404
        assert DEAD in other.page.text
        await phone.open(link)
        await phone.follow("Continuer mon formulaire")
        assert phone.path == "/dossier"


async def test_of_two_who_open_it_at_once_one_gets_in(door: Door, app: FastAPI) -> None:
    async with device(app) as computer, device(app) as one, device(app) as two:
        await computer.open(await link_of(await door.declare()))
        await computer.press(OFFER)
        link = await address_shown(app, computer)
        for phone in (one, two):
            await phone.open(link)
        await asyncio.gather(one.press(OPEN), two.press(OPEN))
        assert sorted([one.page.status_code, two.page.status_code]) == [200, 404]


async def test_a_code_is_dead_after_ten_minutes_and_when_another_is_shown(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with device(app) as computer, device(app) as phone:
        await computer.open(await link_of(life))
        await computer.press(OFFER)
        first = await address_shown(app, computer)
        await computer.open("/dossier")
        await computer.press(OFFER)
        second = await address_shown(app, computer)
        await phone.open(first)
        assert DEAD in phone.page.text
        await later(life, 9)
        await phone.open(second)
        assert OPEN in phone.page.text
        await later(life, 1)
        await phone.press(OPEN)
        assert phone.page.status_code == 404
        await computer.follow("Actualiser")
        assert DEAD in computer.page.text
        await computer.press("Afficher un nouveau code")
        await phone.open(await address_shown(app, computer))
        await phone.press(OPEN)
        assert phone.path == "/dossier"


async def test_a_code_is_dead_with_its_session_its_link_and_its_affiliation(door: Door, app: FastAPI) -> None:
    endings = (
        "UPDATE employee_session SET expires_at = now() WHERE affiliation_id = $1",
        "UPDATE access_token SET revoked_at = now() WHERE affiliation_id = $1",
        "DELETE FROM employee_session WHERE affiliation_id = $1",
    )
    for ending in endings:
        life = await door.declare()
        async with device(app) as computer, device(app) as phone:
            await computer.open(await link_of(life))
            await computer.press(OFFER)
            link = await address_shown(app, computer)
            await life.world.run(ending, life.id)
            await phone.open(link)
            assert phone.page.status_code == 404
            await computer.open("/dossier/telephone")
            assert computer.page.status_code == 401
    life = await door.declare()
    async with device(app) as computer, device(app) as phone:
        await computer.open(await link_of(life))
        await computer.press(OFFER)
        link = await address_shown(app, computer)
        await door.http.post(f"/api/v1/affiliations/{life.id}/withdrawal", json={"reason": "mistake"})
        await life.until(Status.abandoned)
        await phone.open(link)
        assert phone.page.status_code == 404


async def test_who_has_not_given_the_birth_date_hands_nothing_over(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with device(app) as mine, device(app) as somebody:
        await mine.open(await link_of(life))
        await mine.open("/dossier/etapes/contact")
        await mine.fill({"city": "Lille"}).press("Continuer")
        await somebody.open(await link_of(life))
        assert OFFER not in somebody.page.text
        await somebody.open("/dossier/telephone")
        assert somebody.path == "/dossier"
        token = re.search(r'name="csrf" value="([^"]+)"', somebody.page.text)
        assert token
        answer = await somebody.http.post("/dossier/telephone", data={"csrf": token.group(1)}, headers=NAVIGATION)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dossier")
        rows = await life.world.run(
            "SELECT 1 FROM employee_session WHERE affiliation_id = $1 AND handover_hash IS NOT NULL", life.id
        )
        assert not rows


async def test_only_the_hash_of_a_code_is_kept(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with device(app) as computer:
        await computer.open(await link_of(life))
        await computer.press(OFFER)
        token = (await address_shown(app, computer)).rpartition("/")[2]
    assert len(token) == 22
    rows = await life.world.run("SELECT handover_hash FROM employee_session WHERE affiliation_id = $1", life.id)
    assert [len(row["handover_hash"]) for row in rows] == [32]
    assert token.encode() not in rows[0]["handover_hash"]


async def test_what_is_no_code_opens_nothing(app: FastAPI) -> None:
    async with device(app) as phone:
        for nothing in ("A" * 22, "x", "%00", "é" * 500):
            await phone.open(f"/t/{nothing}")
            assert phone.page.status_code == 404
            assert DEAD in phone.page.text
            assert Cookie.employee not in phone.http.cookies


@pytest.mark.parametrize("language", offered())
async def test_the_phone_speaks_the_persons_language(door: Door, app: FastAPI, language: Language) -> None:
    t = catalogue(language)
    life = await door.declare(language=language.value)
    async with device(app) as computer, device(app) as phone:
        await computer.open(await link_of(life))
        await computer.press(t.text("page.phone.offer"))
        assert t.text("page.phone.aim") in computer.page.text
        await phone.open(await address_shown(app, computer))
        assert f'<html lang="{t.html_lang}" dir="{t.direction}">' in phone.page.text
        await phone.press(t.text("page.phone.arrive.open"))
        assert t.text("page.draft.start") in phone.page.text


async def test_a_camera_reads_the_code_from_the_screen(door: Door, served: Served, browser: Browser) -> None:
    life = await door.declare()
    wrong: list[str] = []
    async with looking(browser, "light", 1280) as desk, looking(browser, "light", 390) as pocket:
        computer, phone = await desk.new_page(), await pocket.new_page()
        await computer.goto(served.address + await link_of(life))
        await computer.get_by_role("button", name=OFFER).click()
        drawn = await computer.locator(".qr").screenshot()
        [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(drawn)))
        wrong += await faults(computer, "code") + await narrow_faults(computer) + await large_text_faults(computer)
        await computer.set_viewport_size({"width": 1280, "height": 900})
        wrong += await keyboard_walk(computer)
        await phone.goto(served.address + urlsplit(code.text).path)
        wrong += await faults(phone, "arrival") + await narrow_faults(phone) + await keyboard_walk(phone)
        await phone.set_viewport_size({"width": 390, "height": 900})
        await phone.get_by_role("button", name=OPEN).click()
        await phone.get_by_role("link", name="Commencer").wait_for()
        assert not await phone.get_by_role("button", name=OFFER).is_visible(), "it is the phone"
        await computer.get_by_role("link", name="Actualiser cette page").click()
        await computer.get_by_text("Votre téléphone a ouvert le dossier").wait_for()
        wrong += await faults(computer, "opened")
        await phone.reload()
        await phone.goto(served.address + urlsplit(code.text).path)
        wrong += await faults(phone, "dead")
    assert not wrong
