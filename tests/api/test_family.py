"""A whole family, online in Portuguese and on paper: the coverage, the files and the messages that come of it."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta

import httpx2
import pypdfium2  # type: ignore[import-untyped]
from fastapi import FastAPI

from domain.affiliation import Status
from domain.identifiers import Civility
from domain.media import Language
from domain.synthetic import synthetic_nir
from messages.catalogue import catalogue
from tests.api.conftest import BASE, Door, employee_of, link_token
from tests.api.test_actions import text_of
from tests.enrolling import IBAN, family, save, send, upload
from tests.gateways.files.samples import certificate_pdf, photo, rib_pdf
from tests.world import Life

CURRENT = f"{BASE}/enrolments/current"
NIR = "275067599000197"
PARTNERS_NIR = synthetic_nir(Civility.monsieur, date(1974, 2, 3), order=17)
PIECES = (
    "social_security_certificate",
    "rib",
    "partnership_proof:p1",
    "partner_social_security_certificate:p1",
    "school_certificate:k2",
)


def of(life: Life, path: str) -> str:
    return f"{BASE}/staff/affiliations/{life.id}/{path}"


async def dependants_of(door: Door, life: Life) -> list[tuple[str, str, date, str | None]]:
    rows = await door.world.run("SELECT * FROM dependant WHERE affiliation_id = $1 ORDER BY id", life.id)
    cipher = door.world.cipher
    return [
        (
            row["kind"],
            row["first_names"],
            row["birth_date"],
            cipher.decrypt(row["nir_sealed"], "dependant", "nir", str(row["id"])) if row["nir_sealed"] else None,
        )
        for row in rows
    ]


FAMILY = [
    ("partner", "João", date(1974, 2, 3), PARTNERS_NIR),
    ("child", "Inês", date(2015, 3, 10), None),
    ("child", "Tomás", date(2006, 9, 21), None),
]


async def test_online_in_portuguese(door: Door, app: FastAPI, staff: httpx2.AsyncClient) -> None:
    portuguese = catalogue(Language.pt)
    life = await door.declare(language="pt", last_name="Silva", birth_name="Costa", first_names="Maria")
    token = await link_token(life)
    [invitation] = await life.received()
    assert invitation["subject"] == portuguese.text("email.invitation.subject")
    assert 'lang="pt"' in invitation["html"]

    answers = family(**{"dependants.p1.nir": PARTNERS_NIR, "account_holder": "Maria Silva", "signature": "Maria Silva"})
    files = {
        "social_security_certificate": ("atestado.pdf", certificate_pdf(NIR, "MARIA SILVA", ("INES SILVA",))),
        "rib": ("rib.pdf", rib_pdf(IBAN, "MARIA SILVA")),
        "partnership_proof:p1": ("pacs.jpg", photo("PACTE CIVIL DE SOLIDARITE", size=(1200, 1600))),
        "partner_social_security_certificate:p1": ("joao.pdf", certificate_pdf(PARTNERS_NIR, "JOAO SILVA")),
        "school_certificate:k2": ("tomas.png", photo("CERTIFICAT DE SCOLARITE", "png", (1200, 1600))),
    }
    assert set(files) == set(PIECES)
    async with employee_of(app, life) as employee:
        version = 0
        for step in (("identity_correct", "birth_date", "nir"), ("path", "has_dependants"), tuple(answers)):
            version = await save(employee, {name: answers[name] for name in step}, version)
        advice = {}
        for piece, (name, content) in files.items():
            taken = await upload(employee, piece, name, content)
            assert taken.status_code == 201, taken.text
            advice[piece] = [one["code"] for one in taken.json()["advice"]]
        assert advice["rib"] == ["iban_matches"]
        assert "nir_matches" in advice["partner_social_security_certificate:p1"]
        receipt = (await send(employee, version, later=False)).json()
        assert receipt["coverage"] == {
            "formula": "BASE CCN HCR NC FAMILLE RG",
            "starts_on": "2026-11-02",
            "dependants": 3,
            "monthly_price_cents": 8400,
            "teletransmission": True,
        }

    # the coverage
    assert await dependants_of(door, life) == FAMILY
    [coverage] = await door.world.run("SELECT * FROM coverage WHERE affiliation_id = $1", life.id)
    assert door.world.cipher.decrypt(coverage["iban_sealed"], "coverage", "iban", str(coverage["id"])) == IBAN

    # the files, as staff read them
    review = (await staff.get(of(life, "documents"))).json()
    assert [item["piece"] for item in review["items"]] == list(files)
    for item in review["items"]:
        kept = await staff.get(f"{BASE}/staff/documents/{item['id']}/file")
        assert kept.headers["content-type"] == item["media_type"]
        if item["piece"] == "rib":
            text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(kept.content))
            assert IBAN in re.sub(r"\s", "", text)

    # one is asked for again, and all are accepted in the end
    again = "school_certificate:k2"
    await staff.post(of(life, f"pieces/{again}/request"), json={"reason": "unreadable"})
    await life.until_messages(3)
    async with employee_of(app, life, token) as employee:
        await employee.post(f"{CURRENT}/proof", json={"birth_date": "12/06/1975"})
        assert (await upload(employee, again, "tomas.pdf", certificate_pdf(NIR, "TOMAS SILVA"))).status_code == 201
    for piece in PIECES:
        assert (await staff.post(of(life, f"pieces/{piece}/acceptance"), json={})).status_code == 200
    await asyncio.wait_for(life.handle.result(), 10)

    # the messages, all in Portuguese, each once
    kinds = [("invitation", "email"), ("confirmation", "email"), ("missing_pieces", "email"), ("confirmation", "email")]
    assert await life.sent() == kinds
    received = await life.received()
    assert all('lang="pt"' in mail["html"] for mail in received)
    assert portuguese.text("piece.school_certificate") in received[2]["text"]
    assert portuguese.text("document.reason.unreadable") in received[2]["text"]
    for mail in received:
        for secret in (NIR, IBAN, PARTNERS_NIR, "João", "Inês", "Tomás"):
            assert secret not in mail["text"] + mail["html"] + mail["subject"]


async def test_on_paper(door: Door, staff: httpx2.AsyncClient) -> None:
    life = await door.declare(email=None, phone=None, last_name="Silva", birth_name="Costa", first_names="Maria")
    await life.until(Status.sent)
    [letter] = await life.received()
    assert letter["medium"] == "post"
    assert "Bulletin" in text_of(letter["pdf"])

    read = {
        **{path: value for path, value in family().items() if path.startswith("dependants.")},
        "dependants.p1.nir": PARTNERS_NIR,
        "level": "OPTION 1",
        "nir": NIR,
        "birth_date": "12/06/1975",
        "signature": "Maria Silva",
    }
    wrong = await staff.post(of(life, "paper-return"), json={"answers": {**read, "dependants.p1.nir": "1 74 02"}})
    assert [error["field"] for error in wrong.json()["errors"]] == ["dependants.p1.nir"]
    returned = await staff.post(of(life, "paper-return"), json={"answers": read, "missing": ["school_certificate:k2"]})
    assert returned.status_code == 201, returned.text
    assert returned.json()["missing"] == ["rib", "school_certificate:k2"]
    assert returned.json()["coverage"]["formula"] == "OPTION 1 CCN HCR NC FAMILLE RG"
    assert await dependants_of(door, life) == FAMILY

    # asked for by the medium that reaches them, by name
    await life.until_messages(2)
    asked = (await life.received())[-1]
    assert asked["medium"] == "post"
    words = re.sub(r"\s+", " ", text_of(asked["pdf"]))
    assert "RIB" in words
    assert "Tomás" in words

    # reminded, then sent by post and scanned in
    await life.advance(timedelta(days=8))
    assert (await life.sent())[-2:] == [("missing_pieces", "post")] * 2
    for piece, content in (("rib", rib_pdf(IBAN, "MARIA SILVA")), ("school_certificate:k2", photo(size=(900, 1200)))):
        name = "scan.pdf" if content.startswith(b"%PDF") else "scan.jpg"
        added = await staff.post(of(life, "documents"), data={"piece": piece}, files={"file": (name, content)})
        assert added.status_code == 201, added.text
    await asyncio.wait_for(life.handle.result(), 10)
    assert await life.status() is Status.finalised
    assert (await life.sent())[-1] == ("missing_pieces", "post")  # no e-mail, no confirmation
    assert "pieces_accepted" in await life.events()
