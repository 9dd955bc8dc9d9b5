"""One file as staff work on it: documents accepted, asked for again, settled; doubts, waivers, numbers, who read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi import FastAPI

from domain.affiliation import Status
from domain.rights import StaffRole
from services.fields import today
from tests.api.test_actions import Doubt, doubt
from tests.enrolling import family, waived
from tests.gateways.files.samples import certificate_pdf
from tests.portal.desk_files import NIR, Desk, at_desk, path_of, reference
from tests.portal.signed_in import browsing
from tests.users import add_user
from tests.world import Life, World

__all__ = ["doubt"]  # a fixture

CERTIFICATE = "social_security_certificate"


@pytest.fixture
async def desk(app: FastAPI, world: World) -> AsyncIterator[Desk]:
    async with at_desk(app, world) as one:
        yield one


async def missing(desk: Desk, life: Life) -> list[str]:
    [row] = await desk.world.run("SELECT missing FROM enrolment WHERE affiliation_id = $1", life.id)
    return list(row["missing"])


async def test_documents_stand_beside_what_they_prove_and_each_is_accepted(desk: Desk) -> None:
    life = await desk.sent_in("rib", CERTIFICATE)
    page = await desk.web.open(f"/gestion/dossiers?q={reference(life).replace(' ', '')}")
    assert desk.web.path == path_of(life)
    assert "Documents à vérifier" in page
    beside = page[page.index('id="piece-rib"') :]
    assert "Titulaire du compte" in beside
    assert "L’IBAN du document est celui qui a été saisi" in beside
    frames = re.findall(r'<iframe class="sheet" src="([^"#]+)', page)
    assert len(frames) == 2
    assert "frame-src 'self'" in desk.web.page.headers["content-security-policy"]
    file = await desk.web.http.get(frames[0])
    assert file.content.startswith(b"%PDF")
    assert "default-src 'none'" in file.headers["content-security-policy"]
    assert "script" not in file.headers["content-security-policy"]
    page = await desk.web.press("Accepter : RIB")
    assert "Le document est accepté" in page
    page = await desk.web.press("Accepter : Attestation de droits")
    assert "Tout est accepté : le dossier est complet" in page.replace("\u00a0", " ")
    await life.until_heard()
    assert "pieces_accepted" in await life.events()
    events = [event for event, _ in await desk.audited(life)]
    assert events[0] == "data.viewed"
    assert events.count("file.accepted") == 2
    assert "file.downloaded" in events


async def test_a_piece_asked_for_again_reaches_the_employee_with_the_reason(desk: Desk) -> None:
    life = await desk.sent_in("rib", CERTIFICATE)
    await life.until_messages(2)
    await desk.web.open(path_of(life))
    page = await desk.web.press("Redemander : RIB")
    assert desk.web.page.status_code == 422
    assert 'href="#reason-rib"' in page
    answer = await desk.web.http.post(
        f"{path_of(life)}/pieces/rib/demande", data={"csrf": desk.web.value("csrf"), "reason": "unreadable"}
    )
    assert answer.status_code == 303
    assert "La pièce est redemandée" in await desk.web.open(answer.headers["location"])
    sent = await life.until_messages(3)
    assert sent[-1] == ("missing_pieces", "email")
    assert "à lire ce document" in (await life.received())[-1]["text"]
    assert await missing(desk, life) == ["rib"]
    twice = await desk.web.http.post(
        f"{path_of(life)}/pieces/rib/demande", data={"csrf": desk.web.value("csrf"), "reason": "unreadable"}
    )
    assert twice.status_code == 303
    await life.until_heard()
    assert len(await life.sent()) == 3
    assert [event for event, _ in await desk.audited(life)].count("file.refused") == 1


async def test_a_button_pressed_twice_does_it_once(desk: Desk) -> None:
    life = await desk.sent_in("rib", CERTIFICATE)
    await desk.web.open(path_of(life))
    token = desk.web.value("csrf")
    for piece in ("rib", "rib", CERTIFICATE, CERTIFICATE):
        answer = await desk.web.http.post(
            f"{path_of(life)}/pieces/{piece}/acceptation", data={"csrf": token, "how": "seen"}
        )
        assert answer.status_code == 303, piece
    assert [event for event, _ in await desk.audited(life)].count("file.accepted") == 2
    unknown = await desk.web.http.post(
        f"{path_of(life)}/pieces/waiver_proof/demande", data={"csrf": token, "reason": "missing"}
    )
    assert unknown.status_code == 409, "its workflow has ended"


async def test_what_is_missing_is_settled_or_added_from_a_scan(desk: Desk) -> None:
    life = await desk.sent_in(answers=family())
    page = await desk.web.open(path_of(life))
    assert "Certificat de scolarité – Tomás" in page
    assert "C’est noté" in await desk.web.press("Reçu sur papier : RIB")
    assert "n’est plus attendue" in await desk.web.press("N’est plus nécessaire : Certificat de scolarité – Tomás")
    page = await desk.web.press("Ajouter : Attestation de droits", file=("notes.html", b"<html>"))
    assert desk.web.page.status_code == 422
    assert f'href="#file-{CERTIFICATE}"' in page
    page = await desk.web.press(
        "Ajouter : Attestation de droits", file=("attestation.pdf", certificate_pdf(NIR, "CAMILLE ESSAI"))
    )
    assert "Le document numérisé est au dossier" in page
    left = await missing(desk, life)
    assert "rib" not in left
    assert CERTIFICATE not in left
    assert "school_certificate:k2" not in left


async def test_a_file_from_elsewhere_is_not_taken_in(desk: Desk) -> None:
    life = await desk.sent_in()
    files = {"file": ("rib.pdf", b"%PDF-1.7")}
    for headers, token in (({}, "wrong"), ({"Sec-Fetch-Site": "cross-site"}, desk.web.http.headers.get("x", ""))):
        answer = await desk.web.http.post(
            f"{path_of(life)}/documents", data={"csrf": token, "piece": "rib"}, files=files, headers=headers
        )
        assert answer.status_code == 403
    assert not await desk.world.run("SELECT FROM document WHERE affiliation_id = $1", life.id)


async def test_another_piece_is_asked_for(desk: Desk) -> None:
    life = await desk.sent_in("rib", CERTIFICATE)
    page = await desk.web.open(path_of(life))
    assert "Bulletin daté et signé" in page
    page = await desk.web.press("Demander cette pièce")
    assert 'href="#piece"' in page
    answer = await desk.web.http.post(
        f"{path_of(life)}/pieces", data={"csrf": desk.web.value("csrf"), "piece": "signature", "reason": "missing"}
    )
    assert answer.status_code == 303
    assert await missing(desk, life) == ["signature"]


async def test_whoever_only_reads_has_no_button_and_no_way_to_press_one(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    async with at_desk(desk.app, desk.world, StaffRole.read) as reads:
        page = await reads.web.open(path_of(life))
        assert "Camille" in page
        for words in ("Accepter", "Redemander", "Je m’en occupe", "Ajouter", "Demander cette pièce"):
            assert words not in page, words
        token = reads.web.value("csrf")
        for path in ("pieces/rib/acceptation", "pieces/rib/demande", "pieces", "doute", "dispense", "prise"):
            answer = await reads.web.http.post(f"{path_of(life)}/{path}", data={"csrf": token})
            assert answer.status_code == 403, path
        assert (await reads.web.http.get("/gestion/retours-papier")).status_code == 403


async def test_a_message_in_doubt_is_settled_from_the_file(doubt: Doubt) -> None:
    doubt.mail.refuses = True
    life = await doubt.door.declare()
    for _ in range(500):
        if (await life.row())["attention"] is not None:
            break
        await life.until_heard()
    doubt.mail.refuses = False
    world = doubt.door.world
    app = doubt.staff._transport.app  # type: ignore[attr-defined]
    me = await add_user(world, staff=[StaffRole.write])
    async with browsing(app, world, me) as web:
        page = await web.open(f"/gestion/dossiers/{life.id}")
        assert "Envoi refusé" in page
        key = web.value("key")
        page = await web.press("Il n’est pas parti")
        assert "le message repart" in page
        await life.until(Status.sent)
        again = await web.http.post(
            f"/gestion/dossiers/{life.id}/doute",
            data={"csrf": web.value("csrf"), "verdict": "did_not_leave", "key": key},
        )
        assert again.status_code == 303, "pressed twice, it happened once"
    assert len(await life.received()) == 1


async def test_a_waiver_is_ended_with_a_last_day_and_a_confirmation(desk: Desk) -> None:
    life = await desk.sent_in(answers=waived())
    await desk.web.open(path_of(life))
    page = await desk.web.fill({"on": "31/02/2027"}).press("Mettre fin à la dispense")
    assert re.findall(r'href="#(on|sure)"', page) == ["on", "sure"]
    assert desk.web.value("on") == "31/02/2027"
    last = today() + timedelta(days=1)
    page = await desk.web.fill({"on": last.strftime("%d/%m/%Y"), "sure": "yes"}).press("Mettre fin à la dispense")
    assert "La dispense prend fin" in page
    assert ("waiver.ended", None) in await desk.audited(life)


async def test_numbers_are_masked_until_a_code_was_given_and_each_showing_is_in_the_log(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    page = await desk.web.open(path_of(life))
    assert NIR not in page
    assert "990 001" not in page
    page = await desk.web.follow("Afficher les numéros complets")
    assert "2\u00a075\u00a006\u00a075\u00a0990\u00a0001\u00a097" in page
    assert "FR76" in page
    assert ("data.revealed", "nir iban") in await desk.audited(life)
    async with at_desk(desk.app, desk.world, stepped_up=False) as other:
        asked = await other.web.http.get(f"{path_of(life)}/numeros")
        assert asked.headers["location"].startswith("/connexion/confirmer?suite=")


async def test_who_read_a_file_is_shown_to_those_who_may_know(desk: Desk) -> None:
    life = await desk.sent_in("rib")
    page = await desk.web.open(path_of(life))
    assert "Qui a consulté" not in page
    assert (await desk.web.http.get(f"{path_of(life)}/consultations")).status_code == 403
    async with at_desk(desk.app, desk.world, StaffRole.super) as chief:
        await chief.web.open(path_of(life))
        page = await chief.web.follow("Qui a consulté ce dossier")
        assert "Consultation du dossier" in page
        assert "Prénom" in page
        assert ("log.viewed", None) not in await chief.audited(life)


async def test_every_event_and_the_coming_calendar_are_in_words(desk: Desk) -> None:
    life = await desk.declared()
    page = await desk.web.open(path_of(life))
    for words in ("Pré-affiliation déclarée", "Message remis au prestataire", "Prochaine relance automatique"):
        assert words in page
    assert "Voir le workflow dans Temporal" in page
    assert f"/workflows/affiliation-{life.id}" in page or str(life.id) in page
    assert "Le formulaire n’est pas arrivé" in page
    async with at_desk(desk.app, desk.world) as other:
        await other.web.open(f"/gestion/dossiers/{uuid4()}")
        assert other.web.page.status_code == 404
