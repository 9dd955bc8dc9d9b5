"""« Retours papier »: from the reference of a QR code to the next one, without a mouse or a script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.affiliation import Status
from tests.enrolling import IBAN
from tests.portal.conftest import Served
from tests.portal.desk_files import Desk, at_desk, path_of, reference
from tests.portal.signed_in import Look, arrive
from tests.portal.test_browser import looking
from tests.world import Life, World

PAPER = "/gestion/retours-papier"
COMPLETE = {
    "level": "BASE",
    "iban": IBAN,
    "account_holder": "Camille Essai",
    "signed": "yes",
    "doc_rib": "yes",
    "doc_attestation": "yes",
}


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


async def opened(desk: Desk, **changes: str | None) -> Life:
    """The form of somebody's letter, by what the scanner typed."""
    life = await desk.declared(**{"email": None, **changes})
    await desk.web.open(PAPER)
    await desk.web.open(f"{PAPER}?reference={reference(life).replace(' ', '+')}")
    assert desk.web.path == f"{PAPER}/{life.id}"
    return life


async def missing(desk: Desk, life: Life) -> list[str]:
    [row] = await desk.world.run("SELECT missing FROM enrolment WHERE affiliation_id = $1", life.id)
    return list(row["missing"])


async def test_a_complete_form_is_saved_and_leads_to_the_next_reference(desk: Desk) -> None:
    life = await opened(desk)
    page = await desk.web.fill(COMPLETE).press("Enregistrer")
    assert desk.web.path == PAPER
    assert reference(life) in page
    assert "Il est complet" in page
    assert "Un retour saisi" in page
    assert "autofocus" in page
    await life.until(Status.finalised)
    [row] = await desk.world.run("SELECT * FROM enrolment WHERE affiliation_id = $1", life.id)
    assert (row["channel"], row["recorded_by"], list(row["missing"])) == ("paper", str(desk.me.id), [])
    assert "data.viewed" in [event for event, _ in await desk.audited(life)]
    await opened(desk)
    page = await desk.web.fill(COMPLETE).press("Enregistrer")
    assert "2 retours saisis" in page


async def test_what_did_not_come_is_asked_for_by_itself(desk: Desk) -> None:
    life = await opened(desk, email="camille.papier@exemple.fr")
    page = await desk.web.fill({"level": "OPTION 1", "doc_attestation": "yes"}).press("Enregistrer")
    assert "Il manque\u00a0: " in page
    assert sorted(await missing(desk, life)) == ["rib", "signature"]
    sent = await life.until_messages(2)
    assert ("missing_pieces", "email") in sent


async def test_a_family_on_paper_brings_its_documents(desk: Desk) -> None:
    life = await opened(desk)
    people = {
        "dependants.p1.last_name": "Silva",
        "dependants.p1.first_names": "João",
        "dependants.p1.birth_date": "03021974",
        "dependants.p1.civil_link": "pacs",
        "dependants.p1.attached_to": "own",
        "dependants.k1.last_name": "Silva",
        "dependants.k1.first_names": "Inês",
        "dependants.k1.birth_date": "10/03/2015",
        "dependants.k1.attached_to": "partner",
    }
    answer = await desk.web.http.post(
        f"{PAPER}/{life.id}",
        data={**COMPLETE, **people, "path": "join", "csrf": desk.web.value("csrf"), "doc_union": "yes"},
    )
    assert answer.status_code == 303, answer.text
    left = await missing(desk, life)
    assert "partner_social_security_certificate:p1" in left
    assert "partnership_proof:p1" not in left
    [count] = await desk.world.run("SELECT count(*) FROM dependant WHERE affiliation_id = $1", life.id)
    assert count["count"] == 2


async def test_a_waiver_on_paper(desk: Desk) -> None:
    life = await opened(desk)
    data = {
        "path": "waive",
        "waiver_reason": "covered_by_spouse",
        "waiver_proof": "document",
        "signed": "yes",
        "csrf": desk.web.value("csrf"),
    }
    answer = await desk.web.http.post(f"{PAPER}/{life.id}", data=data)
    assert answer.status_code == 303, answer.text
    assert await missing(desk, life) == ["waiver_proof"]


async def test_a_correction_by_hand_is_kept_and_what_was_printed_needs_no_typing(desk: Desk) -> None:
    life = await opened(desk)
    page = await desk.web.fill({**COMPLETE, "city": "Lille", "postcode": "59000", "last_name": "Essai-Martin"}).press(
        "Enregistrer"
    )
    assert "Essai-Martin enregistré" in page
    [person] = await desk.world.run(
        "SELECT e.last_name, c.city FROM affiliation a JOIN employee e ON e.id = a.employee_id"
        " JOIN enrolment n ON n.affiliation_id = a.id"
        " JOIN contact c ON c.affiliation_id = a.id AND c.version = n.contact_version WHERE a.id = $1",
        life.id,
    )
    assert (person["last_name"], person["city"]) == ("Essai-Martin", "Lille")


async def test_what_is_wrong_is_named_by_the_papers_own_parts_and_kept(desk: Desk) -> None:
    life = await opened(desk)
    page = await desk.web.fill({"iban": "FR76 0000", "signed": "yes", "nir": "12"}).press("Enregistrer")
    assert desk.web.page.status_code == 422
    assert set(re.findall(r'href="#(iban|level|nir)"', page)) == {"iban", "level", "nir"}
    assert "Cochez le niveau choisi au point 5" in page
    assert desk.web.value("iban") == "FR76 0000"
    assert "<details open>" in page
    assert not await desk.world.run("SELECT FROM enrolment WHERE affiliation_id = $1", life.id)


async def test_a_form_that_arrived_is_not_recorded_twice(desk: Desk) -> None:
    life = await opened(desk)
    token = desk.web.value("csrf")
    data = {**COMPLETE, "path": "join", "csrf": token}
    first, second = [await desk.web.http.post(f"{PAPER}/{life.id}", data=data) for _ in range(2)]
    assert (first.status_code, second.status_code) == (303, 409)
    assert "déjà arrivé" in second.text
    assert "déjà arrivé" in await desk.web.open(f"{PAPER}/{life.id}")
    await desk.web.follow("Ouvrir le dossier")
    assert desk.web.path == path_of(life)


@pytest.mark.parametrize(
    "typed", ["", "12", "ZZZZ ZZZZ ZZZZ", "0000 0000 0000"], ids=["none", "short", "letters", "nobody"]
)
async def test_a_reference_that_leads_nowhere_is_told_at_its_field(desk: Desk, typed: str) -> None:
    page = await desk.web.open(f"{PAPER}?reference={typed.replace(' ', '+')}")
    assert desk.web.page.status_code == (422 if typed else 200)
    assert ('href="#reference"' in page) is bool(typed)


async def test_two_hundred_a_day_need_a_keyboard_only(desk: Desk, served: Served, browser: Browser) -> None:
    life = await desk.declared(email=None)
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()
        await arrive(page, desk.world, served, Look("references", desk.me, PAPER))
        await page.wait_for_function("document.activeElement.id === 'reference'")
        await page.keyboard.type(reference(life))  # the scanner types, and ends with Enter
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert page.url.endswith(str(life.id))
        await page.get_by_label("BASE").focus()
        await page.keyboard.press("Space")
        await page.get_by_label("Le bulletin est signé").focus()
        await page.keyboard.press("Space")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "reference"
        assert "enregistré" in await page.get_by_role("status").inner_text()
