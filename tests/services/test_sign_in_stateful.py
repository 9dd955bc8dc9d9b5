"""Signing in, codes, blocks and resets in any order and at any time, against a plain model of the rules.

`STATEFUL=<examples>` (make stateful) asks for more than the ordinary run does. Abuse limits per address and number are
emptied before each step: they have tests of their own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from api.app import create_app
from composition import passwords
from db import sessions, sign_in
from tests.signing_in import Browser, browser, codes, other_code
from tests.users import PASSWORD, TestUser, add_user
from tests.world import World, new_mobile

EXAMPLES = int(os.environ.get("STATEFUL", "0"))
PASSWORDS = (PASSWORD, "cinq tartes dans le four rouge")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NEVER = -1e12
BROWSERS = st.sampled_from([0, 1])


# --- the model


@dataclass
class Sent:
    """A challenge. `code`: None while no message of it has left."""

    issued: float
    sent: float = NEVER
    tries: int = 0
    used: bool = False
    code: str | None = None

    def alive(self, now: float) -> bool:
        return not self.used and self.tries < 5 and now - self.issued < 10 * MINUTE


@dataclass
class Open:
    """A session; not yet `inside` while its code is asked."""

    inside: bool
    began: float
    seen: float
    challenges: dict[str, Sent] = field(default_factory=dict)

    def alive(self, now: float) -> bool:
        return now - self.seen < 30 * MINUTE and now - self.began < 12 * HOUR


@dataclass
class Side:
    """One browser, at an address of its own."""

    trusted: bool = False
    known_address: bool = False
    failures: int = 0
    blocked_until: float = NEVER
    session: Open | None = None


@dataclass
class Model:
    sides: tuple[Side, Side] = field(default_factory=lambda: (Side(), Side()))
    password: int = 0
    failures: int = 0
    blocks: int = 0
    blocked_until: float = NEVER
    last_sign_in: float | None = None
    reset_since: bool = False
    wrong_codes: list[float] = field(default_factory=list)
    codes_blocked_until: float = NEVER
    told_of_limit: int = 0

    def reasons(self, side: Side, now: float) -> set[str]:
        found = set()
        if not side.trusted:
            found.add("new_browser")
        if not side.known_address:
            found.add("unknown_address")
        if self.last_sign_in is None:
            found.add("first_sign_in")
        elif now - self.last_sign_in > 92.5 * DAY:
            found.add("long_absence")
        if self.reset_since:
            found.add("password_reset")
        if self.failures + 10 * self.blocks + (side.failures if side.trusted else 0) >= 3:
            found.add("failed_passwords")
        return found

    def wrong_password(self, side: Side, now: float) -> None:
        if side.trusted:
            side.failures += 1
            if side.failures % 10 == 0:
                side.blocked_until = now + min(15 * MINUTE * 2 ** (side.failures // 10 - 1), DAY)
            return
        self.failures += 1
        if self.failures == 10:
            self.blocked_until = now + min(15 * MINUTE * 2**self.blocks, DAY)
            self.failures, self.blocks = 0, self.blocks + 1

    def signed_in(self, side: Side, now: float) -> None:
        self.last_sign_in, self.reset_since, self.failures, self.blocks = now, False, 0, 0
        side.trusted, side.known_address, side.failures, side.blocked_until = True, True, 0, NEVER

    def window_is_full(self, now: float) -> bool:
        windows = ((5, 5 * MINUTE), (20, HOUR), (50, DAY))
        return any(sum(now - at < seconds for at in self.wrong_codes) >= most for most, seconds in windows)

    def moments(self) -> list[tuple[float, tuple[float, ...]]]:
        """When something happened, and the ages at which this begins to mean something else."""
        found: list[tuple[float, tuple[float, ...]]] = [
            (until, (0.0,)) for until in (self.blocked_until, self.codes_blocked_until)
        ]
        found += [(at, (5 * MINUTE, HOUR, DAY)) for at in self.wrong_codes]
        for side in self.sides:
            found.append((side.blocked_until, (0.0,)))
            if side.session is not None:
                found.append((side.session.seen, (MINUTE, 30 * MINUTE)))
                found.append((side.session.began, (12 * HOUR,)))
                for sent in side.session.challenges.values():
                    found += [(sent.issued, (10 * MINUTE,)), (sent.sent, (30.0,))]
        return found


# --- the system beside it

SHIFT = [
    "UPDATE portal_user SET blocked_until = blocked_until - {0}, code_blocked_until = code_blocked_until - {0},"
    " last_signed_in_at = last_signed_in_at - {0} WHERE id = $1",
    "UPDATE trusted_device SET blocked_until = blocked_until - {0}, seen_at = seen_at - {0} WHERE user_id = $1",
    "UPDATE portal_session SET seen_at = seen_at - {0}, expires_at = expires_at - {0} WHERE user_id = $1",
    "UPDATE challenge SET issued_at = issued_at - {0}, sent_at = sent_at - {0} WHERE user_id = $1",
    "UPDATE wrong_code SET at = at - {0} WHERE user_id = $1",
]


@dataclass(frozen=True)
class Scene:
    app: FastAPI
    world: World
    loop: asyncio.AbstractEventLoop
    hashes: tuple[str, ...]


class SigningIn(RuleBasedStateMachine):
    scene: ClassVar[Scene]
    browsers: tuple[Browser, Browser]

    def run(self, awaitable: Awaitable[Any]) -> Any:
        return self.scene.loop.run_until_complete(awaitable)

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.moved = 0.0
        self.stack = AsyncExitStack()

        async def open_both() -> None:
            self.user: TestUser = await add_user(self.scene.world, phone=new_mobile())
            await self.query("UPDATE portal_user SET password_hash = $2 WHERE id = $1", self.scene.hashes[0])
            one, other = [
                await self.stack.enter_async_context(browser(self.scene.app, self.scene.world)) for _ in range(2)
            ]
            self.browsers = (one, other)

        self.run(open_both())

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.run(self.stack.aclose())

    async def query(self, text: str, *arguments: object) -> list[Any]:
        return await self.scene.world.run(text, self.user.id, *arguments)

    def now(self) -> float:
        return time.monotonic() + self.moved

    async def move(self, seconds: float) -> None:
        for text in SHIFT:
            await self.query(text.format(f"make_interval(secs => {seconds})"))
        self.moved += seconds

    async def ready(self) -> float:
        """Now, when nothing is about to change by itself; no limit of an address or a number in the way."""
        await self.scene.world.run("DELETE FROM rate_limit")
        while self.changing(self.now()):
            await self.move(13)
        return self.now()

    def changing(self, now: float) -> bool:
        last = self.model.last_sign_in
        if last is not None and 88 * DAY < now - last < 93 * DAY:
            return True
        return any(-1 < age - (now - at) < 10 for at, ages in self.model.moments() for age in ages)

    def session_of(self, which: int, now: float) -> Open | None:
        """The session that a request of this browser would be made in; the request keeps it going."""
        session = self.model.sides[which].session
        if session is None or not session.alive(now):
            return None
        if now - session.seen > MINUTE:
            session.seen = now
        return session

    # --- what people do

    @rule(which=BROWSERS, right=st.booleans())
    def sign_in(self, which: int, right: bool) -> None:
        self.run(self._sign_in(which, right))

    @rule(which=BROWSERS, times=st.integers(2, 9))
    def guess(self, which: int, times: int) -> None:
        for _ in range(times):
            self.run(self._sign_in(which, right=False))

    async def _sign_in(self, which: int, right: bool) -> None:
        model, side, now = self.model, self.model.sides[which], await self.ready()
        password = PASSWORDS[model.password if right else 1 - model.password]
        answer = await self.browsers[which].sign_in(self.user, password)
        if now < (side.blocked_until if side.trusted else model.blocked_until):
            assert answer.status_code == 401
            return
        if not right:
            assert answer.status_code == 401
            model.wrong_password(side, now)
            return
        assert answer.status_code == 200, answer.text
        reasons = model.reasons(side, now)
        assert (set(answer.json()["reasons"]), answer.json()["stage"]) == (reasons, "code" if reasons else "open")
        side.session = Open(not reasons, now, now)
        if not reasons:
            model.signed_in(side, now)

    @rule(which=BROWSERS, rounds=st.integers(1, 3), seconds=st.sampled_from([911.0, 1_811.0, 3_607.0]))
    def guess_for_long(self, which: int, rounds: int, seconds: float) -> None:
        """Until they are blocked, again and again."""
        for _ in range(rounds):
            for _ in range(10):
                self.run(self._sign_in(which, right=False))
            self.run(self.move(seconds))
        self.run(self._sign_in(which, right=True))

    @rule(which=BROWSERS)
    def ask_code(self, which: int) -> None:
        self.run(self._ask_code(which))

    async def _ask_code(self, which: int) -> None:
        now, number = await self.ready(), self.user.phone or ""
        before = await codes(self.scene.world, number)
        answer = await self.browsers[which].ask_code()
        received = (await codes(self.scene.world, number))[len(before) :]
        session = self.session_of(which, now)
        if session is None:
            assert (answer.status_code, received) == (401, [])
            return
        assert answer.status_code == 202, answer.text
        purpose = "step_up" if session.inside else "sign_in"
        sent = session.challenges.get(purpose)
        if sent is None or not sent.alive(now):
            sent = session.challenges[purpose] = Sent(now)
        if now - sent.sent < 30:
            assert received == []
            return
        sent.sent = now
        if now < self.model.codes_blocked_until:
            assert received == []
            return
        assert len(received) == 1
        assert sent.code in (None, received[0]), "the same code while it is valid"
        sent.code = received[0]

    @rule(which=BROWSERS, right=st.booleans())
    def answer(self, which: int, right: bool) -> None:
        self.run(self._answer(which, right))

    @rule(which=BROWSERS, times=st.integers(2, 6))
    def guess_code(self, which: int, times: int) -> None:
        for _ in range(times):
            self.run(self._answer(which, right=False))

    async def _answer(self, which: int, right: bool) -> None:
        model, now = self.model, await self.ready()
        session = self.session_of(which, now)
        purpose = "step_up" if session is not None and session.inside else "sign_in"
        sent = session.challenges.get(purpose) if session is not None else None
        code = sent.code if sent is not None else None
        typed = code if right and code is not None else other_code(code) if code is not None else "no code"
        answer = await self.browsers[which].answer(typed)
        if session is None:
            assert answer.status_code == 401
        elif now < model.codes_blocked_until:
            assert answer.status_code == 422
        elif model.window_is_full(now):
            assert answer.status_code == 422
            model.codes_blocked_until = now + HOUR
            model.told_of_limit += 1
        elif sent is not None and typed == code and sent.alive(now):
            assert answer.status_code == 200, answer.text
            sent.used = True
            session.seen = now
            if not session.inside:
                session.inside, session.began = True, now
                model.signed_in(model.sides[which], now)
        else:
            assert answer.status_code == 422
            model.wrong_codes.append(now)
            if sent is not None and typed != code:
                sent.tries += 1

    @rule(which=BROWSERS)
    def sign_in_completely(self, which: int) -> None:
        """As people do it: the long way round would rarely be found."""
        self.run(self._sign_in(which, right=True))
        session = self.model.sides[which].session
        if session is not None and not session.inside:
            self.run(self._ask_code(which))
            self.run(self._answer(which, right=True))

    @rule(which=BROWSERS, wrong=st.sampled_from([0, 1, 5, 6]), seconds=st.sampled_from([31.0, 302.0, 611.0, 3_300.0]))
    def answer_late(self, which: int, wrong: int, seconds: float) -> None:
        """A code asked for, some wrong ones, a while, and the right one."""
        session = self.model.sides[which].session
        if session is None or not session.alive(self.now()):
            self.run(self._sign_in(which, right=True))
        self.run(self._ask_code(which))
        for _ in range(wrong):
            self.run(self._answer(which, right=False))
        self.run(self.move(seconds))
        self.run(self._answer(which, right=True))

    @rule(which=BROWSERS)
    def sign_out(self, which: int) -> None:
        answer = self.run(self.browsers[which].http.delete("/api/v1/sessions/current"))
        assert answer.status_code == 204
        self.model.sides[which].session = None

    @rule()
    def reset_the_password(self) -> None:
        self.run(self._reset())

    async def _reset(self) -> None:
        model = self.model
        model.password = 1 - model.password
        await self.query(
            "UPDATE portal_user SET password_hash = $2, password_version = password_version + 1, failures = 0,"
            " blocks = 0, blocked_until = NULL, code_due = 'password_reset' WHERE id = $1",
            self.scene.hashes[model.password],
        )
        await self.query(sign_in.REVOKE_DEVICES)
        await self.query(sessions.CLOSE_ALL)
        model.failures, model.blocks, model.blocked_until, model.reset_since = 0, 0, NEVER, True
        for side in model.sides:
            side.session, side.trusted, side.failures, side.blocked_until = None, False, 0, NEVER

    @rule(seconds=st.sampled_from([31.0, 77.0, 302.0, 611.0, 911.0, 1_811.0, 3_607.0, 44_000.0, 90_000.0, 93 * DAY]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.move(seconds))

    # --- what always holds

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        if hasattr(self, "browsers"):
            self.run(self._compare())

    async def _compare(self) -> None:
        model, now = self.model, await self.ready()
        row = (
            await self.query(
                "SELECT failures, blocks, coalesce(blocked_until > now(), false) AS blocked, code_due,"
                " coalesce(code_blocked_until > now(), false) AS code_blocked,"
                " (SELECT count(*) FROM wrong_code WHERE user_id = u.id) AS wrong_codes,"
                " (SELECT count(*) FROM notice WHERE user_id = u.id AND kind = 'code_limit') AS told,"
                " (SELECT count(*) FROM trusted_device WHERE user_id = u.id AND revoked_at IS NULL) AS devices"
                " FROM portal_user u WHERE id = $1"
            )
        )[0]
        assert dict(row) == {
            "failures": model.failures,
            "blocks": model.blocks,
            "blocked": now < model.blocked_until,
            "code_due": "password_reset" if model.reset_since else None,
            "code_blocked": now < model.codes_blocked_until,
            "wrong_codes": len(model.wrong_codes),
            "told": model.told_of_limit,
            "devices": sum(side.trusted for side in model.sides),
        }
        for which, side in enumerate(model.sides):
            inside = await self.browsers[which].is_inside()
            session = side.session
            assert inside is (session is not None and session.inside and session.alive(now))
            self.session_of(which, now)  # the request has kept it going


@pytest.fixture
async def scene(world: World) -> AsyncIterator[Scene]:
    """With hashes that cost little: what they cost is measured elsewhere."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    own = passwords(world.config)
    own._hasher = cheap
    hashes = tuple([await own.hash(one) for one in PASSWORDS])
    application = create_app(world.config, world.client)
    async with application.router.lifespan_context(application):
        application.state.parts.tools.passwords._hasher = cheap
        yield Scene(application, world, asyncio.get_running_loop(), hashes)


def test_signing_in_keeps_to_its_model(scene: Scene) -> None:
    run_state_machine_as_test(
        type("SigningInHere", (SigningIn,), {"scene": scene}),
        settings=settings(
            max_examples=EXAMPLES or 2,
            stateful_step_count=40 if EXAMPLES else 25,
            deadline=None,
            derandomize=not EXAMPLES,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # in real time nothing is the same twice, which shrinking needs
        ),
    )
