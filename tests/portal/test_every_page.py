"""What must hold of every page of somebody signed in, wherever it is: large text, a narrow window, the keyboard alone.

A few pages in the ordinary run, all of them with `make long`; each area's own tests look at its states and colours.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from domain.rights import StaffRole
from services.fields import today
from tests.portal.conftest import Served
from tests.portal.looking import keyboard_walk, large_text_faults, layout_shift, narrow_faults
from tests.portal.signed_in import enter
from tests.portal.test_browser import faults, looking
from tests.portal.test_query_counts import EMPLOYERS, FEW, STAFFS, Place, place
from tests.users import add_user
from tests.world import World

__all__ = ["place"]  # a fixture

SOME = {
    *("/espace", "/salaries/suivi", "/salaries/suivi/{affiliation}", "/salaries/pre-affiliation", "/contrats"),
    *("/gestion", "/gestion/a-traiter", "/gestion/dossiers/{affiliation}"),
}
ALL = [*EMPLOYERS, *STAFFS]


@pytest.mark.parametrize("which", ["some", pytest.param("all", marks=pytest.mark.long)])
async def test_every_page_holds_large_text_a_narrow_window_and_the_keyboard(
    place: Place, world: World, served: Served, browser: Browser, which: str
) -> None:
    await place.grow(FEW)
    staff = await add_user(world, staff=list(StaffRole))
    wrong = []
    for user, pages in ((place.me, EMPLOYERS), (staff, STAFFS)):
        async with looking(browser, "light", 1280) as context:
            await enter(context, world, served, user)
            page = await context.new_page()
            for path in pages:
                if which == "some" and path not in SOME:
                    continue
                answer = await page.goto(served.address + path.format(**place.known))
                assert answer is not None
                assert answer.status == 200, path
                # first, as the looks that follow resize what they look at
                found = ["something moves while it loads"] if await layout_shift(page) else []
                found += await narrow_faults(page) + await large_text_faults(page) + await keyboard_walk(page)
                if which == "all":
                    found += await faults(page, path)
                wrong += [f"{path}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


async def tab_to(page: Page, control: str) -> None:
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == control:
            return
    raise AssertionError(f"the keyboard does not reach {control}")


async def test_with_the_keyboard_alone_somebody_is_declared(
    place: Place, world: World, served: Served, browser: Browser
) -> None:
    async with looking(browser, "light", 1280) as context:
        await enter(context, world, served, place.me)
        page = await context.new_page()
        await page.goto(f"{served.address}/salaries/pre-affiliation?siret={place.employer.siret}")
        for control, typed in {
            "nir": "2 75 06 75 990 002 96",
            "birth_name": "Clavier",
            "first_names": "Camille",
            "birth_date": "12/06/1975",
            "hired_on": f"{today():%d/%m/%Y}",
            "contract_kind": "CDI",
            "email": "camille.clavier@exemple.fr",
            "line1": "12 rue des Lilas",
            "postcode": "75011",
            "city": "Paris",
        }.items():
            await tab_to(page, control)
            await page.keyboard.type(typed)
            if control in ("nir", "contract_kind"):  # the choices that follow: the first, then the next of its group
                for _ in range(1 if control == "nir" else 2):
                    await page.keyboard.press("Tab")
                    await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Vérifiez, puis confirmez").wait_for()
        for _ in range(80):
            await page.keyboard.press("Tab")
            if "Confirmer et envoyer" in await page.evaluate("document.activeElement.innerText"):
                break
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Suivre cette affiliation").wait_for()
