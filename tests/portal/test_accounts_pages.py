"""Accounts as pages: staff's own, looked after by one of them, and employers' users who need help."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role, StaffRole
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, Place, browsing, looked_at
from tests.portal.test_register import LONG
from tests.users import TestUser, add_user
from tests.world import World, new_mobile

ACCOUNTS = "/gestion/comptes"
USERS = "/gestion/utilisateurs"


@dataclass(frozen=True)
class Office(Place):
    """Somebody who looks after accounts; one of staff's, and an employer's."""

    colleague: TestUser
    user: TestUser

    async def row(self, user: TestUser | UUID) -> Any:
        user_id = user.id if isinstance(user, TestUser) else user
        return (await self.world.run("SELECT * FROM portal_user WHERE id = $1", user_id))[0]


@pytest.fixture
async def office(app: FastAPI, world: World) -> AsyncIterator[Office]:
    employer = await world.employer()
    me = await add_user(world, staff=[StaffRole.super])
    colleague = await add_user(world, staff=[StaffRole.read])
    user = await add_user(world, {employer.company_id: Role.administrator}, phone=new_mobile())
    async with browsing(app, world, me) as web:
        yield Office(world, app, employer, me, web, colleague, user)


# --- staff


async def test_a_colleague_is_invited_with_roles_and_shown_as_such(office: Office) -> None:
    web, email = office.web, f"nouvelle.{uuid4().hex[:10]}@exemple.fr"
    await web.open(ACCOUNTS)
    await web.follow("Inviter une personne")
    page = await web.fill({"first_name": "Ana", "email": email}).press("Envoyer l’invitation")
    assert web.page.status_code == 422
    for field in ("last_name", "roles"):
        assert f'href="#{field}"' in page
    assert (web.value("first_name"), web.value("email")) == ("Ana", email)
    page = await web.fill({"last_name": "Dupré", "role_read": "yes", "role_export": "yes"}).press("Envoyer")
    assert web.path == ACCOUNTS
    assert "L’invitation est partie" in page
    assert "Ana Dupré" in page
    assert "Consultation, Remise des données" in page
    await web.open(f"{ACCOUNTS}/ajouter")
    again = {"first_name": "Ana", "last_name": "Dupré", "email": email, "role_read": "yes"}
    page = await web.fill(again).press("Envoyer l’invitation")
    assert "a déjà un compte de l’équipe" in page


async def test_roles_are_changed_and_none_is_an_error(office: Office) -> None:
    web, at = office.web, f"{ACCOUNTS}/{office.colleague.id}"
    await web.open(at)
    page = await web.fill({"role_read": ""}).press("Enregistrer les rôles")
    assert web.page.status_code == 422
    assert "Choisissez au moins un rôle" in page
    page = await web.fill({"role_write": "yes"}).press("Enregistrer les rôles")
    assert "Les rôles sont enregistrés" in page
    assert (await office.row(office.colleague))["staff_roles"] == ["write"]


async def test_an_account_is_suspended_opened_again_and_removed_for_good(office: Office) -> None:
    web, at = office.web, f"{ACCOUNTS}/{office.colleague.id}"
    await web.open(at)
    assert "Le compte est suspendu" in await web.press("Suspendre le compte")
    assert (await office.row(office.colleague))["suspended_at"] is not None
    assert "Le compte est réactivé" in await web.press("Réactiver le compte")
    assert (await office.row(office.colleague))["staff_roles"] == ["read"]
    await web.follow("Supprimer définitivement")
    assert "Supprimer définitivement le compte" in web.page.text
    page = await web.press("Supprimer définitivement")
    assert "Le compte est supprimé définitivement" in page
    assert office.colleague.email not in page
    await web.open(at)
    assert web.page.status_code == 404


async def test_nobody_changes_their_own_account(office: Office) -> None:
    page = await office.web.open(f"{ACCOUNTS}/{office.me.id}")
    assert "Vous ne pouvez pas modifier votre propre compte" in page
    assert "Enregistrer les rôles" not in page
    await office.web.open(f"{ACCOUNTS}/{office.me.id}/revocation")
    assert office.web.page.status_code == 404


async def test_an_invitation_is_sent_again_once_a_minute(office: Office) -> None:
    web, email = office.web, f"nouvelle.{uuid4().hex[:10]}@exemple.fr"
    await web.open(f"{ACCOUNTS}/ajouter")
    new = {"first_name": "Ana", "last_name": "Dupré", "email": email, "role_read": "yes"}
    await web.fill(new).press("Envoyer l’invitation")
    rows = await office.world.run("SELECT id FROM portal_user WHERE email = $1", email)
    await web.open(f"{ACCOUNTS}/{rows[0]['id']}")
    await web.press("Renvoyer le lien")
    assert web.page.status_code == 429
    await office.world.run("DELETE FROM rate_limit")
    assert "Le lien est reparti" in await web.press("Renvoyer le lien")


# --- employers' users


async def test_a_user_is_found_by_a_part_of_the_address(office: Office) -> None:
    web = office.web
    assert "Cherchez une personne" in await web.open(USERS)
    assert "au moins trois lettres" in await web.open(f"{USERS}?q=ab")
    assert "Personne ne correspond" in await web.open(f"{USERS}?q={uuid4().hex}")
    page = await web.open(f"{USERS}?q={office.user.email.partition('@')[0]}")
    assert office.user.email in page
    await web.open(f"{USERS}/{office.user.id}")
    assert f"SIREN {office.employer.siren}" in web.page.text.replace("\u00a0", " ")
    for stranger in (office.colleague.id, uuid4()):
        await web.open(f"{USERS}/{stranger}")
        assert web.page.status_code == 404


async def test_a_user_s_account_is_closed_for_a_reason_and_opened_again(office: Office) -> None:
    web = office.web
    await web.open(f"{USERS}/{office.user.id}")
    await web.follow("Suspendre le compte partout")
    page = await web.press("Suspendre le compte")
    assert web.page.status_code == 422
    assert "Choisissez un motif" in page
    page = await web.fill({"reason": "compromised"}).press("Suspendre le compte")
    assert "Le compte est suspendu partout" in page
    assert (await office.row(office.user))["suspended_at"] is not None
    await web.follow("Réactiver le compte")
    page = await web.fill({"reason": "settled"}).press("Réactiver le compte")
    assert "Le compte est réactivé" in page
    assert (await office.row(office.user))["suspended_at"] is None


async def test_a_lost_phone_is_taken_away_tomorrow_and_asked_for_once(office: Office) -> None:
    web = office.web
    await web.open(f"{USERS}/{office.user.id}")
    await web.follow("Retirer son second facteur")
    page = await web.fill({"reason": "stolen"}).press("Retirer dans 24 heures")
    assert "La demande est enregistrée" in page
    await web.open(f"{USERS}/{office.user.id}/telephone")
    page = await web.fill({"reason": "lost"}).press("Retirer dans 24 heures")
    assert web.page.status_code == 409
    assert "déjà enregistrée" in page


async def test_whoever_only_reads_sees_a_user_and_changes_nothing(office: Office) -> None:
    async with browsing(office.app, office.world, office.colleague) as web:
        page = await web.open(f"{USERS}/{office.user.id}")
        assert office.user.email in page
        assert "Suspendre" not in page
        assert "Comptes" not in page


async def test_the_pages_are_accessible_and_fit_their_window(browser: Browser, served: Served, office: Office) -> None:
    await office.world.run("UPDATE company SET name = $2 WHERE id = $1", office.employer.company_id, LONG)
    long = "Marie-Antoinette-Joséphine-Élisabeth de La Rochefoucauld-"
    await office.world.run("UPDATE portal_user SET first_name = $2 WHERE id = $1", office.user.id, long)
    paths = [
        f"{ACCOUNTS}/{office.colleague.id}",
        f"{ACCOUNTS}/{office.colleague.id}/revocation",
        f"{ACCOUNTS}/ajouter",
        ACCOUNTS,
        USERS,
        f"{USERS}?q={office.user.email.partition('@')[0]}",
        f"{USERS}/{office.user.id}",
        f"{USERS}/{office.user.id}/suspension",
        f"{USERS}/{office.user.id}/telephone",
    ]
    looks = [
        *(Look(path, office.me, path) for path in paths),
        Look("invite, wrong", office.me, f"{ACCOUNTS}/ajouter", "Envoyer l’invitation"),
        Look("suspend, wrong", office.me, f"{USERS}/{office.user.id}/suspension", "Suspendre"),
    ]
    wrong = await looked_at(browser, office.world, served, looks)
    assert not wrong, "\n".join(wrong)
