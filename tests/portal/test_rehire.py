"""« Déjà affilié·e chez nous ? »: from the question to the signature, without a script, in every language."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from domain.affiliation import Status
from domain.media import Language
from messages.catalogue import catalogue
from portal.frame import offered
from tests.api.conftest import Door
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served, link_of
from tests.portal.looking import keyboard_walk, narrow_faults
from tests.portal.test_browser import faults, looking, small
from tests.portal.test_form import enrolment, person
from tests.rehiring import BORN, IBAN, Person, code_that_came, codes_by_email, declared_elsewhere, finalised, somebody
from tests.world import World

OFFER, SEND, SEE, TAKE = "Reprendre mes réponses", "Recevoir le code", "Voir mes réponses", "Reprendre ce qui est coché"
START = "/dossier/deja-affilie"


async def to_the_code(me: Browsing, known: Person, world: World) -> str:
    """From the list of steps to the page of the code; the code."""
    await me.follow(OFFER)
    await me.fill({"birth_date": BORN, "channel": "email"}).press(SEND)
    assert me.path == f"{START}/code"
    return (await codes_by_email(world, known.email))[-1]


async def test_a_known_person_signs_a_new_form_with_few_answers(door: Door, app: FastAPI, world: World) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    async with person(app, life) as me:
        assert "Déjà affilié·e chez nous" in me.page.text
        code = await to_the_code(me, known, world)
        assert "Si nous avons un formulaire de vous" in me.page.text
        await me.fill({"code": code}).press(SEE)
        assert me.path == f"{START}/reponses"
        [former] = await world.run("SELECT name FROM establishment WHERE siret = $1", door.employer.siret)
        for text in (former["name"], "3 quai des Essais", "João", "Tomás", IBAN[-4:]):
            assert text in me.page.text
        assert IBAN not in me.page.text
        await me.press(TAKE)
        assert me.path == f"{START}/suite"
        assert "3 quai des Essais" not in me.page.text, "what is new comes alone"
        await me.fill({"identity_correct": "yes", "path": "join", "level": "BASE"}).press("Continuer")
        assert me.path == "/dossier/etapes/documents"
        assert "rib.pdf" not in me.page.text
        await me.follow("Continuer")
        assert me.path == "/dossier/verification"
        assert "Inês" in me.page.text
        signed = {
            name: "yes" for name in ("consent_data", "consent_teletransmission", "declaration_of_honour", "_later")
        }
        await me.fill({**signed, "signature": "Camille Essai"}).press("Signer et envoyer")
        assert me.path == "/dossier"
        assert "reçu" in me.page.text.lower()
    await life.until(Status.finalised)
    [insured] = await world.run(
        "SELECT (SELECT count(*) FROM dependant d WHERE d.coverage_id = v.id) AS people FROM coverage v"
        " WHERE v.affiliation_id = $1",
        life.id,
    )
    assert insured["people"] == 3


async def test_what_has_changed_is_unticked_and_asked_again(door: Door, app: FastAPI, world: World) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    async with person(app, life) as me:
        code = await to_the_code(me, known, world)
        await me.fill({"code": code}).press(SEE)
        await me.fill({"family": "", "bank": ""}).press(TAKE)
        answers = {"identity_correct": "yes", "path": "join", "has_dependants": "yes", "level": "BASE"}
        await me.fill(answers).press("Continuer")
        assert me.path == f"{START}/suite", "the account is still to be told"
        assert "Erreur" in me.page.text
        assert 'name="iban"' in me.page.text
        assert 'name="path"' not in me.page.text, "answered"
        await me.fill({"iban": IBAN, "account_holder": "Camille Essai", "teletransmission": "no"}).press("Continuer")
        assert me.path == "/dossier/etapes/family", "the people are added there"


async def test_a_new_request_for_a_waiver_gives_its_reason_again(door: Door, app: FastAPI, world: World) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    async with person(app, life) as me:
        code = await to_the_code(me, known, world)
        await me.fill({"code": code}).press(SEE)
        await me.press(TAKE)
        reason = {"waiver_reason": "covered_by_spouse", "waiver_proof": "sworn"}
        await me.fill({"identity_correct": "yes", "path": "waive", **reason}).press("Continuer")
        assert me.path == "/dossier/verification"


async def test_nobody_known_reads_the_same_and_begins_an_empty_form(door: Door, app: FastAPI, world: World) -> None:
    life = await declared_elsewhere(app, world, somebody())
    async with person(app, life) as me:
        await me.follow(OFFER)
        await me.press(SEND)
        assert me.page.status_code == 422
        assert "Choisissez SMS ou e-mail" in me.page.text
        await me.fill({"channel": "sms", "birth_date": "01/01/1990"}).press(SEND)
        assert "Il vous reste 4 essais" in me.page.text
        await me.fill({"channel": "sms", "birth_date": BORN}).press(SEND)
        await me.fill({"code": "042137"}).press(SEE)
        assert me.page.status_code == 422
        assert "n’est pas le bon" in me.page.text
        await me.press("Demander un autre code")
        assert me.path == f"{START}/code"
        await me.open(f"{START}/reponses")
        assert me.path == START
        await me.follow("Remplir le formulaire sans reprendre")
        assert me.path == "/dossier"
        assert "Commencer" in me.page.text
    assert not await world.run("SELECT FROM enrolment WHERE affiliation_id = $1", life.id)


async def test_the_former_answers_can_be_refused(door: Door, app: FastAPI, world: World) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    async with person(app, life) as me:
        code = await to_the_code(me, known, world)
        await me.fill({"code": code}).press(SEE)
        await me.follow("Remplir le formulaire sans reprendre")
        assert me.path == "/dossier"
    assert not await world.run("SELECT FROM enrolment WHERE affiliation_id = $1", life.id)


async def test_two_browsers_do_not_fill_over_each_other(door: Door, app: FastAPI, world: World) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    async with person(app, life) as me, person(app, life) as other:
        code = await to_the_code(me, known, world)
        await me.fill({"code": code}).press(SEE)
        await other.open("/dossier/etapes/contact")
        await other.fill({"city": "Lille", "postcode": "59000", "line1": "1 rue B"}).press("Continuer")
        await me.press(TAKE)
        await me.open("/dossier/etapes/contact")
        assert me.value("city") == "Lille"
    assert (await enrolment(life))["version"] == 2


@pytest.mark.parametrize("language", offered())
async def test_in_every_language(door: Door, app: FastAPI, world: World, language: Language) -> None:
    t, known = catalogue(language), somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known, language=language.value)
    async with person(app, life) as me:
        await me.follow(t.text("page.known.offer.link"))
        await me.fill({"birth_date": BORN, "channel": "email"}).press(t.text("page.known.send"))
        [code] = await codes_by_email(world, known.email)
        await me.fill({"code": code}).press(t.text("page.known.code.submit"))
        assert re.sub(r"\s", " ", t.text("page.known.answers.how")) in re.sub(r"\s", " ", me.page.text)
        await me.press(t.text("page.known.answers.take"))
        assert me.path == f"{START}/suite"
    [mail] = await world.run("SELECT subject FROM local_message WHERE kind = 'code' AND recipient = $1", known.email)
    assert mail["subject"] == t.text("email.code.subject")


async def test_the_pages_on_a_phone(door: Door, app: FastAPI, world: World, served: Served, browser: Browser) -> None:
    known = somebody()
    await finalised(app, door, known)
    life = await declared_elsewhere(app, world, known)
    found: list[str] = []

    async def look(page: Page, name: str) -> None:
        found.extend(await faults(page, name))
        found.extend(f"{name}: {one}" for one in await small(page))
        found.extend(f"{name}: {one}" for one in await narrow_faults(page))
        found.extend(f"{name}: {one}" for one in await keyboard_walk(page))
        await page.set_viewport_size({"width": 390, "height": 900})

    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        await page.goto(served.address + await link_of(life))
        await page.get_by_role("link", name=OFFER).click()
        await look(page, "start")
        await page.get_by_role("button", name=SEND).click()
        await look(page, "start, unanswered")
        await page.fill("#birth_date", BORN)
        await page.get_by_label("Par e-mail").check()
        await page.get_by_role("button", name=SEND).click()
        await page.fill("#code", "000000")
        await page.get_by_role("button", name=SEE).click()
        await look(page, "code")
        await page.fill("#code", await code_that_came(world, known.email))
        await page.get_by_role("button", name=SEE).click()
        await look(page, "answers")
        await page.get_by_role("button", name=TAKE).click()
        await look(page, "rest")
        await page.get_by_role("button", name="Continuer").click()
        await look(page, "rest, unanswered")
    assert not found
