"""Every page in a real browser: accessible, within its width, without a script or another site, and usable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, Request

from domain.affiliation import Status
from messages.emails import EMAIL_KINDS, render_email
from services.callers import Scope
from tests.api.conftest import Door, client, key_for
from tests.messages.samples import EMAIL
from tests.portal.conftest import Served, link_of
from tests.portal.test_employee import DRAFT, submit
from tests.world import World

Scheme = Literal["light", "dark"]
LOOKS: list[tuple[Scheme, int]] = [("light", 390), ("light", 1280), ("dark", 390), ("dark", 1280)]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass(frozen=True)
class Visit:
    """A page to look at: through a link first where it needs a session; `press` sends its form as it is."""

    name: str
    path: str
    through: str | None = None
    press: bool = False


@asynccontextmanager
async def looking(browser: Browser, scheme: Scheme, width: int, **options: Any) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **options
    )
    try:
        yield context
    finally:
        await context.close()


async def faults(page: Page, name: str, but: tuple[str, ...] = ()) -> list[str]:
    """What axe finds wrong with the open page in every look, and a page wider than its window."""
    found = []
    await page.evaluate(Axe().axe_script)
    # e-mails are looked at on their own, the PDF viewer is the browser's
    options = {"runOnly": TAGS, "resultTypes": ["violations"], "iframes": False}
    options["rules"] = {rule: {"enabled": False} for rule in but}
    in_the_dark = {**options, "runOnly": {"type": "rule", "values": OF_COLOURS}, "rules": {}}
    for scheme, width in LOOKS:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 900})
        # the same page in other colours: only what depends on them can differ
        results = await page.evaluate("options => axe.run(options)", options if scheme == "light" else in_the_dark)
        assert results["passes"], "axe looked at the page"
        wrong = [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in results["violations"]]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append("wider than its window")
        found += [f"{name} {scheme} {width}: {fault}" for fault in wrong]
    return found


@pytest.fixture(scope="module")
async def visits(app: FastAPI, world: World, served: Served) -> list[Visit]:
    """One affiliation in every state, and the pages that show them."""
    employer = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        return await _visits(Door(world, http, employer), served)


async def _visits(door: Door, served: Served) -> list[Visit]:
    new, drafted, insured = await door.declare(), await door.declare(), await door.declare()
    by_post = await door.declare(email=None, last_name="de La Rochefoucauld-Montmorency-Brancas-Lauraguais")
    for life, whole in ((drafted, False), (insured, True)):
        async with httpx2.AsyncClient(base_url=served.address) as employee:
            await employee.get(await link_of(life))
            assert (await employee.put("/api/v1/enrolments/current", json=DRAFT)).status_code == 200
            if whole:
                await submit(employee, life)
    await drafted.until(Status.started)
    await insured.until(Status.finalised)
    await by_post.until_messages(1)
    links = {life: await link_of(life) for life in (new, drafted, insured)}
    email = (await new.received())[0]["dispatch_id"]
    letter = (await by_post.received())[0]["dispatch_id"]
    return [
        Visit("list", "/dev"),
        Visit("boxes", "/dev/courriels"),
        Visit("sent", f"/dev/affiliations/{new.id}?note=avance"),
        Visit("by post", f"/dev/affiliations/{by_post.id}"),
        Visit("insured", f"/dev/affiliations/{insured.id}"),
        Visit("e-mail", f"/dev/messages/{email}?note=rejete"),
        Visit("letter", f"/dev/messages/{letter}"),
        Visit("unknown", "/dev/messages/unknown"),
        Visit("wrong link", "/e/wrong"),
        Visit("no session", "/dossier"),
        Visit("not started", "/dossier", through=links[new]),
        Visit("draft", "/dossier", through=links[drafted]),
        Visit("receipt", "/dossier", through=links[insured]),
        Visit("decline", "/dossier/non", through=links[new]),
        Visit("decline unanswered", "/dossier/non", through=links[new], press=True),
        Visit("decline too late", "/dossier/non", through=links[insured]),
        Visit("thanks", "/dossier/non/merci?reponse=left_company"),
        Visit("letter code", "/courrier"),
        Visit("wrong code", "/courrier", press=True),
    ]


async def test_every_page_is_accessible_and_fits(visits: list[Visit], served: Served, browser: Browser) -> None:
    elsewhere: set[str] = set()

    def note_host(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss"):  # Chromium shows a PDF with files of its own
            elsewhere.add(address.netloc)

    async def look(some: Sequence[Visit]) -> list[str]:
        wrong = []
        async with looking(browser, "light", 390) as context:
            page = await context.new_page()
            page.on("request", note_host)
            for visit in some:
                await context.clear_cookies()
                if visit.through:
                    await page.goto(served.address + visit.through)
                await page.goto(served.address + visit.path)
                if visit.press:
                    await page.locator("main button").first.click()
                    assert (await page.title()).startswith("Erreur")
                wrong += await faults(page, visit.name)
        return wrong

    found = await asyncio.gather(look(visits[::2]), look(visits[1::2]))
    assert not [fault for half in found for fault in half]
    assert elsewhere == {urlsplit(served.address).netloc}


async def test_pages_reflow_at_320_pixels_and_with_wide_text(
    visits: list[Visit], served: Served, browser: Browser
) -> None:
    spacing = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"
    async with looking(browser, "light", 320, bypass_csp=True) as context:
        page = await context.new_page()
        for visit in visits:
            await context.clear_cookies()
            if visit.through:
                await page.goto(served.address + visit.through)
            await page.goto(served.address + visit.path)
            await page.add_style_tag(content=spacing)
            wide = await page.evaluate(
                "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
                " && !e.closest('.visually-hidden')).map(e => e.outerHTML.slice(0, 120))"
            )
            assert not wide, (visit.name, wide)


async def test_every_email_is_accessible(browser: Browser) -> None:
    content = replace(EMAIL, employer="L’Auberge de la très vieille Poste aux Chevaux")
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        for kind in sorted(EMAIL_KINDS):
            await page.set_content(render_email(kind, content).html)
            # landmarks are those of the page that a mail client shows the message in
            assert not await faults(page, kind, but=("landmark-one-main", "region"))


async def test_the_keyboard_reaches_everything_in_order(served: Served, browser: Browser) -> None:
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        await page.goto(f"{served.address}/courrier")
        focused = []
        for _ in range(5):
            await page.keyboard.press("Tab")
            focused.append(
                await page.evaluate(
                    "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                    " return [(e.innerText || e.id).trim(), s.outlineStyle, parseFloat(s.outlineWidth)] })()"
                )
            )
        assert [name for name, _, _ in focused][:3] == ["Aller au contenu", "code", "Ouvrir mon dossier"]
        assert all(style == "solid" and width >= 2 for _, style, width in focused)
        await page.goto(f"{served.address}/courrier")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "contenu"


async def test_without_scripts_a_person_declines_in_a_browser(door: Door, served: Served, browser: Browser) -> None:
    life = await door.declare()
    link = await link_of(life)
    async with looking(browser, "light", 390, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"{served.address}{link}/non")
        assert urlsplit(page.url).path == "/dossier/non"
        await page.get_by_label("Ce n’est pas moi").check()
        await page.get_by_role("button", name="Envoyer ma réponse").click()
        await page.get_by_role("heading", name="Merci, c’est noté").wait_for()
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]


async def test_without_scripts_a_developer_moves_the_clock_and_simulates_a_bounce(
    door: Door, served: Served, browser: Browser
) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    async with looking(browser, "dark", 1280, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"{served.address}/dev")
        await page.locator(f"a[href$='{life.id}']").click()
        await page.get_by_role("button", name="Avancer jusqu’à la prochaine étape").click()
        await page.get_by_text("L’horloge a avancé").wait_for()
        await page.get_by_role("link", name="Relance automatique", exact=True).click()
        await page.get_by_role("button", name="L’adresse n’existe pas (rebond)").click()
        await page.get_by_text("Le prestataire l’a signalé").wait_for()
        frame = page.frame_locator("iframe")
        await frame.get_by_role("link", name="Remplir mon formulaire").wait_for()
    assert (await life.until_messages(3))[-1] == ("postal_fallback", "post")
