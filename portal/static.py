"""The portal's own files, under addresses that change with their content: kept by browsers for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

from services.problems import NotFound

DIRECTORY = Path(__file__).with_name("static")
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}

router = APIRouter(include_in_schema=False)


def static(name: str) -> str:
    """The address of a file of `portal/static/`. Raises KeyError for an unknown one."""
    return f"/static/{_files()[name][0]}/{name}"


@router.get("/static/{digest}/{name}")
async def file(digest: str, name: str) -> Response:
    known_digest, content = _files().get(name, ("", b""))
    if digest != known_digest:
        raise NotFound()
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, headers=headers, media_type=_TYPES[Path(name).suffix])


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    contents = {path.name: path.read_bytes() for path in DIRECTORY.iterdir() if path.suffix in _TYPES}
    return {name: (hashlib.sha256(content).hexdigest()[:16], content) for name, content in contents.items()}
