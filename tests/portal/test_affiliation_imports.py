"""« Plusieurs salariés à la fois » as pages: a table given, repaired row by row, confirmed in part, followed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from activities.contracts.affiliation_imports import RowState
from domain.rights import Role
from messages.import_words import IMPORT_STATES, ROW_MEANS, ROW_STATES
from portal import affiliation_imports as pages
from tests.importing import row_of, table, until_over
from tests.portal import signed_in
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, browsing, enter, looked_at, placed
from tests.portal.test_browser import looking
from tests.users import add_user
from tests.world import World

IMPORTS = "/salaries/pre-affiliation/imports"
LOST = "1,85057E+14"


class Place(signed_in.Place):
    def rows(self, *changes: dict[str, str]) -> list[dict[str, str]]:
        """As many people, each with what is changed of them."""
        return [row_of(self.world.declaration(self.employer), **one) for one in changes]

    async def pasted(self, rows: list[dict[str, str]]) -> str:
        await self.web.open(IMPORTS)
        text = table(rows).decode().replace(";", "\t")
        return await self.web.fill({"text": text}).press("Vérifier ce tableau")

    @property
    def import_id(self) -> UUID:
        found = re.search(rf"{IMPORTS}/([0-9a-f-]{{36}})", self.web.path)
        assert found, self.web.path
        return UUID(found.group(1))

    async def declared(self) -> int:
        sql = "SELECT count(*) AS n FROM affiliation WHERE company_id = $1"
        return int((await self.world.run(sql, self.employer.company_id))[0]["n"])


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as one:
        yield one


async def test_a_table_is_pasted_repaired_confirmed_in_part_and_has_no_effect_twice(place: Place) -> None:
    web = place.web
    await web.open("/salaries/pre-affiliation")
    await web.follow("Déclarer plusieurs salariés")
    assert web.path == IMPORTS
    rows = place.rows({}, {"nir": LOST}, {})
    good = rows[1] | {"nir": row_of(place.world.declaration(place.employer))["nir"]}
    rows = [*rows, rows[0]]
    page = await place.pasted(rows)
    one = f"{IMPORTS}/{place.import_id}"
    assert "Le fichier est lu. Rien n’est envoyé" in page
    assert "2 lignes partiront" in page
    for state in (RowState.new, RowState.invalid, RowState.skipped):
        assert ROW_STATES[state] in page
    # repaired in place: what still does not go is told at its field, what was typed is kept
    page = await web.follow("Corriger la ligne")
    assert LOST in page
    page = await web.fill({"nir": "123"}).press("Enregistrer")
    assert web.page.status_code == 422
    assert web.title.startswith("Erreur")
    assert 'href="#nir"' in page
    assert 'id="nir-error"' in page
    assert web.value("nir") == "123"
    page = await web.fill({"nir": good["nir"], "birth_date": "31/02/1990"}).press("Enregistrer la ligne")
    assert 'id="birth_date-error"' in page
    day = "/".join(reversed(good["birth_date"].split("-")))
    page = await web.fill({"birth_date": day}).press("Enregistrer la ligne")
    assert web.path == one, page
    assert "La ligne est corrigée" in page
    assert "Il n’y a plus rien à corriger" in page
    # one of them is left out
    assert "3 lignes partiront" in await web.open(one)
    page = await web.fill({"ligne-4": "non"}).press("Continuer")
    assert web.path == f"{one}/confirmation"
    assert "2 lignes partent" in page
    assert "2 e-mails" in page
    assert await place.declared() == 0
    page = await web.press("Confirmer et envoyer")
    assert "C’est confirmé" in page
    await until_over(place.world, place.import_id)
    page = await web.open(one)
    assert "2 personnes sont pré-affiliées" in page
    assert page.count(ROW_STATES[RowState.started]) >= 2
    assert await place.declared() == 2
    piece = await web.http.get(one, headers={"HX-Request": "true"})
    assert piece.headers["HX-Refresh"] == "true", "what moved has ended: the rest of the page is shown anew"
    report = await web.http.get(f"{one}/rapport.xlsx")
    assert report.content[:2] == b"PK"
    assert report.headers["content-disposition"].startswith("attachment")
    # the same again
    page = await place.pasted(rows)
    assert "Ce contenu a déjà été donné" in page
    assert ROW_STATES[RowState.running] in page
    other = await add_user(place.world, {place.employer.company_id: Role.member})
    async with browsing(place.app, place.world, other) as colleague:
        for path in ("", "/colonnes", "/lignes/2", "/confirmation", "/rapport.xlsx"):
            answer = await colleague.http.get(one + path)
            assert answer.status_code == 404, f"{path}: an import is its user's"


async def test_what_cannot_be_read_is_told_at_the_field_and_kept(place: Place) -> None:
    web = place.web
    for file, said in ((None, "Choisissez un fichier"), (("vide.xlsx", b""), "vide"), (("a.pdf", b"%PDF-1.7"), "xlsx")):
        await web.open(IMPORTS)
        page = await web.press("Vérifier ce fichier", file)
        assert web.page.status_code == 422, file
        assert 'id="file-error"' in page
        assert said in page
    page = await web.fill({"text": " "}).press("Vérifier ce tableau")
    assert web.page.status_code == 422
    assert 'id="text-error"' in page
    template = await web.http.get(f"{IMPORTS}/modele.xlsx")
    await web.open(IMPORTS)
    page = await web.press("Vérifier ce fichier", ("modele.xlsx", template.content))
    assert web.page.status_code == 422, "our examples are nobody"
    content = table(place.rows({}))
    page = await web.press("Vérifier ce fichier", ("a <b>.csv", content))
    assert "<h1>a &lt;b&gt;.csv</h1>" in page
    page = await web.press("Abandonner cet import")
    assert IMPORT_STATES["cancelled"] in page


async def test_columns_that_nobody_knows_are_told_once(place: Place) -> None:
    [row] = place.rows({})
    text = "Alpha\tBêta\tGamma\n" + "\t".join(row[name] for name in ("last_name", "city", "line1"))
    await place.web.open(IMPORTS)
    page = await place.web.fill({"text": text}).press("Vérifier ce tableau")
    assert place.web.path.endswith("/colonnes"), page
    assert "Bêta" in page
    page = await place.web.fill({"colonne-0": "city", "colonne-1": "city"}).press("Vérifier les lignes")
    assert place.web.page.status_code == 422
    assert 'id="colonne-1-error"' in page
    page = await place.web.fill({"colonne-0": "last_name", "colonne-1": "city"}).press("Vérifier les lignes")
    assert row["last_name"] in page
    assert ROW_STATES[RowState.invalid] in page


async def test_in_a_browser_a_tick_counts_at_once_and_every_page_is_accessible(
    place: Place, browser: Browser, served: Served
) -> None:
    await place.pasted(place.rows({}, {"nir": LOST, "contract_kind": "stagiaire"}, {"postcode": "", "email": ""}, {}))
    one = f"{IMPORTS}/{place.import_id}"
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()
        await enter(context, place.world, served, place.me)
        await page.goto(served.address + one)
        await expect(page.locator("#suite")).to_contain_text("2 lignes partiront")
        await page.get_by_label("Envoyer la ligne 2").uncheck()
        await expect(page.locator("#suite")).to_contain_text("Une ligne partira")
        await page.reload()
        await expect(page.get_by_label("Envoyer la ligne 2")).not_to_be_checked()
    looks = [
        Look("giving", place.me, IMPORTS, press="Vérifier ce fichier", status=200),
        Look("rows", place.me, one),
        Look("to correct", place.me, f"{one}?etat=a-corriger"),
        Look("columns", place.me, f"{one}/colonnes"),
        Look("row", place.me, f"{one}/lignes/3"),
        Look("confirmation", place.me, f"{one}/confirmation"),
    ]
    wrong = await looked_at(browser, place.world, served, looks)
    assert not wrong, "\n".join(each[:230] for each in wrong)


def test_every_state_has_its_words_and_its_icon() -> None:
    states: list[Any] = [*RowState]
    assert set(ROW_STATES) == set(ROW_MEANS) == set(states) == set(pages._ROW_ICONS)
    assert set(IMPORT_STATES) == set(pages._STATE_ICONS)
    assert {one for _, group in pages._GROUPS.values() for one in group} == set(states), "every row is in a filter"
