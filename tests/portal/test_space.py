"""Signing in, activating, one's own profile: the employers' pages, over HTTP and in a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pyotp
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from db.data_map import sealed_columns
from db.pool import system
from domain.rights import Role, StaffRole, UserKind
from portal.space import own_path
from services.sessions import open_session
from services.sign_in_places import MOST
from tests.api.conftest import client
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import enter
from tests.portal.test_browser import faults, looking
from tests.users import HERE, PASSWORD, TestUser, add_user, signed_in
from tests.world import World, new_mobile
from web.cookies import Cookie


@pytest.fixture
async def web(app: FastAPI, world: World) -> AsyncIterator[Browsing]:
    """A browser that nobody used before; the tests before it count for no limit."""
    await world.run("DELETE FROM rate_limit")
    async with client(app, own_pages=False) as http:
        yield Browsing(http)


async def last_sms(world: World) -> str:
    rows = await world.run("SELECT text FROM local_message WHERE medium = 'sms' ORDER BY received_at DESC LIMIT 1")
    found = re.search(r"\b(\d{6})\b", rows[0]["text"])
    assert found
    return found.group(1)


async def signs_in(web: Browsing, user: TestUser, at: str = "/connexion") -> str:
    await web.open(at)
    return await web.fill({"email": user.email, "password": PASSWORD}).press("Se connecter")


async def gives_code(web: Browsing, world: World) -> str:
    await web.fill({"phone": new_mobile()}).press("Envoyer le code")
    return await web.fill({"code": await last_sms(world)}).press("Continuer")


async def administrator(world: World) -> TestUser:
    employer = await world.employer()
    return await add_user(world, {employer.company_id: Role.administrator}, password=PASSWORD)


async def test_the_number_is_given_once_then_confirmed_masked_and_a_known_browser_needs_no_code(
    web: Browsing, world: World, app: FastAPI
) -> None:
    user = await administrator(world)
    page = await signs_in(web, user)
    assert "Double authentification" in page
    assert web.value("phone") == ""
    page = await gives_code(web, world)
    assert web.path == "/espace"
    assert "Vous êtes actuellement connecté en tant que" in page
    await web.press("Se déconnecter")
    assert web.path == "/connexion"
    await signs_in(web, user)
    assert web.path == "/espace", "known browser, known address: no code"

    async with client(app, own_pages=False) as http:
        elsewhere = Browsing(http)
        page = await signs_in(elsewhere, user)
        assert re.search(r"06 •• •• •• \d\d", page.replace("\xa0", " "))
        await elsewhere.press("Envoyer le code")
        wrong = await elsewhere.fill({"code": "000000"}).press("Continuer")
        assert elsewhere.page.status_code == 422
        assert "Ce code n’est pas valable" in wrong
        await elsewhere.fill({"code": await last_sms(world)}).press("Continuer")
        assert elsewhere.path == "/espace"


async def test_wrong_passwords_and_unknown_addresses_get_one_page(web: Browsing, world: World) -> None:
    user = await administrator(world)
    pages = []
    for email, password in ((user.email, "autre chose"), ("personne@exemple.fr", "autre chose")):
        await web.open("/connexion")
        page = await web.fill({"email": email, "password": password}).press("Se connecter")
        assert web.page.status_code == 401
        pages.append(page.replace(email, ""))
    assert pages[0] == pages[1]


async def test_whoever_was_stopped_to_sign_in_goes_on_where_they_were_going(web: Browsing, world: World) -> None:
    user = await administrator(world)
    await web.open("/profil/connexions")
    assert web.path == "/connexion"
    await web.fill({"email": user.email, "password": PASSWORD}).press("Se connecter")
    await gives_code(web, world)
    assert web.path == "/profil/connexions"


@pytest.mark.parametrize(
    "address",
    ["//mechant.example", "https://mechant.example/x", "/\\mechant.example", "javascript:1", "", "/a b", "/%0d%0aX"],
)
def test_nobody_is_led_elsewhere(address: str) -> None:
    assert own_path(address) == "/espace"


async def test_new_terms_come_before_everything_else(web: Browsing, world: World) -> None:
    user = await administrator(world)
    await signs_in(web, user)
    await gives_code(web, world)
    await world.run("UPDATE portal_user SET terms_version = '2020-01' WHERE id = $1", user.id)
    for address in ("/espace", "/profil", "/profil/connexions"):
        await web.open(address)
        assert web.path == "/conditions/nouvelles", address
    page = await web.press("Continuer")
    assert web.page.status_code == 422
    assert "Cochez la case" in page
    await web.fill({"accepted": "yes"}).press("Continuer")
    assert web.path == "/profil/connexions"


async def test_the_profile_asks_for_a_code_before_a_sensitive_page_and_comes_back(web: Browsing, world: World) -> None:
    user = await administrator(world)
    await signs_in(web, user)
    await gives_code(web, world)
    later = "UPDATE portal_session SET stepped_up_at = now() - interval '11 minutes' WHERE user_id = $1"
    await world.run(later, user.id)
    await world.run("DELETE FROM rate_limit")
    page = await web.open("/profil/mot-de-passe")
    assert web.path == "/connexion/confirmer"
    assert "Il vaut dix minutes" in page.replace("\xa0", " ")
    await web.press("Envoyer le code")
    await web.fill({"code": await last_sms(world)}).press("Continuer")
    assert web.path == "/profil/mot-de-passe"
    page = await web.fill({"current": PASSWORD, "new": "motdepasse"}).press("Enregistrer")
    assert web.page.status_code == 422
    page = await web.fill({"current": PASSWORD, "new": "cinq loutres jonglent au clair de lune"}).press("Enregistrer")
    assert "Votre mot de passe est changé" in page


async def test_an_authenticator_app_is_added_with_its_recovery_codes_and_then_signs_in(
    web: Browsing, world: World, app: FastAPI
) -> None:
    user = await administrator(world)
    await signs_in(web, user)
    await gives_code(web, world)
    await web.open("/profil/application")
    page = await web.press("Activer")
    assert "<svg" in page
    key = re.search(r'<strong class="code">([A-Z2-7\s]+)</strong>', page)
    assert key
    totp = pyotp.TOTP("".join(key.group(1).split()))
    page = await web.fill({"code": totp.now()}).press("Continuer")
    codes = re.findall(r"\b\d{1,2}(?:-[0-9A-Z]{4}){4}\b", page)
    assert len(codes) == 10
    async with client(app, own_pages=False) as http:
        elsewhere = Browsing(http)
        page = await signs_in(elsewhere, user)
        assert "Code de votre application" in page
        await elsewhere.follow("Utiliser un code de secours")
        await elsewhere.fill({"code": codes[3].lower()}).press("Continuer")
        assert elsewhere.path == "/espace"
    for place in sealed_columns():  # what was kept of it opens where a change of keys looks for it
        if place.table in ("portal_user", "challenge"):
            where = "id = $1" if place.table == "portal_user" else "user_id = $1"
            rows = await world.run(f"SELECT id, {place.column} FROM {place.table} WHERE {where}", user.id)
            opened = [
                world.cipher.decrypt(row[place.column], place.table, place.field, str(row["id"]))
                for row in rows
                if row[place.column] is not None
            ]
            assert opened or place.field == "totp_next", place


async def test_a_member_of_staff_adds_an_app_at_the_first_sign_in(web: Browsing, world: World) -> None:
    user = await add_user(world, staff=[StaffRole.read], password=PASSWORD)
    page = await signs_in(web, user, "/gestion/connexion")
    key = re.search(r'<strong class="code">([A-Z2-7\s]+)</strong>', page)
    assert key, page
    await web.fill({"code": "000000"}).press("Continuer")
    assert web.page.status_code in (409, 422)
    key = re.search(r'<strong class="code">([A-Z2-7\s]+)</strong>', web.page.text)
    assert key
    page = await web.fill({"code": pyotp.TOTP("".join(key.group(1).split())).now()}).press("Continuer")
    assert "Vos codes de secours" in page
    await web.follow("Je les ai notés")
    assert web.path == "/gestion"


async def test_a_company_is_activated_and_its_space_opens(web: Browsing, world: World) -> None:
    employer = await world.employer()
    reference = (await world.run("SELECT insurer_reference FROM company WHERE id = $1", employer.company_id))[0][0]
    email = f"gerante{employer.siren}@exemple.fr"
    await web.open("/activer")
    await web.fill({"siret": employer.siret, "insurer_reference": "X0"}).press("Continuer")
    assert web.page.status_code == 404
    page = await web.fill({"siret": employer.siret, "insurer_reference": reference}).press("Continuer")
    assert "Vous ouvrez l’espace de" in page
    person = {"first_name": "Lucie", "last_name": "Essai", "email": email, "password": PASSWORD}
    page = await web.fill(person).press("Valider")
    assert "Cochez la case" in page
    page = await web.fill({**person, "terms": "yes"}).press("Valider")
    assert "Vérifiez votre messagerie" in page
    link = await mailed(world, email, r"/acces/activation/[\w-]{43}")
    await web.open(link)
    await web.fill({"password": "pas le bon mot de passe"}).press("Ouvrir mon espace")
    assert web.page.status_code == 404
    await web.fill({"password": PASSWORD}).press("Ouvrir mon espace")
    page = await gives_code(web, world)
    assert web.path == "/espace"
    assert "Bonjour Lucie" in page
    assert "Mes habilitations" in page, "who activates a space administers it"


async def test_a_forgotten_password_is_chosen_anew(web: Browsing, world: World) -> None:
    user = await administrator(world)
    for email in (user.email, "personne@exemple.fr"):
        await web.open("/mot-de-passe-oublie")
        page = await web.fill({"email": email}).press("Recevoir le lien")
        assert "Si un compte existe pour cette adresse" in page
    await web.open(await mailed(world, user.email, r"/acces/mot-de-passe/[\w-]{43}"))
    page = await web.fill({"password": "azertyuiopqs"}).press("Enregistrer")
    assert web.page.status_code == 422
    page = await web.fill({"password": "cinq loutres jonglent au clair de lune"}).press("Enregistrer")
    assert "Votre mot de passe est changé" in page


async def mailed(world: World, email: str, pattern: str) -> str:
    """The link of the last e-mail to somebody."""
    async with asyncio.timeout(20):
        while True:
            rows = await world.run(
                "SELECT text FROM local_message WHERE recipient = $1 ORDER BY received_at DESC LIMIT 1", email
            )
            found = re.search(pattern, rows[0]["text"]) if rows else None
            if found:
                return found.group(0)
            await asyncio.sleep(0.05)


async def test_links_of_messages_that_are_dead_say_so_on_one_page(web: Browsing) -> None:
    for path in ("invitation", "activation/refus", "reprise/refus", "telephone/refus", "adresse"):
        page = await web.open(f"/acces/{path}/{'x' * 43}")
        if web.page.status_code == 200:  # looking at it does nothing
            page = await web.press("")
        assert web.page.status_code == 404, path
        assert "Lien non valable" in page


async def test_the_end_of_a_session_is_told_before_and_put_off_on_demand(
    browser: Browser, served: Served, world: World
) -> None:
    user = await administrator(world)
    context = await browser.new_context()
    await enter(context, world, served, user)
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{served.address}/profil/nom")
    ending = page.get_by_text("Votre session prend fin dans trois minutes.")
    stay = page.get_by_role("button", name="Rester connecté")
    assert not await ending.is_visible()
    await page.clock.fast_forward("25:59")
    assert not await ending.is_visible()
    await page.clock.fast_forward("00:02")
    assert await ending.is_visible()
    await world.run("UPDATE portal_session SET seen_at = now() - interval '28 minutes' WHERE user_id = $1", user.id)
    async with page.expect_response(lambda answer: answer.url.endswith("/session/prolongation")) as answered:
        await stay.click()
    assert (await answered.value).status == 204
    await ending.wait_for(state="hidden")
    seen = "SELECT seen_at > now() - interval '1 minute' AS now FROM portal_session WHERE user_id = $1"
    rows = await world.run(seen, user.id)
    assert [row["now"] for row in rows] == [True]
    await page.clock.fast_forward("26:01")
    assert await ending.is_visible()
    await page.clock.fast_forward("03:01")
    assert await page.get_by_text("Votre session a pris fin.").is_visible()
    await context.close()


async def test_a_session_of_another_door_opens_nothing_here(app: FastAPI, world: World) -> None:
    staff = await add_user(world, staff=[StaffRole.super])
    async with system(world.system) as connection:
        opened = await open_session(connection, staff.id, UserKind.staff, HERE, stage="open")
    async with client(app, own_pages=False) as http:
        http.cookies.set(Cookie.employer, opened.token)
        web = Browsing(http)
        await web.open("/profil")
        assert web.path == "/connexion"


PUBLIC = (
    "/connexion",
    "/gestion/connexion",
    "/activer",
    "/reprise",
    "/acces/code",
    "/mot-de-passe-oublie",
    "/conditions",
)
OF_A_USER = ("", "/nom", "/mot-de-passe", "/adresse", "/telephone", "/application", "/connexions", "/etablissement")


async def test_every_page_is_accessible_and_fits(browser: Browser, served: Served, world: World) -> None:
    await world.run("DELETE FROM rate_limit")
    user = await administrator(world)
    found = []
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        for path in PUBLIC:
            await page.goto(f"{served.address}{path}")
            found += await faults(page, path)
        for path in ("/connexion", "/activer", "/acces/code"):  # with what is to be corrected
            await page.goto(f"{served.address}{path}")
            await page.click("main form button")
            found += await faults(page, f"{path}, wrong")
        token = "x" * 43
        for path in (f"/acces/activation/{token}", f"/acces/mot-de-passe/{token}", f"/acces/reprise/refus/{token}"):
            await page.goto(f"{served.address}{path}")
            found += await faults(page, path)
        await page.goto(f"{served.address}/acces/invitation/{token}")
        found += await faults(page, "dead link")
        await page.goto(f"{served.address}/connexion")
        await page.fill("#email", user.email)
        await page.fill("#password", PASSWORD)
        await page.click("text=Se connecter")
        found += await faults(page, "number to give")
        await page.fill("#phone", new_mobile())
        await page.click("text=Envoyer le code")
        found += await faults(page, "code to give")
        await page.fill("#code", await last_sms(world))
        await page.click("text=Continuer")
        for path in ("/espace", *(f"/profil{one}" for one in OF_A_USER)):
            await page.goto(f"{served.address}{path}")
            found += await faults(page, path)
        await page.goto(f"{served.address}/profil/application")
        await page.click("text=Activer")
        found += await faults(page, "app")
        await page.evaluate("document.getElementById('session').hidden = false")
        found += await faults(page, "session ending")
        narrow = [*PUBLIC, "/espace", *(f"/profil{one}" for one in OF_A_USER)]
        await page.set_viewport_size({"width": 320, "height": 700})
        for path in narrow:
            await page.goto(f"{served.address}{path}")
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{path} is wider than 320 pixels")
    assert not found, "\n".join(found)


async def test_while_too_many_sign_in_the_door_and_the_page_say_so_and_who_is_signed_in_goes_on(
    app: FastAPI, world: World
) -> None:
    user = await administrator(world)
    places = app.state.parts.tools.sign_in_places
    credentials = {"email": user.email, "password": PASSWORD}
    async with client(app) as http, signed_in(app, world, user) as inside:
        with ExitStack() as all_of_them:
            for _ in range(MOST):
                all_of_them.enter_context(places.taken())
            door, page = await asyncio.gather(
                http.post("/api/v1/sessions", json=credentials),
                http.post("/connexion", data={"email": user.email}, headers={"Sec-Fetch-Site": "same-origin"}),
            )
            assert (await inside.get("/profil")).status_code == 200
        found = [await http.post("/api/v1/sessions", json=credentials) for _ in range(MOST + 1)]
        assert {answer.status_code for answer in found} == {200}, "each gave its place back"
    assert (door.status_code, page.status_code) == (503, 503)
    assert door.json()["type"] == "urn:hcr:problem:overloaded"
    assert "Service très sollicité" in page.text
    assert door.headers["retry-after"] == page.headers["retry-after"] == "5"


async def test_of_many_who_sign_in_at_once_only_so_many_are_looked_into(app: FastAPI, world: World) -> None:
    wrong = {"email": "personne@exemple.fr", "password": "un mot de passe qui est faux"}
    async with client(app) as http:
        await http.get("/api/v1/terms")  # the first answer makes the OpenAPI document, for a second
        answers = await asyncio.gather(*(http.post("/api/v1/sessions", json=wrong) for _ in range(4 * MOST)))
    refused = [answer.status_code for answer in answers].count(503)
    assert refused >= 2 * MOST
    assert {answer.status_code for answer in answers} <= {401, 429, 503}
