"""Every page in a real browser: accessible, within its width, without a script or another site, and usable."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, Request

from domain.affiliation import Status
from messages.emails import EMAIL_KINDS, render_email
from services.callers import Scope
from tests.api.conftest import Door, client, key_for, with_own_token
from tests.enrolling import IBAN, alone, complete, family, save, upload, waived
from tests.gateways.files import samples
from tests.messages.samples import EMAIL
from tests.portal.conftest import SAME_ORIGIN, Served, link_of
from tests.world import World

Scheme = Literal["light", "dark"]
# colours do not depend on the width: in the dark one is enough
LOOKS: list[tuple[Scheme, int]] = [("light", 1280), ("dark", 1280), ("light", 390)]
EVERY_LOOK = bool(os.environ.get("EVERY_LOOK"))  # `make long`: every page in every look
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OF_WIDTH = ["target-size", "scrollable-region-focusable", "bypass", "landmark-one-main", "empty-table-header"]
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]

OWN_TOKEN = {"request": [with_own_token]}


@dataclass(frozen=True)
class Visit:
    """A page to look at: through a link first where it needs a session; `born` opens what was saved; `press`: the
    words of a button to press then, which leads to an error."""

    name: str
    path: str
    through: str | None = None
    born: str = ""
    press: str = ""


@asynccontextmanager
async def looking(browser: Browser, scheme: Scheme, width: int, **options: Any) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        **{"locale": "fr-FR", **options},
    )
    try:
        yield context
    finally:
        await context.close()


_AXE_ITSELF = Axe().axe_script
_AXE = """options => axe.run(options).then(({passes, violations}) =>
    [passes.length, violations.map(one => one.id + ': ' + one.nodes[0].html.slice(0, 160)),
     document.documentElement.scrollWidth > innerWidth])"""
_WIDE = """() => [...document.querySelectorAll('main *, header *, footer *')].filter(e => {
    const b = e.getBoundingClientRect();
    return (b.right > innerWidth + 1 || b.left < -1) && !e.closest('.visually-hidden');
}).map(e => e.outerHTML.slice(0, 120))"""
_SMALL = """() => [
    ...document.querySelectorAll('button, a.button, .choice, .steps a, input[type=text], [type=file]')
].filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 160))"""
# a sheet that a page makes itself is none that the policy asks about
_SPACED = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important;'
        + ' word-spacing: .16em !important }');
    document.adoptedStyleSheets.push(sheet);
    return getComputedStyle(document.querySelector('main')).letterSpacing;
}"""


class Shown(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


_Shown = TypeVar("_Shown", bound=Shown)


def in_the_ordinary_run(shown: Iterable[_Shown]) -> list[_Shown]:
    """Of every address the first page and one in six of its further states; all with `make long`."""
    seen: set[str] = set()
    chosen = []
    for one in shown:
        address = one.path.partition("?")[0]
        if EVERY_LOOK or address not in seen or _drawn(one.name):
            chosen.append(one)
        seen.add(address)
    return chosen


def _drawn(name: str) -> bool:
    return zlib.crc32(name.encode()) % 6 == 0


async def faults(page: Page, name: str, but: tuple[str, ...] = ()) -> list[str]:
    """What axe finds wrong with the open page, and a page wider than its window."""
    found = []
    await page.evaluate(_AXE_ITSELF)
    # e-mails are looked at on their own, the PDF viewer is the browser's
    options = {"runOnly": TAGS, "resultTypes": ["violations"], "iframes": False}
    options["rules"] = {rule: {"enabled": False} for rule in but}
    # the same page in other colours, or on a telephone: only what depends on them can differ
    rules = {("dark", 1280): OF_COLOURS, ("light", 390): [rule for rule in OF_WIDTH if rule not in but]}
    shown: Scheme | None = None
    for scheme, width in LOOKS if EVERY_LOOK or _drawn(name) else LOOKS[:1]:
        if scheme != shown:
            await page.emulate_media(color_scheme=scheme)
        if page.viewport_size is None or page.viewport_size["width"] != width:
            await page.set_viewport_size({"width": width, "height": 900})
        shown = scheme
        only = rules.get((scheme, width))
        some = {**options, "runOnly": {"type": "rule", "values": only}, "rules": {}}
        seen, wrong, too_wide = await page.evaluate(_AXE, options if only is None else some)
        assert seen, "axe looked at the page"
        if too_wide:
            wrong.append("wider than its window")
        found += [f"{name} {scheme} {width}: {fault}" for fault in wrong]
    return found


@pytest.fixture(scope="module")
async def visits(app: FastAPI, world: World, served: Served) -> list[Visit]:
    """One affiliation in every state, and the pages that show them."""
    employer = await world.employer()
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        return await _visits(Door(world, http, employer), served)


BORN = "12/06/1975"
LONG = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebarbes-Sainte-Anne"


async def _visits(door: Door, served: Served) -> list[Visit]:
    new, drafted, insured, arabic, waiving = [
        await door.declare(birth_date="1975-06-12", **changes)
        for changes in ({}, {"last_name": LONG[:60]}, {}, {"language": "ar"}, {"language": "pt"})
    ]
    by_post = await door.declare(email=None, last_name="de La Rochefoucauld-Montmorency-Brancas-Lauraguais")
    long = {"civility": "MME", "last_name": LONG[:60], "birth_name": LONG[:60], "first_names": "Camille", "line1": LONG}
    long |= {"city": "Saint-Remy-en-Bouzemont-Saint-Genest", "dependants.k1.first_names": LONG[:60]}
    answers = {
        drafted: family(identity_correct="no", **long),
        arabic: family(),
        insured: alone(),
        waiving: waived(),
    }
    links = {life: await link_of(life) for life in (new, drafted, insured, arabic, waiving)}
    for life, given in answers.items():
        async with httpx2.AsyncClient(base_url=served.address, headers=SAME_ORIGIN, event_hooks=OWN_TOKEN) as employee:
            await employee.get(links[life])
            if life in (insured, waiving):
                await complete(employee, given)
                continue
            await save(employee, given)
            for name, content in (("rib.pdf", samples.rib_pdf(IBAN, "A")), ("rib-de-travers.jpg", samples.photo())):
                assert (await upload(employee, "rib", name, content)).status_code == 201
    async with httpx2.AsyncClient(base_url=served.address, headers=SAME_ORIGIN, event_hooks=OWN_TOKEN) as first:
        await first.get(links[new])
        async with httpx2.AsyncClient(base_url=served.address, headers=SAME_ORIGIN, event_hooks=OWN_TOKEN) as second:
            await second.get(links[new])
            await save(first, {"city": "Lille", "nir": "12", "iban": IBAN})
            conflict = {"version": 0, "answers": {"city": "Nice", "nir": "13"}}
            assert (await second.patch("/api/v1/enrolments/current", json=conflict)).status_code == 409
    await drafted.until(Status.started)
    await insured.until(Status.finalised)
    await by_post.until_messages(1)
    email = (await new.received())[0]["dispatch_id"]
    letter = (await by_post.received())[0]["dispatch_id"]
    steps = "/dossier/etapes"
    untouched = await link_of(await door.declare())
    return [
        Visit("list", "/dev"),
        Visit("boxes", "/dev/courriels"),
        Visit("sent", f"/dev/affiliations/{new.id}?note=avance"),
        Visit("by post", f"/dev/affiliations/{by_post.id}"),
        Visit("insured", f"/dev/affiliations/{insured.id}"),
        Visit("e-mail", f"/dev/messages/{email}?note=rejete"),
        Visit("letter", f"/dev/messages/{letter}"),
        Visit("unknown", "/dev/messages/unknown"),
        Visit("nowhere", "/nowhere"),
        Visit("wrong link", "/e/wrong"),
        Visit("no session", "/dossier"),
        Visit("lost link", "/lien"),
        Visit("lost link unanswered", "/lien", press="Envoyez-moi un nouveau lien"),
        Visit("link asked for", "/lien/demande"),
        Visit("not started", "/dossier", through=untouched),
        Visit("first step", f"{steps}/identity", through=untouched),
        Visit("choice", f"{steps}/choice?voir=tout", through=untouched),
        Visit("no documents yet", f"{steps}/documents", through=untouched),
        Visit("much to complete", "/dossier/verification", through=untouched),
        Visit("locked", "/dossier?note=garde", through=links[new]),
        Visit("locked, unanswered", "/dossier", through=links[new], press="Ouvrir mon dossier"),
        Visit("two answers", f"{steps}/contact?note=conflit", through=links[new], born=BORN),
        Visit("not a number", f"{steps}/social_security?voir=erreurs", through=links[new], born=BORN),
        Visit("draft", "/dossier", through=links[drafted], born=BORN),
        Visit("identity", f"{steps}/identity?note=suite", through=links[drafted], born=BORN),
        Visit("family", f"{steps}/family?note=retire", through=links[drafted], born=BORN),
        Visit("dependant", f"{steps}/family/dependants/k1", through=links[drafted], born=BORN),
        Visit("new dependant", f"{steps}/family/dependants/new1?voir=tout", through=links[drafted], born=BORN),
        Visit("remove", f"{steps}/family/dependants/k1/retrait", through=links[drafted], born=BORN),
        Visit("cover", f"{steps}/cover", through=links[drafted], born=BORN),
        Visit("bank", f"{steps}/bank", through=links[drafted], born=BORN),
        Visit("documents", f"{steps}/documents?note=recu", through=links[drafted], born=BORN),
        Visit("no file", f"{steps}/documents", through=links[drafted], born=BORN, press="Envoyer ce fichier"),
        Visit("review", "/dossier/verification", through=links[drafted], born=BORN),
        Visit("review, documents missing", "/dossier/verification", links[drafted], BORN, press="Signer et envoyer"),
        Visit("draft in Arabic", "/dossier", through=links[arabic], born=BORN),
        Visit("family in Arabic", f"{steps}/family", through=links[arabic], born=BORN),
        Visit("dependant in Arabic", f"{steps}/family/dependants/p1?voir=tout", through=links[arabic], born=BORN),
        Visit("documents in Arabic", f"{steps}/documents?refus=too_big&piece=rib", through=links[arabic], born=BORN),
        Visit("review in Arabic", "/dossier/verification", through=links[arabic], born=BORN),
        Visit("receipt, locked", "/dossier", through=links[insured]),
        Visit("receipt", "/dossier?note=recu", through=links[insured], born=BORN),
        Visit("own data", "/dossier/mes-donnees", through=links[insured], born=BORN),
        Visit("waiver in Portuguese", "/dossier", through=links[waiving], born=BORN),
        Visit("decline", "/dossier/non", through=untouched),
        Visit("decline unanswered", "/dossier/non", through=untouched, press="Envoyer ma réponse"),
        Visit("decline too late", "/dossier/non", through=links[insured]),
        Visit("thanks", "/dossier/non/merci?reponse=left_company"),
        Visit("letter code", "/courrier"),
        Visit("wrong code", "/courrier", press="Ouvrir mon dossier"),
    ]


async def arrive(page: Page, visit: Visit, served: Served, before: Visit | None = None) -> None:
    """`before`: the page looked at last; its session goes on where it is this one's."""
    if before is None or not visit.through or (before.through, before.born) != (visit.through, visit.born):
        await page.context.clear_cookies()
        if visit.through:
            await page.goto(served.address + visit.through)
        if visit.born and await page.locator("#birth_date").count():
            await page.fill("#birth_date", visit.born)
            async with page.expect_navigation():
                await page.locator("form[action='/dossier/naissance'] button").click()
    await page.goto(served.address + visit.path)
    if visit.press:
        async with page.expect_navigation():
            await page.locator("main button", has_text=visit.press).first.click()
        assert (await page.title()).startswith("Erreur"), visit.name


async def small(page: Page) -> list[str]:
    """What can be touched on a phone and is not high enough for a finger."""
    await page.set_viewport_size({"width": 390, "height": 900})
    return [f"small: {one}" for one in await page.evaluate(_SMALL)]


async def wide(page: Page) -> list[str]:
    """What goes beyond 320 pixels with wide text; the page stays so."""
    await page.set_viewport_size({"width": 320, "height": 900})
    assert await page.evaluate(_SPACED) != "normal"
    return [f"wide: {one}" for one in await page.evaluate(_WIDE)]


async def test_every_page_is_accessible_fits_reflows_and_can_be_touched(
    visits: list[Visit], served: Served, browser: Browser
) -> None:
    """In every look, at 320 pixels with wide text, and with a finger: each page is opened once for all of it."""
    elsewhere: set[str] = set()

    def note_host(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss"):  # Chromium shows a PDF with files of its own
            elsewhere.add(address.netloc)

    async def look(some: Sequence[Visit]) -> list[str]:
        found, before = [], None
        async with looking(browser, "light", 390) as context:
            page = await context.new_page()
            page.on("request", note_host)
            for visit in some:
                await page.emulate_media(color_scheme="light")
                await arrive(page, visit, served, before)
                before = visit
                found += await faults(page, visit.name)
                if not visit.path.startswith("/dev"):
                    found += [f"{visit.name} {fault}" for fault in await small(page)]
                found += [f"{visit.name} {fault}" for fault in await wide(page)]
        return found

    some = in_the_ordinary_run(visits)
    half = len(some) // 2
    found = await asyncio.gather(look(some[:half]), look(some[half:]))
    assert not [fault for part in found for fault in part]
    assert elsewhere == {urlsplit(served.address).netloc}


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
        for _ in range(9):
            await page.keyboard.press("Tab")
            focused.append(
                await page.evaluate(
                    "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                    " return [(e.innerText || e.id).trim(), s.outlineStyle, parseFloat(s.outlineWidth)] })()"
                )
            )
        names = [name for name, _, _ in focused]
        assert (names[0], names[-2:]) == ("Aller au contenu", ["code", "Ouvrir mon dossier"])
        assert names[1:-2] == ["Français", "Facile à lire", "English", "Português", "Español", "العربية"]
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


async def test_without_scripts_a_person_completes_the_form_on_a_phone(
    door: Door, served: Served, browser: Browser
) -> None:
    life = await door.declare()
    async with looking(browser, "light", 390, java_script_enabled=False) as context:
        page = await context.new_page()
        onward = page.get_by_role("button", name="Continuer", exact=True)
        await page.goto(f"{served.address}{await link_of(life)}")
        await page.get_by_role("link", name="Commencer").click()
        name = page.get_by_label("Nom de naissance")
        assert not await name.is_visible()
        await page.get_by_label("Non", exact=True).check()
        await name.fill("Nouvelle")  # the questions that this answer brings are there at once
        await page.get_by_label("Date de naissance").fill("31/02/1975")
        await onward.click()
        await page.get_by_role("alert").wait_for()
        assert await page.evaluate("document.activeElement.className") == "problems flow"
        await page.get_by_role("link", name="Corriger", exact=True).click()
        assert await page.evaluate("document.activeElement.id") == "q-birth_date"
        await page.keyboard.press("Control+A")
        await page.keyboard.type("12/06/1975")
        await page.keyboard.press("Enter")  # is « Continuer », whatever other buttons the page has
        await page.get_by_label("Numéro de sécurité sociale").fill("2 75 06 75 990 001 97")
        await onward.click()
        await onward.click()
        await page.get_by_label("M’affilier").check()
        assert not await page.get_by_text("Raison de votre dispense").is_visible()
        await onward.click()
        await page.get_by_label("Oui", exact=True).check()
        await onward.click()
        await page.get_by_label("Mon enfant").check()
        await page.get_by_label("Nom", exact=True).fill("Essai")
        await page.get_by_label("Prénoms").fill("Alix")
        await page.get_by_label("Date de naissance").fill("10/03/2018")
        await page.get_by_label("Sur la mienne", exact=True).check()
        assert await page.get_by_text("Votre enfant fait-il des études").is_visible()
        assert not await page.get_by_text("Quel est votre lien").is_visible()  # asked of partners
        await page.get_by_role("button", name="Enregistrer cette personne").click()
        await page.get_by_role("link", name="Modifier Alix").wait_for()
        await onward.click()
        await page.get_by_label("OPTION 1").check()
        await onward.click()
        await page.get_by_label("IBAN", exact=True).fill(IBAN)
        await page.get_by_label("Titulaire du compte").fill("Camille Essai")
        await page.get_by_label("Non", exact=True).check()
        await onward.click()
        chosen = page.get_by_label("Choisir un fichier RIB")
        await chosen.set_input_files({"name": "photo du rib.jpg", "mimeType": "image/jpeg", "buffer": samples.photo()})
        await page.get_by_role("button", name="Envoyer ce fichier RIB").click()
        await page.get_by_role("button", name="Supprimer le fichier photo du rib.jpg").wait_for()
        await page.locator("input[type=file]").first.set_input_files(
            {"name": "film.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff" + b"x" * 14_000_000}
        )
        await page.locator("form.upload button").first.click()
        await page.get_by_role("heading", name="Ce fichier est trop lourd").wait_for()
        await page.get_by_role("link", name="Revenir").click()
        await page.get_by_role("link", name="Continuer", exact=True).click()
        await page.get_by_label("J’enverrai les documents manquants plus tard").check()
        await page.get_by_label("J’accepte l’utilisation de mes données").check()
        await page.get_by_label("toutes mes réponses sont exactes").check()
        await page.get_by_label("Votre signature").fill("Camille Essai")
        await page.get_by_role("button", name="Signer et envoyer").click()
        await page.get_by_text("OPTION 1 CCN HCR NC DUO RG").wait_for()
    await life.until(Status.finalised)


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
