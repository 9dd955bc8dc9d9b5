"""/staff/dsn-imports: DSN files sent by software, what each declaration came to, and the changes to decide."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.problems import describes
from domain.dsn.changes import ChangeKind
from services.dsn_report import report_of
from services.dsn_views import (
    DsnChangePage,
    DsnChangeView,
    DsnDecided,
    DsnDecision,
    DsnDeclarationPage,
    DsnDeclarationState,
    DsnImportPage,
    DsnImportView,
    DsnReceived,
)
from services.fields import Siren
from services.hire_proposals import Dismissal, HireProposals
from services.problems import (
    InvalidFields,
    MassReading,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
    StorageAway,
)
from web.callers import AnyCaller, StaffCaller, StaffWriter
from web.file_streams import Stream
from web.parts import Parts, parts

router = APIRouter(prefix="/staff", tags=["dsn"])
employers = APIRouter(tags=["affiliations"])

Use = Annotated[Parts, Depends(parts)]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before")]
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "A DSN, as NEODeS"}},
                }
            }
        },
    }
}


@router.post(
    "/dsn-imports",
    status_code=201,
    openapi_extra=_UPLOAD_BODY,
    responses={
        200: {"model": DsnReceived, "description": "The same content came before: that import"},
        **describes(NotAuthenticated, NotAllowed, InvalidFields, StorageAway),
    },
)
async def receive(caller: StaffWriter, file: Stream, use: Use, response: Response) -> DsnReceived:
    """Send a file, in the part named `file`: it is read in its own time. The same content twice is one import: 200."""
    received = await use.dsn_imports.receive(caller, file.content, "api")
    if received.known:
        response.status_code = 200
    return received


@router.get("/dsn-imports", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def imports(caller: StaffCaller, use: Use, cursor: Cursor = None) -> DsnImportPage:
    """The newest first."""
    return await use.dsn_imports.list(caller, cursor)


@router.get("/dsn-imports/{import_id}", responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields))
async def one(import_id: UUID, caller: StaffCaller, use: Use) -> DsnImportView:
    """How far it is, what it came to, or why it was refused."""
    return await use.dsn_imports.one(caller, import_id)


@router.get(
    "/dsn-imports/{import_id}/declarations",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
)
async def declarations(
    import_id: UUID,
    caller: StaffCaller,
    use: Use,
    state: DsnDeclarationState | None = None,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next_number` of the page before")] = 0,
) -> DsnDeclarationPage:
    """In the order of the file, each with what it came to."""
    return await use.dsn_imports.declarations(caller, import_id, state, after)


@router.get(
    "/dsn-imports/{import_id}/report",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {}}, "description": "One line for each declaration; nobody is named"},
        **describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
    },
)
async def report(import_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """The result of a file, in words, for whoever sent it."""
    page = await use.dsn_imports.reported(caller, import_id)
    return Response(report_of(page.items), media_type="text/csv; charset=utf-8", headers=report_headers(import_id))


def report_headers(import_id: UUID) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="dsn-{import_id}.csv"', "Cache-Control": "no-store"}


@router.get("/dsn-changes", responses=describes(NotAuthenticated, NotAllowed, MassReading, InvalidFields))
async def changes(
    caller: StaffCaller,
    use: Use,
    kind: ChangeKind | Literal["reversal"] | None = None,
    decision: Literal["confirm", "review"] | None = None,
    import_id: UUID | None = None,
    siren: Siren | None = None,
    cursor: Cursor = None,
) -> DsnChangePage:
    """What waits for somebody's decision, by the day that it is about."""
    return await use.dsn_imports.changes(caller, kind, decision, import_id, siren, cursor)


@router.get(
    "/dsn-changes/{change_id}", responses=describes(NotAuthenticated, NotAllowed, NotFound, MassReading, InvalidFields)
)
async def change(change_id: UUID, caller: StaffCaller, use: Use) -> DsnChangeView:
    """One change: who the DSN speaks of and whom we know, what would change and when."""
    return await use.dsn_imports.change(caller, change_id)


@router.post(
    "/dsn-changes/{change_id}/decision",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields),
)
async def decide(change_id: UUID, request: DsnDecision, caller: StaffWriter, use: Use) -> DsnDecided:
    """Carry it out, or refuse it, with the reason."""
    return await use.dsn_imports.decide(caller, change_id, request)


# --- what the employer is told of it


@employers.get("/hire-proposals", responses=describes(NotAuthenticated, NotAllowed))
async def hire_proposals(caller: AnyCaller, use: Use) -> HireProposals:
    """People whom the company's DSN declares on our contract and whom nobody has pre-affiliated."""
    return await use.hire_proposals.list(caller)


@employers.post(
    "/hire-proposals/{proposal_id}/dismissal",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
)
async def dismiss_hire_proposal(proposal_id: UUID, request: Dismissal, caller: AnyCaller, use: Use) -> None:
    """Say why somebody is not to be pre-affiliated: they are not proposed any more."""
    await use.hire_proposals.dismiss(caller, proposal_id, request)
