"""The whole life over HTTP: declared, invited, opened, drafted, submitted, insured."""

from __future__ import annotations

import re

import httpx2
from fastapi import FastAPI

from domain.affiliation import Status
from tests.api.conftest import Door, client
from tests.enrolling import family, save, send
from tests.world import Life


async def test_a_whole_life_by_email(door: Door, app: FastAPI) -> None:
    declared = door.world.declaration(door.employer)
    answer = await door.http.post("/api/v1/affiliations", json=declared)
    assert answer.status_code == 201
    assert answer.json()["status"] == "preparing"
    life_id = answer.json()["id"]

    life = Life(door.world, door.employer, life_id)
    await life.until(Status.sent)
    mail = (await life.received())[0]
    token = re.search(r"/e/([\w-]{43})", mail["text"])
    assert token

    async with client(app) as employee:
        opened = await employee.post("/api/v1/enrolments/access", json={"token": token.group(1)})
        assert opened.status_code == 200, opened.text
        version = await save(employee, {"iban": "FR76 je cherche", "level": "BASE"})
        assert version == 1
        await life.until(Status.started)
        version = await save(employee, family(nir=declared["employee"]["nir"]), version)
        submitted = await send(employee, version)
        assert submitted.status_code == 200, submitted.text
        assert submitted.json()["coverage"]["formula"] == "BASE CCN HCR NC FAMILLE RG"
    await life.until(Status.finalised)
    assert await life.until_messages(2) == [("invitation", "email"), ("missing_pieces", "email")]
    detail = (await door.http.get(f"/api/v1/affiliations/{life_id}")).json()
    assert detail["status"] == "finalised"
    assert detail["next_step"]["kind"] == "missing_pieces"
    events = (await door.http.get(f"/api/v1/affiliations/{life_id}/events")).json()
    assert [event["kind"] for event in events] == [
        "declared",
        "message_handed_over",
        "started",
        "finalised",
        "message_handed_over",
    ]


async def test_the_openapi_document_describes_every_error(app: FastAPI, anonymous: httpx2.AsyncClient) -> None:
    document = (await anonymous.get("/api/v1/openapi.json")).json()
    assert "ProblemDetails" in document["components"]["schemas"]
