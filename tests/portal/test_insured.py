"""« Mes salariés affiliés » as pages: an employer's journeys over HTTP, and every page in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role
from services.fields import today
from tests.insuring import add_insured, new_nir
from tests.messages.documents import flat, pages_of
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.looking import narrow_faults
from tests.portal.signed_in import Look, arrive, browsing, looked_at
from tests.portal.test_browser import faults, looking
from tests.users import TestUser, add_user
from tests.world import Employer, World

LIST = "/salaries/affilies"
LONG = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"
FAMILY = "OPTION 1 CCN HCR NC FAMILLE RG"


@dataclass(frozen=True)
class Place:
    """A company with three insured persons, and the browser of one of its users."""

    world: World
    app: FastAPI
    employer: Employer
    user: TestUser
    web: Browsing
    zoe: UUID
    nir: str

    def shown(self) -> list[str]:
        """The names of the lines, as they stand on the page."""
        return re.findall(rf'<a href="{LIST}/[0-9a-f-]+">([^<]+)</a>', self.web.page.text)


@pytest.fixture(scope="module")
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    employer = await world.employer()
    nir, _ = new_nir()
    zoe = await add_insured(
        world,
        employer,
        last_name="Lefèvre",
        first_names="Zoé",
        nir=nir,
        formula=FAMILY,
        dependants=("partner", "child"),
    )
    await add_insured(world, employer, last_name="Nguyễn", first_names="Thị", starts_on=today() + timedelta(days=9))
    await add_insured(
        world, employer, last_name="Abel", first_names="Lou", starts_on=date(2024, 2, 1), ends_on=date(2025, 5, 31)
    )
    user = await add_user(world, {employer.company_id: Role.member})
    async with browsing(app, world, user) as web:
        yield Place(world, app, employer, user, web, zoe, nir)


async def test_the_list_has_the_guides_columns_and_the_insured_in_alphabetical_order(place: Place) -> None:
    await place.web.open("/espace")
    page = await place.web.open(LIST)
    assert place.shown() == ["Abel Lou", "Lefèvre Zoé", "Nguyễn Thị"]
    for words in ("ACTIF NON CADRE", FAMILY, "BASE CCN HCR NC SEUL RG", "01/02/2024", "31/05/2025", "Terminé"):
        assert words in page
    assert "3 contrats, par ordre alphabétique" in page
    assert "Conjoint assuré · 2 ayants droit" in page
    assert place.nir not in page
    assert f"{place.nir[0]} {place.nir[1:3]} {place.nir[3:5]} ••• ••• ••" in page
    await place.web.follow("Pré-affilier un salarié")
    assert place.web.path == "/salaries/pre-affiliation"


async def test_names_are_found_in_any_order_without_accents(place: Place) -> None:
    await place.web.open(LIST)
    page = await place.web.fill({"assure": "zoe lefevre"}).press("Rechercher")
    assert place.shown() == ["Lefèvre Zoé"]
    assert "1 contrat, filtré par nom" in page
    assert place.web.value("assure") == "zoe lefevre"
    await place.web.follow("Effacer les filtres")
    assert len(place.shown()) == 3


async def test_filters_and_chips_narrow_the_list(place: Place) -> None:
    await place.web.open(LIST)
    await place.web.follow("Terminé")
    assert place.shown() == ["Abel Lou"]
    await place.web.follow("À venir")
    assert place.shown() == ["Nguyễn Thị"]
    assert "aria-current" in place.web.page.text
    await place.web.follow("Tous")
    page = await place.web.open(f"{LIST}?contrat={FAMILY.replace(' ', '+')}&statut=NC&siren={place.employer.siren}")
    assert place.shown() == ["Lefèvre Zoé"]
    assert f"filtré par SIREN {place.employer.siren}, ACTIF NON CADRE, {FAMILY}" in page
    await place.web.open(LIST)
    await place.web.follow("Date d’effet")
    assert place.shown()[-1] == "Abel Lou"
    await place.web.follow("Date d’effet")
    assert place.shown()[0] == "Abel Lou"


async def test_a_number_finds_its_person_and_stands_in_no_address(place: Place) -> None:
    await place.web.open(LIST)
    typed = f"{place.nir[0]} {place.nir[1:3]} {place.nir[3:5]} {place.nir[5:13]} {place.nir[13:]}"
    page = await place.web.fill({"assure": typed}).press("Rechercher")
    assert place.shown() == ["Lefèvre Zoé"]
    assert "Recherche par numéro de sécurité sociale" in page
    assert place.nir not in str(place.web.page.url).replace("+", "")
    assert place.nir[5:13] not in str(place.web.page.url)
    await place.web.follow("À venir")  # the other filters go with it
    assert place.shown() == []
    assert "Aucun salarié affilié ne correspond à ce numéro" in place.web.page.text
    await place.web.follow("Afficher tous les salariés")
    assert place.shown() == ["Nguyễn Thị"]
    nobody, _ = new_nir()
    await place.web.open(LIST)
    assert "ne correspond à ce numéro" in await place.web.fill({"assure": nobody}).press("Rechercher")


async def test_a_wrong_number_is_told_at_its_field_and_kept(place: Place) -> None:
    await place.web.open(LIST)
    page = await place.web.fill({"assure": "2 75 06 75"}).press("Rechercher")
    assert place.web.page.status_code == 422
    assert place.web.value("assure") == "2 75 06 75"
    assert 'href="#assure"' in page
    assert "15 caractères" in page.replace("\u00a0", " ")
    page = await place.web.open(f"{LIST}?assure=2750675990001&siren=12")
    assert "Le nom du salarié n’a pas été compris" in page
    assert "Le SIREN n’a pas été compris" in page
    assert len(place.shown()) == 3


async def test_where_there_are_too_many_to_choose_from_numbers_and_names_are_typed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.insured.MOST_CHOICES", 0)
    await place.web.open(LIST)
    siret = place.employer.siret
    page = await place.web.fill({"siren": place.employer.siren, "siret": "123", "etablissement": "HOTEL"}).press("Rech")
    assert place.web.page.status_code == 422
    assert 'href="#siret"' in page
    assert place.web.value("siret") == "123"
    assert place.web.value("etablissement") == "HOTEL"
    await place.web.fill({"siret": f"{siret[:9]} {siret[9:]}"}).press("Rechercher")
    assert len(place.shown()) == 3
    assert place.web.value("siret") == siret
    await place.web.fill({"siret": "", "etablissement": "inconnu"}).press("Rechercher")
    assert place.shown() == []


async def test_nothing_found_says_what_to_do(place: Place) -> None:
    page = await place.web.open(f"{LIST}?assure=personne")
    assert "Aucun salarié affilié ne correspond à cette recherche" in page
    assert await place.web.follow("Voir le suivi des affiliations")
    assert place.web.path == "/salaries/suivi"


async def test_one_contract_explains_its_formula_and_shows_nobody_of_the_family(place: Place) -> None:
    await place.web.open(LIST)
    page = await place.web.follow("Lefèvre Zoé")
    assert "Madame Zoé Lefèvre" in page
    for words in ("Convention collective nationale", "Salarié non cadre", "Le salarié et deux ayants droit ou plus"):
        assert words in page
    assert re.search(r"Conjoint assuré</dt><dd>Oui", page)
    assert re.search(r"Enfant assuré</dt><dd>1", page)
    assert "Ayantdroit" not in page
    assert "Historique des droits" in page
    await place.web.follow("Voir son affiliation")
    assert place.web.path.startswith("/salaries/suivi/")


async def test_the_certificate_is_downloaded(place: Place) -> None:
    answer = await place.web.http.get(f"{LIST}/{place.zoe}/attestation.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    [text] = [flat(page) for page in pages_of(answer.content)]
    assert "Madame Zoé Lefèvre est affiliée" in text


async def test_a_foreign_contract_is_as_unknown_as_nobodys(place: Place) -> None:
    theirs = await add_insured(place.world, await place.world.employer())
    for insured_id in (theirs, uuid4()):
        for path in ("", "/attestation.pdf"):
            assert (await place.web.http.get(f"{LIST}/{insured_id}{path}")).status_code == 404


async def test_pages_follow_one_another(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.insured.PAGE_ROWS", 2)
    page = await place.web.open(LIST)
    assert place.shown() == ["Abel Lou", "Lefèvre Zoé"]
    assert "2 affichés sur 3 contrats" in page
    await place.web.follow("Page suivante")
    assert place.shown() == ["Nguyễn Thị"]
    await place.web.follow("Première page")
    assert place.shown() == ["Abel Lou", "Lefèvre Zoé"]
    await place.web.open(f"{LIST}?suite=nothing")
    assert place.shown() == ["Abel Lou", "Lefèvre Zoé"]


async def test_every_page_is_accessible_and_fits(place: Place, served: Served, browser: Browser) -> None:
    world = place.world
    rich, empty = await world.employer(), await world.employer()
    await world.run("UPDATE establishment SET name = $2 WHERE siret = $1", rich.siret, f"HÔTEL {LONG}".upper())
    first = await add_insured(world, rich, last_name=LONG, first_names="Marie-Antoinette", ends_on=date(2026, 5, 31))
    long = await add_insured(world, rich, again=first, formula=FAMILY, dependants=("partner", "child", "child"))
    await add_insured(world, rich, starts_on=today() + timedelta(days=9))
    users = [await add_user(world, {one.company_id: Role.member}) for one in (rich, empty)]
    looks = [
        Look("list", users[0], LIST),
        Look("sorted and filtered", users[0], f"{LIST}?tri=-date&statut=NC"),
        Look("nothing found", users[0], f"{LIST}?assure=personne"),
        Look("not understood", users[0], f"{LIST}?siren=1"),
        Look("one", users[0], f"{LIST}/{long}"),
        Look("nobody yet", users[1], LIST),
    ]
    wrong = await looked_at(browser, world, served, looks)
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        await arrive(page, world, served, looks[0])
        await page.fill("#assure", "27506759900")
        async with page.expect_navigation():
            await page.get_by_role("button", name="Rechercher").click()
        assert (await page.title()).startswith("Erreur")
        wrong += await narrow_faults(page) + await faults(page, "wrong")
    assert not wrong, "\n".join(one[:230] for one in wrong)
