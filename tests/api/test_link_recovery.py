"""« Retrouver mon lien »: one answer for everybody; what is sent goes to the contact on file, once a day."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from domain.affiliation import Status
from tests.api.conftest import Door
from tests.world import Life

RECOVERY = "/api/v1/enrolments/link-recovery"


async def ready(door: Door, **changes: Any) -> Life:
    life = await door.declare(**changes)
    await life.until(Status.sent)
    await life.until_quiet()
    return life


async def token_of(life: Life) -> str:
    found = re.search(r"/e/([\w-]{43})", (await life.received())[0]["text"])
    assert found
    return found.group(1)


async def test_a_link_brings_a_new_message_to_the_contact_on_file_and_both_links_work(
    door: Door, anonymous: httpx2.AsyncClient
) -> None:
    life = await ready(door)
    answer = await anonymous.post(RECOVERY, json={"token": await token_of(life)})
    assert answer.status_code == 202
    assert await life.until_messages(2) == [("invitation", "email"), ("invitation", "email")]
    boxes = await life.received()
    assert boxes[0]["recipient"] == boxes[1]["recipient"]
    for mail in boxes:
        token = re.search(r"/e/([\w-]{43})", mail["text"])
        assert token
        opened = await anonymous.post("/api/v1/enrolments/access", json={"token": token.group(1)})
        assert opened.status_code == 200
    assert "link_asked" in await life.events()


async def test_establishment_name_and_birth_date_do_as_well_whatever_the_accents(
    door: Door, anonymous: httpx2.AsyncClient
) -> None:
    life = await ready(door, last_name="Lefèvre-Noël", birth_date="1988-02-29")
    known = {"siret": door.employer.siret, "last_name": "LEFEVRE NOEL", "birth_date": "1988-02-29"}
    assert (await anonymous.post(RECOVERY, json=known)).status_code == 202
    await life.until_messages(2)


async def test_a_second_request_on_the_same_day_sends_nothing(door: Door, anonymous: httpx2.AsyncClient) -> None:
    life = await ready(door)
    token = await token_of(life)
    for _ in range(2):
        assert (await anonymous.post(RECOVERY, json={"token": token})).status_code == 202
        await life.until_messages(2)
        await life.until_quiet()
    assert len(await life.sent()) == 2
    await life.advance_days(1)
    await anonymous.post(RECOVERY, json={"token": token})
    assert len(await life.until_messages(3)) == 3


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"token": "x" * 43},
        {"code": "ABCD-EFGH-JKMN-PQRST"},
        {"siret": "99900000300015", "last_name": "Personne", "birth_date": "1980-01-01"},
        {"last_name": "Essai"},
    ],
)
async def test_whoever_is_unknown_gets_the_same_answer(
    door: Door, anonymous: httpx2.AsyncClient, asked: dict[str, str]
) -> None:
    life = await ready(door)
    known = await anonymous.post(RECOVERY, json={"token": await token_of(life)})
    unknown = await anonymous.post(RECOVERY, json=asked)
    assert (unknown.status_code, unknown.content) == (known.status_code, known.content)
    assert dict(unknown.headers) == dict(known.headers)


async def test_a_closed_affiliation_sends_nothing(door: Door, anonymous: httpx2.AsyncClient) -> None:
    life = await ready(door)
    token = await token_of(life)
    await door.http.post(f"/api/v1/affiliations/{life.id}/withdrawal", json={"reason": "mistake"})
    await life.until(Status.abandoned)
    assert (await anonymous.post(RECOVERY, json={"token": token})).status_code == 202
    assert len(await life.sent()) == 1
