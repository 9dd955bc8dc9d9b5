"""What pages are made of besides HTML, under addresses that change with the content: kept by browsers for ever and sent
compressed. The style sheet is made of `portal/styles/`, the fonts are made at set-up, htmx is its package's own."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import brotli
from fastapi import APIRouter, Header, Response

from portal import fonts
from services.problems import NotFound

DIRECTORY = Path(__file__).with_name("static")
STYLES = Path(__file__).with_name("styles")
STYLE_SHEET = "portal.css"
HTMX = "htmx.js"
# What comes later wins, however a rule of before it is written; a new page's own rules are one more file.
LAYERS: Final = (
    "tokens",
    "elements",
    "parts",
    "space",
    "lists",
    "forms",
    "insured",
    "charts",
    "desk",
    "register",
    "evidence",
    "contact",
    "imports",
    "assistant",
    "dev",
    "print",
)
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
}
_ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {"br": brotli.compress, "gzip": gzip.compress}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _File:
    digest: str
    content: bytes
    encoded: dict[str, bytes]


def static(name: str) -> str:
    """The address of a file. Raises KeyError for an unknown one."""
    return f"/static/{_files()[name].digest}/{name}"


@router.get("/static/{digest}/{name}")
async def file(digest: str, name: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
    known = _files().get(name)
    if known is None or digest != known.digest:
        raise NotFound()
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    content = known.content
    for encoding, encoded in known.encoded.items():
        if encoding in accept_encoding:
            headers["Content-Encoding"], content = encoding, encoded
            break
    return Response(content, headers=headers, media_type=_TYPES[Path(name).suffix])


@cache
def _files() -> dict[str, _File]:
    contents = {path.name: path.read_bytes() for path in DIRECTORY.iterdir() if path.suffix in _TYPES}
    for weight in fonts.WEIGHTS:
        contents[fonts.file_name(weight)] = (fonts.FOLDER / fonts.file_name(weight)).read_bytes()
    contents[HTMX] = (resources.files("django_htmx") / "static" / "django_htmx" / "htmx-2.min.js").read_bytes()
    addresses = {name: f"/static/{_digest(content)}/{name}" for name, content in contents.items()}
    contents[STYLE_SHEET] = _style_sheet(addresses).encode()
    return {
        name: _File(
            _digest(content),
            content,
            {} if name.endswith(".woff2") else {kind: encode(content) for kind, encode in _ENCODINGS.items()},
        )
        for name, content in contents.items()
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _style_sheet(addresses: dict[str, str]) -> str:
    """`@layer`s of `portal/styles/`, in their order. The page waits for no font: one that is late is not used."""
    faces = [
        f'@font-face {{ font-family: "Source Sans"; font-weight: {weight}; font-display: optional; '
        f'src: url("{addresses[fonts.file_name(weight)]}") format("woff2"); }}'
        for weight in fonts.WEIGHTS
    ]
    layers = [f"@layer {name} {{\n{(STYLES / f'{name}.css').read_text()}}}" for name in LAYERS]
    return "\n".join([f"@layer {', '.join(LAYERS)};", *faces, *layers])
