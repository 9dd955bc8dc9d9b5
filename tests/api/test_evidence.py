"""« Dossier de preuves »: what stands in it, what never does, who may have it."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_siret
from services.callers import Scope
from services.evidence_pack import AT_ONCE, File, packed
from services.fields import today
from tests.api.conftest import BASE, client, key_for
from tests.evidencing import CANARY, Proved, add_asked, proved
from tests.messages.documents import assert_accessible, flat, pages_of
from tests.users import TestUser, add_user, signed_in
from tests.world import World

PACKS = f"{BASE}/evidence-packs"
AT = datetime(2026, 11, 23, 19, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Stage:
    world: World
    app: FastAPI
    people: Proved
    user: TestUser
    http: httpx2.AsyncClient

    @property
    def siren(self) -> str:
        return self.people.employer.siren

    async def state(self, **asked: str) -> dict[str, Any]:
        answer = await self.http.get(f"{PACKS}/state", params={"siren": self.siren, **asked})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def make(self, **asked: str) -> dict[str, Any]:
        """A pack, once the worker has made it."""
        answer = await self.http.post(PACKS, json={"siren": self.siren, **asked})
        assert answer.status_code == 202, answer.text
        pack_id = answer.json()["id"]
        async with asyncio.timeout(60):
            while (made := (await self.http.get(f"{PACKS}/{pack_id}")).json())["state"] in ("waiting", "running"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        found: dict[str, Any] = made
        return found

    async def archive(self, pack: dict[str, Any]) -> zipfile.ZipFile:
        answer = await self.http.get(f"{PACKS}/{pack['id']}/file")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/zip"
        assert int(answer.headers["content-length"]) == len(answer.content) == pack["size"]
        return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> AsyncIterator[Stage]:
    people = await proved(world)
    user = await add_user(world, {people.employer.company_id: Role.administrator})
    async with signed_in(app, world, user) as http:
        yield Stage(world, app, people, user, http)


@pytest.fixture(scope="module")
async def pack(stage: Stage) -> dict[str, Any]:
    return await stage.make()


@pytest.fixture(scope="module")
async def archive(stage: Stage, pack: dict[str, Any]) -> zipfile.ZipFile:
    return await stage.archive(pack)


def text_of(pdf: bytes) -> str:
    return flat(" ".join(pages_of(pdf))).replace("\u00a0", " ").replace("\u202f", " ")


def lines_of(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    text = archive.read("sommaire.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def folder_of(archive: zipfile.ZipFile, last_name: str) -> list[str]:
    [line] = [line for line in lines_of(archive) if line["Nom"] == last_name]
    assert re.fullmatch(r"salaries/[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[A-Z]{2}", line["Dossier"])
    return [name for name in archive.namelist() if name.startswith(f"{line['Dossier']}/")]


# --- what is missing now


async def test_everybody_is_counted_in_their_state_and_what_is_missing_comes_first(stage: Stage) -> None:
    state = await stage.state()
    assert state["counts"] == {"missing": 3, "abandoned": 1, "invited": 1, "dispensed": 1, "covered": 1, "left": 2}
    assert [(one["last_name"], one["gap"]) for one in state["lacking"]] == [
        ("Gauthier", "not_sent"),
        ("Moreau", "waiver_ended"),
        ("Zola", "payroll_only"),
        ("Roux", None),
    ]
    assert state["lacking_count"] == 4
    zola = state["lacking"][2]
    assert (zola["affiliation_id"], zola["proposal_id"]) == (None, str(stage.people.proposal_id))
    assert state["lacking"][0]["affiliation_id"] == str(stage.people.affiliations["Gauthier"])


async def test_one_establishment_has_its_own(stage: Stage) -> None:
    assert (await stage.state(siret=stage.people.employer.siret))["counts"]["missing"] == 3
    answer = await stage.http.get(
        f"{PACKS}/state", params={"siren": stage.siren, "siret": synthetic_siret(stage.siren, 9)}
    )
    assert answer.status_code == 404


# --- the pack


async def test_every_file_is_in_the_manifest_with_its_hash_and_the_manifests_own_is_told(
    pack: dict[str, Any], archive: zipfile.ZipFile
) -> None:
    assert archive.testzip() is None
    written = archive.read("manifest.json")
    assert hashlib.sha256(written).hexdigest() == pack["manifest_sha256"]
    manifest = json.loads(written)
    names = archive.namelist()
    assert [one["path"] for one in manifest["files"]] == names[:-1]
    assert names[-1] == "manifest.json"
    for one in manifest["files"]:
        content = archive.read(one["path"])
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["bytes"])
    assert manifest["people"] == {"missing": 3, "abandoned": 1, "invited": 1, "dispensed": 1, "covered": 1, "left": 2}
    assert (pack["people"], pack["lacking"], pack["state"], pack["available"]) == (9, 4, "done", True)


async def test_the_log_has_who_made_it_with_its_hash_and_the_list_keeps_it(stage: Stage, pack: dict[str, Any]) -> None:
    [entry] = await stage.world.run(
        "SELECT * FROM audit_log WHERE event = 'data.evidence_exported' AND object_id = $1", pack["id"]
    )
    assert (entry["company_id"], entry["actor_id"]) == (stage.people.employer.company_id, str(stage.user.id))
    assert entry["details"]["manifest_sha256"] == pack["manifest_sha256"]
    assert entry["details"]["rows"] == 9
    colleague = await add_user(stage.world, {stage.people.employer.company_id: Role.administrator})
    async with signed_in(stage.app, stage.world, colleague) as http:
        listed = (await http.get(PACKS, params={"siren": stage.siren})).json()["items"]
        [seen] = [one for one in listed if one["id"] == pack["id"]]
        assert (seen["manifest_sha256"], seen["available"]) == (pack["manifest_sha256"], False)
        assert seen["made_by"].startswith("Prénom")
        # the file is the other's own
        assert (await http.get(f"{PACKS}/{pack['id']}/file")).status_code == 404
        assert (await http.get(f"{BASE}/insured/exports/{pack['id']}/file")).status_code == 404


async def test_the_summary_lists_who_lacks_what_first_in_both_forms(archive: zipfile.ZipFile) -> None:
    lines = lines_of(archive)
    assert [line["Nom"] for line in lines] == [
        *("Gauthier", "Moreau", "Zola", "Roux", "Petit", "Leroy", "Zidi", "Abel", "Simon")
    ]
    pdf = archive.read("sommaire.pdf")
    assert_accessible(pdf, "Dossier de preuves")
    text = text_of(pdf)
    places = [
        text.index(words) for words in ("Preuve manquante (3)", "Sans réponse, affiliation close (1)", "Dispensé (1)")
    ]
    assert places == sorted(places)
    assert "Arrêté au" in text
    assert text.index("Gauthier Noé") < text.index("Moreau Noé") < text.index("Zola Ali") < text.index("Zidi Zoé")
    assert "Déclaré en paie (DSN), jamais invité" in text
    assert "Dispense terminée, ni affilié ni réinvité" in text
    leroy = next(line for line in lines if line["Nom"] == "Leroy")
    assert (leroy["État"], leroy["Dispensé au"]) == ("Dispensé", f"{today():%d/%m/%Y}")
    assert leroy["Texte"] == "CSS D911-2, 3° a; R242-1-6, 2° f"


async def test_a_folder_has_what_was_sent_as_it_was_sent_without_link_or_number(archive: zipfile.ZipFile) -> None:
    names = folder_of(archive, "Petit")
    assert [name.split("/", 2)[2] for name in names] == [
        *("fiche.pdf", "envois/01-invitation.pdf", "envois/02-relance.txt")
    ]
    letter = text_of(archive.read(names[1]))
    assert "Noé" in letter
    assert "••••" in letter
    mail = archive.read(names[2]).decode()
    assert "À\u00a0: essai@exemple.fr" in mail
    assert "[lien personnel masqué]" in mail
    assert "/e/" not in mail
    sheet = text_of(archive.read(names[0]))
    assert "03/02/2026 à 10 h 05 Invitation Courrier postal Distribué" in sheet
    assert "Demande de pièces" not in sheet


async def test_an_exemption_has_its_declaration_with_its_case_its_end_and_its_signature(
    archive: zipfile.ZipFile,
) -> None:
    [name] = [one for one in folder_of(archive, "Leroy") if "declaration" in one]
    assert name.endswith("/declaration-dispense-2026-02-02.pdf")
    text = text_of(archive.read(name))
    for said in (
        "Déclaration de dispense d’affiliation",
        "Couverture collective obligatoire en qualité d’ayant droit",
        "D911-2",
        f"{today():%d/%m/%Y}",
        "Je demande, par mon propre choix, une dispense",
        "Noé Leroy, en ligne, le 05/02/2026 à 9 h 00",
        "ab" * 12,
    ):
        assert said in text
    # one that ended still proves the days before
    assert any("declaration" in one for one in folder_of(archive, "Moreau"))


async def test_a_cover_has_its_certificate_also_one_that_ended(archive: zipfile.ZipFile) -> None:
    for last_name, said in (("Zidi", "est affiliée"), ("Abel", "a été affiliée")):
        [name] = [one for one in folder_of(archive, last_name) if "attestation-affiliation" in one]
        assert said in text_of(archive.read(name))


async def test_nothing_of_the_family_or_of_a_number_is_in_it_and_no_name_in_a_files_name(
    stage: Stage, archive: zipfile.ZipFile
) -> None:
    rows = await stage.world.run(
        "SELECT id, nir_sealed FROM employee WHERE company_id = $1", stage.people.employer.company_id
    )
    numbers = [stage.world.cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["id"])) for row in rows]
    for name in archive.namelist():
        assert not re.search("zola|petit|leroy|zidi", name, re.IGNORECASE)
        content = archive.read(name)
        text = text_of(content) if name.endswith(".pdf") else content.decode()
        assert CANARY not in text, name
        assert not [number for number in numbers if number in re.sub(r"\s", "", text)], name


async def test_the_same_people_give_the_same_files_in_the_same_order(stage: Stage, archive: zipfile.ZipFile) -> None:
    again = await stage.archive(await stage.make(siret=stage.people.employer.siret))
    assert again.namelist() == archive.namelist()


# --- who may


async def test_a_company_that_one_does_not_administer_is_not_there(stage: Stage) -> None:
    stranger = await stage.world.employer()
    for path in (f"{PACKS}/state", PACKS):
        assert (await stage.http.get(path, params={"siren": stranger.siren})).status_code == 404
    assert (await stage.http.post(PACKS, json={"siren": stranger.siren})).status_code == 404
    assert (await stage.http.get(f"{PACKS}/{uuid4()}")).status_code == 404


async def test_members_machines_and_staff_have_none(stage: Stage) -> None:
    employer = stage.people.employer
    member = await add_user(stage.world, {employer.company_id: Role.member})
    staff = await add_user(stage.world, staff=[StaffRole.super])
    key = await key_for(stage.world, employer, Scope.read, Scope.write)
    async with (
        signed_in(stage.app, stage.world, member) as as_member,
        signed_in(stage.app, stage.world, staff) as as_staff,
        client(stage.app, key) as machine,
    ):
        for http in (as_member, as_staff, machine):
            assert (await http.get(PACKS, params={"siren": employer.siren})).status_code == 403
            assert (await http.post(PACKS, json={"siren": employer.siren})).status_code == 403


async def test_a_code_is_needed_to_make_and_to_take_it(stage: Stage, pack: dict[str, Any]) -> None:
    async with signed_in(stage.app, stage.world, stage.user, stepped_up=False) as http:
        asked = await http.post(PACKS, json={"siren": stage.siren})
        assert (asked.status_code, asked.json()["type"]) == (403, "urn:hcr:problem:step_up_needed")
        assert (await http.get(f"{PACKS}/{pack['id']}/file")).status_code == 403
        assert (await http.get(PACKS, params={"siren": stage.siren})).status_code == 200


async def test_who_is_no_administrator_any_more_does_not_get_the_file_through_any_door(
    stage: Stage, pack: dict[str, Any]
) -> None:
    change = "UPDATE membership SET role = $2 WHERE user_id = $1"
    await stage.world.run(change, stage.user.id, "member")
    try:
        assert (await stage.http.get(f"{PACKS}/{pack['id']}/file")).status_code == 403
        assert (await stage.http.get(f"{BASE}/insured/exports/{pack['id']}/file")).status_code == 404
    finally:
        await stage.world.run(change, stage.user.id, "administrator")


# --- a large company


async def test_a_large_archive_is_written_in_bounded_memory() -> None:
    """Two hundred files of half a megabyte, of which no more than some are held."""
    size = 512 * 1024

    async def many() -> AsyncIterator[File]:
        for number in range(200):
            yield File(f"salaries/{number:04}/fiche.pdf", number.to_bytes(4, "big") * (size // 4))

    details: dict[str, Any] = {}
    tracemalloc.start()
    try:
        written = 0
        async for part in packed(many(), {}, AT, details):
            written += len(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 200 * size
    assert peak < 10 * 1024 * 1024
    assert len(details["manifest_sha256"]) == 64


async def test_people_are_read_a_few_at_a_time(stage: Stage) -> None:
    """More than one round: nobody is left out or told twice."""
    employer = await stage.world.employer()
    made: list[UUID] = [
        await add_asked(stage.world, employer, f"Durand{number:02}", sent=()) for number in range(2 * AT_ONCE + 1)
    ]
    user = await add_user(stage.world, {employer.company_id: Role.administrator})
    async with signed_in(stage.app, stage.world, user) as http:
        other = Stage(stage.world, stage.app, Proved(employer, {}, made[0]), user, http)
        archive = await other.archive(await other.make())
    assert len(archive.namelist()) == len(set(archive.namelist())) == len(made) + 4
