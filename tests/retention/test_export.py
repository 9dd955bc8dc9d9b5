"""A person's data handed over: all of it, of nobody else, and in the log (security.md R-02, J-08)."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

import httpx2
import pypdfium2  # type: ignore[import-untyped]
import pytest
from fastapi import FastAPI

from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_nir
from services.callers import Scope
from tests.api.conftest import BASE, client, employee_of, key_for, link_token
from tests.enrolling import family, save, send, upload
from tests.gateways.files.samples import rib_pdf
from tests.retention.conftest import Kept
from tests.retention.test_erasure import canary
from tests.world import Employer, Life

CURRENT = f"{BASE}/enrolments/current"
BIRTH = {"one": "1931-04-05", "other": "1932-05-06"}


@dataclass(frozen=True)
class Planted:
    """Somebody whose every value is unmistakable."""

    life: Life
    values: dict[str, str]
    token: str


async def plant(kept: Kept, employer: Employer, who: str, order: int) -> Planted:
    nir = synthetic_nir(Civility.madame, date.fromisoformat(BIRTH[who]), "75", order)
    values = {
        name: canary()
        for name in (
            *("last name", "first name", "birth name", "mail", "street", "own street", "holder", "partner", "child"),
            *("child last name", "signature", "file", "payroll name"),
        )
    }
    values["NIR"] = nir
    values["partner NIR"] = synthetic_nir(Civility.monsieur, date.fromisoformat("1974-02-03"), "33", order)
    values["IBAN"] = synthetic_iban(7_000_000 + order)
    life = await kept.declare(
        employer,
        last_name=values["last name"],
        birth_name=values["birth name"],
        first_names=values["first name"],
        birth_date=BIRTH[who],
        nir=nir,
        email=f"{values['mail']}@exemple.fr",
        address={"line1": f"1 rue {values['street']}", "postcode": "75011", "city": "Paris"},
    )
    answers = family(
        **{
            "birth_date": BIRTH[who],
            "nir": nir,
            "line1": f"2 rue {values['own street']}",
            "iban": values["IBAN"],
            "account_holder": values["holder"],
            "signature": values["signature"],
            "dependants.p1.first_names": values["partner"],
            "dependants.p1.nir": values["partner NIR"],
            "dependants.k1.first_names": values["child"],
            "dependants.k1.last_name": values["child last name"],
        }
    )
    token = await link_token(life)
    async with employee_of(kept.app, life, token) as http:
        version = await save(http, answers)
        added = await upload(http, "rib", f"{values['file']}.pdf", rib_pdf(values["IBAN"], values["holder"]))
        assert added.status_code == 201, added.text
        sent = await send(http, version)
        assert sent.status_code == 200, sent.text
    await declare_by_payroll(kept, life, values["payroll name"])
    return Planted(life, values, token)


async def declare_by_payroll(kept: Kept, life: Life, name: str) -> None:
    """A DSN that spells them otherwise."""
    change = uuid.uuid4()
    declared = json.dumps({"first_names": "Camille", "last_name": name})
    await kept.world.run(
        """
        WITH came AS (
            INSERT INTO dsn_import (origin, sha256, size) VALUES ('api', uuid_send($2), 1) RETURNING id
        ), declared AS (
            INSERT INTO dsn_declaration (import_id, number, first_line, company_id, siret, state)
            SELECT id, 1, 1, $1, id, 'recorded' FROM came RETURNING id
        )
        INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, reason,
                                decision, state, match, line, employee_id, person_sealed)
        SELECT $2, id, $1, 'end', id, id, '', '2026-04-30', '059', 'automatic', 'applied', 'nir', 1, $3, $4
        FROM declared
        """,
        life.employer.company_id,
        change,
        await kept.employee(life),
        kept.world.cipher.encrypt(declared, "dsn_change", "person", str(change)),
    )


@pytest.fixture(scope="module")
async def two(kept: Kept) -> tuple[Planted, Planted]:
    """Colleagues: of one company, declared one after the other."""
    employer = await kept.world.employer()
    return await plant(kept, employer, "one", 11), await plant(kept, employer, "other", 12)


def found(planted: Planted, text: str) -> set[str]:
    """Names of the values that the text holds, however it is broken into lines."""
    haystack = "".join(text.split()).replace("\u200b", "").lower()
    return {name for name, value in planted.values.items() if value.lower().replace(" ", "") in haystack}


def pdf_text(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


async def person_path(kept: Kept, planted: Planted) -> str:
    return f"{BASE}/staff/people/{await kept.employee(planted.life)}"


@asynccontextmanager
async def proved(app: FastAPI, planted: Planted, birth_date: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with employee_of(app, planted.life, planted.token) as http:
        answer = await http.post(f"{CURRENT}/proof", json={"birth_date": birth_date})
        assert answer.status_code == 204, answer.text
        yield http


async def test_staff_hand_over_everything_and_nothing_of_a_colleague(
    kept: Kept, two: tuple[Planted, Planted], staff: httpx2.AsyncClient
) -> None:
    one, other = two
    path = await person_path(kept, one)
    data = await staff.get(f"{path}/personal-data.json")
    assert data.status_code == 200, data.text
    assert found(one, data.text) == set(one.values)
    assert found(other, data.text) == set()
    assert "/e/…" in data.text
    assert one.token not in data.text, "an export opens nobody's form"
    pdf = await staff.get(f"{path}/personal-data.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert "attachment" in pdf.headers["content-disposition"]
    text = pdf_text(pdf.content)
    assert "Nous n’avons rien" not in text
    assert "waive" not in text
    assert found(one, text) == set(one.values)
    assert found(other, text) == set()
    archive = zipfile.ZipFile(io.BytesIO((await staff.get(f"{path}/personal-data.zip")).content))
    names = archive.namelist()
    assert names[:2] == ["donnees.json", "donnees.pdf"]
    [rib] = names[2:]
    assert rib.endswith("/01-rib.pdf")
    assert found(one, pdf_text(archive.read(rib))) == {"IBAN", "holder"}
    assert json.loads(archive.read("donnees.json"))["affiliations"][0]["documents"][0]["file"] == rib
    # each is in the log, and in the next export
    [affiliation] = (await staff.get(f"{path}/personal-data.json")).json()["affiliations"]
    exported = [one for one in affiliation["accesses"] if one["event"] == "data.exported"]
    assert [one["actor_kind"] for one in exported] == ["staff"] * 3
    assert {"link.opened", "form.submitted", "file.uploaded"} <= {one["event"] for one in affiliation["accesses"]}
    assert "actor_id" not in json.dumps(affiliation)


async def test_an_employee_hands_themselves_over_what_is_about_this_affiliation(
    kept: Kept, two: tuple[Planted, Planted]
) -> None:
    one, other = two
    async with employee_of(kept.app, one.life, one.token) as stranger:
        for ending in ("json", "pdf", "zip"):
            refused = await stranger.get(f"{CURRENT}/personal-data.{ending}")
            assert refused.json()["type"] == "urn:hcr:problem:birth_date_needed"
    async with proved(kept.app, one, BIRTH["one"]) as http:
        data = await http.get(f"{CURRENT}/personal-data.json")
        assert found(one, data.text) == set(one.values)
        assert found(other, data.text) == set()
        assert [one["id"] for one in data.json()["affiliations"]] == [str(one.life.id)]
        assert found(one, pdf_text((await http.get(f"{CURRENT}/personal-data.pdf")).content)) == set(one.values)
        archive = zipfile.ZipFile(io.BytesIO((await http.get(f"{CURRENT}/personal-data.zip")).content))
        assert len(archive.namelist()) == 3
    [row] = await kept.world.run(
        "SELECT count(*) FROM audit_log WHERE affiliation_id = $1 AND event = 'data.exported' AND actor_kind = $2",
        one.life.id,
        "employee",
    )
    assert row["count"] == 3


async def test_of_several_affiliations_staff_hand_over_all_and_the_employee_the_one(
    kept: Kept, staff: httpx2.AsyncClient
) -> None:
    employer = await kept.world.employer()
    former = await kept.declare(employer)
    await kept.withdraw(former)
    async with client(kept.app, await key_for(kept.world, employer, Scope.read, Scope.write)) as http:
        again = await http.post(f"{BASE}/affiliations/{former.id}/restart")
        assert again.status_code in (200, 201), again.text
    later = Life(kept.world, employer, again.json()["id"])
    data = (await staff.get(f"{BASE}/staff/people/{await kept.employee(former)}/personal-data.json")).json()
    assert [one["id"] for one in data["affiliations"]] == [str(former.id), str(later.id)]
    birth_date = data["birth_date"]
    async with proved(kept.app, Planted(later, {}, await link_token(later)), birth_date) as own:
        mine = (await own.get(f"{CURRENT}/personal-data.json")).json()
    assert [one["id"] for one in mine["affiliations"]] == [str(later.id)]


async def test_a_file_that_nobody_may_read_is_listed_and_not_handed_over(
    kept: Kept, two: tuple[Planted, Planted], staff: httpx2.AsyncClient
) -> None:
    _, other = two
    path = await person_path(kept, other)
    await kept.world.run("UPDATE document SET scan = 'pending' WHERE affiliation_id = $1", other.life.id)
    archive = zipfile.ZipFile(io.BytesIO((await staff.get(f"{path}/personal-data.zip")).content))
    assert archive.namelist() == ["donnees.json", "donnees.pdf"]
    [document] = json.loads(archive.read("donnees.json"))["affiliations"][0]["documents"]
    assert document["file"] is None
    await kept.world.run("UPDATE document SET scan = 'clean' WHERE affiliation_id = $1", other.life.id)
    for key in await kept.object_keys(other.life):
        await kept.vault.delete(key)
    archive = zipfile.ZipFile(io.BytesIO((await staff.get(f"{path}/personal-data.zip")).content))
    assert archive.namelist()[2:] == ["fichiers-perdus.json"]
