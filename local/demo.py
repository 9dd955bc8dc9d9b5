"""`make demo`: one affiliation's whole life, told day by day, its clock moved forward.

The system is used as its users do: the employer's payroll software and staff through the JSON API, the employee by the
link of an e-mail and the code of a letter, both read where they arrived (`/dev`). What is told is checked first.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import secrets
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TextIO

import httpx2
import pypdfium2  # type: ignore[import-untyped]
from temporalio.client import Client, WorkflowHandle

from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_mobile, synthetic_nir, synthetic_siren, synthetic_siret
from domain.working_time import PARIS, french_date, french_moment, paris_date
from local import demo_people
from local.demo_register import KEYS_FILE, Keys, read_keys
from local.errors import LocalError
from local.lock import is_held
from local.ports import http_status, reachable
from local.processes import Child
from local.temporal import HOST
from messages import words
from messages.typography import NBSP, french
from portal.dev_clock import ClockRefused, ClockSlow, advance, current_time
from settings import ROOT, Settings

COLUMNS = 80
WAIT_SECONDS = 20.0  # for any one thing that is told
START_SECONDS = 90.0
PUNCTUAL = timedelta(minutes=5)
UNATTENDED_PAUSE_SECONDS = 2.5  # with --lent, where nobody can press a key

_INSURERS = {"klesia": "KLESIA", "malakoff_humanis": "MALAKOFF HUMANIS"}
_BY = {"email": "par e-mail", "post": "par courrier"}
_CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}\b")

FIRST_NAME, LAST_NAME = "Camille", "Rousselin"
EMAIL = "camille.rousselin@example.fr"
PLACE = demo_people.HOTEL.places[0]


class DemoFailed(LocalError):
    """Something did not happen as told."""


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
    async with _running_system(settings, page) as base:
        started = time.monotonic() - began
        keys = await _demo_keys(settings, base)
        client = await _temporal(settings)
        async with _http(base, keys.employer) as employer, _http(base, keys.staff) as staff, _http(base) as visitor:
            story = Story(settings, base, page, client, employer, staff, visitor)
            await story.tell()
            await story.sum_up(time.monotonic() - began - started - page.paused_seconds)


# --- the system


@asynccontextmanager
async def _running_system(settings: Settings, page: Page) -> AsyncIterator[str]:
    """The address of the running system; where none runs, one is started around the story. Raises LocalError."""
    host = reachable(settings.api_host)
    base = f"http://{host}:{settings.api_port}"
    directory = settings.local_dir.resolve()

    async def ready() -> bool:
        return await http_status(host, settings.api_port, "/health/ready") == 200

    if await ready() or is_held(directory):  # held: another terminal is starting it
        await _until(ready, "Le système démarré dans un autre terminal ne répond pas", START_SECONDS)
        yield base
        return
    began = time.monotonic()
    page.aside("Le système n’est pas encore démarré : je le lance le temps de l’histoire.")
    with tempfile.TemporaryDirectory(prefix="demo-") as logs:
        log = Path(logs) / "run.log"
        system = Child(
            "le système",
            [sys.executable, "-m", "local", "run"],
            log=log,
            environment=os.environ,
            directory=ROOT,
            stop_seconds=60,
        )

        async def announced() -> bool:
            return "Ctrl-C stops it" in log.read_text(encoding="utf-8", errors="replace")

        try:
            await system.start()
            await system.until_ready(announced, seconds=START_SECONDS)
            page.aside(f"Prêt en {_seconds(time.monotonic() - began)}.")
            yield base
            page.aside("J’arrête le système. Pour le garder ouvert et regarder ce dossier : make run")
        finally:
            await system.stop()


async def _demo_keys(settings: Settings, base: str) -> Keys:
    """The keys that the running system knows; it may just be learning them."""
    path = settings.local_dir / KEYS_FILE

    async def known() -> Keys | None:
        keys = read_keys(path)
        if keys is None:
            if is_held(settings.local_dir.resolve()):
                return None
            raise DemoFailed(f"Le système qui répond sur {base} n’est pas celui de {settings.local_dir.resolve()}.")
        async with _http(base, keys.employer) as employer, _http(base, keys.staff) as staff:
            answers = await employer.get("/api/v1/companies"), await staff.get("/api/v1/staff/desk")
        return keys if all(answer.status_code == 200 for answer in answers) else None

    keys: Keys = await _until(known, f"Le système de {base} ne connaît pas les clés de {path}", 10)
    return keys


async def _temporal(settings: Settings) -> Client:
    address = settings.temporal_address or f"{HOST}:{settings.local_temporal_port}"
    try:
        return await Client.connect(address, namespace=settings.temporal_namespace)
    except RuntimeError as error:
        raise DemoFailed(f"Temporal ne répond pas à l’adresse {address} : {error}") from None


def _http(base: str, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.AsyncClient(base_url=base, headers=headers, timeout=WAIT_SECONDS)


async def _until(holds: Callable[[], Awaitable[Any]], otherwise: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first answer of `holds` that is not falsy. Raises DemoFailed."""
    deadline = time.monotonic() + seconds
    while not (found := await holds()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"{otherwise[0].upper()}{otherwise[1:]}, après {seconds:.0f} secondes d’attente.")
        await asyncio.sleep(0.04)
    return found


# --- the story


class Story:
    """Camille's way, from the declaration to the coverage."""

    def __init__(
        self,
        settings: Settings,
        base: str,
        page: Page,
        client: Client,
        employer: httpx2.AsyncClient,
        staff: httpx2.AsyncClient,
        visitor: httpx2.AsyncClient,
    ) -> None:
        self._settings = settings
        self._base = base
        self._page = page
        self._client = client
        self._employer = employer
        self._staff = staff
        self._visitor = visitor
        self._id = ""
        self._begins = date.min
        self._detail: dict[str, Any] = {}
        self._kept = 0  # announced steps that happened as announced

    async def tell(self) -> None:
        """Everything, in order. Raises DemoFailed at the first thing that is not as told."""
        declaration = await self._introduce()
        await self._declared(declaration)
        await self._reminded_once()
        await self._reminded_in_vain()
        code = await self._letter()
        await self._draft(code)
        await self._draft_reminded()
        await self._submitted(code, declaration["employee"]["nir"])

    async def _introduce(self) -> dict[str, Any]:
        siren = synthetic_siren(demo_people.HOTEL.number)
        companies = await self._get(self._employer, "/api/v1/companies")
        company = next((each for each in companies["items"] if each["siren"] == siren), None)
        _check(company is not None, "l’entreprise de démonstration n’est pas dans le registre")
        assert company is not None
        today = datetime.now(PARIS).date()
        hired_on = today - timedelta(days=7)
        birth_date = date(1978, 1, 1) + timedelta(days=secrets.randbelow(8_000))
        insurer = _INSURERS[company["insurer"]]
        self._page.facts(
            {
                "La salariée": f"{FIRST_NAME} {LAST_NAME}, réceptionniste en CDI",
                "Embauchée le": french_date(hired_on, weekday=True),
                "Par": f"{PLACE.name}, {PLACE.city.title()}",
                "Assurée par": f"{insurer}, dans le régime HCR Bien-Être",
            }
        )
        self._page.aside("Personnes, entreprises et prix sont inventés. Le temps passe en accéléré.")
        self._page.how_to_go_on()
        return {
            "siret": synthetic_siret(siren, 1),
            "employee": {
                "civility": Civility.madame.value,
                "last_name": LAST_NAME,
                "birth_name": LAST_NAME,
                "first_names": FIRST_NAME,
                "birth_date": birth_date.isoformat(),
                "nir": synthetic_nir(Civility.madame, birth_date, "75", secrets.randbelow(999) + 1),
                "email": EMAIL,
                "phone": synthetic_mobile(9000),
                "language": "fr",
                "address": {"line1": "7 rue des Trois-Fontaines", "postcode": "75010", "city": "Paris"},
            },
            "hired_on": hired_on.isoformat(),
            "professional_status": "NC",
            "scheme": "RG",
            "contract_kind": "cdi",
        }

    async def _declared(self, declaration: dict[str, Any]) -> None:
        """Declared twice under one key, once in effect; the invitation leaves at once."""
        headers = {"Idempotency-Key": f"demo-{secrets.token_hex(12)}"}
        ids = []
        for _ in range(2):
            answer = await self._employer.post("/api/v1/affiliations", json=declaration, headers=headers)
            ids.append(_answered(answer, 201)["id"])
        _check(ids[0] == ids[1], "la déclaration répétée a créé une deuxième affiliation")
        self._id = ids[0]
        message = await self._message("invitation", 1)
        at = _moment(self._detail["declared_at"])
        self._begins = paris_date(at)
        async with self._day(at, "L’hôtel déclare Camille"):
            self._page.tell(
                "Son logiciel de paie envoie la déclaration. Le réseau coupe, il l’envoie une deuxième fois : "
                "elle ne compte qu’une fois."
            )
            await self._show_mail(message)
            self._employer_reads("sent")

    async def _reminded_once(self) -> None:
        message = await self._next_message("reminder", 1)
        async with self._day(_moment(message["handed_over_at"]), "Camille n’a pas répondu : première relance"):
            self._page.tell("Elle part toute seule, un jour ouvré, entre 9 h et 18 h.")
            await self._show_mail(message)
            self._employer_reads("sent")

    async def _reminded_in_vain(self) -> None:
        message = await self._next_message("reminder", 2)
        async with self._day(_moment(message["handed_over_at"]), "Toujours rien : deuxième relance"):
            await self._show_mail(message)
            answer = await self._visitor.post(f"/dev/messages/{message['id']}/rebond", headers={"Origin": self._origin})
            _check(answer.status_code == 303, f"le rebond n’a pas été reçu ({answer.status_code})")
            letter = await self._message("postal_fallback", 1)
            rejected = next(each for each in self._detail["dispatches"] if each["id"] == message["id"])
            _check(rejected["state"] == "rejected", "l’e-mail refusé n’est pas « Rejeté »")
            self._page.sign("refused", "Rejeté", _apostrophes(words.failure(rejected["reason"]).what))
            self._page.tell("")
            self._page.tell("Aussitôt, une lettre part à son adresse, sans que personne s’en occupe.")
            await self._show_letter(letter)
            self._employer_reads("sent", medium="post")
            desk = await self._get(self._staff, "/api/v1/staff/desk")
            _check(all(each["id"] != self._id for each in desk["items"]), "le dossier attend un gestionnaire")
            self._page.row("Gestionnaires", "rien à faire")

    async def _letter(self) -> str:
        """The code, read from the letter as it arrived."""
        letter = await self._message("postal_fallback", 1)
        found = _CODE.search(await self._letter_text(letter))
        _check(found is not None, "la lettre ne porte pas de code")
        assert found is not None
        return found.group()

    async def _draft(self, code: str) -> None:
        await self._forward(timedelta(days=4))
        await self._comes_in(code)
        content = {"level": "OPTION 1", "account_holder": f"{FIRST_NAME} {LAST_NAME}"}
        saved = await self._visitor.put("/api/v1/enrolments/current", json={"version": 0, "content": content})
        _check(_answered(saved, 200)["version"] == 1, "le brouillon n’est pas le premier")
        await self._reach("started")
        started = next(event for event in await self._events() if event["kind"] == "started")
        async with self._day(_moment(started["at"]), "Camille ouvre sa lettre"):
            self._page.tell("Elle saisit le code sur son téléphone et commence. Elle n’a pas son RIB sous la main.")
            self._page.sign("done", "Brouillon", "gardé : elle pourra continuer d’un autre appareil")
            self._employer_reads("started", medium="post")

    async def _draft_reminded(self) -> None:
        message = await self._next_message("draft_reminder", 1)
        async with self._day(_moment(message["handed_over_at"]), "Son formulaire l’attend"):
            self._page.tell("L’adresse e-mail ne marche plus : le rappel passe par le courrier.")
            await self._show_letter(message)
            self._employer_reads("started", medium="post")

    async def _submitted(self, code: str, nir: str) -> None:
        await self._forward(timedelta(days=2))
        await self._comes_in(code)
        draft = await self._get(self._visitor, "/api/v1/enrolments/current")
        _check(draft["content"]["level"] == "OPTION 1", "le brouillon n’a pas été gardé")
        form = {
            "nir": nir,
            "level": "OPTION 1",
            "dependants": [
                {"kind": "partner", "last_name": "Aubrac", "first_names": "Sacha", "birth_date": "1988-02-03"},
                {"kind": "child", "last_name": "Aubrac", "first_names": "Lou", "birth_date": "2019-09-14"},
            ],
            "iban": synthetic_iban(900_000 + secrets.randbelow(99_999)),
            "account_holder": f"{FIRST_NAME} {LAST_NAME}",
            "consent": True,
            "signature": f"{FIRST_NAME} {LAST_NAME}",
        }
        receipt = _answered(await self._visitor.post("/api/v1/enrolments/current/submission", json=form), 200)
        await self._reach("finalised")
        finalised = next(event for event in await self._events() if event["kind"] == "finalised")
        async with self._day(_moment(finalised["at"]), "Camille envoie son formulaire"):
            self._page.tell("Son brouillon était là. Elle ajoute sa famille et son RIB, et signe.")
            coverage = receipt["coverage"]
            _check(
                coverage is not None and coverage["dependants"] == 2, "la couverture ne compte pas deux ayants droit"
            )
            starts_on = date.fromisoformat(coverage["starts_on"])
            self._page.sign("done", "Assurée", f"depuis le {french_date(starts_on)}, jour de son embauche")
            self._page.more(f"{coverage['formula']}, avec 2 ayants droit")
            self._page.more(f"{_euros(coverage['monthly_price_cents'])} par mois")
            self._employer_reads("finalised", medium="post")

    # --- the end

    async def sum_up(self, seconds: float) -> None:
        """Counts, checked; and where to look."""
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(self._workflow)
        await _until(lambda: _has_ended(handle), "le déroulement n’est pas arrivé à sa fin")
        history = await handle.fetch_history()
        failed = [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
        _check(not failed, "le déroulement a rencontré des erreurs")
        await self._look()
        messages = self._detail["dispatches"]
        once = {(message["kind"], message["number"]) for message in messages}
        _check(len(messages) == len(once) == 5, f"{len(messages)} messages au lieu de 5")
        _check(all(message["attempts"] == 1 for message in messages), "un message a été remis plusieurs fois")
        ended = paris_date(_moment(self._detail["status_at"]))
        page = self._page
        page.heading(f"Du jour 0 au jour {(ended - self._begins).days}, en {_seconds(seconds)}")
        for number, message in enumerate(messages, start=1):
            at = _moment(message["handed_over_at"])
            kind = words.message_kind_label(message["kind"]) + (f" n° {message['number']}" * (message["number"] > 1))
            page.line(f"{number}  {_short_day(at):<12}{_MEDIA[message['medium']]:<9}{_apostrophes(kind)}")
        page.line()
        page.facts(
            {
                "Messages": f"{len(messages)}, chacun parti une seule fois",
                "Annoncé, puis tenu": f"{self._kept} étapes sur {self._kept}, au jour et à l’heure dits",
                "Travail de l’hôtel": "une déclaration, puis plus rien",
                "Dans Temporal": f"{len(history.events)} événements pour toute cette vie",
            }
        )
        page.line("À regarder, pas à pas :")
        page.line(page.paint("link", f"{self._base}/dev/affiliations/{self._id}"))
        ui = self._settings.temporal_ui_url
        if "temporal_ui_url" not in self._settings.model_fields_set and not self._settings.temporal_address:
            ui = f"http://{HOST}:{self._settings.local_temporal_ui_port}"
        page.line("et dans Temporal :")
        workflows = f"{ui}/namespaces/{self._settings.temporal_namespace}/workflows"
        page.line(page.paint("link", f"{workflows}/{self._workflow}"), margin="")
        page.line()

    # --- what the system is asked

    @property
    def _workflow(self) -> str:
        return f"affiliation-{self._id}"

    @property
    def _origin(self) -> str:
        return self._settings.public_base_url if "public_base_url" in self._settings.model_fields_set else self._base

    async def _get(self, who: httpx2.AsyncClient, path: str) -> Any:
        return _answered(await who.get(path), 200)

    async def _look(self) -> dict[str, Any]:
        self._detail = await self._get(self._employer, f"/api/v1/affiliations/{self._id}")
        return self._detail

    async def _events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = await self._get(self._employer, f"/api/v1/affiliations/{self._id}/events")
        return events

    async def _message(self, kind: str, number: int) -> dict[str, Any]:
        """The message, once it has left and the workflow itself says what comes after it."""

        async def left() -> dict[str, Any] | None:
            detail = await self._look()
            for message in detail["dispatches"]:
                if (message["kind"], message["number"]) == (kind, number) and message["handed_over_at"]:
                    settled = detail["source"] == "workflow" and detail["status"] != "preparing"
                    upcoming = detail["next_step"]
                    if settled and (upcoming is None or _moment(upcoming["at"]) > _moment(message["handed_over_at"])):
                        return dict(message)
            return None

        message: dict[str, Any] = await _until(left, f"« {words.message_kind_label(kind)} » n’est pas partie")
        return message

    async def _next_message(self, kind: str, number: int) -> dict[str, Any]:
        """Move the clock to the step that was announced, and check that it happens then."""
        announced = (await self._look())["next_step"]
        _check(
            announced is not None and announced["kind"] == kind,
            f"la prochaine étape annoncée n’est pas « {words.message_kind_label(kind)} »",
        )
        at = _moment(announced["at"])
        await self._forward(at - await current_time(self._client, self._workflow))
        message = await self._message(kind, number)
        late = _moment(message["handed_over_at"]) - at
        _check(timedelta(0) <= late <= PUNCTUAL, f"« {words.message_kind_label(kind)} » est partie à un autre moment")
        _check(message["medium"] == announced["medium"], "le message est parti par un autre moyen qu’annoncé")
        self._kept += 1
        return message

    async def _reach(self, status: str) -> None:
        async def reached() -> bool:
            return bool((await self._look())["status"] == status)

        await _until(reached, f"le dossier n’est pas « {words.status_label(status)} »")

    async def _forward(self, by: timedelta) -> None:
        try:
            arrived = await advance(self._client, self._workflow, by)
        except (ClockRefused, ClockSlow) as error:
            raise DemoFailed(f"L’horloge n’avance pas : {error}") from None
        _check(arrived, "l’affiliation s’est terminée trop tôt")

    async def _comes_in(self, code: str) -> None:
        """The employee types the letter's code, in a browser that nobody used before."""
        self._visitor.cookies.clear()
        opened = await self._visitor.post("/api/v1/enrolments/access", json={"code": code.lower().replace("-", " ")})
        _check(_answered(opened, 200)["establishment"] == PLACE.name, "le code ouvre un autre dossier")

    async def _letter_text(self, message: dict[str, Any]) -> str:
        answer = await self._visitor.get(f"/dev/messages/{message['id']}/lettre.pdf")
        _check(answer.status_code == 200, "la lettre n’est pas dans la boîte aux lettres")
        document = pypdfium2.PdfDocument(answer.content)
        try:
            return "\n".join(page.get_textpage().get_text_bounded() for page in document)
        finally:
            document.close()

    # --- what is shown

    @asynccontextmanager
    async def _day(self, at: datetime, what: str) -> AsyncIterator[None]:
        local = at.astimezone(PARIS)
        number = (local.date() - self._begins).days
        when = f"{french_date(local.date(), weekday=True)}, {local.hour}{NBSP}h{NBSP}{local.minute:02}"
        self._page.day(f"Jour {number}", when, what)
        yield
        await self._page.end_of_day()

    async def _show_mail(self, message: dict[str, Any]) -> None:
        answer = await self._visitor.get(f"/dev/messages/{message['id']}/html")
        _check(answer.status_code == 200, "l’e-mail n’est pas dans la boîte de réception")
        title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
        _check(title is not None, "l’e-mail n’a pas d’objet")
        assert title is not None
        self._page.sign("email", "E-mail", f"«{NBSP}{html.unescape(title.group(1)).strip()}{NBSP}»")
        self._page.more(f"à {EMAIL}")

    async def _show_letter(self, message: dict[str, Any]) -> None:
        found = _CODE.search(await self._letter_text(message))
        _check(found is not None, "la lettre ne porte pas de code")
        assert found is not None
        self._page.sign("post", "Lettre", "formulaire papier, QR code, et un code à saisir :")
        self._page.more(found.group())

    def _employer_reads(self, status: str, medium: str = "email") -> None:
        """What the employer's follow-up shows now: checked, then told."""
        detail = self._detail
        label = _apostrophes(words.status_label(status))
        _check(detail["status"] == status, f"l’employeur ne lit pas « {label} »")
        _check(detail["medium"] == medium, "l’employeur ne lit pas le bon média")
        self._page.row("L’employeur lit", f"{label} ({words.medium_label(medium)})", first=True)
        upcoming = detail["next_step"]
        if upcoming is None:
            self._page.row("Prochaine étape", "aucune : tout est fait")
            return
        what = "abandon, faute de réponse"
        if upcoming["medium"]:
            kind = _apostrophes(words.message_kind_label(upcoming["kind"]))
            what = f"{kind[0].lower()}{kind[1:]} {_BY[upcoming['medium']]}"
        when = french_moment(_moment(upcoming["at"]), _moment(detail["declared_at"]))
        self._page.row("Prochaine étape", f"{what}, {when.replace(' ', NBSP)}")


_MEDIA = {"email": "e-mail", "post": "lettre"}


async def _has_ended(handle: WorkflowHandle[Any, Any]) -> bool:
    return (await handle.describe()).close_time is not None


def _answered(answer: httpx2.Response, status: int) -> Any:
    """The JSON of an answer. Raises DemoFailed with the problem's own words."""
    if answer.status_code == status:
        return answer.json()
    try:
        problem = answer.json()
        said = f"{problem['title']}. {problem.get('detail', '')}".strip()
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    raise DemoFailed(f"{answer.request.method} {answer.request.url.path} : {answer.status_code}. {said}")


def _check(holds: bool, otherwise: str) -> None:
    """Raises DemoFailed."""
    if not holds:
        raise DemoFailed(otherwise[0].upper() + otherwise[1:] + ".")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _short_day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m/%Y}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}".replace(".", ",") + f"{NBSP}secondes"


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02}{NBSP}€"


def _apostrophes(text: str) -> str:
    return text.replace("'", "’")


# --- the page


async def _enter() -> None:
    """Until a line comes from the keyboard; a Ctrl-C is heard meanwhile."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    sys.stdin.readline()


class Page:
    """Lines for a terminal of 80 columns or less; colours only where a person looks and has not said NO_COLOR."""

    _STYLES: ClassVar = {
        "title": "1",
        "day": "1;36",
        "strong": "1",
        "faint": "2",
        "done": "32",
        "refused": "31",
        "email": "34",
        "post": "33",
        "link": "4",
    }
    _SIGNS: ClassVar = {"email": "@", "post": "✉", "done": "✓", "refused": "✗"}
    _RULE = "│ "
    _LABEL = 17  # columns of a row's label

    def __init__(self, out: TextIO, *, slow: bool = False) -> None:
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")  # a terminal without these signs still shows the words
        self._out = out
        self._slow = slow
        self._attended = out.isatty() and sys.stdin.isatty()
        self._colours = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._width = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns) if out.isatty() else COLUMNS
        self.paused_seconds = 0.0

    def paint(self, style: str, text: str) -> str:
        return f"\x1b[{self._STYLES[style]}m{text}\x1b[0m" if self._colours else text

    def line(self, text: str = "", margin: str = "  ") -> None:
        print(f"{margin}{text}".rstrip(), file=self._out, flush=True)

    def title(self, name: str, about: str) -> None:
        self.line()
        self.line(self.paint("title", name) + f" · {about}")
        self.line(self.paint("faint", "─" * (self._width - 4)))
        self.line()

    def heading(self, text: str) -> None:
        self.line(self.paint("faint", "─" * (self._width - 4)))
        self.line(self.paint("title", text))
        self.line()

    def facts(self, facts: dict[str, str]) -> None:
        widest = max(map(len, facts))
        for label, text in facts.items():
            self.line(f"{label:<{widest}}   {french(text)}")
        self.line()

    def aside(self, text: str) -> None:
        for part in self._wrapped(text, 2):
            self.line(self.paint("faint", part))
        self.line()

    def failed(self, why: str) -> None:
        self.line()
        for part in self._wrapped(f"✗ L’histoire s’arrête ici. {why}", 2):
            self.line(self.paint("refused", part))

    def day(self, number: str, when: str, what: str) -> None:
        self.line(f"{self.paint('day', f'● {number}')} · {when}")
        for part in self._wrapped(what, 4):
            self._ruled(self.paint("title", part))

    def tell(self, text: str) -> None:
        for part in self._wrapped(text, 4) or [""]:
            self._ruled(part)

    def sign(self, kind: str, what: str, text: str) -> None:
        """Something that happened: a sign, a word, and the rest."""
        self._ruled()
        label = f"{self._SIGNS[kind]} {what}"
        self._labelled(self.paint(kind, label), label, text)

    def more(self, text: str) -> None:
        """Goes on with a `sign`."""
        self._labelled("", "", text)

    def row(self, label: str, text: str, *, first: bool = False) -> None:
        """What somebody reads; the `first` row of a group stands out."""
        if first:
            self._ruled()
        self._labelled(self.paint("faint", label), label, text, "strong" if first else None)

    def _labelled(self, painted: str, label: str, text: str, style: str | None = None) -> None:
        for number, part in enumerate(self._wrapped(text, 6 + self._LABEL)):
            shown = self.paint(style, part) if style else part
            self._ruled(f"  {painted + ' ' * (self._LABEL - len(label)) if number == 0 else ' ' * self._LABEL}{shown}")

    def how_to_go_on(self) -> None:
        if self._slow and self._attended:
            self.aside("Appuyez sur la touche Entrée pour passer au jour suivant.")

    async def end_of_day(self) -> None:
        self._ruled()
        if not self._slow:
            return
        began = time.monotonic()
        if self._attended:
            await _enter()
        else:
            await asyncio.sleep(UNATTENDED_PAUSE_SECONDS)
        self.paused_seconds += time.monotonic() - began

    def _ruled(self, text: str = "") -> None:
        self.line(self.paint("faint", self._RULE) + text)

    def _wrapped(self, text: str, before: int) -> list[str]:
        return textwrap.wrap(french(text), self._width - before - 2, break_long_words=False, break_on_hyphens=False)
