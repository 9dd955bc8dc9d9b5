"""Who may open which page: every route of the portal is declared here, and each is asked by those who may not (the JSON
door's matrix is tests/api/matrix.py; security.md Z-01, S-06)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from domain.rights import Role, StaffRole
from tests.api.conftest import client, employee_of
from tests.users import add_user, signed_in
from tests.world import World


class For(StrEnum):
    everybody = "everybody"
    employee = "employee"  # in a session opened by a link or a code
    signing_in = "signing_in"  # a user whose second factor is asked, or who steps up
    before_terms = "before_terms"  # a signed-in user, with terms to accept or not
    user = "user"
    administrator = "administrator"
    staff = "staff"  # of whatever role
    staff_write = "staff_write"
    staff_super = "staff_super"


PAGES = {
    For.everybody: """
GET HEAD /e/{token}
GET HEAD /e/{token}/non
GET HEAD POST /t/{token}
GET POST /courrier
GET POST /lien
GET /lien/demande
POST /dossier/langue
GET /dossier/non/merci
GET POST /activer
POST /activer/demande
GET POST /acces/activation/{token}
GET POST /acces/activation/accord/{token}
GET POST /acces/activation/refus/{token}
GET POST /acces/invitation/{token}
GET POST /acces/mot-de-passe/{token}
GET POST /acces/reprise/refus/{token}
GET POST /acces/telephone/refus/{token}
GET POST /acces/adresse/{token}
GET POST /acces/code
GET POST /reprise
GET POST /mot-de-passe-oublie
GET POST /connexion
GET POST /gestion/connexion
GET /conditions
GET /accessibilite
POST /deconnexion
GET /
""",
    For.employee: """
GET /dossier
POST /dossier/naissance
GET /dossier/recu.pdf
GET /dossier/mes-donnees
GET /dossier/mes-donnees.pdf
GET /dossier/mes-donnees.zip
GET POST /dossier/telephone
GET POST /dossier/non
GET POST /dossier/deja-affilie
GET POST /dossier/deja-affilie/code
POST /dossier/deja-affilie/code/envoi
GET POST /dossier/deja-affilie/reponses
GET POST /dossier/deja-affilie/suite
GET POST /dossier/etapes/{name}
GET POST /dossier/etapes/{name}/{group}/{key}
GET POST /dossier/etapes/{name}/{group}/{key}/retrait
POST /dossier/documents
POST /dossier/documents/{document_id}/retrait
GET /dossier/verification
POST /dossier/envoi
""",
    For.signing_in: """
GET POST /connexion/code
POST /connexion/code/envoi
GET POST /connexion/confirmer
POST /connexion/confirmer/envoi
GET POST /connexion/application
""",
    For.before_terms: """
GET POST /conditions/nouvelles
POST /session/prolongation
""",
    For.user: """
GET POST /salaries/affilies
GET /salaries/affilies/{insured_id}
GET /salaries/affilies/{insured_id}/attestation.pdf
GET /salaries/affilies/{insured_id}/radiation.pdf
GET POST /salaries/radiation
GET POST /salaries/radiation/{insured_id}
POST /salaries/radiation/{insured_id}/confirmation
GET /salaries/radiation/{insured_id}/faite
GET POST /salaries/radiation/{insured_id}/annulation
GET POST /salaries/affilies/exports
GET POST /salaries/affilies/exports/{job_id}
GET /salaries/affilies/exports/{job_id}/fichier
GET /espace
GET /contrats
GET /entreprises
POST /entreprises/choix
GET /documents
GET /documents/{slug}.pdf
GET POST /contact
POST /contact/brouillon
POST /contact/reprise
GET /demarches
GET /demarches/{request_id}
GET /demarches/{request_id}/recu
POST /demarches/{request_id}/reponse
POST /demarches/{request_id}/reouverture
POST /demarches/{request_id}/avis
GET /demarches/{request_id}/fichiers/{file_id}
GET /aide
GET POST /assistant
POST /assistant/{question_id}/avis
GET /messages
POST /messages/lus
GET /messages/{notice_id}
GET /notifications
POST /notifications/lues
GET /notifications/flux
GET POST /profil/notifications
GET /plan
GET POST /salaries/pre-affiliation
POST /salaries/pre-affiliation/controle
POST /salaries/pre-affiliation/envoi
POST /salaries/pre-affiliation/reprise
POST /reprendre
GET /salaries/pre-affiliation/{affiliation_id}/faite
GET /salaries/pre-affiliation/dsn
POST /salaries/pre-affiliation/dsn/{proposal_id}
POST /salaries/pre-affiliation/dsn/{proposal_id}/ecart
GET POST /salaries/pre-affiliation/imports
POST /salaries/pre-affiliation/imports/collage
GET /salaries/pre-affiliation/imports/modele.xlsx
GET /salaries/pre-affiliation/imports/{import_id}
GET POST /salaries/pre-affiliation/imports/{import_id}/colonnes
GET POST /salaries/pre-affiliation/imports/{import_id}/lignes/{number}
POST /salaries/pre-affiliation/imports/{import_id}/choix
GET POST /salaries/pre-affiliation/imports/{import_id}/confirmation
POST /salaries/pre-affiliation/imports/{import_id}/annulation
GET /salaries/pre-affiliation/imports/{import_id}/rapport.xlsx
GET /profil
GET POST /profil/nom
GET POST /profil/mot-de-passe
GET POST /profil/adresse
GET POST /profil/telephone
POST /profil/telephone/code
GET POST /profil/application
POST /profil/application/code
POST /profil/application/secours
POST /profil/application/retrait
GET /profil/connexions
POST /profil/connexions/sessions/{session_id}
POST /profil/connexions/appareils/{device_id}
GET POST /profil/etablissement
GET /habilitations/mandats
GET POST /habilitations/mandats/demande
GET POST /habilitations/mandats/{mandate_id}/fin
POST /habilitations/{user_id}/lien
POST /habilitations/{user_id}/nom
POST /habilitations/{user_id}/sessions
POST /habilitations/{user_id}/{siren}/role
POST /habilitations/{user_id}/{siren}/suspension
POST /habilitations/{user_id}/{siren}/reactivation
POST /habilitations/reprises/{recovery_id}/refus
GET /salaries/suivi
GET /salaries/suivi/{affiliation_id}
GET /salaries/suivi/{affiliation_id}/formulaire.pdf
POST /salaries/suivi/{affiliation_id}/relance
POST /salaries/suivi/{affiliation_id}/envois
POST /salaries/suivi/{affiliation_id}/envois/annulation
GET POST /salaries/suivi/{affiliation_id}/coordonnees
GET POST /salaries/suivi/{affiliation_id}/pause
GET POST /salaries/suivi/{affiliation_id}/retrait
GET POST /salaries/suivi/{affiliation_id}/reprise
GET /salaries/suivi/{affiliation_id}/messages/{dispatch_id}
GET /salaries/suivi/{affiliation_id}/messages/{dispatch_id}/contenu
GET /salaries/suivi/{affiliation_id}/messages/{dispatch_id}/lettre.pdf
""",
    For.administrator: """
GET /habilitations
GET POST /habilitations/ajouter
GET /habilitations/{user_id}
GET POST /habilitations/{user_id}/{siren}/revocation
GET POST /habilitations/revue
GET /habilitations/reprises
GET POST /habilitations/mandats/{mandate_id}/accepter
GET POST /habilitations/mandats/{mandate_id}/refuser
GET /habilitations/mandats/{mandate_id}/actions
GET /habilitations/cles
GET POST /habilitations/cles/creer
GET POST /habilitations/cles/{key_id}/revocation
GET /habilitations/webhooks
GET POST /habilitations/webhooks/creer
GET /habilitations/webhooks/{endpoint_id}
POST /habilitations/webhooks/{endpoint_id}/essai
POST /habilitations/webhooks/{endpoint_id}/pause
POST /habilitations/webhooks/{endpoint_id}/reprise
POST /habilitations/webhooks/{endpoint_id}/renvoi
POST /habilitations/webhooks/{endpoint_id}/messages/{delivery_id}/renvoi
GET POST /habilitations/webhooks/{endpoint_id}/secret
GET POST /habilitations/webhooks/{endpoint_id}/suppression
GET /habilitations/consultations
GET POST /documents/dossier-de-preuves
GET /documents/dossier-de-preuves/{pack_id}/fichier
""",
}
PAGES[For.staff] = """
GET /gestion/entreprises
GET /gestion/entreprises/{company_id}
POST /gestion/consultation/fin
GET /gestion/utilisateurs
GET /gestion/utilisateurs/{user_id}
GET /gestion/envois
GET /gestion
GET /gestion/a-traiter
GET /gestion/demandes
GET /gestion/demandes/{request_id}
GET /gestion/demandes/{request_id}/fichiers/{file_id}
GET /gestion/a-traiter/suivant
GET /gestion/bibliotheque
GET /gestion/bibliotheque/{slug}
GET /gestion/bibliotheque/{slug}/versions/{number}.pdf
GET /gestion/dsn
GET /gestion/dsn/{import_id}
GET /gestion/dsn/{import_id}/rapport.csv
GET /gestion/dsn/a-confirmer
GET /gestion/dsn/a-confirmer/{change_id}
GET /gestion/dossiers
GET /gestion/questions
GET POST /gestion/dossiers/nir
GET /gestion/dossiers/{affiliation_id}
GET /gestion/dossiers/{affiliation_id}/numeros
GET /gestion/documents/{document_id}
GET /gestion/droits
GET /gestion/dossiers/{affiliation_id}/droits
GET /gestion/dossiers/{affiliation_id}/droits/radiation.pdf
"""
PAGES[For.staff_write] = """
GET POST /gestion/entreprises/creation
GET POST /gestion/entreprises/{company_id}/fiche
GET POST /gestion/entreprises/{company_id}/contact
GET POST /gestion/entreprises/{company_id}/etablissements
GET POST /gestion/entreprises/{company_id}/etablissements/{establishment_id}/fermeture
GET POST /gestion/entreprises/{company_id}/etablissements/{establishment_id}/reouverture
GET POST /gestion/entreprises/{company_id}/consultation
GET POST /gestion/utilisateurs/{user_id}/suspension
POST /gestion/utilisateurs/{user_id}/sessions
GET POST /gestion/utilisateurs/{user_id}/telephone
POST /gestion/demandes/{request_id}/prise
POST /gestion/demandes/{request_id}/liberation
POST /gestion/demandes/{request_id}/reponse
POST /gestion/demandes/{request_id}/cloture
POST /gestion/dossiers/{affiliation_id}/prise
POST /gestion/dossiers/{affiliation_id}/liberation
POST /gestion/dossiers/{affiliation_id}/pieces
POST /gestion/dossiers/{affiliation_id}/pieces/{piece}/acceptation
POST /gestion/dossiers/{affiliation_id}/pieces/{piece}/demande
POST /gestion/dossiers/{affiliation_id}/documents
POST /gestion/dossiers/{affiliation_id}/doute
POST /gestion/dossiers/{affiliation_id}/dispense
POST /gestion/dossiers/{affiliation_id}/droits/{action}
GET /gestion/retours-papier
GET POST /gestion/retours-papier/{affiliation_id}
GET POST /gestion/bibliotheque/ajouter
POST /gestion/bibliotheque/{slug}
POST /gestion/bibliotheque/{slug}/version-du-portail
POST /gestion/bibliotheque/{slug}/retrait
POST /gestion/bibliotheque/{slug}/publication
POST /gestion/dsn
POST /gestion/dsn/a-confirmer/{change_id}
GET POST /gestion/questions/ajouter
GET POST /gestion/questions/{entry_id}
"""
PAGES[For.staff_super] = """
GET /gestion/comptes
GET POST /gestion/comptes/ajouter
GET POST /gestion/comptes/{account_id}
POST /gestion/comptes/{account_id}/suspension
POST /gestion/comptes/{account_id}/reactivation
POST /gestion/comptes/{account_id}/invitation
GET POST /gestion/comptes/{account_id}/revocation
GET /gestion/dossiers/{affiliation_id}/consultations
"""
# Looked at, they lead to the page that they are sent from, which asks who it is.
PAGES[For.everybody] += """
GET /salaries/suivi/{affiliation_id}/relance
GET /salaries/suivi/{affiliation_id}/envois
GET /salaries/suivi/{affiliation_id}/envois/annulation
GET /salaries/radiation/{insured_id}/confirmation
GET /salaries/pre-affiliation/controle
GET /salaries/pre-affiliation/envoi
GET /salaries/pre-affiliation/reprise
GET /contact/brouillon
GET /contact/reprise
GET /salaries/pre-affiliation/imports/collage
GET /salaries/pre-affiliation/imports/{import_id}/choix
GET /salaries/pre-affiliation/imports/{import_id}/annulation
GET /reprendre
GET /habilitations/{user_id}/lien
GET /habilitations/{user_id}/nom
GET /habilitations/{user_id}/sessions
GET /habilitations/{user_id}/{siren}/role
GET /habilitations/{user_id}/{siren}/suspension
GET /habilitations/{user_id}/{siren}/reactivation
GET /habilitations/reprises/{recovery_id}/refus
"""
DECLARED = {
    (method, line.split()[-1]): whose
    for whose, lines in PAGES.items()
    for line in filter(None, lines.splitlines())
    for method in line.split()[:-1]
}
SIGN_IN = "/connexion?suite="
STAFF_SIGN_IN = "/gestion/connexion?suite="
OF_STAFF = (For.staff, For.staff_write, For.staff_super)


@dataclass(frozen=True)
class Visitors:
    anonymous: httpx2.AsyncClient
    employee: httpx2.AsyncClient
    pending: httpx2.AsyncClient
    before_terms: httpx2.AsyncClient
    member: httpx2.AsyncClient
    reads: httpx2.AsyncClient
    writes: httpx2.AsyncClient
    super: httpx2.AsyncClient


@pytest.fixture(scope="module")
async def visitors(app: FastAPI, world: World) -> AsyncIterator[Visitors]:
    employer = await world.employer()
    rights = {employer.company_id: Role.member}
    life = await world.declare(employer)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        yield Visitors(
            anonymous=await enter(client(app, own_pages=False)),
            employee=await enter(employee_of(app, life)),
            pending=await enter(signed_in(app, world, await add_user(world, rights), stage="password")),
            before_terms=await enter(signed_in(app, world, await add_user(world, rights, terms=False))),
            member=await enter(signed_in(app, world, await add_user(world, rights))),
            reads=await enter(signed_in(app, world, await add_user(world, staff=[StaffRole.read]))),
            writes=await enter(signed_in(app, world, await add_user(world, staff=[StaffRole.write]))),
            super=await enter(signed_in(app, world, await add_user(world, staff=[StaffRole.super]))),
        )


def test_every_page_is_declared_and_every_declared_page_exists(app: FastAPI) -> None:
    found = {
        (method, re.sub(r":\w+\}", "}", str(one.path)))
        for one in iter_route_contexts(app.routes)
        if one.endpoint.__module__.startswith("portal.")
        and one.endpoint.__module__ not in ("portal.dev", "portal.static")
        for method in one.methods or ()
    }
    assert found == set(DECLARED)


@pytest.mark.parametrize(("method", "path"), sorted(DECLARED), ids=[f"{m} {p}" for m, p in sorted(DECLARED)])
async def test_a_page_opens_to_those_it_is_for(visitors: Visitors, method: str, path: str) -> None:
    whose = DECLARED[method, path]
    address = re.sub(r"\{\w+_id\}", str(uuid4()), path).replace("{siren}", "999000003").replace("{token}", "x" * 43)
    address = re.sub(r"\{\w+\}", "contact", address)
    own = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}

    async def asked(http: httpx2.AsyncClient) -> httpx2.Response:
        answer = await http.request(method, address, headers=own, data={} if method == "POST" else None)
        assert answer.status_code < 500, answer.text
        return answer

    anonymous = await asked(visitors.anonymous)
    if method == "POST" and whose in (For.everybody, For.employee):
        assert anonymous.status_code == 403 or path == "/deconnexion", "no token of our pages"
    elif whose is For.everybody:
        assert anonymous.status_code in (200, 303, 404)
        assert not anonymous.headers.get("location", "").startswith(SIGN_IN)
    elif whose is For.employee:
        assert anonymous.status_code == 401
    else:
        door = STAFF_SIGN_IN if whose in OF_STAFF else SIGN_IN
        for http in (visitors.anonymous, visitors.employee):
            answer = await asked(http)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith(door), "asked who they are"
    if whose in (For.user, For.administrator, For.before_terms):
        assert (await asked(visitors.pending)).headers.get("location", "").startswith(SIGN_IN)
    if whose in (For.user, For.administrator) and method == "GET":
        late = await asked(visitors.before_terms)
        assert late.headers.get("location", "").startswith("/conditions/nouvelles")
    if whose is For.administrator and method == "GET":
        assert (await asked(visitors.member)).status_code in (403, 404)
    if whose in OF_STAFF:
        refused, opened = _of_staff(visitors, whose)
        assert (await asked(visitors.pending)).headers.get("location", "").startswith(STAFF_SIGN_IN)
        for http in refused:
            assert (await asked(http)).status_code == 403
        shown = await asked(opened)
        assert shown.status_code != 403, shown.text
        assert not shown.headers.get("location", "").startswith(STAFF_SIGN_IN)
    if whose is For.employee and method == "GET":
        assert (await asked(visitors.member)).status_code == 401, "a user's session opens no employee's form"


def _of_staff(visitors: Visitors, whose: For) -> tuple[list[httpx2.AsyncClient], httpx2.AsyncClient]:
    """Who is refused, and the least of those who are not."""
    if whose is For.staff:
        return [visitors.member], visitors.reads
    if whose is For.staff_write:
        return [visitors.member, visitors.reads], visitors.writes
    return [visitors.member, visitors.reads, visitors.writes], visitors.super


async def test_each_session_opens_its_own_door(visitors: Visitors) -> None:
    assert (await visitors.employee.get("/dossier", headers={"Accept": "text/html"})).status_code == 200
    assert (await visitors.member.get("/profil", headers={"Accept": "text/html"})).status_code == 200
