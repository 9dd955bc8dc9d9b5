"""How many questions each signed-in page asks of the database: as many as written here, however many rows it shows.

Counted are the statements; not what frames them in a transaction (BEGIN, the context that row-level security reads,
COMMIT), nor what the driver asks for itself. A page that asks once a row is seen here, and so is one that has begun to
ask more.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

import db.pool
from api.app import create_app
from db import api_keys, contact
from domain.affiliation import Status
from domain.identifiers import Civility
from domain.rights import Role, StaffRole
from domain.synthetic import synthetic_nir
from services.callers import Scope
from tests.portal.conftest import SAME_ORIGIN
from tests.portal.test_doors import DECLARED, For
from tests.telling import add_endpoint
from tests.users import TestUser, add_user, signed_in
from tests.world import Employer, Life, World

# Those that lead elsewhere, are files, or show one thing that this company has not.
LEFT_OUT = {
    "/conditions/nouvelles",
    "/salaries/affilies/{insured_id}/attestation.pdf",
    "/salaries/affilies/{insured_id}/radiation.pdf",
    "/salaries/radiation/{insured_id}/faite",
    "/salaries/radiation/{insured_id}/annulation",
    "/gestion/dossiers/{affiliation_id}/droits/radiation.pdf",
    "/salaries/affilies/exports/{job_id}",
    "/salaries/affilies/exports/{job_id}/fichier",
    "/salaries/pre-affiliation/imports/modele.xlsx",
    "/salaries/pre-affiliation/imports/{import_id}",
    "/salaries/pre-affiliation/imports/{import_id}/colonnes",
    "/salaries/pre-affiliation/imports/{import_id}/lignes/{number}",
    "/salaries/pre-affiliation/imports/{import_id}/confirmation",
    "/salaries/pre-affiliation/imports/{import_id}/rapport.xlsx",
    "/documents/{slug}.pdf",
    "/gestion/bibliotheque/{slug}",
    "/gestion/bibliotheque/{slug}/versions/{number}.pdf",
    "/documents/dossier-de-preuves/{pack_id}/fichier",
    "/messages/{notice_id}",
    "/demarches/{request_id}/fichiers/{file_id}",
    "/gestion/demandes/{request_id}/fichiers/{file_id}",
    "/notifications/flux",
    "/habilitations/mandats/{mandate_id}/fin",
    "/habilitations/mandats/{mandate_id}/actions",
    "/habilitations/cles/{key_id}/revocation",
    "/habilitations/webhooks/{endpoint_id}/secret",
    "/habilitations/webhooks/{endpoint_id}/suppression",
    "/salaries/suivi/{affiliation_id}/formulaire.pdf",
    "/salaries/suivi/{affiliation_id}/messages/{dispatch_id}/contenu",
    "/salaries/suivi/{affiliation_id}/messages/{dispatch_id}/lettre.pdf",
    "/gestion/a-traiter/suivant",
    "/gestion/dossiers/nir",
    "/gestion/documents/{document_id}",
    "/gestion/questions/{entry_id}",
    "/gestion/dsn/{import_id}",
    "/gestion/dsn/{import_id}/rapport.csv",
    "/gestion/dsn/a-confirmer/{change_id}",
    "/gestion/entreprises/{company_id}/etablissements/{establishment_id}/fermeture",
    "/gestion/entreprises/{company_id}/etablissements/{establishment_id}/reouverture",
}
FEW, MANY = 4, 30

EMPLOYERS = {
    "/espace": 12,
    "/contrats": 4,
    "/entreprises": 4,
    "/salaries/suivi": 5,
    "/salaries/suivi?q=essai": 5,
    "/salaries/suivi/{affiliation}": 10,
    "/salaries/suivi/{affiliation}/coordonnees": 7,
    "/salaries/suivi/{affiliation}/pause": 7,
    "/salaries/suivi/{affiliation}/retrait": 7,
    "/salaries/suivi/{closed}/reprise": 7,
    "/salaries/suivi/{affiliation}/messages/{dispatch}": 5,
    "/salaries/pre-affiliation": 4,
    "/salaries/pre-affiliation/{affiliation}/faite": 5,
    "/salaries/pre-affiliation/dsn": 3,
    "/salaries/pre-affiliation/imports": 3,
    "/salaries/affilies": 6,
    "/salaries/affilies/{insured}": 14,
    "/salaries/radiation": 7,
    "/salaries/radiation?assure=essai": 7,
    "/salaries/radiation/{insured}": 14,
    "/salaries/affilies/exports": 3,
    "/documents": 3,
    "/documents/dossier-de-preuves": 9,
    "/contact": 2,
    "/contact?motif=contributions": 3,
    "/demarches": 4,
    "/demarches/{request}": 5,
    "/demarches/{request}/recu": 5,
    "/aide": 2,
    "/plan": 2,
    "/assistant": 3,
    "/messages": 3,
    "/notifications": 7,
    "/profil": 4,
    "/profil/nom": 4,
    "/profil/mot-de-passe": 2,
    "/profil/adresse": 2,
    "/profil/telephone": 2,
    "/profil/application": 4,
    "/profil/connexions": 4,
    "/profil/etablissement": 2,
    "/profil/notifications": 4,
    "/habilitations": 7,
    "/habilitations/ajouter": 3,
    "/habilitations/{member}": 3,
    "/habilitations/{member}/{siren}/revocation": 3,
    "/habilitations/revue": 3,
    "/habilitations/reprises": 3,
    "/habilitations/consultations": 3,
    "/habilitations/cles": 4,
    "/habilitations/cles/creer": 3,
    "/habilitations/webhooks": 4,
    "/habilitations/webhooks/creer": 3,
    "/habilitations/webhooks/{hook}": 6,
    "/habilitations/mandats": 4,
    "/habilitations/mandats/demande": 2,
    "/habilitations/mandats/{mandate}/accepter": 4,
    "/habilitations/mandats/{mandate}/refuser": 4,
}
STAFFS = {
    "/gestion": 8,
    "/gestion/a-traiter": 12,
    "/gestion/bibliotheque": 3,
    "/gestion/bibliotheque/ajouter": 2,
    "/gestion/demandes": 5,
    "/gestion/demandes/{request}": 8,
    "/gestion/dsn": 4,
    "/gestion/dsn/a-confirmer": 6,
    "/gestion/dossiers": 2,
    "/gestion/dossiers?q=essai": 4,
    "/gestion/dossiers/{affiliation}": 12,
    "/gestion/dossiers/{covered}/droits": 12,
    "/gestion/droits": 3,
    "/gestion/dossiers/{affiliation}/numeros": 5,
    "/gestion/dossiers/{affiliation}/consultations": 13,
    "/gestion/retours-papier": 4,
    "/gestion/retours-papier/{affiliation}": 6,
    "/gestion/envois": 4,
    "/gestion/questions": 4,
    "/gestion/questions/ajouter": 2,
    "/gestion/entreprises": 3,
    "/gestion/entreprises?q=hotel": 3,
    "/gestion/entreprises/creation": 2,
    "/gestion/entreprises/{company}": 6,
    "/gestion/entreprises/{company}/fiche": 6,
    "/gestion/entreprises/{company}/contact": 6,
    "/gestion/entreprises/{company}/etablissements": 6,
    "/gestion/entreprises/{company}/consultation": 6,
    "/gestion/comptes": 3,
    "/gestion/comptes/ajouter": 2,
    "/gestion/comptes/{account}": 3,
    "/gestion/comptes/{account}/revocation": 3,
    "/gestion/utilisateurs": 2,
    "/gestion/utilisateurs?q=essai": 4,
    "/gestion/utilisateurs/{member}": 4,
    "/gestion/utilisateurs/{member}/suspension": 4,
    "/gestion/utilisateurs/{member}/telephone": 4,
}
# of a transaction; and what the driver asks once a connection, of types that it meets
FRAME = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK|SELECT\s+set_config|SELECT\s+current_setting\('jit'\)|WITH\s+RECURSIVE\s+typeinfo_tree)"
)


# --- counting


class Counter:
    """What the application's connections were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def note(self, query: Any) -> None:
        if not FRAME.match(query.query):
            self.asked.append(query.query)

    async def of_page(self, http: httpx2.AsyncClient, address: str) -> int:
        """A first visit may note something (who saw what, that the session goes on): the second is counted.
        A page that is not shown counts as minus its status."""
        for _ in range(2):
            await asyncio.sleep(0)
            self.asked.clear()
            answer = await http.get(address, headers={**SAME_ORIGIN, "Accept": "text/html"})
            if answer.status_code != 200:
                return -answer.status_code
        await asyncio.sleep(0)  # asyncpg tells its loggers in the loop's next turn
        return len(self.asked)


@dataclass(frozen=True)
class Counted:
    app: FastAPI
    counter: Counter


@pytest.fixture(scope="module")
async def counted(world: World) -> AsyncIterator[Counted]:
    """The application, its connections listened to."""
    counter, honest = Counter(), db.pool._init

    async def listened_to(connection: asyncpg.Connection[Any]) -> None:
        await honest(connection)
        connection.add_query_logger(counter.note)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db.pool, "_init", listened_to)
        app = create_app(world.config, world.client)
        async with app.router.lifespan_context(app):
            yield Counted(app, counter)


# --- a company that grows

CLONES = (  # of one affiliation: each table's rows, with other ids
    "INSERT INTO employee SELECT (jsonb_populate_record(e, jsonb_build_object("
    "'id', $2::uuid, 'nir_index', $4::text, 'last_name', $5::text, 'search_name', lower($5::text)))).*"
    " FROM affiliation a JOIN employee e ON e.id = a.employee_id WHERE a.id = $1 AND $3::uuid IS NOT NULL",
    "INSERT INTO affiliation SELECT (jsonb_populate_record(a, jsonb_build_object('id', $3::uuid, 'employee_id',"
    " $2::uuid))).* FROM affiliation a WHERE a.id = $1",
    "INSERT INTO contact SELECT (jsonb_populate_record(c, jsonb_build_object('affiliation_id', $2::uuid))).*"
    " FROM contact c WHERE affiliation_id = $1",
    "INSERT INTO affiliation_event SELECT (jsonb_populate_record(v, jsonb_build_object('affiliation_id', $2::uuid))).*"
    " FROM affiliation_event v WHERE affiliation_id = $1",
    "INSERT INTO dispatch SELECT (jsonb_populate_record(d, jsonb_build_object('id', uuidv7(), 'affiliation_id',"
    " $2::uuid))).* FROM dispatch d WHERE affiliation_id = $1",
)
INSURED = "SELECT id FROM coverage WHERE affiliation_id = $1"
COVERED = """
INSERT INTO coverage (id, company_id, establishment_id, employee_id, affiliation_id, formula, starts_on)
SELECT uuidv7(), company_id, establishment_id, employee_id, id, 'BASE CCN HCR NC SEUL RG', '2026-11-02'
FROM affiliation WHERE id = $1
"""
STATES = ("sent", "started", "finalised", "abandoned")


@dataclass
class Place:
    """A company whose rows are `size` of everything; its administrator and a member of staff, in their browsers."""

    world: World
    employer: Employer
    me: TestUser
    model: Life
    known: dict[str, str]
    size: int = 0

    async def grow(self, size: int) -> None:
        for number in range(self.size, size):
            await self._affiliation(number)
            member = await add_user(self.world, {self.employer.company_id: Role.member})
            declarant = await add_user(self.world, {(await self.world.employer()).company_id: Role.member})
            rows = await self.world.run(
                "INSERT INTO mandate (company_id, user_id) VALUES ($1, $2) RETURNING id",
                self.employer.company_id,
                declarant.id,
            )
            self.known |= {"member": str(member.id), "mandate": str(rows[0]["id"])}
            await self._request(number)
            await add_endpoint(self.world, self.employer)
            await self.world.run(
                "INSERT INTO webhook_delivery (endpoint_id, company_id, kind, happened_at, state)"
                " VALUES ($1, $2, 'test', now(), 'failed')",
                UUID(self.known["hook"]),
                self.employer.company_id,
            )
            await self.world.run(
                api_keys.ADD_KNOWN,
                "paie",
                secrets.token_bytes(32),
                [Scope.read],
                [self.employer.company_id],
            )
        self.size = size

    async def _request(self, number: int) -> None:
        """To HCR Bien-Être, with one message more than the last."""
        world, request = self.world, uuid4()
        subject = world.cipher.encrypt("Cotisations", "contact_request", "subject", str(request))
        hashed, now = secrets.token_bytes(32), datetime.now(UTC)
        company = self.employer.company_id
        await world.run(
            contact.ADD, request, company, self.me.id, str(request), hashed, "contributions", subject, now, now
        )
        for _ in range(number + 1):
            message = uuid4()
            body = world.cipher.encrypt("Bonjour", "contact_message", "body", str(message))
            await world.run(
                contact.ADD_MESSAGE, message, request, company, "user", self.me.id, str(message), hashed, body
            )
        self.known["request"] = str(request)

    async def _affiliation(self, number: int) -> None:
        world, person, affiliation = self.world, uuid4(), uuid4()
        name, nir_index = f"Essai{number}", f"\\x{secrets.token_hex(32)}"
        await world.run(CLONES[0], self.model.id, person, affiliation, nir_index, name)
        await world.run(CLONES[1], self.model.id, person, affiliation)
        for clone in CLONES[2:]:
            await world.run(clone, self.model.id, affiliation)
        row = (await world.run("SELECT birth_date FROM employee WHERE id = $1", person))[0]
        nir = synthetic_nir(Civility.madame, row["birth_date"], order=number + 1)
        sealed = world.cipher.encrypt(nir, "employee", "nir", str(person))
        await world.run("UPDATE employee SET nir_sealed = $2 WHERE id = $1", person, sealed)
        status = STATES[number % len(STATES)]
        attention = "uncertain" if number % 4 == 0 else None
        await world.run(
            "UPDATE affiliation SET status = $2, attention = $3,"
            " attention_since = CASE WHEN $3::text IS NOT NULL THEN now() END WHERE id = $1",
            affiliation,
            status,
            attention,
        )
        if status == "finalised":
            await world.run(COVERED, affiliation)
            self.known["covered"] = str(affiliation)
            self.known["insured"] = str((await world.run(INSURED, affiliation))[0]["id"])
        if status == "abandoned":
            self.known["closed"] = str(affiliation)


@pytest.fixture(scope="module")
async def place(world: World) -> Place:
    employer, office = await world.employer(), await world.employer()
    await world.run("UPDATE company SET emits_dsn = false WHERE id = $1", employer.company_id)
    rights = {employer.company_id: Role.administrator, office.company_id: Role.administrator}
    model = await world.declare(employer)
    await model.until(Status.sent)
    dispatch = (await world.run("SELECT id FROM dispatch WHERE affiliation_id = $1", model.id))[0]["id"]
    account = await add_user(world, staff=[StaffRole.read])
    known = {"siren": employer.siren, "company": str(employer.company_id), "affiliation": str(model.id)}
    known |= {"dispatch": str(dispatch), "account": str(account.id), "hook": str(await add_endpoint(world, employer))}
    return Place(world, employer, await add_user(world, rights), model, known)


async def differing(
    counted: Counted, world: World, user: TestUser, expected: dict[str, int], place: Place
) -> list[str]:
    """Pages that ask more, or less, than is written here."""
    wrong = []
    async with signed_in(counted.app, world, user) as http:
        for page, number in expected.items():
            found = await counted.counter.of_page(http, page.format(**place.known))
            if found != number:
                asked = [" ".join(query.split())[:140] for query in counted.counter.asked]
                wrong.append("\n    ".join([f'{place.size} rows: "{page}": {found}, not {number}', *asked]))
    return wrong


async def test_a_page_asks_as_much_of_thirty_rows_as_of_four(counted: Counted, world: World, place: Place) -> None:
    staff, wrong = await add_user(world, staff=list(StaffRole)), []
    for size in (FEW, MANY):
        await place.grow(size)
        wrong += await differing(counted, world, place.me, EMPLOYERS, place)
        wrong += await differing(counted, world, staff, STAFFS, place)
    assert not wrong, "\n".join(wrong)


def test_every_page_of_somebody_signed_in_is_counted() -> None:
    def shape(path: str) -> str:
        return re.sub(r"\{\w+\}", "{}", path.partition("?")[0])

    of_all = (For.everybody, For.employee, For.signing_in)
    pages = {shape(path) for (method, path), whose in DECLARED.items() if method == "GET" and whose not in of_all}
    counted = {shape(path) for path in (*EMPLOYERS, *STAFFS)}
    assert pages - counted - {shape(path) for path in LEFT_OUT} == set()
