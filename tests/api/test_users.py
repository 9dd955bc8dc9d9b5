"""« Mes habilitations » over HTTP: the list, invitations, changes of rights (security.md A-24, A-25, Z-08)."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from domain.rights import Role, StaffRole, UserKind
from gateways.access_links import LinkKind, link_hash, link_token
from messages.terms import current_terms
from services.callers import Scope
from tests.api.conftest import BASE, client, key_for
from tests.users import PASSWORD, TestUser, add_user, administrator_of, signed_in
from tests.world import Employer, World

USERS = f"{BASE}/users"
_numbers = itertools.count(secrets.randbelow(10**6))


def address() -> str:
    return f"invitee{next(_numbers)}@exemple.fr"


def invitation(employer: Employer, email: str | None = None, **rights: Any) -> dict[str, Any]:
    return {
        "first_name": "Lucie",
        "last_name": "Essai",
        "email": email or address(),
        "memberships": [{"siren": employer.siren, "role": "member", **rights}],
    }


async def invite(http: httpx2.AsyncClient, employer: Employer, email: str | None = None, **rights: Any) -> UUID:
    answer = await http.post(USERS, json=invitation(employer, email, **rights))
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def link_of(world: World, user_id: UUID) -> str:
    """The secret of the newest invitation's link."""
    row = (
        await world.run(
            "SELECT id, generation FROM invitation WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1", user_id
        )
    )[0]
    return link_token(world.cipher, LinkKind.invitation, row["id"], row["generation"])


def completion(token: str, **changes: Any) -> dict[str, Any]:
    return {"token": token, "password": PASSWORD, "terms_version": current_terms().version, **changes}


async def complete(app: FastAPI, token: str, **changes: Any) -> httpx2.Response:
    async with client(app) as http:
        return await http.post(f"{BASE}/invitations/completion", json=completion(token, **changes))


async def accept(app: FastAPI, world: World, user: TestUser, token: str) -> httpx2.Response:
    async with signed_in(app, world, user) as http:
        return await http.post(f"{BASE}/invitations/acceptance", json={"token": token})


async def notices(world: World, user_id: UUID) -> list[str]:
    rows = await world.run("SELECT kind FROM notice WHERE user_id = $1 ORDER BY created_at, id", user_id)
    return [row["kind"] for row in rows]


async def audited(world: World, user_id: UUID) -> list[str]:
    rows = await world.run("SELECT event FROM audit_log WHERE object_id = $1 ORDER BY id", str(user_id))
    return [row["event"] for row in rows]


async def membership(world: World, user_id: UUID, company_id: UUID) -> Any:
    rows = await world.run("SELECT * FROM membership WHERE user_id = $1 AND company_id = $2", user_id, company_id)
    return rows[0] if rows else None


@dataclass(frozen=True)
class Place:
    """A company, the browser of its administrator, and who that is."""

    employer: Employer
    http: httpx2.AsyncClient
    me: TestUser

    def at(self, user_id: UUID, employer: Employer | None = None) -> str:
        return f"{USERS}/{user_id}/memberships/{(employer or self.employer).siren}"


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    employer = await world.employer()
    me = await add_user(world, {employer.company_id: Role.administrator})
    async with signed_in(app, world, me) as http:
        yield Place(employer, http, me)


@asynccontextmanager
async def two_companies(app: FastAPI, world: World) -> AsyncIterator[tuple[Place, Employer]]:
    """An administrator of two companies."""
    first, second = await world.employer(), await world.employer()
    me = await add_user(world, {first.company_id: Role.administrator, second.company_id: Role.administrator})
    async with signed_in(app, world, me) as http:
        yield Place(first, http, me), second


# --- the list


async def test_an_administrator_lists_each_user_once_with_the_companies_that_they_look_after(
    app: FastAPI, world: World
) -> None:
    async with two_companies(app, world) as (place, second):
        elsewhere = await world.employer()
        first_id, second_id = place.employer.company_id, second.company_id
        user = await add_user(
            world, {first_id: Role.member, second_id: Role.administrator, elsewhere.company_id: Role.member}
        )
        await add_user(world, {elsewhere.company_id: Role.administrator})
        items = (await place.http.get(USERS)).json()["items"]
        by_id = {item["id"]: item for item in items}
        assert set(by_id) == {str(user.id), str(place.me.id)}
        assert by_id[str(place.me.id)]["is_me"] is True
        seen = by_id[str(user.id)]
        assert seen["is_me"] is False
        assert {(one["siren"], one["role"], one["state"]) for one in seen["rights"]} == {
            (place.employer.siren, "member", "active"),
            (second.siren, "administrator", "active"),
        }
        of_one = (await place.http.get(USERS, params={"siren": second.siren})).json()["items"]
        assert all([one["siren"] for one in item["rights"]] == [second.siren] for item in of_one)


async def test_the_list_of_a_foreign_company_is_not_found_as_that_of_an_unknown_one(place: Place, world: World) -> None:
    foreign = await world.employer()
    answers = [await place.http.get(USERS, params={"siren": siren}) for siren in (foreign.siren, "732829320")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


async def test_members_machines_and_strangers_do_not_see_the_list(app: FastAPI, world: World, place: Place) -> None:
    member = await add_user(world, {place.employer.company_id: Role.member})
    async with signed_in(app, world, member) as http:
        assert (await http.get(USERS)).status_code == 403
        assert (await http.post(USERS, json=invitation(place.employer))).status_code == 403
    async with signed_in(app, world, await add_user(world, staff=[StaffRole.super])) as http:
        assert (await http.get(USERS)).status_code == 403
        assert (await http.post(USERS, json=invitation(place.employer))).status_code == 403
    async with client(app, await key_for(world, place.employer, Scope.read, Scope.write)) as http:
        assert (await http.get(USERS)).status_code == 403
        assert (await http.post(USERS, json=invitation(place.employer))).status_code == 403
    async with client(app) as http:
        assert (await http.get(USERS)).status_code == 401


async def test_revoked_rights_are_listed_only_when_asked_for(place: Place, world: World) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    assert (await place.http.delete(place.at(user.id))).status_code == 204
    shown = (await place.http.get(USERS)).json()["items"]
    assert str(user.id) not in {item["id"] for item in shown}
    revoked = (await place.http.get(USERS, params={"state": "revoked"})).json()["items"]
    assert [item["id"] for item in revoked] == [str(user.id)]


# --- inviting


async def test_who_is_invited_gets_one_link_creates_a_password_and_is_a_member(
    app: FastAPI, world: World, place: Place
) -> None:
    user_id = await invite(place.http, place.employer)
    assert await notices(world, user_id) == ["invitation"]
    waiting = (await place.http.get(USERS, params={"state": "invited"})).json()["items"]
    assert [item["id"] for item in waiting] == [str(user_id)]
    assert waiting[0]["rights"][0]["invitation_expires_at"] is not None
    assert (await complete(app, await link_of(world, user_id))).status_code == 204
    row = (await world.run("SELECT * FROM portal_user WHERE id = $1", user_id))[0]
    assert row["email_proved_at"] is not None
    assert row["terms_version"] == current_terms().version
    assert row["password_version"] == 1
    assert await world.run("SELECT FROM terms_acceptance WHERE user_id = $1", user_id)
    assert not await world.run("SELECT FROM portal_session WHERE user_id = $1", user_id)
    assert (await membership(world, user_id, place.employer.company_id))["accepted_at"] is not None
    assert await audited(world, user_id) == ["user.invited", "user.accepted"]


async def test_the_answer_does_not_tell_whether_there_was_an_account(place: Place, world: World) -> None:
    elsewhere = await world.employer()
    known = await add_user(world, {elsewhere.company_id: Role.administrator}, password=PASSWORD)
    await world.run("UPDATE portal_user SET last_signed_in_at = now() WHERE id = $1", known.id)
    answers = [
        (await place.http.post(USERS, json=invitation(place.employer, email))).json()
        for email in (known.email, address())
    ]
    for answer in answers:
        assert UUID(answer["id"]).version == 4, "an id with a time would tell since when there is an account"
        assert (answer["first_name"], answer["last_name"]) == ("Lucie", "Essai")
        assert answer["last_signed_in_at"] is None
        assert [right["state"] for right in answer["rights"]] == ["invited"]
    assert set(answers[0]) == set(answers[1])
    assert answers[0]["email"] == known.email
    listed = (await place.http.get(USERS, params={"state": "invited"})).json()["items"]
    assert {item["first_name"] for item in listed} == {"Lucie"}
    assert await notices(world, known.id) == ["access_offered"]


async def test_once_accepted_the_person_has_their_own_name(app: FastAPI, world: World, place: Place) -> None:
    elsewhere = await world.employer()
    known = await add_user(world, {elsewhere.company_id: Role.member})
    await invite(place.http, place.employer, known.email)
    assert (await accept(app, world, known, await link_of(world, known.id))).status_code == 204
    listed = (await place.http.get(USERS)).json()["items"]
    names = {item["id"]: item["first_name"] for item in listed}
    own = (await world.run("SELECT first_name FROM portal_user WHERE id = $1", known.id))[0]["first_name"]
    assert names[str(known.id)] == own


async def test_rights_are_given_only_on_companies_that_the_inviter_administers(
    app: FastAPI, world: World, place: Place
) -> None:
    foreign = await world.employer()
    asked = invitation(place.employer)
    bodies = []
    for siren in (foreign.siren, "732829320"):
        asked["memberships"][0]["siren"] = siren
        answer = await place.http.post(USERS, json=asked)
        assert answer.status_code == 422
        bodies.append(answer.content)
    assert bodies[0] == bodies[1]
    assert not await world.run("SELECT FROM portal_user WHERE email = $1", asked["email"])
    # a company of the same user where they are a member
    both = await add_user(world, {place.employer.company_id: Role.administrator, foreign.company_id: Role.member})
    async with signed_in(app, world, both) as http:
        assert (await http.post(USERS, json=invitation(foreign))).status_code == 422


async def test_an_administrator_whose_role_was_taken_meanwhile_gives_nothing(
    app: FastAPI, world: World, place: Place
) -> None:
    other = await add_user(world, {place.employer.company_id: Role.administrator})
    async with signed_in(app, world, other) as http:
        assert (await place.http.put(place.at(other.id), json={"role": "member"})).status_code == 200
        assert (await http.post(USERS, json=invitation(place.employer))).status_code == 403


async def test_whoever_has_rights_there_already_is_not_invited_again(place: Place, world: World) -> None:
    email = address()
    user_id = await invite(place.http, place.employer, email)
    again = await place.http.post(USERS, json=invitation(place.employer, email))
    assert again.status_code == 409
    assert again.json()["type"].endswith("already_invited")
    assert "Renvoyez-lui le lien" in again.json()["detail"]
    assert len(await world.run("SELECT FROM invitation WHERE user_id = $1", user_id)) == 1
    active = await add_user(world, {place.employer.company_id: Role.member})
    answer = await place.http.post(USERS, json=invitation(place.employer, active.email))
    assert answer.json()["type"].endswith("already_active")
    await place.http.put(place.at(active.id), json={"suspended": True})
    answer = await place.http.post(USERS, json=invitation(place.employer, active.email))
    assert (answer.status_code, answer.json()["type"].rsplit(":")[-1]) == (409, "already_suspended")


async def test_somebody_revoked_can_be_invited_again(app: FastAPI, world: World, place: Place) -> None:
    user = await add_user(world, {place.employer.company_id: Role.administrator})
    await place.http.delete(place.at(user.id))
    await invite(place.http, place.employer, user.email)
    row = await membership(world, user.id, place.employer.company_id)
    assert (row["role"], row["accepted_at"], row["revoked_at"]) == ("member", None, None)
    assert (await accept(app, world, user, await link_of(world, user.id))).status_code == 204


async def test_two_administrators_who_invite_the_same_person_at_once_make_one_invitation(
    app: FastAPI, world: World, place: Place
) -> None:
    other = await add_user(world, {place.employer.company_id: Role.administrator})
    asked = invitation(place.employer)
    async with signed_in(app, world, other) as http:
        answers = await asyncio.gather(place.http.post(USERS, json=asked), http.post(USERS, json=asked))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await world.run("SELECT FROM portal_user WHERE email = $1", asked["email"])) == 1


async def test_wrong_and_unexpected_fields_are_named(place: Place) -> None:
    asked = invitation(place.employer)
    wrong = [
        {**asked, "email": "nulle part"},
        {**asked, "memberships": []},
        {**asked, "memberships": asked["memberships"] * 2},
        {**asked, "memberships": [{**asked["memberships"][0], "role": "super"}]},
        {**asked, "password": "choisi pour elle"},
        {**asked, "memberships": [{**asked["memberships"][0], "company_id": "1"}]},
        {**asked, "memberships": [{**asked["memberships"][0], "role": "administrator", "mandate_until": "2027-01-31"}]},
        {**asked, "memberships": [{**asked["memberships"][0], "mandate_until": "2029-12-31"}]},
    ]
    answers = [await place.http.post(USERS, json=body) for body in wrong]
    assert [answer.status_code for answer in answers] == [422] * len(wrong)
    assert [answer.json()["errors"][0]["field"] for answer in answers] == [
        "email",
        "memberships",
        "memberships.1.siren",
        "memberships.0.role",
        "password",
        "memberships.0.company_id",
        "memberships.0.role",
        "memberships.0.mandate_until",
    ]


async def test_changes_of_rights_need_a_fresh_code(app: FastAPI, world: World, place: Place) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    async with signed_in(app, world, place.me, stepped_up=False) as http:
        answers = [
            await http.post(USERS, json=invitation(place.employer)),
            await http.put(place.at(user.id), json={"suspended": True}),
            await http.delete(place.at(user.id)),
            await http.post(f"{USERS}/{user.id}/invitation"),
            await http.patch(f"{USERS}/{user.id}", json={"first_name": "A", "last_name": "B"}),
            await http.delete(f"{USERS}/{user.id}/sessions"),
        ]
    assert {answer.json()["type"].rsplit(":")[-1] for answer in answers} == {"step_up_needed"}


async def test_the_same_person_is_not_invited_by_one_user_more_than_five_times_a_day(place: Place) -> None:
    email = address()
    for _ in range(5):
        user_id = await invite(place.http, place.employer, email)
        assert (await place.http.delete(place.at(user_id))).status_code == 204
    assert (await place.http.post(USERS, json=invitation(place.employer, email))).status_code == 429


# --- the link


async def test_looking_at_the_link_changes_nothing_and_shows_only_the_masked_address(
    app: FastAPI, world: World, place: Place
) -> None:
    user_id = await invite(place.http, place.employer, f"paulette{next(_numbers)}@exemple.fr")
    token = await link_of(world, user_id)
    async with client(app) as http:
        for _ in range(3):
            answer = await http.post(f"{BASE}/invitations/preview", json={"token": token})
            assert answer.json() == {
                "email": "p•••@e•••.fr",
                "creates_password": True,
                "terms_version": current_terms().version,
            }
    assert (await complete(app, token)).status_code == 204


async def test_every_dead_link_gets_the_same_answer(app: FastAPI, world: World) -> None:
    """Unknown, used, too old, withdrawn, its inviter revoked, suspended, or a member since."""
    tokens = ["x" * 43]
    employer = await world.employer()
    async with administrator_of(app, world, employer) as http:
        used = await link_of(world, await invite(http, employer))
        assert (await complete(app, used)).status_code == 204
        late = await invite(http, employer)
        await world.run("UPDATE invitation SET expires_at = now() WHERE user_id = $1", late)
        withdrawn = await invite(http, employer)
        await http.delete(f"{USERS}/{withdrawn}/memberships/{employer.siren}")
        tokens += [used, await link_of(world, late), await link_of(world, withdrawn)]
        for change in ({"role": "member"}, {"suspended": True}, None):
            inviter = await add_user(world, {employer.company_id: Role.administrator})
            async with signed_in(app, world, inviter) as their:
                tokens.append(await link_of(world, await invite(their, employer)))
            at = f"{USERS}/{inviter.id}/memberships/{employer.siren}"
            answer = await (http.put(at, json=change) if change else http.delete(at))
            assert answer.status_code in (200, 204), answer.text
    answers = [await complete(app, token) for token in tokens]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    async with client(app) as anonymous:
        looks = [await anonymous.post(f"{BASE}/invitations/preview", json={"token": token}) for token in tokens]
    assert {look.content for look in looks} == {answers[0].content}
    stranger = await add_user(world, {employer.company_id: Role.member})
    accepted = [await accept(app, world, stranger, token) for token in tokens]
    assert {answer.content for answer in accepted} == {answers[0].content}


async def test_a_link_gives_what_its_inviter_may_still_give(app: FastAPI, world: World) -> None:
    async with two_companies(app, world) as (place, second):
        asked = invitation(place.employer)
        asked["memberships"].append({"siren": second.siren, "role": "administrator"})
        user_id = UUID((await place.http.post(USERS, json=asked)).json()["id"])
        await world.run(
            "UPDATE membership SET role = 'member' WHERE user_id = $1 AND company_id = $2",
            place.me.id,
            second.company_id,
        )
        assert (await complete(app, await link_of(world, user_id))).status_code == 204
    assert (await membership(world, user_id, place.employer.company_id))["accepted_at"] is not None
    lost = await membership(world, user_id, second.company_id)
    assert lost["accepted_at"] is None
    assert lost["revoked_at"] is not None


async def test_one_link_completed_twice_at_once_creates_one_password(app: FastAPI, world: World, place: Place) -> None:
    user_id = await invite(place.http, place.employer)
    token = await link_of(world, user_id)
    answers = await asyncio.gather(*(complete(app, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
    row = (await world.run("SELECT password_version FROM portal_user WHERE id = $1", user_id))[0]
    assert row["password_version"] == 1


async def test_a_weak_password_or_unread_terms_leave_the_link_good(app: FastAPI, world: World, place: Place) -> None:
    user_id = await invite(place.http, place.employer)
    token = await link_of(world, user_id)
    for changes, field in (
        ({"password": "motdepasse123"}, "password"),
        ({"terms_version": None}, "terms_version"),
        ({"terms_version": "1999-01"}, "terms_version"),
    ):
        refused = await complete(app, token, **changes)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert (await complete(app, token)).status_code == 204


async def test_the_password_is_not_made_of_names_addresses_and_companies(
    app: FastAPI, world: World, place: Place
) -> None:
    user_id = await invite(place.http, place.employer)
    refused = await complete(app, await link_of(world, user_id), password="lucie essai hotel des tests")
    assert refused.status_code == 422


async def test_an_existing_user_accepts_in_their_own_session_only(app: FastAPI, world: World, place: Place) -> None:
    elsewhere = await world.employer()
    known = await add_user(world, {elsewhere.company_id: Role.member}, password=PASSWORD)
    stranger = await add_user(world, {elsewhere.company_id: Role.member})
    await invite(place.http, place.employer, known.email, role="administrator")
    token = await link_of(world, known.id)
    assert (await complete(app, token, password="une autre phrase que la sienne")).status_code == 404
    assert (await accept(app, world, stranger, token)).status_code == 404
    async with client(app) as http:
        assert (await http.post(f"{BASE}/invitations/acceptance", json={"token": token})).status_code == 401
        preview = await http.post(f"{BASE}/invitations/preview", json={"token": token})
        assert preview.json()["creates_password"] is False
    assert (await accept(app, world, known, token)).status_code == 204
    assert (await accept(app, world, known, token)).status_code == 404
    row = (await world.run("SELECT code_due, password_version FROM portal_user WHERE id = $1", known.id))[0]
    assert (row["code_due"], row["password_version"]) == ("role_raised", 1)


async def test_a_completed_account_has_the_names_and_the_proof_of_its_invitation(
    app: FastAPI, world: World, place: Place
) -> None:
    user_id = await invite(place.http, place.employer)
    renamed = await place.http.patch(f"{USERS}/{user_id}", json={"first_name": "Lucie-Anne", "last_name": "Essai"})
    assert (renamed.status_code, renamed.json()["first_name"]) == (200, "Lucie-Anne")
    await complete(app, await link_of(world, user_id))
    assert (await world.run("SELECT first_name FROM portal_user WHERE id = $1", user_id))[0][0] == "Lucie-Anne"
    refused = await place.http.patch(f"{USERS}/{user_id}", json={"first_name": "Autre", "last_name": "Nom"})
    assert refused.status_code == 409


async def test_a_person_with_an_account_is_not_renamed_by_who_invites_them(place: Place, world: World) -> None:
    elsewhere = await world.employer()
    known = await add_user(world, {elsewhere.company_id: Role.member})
    await invite(place.http, place.employer, known.email)
    renamed = await place.http.patch(f"{USERS}/{known.id}", json={"first_name": "Autre", "last_name": "Nom"})
    assert (renamed.status_code, renamed.json()["first_name"]) == (200, "Autre")
    assert (await world.run("SELECT first_name FROM portal_user WHERE id = $1", known.id))[0][0] != "Autre"


async def test_a_second_offer_to_somebody_who_created_a_password_meanwhile_is_accepted_in_their_session(
    app: FastAPI, world: World, place: Place
) -> None:
    elsewhere, email = await world.employer(), address()
    user_id = await invite(place.http, place.employer, email)
    first = await link_of(world, user_id)
    async with administrator_of(app, world, elsewhere) as http:
        assert await invite(http, elsewhere, email) == user_id
    second = await link_of(world, user_id)
    assert await notices(world, user_id) == ["invitation", "invitation"]
    assert (await complete(app, first)).status_code == 204
    assert (await complete(app, second)).status_code == 404
    user = TestUser(user_id, UserKind.employer, email)
    assert (await accept(app, world, user, second)).status_code == 204
    assert (await membership(world, user_id, elsewhere.company_id))["accepted_at"] is not None


async def test_a_member_of_staff_creates_a_password_by_the_link_of_a_super_user_only(
    app: FastAPI, world: World
) -> None:
    async def invited_by(role: StaffRole) -> str:
        inviter, invitee = await add_user(world, staff=[role]), await add_user(world, staff=[StaffRole.read])
        invitation_id = uuid4()
        await world.run(
            "INSERT INTO invitation (id, user_id, invited_by, first_name, last_name, token_hash, expires_at)"
            " VALUES ($1, $2, $3, 'Camille', 'Essai', $4, now() + interval '72 hours')",
            invitation_id,
            invitee.id,
            inviter.id,
            link_hash(world.cipher, LinkKind.invitation, invitation_id),
        )
        return link_token(world.cipher, LinkKind.invitation, invitation_id)

    assert (await complete(app, await invited_by(StaffRole.write))).status_code == 404
    token = await invited_by(StaffRole.super)
    async with client(app) as http:
        shown = (await http.post(f"{BASE}/invitations/preview", json={"token": token})).json()
    assert (shown["creates_password"], shown["terms_version"]) == (True, None)
    assert (await complete(app, token, terms_version=None)).status_code == 204


async def test_an_inviter_does_not_see_an_address_that_changed_meanwhile(place: Place, world: World) -> None:
    elsewhere = await world.employer()
    known = await add_user(world, {elsewhere.company_id: Role.member}, password=PASSWORD)
    await invite(place.http, place.employer, known.email)
    await world.run("UPDATE portal_user SET email = $2 WHERE id = $1", known.id, address())
    waiting = (await place.http.get(USERS, params={"state": "invited"})).json()["items"]
    assert [item["email"] for item in waiting] == [known.email]


async def test_what_one_company_takes_away_leaves_the_offer_of_another(
    app: FastAPI, world: World, place: Place
) -> None:
    elsewhere = await world.employer()
    user = await add_user(world, {place.employer.company_id: Role.member})
    async with administrator_of(app, world, elsewhere) as http:
        await invite(http, elsewhere, user.email)
    token = await link_of(world, user.id)
    assert (await place.http.delete(place.at(user.id))).status_code == 204
    assert (await accept(app, world, user, token)).status_code == 204


# --- « renvoyer le lien »


async def test_the_same_link_is_sent_again_while_it_is_valid_and_a_new_one_afterwards(
    app: FastAPI, world: World, place: Place
) -> None:
    user_id = await invite(place.http, place.employer)
    first = await link_of(world, user_id)
    await world.run("DELETE FROM rate_limit")
    assert (await place.http.post(f"{USERS}/{user_id}/invitation")).status_code == 200
    assert await link_of(world, user_id) == first
    await world.run("UPDATE invitation SET expires_at = now() WHERE user_id = $1", user_id)
    await world.run("DELETE FROM rate_limit")
    assert (await place.http.post(f"{USERS}/{user_id}/invitation")).status_code == 200
    second = await link_of(world, user_id)
    assert second != first
    assert await notices(world, user_id) == ["invitation"] * 3
    assert (await complete(app, first)).status_code == 404
    assert (await complete(app, second)).status_code == 204
    assert (await audited(world, user_id)).count("user.resent") == 2


async def test_a_link_is_not_sent_again_within_a_minute_nor_more_than_five_times_a_day(
    place: Place, world: World
) -> None:
    user_id = await invite(place.http, place.employer)
    assert (await place.http.post(f"{USERS}/{user_id}/invitation")).status_code == 429
    pause = "UPDATE rate_limit SET tat = tat - interval '61 seconds'"
    answers = []
    for _ in range(6):
        await world.run(pause)
        answers.append((await place.http.post(f"{USERS}/{user_id}/invitation")).status_code)
    assert answers == [200] * 5 + [429]


async def test_another_administrator_who_sends_the_link_again_answers_for_it(
    app: FastAPI, world: World, place: Place
) -> None:
    inviter = await add_user(world, {place.employer.company_id: Role.administrator})
    async with signed_in(app, world, inviter) as http:
        user_id = await invite(http, place.employer)
    await place.http.delete(place.at(inviter.id))
    token = await link_of(world, user_id)
    assert (await complete(app, token)).status_code == 404
    await world.run("DELETE FROM rate_limit")
    assert (await place.http.post(f"{USERS}/{user_id}/invitation")).status_code == 200
    assert (await complete(app, token)).status_code == 204


async def test_where_nothing_waits_no_link_is_sent(place: Place, world: World) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    assert (await place.http.post(f"{USERS}/{user.id}/invitation")).status_code == 409


# --- changing


async def test_a_raised_role_acts_at_the_next_request_and_asks_for_a_code_at_the_next_sign_in(
    app: FastAPI, world: World, place: Place
) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        assert (await http.get(USERS)).status_code == 403
        assert (await place.http.put(place.at(user.id), json={"role": "administrator"})).status_code == 200
        assert (await http.get(USERS)).status_code == 200
        assert (await place.http.put(place.at(user.id), json={"role": "member"})).status_code == 200
        assert (await http.get(USERS)).status_code == 403
    row = (await world.run("SELECT code_due FROM portal_user WHERE id = $1", user.id))[0]
    assert row["code_due"] == "role_raised"
    assert await notices(world, user.id) == ["rights_changed", "rights_changed"]
    assert await audited(world, user.id) == ["user.role", "user.role"]


async def test_a_suspension_on_the_only_company_ends_sessions_browsers_and_links(
    app: FastAPI, world: World, place: Place
) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    await world.run("INSERT INTO trusted_device (user_id, token_hash, browser) VALUES ($1, 'a', 'x')", user.id)
    await world.run(
        "INSERT INTO password_reset (user_id, token_hash, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
        user.id,
        secrets.token_bytes(32),
    )
    async with signed_in(app, world, user) as http:
        assert (await http.get(f"{BASE}/companies")).status_code == 200
        answer = await place.http.put(place.at(user.id), json={"suspended": True})
        assert answer.json()["rights"][0]["state"] == "suspended"
        assert answer.json()["rights"][0]["suspended_why"] == "administrator"
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    assert not await world.run("SELECT FROM trusted_device WHERE user_id = $1 AND revoked_at IS NULL", user.id)
    assert not await world.run("SELECT FROM password_reset WHERE user_id = $1 AND dead_at IS NULL", user.id)
    assert await notices(world, user.id) == ["access_suspended"]


async def test_a_suspension_on_one_of_several_companies_leaves_the_others(
    app: FastAPI, world: World, place: Place
) -> None:
    elsewhere = await world.employer()
    user = await add_user(world, {place.employer.company_id: Role.member, elsewhere.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        await place.http.put(place.at(user.id), json={"suspended": True})
        companies = (await http.get(f"{BASE}/companies")).json()["items"]
    assert [company["siren"] for company in companies] == [elsewhere.siren]


async def test_a_reactivated_user_is_back_and_is_asked_for_a_code(app: FastAPI, world: World, place: Place) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    await place.http.put(place.at(user.id), json={"suspended": True})
    answer = await place.http.put(place.at(user.id), json={"suspended": False})
    assert answer.json()["rights"][0]["state"] == "active"
    async with signed_in(app, world, user) as http:
        assert len((await http.get(f"{BASE}/companies")).json()["items"]) == 1
    assert (await world.run("SELECT code_due FROM portal_user WHERE id = $1", user.id))[0][0] == "reactivated"
    assert await notices(world, user.id) == ["access_suspended", "access_reactivated"]
    assert await audited(world, user.id) == ["user.suspended", "user.reactivated"]


async def test_asking_twice_for_the_same_changes_it_once(place: Place, world: World) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    for body in ({"suspended": True}, {"suspended": True}, {"role": "member"}):
        assert (await place.http.put(place.at(user.id), json=body)).status_code == 200
    assert await audited(world, user.id) == ["user.suspended"]


async def test_a_revocation_acts_at_the_next_request_and_kills_what_was_offered(
    app: FastAPI, world: World, place: Place
) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        assert (await place.http.delete(place.at(user.id))).status_code == 204
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    assert (await place.http.delete(place.at(user.id))).status_code == 404
    assert await notices(world, user.id) == ["access_revoked"]
    invited = await invite(place.http, place.employer)
    assert (await place.http.delete(place.at(invited))).status_code == 204
    rows = await world.run("SELECT revoked_at FROM invitation WHERE user_id = $1", invited)
    assert rows[0]["revoked_at"] is not None
    assert await notices(world, invited) == ["invitation"]


async def test_a_company_is_added_to_a_user_by_an_offer(app: FastAPI, world: World) -> None:
    async with two_companies(app, world) as (place, second):
        user = await add_user(world, {place.employer.company_id: Role.member}, password=PASSWORD)
        assert (await place.http.put(place.at(user.id, second), json={"suspended": False})).status_code == 422
        answer = await place.http.put(place.at(user.id, second), json={"role": "member"})
        states = {one["siren"]: one["state"] for one in answer.json()["rights"]}
        assert states == {place.employer.siren: "active", second.siren: "invited"}
        assert await notices(world, user.id) == ["access_offered"]
        assert (await accept(app, world, user, await link_of(world, user.id))).status_code == 204
    assert (await membership(world, user.id, second.company_id))["accepted_at"] is not None


async def test_an_invitation_is_withdrawn_and_not_suspended(place: Place) -> None:
    user_id = await invite(place.http, place.employer)
    assert (await place.http.put(place.at(user_id), json={"suspended": True})).status_code == 409
    assert (await place.http.put(place.at(user_id), json={})).status_code == 422
    changed = await place.http.put(place.at(user_id), json={"role": "administrator"})
    assert changed.json()["rights"][0]["role"] == "administrator"


async def test_nobody_changes_their_own_rights(place: Place, world: World) -> None:
    at = place.at(place.me.id)
    answers = [
        await place.http.put(at, json={"role": "member"}),
        await place.http.put(at, json={"suspended": True}),
        await place.http.delete(at),
        await place.http.delete(f"{USERS}/{place.me.id}/sessions"),
        await place.http.patch(f"{USERS}/{place.me.id}", json={"first_name": "A", "last_name": "B"}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert (await membership(world, place.me.id, place.employer.company_id))["role"] == "administrator"


async def test_a_foreign_user_is_not_found_as_an_unknown_one(place: Place, world: World) -> None:
    elsewhere = await world.employer()
    foreign = await add_user(world, {elsewhere.company_id: Role.member})
    unknown = UUID(int=secrets.randbits(128))
    for method, path, body in (
        ("PUT", "/memberships/{siren}", {"suspended": True}),
        ("PUT", "/memberships/{siren}", {"role": "administrator"}),
        ("DELETE", "/memberships/{siren}", None),
        ("DELETE", "/sessions", None),
        ("POST", "/invitation", None),
        ("PATCH", "", {"first_name": "A", "last_name": "B"}),
    ):
        for siren in (place.employer.siren, elsewhere.siren):
            answers = [
                await place.http.request(method, f"{USERS}/{user_id}{path.format(siren=siren)}", json=body)
                for user_id in (foreign.id, unknown)
            ]
            assert [answer.status_code for answer in answers] == [404, 404], (method, path)
            assert answers[0].content == answers[1].content
    assert (await membership(world, foreign.id, elsewhere.company_id))["suspended_at"] is None


async def test_the_rights_of_ones_own_user_on_a_foreign_company_are_out_of_reach(place: Place, world: World) -> None:
    elsewhere = await world.employer()
    user = await add_user(world, {place.employer.company_id: Role.member, elsewhere.company_id: Role.member})
    for body in ({"suspended": True}, {"role": "administrator"}):
        assert (await place.http.put(place.at(user.id, elsewhere), json=body)).status_code == 404
    assert (await place.http.delete(place.at(user.id, elsewhere))).status_code == 404


async def test_an_administrator_ends_the_sessions_of_a_user(app: FastAPI, world: World, place: Place) -> None:
    user = await add_user(world, {place.employer.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        assert (await place.http.delete(f"{USERS}/{user.id}/sessions")).status_code == 204
        assert (await http.get(f"{BASE}/companies")).status_code == 401
    invited = await invite(place.http, place.employer)
    assert (await place.http.delete(f"{USERS}/{invited}/sessions")).status_code == 409


# --- two administrators at once

LOSING = [{"role": "member"}, {"suspended": True}, None]


@pytest.mark.parametrize("theirs", LOSING, ids=["downgrade", "suspend", "revoke"])
@pytest.mark.parametrize("ours", LOSING, ids=["downgrade", "suspend", "revoke"])
async def test_of_two_administrators_who_remove_each_other_exactly_one_succeeds(
    app: FastAPI, world: World, place: Place, ours: dict[str, Any] | None, theirs: dict[str, Any] | None
) -> None:
    other = await add_user(world, {place.employer.company_id: Role.administrator})

    async def remove(http: httpx2.AsyncClient, user: TestUser, change: dict[str, Any] | None) -> int:
        at = place.at(user.id)
        answer = await (http.delete(at) if change is None else http.put(at, json=change))
        return answer.status_code

    async with signed_in(app, world, other) as http:
        answers = await asyncio.gather(remove(place.http, other, ours), remove(http, place.me, theirs))
    assert sum(status in (200, 204) for status in answers) == 1, answers
    assert sum(status in (401, 403, 404) for status in answers) == 1, answers
    left = await world.run(
        "SELECT FROM membership m WHERE company_id = $1 AND role = 'administrator' AND is_active(m)",
        place.employer.company_id,
    )
    assert len(left) == 1


async def test_a_revocation_at_the_same_moment_wins_over_what_its_user_gives(
    app: FastAPI, world: World, place: Place
) -> None:
    for _ in range(4):
        other = await add_user(world, {place.employer.company_id: Role.administrator})
        asked = invitation(place.employer, role="administrator")
        async with signed_in(app, world, other) as http:
            invited, _ = await asyncio.gather(http.post(USERS, json=asked), place.http.delete(place.at(other.id)))
        if invited.status_code == 201:
            assert (await complete(app, await link_of(world, UUID(invited.json()["id"])))).status_code == 404
        else:
            assert invited.status_code in (401, 403, 404, 422)


async def test_many_administrators_who_remove_one_another_leave_one(app: FastAPI, world: World) -> None:
    employer = await world.employer()
    users = [await add_user(world, {employer.company_id: Role.administrator}) for _ in range(4)]

    async def remove_all_others(me: TestUser) -> None:
        async with signed_in(app, world, me) as http:
            for other in users:
                if other is not me:
                    await http.delete(f"{USERS}/{other.id}/memberships/{employer.siren}")

    await asyncio.gather(*(remove_all_others(user) for user in users))
    left = await world.run(
        "SELECT FROM membership m WHERE company_id = $1 AND role = 'administrator' AND is_active(m)",
        employer.company_id,
    )
    assert len(left) == 1
