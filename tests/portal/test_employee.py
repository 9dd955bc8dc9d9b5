"""Where the links of e-mails and the codes of letters lead."""

from __future__ import annotations

import asyncio
import io
import logging
import re

import httpx2
import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from fastapi import FastAPI

from domain.affiliation import Status
from tests.api.conftest import Door, client, staff
from tests.enrolling import alone, complete, save
from tests.portal.conftest import link_of

__all__ = ["staff"]  # a fixture of the JSON door, used here too


def letter_code(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[0].get_textpage().get_text_range()
    found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}\b", text)
    assert found, text
    return found.group(0)


async def test_a_link_opens_a_session_and_leads_to_an_address_without_the_secret(
    door: Door, pages: httpx2.AsyncClient
) -> None:
    link = await link_of(await door.declare())
    answer = await pages.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dossier")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert link.removeprefix("/e/") not in cookie
    page = await pages.get("/dossier")
    assert page.status_code == 200
    assert door.employer.siret not in page.text
    assert "HÔTEL DES TESTS" in page.text
    assert "Camille" not in page.text
    assert "Commencer" in page.text
    assert "/api/v1/forms/affiliation.pdf" in page.text


async def test_scanners_change_nothing(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    link = await link_of(life)
    async with asyncio.timeout(10):
        while "timer_started" not in str((await life.history()).events[-1].WhichOneof("attributes")):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    before = (await life.row(), len((await life.history()).events))
    async with client(app) as scanner:
        for method in ("HEAD", "GET", "GET", "HEAD"):
            for path in (link, f"{link}/non"):
                assert (await scanner.request(method, path, follow_redirects=True)).status_code in (200, 405)
        assert (await scanner.head(link)).status_code == 303
        assert (await scanner.request("OPTIONS", link)).status_code == 405
    assert (await life.row(), len((await life.history()).events)) == before
    assert await life.events() == ["declared", "message_handed_over"]


async def test_unknown_and_dead_links_get_the_same_page(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    link = await link_of(life)
    answer = await door.http.post(f"/api/v1/affiliations/{life.id}/withdrawal", json={"reason": "mistake"})
    assert answer.status_code == 200, answer.text
    await life.until(Status.abandoned)

    def bare(answer: httpx2.Response, path: str) -> str:
        """Without what was asked for itself: the address goes along, to come back and to send a new link."""
        return answer.text.replace(path.split("/")[2], "") if len(path) < 200 else ""

    dead, unknown = await pages.get(link), await pages.get(f"/e/{'A' * 43}")
    assert dead.status_code == unknown.status_code == 404
    assert bare(dead, link) == bare(unknown, f"/e/{'A' * 43}")
    assert "set-cookie" not in dead.headers
    for answer in (dead, unknown):
        del answer.headers["content-length"]  # the token stands in the page, and is compressed with it
    assert dict(dead.headers) == dict(unknown.headers)
    for other in ("/e/x/non", f"/e/{'B' * 5000}", "/e/%00%ff", "/e/%F0%9F%8D%BD"):
        answer = await pages.get(other)
        assert answer.status_code == 404
        assert "Envoyez-moi un nouveau lien" in answer.text
    assert "Envoyez-moi un nouveau lien" in dead.text


async def test_where_the_person_stands(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    await pages.get(await link_of(life))
    await save(pages, {"city": "Paris"})
    page = await pages.get("/dossier")
    assert re.search(r"Enregistré à\s\d+\sh\s\d\d", page.text)
    await complete(pages, alone())
    page = await pages.get("/dossier")
    assert "Votre dossier n’est pas encore complet" in page.text
    assert "RIB (relevé d’identité bancaire)" in page.text
    assert "BASE CCN HCR NC SEUL RG" in page.text
    declining = await pages.get("/dossier/non")
    assert "Ce dossier est déjà terminé" in declining.text
    assert '"/dossier/non"' not in re.sub(r'name="retour"[^>]*', "", declining.text)
    refused = await pages.post("/dossier/non", data={"reason": "not_me"})
    assert refused.status_code == 409
    assert "<h1>" in refused.text


async def test_a_form_on_paper_has_its_receipt_too(
    door: Door, pages: httpx2.AsyncClient, staff: httpx2.AsyncClient
) -> None:
    life = await door.declare()
    link = await link_of(life)
    recorded = await staff.post(
        f"/api/v1/staff/affiliations/{life.id}/paper-return", json={"answers": {"path": "join", "level": "BASE"}}
    )
    assert recorded.status_code == 201, recorded.text
    await pages.get(link)
    page = (await pages.get("/dossier")).text
    assert "Reçu sur papier" in page
    assert "Il manque des documents" in page
    assert "RIB (relevé d’identité bancaire)" in page
    assert "BASE CCN" not in page  # before the birth date


async def test_without_a_session_the_way_back_is_shown(pages: httpx2.AsyncClient) -> None:
    for path in ("/dossier", "/dossier/non"):
        answer = await pages.get(path)
        assert answer.status_code == 401
        assert "/courrier" in answer.text
        assert "<h1>Retrouvez votre dossier</h1>" in answer.text


async def test_a_letter_code_opens_the_record(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare(email=None)
    await life.until_messages(1)
    pdf = (await life.received())[0]["pdf"]
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert len(document.pages) == 2
    code = letter_code(pdf)
    assert "Code de votre lettre" in (await pages.get("/courrier")).text
    opened = await pages.post("/courrier", data={"code": f" {code.lower().replace('-', ' ')} "})
    assert (opened.status_code, opened.headers["location"]) == (303, "/dossier")
    assert (await pages.get("/dossier")).status_code == 200


async def test_wrong_codes_get_one_answer(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare(email=None)
    await life.until_messages(1)
    code = letter_code((await life.received())[0]["pdf"])
    door_answers = []
    for wrong in ("A7K3-9QXT-M2PD-H4RZ8", code[:-1] + ("0" if code[-1] != "0" else "1"), "x" * 5000, ""):
        answer = await pages.post("/courrier", data={"code": wrong})
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers
        assert "<title>Erreur\xa0: " in answer.text
        door_answers.append(answer.text.replace(f'value="{wrong[:64]}"', 'value=""'))
    assert len(set(door_answers)) == 1
    hostile = await pages.post("/courrier", data={"code": '"><script>alert(1)</script>'})
    assert "<script" not in hostile.text


@pytest.mark.parametrize("reason", ["not_me", "left_company"])
async def test_declining_is_asked_confirmed_and_thanked(door: Door, pages: httpx2.AsyncClient, reason: str) -> None:
    life = await door.declare()
    link = await link_of(life)
    answer = await pages.get(f"{link}/non")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dossier/non")
    asked = await pages.get("/dossier/non")
    assert asked.status_code == 200
    assert "HÔTEL DES TESTS" in asked.text
    unanswered = await pages.post("/dossier/non", data={"reason": ""})
    assert unanswered.status_code == 422
    assert "Choisissez une des deux réponses" in unanswered.text
    assert "declined" not in await life.events()

    done = await pages.post("/dossier/non", data={"reason": reason})
    assert (done.status_code, done.headers["location"]) == (303, f"/dossier/non/merci?reponse={reason}")
    assert "Merci, c’est noté" in (await pages.get(done.headers["location"])).text
    assert "declined" in await life.events()
    assert (await pages.get("/dossier")).status_code == 401
    assert (await pages.get(link)).status_code == 404
    if reason == "left_company":
        await life.until(Status.abandoned)
    else:
        assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]


async def test_thanks_only_for_answers_that_exist(pages: httpx2.AsyncClient) -> None:
    for path in ("/dossier/non/merci", "/dossier/non/merci?reponse=<script>"):
        answer = await pages.get(path)
        assert answer.status_code == 404
        assert "<script" not in answer.text


CHANGING = (
    "/courrier",
    "/lien",
    "/dossier/non",
    "/dossier/langue",
    "/dossier/naissance",
    "/dossier/etapes/contact",
    "/dossier/etapes/family/dependants/k1",
    "/dossier/etapes/family/dependants/k1/retrait",
    "/dossier/documents?piece=rib",
    "/dossier/documents/01a2081f-681b-7f15-af2f-728c9f1b3b50/retrait",
    "/dossier/envoi",
)


async def test_other_sites_cannot_post(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    link = await link_of(life)
    own = door.world.config.public_base_url
    async with client(app) as http, client(app, own_pages=False) as elsewhere:
        await http.get(link)
        assert (await http.get("/dossier/non")).status_code == 200
        elsewhere.cookies = http.cookies  # what a browser sends along, without the token of our pages
        for headers in ({"Origin": own}, {"Origin": own, "X-CSRF-Token": "0" * 64}):
            for path in CHANGING:
                answer = await elsewhere.post(path, data={"reason": "left_company"}, headers=headers)
                assert answer.status_code == 403 or "multipart" not in path, (path, headers)
        for headers in (
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": own},
            {"Origin": "https://ailleurs.example"},
            {"Origin": "null"},
            {"Origin": f"{own}.ailleurs.example"},
        ):
            for path in CHANGING:
                refused = await http.post(path, data={"reason": "left_company"}, headers=headers)
                assert refused.status_code == 403, (path, headers)
                assert "<h1>" in refused.text
        assert "declined" not in await life.events()
        for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}):
            assert (await http.post("/dossier/non", data={}, headers=headers)).status_code == 422


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"reason=not_me&reason=left_company", "application/x-www-form-urlencoded"),
        (b"reason=%ff", "application/x-www-form-urlencoded"),
        ("reason=é".encode(), "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(300)), "application/x-www-form-urlencoded"),
        (b"reason=not_me", "text/plain"),
        (b'{"reason": "not_me"}', "application/json"),
    ],
)
async def test_unreadable_forms_are_refused(pages: httpx2.AsyncClient, content: bytes, kind: str) -> None:
    answer = await pages.post("/courrier", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert "Formulaire illisible" in answer.text


async def test_bodies_are_limited(pages: httpx2.AsyncClient) -> None:
    answer = await pages.post("/courrier", data={"code": "x" * 1_100_000})
    assert answer.status_code == 413


async def test_no_token_in_the_logs(door: Door, pages: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    link = await link_of(await door.declare())
    with caplog.at_level(logging.DEBUG):
        await pages.get(link)
        await pages.get(f"{link}/non")
        await pages.get("/e/" + "B" * 43)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not any(link[3:] in record.getMessage() or "B" * 43 in record.getMessage() for record in ours)


async def test_hostile_names_are_shown_as_names(door: Door, pages: httpx2.AsyncClient) -> None:
    life = await door.declare()
    hostile = 'HÔTEL <img src=x onerror=alert(1)> & "FILS" \u202eliated'
    await life.world.run(
        "UPDATE establishment SET name = $2 WHERE id = (SELECT establishment_id FROM affiliation WHERE id = $1)",
        life.id,
        hostile,
    )
    await pages.get(await link_of(life))
    for path in ("/dossier", "/dossier/non"):
        page = (await pages.get(path)).text
        assert "<img" not in page
        assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#34;FILS&#34; liated" in page
        assert "\u202e" not in page


async def test_every_page_has_the_frame_and_its_policy(pages: httpx2.AsyncClient) -> None:
    for path in ("/courrier", "/lien", "/lien/demande", "/e/unknown", "/dossier", "/dossier/non/merci?reponse=not_me"):
        answer = await pages.get(path)
        assert '<html lang="fr" dir="ltr">' in answer.text
        assert answer.text.count("<h1>") == 1
        assert '<a class="skip" href="#contenu">' in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script" not in answer.text
        assert "style=" not in answer.text


async def test_files_are_kept_for_ever_under_the_digest_of_their_content(pages: httpx2.AsyncClient) -> None:
    found = re.search(r'href="(/static/[0-9a-f]{16}/portal\.css)"', (await pages.get("/courrier")).text)
    assert found
    answer = await pages.get(found.group(1))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    for wrong in ("/static/0000000000000000/portal.css", "/static/x/..%2fpages.py", "/static//nothing.css"):
        assert (await pages.get(wrong)).status_code == 404


async def test_the_entrance_leads_somewhere_whatever_host_was_forwarded(pages: httpx2.AsyncClient) -> None:
    answer = await pages.get("/", headers={"X-Forwarded-Host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dev")
