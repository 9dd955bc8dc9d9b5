"""The newcomer's way of the README's tour, from an unopened space to an insured person, in a browser."""

from __future__ import annotations

import re
import secrets

from fastapi import FastAPI
from playwright.async_api import Browser

from domain.synthetic import synthetic_mobile
from settings import ROOT
from tests.portal.conftest import Served
from tests.tour.walk import Camera, Newcomer, Space
from tests.world import World


async def test_a_newcomer_opens_a_space_declares_somebody_and_sees_them_insured(
    app: FastAPI, served: Served, browser: Browser, world: World
) -> None:
    employer = await world.employer()
    (company,) = await world.run("SELECT insurer_reference FROM company WHERE id = $1", employer.company_id)
    camera = Camera()
    space = Space(
        employer.siret,
        company["insurer_reference"],
        f"noe.{secrets.token_hex(4)}@exemple.fr",
        synthetic_mobile(secrets.randbelow(9000)),
    )
    await Newcomer(browser, served.address, camera).tell(space)
    shown = re.findall(r"\(tour/([^)]+)\.png\)", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))
    assert shown == [f"{number:02}-{name}" for number, name in enumerate(camera.seen, 1)]
