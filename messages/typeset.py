"""Data in, tagged PDF out: the one place that talks to Typst and to the QR code library.

What people typed reaches a template as JSON, never as source: nothing in a name can be a command.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import segno
import typst

from messages import house
from messages.typography import one_line

_TEMPLATES = Path(__file__).with_name("templates") / "paper"
_MAX_CHARACTERS = 120  # of one value: none may push a letter to another page
_STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]


def render(template: str, dated: date, data: Mapping[str, Any], images: Mapping[str, str]) -> bytes:
    """The PDF/UA-1 and PDF/A-2a of `template` (a file of templates/paper) filled with `data`; same input, same bytes.

    `dated`: the document's date in its metadata. `images`: SVG sources by the name the template reads them under.
    Raises typst.TypstError when the template is wrong; data cannot make it so.
    """
    values = {**data, "house": _house(), "date": (dated.year, dated.month, dated.day)}
    inputs = {"data": json.dumps(values, ensure_ascii=False), **images}
    compiler, lock = _compiler(template)
    with lock:
        pdf = compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards=_STANDARDS)
    assert isinstance(pdf, bytes)
    return pdf


def printable(text: str) -> str:
    """What a person typed, on one line of at most 120 characters, all of which the font has.

    A character that it lacks loses its marks or becomes « ? »: PDF/A forbids a missing glyph, and without this one
    emoji in a name would keep a letter from existing.
    """
    line = "".join(_printable_character(c) for c in one_line(text))
    return line if len(line) <= _MAX_CHARACTERS else line[: _MAX_CHARACTERS - 1] + "…"


def qr_svg(content: str) -> str:
    """The QR code of `content` as an SVG source, error level M, without its quiet zone (the template leaves it)."""
    out = io.BytesIO()
    segno.make_qr(content, error="m").save(out, kind="svg", border=0, xmldecl=False, svgns=True)
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


# Latin as names of all Europe and of Vietnam need it, Greek, Cyrillic, punctuation: in all the weights that we use.
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
def _compiler(template: str) -> tuple[typst.Compiler, Lock]:
    # One compiler per template keeps fonts and parsed sources; it serves one call at a time, hence the lock.
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[_font_folder()])
    return typst.Compiler(_TEMPLATES / template, root=_TEMPLATES, font_paths=fonts), Lock()


def _font_folder() -> Path:
    # The fonts come from a package, never from the machine: a letter looks the same wherever it is made.
    spec = find_spec("font_source_sans_pro")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the font-source-sans-pro package is not installed")
    return Path(spec.submodule_search_locations[0]) / "files"
