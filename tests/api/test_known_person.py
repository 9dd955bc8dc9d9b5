"""Whoever was affiliated before takes up their former answers; nobody else learns that there are any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from db.erasure import Asked, erase
from db.pool import system
from domain.affiliation import Status
from services.callers import Scope
from tests.api.conftest import BASE, Door, client, employee_of, key_for
from tests.enrolling import alone, complete, save, send, upload, waived
from tests.gateways.files import samples
from tests.rehiring import IBAN, Person, codes_by_email, declared_elsewhere, earlier, finalised, somebody
from tests.signing_in import codes, other_code
from tests.users import add_user
from tests.world import Life, World

FORMER = f"{BASE}/enrolments/current/former"
CURRENT = f"{BASE}/enrolments/current"
TYPED = "recrutement@hotel.example.fr"  # the address that the new employer chose


@asynccontextmanager
async def proved(app: FastAPI, life: Life) -> AsyncIterator[httpx2.AsyncClient]:
    async with employee_of(app, life) as http:
        assert (await http.post(f"{CURRENT}/proof", json={"birth_date": "1975-06-12"})).status_code == 204
        yield http


async def ask(http: httpx2.AsyncClient, channel: str = "email") -> httpx2.Response:
    answer = await http.post(f"{FORMER}/code", json={"channel": channel})
    assert answer.status_code == 202, answer.text
    return answer


async def give(http: httpx2.AsyncClient, code: str) -> int:
    return (await http.post(f"{FORMER}/answer", json={"code": code})).status_code


async def opened(http: httpx2.AsyncClient, world: World, person: Person) -> dict[str, Any]:
    """The former answers, the code having been given."""
    await ask(http)
    assert await give(http, (await codes_by_email(world, person.email))[-1]) == 204
    answer = await http.get(FORMER)
    assert answer.status_code == 200, answer.text
    former: dict[str, Any] = answer.json()
    return former


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_a_code_to_the_former_contact_opens_the_former_answers_with_their_numbers_masked(
    door: Door, app: FastAPI, world: World, channel: str
) -> None:
    person = somebody()
    former = await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person, email=TYPED)
    async with proved(app, life) as http:
        assert (await http.get(FORMER)).status_code == 404, "before the code"
        await ask(http, channel)
        sent = await codes_by_email(world, person.email) if channel == "email" else await codes(world, person.phone)
        assert len(sent) == 1
        assert not await codes_by_email(world, TYPED)
        assert await give(http, f" {sent[0][:3]} {sent[0][3:]} ") == 204
        read = await http.get(FORMER)
        blocks = {block["name"]: block["answers"] for block in read.json()["blocks"]}
        assert list(blocks) == ["social_security", "contact", "family", "bank"]
        assert blocks["contact"]["city"] == "Rennes"
        assert blocks["bank"]["iban"].endswith(IBAN[-4:])
        assert IBAN not in read.text
        assert person.nir not in read.text
        [place] = await world.run("SELECT name FROM establishment WHERE siret = $1", door.employer.siret)
        assert read.json()["establishment"] == place["name"], "told to the person alone"
        seen = await world.run(
            "SELECT actor_kind, details FROM audit_log WHERE affiliation_id = $1 AND event = 'data.viewed'", former.id
        )
        assert [(row["actor_kind"], row["details"]) for row in seen] == [("employee", {"what": "known_person"})]


async def test_what_is_still_right_fills_the_new_draft_and_documents_are_asked_for_anew(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    former = await door.declare(**person.declared)
    async with employee_of(app, former) as http:
        version = await save(http, person.answers())
        await upload(http, "rib", "rib.pdf", samples.rib_pdf(IBAN, "Camille Essai"))
        assert (await send(http, version)).status_code == 200
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await opened(http, world, person)
        taken = await http.post(
            f"{FORMER}/taking", json={"version": 0, "blocks": ["social_security", "contact", "family", "bank"]}
        )
        assert taken.status_code == 200, taken.text
        draft = (await http.get(CURRENT)).json()
        assert draft["answers"]["dependants.k2.first_names"] == "Tomás"
        assert "path" not in draft["answers"], "asked anew"
        assert "level" not in draft["answers"]
        assert "signature" not in draft["answers"]
        assert draft["files"] == 0
        new = {
            "identity_correct": "yes",
            "path": "join",
            "level": "BASE",
            "consent_data": "yes",
            "signature": "Camille",
        }
        new |= {"consent_teletransmission": "yes", "declaration_of_honour": "yes"}
        version = await save(http, new, taken.json()["version"])
        needed = {one["piece"]: one["received"] for one in (await http.get(CURRENT)).json()["documents"]}
        assert needed["rib"] == 0
        assert needed["social_security_certificate"] == 0
        receipt = await send(http, version)
        assert receipt.status_code == 200, receipt.text
        assert "rib" in receipt.json()["missing"]
    kept = await world.run("SELECT iban_sealed, id FROM coverage WHERE affiliation_id = $1", life.id)
    assert world.cipher.decrypt(kept[0]["iban_sealed"], "coverage", "iban", str(kept[0]["id"])) == IBAN


async def test_answers_of_the_new_draft_stay_and_what_is_not_named_is_not_taken(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await save(http, {"city": "Lille"})
        former = await opened(http, world, person)
        assert [block["name"] for block in former["blocks"] if block["answered"]] == ["contact"]
        body = {"version": 1, "blocks": ["contact", "bank"]}
        assert (await http.post(f"{FORMER}/taking", json=body)).status_code == 200
        answers = (await http.get(CURRENT)).json()["answers"]
        assert answers["city"] == "Lille"
        assert set(answers) == {"city", "iban", "account_holder", "teletransmission"}


async def test_everybody_gets_the_same_answers_whether_they_are_known_or_not(
    door: Door, app: FastAPI, world: World
) -> None:
    known, unknown = somebody(), somebody()
    await finalised(app, door, known)
    said = []
    for person in (known, unknown):
        life = await declared_elsewhere(app, world, person, email=TYPED)
        async with proved(app, life) as http:
            asked = await ask(http)
            wrong = await http.post(f"{FORMER}/answer", json={"code": "abc"})
            again = await ask(http, "sms")
            read, taken = await http.get(FORMER), await http.post(f"{FORMER}/taking", json={"version": 0, "blocks": []})
            state = await http.get(CURRENT)
        said.append(
            (
                sorted(asked.json()),
                (wrong.status_code, wrong.json()["type"], wrong.json()["detail"]),
                asked.json() == again.json(),
                (read.status_code, taken.status_code),
                {name: value for name, value in state.json().items() if name not in ("establishment", "reference")},
                [answer.headers.keys() for answer in (asked, wrong, again, read)],
            )
        )
        said[-1][4]["suggested"].pop("first_names")
        said[-1][4]["suggested"].pop("phone")
    assert said[0] == said[1]
    assert len(await codes_by_email(world, known.email)) == 1
    assert not await codes(world, unknown.phone)


async def test_the_new_employer_sees_the_same_with_and_without_a_former_form(
    door: Door, app: FastAPI, world: World
) -> None:
    known, unknown = somebody(), somebody()
    await finalised(app, door, known)
    employer = await world.employer()
    seen = []
    async with client(app, await key_for(world, employer, Scope.read, Scope.write)) as http:
        new = Door(world, http, employer)
        for person in (known, unknown):
            life = await new.declare(**person.declared, first_names="Camille", email=TYPED, phone=None)
            async with proved(app, life) as own:
                await ask(own)
                if person is known:
                    assert await give(own, (await codes_by_email(world, known.email))[-1]) == 204
                    assert (await own.get(FORMER)).status_code == 200
            await life.until_heard()
            one = (await http.get(f"{BASE}/affiliations/{life.id}")).json()
            seen.append((_without_moments(one), await life.events()))
    assert seen[0] == seen[1]
    assert seen[0][0]["status"] == "sent"


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        own = ("id", "reference", "nir", "at", "href")
        return {k: _without_moments(v) for k, v in value.items() if k not in own and not k.endswith(("_at", "_id"))}
    return [_without_moments(one) for one in value] if isinstance(value, list) else value


async def test_five_wrong_codes_end_it_for_the_day_and_no_resend_nor_session_resets_them(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http, proved(app, life) as other:
        await ask(http)
        code = (await codes_by_email(world, person.email))[-1]
        assert [await give(http, other_code(code)) for _ in range(4)] == [422] * 4
        await earlier(world, life, 31)
        await ask(http)
        assert (await codes_by_email(world, person.email)) == [code, code], "the same code, not another try"
        assert await give(http, other_code(code)) == 422
        assert await give(http, code) == 422
        await ask(other)
        assert await give(other, (await codes_by_email(world, person.email))[-1]) == 422, "the person's count"
    elsewhere = await declared_elsewhere(app, world, person)
    async with proved(app, elsewhere) as http:
        await ask(http)
        assert await give(http, (await codes_by_email(world, person.email))[-1]) == 422, "whatever the employer"


async def test_a_code_works_once_in_its_session_for_ten_minutes_and_what_it_opened_closes_after_an_hour(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http, proved(app, life) as other:
        await ask(http)
        code = (await codes_by_email(world, person.email))[-1]
        assert await give(other, code) == 422, "of another session"
        await earlier(world, life, 601)
        assert await give(http, code) == 422, "too old"
        await ask(http)
        code = (await codes_by_email(world, person.email))[-1]
        assert await give(http, code) == 204
        assert await give(http, code) == 422, "used"
        assert (await other.get(FORMER)).status_code == 404
        assert (await http.get(FORMER)).status_code == 200
        await earlier(world, life, 3601)
        assert (await http.get(FORMER)).status_code == 404


async def test_nothing_leaves_within_thirty_seconds_nor_beyond_the_limits_of_a_contact(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await ask(http)
        await ask(http)
        assert len(await codes_by_email(world, person.email)) == 1
        for _ in range(6):
            await earlier(world, life, 31)
            await ask(http)
    assert len(await codes_by_email(world, person.email)) == 5


async def test_somebody_else_s_nir_sends_the_code_to_them(door: Door, app: FastAPI, world: World) -> None:
    """Whoever declares a person under their own address learns nothing: the code goes to the person."""
    person, stranger = somebody(), somebody()
    await finalised(app, door, person)
    await finalised(app, door, stranger)
    life = await declared_elsewhere(app, world, person, email=stranger.email, phone=stranger.phone)
    async with proved(app, life) as http:
        await ask(http)
        assert not await codes_by_email(world, stranger.email)
        assert len(await codes_by_email(world, person.email)) == 1


async def test_a_contact_that_another_person_or_a_user_has_proves_nobody(
    door: Door, app: FastAPI, world: World
) -> None:
    shared, of_a_user = somebody(), somebody()
    await finalised(app, door, shared)
    await door.declare(email=shared.email)  # an employer's own address, typed for several people
    await finalised(app, door, of_a_user, email=(await add_user(world)).email)
    for person in (shared, of_a_user):
        life = await declared_elsewhere(app, world, person)
        async with proved(app, life) as http:
            await ask(http)
    sent = await world.run("SELECT 1 FROM local_message WHERE kind = 'code' AND recipient = $1", shared.email)
    opens = await world.run(
        "SELECT former_id FROM challenge c JOIN employee_session n ON n.token_hash = c.employee_session_hash"
        " WHERE n.affiliation_id = $1",
        life.id,
    )
    assert not sent
    assert [row["former_id"] for row in opens] == [None]


async def test_of_a_paper_form_only_a_contact_that_the_employer_did_not_print_counts(
    door: Door, app: FastAPI, world: World, staff: httpx2.AsyncClient
) -> None:
    for own in (False, True):
        person = somebody()
        former = await door.declare(**person.declared, email=person.email if not own else "reception@exemple.fr")
        await former.until(Status.sent)
        answers = {"path": "join", "level": "BASE", "email": person.email, "teletransmission": "no"}
        returned = await staff.post(f"{BASE}/staff/affiliations/{former.id}/paper-return", json={"answers": answers})
        assert returned.status_code in (200, 201), returned.text
        life = await declared_elsewhere(app, world, person, email=TYPED)
        async with proved(app, life) as http:
            await ask(http)
        assert len(await codes_by_email(world, person.email)) == own


async def test_a_file_that_was_erased_or_kept_for_the_prescription_alone_is_not_taken_up(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    former = await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await opened(http, world, person)
        await world.run(
            "INSERT INTO erasure (employee_id, affiliation_ids, reason, kept_until, finished_at)"
            " SELECT employee_id, '{}', 'asked', current_date + 900, now() FROM affiliation WHERE id = $1",
            former.id,
        )
        assert (await http.get(FORMER)).status_code == 404
        await earlier(world, life, 601)
        await ask(http)
        assert len(await codes_by_email(world, person.email)) == 1


async def test_after_the_former_file_was_erased_nothing_is_left_of_the_code_either(
    door: Door, app: FastAPI, world: World
) -> None:
    person = somebody()
    former = await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await opened(http, world, person)
        [file] = await world.run("SELECT employee_id FROM affiliation WHERE id = $1", former.id)
        async with system(world.system) as connection:
            assert await erase(connection, file["employee_id"], [former.id], Asked("asked_by_person"))
        assert (await http.get(FORMER)).status_code == 404
        assert not await world.run("SELECT FROM challenge WHERE former_id = $1", former.id)
        await ask(http)
        assert len(await codes_by_email(world, person.email)) == 1


async def test_a_season_later_at_the_same_company(door: Door, app: FastAPI, world: World) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await door.declare(**person.declared, email=TYPED)
    async with proved(app, life) as http:
        read = await opened(http, world, person)
        assert [block["name"] for block in read["blocks"]] == ["social_security", "contact", "family", "bank"]


async def test_a_waiver_gives_the_contact_alone(door: Door, app: FastAPI, world: World) -> None:
    person = somebody()
    former = await door.declare(**person.declared)
    async with employee_of(app, former) as http:
        await complete(http, waived(nir=person.nir, email=person.email))
    await former.until(Status.finalised)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        read = await opened(http, world, person)
    assert [block["name"] for block in read["blocks"]] == ["social_security", "contact"]


async def test_after_the_form_was_sent_nothing_is_taken_up(door: Door, app: FastAPI, world: World) -> None:
    person = somebody()
    await finalised(app, door, person)
    life = await declared_elsewhere(app, world, person)
    async with proved(app, life) as http:
        await complete(http, alone(nir=person.nir))
        await life.until(Status.finalised)
        assert (await http.post(f"{FORMER}/code", json={"channel": "sms"})).status_code == 409
        assert (await http.get(FORMER)).status_code == 409
