"""« Exporter » as pages: what is on the screen as a file, a code before it, and the page of what takes longer."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import openpyxl
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role
from services import exports as service
from services.sheets import SheetForm
from tests.exporting import add_job
from tests.insuring import add_insured
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, Place, browsing, looked_at, placed
from tests.users import add_user
from tests.world import World

LIST, EXPORTS = "/salaries/affilies", "/salaries/affilies/exports"


@pytest.fixture(scope="module")
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as found:
        for name in ("Lefèvre", "Nguyễn", "Abel"):
            await add_insured(world, found.employer, last_name=name)
        yield found


async def got(place: Browsing, button: str) -> bytes:
    """What a button of the page gives: a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Browsing, "_check", lambda _: None)  # it is no page
        await place.press(button)
    assert place.page.status_code == 200, place.page.text
    return place.page.content


def names(content: bytes) -> list[str]:
    rows = openpyxl.load_workbook(io.BytesIO(content))["Salariés affiliés"].iter_rows(min_row=2, values_only=True)
    return [str(row[4]) for row in rows]


async def test_one_click_gives_what_is_on_the_screen(place: Place) -> None:
    await place.web.open(f"{LIST}?tri=-nom")
    assert names(await got(place.web, "Exporter")) == ["Nguyễn", "Lefèvre", "Abel"]
    assert place.web.page.headers["content-type"] == SheetForm.xlsx.media_type
    await place.web.open(f"{LIST}?assure=lefevre")
    assert (await got(place.web, "CSV")).count(b"\r\n") == 2
    assert place.web.page.headers["content-type"].startswith("text/csv")


async def test_a_code_is_asked_for_first_and_what_was_on_the_screen_waits_for_it(place: Place) -> None:
    world = place.world
    async with browsing(place.app, world, place.me, stepped_up=False) as web:
        await web.open(f"{LIST}?assure=lefevre")
        await web.press("Exporter")
        assert web.page.url.path == "/connexion/confirmer"
        kept = web.page.url.params["suite"]
        await world.run(
            "UPDATE portal_session SET stepped_up_at = now() WHERE user_id = $1 AND stepped_up_at IS NULL", place.me.id
        )
        page = await web.open(kept)
        assert "nom «\u00a0lefevre\u00a0»" in page
        assert "numéros de sécurité sociale complets" in page
        assert names(await got(web, "Obtenir le fichier")) == ["Lefèvre"]
    async with browsing(place.app, world, await add_user(world, {place.employer.company_id: Role.member})) as other:
        await other.open(kept)
        assert other.page.status_code == 404


async def test_what_takes_longer_is_shown_with_how_far_it_is_until_it_can_be_downloaded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "AT_ONCE", 1)
    user = await add_user(place.world, {place.employer.company_id: Role.member})
    async with browsing(place.app, place.world, user) as web:
        assert "Aucun export pour le moment" in await web.open(EXPORTS)
        await web.open(LIST)
        page = await web.press("Exporter")
        assert "L’export est en préparation" in page
        [row] = await place.world.run("SELECT id FROM export_job WHERE user_id = $1", user.id)
        handle = place.world.client.get_workflow_handle(f"export/{row['id']}")
        await place.world.temporal.fast_forward(handle, timedelta(seconds=1))
        page = await web.open(EXPORTS)
        assert "Prêt" in page
        assert "3 lignes" in page
        assert "hx-get" not in page, "nothing is looked at again"
        file = await web.http.get(f"{EXPORTS}/{row['id']}/fichier")
        assert f'href="{EXPORTS}/{row["id"]}/fichier"' in page
        assert names(file.content) == ["Abel", "Lefèvre", "Nguyễn"]


async def test_one_under_way_is_looked_at_again_by_itself_and_by_a_link(place: Place) -> None:
    user = await add_user(place.world, {place.employer.company_id: Role.member})
    job_id = await add_job(place.world, user.id, [place.employer.company_id])
    await place.world.run(
        "UPDATE export_job SET state = 'running', rows_done = 12000, rows_total = 50000 WHERE id = $1", job_id
    )
    async with browsing(place.app, place.world, user) as web:
        page = await web.open(EXPORTS)
        assert re.search(r'hx-get="/salaries/affilies/exports"', page)
        assert "12\u202f000 lignes sur 50\u202f000" in page
        assert "Regarder de nouveau où il en est" in page
        part = await web.http.get(EXPORTS, headers={"HX-Request": "true"})
        assert "<html" not in part.text
        assert "12\u202f000 lignes sur 50\u202f000" in part.text


@pytest.mark.parametrize("form", ["", "pdf", "zip"])
async def test_a_form_that_no_page_sends_is_not_found(place: Place, form: str) -> None:
    page = await place.web.open(LIST)
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token
    answer = await place.web.http.post(EXPORTS, data={"csrf": token.group(1), "fichier": form})
    assert answer.status_code == 404


async def test_the_pages_are_accessible_on_every_screen(place: Place, browser: Browser, served: Served) -> None:
    world, rights = place.world, {place.employer.company_id: Role.member}
    user, empty = await add_user(world, rights), await add_user(world, rights)
    for state in ("running", "done", "failed"):
        job_id = await add_job(world, user.id, [place.employer.company_id])
        await world.run(
            "UPDATE export_job SET state = $2, rows_done = 12000, rows_total = 50000, object_key = $3,"
            " expires_at = CASE WHEN $2 = 'done' THEN now() + interval '1 day' END WHERE id = $1",
            job_id,
            state,
            f"{state}/{job_id}" if state == "done" else None,
        )
    looks = [Look("exports", user, EXPORTS), Look("none yet", empty, EXPORTS)]
    wrong = await looked_at(browser, world, served, looks)
    assert not wrong, "\n".join(one[:230] for one in wrong)
