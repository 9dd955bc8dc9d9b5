"""Staff's home, work list and search as pages, over HTTP without scripts, and every page of the desk in a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.desk import DAYS, Lateness, Work, due_on, lateness
from domain.rights import Role, StaffRole
from domain.working_time import PARIS
from tests.enrolling import family, waived
from tests.portal.conftest import Served
from tests.portal.desk_files import Desk, at_desk, path_of, reference
from tests.portal.signed_in import Look, browsing, looked_at
from tests.portal.test_browser import LONG
from tests.users import add_user
from tests.world import Life, World

TO_DO = "/gestion/a-traiter"
SEARCH = "/gestion/dossiers"


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


async def waits(desk: Desk, life: Life, reason: str, days: float) -> None:
    """As if it had been waiting for so many days."""
    await desk.world.run(
        "UPDATE affiliation SET attention = $2, attention_since = now() - make_interval(secs => $3) WHERE id = $1",
        life.id,
        reason,
        days * 86400,
    )


async def checking_since(desk: Desk, life: Life, days: float) -> None:
    await desk.world.run(
        "UPDATE enrolment SET checking_since = now() - make_interval(secs => $2) WHERE affiliation_id = $1",
        life.id,
        days * 86400,
    )


# --- due dates


@pytest.mark.parametrize(
    ("work", "since", "due"),
    [
        (Work.doubt, "2026-11-23 10:00", "2026-11-23"),
        (Work.doubt, "2026-11-23 18:30", "2026-11-24"),
        (Work.check, "2026-11-20 17:59", "2026-11-24"),  # a Friday
        (Work.check, "2026-11-21 10:00", "2026-11-25"),  # a Saturday
        (Work.check, "2026-11-10 10:00", "2026-11-13"),  # the 11th is no working day
        (Work.unreachable, "2026-12-24 10:00", "2026-12-28"),
    ],
)
def test_a_due_date_counts_working_days_from_the_one_on_which_it_began_to_wait(
    work: Work, since: str, due: str
) -> None:
    moment = datetime.fromisoformat(since).replace(tzinfo=PARIS)
    assert due_on(work, moment).isoformat() == due


def test_what_has_waited_longer_is_never_due_later() -> None:
    began = datetime(2026, 12, 18, tzinfo=UTC)
    for work in Work:
        dates = [due_on(work, began + timedelta(hours=hour)) for hour in range(24 * 20)]
        assert dates == sorted(dates)
        assert DAYS[work] >= 0
    today = began.date()
    assert [lateness(today + timedelta(days=n), today) for n in (-1, 0, 1)] == list(Lateness)


# --- the home and the work list


async def test_the_home_says_what_waits_and_leads_to_it(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    await checking_since(desk, life, 20)
    page = await desk.web.open("/gestion")
    assert "en retard" in page
    assert "Première échéance" in page
    assert "Ancienneté de ce qui attend" in page
    assert "Messages des 30 derniers jours" in page
    page = await desk.web.follow("Documents à vérifier")
    assert desk.web.path == TO_DO
    assert path_of(life) in page
    assert '<tr role="row" class="late">' in page


async def test_the_list_is_by_due_date_across_kinds_and_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.world.run("UPDATE affiliation SET attention = NULL, attention_since = NULL WHERE attention IS NOT NULL")
    await desk.world.run("UPDATE enrolment SET checking = false, checking_since = NULL WHERE checking")
    lives = [await desk.declared() for _ in range(4)]
    for life, reason, days in zip(
        lives, ("uncertain", "pieces_overdue", "refused", "unreachable_for_pieces"), (15, 40, 30, 25), strict=True
    ):
        await waits(desk, life, reason, days)
    checked = await desk.sent_in("rib")
    await checking_since(desk, checked, 50)
    monkeypatch.setattr("portal.desk.LISTED", 2)
    shown = []
    page = await desk.web.open(TO_DO)
    for _ in range(3):
        shown += re.findall(r'<a href="/gestion/dossiers/([0-9a-f-]{36})"', page)
        if "Page suivante" in page:
            page = await desk.web.follow("Page suivante")
    assert shown == [str(life.id) for life in (checked, lives[1], lives[2], lives[3], lives[0])]
    page = await desk.web.open(f"{TO_DO}?sorte=refused")
    assert re.findall(r'<a href="/gestion/dossiers/([0-9a-f-]{36})"', page) == [str(lives[2].id)]
    assert "Envoi refusé" in desk.web.title
    await desk.web.open(f"{TO_DO}?apres=n-importe-quoi")
    assert desk.web.path == TO_DO


async def test_one_file_leads_to_the_next_without_the_list(desk: Desk) -> None:
    await desk.world.run("UPDATE affiliation SET attention = NULL, attention_since = NULL WHERE attention IS NOT NULL")
    await desk.world.run("UPDATE enrolment SET checking = false, checking_since = NULL WHERE checking")
    lives = [await desk.declared() for _ in range(3)]
    for life, days in zip(lives, (30, 20, 10), strict=True):
        await waits(desk, life, "pieces_overdue", days)
    async with at_desk(desk.app, desk.world) as colleague:
        await desk.world.run(
            "INSERT INTO desk_assignment (affiliation_id, user_id) VALUES ($1, $2)", lives[1].id, colleague.me.id
        )
    await desk.web.open(path_of(lives[0]))
    await desk.web.follow("Dossier suivant")
    assert desk.web.path == path_of(lives[2]), "the second one is a colleague's"
    await desk.web.follow("Dossier suivant")
    assert desk.web.path == path_of(lives[0])
    await desk.world.run("UPDATE affiliation SET attention = NULL, attention_since = NULL WHERE attention IS NOT NULL")
    await desk.web.follow("Dossier suivant")
    assert desk.web.path == TO_DO


async def test_an_empty_list_says_that_all_is_done(desk: Desk) -> None:
    await desk.world.run("UPDATE affiliation SET attention = NULL, attention_since = NULL WHERE attention IS NOT NULL")
    await desk.world.run("UPDATE enrolment SET checking = false, checking_since = NULL WHERE checking")
    assert "Rien à traiter" in await desk.web.open(TO_DO)
    assert "Rien à traiter" in await desk.web.open("/gestion")


async def test_a_file_is_taken_released_and_taken_over(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    await checking_since(desk, life, 400)  # the first of the list
    await desk.web.open(f"{TO_DO}?sorte=check")
    page = await desk.web.press("Je m’en occupe")
    assert "vos collègues le voient" in page
    assert desk.web.path == TO_DO
    page = await desk.web.follow("Mes dossiers")
    assert path_of(life) in page
    async with at_desk(desk.app, desk.world) as colleague:
        await desk.world.run("UPDATE portal_user SET first_name = 'Ambre' WHERE id = $1", desk.me.id)
        page = await colleague.web.open(path_of(life))
        assert "Ambre Essai s’en occupe" in page
        page = await colleague.web.press("Reprendre ce dossier")
        assert "Vous vous en occupez" in page
        await desk.web.open(path_of(life))
        assert "Vous vous en occupez" not in desk.web.page.text
        await colleague.web.press("Libérer ce dossier")
        assert "Je m’en occupe" in colleague.web.page.text
    assert not await desk.world.run("SELECT FROM desk_assignment WHERE affiliation_id = $1", life.id)


async def test_two_who_press_at_once_do_not_take_the_same_file(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    await checking_since(desk, life, 400)
    await desk.web.open(path_of(life))
    async with at_desk(desk.app, desk.world) as colleague:
        await colleague.web.open(path_of(life))
        await colleague.web.press("Je m’en occupe")
    page = await desk.web.press("Je m’en occupe")
    assert "Un collègue vient de prendre ce dossier" in page


# --- finding a file


async def test_a_file_is_found_by_its_reference_as_it_is_printed(desk: Desk) -> None:
    life = await desk.declared()
    await desk.web.open("/gestion")
    for typed in (reference(life), reference(life).replace(" ", "").lower(), f"  {reference(life)} "):
        await desk.web.fill({"q": typed}).http.get("/gestion")
        await desk.web.open(f"{SEARCH}?q={typed.replace(' ', '+')}")
        assert desk.web.path == path_of(life)
    assert ("data.viewed", "reference") in await desk.audited(life)
    assert "Aucun dossier trouvé" in await desk.web.open(f"{SEARCH}?q=0000+0000+0000")


async def test_a_file_is_found_by_name_siren_and_siret(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"Quévenaz-{uuid4().hex[:8]}"
    lives = [await desk.declared(last_name="".join(c for c in name if not c.isdigit())) for _ in range(2)]
    siren = desk.employer.siren
    for words in (siren, f"{siren[:3]}+{siren[3:6]}+{siren[6:]}", desk.employer.siret, "quevenaz", "CAMILLE+quévenaz"):
        page = await desk.web.open(f"{SEARCH}?q={words}")
        assert all(path_of(life) in page for life in lives), words
    monkeypatch.setattr("portal.desk_file.LISTED", 1)
    first = await desk.web.open(f"{SEARCH}?q={siren}")
    second = await desk.web.follow("Page suivante")
    assert [path_of(lives[1]) in first, path_of(lives[0]) in first] == [True, False]
    assert path_of(lives[0]) in second
    assert "Aucun dossier trouvé" in await desk.web.open(f"{SEARCH}?q=Personne+de+ce+nom")


async def test_too_little_is_told_with_an_example(desk: Desk) -> None:
    page = await desk.web.open(f"{SEARCH}?q=ab")
    assert desk.web.page.status_code == 422
    assert 'href="#q"' in page
    assert "par exemple Martin" in page


async def test_a_social_security_number_is_looked_for_without_an_address(desk: Desk) -> None:
    declaration = desk.world.declaration(desk.employer)
    life = await desk.declared(**declaration["employee"])
    nir = declaration["employee"]["nir"]
    page = await desk.web.open(f"{SEARCH}?q={nir}")
    assert desk.web.page.status_code == 422
    assert nir not in page
    assert "dans le champ prévu" in page
    desk.web.fill({"nir": f"{nir[:1]} {nir[1:]}"})
    page = await desk.web.press("Chercher ce numéro")
    assert path_of(life) in page
    assert nir not in page
    assert ("data.viewed", "nir") in await desk.audited(life)
    page = await desk.web.fill({"nir": "12"}).press("Chercher ce numéro")
    assert 'href="#nir"' in page
    await desk.web.open(f"{SEARCH}/nir")
    assert desk.web.path == SEARCH


async def test_whoever_reads_too_much_is_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    life = await desk.declared()
    await desk.web.open(path_of(life))
    monkeypatch.setattr("services.audit_trail.FILES_PER_HOUR", 1)
    for path in (path_of(life), f"{SEARCH}?q=Martin"):
        await desk.web.open(path)
        assert desk.web.page.status_code == 429


async def test_employers_and_strangers_get_nothing(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    [document] = await desk.world.run("SELECT id FROM document WHERE affiliation_id = $1", life.id)
    paths = ("/gestion", TO_DO, SEARCH, path_of(life), f"/gestion/documents/{document['id']}")
    administrator = await add_user(desk.world, {desk.employer.company_id: Role.administrator})
    async with browsing(desk.app, desk.world, administrator) as web:
        for path in paths:
            page = await web.open(path)
            assert web.page.status_code == 403, path
            assert "Camille" not in page
    desk.web.http.cookies.clear()
    for path in paths:
        await desk.web.open(path)
        assert desk.web.path == "/gestion/connexion"


# --- in a browser


@pytest.fixture(scope="module")
async def looks(app: FastAPI, world: World) -> list[Look]:
    async with at_desk(app, world, StaffRole.super) as desk:
        me, reads = desk.me, await add_user(world, staff=[StaffRole.read])
        nobody = await add_user(world, staff=[StaffRole.write])
        long = {"last_name": LONG[:60], "birth_name": LONG[:60]}
        checked = await desk.sent_in("rib", "social_security_certificate", answers=family(), **long)
        missing = await desk.sent_in(answers=waived(waiver_proof="document"))
        late, doubtful, open_ = [await desk.declared() for _ in range(3)]
        await waits(desk, late, "pieces_overdue", 30)
        await waits(desk, doubtful, "uncertain", 0.1)
        await desk.world.run(
            "INSERT INTO desk_assignment (affiliation_id, user_id) VALUES ($1, $2), ($3, $4)",
            late.id, me.id, doubtful.id, reads.id,
        )  # fmt: skip
        return [
            Look("home", me, "/gestion"),
            Look("work", me, f"{TO_DO}?fait=pris"),
            Look("work, to read", reads, TO_DO),
            Look("one kind", me, f"{TO_DO}?sorte=pieces_overdue"),
            Look("nothing taken", nobody, f"{TO_DO}?moi=oui"),
            Look("search", me, SEARCH),
            Look("found", me, f"{SEARCH}?q={desk.employer.siren}"),
            Look("not found", me, f"{SEARCH}?q=0000+0000+0000"),
            Look("wrong NIR", me, SEARCH, press="Chercher ce numéro"),
            Look("to check", me, f"{path_of(checked)}?fait=accepte"),
            Look("no reason", me, path_of(checked), press="Redemander"),
            Look("to read", reads, path_of(checked)),
            Look("missing", me, path_of(missing)),
            Look("no last day", me, path_of(missing), press="Mettre fin"),
            Look("in doubt", me, path_of(doubtful)),
            Look("taken", nobody, f"{path_of(doubtful)}?fait=deja-pris"),
            Look("open", me, path_of(open_)),
            Look("numbers", me, f"{path_of(checked)}/numeros"),
            Look("readings", me, f"{path_of(checked)}/consultations"),
            Look("references", me, "/gestion/retours-papier"),
            Look("paper", me, f"/gestion/retours-papier/{open_.id}"),
            Look("paper, wrong", me, f"/gestion/retours-papier/{open_.id}", press="Enregistrer"),
            Look("paper, arrived", me, f"/gestion/retours-papier/{checked.id}"),
        ]


async def test_every_page_of_the_desk_is_accessible_and_fits(
    looks: list[Look], world: World, served: Served, browser: Browser
) -> None:
    assert not await looked_at(browser, world, served, looks)
