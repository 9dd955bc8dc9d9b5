"""/documents: « Mes documents pratiques », for employers' users, machines and staff."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.problems import describes
from gateways.files.names import content_disposition
from services.library import SLUG, LibraryDocuments
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound
from web.callers import AnyCaller, Use

router = APIRouter(prefix="/documents", tags=["documents"])


@router.get("", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def documents(
    caller: AnyCaller,
    use: Use,
    q: Annotated[str, Query(max_length=100, description="Words that all stand in the document, accents or not")] = "",
) -> LibraryDocuments:
    """Forms and guides to download, with their versions."""
    return await use.library.found(caller, q)


@router.get(
    "/{slug}",
    response_class=Response,
    responses={
        **describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
        200: {"content": {"application/pdf": {}}, "description": "The version in force"},
    },
)
async def document(
    slug: Annotated[str, Path(pattern=SLUG, description="As the list names it")], caller: AnyCaller, use: Use
) -> Response:
    """The PDF; its downloads are counted."""
    file = await use.library.file(caller, slug)
    return Response(
        file.content, media_type="application/pdf", headers={"Content-Disposition": content_disposition(file.name)}
    )
