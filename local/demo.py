"""`make demo`: one affiliation's whole life, told day by day, its clock moved forward.

The system is used as its users do: the employer's payroll software and staff through the JSON API, the employee by the
code of a letter and the link of an e-mail, both read where they arrived (`/dev`). What is told is checked first.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any

import httpx2

from domain.media import Language
from domain.synthetic import synthetic_siren, synthetic_siret
from domain.working_time import PARIS, french_date, french_moment, paris_date
from local import demo_documents, demo_people
from local.demo_camille import Camille, new_camille
from local.demo_case import Case, moment
from local.demo_page import Page, apostrophes, euros, seconds_in_words
from local.demo_system import DemoFailed, check, demo_keys, http, running_system, temporal_client
from local.temporal import HOST
from messages import words
from messages.catalogue import catalogue
from messages.typography import NBSP
from settings import Settings

PLACE = demo_people.HOTEL.places[0]
RIB, CERTIFICATE = "rib", "social_security_certificate"

_INSURERS = {"klesia": "KLESIA", "malakoff_humanis": "MALAKOFF HUMANIS"}
_BY = {"email": "par e-mail", "post": "par courrier"}
_MEDIA = {"email": "e-mail", "post": "lettre"}


def main(arguments: list[str]) -> int:
    """Tell the story; 0 when everything happened as told. Raises LocalError when the system cannot be used."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Une affiliation, du premier jour à l’assurance.", add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="affiche cette aide")
    parser.add_argument(
        "--lent", "--slow", action="store_true", help="s’arrête entre les jours ; la touche Entrée fait continuer"
    )
    options = parser.parse_args(arguments)
    page = Page(sys.stdout, slow=options.lent)
    try:
        asyncio.run(_demo(Settings(), page))
    except DemoFailed as failed:
        page.failed(str(failed))
        return 1
    except httpx2.HTTPError as error:
        page.failed(f"Le système ne répond plus ({type(error).__name__}).")
        return 1
    except BrokenPipeError:  # « make demo | head »
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


async def _demo(settings: Settings, page: Page) -> None:
    began = time.monotonic()
    page.title("Espace Entreprise Santé", "une affiliation, du premier jour à l’assurance")
    async with running_system(settings, page) as base:
        started = time.monotonic() - began
        keys = await demo_keys(settings, base)
        client = await temporal_client(settings)
        async with http(base, keys.employer) as employer, http(base, keys.staff) as staff, http(base) as visitor:
            origin = settings.public_base_url if "public_base_url" in settings.model_fields_set else base
            story = Story(Case(client, employer, staff, visitor, origin), page, new_camille())
            await story.tell()
            await story.sum_up(time.monotonic() - began - started - page.paused_seconds)
            await story.say_where_to_look(settings, base)


class Story:
    """Camille's way, from the declaration to the accepted file."""

    def __init__(self, case: Case, page: Page, camille: Camille) -> None:
        self._case = case
        self._page = page
        self._camille = camille
        self._begins = date.min
        self._words = catalogue(Language.fr)

    async def tell(self) -> None:
        """Everything, in order. Raises DemoFailed at the first thing that is not as told."""
        await self._introduce()
        await self._declared()
        await self._reminded_once()
        code = await self._reminded_in_vain()
        await self._draft(code)
        code = await self._draft_reminded()
        await self._submitted(code)
        await self._asked_again()
        token = await self._pieces_reminded()
        await self._sent_again(token)
        await self._accepted()

    async def _introduce(self) -> None:
        company = await self._case.company(synthetic_siren(demo_people.HOTEL.number))
        self._page.facts(
            {
                "La salariée": f"{self._camille.name}, réceptionniste en CDI",
                "Embauchée le": french_date(self._camille.hired_on, weekday=True),
                "Par": f"{PLACE.name}, {PLACE.city.title()}",
                "Assurée par": f"{_INSURERS[company['insurer']]}, dans le régime HCR Bien-Être",
            }
        )
        self._page.aside("Personnes, entreprises, documents et prix sont inventés. Le temps passe en accéléré.")
        self._page.how_to_go_on()

    async def _declared(self) -> None:
        """Declared twice under one key, once in effect; the invitation leaves at once."""
        siret = synthetic_siret(synthetic_siren(demo_people.HOTEL.number), 1)
        await self._case.declare(self._camille.declaration(siret))
        message = await self._case.message("invitation")
        at = moment(self._case.detail["declared_at"])
        self._begins = paris_date(at)
        async with self._day(at, "L’hôtel déclare Camille"):
            self._page.tell(
                "Son logiciel de paie envoie la déclaration. Le réseau coupe, il l’envoie une deuxième fois : "
                "elle ne compte qu’une fois."
            )
            await self._show_mail(message)
            self._employer_reads("sent", "email")

    async def _reminded_once(self) -> None:
        message = await self._case.next_message("reminder", 1)
        async with self._day(moment(message["handed_over_at"]), "Camille n’a pas répondu : première relance"):
            self._page.tell("Elle part toute seule, un jour ouvré, entre 9 h et 18 h.")
            await self._show_mail(message)
            self._employer_reads("sent", "email")

    async def _reminded_in_vain(self) -> str:
        """The code of the letter."""
        message = await self._case.next_message("reminder", 2)
        async with self._day(moment(message["handed_over_at"]), "Toujours rien : deuxième relance"):
            await self._show_mail(message)
            await self._case.bounce(message)
            letter = await self._case.message("postal_fallback")
            rejected = next(each for each in self._case.detail["dispatches"] if each["id"] == message["id"])
            check(rejected["state"] == "rejected", "l’e-mail refusé n’est pas « Rejeté »")
            self._page.sign("refused", "Rejeté", apostrophes(words.failure(rejected["reason"]).what))
            self._page.tell("")
            self._page.tell("Aussitôt, une lettre part à son adresse, sans que personne s’en occupe.")
            code = await self._show_letter(letter)
            self._employer_reads("sent", "post")
            check(not await self._case.waits_for_staff(), "le dossier attend un gestionnaire")
            self._page.row("Gestionnaires", "rien à faire")
        return code

    async def _draft(self, code: str) -> None:
        await self._case.forward(timedelta(days=4))
        await self._comes_in(code=code.lower().replace("-", " "))
        answers = self._camille.first_answers()
        version = 0
        for path, typed in answers.items():
            version = await self._case.save({path: typed}, version)
        check(version == len(answers), "une réponse n’a pas été gardée")
        await self._case.reach("started")
        async with self._day(await self._case.event("started"), "Camille ouvre sa lettre dans le métro"):
            self._page.tell(
                "Elle saisit le code sur son téléphone et commence. Chaque réponse est gardée dès qu’elle la donne. "
                "Elle n’a pas son RIB sous la main."
            )
            self._page.sign("done", "Brouillon", f"{version} réponses gardées : elle continuera d’un autre appareil")
            self._employer_reads("started", "post")

    async def _draft_reminded(self) -> str:
        """The code of the letter."""
        message = await self._case.next_message("draft_reminder", 1)
        async with self._day(moment(message["handed_over_at"]), "Son formulaire l’attend"):
            self._page.tell("L’adresse e-mail ne marche plus : le rappel passe par le courrier.")
            code = await self._show_letter(message)
            self._employer_reads("started", "post")
        return code

    async def _submitted(self, code: str) -> None:
        await self._case.forward(timedelta(days=2))
        await self._comes_in(code=code)
        locked = await self._case.form()
        check(locked["locked"] and not locked["answers"], "le brouillon s’ouvre à qui n’a que le code")
        await self._case.prove(self._camille.typed_birth_date)
        draft = await self._case.form()
        check(draft["answers"]["city"] == "Paris", "le brouillon n’a pas été gardé")
        masked = draft["answers"]["nir"]
        check("•" in masked, "le numéro de sécurité sociale se lit en entier")
        version = await self._case.save(self._camille.other_answers(), draft["version"])
        advice = {
            RIB: await self._case.upload(RIB, self._camille.rib),
            CERTIFICATE: await self._case.upload(
                CERTIFICATE, demo_documents.photographed(self._camille.certificate, blurred=True)
            ),
        }
        check(advice == {RIB: ["iban_matches"], CERTIFICATE: ["blurred"]}, "les documents sont mal relus")
        receipt = await self._case.send(version)
        message = await self._case.message("confirmation")
        await self._case.reach("finalised")
        async with self._day(await self._case.event("finalised"), "Camille termine chez elle et envoie"):
            self._page.tell(
                f"Sa date de naissance rouvre son brouillon ; son numéro y reste masqué : {masked.replace(' ', NBSP)}. "
                "Elle ajoute ses enfants, sa bonne adresse e-mail et deux documents, relus aussitôt :"
            )
            self._show_advice("done", "RIB", advice[RIB])
            self._show_advice("look", "Attestation", advice[CERTIFICATE])
            self._page.more("Elle l’envoie quand même : ce n’est qu’un conseil.")
            coverage = receipt["coverage"]
            check(coverage is not None and coverage["dependants"] == 2, "la couverture ne compte pas deux ayants droit")
            starts_on = date.fromisoformat(coverage["starts_on"])
            check(starts_on == self._camille.hired_on, "la couverture ne commence pas le jour de l’embauche")
            self._page.sign("done", "Assurée", f"depuis le {french_date(starts_on)}, jour de son embauche")
            self._page.more(f"{coverage['formula']}, avec 2 ayants droit")
            self._page.more(f"{euros(coverage['monthly_price_cents'])} par mois")
            await self._show_mail(message, self._camille.own_email)
            self._employer_reads("finalised", "email", next_step="rien d’automatique : on vérifie ses documents")
            await self._show_checks(2)

    async def _asked_again(self) -> None:
        await self._case.forward(timedelta(days=1))
        await self._case.accept(RIB)
        review = await self._case.ask_again(CERTIFICATE, "unreadable")
        check(review["missing"] == [CERTIFICATE], "la pièce n’est pas redemandée")
        message = await self._case.message("missing_pieces")
        async with self._day(moment(message["handed_over_at"]), "Un gestionnaire vérifie les documents"):
            self._page.sign("done", "RIB", "accepté")
            self._page.sign("refused", "Attestation", apostrophes(self._words.text("document.reason.unreadable")))
            await self._show_mail(message, self._camille.own_email)
            deadline = (await self._case.form())["pieces_deadline"]
            check(deadline is not None, "la demande n’a pas de date limite")
            self._page.more(f"à envoyer jusqu’au {french_date(date.fromisoformat(deadline))}")
            self._employer_reads("finalised", "email")
            await self._show_checks(0)

    async def _pieces_reminded(self) -> str:
        """The token of the e-mail's link."""
        message = await self._case.next_message("missing_pieces", 2)
        async with self._day(moment(message["handed_over_at"]), "L’attestation manque toujours : le rappel part"):
            await self._show_mail(message, self._camille.own_email)
            self._employer_reads("finalised", "email")
        return await self._case.link_token(message)

    async def _sent_again(self, token: str) -> None:
        await self._case.forward(timedelta(days=1))
        await self._comes_in(token=token)
        await self._case.prove(self._camille.typed_birth_date)
        advice = await self._case.upload(CERTIFICATE, self._camille.certificate)
        check(advice == ["nir_matches"], "l’attestation est mal relue")
        receipt = await self._case.form()
        check(receipt["checking"] and not receipt["missing"], "l’attestation n’est pas arrivée")
        await self._case.look()
        async with self._day(await self._case.event("pieces_received"), "Camille envoie le PDF de son attestation"):
            self._page.tell("Le lien de l’e-mail ouvre son dossier, sa date de naissance ses documents.")
            self._show_advice("done", "Attestation", advice)
            self._employer_reads("finalised", "email", next_step="rien d’automatique : on vérifie ses documents")
            await self._show_checks(1)

    async def _accepted(self) -> None:
        await self._case.forward(timedelta(days=1))
        review = await self._case.accept(CERTIFICATE)
        check(not review["missing"] and not review["checking"], "le dossier attend encore quelque chose")
        message = await self._case.message("confirmation", 2)
        async with self._day(moment(message["handed_over_at"]), "Le gestionnaire accepte : tout est là"):
            self._page.sign("done", "Attestation", "acceptée")
            await self._show_mail(message, self._camille.own_email)
            self._employer_reads("finalised", "email")
            await self._show_checks(0)

    async def _comes_in(self, **access: str) -> None:
        check(await self._case.come_in(**access) == PLACE.name, "ce lien ou ce code ouvre un autre dossier")

    # --- the end

    async def sum_up(self, seconds: float) -> None:
        """Counts, checked."""
        history = await self._case.history()
        detail = await self._case.look()
        messages = detail["dispatches"]
        once = {(message["kind"], message["number"]) for message in messages}
        check(len(messages) == len(once) == 9, f"{len(messages)} messages au lieu de 9")
        check(all(message["attempts"] == 1 for message in messages), "un message a été remis plusieurs fois")
        ended = paris_date(await self._case.event("pieces_accepted"))
        page = self._page
        page.heading(f"Du jour 0 au jour {(ended - self._begins).days}, en {seconds_in_words(seconds)}")
        for number, message in enumerate(messages, start=1):
            at = moment(message["handed_over_at"])
            kind = words.message_kind_label(message["kind"]) + (f" n° {message['number']}" * (message["number"] > 1))
            page.line(f"{number}  {_short_day(at):<12}{_MEDIA[message['medium']]:<9}{apostrophes(kind)}")
        page.line()
        page.facts(
            {
                "Messages": f"{len(messages)}, chacun parti une seule fois",
                "Annoncé, puis tenu": f"{self._case.kept} étapes sur {self._case.kept}, au jour et à l’heure dits",
                "Travail de l’hôtel": "une déclaration, puis plus rien",
                "Des gestionnaires": "trois documents vérifiés, dont un redemandé",
                "Dans Temporal": f"{len(history.events)} événements pour toute cette vie",
            }
        )

    async def say_where_to_look(self, settings: Settings, base: str) -> None:
        page = self._page
        page.line("À regarder, pas à pas :")
        page.line(page.paint("link", f"{base}/dev/affiliations/{self._case.id}"))
        ui = settings.temporal_ui_url
        if "temporal_ui_url" not in settings.model_fields_set and not settings.temporal_address:
            ui = f"http://{HOST}:{settings.local_temporal_ui_port}"
        page.line("et dans Temporal :")
        workflows = f"{ui}/namespaces/{settings.temporal_namespace}/workflows"
        page.line(page.paint("link", f"{workflows}/{self._case.workflow}"), margin="")
        page.line()

    # --- what is shown

    @asynccontextmanager
    async def _day(self, at: datetime, what: str) -> AsyncIterator[None]:
        local = at.astimezone(PARIS)
        number = (local.date() - self._begins).days
        when = f"{french_date(local.date(), weekday=True)}, {local.hour}{NBSP}h{NBSP}{local.minute:02}"
        self._page.day(f"Jour {number}", when, what)
        yield
        await self._page.end_of_day()

    async def _show_mail(self, message: Mapping[str, Any], to: str = Camille.email) -> None:
        check(message["medium"] == "email", "le message n’est pas parti par e-mail")
        self._page.sign("email", "E-mail", f"«{NBSP}{await self._case.subject(message)}{NBSP}»")
        self._page.more(f"à {to}")

    async def _show_letter(self, message: Mapping[str, Any]) -> str:
        """Its code."""
        code = await self._case.letter_code(message)
        self._page.sign("post", "Lettre", "formulaire papier, QR code, et un code à saisir :")
        self._page.more(code)
        return code

    def _show_advice(self, sign: str, what: str, codes: list[str]) -> None:
        self._page.sign(sign, what, " ".join(self._words.text(f"document.advice.{code}") for code in codes))

    async def _show_checks(self, expected: int) -> None:
        """What staff have to check now: checked, then told."""
        waiting = await self._case.to_check()
        check(waiting == expected, f"{waiting} documents attendent un gestionnaire, au lieu de {expected}")
        told = "rien à faire" if not waiting else f"{waiting} document{'s' * (waiting > 1)} à vérifier"
        self._page.row("Gestionnaires", told)

    def _employer_reads(self, status: str, medium: str, *, next_step: str = "aucune : tout est fait") -> None:
        """What the employer's follow-up shows now: checked, then told; `next_step` where none is planned."""
        detail = self._case.detail
        label = apostrophes(words.status_label(status))
        check(detail["status"] == status, f"l’employeur ne lit pas « {label} »")
        check(detail["medium"] == medium, "l’employeur ne lit pas le bon média")
        self._page.row("L’employeur lit", f"{label} ({words.medium_label(medium)})", first=True)
        upcoming = detail["next_step"]
        if upcoming is not None:
            what = "abandon, faute de réponse"
            if upcoming["medium"]:
                kind = apostrophes(words.message_kind_label(upcoming["kind"]))
                what = f"{kind[0].lower()}{kind[1:]} {_BY[upcoming['medium']]}"
            when = french_moment(moment(upcoming["at"]), moment(detail["declared_at"]))
            next_step = f"{what}, {when.replace(' ', NBSP)}"
        self._page.row("Prochaine étape", next_step)


def _short_day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m/%Y}"
