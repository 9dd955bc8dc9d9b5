"""Refuses requests that another site makes a browser send (security.md H-01)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from services.problems import NotAllowed
from web.parts import Parts, parts

_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN = ("same-origin", "none")  # none: the person's own doing, no site's


def same_site_only(request: Request, parts: Annotated[Parts, Depends(parts)]) -> None:
    """A dependency of routes that change something. Raises NotAllowed for what does not come from our own pages.

    `Sec-Fetch-Site` decides where the browser sends it; otherwise `Origin` must be ours. Neither: refused.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    own = site in _OWN if site is not None else request.headers.get("origin") == _origin(parts.config.public_base_url)
    if not own:
        raise NotAllowed("Cette demande ne vient pas de nos pages. Revenez à la page précédente, puis recommencez.")


def _origin(url: str) -> str:
    scheme, host = urlsplit(url)[:2]
    return f"{scheme}://{host}"


SameSite = Depends(same_site_only)
