"""« Mes documents pratiques »: the forms and guides to download."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from portal.space import SpaceRoute, signed_in_page
from services.library import SLUG, LibraryCategory, LibraryFile
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

LIBRARY: Final = "/documents"
CATEGORIES: Final = {
    LibraryCategory.employees: "Documents utiles salariés",
    LibraryCategory.guides: "Guides pratiques",
}


@router.get(LIBRARY)
async def library(
    request: Request, caller: UserCaller, use: Use, q: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    found = (await use.library.found(caller, q)).items
    groups = [
        (category, title, [one for one in found if one.category is category]) for category, title in CATEGORIES.items()
    ]
    return await signed_in_page(
        request, caller, use, "library/library", groups=groups, count=len(found), q=" ".join(q.split())
    )


@router.get(f"{LIBRARY}/{{slug}}.pdf")
async def document(slug: Annotated[str, Path(pattern=SLUG)], caller: UserCaller, use: Use) -> Response:
    """The version in force, counted."""
    return pdf_answer(await use.library.file(caller, slug))


def pdf_answer(file: LibraryFile) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(file.content, media_type="application/pdf", headers=headers)
