"""« Webhooks » as pages: an administrator makes one, tries it, reads its log, pauses it and takes it away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.affiliation import Status
from domain.rights import Role
from tests.portal import signed_in
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, browsing, looked_at, placed
from tests.portal.test_register import LONG
from tests.standins.receiver import ReceiverStandin, is_signed
from tests.users import add_user
from tests.world import World

HOOKS = "/habilitations/webhooks"


class Place(signed_in.Place):
    async def make(self, address: str, **more: str) -> str:
        """The secret that the page shows; "": it shows none."""
        await self.web.open(f"{HOOKS}/creer")
        await self.web.fill({"name": "Logiciel de paie", "url": address, **more}).press("Créer le webhook")
        found = re.search(r'id="secret" value="([^"]+)"', self.web.page.text)
        return found.group(1) if found else ""

    async def one(self) -> str:
        """The path of the newest one."""
        found = re.search(rf'href="({HOOKS}/[\w-]{{36}})"', await self.web.open(HOOKS))
        assert found
        return found.group(1)


@pytest.fixture
def receiver() -> Iterator[ReceiverStandin]:
    with ReceiverStandin() as standin:
        yield standin


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.administrator) as one:
        yield one


async def test_a_webhook_is_made_tried_paused_and_taken_away(place: Place, receiver: ReceiverStandin) -> None:
    web = place.web
    assert "Aucun webhook" in await web.open(HOOKS)
    secret = await place.make(receiver.address)
    assert secret.startswith("whsec_")
    assert web.page.headers["cache-control"] == "no-store"
    page = await web.follow("J’ai copié le secret")
    assert secret not in page
    assert receiver.address in page
    assert "Aucun message" in page
    assert "Le test est arrivé" in await web.press("Envoyer un test")
    assert is_signed(receiver.calls[0], secret)
    receiver.status = 500
    page = await web.press("Envoyer un test")
    assert "Le test n’a pas été accepté" in page
    assert "Réponse 500" in page.replace("\u00a0", " ").replace("\u202f", " ")

    assert "en pause" in await web.press("Mettre en pause")
    life = await place.world.declare(place.employer)
    await life.until(Status.sent)
    page = await web.open(f"{web.path}?etat=waiting")
    assert "Pré-affiliation déclarée" in page
    assert f"/salaries/suivi/{life.id}" in page
    receiver.status = 200
    assert "Les envois reprennent" in await web.press("Reprendre les envois")
    await web.follow("Nouveau secret")
    page = await web.press("Créer un nouveau secret")
    assert "L’ancien secret signe encore" in page
    await web.follow("J’ai copié le secret")
    await web.follow("Supprimer")
    assert "Plus rien ne partira" in web.page.text
    page = await web.press("Supprimer le webhook")
    assert "Le webhook est supprimé" in page
    assert "Aucun webhook" in page


async def test_a_form_with_errors_names_each_field_and_keeps_what_was_typed(place: Place) -> None:
    web = place.web
    await web.open(f"{HOOKS}/creer")
    page = await web.fill({"url": "", "which": "some"}).press("Créer le webhook")
    assert web.page.status_code == 422
    for field in ("name", "url", "kinds"):
        assert f'href="#{field}"' in page, field
        assert f'id="{field}"' in page, field
    for address, words in (
        ("http://paie.exemple.fr/hcr", "L’adresse commence par https://"),
        ("https://paie.exemple.fr:22/hcr", "utilise le port 443 ou 8443"),
        ("https://192.168.1.10/hcr", "pas sur l’internet public"),
    ):
        page = await web.fill({"name": "Paie", "url": address, "which": "some", "kind_finalised": "yes"}).press(
            "Créer le webhook"
        )
        assert words in page.replace("\u00a0", " ")
        assert (web.value("url"), web.value("name"), web.value("kind_finalised")) == (address, "Paie", "yes")


async def test_a_change_asks_for_a_code_and_a_user_who_is_no_administrator_is_refused(place: Place) -> None:
    await place.make("http://127.0.0.1:9/hcr")
    path = await place.one()
    async with browsing(place.app, place.world, place.me, stepped_up=False) as web:
        for asked in (f"{HOOKS}/creer", f"{path}/secret", f"{path}/suppression"):
            await web.open(asked)
            assert web.path == "/connexion/confirmer", asked
    member = await add_user(place.world, {place.employer.company_id: Role.member})
    async with browsing(place.app, place.world, member) as web:
        for asked in (HOOKS, f"{HOOKS}/creer", path, f"{path}/secret"):
            await web.open(asked)
            assert web.page.status_code == 403
    await place.web.open(f"{HOOKS}/{uuid4()}")
    assert place.web.page.status_code == 404


async def test_the_pages_are_accessible_and_fit_their_window(browser: Browser, served: Served, place: Place) -> None:
    await place.world.run("UPDATE company SET name = $2 WHERE id = $1", place.employer.company_id, LONG)
    me = place.me
    await place.make(f"http://127.0.0.1:9/{'hcr' * 40}")
    path = await place.one()
    life = await place.world.declare(place.employer)
    await life.until(Status.sent)
    for state, reason in (("waiting", "timeout"), ("failed", "certificate")):
        await place.world.run(
            "UPDATE webhook_delivery SET state = $2, attempts = 12, last_error = $3"
            " WHERE affiliation_id = $1 AND number = (CASE $2 WHEN 'failed' THEN 1 ELSE 0 END)",
            life.id,
            state,
            reason,
        )
    await place.world.run(
        "UPDATE webhook_endpoint SET failures = 3, failing_since = now() WHERE company_id = $1",
        place.employer.company_id,
    )
    looks = [
        Look("list", me, HOOKS),
        Look("one", me, path),
        Look("create, wrong", me, f"{HOOKS}/creer", "Créer le webhook"),
        Look("take away", me, f"{path}/suppression"),
    ]
    wrong = await looked_at(browser, place.world, served, looks)
    assert not wrong, "\n".join(wrong)
