"""« Nous contacter », « Mes démarches » and staff's « Demandes »: journeys, what goes wrong, and the pages as they are
seen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role, StaffRole
from portal.contact import LEAST_SECONDS, make_seal, read_seal
from services.callers import EMPLOYER_SCOPES, Caller
from tests.enrolling import IBAN
from tests.gateways.files.samples import photo, rib_pdf
from tests.portal.conftest import Served
from tests.portal.desk_files import Desk, at_desk
from tests.portal.signed_in import Look, Place, browsing, looked_at, placed
from tests.portal.test_resume import KEPT, RESUME, sign_in_again, sleep_through
from tests.users import add_user
from tests.world import World

MESSAGE = {"subject": "Cotisations d’octobre", "message": "Bonjour,\n\nquel est le montant de nos cotisations ?"}
RIB = rib_pdf(IBAN, "Camille Essai")
ASKED = "/contact?motif=contributions"


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    await world.run("DELETE FROM rate_limit")
    async with placed(Place, app, world, Role.member) as one:
        yield one


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


def waited(place: Place) -> str:
    """The seal of a form that is shown since a while."""
    caller = Caller(str(place.me.id), (place.employer.company_id,), EMPLOYER_SCOPES)
    seal = read_seal(place.world.cipher, caller, place.web.value("jeton") or "")
    assert seal is not None
    return make_seal(place.world.cipher, caller, seal.shown - LEAST_SECONDS, seal.key)


async def sent(place: Place, file: tuple[str, bytes] | None = None, **changes: str) -> str:
    await place.web.open(ASKED)
    return await place.web.fill({**MESSAGE, **changes, "jeton": waited(place)}).press("Envoyer ma demande", file)


# --- writing


async def test_the_reasons_are_the_guide_s_and_what_is_done_at_once_comes_first(place: Place) -> None:
    page = await place.web.open("/contact")
    for words in (
        *("Gérer mon contrat", "Information sur les cotisations", "Autre demande", "Gérer mes salariés"),
        "Intégration d’une nouvelle entreprise à mon périmètre de gestion",
        *("Affiliation d’un salarié", "Radiation d’un salarié", "Transmettre des documents pour mon salarié"),
    ):
        assert words in page
    for reason, address in (
        ("company_added", "/profil/etablissement"),
        ("radiation", "/salaries/radiation"),
        ("affiliation", "/salaries/pre-affiliation"),
    ):
        page = await place.web.open(f"/contact?motif={reason}")
        assert f'<a class="button" href="{address}">' in page
        assert "<textarea" not in page
        await place.web.follow("Écrivez-nous")
        assert "<textarea" in place.web.page.text


async def test_a_request_is_received_answered_reopened_and_rated(place: Place, desk: Desk) -> None:
    page = await sent(place, ("RIB de l’hôtel.pdf", RIB))
    assert re.fullmatch(r"/demarches/[0-9a-f-]{36}/recu", place.web.path)
    number = re.search(r"HCR-\d{4}-\d{6}", page)
    assert number
    assert "Nous vous répondons au plus tard" in page
    address = place.web.path.removesuffix("/recu")
    one = address.rpartition("/")[2]

    page = await desk.web.open("/gestion/demandes")
    assert number[0] in page
    await desk.web.follow(MESSAGE["subject"])
    assert "quel est le montant" in desk.web.page.text
    assert "Vous vous occupez de cette demande" in await desk.web.press("Je m’en occupe")
    shown = re.search(rf'href="({desk.web.path}/fichiers/[0-9a-f-]+)"', desk.web.page.text)
    assert shown
    file = await desk.web.http.get(shown[1])
    assert file.content.startswith(b"%PDF-")
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "En cours de traitement" in await place.web.open(address)
    page = await desk.web.press("Répondre")
    assert desk.web.page.status_code == 422
    assert "Écrivez votre message" in page
    page = await desk.web.fill({"message": "Bonjour, 312 euros."}).press("Répondre", ("detail.jpg", photo()))
    assert "Votre réponse est envoyée" in page

    page = await place.web.open(address)
    assert "Répondue" in page
    assert "312 euros" in page
    assert "Essai" not in re.sub(r"Prénom\d+ Essai", "", page), "which member of staff wrote is not told"
    assert (await place.web.http.get(re.findall(rf'href="({address}/fichiers/[^"]+)"', page)[1])).status_code == 200
    page = await place.web.press("Donner mon avis")
    assert place.web.page.status_code == 422
    assert "Choisissez votre avis" in page
    assert "Merci de votre avis" in await place.web.fill({"satisfaction": "4"}).press("Donner mon avis")
    assert "Satisfait" in place.web.page.text
    await place.web.fill({"message": "Et pour novembre ?"}).press("Envoyer")
    assert "Rouverte" in place.web.page.text

    await desk.web.open(f"/gestion/demandes/{one}")
    await desk.web.fill({"message": "Le même montant."}).press("Répondre et clore")
    page = await place.web.open(address)
    assert "Close" in page
    page = await place.web.fill({"message": "Il manque un mois."}).press("Rouvrir la demande")
    assert "La demande est rouverte" in page
    await desk.web.open(f"/gestion/demandes/{one}")
    assert "La demande est close" in await desk.web.press("Clore sans répondre")
    assert MESSAGE["subject"] in await place.web.open("/demarches?etat=closed")
    assert "Aucune demande dans cet état" in await place.web.open("/demarches?etat=answered")


async def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(place: Place) -> None:
    page = await sent(place, subject="")
    assert place.web.page.status_code == 422
    assert 'href="#subject"' in page
    assert "quel est le montant" in page
    page = await place.web.fill({"subject": "Cotisations"}).press("Envoyer", ("macro.docx", b"PK\x03\x04 nothing"))
    assert place.web.page.status_code == 422
    assert 'id="file-error"' in page
    assert "macro.docx" in page
    page = await place.web.fill({"message": " "}).press("Envoyer", ("rib.pdf", RIB))
    assert "Écrivez votre message" in page
    assert "choisissez-les de nouveau" in page
    token, jeton = place.web.value("csrf") or "", place.web.value("jeton") or ""
    data = {**MESSAGE, "reason": "other", "csrf": token, "jeton": jeton}
    files = [("file", (f"{number}.pdf", RIB)) for number in range(7)]
    answer = await place.web.http.post("/contact", data=data, files=files)
    assert answer.status_code == 422
    assert "6 fichiers au plus" in answer.text.replace("\u00a0", " ")
    answer = await place.web.http.post("/contact", data={**data, "csrf": "x"}, files=files[:1])
    assert answer.status_code == 403
    huge = [("file", (f"{number}.pdf", b"%PDF-1.4" + bytes(9 * 2**20))) for number in range(3)]
    answer = await place.web.http.post("/contact", data=data, files=huge, headers={"Accept": "text/html"})
    assert answer.status_code == 413
    assert "25 Mo ensemble" in answer.text.replace("\u00a0", " ")
    assert not await place.world.run("SELECT 1 FROM contact_request WHERE user_id = $1", place.me.id)


async def test_sent_twice_it_is_one_request_and_programs_are_asked_again(place: Place) -> None:
    await place.web.open(ASKED)
    page = await place.web.fill(MESSAGE).press("Envoyer ma demande")
    assert place.web.page.status_code == 422, "nobody types so fast"
    assert "relisez votre message" in page
    await place.web.fill({"site_web": "https://exemple.fr"}).press("Envoyer ma demande")
    assert place.web.page.status_code == 422, "nobody sees that field"
    data = {**MESSAGE, "reason": "other"}
    data |= {name: place.web.value(name) or "" for name in ("csrf", "jeton")}
    first, second = [await place.web.http.post("/contact", data=data) for _ in range(2)]
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]


async def test_the_message_outlives_its_session_and_the_files_are_asked_for_again(place: Place) -> None:
    await place.web.open(ASKED)
    place.web.fill(MESSAGE)
    await sleep_through(place.world, place.me)
    page = await place.web.press("Envoyer ma demande", ("rib.pdf", RIB))
    assert place.web.page.status_code == 401
    assert KEPT in page
    assert "montant" not in page
    await sign_in_again(place, place.me)
    page = await place.web.press(RESUME)
    assert "quel est le montant" in page
    assert "joignez de nouveau vos fichiers" in page
    await place.web.press("Envoyer ma demande")
    assert place.web.path.endswith("/recu")
    await place.web.open(place.web.path.removesuffix("/recu"))
    place.web.fill({"message": "Une précision."})
    await sleep_through(place.world, place.me)
    assert KEPT in await place.web.press("Envoyer", ("rib.pdf", RIB))
    await sign_in_again(place, place.me)
    assert "Une précision." in await place.web.press(RESUME)
    assert "Votre message est ajouté" in await place.web.press("Envoyer maintenant")


async def test_a_request_is_seen_by_its_author_and_by_the_administrators_alone(place: Place) -> None:
    await sent(place)
    address = place.web.path.removesuffix("/recu")
    company, stranger = place.employer.company_id, (await place.world.employer()).company_id
    for rights, status in (
        ({company: Role.member}, 404),
        ({company: Role.administrator}, 200),
        ({stranger: Role.administrator}, 404),
    ):
        user = await add_user(place.world, rights)
        async with browsing(place.app, place.world, user) as web:
            await web.open(address)
            assert web.page.status_code == status
    async with at_desk(place.app, place.world, StaffRole.read) as reader:
        await reader.web.open(f"/gestion{address.replace('demarches', 'demandes')}")
        assert "<textarea" not in reader.web.page.text
        await reader.web.open(f"/gestion/demandes/{uuid4()}")
        assert reader.web.page.status_code == 404


# --- in a real browser


async def test_every_page_is_accessible_and_fits(place: Place, desk: Desk, served: Served, browser: Browser) -> None:
    name = "HÔTEL DE LA ROCHEFOUCAULD-MONTMORENCY-BRANCAS-LAURAGUAIS"
    await place.world.run("UPDATE company SET name = $2 WHERE id = $1", place.employer.company_id, name)
    await sent(place, ("attestation-de-la-caisse-primaire-2026.pdf", RIB), subject="Cotisations " + "d’octobre " * 9)
    one = place.web.path.removesuffix("/recu")
    case = one.replace("/demarches", "/gestion/demandes")
    looks = [
        Look("/contact", place.me, "/contact"),
        Look("wrong", place.me, ASKED, press="Envoyer"),
        *(Look(path, place.me, path) for path in ("/demarches", one)),
        *(Look(path, desk.me, path) for path in ("/gestion/demandes", case)),
    ]
    await desk.web.open(case)
    await desk.web.fill({"message": "Bonjour, 312 euros."}).press("Répondre")
    assert not await looked_at(browser, place.world, served, looks)
