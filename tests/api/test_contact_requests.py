"""/contact-requests over HTTP: with files and without, once for a key, and staff's answer."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI

from domain.rights import Role, StaffRole
from tests.api.conftest import BASE
from tests.enrolling import IBAN
from tests.gateways.files.samples import rib_pdf
from tests.users import add_user, signed_in
from tests.world import World

REQUESTS = f"{BASE}/contact-requests"
DESK = f"{BASE}/staff/contact-requests"


async def test_a_request_is_sent_once_for_its_key_answered_and_read(app: FastAPI, world: World) -> None:
    await world.run("DELETE FROM rate_limit")
    employer = await world.employer()
    me = await add_user(world, {employer.company_id: Role.member})
    clerk = await add_user(world, staff=[StaffRole.write])
    asked = {
        "company_id": str(employer.company_id),
        "reason": "contributions",
        "subject": "Cotisations",
        "message": "Bonjour,\nquel est le montant ?",
    }
    key = {"Idempotency-Key": str(uuid4())}
    async with signed_in(app, world, me) as http, signed_in(app, world, clerk) as desk:
        files = {"file": ("rib.pdf", rib_pdf(IBAN, "Camille Essai"))}
        first, second = [await http.post(REQUESTS, data=asked, files=files, headers=key) for _ in range(2)]
        assert first.status_code == second.status_code == 201, first.text
        assert first.json() == second.json()
        other = await http.post(REQUESTS, json={**asked, "subject": "Autre"}, headers=key)
        assert other.json()["type"] == "urn:hcr:problem:idempotency_key_reused"
        elsewhere = await http.post(REQUESTS, json={**asked, "company_id": str(uuid4())})
        assert elsewhere.status_code == 404
        wrong = await http.post(REQUESTS, json={**asked, "reason": "vacances"})
        assert [error["field"] for error in wrong.json()["errors"]] == ["reason"]
        plain = await http.post(REQUESTS, content=b"subject=x", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 422

        one = f"{REQUESTS}/{first.json()['id']}"
        case = f"{DESK}/{first.json()['id']}"
        assert [line["number"] for line in (await http.get(REQUESTS)).json()["items"]] == [first.json()["number"]]
        assert (await desk.post(f"{case}/assignment", json={"mine": True})).json()["assigned_to"] == str(clerk.id)
        answered = await desk.post(f"{case}/answer", data={"message": "312 euros.", "close": "false"}, files=files)
        assert answered.status_code == 200, answered.text
        view = (await http.get(one)).json()
        assert view["state"] == "answered"
        assert [message["author"] is None for message in view["messages"]] == [False, True]
        [file] = view["messages"][1]["files"]
        assert (await http.get(f"{one}/files/{file['id']}")).content.startswith(b"%PDF-")
        assert (await http.post(f"{one}/replies", json={"message": "Merci, et novembre ?"})).json()[
            "state"
        ] == "reopened"
        assert (await http.post(f"{one}/reopening", json={"message": "Encore"})).status_code == 409
        assert (await desk.post(f"{case}/closing")).json()["state"] == "closed"
        assert (await http.put(f"{one}/rating", json={"satisfaction": 5})).json()["satisfaction"] == 5
