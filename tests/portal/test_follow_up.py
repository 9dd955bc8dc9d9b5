"""« Suivi des affiliations » as pages: an employer's journeys over HTTP, and every page in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

import portal.follow_up
import services.follow_up
from activities.contracts.affiliation import DeliveryFailed
from db import register
from db.pool import system
from domain.affiliation import Status
from domain.media import Medium
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from services.follow_up import Filters, Order
from tests.api.conftest import employee_of
from tests.enrolling import alone, complete, family, save
from tests.portal import signed_in
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.looking import keyboard_walk, large_text_faults
from tests.portal.signed_in import Look, arrive, browsing, looked_at, placed
from tests.portal.test_browser import looking
from tests.users import TestUser, add_user
from tests.world import Employer, Life, World
from workflows.engine import EngineAway

LIST = "/salaries/suivi"
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = [
    # last name, first names, status, medium, attention, in the other establishment
    ("Lefèvre", "Zoé", "preparing", "email", None, False),
    ("O’Brien", "Éloïse", "sent", "email", None, False),
    ("Lefèvre-Müller", "Anaïs", "sent", "post", "unreachable", False),
    ("Dupont", "Jean", "started", "email", "uncertain", False),
    ("Œuvrard", "Noël", "finalised", "email", None, True),
    ("Petit", "Lou", "abandoned", "post", "unreachable", True),
    ("Nguyễn", "Thị", "started", "email", "unreachable", True),
]
WAITING_FIRST = [6, 2, 5, 4, 3, 1, 0]


class Place(signed_in.Place):
    async def declare(self, **changes: Any) -> Life:
        """Somebody whose invitation has left."""
        life = await self.world.declare(self.employer, **changes)
        await life.until(Status.sent)
        return life

    async def open(self, life: Life, path: str = "") -> str:
        return await self.web.open(f"{LIST}/{life.id}{path}")


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as one:
        yield one


@dataclass(frozen=True)
class Listed:
    """A company whose seven people have known statuses and dates, an hour apart."""

    world: World
    app: FastAPI
    employer: Employer
    other_siret: str
    me: TestUser
    ids: list[UUID]

    def names(self, page: str) -> list[str]:
        """Last names of the rows, in order."""
        rows = re.findall(r'<th scope="row".*?<a href="[^"]+">(.*?)</a>', page)
        return [next(last for last, *_ in PEOPLE if row.endswith(f" {last}")) for row in rows]


@pytest.fixture(scope="module")
async def listed(app: FastAPI, world: World) -> Listed:
    employer = await world.employer()
    other_siret = synthetic_siret(employer.siren, 2)
    async with system(world.system) as connection:
        await connection.execute(
            register.ADD_ESTABLISHMENT, employer.company_id, other_siret, "BAR DES TESTS", "75012", "PARIS"
        )
    me = await add_user(world, {employer.company_id: Role.member})
    ids = []
    for number, (last_name, first_names, status, medium, attention, other) in enumerate(PEOPLE):
        life = await world.declare(employer, last_name=last_name, first_names=first_names)
        await world.run(
            "UPDATE affiliation SET status = $2, status_at = $3, medium = $4, attention = $5, version = 1000,"
            " attention_since = CASE WHEN $5::text IS NOT NULL THEN now() END,"
            " establishment_id = coalesce((SELECT id FROM establishment WHERE siret = $6), establishment_id)"
            " WHERE id = $1",
            life.id,
            status,
            START + timedelta(hours=number),
            medium,
            attention,
            other_siret if other else "",
        )
        ids.append(life.id)
    return Listed(world, app, employer, other_siret, me, ids)


@pytest.fixture
async def reading(listed: Listed) -> AsyncIterator[Browsing]:
    async with browsing(listed.app, listed.world, listed.me) as web:
        yield web


def people(*numbers: int) -> list[str]:
    return [PEOPLE[number][0] for number in numbers]


# --- the list


async def test_the_table_has_the_guides_columns_and_words(listed: Listed, reading: Browsing) -> None:
    page = await reading.open(LIST)
    columns = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', page)
    assert [one.strip() for one in columns] == [
        *("Siren", "Siret", "Établissement", "Prénom Nom", "Média", "Statut", "Date", "Actions")
    ]
    for words in ("Envoyé à l’employé", "Courrier postal", "02/11/2026", listed.employer.siret, "BAR DES TESTS"):
        assert words in page
    assert "7 affiliations" in page


async def test_what_waits_for_the_employer_stands_first_then_the_newest(listed: Listed, reading: Browsing) -> None:
    page = await reading.open(LIST)
    assert listed.names(page) == people(*WAITING_FIRST)
    assert page.count('class="todo"') == 2
    page = await reading.follow("Date")
    assert listed.names(page) == people(6, 5, 4, 3, 2, 1, 0)
    assert 'aria-sort="descending"' in page
    page = await reading.follow("Date")
    assert listed.names(page) == people(0, 1, 2, 3, 4, 5, 6)
    assert 'aria-sort="ascending"' in page
    assert listed.names(await reading.follow("Mettre d’abord ce qui est à traiter")) == people(*WAITING_FIRST)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("statut=sent", (2, 1)),
        ("statut=a_traiter", (6, 2)),
        ("statut=a_traiter&tri=ancien", (2, 6)),
        ("media=post", (2, 5)),
        ("q=lefevre", (2, 0)),
        ("q=ANAÏS+muller", (2,)),
        ("q=muller+anais", (2,)),
        ("q=oeuvrard", (4,)),
        ("q=%25", ()),
        ("du=2026-11-02&au=2026-11-02", (*WAITING_FIRST,)),
        ("du=2/11/2026&au=02/11/2026", (*WAITING_FIRST,)),
        ("du=2026-11-03&au=2026-11-01", (*WAITING_FIRST,)),
        ("du=2026-11-03", ()),
        ("siren=999000003", ()),
        ("siret=99900000300015", ()),
        ("statut=&media=&q=&du=&au=&siret=&tri=", (*WAITING_FIRST,)),
    ],
)
async def test_filters_of_the_address(listed: Listed, reading: Browsing, query: str, numbers: tuple[int, ...]) -> None:
    page = await reading.open(f"{LIST}?{query}")
    assert listed.names(page) == people(*numbers)
    assert "n’est pas appliqué" not in page
    if not numbers:
        assert "Aucune affiliation ne correspond" in page
        assert listed.names(await reading.follow("Effacer les filtres")) == people(*WAITING_FIRST)


async def test_the_form_filters_without_a_script_and_keeps_what_was_chosen(listed: Listed, reading: Browsing) -> None:
    await reading.open(LIST)
    page = await reading.fill({"siret": listed.other_siret, "q": "lou"}).press("Filtrer")
    assert listed.names(page) == people(5)
    assert (reading.value("q"), reading.value("siret")) == ("lou", listed.other_siret)
    assert "BAR DES TESTS, nom : lou" in page.replace("\u00a0", " ")


async def test_the_chips_count_each_status_within_the_other_filters(listed: Listed, reading: Browsing) -> None:
    page = await reading.open(f"{LIST}?siret={listed.other_siret}&statut=finalised")
    chips = re.findall(r'([^>]+) <span class="many">([^<]+)<', page)
    assert [(label.strip(), count) for label, count in chips] == [
        *(("Toutes", "3"), ("À traiter", "1"), ("En préparation", "0"), ("Envoyé à l’employé", "0")),
        *(("Démarré par le salarié", "1"), ("Finalisé par le salarié", "1"), ("Abandonné", "1")),
    ]
    assert listed.names(await reading.follow("À traiter")) == people(6)


async def test_nobody_waits_for_a_million_to_be_counted(
    listed: Listed, reading: Browsing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.follow_up, "MOST_COUNTED", 4)
    page = await reading.open(LIST)
    assert "Au moins 4 affiliations" in page
    assert '<span class="many">4+</span>' in page


@pytest.mark.parametrize(
    "query",
    ["siren=1", "siret=abc", "statut=x", "media=sms", "q=a%00b", "du=hier", "au=31/02/2026", "tri=nom", "suite=x"],
)
async def test_what_is_not_understood_is_left_out_and_said(listed: Listed, reading: Browsing, query: str) -> None:
    page = await reading.open(f"{LIST}?{query}")
    assert reading.page.status_code == 200
    assert listed.names(page) == people(*WAITING_FIRST)
    assert 'class="note look" role="status"' in page


@pytest.mark.parametrize("order", ["", "recent", "ancien"])
@pytest.mark.parametrize("rows", [1, 2, 3, 6, 7])
async def test_all_pages_together_are_the_whole_list_in_order(
    listed: Listed, reading: Browsing, monkeypatch: pytest.MonkeyPatch, order: str, rows: int
) -> None:
    whole = listed.names(await reading.open(f"{LIST}?tri={order}"))
    monkeypatch.setattr(portal.follow_up, "PAGE_ROWS", rows)
    seen = listed.names(await reading.open(f"{LIST}?tri={order}"))
    while "Page suivante" in reading.page.text:
        seen += listed.names(await reading.follow("Page suivante"))
    assert seen == whole
    if rows < 7:
        assert listed.names(await reading.follow("Première page")) == whole[:rows]


async def test_a_page_of_the_default_order_ends_anywhere_without_a_double_or_a_gap(listed: Listed) -> None:
    """Rows with one date, some of them waiting for the employer, page by page."""
    service = listed.world.affiliations.follow_up
    await listed.world.run("UPDATE affiliation SET status_at = $2 WHERE id = ANY ($1)", listed.ids, START)
    try:
        for size in (1, 2, 3, 5):
            seen: list[UUID] = []
            cursor = None
            while True:
                page = await service.page(listed.employer.caller, Filters(order=Order.todo), size, cursor)
                seen += [item.id for item in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert sorted(seen) == sorted(listed.ids)
            assert set(seen[:2]) == {listed.ids[2], listed.ids[6]}
    finally:
        for number, row_id in enumerate(listed.ids):
            moment = START + timedelta(hours=number)
            await listed.world.run("UPDATE affiliation SET status_at = $2 WHERE id = $1", row_id, moment)


async def test_a_script_is_given_the_address_of_what_it_shows(listed: Listed, reading: Browsing) -> None:
    answer = await reading.http.get(f"{LIST}?statut=sent&q=&media=", headers={"HX-Request": "true"})
    assert answer.headers["hx-push-url"] == f"{LIST}?statut=sent"


async def test_with_nobody_declared_the_page_says_what_to_do(place: Place) -> None:
    page = await place.web.open(LIST)
    assert "Vous n’avez encore déclaré personne" in page
    assert "Filtrer" not in page
    assert 'href="/salaries/pre-affiliation"' in page


async def test_a_tiers_declarant_filters_by_company(app: FastAPI, world: World) -> None:
    first, second = await world.employer(), await world.employer()
    me = await add_user(world, {first.company_id: Role.member, second.company_id: Role.member})
    for employer in (first, second):
        await world.declare(employer, last_name=f"Chez{employer.siren}")
    async with browsing(app, world, me) as web:
        page = await web.open(LIST)
        assert f"Chez{first.siren}" in page
        assert f"Chez{second.siren}" in page
        page = await web.fill({"siren": second.siren}).press("Filtrer")
        assert f"Chez{first.siren}" not in page
        assert f"Chez{second.siren}" in page


async def test_staff_and_strangers_have_no_such_list(place: Place) -> None:
    staff = await add_user(place.world, staff=[StaffRole.super])
    async with browsing(place.app, place.world, staff) as web:
        await web.open(LIST)
        assert web.page.status_code == 403
    place.web.http.cookies.clear()
    await place.web.open(LIST)
    assert place.web.path == "/connexion"


# --- one affiliation


async def test_the_file_says_what_happened_what_comes_and_what_was_declared(place: Place) -> None:
    life = await place.declare()
    page = await place.open(life)
    for words in (
        "Envoyé à l’employé",
        "Ce qui s’est passé",
        "Pré-affiliation déclarée",
        "Ce qui va se passer",
        "Prochaine relance automatique",
        "Abandon sans réponse de la personne",
        "Ce que vous avez déclaré",
        "••• ••• ••",
        "12 rue des Essais",
        "Remis au prestataire",
    ):
        assert words in page
    row = (
        await place.world.run(
            "SELECT nir_sealed, e.id FROM employee e WHERE company_id = $1", place.employer.company_id
        )
    )[0]
    nir = place.world.cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["id"]))
    assert nir not in page.replace(" ", "")


async def test_without_an_answer_of_the_engine_the_known_step_is_shown_and_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await place.declare()
    _away(place, monkeypatch, "progress")
    page = await place.open(life)
    assert "Prochaine relance automatique" in page
    assert "seule la prochaine étape connue est affichée" in page


def _away(place: Place, monkeypatch: pytest.MonkeyPatch, *calls: str) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise EngineAway("a test")

    engine = place.app.state.parts.affiliations._engine
    for call in calls:
        monkeypatch.setattr(engine, call, away)


ACTIONS = {
    "/relance": {},
    "/envois": {},
    "/envois/annulation": {"envoi": "reminder", "numero": "1"},
    "/coordonnees": {"email": "a@exemple.fr", "line1": "1 rue", "postcode": "75011", "city": "Paris"},
    "/pause": {"reason": "on_leave"},
    "/retrait": {"reason": "mistake"},
    "/reprise": {},
}


async def test_a_foreign_affiliation_is_as_unknown_as_one_that_never_was(place: Place) -> None:
    elsewhere = await place.world.employer()
    foreign = await place.world.declare(elsewhere)
    await foreign.until(Status.sent)
    dispatch = (await place.world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", foreign.id))[0]["id"]
    await place.web.open(LIST)
    own = await place.declare()
    token = re.search(r'name="csrf" value="(\S+)"', await place.open(own))
    assert token
    paths = ["", "/formulaire.pdf", "/coordonnees", "/pause", "/retrait", "/reprise"]
    paths += [f"/messages/{dispatch}{part}" for part in ("", "/contenu", "/lettre.pdf")]

    async def answer(life_id: object, path: str, data: dict[str, str] | None) -> tuple[int, str]:
        address = f"{LIST}/{life_id}{path}"
        if data is None:
            got = await place.web.http.get(address)
        else:
            got = await place.web.http.post(address, data={**data, "csrf": token[1], "cle": str(uuid4())})
        return got.status_code, re.sub(r"[0-9a-f-]{36}", "", got.text)

    for path in paths:
        known, never = await answer(foreign.id, path, None), await answer(uuid4(), path, None)
        assert known == never
        assert known[0] == 404, path
    for path, data in ACTIONS.items():
        known, never = await answer(foreign.id, path, data), await answer(uuid4(), path, data)
        assert known == never
        assert known[0] == 404, path
    assert len(await foreign.sent()) == 1
    # of one's own affiliation, the message of another
    assert (await answer(own.id, f"/messages/{dispatch}", None))[0] == 404


async def _press_twice(web: Browsing, button: str) -> None:
    """As an impatient finger does: the second answer is that of the first."""
    before, http = web.page, web.http
    await web.press(button)
    first = web.page
    web.page = before
    await web.press(button)
    assert (web.page.url, web.page.status_code) == (first.url, first.status_code)
    assert web.http is http


async def test_a_reminder_leaves_from_the_list_which_is_shown_again_as_it_was(place: Place) -> None:
    life = await place.declare(last_name="Relancée")
    await place.web.open(f"{LIST}?statut=sent")
    page = await place.web.press("Relancer")
    assert str(place.web.page.url).endswith(f"?statut=sent&fait=relance&salarie={life.id}")
    assert re.search(r"La relance de Camille\d+ Relancée est demandée", page)
    assert (await life.until_messages(2))[-1] == ("employer_reminder", "email")


async def test_the_way_back_to_the_list_leads_nowhere_else(place: Place) -> None:
    life = await place.declare()
    await place.web.open(LIST)
    place.web.fill({"liste": "//ailleurs.exemple/?statut=sent&q=a&suite=javascript:alert(1)"})
    await place.web.press("Relancer")
    assert place.web.path == LIST
    assert place.web.page.url.host == "testserver"
    await life.until_messages(2)


async def test_a_second_reminder_within_a_day_is_refused_with_the_moment_it_is_possible(place: Place) -> None:
    life = await place.declare()
    await place.open(life)
    before = place.web.page
    page = await place.web.press("Relancer")
    assert "La relance est demandée" in page
    await life.until_messages(2)
    assert "Vous pourrez relancer à partir de" in await place.open(life)
    assert ">Relancer<" not in place.web.page.text.replace(" ", "")
    place.web.page = before
    place.web.fill({"cle": str(uuid4())})
    page = await place.web.press("Relancer")
    assert place.web.page.status_code == 409
    assert place.web.title.startswith("Erreur")
    assert "Prochaine relance possible" in page
    assert len(await life.sent()) == 2


async def test_pressed_twice_a_reminder_leaves_once(place: Place) -> None:
    life = await place.declare()
    await place.open(life)
    await _press_twice(place.web, "Relancer")
    await life.until_quiet()
    assert len(await life.sent()) == 2


async def test_nobody_answering_the_same_button_asks_again_and_counts_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await place.declare()
    await place.open(life)
    with monkeypatch.context() as away:
        _away(place, away, "tell")
        key = place.web.value("cle")
        page = await place.web.press("Relancer")
        assert place.web.page.status_code == 503
        assert "retry-after" in place.web.page.headers
        assert "Appuyez de nouveau sur le bouton" in page
    assert f'value="{key}"' in place.web.page.text, "the button kept its key"
    assert "La relance est demandée" in await place.web.press("Relancer")
    assert len(await life.until_messages(2)) == 2


async def test_a_wrong_address_is_corrected_and_the_invitation_leaves_anew(place: Place) -> None:
    life = await place.declare(email="camile@exemple.fr")
    await place.open(life)
    await place.web.follow("Corriger les coordonnées")
    assert place.web.value("email") == "camile@exemple.fr"
    assert re.fullmatch(r"06( \d\d){4}", place.web.value("phone") or "")
    page = await place.web.press("Enregistrer les coordonnées")
    assert place.web.page.status_code == 409
    assert "déjà celles du dossier" in page
    page = await place.web.fill({"email": "pas une adresse", "postcode": "", "city": "Lille"}).press("Enregistrer")
    assert place.web.page.status_code == 422
    assert place.web.title.startswith("Erreur")
    assert re.findall(r'href="#(\w+)"', page) == ["contenu", "email", "postcode"]
    assert (place.web.value("email"), place.web.value("city")) == ("pas une adresse", "Lille")
    assert "75011" in page, "an example"
    place.web.fill({"email": "camille@exemple.fr", "postcode": "75 011", "city": "Paris"})
    before = place.web.page
    page = await place.web.press("Enregistrer les coordonnées")
    assert "Les coordonnées sont corrigées" in page
    assert "camille@exemple.fr" in page
    assert (await life.until_messages(2))[-1] == ("invitation", "email")
    place.web.page = before
    place.web.fill({"email": "camille@exemple.fr", "postcode": "75 011", "city": "Paris"})
    assert "Les coordonnées sont corrigées" in await place.web.press("Enregistrer les coordonnées")
    await life.until_quiet()
    assert len(await life.sent()) == 2, "sent twice, it counts once"


async def test_an_address_that_no_window_shows_is_named_at_its_field(place: Place) -> None:
    life = await place.declare()
    await place.open(life, "/coordonnees")
    page = await place.web.fill({"line1": "x" * 90}).press("Enregistrer")
    assert place.web.page.status_code == 422
    assert 'href="#line1"' in page


async def test_who_gave_their_own_contact_is_not_corrected(place: Place) -> None:
    life = await place.declare()
    await place.world.run("UPDATE contact SET given_by = 'employee', line1 = '7 rue Privée' WHERE affiliation_id = $1",
                          life.id)  # fmt: skip
    page = await place.open(life, "/coordonnees")
    assert "nous a donné ses propres coordonnées" in page
    assert "Enregistrer" not in page
    assert "7 rue Privée" not in await place.open(life)
    assert "7 rue Privée" not in await place.open(life, "/reprise")


async def test_a_letter_that_came_back_puts_it_first_with_what_to_correct(place: Place) -> None:
    life = await place.declare(email=None, last_name="Introuvable")
    await place.declare(last_name="Suivante")
    await place.world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.post, 1, "returned"))
    await life.until_quiet()
    page = await place.web.open(LIST)
    assert page.index("Introuvable") < page.index("Suivante")
    assert "Aucune adresse ne permet de joindre la personne" in page
    await place.web.follow("Corriger les coordonnées de")
    place.web.fill({"line1": "14 rue des Essais"})
    assert "Les coordonnées sont corrigées" in await place.web.press("Enregistrer les coordonnées")
    await life.until_messages(2)


async def test_automatic_messages_are_paused_with_a_reason_and_resumed(place: Place) -> None:
    life = await place.declare()
    await place.open(life)
    await place.web.follow("Mettre les envois en pause")
    page = await place.web.press("Mettre les envois en pause")
    assert place.web.page.status_code == 422
    assert "Choisissez pourquoi les envois s’arrêtent" in page
    page = await place.web.fill({"reason": "on_leave"}).press("Mettre les envois en pause")
    assert "Les envois automatiques sont en pause" in page
    assert "La personne est absente" in page
    assert "Prochaine relance automatique" not in page
    assert "Envois automatiques en pause" in await place.web.open(LIST)
    await place.open(life)
    await _press_twice(place.web, "Reprendre les envois")
    assert "Les envois automatiques reprennent" in place.web.page.text
    assert "Prochaine relance automatique" in place.web.page.text


async def test_a_reminder_of_the_calendar_is_skipped(place: Place) -> None:
    life = await place.declare()
    page = await place.open(life)
    reminders = page.count("Prochaine relance automatique</h3>")
    await _press_twice(place.web, "Sauter prochaine relance automatique")
    page = place.web.page.text
    assert "Cet envoi n’aura pas lieu" in page
    assert page.count("Prochaine relance automatique</h3>") == reminders - 1
    assert "Envoi automatique annulé" in page


async def test_a_declaration_is_withdrawn_and_resumed_as_a_new_one(place: Place) -> None:
    web = place.web
    life = await place.declare(last_name="Reprise")
    await place.open(life)
    page = await web.follow("Retirer la déclaration")
    assert "Plus aucun message ne part" in page
    await web.press("Retirer la déclaration")
    assert web.page.status_code == 422
    assert await life.status() is Status.sent
    web.fill({"reason": "mistake"})
    page = await web.press("Retirer la déclaration")
    assert "La déclaration est retirée" in page
    assert "elle a été faite par erreur" in page
    assert "Abandonné" in await web.open(LIST)
    await web.follow("Reprendre")
    before = web.page
    page = await web.press("Reprendre l’affiliation")
    assert "Voici la nouvelle affiliation" in page
    new = web.path
    assert new != f"{LIST}/{life.id}"
    web.page = before
    await web.press("Reprendre l’affiliation")
    assert web.path == new, "pressed twice, it is one"
    assert f"{LIST}/{life.id}" in web.page.text, "the former one is linked"
    assert new in await place.open(life), "and links to it"
    await place.open(life, "/reprise")
    page = await web.press("Reprendre l’affiliation")
    assert web.page.status_code == 409
    assert "déjà en cours" in page
    assert new in page


async def test_withdrawn_twice_it_says_the_same(place: Place) -> None:
    life = await place.declare()
    await place.open(life, "/retrait")
    before = place.web.page
    for _ in range(2):
        place.web.page = before
        place.web.fill({"reason": "left"})
        assert "La déclaration est retirée" in await place.web.press("Retirer la déclaration")
    assert (await life.events()).count("abandoned") == 1
    page = await place.open(life, "/retrait")
    assert "sa déclaration ne se retire plus" in page
    assert "rien à reprendre" not in await place.open(life, "/reprise")
    for path, words in (("/pause", "plus rien ne part"), ("/coordonnees", "plus rien n’est envoyé")):
        assert words in await place.open(life, path)


async def test_the_form_is_downloaded_without_what_the_employee_gave_themselves(place: Place) -> None:
    life = await place.declare()
    await place.open(life)
    answer = await place.web.http.get(f"{LIST}/{life.id}/formulaire.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    whole = len(answer.content)
    await place.world.run("UPDATE contact SET given_by = 'employee' WHERE affiliation_id = $1", life.id)
    own = await place.web.http.get(f"{LIST}/{life.id}/formulaire.pdf")
    assert own.status_code == 200
    assert len(own.content) != whole


async def test_a_form_without_the_pages_key_asks_for_nothing(place: Place) -> None:
    life = await place.declare()
    await place.open(life)
    page = await place.web.fill({"cle": "x"}).press("Relancer")
    assert place.web.page.status_code == 422
    assert "Revenez à la page précédente" in page
    assert len(await life.sent()) == 1


async def test_an_address_that_is_only_sent_to_leads_to_the_file(place: Place) -> None:
    life = await place.declare()
    for path in ("/relance", "/envois", "/envois/annulation"):
        await place.open(life, path)
        assert place.web.path == f"{LIST}/{life.id}"


# --- messages


async def _message_pages(place: Place, life: Life) -> list[tuple[str, str, str]]:
    """(kind, page, path) of each message."""
    rows = await place.world.run(
        "SELECT id, kind FROM dispatch WHERE affiliation_id = $1 ORDER BY prepared_at, id", life.id
    )
    found = []
    for row in rows:
        path = f"/messages/{row['id']}"
        found.append((row["kind"], await place.open(life, path), f"{LIST}/{life.id}{path}"))
    return found


async def test_an_email_is_shown_as_it_was_without_the_personal_link(place: Place) -> None:
    life = await place.declare(last_name="Lisible", email="lisible@exemple.fr")
    await place.open(life)
    page = await place.web.follow("Invitation")
    assert "lisible@exemple.fr" in page
    assert 'sandbox=""' in page
    html = await place.web.http.get(f"{place.web.path}/contenu")
    assert html.status_code == 200
    assert "sandbox" in html.headers["content-security-policy"]
    assert "script-src" not in html.headers["content-security-policy"]
    [received] = await life.received()
    secret = re.search(r"/e/([\w-]{43})", received["text"])
    assert secret
    assert secret[1] not in html.text + page
    assert "/e/" not in html.text
    assert "lien.invalid" not in html.text
    assert html.text.count("[lien personnel masqué]") >= 1
    assert "Lisible" in html.text
    assert (await place.web.http.get(f"{place.web.path}/lettre.pdf")).status_code == 404


async def test_a_letter_is_shown_without_its_code(place: Place) -> None:
    life = await place.declare(email=None)
    [(kind, page, path)] = await _message_pages(place, life)
    assert kind == "invitation"
    assert "sans son lien ni son code personnels" in page
    answer = await place.web.http.get(f"{path}/lettre.pdf")
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF")
    [received] = await life.received()
    assert answer.content != received["pdf"]
    assert (await place.web.http.get(f"{path}/contenu")).status_code == 404


async def test_messages_about_the_persons_documents_show_their_state_only(place: Place) -> None:
    life = await place.declare(birth_date="1975-06-12")
    async with employee_of(place.app, life) as employee:
        await complete(employee, alone())
    await life.until(Status.finalised)
    await life.until_messages(2)
    for kind, page, path in await _message_pages(place, life):
        content = await place.web.http.get(f"{path}/contenu")
        if kind == "invitation":
            assert content.status_code == 200
        else:
            assert "son contenu ne regarde qu’elle" in page
            assert content.status_code == 404
            assert "Remis au prestataire" in page


async def test_messages_to_the_persons_own_contact_are_not_shown(place: Place) -> None:
    life = await place.declare(email="prive@exemple.fr")
    await place.world.run("UPDATE contact SET given_by = 'employee' WHERE affiliation_id = $1", life.id)
    [(_, page, path)] = await _message_pages(place, life)
    assert "prive@exemple.fr" not in page
    assert (await place.web.http.get(f"{path}/contenu")).status_code == 404


# --- in a browser


LONG = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"


@pytest.fixture(scope="module")
async def looks(app: FastAPI, world: World, listed: Listed) -> list[Look]:
    """One affiliation in every status, and the lists that show them."""
    employer, empty, many = [await world.employer() for _ in range(3)]
    me, nobody, busy = [await add_user(world, {one.company_id: Role.member}) for one in (employer, empty, many)]

    async def declare(**changes: Any) -> Life:
        life = await world.declare(employer, **changes)
        await life.until(Status.sent)
        return life

    sent, drafted, insured, lost, gone, again = [
        await declare(**changes)
        for changes in (
            {"last_name": LONG, "birth_name": LONG, "first_names": "Marie-Bénédicte, Anne-Charlotte"},
            {"birth_date": "1975-06-12"},
            {"birth_date": "1975-06-12"},
            {"email": None},
            {},
            {},
        )
    ]
    async with employee_of(app, drafted) as http:
        await save(http, family())
    async with employee_of(app, insured) as http:
        await complete(http, alone())
    await drafted.until(Status.started)
    await insured.until(Status.finalised)
    await insured.until_messages(2)
    await world.engine.delivery_failed(str(lost.id), DeliveryFailed(Medium.post, 1, "returned"))
    await world.run("UPDATE dispatch SET state = 'rejected', reason = 'returned' WHERE affiliation_id = $1", lost.id)
    await world.affiliations.remind(employer.caller, again.id)
    await again.until_messages(2)
    async with browsing(app, world, me) as web:
        await web.open(f"{LIST}/{gone.id}/retrait")
        await web.fill({"reason": "left"}).press("Retirer la déclaration")
        await web.open(f"{LIST}/{drafted.id}/pause")
        await web.fill({"reason": "on_leave"}).press("Mettre les envois en pause")
    letter, email, confirmation = [
        (await world.run("SELECT id FROM dispatch WHERE affiliation_id = $1 AND kind = $2", life.id, kind))[0]["id"]
        for life, kind in ((lost, "invitation"), (sent, "invitation"), (insured, "missing_pieces"))
    ]
    await _copies(world, many, 60)
    await lost.until_quiet()
    return [
        Look("list", me, LIST),
        Look("list of seven, by date", listed.me, f"{LIST}?tri=recent&statut=a_traiter&du=2026-01-01"),
        Look("nobody", nobody, LIST),
        Look("nothing found", me, f"{LIST}?q=introuvable&au=hier"),
        Look("many rows", busy, LIST),
        Look("reminded", me, f"{LIST}?fait=relance&salarie={sent.id}"),
        Look("sent", me, f"{LIST}/{sent.id}?fait=corrige"),
        Look("started, paused", me, f"{LIST}/{drafted.id}"),
        Look("finalised", me, f"{LIST}/{insured.id}"),
        Look("unreachable", me, f"{LIST}/{lost.id}"),
        Look("abandoned", me, f"{LIST}/{gone.id}"),
        Look("reminded within the day", me, f"{LIST}/{again.id}"),
        Look("correct", me, f"{LIST}/{lost.id}/coordonnees"),
        Look("correct, nothing changed", me, f"{LIST}/{sent.id}/coordonnees", press="Enregistrer"),
        Look("pause", me, f"{LIST}/{sent.id}/pause"),
        Look("pause, no reason", me, f"{LIST}/{sent.id}/pause", press="Mettre les envois en pause"),
        Look("withdraw", me, f"{LIST}/{sent.id}/retrait"),
        Look("withdraw, no reason", me, f"{LIST}/{sent.id}/retrait", press="Retirer la déclaration"),
        Look("restart", me, f"{LIST}/{gone.id}/reprise"),
        Look("e-mail", me, f"{LIST}/{sent.id}/messages/{email}"),
        Look("letter", me, f"{LIST}/{lost.id}/messages/{letter}"),
        Look("confirmation", me, f"{LIST}/{insured.id}/messages/{confirmation}"),
    ]


async def _copies(world: World, employer: Employer, count: int) -> None:
    """So many rows, of one declaration each."""
    life = await world.declare(employer, last_name=LONG)
    await life.until(Status.sent)
    await world.run(
        "WITH person AS (INSERT INTO employee (id, company_id, civility, last_name, birth_name, first_names,"
        " birth_date, nir_sealed, nir_index, search_name) SELECT uuidv7(), e.company_id, e.civility, e.last_name,"
        " e.birth_name, e.first_names || n, e.birth_date, e.nir_sealed, int4send(n), e.search_name"
        " FROM employee e, generate_series(1, $2) n WHERE e.company_id = $1 RETURNING id, company_id)"
        " INSERT INTO affiliation (id, company_id, establishment_id, employee_id, language, hired_on,"
        " professional_status, scheme, contract_kind, declared_by, policy, medium, status, version, attention,"
        " attention_since, next_step_kind, next_step_at)"
        " SELECT uuidv7(), a.company_id, a.establishment_id, p.id, a.language, a.hired_on, a.professional_status,"
        " a.scheme, a.contract_kind, a.declared_by, a.policy, a.medium,"
        " (ARRAY['sent', 'started', 'finalised', 'abandoned'])[1 + row_number() OVER () % 4], 1000,"
        " CASE WHEN row_number() OVER () % 9 = 0 THEN 'unreachable' END,"
        " CASE WHEN row_number() OVER () % 9 = 0 THEN now() END, 'reminder', now() + interval '3 days'"
        " FROM affiliation a JOIN person p USING (company_id) WHERE a.id = $3",
        employer.company_id,
        count,
        life.id,
    )


async def test_every_page_is_accessible_and_fits(
    world: World, looks: list[Look], served: Served, browser: Browser
) -> None:
    async def more(page: Page, look: Look) -> list[str]:
        if look.name not in ("list", "unreachable", "correct"):
            return []
        return await large_text_faults(page) + await keyboard_walk(page)

    wrong = await looked_at(browser, world, served, looks, more=more)
    assert not wrong, "\n".join(wrong)


async def test_without_scripts_a_person_is_reminded_from_the_menu_of_their_row(
    place: Place, served: Served, browser: Browser
) -> None:
    life = await place.declare(last_name="Relancée")
    async with looking(browser, "light", 390, java_script_enabled=False) as context:
        page = await context.new_page()
        await arrive(page, place.world, served, Look("list", place.me, LIST))
        await page.locator("summary", has_text="Actions").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Relancer").click()
        await page.get_by_role("status").get_by_text("La relance de").wait_for()
    assert (await life.until_messages(2))[-1][0] == "employer_reminder"


async def test_with_scripts_the_results_follow_the_filters_and_so_does_the_address(
    listed: Listed, served: Served, browser: Browser
) -> None:
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()
        await arrive(page, listed.world, served, Look("list", listed.me, LIST))
        await page.select_option("#statut", "sent")
        await page.wait_for_url(f"**{LIST}?statut=sent")
        await _rows(page, 2)
        assert await page.locator("#found").inner_text() == "2 affiliations"
        await page.fill("#q", "muller")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{LIST}?statut=sent&q=muller")
        await _rows(page, 1)
        await page.go_back()
        await page.wait_for_url(f"**{LIST}?statut=sent")
        await _rows(page, 2)
        assert await page.input_value("#q") == ""


async def _rows(page: Page, count: int) -> None:
    await page.wait_for_function("count => document.querySelectorAll('tbody tr').length === count", arg=count)


async def test_a_page_shows_fifty_rows_and_stays_small(looks: list[Look], world: World, app: FastAPI) -> None:
    many = next(look for look in looks if look.name == "many rows")
    async with browsing(app, world, many.user) as web:
        page = await web.open(LIST)
        assert page.count('<tr role="row"') == 51
        assert len(page.encode()) < 400_000
