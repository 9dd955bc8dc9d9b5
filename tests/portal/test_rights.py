"""« Mes habilitations » as pages: an administrator's journeys over HTTP, and every page in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from domain.rights import Role, StaffRole
from domain.working_time import months_after
from services.fields import today
from tests.noticing import add_recovery
from tests.portal import signed_in
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, arrive, browsing, looked_at
from tests.portal.test_browser import looking
from tests.users import TestUser, add_user
from tests.world import Employer, World

RIGHTS = "/habilitations"
LUCIE = {"first_name": "Lucie", "last_name": "Essai"}


@dataclass(frozen=True)
class Place(signed_in.Place):
    """A company, its two administrators, and the browser of the first one."""

    other: TestUser

    def at(self, user: TestUser | UUID, employer: Employer | None = None) -> str:
        user_id = user.id if isinstance(user, TestUser) else user
        return f"{RIGHTS}/{user_id}/{(employer or self.employer).siren}"

    async def right(self, user: TestUser | UUID) -> Any:
        user_id = user.id if isinstance(user, TestUser) else user
        rows = await self.world.run(
            "SELECT * FROM membership WHERE user_id = $1 AND company_id = $2", user_id, self.employer.company_id
        )
        return rows[0] if rows else None

    async def member(self, **rights: Any) -> TestUser:
        return await add_user(self.world, {self.employer.company_id: Role.member})


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    employer = await world.employer()
    me, other = [await add_user(world, {employer.company_id: Role.administrator}) for _ in range(2)]
    async with browsing(app, world, me) as web:
        yield Place(world, app, employer, me, web, other)


async def named(world: World, user: TestUser, first_name: str, last_name: str = "Essai") -> str:
    await world.run(
        "UPDATE portal_user SET first_name = $2, last_name = $3 WHERE id = $1", user.id, first_name, last_name
    )
    return f"{first_name} {last_name}"


async def account_of(world: World, email: str) -> UUID:
    rows = await world.run("SELECT id FROM portal_user WHERE email = $1", email)
    user_id: UUID = rows[0]["id"]
    return user_id


def address() -> str:
    return f"lucie.{uuid4().hex[:12]}@exemple.fr"


# --- the list, and who sees it


async def test_an_administrator_adds_a_user_in_the_words_of_the_guide(place: Place) -> None:
    web, email = place.web, address()
    await web.open("/espace")
    await web.follow("Mes habilitations")
    await web.follow("Ajouter un utilisateur à mon espace entreprise")
    web.fill({**LUCIE, "email": email, f"role_{place.employer.siren}": "administrator"})
    page = await web.press("Envoyer l’invitation")
    assert web.path == RIGHTS
    assert "L’invitation est partie" in page
    assert "Lucie Essai" in page
    assert email in page
    assert "Invitation envoyée le" in page
    assert "lien valable jusqu’au" in page
    right = await place.right(await account_of(place.world, email))
    assert (right["role"], right["accepted_at"]) == ("administrator", None)
    assert "L’invitation est partie" not in await web.open(RIGHTS)


async def test_a_form_with_errors_keeps_what_was_typed_and_names_each_field(place: Place) -> None:
    web = place.web
    await web.open(f"{RIGHTS}/ajouter")
    web.fill({"first_name": "Lucie", "email": "pas une adresse", "until": "31/02/2027"})
    await web.press("Envoyer l’invitation")
    assert web.page.status_code == 422
    assert web.title.startswith("Erreur")
    assert (web.value("first_name"), web.value("until")) == ("Lucie", "31/02/2027")
    assert re.findall(r'href="#(\w+)"', web.page.text) == ["contenu", "last_name", "email", "until"]
    assert "Indiquez le nom" in web.page.text
    assert "au format jj/mm/aaaa" in web.page.text
    web.fill({"last_name": "Essai", "email": address(), "until": "01/01/2020"})
    page = await web.press("Envoyer l’invitation")
    assert re.findall(r'href="#(\w+)"', page) == ["contenu", "until"]
    assert re.search(r"dans 24 mois\. Exemple.: \d\d/\d\d/\d{4}", page)


async def test_a_third_party_declarant_is_invited_until_a_day_and_only_as_a_user(place: Place) -> None:
    web, email, last = place.web, address(), months_after(today(), 6)
    role = f"role_{place.employer.siren}"
    await web.open(f"{RIGHTS}/ajouter")
    web.fill({**LUCIE, "email": email, "until": last.strftime("%d/%m/%Y"), role: "administrator"})
    page = await web.press("Envoyer l’invitation")
    assert f'href="#{role}"' in page
    assert "Un tiers déclarant ne peut être qu’utilisateur" in page
    web.fill({role: "member"})
    page = await web.press("Envoyer l’invitation")
    assert "Tiers déclarant jusqu’au" in page
    assert (await place.right(await account_of(place.world, email)))["ends_on"] == last


async def test_whoever_has_rights_already_is_not_invited_again(place: Place) -> None:
    web, member = place.web, await place.member()
    await web.open(f"{RIGHTS}/ajouter")
    page = await web.fill({**LUCIE, "email": member.email}).press("Envoyer l’invitation")
    assert web.page.status_code == 409
    assert "Cette personne a déjà accès à" in page
    assert web.value("email") == member.email


async def test_a_user_who_is_no_administrator_is_told_whom_to_ask(place: Place) -> None:
    member = await place.member()
    name = await named(place.world, place.me, "Dominique")
    async with browsing(place.app, place.world, member) as web:
        page = await web.open(RIGHTS)
        assert web.page.status_code == 403
        assert "Rubrique réservée aux administrateurs" in page
        assert name in page
        for path in ("/ajouter", "/revue", "/reprises", f"/{place.me.id}", f"/{place.me.id}/{place.employer.siren}"):
            await web.open(f"{RIGHTS}{path}" + ("/revocation" if path.endswith(place.employer.siren) else ""))
            assert web.page.status_code == 403, path
            assert "réservée aux administrateurs" in web.page.text


async def test_staff_and_strangers_have_no_such_pages(place: Place) -> None:
    staff = await add_user(place.world, staff=[StaffRole.super])
    async with browsing(place.app, place.world, staff) as web:
        assert "Les administrateurs d’une entreprise y gèrent" in await web.open(RIGHTS)
        assert web.page.status_code == 403
        for path in ("/mandats", "/mandats/demande"):
            await web.open(f"{RIGHTS}{path}")
            assert web.page.status_code == 403, path
    place.web.http.cookies.clear()
    await place.web.open(RIGHTS)
    assert place.web.path == "/connexion"
    assert place.web.value("suite") == RIGHTS


async def test_nobody_of_another_company_is_found(place: Place) -> None:
    elsewhere = await place.world.employer()
    stranger = await add_user(place.world, {elsewhere.company_id: Role.member})
    for path in (f"/{stranger.id}", f"/{stranger.id}/{elsewhere.siren}/revocation", f"?entreprise={elsewhere.siren}"):
        page = await place.web.open(f"{RIGHTS}{path}")
        assert place.web.page.status_code == 404, path
        assert stranger.email not in page


async def test_a_change_asks_for_a_code_before_its_page_is_shown(place: Place) -> None:
    async with browsing(place.app, place.world, place.me, stepped_up=False) as web:
        for path in (f"{RIGHTS}/ajouter", f"{RIGHTS}/{place.other.id}", f"{RIGHTS}/revue"):
            await web.open(path)
            assert web.path == "/connexion/confirmer"
            assert web.value("suite") == path
        assert place.other.email in await web.open(RIGHTS)


async def test_a_change_without_the_token_of_the_page_is_refused(place: Place) -> None:
    answer = await place.web.http.post(f"{place.at(place.other)}/suspension", data={"csrf": "wrong"})
    assert answer.status_code == 403
    assert (await place.right(place.other))["suspended_at"] is None


async def test_alone_an_administrator_is_advised_to_invite_a_second_one(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    me = await add_user(world, {employer.company_id: Role.administrator})
    async with browsing(app, world, me) as web:
        assert "Vous êtes la seule personne à avoir accès" in await web.open(RIGHTS)


async def test_many_users_are_shown_page_by_page(place: Place) -> None:
    for _ in range(51):
        await place.member()
    page = await place.web.open(RIGHTS)
    assert page.count("Modifier<span") + page.count("Voir mes droits") == 50
    assert "53 personnes" in page
    page = await place.web.follow("Page suivante")
    assert page.count("Modifier<span") + page.count("Voir mes droits") == 3
    await place.web.open(f"{RIGHTS}?page=3")
    assert place.web.page.status_code == 404


# --- one user


async def test_an_administrator_suspends_reactivates_and_changes_the_role(place: Place) -> None:
    web, member = place.web, await place.member()
    await named(place.world, member, "Camille")
    await web.open(RIGHTS)
    await web.follow("l’accès de Camille Essai")
    assert "ne pourra plus se connecter" in web.page.text
    assert "désactivé provisoirement" in await web.press("Désactiver provisoirement")
    assert (await place.right(member))["suspended_why"] == "administrator"
    assert "L’accès est réactivé" in await web.press("Réactiver l’accès")
    web.fill({"role": "administrator"})
    assert "Le rôle est enregistré" in await web.press("Enregistrer le rôle")
    right = await place.right(member)
    assert (right["role"], right["suspended_at"]) == ("administrator", None)
    assert "déconnectée de tous ses navigateurs" in await web.press("Terminer ses sessions")


async def test_a_code_that_is_too_old_leads_back_to_the_user(place: Place) -> None:
    web = place.web
    await web.open(f"{RIGHTS}/{place.other.id}")
    await place.world.run(
        "UPDATE portal_session SET stepped_up_at = now() - interval '11 minutes' WHERE user_id = $1", place.me.id
    )
    web.http.headers["referer"] = f"http://testserver{place.at(place.other)}/role"  # where an error was shown
    await web.press("Désactiver provisoirement")
    assert web.path == "/connexion/confirmer"
    assert (await place.right(place.other))["suspended_at"] is None
    await place.world.run("UPDATE portal_session SET stepped_up_at = now() WHERE user_id = $1", place.me.id)
    for path in ("lien", "nom", "sessions", *(f"{place.employer.siren}/{one}" for one in ("role", "suspension"))):
        assert place.other.email in await web.open(f"{RIGHTS}/{place.other.id}/{path}")
        assert web.path == f"{RIGHTS}/{place.other.id}"


async def test_rights_end_for_good_after_a_page_that_says_what_it_means(place: Place) -> None:
    web, member = place.web, await place.member()
    await web.open(f"{RIGHTS}/{member.id}")
    await web.follow("Désactiver définitivement")
    assert "ne pourra plus se connecter à l’espace" in web.page.text
    assert (await place.right(member))["revoked_at"] is None
    page = await web.press("Désactiver définitivement")
    assert web.path == RIGHTS
    assert "désactivé définitivement" in page
    assert member.email not in page
    assert (await place.right(member))["revoked_at"] is not None


async def test_an_invitation_is_corrected_sent_again_and_taken_back(place: Place) -> None:
    web, email = place.web, address()
    await web.open(f"{RIGHTS}/ajouter")
    await web.fill({**LUCIE, "email": email}).press("Envoyer l’invitation")
    user_id = await account_of(place.world, email)
    await web.open(f"{RIGHTS}/{user_id}")
    assert "Désactiver provisoirement" not in web.page.text
    assert "Terminer ses sessions" not in web.page.text
    await web.fill({"last_name": ""}).press("Enregistrer le nom")
    assert web.page.status_code == 422
    assert web.value("first_name") == "Lucie"
    page = await web.fill({"first_name": "Lucy", "last_name": "Essai"}).press("Enregistrer le nom")
    assert "Le nom est corrigé" in page
    assert "Lucy Essai" in page
    page = await web.press("Renvoyer un lien de création de mot de passe")  # within the minute of the first one
    assert web.page.status_code == 429
    assert int(web.page.headers["retry-after"]) <= 60
    await place.world.run("DELETE FROM rate_limit")
    assert "Le lien est reparti" in await web.press("Renvoyer un lien de création de mot de passe")
    await place.world.run("UPDATE invitation SET expires_at = now() - interval '1 hour' WHERE user_id = $1", user_id)
    assert "Lien expiré" in await web.open(f"{RIGHTS}/{user_id}")
    await web.follow("Retirer l’invitation")
    await web.press("Retirer l’invitation")
    assert email not in web.page.text


async def test_nobody_changes_their_own_rights_so_a_last_administrator_stays(place: Place) -> None:
    web = place.web
    await web.open(RIGHTS)
    await web.follow("Voir mes droits")
    assert "Vous ne pouvez pas modifier vos propres droits" in web.page.text
    assert "Désactiver" not in web.page.text
    token = re.search(r'name="csrf" value="(\S+)"', web.page.text)
    assert token
    for action in ("suspension", "revocation", "role"):
        answer = await web.http.post(f"{place.at(place.me)}/{action}", data={"csrf": token[1], "role": "member"})
        assert answer.status_code == 403
        assert "Vous ne pouvez pas modifier vos propres droits" in answer.text
    right = await place.right(place.me)
    assert (right["role"], right["suspended_at"], right["revoked_at"]) == ("administrator", None, None)


async def test_of_two_administrators_who_remove_each_other_the_second_is_refused(place: Place) -> None:
    async with browsing(place.app, place.world, place.other) as second:
        await second.open(f"{place.at(place.me)}/revocation")
        await place.web.open(f"{place.at(place.other)}/revocation")
        await place.web.press("Désactiver définitivement")
        await second.press("Désactiver définitivement")
        assert second.path == "/connexion"  # the last company gone, the session too
    assert (await place.right(place.me))["revoked_at"] is None


# --- several companies


@pytest.fixture
async def second(place: Place) -> Employer:
    """Another company of the first administrator."""
    employer = await place.world.employer()
    await place.world.run(
        "INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at)"
        " VALUES ($1, $2, 'administrator', now(), now())",
        place.me.id,
        employer.company_id,
    )
    await place.world.run("UPDATE company SET activated_at = now() WHERE id = $1", employer.company_id)
    return employer


async def test_a_user_gets_a_role_on_each_company_that_is_chosen(place: Place, second: Employer) -> None:
    web, email = place.web, address()
    await web.open(f"{RIGHTS}/ajouter")
    page = await web.fill({**LUCIE, "email": email}).press("Envoyer l’invitation")
    assert web.page.status_code == 422
    assert "Choisissez au moins une entreprise et un rôle" in page
    web.fill({f"role_{second.siren}": "administrator"})
    await web.press("Envoyer l’invitation")
    user_id = await account_of(place.world, email)
    assert await place.right(user_id) is None
    await web.open(f"{RIGHTS}?entreprise={place.employer.siren}")
    assert email not in web.page.text
    assert place.other.email in web.page.text
    await web.open(f"{RIGHTS}?entreprise={second.siren}")
    assert email in web.page.text
    assert place.other.email not in web.page.text


async def test_access_to_another_company_is_offered_from_the_users_page(place: Place, second: Employer) -> None:
    web = place.web
    await web.open(f"{RIGHTS}/{place.other.id}")
    page = await web.press("Proposer cet accès")
    assert web.page.status_code == 422
    assert "Choisissez un rôle" in page
    assert f'href="#role_{second.siren}"' in page
    answer = await web.http.post(
        f"{place.at(place.other, second)}/role", data={"csrf": web.value("csrf"), "role": "member"}
    )
    assert answer.headers["location"].endswith("?fait=propose")
    page = await web.open(answer.headers["location"])
    assert "L’accès est proposé" in page
    assert "Invité" in page


async def test_many_companies_are_offered_page_by_page(app: FastAPI, world: World) -> None:
    companies = [await world.employer() for _ in range(51)]
    me = await add_user(world, {company.company_id: Role.administrator for company in companies})
    async with browsing(app, world, me) as web:
        page = await web.open(f"{RIGHTS}/ajouter")
        assert page.count("<fieldset") == 50
        page = await web.follow("Page suivante")
        assert page.count("<fieldset") == 1
        last = re.findall(r'name="role_(\d{9})"', page)[0]
        email = address()
        await web.fill({"first_name": "Lucie", f"role_{last}": "member"}).press("Envoyer l’invitation")
        assert (web.page.status_code, web.value(f"role_{last}")) == (422, "member")
        await web.fill({"last_name": "Essai", "email": email}).press("Envoyer l’invitation")
        assert email in await web.open(f"{RIGHTS}?entreprise={last}")


# --- the review of rights


@pytest.fixture
async def reviewed(place: Place) -> list[TestUser]:
    """Three users of the company whose rights are to be confirmed."""
    users = [await place.member() for _ in range(3)]
    await place.world.run(
        "UPDATE membership SET confirmed_at = now() - interval '93 days', review_noticed_at = now()"
        " WHERE user_id = ANY ($1)",
        [user.id for user in users],
    )
    return users


async def test_a_review_confirms_some_takes_rights_from_others_and_leaves_the_rest(
    place: Place, reviewed: list[TestUser]
) -> None:
    web = place.web
    kept, lost, later = reviewed
    assert "3 accès sont à confirmer avant le" in (await web.open(RIGHTS)).replace("\u00a0", " ")
    await web.follow("Confirmer les accès")
    await web.press("Enregistrer mes réponses")
    assert web.page.status_code == 422
    assert "Répondez pour une personne au moins" in web.page.text
    web.fill({f"user_{kept.id}": "confirm", f"user_{lost.id}": "revoke"})
    page = await web.press("Enregistrer mes réponses")
    assert "Retirer cet accès" in page
    assert lost.email in page
    assert kept.email not in page
    assert (await place.right(lost))["revoked_at"] is None
    page = await web.press("Retirer cet accès")
    assert "Vos réponses sont enregistrées" in page
    assert later.email in page
    assert kept.email not in page
    assert lost.email not in page
    assert (await place.right(lost))["revoked_at"] is not None
    assert (await place.right(kept))["review_noticed_at"] is None
    web.fill({f"user_{later.id}": "confirm"})
    assert "Aucun accès n’est à confirmer" in await web.press("Enregistrer mes réponses")


async def test_a_long_review_is_answered_in_parts(place: Place) -> None:
    for _ in range(101):
        await place.member()
    await place.world.run(
        "UPDATE membership SET review_noticed_at = now() WHERE company_id = $1 AND role = 'member'",
        place.employer.company_id,
    )
    page = await place.web.open(f"{RIGHTS}/revue")
    assert page.count("<fieldset") == 100
    everybody = {name: "confirm" for name in re.findall(r'name="(user_[\w-]+)"', page)}
    page = await place.web.fill(everybody).press("Enregistrer mes réponses")
    assert page.count("<fieldset") == 1


async def test_a_company_that_is_not_reviewed_has_no_answer(place: Place) -> None:
    await place.web.open(f"{RIGHTS}/revue")
    data = {"csrf": place.web.value("csrf"), "siren": place.employer.siren, f"user_{place.other.id}": "revoke"}
    assert (await place.web.http.post(f"{RIGHTS}/revue", data=data)).status_code == 404
    assert (await place.right(place.other))["revoked_at"] is None


# --- mandates


@pytest.fixture
async def declarant(place: Place) -> AsyncIterator[tuple[TestUser, Browsing]]:
    """An accountant of another company, in their browser."""
    office = await place.world.employer()
    user = await add_user(place.world, {office.company_id: Role.member})
    async with browsing(place.app, place.world, user) as web:
        yield user, web


async def asks(place: Place, web: Browsing, **answers: str) -> str:
    row = (await place.world.run("SELECT insurer_reference FROM company WHERE id = $1", place.employer.company_id))[0]
    await web.open(f"{RIGHTS}/mandats")
    await web.follow("Demander un mandat")
    web.fill({"siret": place.employer.siret, "insurer_reference": row["insurer_reference"], **answers})
    return await web.press("Envoyer la demande")


async def test_a_mandate_is_asked_accepted_watched_and_ended(
    place: Place, declarant: tuple[TestUser, Browsing]
) -> None:
    user, theirs = declarant
    web = place.web
    page = await asks(place, theirs)
    assert "ses administrateurs ont reçu votre demande" in page
    assert "En attente de réponse" in page
    assert "demande un mandat pour" in await web.open(RIGHTS)
    await web.follow("Répondre à")
    await web.follow("Accepter")
    page = await web.press("Accepter ce mandat")
    assert web.page.status_code == 422
    assert "Indiquez le dernier jour" in page
    await web.fill({"ends_on": "01/01/2099"}).press("Accepter ce mandat")
    assert web.page.status_code == 422
    assert web.value("ends_on") == "01/01/2099"
    last = months_after(today(), 24)
    page = await web.fill({"ends_on": last.strftime("%d/%m/%Y")}).press("Accepter ce mandat")
    assert "Le mandat est accepté" in page
    right = await place.right(user)
    assert (right["role"], right["ends_on"]) == ("member", last)
    assert "Rien pour le moment" in await web.follow("Ce qui a été fait en votre nom")
    await place.world.run(
        "INSERT INTO audit_log (company_id, actor_kind, actor_id, event) VALUES ($1, 'employer', $2, $3)",
        place.employer.company_id,
        str(user.id),
        "affiliation.declared",
    )
    assert "Déclaration" in await web.open(web.path)
    await web.open(f"{RIGHTS}/mandats")
    await web.follow("Mettre fin")
    assert "ne pourra plus se connecter" in web.page.text
    assert "Le mandat a pris fin" in await web.press("Mettre fin à ce mandat")
    assert (await place.right(user))["revoked_at"] is not None
    assert "Terminé avant la fin" in await theirs.open(f"{RIGHTS}/mandats")


async def test_a_mandate_is_refused_or_withdrawn(place: Place, declarant: tuple[TestUser, Browsing]) -> None:
    user, theirs = declarant
    await asks(place, theirs)
    await theirs.follow("Retirer ma demande")
    page = await theirs.press("Retirer ma demande")
    assert "Votre demande est retirée" in page
    assert "Demande retirée" in page
    await asks(place, theirs, ends_on=months_after(today(), 3).strftime("%d/%m/%Y"))
    await place.web.open(f"{RIGHTS}/mandats")
    await place.web.follow("Refuser")
    assert "pendant sept jours" in place.web.page.text
    assert "Le tiers déclarant en est prévenu" in await place.web.press("Refuser ce mandat")
    assert "Refusé" in await theirs.open(f"{RIGHTS}/mandats")
    assert await place.right(user) is None


async def test_a_request_for_a_mandate_says_what_to_correct_and_nothing_about_companies(
    place: Place, declarant: tuple[TestUser, Browsing]
) -> None:
    _, theirs = declarant
    page = await asks(place, theirs, siret="123", ends_on="demain")
    assert theirs.page.status_code == 422
    assert theirs.value("siret") == "123"
    assert re.findall(r'href="#(\w+)"', page) == ["contenu", "siret", "ends_on"]
    assert "Indiquez l’identifiant entreprise" in await asks(place, theirs, insurer_reference="")
    page = await asks(place, theirs, insurer_reference="K9999999")
    assert "Si ces informations correspondent" in page
    assert "Aucun mandat pour le moment" in page


async def test_only_the_company_that_is_asked_decides(place: Place, declarant: tuple[TestUser, Browsing]) -> None:
    _, theirs = declarant
    await asks(place, theirs)
    mandate_id = (await place.world.run("SELECT id FROM mandate ORDER BY asked_at DESC LIMIT 1"))[0]["id"]
    elsewhere = await place.world.employer()
    stranger = await add_user(place.world, {elsewhere.company_id: Role.administrator})
    async with browsing(place.app, place.world, stranger) as web:
        for action in ("accepter", "refuser", "fin", "actions"):
            await web.open(f"{RIGHTS}/mandats/{mandate_id}/{action}")
            assert web.page.status_code == 404, action


# --- requests to take the space over


async def test_an_administrator_refuses_a_request_to_take_the_space_over(place: Place) -> None:
    recovery_id = await add_recovery(place.world, place.employer, first_name="Claude", last_name="Repreneur")
    web = place.web
    assert "demande à administrer l’espace" in await web.open(RIGHTS)
    await place.world.run(
        "UPDATE company_recovery SET state = 'code_entered', grant_at = now() + interval '7 days' WHERE id = $1",
        recovery_id,
    )
    assert "Sans refus de votre part, son accès s’ouvrira le" in await web.open(RIGHTS)
    page = await web.follow("Voir cette demande de Claude Repreneur")
    assert "Vous êtes toujours là" in page
    assert "rien n’a changé dans votre espace" in await web.press("Refuser cette demande")
    state = (await place.world.run("SELECT state FROM company_recovery WHERE id = $1", recovery_id))[0]["state"]
    assert state == "stopped"
    assert "Aucune demande n’est en cours" in await web.open(f"{RIGHTS}/reprises")


# --- in a real browser

LONG = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"
LONG_COMPANY = "SOCIÉTÉ D’EXPLOITATION DES HÔTELS-RESTAURANTS DE LA CÔTE-SAINT-ANDRÉ-ET-ENVIRONS"
LONG_ADDRESS = "marie-antoinette.de-la-rochefoucauld-montmorency-brancas@comptabilite-et-paie.exemple.fr"


@pytest.fixture
async def looks(app: FastAPI, world: World) -> list[Look]:
    """An administrator whose two companies have everything that the pages show, one who is alone, a declarant."""
    first, second, quiet, office = [await world.employer() for _ in range(4)]
    me = await add_user(world, {first.company_id: Role.administrator, second.company_id: Role.administrator})
    alone = await add_user(world, {quiet.company_id: Role.administrator})
    declarant = await add_user(world, {office.company_id: Role.member})
    await world.run("UPDATE company SET name = $2 WHERE id = $1", first.company_id, LONG_COMPANY)
    crowd = [await add_user(world, {first.company_id: Role.member}) for _ in range(52)]
    rich, suspended, other = crowd[0], crowd[1], crowd[2]
    await named(world, rich, "Marie-Antoinette Bénédicte", f"A{LONG}"[:60])
    await world.run("UPDATE portal_user SET email = $2, last_signed_in_at = now() WHERE id = $1", rich.id, LONG_ADDRESS)
    await named(world, suspended, "Alix", "Aaron")
    await world.run(
        "UPDATE membership SET suspended_at = now(), suspended_why = 'review' WHERE user_id = $1", suspended.id
    )
    await world.run(
        "UPDATE membership SET confirmed_at = now() - interval '93 days', review_noticed_at = now()"
        " WHERE user_id = ANY ($1)",
        [rich.id, other.id],
    )
    invited, expired = [f"invite-{uuid4().hex[:10]}@exemple.fr" for _ in range(2)]
    async with browsing(app, world, me) as web:
        for email, company in ((invited, first), (expired, second)):
            await web.open(f"{RIGHTS}/ajouter")
            rights = {f"role_{first.siren}": "", f"role_{second.siren}": "", f"role_{company.siren}": "member"}
            await web.fill({"first_name": "Lou", "last_name": "Abel", "email": email, **rights}).press("Envoyer l’inv")
            assert web.path == RIGHTS
    guest = await account_of(world, invited)
    await world.run(
        "UPDATE invitation SET expires_at = now() - interval '1 day' WHERE user_id = $1",
        await account_of(world, expired),
    )
    await named(world, declarant, "Marie-Antoinette", LONG)
    mandates = []
    async with browsing(app, world, declarant) as web:
        for company in (first, second):
            row = (await world.run("SELECT insurer_reference FROM company WHERE id = $1", company.company_id))[0]
            await web.open(f"{RIGHTS}/mandats/demande")
            given = {"siret": company.siret, "insurer_reference": row["insurer_reference"]}
            await web.fill({**given, "ends_on": months_after(today(), 12).strftime("%d/%m/%Y")}).press("Envoyer")
            mandates += await world.run("SELECT id FROM mandate WHERE company_id = $1", company.company_id)
    asked, running = [row["id"] for row in mandates]
    async with browsing(app, world, me) as web:
        await web.open(f"{RIGHTS}/mandats/{running}/accepter")
        await web.press("Accepter ce mandat")
    await world.run(
        "INSERT INTO audit_log (company_id, actor_kind, actor_id, event) SELECT $1, 'employer', $2, event"
        " FROM unnest(ARRAY['affiliation.declared', 'data.viewed', 'file.downloaded']) AS event",
        second.company_id,
        str(declarant.id),
    )
    await add_recovery(world, second, first_name="Claude", last_name=LONG, email=LONG_ADDRESS)
    return [
        Look("list", me, f"{RIGHTS}?fait=invite"),
        Look("last page", me, f"{RIGHTS}?page=2"),
        Look("one company", me, f"{RIGHTS}?entreprise={second.siren}"),
        Look("alone", alone, RIGHTS),
        Look("refused", declarant, RIGHTS, status=403),
        Look("add", me, f"{RIGHTS}/ajouter"),
        Look("add, wrong", me, f"{RIGHTS}/ajouter", press="Envoyer l’invitation"),
        Look("add, one company", alone, f"{RIGHTS}/ajouter"),
        Look("user", me, f"{RIGHTS}/{rich.id}?fait=role"),
        Look("no role", me, f"{RIGHTS}/{rich.id}", press="Proposer cet accès"),
        Look("invited", me, f"{RIGHTS}/{guest}"),
        Look("suspended", me, f"{RIGHTS}/{suspended.id}"),
        Look("declarant", me, f"{RIGHTS}/{declarant.id}"),
        Look("myself", me, f"{RIGHTS}/{me.id}"),
        Look("revoke", me, f"{RIGHTS}/{rich.id}/{first.siren}/revocation"),
        Look("take back", me, f"{RIGHTS}/{guest}/{first.siren}/revocation"),
        Look("review", me, f"{RIGHTS}/revue"),
        Look("review, no answer", me, f"{RIGHTS}/revue", press="Enregistrer mes réponses"),
        Look("no review", alone, f"{RIGHTS}/revue"),
        Look("mandates", me, f"{RIGHTS}/mandats"),
        Look("no mandates", alone, f"{RIGHTS}/mandats"),
        Look("own mandates", declarant, f"{RIGHTS}/mandats"),
        Look("ask", declarant, f"{RIGHTS}/mandats/demande"),
        Look("ask, wrong", declarant, f"{RIGHTS}/mandats/demande", press="Envoyer la demande"),
        Look("accept", me, f"{RIGHTS}/mandats/{asked}/accepter"),
        Look("refuse", me, f"{RIGHTS}/mandats/{asked}/refuser"),
        Look("end", me, f"{RIGHTS}/mandats/{running}/fin"),
        Look("give up", declarant, f"{RIGHTS}/mandats/{running}/fin"),
        Look("actions", me, f"{RIGHTS}/mandats/{running}/actions"),
        Look("recoveries", me, f"{RIGHTS}/reprises"),
        Look("no recoveries", alone, f"{RIGHTS}/reprises"),
    ]


async def small(page: Page, look: Look) -> list[str]:
    """What can be touched on a phone and is not high enough for a finger."""
    await page.set_viewport_size({"width": 320, "height": 900})
    found: list[str] = await page.evaluate(
        "[...document.querySelectorAll('main button, a.button, .choice, input[type=text]')]"
        ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => `small: ${e.outerHTML}`)"
    )
    return found


async def test_every_page_is_accessible_and_fits(
    world: World, looks: list[Look], served: Served, browser: Browser
) -> None:
    assert not await looked_at(browser, world, served, looks, more=small)


async def test_without_scripts_an_administrator_answers_a_review_with_the_keyboard(
    place: Place, reviewed: list[TestUser], served: Served, browser: Browser
) -> None:
    async with looking(browser, "light", 390, java_script_enabled=False) as context:
        page = await context.new_page()
        await arrive(page, place.world, served, Look("review", place.me, f"{RIGHTS}/revue"))
        await page.get_by_label("Confirmer").first.focus()
        await page.keyboard.press("ArrowRight")  # « Retirer »
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Retirer cet accès").wait_for()
        await page.get_by_role("button", name="Retirer cet accès").click()
        await page.get_by_role("status").get_by_text("Vos réponses sont enregistrées").wait_for()
    revoked = [user for user in reviewed if (await place.right(user))["revoked_at"] is not None]
    assert len(revoked) == 1
