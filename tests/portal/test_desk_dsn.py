"""« DSN » on staff’s desk: a file deposited, what became of it, decisions; and what the employer is told of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role, StaffRole
from tests.domain.dsn.files import contract
from tests.dsn.importing import somebody
from tests.insuring import add_insured, new_nir
from tests.portal.conftest import Served
from tests.portal.desk_files import Desk, at_desk
from tests.portal.dsn_files import file_of, imported, read_to_the_end, with_everything
from tests.portal.signed_in import Look, Place, looked_at, placed
from tests.world import Employer, World

DSN = "/gestion/dsn"
TO_CONFIRM = f"{DSN}/a-confirmer"
NEW = contract(start="13042026")


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


@pytest.fixture(scope="module")
async def busy(world: World) -> Employer:
    """A company whose file brought everything that staff look at."""
    employer = await world.employer()
    await with_everything(world, employer)
    return employer


async def change_of(world: World, employer: Employer, kind: str) -> str:
    [row] = await world.run(
        "SELECT id FROM dsn_change WHERE company_id = $1 AND kind = $2 AND state = 'proposed'",
        employer.company_id,
        kind,
    )
    return f"{TO_CONFIRM}/{row['id']}"


async def test_a_file_is_deposited_read_and_told_declaration_by_declaration(desk: Desk) -> None:
    content = await file_of(desk.world, desk.employer, somebody(new_nir()[0], NEW))
    await desk.web.open(DSN)
    page = await desk.web.press("Déposer ce fichier", ("paie.dsn", content))
    assert re.fullmatch(rf"{DSN}/[0-9a-f-]{{36}}", desk.web.path)
    assert "Le fichier est reçu" in page
    await read_to_the_end(desk.world, desk.web.path.rpartition("/")[2])
    page = await desk.web.open(desk.web.path)
    assert "Lu en entier" in page
    assert "DSN mensuelle, avril\u00a02026" in page
    assert "HÔTEL DES TESTS" in page
    assert "hx-get" not in page, "nothing is looked at again once it is over"
    assert "paie.dsn" not in page
    assert (await desk.web.http.get(f"{desk.web.path}/rapport.csv")).text.count("Prise en compte") == 1


async def test_the_same_file_again_leads_to_the_first(desk: Desk) -> None:
    content = await file_of(desk.world, desk.employer, somebody(new_nir()[0], NEW))
    import_id = await imported(desk.world, content)
    await desk.web.open(DSN)
    page = await desk.web.press("Déposer ce fichier", ("encore.dsn", content))
    assert desk.web.path == f"{DSN}/{import_id}"
    assert "déjà été déposé" in page


@pytest.mark.parametrize(
    ("file", "said"), [(None, "Choisissez un fichier"), (("vide.dsn", b""), "Ce fichier est vide")]
)
async def test_a_deposit_without_a_file_says_so_at_its_field(
    desk: Desk, file: tuple[str, bytes] | None, said: str
) -> None:
    await desk.web.open(DSN)
    page = await desk.web.press("Déposer ce fichier", file)
    assert desk.web.page.status_code == 422
    assert 'id="file-error"' in page
    assert said in page


async def test_a_refused_file_says_what_is_wrong_with_lines_and_that_nothing_was_done(desk: Desk) -> None:
    content = await file_of(desk.world, desk.employer, somebody(new_nir()[0], NEW))
    import_id = await imported(desk.world, content.rpartition(b"S90.G00.90.001")[0])
    page = await desk.web.open(f"{DSN}/{import_id}")
    assert "Rien de ce fichier n’a été pris en compte" in page
    assert re.search("Ligne \\d+\u00a0: Le fichier s’arrête avant la fin", page)
    assert "Refusé" in await desk.web.open(DSN)


async def test_what_was_set_aside_is_told_with_its_line(desk: Desk, busy: Employer) -> None:
    [row] = await desk.world.run("SELECT import_id FROM dsn_declaration WHERE company_id = $1", busy.company_id)
    page = await desk.web.open(f"{DSN}/{row['import_id']}")
    assert re.search(
        "Ligne \\d+\u00a0: Il manque une information, ou elle est illisible\u00a0: date de début du contrat", page
    )
    assert "dont 1 mis de côté" in page
    assert "PERDU" not in page
    await desk.web.open(f"{DSN}/{row['import_id']}?resultat=set_aside")
    assert "Aucune déclaration n’a ce résultat" in desk.web.page.text


async def test_the_progress_is_a_piece_of_the_page_that_looks_again(desk: Desk) -> None:
    content = await file_of(desk.world, desk.employer, somebody(new_nir()[0], NEW))
    import_id = await imported(desk.world, content)
    await desk.world.run("UPDATE dsn_import SET state = 'reading', read_to = 0 WHERE id = $1", import_id)
    page = await desk.web.open(f"{DSN}/{import_id}")
    assert f'hx-get="{DSN}/{import_id}"' in page
    piece = await desk.web.http.get(f"{DSN}/{import_id}", headers={"HX-Request": "true"})
    assert piece.text.strip().startswith('<div class="card wide flow" id="avancement"')
    assert "0 déclarations lues sur 1" in piece.text


async def test_a_change_is_shown_with_its_days_and_carried_out_once(desk: Desk) -> None:
    nir, _ = new_nir()
    coverage = await add_insured(desk.world, desk.employer, nir=nir, starts_on=date(2025, 10, 15))
    gone = contract(end="20042026", reason="058")  # prise d'acte: somebody decides
    await imported(desk.world, await file_of(desk.world, desk.employer, somebody(nir, gone)))
    await desk.web.open(await change_of(desk.world, desk.employer, "end"))
    page = desk.web.page.text
    for said in (
        "Fin de contrat le 20\u00a0avril\u00a02026",
        "Couvert jusqu’au 30\u00a0avril\u00a02026",
        "Portabilité à décider",
    ):
        assert said in page
    page = await desk.web.press("Appliquer")
    assert desk.web.page.status_code == 422
    assert "Choisissez pourquoi" in page
    address = desk.web.path
    await desk.web.fill({"accepte": "as_declared"}).press("Appliquer")
    assert desk.web.path == TO_CONFIRM
    assert "Le changement est appliqué" in desk.web.page.text
    [row] = await desk.world.run("SELECT ends_on FROM coverage WHERE id = $1", coverage)
    assert row["ends_on"] == date(2026, 4, 30)
    page = await desk.web.open(address)
    assert "n’est plus à décider" in page
    [entry] = await desk.world.run(
        "SELECT actor_id, details FROM audit_log WHERE event = 'dsn.decided' AND company_id = $1",
        desk.employer.company_id,
    )
    assert (entry["actor_id"], entry["details"]) == (str(desk.me.id), {"kind": "end", "state": "applied"})


async def test_a_refused_change_leaves_the_rights_as_they_are(desk: Desk) -> None:
    nir, _ = new_nir()
    coverage = await add_insured(desk.world, desk.employer, nir=nir, starts_on=date(2025, 10, 15))
    gone = contract(end="20042026", reason="058")
    await imported(desk.world, await file_of(desk.world, desk.employer, somebody(nir, gone)))
    await desk.web.open(await change_of(desk.world, desk.employer, "end"))
    await desk.web.fill({"refuse": "payroll_mistake"}).press("Refuser")
    assert "Le changement est refusé" in desk.web.page.text
    [row] = await desk.world.run("SELECT ends_on FROM coverage WHERE id = $1", coverage)
    assert row["ends_on"] is None


async def test_somebody_only_alike_is_put_side_by_side(desk: Desk, busy: Employer) -> None:
    page = await desk.web.open(await change_of(desk.world, busy, "end"))
    assert "Est-ce la même personne" in page
    assert page.count("SILVA") >= 2
    assert "différent" in page


async def test_the_queue_is_filtered_and_counted_and_the_home_says_how_many_wait(desk: Desk, busy: Employer) -> None:
    assert "DSN à confirmer" in (await desk.web.open("/gestion")).replace("\u00a0", " ")
    page = await desk.web.open(f"{TO_CONFIRM}?sorte=suspended")
    assert "Congé sabbatique à partir du 1er\u00a0avril\u00a02026 jusqu’au 31\u00a0décembre\u00a02026" in page
    assert "Sabine" in page
    await desk.web.open(f"{TO_CONFIRM}?apres=nothing-of-ours")
    assert desk.web.path == TO_CONFIRM


async def test_who_only_reads_sees_and_cannot_decide_or_deposit(app: FastAPI, world: World, busy: Employer) -> None:
    async with at_desk(app, world, StaffRole.read) as desk:
        assert "Déposer ce fichier" not in await desk.web.open(DSN)
        page = await desk.web.open(await change_of(world, busy, "suspended"))
        assert "un gestionnaire décide" in page
        assert "Appliquer" not in page


# --- what the DSN says to the employer


@pytest.fixture
async def mine(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as place:
        yield place


HIRES = "/salaries/pre-affiliation/dsn"


async def hired(place: Place, name: str = "NOUVEAU") -> None:
    people = somebody(new_nir()[0], NEW, name=name, first_names="Lucas")
    await imported(place.world, await file_of(place.world, place.employer, people))


async def test_a_hire_that_nobody_pre_affiliated_is_proposed_to_the_employer_with_the_form_begun(mine: Place) -> None:
    await hired(mine)
    assert "Une personne déclarée en DSN" in await mine.web.open("/espace")
    page = await mine.web.follow("La pré-affilier")
    assert "Lucas NOUVEAU" in page
    page = await mine.web.press("Pré-affilier")
    assert "Prérempli avec votre DSN" in page
    assert 'value="NOUVEAU"' in page
    assert 'value="13/04/2026"' in page
    assert "NOUVEAU" not in str(mine.web.page.url)
    answers = {
        "line1": "12 rue des Essais", "postcode": "75011", "city": "Paris", "email": "lucas@exemple.fr",
    }  # fmt: skip
    await mine.web.fill(answers).press("Continuer")
    await mine.web.press("Confirmer et envoyer")
    assert mine.web.path.endswith("/faite"), mine.web.page.text[:4000]
    [row] = await mine.world.run(
        "SELECT state, affiliation_id FROM hire_proposal WHERE company_id = $1", mine.employer.company_id
    )
    assert row["state"] == "declared"
    assert str(row["affiliation_id"]) in mine.web.path
    assert "déclarée en DSN" not in await mine.web.open("/espace")


async def test_a_proposal_is_put_aside_with_a_reason(mine: Place) -> None:
    await hired(mine)
    await mine.web.open(HIRES)
    page = await mine.web.press("Écarter")
    assert mine.web.page.status_code == 422
    assert "Choisissez pourquoi" in page
    page = await mine.web.fill({"reason": "left"}).press("Écarter")
    assert "ne vous sera plus proposée" in page
    assert "Personne en attente" in page
    [row] = await mine.world.run(
        "SELECT state, reason FROM hire_proposal WHERE company_id = $1", mine.employer.company_id
    )
    assert (row["state"], row["reason"]) == ("dismissed", "left")


async def test_another_companys_proposal_is_not_there(mine: Place, app: FastAPI, world: World) -> None:
    await hired(mine)
    [row] = await world.run("SELECT id FROM hire_proposal WHERE company_id = $1", mine.employer.company_id)
    async with placed(Place, app, world, Role.administrator) as other:
        assert "NOUVEAU" not in await other.web.open(HIRES)
        form = await mine.web.open(HIRES)
        assert str(row["id"]) in form
        await hired(other, "AUTRE")
        page = await other.web.open(HIRES)
        [own] = await world.run("SELECT id FROM hire_proposal WHERE company_id = $1", other.employer.company_id)
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token
        for path in (f"{HIRES}/{row['id']}", f"{HIRES}/{row['id']}/ecart"):
            answer = await other.web.http.post(path, data={"csrf": token[1], "reason": "left"})
            assert answer.status_code == 404
        answer = await other.web.http.post(f"{HIRES}/{own['id']}", data={"csrf": token[1]})
        assert answer.status_code == 200


# --- in a real browser


async def test_every_page_can_be_used_by_everybody(
    browser: Browser, world: World, served: Served, desk: Desk, busy: Employer, mine: Place
) -> None:
    await hired(mine)
    [row] = await world.run("SELECT import_id FROM dsn_declaration WHERE company_id = $1", busy.company_id)
    looks = [
        Look("DSN", desk.me, DSN, press="Déposer ce fichier"),
        Look("one file", desk.me, f"{DSN}/{row['import_id']}"),
        Look("to confirm", desk.me, TO_CONFIRM),
        Look("one change", desk.me, await change_of(world, busy, "end"), press="Refuser"),
        Look("hires", mine.me, HIRES, press="Écarter"),
    ]
    assert await looked_at(browser, world, served, looks, unfolded=True) == []
