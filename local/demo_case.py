"""One affiliation as people have it in front of them: the employer, staff, the employee's browser, and its clock."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pypdfium2  # type: ignore[import-untyped]
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from local.demo_documents import Paper
from local.demo_system import DemoFailed, answered, check, until
from messages import words
from portal.dev_clock import ClockRefused, ClockSlow, advance, current_time

PUNCTUAL = timedelta(minutes=5)

_CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}\b")
_LINK = re.compile(r"/e/([\w-]{43})\b")
_API = "/api/v1"


class Case:
    """Every method waits for its effect, with a bound, and raises DemoFailed where it does not come."""

    def __init__(
        self,
        client: Client,
        employer: httpx2.AsyncClient,
        staff: httpx2.AsyncClient,
        visitor: httpx2.AsyncClient,
        origin: str,
    ) -> None:
        self._client = client
        self._employer = employer
        self._staff = staff
        self._visitor = visitor
        self._origin = origin
        self.id = ""
        self.detail: dict[str, Any] = {}
        self.kept = 0  # announced steps that happened as announced

    @property
    def workflow(self) -> str:
        return f"affiliation-{self.id}"

    # --- the employer

    async def company(self, siren: str) -> dict[str, Any]:
        companies = await _get(self._employer, f"{_API}/companies")
        company = next((each for each in companies["items"] if each["siren"] == siren), None)
        check(company is not None, "l’entreprise de démonstration n’est pas dans le registre")
        assert company is not None
        return dict(company)

    async def declare(self, declaration: Mapping[str, Any]) -> None:
        """Declared twice under one key, once in effect."""
        headers = {"Idempotency-Key": f"demo-{secrets.token_hex(12)}"}
        ids = []
        for _ in range(2):
            answer = await self._employer.post(f"{_API}/affiliations", json=declaration, headers=headers)
            ids.append(answered(answer, 201)["id"])
        check(ids[0] == ids[1], "la déclaration répétée a créé une deuxième affiliation")
        self.id = ids[0]

    async def look(self) -> dict[str, Any]:
        self.detail = await _get(self._employer, f"{_API}/affiliations/{self.id}")
        return self.detail

    async def event(self, kind: str) -> datetime:
        """When the last event of this kind was."""
        events = await _get(self._employer, f"{_API}/affiliations/{self.id}/events")
        moments = [moment(event["at"]) for event in events if event["kind"] == kind]
        check(bool(moments), f"« {words.event_label(kind)} » n’est pas dans l’historique")
        return moments[-1]

    async def reach(self, status: str) -> None:
        async def reached() -> bool:
            return bool((await self.look())["status"] == status)

        await until(reached, f"le dossier n’est pas « {words.status_label(status)} »")

    # --- messages and the clock

    async def message(self, kind: str, number: int = 1) -> dict[str, Any]:
        """The message, once it has left and the workflow itself says what comes after it."""

        async def left() -> dict[str, Any] | None:
            detail = await self.look()
            for message in detail["dispatches"]:
                if (message["kind"], message["number"]) == (kind, number) and message["handed_over_at"]:
                    settled = detail["source"] == "workflow" and detail["status"] != "preparing"
                    upcoming = detail["next_step"]
                    if settled and (upcoming is None or moment(upcoming["at"]) > moment(message["handed_over_at"])):
                        return dict(message)
            return None

        message: dict[str, Any] = await until(left, f"« {words.message_kind_label(kind)} » n’est pas partie")
        return message

    async def next_message(self, kind: str, number: int) -> dict[str, Any]:
        """Move the clock to the step that was announced, and check that it happens then."""
        announced = (await self.look())["next_step"]
        check(
            announced is not None and announced["kind"] == kind,
            f"la prochaine étape annoncée n’est pas « {words.message_kind_label(kind)} »",
        )
        at = moment(announced["at"])
        await self.forward(at - await current_time(self._client, self.workflow))
        message = await self.message(kind, number)
        late = moment(message["handed_over_at"]) - at
        check(timedelta(0) <= late <= PUNCTUAL, f"« {words.message_kind_label(kind)} » est partie à un autre moment")
        check(message["medium"] == announced["medium"], "le message est parti par un autre moyen qu’annoncé")
        self.kept += 1
        return message

    async def forward(self, by: timedelta) -> None:
        try:
            arrived = await advance(self._client, self.workflow, by)
        except (ClockRefused, ClockSlow) as error:
            raise DemoFailed(f"L’horloge n’avance pas : {error}") from None
        check(arrived, "l’affiliation s’est terminée trop tôt")

    async def bounce(self, message: Mapping[str, Any]) -> None:
        """The provider says that the address does not exist."""
        answer = await self._visitor.post(f"/dev/messages/{message['id']}/rebond", headers={"Origin": self._origin})
        check(answer.status_code == 303, f"le rebond n’a pas été reçu ({answer.status_code})")

    async def history(self) -> WorkflowHistory:
        """Of the workflow, which has ended without an error."""
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(self.workflow)

        async def ended() -> bool:
            return (await handle.describe()).close_time is not None

        await until(ended, "le déroulement n’est pas arrivé à sa fin")
        history = await handle.fetch_history()
        failed = [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
        check(not failed, "le déroulement a rencontré des erreurs")
        return history

    # --- what arrived

    async def subject(self, mail: Mapping[str, Any]) -> str:
        title = re.search(r"<title>(.*?)</title>", await self._mail(mail), re.DOTALL)
        check(title is not None, "l’e-mail n’a pas d’objet")
        assert title is not None
        return html.unescape(title.group(1)).strip()

    async def link_token(self, mail: Mapping[str, Any]) -> str:
        link = _LINK.search(await self._mail(mail))
        check(link is not None, "l’e-mail n’a pas de lien")
        assert link is not None
        return link.group(1)

    async def letter_code(self, letter: Mapping[str, Any]) -> str:
        """The code, read from the letter as it arrived."""
        answer = await self._visitor.get(f"/dev/messages/{letter['id']}/lettre.pdf")
        check(answer.status_code == 200, "la lettre n’est pas dans la boîte aux lettres")
        document = pypdfium2.PdfDocument(answer.content)
        try:
            text = "\n".join(page.get_textpage().get_text_bounded() for page in document)
        finally:
            document.close()
        found = _CODE.search(text)
        check(found is not None, "la lettre ne porte pas de code")
        assert found is not None
        return found.group()

    async def _mail(self, mail: Mapping[str, Any]) -> str:
        answer = await self._visitor.get(f"/dev/messages/{mail['id']}/html")
        check(answer.status_code == 200, "l’e-mail n’est pas dans la boîte de réception")
        return answer.text

    # --- the employee's browser

    async def come_in(self, **access: str) -> str:
        """By a link's `token` or a letter's `code`, in a browser that nobody used before; whose form it opens."""
        self._visitor.cookies.clear()
        opened = answered(await self._visitor.post(f"{_API}/enrolments/access", json=access), 200)
        self._visitor.headers["X-CSRF-Token"] = opened["csrf_token"]
        return str(opened["establishment"])

    async def form(self) -> dict[str, Any]:
        form: dict[str, Any] = await _get(self._visitor, f"{_API}/enrolments/current")
        return form

    async def prove(self, birth_date: str) -> None:
        answer = await self._visitor.post(f"{_API}/enrolments/current/proof", json={"birth_date": birth_date})
        check(answer.status_code == 204, "la date de naissance n’ouvre pas ce qui était enregistré")

    async def save(self, answers: Mapping[str, str], version: int) -> int:
        """The version that this makes."""
        body = {"version": version, "answers": dict(answers)}
        saved = answered(await self._visitor.patch(f"{_API}/enrolments/current", json=body), 200)
        return int(saved["version"])

    async def upload(self, piece: str, paper: Paper) -> list[str]:
        """The codes of what was seen at once."""
        answer = await self._visitor.post(
            f"{_API}/enrolments/current/documents", data={"piece": piece}, files={"file": (paper.name, paper.content)}
        )
        return [advice["code"] for advice in answered(answer, 201)["advice"]]

    async def send(self, version: int) -> dict[str, Any]:
        """The receipt."""
        body = {"version": version}
        receipt: dict[str, Any] = answered(
            await self._visitor.post(f"{_API}/enrolments/current/submission", json=body), 200
        )
        return receipt

    # --- staff

    async def waits_for_staff(self) -> bool:
        desk = await _get(self._staff, f"{_API}/staff/desk")
        return any(each["id"] == self.id for each in desk["items"])

    async def to_check(self) -> int:
        """How many documents wait for staff's check."""
        queue = await _get(self._staff, f"{_API}/staff/document-checks")
        return sum(each["documents"] for each in queue["items"] if each["affiliation_id"] == self.id)

    async def review(self) -> dict[str, Any]:
        review: dict[str, Any] = await _get(self._staff, f"{_API}/staff/affiliations/{self.id}/documents")
        return review

    async def accept(self, piece: str) -> dict[str, Any]:
        return await self._judge(f"{piece}/acceptance", {})

    async def ask_again(self, piece: str, reason: str) -> dict[str, Any]:
        return await self._judge(f"{piece}/request", {"reason": reason})

    async def _judge(self, path: str, body: Mapping[str, str]) -> dict[str, Any]:
        answer = await self._staff.post(f"{_API}/staff/affiliations/{self.id}/pieces/{path}", json=body)
        review: dict[str, Any] = answered(answer, 200)
        return review


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _get(who: httpx2.AsyncClient, path: str) -> Any:
    return answered(await who.get(path), 200)
