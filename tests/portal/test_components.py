"""The sheet of components: everything that pages are made of, in every state, and right in every look."""

from __future__ import annotations

import re

import httpx2
from playwright.async_api import Browser

from messages import words
from portal.component_sheet import SECTIONS
from portal.icons import ICONS
from tests.portal.conftest import Served
from tests.portal.looking import (
    hosts_asked,
    html_faults,
    keyboard_walk,
    large_text_faults,
    layout_shift,
    narrow_faults,
    page_faults,
)
from tests.portal.test_browser import faults, looking

SHEET = "/dev/composants"


async def test_every_component_is_on_the_sheet(pages: httpx2.AsyncClient) -> None:
    assert f'href="{SHEET}"' in (await pages.get("/dev")).text
    sheet = (await pages.get(SHEET)).text
    for section in SECTIONS:
        assert f'<section class="part" id="{section}"' in sheet, section
        assert f'href="#{section}"' in sheet
    for code in (*words.STATUSES, *words.MESSAGE_STATES):
        assert f'class="status {code}"' in sheet, code
    for name in ICONS:
        assert f"<code>{name}</code>" in sheet, name
    for colour in ("--accent", "--danger-well", "--chart-5"):
        assert f"<code>{colour}</code>" in sheet
    assert sheet.count('aria-invalid="true"') >= 3


async def test_the_sheet_is_right_in_every_look(served: Served, browser: Browser) -> None:
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()
        hosts = hosts_asked(page)
        await page.goto(served.address + SHEET)
        assert await layout_shift(page) == 0
        wrong = await faults(page, "sheet") + await narrow_faults(page) + await large_text_faults(page)
        await page.set_viewport_size({"width": 1280, "height": 900})
        wrong += await keyboard_walk(page)
        assert not wrong
        assert hosts == {served.address.removeprefix("http://")}


# --- the checks themselves

PAGE = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>Essai – Espace Entreprise Santé</title></head>
<body><main><h1>Essai</h1>{}</main></body></html>"""


def test_a_right_page_has_no_fault_and_is_read_once() -> None:
    right = (
        '<p><a href="#n">Nom</a></p><label for="n">Nom <span>(facultatif)</span></label><input id="n" type="text">'
        '<label for="c"><input type="checkbox" id="c"> <span>Oui</span></label><h2>Deux</h2><h3>Trois</h3><h2>Deux</h2>'
    )
    assert html_faults(PAGE.format(right)) == []
    assert page_faults(PAGE.format(right)) == page_faults(PAGE.format(right.replace("Nom", "Âge"))) == []
    assert page_faults(PAGE.format(right.replace('for="n"', 'for="m"'))), "what differs in more is read"


def test_what_a_validator_finds_is_found() -> None:
    faulty = {
        "<p>un<div>deux</div></p>": "Unexpected end tag",
        "<b><i>x</b></i>": "End tag (b)",
        '<a href="/" tabindex="2">x</a>': "order of its own",
        '<p id="a">x</p><p id="a">y</p>': "not unique",
        '<p id="a b">x</p>': "is no id",
        '<input type="text" id="n">': "no label is for",
        '<label for="n">Nom</label>': "for points at nothing",
        '<p aria-describedby="n">x</p>': "aria-describedby points at nothing",
        '<a href="#n">x</a>': "leads nowhere",
        "<h1>Deux</h1>": "2 <h1>",
        "<h3>Trois</h3>": "<h3> « Trois » follows <h1>",
        "<h2></h2>": "empty heading",
        '<a href="/"><button type="button">x</button></a>': "inside <a",
        '<label for="n">x <a href="/">y</a><input id="n"></label>': "inside <label",
        '<p style="color: red">x</p>': "inline style",
        "<script>1</script>": "no file of ours",
        '<p onclick="x()">x</p>': "inline script",
        '<a href="javascript:x()">x</a>': "inline script",
        '<img src="/x.png">': "without alt",
        '<button type="button"></button>': "says what it does",
        "<ul><p>x</p></ul>": "directly in <ul>",
        "<span><div>x</div></span>": "<div> inside <span>",
        '<button type="button" title="x" aria-label="y">z</button>': "aria-label and title",
        "<fieldset><p>x</p><legend>y</legend></fieldset>": "not the first",
    }
    for html, fault in faulty.items():
        found = html_faults(PAGE.format(html))
        assert any(fault in one for one in found), (html, found)
        assert page_faults(PAGE.format(html)) == found
    for title in ("Essai", " – Espace Entreprise Santé", "Essai – Autre"):
        page = re.sub(r"<title>.*</title>", f"<title>{title}</title>", PAGE.format(""))
        assert any("not one title" in one for one in html_faults(page)), title
    assert any("language" in one for one in html_faults(PAGE.format("").replace(' lang="fr"', "")))


async def test_what_a_person_would_run_into_is_found(served: Served, browser: Browser) -> None:
    async with looking(browser, "light", 1280) as context:
        page = await context.new_page()

        async def show(inside: str) -> None:
            await page.set_content(f"<style>:focus-visible {{ outline: 3px solid }}</style>{PAGE.format(inside)}")

        await show('<p><a href="/">Un</a> <button>Deux</button></p>')
        assert [*await narrow_faults(page), *await large_text_faults(page), *await keyboard_walk(page)] == []
        await show('<p style="width: 500px">large</p>')
        assert any("beyond the edge" in one for one in await narrow_faults(page))
        await show('<p style="width: 4em; height: 20px; overflow: hidden">un texte bien trop long</p>')
        assert any("cut off" in one for one in await large_text_faults(page))
        for inside, fault in {
            '<a href="/" style="outline: none">x</a>': "no ring",
            '<a href="/" style="position: absolute; left: -999px">x</a>': "out of the window",
            '<a href="/">x</a><p style="position: fixed; inset: 0; background: white">y</p>': "behind something",
        }.items():
            await show(inside)
            found = await keyboard_walk(page)
            assert any(fault in one for one in found), (inside, found)
