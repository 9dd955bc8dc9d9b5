"""The developer's pages: what they show, the clock, the boxes, the simulated provider."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import EventKind, workflow_id
from api.app import create_app
from domain.affiliation import Status
from domain.media import MessageKind
from gateways.access_links import LinkKind, link_address
from gateways.local_boxes import LocalBoxes, LocalSms
from gateways.sms import Sms
from local.temporal import executable
from messages import words
from messages.code_sms import render_code_sms
from messages.notices import NoticeKind
from portal import dev_clock
from settings import Environment
from tests.api.conftest import Door, client
from tests.noticing import add_recovery, add_reset, give_office, handle, notify, settled
from tests.portal.conftest import SAME_ORIGIN, link_of
from tests.users import add_user
from tests.world import Life, World

NOBODY = UUID("00000000-0000-7000-8000-00000000dead")  # the same in every process: it names tests


def page_of(life: Life) -> str:
    return f"/dev/affiliations/{life.id}"


async def first_message(life: Life) -> str:
    await life.until_messages(1)
    return f"/dev/messages/{(await life.received())[0]['dispatch_id']}"


async def test_the_list_says_who_where_and_what_comes_next(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare(last_name="Benali")
    await life.until(Status.sent)
    page = (await pages.get("/dev")).text
    row = page[page.index(str(life.id)) :].split("</li>")[0]
    assert "Benali" in row
    assert "HÔTEL DES TESTS" in row
    assert "Envoyé à l’employé" in row
    assert "Email" in row
    assert re.search(r"Prochaine relance automatique\xa0: <time [^>]+>\w+ \d+\w* \w+( \d{4})? à\xa0\d+\xa0h", row)


async def test_one_affiliation_with_its_past_its_future_and_its_messages(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    page = (await pages.get(page_of(life))).text
    for text in (
        "Pré-affiliation déclarée",
        "Message remis au prestataire",
        "Passage au courrier postal",
        "Abandon sans réponse de la personne",
        await first_message(life),
        f'{door.world.config.temporal_ui_url}/namespaces/default/workflows/affiliation-{life.id}"',
        "Avancer jusqu’à la prochaine étape",
    ):
        assert text in page, text


async def test_the_clock_moves_to_the_next_step_and_by_days(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    start = await dev_clock.current_time(door.world.client, workflow_id(str(life.id)))
    await life.world.run(
        "INSERT INTO enrolment (affiliation_id, company_id, told_at) SELECT id, company_id, now() FROM affiliation"
        " WHERE id = $1",
        life.id,
    )
    moved = await pages.post(f"{page_of(life)}/horloge", data={"pas": "etape"})
    assert (moved.status_code, moved.headers["location"]) == (303, f"{page_of(life)}?note=avance")
    assert await life.sent() == [("invitation", "email"), ("reminder", "email")]
    assert "L’horloge a avancé" in (await pages.get(moved.headers["location"])).text
    rows = await life.world.run(
        "SELECT told_at = '-infinity' AS next FROM enrolment WHERE affiliation_id = $1", life.id
    )
    assert rows[0]["next"], "the next draft tells the workflow"

    before = await dev_clock.current_time(door.world.client, workflow_id(str(life.id)))
    assert before > start
    for step, days in (("jour", 1), ("semaine", 7)):
        await pages.post(f"{page_of(life)}/horloge", data={"pas": step})
        after = await dev_clock.current_time(door.world.client, workflow_id(str(life.id)))
        assert timedelta(days=days) <= after - before < timedelta(days=days, minutes=2)
        before = after
    assert "jours d’avance" in (await pages.get(page_of(life))).text


async def test_an_affiliation_that_ends_on_the_way_says_so(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    for _ in range(10):
        moved = await pages.post(f"{page_of(life)}/horloge", data={"pas": "etape"})
        if moved.headers["location"].endswith("terminee"):
            break
    page = (await pages.get(moved.headers["location"])).text
    assert "L’affiliation s’est terminée en chemin" in page
    assert "Abandonné" in page
    assert "/horloge" not in page
    again = await pages.post(f"{page_of(life)}/horloge", data={"pas": "jour"})
    assert again.headers["location"].endswith("terminee")


async def test_a_server_that_does_not_skip_time_is_named(
    door: Door, pages: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> bool:
        raise dev_clock.ClockRefused("The Time-Skipping feature is not enabled for namespace.")

    async def wait(*_: object) -> bool:
        raise dev_clock.ClockSlow("affiliation")

    life = await door.declare()
    await life.until(Status.sent)
    monkeypatch.setattr(dev_clock, "advance", refuse)
    refused = await pages.post(f"{page_of(life)}/horloge", data={"pas": "jour"})
    assert refused.status_code == 409
    assert "WorkflowTimeSkippingEnabled=true" in refused.text
    monkeypatch.setattr(dev_clock, "advance", wait)
    slow = await pages.post(f"{page_of(life)}/horloge", data={"pas": "jour"})
    assert slow.status_code == 503
    assert "pas arrivée en 20 secondes" in slow.text


async def test_the_clock_on_a_server_without_time_skipping() -> None:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(executable()), dev_server_log_level="error"
    ) as plain:
        await plain.client.start_workflow("Nobody", id="w", task_queue="nobody")
        with pytest.raises(dev_clock.ClockRefused, match="Time-Skipping"):
            await dev_clock.advance(plain.client, "w", timedelta(days=1))


async def test_the_clock_does_not_wait_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow task that nobody takes holds a skip back."""
    name = f"held-{uuid4()}"
    await world.client.start_workflow("Nobody", id=name, task_queue=name)
    monkeypatch.setattr(dev_clock, "PATIENCE", timedelta(seconds=0.5))
    with pytest.raises(dev_clock.ClockSlow):
        await dev_clock.advance(world.client, name, timedelta(days=1))
    assert not await dev_clock.advance(world.client, "unknown", timedelta(days=1))
    await world.client.get_workflow_handle(name).terminate()


@pytest.mark.parametrize("sent", [{"autre": "jour"}, {"pas": "siecle"}])
async def test_unknown_moves_are_refused(door: Door, pages: httpx2.AsyncClient, sent: dict[str, str]) -> None:
    life = await door.declare()
    assert (await pages.post(f"{page_of(life)}/horloge", data=sent)).status_code == 404


async def test_an_email_as_it_arrived(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    link = await link_of(life)
    address = await first_message(life)
    page = await pages.get(address)
    assert "Nouvel emploi" in page.text
    assert "@exemple.fr" in page.text
    assert 'sandbox=""' in page.text
    assert f'{link}/non"' in page.text
    html = await pages.get(f"{address}/html")
    policy = html.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'")
    assert "allow" not in policy
    assert "Remplir mon formulaire" in html.text
    assert (await pages.get(f"{address}/lettre.pdf")).status_code == 404
    boxes = (await pages.get("/dev/courriels")).text
    assert address in boxes


async def test_a_letter_as_it_arrived(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare(email=None, phone=None)
    address = await first_message(life)
    page = await pages.get(address)
    assert "Le courrier revient" in page.text
    pdf = await pages.get(f"{address}/lettre.pdf")
    assert pdf.content.startswith(b"%PDF")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("inline")
    assert (await pages.get(f"{address}/html")).status_code == 404
    assert (await pages.post(f"{address}/rebond")).status_code == 404


async def test_an_sms_as_it_arrived(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    await life.until_messages(1)
    rows = await life.world.run(
        "INSERT INTO local_message (dispatch_id, medium, kind, recipient, text)"
        " VALUES (gen_random_uuid(), 'sms', 'sms', '+33639980001', 'HCR <b>Bien</b>') RETURNING dispatch_id"
    )
    page = await pages.get(f"/dev/messages/{rows[0]['dispatch_id']}")
    assert page.status_code == 200
    assert 'class="bubble">HCR &lt;b&gt;Bien' in page.text
    assert (await pages.get("/dev/courriels")).status_code == 200
    await life.world.run("DELETE FROM local_message WHERE dispatch_id = $1", rows[0]["dispatch_id"])


async def test_a_bounce_falls_back_to_a_letter_once(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    address = await first_message(life)
    for _ in range(3):
        told = await pages.post(f"{address}/rebond")
        assert (told.status_code, told.headers["location"]) == (303, f"{address}?note=rejete")
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    page = (await pages.get(f"{address}?note=rejete")).text
    assert "Rejeté" in page
    assert "L’adresse e-mail n’existe pas" in page
    assert (await life.events()).count("delivery_failed") == 1
    assert "Message non distribué" in (await pages.get(page_of(life))).text


async def test_a_returned_letter_needs_a_person(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare(email=None)
    address = await first_message(life)
    assert (await pages.post(f"{address}/retour")).status_code == 303
    async with asyncio.timeout(10):
        while "Aucune adresse ne permet" not in (page := (await pages.get(page_of(life))).text):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "Le courrier nous est revenu" in page


async def test_development_pages_refuse_other_sites(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    address = await first_message(life)
    async with client(app) as http:
        for path in (f"{page_of(life)}/horloge", f"{address}/rebond"):
            for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://ailleurs.example"}):
                assert (await http.post(path, data={"pas": "jour"}, headers=headers)).status_code == 403
    assert await life.sent() == [("invitation", "email")]


async def test_production_has_no_development_pages(world: World) -> None:
    production = create_app(world.config.model_copy(update={"environment": Environment.production}), world.client)
    async with client(production) as http:
        http.base_url = world.config.public_base_url
        for path in ("/dev", "/dev/courriels", f"/dev/affiliations/{uuid4()}", f"/dev/messages/{uuid4()}/html"):
            assert (await http.get(path)).status_code == 404
        for path in (f"/dev/affiliations/{uuid4()}/horloge", f"/dev/messages/{uuid4()}/rebond"):
            assert (await http.post(path, headers=SAME_ORIGIN)).status_code == 404


@pytest.mark.parametrize("path", ["/dev/affiliations/x", "/dev/messages/x", f"/dev/affiliations/{NOBODY}"])
async def test_unknown_addresses_are_pages(pages: httpx2.AsyncClient, path: str) -> None:
    answer = await pages.get(path)
    assert answer.status_code == 404
    assert "<h1>Introuvable</h1>" in answer.text


async def test_hostile_names_are_escaped_everywhere(door: Door, pages: httpx2.AsyncClient) -> None:
    name = "<script>alert(1)</script>\"'&"
    life = await door.declare(last_name="Essai")
    await life.world.run(
        "UPDATE employee SET last_name = $2, first_names = $2 WHERE id ="
        " (SELECT employee_id FROM affiliation WHERE id = $1)",
        life.id,
        name,
    )
    for path in ("/dev", page_of(life), "/dev/courriels", await first_message(life)):
        page = (await pages.get(path)).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page


async def test_when_no_worker_answers_the_page_says_so(
    door: Door, pages: httpx2.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> None:
        return None

    life = await door.declare()
    await life.until(Status.sent)
    monkeypatch.setattr(app.state.parts.affiliations.follow_up, "_progress", nobody)
    page = await pages.get(page_of(life))
    assert "Aucun worker n’a répondu en une seconde" in page.text


def test_every_event_step_and_message_has_words() -> None:
    for kind in EventKind:
        assert words.event_label(kind)
    for step in (*MessageKind, "abandonment"):
        assert words.step_label(step)


# --- notices and codes, which no affiliation sends


async def test_a_notice_lies_in_the_mailbox_with_its_link_to_follow(door: Door, pages: httpx2.AsyncClient) -> None:
    user = await add_user(door.world)
    reset = await add_reset(door.world, user.id)
    notice = await notify(door.world, NoticeKind.password_reset, user_id=user.id, subject_id=reset)
    await settled(door.world, notice)
    listed = (await pages.get("/dev/courriels")).text
    row = listed[listed.index(str(notice)) :].split("</li>")[0]
    assert "Choisissez un nouveau mot de passe" in row
    assert user.email in row
    page = (await pages.get(f"/dev/messages/{notice}")).text
    config = door.world.config
    link = link_address(door.world.cipher, config.public_base_url, LinkKind.password_reset, reset)
    assert f'<a href="{link}">' in page
    assert "Ce que le salarié peut ouvrir" not in page


async def test_a_notice_may_bounce_too(door: Door, pages: httpx2.AsyncClient) -> None:
    user = await add_user(door.world)
    notice = await notify(door.world, NoticeKind.new_device, user_id=user.id)
    await settled(door.world, notice)
    await handle(door.world, notice).result()
    answer = await pages.post(f"/dev/messages/{notice}/rebond")
    assert answer.headers["location"] == f"/dev/messages/{notice}?note=signale"
    page = (await pages.get(answer.headers["location"])).text
    assert "noté comme rejeté" in page
    assert "L’adresse n’existe pas" not in page.split("Simuler le prestataire")[1]


async def test_a_code_lies_in_the_phone(door: Door, pages: httpx2.AsyncClient) -> None:
    sms = Sms(str(uuid4()), "+33612345678", render_code_sms("048291", "127.0.0.1"))
    await LocalSms(LocalBoxes(door.world.system)).send(sms)
    assert "Code par SMS" in (await pages.get("/dev/courriels")).text
    page = (await pages.get(f"/dev/messages/{sms.dispatch_id}")).text
    assert "048291" in page
    assert "/e/" not in page


async def test_the_code_of_a_letter_to_a_company_has_its_page(door: Door, pages: httpx2.AsyncClient) -> None:
    employer = await door.world.employer()
    await give_office(door.world, employer)
    recovery = await add_recovery(door.world, employer)
    notice = await notify(
        door.world,
        NoticeKind.recovery_letter,
        medium="post",
        subject_id=recovery,
        company_id=employer.company_id,
    )
    await settled(door.world, notice)
    page = (await pages.get(f"/dev/messages/{notice}")).text
    assert "Lettre à une entreprise" in page
    assert f'<a href="{door.world.config.public_base_url}/acces/code">' in page
