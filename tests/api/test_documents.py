"""Documents over HTTP: taken in and advised on at once, checked by staff, asked for again by the workflow."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI

from domain.affiliation import Status
from gateways.files.antivirus import ScannerUnavailable, Verdict
from tests.api.conftest import BASE, Door, employee_of
from tests.enrolling import IBAN, alone, complete, family, save, send, upload
from tests.gateways.files.samples import certificate_pdf, photo, rib_pdf
from tests.world import Life

CURRENT = f"{BASE}/enrolments/current"
NIR = "275067599000197"
SIZE = (1200, 1600)


def advice(document: dict[str, object]) -> list[str]:
    return [one["code"] for one in document["advice"]]  # type: ignore[attr-defined]


def certificate(life_names: str = "CAMILLE ESSAI") -> bytes:
    return certificate_pdf(NIR, life_names)


async def on_staffs_desk(staff: httpx2.AsyncClient, life: Life) -> bool:
    queue = (await staff.get(f"{BASE}/staff/document-checks")).json()["items"]
    return str(life.id) in [item["affiliation_id"] for item in queue]


def of(life: Life, path: str) -> str:
    return f"{BASE}/staff/affiliations/{life.id}/{path}"


async def test_a_document_is_advised_on_at_once_and_again_when_the_answer_changes(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone(iban="FR76 9999 9000 0100 0000 0000 115"))
        answer = await upload(employee, "rib", "../mon rib\u202e.pdf", rib_pdf(IBAN, "CAMILLE ESSAI"))
        assert answer.status_code == 201, answer.text
        added = answer.json()
        assert (added["piece"], added["media_type"], added["pages"]) == ("rib", "application/pdf", 1)
        assert added["name"] == "mon rib.pdf"
        assert advice(added) == ["iban_differs"]
        await save(employee, {"iban": IBAN}, version)
        [shown] = (await employee.get(f"{CURRENT}/documents")).json()["items"]
        assert advice(shown) == ["iban_matches"]
        assert [d["received"] for d in (await employee.get(CURRENT)).json()["documents"]] == [0, 1]


async def test_a_photo_of_a_phone_is_taken_and_loses_what_it_said_of_the_place(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        await save(employee, alone())
        for name, kind in (("photo.JPG", "jpeg"), ("IMG_0001.HEIC", "heic"), ("capture.png", "png")):
            answer = await upload(
                employee, "social_security_certificate", name, photo("ATTESTATION DE DROITS", kind, SIZE)
            )
            assert answer.status_code == 201, answer.text
            assert answer.json()["media_type"] == "image/jpeg"
        again = await upload(employee, "social_security_certificate", "quatre.jpg", photo("ATTESTATION", "jpeg", SIZE))
        assert (again.status_code, again.json()["reason"]) == (422, "too_many_of_a_kind")


async def test_a_document_that_is_not_asked_for_or_not_readable_is_refused_in_words(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone())
        refusals = {
            "school_certificate:k1": (rib_pdf(IBAN, "X"), "rib.pdf", "not_wanted"),
            "rib": (b"<html>bonjour</html>", "rib.pdf", "type_not_allowed"),
            "social_security_certificate": (b"", "vide.pdf", "empty"),
        }
        for piece, (content, name, reason) in refusals.items():
            answer = await upload(employee, piece, name, content)
            assert (answer.status_code, answer.json().get("reason")) == (422, reason), answer.text
            assert answer.json()["detail"]
        large = await upload(employee, "rib", "rib.pdf", b"%PDF-1.7" + bytes(10 * 1024 * 1024))
        assert (large.status_code, large.json()["reason"]) == (422, "too_big")
        huge = await upload(employee, "rib", "rib.pdf", bytes(12 * 1024 * 1024))
        assert huge.status_code == 413
        nothing = await employee.post(f"{CURRENT}/documents", data={"piece": "rib"})
        assert nothing.json()["type"] == "urn:hcr:problem:unreadable_upload"
        unknown = await upload(employee, "passeport", "rib.pdf", rib_pdf(IBAN, "X"))
        assert unknown.json()["errors"][0]["field"] == "piece"
        # nothing else was lost
        assert (await employee.get(CURRENT)).json()["version"] == version


async def test_a_file_lies_nowhere_in_clear_and_goes_when_it_is_taken_back(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    parts = app.state.parts
    async with employee_of(app, life) as employee:
        await save(employee, alone())
        added = (await upload(employee, "rib", "canarion.pdf", rib_pdf(IBAN, "CANARION ZOULIKHA"))).json()
        [row] = await door.world.run("SELECT * FROM document WHERE affiliation_id = $1", life.id)
        for value in row.values():
            for secret in (b"CANARION", b"canarion", IBAN.encode()):
                assert secret not in (value if isinstance(value, bytes) else str(value).encode())
        stored = parts.config.local_dir  # the directory of the embedded default
        assert stored
        removed = await employee.delete(f"{CURRENT}/documents/{added['id']}")
        assert removed.status_code == 204
        assert (await employee.delete(f"{CURRENT}/documents/{added['id']}")).status_code == 404
        assert not await door.world.run("SELECT 1 FROM document WHERE affiliation_id = $1", life.id)


async def test_nobody_reads_another_persons_documents(door: Door, app: FastAPI) -> None:
    one, other = await door.declare(), await door.declare()
    async with employee_of(app, one) as first, employee_of(app, other) as second:
        await save(first, alone())
        added = (await upload(first, "rib", "rib.pdf", rib_pdf(IBAN, "X"))).json()
        assert (await second.get(f"{CURRENT}/documents")).json() == {"items": []}
        assert (await second.delete(f"{CURRENT}/documents/{added['id']}")).status_code == 404
    assert (await door.http.get(f"{BASE}/staff/documents/{added['id']}/file")).status_code == 403


async def test_staff_accept_every_piece_and_the_life_ends(door: Door, app: FastAPI, staff: httpx2.AsyncClient) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone())
        await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "CAMILLE ESSAI"))
        await upload(employee, "social_security_certificate", "attestation.pdf", certificate())
        receipt = (await send(employee, version, later=False)).json()
        assert (receipt["missing"], receipt["checking"]) == ([], True)
    assert await life.until_messages(2) == [("invitation", "email"), ("confirmation", "email")]
    assert await on_staffs_desk(staff, life)
    review = (await staff.get(of(life, "documents"))).json()
    assert [item["piece"] for item in review["items"]] == ["rib", "social_security_certificate"]
    file = await staff.get(f"{BASE}/staff/documents/{review['items'][0]['id']}/file")
    assert file.status_code == 200
    assert file.content.startswith(b"%PDF")
    assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''rib.pdf")
    assert "sandbox" in file.headers["content-security-policy"]
    for piece in ("rib", "social_security_certificate"):
        assert (await staff.post(of(life, f"pieces/{piece}/acceptance"), json={})).status_code == 200
    assert not await on_staffs_desk(staff, life)
    await asyncio.wait_for(life.handle.result(), 10)
    assert await life.sent() == [("invitation", "email"), ("confirmation", "email")]
    assert "pieces_accepted" in await life.events()
    read = await door.world.run(
        "SELECT actor_kind FROM audit_log WHERE affiliation_id = $1 AND event = 'file.downloaded'", life.id
    )
    assert [row["actor_kind"] for row in read] == ["staff"]


async def test_a_piece_asked_for_again_comes_after_a_reminder(
    door: Door, app: FastAPI, staff: httpx2.AsyncClient
) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        version = await save(employee, alone())
        await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "CAMILLE ESSAI"))
        await upload(employee, "social_security_certificate", "attestation.pdf", certificate())
        await send(employee, version)
        await life.until_messages(2)
        await staff.post(of(life, "pieces/rib/acceptance"), json={})
        asked = await staff.post(of(life, "pieces/social_security_certificate/request"), json={"reason": "unreadable"})
        assert asked.json()["missing"] == ["social_security_certificate"]
        await life.until_messages(3)
        assert (await life.sent())[-1] == ("missing_pieces", "email")
        shown = (await employee.get(CURRENT)).json()
        assert (shown["missing"], shown["checking"]) == (["social_security_certificate"], False)
        assert shown["pieces_deadline"] is not None
        assert (await staff.get(of(life, "documents"))).json()["pieces_deadline"] == shown["pieces_deadline"]
        await life.advance(timedelta(days=9))
        assert (await life.sent())[-2:] == [("missing_pieces", "email")] * 2
        refused = await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))
        assert refused.json()["reason"] == "not_wanted"
        sent = await upload(employee, "social_security_certificate", "photo.jpg", photo("ATTESTATION", "jpeg", SIZE))
        assert sent.status_code == 201, sent.text
        shown = (await employee.get(CURRENT)).json()
        assert (shown["missing"], shown["checking"]) == ([], True)
    await staff.post(of(life, "pieces/social_security_certificate/acceptance"), json={})
    await asyncio.wait_for(life.handle.result(), 10)
    assert (await life.sent())[-1] == ("confirmation", "email")
    assert (await life.events())[-5:] == [
        "message_handed_over",
        "message_handed_over",
        "pieces_received",
        "pieces_accepted",
        "message_handed_over",
    ]


async def test_what_came_by_post_is_added_or_settled_by_staff(
    door: Door, app: FastAPI, staff: httpx2.AsyncClient
) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        receipt = await complete(employee, family())
    assert len(receipt["missing"]) == 5
    await life.until_messages(2)
    added = await staff.post(
        of(life, "documents"), data={"piece": "rib"}, files={"file": ("scan.pdf", rib_pdf(IBAN, "X"))}
    )
    assert added.status_code == 201, added.text
    assert added.json()["items"][0]["verdict"] == "accepted"
    for piece in added.json()["missing"]:
        settled = await staff.post(of(life, f"pieces/{piece}/acceptance"), json={"how": "received_on_paper"})
        assert settled.status_code == 200, settled.text
    assert settled.json()["missing"] == []
    await asyncio.wait_for(life.handle.result(), 10)
    assert (await life.sent())[-1] == ("confirmation", "email")
    nothing = await staff.post(of(life, "pieces/rib/acceptance"), json={})
    assert nothing.status_code == 409  # all is accepted


class Away:
    async def scan(self, content: bytes) -> Verdict:
        raise ScannerUnavailable("hangs")


class Infected:
    async def scan(self, content: bytes) -> Verdict:
        return Verdict.infected


async def test_without_the_antivirus_a_file_waits_and_nobody_reads_it(
    door: Door, app: FastAPI, staff: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await door.declare()
    intake = app.state.parts.documents._intake
    async with employee_of(app, life) as employee:
        await save(employee, alone())
        monkeypatch.setattr(intake, "_scanner", Infected())
        refused = await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))
        assert refused.json()["reason"] == "infected"
        monkeypatch.setattr(intake, "_scanner", Away())
        waiting = await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))
        assert (waiting.status_code, waiting.json()["scan"]) == (201, "pending")
    answer = await staff.get(f"{BASE}/staff/documents/{waiting.json()['id']}/file")
    assert answer.json()["type"] == "urn:hcr:problem:not_yet_scanned"


async def test_no_session_no_upload(door: Door, anonymous: httpx2.AsyncClient) -> None:
    answer = await upload(anonymous, "rib", "rib.pdf", rib_pdf(IBAN, "X"))
    assert answer.status_code == 401


async def test_while_a_piece_is_missing_the_employer_reads_what_comes_next(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        await complete(employee)
    await life.until(Status.finalised)
    await life.until_messages(2)
    detail = (await door.http.get(f"{BASE}/affiliations/{life.id}")).json()
    assert detail["next_step"]["kind"] == "missing_pieces"
    assert detail["awaits"] == "documents"
    events = (await door.http.get(f"{BASE}/affiliations/{life.id}/events")).text
    assert "rib" not in events + str(detail)
