"""What an employer and staff do about an affiliation, and when they may not."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from fastapi import FastAPI
from temporalio.testing import WorkflowEnvironment

from activities.contracts.affiliation import DeliveryFailed
from activities.writing import reference_of
from api.app import create_app
from composition import providers
from db.pool import create_pool
from domain.affiliation import Status
from domain.media import Language, Medium
from domain.synthetic import synthetic_siret
from domain.working_time import french_moment
from gateways.letter_codes import format_code
from gateways.local_boxes import LocalBoxes, LocalMail
from gateways.mail import Email
from gateways.outcomes import Accepted, RefusalReason, Refused
from messages.catalogue import catalogue
from services.callers import Scope
from settings import Settings
from tests.api.conftest import BASE, Door, client, employee_of, key_for, link_token
from tests.enrolling import alone, complete, waived
from tests.world import Life, open_world


def one(life: Life, action: str = "") -> str:
    return f"{BASE}/affiliations/{life.id}{action}"


def refusal(answer: httpx2.Response) -> str:
    assert answer.status_code == 409, answer.text
    return str(answer.json()["type"]).removeprefix("urn:hcr:problem:")


async def sent(door: Door, **changes: Any) -> Life:
    life = await door.declare(**changes)
    await life.until(Status.sent)
    return life


# --- declaring


async def test_a_closed_establishment_takes_nobody_on_from_its_last_day(door: Door) -> None:
    await door.world.run("UPDATE establishment SET closed_on = '2026-11-02' WHERE siret = $1", door.employer.siret)
    body = door.world.declaration(door.employer)
    for hired_on, status in (("2026-11-01", 201), ("2026-11-02", 422), ("2026-11-03", 422)):
        answer = await door.http.post(
            f"{BASE}/affiliations", json={**door.world.declaration(door.employer), "hired_on": hired_on}
        )
        assert answer.status_code == status, hired_on
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("siret", "siret.closed")]
    assert body["siret"] not in answer.text


async def test_who_has_an_open_affiliation_is_not_declared_again_at_the_same_establishment(door: Door) -> None:
    body = door.world.declaration(door.employer)
    first = await door.http.post(f"{BASE}/affiliations", json=body)
    again = await door.http.post(f"{BASE}/affiliations", json=body)
    assert refusal(again) == "affiliation_already_open"
    assert again.json()["id"] == first.json()["id"]
    elsewhere = synthetic_siret(door.employer.siren, 2)
    await door.world.run(
        "INSERT INTO establishment (company_id, siret, name, postcode, city) VALUES ($1, $2, 'BAR', '75012', 'PARIS')",
        door.employer.company_id,
        elsewhere,
    )
    other = await door.http.post(f"{BASE}/affiliations", json={**body, "siret": elsewhere})
    assert other.status_code == 201


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("employee.address.line1", {"line1": "12 rue " + "Sansespaceaucunetropplongpourlenveloppe" * 2}),
        ("employee.address.line1", {"line1": "…"}),
        ("employee.address.city", {"city": "12345"}),
        ("employee.address.city", {"city": "Bouzemont-Genest-sur-Isson-la-Grande"}),
    ],
)
async def test_an_address_that_no_envelope_carries_is_refused_when_it_is_typed(
    door: Door, field: str, changes: dict[str, str]
) -> None:
    """Found later, it would stop the letter that the workflow falls back to."""
    address = {"line1": "12 rue des Essais", "postcode": "75011", "city": "Paris", **changes}
    body = door.world.declaration(door.employer, address=address)
    answer = await door.http.post(f"{BASE}/affiliations", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [field]
    assert "Exemple" in answer.json()["errors"][0]["message"]
    life = await door.declare()
    corrected = await door.http.patch(one(life, "/contact"), json={"address": address})
    assert corrected.status_code == 422
    assert [e["field"] for e in corrected.json()["errors"]] == [field.removeprefix("employee.")]


async def test_a_name_that_no_envelope_carries_is_refused_when_it_is_typed(door: Door) -> None:
    body = door.world.declaration(door.employer, last_name="Unseulmotbienpluslongquunelignedenveloppe")
    answer = await door.http.post(f"{BASE}/affiliations", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["employee.last_name"]


async def test_a_long_name_of_several_words_gets_its_letter(door: Door) -> None:
    life = await door.declare(
        email=None, last_name="de la Rochefoucauld-Montmorency d’Estissac", first_names="Marie-Antoinette Joséphine"
    )
    assert await life.until_messages(1) == [("invitation", "post")]


# --- reminding and correcting


async def test_a_second_reminder_within_a_day_is_refused_with_the_moment_in_french(door: Door) -> None:
    life = await sent(door)
    first = await door.http.post(one(life, "/reminders"))
    assert first.status_code == 200
    assert await life.until_messages(2) == [("invitation", "email"), ("employer_reminder", "email")]
    await life.until_quiet()  # the 24 hours count from its departure, once the workflow has heard of it
    second = await door.http.post(one(life, "/reminders"))
    assert refusal(second) == "reminder_too_soon"
    problem = second.json()
    retry_at = datetime.fromisoformat(problem["retry_at"])
    assert timedelta(0) < retry_at - await life.now() <= timedelta(hours=24)
    assert french_moment(retry_at) in problem["detail"]
    assert "\u00a0: " in problem["detail"]
    detail = (await door.http.get(one(life))).json()
    assert datetime.fromisoformat(detail["reminder_allowed_from"]) == retry_at
    await life.advance(timedelta(hours=24))
    assert (await door.http.post(one(life, "/reminders"))).status_code == 200


async def test_a_closed_affiliation_takes_no_reminder_correction_pause_or_withdrawal(door: Door) -> None:
    life = await sent(door)
    assert (await door.http.post(one(life, "/withdrawal"), json={"reason": "duplicate"})).status_code == 200
    for method, action, body in (
        ("POST", "/reminders", None),
        ("PATCH", "/contact", {"email": "trop.tard@exemple.fr"}),
        ("POST", "/pause", {"reason": "other"}),
        ("POST", "/resumption", None),
        ("POST", "/withdrawal", {"reason": "other"}),
    ):
        answer = await door.http.request(method, one(life, action), json=body)
        assert refusal(answer) == "affiliation_closed", action
    assert (await life.row())["closure"] == "withdrawn_duplicate"


async def test_a_corrected_email_kills_its_links_and_spares_the_letters_code(door: Door, app: FastAPI) -> None:
    life = await sent(door)
    old = await link_token(life)
    await door.world.engine.delivery_failed(str(life.id), DeliveryFailed(Medium.email, 1, "bounced_address"))
    assert await life.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]
    rows = await door.world.run(
        "SELECT dispatch_id, selector FROM access_token WHERE affiliation_id = $1 AND medium = 'post'", life.id
    )
    code = format_code(rows[0]["selector"], door.world.writer.letter_secret(rows[0]["dispatch_id"]))
    async with employee_of(app, life, old) as browser:
        corrected = await door.http.patch(one(life, "/contact"), json={"email": "neuve@exemple.fr"})
        assert corrected.status_code == 200, corrected.text
        assert (await browser.get(f"{BASE}/enrolments/current")).status_code == 401
    assert (await life.until_messages(3))[-1] == ("invitation", "email")
    received = await life.received()
    assert received[-1]["recipient"] == "neuve@exemple.fr"
    async with client(app) as http:
        assert (await http.post(f"{BASE}/enrolments/access", json={"token": old})).status_code == 404
        assert (await http.post(f"{BASE}/enrolments/access", json={"code": code})).status_code == 200
    new = re.search(r"/e/([\w-]{43})", received[-1]["text"])
    assert new
    async with employee_of(app, life, new.group(1)):
        pass


async def test_a_correction_that_changes_nothing_is_refused_and_what_is_left_out_stays(door: Door) -> None:
    life = await sent(door)
    before = (await door.world.run("SELECT * FROM contact WHERE affiliation_id = $1", life.id))[0]
    for body in ({}, {"email": before["email"]}, {"address": None}, {"phone": before["phone"]}):
        assert refusal(await door.http.patch(one(life, "/contact"), json=body)) == "nothing_changed"
    assert (await door.http.patch(one(life, "/contact"), json={"email": ""})).status_code == 200
    rows = await door.world.run("SELECT * FROM contact WHERE affiliation_id = $1 ORDER BY version", life.id)
    assert len(rows) == 2
    assert rows[1]["email"] is None
    assert rows[1]["phone"] == before["phone"]
    assert rows[1]["line1"] == before["line1"]
    assert (await life.until_messages(2))[-1] == ("invitation", "post")


# --- pausing, withdrawing, starting again


async def test_a_pause_silences_the_automatic_messages_and_a_resumption_brings_them_back(door: Door) -> None:
    life = await sent(door)
    paused = (await door.http.post(one(life, "/pause"), json={"reason": "on_leave"})).json()
    assert paused["pause"] == "on_leave"
    assert paused["next_step"]["kind"] == "abandonment"
    assert refusal(await door.http.post(one(life, "/pause"), json={"reason": "other"})) == "already_paused"
    resumed = (await door.http.post(one(life, "/resumption"))).json()
    assert resumed["pause"] is None
    assert resumed["next_step"]["kind"] == "reminder"
    assert resumed["source"] == "workflow"
    assert [step["at"] for step in resumed["calendar"]] == sorted(step["at"] for step in resumed["calendar"])
    assert refusal(await door.http.post(one(life, "/resumption"))) == "not_paused"


async def test_an_abandoned_affiliation_starts_again_once_pre_filled_and_linked(door: Door) -> None:
    life = await sent(door)
    assert refusal(await door.http.post(one(life, "/restart"))) == "not_abandoned"
    await door.http.patch(one(life, "/contact"), json={"email": "corrigee@exemple.fr"})
    await door.http.post(one(life, "/withdrawal"), json={"reason": "mistake"})
    former = (await door.http.get(one(life))).json()
    restarted = await door.http.post(one(life, "/restart"))
    assert restarted.status_code == 201, restarted.text
    new = restarted.json()
    assert new["former_id"] == str(life.id)
    assert new["status"] == "preparing"
    same = ("siret", "first_names", "last_name", "hired_on", "professional_status", "scheme", "contract_kind")
    assert {name: new[name] for name in same} == {name: former[name] for name in same}
    again = await door.http.post(one(life, "/restart"))
    assert refusal(again) == "affiliation_already_open"
    assert again.json()["id"] == new["id"]
    follower = Life(door.world, door.employer, UUID(new["id"]))
    await follower.until(Status.sent)
    assert (await follower.received())[0]["recipient"] == "corrigee@exemple.fr"
    assert (await door.http.get(one(follower, "/events"))).json()[0]["details"] == {"former": str(life.id)}
    declared_again = await door.http.post(one(life, "/withdrawal"), json={"reason": "mistake"})
    assert refusal(declared_again) == "affiliation_closed"


async def test_of_several_restarts_at_once_one_starts_and_the_others_name_it(door: Door) -> None:
    life = await sent(door)
    await door.http.post(one(life, "/withdrawal"), json={"reason": "mistake"})
    answers = await asyncio.gather(*(door.http.post(one(life, "/restart")) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_closed_establishment_starts_nobody_again(door: Door) -> None:
    life = await sent(door)
    await door.http.post(one(life, "/withdrawal"), json={"reason": "mistake"})
    await door.world.run("UPDATE establishment SET closed_on = '2026-11-01' WHERE siret = $1", door.employer.siret)
    assert refusal(await door.http.post(one(life, "/restart"))) == "establishment_closed"


# --- while Temporal is away


async def test_without_temporal_people_are_declared_and_everything_else_says_to_repeat_it(door: Door) -> None:
    life = await sent(door)
    config = door.world.config.model_copy(
        update={"temporal_address": "127.0.0.1:1", "temporal_rpc_timeout_seconds": 0.2}
    )
    app = create_app(config)
    headers = {"Authorization": door.http.headers["Authorization"]}
    async with app.router.lifespan_context(app), client(app) as http:
        http.headers.update(headers)
        declared = await http.post(f"{BASE}/affiliations", json=door.world.declaration(door.employer))
        assert (declared.status_code, declared.json()["status"]) == (201, "preparing")
        key = {"Idempotency-Key": "while-away"}
        away = await http.post(one(life, "/reminders"), headers=key)
        assert away.status_code == 503
        assert away.headers["retry-after"] == "5"
        assert away.json()["type"] == "urn:hcr:problem:not_confirmed"
        detail = (await http.get(one(life))).json()
        assert (detail["source"], detail["status"]) == ("read_model", "sent")
        assert detail["calendar"] == [detail["next_step"]]
    back = await door.http.post(one(life, "/reminders"), headers=key)
    assert back.status_code == 200
    assert await life.until_messages(2) == [("invitation", "email"), ("employer_reminder", "email")]
    swept = Life(door.world, door.employer, UUID(declared.json()["id"]))
    await door.world.sweeper.sweep()
    await swept.until(Status.sent)


# --- forms on paper


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


async def test_the_pre_filled_form_is_a_pdf_without_link_or_code(door: Door) -> None:
    life = await sent(door, email=None, last_name="Formulaire")
    answer = await door.http.get(one(life, "/form.pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="formulaire-affiliation.pdf"'
    with pikepdf.open(io.BytesIO(answer.content)) as document:
        assert document.pages
        assert all("/Annots" not in page for page in document.pages)
    text = text_of(answer.content)
    assert "Formulaire" in text
    rows = await door.world.run("SELECT dispatch_id, selector FROM access_token WHERE affiliation_id = $1", life.id)
    dispatch_id = rows[0]["dispatch_id"]
    code = format_code(rows[0]["selector"], door.world.writer.letter_secret(dispatch_id))
    squeezed = re.sub(r"\s", "", text)
    for secret in (code, code.replace("-", ""), door.world.writer.link(dispatch_id).rsplit("/", 1)[-1], "http"):
        assert secret not in squeezed


async def test_the_blank_forms_are_pdfs_for_everybody(anonymous: httpx2.AsyncClient) -> None:
    for name in ("pre-affiliation", "affiliation"):
        answer = await anonymous.get(f"{BASE}/forms/{name}.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        with pikepdf.open(io.BytesIO(answer.content)) as document:
            assert document.pages


# --- staff


async def test_a_paper_return_with_missing_pieces_insures_and_asks_for_them(
    door: Door, staff: httpx2.AsyncClient
) -> None:
    life = await sent(door)
    body = {"answers": {"level": "OPTION 1", "signature": "Camille Essai"}, "missing": ["rib", "signature", "rib"]}
    answer = await staff.post(f"{BASE}/staff/affiliations/{life.id}/paper-return", json=body)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert receipt["channel"] == "paper"
    assert receipt["missing"] == ["rib", "signature"]
    assert receipt["coverage"]["formula"] == "OPTION 1 CCN HCR NC SEUL RG"
    await life.until(Status.finalised)
    assert (await life.until_messages(2))[-1] == ("missing_pieces", "email")
    text = re.sub(r"\s+", " ", (await life.received())[-1]["text"])
    assert "RIB" in text
    assert "signé" in text
    again = await staff.post(f"{BASE}/staff/affiliations/{life.id}/paper-return", json={"answers": {"level": "BASE"}})
    assert refusal(again) == "already_submitted"
    audited = await door.world.run(
        "SELECT actor_kind, actor_id FROM audit_log WHERE affiliation_id = $1 AND event = 'form.submitted'", life.id
    )
    assert [row["actor_kind"] for row in audited] == ["staff"]
    assert audited[0]["actor_id"]


async def test_a_paper_is_found_by_its_reference(door: Door, staff: httpx2.AsyncClient) -> None:
    life = await sent(door)
    path, reference = f"{BASE}/staff/affiliations", reference_of(UUID(str(life.id)))
    for typed in (reference, reference.replace(" ", "").lower()):
        found = (await staff.get(path, params={"reference": typed})).json()
        assert [item["id"] for item in found["items"]] == [str(life.id)]
    nobody = await staff.get(path, params={"reference": "0000 0000 0000"})
    assert nobody.json() == {"items": []}
    for wrong in ("", "12", "zzzz zzzz zzzz", "%" * 12):
        assert (await staff.get(path, params={"reference": wrong})).status_code == 422


async def test_a_paper_return_of_an_abandoned_affiliation_is_refused(door: Door, staff: httpx2.AsyncClient) -> None:
    life = await sent(door)
    await door.http.post(one(life, "/withdrawal"), json={"reason": "mistake"})
    answer = await staff.post(f"{BASE}/staff/affiliations/{life.id}/paper-return", json={"answers": {"level": "BASE"}})
    assert refusal(answer) == "affiliation_closed"


async def test_a_waiver_that_ends_before_its_time_brings_the_person_back(
    door: Door, app: FastAPI, staff: httpx2.AsyncClient
) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        receipt = await complete(employee, waived())
        assert receipt["waiver"]["ends_on"] == "2027-11-02"
    await asyncio.wait_for(life.handle.result(), 10)
    path = f"{BASE}/staff/affiliations/{life.id}/waiver-end"
    assert (await staff.post(path, json={"on": "2026-12-31"})).status_code == 204
    query = "SELECT id FROM affiliation WHERE former_id = $1"
    async with asyncio.timeout(10):
        while not (found := await door.world.run(query, life.id)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    back = Life(door.world, door.employer, found[0]["id"])
    await back.until(Status.sent)
    [mail] = await back.received()
    assert mail["subject"] == catalogue(Language.fr).text("email.waiver_ended.subject")
    async with employee_of(app, back) as employee:
        covered = await complete(employee, alone())
        assert covered["coverage"]["starts_on"] == "2027-01-01"
    assert refusal(await staff.post(path, json={"on": "2026-11-30"})) == "waiver_already_ended"


@dataclass
class RefusingMail:
    """A provider that refuses us until it is told otherwise."""

    mail: LocalMail
    refuses: bool = True

    async def send(self, email: Email) -> Accepted:
        if self.refuses:
            raise Refused(RefusalReason.not_authorised, 403)
        return await self.mail.send(email)

    async def find(self, dispatch_id: str) -> Accepted | None:
        return None


@dataclass(frozen=True)
class Doubt:
    door: Door
    staff: httpx2.AsyncClient
    mail: RefusingMail


@pytest.fixture(scope="module")
async def doubt(config: Settings, temporal: WorkflowEnvironment) -> AsyncIterator[Doubt]:
    """A system of its own, whose mail provider refuses us."""
    pool = await create_pool(config.database_url, "hcr_system", 2)
    mail = RefusingMail(LocalMail(LocalBoxes(pool)))
    async with open_world(config, temporal, replace(providers(pool, config), mail=mail)) as world:
        app = create_app(world.config, world.client)
        employer = await world.employer()
        async with (
            app.router.lifespan_context(app),
            client(app, await key_for(world, employer, Scope.read, Scope.write)) as http,
            client(app, await key_for(world, employer, Scope.staff, Scope.staff_write)) as staff,
        ):
            yield Doubt(Door(world, http, employer), staff, mail)
    await pool.close()


@pytest.mark.parametrize("verdict", ["left", "did_not_leave"])
async def test_a_message_in_doubt_waits_on_the_desk_until_staff_say_what_became_of_it(
    doubt: Doubt, verdict: str
) -> None:
    doubt.mail.refuses = True
    life = await doubt.door.declare()
    async with asyncio.timeout(10):
        while (await life.row())["attention"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await life.until_heard()
    desk = (await doubt.staff.get(f"{BASE}/staff/desk")).json()["items"]
    assert [item["attention"] for item in desk if item["id"] == str(life.id)] == ["refused"]
    shown = (await doubt.door.http.get(f"{BASE}/affiliations", params={"needs_action": "true"})).json()
    assert str(life.id) in [item["id"] for item in shown["items"]]
    doubt.mail.refuses = False
    path = f"{BASE}/staff/affiliations/{life.id}/doubt-resolution"
    resolved = await doubt.staff.post(path, json={"verdict": verdict})
    assert resolved.status_code == 200, resolved.text
    assert resolved.json()["attention"] is None
    await life.until(Status.sent)
    assert len(await life.received()) == (0 if verdict == "left" else 1)
    assert refusal(await doubt.staff.post(path, json={"verdict": verdict})) == "nothing_in_doubt"
    desk = (await doubt.staff.get(f"{BASE}/staff/desk")).json()["items"]
    assert str(life.id) not in [item["id"] for item in desk]
