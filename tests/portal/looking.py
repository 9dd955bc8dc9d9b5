"""What must hold of every page: valid HTML, room for its text at any size, a way through it with the keyboard.

`html_faults` reads a page as it was sent; the others look at one that is open in a browser. All of them answer with
what is wrong, in words, nothing when nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
from html5lib.constants import E as PARSE_ERRORS
from playwright.async_api import Page, Request

from messages import house

SITES = ("Espace Entreprise Santé", house.NAME, "Développement")  # what a title ends with, after « – »
NARROW = 320
ZOOMED = 640  # 1280 pixels at 200 %

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CONTROLS = {"input", "select", "textarea"}
_NAMELESS = {"hidden", "submit", "button", "image", "reset"}
_INTERACTIVE = {"a", "button", "input", "select", "textarea", "label", "details", "iframe"}
_POINTING = ("aria-describedby", "aria-labelledby", "aria-controls", "aria-errormessage", "aria-owns", "for", "headers")
_BLOCKS = {
    "address",
    "article",
    "aside",
    "blockquote",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
}
_BLOCKS |= {"form", "header", "hr", "main", "nav", "ol", "p", "pre", "search", "section", "table", "ul", *_HEADINGS}
_OF_PHRASES = {"p", "span", "strong", "em", "b", "i", "small", "label", "button", "dt", "summary", "legend", "caption"}
_OF_PHRASES |= {"time", "abbr", "bdi", "code", *_HEADINGS}
_MAY_HOLD = {"dt": _BLOCKS - {"header", "footer", "article", "aside", "nav", "section", *_HEADINGS}}
_MAY_HOLD |= {"summary": set(_HEADINGS), "legend": set(_HEADINGS), "caption": _BLOCKS - {"table"}}
_CHILDREN = {
    "ul": {"li"},
    "ol": {"li"},
    "dl": {"dt", "dd", "div"},
    "tr": {"td", "th"},
    "select": {"option", "optgroup"},
}
_FIRST = {"legend": "fieldset", "caption": "table", "summary": "details"}


# --- as it was sent


def html_faults(text: str) -> list[str]:
    """What a validator and a person who checks by hand would find in a page's HTML."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    root = cast(Element, parser.parse(text))
    found = [_told(text, *error) for error in parser.errors]
    elements = [(one, above) for one, above in _walked(root, ()) if isinstance(one.tag, str)]
    found += _frame_faults(root)
    found += _reference_faults([one for one, _ in elements])
    found += _heading_faults([one for one, _ in elements])
    for element, above in elements:
        found += _element_faults(element, above)
    return found + _label_faults(elements)


_SAID = re.compile(r">[^<]*[^<\s][^<]*<")
_VALUE = re.compile(
    r' (value|href|src|action|content|datetime|alt|title|placeholder|aria-label|d)="(?!#|javascript)[^"]+"'
)
_sound: set[int] = set()


def page_faults(text: str) -> list[str]:
    """`html_faults`, once for all pages that differ in their words, numbers and addresses only: reading a page takes
    longer than making it."""
    site = text.partition("</title>")[0].rpartition(" – ")[2]
    skeleton = hash(site + re.sub(r"\d+", "0", _VALUE.sub(r' \1="x"', _SAID.sub(">x<", text))))
    if skeleton in _sound:
        return []
    found = html_faults(text)
    if not found:
        _sound.add(skeleton)
    return found


def _walked(element: Element, above: tuple[Element, ...]) -> Iterator[tuple[Element, tuple[Element, ...]]]:
    yield element, above
    for child in element:
        yield from _walked(child, (*above, element))


def _told(text: str, place: tuple[int, int], code: str, values: dict[str, object]) -> str:
    lines = text.splitlines()
    line = lines[min(place[0], len(lines)) - 1].strip() if lines else ""
    return f"line {place[0]}: {PARSE_ERRORS.get(code, code) % values} in « {line[:120]} »"


def _shown(element: Element) -> str:
    return f"<{' '.join([str(element.tag), *(f'{name}={value!r}' for name, value in element.attrib.items())])}>"[:160]


def _words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _frame_faults(root: Element) -> list[str]:
    found = []
    if not root.get("lang"):
        found.append("the page does not say its language")
    titles = [_words(one) for one in root.iterfind("head/title")]
    if len(titles) != 1 or not any(titles[0].endswith(f" – {site}") and titles[0] != f" – {site}" for site in SITES):
        found.append(f"not one title « X – {SITES[0]} »: {titles}")
    if len(list(root.iter("main"))) != 1:
        found.append("not one <main>")
    return found


def _reference_faults(elements: list[Element]) -> list[str]:
    ids = [one.attrib["id"] for one in elements if "id" in one.attrib]
    found = [f"id « {name} » is not unique" for name in sorted({name for name in ids if ids.count(name) > 1})]
    found += [f"« {name} » is no id" for name in ids if not name or len(name.split()) != 1]
    known = set(ids)
    for one in elements:
        for name in _POINTING:
            for target in one.get(name, "").split():
                if target not in known:
                    found.append(f"{name} points at nothing: {_shown(one)}")
            if name in one.attrib and not one.attrib[name].strip():
                found.append(f"{name} is empty: {_shown(one)}")
        link = one.get("href", "") if one.tag == "a" else ""
        if link.startswith("#") and link[1:] not in known:
            found.append(f"a link leads nowhere: {_shown(one)}")
    return found


def _heading_faults(elements: list[Element]) -> list[str]:
    headings = [one for one in elements if one.tag in _HEADINGS]
    found = [f"an empty heading: {_shown(one)}" for one in headings if not _words(one)]
    levels = [_HEADINGS[str(one.tag)] for one in headings]
    if levels.count(1) != 1:
        found.append(f"{levels.count(1)} <h1>")
    seen = 0
    for one, level in zip(headings, levels, strict=True):
        # what stands before the first heading of level 1 is a message about the page
        if seen and level > seen + 1:
            found.append(f"<h{level}> « {_words(one)} » follows <h{seen}>")
        seen = level
    return found


def _element_faults(element: Element, above: tuple[Element, ...]) -> list[str]:
    tag, found = str(element.tag), []
    if "style" in element.attrib or tag == "style":
        found.append(f"inline style: {_shown(element)}")
    if tag == "script" and not element.get("src", "").startswith("/static/"):
        found.append(f"a script that is no file of ours: {_shown(element)}")
    found += [f"inline script « {name} »: {_shown(element)}" for name in element.attrib if name.startswith("on")]
    if element.get("href", "").lower().startswith("javascript:"):
        found.append(f"inline script: {_shown(element)}")
    if tag == "img" and "alt" not in element.attrib:
        found.append(f"an image without alt: {_shown(element)}")
    if element.get("tabindex", "0") not in ("0", "-1"):
        found.append(f"an order of its own: {_shown(element)}")
    if "title" in element.attrib and "aria-label" in element.attrib:
        found.append(f"aria-label and title together: {_shown(element)}")
    if tag in _FIRST and (not above or above[-1].tag != _FIRST[tag] or above[-1][0] is not element):
        found.append(f"<{tag}> is not the first in <{_FIRST[tag]}>: {_shown(element)}")
    if tag in _CHILDREN:
        found += [f"<{one.tag}> directly in <{tag}>" for one in element if one.tag not in _CHILDREN[tag]]
    if tag in ("a", "button") and not _has_name(element):
        found.append(f"nothing says what it does: {_shown(element)}")
    return found + _nesting_faults(element, above)


def _nesting_faults(element: Element, above: tuple[Element, ...]) -> list[str]:
    tag, found = str(element.tag), []
    outside = [one for one in above if one.tag in ("a", "button", "label", "summary")]
    own_control = tag in _CONTROLS and [one.tag for one in outside] == ["label"]
    if tag in _INTERACTIVE and outside and not own_control and (tag, element.get("type")) != ("input", "hidden"):
        found.append(f"{_shown(element)} inside {_shown(outside[-1])}")
    if tag in _BLOCKS:
        for one in above:
            if one.tag in _OF_PHRASES and tag not in _MAY_HOLD.get(str(one.tag), set()):
                found.append(f"<{tag}> inside {_shown(one)}")
    if tag == "form" and any(one.tag == "form" for one in above):
        found.append("a form inside a form")
    return found


def _label_faults(elements: list[tuple[Element, tuple[Element, ...]]]) -> list[str]:
    labelled = {one.get("for") for one, _ in elements if one.tag == "label"}
    found = []
    for one, _ in elements:
        if one.tag not in _CONTROLS or one.get("type") in _NAMELESS:
            continue
        if one.get("id") not in labelled and not one.get("aria-labelledby") and not one.get("aria-label"):
            found.append(f"no label is for {_shown(one)}")
    return found


def _has_name(element: Element) -> bool:
    pictures = [one.get("alt") or one.get("aria-label") for one in element.iter() if one.tag != element.tag]
    return bool(_words(element) or element.get("aria-label") or element.get("aria-labelledby") or any(pictures))


# --- in a browser

_BEYOND = """[...document.querySelectorAll('main *, header *, footer *')].filter(e => {
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height || e.closest('.visually-hidden, .skip')) return false;
    if (box.right <= innerWidth + 1 && box.left >= -1) return false;
    for (let up = e; up; up = up.parentElement)  // what scrolls by itself may hold more, and what is for ears only
        if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX) || up.clientWidth === 1) return false;
    return true;
}).map(e => 'beyond the edge: ' + e.outerHTML.slice(0, 160))"""

_CLIPPED = """[...document.querySelectorAll('main *, header *, footer *')].filter(e => {
    const style = getComputedStyle(e);
    if (e.closest('.visually-hidden, svg') || e.clientWidth <= 1 || !e.textContent.trim()) return false;
    const hides = axis => ['hidden', 'clip'].includes(axis);
    return hides(style.overflowX) && e.scrollWidth > e.clientWidth + 1
        || hides(style.overflowY) && e.scrollHeight > e.clientHeight + 1;
}).map(e => 'cut off: ' + e.outerHTML.slice(0, 160))"""

_UNFIT = f"""size => {{
    const style = document.documentElement.style, before = style.fontSize;
    style.fontSize = size;
    const found = {_BEYOND}.concat({_CLIPPED});
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
    style.fontSize = before;
    return found;
}}"""


async def narrow_faults(page: Page) -> list[str]:
    """What does not fit in 320 pixels, which is also 1280 pixels at 400 %."""
    return await _at_width(page, NARROW, "100%")


async def large_text_faults(page: Page) -> list[str]:
    """What does not fit when the page is zoomed to 200 %, or its text alone is."""
    zoomed = await _at_width(page, ZOOMED, "100%")
    return zoomed + await _at_width(page, 2 * ZOOMED, "200%")


async def _at_width(page: Page, width: int, text: str) -> list[str]:
    before = page.viewport_size
    await page.set_viewport_size({"width": width, "height": 900})
    try:
        found = await page.evaluate(_UNFIT, text)
    finally:
        if before is not None:
            await page.set_viewport_size(before)
    return [f"{width} px, text {text}: {one}" for one in found]


def hosts_asked(page: Page) -> set[str]:
    """From now on, every host that the page asks for something; it may only be its own."""
    hosts: set[str] = set()

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss"):  # Chromium shows a PDF with files of its own
            hosts.add(address.netloc)

    page.on("request", note)
    return hosts


async def layout_shift(page: Page) -> float:
    """How much the open page moved by itself while it loaded; nothing may."""
    await page.wait_for_load_state("load")
    await page.evaluate("document.fonts.ready")
    moved: float = await page.evaluate(
        """() => new Promise(done => {
            let sum = 0;
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
            }).observe({type: 'layout-shift', buffered: true});
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum))));
        })"""
    )
    return moved


_FOCUSED = """() => {
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    window.walked ??= [];
    const found = [], before = window.walked.at(-1);
    if (e === before) return {again: false, found};  // of a date, each part is a stop
    if (window.walked.includes(e)) return {again: true, found};
    window.walked.push(e);
    const name = e.outerHTML.slice(0, 120);
    if (before && !(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING))
        found.push('comes before what had the focus: ' + name);
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    // a control that its label stands for shows its focus on the label
    const ringed = [e, e.closest('label'), e.parentElement].filter(Boolean).some(one => {
        const s = getComputedStyle(one);
        return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
    });
    if (!ringed) found.push('no ring around what has the focus: ' + name);
    if (box.width < 1 || box.height < 1 || style.visibility === 'hidden') found.push('has the focus unseen: ' + name);
    else if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth)
        found.push('has the focus out of the window: ' + name);
    else {
        const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 8), 0), innerWidth - 1);
        const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
        const top = document.elementFromPoint(x, y);
        if (top && !e.contains(top) && !top.contains(e) && !e.closest('label')?.contains(top)
            && getComputedStyle(top).position !== 'static') found.push('has the focus behind something: ' + name);
    }
    return {again: false, found};
}"""

_REACHABLE = """() => {
    const groups = new Set();
    return [...document.querySelectorAll('a[href], button, input, select, textarea, summary, iframe, [tabindex]')]
        .filter(e => {
            if (e.tabIndex < 0 || e.disabled || e.type === 'hidden' || !e.checkVisibility({checkVisibilityCSS: true}))
                return false;
            if (e.type !== 'radio') return true;
            const group = (e.form?.action ?? '') + e.name, chosen = e.form?.querySelector(
                `input[type=radio][name="${CSS.escape(e.name)}"]:checked`);
            if (chosen) return e === chosen;  // the group is one stop
            return groups.has(group) ? false : !!groups.add(group);
        });
}"""


async def keyboard_walk(page: Page) -> list[str]:
    """Tab from the top to the end: everything is reached, in the order that it is read, seen, with a ring around it."""
    await page.evaluate(
        "() => { window.walked = []; document.activeElement?.blur(); getSelection()?.removeAllRanges();"
        " scrollTo(0, 0); const start = document.createElement('span'); start.tabIndex = -1;"
        " document.body.prepend(start); start.focus(); start.remove(); }"
    )
    most = await page.evaluate(f"({_REACHABLE})().length")
    found: list[str] = []
    for _ in range(2 * most + 9):
        await page.keyboard.press("Tab")
        step = await page.evaluate(_FOCUSED)
        if step is None or step["again"]:
            break
        found += step["found"]
    else:
        found.append("the keyboard does not come out of the page")
    missed = await page.evaluate(
        f"() => ({_REACHABLE})().filter(e => !window.walked.includes(e)).map(e => e.outerHTML.slice(0, 120))"
    )
    return found + [f"the keyboard does not reach {one}" for one in missed]
