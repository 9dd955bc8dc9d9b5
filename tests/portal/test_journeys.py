"""What an administrator does on a phone before the season: many people declared at once, a question that the assistant
passes on and its answer, a document, a software that is told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, FilePayload, expect

from domain.rights import Role, StaffRole
from tests.enrolling import IBAN
from tests.gateways.files.samples import rib_pdf
from tests.importing import row_of, table, until_over
from tests.portal.conftest import Served
from tests.portal.signed_in import Place, enter, placed
from tests.portal.test_affiliation_imports import IMPORTS, LOST
from tests.portal.test_browser import looking
from tests.standins.receiver import ReceiverStandin
from tests.users import add_user
from tests.world import World


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    await world.run("DELETE FROM rate_limit")
    async with placed(Place, app, world, Role.administrator) as one:
        yield one


def as_file(name: str, media_type: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": content}


async def test_many_are_declared_at_once_and_followed_while_it_lasts(
    place: Place, world: World, served: Served, browser: Browser
) -> None:
    rows = [row_of(world.declaration(place.employer)) for _ in range(3)]
    right = rows[1]["nir"]
    rows[1]["nir"] = LOST
    async with looking(browser, "light", 390) as context:
        await enter(context, world, served, place.me)
        page = await context.new_page()
        await page.goto(f"{served.address}/salaries/pre-affiliation")
        await page.get_by_role("link", name="Déclarer plusieurs salariés").click()
        await page.locator("input[type=file]").set_input_files([as_file("embauches.csv", "text/csv", table(rows))])
        await page.get_by_role("button", name="Vérifier ce fichier").click()
        await page.get_by_text("2 lignes partiront").wait_for()
        await page.get_by_role("link", name="Corriger la ligne").first.click()
        await page.get_by_label("Numéro de sécurité sociale").fill(right)
        await page.get_by_role("button", name="Enregistrer").click()
        await page.get_by_text("La ligne est corrigée").wait_for()
        await page.goto(page.url.partition("?")[0])
        await page.get_by_label("Envoyer la ligne 4").uncheck()
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_role("button", name="Confirmer et envoyer").click()
        await page.get_by_text("C’est confirmé").wait_for()
        found = re.search(rf"{IMPORTS}/([0-9a-f-]{{36}})", page.url)
        assert found
        await until_over(world, UUID(found[1]))
        await page.get_by_text("2 personnes sont pré-affiliées").wait_for()  # without anybody asking for the page again
        async with page.expect_download() as report:
            await page.get_by_role("link", name="Rapport").click()
        assert (await report.value).suggested_filename.endswith(".xlsx")


async def test_a_question_becomes_a_request_that_is_answered(
    place: Place, world: World, served: Served, browser: Browser
) -> None:
    clerk = await add_user(world, staff=[StaffRole.write])
    rib = as_file("RIB.pdf", "application/pdf", rib_pdf(IBAN, "Camille Essai"))
    async with looking(browser, "light", 390) as context, looking(browser, "light", 1280) as office:
        await enter(context, world, served, place.me)
        page = await context.new_page()
        await page.goto(f"{served.address}/contrats")
        await page.get_by_role("button", name="Une question").click()
        await page.get_by_role("textbox", name="Votre question").fill("recette de la tarte tatin")
        await page.keyboard.press("Enter")
        bubble = page.get_by_role("dialog", name="Assistant")
        await bubble.get_by_text("Je n’ai pas trouvé de réponse").wait_for()
        await bubble.get_by_role("button", name="Nous contacter").click()
        await expect(page.get_by_label("Message")).to_have_value("recette de la tarte tatin")
        await page.get_by_label("Motif").select_option("Autre demande")
        await page.get_by_label("Objet").fill("Parasols")
        await page.locator("input[type=file]").first.set_input_files([rib])
        await page.get_by_role("button", name="Envoyer ma demande").click()
        await page.get_by_text(re.compile(r"HCR-\d{4}-\d{6}")).first.wait_for()
        one = urlsplit(page.url).path.removesuffix("/recu")

        await enter(office, world, served, clerk)
        desk = await office.new_page()
        await desk.goto(f"{served.address}/gestion/demandes")
        await desk.get_by_role("link", name="Parasols").click()
        await desk.get_by_role("button", name="Je m’en occupe").click()
        await desk.get_by_label("Réponse").fill("Bonjour, douze euros.")
        await desk.get_by_role("button", name="Répondre", exact=True).click()
        await desk.get_by_text("Votre réponse est envoyée").wait_for()

        await page.goto(f"{served.address}/demarches")
        await page.get_by_role("link", name="Parasols").click()
        assert urlsplit(page.url).path == one
        await page.get_by_text("douze euros").wait_for()
        await page.get_by_label("Très satisfait").check()
        await page.get_by_role("button", name="Donner mon avis").click()
        await page.get_by_text("Merci de votre avis").wait_for()


async def test_a_document_is_found_and_a_software_is_told(
    place: Place, world: World, served: Served, browser: Browser
) -> None:
    with ReceiverStandin() as receiver:
        async with looking(browser, "light", 390) as context:
            await enter(context, world, served, place.me)
            page = await context.new_page()
            await page.goto(f"{served.address}/documents")
            await page.get_by_label("Rechercher un document").fill("mandat")
            await page.keyboard.press("Enter")
            await page.get_by_role("status").get_by_text("mandat").wait_for()
            async with page.expect_download() as mandate:
                await page.get_by_role("link", name="Télécharger : Mandat SEPA").click()
            assert (await mandate.value).suggested_filename == "mandat-sepa.pdf"

            await page.goto(f"{served.address}/habilitations/webhooks/creer")
            await page.get_by_label("Nom du webhook").fill("Logiciel de paie")
            await page.get_by_label("Adresse du logiciel").fill(receiver.address)
            await page.get_by_role("button", name="Créer le webhook").click()
            await page.get_by_role("link", name="J’ai copié le secret").click()
            await page.get_by_role("button", name="Envoyer un test").click()
            await page.get_by_text("Le test est arrivé").wait_for()
            assert len(receiver.calls) == 1
