"""« Accueil », « Mes contrats » and the company one works for: journeys, the figures held against a plain count, and
every page in a real browser."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.affiliation import Status
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from domain.working_time import PARIS
from portal.contracts import found_contracts, holds
from services.callers import Caller, Scope
from services.company_views import CompanyView, EstablishmentView
from services.figures import MOST_TO_CORRECT, FiguresService
from tests.noticing import add_recovery
from tests.portal.browsing import Browsing
from tests.portal.conftest import SAME_ORIGIN, Served
from tests.portal.seeding import Seed, seeded
from tests.portal.signed_in import Look, Place, arrive, browsing, looked_at, placed
from tests.portal.test_browser import looking
from tests.users import TestUser, add_user
from tests.world import Employer, World

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.administrator) as one:
        yield one


@pytest.fixture
async def accountant(app: FastAPI, world: World) -> AsyncIterator[tuple[list[Employer], TestUser, Browsing]]:
    """Of two companies."""
    employers = [await world.employer() for _ in range(2)]
    me = await add_user(world, {one.company_id: Role.member for one in employers})
    async with browsing(app, world, me) as web:
        yield employers, me, web


def unreachable(last_name: str, at: datetime = NOW - HOUR) -> Seed:
    """Whom no address reaches any more."""
    returned = ("delivery_failed", at, {"medium": "post", "reason": "returned"})
    return Seed(at, "sent", at, [("declared", at - HOUR, {}), returned], attention="unreachable", last_name=last_name)


async def company_name(world: World, employer: Employer) -> str:
    name: str = (await world.run("SELECT name FROM company WHERE id = $1", employer.company_id))[0]["name"]
    return name


# --- « Accueil »


async def test_a_new_employer_is_told_the_three_steps(place: Place) -> None:
    page = await place.web.open("/espace")
    assert re.findall(r"<h3>(.+?)</h3>", page)[:3] == [
        "Pré-affiliez votre salarié",
        "Il complète son formulaire",
        "Vous suivez, il est assuré",
    ]
    assert "Rien ne vous attend" not in page
    assert 'class="chart"' not in page
    assert ("Pré-affilier mon premier salarié", "/salaries/pre-affiliation") in links(page)


async def test_what_needs_the_employer_stands_first_with_its_reason_and_its_fix(place: Place) -> None:
    seed = unreachable("Duhamel")
    async with seeded(place.world, place.employer, [seed]):
        page = await place.web.open("/espace")
    assert "Aucune adresse ne permet de joindre la personne" in page
    assert ("Corriger les coordonnées de Camille Duhamel", f"/salaries/suivi/{seed.id}/coordonnees") in links(page)
    assert page.index("À faire aujourd’hui") < page.index("Derniers événements")
    assert "Le courrier nous est revenu" in page
    assert "Rien ne vous attend" not in page


async def test_more_than_a_few_things_to_correct_lead_to_their_list(place: Place) -> None:
    async with seeded(place.world, place.employer, [unreachable(f"N{n}") for n in range(MOST_TO_CORRECT + 1)]):
        page = await place.web.open("/espace")
    assert page.count('/coordonnees">Corriger') == MOST_TO_CORRECT
    assert "Voir toutes les affiliations à traiter" in page


async def test_nothing_to_do_is_said_and_the_figures_are_there(place: Place) -> None:
    seeds = [Seed(NOW, "finalised", NOW, [("declared", NOW, {}), ("finalised", NOW, {"channel": "online"})])]
    async with seeded(place.world, place.employer, seeds):
        page = await place.web.open("/espace")
    assert "Rien ne vous attend" in page
    assert page.count('<svg class="drawn" role="img"') == 1, "nothing was sent: no delay to draw"
    assert page.count("Voir les données") == 1
    first = NOW.astimezone(PARIS).date().replace(day=1)
    assert f'href="/salaries/suivi?statut=finalised&amp;du={first}"' in page
    assert ("Voir la liste au statut « Envoyé à l’employé »", "/salaries/suivi?statut=sent") in links(page)


async def test_an_administrator_sees_who_waits_for_an_answer_and_a_member_does_not(place: Place, app: FastAPI) -> None:
    member = await add_user(place.world, {place.employer.company_id: Role.member})
    await add_recovery(place.world, place.employer, first_name="Claude", last_name="Reprenant")
    assert "Claude Reprenant" in await place.web.open("/espace")
    async with browsing(app, place.world, member) as web:
        assert "Claude Reprenant" not in await web.open("/espace")


async def test_nothing_of_another_company_is_shown(place: Place) -> None:
    elsewhere = await place.world.employer()
    async with seeded(place.world, elsewhere, [unreachable("Étrangère")]):
        for path in ("/espace", "/notifications", "/contrats", "/entreprises"):
            page = await place.web.open(path)
            assert "Étrangère" not in page
            assert elsewhere.siren not in page
            assert await company_name(place.world, elsewhere) not in page
        await place.web.open(f"/notifications?entreprise={elsewhere.siren}")
        assert place.web.page.status_code == 404


async def test_staff_are_led_to_their_desk(app: FastAPI, world: World) -> None:
    staff = await add_user(world, staff=[StaffRole.write])
    async with browsing(app, world, staff) as web:
        answer = await web.http.get("/espace", headers=SAME_ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/gestion")
        for path in ("/contrats", "/entreprises", "/notifications"):
            await web.open(path)
            assert web.page.status_code == 403, path


async def test_a_user_without_a_company_is_told_what_to_do(app: FastAPI, world: World) -> None:
    async with browsing(app, world, await add_user(world)) as web:
        page = await web.open("/espace")
        assert "Aucune entreprise n’est ouverte pour votre compte" in page
        for path in ("/contrats", "/entreprises"):
            assert "Ajouter un établissement" in await web.open(path)


# --- figures


def caller_of(*companies: UUID) -> Caller:
    return Caller("somebody", companies, frozenset({Scope.read}))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=PARIS)


def random_lives(rng: random.Random, now: datetime) -> list[Seed]:
    """Of fourteen months, the turn of months and the night in which the clocks change among them."""
    lives = []
    told = {"started": {"medium": "email"}, "finalised": {"channel": "online"}}
    for _ in range(rng.randrange(5, 40)):
        declared = now - timedelta(days=rng.randrange(430), minutes=rng.randrange(1440))
        if rng.random() < 0.3:
            declared = midnight(declared.date().replace(day=1)) + timedelta(seconds=rng.choice((-1, 0, 1)))
        at = declared
        events: list[tuple[str, datetime, dict[str, Any]]] = [("declared", declared, {})]
        status, sent = Status.preparing, []
        for step in ("sent", "started", "finalised", "abandoned"):
            if rng.random() < 0.35:
                continue
            at += timedelta(days=rng.choice((0, 0, 1, 3, 10, 30)), minutes=rng.randrange(1440))
            status = Status(step)
            if step == "sent":
                sent.append(at)
                events.append(("message_handed_over", at, {"message": "invitation", "medium": "email"}))
                if rng.random() < 0.5:  # a reminder is not sent for the first time
                    again = at + timedelta(days=5)
                    events.append(("message_handed_over", again, {"message": "reminder", "medium": "email"}))
                    at = again
            else:
                events.append((step, at, told.get(step, {})))
            if step == "finalised":
                confirmed = {"message": "confirmation", "medium": "email"}
                events.append(("message_handed_over", at + timedelta(minutes=1), confirmed))
                break
        lives.append(Seed(declared, status.value, at, events, sent))
    return lives


def counted_by_hand(
    lives: list[Seed], now: datetime
) -> tuple[dict[str, tuple[int, int]], dict[str, int], Counter[int]]:
    """Figures of the month (now, before), affiliations by month and status, delays in days."""
    today = now.astimezone(PARIS).date()
    this = today.replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    same = min(last.replace(day=min(today.day, 28)) + timedelta(days=max(today.day - 28, 0)), this - timedelta(days=1))
    since = date(today.year - 1, today.month, 1)
    since = (since.replace(day=28) + timedelta(days=4)).replace(day=1)
    names = {"message_handed_over": "sent"}
    moves: dict[str, list[int]] = {status: [0, 0] for status in ("sent", "started", "finalised", "abandoned")}
    months: Counter[str] = Counter()
    delays: Counter[int] = Counter()
    for life in lives:
        seen: set[str] = set()
        for kind, at, details in life.events:
            name = names.get(kind, kind)
            if name not in moves or name in seen or details.get("message") in ("confirmation", "missing_pieces"):
                continue
            seen.add(name)
            day = at.astimezone(PARIS).date()
            if (day.year, day.month) == (this.year, this.month):
                moves[name][0] += 1
            elif last <= day <= same:
                moves[name][1] += 1
        declared = life.declared_at.astimezone(PARIS).date()
        if declared >= since:
            months[f"{declared.replace(day=1)} {life.status}"] += 1
            if life.status == "finalised" and life.sent:
                ended = life.status_at.astimezone(PARIS).date()
                delays[(ended - min(life.sent).astimezone(PARIS).date()).days] += 1
    return {name: (now, before) for name, (now, before) in moves.items()}, months, delays


@pytest.mark.parametrize("seed", range(12))
async def test_the_figures_are_what_a_plain_count_says(world: World, seed: int) -> None:
    rng = random.Random(seed)
    first = datetime(2026, rng.randrange(1, 13), rng.choice((1, 2, 15, 28)), rng.randrange(24), tzinfo=PARIS)
    now = rng.choice((first, datetime(2026, 3, 31, 12, tzinfo=PARIS), datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)))
    mine, also_mine, foreign = [await world.employer() for _ in range(3)]
    lives = [random_lives(rng, now) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for employer, seeds in zip((mine, also_mine, foreign), lives, strict=True):
            await stack.enter_async_context(seeded(world, employer, seeds))
        service = FiguresService(world.web)
        for companies, own in (
            ((mine.company_id,), lives[0]),
            ((mine.company_id, also_mine.company_id), lives[0] + lives[1]),
        ):
            found = await service.overview(caller_of(*companies), now)
            moves, months, delays = counted_by_hand(own, now)
            assert {one.status.value: (one.count, one.before) for one in found.month} == moves
            assert len(found.months) == 12
            assert {
                f"{one.month} {status.value}": count
                for one in found.months
                for status, count in one.statuses.items()
                if count
            } == months
            assert found.delays == delays


async def test_no_company_has_no_figures(world: World) -> None:
    found = await FiguresService(world.web).overview(caller_of(), NOW)
    assert not any(one.count for one in found.month)
    assert not found.delays
    assert not found.to_correct


# --- « Mes contrats »


def links(page: str) -> list[tuple[str, str]]:
    return [
        (" ".join(re.sub(r"<[^>]+>", "", words).replace("\u00a0", " ").split()), address)
        for address, words in re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL)
    ]


@pytest.mark.parametrize(
    ("insurer", "name", "words"),
    [("klesia", "KLESIA", "Numéro entreprise"), ("malakoff_humanis", "MALAKOFF HUMANIS", "Numéro d’adhérent")],
)
async def test_a_contract_is_named_in_the_words_of_its_insurer(
    place: Place, insurer: str, name: str, words: str
) -> None:
    await place.world.run("UPDATE company SET insurer = $2 WHERE id = $1", place.employer.company_id, insurer)
    page = await place.web.open("/contrats")
    assert name in page
    assert f"<dt>{words}</dt>" in page
    assert place.employer.siret in page
    address = f"/salaries/pre-affiliation?siret={place.employer.siret}"
    assert any(to == address and words.startswith("Pré-affilier un salarié de") for words, to in links(page))
    assert "Rechercher" not in page, "one establishment is found without a search"


async def test_a_closed_establishment_is_marked_and_takes_nobody(place: Place) -> None:
    await place.world.run(
        "UPDATE establishment SET closed_on = '2026-01-31' WHERE company_id = $1", place.employer.company_id
    )
    page = await place.web.open("/contrats")
    assert "Fermé" in page
    assert "depuis le 31 janvier 2026" in page.replace("\u00a0", " ")
    assert f"siret={place.employer.siret}" not in page


async def test_many_establishments_are_searched_and_shown_page_by_page(place: Place) -> None:
    sirets = [synthetic_siret(place.employer.siren, number) for number in range(2, 62)]
    await place.world.run(
        "INSERT INTO establishment (company_id, siret, name, postcode, city)"
        " SELECT $1, siret, 'AUBERGE ' || siret, '33000', 'BORDEAUX' FROM unnest($2::text[]) AS siret",
        place.employer.company_id,
        sirets,
    )
    await place.world.run("UPDATE establishment SET name = 'L’ÉTAPE D’OR' WHERE siret = $1", sirets[7])
    page = await place.web.open("/contrats")
    assert page.count("Pré-affilier un salarié<span") == 50
    await place.web.follow("Page suivante")
    assert place.web.page.text.count("Pré-affilier un salarié<span") == 11
    for asked in ("l'etape d'or", sirets[7], f"{sirets[7][:9]} {sirets[7][9:]}"):
        page = (await place.web.http.get("/contrats", params={"q": asked}, headers=SAME_ORIGIN)).text
        assert page.count("Pré-affilier un salarié<span") == 1, asked
        assert "L’ÉTAPE D’OR" in page
    page = await place.web.open("/contrats?q=%3Cb%3Enulle+part")
    assert "Aucun établissement ne correspond" in page
    assert "<b>" not in page
    assert "&lt;b&gt;nulle part" in page
    await place.web.open("/contrats?page=9")
    assert place.web.page.status_code == 404


def test_what_is_searched_is_found_however_it_is_written() -> None:
    assert holds("", "quoi que ce soit")
    assert holds("hotel", "HÔTEL DU PORT")
    assert holds("999 000 417", "99900041700017")
    assert not holds("port royal", "HÔTEL DU PORT")


def test_a_company_without_an_establishment_is_listed_too() -> None:
    company = CompanyView(
        id=UUID(int=1), siren="999000417", name="A", insurer="klesia", insurer_reference="K", emits_dsn=True,
        establishments=0,
    )  # fmt: skip
    other = company.model_copy(update={"siren": "999000425", "name": "B"})
    place = EstablishmentView(
        id=UUID(int=2), siren="999000425", siret="99900042500011", name="B", postcode="75011", city="PARIS",
        closed_on=None,
    )  # fmt: skip
    assert found_contracts([company, other], [place], "") == [(company, None), (other, place)]
    assert found_contracts([company, other], [place], "B") == [(other, place)]


# --- the company one works for


async def test_an_accountant_chooses_one_company_and_all_of_them_again(
    accountant: tuple[list[Employer], TestUser, Browsing], world: World
) -> None:
    (first, second), _, web = accountant
    name = await company_name(world, first)
    await web.open("/espace")
    await web.follow("Changer d’entreprise")
    assert "toutes vos entreprises" in web.page.text
    page = await web.press(f"Travailler pour {name}")
    assert web.path == "/espace"
    assert re.search(rf'role="status">.*maintenant pour <strong>{name}</strong>', page)
    page = await web.open("/contrats")
    assert first.siret in page
    assert second.siret not in page
    page = await web.open("/entreprises")
    assert "Votre choix actuel" in page
    assert f"Travailler pour {name}" not in page
    page = await web.press("Travailler pour toutes mes entreprises")
    assert "maintenant pour <strong>toutes vos entreprises</strong>" in page
    assert second.siret in await web.open("/contrats")


async def test_nobody_works_for_a_company_of_others(
    accountant: tuple[list[Employer], TestUser, Browsing], world: World
) -> None:
    _, _, web = accountant
    elsewhere = await world.employer()
    await web.open("/entreprises")
    token = web.value("csrf")
    for siren in (elsewhere.siren, "123456789", "x" * 300):
        answer = await web.http.post("/entreprises/choix", data={"csrf": token, "siren": siren}, headers=SAME_ORIGIN)
        assert answer.status_code == 404, siren
    assert "toutes vos entreprises" in await web.open("/entreprises")


@pytest.mark.parametrize("form", ["/salaries/pre-affiliation", "/profil/nom"])
async def test_a_page_left_open_on_another_company_writes_nothing(
    accountant: tuple[list[Employer], TestUser, Browsing], world: World, form: str
) -> None:
    (first, second), me, web = accountant
    await web.open("/entreprises")
    await web.press(f"Travailler pour {await company_name(world, first)}")
    await web.open(form)
    old = web.value("csrf")
    await web.open("/entreprises")
    await web.press(f"Travailler pour {await company_name(world, second)}")
    before = await world.run("SELECT first_name FROM portal_user WHERE id = $1", me.id)
    data = {"csrf": old, "siret": first.siret, "first_name": "Autre", "last_name": "Nom"}
    answer = await web.http.post(form, data=data, headers={**SAME_ORIGIN, "Accept": "text/html"})
    assert answer.status_code == 409
    assert "Vous avez changé d’entreprise" in answer.text
    assert "Rien n’a été" in answer.text
    assert await world.run("SELECT first_name FROM portal_user WHERE id = $1", me.id) == before
    assert not await world.run("SELECT 1 FROM affiliation WHERE company_id = $1", first.company_id)


async def test_one_company_leaves_nothing_to_choose(place: Place) -> None:
    page = await place.web.open("/entreprises")
    assert "Travailler pour" not in page
    assert place.employer.siren in page


async def test_a_chosen_company_that_was_taken_away_leads_to_the_others(
    accountant: tuple[list[Employer], TestUser, Browsing], world: World
) -> None:
    (first, _), me, web = accountant
    await web.open("/entreprises")
    await web.press(f"Travailler pour {await company_name(world, first)}")
    await world.run(
        "UPDATE membership SET revoked_at = now() WHERE user_id = $1 AND company_id = $2", me.id, first.company_id
    )
    page = await web.open("/espace")
    assert "ne vous est plus ouverte" in page
    await web.follow("Changer d’entreprise")
    assert first.siren not in web.page.text


# --- in a real browser


LONG = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"
LONG_COMPANY = "SOCIÉTÉ D’EXPLOITATION DES HÔTELS-RESTAURANTS DE LA CÔTE-SAINT-ANDRÉ-ET-ENVIRONS"


async def test_every_page_is_accessible_and_fits(world: World, served: Served, browser: Browser) -> None:
    full, other, empty = [await world.employer() for _ in range(3)]
    await world.run("UPDATE company SET name = $2 WHERE id = $1", full.company_id, LONG_COMPANY)
    me = await add_user(world, {one.company_id: Role.administrator for one in (full, other)})
    new = await add_user(world, {empty.company_id: Role.administrator})
    nobody = await add_user(world)
    await add_recovery(world, full, first_name="Claude", last_name=LONG)
    rng = random.Random(7)
    seeds = [replace(one, last_name=LONG) for one in random_lives(rng, NOW - timedelta(days=1))]
    seeds += [unreachable(LONG) for _ in range(MOST_TO_CORRECT + 1)]
    for number in range(2, 14):
        await world.run(
            "INSERT INTO establishment (company_id, siret, name, postcode, city, closed_on)"
            " VALUES ($1, $2, $3, '38260', 'LA CÔTE-SAINT-ANDRÉ', $4)",
            full.company_id,
            synthetic_siret(full.siren, number),
            LONG_COMPANY,
            date(2026, 1, 31) if number % 5 == 0 else None,
        )
    looks = [
        Look("home", me, "/espace?fait=entreprise"),
        Look("new", new, "/espace"),
        Look("no company", nobody, "/espace"),
        Look("contracts", me, "/contrats"),
        Look("no contract found", me, "/contrats?q=nulle+part"),
        Look("no contract", nobody, "/contrats"),
        Look("companies", me, "/entreprises"),
        Look("no companies", nobody, "/entreprises"),
        Look("notifications", me, "/notifications"),
        Look("no notification", new, "/notifications"),
    ]
    async with seeded(world, full, seeds):
        assert not await looked_at(browser, world, served, looks, unfolded=True)


async def test_without_scripts_the_data_of_a_chart_opens(world: World, served: Served, browser: Browser) -> None:
    employer = await world.employer()
    me = await add_user(world, {employer.company_id: Role.member})
    finalised = Seed(NOW - HOUR, "finalised", NOW, [("finalised", NOW, {"channel": "online"})], [NOW - HOUR])
    async with (
        seeded(world, employer, [finalised]),
        looking(browser, "light", 390, java_script_enabled=False) as context,
    ):
        page = await context.new_page()
        await arrive(page, world, served, Look("home", me, "/espace"))
        table = page.get_by_role("region", name="Affiliations par mois de déclaration")
        assert not await table.is_visible()
        await page.get_by_text("Voir les données").first.click()
        assert await table.is_visible()
        assert await table.locator("tbody tr").count() == 12
        drawing = page.get_by_role("img", name="Affiliations par mois de déclaration")
        box = await drawing.bounding_box()
        assert box is not None
        assert 250 < box["width"] < 390
