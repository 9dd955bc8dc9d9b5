"""The employee's form, from the link to the receipt, without a script: nothing that was typed is lost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from domain.affiliation import Status
from domain.media import Language
from messages.catalogue import catalogue
from portal.frame import offered
from tests.api.conftest import Door, client
from tests.enrolling import IBAN, alone, family, waived
from tests.gateways.files import samples
from tests.portal.browsing import NAVIGATION, Browsing
from tests.portal.conftest import link_of
from tests.world import Life

NEXT = "Continuer"
SEND = "Signer et envoyer"


@asynccontextmanager
async def person(app: FastAPI, life: Life | None = None) -> AsyncIterator[Browsing]:
    """Somebody with a browser of their own, who has opened their link."""
    async with client(app) as http:
        http.headers.update(NAVIGATION)
        browsing = Browsing(http)
        if life is not None:
            await browsing.open(await link_of(life))
        yield browsing


async def fill_in(me: Browsing, answers: dict[str, str], people: tuple[str, ...] = ()) -> None:
    """From the hub to the documents; `people`: the keys of `answers` under `dependants`."""
    t = catalogue(Language((await _language(me)) or "fr"))
    await me.follow(t.text("page.draft.start"))
    waiting = list(people)
    while not me.path.endswith(("/documents", "/verification")):
        before = str(me.page.url)
        key = waiting[0] if "/dependants/" in me.path else ""
        given = {path.replace(f".{key}.", ".*."): value for path, value in answers.items()} if key else answers
        me.fill(given)
        await me.press(t.text("page.people.save") if key else t.text("page.continue"))
        if key:
            waiting.pop(0)
            if waiting:
                await me.follow(t.text("form.dependants.add"))
        assert str(me.page.url) != before, me.page.text


async def _language(me: Browsing) -> str | None:
    return me.http.cookies.get("langue")


async def enrolment(life: Life) -> dict[str, Any]:
    rows = await life.world.run("SELECT * FROM enrolment WHERE affiliation_id = $1", life.id)
    return dict(rows[0])


# --- whole ways


async def test_from_the_link_to_the_receipt_alone(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        assert "Attestation de droits Sécurité sociale" in me.page.text  # told before it is asked
        assert "RIB (relevé d’identité bancaire)" in me.page.text
        await fill_in(me, alone())
        rib, certificate = samples.rib_pdf(IBAN, "Camille Essai"), samples.certificate_pdf("275067599000197", "ESSAI")
        await me.press("Envoyer ce fichier", ("rib.pdf", rib), form=1)
        assert "Votre fichier est bien arrivé" in me.page.text
        assert "L’IBAN est bien celui que vous avez saisi" in me.page.text
        await me.press("Envoyer ce fichier", ("attestation.pdf", certificate))
        await me.follow(NEXT)
        assert me.path == "/dossier/verification"
        for said in (r"<strong>\d+,\d\d\s€ par mois", "2\xa0novembre\xa02026", "FR76 •", "12 rue des Essais"):
            assert re.search(said, me.page.text), said
        assert IBAN not in me.page.text
        assert "J’enverrai les documents" not in me.page.text  # everything is here
        me.fill(alone())
        await me.press(SEND)
        assert me.path == "/dossier"
        assert "Merci, votre formulaire est envoyé" in me.page.text
        assert "2 fichiers reçus" in me.page.text
        assert "BASE CCN HCR NC SEUL RG" in me.page.text
        for download in ("/dossier/recu.pdf", "/dossier/mes-donnees.pdf", "/dossier/mes-donnees.zip"):
            answer = await me.http.get(download)
            assert answer.content[:2] in (b"%P", b"PK")
            assert "attachment" in answer.headers["content-disposition"]
        await me.open("/dossier/etapes/identity")
        assert me.path == "/dossier"  # sent is sent
    await life.until(Status.finalised)


@pytest.mark.parametrize("language", ["fr", "pt", "ar"])
async def test_a_family_in_the_persons_language(door: Door, app: FastAPI, language: str) -> None:
    life = await door.declare(language=language)
    t = catalogue(Language(language))
    async with person(app, life) as me:
        assert f'<html lang="{t.html_lang}" dir="{t.direction}">' in me.page.text
        await fill_in(me, family(), people=("p1", "k1", "k2"))
        for name in ("João", "Tomás"):
            assert name in me.page.text
        await me.follow(t.text("page.continue"))
        assert me.page.text.count("J’accepte") >= 2  # the text that is signed stays French
        if language != "fr":
            assert t.text("legal.translation_notice") in me.page.text
        me.fill({**family(), "_later": "yes"})
        await me.press(t.text("page.review.send"))
        assert t.text("status.missing_pieces") in me.page.text
        assert t.text("page.receipt.dependants", 3) in me.page.text
    await life.until(Status.finalised)
    dependants = await life.world.run("SELECT 1 FROM dependant WHERE affiliation_id = $1", life.id)
    assert len(dependants) == 3


async def test_who_asks_for_a_waiver_is_told_what_it_means(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await fill_in(me, waived())
        assert "Nous ne vous demandons aucun document" in me.page.text
        await me.follow(NEXT)
        assert re.search(r"ne remboursera\s<strong>aucun</strong>", me.page.text)
        assert "teletransmission" not in me.page.text
        me.fill(waived())
        await me.press(SEND)
        assert "Dispense enregistrée" in me.page.text
        assert "couvert par la mutuelle d’entreprise de mon conjoint" in me.page.text.replace("\xa0", " ")
    await life.until(Status.finalised)


# --- what is typed


async def test_what_cannot_be_read_is_kept_and_said_at_its_field(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/social_security")
        me.fill({"nir": "2 75 06 75 990 001 98", "scheme": "RG"})
        await me.press(NEXT)
        assert me.path == "/dossier/etapes/social_security"
        assert me.title.startswith("Erreur")
        assert me.value("nir") == "2 75 06 75 990 001 98"
        assert 'aria-invalid="true"' in me.page.text
        assert "Un chiffre du numéro de sécurité sociale est faux" in me.page.text
        assert "Exemple\xa0: 2 75 06 75 990 001 97" in me.page.text
        assert 'href="#q-nir"' in me.page.text
        await me.follow("Continuer, je corrigerai plus tard")
        assert me.path == "/dossier/etapes/contact"
        await me.open("/dossier")
        assert "À corriger" in me.page.text
        await me.open("/dossier/verification")
        assert SEND not in me.page.text
        await me.follow("Numéro de sécurité sociale\xa0: Un chiffre")
        assert me.path == "/dossier/etapes/social_security"
        me.fill({"nir": "2 75 06 75 990 001 97"})
        await me.press("revenir à la vérification")
        assert me.path == "/dossier/verification"
        assert "2 75 06 ••• ••• ••" in me.page.text


async def test_what_is_empty_does_not_keep_anybody(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/identity")
        for step in ("social_security", "contact", "choice", "documents"):
            await me.press(NEXT)
            assert me.path == f"/dossier/etapes/{step}"
        await me.follow(NEXT)
        assert "réponses sont à compléter ou à corriger" in me.page.text
        assert me.title.startswith("Erreur")


async def test_what_is_too_long_is_given_back_and_the_rest_is_kept(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/contact")
        me.fill({"line1": "x" * 300, "city": "Nice"})
        await me.press(NEXT)
        assert me.page.status_code == 422
        assert me.value("line1") == "x" * 300
        assert "trop longue" in me.page.text
        await me.open("/dossier/etapes/contact")
        assert me.value("city") == "Nice"


async def test_steps_are_left_forwards_and_backwards_with_what_was_typed(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/contact")
        me.fill({"city": "Lille"})
        await me.press("Étape précédente")
        assert me.path == "/dossier/etapes/social_security"
        assert re.search(r"Enregistré à\s\d+\s?h", me.page.text)
        me.fill({"nir": "2 75"})
        await me.press("voir toutes les étapes")
        assert me.path == "/dossier"
        await me.open("/dossier/etapes/social_security")
        assert me.value("nir") == "2 75"
        await me.open("/dossier/etapes/contact")
        assert me.value("city") == "Lille"


async def test_a_suggestion_that_was_taken_away_does_not_come_back(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/social_security")
        me.fill({"nir": "2 75"})
        await me.press("Étape précédente")
        await me.open("/dossier/etapes/contact")
        assert "@exemple.fr" in (me.value("email") or "")
        me.fill({"email": ""})
        await me.press(NEXT)
        await me.open("/dossier/etapes/contact")
        assert me.value("email") == ""
        assert me.value("city") == "Paris"


async def test_a_masked_number_sent_back_stays_what_it_is(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        for typed in ("2 75 06 75 990 001 97", None):
            await me.open("/dossier/etapes/social_security")
            me.fill({"nir": typed} if typed else {"scheme": "RL"})
            await me.press(NEXT)
            assert me.path == "/dossier/etapes/contact"
        await me.open("/dossier/etapes/social_security")
        assert me.value("nir") == "2 75 06 ••• ••• ••"
        assert "Pour votre sécurité" in me.page.text
        assert "corriger" not in me.title


async def test_a_person_is_changed_and_taken_away_after_a_question(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await fill_in(me, {"identity_correct": "yes", "path": "join"})
        await me.open("/dossier/etapes/family")
        me.fill({"has_dependants": "yes"})
        await me.press(NEXT)
        assert "/dependants/" in me.path
        assert "Ayant droit 1" in me.page.text
        me.fill({"dependants.*.kind": "child", "dependants.*.first_names": "<b>Zoé</b>"})
        me.fill({"dependants.*.birth_date": "10/03/2105"})
        await me.press("Enregistrer cette personne")
        assert me.title.startswith("Erreur")
        assert "Ajoutez" not in me.title
        await me.follow("Continuer, je corrigerai plus tard")
        assert "&lt;b&gt;Zoé&lt;/b&gt;" in me.page.text
        assert "<b>Zoé" not in me.page.text
        await me.follow("Modifier <b>Zoé</b>")
        me.fill({"dependants.*.first_names": "Zoé", "dependants.*.birth_date": "10/03/2015"})
        await me.press("Enregistrer cette personne")
        assert me.path == "/dossier/etapes/family"
        await me.follow("Retirer Zoé")
        assert "Retirer Zoé" in me.title
        await me.follow("Non, garder")
        await me.follow("Retirer Zoé")
        await me.press("Retirer Zoé")
        assert "Cette personne est retirée" in me.page.text
        assert "Modifier Zoé" not in me.page.text
        await me.open("/dossier/etapes/family/dependants/NOT-A-KEY")
        assert me.page.status_code == 404


async def test_text_of_any_kind_is_shown_as_text(door: Door, app: FastAPI) -> None:
    hostile = '"><script>alert(1)</script>\u202e{{ 7*7 }}'
    async with person(app, await door.declare()) as me:
        await me.open("/dossier/etapes/contact")
        me.fill({"line1": hostile, "line2": hostile, "city": hostile, "email": hostile, "phone": hostile})
        await me.press(NEXT)
        assert me.value("city") == hostile
        await me.open("/dossier/verification")
        assert "&lt;script&gt;" in me.page.text
        assert "\u202e" not in me.page.text


# --- two devices


async def test_two_devices_that_answer_differently_are_shown_both_answers(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as phone, person(app, life) as tablet:
        await phone.open("/dossier/etapes/contact")
        await tablet.open("/dossier/etapes/contact")
        phone.fill({"city": "Lille"})
        await phone.press(NEXT)
        tablet.fill({"city": "Nice"})
        await tablet.press(NEXT)
        assert tablet.path == "/dossier"  # what the phone wrote opens with the birth date
        assert "Ce que vous venez d’écrire est enregistré" in tablet.page.text
        born = (await life.world.run(_BIRTH_DATE, life.id))[0]["birth_date"]
        tablet.fill({"birth_date": f"{born:%d/%m/%Y}"})
        await tablet.press("Ouvrir mon dossier")
        assert "À corriger" in tablet.page.text
        await tablet.open("/dossier/etapes/contact")
        for city in ("Lille", "Nice"):
            assert f'value="{city}"' in tablet.page.text
        assert "Deux réponses différentes" in tablet.page.text
        tablet.fill({"city": "Nice"})
        await tablet.press(NEXT)
        assert tablet.path == "/dossier/etapes/choice"
        await phone.open("/dossier/etapes/contact")
        assert phone.value("city") == "Nice"


async def test_two_masked_answers_are_typed_again(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as phone, person(app, life) as tablet:
        await phone.open("/dossier/etapes/social_security")
        await tablet.open("/dossier/etapes/social_security")
        phone.fill({"nir": "275067599000197"})
        await phone.press(NEXT)
        tablet.fill({"nir": "180017511111135"})
        await tablet.press(NEXT)
        await phone.open("/dossier/etapes/social_security")
        assert "Rien n’est perdu" in phone.page.text or "Deux réponses différentes" in phone.page.text
        assert phone.value("nir") == ""
        await phone.press(NEXT)  # not decided
        await phone.open("/dossier/etapes/social_security")
        assert "Deux réponses différentes" in phone.page.text
        phone.fill({"nir": "275067599000197"})
        await phone.press(NEXT)
        assert phone.path == "/dossier/etapes/contact"


async def test_devices_that_answer_different_questions_do_not_meet(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as phone:
        await phone.open("/dossier/etapes/contact")
        async with client(app) as http:
            http.cookies = phone.http.cookies
            tab = Browsing(http)
            await tab.open("/dossier/etapes/contact")
            phone.fill({"city": "Lille"})
            await phone.press(NEXT)
            tab.fill({"line1": "3 quai du Port"})
            await tab.press(NEXT)
        await phone.open("/dossier/etapes/contact")
        assert "Deux réponses différentes" not in phone.page.text
        assert (phone.value("city"), phone.value("line1")) == ("Lille", "3 quai du Port")


async def test_what_changed_since_it_was_read_is_not_signed(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await fill_in(me, alone())
        await me.follow(NEXT)
        async with client(app) as http:
            http.cookies = me.http.cookies
            other = Browsing(http)
            await other.open("/dossier/etapes/contact")
            other.fill({"city": "Brest"})
            await other.press(NEXT)
        me.fill({**alone(), "_later": "yes"})
        await me.press(SEND)
        assert me.path == "/dossier/verification"
        assert "Une réponse a changé entre-temps" in me.page.text
        assert "Brest" in me.page.text
        me.fill({"_later": "yes"})
        await me.press(SEND)
        assert me.path == "/dossier"


_BIRTH_DATE = "SELECT e.birth_date FROM employee e JOIN affiliation a ON a.employee_id = e.id WHERE a.id = $1"


# --- the birth date


async def test_what_was_saved_opens_with_the_birth_date_and_five_wrong_ones_pause(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await me.open("/dossier/etapes/contact")
        me.fill({"city": "Lille"})
        await me.press(NEXT)
    async with person(app, life) as back:
        assert "Votre date de naissance" in back.title
        for path in ("/dossier/etapes/contact", "/dossier/verification", "/dossier/mes-donnees"):
            await back.open(path)
            assert back.path == "/dossier"
            assert "Lille" not in back.page.text
        await back.press("Ouvrir mon dossier")
        assert back.page.status_code == 422
        assert "obligatoire" in back.page.text
        await back.press("Facile à lire")
        assert back.path == "/dossier"  # not the address that the form was sent to
        await back.press("Français")
        back.fill({"birth_date": "hier"})
        await back.press("Ouvrir mon dossier")
        assert back.value("birth_date") == "hier"
        assert "Exemple\xa0: 12/06/1975" in back.page.text
        for left in (4, 3, 2, 1):
            back.fill({"birth_date": "01/01/1951"})
            await back.press("Ouvrir mon dossier")
            assert f"Il vous reste {left} essai" in back.page.text
        back.fill({"birth_date": "01/01/1951"})
        await back.press("Ouvrir mon dossier")
        assert back.page.status_code == 429
        assert "Trop d’essais" in back.page.text
        assert re.search(r"Vous pourrez réessayer <strong>le \w+", back.page.text)
        assert int(back.page.headers["retry-after"]) > 80_000


async def test_the_receipt_opens_with_the_birth_date_and_takes_what_is_missing(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await fill_in(me, alone())
        await me.follow(NEXT)
        me.fill(alone())
        await me.press(SEND)  # two documents are missing
        assert me.page.status_code == 422
        assert "Ce document manque" in me.page.text
        assert me.value("signature") == "Camille Essai"
        me.fill({"_later": "yes"})
        await me.press(SEND)
        assert "À envoyer au plus tard le" in me.page.text
    await life.until(Status.finalised)
    async with person(app, life) as back:
        assert "Il manque des documents" in back.page.text
        assert "BASE CCN" not in back.page.text
        assert "Envoyer ce fichier" not in back.page.text
        for download in ("/dossier/recu.pdf", "/dossier/mes-donnees.pdf", "/dossier/mes-donnees.zip"):
            assert (await back.http.get(download)).status_code == 303  # to the birth date
        back.fill({"birth_date": "12/06/1975"})  # as they wrote it themselves
        await back.press("Ouvrir mon dossier")
        assert "BASE CCN HCR NC SEUL RG" in back.page.text
        await back.press("Envoyer ce fichier", ("IMG_1.jpg", samples.photo(size=(1200, 1600))))
        assert back.path == "/dossier"
        assert "Votre fichier est bien arrivé" in back.page.text
        assert "Documents en cours de vérification" in back.page.text
        await back.press(
            "Envoyer cette photo", ("IMG_2.jpg", samples.photo(size=(1200, 1601))), form=1
        )  # its next page
        await back.press("Envoyer ce fichier", ("trop.txt", b"no document"), form=1)
        assert back.title.startswith("Erreur")
        assert "details open" in back.page.text, "beside what was wrong"
        await back.press("Envoyer ce fichier", ("IMG_3.jpg", samples.photo(size=(1200, 1602))), form=1)
        for page in (1, 2, 3):
            assert f"IMG_{page}.jpg" in back.page.text
        assert back.page.text.count("Envoyer ce fichier") == 1, "three pages are enough; the RIB is still missing"
        await back.open("/dossier/mes-donnees")
        assert "Mes données" in back.title


async def test_a_document_that_was_refused_is_asked_for_again_with_the_reason(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await fill_in(me, alone())
        await me.press("Envoyer ce fichier", ("rib.pdf", samples.rib_pdf(IBAN, "Camille Essai")), form=1)
        await me.follow(NEXT)
        me.fill({**alone(), "_later": "yes"})
        await me.press(SEND)
        assert "rib.pdf" in me.page.text
        await life.world.run(
            "UPDATE document SET verdict = 'refused', verdict_reason = 'unreadable', verdict_by = 'staff',"
            " verdict_at = now() WHERE affiliation_id = $1",
            life.id,
        )
        await life.world.run("UPDATE enrolment SET missing = '{rib}' WHERE affiliation_id = $1", life.id)
        await me.open("/dossier")
        assert "Nous vous le redemandons" in me.page.text
        assert "Nous n’arrivons pas à lire ce document" in me.page.text
        await me.press("Envoyer ce fichier")  # nothing chosen
        assert me.path == "/dossier"
        assert me.title.startswith("Erreur")


async def test_sent_twice_is_sent_once(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await fill_in(me, alone())
        await me.follow(NEXT)
        twin = Browsing(me.http)
        twin.page = me.page
        for one in (me, twin):
            one.fill({**alone(), "_later": "yes"})
            await one.press(SEND)
            assert one.path == "/dossier"
            assert "Il manque des documents" in one.page.text
    await life.until(Status.finalised)
    assert len(await life.world.run("SELECT 1 FROM coverage WHERE affiliation_id = $1", life.id)) == 1


# --- documents


async def test_photos_are_taken_in_advised_on_and_taken_back(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await fill_in(me, alone())
        await me.press("Envoyer ce fichier", ("IMG 1.JPG", samples.blurred_photo(size=(1200, 1600))))
        assert "La photo semble floue" in me.page.text
        await me.press("Envoyer ce fichier", ("recto.heic", samples.photo(fmt="heic", size=(900, 1200))))
        assert me.page.text.count("Supprimer le fichier") == 2
        await me.press("Supprimer le fichier IMG 1")
        assert "Le fichier est supprimé" in me.page.text
        assert me.page.text.count("Supprimer le fichier") == 1


async def test_a_file_that_is_not_taken_is_explained_where_it_was_chosen(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await fill_in(me, alone())
        for file, said in (
            (None, "Nous n’avons reçu aucun fichier"),
            (("rib.docx", b"PK\x03\x04" + b"x" * 400), "Ce type de fichier n’est pas accepté"),
            (("rib.pdf", b""), "Ce fichier est vide"),
            (("rib.pdf", b"%PDF-1.7 nonsense"), "Ce fichier est abîmé"),
        ):
            await me.press("Envoyer ce fichier", file, form=1)
            assert me.path == "/dossier/etapes/documents"
            assert me.title.startswith("Erreur")
            assert said in me.page.text
            assert 'href="#q-documents.rib-file"' in me.page.text
        for _ in range(3):
            await me.press("Envoyer ce fichier", ("rib.pdf", samples.rib_pdf(IBAN, "Camille Essai")), form=1)
        assert "q-documents.rib-file" not in me.page.text  # no room for a fourth
        assert me.value("_from") is not None


async def test_a_file_that_is_far_too_large_gets_a_page_with_the_way_back(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await fill_in(me, alone())
        await me.press("Envoyer ce fichier", ("film.jpg", b"\xff\xd8\xff" + b"x" * 12_000_000))
        assert me.page.status_code == 413
        assert "Ce fichier est trop lourd" in me.page.text
        await me.follow("Revenir")
        assert me.path == "/dossier/etapes/documents"


async def test_a_file_that_no_answer_asks_for_any_more_can_be_taken_back(door: Door, app: FastAPI) -> None:
    async with person(app, await door.declare()) as me:
        await fill_in(me, alone())
        await me.press("Envoyer ce fichier", ("rib.pdf", samples.rib_pdf(IBAN, "Camille Essai")), form=1)
        await me.open("/dossier/etapes/choice")
        me.fill({"path": "waive", "waiver_reason": "covered_by_spouse", "waiver_proof": "sworn"})
        await me.press(NEXT)
        await me.open("/dossier/etapes/documents")
        assert "n’est plus demandé" in me.page.text
        await me.press("Supprimer le fichier rib.pdf")
        assert "rib.pdf" not in me.page.text


# --- sessions, links, languages


async def test_a_session_that_ended_while_typing_still_keeps_it(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await me.open("/dossier/etapes/contact")
        await life.world.run(
            "UPDATE employee_session SET expires_at = now() - interval '1 minute' WHERE affiliation_id = $1", life.id
        )
        me.fill({"city": "Marseille"})
        await me.press(NEXT)
        assert me.page.status_code == 401
        assert "C’est enregistré" in me.page.text
        assert "/courrier" in me.page.text
        await me.open("/dossier/etapes/contact")
        assert "Retrouvez votre dossier" in me.page.text
    assert (await enrolment(life))["version"] == 1


async def test_a_dead_link_offers_a_new_one_at_once(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    link = await link_of(life)
    await door.http.patch(f"/api/v1/affiliations/{life.id}/contact", json={"email": "neuf@exemple.fr"})
    await life.until_messages(2)
    async with person(app) as me:
        await me.open(link)
        assert me.page.status_code == 404
        await me.press("Envoyez-moi un nouveau lien")
        known = me.page.text
        assert me.path == "/lien/demande"
        await me.open(f"/e/{'A' * 43}")
        await me.press("Envoyez-moi un nouveau lien")
        assert me.page.text == known
    await life.until_messages(3)
    assert [box["recipient"] for box in await life.received()][1:] == ["neuf@exemple.fr"] * 2


async def test_a_lost_link_is_asked_for_with_the_code_or_with_what_one_knows(door: Door, app: FastAPI) -> None:
    async with person(app) as me:
        await me.open("/courrier")
        await me.follow("Retrouver mon lien")
        await me.press("Envoyez-moi un nouveau lien")
        assert me.page.status_code == 422
        await me.open("/lien")
        me.fill({"siret": "123", "last_name": "Essai"})
        await me.press("Envoyez-moi un nouveau lien", form=1)
        assert me.page.status_code == 422
        assert (me.value("siret"), me.value("last_name")) == ("123", "Essai")
        assert me.page.text.count('aria-invalid="true"') == 2
        me.fill({"siret": door.employer.siret, "birth_date": "12/06/1975"})
        await me.press("Envoyez-moi un nouveau lien", form=1)
        assert me.path == "/lien/demande"
        await me.open("/lien")
        me.fill({"code": "a7k3 9qxt m2pd h4rz8"})
        await me.press("Envoyez-moi un nouveau lien")
        assert me.path == "/lien/demande"


@pytest.mark.parametrize("language", offered())
async def test_every_page_is_in_the_language_that_was_chosen(door: Door, app: FastAPI, language: Language) -> None:
    life = await door.declare()
    t = catalogue(language)
    async with person(app) as me:
        await me.open("/courrier")
        await me.press(t.text("page.language.name"))
        assert me.path == "/courrier"
        for path in ("/courrier", "/lien", "/lien/demande", "/e/wrong", "/dossier", "/nowhere"):
            await me.open(path)
            assert f'<html lang="{t.html_lang}" dir="{t.direction}">' in me.page.text
        await me.open(await link_of(life))
        assert '<html lang="fr"' in me.page.text  # their message was in French
        await me.press(t.text("page.language.name"))
        for path in ("/dossier", "/dossier/non", "/dossier/etapes/identity", "/dossier/verification"):
            await me.open(path)
            assert f'<html lang="{t.html_lang}" dir="{t.direction}">' in me.page.text
        await me.open("/dossier/etapes/contact")
        me.fill({"city": "Lyon"})
        await me.press("English")  # saves what was typed
        assert me.path == "/dossier/etapes/contact"
        assert me.value("city") == "Lyon"
        assert '<html lang="en"' in me.page.text
    assert (await life.world.run(_LANGUAGE, life.id))[0]["language"] == "en"


_LANGUAGE = "SELECT language FROM affiliation WHERE id = $1"


async def test_the_browsers_language_counts_before_another_is_chosen(app: FastAPI) -> None:
    async with person(app) as me:
        me.http.headers["Accept-Language"] = "pt-BR,pt;q=0.9,en;q=0.8"
        await me.open("/courrier")
        assert '<html lang="pt"' in me.page.text
        me.http.headers["Accept-Language"] = "zz, *;q=0.1"
        await me.open("/courrier")
        assert '<html lang="fr"' in me.page.text


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "https://evil.example/dossier", "/\\evil.example", "/dossier//evil", "", "/dev", "javascript:1"],
)
async def test_a_change_of_language_leads_nowhere_else(app: FastAPI, back: str) -> None:
    async with client(app) as http:
        await http.get("/courrier")
        answer = await http.post("/dossier/langue", data={"langue": "en", "retour": back}, headers=NAVIGATION)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dossier")
        unknown = await http.post("/dossier/langue", data={"langue": "tlh"}, headers=NAVIGATION)
        assert unknown.status_code == 404


async def test_hand_made_forms_change_nothing_they_should_not(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with person(app, life) as me:
        await me.open("/dossier/etapes/contact")
        for fields in (
            {"_seen": "not json", "city": "Nice"},
            {"_seen": "[]", "city": "Nice"},
            {"_seen": '{"unknown": "", "status": ""}', "unknown": "1", "status": "finalised"},
            {"_seen": '{"city": 7}', "_form": "1999"},
        ):
            answer = await me.http.post("/dossier/etapes/contact", data={**fields, "_version": "0"})
            assert answer.status_code == 303, answer.text
        wrong_version = {"_seen": '{"city": ""}', "city": "Nice", "_version": "many"}
        answer = await me.http.post("/dossier/etapes/contact", data=wrong_version)
        assert answer.status_code == 422
        assert "<h1>" in answer.text
        for path in ("/dossier/etapes/nothing", "/dossier/etapes/family", "/dossier/etapes/choice/dependants/k1"):
            assert (await me.http.get(path)).status_code == 404
    assert await life.world.run("SELECT 1 FROM enrolment WHERE affiliation_id = $1", life.id) == []
