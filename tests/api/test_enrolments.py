"""The employee's side: nothing typed is lost, nothing counts twice, and what opens the form tells nothing."""

from __future__ import annotations

import asyncio
import io
import re

import httpx2
import pikepdf
import pytest
from fastapi import FastAPI

from db import enrolments
from domain.affiliation import Status
from gateways.letter_codes import ALPHABET, format_code, parse_code
from services.access import MAX_WRONG_BIRTH_DATES, MAX_WRONG_SECRETS, MAX_WRONG_SECRETS_AN_HOUR
from tests.api.conftest import BASE, Door, client, employee_of, link_token
from tests.api.test_actions import text_of
from tests.enrolling import IBAN, alone, complete, family, save, send, waived
from tests.world import Life

CURRENT = f"{BASE}/enrolments/current"
ACCESS = f"{BASE}/enrolments/access"
NONSENSE = {
    "nir": "  je ne sais pas, c'est ma mère qui l'a 😀  ",
    "level": "le moins cher\n",
    "dependants.k1.kind": "chien",
    "dependants.k1.birth_date": "31/02/2020",
    "dependants.k1.nir": "\u0000",
    "dependants.k2.last_name": " Essai ",
    "iban": "FR76 ???? <script>alert(1)</script>",
    "account_holder": "  ",
    "consent_data": "peut-être",
    "signature": "\u202e",
}
CHILD = {
    "has_dependants": "yes",
    "dependants.k1.kind": "child",
    "dependants.k1.last_name": "Canarion",
    "dependants.k1.first_names": "Zoulikha",
    "dependants.k1.birth_date": "03/02/2020",
    "dependants.k1.attached_to": "employee",
}
ANSWERS = alone(**CHILD, account_holder="Canarion Zoulikha", signature="Canarion Zoulikha")


async def _code(life: Life) -> tuple[str, str]:
    """(selector, secret) on the letter that the employee received."""
    await life.until(Status.sent)
    rows = await life.world.run(
        "SELECT dispatch_id, selector FROM access_token WHERE affiliation_id = $1 AND selector IS NOT NULL", life.id
    )
    return rows[0]["selector"], life.world.writer.letter_secret(rows[0]["dispatch_id"])


def _other(secret: str, number: int) -> str:
    """A well-formed secret that is not this one."""
    digits = "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(len(secret)))
    assert digits != secret
    return digits


async def test_a_draft_of_nonsense_is_given_back_as_it_was_typed(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        saved = await employee.patch(CURRENT, json={"version": 0, "answers": NONSENSE})
        assert saved.status_code == 200, saved.text
        view = (await employee.get(CURRENT)).json()
        assert view["answers"] == NONSENSE
        assert view["version"] == saved.json()["version"] == 1
        assert view["saved_at"] == saved.json()["saved_at"]
        assert view["submitted_at"] is None
    sealed = await door.world.run("SELECT content_sealed FROM enrolment WHERE affiliation_id = $1", life.id)
    assert b"sais pas" not in sealed[0][0]


async def test_answers_saved_one_by_one_stand_beside_each_other(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as phone:
        version = await save(phone, {"city": "Paris"})
        version = await save(phone, {"line1": "3 rue Neuve"}, version)
        version = await save(phone, {"city": None}, version)
        view = (await phone.get(CURRENT)).json()
        assert (view["version"], view["answers"]) == (3, {"line1": "3 rue Neuve"})


async def test_two_devices_lose_nothing_and_the_person_chooses(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as phone, employee_of(app, life) as tablet:
        version = await save(phone, {"city": "Paris", "line1": "1 rue du Téléphone"})
        assert (await tablet.post(f"{CURRENT}/proof", json=await birth_date(life))).status_code == 204
        late = await tablet.patch(CURRENT, json={"version": 0, "answers": {"city": "Lyon", "account_holder": "Lou"}})
        assert late.status_code == 409
        problem = late.json()
        assert problem["type"] == "urn:hcr:problem:stale_draft"
        assert problem["current"] == {
            "version": version + 1,
            "fields": ["city"],
            "answers": {"city": "Paris"},
            "yours": {"city": "Lyon"},
        }
        for device in (phone, tablet):
            view = (await device.get(CURRENT)).json()
            assert view["answers"] == {"city": "Paris", "line1": "1 rue du Téléphone", "account_holder": "Lou"}
            assert view["conflicts"] == {"city": "Lyon"}
        refused = await send(phone, view["version"])
        assert {"field": "city", "code": "draft.conflict"}.items() <= refused.json()["errors"][0].items()
        await save(phone, {"city": "Lyon"}, view["version"])
        view = (await tablet.get(CURRENT)).json()
        assert (view["answers"]["city"], view["conflicts"]) == ("Lyon", {})


async def test_first_drafts_at_the_same_moment_are_all_kept(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        answers = await asyncio.gather(
            *(employee.patch(CURRENT, json={"version": 0, "answers": {"level": str(n)}}) for n in range(2))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        kept = (await employee.get(CURRENT)).json()
        assert {kept["answers"]["level"], kept["conflicts"]["level"]} == {"0", "1"}


async def test_submitted_five_times_at_once_there_is_one_coverage_and_one_confirmation(
    door: Door, app: FastAPI
) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, waived())
        answers = await asyncio.gather(*(send(employee, version) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 4
        assert {a.json()["type"] for a in answers if a.status_code == 409} == {"urn:hcr:problem:already_submitted"}
    await life.until(Status.finalised)
    assert await life.until_messages(2) == [("invitation", "email"), ("confirmation", "email")]
    for table in ("waiver", "signature"):
        assert len(await door.world.run(f"SELECT 1 FROM {table} WHERE affiliation_id = $1", life.id)) == 1
    submissions = await door.world.run(
        "SELECT id FROM audit_log WHERE affiliation_id = $1 AND event = 'form.submitted'", life.id
    )
    assert len(submissions) == 1
    assert (await life.events()).count("finalised") == 1


async def test_after_the_submission_the_link_shows_the_receipt_and_nothing_personal(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        submitted = await send(employee, await save(employee, ANSWERS))
        assert submitted.status_code == 200, submitted.text
        late = await employee.patch(CURRENT, json={"version": 2, "answers": {"level": "trop tard"}})
        assert late.json()["type"] == "urn:hcr:problem:already_submitted"
    await life.until(Status.finalised)
    async with employee_of(app, life, token) as employee:
        receipt = await employee.get(CURRENT)
        assert receipt.json()["status"] == "finalised"
        assert receipt.json()["locked"] is True
        assert receipt.json()["answers"] == {}
        assert receipt.json()["coverage"] is None
        told = await employee.post(f"{CURRENT}/proof", json={"birth_date": ANSWERS["birth_date"]})
        assert told.status_code == 204
        proved = await employee.get(CURRENT)
        assert proved.json()["coverage"]["dependants"] == 1
        for secret in ("Canarion", "275067599000197", IBAN, "Essai", "2020-02-03", "03/02/2020"):
            for answer in (receipt, proved, submitted):
                assert secret not in answer.text
        for answer in (
            await send(employee, 1),
            await employee.patch(CURRENT, json={"version": 0, "answers": {}}),
            await employee.post(f"{CURRENT}/decline", json={"reason": "not_me"}),
        ):
            assert answer.status_code == 409
            assert "Canarion" not in answer.text


async def test_paper_and_online_at_the_same_moment_one_wins(
    door: Door, app: FastAPI, staff: httpx2.AsyncClient
) -> None:
    for _ in range(3):
        life = await door.declare()
        async with employee_of(app, life) as employee:
            version = await save(employee, ANSWERS)
            online, paper = await asyncio.gather(
                send(employee, version),
                staff.post(f"{BASE}/staff/affiliations/{life.id}/paper-return", json={"answers": {"level": "BASE"}}),
            )
        assert sorted((online.status_code, paper.status_code)) in ([200, 409], [201, 409])
        rows = await door.world.run("SELECT formula FROM coverage WHERE affiliation_id = $1", life.id)
        assert len(rows) == 1


@pytest.mark.parametrize("hired_on", ["2022-05-01", "2025-12-31", "2026-01-01"])
@pytest.mark.parametrize("level", ["BASE", "OPTION 1", "OPTION 2"])
async def test_whatever_the_day_of_hire_the_receipt_names_formula_and_price(
    door: Door, app: FastAPI, hired_on: str, level: str
) -> None:
    declaration = {**door.world.declaration(door.employer), "hired_on": hired_on}
    answer = await door.http.post(f"{BASE}/affiliations", json=declaration)
    life = Life(door.world, door.employer, answer.json()["id"])
    async with employee_of(app, life) as employee:
        coverage = (await complete(employee, {**ANSWERS, "level": level}))["coverage"]
        assert coverage["formula"] == f"{level} CCN HCR NC DUO RG"
        assert coverage["starts_on"] == hired_on
        assert coverage["monthly_price_cents"] > 0


# --- what is asked, and what follows from the answers


async def test_every_wrong_answer_is_told_at_its_place_with_an_example(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(
            employee,
            family(nir="2 75 06", iban="FR76", level="OPTION 99", birth_date="31/02/1990", consent_data="")
            | {"dependants.k1.birth_date": "demain", "dependants.p1.civil_link": "amour"},
        )
        refused = await send(employee, version)
        assert refused.status_code == 422
        errors = {error["field"]: error for error in refused.json()["errors"]}
        assert set(errors) == {
            "nir",
            "iban",
            "level",
            "birth_date",
            "consent_data",
            "dependants.k1.birth_date",
            "dependants.p1.civil_link",
        }
        assert all("Exemple" in error["message"] for error in errors.values())
        assert not await door.world.run("SELECT 1 FROM coverage WHERE affiliation_id = $1", life.id)
        # nothing was lost
        assert (await employee.get(CURRENT)).json()["answers"]["iban"] == "FR76"


async def test_what_is_asked_and_which_documents_follow_from_the_answers(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        view = (await employee.get(CURRENT)).json()
        assert view["steps"] == ["identity", "social_security", "contact", "choice", "documents", "signature"]
        assert view["suggested"] == {
            "civility": "MME",
            "last_name": "Essai",
            "birth_name": "Essai",
            "first_names": view["suggested"]["first_names"],
            "scheme": "RG",
        }
        assert view["choices"]["scheme"] == ["RG", "RL"]
        version = await save(employee, family())
        view = (await employee.get(CURRENT)).json()
        assert [need["piece"] for need in view["documents"]] == [
            "social_security_certificate",
            "rib",
            "partnership_proof:p1",
            "partner_social_security_certificate:p1",
            "school_certificate:k2",
        ]
        assert [need["name"] for need in view["documents"]] == [None, None, "João", "João", "Tomás"]
        assert {offer["level"]: offer["monthly_price_cents"] for offer in view["offers"]} == {
            "BASE": 8400,
            "OPTION 1": 12000,
            "OPTION 2": 15600,
        }
        assert view["choices"]["level"] == ["BASE", "OPTION 1", "OPTION 2"]
        refused = await send(employee, version, later=False)
        assert [error["field"] for error in refused.json()["errors"]] == [
            f"documents.{need['piece']}" for need in view["documents"]
        ]
        receipt = (await send(employee, version)).json()
        assert receipt["missing"] == [need["piece"] for need in view["documents"]]
        assert receipt["coverage"]["formula"] == "BASE CCN HCR NC FAMILLE RG"
        assert receipt["pieces_deadline"] is not None


async def test_answers_to_questions_no_longer_asked_count_for_nothing(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, family())
        version = await save(employee, {**waived(), "iban": "FR76 faux"}, version)
        receipt = await send(employee, version)
        assert receipt.status_code == 200, receipt.text
        assert receipt.json()["coverage"] is None
        assert receipt.json()["waiver"]["reason"] == "covered_by_spouse"
        assert receipt.json()["missing"] == []


async def test_what_the_employee_says_of_themselves_corrects_what_was_declared(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    corrected = alone(
        identity_correct="no",
        civility="M",
        last_name="Éssai-Neuf",
        birth_name="Essai",
        first_names="Dominique",
        scheme="RL",
        email="a.moi@exemple.fr",
        line1="5 quai du Rhin",
    )
    async with employee_of(app, life) as employee:
        assert (await employee.put(f"{CURRENT}/language", json={"language": "pt"})).status_code == 204
        receipt = await complete(employee, corrected)
        assert receipt["coverage"]["formula"] == "BASE CCN HCR NC SEUL RL"
        assert receipt["language"] == "pt"
    [person] = await door.world.run(
        "SELECT e.* FROM employee e JOIN affiliation a ON a.employee_id = e.id WHERE a.id = $1", life.id
    )
    assert (person["civility"], person["last_name"], person["search_name"]) == (
        "M",
        "Éssai-Neuf",
        "essai neuf essai dominique",
    )
    assert person["birth_date"].isoformat() == "1975-06-12"
    world = door.world
    assert world.cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["id"])) == "275067599000197"
    assert person["nir_index"] == world.cipher.blind_index("275067599000197", "nir")
    contacts = await world.run("SELECT * FROM contact WHERE affiliation_id = $1 ORDER BY version", life.id)
    assert [(c["given_by"], c["email"], c["line1"]) for c in contacts][1:] == [
        ("employee", "a.moi@exemple.fr", "5 quai du Rhin")
    ]
    # what they told us about themselves is not the employer's to read
    for path in ("", "/form.pdf"):
        answer = await door.http.get(f"{BASE}/affiliations/{life.id}{path}")
        assert answer.status_code == 200
        shown = text_of(answer.content) if path else answer.text
        assert "a.moi@exemple.fr" not in shown
        assert "quai du Rhin" not in shown
    # the pieces are asked for where they said
    await life.until_messages(2)
    assert (await life.received())[-1]["recipient"] == "a.moi@exemple.fr"


async def test_a_number_that_the_company_knows_under_another_name_stops_nobody(door: Door, app: FastAPI) -> None:
    first, second = await door.declare(), await door.declare()
    async with employee_of(app, first) as employee:
        await complete(employee, alone())
    async with employee_of(app, second) as employee:
        receipt = await complete(employee, alone())
        assert receipt["coverage"] is not None
    rectified = await door.world.run(
        "SELECT details FROM audit_log WHERE affiliation_id = $1 AND event = 'data.rectified'", second.id
    )
    assert {"what": "nir_in_conflict"} in [row["details"] for row in rectified]


async def test_the_receipt_is_a_page_in_the_persons_language_without_numbers(door: Door, app: FastAPI) -> None:
    covered, exempt = await door.declare(language="pt"), await door.declare(language="ar")
    async with employee_of(app, covered) as employee:
        assert (await employee.get(f"{CURRENT}/receipt.pdf")).status_code == 403
        await save(employee, {"city": "Paris"})
        assert (await employee.get(f"{CURRENT}/receipt.pdf")).status_code == 404
        await complete(employee, ANSWERS)
        receipt = await employee.get(f"{CURRENT}/receipt.pdf")
        assert receipt.headers["content-type"] == "application/pdf"
        text = text_of(receipt.content)
        assert "BASE CCN HCR NC DUO RG" in text or "59" in text
        assert "Canarion Zoulikha" in text
        for secret in ("275067599000197", "2 75 06", IBAN, IBAN[-4:]):
            assert secret not in text
    async with employee_of(app, exempt) as employee:
        await complete(employee, waived())
        receipt = await employee.get(f"{CURRENT}/receipt.pdf")
        with pikepdf.open(io.BytesIO(receipt.content)) as document:
            assert str(document.Root.Lang) == "ar"
            assert len(document.pages) == 1


# --- the second knowledge


async def birth_date(life: Life) -> dict[str, str]:
    [row] = await life.world.run(
        "SELECT e.birth_date FROM employee e JOIN affiliation a ON a.employee_id = e.id WHERE a.id = $1", life.id
    )
    return {"birth_date": row["birth_date"].strftime("%d/%m/%Y")}


async def test_a_draft_opens_again_with_the_birth_date_and_shows_numbers_masked(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        await save(employee, {"nir": "275067599000197", "iban": IBAN, "city": "Strasbourg"})
    async with employee_of(app, life, token) as again:
        locked = await again.get(CURRENT)
        assert locked.json()["locked"] is True
        assert locked.json()["answers"] == locked.json()["suggested"] == {}
        for refused in (await send(again, 1), await again.get(f"{CURRENT}/documents")):
            assert refused.json()["type"] == "urn:hcr:problem:birth_date_needed"
        assert (await again.post(f"{CURRENT}/proof", json=await birth_date(life))).status_code == 204
        view = (await again.get(CURRENT)).json()
        assert view["locked"] is False
        assert view["answers"] == {"nir": "2 75 06 ••• ••• ••", "iban": f"FR76 •••• {IBAN[-4:]}", "city": "Strasbourg"}
        assert view["suggested"]["line1"] == "12 rue des Essais"
        # sent back as shown, the numbers are those that we have
        version = await save(again, view["answers"], view["version"])
        receipt = await send(
            again, await save(again, {k: v for k, v in alone().items() if k not in view["answers"]}, version)
        )
        assert receipt.status_code == 200, receipt.text
    [row] = await door.world.run("SELECT id, iban_sealed FROM coverage WHERE affiliation_id = $1", life.id)
    assert door.world.cipher.decrypt(row["iban_sealed"], "coverage", "iban", str(row["id"])) == IBAN


async def test_a_mask_chosen_over_what_another_device_wrote_settles_it(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        await save(employee, {"iban": IBAN})
        await employee.patch(CURRENT, json={"version": 0, "answers": {"iban": "FR76 autre"}})
        view = (await employee.get(CURRENT)).json()
        assert view["conflicts"] == {"iban": "FR76 autre"}
        await save(employee, {"iban": view["answers"]["iban"]}, view["version"])
        assert (await employee.get(CURRENT)).json()["conflicts"] == {}


async def test_five_wrong_birth_dates_and_there_is_a_pause_of_a_day(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        await save(employee, {"city": "Paris"})
    right = await birth_date(life)
    async with employee_of(app, life, token) as stranger:
        for left in range(MAX_WRONG_BIRTH_DATES - 1, 0, -1):
            wrong = await stranger.post(f"{CURRENT}/proof", json={"birth_date": "01/01/1901"})
            assert (wrong.status_code, wrong.json()["tries_left"]) == (422, left)
        last = await stranger.post(f"{CURRENT}/proof", json={"birth_date": "01/01/1901"})
        assert last.status_code == 429
        assert int(last.headers["Retry-After"]) > 23 * 3600
        assert (await stranger.post(f"{CURRENT}/proof", json=right)).status_code == 429
    await door.world.run(
        "UPDATE birth_date_tries SET paused_until = now() - interval '1 second' WHERE affiliation_id = $1", life.id
    )
    async with employee_of(app, life, token) as employee:
        assert (await employee.post(f"{CURRENT}/proof", json=right)).status_code == 204


async def test_the_birth_date_that_the_employee_corrected_opens_too(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        await save(employee, {"birth_date": "1 9 1980"})
    for told in ({"birth_date": "01/09/1980"}, await birth_date(life)):
        async with employee_of(app, life, token) as again:
            assert (await again.post(f"{CURRENT}/proof", json=told)).status_code == 204


async def test_whoever_has_not_told_the_birth_date_may_add_and_reads_nothing(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        await save(employee, {"city": "Strasbourg"})
    async with employee_of(app, life, token) as other:
        late = await other.patch(CURRENT, json={"version": 0, "answers": {"city": "Colmar", "line1": "1 rue Basse"}})
        assert late.status_code == 409
        assert late.json()["current"] == {"version": 2, "fields": ["city"]}
        assert "Strasbourg" not in late.text


async def test_what_is_typed_as_the_session_ends_is_kept(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        version = await save(employee, {"city": "Paris"})
        await door.world.run("UPDATE employee_session SET expires_at = now() WHERE affiliation_id = $1", life.id)
        assert (await employee.get(CURRENT)).status_code == 401
        assert (await send(employee, version)).status_code == 401
        await save(employee, {"line1": "1 rue Longue"}, version)
    async with employee_of(app, life, token) as again:
        assert (await again.post(f"{CURRENT}/proof", json=await birth_date(life))).status_code == 204
        assert (await again.get(CURRENT)).json()["answers"] == {"city": "Paris", "line1": "1 rue Longue"}


async def test_whoever_left_ends_it_and_whoever_is_somebody_else_closes_only_this_way_in(
    door: Door, app: FastAPI
) -> None:
    left, stranger = await door.declare(), await door.declare()
    async with employee_of(app, left) as employee:
        assert (await employee.post(f"{CURRENT}/decline", json={"reason": "left_company"})).status_code == 204
        assert (await employee.get(CURRENT)).status_code == 401
    assert (await left.row())["closure"] == "declined_left"
    async with employee_of(app, stranger) as employee:
        assert (await employee.post(f"{CURRENT}/decline", json={"reason": "not_me"})).status_code == 204
        assert (await employee.get(CURRENT)).status_code == 401
    assert await stranger.until_messages(2) == [("invitation", "email"), ("postal_fallback", "post")]


# --- what opens the form


async def test_every_wrong_access_gets_the_same_answer_byte_for_byte(door: Door, app: FastAPI) -> None:
    withdrawn, corrected, letter = await door.declare(), await door.declare(), await door.declare(email=None)
    dead_token, old_token = await link_token(withdrawn), await link_token(corrected)
    selector, secret = await _code(letter)
    await door.http.post(f"{BASE}/affiliations/{withdrawn.id}/withdrawal", json={"reason": "mistake"})
    await door.http.patch(f"{BASE}/affiliations/{corrected.id}/contact", json={"email": "neuf@exemple.fr"})
    unknown_selector = next(s for s in ("ZZZZZZ", "YYYYYY") if s != selector)
    good = format_code(selector, secret)
    slip = good[:-1] + ("0" if good[-1] != "0" else "1")
    wrong: list[dict[str, str | None]] = [
        {},
        {"token": None, "code": None},
        {"token": ""},
        {"token": "x"},
        {"token": "x" * 43},
        {"token": "\u0000é"},
        {"token": dead_token},
        {"token": old_token},
        {"token": "x" * 43, "code": good},
        {"code": ""},
        {"code": "A7K3-9QXT-M2PD-H4RZ8"},
        {"code": "é" * 17},
        {"code": slip},
        {"code": format_code(selector, _other(secret, 1))},
        {"code": format_code(unknown_selector, secret)},
        {"code": secret},
    ]
    answers = []
    async with client(app) as http:
        for body in wrong:
            answer = await http.post(ACCESS, json=body)
            assert answer.status_code == 404, body
            answers.append((answer.content, sorted(answer.headers.raw)))
    assert all(answer == answers[0] for answer in answers)
    assert b"set-cookie" not in dict(answers[0][1])


async def test_a_letters_code_is_read_as_people_type_it(door: Door, app: FastAPI) -> None:
    life = await door.declare(email=None)
    selector, secret = await _code(life)
    code = format_code(selector, secret)
    assert parse_code(code) == (selector, secret)
    typed = [
        code,
        code.lower(),
        code.replace("-", ""),
        code.replace("-", " "),
        f"  {code.replace('-', ' – ')} ",
        code.replace("-", "\u00a0"),
        code.replace("0", "O").replace("1", "l"),
        code.replace("0", "o").replace("1", "I"),
        "".join(chr(ord(mark) + 0xFEE0) if mark.isalnum() else mark for mark in code),  # full width
    ]
    for text in typed:
        async with client(app) as http:
            opened = await http.post(ACCESS, json={"code": text})
            assert opened.status_code == 200, text
            assert opened.json()["status"] == "sent"
            assert opened.json()["establishment"].startswith("HÔTEL")
            assert "Essai" not in opened.text
            assert (await http.get(CURRENT)).status_code == 200


async def test_five_wrong_secrets_close_a_code_for_an_hour_and_twenty_for_good(door: Door, app: FastAPI) -> None:
    life = await door.declare(email=None)
    selector, secret = await _code(life)
    right = {"code": format_code(selector, secret)}

    async def an_hour_passes() -> None:
        await door.world.run("DELETE FROM rate_limit")
        await door.world.run(
            "UPDATE access_token SET hour_began = hour_began - interval '61 minutes' WHERE selector = $1", selector
        )

    async with client(app) as http:
        for number in range(1, MAX_WRONG_SECRETS + 1):
            wrong = await http.post(ACCESS, json={"code": format_code(selector, _other(secret, number))})
            if number % MAX_WRONG_SECRETS_AN_HOUR == 0:
                closed = await http.post(ACCESS, json=right)
                assert closed.status_code == 404
                assert closed.content == wrong.content
                await an_hour_passes()
                if number < MAX_WRONG_SECRETS:
                    assert (await http.post(ACCESS, json=right)).status_code == 200
        assert (await http.post(ACCESS, json=right)).status_code == 404
    # the link on the same letter is another secret, and lives
    rows = await door.world.run("SELECT dispatch_id FROM access_token WHERE affiliation_id = $1", life.id)
    token = door.world.writer.link(rows[0]["dispatch_id"]).rsplit("/", 1)[-1]
    async with employee_of(app, life, token) as employee:
        assert (await employee.get(CURRENT)).status_code == 200


async def test_an_unknown_selector_and_a_slip_of_the_finger_count_nothing(door: Door, app: FastAPI) -> None:
    life = await door.declare(email=None)
    selector, secret = await _code(life)
    good = format_code(selector, secret)
    counted = "SELECT coalesce(sum(failures), 0) AS n FROM access_token"
    before = (await door.world.run(counted))[0]["n"]
    async with client(app) as http:
        await http.post(ACCESS, json={"code": format_code("ZZZZZZ", secret)})
        await http.post(ACCESS, json={"code": good[:-1] + ("0" if good[-1] != "0" else "1")})
        assert (await door.world.run(counted))[0]["n"] == before
        await http.post(ACCESS, json={"code": format_code(selector, _other(secret, 1))})
        assert (await door.world.run(counted))[0]["n"] == before + 1


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with client(app) as http:
        opened = await http.post(ACCESS, json={"token": await link_token(life)})
        cookie = opened.headers["set-cookie"].lower()
        assert re.match(r"employee=[\w-]{43};", cookie)
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "domain" not in cookie
    stored = await door.world.run("SELECT token_hash FROM employee_session WHERE affiliation_id = $1", life.id)
    assert len(stored[0]["token_hash"]) == 32


async def test_opening_a_link_any_number_of_times_changes_nothing(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    before = dict(await life.row())
    for _ in range(5):
        async with employee_of(app, life, token) as employee:
            await employee.get(CURRENT)
    assert dict(await life.row()) == before
    assert not await door.world.run(enrolments.GET, life.id)
