"""The desk's register and queue as pages: staff's journeys over HTTP, and every page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser
from stdnum import luhn

from db import dispatch_queue
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from services.fields import today
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, Place, browsing, looked_at
from tests.users import add_user
from tests.world import World

REGISTER = "/gestion/entreprises"
LONG = "HÔTEL-RESTAURANT DE LA GRANDE RUE DU FAUBOURG SAINT-ANTOINE ET DES DEUX GARES RÉUNIES DE L’EST"


class Desk(Place):
    """A member of staff who writes, and a company."""

    @property
    def at(self) -> str:
        return f"{REGISTER}/{self.employer.company_id}"

    async def rename(self, name: str) -> None:
        await self.world.run("UPDATE company SET name = $2 WHERE id = $1", self.employer.company_id, name)

    async def logged(self) -> list[tuple[str, Any]]:
        rows = await self.world.run(
            "SELECT event, details FROM audit_log WHERE company_id = $1 AND actor_id = $2 ORDER BY id",
            self.employer.company_id,
            str(self.me.id),
        )
        return [(row["event"], row["details"]) for row in rows]

    async def place(self) -> Any:
        rows = await self.world.run("SELECT * FROM establishment WHERE siret = $1", self.employer.siret)
        return rows[0]


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    employer = await world.employer()
    me = await add_user(world, staff=[StaffRole.write])
    async with browsing(app, world, me) as web:
        yield Desk(world, app, employer, me, web)


def new_siren() -> str:
    """Of no other test's company."""
    body = f"998{uuid4().int % 10**5:05}"
    return str(body + luhn.calc_check_digit(body))


# --- finding


async def test_a_company_is_found_by_its_name_without_accents_and_by_each_of_its_numbers(desk: Desk) -> None:
    name = f"CAFÉ DE L’ŒUVRE-D’ÉTÉ {uuid4().hex[:8]}"
    await desk.rename(name)
    reference = f"K{uuid4().hex[:9].upper()}"
    await desk.world.run("UPDATE company SET insurer_reference = $2 WHERE id = $1", desk.employer.company_id, reference)
    spaced = f"{desk.employer.siren[:3]} {desk.employer.siren[3:6]} {desk.employer.siren[6:]}"
    words = f"oeuvre {name[-8:].upper()}"
    for searched in (words, desk.employer.siren, spaced, desk.employer.siret, reference.lower()):
        page = await desk.web.open(f"{REGISTER}?q={searched}")
        assert name in page, searched
    await desk.web.follow(name)
    assert desk.web.path == desk.at
    page = await desk.web.open(f"{REGISTER}?q=introuvable{uuid4().hex}")
    assert "Aucune entreprise ne correspond" in page


async def test_a_list_goes_on_after_fifty_companies(desk: Desk) -> None:
    mark = uuid4().hex[:10]
    for number in range(52):
        body = f"997{uuid4().int % 10**5:05}"
        await desk.world.run(
            "INSERT INTO company (siren, name, insurer, insurer_reference) VALUES ($1, $2, 'klesia', 'K1')"
            " ON CONFLICT DO NOTHING",
            body + luhn.calc_check_digit(body),
            f"AUBERGE {mark} {number:02}",
        )
    page = await desk.web.open(f"{REGISTER}?q=auberge+{mark}")
    assert f"{mark} 49" in page
    assert f"{mark} 51" not in page
    page = await desk.web.follow("Page suivante")
    assert f"{mark} 51" in page
    assert f"{mark} 49" not in page


# --- keeping


async def test_a_company_enters_the_register_with_its_first_establishment(desk: Desk) -> None:
    web, siren = desk.web, new_siren()
    await web.open(REGISTER)
    await web.follow("Ajouter une entreprise")
    about = {"siren": siren, "name": "HÔTEL DES LILAS", "insurer": "malakoff_humanis", "insurer_reference": "M7700001"}
    place = {"siret": synthetic_siret(siren), "establishment_name": "LES LILAS", "postcode": "75011", "city": "PARIS"}
    page = await web.fill({**about, **place}).press("Ajouter au registre")
    assert "L’entreprise est dans le registre" in page
    for words in ("HÔTEL DES LILAS", "MALAKOFF HUMANIS", "M7700001", "LES LILAS", "Ouvert", "Pas encore activé"):
        assert words in page
    again = await web.open(f"{REGISTER}/creation")
    again = await web.fill({**about, **place}).press("Ajouter au registre")
    assert web.page.status_code == 422
    assert "déjà dans le registre" in again
    assert web.value("insurer_reference") == "M7700001"


async def test_a_form_with_errors_names_each_field_and_keeps_what_was_typed(desk: Desk) -> None:
    web = desk.web
    await web.open(f"{REGISTER}/creation")
    page = await web.fill({"siren": "12", "name": "LES LILAS", "postcode": "7501"}).press("Ajouter au registre")
    assert web.page.status_code == 422
    assert web.title.startswith("Erreur")
    for field in ("siren", "insurer", "insurer_reference", "siret", "establishment_name", "postcode", "city"):
        assert f'href="#{field}"' in page, field
        assert f'id="{field}"' in page, field
    assert "Choisissez l’assureur" in page
    assert (web.value("name"), web.value("postcode")) == ("LES LILAS", "7501")


async def test_the_record_is_corrected_and_the_log_says_which_fields(desk: Desk) -> None:
    web = desk.web
    await web.open(desk.at)
    await web.follow("Corriger")
    page = await web.fill({"name": "AUTRE NOM", "insurer": "malakoff_humanis", "emits_dsn": ""}).press("Enregistrer")
    assert "La fiche de l’entreprise est corrigée" in page
    assert "AUTRE NOM" in page
    assert "radiations à déclarer" in page
    assert await desk.logged() == [("company.corrected", {"fields": ["name", "insurer", "emits_dsn"]})]


async def test_the_known_contact_is_replaced_once_it_is_said_where_it_comes_from(desk: Desk) -> None:
    web, email = desk.web, f"direction.{uuid4().hex[:8]}@exemple.fr"
    await web.open(desk.at)
    await web.follow("Ajouter le contact connu")
    page = await web.fill({"email": email}).press("Enregistrer")
    assert web.page.status_code == 422
    assert "Cochez la case" in page
    assert web.value("email") == email
    page = await web.fill({"email": email, "sure": "yes"}).press("Enregistrer")
    assert "Le contact connu est remplacé" in page
    assert email in page
    assert await desk.logged() == [("company.contact_replaced", {})]


async def test_an_establishment_is_added_closed_from_a_day_and_opened_again(desk: Desk) -> None:
    web, day = desk.web, today() + timedelta(days=20)
    await web.open(desk.at)
    await web.follow("Ajouter un établissement")
    other = synthetic_siret(new_siren())
    page = await web.fill({"siret": other, "establishment_name": "ANNEXE", "postcode": "69002", "city": "LYON"}).press(
        "Ajouter"
    )
    assert "il commence par son SIREN" in page
    own = synthetic_siret(desk.employer.siren, 2)
    page = await web.fill({"siret": own}).press("Ajouter l’établissement")
    assert "L’établissement est ajouté" in page
    assert "ANNEXE" in page
    place = await desk.place()
    closing = f"{desk.at}/etablissements/{place['id']}/fermeture"
    await web.open(closing)
    page = await web.fill({"on": "31/02/2027"}).press("Fermer")
    assert web.page.status_code == 422
    assert "au format jj/mm/aaaa" in page
    page = await web.fill({"on": day.strftime("%d/%m/%Y")}).press("Fermer l’établissement")
    assert "Ferme le" in page
    assert (await desk.place())["closed_on"] == day
    await web.follow("Rouvrir")
    page = await web.press("Rouvrir l’établissement")
    assert "de nouveau ouvert" in page
    assert (await desk.place())["closed_on"] is None
    assert [event for event, _ in await desk.logged()] == [
        "establishment.added",
        "establishment.closed",
        "establishment.reopened",
    ]


async def test_whoever_only_reads_sees_no_button_and_a_change_asks_for_a_code_first(desk: Desk) -> None:
    reader = await add_user(desk.world, staff=[StaffRole.read])
    async with browsing(desk.app, desk.world, reader) as web:
        page = await web.open(desk.at)
        assert web.page.status_code == 200
        for words in ("Corriger", "Fermer", "Consulter son espace", "Ajouter un établissement"):
            assert words not in page
    async with browsing(desk.app, desk.world, desk.me, stepped_up=False) as web:
        answer = await web.http.get(f"{desk.at}/contact", headers={"Accept": "text/html"})
        assert answer.headers["location"] == f"/connexion/confirmer?{urlencode({'suite': f'{desk.at}/contact'})}"


async def test_a_stranger_to_the_desk_is_led_to_its_own_door(desk: Desk) -> None:
    desk.web.http.cookies.clear()
    await desk.web.open(desk.at)
    assert desk.web.path == "/gestion/connexion"
    assert desk.web.value("suite") == desk.at
    await desk.web.open("/gestion/connexion")
    assert desk.web.value("suite") == "/gestion"
    member = await add_user(desk.world, {desk.employer.company_id: Role.administrator})
    async with browsing(desk.app, desk.world, member) as web:
        for path in (REGISTER, desk.at, f"{desk.at}/fiche", "/gestion/envois", "/gestion/comptes"):
            await web.open(path)
            assert web.page.status_code == 403, path


async def test_an_establishment_of_another_company_is_not_found(desk: Desk) -> None:
    elsewhere = await desk.world.employer()
    rows = await desk.world.run("SELECT id FROM establishment WHERE siret = $1", elsewhere.siret)
    await desk.web.open(f"{desk.at}/etablissements/{rows[0]['id']}/fermeture")
    assert desk.web.page.status_code == 404


# --- « Envois »


async def dispatched(desk: Desk, state: str, medium: str = "email", reason: str | None = None, hours: int = 5) -> UUID:
    """A message of a new person's that is in this state since so long."""
    life = await desk.world.declare(desk.employer)
    await desk.world.run(
        "INSERT INTO dispatch (affiliation_id, company_id, kind, number, medium, contact_version, state, reason,"
        " attempts, prepared_at) VALUES ($1, $2, 'reminder', 3, $3, 1, $4, $5, 2, now() - make_interval(hours => $6))",
        life.id,
        desk.employer.company_id,
        medium,
        state,
        reason,
        hours,
    )
    return life.id


async def test_the_queue_shows_each_state_with_its_age_and_leads_to_the_file(desk: Desk) -> None:
    doubtful = await dispatched(desk, "unknown", "post", hours=50)
    refused = await dispatched(desk, "rejected", reason="bounced")
    page = await desk.web.open("/gestion/envois")
    assert f'href="/gestion/dossiers/{doubtful}"' in page
    assert f"/gestion/dossiers/{refused}" not in page
    assert "2 jours" in page
    page = await desk.web.follow("Refusés ou retournés")
    assert f"/gestion/dossiers/{refused}" in page
    assert "n’existe pas ou ne reçoit plus" in page
    page = await desk.web.open("/gestion/envois?etat=unknown&media=post")
    assert f"/gestion/dossiers/{doubtful}" in page
    page = await desk.web.open("/gestion/envois?etat=unknown&media=sms")
    assert f"/gestion/dossiers/{doubtful}" not in page
    for wrong in ("?etat=parti", "?apres=x", "?media=pigeon", "?apres=%C3%A9"):
        await desk.web.open(f"/gestion/envois{wrong}")
        assert desk.web.page.status_code == 404, wrong


async def test_the_queue_goes_on_after_fifty_messages(desk: Desk) -> None:
    life = await desk.world.declare(desk.employer)
    await desk.world.run(
        "INSERT INTO dispatch (affiliation_id, company_id, kind, number, medium, contact_version, state)"
        " SELECT $1, $2, 'employer_reminder', n, 'sms', 1, 'rejected' FROM generate_series(100, 159) n",
        life.id,
        desk.employer.company_id,
    )
    page = await desk.web.open("/gestion/envois?etat=rejected&media=sms")
    first = page.count(str(life.id))
    page = await desk.web.follow("Page suivante")
    assert (first, page.count(str(life.id))) == (50, 10)
    await desk.world.run("DELETE FROM dispatch WHERE affiliation_id = $1 AND medium = 'sms'", life.id)


async def test_the_queue_is_read_along_its_index(desk: Desk) -> None:
    now = datetime.now(UTC)
    for statement in (dispatch_queue.OLDEST, dispatch_queue.NEWEST):
        async with desk.world.system.acquire() as connection, connection.transaction():
            for cheaper_for_ten_rows in ("seqscan", "sort", "incremental_sort"):
                await connection.execute(f"SET LOCAL enable_{cheaper_for_ten_rows} = off")
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            plan = await connection.fetch(f"EXPLAIN {statement}", "unknown", None, now, now, uuid4(), 50)
        text = "\n".join(row[0] for row in plan)
        assert "dispatch_queue" in text, text
        assert "Sort" not in text, text


# --- in a real browser


@pytest.fixture(scope="module")
async def looks(app: FastAPI, world: World) -> list[Look]:
    """The pages, of a company with a long name in every state."""
    employer = await world.employer()
    me = await add_user(world, staff=[StaffRole.super])
    await add_user(world, {employer.company_id: Role.administrator})
    async with browsing(app, world, me) as web:
        desk = Desk(world, app, employer, me, web)
        await desk.rename(LONG)
        await world.run("UPDATE establishment SET name = $2 WHERE siret = $1", employer.siret, LONG)
        await dispatched(desk, "unknown", "post", hours=50)
        await dispatched(desk, "rejected", reason="bounced")
        place = await desk.place()
        closing = f"{desk.at}/etablissements/{place['id']}/fermeture"
        paths = [
            f"{REGISTER}?q={employer.siren}",
            f"{REGISTER}?q=introuvable",
            desk.at,
            f"{REGISTER}/creation",
            f"{desk.at}/contact",
            f"{desk.at}/etablissements",
            closing,
            f"{desk.at}/consultation",
            "/gestion/envois",
            "/gestion/envois?etat=rejected",
            "/gestion/envois?etat=prepared&media=sms",
        ]
    creation = f"{REGISTER}/creation"
    return [*(Look(path, me, path) for path in paths), Look("creation, wrong", me, creation, "Ajouter au registre")]


async def test_every_page_is_accessible_and_fits(
    browser: Browser, served: Served, world: World, looks: list[Look]
) -> None:
    wrong = await looked_at(browser, world, served, looks)
    assert not wrong, "\n".join(wrong)
