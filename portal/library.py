"""« Mes documents pratiques »: the forms and guides to download."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from portal.space import SpaceRoute, signed_in_page
from services.blank_forms import blank_affiliation, blank_pre_affiliation
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

LIBRARY: Final = "/documents"


@router.get(LIBRARY)
async def library(request: Request, caller: UserCaller, use: Use) -> Response:
    sizes = {"pre_affiliation": len(await blank_pre_affiliation()), "affiliation": len(await blank_affiliation())}
    kilobytes = {name: -(-size // 1000) for name, size in sizes.items()}
    return await signed_in_page(request, caller, use, "library/library", kilobytes=kilobytes)


@router.get(f"{LIBRARY}/pre-affiliation.pdf")
async def pre_affiliation(caller: UserCaller) -> Response:
    """The employer's blank declaration."""
    return _download(await blank_pre_affiliation(), "formulaire-pre-affiliation.pdf")


@router.get(f"{LIBRARY}/affiliation.pdf")
async def affiliation(caller: UserCaller) -> Response:
    """The blank BIA."""
    return _download(await blank_affiliation(), "formulaire-affiliation.pdf")


def _download(pdf: bytes, name: str) -> Response:
    return Response(
        pdf, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
