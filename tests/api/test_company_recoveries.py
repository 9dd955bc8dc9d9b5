"""A company whose administrator has gone (issue 4; peers.md P12, P13)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from activities.company_recovery import RecoveryDesk
from domain.company_recovery import RecoveryState
from domain.rights import Role
from gateways.letter_codes import format_code, parse_code
from messages.terms import current_terms
from tests.activating import (
    BASE,
    PASSWORD,
    administrators,
    audited,
    company,
    contact_of,
    link_of,
    notices,
    reference,
    somebody,
)
from tests.api.test_activations import of
from tests.noticing import engine as notices_engine
from tests.recovering import ASKS, Recovery, begun, orphaned
from tests.users import add_user, signed_in
from tests.world import Employer, World, earlier

RECOVERIES = f"{BASE}/company-recoveries"
S = RecoveryState


async def request(world: World, employer: Employer, **changes: str) -> dict[str, str]:
    who = {"first_name": "Claude", "last_name": "Repreneur", "email": ASKS}
    return {**await reference(world, employer), **who, **changes}


async def ask(app: FastAPI, filled: dict[str, str]) -> httpx2.Response:
    async with somebody(app) as http:
        return await http.post(RECOVERIES, json=filled)


async def asked_of(world: World, employer: Employer) -> list[Any]:
    return await world.run("SELECT * FROM company_recovery WHERE company_id = $1", employer.company_id)


async def enter(app: FastAPI, code: str) -> httpx2.Response:
    async with somebody(app) as http:
        return await http.post(f"{RECOVERIES}/code", json={"code": code})


async def object_by(app: FastAPI, token: str) -> httpx2.Response:
    async with somebody(app) as http:
        return await http.post(f"{RECOVERIES}/stop", json={"token": token})


def another(code: str) -> str:
    """A well-formed code whose secret is wrong."""
    parsed = parse_code(code)
    assert parsed is not None
    selector, secret = parsed
    return format_code(selector, ("1" if secret[0] == "0" else "0") + secret[1:])


# --- asking


async def test_a_request_sends_a_letter_and_tells_whoever_may_object(app: FastAPI, world: World) -> None:
    employer, gone = await orphaned(world)
    answer = await ask(app, await request(world, employer))
    assert answer.status_code == 202
    recovery = Recovery(world, employer, (await asked_of(world, employer))[0]["id"])
    await recovery.until_posted()
    told = await notices(world, employer, "recovery_told", count=2)
    assert {notice["goes_to"] for notice in told} == {gone.email, contact_of(employer)}
    assert (await notices(world, employer, "recovery_letter"))[0]["medium"] == "post"
    assert await audited(world, employer) == ["company.recovery_requested"]


async def test_whoever_asks_for_whatever_company_gets_the_same_answer(app: FastAPI, world: World) -> None:
    possible, _ = await orphaned(world)
    never, closed, homeless = await company(world), (await orphaned(world))[0], await world.employer()
    await world.run(
        "UPDATE company SET closed_on = (now() AT TIME ZONE 'Europe/Paris')::date WHERE id = $1", closed.company_id
    )
    await add_user(world, {homeless.company_id: Role.administrator})
    filled = [
        await request(world, possible),
        await request(world, never),
        await request(world, closed),
        await request(world, homeless),
        await request(world, possible, siret="99900000300015"),
        await request(world, possible, insurer_reference="K9999999999"),
        await request(world, possible),  # one is open already
    ]
    answers = [of(await ask(app, one)) for one in filled]
    assert answers[0][0] == 202
    assert len(set(map(str, answers))) == 1, answers
    counts = [len(await asked_of(world, employer)) for employer in (possible, never, closed, homeless)]
    assert counts == [1, 0, 0, 0]


async def test_asked_three_times_at_once_there_is_one(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    filled = await request(world, employer)
    answers = await asyncio.gather(*(ask(app, filled) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len(await asked_of(world, employer)) == 1


async def test_a_siret_is_asked_for_three_times_a_day_and_an_address_asks_ten_times_an_hour(
    app: FastAPI, world: World
) -> None:
    employer, _ = await orphaned(world)
    filled = await request(world, employer)
    assert [(await ask(app, filled)).status_code for _ in range(4)] == [202, 202, 202, 429]
    others = [await request(world, await world.employer()) for _ in range(11)]
    async with somebody(app) as http:
        answers = [(await http.post(RECOVERIES, json=one)).status_code for one in others]
    assert answers == [202] * 10 + [429]


# --- the code


async def test_the_code_of_the_letter_begins_a_week_in_which_anybody_may_object(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    code = await recovery.code()
    answer = await enter(app, code.lower().replace("-", " "))
    assert answer.status_code == 200, answer.text
    assert "Sans opposition" in answer.json()["detail"]
    assert await recovery.state() is S.code_entered
    assert (await enter(app, code)).status_code == 404, "it was used"
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted


async def test_every_code_that_does_not_go_gets_the_same_answer(app: FastAPI, world: World) -> None:
    used, _ = await orphaned(world)
    recovery = await begun(world, used)
    code = await recovery.code()
    assert (await enter(app, code)).status_code == 200
    old, _ = await orphaned(world)
    late = await (await begun(world, old)).code()
    await world.run(
        f"UPDATE notice SET created_at = {earlier('created_at', '31')} WHERE company_id = $1", old.company_id
    )
    ended, _ = await orphaned(world)
    over = await begun(world, ended)
    stopped = await over.code()
    await world.run("UPDATE company_recovery SET state = 'stopped' WHERE id = $1", over.id)
    wrong, _ = await orphaned(world)
    secret = await (await begun(world, wrong)).code()
    answers = [
        of(await enter(app, typed))
        for typed in (code, late, stopped, another(secret), "0000-0000-0000-00000", "n’importe quoi", "")
    ]
    assert answers[0][0] == 404
    assert len(set(map(str, answers))) == 1, answers


async def test_after_five_wrong_codes_the_right_one_is_refused_for_an_hour(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    code = await recovery.code()
    for _ in range(5):
        assert (await enter(app, another(code))).status_code == 404
    assert (await enter(app, code)).status_code == 404
    rows = await world.run("SELECT selector, failures FROM office_code WHERE company_id = $1", employer.company_id)
    key = world.cipher.blind_index(rows[0]["selector"], "limit.office_code")
    await world.run("UPDATE rate_limit SET tat = tat - interval '1 hour' WHERE key = $1", key)
    assert (await enter(app, code)).status_code == 200


async def test_after_twenty_wrong_codes_it_is_dead(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    await world.run("UPDATE office_code SET failures = 19 WHERE company_id = $1", employer.company_id)
    code = await recovery.code()
    assert (await enter(app, another(code))).status_code == 404
    assert (await enter(app, code)).status_code == 404
    rows = await world.run("SELECT dead_at FROM office_code WHERE company_id = $1", employer.company_id)
    assert rows[0]["dead_at"] is not None


async def test_an_address_tries_ten_codes_an_hour(app: FastAPI) -> None:
    async with somebody(app) as http:
        answers = [await http.post(f"{RECOVERIES}/code", json={"code": "0000-0000-0000-00000"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [404] * 10 + [429]


async def test_one_code_in_twenty_parallel_requests_counts_once(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    code = await recovery.code()
    answers = await asyncio.gather(*(enter(app, code) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {200, 404, 503}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert (await audited(world, employer)).count("company.recovery_code_entered") == 1
    assert await recovery.state() is S.code_entered


# --- objecting


@pytest.mark.parametrize("entered", [False, True], ids=["waiting for the code", "waiting for objections"])
async def test_whoever_is_told_stops_it_by_their_link(app: FastAPI, world: World, entered: bool) -> None:
    employer, gone = await orphaned(world)
    recovery = await begun(world, employer)
    if entered:
        await recovery.enter_code()
    for notice in (await notices(world, employer, "recovery_told", count=2))[:2]:
        assert (await object_by(app, await link_of(world, notice))).status_code == 204
    assert await recovery.ended() is S.stopped
    assert (await notices(world, employer, "recovery_stopped"))[0]["goes_to"] == ASKS
    assert (await audited(world, employer)).count("company.recovery_stopped") == 1
    assert await administrators(world, employer) == [gone.email]


async def test_an_unknown_link_and_one_that_comes_too_late_get_the_same_answer(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    stop = await link_of(world, (await notices(world, employer, "recovery_told"))[0])
    await recovery.enter_code()
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted
    late, unknown = await object_by(app, stop), await object_by(app, "x" * 43)
    assert of(late) == of(unknown)
    assert late.status_code == 404
    assert await recovery.state() is S.granted


async def test_an_objection_at_the_moment_of_the_grant_comes_before_it_or_too_late(app: FastAPI, world: World) -> None:
    for _ in range(4):
        employer, _gone = await orphaned(world)
        recovery = await begun(world, employer)
        await recovery.enter_code()
        stop = await link_of(world, (await notices(world, employer, "recovery_told"))[0])
        desk = RecoveryDesk(world.system, world.cipher, notices_engine(world))
        ended, answer = await asyncio.gather(desk.grant(str(recovery.id)), object_by(app, stop))
        offered = await world.run(
            "SELECT FROM membership WHERE company_id = $1 AND accepted_at IS NULL", employer.company_id
        )
        assert (ended.state, answer.status_code, len(offered)) in [(S.granted, 404, 1), (S.stopped, 204, 0)]
        assert await recovery.state() is ended.state


async def test_an_administrator_sees_who_asks_and_objects(app: FastAPI, world: World) -> None:
    employer, administrator = await orphaned(world)
    recovery = await begun(world, employer)
    await recovery.enter_code()
    async with signed_in(app, world, administrator, stepped_up=False) as http:
        listed = (await http.get(RECOVERIES)).json()["items"]
        assert [(one["id"], one["last_name"], one["state"]) for one in listed] == [
            (str(recovery.id), "Repreneur", "code_entered")
        ]
        assert listed[0]["grant_at"] is not None
        assert (await http.delete(f"{RECOVERIES}/{recovery.id}")).status_code == 204
        assert (await http.get(RECOVERIES)).json()["items"] == []
        assert (await http.delete(f"{RECOVERIES}/{recovery.id}")).status_code == 204
    assert await recovery.ended() is S.stopped
    rows = await asked_of(world, employer)
    assert rows[0]["stopped_by"] == str(administrator.id)


async def test_nobody_else_sees_or_stops_it(app: FastAPI, world: World) -> None:
    employer, _ = await orphaned(world)
    recovery = await begun(world, employer)
    stranger = await add_user(world, {(await world.employer()).company_id: Role.administrator})
    member = await add_user(world, {employer.company_id: Role.member})
    async with signed_in(app, world, stranger) as http:
        assert (await http.get(RECOVERIES)).json()["items"] == []
        foreign = await http.delete(f"{RECOVERIES}/{recovery.id}")
        unknown = await http.delete(f"{RECOVERIES}/{uuid4()}")
        assert of(foreign) == of(unknown)
        assert foreign.status_code == 404
    async with signed_in(app, world, member) as http:
        assert (await http.get(RECOVERIES)).status_code == 403
        assert (await http.delete(f"{RECOVERIES}/{recovery.id}")).status_code == 403
    async with somebody(app) as http:
        assert (await http.get(RECOVERIES)).status_code == 401
    assert await recovery.state() is S.letter_sent


async def test_the_invitation_that_follows_opens_the_company(app: FastAPI, world: World) -> None:
    """The whole of it, where nobody objects."""
    employer, gone = await orphaned(world)
    asks = "reprise.entiere@exemple.fr"
    assert (await ask(app, await request(world, employer, email=asks))).status_code == 202
    recovery_id: UUID = (await asked_of(world, employer))[0]["id"]
    recovery = Recovery(world, employer, recovery_id)
    await recovery.until_posted()
    assert (await enter(app, await recovery.code())).status_code == 200
    await recovery.advance_days(8)
    assert await recovery.ended() is S.granted
    granted = (await notices(world, employer, "recovery_granted"))[0]
    invited = {"token": await link_of(world, granted), "password": PASSWORD, "terms_version": current_terms().version}
    async with somebody(app) as http:
        answer = await http.post(f"{BASE}/invitations/completion", json=invited)
        assert answer.status_code == 204, answer.text
    assert await administrators(world, employer) == sorted([asks, gone.email])
