"""How often employees' doors are tried: codes of letters, links to be found again, files (security.md L-02, U-07)."""

from __future__ import annotations

from fastapi import FastAPI

from services.limits import Limit
from tests.api.conftest import BASE, Door, client, employee_of, link_token
from tests.enrolling import IBAN, alone, save, upload
from tests.gateways.files.samples import rib_pdf
from tests.portal.test_employee import letter_code
from tests.signing_in import new_address

WRONG = "A7K3-9QXT-M2PD-H4RZ8"


async def test_ten_wrong_codes_an_hour_close_the_codes_to_a_network_and_no_link(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    token, address = await link_token(life), new_address()
    async with client(app, address=address) as http:
        for _ in range(Limit.letter_code_address.value.count):
            assert (await http.post(f"{BASE}/enrolments/access", json={"code": WRONG})).status_code == 404
        refused = await http.post(f"{BASE}/enrolments/access", json={"code": WRONG})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 360
        page = await http.get("/courrier")
        page = await http.post("/courrier", data={"code": WRONG}, headers={"Sec-Fetch-Site": "same-origin"})
        assert page.status_code == 429
        assert "Trop de demandes" in page.text
        assert (await http.post(f"{BASE}/enrolments/access", json={"token": token})).status_code == 200
    async with client(app, address=new_address()) as elsewhere:
        assert (await elsewhere.post(f"{BASE}/enrolments/access", json={"code": WRONG})).status_code == 404


async def test_right_codes_do_not_count(door: Door, app: FastAPI) -> None:
    """A hotel's employees open their letters behind one address."""
    async with client(app, address=new_address()) as http:
        life = await door.declare(email=None)
        await life.until_messages(1)
        code = letter_code((await life.received())[0]["pdf"])
        for _ in range(Limit.letter_code_address.value.count + 2):
            assert (await http.post(f"{BASE}/enrolments/access", json={"code": code})).status_code == 200


async def test_ten_links_an_hour_are_asked_for_again_from_one_network(app: FastAPI) -> None:
    async with client(app, address=new_address()) as http:
        answers = [await http.post(f"{BASE}/enrolments/link-recovery", json={"code": WRONG}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429]


async def test_thirty_files_an_hour_are_taken_for_one_affiliation(door: Door, app: FastAPI) -> None:
    life = await door.declare()
    async with employee_of(app, life) as employee:
        await save(employee, alone())
        limiter = app.state.parts.tools.limiter
        for _ in range(Limit.upload_session.value.count):
            await limiter.take(Limit.upload_session, str(life.id))
        refused = await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))
        assert refused.status_code == 429
        await limiter.forget(Limit.upload_session, str(life.id))
        assert (await upload(employee, "rib", "rib.pdf", rib_pdf(IBAN, "X"))).status_code == 201
