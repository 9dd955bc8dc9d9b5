"""« Pré-affiliation » as a page: the journey to a sent invitation, what is told while one types, what goes wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from db.pool import system
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_nir, synthetic_siret
from domain.working_time import paris_date
from services.sessions import open_session
from tests.portal import signed_in
from tests.portal.conftest import Served
from tests.portal.looking import narrow_faults
from tests.portal.signed_in import Look, arrive, browsing, placed
from tests.portal.test_browser import faults, looking
from tests.users import HERE, TestUser, add_user
from tests.world import Life, World
from web.cookies import SESSION_OF

FORM = "/salaries/pre-affiliation"
BORN = date(1990, 5, 12)
NIR = synthetic_nir(Civility.madame, BORN)


def person(**changes: str) -> dict[str, str]:
    """What a manager types, as French people write; a NIR of one's own each time."""
    number = uuid4().int % 998 + 1
    birth = BORN + timedelta(days=uuid4().int % 5000)
    nir = synthetic_nir(Civility.madame, birth, order=number)
    return {
        "nir": f"{nir[0]} {nir[1:3]} {nir[3:5]} {nir[5:7]} {nir[7:10]} {nir[10:13]} {nir[13:]}",
        "civility": "MME",
        "birth_name": "Essai",
        "first_names": "Camille, Dominique",
        "birth_date": birth.strftime("%d/%m/%Y"),
        "hired_on": "2/11/2026",
        "contract_kind": "seasonal",
        "professional_status": "NC",
        "scheme": "RG",
        "email": f"camille.{uuid4().hex[:10]}@exemple.fr",
        "phone": "06 39 98 00 01",
        "line1": "12 rue des Essais",
        "postcode": "75 011",
        "city": "Paris",
        **changes,
    }


class Place(signed_in.Place):
    async def declared(self) -> list[Any]:
        return await self.world.run(
            "SELECT a.*, e.last_name, e.birth_name, e.first_names FROM affiliation a"
            " JOIN employee e ON e.id = a.employee_id WHERE a.company_id = $1 ORDER BY a.declared_at",
            self.employer.company_id,
        )

    async def reviewed(self, **changes: str) -> str:
        await self.web.open(FORM)
        return await self.web.fill(person(**changes)).press("Continuer")

    async def life(self) -> Life:
        [row] = await self.declared()
        return Life(self.world, self.employer, row["id"])

    async def check(self, kind: str, **typed: str) -> str:
        """What a script asks while one types."""
        await self.web.open(FORM)
        token = self.web.value("csrf") or ""
        given = {"siret": self.employer.siret, **typed, "csrf": token, "controle": kind}
        answer = await self.web.http.post(f"{FORM}/controle", data=given, headers={"HX-Request": "true"})
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as one:
        yield one


# --- from the menu to an invitation in the box


async def test_one_person_is_declared_without_a_script_and_gets_the_invitation(place: Place) -> None:
    web = place.web
    await web.open("/espace")
    await web.follow("Pré-affiliation") if "Pré-affiliation" in web.page.text else await web.open(FORM)
    assert web.value("siret") == place.employer.siret, "the only establishment is chosen"
    typed = person(last_name="Durand")
    page = await web.fill(typed).press("Continuer")
    assert "Vérifiez, puis confirmez" in page
    assert "Rien n’est encore enregistré" in page
    assert f"part à <strong>{typed['email']}</strong>" in page
    assert "Camille, Dominique Durand, née Essai" in page
    assert "12 rue des Essais<br>75011 PARIS" in page
    assert not await place.declared()
    page = await web.press("Confirmer et envoyer")
    assert re.fullmatch(rf"{FORM}/[0-9a-f-]{{36}}/faite", web.path)
    [row] = await place.declared()
    assert (row["last_name"], row["birth_name"], row["contract_kind"]) == ("Durand", "Essai", "seasonal")
    assert row["declared_by"] == str(place.me.id)
    life = await place.life()
    await life.until_messages(1)
    assert (await life.received())[0]["recipient"] == typed["email"]
    await life.until(Status.sent)
    page = await web.open(web.path)
    assert "C’est envoyé" in page
    assert "L’e-mail à Camille Essai" not in page
    assert "L’e-mail à Camille Durand est parti" in page
    assert "75011" not in page, "the address is not shown again"
    for words, address in (("Suivre cette affiliation", f"/salaries/suivi/{row['id']}"),):
        assert re.search(rf'href="{address}">[^<]*{words}', page)
    piece = await web.http.get(web.path, headers={"HX-Request": "true"})
    assert "C’est envoyé" in piece.text
    assert "<html" not in piece.text
    assert "hx-get" not in piece.text, "it has left: nothing more to look at"
    await web.follow("Déclarer une autre personne")
    assert web.value("siret") == place.employer.siret


async def test_without_an_email_a_letter_is_announced_and_leaves(place: Place) -> None:
    page = await place.reviewed(email="", phone="")
    assert "une lettre avec le formulaire" in page
    assert "Sans adresse e-mail" in page
    await place.web.press("Confirmer et envoyer")
    assert await (await place.life()).until_messages(1) == [("invitation", "post")]


async def test_what_is_announced_is_what_the_workflow_does(place: Place) -> None:
    for by_post in ("", "post"):
        page = await place.reviewed(medium=by_post)
        announced = re.findall(r'<time datetime="([\d-]+)">', page)
        said = re.findall(r"</time></strong>.*?: (.*?)\.</p>", page, re.DOTALL)
        await place.web.press("Confirmer et envoyer")
        row = (await place.declared())[-1]
        life = Life(place.world, place.employer, row["id"])
        await life.until(Status.sent)
        to_come = (await life.progress()).calendar
        assert announced == [paris_date(step.at).isoformat() for step in to_come]
        assert len(said) == len(to_come) >= 2
        assert "abandonnée" in said[-1]
        for step, words in zip(to_come, said, strict=True):
            by = {"email": "par e-mail", "post": ("par courrier", "une lettre")}.get(step.medium or "", "")
            assert not by or any(word in words for word in ([by] if isinstance(by, str) else by)), words


async def test_several_establishments_are_offered_by_company(place: Place) -> None:
    other = await place.world.employer()
    second = synthetic_siret(place.employer.siren, 2)
    await place.world.run(
        "INSERT INTO establishment (company_id, siret, name, postcode, city, closed_on) VALUES"
        " ($1, $2, 'LE WINSTUB', '67000', 'STRASBOURG', NULL), ($1, $3, 'FERMÉ', '75001', 'PARIS', '2020-01-01')",
        place.employer.company_id, second, synthetic_siret(place.employer.siren, 3),
    )  # fmt: skip
    both = await add_user(place.world, {place.employer.company_id: Role.member, other.company_id: Role.member})
    async with browsing(place.app, place.world, both) as web:
        page = await web.open(FORM)
        assert page.count("<optgroup") == 2
        assert "LE WINSTUB, STRASBOURG" in page
        assert "FERMÉ" not in page
        assert web.value("siret") == ""
        page = await web.open(f"{FORM}?siret={second}")
        assert web.value("siret") == second
        assert web.value("scheme") == "RL"
        assert "régime local" in page
        page = await web.open(f"{FORM}?siret=99999999999999")
        assert web.value("siret") == "", "an unknown one is not taken"


async def test_a_review_can_be_changed_and_keeps_everything(place: Place) -> None:
    await place.reviewed(line2="Appartement 4", language="pt")
    web = place.web
    await web.press("Modifier")
    assert web.path == FORM
    assert (web.value("line2"), web.value("language"), web.value("birth_name")) == ("Appartement 4", "pt", "Essai")
    page = await web.fill({"birth_name": "Autre"}).press("Continuer")
    assert "Camille, Dominique Autre" in page
    assert not await place.declared()


# --- instant checks, with and without scripts


async def test_checks_are_shown_at_once_without_a_script(place: Place) -> None:
    await place.web.open(FORM)
    # a letter O for a zero, another year, another civility
    nir = synthetic_nir(Civility.madame, BORN).replace("0", "O")
    given = person(nir=nir, civility="M", birth_date="12/05/1991", scheme="RL", email="camille@gmial.com")
    page = await place.web.fill(given).press("Vérifier")
    assert place.web.page.status_code == 200
    assert NIR[:1] + "\u00a0" + NIR[1:3] in page
    for words in (
        "Nous avons lu",
        "L’année de naissance ne correspond pas",
        "La civilité ne correspond pas",
        "n’est pas en Alsace-Moselle",
        "camille@gmail.com",
        "12 rue des Essais<br>75011 PARIS",
    ):
        assert words in page
    assert place.web.value("nir") == nir, "what was typed stays"
    assert not await place.declared()


async def test_advice_refuses_nothing(place: Place) -> None:
    page = await place.reviewed(nir=NIR.replace("0", "O"), civility="M", birth_date="12/05/1991", scheme="RL")
    assert place.web.page.status_code == 200
    assert "L’année de naissance ne correspond pas" in page
    assert "régime général" in page
    await place.web.press("Confirmer et envoyer")
    assert len(await place.declared()) == 1


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("personne", {"nir": "2 75 06 75 990 001"}, "Il manque la clé"),
        ("personne", {"nir": "2 75 O6 75 99O OO1 97"}, "275067599000197"),
        ("personne", {"nir": "1 85 O5 2a 990 001 62"}, ""),
        ("email", {"email": "camille@gmial.com"}, "camille@gmail.com"),
        ("email", {"email": "camille"}, "un seul @"),
        ("telephone", {"phone": "01 42 68 53 00"}, "ne recevra pas de SMS"),
        ("telephone", {"phone": "12"}, "n’existe pas"),
        ("adresse", {"line1": "x" * 60, "postcode": "75011", "city": "Paris"}, "ne tient pas sur l’enveloppe"),
        ("adresse", {"line1": "12, rue Un", "postcode": "75 011", "city": "paris"}, "12 rue Un75011 PARIS"),
        ("adresse", {"line1": "12 rue"}, ""),
        ("nothing", {}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else None,
)  # fmt: skip
async def test_a_script_gets_one_region(place: Place, kind: str, typed: dict[str, str], told: str) -> None:
    region = re.sub(r"<[^>]+>|\u00a0", "", await place.check(kind, **typed))
    assert told in region if told else True
    assert "<html" not in region


async def test_whoever_has_an_open_affiliation_is_told_before_the_rest_is_typed(place: Place) -> None:
    typed = person()
    await place.web.open(FORM)
    await place.web.fill(typed).press("Continuer")
    await place.web.press("Confirmer et envoyer")
    [row] = await place.declared()
    region = await place.check("personne", nir=typed["nir"].replace(" ", "."))
    assert "a déjà une affiliation en cours dans cet établissement" in region
    assert f'href="/salaries/suivi/{row["id"]}"' in region


async def test_nothing_is_told_of_other_companies(place: Place) -> None:
    elsewhere = await place.world.employer()
    life = await place.world.declare(elsewhere, nir=NIR, birth_date=BORN.isoformat())
    region = await place.check("personne", nir=NIR)
    assert "Nous avons lu" in region
    assert "déjà" not in region
    assert str(life.id) not in await place.reviewed(nir=NIR, birth_date="12/05/1990")
    assert place.web.page.status_code == 200


async def test_another_establishment_and_a_running_cover_are_told_of(place: Place) -> None:
    life = await place.world.declare(place.employer)
    [row] = await place.world.run("SELECT * FROM affiliation WHERE id = $1", life.id)
    second = synthetic_siret(place.employer.siren, 2)
    await place.world.run(
        "INSERT INTO establishment (company_id, siret, name, postcode, city)"
        " VALUES ($1, $2, 'ANNEXE', '75001', 'PARIS')",
        place.employer.company_id, second,
    )  # fmt: skip
    [person_row] = await place.world.run("SELECT * FROM employee WHERE id = $1", row["employee_id"])
    nir = place.world.cipher.decrypt(person_row["nir_sealed"], "employee", "nir", str(person_row["id"]))
    assert "dans un autre de vos établissements" in await place.check("personne", nir=nir, siret=second)
    views = await place.world.run(
        "SELECT details FROM audit_log WHERE affiliation_id = $1 AND event = 'data.viewed'", life.id
    )
    assert [view["details"] for view in views] == [{"what": "known"}]
    await life.until(Status.sent)
    await place.world.run("UPDATE affiliation SET status = 'finalised' WHERE id = $1", life.id)
    assert "déjà" not in await place.check("personne", nir=nir)
    await place.world.run(
        "INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on)"
        " VALUES (uuidv7(), $1, $2, $3, $4, 'BASE CCN HCR NC SEUL RG', '2026-01-01')",
        row["company_id"], row["establishment_id"], row["employee_id"], row["id"],
    )  # fmt: skip
    assert "déjà assurée dans cet établissement" in await place.check("personne", nir=nir)
    assert "déjà assurée dans un autre" in await place.check("personne", nir=nir, siret=second)


# --- what is wrong


async def test_an_empty_form_names_every_field_with_an_example(place: Place) -> None:
    web = place.web
    await web.open(FORM)
    page = await web.press("Continuer")
    assert web.page.status_code == 422
    assert web.title.startswith("Erreur")
    named = re.findall(r'<li><a href="#(\w+)"', page)
    assert named == [
        "nir", "civility", "birth_name", "first_names", "birth_date", "hired_on", "contract_kind",
        "professional_status", "line1", "postcode", "city",
    ]  # fmt: skip
    for words in ("Indiquez le nom de naissance. Exemple", "Choisissez la civilité.", "12/05/1990"):
        assert words in page.replace("\u00a0", " ")
    assert "AAAA" not in page


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("nir", "2 75 06 75 990 001 98", "vérifiez chaque chiffre"),
        ("birth_date", "31/02/1990", "n’est pas au format jj/mm/aaaa. Exemple : 12/05/1990"),
        ("birth_date", "12/05/2024", "en âge de travailler. Exemple : 12/05/1990"),
        ("hired_on", "bientôt", "n’est pas au format jj/mm/aaaa. Exemple : 01/12/2026"),
        ("hired_on", "01/01/2001", "entre il y a cinq ans et dans un an. Exemple : 01/12/2026"),
        ("email", "camille@gmial.com", "vouliez-vous dire « gmail.com »"),
        ("phone", "123", "Exemple : 06 39 98 00 01"),
        ("line1", "x" * 101, "trop long. Exemple : 12 rue des Lilas"),
        ("line1", "y" * 60, "ne tient pas sur l’enveloppe"),
        ("postcode", "00000", "Exemple : 75011"),
        ("city", "Z" * 39, "Exemple : Paris"),
        ("birth_name", "N" * 61, "trop long"),
        ("contract_kind", "other", "Choisissez la nature du contrat"),
        ("language", "de", "choisissez-en une autre"),
        ("siret", "99999999999999", "Ce numéro SIRET"),
    ],
    ids=lambda value: value if isinstance(value, str) and re.fullmatch(r"[a-z_1]+", value) else None,
)
async def test_a_wrong_field_has_its_message_and_keeps_what_was_typed(
    place: Place, field: str, typed: str, told: str
) -> None:
    page = await place.reviewed(**{field: typed})
    assert place.web.page.status_code == 422
    assert re.findall(r'<li><a href="#(\w+)"', page) == [field]
    assert re.sub(r"[\u00a0\u202f]", " ", told) in re.sub(r"[\u00a0\u202f]", " ", page)
    if field not in ("contract_kind", "language", "siret"):
        assert place.web.value(field) == typed
    assert place.web.value("first_names") == "Camille, Dominique"
    assert not await place.declared()


async def test_the_establishment_of_another_company_is_as_unknown_as_none(place: Place) -> None:
    elsewhere = await place.world.employer()
    page = await place.reviewed(siret=elsewhere.siret)
    assert place.web.page.status_code == 422
    assert "pas celui d’un de vos établissements" in page
    assert "HÔTEL DES TESTS" not in page.split("</select>")[1]


async def test_sending_twice_is_one_declaration_and_one_result(place: Place) -> None:
    await place.reviewed()
    review = place.web.page
    await place.web.press("Confirmer et envoyer")
    first = place.web.path
    place.web.page = review  # « Précédent », or a double click
    await place.web.press("Confirmer et envoyer")
    assert place.web.path == first
    assert len(await place.declared()) == 1


async def test_somebody_declared_already_leads_to_the_open_affiliation(place: Place) -> None:
    typed = person()
    for button in ("Confirmer et envoyer", None):
        await place.web.open(FORM)
        page = await place.web.fill(typed).press("Continuer")
        if button:
            await place.web.press(button)
    [row] = await place.declared()
    assert place.web.page.status_code == 409
    assert place.web.title.startswith("Erreur")
    assert f'href="/salaries/suivi/{row["id"]}">Voir l’affiliation en cours' in page
    assert place.web.value("email") == typed["email"]


async def test_one_who_was_declared_since_the_review_is_not_declared_again(place: Place) -> None:
    typed = person()
    await place.web.open(FORM)
    await place.web.fill(typed).press("Continuer")
    nir = typed["nir"].replace(" ", "")
    await place.world.declare(place.employer, nir=nir)
    page = await place.web.press("Confirmer et envoyer")
    assert place.web.page.status_code == 409
    assert "Une affiliation est déjà en cours" in page


async def test_sending_without_a_review_shows_one(place: Place) -> None:
    await place.reviewed()
    place.web.fill({"cle": "nothing"})
    page = await place.web.press("Confirmer et envoyer")
    assert "Rien n’est encore enregistré" in page
    assert not await place.declared()


async def test_the_result_of_another_company_is_not_found(place: Place) -> None:
    life = await place.world.declare(await place.world.employer())
    await place.web.open(f"{FORM}/{life.id}/faite")
    assert place.web.page.status_code == 404


async def test_staff_declare_nobody(place: Place) -> None:
    staff = await add_user(place.world, staff=[StaffRole.super])
    async with browsing(place.app, place.world, staff) as web:
        await web.open(FORM)
        assert web.page.status_code == 403


# --- a session that ends


async def end_sessions(place: Place) -> None:
    await place.world.run("DELETE FROM portal_session WHERE user_id = $1", place.me.id)


async def sign_in_again(place: Place, user: TestUser) -> None:
    async with system(place.world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage="open", stepped_up=True)
    place.web.http.cookies.delete(SESSION_OF[user.kind].value)
    place.web.http.cookies.set(SESSION_OF[user.kind].value, opened.token)


@pytest.mark.parametrize("button", ["Continuer", "Confirmer et envoyer"])
async def test_what_was_typed_outlives_the_session(place: Place, button: str) -> None:
    typed = person()
    await place.web.open(FORM)
    place.web.fill(typed)
    if button != "Continuer":
        await place.web.press("Continuer")
    await end_sessions(place)
    page = await place.web.press(button)
    assert place.web.page.status_code == 401
    assert "Votre saisie n’est pas perdue" in page
    assert typed["nir"] not in page
    assert typed["email"] not in page
    page = await place.web.press("Reprendre ma saisie")  # not signed in yet
    assert "Connectez-vous dans un nouvel onglet" in page
    await sign_in_again(place, place.me)
    page = await place.web.press("Reprendre ma saisie")
    assert "Votre saisie est revenue" in page
    assert (place.web.value("nir"), place.web.value("email")) == (typed["nir"], typed["email"])
    await place.web.press("Continuer")
    await place.web.press("Confirmer et envoyer")
    assert len(await place.declared()) == 1


async def test_whoever_signed_in_again_in_another_tab_loses_nothing_either(place: Place) -> None:
    typed = person()
    await place.web.open(FORM)
    place.web.fill(typed)
    await sign_in_again(place, place.me)
    page = await place.web.press("Continuer")
    assert place.web.page.status_code == 403
    assert "Votre session a changé" in page
    await place.web.press("Reprendre ma saisie")
    assert place.web.value("nir") == typed["nir"]


async def test_new_terms_in_between_lose_nothing_either(place: Place) -> None:
    await place.web.open(FORM)
    place.web.fill(person())
    await place.world.run("UPDATE portal_user SET terms_version = NULL WHERE id = $1", place.me.id)
    page = await place.web.press("Continuer")
    assert "Acceptez les conditions dans un nouvel onglet" in page
    assert "Reprendre ma saisie" in page


async def test_nobody_else_opens_what_was_kept(place: Place) -> None:
    typed = person()
    await place.web.open(FORM)
    place.web.fill(typed)
    await end_sessions(place)
    await place.web.press("Continuer")
    colleague = await add_user(place.world, {place.employer.company_id: Role.member})
    await sign_in_again(place, colleague)
    page = await place.web.press("Reprendre ma saisie")
    assert "n’a pas pu être rouverte" in page
    assert typed["nir"] not in page


async def test_a_script_without_a_session_gets_nothing_to_show(place: Place) -> None:
    await place.web.open(FORM)
    token = place.web.value("csrf") or ""
    await end_sessions(place)
    answer = await place.web.http.post(
        f"{FORM}/controle", data={"csrf": token, "nir": NIR, "controle": "personne"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 401
    assert not answer.text


# --- in a real browser


async def type_all(page: Page, typed: dict[str, str]) -> None:
    for name, value in typed.items():
        if name in ("civility", "professional_status", "scheme", "medium"):
            await page.locator(f"input[name={name}][value='{value}']").check()
        elif name in ("siret", "contract_kind", "language"):
            await page.select_option(f"#{name}", value)
        else:
            await page.fill(f"#{name}", value)


async def test_checks_appear_beside_their_fields_while_one_types(
    place: Place, served: Served, browser: Browser
) -> None:
    life = await place.world.declare(place.employer, nir=NIR, birth_date=BORN.isoformat())
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        await arrive(page, place.world, served, Look("form", place.me, FORM))
        await page.fill("#nir", NIR)
        await page.press("#nir", "Tab")
        region = page.locator("#avis-personne")
        await region.get_by_text("a déjà une affiliation en cours").wait_for()
        link = region.get_by_role("link", name="Voir l’affiliation en cours")
        assert str(life.id) in str(await link.get_attribute("href"))
        await page.locator("input[name=civility][value=M]").check()
        await region.get_by_text("La civilité ne correspond pas").wait_for()
        await page.fill("#email", "camille@gmial.com")
        await page.press("#email", "Tab")
        await page.locator("#avis-email").get_by_text("camille@gmail.com").wait_for()
        await type_all(page, {"line1": "12 rue des Essais", "postcode": "75011", "city": "paris"})
        await page.press("#city", "Tab")
        await page.locator("#avis-adresse").get_by_text("75011 PARIS").wait_for()
        assert not [url for url in asked if NIR in url]
        assert await faults(page, "advice") == []


async def test_every_state_is_accessible_and_fits(place: Place, served: Served, browser: Browser) -> None:
    wrong: list[str] = []
    long = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"
    await place.world.run(
        "UPDATE establishment SET name = $2 WHERE company_id = $1",
        place.employer.company_id,
        "SOCIÉTÉ D’EXPLOITATION DES HÔTELS-RESTAURANTS DE LA CÔTE-SAINT-ANDRÉ-ET-ENVIRONS",
    )

    async def look(page: Page, name: str) -> None:
        wrong.extend(f"{name}: {one}" for one in await narrow_faults(page))
        wrong.extend(await faults(page, name))

    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        await arrive(page, place.world, served, Look("form", place.me, FORM))
        await look(page, "empty")
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_role("heading", name="points sont à corriger").wait_for()
        assert await page.evaluate("document.activeElement.className") == "problems flow"
        await look(page, "errors")
        await type_all(page, person(last_name=long, civility="M", birth_date="01/01/1980"))
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_role("heading", name="Vérifiez, puis confirmez").wait_for()
        await look(page, "review")
        await page.get_by_role("button", name="Confirmer et envoyer").click()
        await page.get_by_role("heading", name="C’est envoyé").wait_for(timeout=20_000)  # it looks again by itself
        await look(page, "done")
        await arrive(page, place.world, served, Look("form", place.me, FORM))
        await end_sessions(place)
        await page.fill("#birth_name", "Essai")
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_role("heading", name="Votre session a pris fin").wait_for()
        await look(page, "kept")
    assert not wrong
