"""The assistant: its page without scripts, the bubble in a browser, the caller's own people and nobody else's, and the
staff who keep its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.affiliation import Status
from domain.rights import Role, StaffRole
from services.assistant import AnswerKind, AssistantQuestion
from services.callers import Caller, Scope
from services.faq import load, shipped
from services.problems import NotAllowed, TooManyRequests
from tests.portal.conftest import SAME_ORIGIN, Served
from tests.portal.signed_in import Look, Place, browsing, enter, looked_at, placed
from tests.portal.test_browser import faults, looking
from tests.users import add_user
from tests.world import World
from web.parts import Parts


@pytest.fixture(scope="module")
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    await load(world.system)
    async with placed(Place, app, world, Role.member) as one:
        yield one


def employer_of(place: Place) -> Caller:
    return Caller(str(uuid4()), (place.employer.company_id,), frozenset({Scope.read}))


async def asked(place: Place, text: str) -> str:
    await place.web.open("/assistant")
    page = await place.web.fill({"question": text}).press("Demander")
    assert place.web.page.status_code == 200
    return page.partition("<main")[2]


async def test_a_question_gets_its_answer_the_page_where_it_is_done_and_a_way_to_write(place: Place) -> None:
    page = await asked(place, "coment relancé un salarier qui repond pas")
    assert "Comment relancer un salarié qui ne répond pas" in page
    assert "une fois par 24 heures au plus" in page
    assert 'href="/salaries/suivi"' in page
    assert 'name="reason" value="affiliation"' in page
    assert "Questions proches" in page
    await place.web.press("Non")
    assert "votre avis est enregistré" in place.web.page.text
    [row] = await place.world.run(
        "SELECT q.helpful, e.slug FROM assistant_question q JOIN faq_entry e ON e.id = q.entry_id WHERE q.user_id = $1",
        place.me.id,
    )
    assert (row["helpful"], row["slug"]) == (False, "relancer")


async def test_what_it_does_not_know_it_says_and_what_is_wrong_too(place: Place) -> None:
    page = await asked(place, "recette de la tarte tatin")
    assert "Je n’ai pas trouvé de réponse" in page
    written = await place.web.press("Nous contacter")
    assert place.web.page.url.path == "/contact/brouillon"
    assert "recette de la tarte tatin</textarea>" in written
    page = await asked(place, "où est le mandat sepa")
    assert 'href="/documents/mandat-sepa.pdf"' in page
    page = await asked(place, "<b>Où trouver</b> le code de {{ 7 * 7 }} javascript:alert(1)")
    assert "&lt;b&gt;Où trouver&lt;/b&gt;" in page
    for text, words in (("", "Écrivez votre question"), ("?!", "Écrivez votre question"), ("x" * 2001, "2 000")):
        await place.web.open("/assistant")
        page = await place.web.fill({"question": text}).press("Demander")
        assert place.web.page.status_code == 422
        assert words in page.replace("\u202f", " ").replace("\u00a0", " ")
        assert 'href="#question"' in page


async def test_numbers_are_neither_shown_nor_searched_nor_kept_in_clear(place: Place) -> None:
    page = await asked(place, "le numéro 2 75 06 75 999 001 97 est refusé, appelez le 06 39 98 00 01")
    assert "[numéro de sécurité sociale]" in page
    assert "75 999" not in page
    assert "39 98" not in page.replace("01 44 20 80 63", "")
    rows = await place.world.run("SELECT text_sealed FROM assistant_question WHERE user_id = $1", place.me.id)
    assert rows
    assert all(b"refus" not in row["text_sealed"] for row in rows if row["text_sealed"])


async def test_ones_own_people_are_told_of_as_their_pages_do_and_nobody_elses(
    place: Place, app: FastAPI, world: World
) -> None:
    parts: Parts = app.state.parts
    other = await world.employer()
    names = []
    for employer in (place.employer, other):
        life = await world.declare(employer)
        await life.until(Status.sent)
        row = await life.row()
        [person] = await world.run("SELECT first_names, last_name FROM employee WHERE id = $1", row["employee_id"])
        names.append((life, person["last_name"]))
    (mine, my_name), (foreign, _) = names
    caller = employer_of(place)
    about = await parts.assistant.ask(caller, AssistantQuestion(text=f"Où en est l’affiliation de {my_name} ?"))
    assert about.kind is AnswerKind.cases
    pages = {case.page for case in about.cases}
    assert f"/salaries/suivi/{mine.id}" in pages
    assert f"/salaries/suivi/{foreign.id}" not in pages
    said = next(case.text for case in about.cases if case.page.endswith(str(mine.id)))
    assert "relance automatique" in said, said
    assert "Envoyé à l" in said
    counted = await parts.assistant.ask(caller, AssistantQuestion(text=f"Combien de relances pour {my_name} ?"))
    assert "0 relance envoyée, sur 1 message" in counted.cases[0].text
    figures = await parts.assistant.ask(caller, AssistantQuestion(text="Combien d’affiliations sont en cours ?"))
    assert {case.title: case.text for case in figures.cases}["Envoyé à l'employé"].startswith("1 ")
    nobody = await parts.assistant.ask(caller, AssistantQuestion(text="Où en est le dossier de Nabuchodonosor ?"))
    assert nobody.kind is AnswerKind.cases
    assert "Je ne trouve personne de ce nom" in nobody.answer[0]
    ids = [about.id, counted.id, figures.id, nobody.id]
    rows = await world.run("SELECT text_sealed FROM assistant_question WHERE id = ANY ($1)", ids)
    assert [row["text_sealed"] for row in rows] == [None] * 4, "no word of a question that names somebody is kept"


async def test_twenty_questions_a_minute_and_none_without_the_right_to_read(place: Place, app: FastAPI) -> None:
    parts: Parts = app.state.parts
    caller, question = employer_of(place), AssistantQuestion(text="horaires")
    for _ in range(20):
        await parts.assistant.ask(caller, question)
    with pytest.raises(TooManyRequests):
        await parts.assistant.ask(caller, question)
    with pytest.raises(NotAllowed):
        await parts.assistant.ask(Caller(str(uuid4()), (), frozenset({Scope.staff})), question)


async def test_staff_see_an_answer_before_they_publish_it_and_what_had_none(
    place: Place, app: FastAPI, world: World
) -> None:
    await asked(place, "peut-on venir avec son chameau")
    clerk = await add_user(world, staff=[StaffRole.write])
    async with browsing(app, world, clerk) as web:
        assert "peut-on venir avec son chameau" in await web.open("/gestion/questions")
        await web.follow("Ajouter une question")
        await web.press("Publier")
        assert web.page.status_code == 422
        assert "Écrivez la réponse" in web.page.text
        text = {"question": "Puis-je venir avec un chameau ?", "answer": "Non.\n\nUn <b>dromadaire</b>, oui."}
        page = await web.fill({**text, "page": "//ailleurs.example", "page_label": "Ailleurs"}).press("Aperçu")
        assert web.page.status_code == 422
        assert "Indiquez une page de l’espace" in page
        page = await web.fill({"page": "/aide", "page_label": "Aide"}).press("Aperçu")
        assert "Aperçu, pas encore enregistré" in page
        assert "Un &lt;b&gt;dromadaire&lt;/b&gt;, oui." in page
        assert not await world.run("SELECT 1 FROM faq_entry WHERE question LIKE '%chameau%'")
        page = await web.press("Publier")
        assert "La question est publiée" in page
        [entry] = await world.run("SELECT id, version FROM faq_entry WHERE question LIKE '%chameau%'")
        assert "Un &lt;b&gt;dromadaire&lt;/b&gt;, oui." in await asked(place, "peut-on venir avec son chameau")
        await web.open(f"/gestion/questions/{entry['id']}")
        await world.run("UPDATE faq_entry SET version = version + 1 WHERE id = $1", entry["id"])
        page = await web.press("Publier")
        assert web.page.status_code == 409
        assert "Quelqu’un d’autre a modifié cette question" in page
        await web.open(f"/gestion/questions/{entry['id']}")
        await web.press("Retirer et garder en brouillon")
    assert "dromadaire" not in await asked(place, "peut-on venir avec son chameau")
    await world.run("DELETE FROM faq_entry WHERE id = $1", entry["id"])


async def test_the_bubble_answers_without_leaving_the_page_and_every_page_is_accessible(
    place: Place, world: World, served: Served, browser: Browser
) -> None:
    clerk = await add_user(world, staff=[StaffRole.write])
    [entry] = await world.run("SELECT id FROM faq_entry WHERE slug = 'relancer'")
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        await enter(context, world, served, place.me)
        await page.goto(served.address + "/contrats")
        opener = page.get_by_role("button", name="Une question")
        await opener.click()
        await page.get_by_role("textbox", name="Votre question").fill("ou trouver mon identifiant entreprise")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Assistant")
        await dialog.get_by_text("Numéro d’adhérent").wait_for()
        assert await page.get_by_role("textbox", name="Votre question").input_value() == ""
        assert not await faults(page, "bubble")
        await dialog.get_by_role("button", name="Oui", exact=True).click()
        await dialog.get_by_text("votre avis est enregistré").wait_for()
        await page.get_by_role("textbox", name="Votre question").fill("???")
        await page.keyboard.press("Enter")
        await dialog.get_by_text("Écrivez votre question").wait_for()
        await page.keyboard.press("Escape")
        assert not await dialog.is_visible()
        assert await opener.evaluate("one => one === document.activeElement")
        assert page.url == served.address + "/contrats"
    looks = [
        Look("assistant", place.me, "/assistant"),
        Look("empty question", place.me, "/assistant", "Demander", 200),
        Look("questions", clerk, "/gestion/questions"),
        Look("question", clerk, f"/gestion/questions/{entry['id']}"),
    ]
    assert not await looked_at(browser, world, served, looks)


async def test_every_page_that_an_answer_names_is_there(place: Place) -> None:
    for path in sorted({one.page for one in shipped().values() if one.page}):
        answer = await place.web.http.get(path, headers=SAME_ORIGIN)
        assert answer.status_code in (200, 303, 403), path  # 403: an administrator's, to this member


async def test_staff_have_no_bubble_and_a_script_from_elsewhere_asks_nothing(place: Place) -> None:
    page = await place.web.open("/contrats")
    assert 'id="assistant-panel"' in page
    assert 'id="assistant-panel"' not in await place.web.open("/assistant")
    answer = await place.web.http.post("/assistant", data={"question": "horaires"}, headers=SAME_ORIGIN)
    assert answer.status_code == 403, "no token"
