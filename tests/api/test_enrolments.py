"""The employee's side: nothing typed is lost, nothing counts twice, and what opens the form tells nothing."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from db import enrolments
from domain.affiliation import Status
from domain.synthetic import synthetic_iban
from gateways.letter_codes import ALPHABET, format_code, parse_code
from services.enrolments import MAX_WRONG_SECRETS
from tests.api.conftest import BASE, Door, client, employee_of, link_token
from tests.world import Life

CURRENT = f"{BASE}/enrolments/current"
ACCESS = f"{BASE}/enrolments/access"
NONSENSE = {
    "nir": "  je ne sais pas, c'est ma mère qui l'a 😀  ",
    "level": "le moins cher\n",
    "dependants": [
        {"kind": "chien", "last_name": "", "first_names": None, "birth_date": "31/02/2020", "nir": "\u0000"},
        {"kind": None, "last_name": " Essai ", "first_names": "Lou", "birth_date": None, "nir": None},
    ],
    "iban": "FR76 ???? <script>alert(1)</script>",
    "account_holder": "  ",
    "consent": False,
    "signature": "\u202e",
}
SUBMISSION: dict[str, Any] = {
    "nir": "275067599000197",
    "level": "BASE",
    "dependants": [
        {"kind": "child", "last_name": "Canarion", "first_names": "Zoulikha", "birth_date": "2020-02-03"},
    ],
    "iban": synthetic_iban(11),
    "account_holder": "Canarion Zoulikha",
    "consent": True,
    "signature": "Canarion Zoulikha",
}


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
        saved = await employee.put(CURRENT, json={"version": 0, "content": NONSENSE})
        assert saved.status_code == 200, saved.text
        view = (await employee.get(CURRENT)).json()
        assert view["content"] == NONSENSE
        assert view["version"] == saved.json()["version"] == 1
        assert view["saved_at"] == saved.json()["saved_at"]
        assert view["submitted_at"] is None
    sealed = await door.world.run("SELECT content_sealed FROM enrolment WHERE affiliation_id = $1", life.id)
    assert b"sais pas" not in sealed[0][0]


async def test_a_second_device_saves_over_nothing_and_is_given_the_first_ones_version(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as phone, employee_of(app, life) as tablet:
        for version in range(3):
            draft = {"version": version, "content": {"account_holder": f"téléphone {version}"}}
            assert (await phone.put(CURRENT, json=draft)).json()["version"] == version + 1
        for stale in (0, 1, 2, 99):
            late = await tablet.put(CURRENT, json={"version": stale, "content": {"account_holder": "tablette"}})
            assert late.status_code == 409, stale
            problem = late.json()
            assert problem["type"] == "urn:hcr:problem:stale_draft"
            assert problem["current"]["version"] == 3
            assert problem["current"]["content"]["account_holder"] == "téléphone 2"
            assert problem["current"]["saved_at"]
        again = {"version": problem["current"]["version"], "content": {"account_holder": "tablette"}}
        assert (await tablet.put(CURRENT, json=again)).json()["version"] == 4
        assert (await phone.get(CURRENT)).json()["content"]["account_holder"] == "tablette"


async def test_of_first_drafts_at_the_same_moment_one_is_kept_and_the_others_are_told(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        answers = await asyncio.gather(
            *(employee.put(CURRENT, json={"version": 0, "content": {"level": str(n)}}) for n in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
        kept = (await employee.get(CURRENT)).json()
        assert kept["version"] == 1
        assert all(a.json()["current"]["content"] == kept["content"] for a in answers if a.status_code == 409)


async def test_a_version_saved_before_any_draft_exists_is_stale(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        answer = await employee.put(CURRENT, json={"version": 5, "content": {}})
        assert answer.status_code == 409
        assert answer.json()["current"] == {"version": 0, "saved_at": None, "content": None}


async def test_submitted_five_times_at_once_there_is_one_coverage_and_one_confirmation(
    door: Door, app: FastAPI
) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        answers = await asyncio.gather(*(employee.post(f"{CURRENT}/submission", json=SUBMISSION) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 4
        assert {a.json()["type"] for a in answers if a.status_code == 409} == {"urn:hcr:problem:already_submitted"}
    await life.until(Status.finalised)
    assert await life.until_messages(2) == [("invitation", "email"), ("confirmation", "email")]
    coverages = await door.world.run("SELECT id FROM coverage WHERE affiliation_id = $1", life.id)
    dependants = await door.world.run("SELECT id FROM dependant WHERE affiliation_id = $1", life.id)
    submissions = await door.world.run(
        "SELECT id FROM audit_log WHERE affiliation_id = $1 AND event = 'form.submitted'", life.id
    )
    assert len(coverages) == len(dependants) == len(submissions) == 1
    assert (await life.events()).count("finalised") == 1


async def test_after_the_submission_the_link_shows_the_receipt_and_nothing_personal(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life) as employee:
        await employee.put(CURRENT, json={"version": 0, "content": NONSENSE})
        submitted = await employee.post(f"{CURRENT}/submission", json=SUBMISSION)
        assert submitted.status_code == 200
        late = await employee.put(CURRENT, json={"version": 2, "content": {"level": "trop tard"}})
        assert late.json()["type"] == "urn:hcr:problem:already_submitted"
    await life.until(Status.finalised)
    async with employee_of(app, life, token) as employee:
        receipt = await employee.get(CURRENT)
        assert receipt.json()["status"] == "finalised"
        assert receipt.json()["content"] is None
        assert receipt.json()["coverage"]["dependants"] == 1
        for secret in ("Canarion", "Zoulikha", SUBMISSION["nir"], SUBMISSION["iban"], "Essai", "2020-02-03"):
            assert secret not in receipt.text
            assert secret not in submitted.text
        for answer in (
            await employee.post(f"{CURRENT}/submission", json=SUBMISSION),
            await employee.put(CURRENT, json={"version": 0, "content": {}}),
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
            online, paper = await asyncio.gather(
                employee.post(f"{CURRENT}/submission", json=SUBMISSION),
                staff.post(f"{BASE}/staff/affiliations/{life.id}/paper-return", json={"level": "BASE"}),
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
        answer = await employee.post(f"{CURRENT}/submission", json={**SUBMISSION, "level": level})
        assert answer.status_code == 200, answer.text
        coverage = answer.json()["coverage"]
        assert coverage["formula"] == f"{level} CCN HCR NC DUO RG"
        assert coverage["starts_on"] == hired_on
        assert coverage["monthly_price_cents"] > 0


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


async def test_twenty_wrong_secrets_kill_the_code(door: Door, app: FastAPI) -> None:
    life = await door.declare(email=None)
    selector, secret = await _code(life)
    right = {"code": format_code(selector, secret)}
    async with client(app) as http:
        for number in range(1, MAX_WRONG_SECRETS):
            await http.post(ACCESS, json={"code": format_code(selector, _other(secret, number))})
        assert (await http.post(ACCESS, json=right)).status_code == 200
        last = await http.post(ACCESS, json={"code": format_code(selector, _other(secret, 99))})
        dead = await http.post(ACCESS, json=right)
        assert dead.status_code == 404
        assert dead.content == last.content
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
