"""« Mes documents pratiques »: what employers find and download; what staff put in its place, and everything it was."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pikepdf
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.identifiers import IBAN_EXAMPLE
from domain.rights import Role, StaffRole
from messages.library import MADE
from tests.gateways.files.samples import photo, rib_pdf
from tests.portal.conftest import Served
from tests.portal.desk_files import Desk, at_desk
from tests.portal.signed_in import Look, Place, looked_at, placed
from tests.world import World

STAFF = "/gestion/bibliotheque"
SEPA = f"{STAFF}/mandat-sepa"
PDF = rib_pdf(IBAN_EXAMPLE, "Camille Martin")


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as one:
        yield one


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


@pytest.mark.parametrize("slug", MADE)
def test_what_the_portal_makes_is_accessible_and_the_same_each_time(slug: str) -> None:
    pdf = MADE[slug]()
    assert pdf == MADE[slug]()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert "/StructTreeRoot" in opened.Root
        assert len(opened.pages) <= 3


async def downloads(place: Place, slug: str) -> list[int]:
    rows = await place.world.run("SELECT downloads FROM library_version WHERE slug = $1 ORDER BY number", slug)
    return [row["downloads"] for row in rows]


async def test_the_documents_of_the_guide_are_found_and_downloaded(place: Place) -> None:
    page = await place.web.open("/documents")
    for title in (
        "Mandat SEPA",
        "E-mail d’affiliation",
        "Guide utilisateur Espace Entreprise",
        "Guide utilisateur Espace Assuré",
        "Guide pratique Assurés",
    ):
        assert title in page
    page = await place.web.open("/documents?q=GUIDE+portabilite+assures+quittez")
    assert "Un document trouvé" in page
    assert "/documents/guide-assures.pdf" in page
    page = await place.web.open("/documents?q=girafe")
    assert "Aucun document trouvé" in page
    before = sum(await downloads(place, "guide-assures"))
    answer = await place.web.http.get("/documents/guide-assures.pdf")
    assert answer.content.startswith(b"%PDF-")
    assert answer.headers["content-disposition"] == 'attachment; filename="guide-assures.pdf"'
    assert sum(await downloads(place, "guide-assures")) == before + 1
    for unknown in ("inconnu", "%00", "..%2f"):
        assert (await place.web.http.get(f"/documents/{unknown}.pdf")).status_code == 404


async def test_staff_replace_a_document_retire_it_and_go_back_to_the_portal_s_own(place: Place, desk: Desk) -> None:
    own = (await place.web.http.get("/documents/mandat-sepa.pdf")).content
    await desk.web.open(SEPA)
    page = await desk.web.press("Mettre cette version en ligne")
    assert "Choisissez un fichier PDF" in page
    assert desk.web.page.status_code == 422
    page = await desk.web.press("Mettre cette version en ligne", ("photo.jpg", photo()))
    assert desk.web.page.status_code == 422
    page = await desk.web.press("Mettre cette version en ligne", ("mandat.pdf", PDF))
    assert "La nouvelle version est en ligne" in page
    assert page.count("/versions/") == 2
    given = (await place.web.http.get("/documents/mandat-sepa.pdf")).content
    assert given != own
    assert (await downloads(place, "mandat-sepa"))[1] == 1
    assert (await desk.web.http.get(f"{SEPA}/versions/1.pdf")).content == own
    assert (await downloads(place, "mandat-sepa"))[1] == 1, "staff's own look is not counted"
    await desk.web.open(SEPA)
    await desk.web.press("Retirer ce document")
    assert (await place.web.http.get("/documents/mandat-sepa.pdf")).status_code == 404
    assert "Mandat SEPA" not in await place.web.open("/documents")
    await desk.web.press("Remettre ce document en ligne")
    page = await desk.web.press("Remettre la version du portail")
    assert page.count("/versions/") == 3
    assert (await place.web.http.get("/documents/mandat-sepa.pdf")).content == own
    rows = await place.world.run("SELECT event FROM audit_log WHERE object_id = 'mandat-sepa' ORDER BY id")
    kinds = [row["event"].removeprefix("library.") for row in rows]
    assert kinds == ["replaced", "retired", "published", "replaced"]


async def test_a_new_document_is_seen_at_once_and_a_wrong_one_keeps_what_was_typed(place: Place, desk: Desk) -> None:
    await desk.web.open(f"{STAFF}/ajouter")
    page = await desk.web.fill({"title": "Affiche du régime"}).press("Ajouter ce document")
    assert desk.web.page.status_code == 422
    assert 'value="Affiche du régime"' in page
    for said in ("Choisissez la rubrique", "Dites en une phrase", "Choisissez un fichier PDF"):
        assert said in page
    about = {"category": "employees", "title": "Affiche du régime", "summary": "À afficher en salle de repos."}
    page = await desk.web.fill(about).press("Ajouter ce document", ("affiche.pdf", PDF))
    assert "Le document est ajouté" in page
    assert desk.web.path == f"{STAFF}/affiche-du-regime"
    assert "À afficher en salle de repos." in await place.web.open("/documents?q=salle+de+repos")
    await desk.web.open(f"{STAFF}/ajouter")
    page = await desk.web.fill(about).press("Ajouter ce document", ("affiche.pdf", PDF))
    assert "Un document porte déjà ce titre" in page


async def test_who_only_reads_changes_nothing(app: FastAPI, world: World) -> None:
    async with at_desk(app, world, StaffRole.read) as reader:
        page = await reader.web.open(SEPA)
        assert "Retirer ce document" not in page
        assert "Ajouter un document" not in await reader.web.open(STAFF)


async def test_every_page_is_accessible_and_fits(place: Place, desk: Desk, served: Served, browser: Browser) -> None:
    looks = [
        Look("found", place.me, "/documents?q=guide"),
        *(Look(path, desk.me, path) for path in (STAFF, SEPA)),
        Look("wrong", desk.me, f"{STAFF}/ajouter", press="Ajouter ce document"),
    ]
    assert not await looked_at(browser, place.world, served, looks)
