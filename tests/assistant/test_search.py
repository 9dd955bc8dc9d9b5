"""Whether people find what they ask for, in their own words: domain/data/faq.toml against questions.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from db import assistant
from db.pool import system
from services.assistant import ENOUGH
from services.faq import load, shipped
from tests.world import World

ASKED = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
LEAST_AMONG_THREE, LEAST_FIRST = 0.96, 0.88


@pytest.fixture(scope="module", autouse=True)
async def entries(world: World) -> None:
    await load(world.system)


async def test_what_is_asked_in_peoples_own_words_is_among_three_answers_and_mostly_the_first(world: World) -> None:
    first, among, missed = 0, 0, []
    async with system(world.system) as connection:
        for one in ASKED["question"]:
            rows = await connection.fetch(assistant.FIND, one["asked"], 3)
            found = [row["slug"] for row in rows]
            first += found[:1] != [] and found[0] in one["wants"]
            if set(found) & set(one["wants"]):
                among += 1
            else:
                missed.append((one["asked"], found))
    many = len(ASKED["question"])
    assert many >= 120
    assert among >= LEAST_AMONG_THREE * many, missed
    assert first >= LEAST_FIRST * many


async def test_what_has_nothing_to_do_with_us_gets_no_answer(world: World) -> None:
    async with system(world.system) as connection:
        for asked in ASKED["unanswerable"]:
            rows = await connection.fetch(assistant.FIND, asked, 1)
            assert all(row["score"] < ENOUGH for row in rows), (asked, rows)


async def test_loading_again_changes_nothing_and_leaves_what_staff_have_edited(world: World) -> None:
    assert await load(world.system) == 0
    await world.run("UPDATE faq_entry SET answer = 'Une autre réponse.' WHERE slug = 'horaires' OR slug = 'abandon'")
    assert await load(world.system) == 1, "a release corrects what nobody has edited"
    await world.run("UPDATE faq_entry SET answer = 'Celle d’un gestionnaire.', edited = true WHERE slug = 'abandon'")
    assert await load(world.system) == 0
    await world.run("UPDATE faq_entry SET edited = false WHERE slug = 'abandon'")
    assert await load(world.system) == 1


def test_the_answers_say_the_figures_of_the_policy() -> None:
    entries = shipped()
    assert len(entries) >= 60
    assert "5 et 12 jours après l’e-mail" in entries["relances-automatiques"].answer
    assert "60 jours après le dernier signe" in entries["abandon"].answer
    assert not any("{" in one.answer for one in entries.values())
