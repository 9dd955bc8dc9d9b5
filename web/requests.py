"""What no request may be, whichever route it asks for (security.md H-08)."""

from __future__ import annotations

import re
from collections import Counter

from fastapi import Request

from services.problems import FieldError, InvalidFields

MAX_DEPTH = 20
# The parameters that are lists; a test compares them with the OpenAPI document.
LISTS = frozenset(["status"])

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # an end that is missing is not looked for again
_AS_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


async def once_each(request: Request) -> None:
    """Raises InvalidFields when a single-valued parameter is there twice: nobody could say which one counts."""
    if not request.scope["query_string"]:
        return
    given = Counter(name for name, _ in request.query_params.multi_items() if name not in LISTS)
    doubles = sorted(name for name, times in given.items() if times > 1)
    if doubles:
        words = "Ce paramètre est indiqué plusieurs fois. Indiquez-le une seule fois."
        raise InvalidFields([FieldError(name[:100], "duplicate", words) for name in doubles[:50]])


async def shallow(request: Request) -> None:
    """Raises InvalidFields for JSON of more than 20 levels."""
    if "json" in request.headers.get("content-type", "") and depth_exceeds(await request.body(), MAX_DEPTH):
        words = f"Le contenu a plus de {MAX_DEPTH}\u00a0niveaux d’objets et de listes."
        raise InvalidFields([FieldError("body", "json_too_deep", words)])


def depth_exceeds(body: bytes, levels: int) -> bool:
    """Whether JSON has more levels of objects and lists. Every pass takes the innermost away, and none is in Python:
    a megabyte of brackets takes some milliseconds."""
    if body.count(b"[") + body.count(b"{") <= levels:
        return False
    brackets = _STRING.sub(b"", body).translate(_AS_ONE_KIND, _NO_BRACKETS)
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
