"""Data in, tagged PDF out: the one place that talks to Typst and to the QR code library.

What people typed reaches a template as JSON, never as source: nothing in a name can be a command.
"""

from __future__ import annotations

import io
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from queue import LifoQueue
from typing import Any

import segno
import typst

from domain.media import Language
from messages import house
from messages.catalogue import Catalogue, Run
from messages.typography import one_line

_TEMPLATES = Path(__file__).with_name("templates") / "paper"
_MAX_CHARACTERS = 120  # of one value: none may push a letter to another page
_MOST_COMPILERS = 4
_SIZES = (11.5, 11, 10.5, 10, 9.5, 9, 8.5)
_LARGE_SIZES = (13, 12.5, 12, *_SIZES)
_REGIONS = {"fr": "FR"}
_LONG_WORD = re.compile(r"\S{24}(?=\S{6})")
STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]

Marked = list[dict[str, str | bool]]


def render(template: str, dated: date, data: Mapping[str, Any], images: Mapping[str, str]) -> bytes:
    """The PDF/UA-1 and PDF/A-2a of `template` (a file of templates/paper) filled with `data`; same input, same bytes.

    `dated`: the document's date in its metadata. `images`: SVG sources by the name the template reads them under.
    Raises typst.TypstError when the template is wrong; data cannot make it so.
    """
    values = {**data, "house": _house(), "date": (dated.year, dated.month, dated.day)}
    inputs = {"data": json.dumps(values, ensure_ascii=False), **images}
    compilers = _compilers(template)
    compiler = compilers.get()
    try:
        pdf = compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards=STANDARDS)
    finally:
        compilers.put(compiler)
    assert isinstance(pdf, bytes)
    return pdf


def language_of(words: Catalogue) -> dict[str, str | None]:
    """The language of a document, as `document-frame` takes it."""
    return {"lang": words.html_lang, "region": words.locale.territory or _REGIONS.get(words.html_lang)}


def sizes(language: Language) -> tuple[float, ...]:
    """Sizes of type to try, in points: the largest that keeps a document on its page is taken."""
    return _LARGE_SIZES if language is Language.falc else _SIZES


def marked(runs: Iterable[Run]) -> Marked:
    """A text of the catalogues as a template's `words` reads it."""
    return [{"text": run.text, "important": run.important} for run in runs]


def printable(text: str, most: int = _MAX_CHARACTERS) -> str:
    """What a person typed, on one line of at most `most` characters, all of which the fonts have.

    A character that it lacks loses its marks or becomes « ? »: PDF/A forbids a missing glyph, and without this one
    emoji in a name would keep a letter from existing.
    """
    line = "".join(_printable_character(c) for c in one_line(text))
    return line if len(line) <= most else line[: most - 1] + "…"


def breakable(text: str) -> str:
    """With places to break in what is too long for a line or a column: a hash, a link, a name without spaces."""
    return _LONG_WORD.sub("\\g<0>\u200b", text)


# One of the eight patterns, instead of drawing and comparing all of them: that took a fifth of a letter's time.
QR_MASK = 2


def qr_svg(content: str) -> str:
    """The QR code of `content` as an SVG source, error level M, without its quiet zone (the template leaves it)."""
    out = io.BytesIO()
    segno.make_qr(content, error="m", mask=QR_MASK).save(out, kind="svg", border=0, xmldecl=False, svgns=True)
    return out.getvalue().decode()


def _house() -> dict[str, Any]:
    return {
        "name": house.NAME,
        "helpline": house.HELPLINE,
        "hours": house.HELPLINE_HOURS,
        "return_address": house.RETURN_ADDRESS,
    }


def _printable_character(character: str) -> str:
    if character in _GLYPHS:
        return character
    if unicodedata.combining(character):
        return ""
    return "".join(c for c in unicodedata.normalize("NFKD", character) if c in _GLYPHS) or "?"


# Latin as names of all Europe and of Vietnam need it, Greek, Cyrillic, punctuation: in all the weights that we use; and
# the letters of Arabic, without its vowel signs, which no font has on a letter of another script.
_GLYPHS = frozenset(
    chr(code)
    for first, last in (
        (0x20, 0x17E),
        (0x18F, 0x18F),
        (0x1A0, 0x1A1),
        (0x1AF, 0x1B0),
        (0x1CD, 0x1DC),
        (0x1E6, 0x1ED),
        (0x1F8, 0x21B),
        (0x259, 0x259),
        (0x384, 0x3CE),
        (0x400, 0x45F),
        (0x490, 0x493),
        (0x60C, 0x60C),
        (0x61B, 0x61B),
        (0x61F, 0x64A),
        (0x660, 0x66F),
        (0x671, 0x6D5),
        (0x6EE, 0x6FC),
        (0x1E80, 0x1E85),
        (0x1E9E, 0x1E9E),
        (0x1EA0, 0x1EF9),
        (0x2012, 0x2015),
        (0x2018, 0x201A),
        (0x201C, 0x201E),
        (0x20AC, 0x20AC),
    )
    for code in range(first, last + 1)
) | frozenset("†•…\u202f‰‹›№™")


@cache
def _compilers(template: str) -> LifoQueue[typst.Compiler]:
    # A compiler keeps fonts and parsed sources, serves one call at a time and works on one core: one for each.
    compilers: LifoQueue[typst.Compiler] = LifoQueue()
    for _ in range(min(os.cpu_count() or 1, _MOST_COMPILERS)):
        compilers.put(typst.Compiler(_TEMPLATES / template, root=_TEMPLATES, font_paths=fonts()))
    return compilers


@cache
def fonts() -> typst.Fonts:
    """The fonts come from packages, never from the machine: a letter looks the same wherever it is made."""
    folders = [_font_folder(package) for package in ("font_source_sans_pro", "fontpkg_noto_sans_arabic")]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


def _font_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / "files"
