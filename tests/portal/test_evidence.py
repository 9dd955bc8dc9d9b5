"""« Dossier de preuves (Urssaf) » as a page: an administrator's journey without scripts, and the page in a browser."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role
from tests.evidencing import Proved, proved
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, browsing, looked_at
from tests.users import TestUser, add_user
from tests.world import World

EVIDENCE = "/documents/dossier-de-preuves"


@dataclass(frozen=True)
class Place:
    """Two companies of one administrator, the first with somebody in every state."""

    world: World
    app: FastAPI
    people: Proved
    other: str
    user: TestUser
    web: Browsing

    @property
    def path(self) -> str:
        return f"{EVIDENCE}?siren={self.people.employer.siren}"


@pytest.fixture(scope="module")
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    people, other = await proved(world), await world.employer()
    user = await add_user(world, {people.employer.company_id: Role.administrator, other.company_id: Role.administrator})
    async with browsing(app, world, user) as web:
        yield Place(world, app, people, other.siren, user, web)


async def test_the_menu_leads_administrators_there_and_nobody_else(place: Place) -> None:
    await place.web.open("/documents")
    page = await place.web.follow("Dossier de preuves (Urssaf)")
    assert place.web.path == EVIDENCE
    assert "Préparer le dossier" in page
    member = await add_user(place.world, {place.people.employer.company_id: Role.member})
    async with browsing(place.app, place.world, member) as web:
        assert EVIDENCE not in await web.open("/documents")
        assert (await web.http.get(EVIDENCE)).status_code == 403


async def test_the_page_says_what_is_missing_and_leads_to_who_is_to_be_invited(place: Place) -> None:
    page = await place.web.open(place.path)
    assert re.search(r"4 personnes à inviter ou à relancer", page)
    order = [page.index(name) for name in ("Gauthier Noé", "Moreau Noé", "Zola Ali", "Roux Noé")]
    assert order == sorted(order)
    assert "Leroy" not in page
    await place.web.follow("Voir son affiliation")
    assert place.web.path == f"/salaries/suivi/{place.people.affiliations['Gauthier']}"
    await place.web.open(place.path)
    await place.web.follow("Pré-affilier de nouveau")
    assert place.web.path == "/salaries/pre-affiliation"
    await place.web.open(place.path)
    await place.web.follow("Reprendre son affiliation")
    assert place.web.path == f"/salaries/suivi/{place.people.affiliations['Roux']}/reprise"
    await place.web.open(place.path)
    await place.web.follow("Pré-affilier : Ali Zola")
    assert place.web.path == "/salaries/pre-affiliation/dsn"


async def test_another_company_is_chosen_and_a_foreign_one_is_not_there(place: Place) -> None:
    await place.web.open(place.path)
    page = await place.web.fill({"siren": place.other}).press("Afficher")
    assert "Personne n’est encore déclaré ici" in page
    stranger = await place.world.employer()
    for siren in (stranger.siren, "123"):
        assert (await place.web.http.get(f"{EVIDENCE}?siren={siren}")).status_code == 404
    answer = await place.web.http.get(f"{place.path}&siret={stranger.siret}")  # the former company's
    assert answer.status_code == 200


async def test_a_pack_is_made_and_downloaded_and_its_hash_stands_on_the_page(place: Place) -> None:
    await place.web.open(place.path)
    page = await place.web.press("Préparer le dossier")
    assert "Le dossier est en préparation" in page
    async with asyncio.timeout(60):
        while "Télécharger" not in (page := await place.web.open(place.path)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    [path] = re.findall(rf'href="({EVIDENCE}/[0-9a-f-]+/fichier)"', page)
    answer = await place.web.http.get(path)
    assert re.fullmatch(
        r'attachment; filename="dossier-de-preuves-\d{4}-\d\d-\d\d\.zip"', answer.headers["content-disposition"]
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "sommaire.pdf" in archive.namelist()
    [shown] = re.findall(r'class="hash">([0-9a-f]{64})<', page)
    [entry] = await place.world.run(
        "SELECT details FROM audit_log WHERE company_id = $1 AND event = 'data.evidence_exported'",
        place.people.employer.company_id,
    )
    assert entry["details"]["manifest_sha256"] == shown
    exports = await place.web.open("/salaries/affilies/exports")  # where the e-mail leads
    assert "Dossier de preuves (Urssaf)" in exports


async def test_without_a_recent_code_one_is_asked_for_and_the_choice_is_kept(place: Place) -> None:
    async with browsing(place.app, place.world, place.user, stepped_up=False) as web:
        await web.open(place.path)
        await web.press("Préparer le dossier")
        assert web.path == "/connexion/confirmer"
        page = await web.open(f"{place.path}&fait=code")
        assert "Votre code est accepté" in page
        assert f'value="{place.people.employer.siren}"' in page


async def test_the_page_is_accessible_and_fits(place: Place, served: Served, browser: Browser) -> None:
    looks = [
        Look("evidence", place.user, place.path),
        Look("nobody yet", place.user, f"{EVIDENCE}?siren={place.other}"),
    ]
    wrong = await looked_at(browser, place.world, served, looks)
    assert not wrong, "\n".join(one[:230] for one in wrong)
