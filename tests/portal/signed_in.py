"""Somebody signed in: a browser without scripts, a company of theirs, and pages as they see them in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page

from db.pool import system
from domain.rights import Role
from services.sessions import open_session
from tests.portal.browsing import Browsing
from tests.portal.conftest import SAME_ORIGIN, Served
from tests.portal.looking import narrow_faults
from tests.portal.test_browser import faults, in_the_ordinary_run, looking
from tests.users import HERE, TestUser, add_user, signed_in
from tests.world import Employer, World
from web.cookies import SESSION_OF
from web.csrf import HEADER

# --- over HTTP


@asynccontextmanager
async def browsing(app: FastAPI, world: World, user: TestUser, *, stepped_up: bool = True) -> AsyncIterator[Browsing]:
    """The user's browser: it knows no token but those in the forms."""
    async with signed_in(app, world, user, stepped_up=stepped_up) as http:
        del http.headers[HEADER]
        http.event_hooks = {**http.event_hooks, "request": []}
        http.headers.update(SAME_ORIGIN)
        yield Browsing(http)


@dataclass(frozen=True)
class Place:
    """A company, its user, and their browser."""

    world: World
    app: FastAPI
    employer: Employer
    me: TestUser
    web: Browsing


SomePlace = TypeVar("SomePlace", bound=Place)


@asynccontextmanager
async def placed(kind: type[SomePlace], app: FastAPI, world: World, role: Role) -> AsyncIterator[SomePlace]:
    """A new company, of which the user is this."""
    employer = await world.employer()
    me = await add_user(world, {employer.company_id: role})
    async with browsing(app, world, me) as web:
        yield kind(world, app, employer, me, web)


# --- in a real browser


@dataclass(frozen=True)
class Look:
    """A page as somebody sees it. `press`: the words of a button to press then, which leads to an error."""

    name: str
    user: TestUser
    path: str
    press: str = ""
    status: int = 200


async def enter(context: BrowserContext, world: World, served: Served, user: TestUser) -> None:
    """A new session in this browser, instead of any other."""
    async with system(world.system) as connection:
        opened = await open_session(connection, user.id, user.kind, HERE, stage="open", stepped_up=True)
    await context.clear_cookies()
    await context.add_cookies([{"name": SESSION_OF[user.kind].value, "value": opened.token, "url": served.address}])


async def arrive(page: Page, world: World, served: Served, look: Look) -> None:
    await enter(page.context, world, served, look.user)
    answer = await page.goto(served.address + look.path)
    assert answer is not None
    assert answer.status == look.status, look.name
    assert urlsplit(page.url).path == look.path.partition("?")[0], look.name
    if look.press:
        await unfold(page)
        async with page.expect_navigation():
            await page.locator("main button", has_text=look.press).first.click()
        assert (await page.title()).startswith("Erreur"), look.name
        assert await page.evaluate("document.activeElement.className") == "problems flow", look.name


async def unfold(page: Page) -> None:
    """Opens what a page keeps folded."""
    await page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true; })")


async def looked_at(
    browser: Browser,
    world: World,
    served: Served,
    looks: Iterable[Look],
    *,
    unfolded: bool = False,
    more: Callable[[Page, Look], Awaitable[list[str]]] | None = None,
) -> list[str]:
    """What is wrong with these pages in every look and in a narrow window, and what `more` finds."""
    wrong = []
    async with looking(browser, "light", 390) as context:
        page = await context.new_page()
        for look in in_the_ordinary_run(looks):
            await arrive(page, world, served, look)
            if unfolded:
                await unfold(page)
            found = await more(page, look) if more is not None else []
            wrong += [f"{look.name}: {one}" for one in found + await narrow_faults(page)]
            wrong += await faults(page, look.name)
    return wrong
