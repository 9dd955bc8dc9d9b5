"""`Idempotency-Key`: the same call has one effect and one answer, however often and however many at once."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Any

import httpx2
from fastapi import FastAPI

from domain.affiliation import Status
from services.callers import Scope
from services.declarations import PreAffiliation
from services.idempotency import spelled_out
from tests.api.conftest import BASE, Door, client, key_for
from tests.world import Life


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_urlsafe(12)}


async def declare(http: httpx2.AsyncClient, body: Any, key: dict[str, str]) -> httpx2.Response:
    return await http.post(f"{BASE}/affiliations", json=body, headers=key)


def reused(answer: httpx2.Response) -> bool:
    return answer.status_code == 409 and answer.json()["type"] == "urn:hcr:problem:idempotency_key_reused"


async def count(door: Door, table: str) -> int:
    rows = await door.world.run(f"SELECT count(*) FROM {table} WHERE company_id = $1", door.employer.company_id)
    return int(rows[0]["count"])


async def test_the_same_declaration_again_gives_the_same_affiliation_and_no_second_message(door: Door) -> None:
    body, key = door.world.declaration(door.employer), new_key()
    first = await declare(door.http, body, key)
    assert first.status_code == 201, first.text
    again = await declare(door.http, dict(reversed(body.items())), key)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    life = Life(door.world, door.employer, first.json()["id"])
    await life.until(Status.sent)
    later = await declare(door.http, body, key)
    assert (later.status_code, later.json()["id"], later.json()["status"]) == (201, first.json()["id"], "sent")
    assert await count(door, "affiliation") == await count(door, "employee") == await count(door, "dispatch") == 1


async def test_another_declaration_under_the_same_key_is_refused(door: Door) -> None:
    key = new_key()
    await declare(door.http, door.world.declaration(door.employer), key)
    assert reused(await declare(door.http, door.world.declaration(door.employer), key))
    assert await count(door, "affiliation") == 1


async def test_ten_equal_calls_at_once_declare_one_person(door: Door) -> None:
    for _ in range(3):
        body, key = door.world.declaration(door.employer), new_key()
        before = await count(door, "affiliation")
        answers = await asyncio.gather(*(declare(door.http, body, key) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await count(door, "affiliation") == before + 1


async def test_of_two_declarations_at_once_under_one_key_one_is_refused(door: Door) -> None:
    for _ in range(5):
        key, before = new_key(), await count(door, "affiliation")
        answers = await asyncio.gather(*(declare(door.http, door.world.declaration(door.employer), key) for _ in "12"))
        assert sorted(a.status_code for a in answers) == [201, 409], [a.text for a in answers]
        assert any(reused(answer) for answer in answers)
        assert await count(door, "affiliation") == before + 1


async def test_ten_calls_at_once_without_a_key_declare_one_person_and_name_it(door: Door) -> None:
    body = door.world.declaration(door.employer)
    answers = await asyncio.gather(*(door.http.post(f"{BASE}/affiliations", json=body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_the_same_key_of_another_caller_is_another_key(door: Door, app: FastAPI) -> None:
    key, world = new_key(), door.world
    elsewhere = await world.employer()
    colleague = await key_for(world, door.employer, Scope.read, Scope.write)
    stranger = await key_for(world, elsewhere, Scope.read, Scope.write)
    first = await declare(door.http, world.declaration(door.employer), key)
    async with client(app, colleague) as http:
        second = await declare(http, world.declaration(door.employer), key)
    async with client(app, stranger) as http:
        third = await declare(http, world.declaration(elsewhere), key)
    assert [a.status_code for a in (first, second, third)] == [201, 201, 201]
    assert len({a.json()["id"] for a in (first, second, third)}) == 3


async def test_a_key_does_not_serve_two_kinds_of_requests(door: Door) -> None:
    key = new_key()
    declared = await declare(door.http, door.world.declaration(door.employer), key)
    path = f"{BASE}/affiliations/{declared.json()['id']}"
    for method, action, body in (
        ("POST", "reminders", None),
        ("PATCH", "contact", {"email": "autre@exemple.fr"}),
        ("POST", "withdrawal", {"reason": "other"}),
        ("POST", "pause", {"reason": "other"}),
        ("POST", "resumption", None),
        ("POST", "skips", {"kind": "reminder", "number": 1}),
        ("POST", "restart", None),
    ):
        answer = await door.http.request(method, f"{path}/{action}", json=body, headers=key)
        assert reused(answer), (action, answer.text)


async def test_ten_equal_reminders_at_once_send_one(door: Door) -> None:
    life, key = await door.declare(), new_key()
    await life.until(Status.sent)
    path = f"{BASE}/affiliations/{life.id}/reminders"
    answers = await asyncio.gather(*(door.http.post(path, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
    assert await life.until_messages(2) == [("invitation", "email"), ("employer_reminder", "email")]
    assert (await door.http.post(path, headers=key)).status_code == 200
    assert (await life.events()).count("reminder_asked") == 1
    other = await door.declare()
    assert reused(await door.http.post(f"{BASE}/affiliations/{other.id}/reminders", headers=key))


async def test_ten_equal_corrections_at_once_send_the_invitation_anew_once(door: Door) -> None:
    life, key = await door.declare(), new_key()
    await life.until(Status.sent)
    path, body = f"{BASE}/affiliations/{life.id}/contact", {"email": "corrigee@exemple.fr"}
    answers = await asyncio.gather(*(door.http.patch(path, json=body, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
    assert await life.until_messages(2) == [("invitation", "email")] * 2
    assert (await door.http.patch(path, json=body, headers=key)).status_code == 200
    assert (await life.events()).count("contact_corrected") == 1
    assert reused(await door.http.patch(path, json={"email": "autre@exemple.fr"}, headers=key))


async def test_corrections_at_once_without_a_key_end_in_one_of_them(door: Door) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    path = f"{BASE}/affiliations/{life.id}/contact"
    answers = await asyncio.gather(
        *(door.http.patch(path, json={"email": f"adresse{number}@exemple.fr"}) for number in range(8))
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}, [a.text for a in answers]
    assert 200 in {answer.status_code for answer in answers}


async def test_a_withdrawal_a_pause_and_a_resumption_repeated_give_the_same_answer(door: Door) -> None:
    life = await door.declare()
    await life.until(Status.sent)
    path = f"{BASE}/affiliations/{life.id}"
    for action, body in (("pause", {"reason": "on_leave"}), ("resumption", None), ("withdrawal", {"reason": "left"})):
        key = new_key()
        answers = [await door.http.post(f"{path}/{action}", json=body, headers=key) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200], (action, answers[-1].text)
        assert len({answer.json()["status"] for answer in answers}) == 1
    assert (await life.events())[-3:] == ["paused", "resumed", "abandoned"]


async def test_ten_equal_restarts_at_once_make_one_new_affiliation(door: Door) -> None:
    life, key = await door.declare(), new_key()
    path = f"{BASE}/affiliations/{life.id}"
    await door.http.post(f"{path}/withdrawal", json={"reason": "mistake"})
    answers = await asyncio.gather(*(door.http.post(f"{path}/restart", headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(door, "affiliation") == 2


async def test_a_verdict_of_staff_under_a_used_key_is_refused(door: Door, staff: httpx2.AsyncClient) -> None:
    life, key = await door.declare(), new_key()
    await life.until(Status.sent)
    path = f"{BASE}/staff/affiliations/{life.id}/doubt-resolution"
    first = await staff.post(path, json={"verdict": "left"}, headers=key)
    assert first.json()["type"] == "urn:hcr:problem:nothing_in_doubt"
    assert reused(await staff.post(path, json={"verdict": "did_not_leave"}, headers=key))


async def test_what_is_kept_of_a_request_cannot_be_guessed_from_the_rest_of_the_database(door: Door) -> None:
    """The NIR is the only unknown in it: a plain hash could be tried until it fits."""
    body, key = door.world.declaration(door.employer), new_key()
    await declare(door.http, body, key)
    plain = spelled_out("declare", request=PreAffiliation.model_validate(body)).encode()
    rows = await door.world.run("SELECT request_hash FROM idempotency WHERE key = $1", key["Idempotency-Key"])
    assert rows[0]["request_hash"] != hashlib.sha256(plain).digest()
    assert len(rows[0]["request_hash"]) == 32


async def test_a_key_too_short_too_long_or_not_printable_is_a_wrong_field(door: Door) -> None:
    body = door.world.declaration(door.employer)
    for key in (b"court", b"x" * 101, b"avec espace dedans", b"accentu\xe9e", b"a\x01bcdefgh", b""):
        answer = await door.http.post(f"{BASE}/affiliations", json=body, headers=[(b"Idempotency-Key", key)])
        assert answer.status_code == 422, key
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await count(door, "affiliation") == 0
